"""Runs one program, and ends it with all its descendants when the pipe to its parent closes.

A tunnel that outlives us would keep LibreChat public and its URL taken. Our own process cannot
prevent that after a SIGKILL or a crash, so this second process starts the program and ends it when
its standard input closes. On Linux it adopts orphans (PR_SET_CHILD_SUBREAPER, prctl(2)), on Windows
it puts itself into a job, so that it also ends programs that left its group or tree.

`main` is called by an interpreter without site-packages. Its exit status is the program's, as in
shells: 127 if it cannot be started, 128 + N after signal N.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from wizard.system.job_object import THIS_PROCESS, new_job

GRACE_SECONDS = 3.0
# The shells' statuses for a program that cannot be run, and one that is not found.
NOT_RUNNABLE, NOT_STARTED = 126, 127
_PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> int:
    """Run the command until it ends or standard input closes; return its status."""
    is_reaper = _adopt_orphans()
    has_job = new_job(THIS_PROCESS, ends_with_us=True) is not None
    try:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return NOT_STARTED
    ending = threading.Event()

    def end(*_: object) -> None:
        if not ending.is_set():
            ending.set()
            threading.Thread(target=_end, args=(program, has_job), daemon=True).start()

    def wait_for_the_pipe() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        end()

    for name in ("SIGTERM", "SIGHUP", "SIGINT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)
    threading.Thread(target=wait_for_the_pipe, daemon=True).start()
    status = program.wait()
    if is_reaper:
        _end_children()
    elif sys.platform != "win32" and ending.is_set():
        os.killpg(0, signal.SIGKILL)
    return 128 - status if status < 0 else status


def end_tree(pid: int) -> None:
    """End a Windows process with its descendants: `npx.cmd` alone would leave its `node`."""
    from wizard.system.platforms import system_folder

    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [str(system_folder(os.environ) / "taskkill.exe"), "/PID", str(pid), "/T", "/F"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=GRACE_SECONDS,
            check=False,
        )


def _end(program: subprocess.Popen[bytes], has_job: bool) -> None:
    """Ask the program and its group to end; kill it after `GRACE_SECONDS`."""
    if sys.platform != "win32":
        os.killpg(0, signal.SIGTERM)  # includes this process, which is ending already
    elif has_job:
        with contextlib.suppress(OSError):
            os.kill(0, signal.CTRL_C_EVENT)  # all on our own console, this process too
    else:
        end_tree(program.pid)
    try:
        program.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()


def _adopt_orphans() -> bool:
    """Become the parent of orphaned descendants; return whether the system can."""
    if sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            prctl = ctypes.CDLL(None).prctl
            return bool(prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    return False


def _end_children() -> None:
    """Kill all children, and the orphans that this adopts, for at most `GRACE_SECONDS`."""
    deadline = time.monotonic() + GRACE_SECONDS
    while (children := _children()) and time.monotonic() < deadline:
        if sys.platform != "win32":
            for pid in children:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
        time.sleep(0.005)


def _children() -> list[int]:
    """Return the children: field 4 of /proc/PID/stat (proc(5)), counted after the name."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                found.append(int(stat.parent.name))
    return found
