"""Files and folders that nobody else on this machine can look into, whatever the umask is."""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path

from wizard.platforms import replace, sync

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


def write_whole(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Put the content into the file in one step: nobody sees a part, or before `mode` allows it.

    Raises:
        OSError: it cannot be written; what was there is untouched.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            sync(file.fileno())
        written.chmod(mode)
        replace(written, path)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def file_name(what: Path | str | bytes) -> str:
    """A short name, of digits and letters, for the files that are kept about that one thing."""
    return sha256(os.fsencode(what)).hexdigest()[:16]
