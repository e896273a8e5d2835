"""What Windows and macOS do otherwise than Linux, for modules that need not know.

A `platform` is a value of `sys.platform`; tests say another one.
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
# <sys/fcntl.h> of macOS; Python has the name there alone.
_F_FULLFSYNC = 51
_NEEDS_NO_QUOTES_ON_WINDOWS = re.compile(r"[\w:./\\-]+")


def own_session(platform: str = sys.platform) -> dict[str, Any]:
    """Arguments of `subprocess.Popen`: no Ctrl-C and no closing of our terminal reaches it.

    On Windows it has a console of its own without a window. With none at all (`DETACHED_PROCESS`)
    each program that it starts would open a window.
    """
    if platform == "win32":
        return {"creationflags": _CREATE_NEW_PROCESS_GROUP | _CREATE_NO_WINDOW}
    return {"start_new_session": True}


def state_folder(environ: Mapping[str, str], home: Path, platform: str = sys.platform) -> Path:
    """Return the folder in which programs of this user keep their state.

    Source: the XDG Base Directory Specification, which says to ignore a relative path.
    """
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData/Local")
    state_home = Path(environ.get("XDG_STATE_HOME", ""))
    if state_home.is_absolute():
        return state_home
    return home / ("Library/Application Support" if platform == "darwin" else ".local/state")


def user_id() -> int | None:
    """The user we run as; None on Windows, where users have no numbers."""
    geteuid: Callable[[], int] | None = getattr(os, "geteuid", None)
    return geteuid() if geteuid else None


def replace(fresh: Path, target: Path, platform: str = sys.platform) -> None:
    """Put the file in the other's place, in one step.

    Windows refuses that while a program has one of them open, as virus scanners, indexers and
    editors have for a moment: there it is tried for `HELD_SECONDS`.

    Raises:
        OSError: it cannot be done.
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
    """Have the file's content on the disk.

    macOS leaves it in the disk's own cache unless it is asked for more, which not every file
    system can (`man 2 fsync` there).

    Raises:
        OSError: it cannot be done.
    """
    os.fsync(handle)
    if sys.platform != "win32" and platform == "darwin":
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(handle, _F_FULLFSYNC)


def reader_has_gone(error: BaseException, platform: str = sys.platform) -> bool:
    """Whether it says that nobody reads what we write.

    Windows often calls that an invalid argument, as it does a wrong name of a file
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
    """Return to the system what was freed; only glibc has to be asked (`man 3 malloc_trim`)."""
    if sys.platform == "linux":
        import ctypes

        if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
            trim(0)


if sys.platform == "win32":

    def lock(handle: int) -> bool:
        """Lock the file for this descriptor; False where another has it locked."""
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def unlock(handle: int) -> None:
        """Let go of the lock."""
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

    def is_console(stream: TextIO) -> bool:
        """Whether a person is at the other end.

        `NUL` calls itself a terminal too (https://bugs.python.org/issue28654), and
        has no mode of a console.
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
        """Lock the file for this descriptor; False where another has it locked."""
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(handle: int) -> None:
        """Let go of the lock."""
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_UN)

    def is_console(stream: TextIO) -> bool:
        """Whether a person is at the other end."""
        return stream.isatty()


def command_line(args: Iterable[str], platform: str = sys.platform) -> str:
    """The command as it is typed: into a POSIX shell, or on Windows into cmd and PowerShell."""
    if platform == "win32":
        return " ".join(map(_quoted_on_windows, args))
    return shlex.join(args)


def _quoted_on_windows(text: str) -> str:
    # Single quotes are nothing to cmd; no path has double ones.
    return text if _NEEDS_NO_QUOTES_ON_WINDOWS.fullmatch(text) else f'"{text}"'
