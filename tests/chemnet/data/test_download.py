"""Public sets come whole and checked; a broken connection is gone on with, a wrong checksum is told."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from command_line import chemnet

from chemnet.data.download import PublicSet, fetch, known_sets, wanted_set
from chemnet.errors import ConfigError, DataError, RunFailedError

CONTENT = bytes(range(256)) * 8000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves one file; breaks after `breaks_after` bytes where that is set."""

    breaks_after: int | None = None
    ranges: list[str | None]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        server.ranges.append(self.headers.get("Range"))
        if not self.path.startswith("/set.h5"):
            self.send_error(404)
            return
        first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if first >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if server.breaks_after is None else body[: server.breaks_after])

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server(("127.0.0.1", 0), Handler)
    found.ranges = []
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def address(server: Server, path: str = "set.h5?download=1") -> str:
    return f"http://127.0.0.1:{server.server_port}/{path}"


def test_a_file_arrives_whole_and_is_not_fetched_twice(server: Server, tmp_path: Path) -> None:
    chosen = PublicSet("cloud", address(server), DIGEST)
    path = fetch(chosen, tmp_path)
    assert (path.name, path.read_bytes() == CONTENT) == ("cloud.h5", True)
    assert fetch(chosen, tmp_path) == path
    assert len(server.ranges) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["cloud.h5"]


def test_a_broken_connection_shows_nothing_and_the_next_try_goes_on(server: Server, tmp_path: Path) -> None:
    server.breaks_after = 500_000
    chosen = PublicSet("cloud", address(server), DIGEST)
    with pytest.raises(RunFailedError, match="broke"):
        fetch(chosen, tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == [".cloud.h5.part"]
    server.breaks_after = None
    assert fetch(chosen, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=500000-"]


def test_a_wrong_checksum_is_told_and_the_file_kept_aside(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=DIGEST):
        fetch(PublicSet("cloud", address(server), "0" * 64), tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["cloud.h5.wrong"]


def test_a_file_that_is_there_with_another_checksum_is_not_overwritten(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "cloud.h5").write_bytes(b"mine")
    with pytest.raises(DataError, match="another checksum"):
        fetch(PublicSet("cloud", address(server), DIGEST), tmp_path)
    assert (tmp_path / "cloud.h5").read_bytes() == b"mine"


def test_the_command_line_fetches_and_says_what_is_next(server: Server, tmp_path: Path) -> None:
    outcome = chemnet("download", address(server), "--output", tmp_path, "--sha256", DIGEST)
    assert outcome.code == 0, outcome.err
    assert f"chemnet preprocess data_set.path={tmp_path / 'set.h5'}" in outcome.out


def test_without_a_connection_it_fails_in_one_line(tmp_path: Path) -> None:
    outcome = chemnet("download", "http://127.0.0.1:9/set.h5", "--output", tmp_path)
    assert (outcome.code, "is there a connection?" in outcome.err) == (3, True)
    assert "Traceback" not in outcome.err


def test_a_missing_file_is_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(RunFailedError, match="404"):
        fetch(PublicSet("x", address(server, "nothing")), tmp_path)


@pytest.mark.parametrize(
    "name", ["cod_cloud", "ftp://example.org/x.h5", "file:///etc/passwd", "10.1051/0004-6361/1"]
)
def test_what_cannot_be_fetched_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        wanted_set(name, known_sets())


def test_a_doi_of_zenodo_names_a_file() -> None:
    found = wanted_set("doi:10.5281/zenodo.13749089/data.hdf5", {})
    assert found.url == "https://zenodo.org/records/13749089/files/data.hdf5?download=1"


def test_a_name_never_becomes_a_path() -> None:
    assert PublicSet("../../evil", "https://example.org/a/..%2F..%2Fb.h5").file_name == ".._.._evil.h5"


def test_users_extend_the_list(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[my_set]\nurl = "https://example.org/my.h5"\n', encoding="utf-8")
    assert "my_set" in chemnet("download", f"download.list={mine}").out
    mine.write_text("[my_set]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="has no url"):
        known_sets(mine)
