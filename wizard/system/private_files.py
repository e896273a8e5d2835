"""Files and folders that only this user can read, whatever the umask."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wizard.system.interrupts import signals_held
from wizard.system.platforms import copy_acl, replace, sync

_OWNER_ONLY = 0o700
_OTHERS = 0o077


def private_folder(root: Path, *names: str) -> Path:
    """Return the folder `root/names…`, created where it is missing.

    `root` and everything under it, and every created parent, has mode 0700. On Windows a folder
    that is created is the user's alone by Python 3.11.10, 3.12.4 and later (CVE-2024-4030).

    Raises:
        OSError: it cannot be created, or belongs to another user.
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
    """Write the file atomically; only its final mode ever makes it readable to others.

    A symbolic link is replaced, not followed. On Windows the file keeps its access control list; a
    new one has what its folder hands down. The content is flushed to the disk before the rename.
    Signals are delayed until it is done.

    `prepare` sets the mode in place of `mode`: it gets the descriptor of the new file, empty and of
    mode 0600. `part` is the temporary file's name, random by default; for the holder of a lock: a
    file that a killed run left there is replaced.

    Raises:
        OSError: it cannot be written; the old file is unchanged. The error names the file or its
            folder, never the temporary file.
    """
    with signals_held():
        with _about(path.parent):
            handle, temporary = _temporary(path, part)
        try:
            with _about(path):
                with os.fdopen(handle, "wb") as file:
                    copy_acl(path, temporary)
                    if prepare is not None:
                        prepare(handle)
                    else:
                        _set_mode(handle, temporary, mode)
                    made = _write(file, content)
                _rename(temporary, path, made)
        except BaseException:
            with suppress(OSError):  # the first error is the one to report
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _set_mode(handle: int, path: Path, mode: int) -> None:
    if sys.platform == "win32":
        path.chmod(mode)
    else:  # not by its name, which may be another file already
        with suppress(PermissionError):  # vfat has modes of its own
            os.fchmod(handle, mode)


def _write(file: BinaryIO, content: bytes) -> os.stat_result:
    """Write the content to the disk; return the file's status."""
    file.write(content)
    file.flush()
    sync(file.fileno())
    return os.fstat(file.fileno())


def _temporary(path: Path, part: str) -> tuple[int, Path]:
    """Create an empty file of mode 0600 beside `path`; return its descriptor and path."""
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
    """Rename the file; ignore an error if it was renamed anyway, which NFS may report."""
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
    """Make the last rename in the folder survive a power failure, where the system can.

    Never raises: the rename is done already. Not every file system can, nor Windows, and the
    folder must be readable.
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
    """Make an OSError name this path."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def file_name(what: Path | str | bytes) -> str:
    """Return a short file name for the state about one thing: part of its SHA-256.

    A checksum would do for different things, but a folder's name can be made to collide in it.
    """
    from hashlib import sha256

    return sha256(os.fsencode(what)).hexdigest()[:16]
