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

from wizard.system.supervisor import GRACE_SECONDS, end_tree

KILL: signal.Signals = getattr(signal, "SIGKILL", signal.SIGTERM)


def end(pid: int, started: str) -> None:
    """End the process that started at `started`, with its group.

    Sends SIGTERM, and SIGKILL after `GRACE_SECONDS`. On Windows the process is ended first: then
    its supervisors ask their programs to end. What is left is ended with its descendants.
    """
    if start_time(pid) != started:
        return
    ask = os.kill if sys.platform == "win32" else send
    for act, number in ((ask, signal.SIGTERM), (send, KILL)):
        with contextlib.suppress(OSError):
            act(pid, number)
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


def from_proc(pid: int) -> str | None:
    """Field 22 of proc(5), `starttime`, and the boot it counts from; None for a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None
    # The fields are counted behind the name, which may hold anything.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else f"{fields[19]}@{boot}"


def from_psutil(pid: int) -> str | None:
    """The moment that macOS and Windows keep with the process."""
    import psutil

    try:
        process = psutil.Process(pid)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return None if ended else str(process.create_time())
    except psutil.Error:
        return None


# When a process started, in the system's own terms; None if it does not run. With its number it
# names one process for good: numbers are reused. On Linux psutil's `create_time` changes with the
# computer's clock, and its import takes longer than `tunnel status`.
start_time = from_proc if sys.platform == "linux" else from_psutil
