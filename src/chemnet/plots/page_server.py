"""Serving a page of more points than a file can hold, to this machine's own browsers alone."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chemnet.errors import ConfigError
from chemnet.plots.embedding_page import PageData, little_endian, page_blocks, served_page
from chemnet.progress import get_logger

_HOST = "127.0.0.1"
# names by which a browser of this machine, or at the other end of a tunnel to it, calls the server: a page
# from elsewhere whose name was made to mean this machine calls it otherwise
_OWN_NAMES = (_HOST, "localhost")
_PATIENCE = 60  # [s] for a request that does not end
_log = get_logger(__name__)


class PageServer(ThreadingHTTPServer):
    """An HTTP server of one page on the loopback interface; its address holds a random word.

    Parameters
    ----------
    data
        What the page shows.
    port
        Where to listen; 0: any port that is free.

    Raises
    ------
    ConfigError
        When the port cannot be had.

    Examples
    --------
    >>> with PageServer(data, 0) as server:  # doctest: +SKIP
    ...     print(server.url)
    ...     server.serve_forever()
    """

    daemon_threads = True

    def __init__(self, data: PageData, port: int) -> None:
        self.token = secrets.token_urlsafe(24)
        nonce = secrets.token_urlsafe(16)
        meta, blocks = page_blocks(data)
        self.policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
            "img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        page = served_page(data, meta, nonce).encode()
        self.pages = {f"/{self.token}/": ("text/html; charset=utf-8", page)}
        self.pages |= {
            f"/{self.token}/block/{name}": ("application/octet-stream", little_endian(values))
            for name, values in blocks.items()
        }
        try:
            super().__init__((_HOST, port), _Handler)
        except OSError as error:
            raise ConfigError(
                f"visualize.port = {port}: {error.strerror}",
                hint="set visualize.port to another one, or to 0 for any that is free",
            ) from error

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{_HOST}:{self.server_address[1]}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note that a browser went away in the middle of an answer."""
        _log.debug("a request of %s broke off", client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET for the page and its blocks, and knows nothing else."""

    server: PageServer
    timeout = _PATIENCE

    def do_GET(self) -> None:
        """Send the page or a block of numbers."""
        found = self._found()
        kind, body = found or ("text/plain", b"not found\n")
        self.send_response(HTTPStatus.OK if found else HTTPStatus.NOT_FOUND)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": self.server.policy if found else "default-src 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _found(self) -> tuple[str, bytes] | None:
        """Return type and bytes of what is asked for, or None where that is nothing of ours."""
        if self.headers.get("Host", "").partition(":")[0] not in _OWN_NAMES:
            return None
        token, path = f"/{self.server.token}/".encode(), self.path.encode()
        if not secrets.compare_digest(path[: len(token)], token):
            return None
        return self.server.pages.get(self.path)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep requests out of the terminal."""
        _log.debug(format, *arguments)
