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
_CREATE_NO_WINDOW = 0x08000000
# <sys/fcntl.h> of macOS; Python defines the name only there.
_F_FULLFSYNC = 51
# SE_OBJECT_TYPE, SECURITY_INFORMATION and SECURITY_DESCRIPTOR_CONTROL of Windows.
_FILE, _DACL, _PROTECTED, _UNPROTECTED, _IS_PROTECTED = 1, 0x4, 0x80000000, 0x20000000, 0x1000
# What the error of a file is that another descriptor has locked.
_HELD = PermissionError if sys.platform == "win32" else BlockingIOError
_HAS_NO_ACL = (1, 50)  # ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED
_NEEDS_NO_QUOTES_ON_WINDOWS = r"[\w:./\\-]+"


def own_session(platform: str = sys.platform) -> dict[str, Any]:
    """Return arguments of `subprocess.Popen` that keep our terminal's Ctrl-C and end away.

    On Windows the process has a console of its own, without a window, on which its supervisor can
    send a Ctrl-C. Without any (`DETACHED_PROCESS`) each program that it starts would open a window.
    """
    if platform == "win32":
        return {"creationflags": _CREATE_NO_WINDOW}
    return {"start_new_session": True}


def home_folder(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Return the user's home folder, the root folder if the system knows none.

    So does Docker, for a user who is not in /etc/passwd. A relative one is none: it would be in the
    checkout.
    """
    home = Path(environ.get("USERPROFILE" if platform == "win32" else "HOME", ""))
    if not home.is_absolute():
        with suppress(RuntimeError):
            home = Path.home()
    return home if home.is_absolute() else Path(os.sep)


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


def system_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of Windows' own programs, which `PATH` may have another of the name of."""
    return Path(environ.get("SYSTEMROOT") or "C:/Windows") / "System32"


def true_path(path: Path, platform: str = sys.platform) -> str:
    """Return the path without links; on macOS also as its folders spell it.

    macOS ignores case and Unicode forms of names, and `realpath` keeps those that it was given.
    Windows' `realpath` does not.
    """
    real = os.path.realpath(path)
    return _as_spelled(Path(real)) if platform == "darwin" else real


def _as_spelled(path: Path) -> str:
    spelled = Path(path.anchor)
    for name in path.parts[1:]:
        names: list[str] = []
        with suppress(OSError):
            names = [each.name for each in spelled.iterdir()]
        # Where the folder has the name itself, it may have both.
        same = [] if name in names else [each for each in names if _folded(each) == _folded(name)]
        is_there = same and os.path.lexists(spelled / name)
        spelled /= same[0] if is_there else name
    return str(spelled)


def _folded(name: str) -> str:
    from unicodedata import normalize

    return normalize("NFC", normalize("NFD", name).casefold())


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


def lock(handle: int) -> bool:
    """Lock the file for this descriptor; return False where another one has it locked."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except _HELD:
        return False
    return True


def unlock(handle: int) -> None:
    """Release the lock."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_UN)


def copy_acl(source: Path, target: Path) -> None:
    """On Windows, give the target the source's access control list, if there is a source.

    `wizard.librechat.permissions` copies modes, and the lists of Linux.

    Raises:
        OSError: it cannot be read or set. A file system without lists has none to copy.
    """
    if sys.platform == "win32" and source.is_file():
        import ctypes

        security = ctypes.WinDLL("advapi32")
        acl, descriptor = ctypes.c_void_p(), ctypes.c_void_p()
        control, _revision = ctypes.c_ushort(), ctypes.c_ulong()
        places = (None, None, ctypes.byref(acl), None, ctypes.byref(descriptor))
        _check(security.GetNamedSecurityInfoW(str(source), _FILE, _DACL, *places))
        try:
            security.GetSecurityDescriptorControl(
                descriptor, ctypes.byref(control), ctypes.byref(_revision)
            )
            protection = _PROTECTED if control.value & _IS_PROTECTED else _UNPROTECTED
            change = (_FILE, _DACL | protection, None, None, acl, None)
            if acl.value:
                _check(security.SetNamedSecurityInfoW(str(target), *change))
        finally:
            ctypes.WinDLL("kernel32").LocalFree(descriptor)


def _check(status: int) -> None:
    """Raise the OSError of that status of Windows."""
    if sys.platform == "win32" and status and status not in _HAS_NO_ACL:
        import ctypes

        raise ctypes.WinError(status)


def is_console(stream: TextIO) -> bool:
    """Return whether the stream is a console.

    On Windows `isatty` is true for `NUL` too (https://bugs.python.org/issue28654), which has no
    mode.
    """
    if sys.platform == "win32" and stream.isatty():
        import ctypes
        import msvcrt
        from ctypes import wintypes

        handle = wintypes.HANDLE(msvcrt.get_osfhandle(stream.fileno()))
        mode = wintypes.DWORD()
        return bool(ctypes.windll.kernel32.GetConsoleMode(handle, ctypes.byref(mode)))
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
    return text if re.fullmatch(_NEEDS_NO_QUOTES_ON_WINDOWS, text) else f'"{text}"'
