"""Differences between Windows, macOS and Linux.

A `platform` is a value of `sys.platform`; tests pass others.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

HELD_SECONDS = 2.0
# https://learn.microsoft.com/windows/win32/procthread/process-creation-flags
_CREATE_NEW_PROCESS_GROUP = 0x00000200
_CREATE_NO_WINDOW = 0x08000000
# <sys/fcntl.h> of macOS; Python defines the name only there.
_F_FULLFSYNC = 51
_NEEDS_NO_QUOTES_ON_WINDOWS = re.compile(r"[\w:./\\-]+")


def own_session(platform: str = sys.platform) -> dict[str, Any]:
    """Return arguments of `subprocess.Popen` that keep our terminal's Ctrl-C and end away.

    On Windows the process has a console without a window. Without any (`DETACHED_PROCESS`) each
    program that it starts would open a window.
    """
    if platform == "win32":
        return {"creationflags": _CREATE_NEW_PROCESS_GROUP | _CREATE_NO_WINDOW}
    return {"start_new_session": True}


def state_folder(environ: Mapping[str, str], home: Path, platform: str = sys.platform) -> Path:
    """Return the user's folder for the state of programs.

    Source: the XDG Base Directory Specification; it ignores a relative path.
    """
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData/Local")
    state_home = Path(environ.get("XDG_STATE_HOME", ""))
    if state_home.is_absolute():
        return state_home
    return home / ("Library/Application Support" if platform == "darwin" else ".local/state")


def user_id() -> int | None:
    """Return the effective user ID; None on Windows."""
    geteuid: Callable[[], int] | None = getattr(os, "geteuid", None)
    return geteuid() if geteuid else None


def replace(fresh: Path, target: Path, platform: str = sys.platform) -> None:
    """Rename the file over the other one, atomically.

    Windows refuses that while a program has either file open, as virus scanners do for a moment:
    there it is retried for `HELD_SECONDS`.
    """
    deadline = time.monotonic() + HELD_SECONDS
    while True:
        try:
            fresh.replace(target)
        except PermissionError:
            if platform != "win32" or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def sync(handle: int, platform: str = sys.platform) -> None:
    """Flush the file's content to the disk.

    On macOS fsync leaves it in the disk's own cache; F_FULLFSYNC, which not every file system has,
    does not (`man 2 fsync`).
    """
    os.fsync(handle)
    if sys.platform != "win32" and platform == "darwin":
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(handle, _F_FULLFSYNC)


def reader_has_gone(error: BaseException, platform: str = sys.platform) -> bool:
    """Return whether the error says that the reader of our output has closed it.

    Windows often reports that as EINVAL, as it does an invalid file name
    (https://github.com/python/cpython/issues/79935).
    """
    if isinstance(error, BrokenPipeError):
        return True
    return (
        platform == "win32"
        and isinstance(error, OSError)
        and error.errno == errno.EINVAL
        and error.filename is None
    )


def give_back_memory() -> None:
    """Return freed memory to the system, which glibc does only on request (malloc_trim(3))."""
    if sys.platform == "linux":
        import ctypes

        if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
            trim(0)


if sys.platform == "win32":

    def lock(handle: int) -> bool:
        """Lock the file for this descriptor; return False where another one has it locked."""
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def unlock(handle: int) -> None:
        """Release the lock."""
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

    def is_console(stream: TextIO) -> bool:
        """Return whether the stream is a console.

        `isatty` is true for `NUL` too (https://bugs.python.org/issue28654), which has no mode.
        """
        if not stream.isatty():
            return False
        import ctypes
        import msvcrt
        from ctypes import wintypes

        handle = wintypes.HANDLE(msvcrt.get_osfhandle(stream.fileno()))
        mode = wintypes.DWORD()
        return bool(ctypes.windll.kernel32.GetConsoleMode(handle, ctypes.byref(mode)))

else:

    def lock(handle: int) -> bool:
        """Lock the file for this descriptor; return False where another one has it locked."""
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(handle: int) -> None:
        """Release the lock."""
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_UN)

    def is_console(stream: TextIO) -> bool:
        """Return whether the stream is a console."""
        return stream.isatty()


def can_draw_questions(stdout: TextIO, platform: str = sys.platform) -> bool:
    """Return whether prompt_toolkit can draw; on Windows only in the console of stdout."""
    return platform != "win32" or is_console(stdout)


def command_line(args: Iterable[str], platform: str = sys.platform) -> str:
    """Quote the command for a POSIX shell, on Windows for both cmd and PowerShell."""
    if platform == "win32":
        return " ".join(map(_quoted_on_windows, args))
    return shlex.join(args)


def _quoted_on_windows(text: str) -> str:
    # cmd does not know single quotes; no path has double ones.
    return text if _NEEDS_NO_QUOTES_ON_WINDOWS.fullmatch(text) else f'"{text}"'
