"""Folders that nobody else on this machine can look into, whatever the umask is."""

from __future__ import annotations

import os
from pathlib import Path

_OWNER_ONLY = 0o700
_OTHERS = 0o077


def private_folder(root: Path, *names: str) -> Path:
    """The folder `root/names…`, made where it is not there.

    From `root` on, each is the user's alone; so is every parent of `root` that had to be made. On
    Windows a user's folders are already, and modes say nothing.

    Raises:
        OSError: it cannot be made, or belongs to somebody else.
    """
    for parent in reversed(root.parents):
        parent.mkdir(mode=_OWNER_ONLY, exist_ok=True)
    folder = root
    for name in ("", *names):
        folder /= name
        folder.mkdir(mode=_OWNER_ONLY, exist_ok=True)
        if os.name == "posix" and folder.stat().st_mode & _OTHERS:
            folder.chmod(_OWNER_ONLY)
    return folder
