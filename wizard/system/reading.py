"""Reads untrusted input: files of a checkout, JSON."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wizard.language import Message

NOT_REGULAR = Message("it is not a regular file")
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
# Recursive functions such as str() fail at Python's limit of about 1,000.
_DEEPEST = 100
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


def read_file(path: Path, limit: int, *, follow_links: bool = True) -> bytes:
    """Return the content of a regular file of at most `limit` bytes; never blocks.

    Raises:
        IsADirectoryError: it is a folder.
        OSError: it cannot be read. ELOOP: it is a link; EINVAL: it is a pipe, a device or a file
            of /proc, or too large.
    """
    with _opened(path, _FLAGS if follow_links else _FLAGS | _NO_LINKS) as handle:
        content = _read(handle, limit + 1)
    if len(content) > limit:
        size = Message("it is larger than {size} KB", size=limit >> 10)
        raise OSError(errno.EINVAL, size, str(path))
    return content


def read_end(path: Path, limit: int) -> bytes:
    """Return the last bytes of a regular file, from the start of a line; never blocks.

    Raises:
        OSError: as `read_file`, but for its size.
    """
    with _opened(path, _FLAGS) as handle:
        start = max(0, os.fstat(handle).st_size - limit)
        os.lseek(handle, start, os.SEEK_SET)
        content = _read(handle, limit)
    return content.partition(b"\n")[2] if start else content


def is_folder(path: Path) -> bool:
    """Return whether it is a folder.

    Raises:
        OSError: that cannot be seen. `Path.is_dir` hides this since Python 3.14.
    """
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def files_in(folder: Path) -> list[Path]:
    """Return what the folder holds, nothing if there is no such folder.

    Raises:
        OSError: it cannot be read. `Path.glob` hides this since Python 3.13.
    """
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def expanded(path: Path | str) -> Path:
    """Return the path with `~` replaced, where that is a user's; `Path.expanduser` fails else."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """Open a regular file that is on a disk."""
    _refuse_special(path, path.stat())  # opening a device can have effects
    handle = os.open(path, flags)
    try:
        status = os.fstat(handle)
        _refuse_special(path, status)  # it may have been replaced
        if _is_generated(handle, status):
            raise OSError(errno.EINVAL, NOT_REGULAR, str(path))
        yield handle
    finally:
        os.close(handle)


def _read(handle: int, size: int) -> bytes:
    content = bytearray()
    while len(content) < size and (part := os.read(handle, size - len(content))):
        content += part
    return bytes(content)


def load_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("The JSON is nested too deeply.") from None
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in _items(each)]
        if not level:
            return value
    raise ValueError("The JSON is nested too deeply.")


def json_object(text: str | bytes) -> dict[str, Any]:
    """Return the object of a JSON text, {} for any other text."""
    try:
        value = load_json(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _refuse_constant(name: str) -> float:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(f"{name} is no JSON.")


def _items(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refuse_special(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, NOT_REGULAR, str(path))


def _is_generated(handle: int, status: os.stat_result) -> bool:
    """Return whether the kernel generates the content, like that of /proc/kmsg, which blocks.

    Such files have size 0, and their file systems (proc, sysfs, tracefs) no blocks.
    """
    blocks = 1
    if sys.platform != "win32":
        blocks = os.fstatvfs(handle).f_blocks
    return status.st_size == 0 and blocks == 0
