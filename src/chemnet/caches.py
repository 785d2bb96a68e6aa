"""Where Numba and Matplotlib keep their caches when the user's own folders cannot be written.

Both look below the home. Without one (a batch system, a container, a full or read-only home) Numba refuses to
compile anything that it is to keep.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

# variable -> folder below the temporary one
_FOLDERS = {"NUMBA_CACHE_DIR": "numba", "MPLCONFIGDIR": "matplotlib"}


def ensure_caches() -> None:
    """Point Numba and Matplotlib to a temporary folder, with a warning, where home takes no cache.

    What the user has set stays. The folder is the same in the next run, so that nothing is compiled twice; it
    belongs to this user alone, for what Numba keeps is code.
    """
    missing = {name: folder for name, folder in _FOLDERS.items() if name not in os.environ}
    # os.path, since Path.expanduser raises for a user without a home
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    if not missing or _can_be_written(home):
        return
    cache = _own_folder()
    for name, folder in missing.items():
        os.environ[name] = str(cache / folder)
    logging.getLogger("chemnet").warning(
        "no cache can be written in %s; %s keeps compiled code and fonts (set %s to choose another)",
        home,
        cache,
        " and ".join(missing),
    )


def cache_folders() -> dict[str, Path]:
    """Return the folder that each cache is kept in, by the variable that chooses it."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    return {name: Path(os.environ.get(name) or home / folder) for name, folder in _FOLDERS.items()}


def _can_be_written(folder: Path) -> bool:
    """Return whether a folder, or the nearest one above it that exists, takes files."""
    if not folder.is_absolute():
        return False
    # os.path, since Path.exists raises where a folder must not be looked into
    existing = next(place for place in map(str, (folder, *folder.parents)) if os.path.exists(place))  # noqa: PTH110
    return os.path.isdir(existing) and os.access(existing, os.W_OK | os.X_OK)  # noqa: PTH112


def _own_folder() -> Path:
    """Return a temporary folder of this user: the usual one, or a new one if that is somebody else's."""
    import tempfile

    user = os.getuid() if hasattr(os, "getuid") else 0
    usual = Path(tempfile.gettempdir()) / f"chemnet-cache-{user}"
    try:
        usual.mkdir(mode=0o700, exist_ok=True)
        found = usual.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o077:
            return usual
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="chemnet-cache-"))
