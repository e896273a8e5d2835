"""Ends a program that we started when we die without a chance to end it ourselves.

A tunnel that outlives us keeps LibreChat open to the world, and its URL taken. Nothing in this
process can prevent that after a SIGKILL or a crash, so a small second process waits at the end
of a pipe: when the pipe closes without a word, we are gone, and it ends the program.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from wizard.platforms import own_session

GRACE_SECONDS = 3.0
KILL: signal.Signals = getattr(signal, "SIGKILL", signal.SIGTERM)
_RELEASED = b"released"


class Watchdog:
    """Watches over one program from now on, until `release`.

    Args:
        pid: a child of ours; on POSIX the leader of its own session, whose group is ended too.
    """

    def __init__(self, pid: int) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        started = start_time(pid)
        # A frozen Python has no interpreter to start, and a program that has gone needs none.
        if not sys.executable or started is None:
            return
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-S", "-m", __name__, str(pid), started],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            **own_session(),
        )

    def release(self) -> None:
        """Let go of the program, which lives on if it lives; may be called twice."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.write(_RELEASED)
            process.stdin.close()
        process.wait()


def start_time(pid: int) -> str | None:
    """When the process started, in the system's own terms; None when it does not run.

    Together with the process number it names one process for ever: numbers are given again.
    """
    return _start_time(pid)


def end(pid: int, started: str) -> None:
    """End the process and its group, if it is still the one that started at `started`.

    It is asked first, and killed after `GRACE_SECONDS`.
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
    """End a child of ours with all of its group, and reap it.

    It is asked first, and killed after `GRACE_SECONDS`. Nothing is done for one that was reaped
    and left nobody behind: its number may be another's by now.
    """
    if process.poll() is not None and not _leads_group(process.pid):
        return
    send(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    send(process.pid, KILL)
    process.wait()


def send(pid: int, number: signal.Signals, platform: str = sys.platform) -> None:
    """Send a signal to the group that the process leads, or led, else to the process alone.

    Windows has no such signals: the process is ended there, with all that it started.
    """
    with contextlib.suppress(OSError):
        if platform == "win32":
            _end_tree(pid)
        elif hasattr(os, "killpg") and _leads_group(pid):
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def main(pid: int, started: str) -> None:
    """The watchdog's own process: wait for the word, or for the pipe to break."""
    if sys.stdin.buffer.read() != _RELEASED:
        end(pid, started)


def _end_tree(pid: int) -> None:
    """End the process with all below it: else `npx.cmd` would leave its `node` behind."""
    system = Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32"
    subprocess.run(
        [str(system / "taskkill.exe"), "/PID", str(pid), "/T", "/F"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


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
    """The start as ps(1) gives it, in a language and a zone that never change.

    Each column has an option of its own: on macOS, as in POSIX, a comma after `=` is part of the
    column's title.
    """
    answer = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-o", "stat=", "-p", str(pid)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C", "TZ": "UTC"},
    )
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


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
