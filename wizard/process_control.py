"""Identifies processes by number and start, and ends them with their groups."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from wizard.supervisor import GRACE_SECONDS, end_tree

KILL: signal.Signals = getattr(signal, "SIGKILL", signal.SIGTERM)
PS_SECONDS = 5.0


def start_time(pid: int) -> str | None:
    """When the process started, in the system's own terms; None if it does not run.

    Together with the process number it names one process for good: numbers are reused. psutil's
    `create_time` would not: on Linux it changes when the computer's clock is set.
    """
    return _start_time(pid)


def end(pid: int, started: str) -> None:
    """End the process that started at `started`, with its group.

    Sends SIGTERM, and SIGKILL after `GRACE_SECONDS`.
    """
    if start_time(pid) != started:
        return
    for number in (signal.SIGTERM, KILL):
        send(pid, number)
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline:
            if start_time(pid) != started and not _leads_group(pid):
                return
            time.sleep(0.05)


def end_child(process: subprocess.Popen[Any]) -> None:
    """End and reap a child process, with its group.

    Sends SIGTERM, and SIGKILL after `GRACE_SECONDS`. A child that was reaped and left no group is
    ignored: its number may belong to another process.
    """
    if process.poll() is not None and not _leads_group(process.pid):
        return
    send(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    send(process.pid, KILL)
    process.wait()


def send(pid: int, number: signal.Signals, platform: str = sys.platform) -> None:
    """Send a signal to the group of the process, or to the process alone if it leads none.

    On Windows the process is ended with its descendants instead.
    """
    if platform == "win32" or _leads_group(pid):
        send_to_group(pid, number, platform)
    else:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def send_to_group(pid: int, number: signal.Signals, platform: str = sys.platform) -> None:
    """Send a signal to the group of the process; on Windows end its tree."""
    if platform == "win32":
        end_tree(pid)
    elif hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(pid, number)


def _leads_group(pid: int) -> bool:
    if not hasattr(os, "killpg"):
        return False
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _from_proc(pid: int) -> str | None:
    """Field 22 of proc(5), `starttime`, and the boot it counts from; None for a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None
    # The fields are counted behind the name, which may hold anything.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else f"{fields[19]}@{boot}"


def _from_ps(pid: int) -> str | None:
    """The start as ps(1) gives it, in a language and a time zone that never change.

    Each column has an option of its own: on macOS, as in POSIX, a comma after `=` is part of the
    column's title.
    """
    try:
        answer = subprocess.run(
            ["/bin/ps", "-o", "lstart=", "-o", "stat=", "-p", str(pid)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PS_SECONDS,
            check=False,
            env={"LC_ALL": "C", "TZ": "UTC"},
        )
    except subprocess.TimeoutExpired:
        return None
    started, _, state = answer.stdout.strip().rpartition(" ")
    return None if state.startswith("Z") else started.strip() or None


if sys.platform == "linux":
    _start_time = _from_proc
elif sys.platform == "win32":

    def _start_time(pid: int) -> str | None:
        """The creation time, by GetProcessTimes; None for one that is only known yet."""
        import ctypes
        from ctypes import wintypes

        limited_information, synchronize, still_runs = 0x1000, 0x100000, 0x102
        kernel = ctypes.WinDLL("kernel32")
        kernel.OpenProcess.restype = wintypes.HANDLE
        opened = kernel.OpenProcess(limited_information | synchronize, False, pid)
        if not opened:
            return None
        handle = wintypes.HANDLE(opened)
        created, ended, in_kernel, in_program = (wintypes.FILETIME() for _ in range(4))
        times = map(ctypes.byref, (created, ended, in_kernel, in_program))
        known = kernel.GetProcessTimes(handle, *times)
        runs = kernel.WaitForSingleObject(handle, 0) == still_runs
        kernel.CloseHandle(handle)
        if not known or not runs:
            return None
        return str(created.dwHighDateTime << 32 | created.dwLowDateTime)

else:
    _start_time = _from_ps
