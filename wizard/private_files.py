"""Files and folders that nobody else on this machine can look into, whatever the umask is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wizard.interrupts import signals_held
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


def write_whole(
    path: Path,
    content: bytes,
    *,
    mode: int = 0o600,
    prepare: Callable[[int], None] | None = None,
    part: str = "",
) -> None:
    """Put the content into the file in one step: nobody sees a part, or before `mode` allows it.

    The content is on the disk before it has the name. A signal waits until it has.

    Args:
        path: the file; a link in its place is replaced, not followed.
        content: all of it.
        mode: what the file's mode becomes, unless `prepare` sees to that.
        prepare: gets the descriptor of the new file, of mode 0600, while it is empty.
        part: the temporary file's name, for one that holds a lock: what a killed run left under
            it is replaced. By default a random one.

    Raises:
        OSError: it cannot be written; what was there is untouched. It names the file, or the
            folder where that is the trouble, and never the temporary file.
    """
    with signals_held():
        with _about(path.parent):
            handle, temporary = _temporary(path, part)
        try:
            with _about(path), os.fdopen(handle, "wb") as file:
                if prepare is not None:
                    prepare(handle)
                elif sys.platform == "win32":
                    temporary.chmod(mode)
                else:  # by its name it could be another file by now, and we root
                    with suppress(PermissionError):  # modes of its own, as vfat has
                        os.fchmod(handle, mode)
                file.write(content)
                file.flush()
                sync(handle)
                made = os.fstat(handle)
            with _about(path):
                _rename(temporary, path, made)
        except BaseException:
            with suppress(OSError):  # why it was not written is what counts
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _temporary(path: Path, part: str) -> tuple[int, Path]:
    """A new and empty file beside `path`, of mode 0600: its descriptor and its path."""
    if not part:
        import tempfile

        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        return handle, Path(name)
    temporary = path.with_name(part)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        return os.open(temporary, flags, 0o600), temporary
    except FileExistsError:
        temporary.unlink(missing_ok=True)
        return os.open(temporary, flags, 0o600), temporary


def _rename(temporary: Path, path: Path, made: os.stat_result) -> None:
    """Rename; where that reports an error although it was done, as NFS may, it is done."""
    try:
        replace(temporary, path)
    except OSError:
        if not made.st_ino or not _is(path, made):
            raise


def _is(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), status)
    except OSError:
        return False


def sync_folder(folder: Path) -> None:
    """Make a name that was given or taken last through a power cut, where the system can.

    Never raises: the file has its name by now. Not every file system syncs folders, and one that
    is not readable cannot be opened for it. Windows has no such thing.
    """
    if os.name != "posix":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Have errors of the system name this path."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def file_name(what: Path | str | bytes) -> str:
    """A short name, of digits and letters, for the files that are kept about that one thing."""
    from hashlib import sha256

    return sha256(os.fsencode(what)).hexdigest()[:16]
