"""Locks between processes. The system releases a lock when its holder ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wizard.system.platforms import lock, unlock

_PAUSE_SECONDS = 0.02


class LockHeld(Exception):  # noqa: N818
    """Another process or thread holds the lock."""


@contextmanager
def locked(path: Path, seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock of the file, which is created and kept; wait so long for another holder.

    Raises:
        LockHeld: another holder kept it for longer.
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
            with suppress(OSError):  # closing the file unlocks it too
                unlock(handle)
    finally:
        with suppress(OSError):  # the end of the process closes it
            os.close(handle)
