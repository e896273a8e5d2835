"""Locks between processes; the system lets go of one when its holder ends, however that is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wizard.platforms import lock, unlock

_PAUSE_SECONDS = 0.02


class LockHeld(Exception):  # noqa: N818
    """Another process, or another part of this one, holds the lock."""


@contextmanager
def locked(path: Path, seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock of that file, which stays there.

    Args:
        path: the file; its folder is there.
        seconds: how long to wait for another holder.

    Raises:
        LockHeld: another holds it for longer.
        OSError: the file cannot be opened, or its file system has no locks.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        deadline = time.monotonic() + seconds
        while not lock(handle):
            if time.monotonic() >= deadline:
                raise LockHeld(str(path))
            time.sleep(_PAUSE_SECONDS)
        try:
            yield
        finally:
            with suppress(OSError):  # to close the file unlocks it, too
                unlock(handle)
    finally:
        with suppress(OSError):  # the end of the process does, at the latest
            os.close(handle)
