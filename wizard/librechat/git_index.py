"""Finds out whether git tracks a file, from the index alone.

Git itself runs programs that the folder's configuration names.
Source: https://git-scm.com/docs/index-format
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from wizard.system.reading import read_file

# An index of 100,000 files has about 10 MB.
_MAX_INDEX_BYTES = 32 << 20
_MAX_LINK_BYTES = 1 << 13
_LONGEST_NAME = 1 << 12
# Of SHA-1 and SHA-256; the index does not say which one it has.
_HASH_SIZES = (20, 32)
_STATUS_BYTES = 40
_EXTENDED = 0x4000
_LENGTH = 0x0FFF


def is_tracked(path: Path) -> bool:
    """Return whether the index of the file's repository lists it; False if it cannot be read.

    Folders of a sparse index are not expanded.
    """
    try:
        path = path.resolve()
        for folder in path.parents:
            if git_dir := _git_dir(folder):
                return _has(git_dir, os.fsencode(path.relative_to(folder).as_posix()))
    except (OSError, RuntimeError, ValueError, IndexError, struct.error):  # RuntimeError: a loop
        pass
    return False


def _git_dir(folder: Path) -> Path | None:
    """Return the folder's git directory, see gitrepository-layout(5)."""
    git_dir = folder / ".git"
    if git_dir.is_file():
        marker, _, target = os.fsdecode(read_file(git_dir, _MAX_LINK_BYTES)).partition(": ")
        # Windows would look such a path up in the network.
        if marker != "gitdir" or target.startswith(("//", "\\\\", "/\\", "\\/")):
            return None
        git_dir = folder / target.rstrip("\r\n")
    return git_dir if os.path.lexists(git_dir / "HEAD") else None


def _has(git_dir: Path, name: bytes) -> bool:
    index = read_file(git_dir / "index", _MAX_INDEX_BYTES)
    for hash_size in _HASH_SIZES:
        try:
            places, end = _places(index, name, hash_size)
        except (ValueError, IndexError, struct.error):
            continue
        if places:
            return True
        return any(
            _has_shared(git_dir, name, content, hash_size)
            for kind, content in _extensions(index, end, hash_size)
            if kind == b"link"
        )
    return False


def _has_shared(git_dir: Path, name: bytes, link: bytes, hash_size: int) -> bool:
    """Return whether a split index shares the name and does not delete it."""
    base, deleted = link[:hash_size], link[hash_size:]
    if not any(base):
        return False
    shared = read_file(git_dir / f"sharedindex.{base.hex()}", _MAX_INDEX_BYTES)
    places, _ = _places(shared, name, hash_size)
    return any(not _is_set(deleted, place) for place in places)


def _places(index: bytes, wanted: bytes, hash_size: int) -> tuple[list[int], int]:
    """Return the positions of the entries with that name, and where the entries end.

    Raises:
        ValueError: that is no index with hashes of this size.
        struct.error: it is incomplete.
    """
    signature, version, count = struct.unpack_from(">4sII", index)
    if signature != b"DIRC" or version not in {2, 3, 4}:
        raise ValueError("unknown index format")
    places, name, at = [], b"", 12
    for place in range(count):
        start, at = at, at + _STATUS_BYTES + hash_size
        (flags,) = struct.unpack_from(">H", index, at)
        at += 4 if flags & _EXTENDED else 2
        kept = 0
        if version == 4:  # names are compressed: their difference to the one before
            cut, at = _number(index, at)
            kept = max(len(name) - cut, 0)
        end = index.index(b"\0", at)
        if kept + end - at > _LONGEST_NAME:
            raise ValueError("name too long")
        name = name[:kept] + index[at:end]
        if flags & _LENGTH != min(len(name), _LENGTH):
            raise ValueError("wrong length of a name")
        at = end + 1 if version == 4 else end + 8 - (end - start) % 8
        if name == wanted:
            places.append(place)
    return places, at


def _number(index: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable width (OFS_DELTA), and where it ends."""
    byte = index[at]
    value = byte & 0x7F
    while byte & 0x80 and value <= _LONGEST_NAME:
        at += 1
        byte = index[at]
        value = (value + 1 << 7) | byte & 0x7F
    return value, at + 1


def _extensions(index: bytes, at: int, hash_size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the extensions after the entries; the index ends with a checksum."""
    while at + 8 <= len(index) - hash_size:
        kind, size = struct.unpack_from(">4sI", index, at)
        yield kind, index[at + 8 : at + 8 + size]
        at += 8 + size


def _is_set(bitmap: bytes, place: int) -> bool:
    """Return a bit of an EWAH bitmap; https://git-scm.com/docs/bitmap-format, appendix A."""
    _, words = struct.unpack_from(">II", bitmap)
    word, at = place // 64, 0
    while at < words:
        (marker,) = struct.unpack_from(">Q", bitmap, 8 + 8 * at)
        run, literals = marker >> 1 & 0xFFFFFFFF, marker >> 33
        if word < run:
            return bool(marker & 1)
        word -= run
        if word < literals:
            (bits,) = struct.unpack_from(">Q", bitmap, 16 + 8 * (at + word))
            return bool(bits >> place % 64 & 1)
        word -= literals
        at += 1 + literals
    return False
