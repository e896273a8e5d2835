"""Job objects of Windows: a program and all that it starts, even after it has ended.

Source: https://learn.microsoft.com/windows/win32/procthread/job-objects
"""

from __future__ import annotations

import sys

_EXTENDED_LIMITS = 9
_KILL_ON_JOB_CLOSE = 0x2000
# What GetCurrentProcess returns.
THIS_PROCESS = -1

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    class _ExtendedLimits(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

        _fields_ = (
            ("times", ctypes.c_int64 * 2),
            ("flags", wintypes.DWORD),
            ("working_set", ctypes.c_size_t * 2),
            ("active_processes", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("classes", wintypes.DWORD * 2),
            ("io", ctypes.c_uint64 * 6),
            ("memory", ctypes.c_size_t * 4),
        )


def new_job(process: int, *, ends_with_us: bool) -> int | None:
    """Put the process of that handle, and what it starts from now on, into a new job.

    `ends_with_us`: end all when our process ends, even if it is killed. None if refused, and on
    other systems.
    """
    made = None
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32")
        job = wintypes.HANDLE(kernel.CreateJobObjectW(None, None))
        limits = _ExtendedLimits(flags=_KILL_ON_JOB_CLOSE if ends_with_us else 0)
        size = ctypes.sizeof(limits)
        is_made = kernel.SetInformationJobObject(
            job, _EXTENDED_LIMITS, ctypes.byref(limits), size
        ) and kernel.AssignProcessToJobObject(job, wintypes.HANDLE(process))
        made = job.value if is_made else None
    return made


def end_job(job: int) -> None:
    """End all processes of the job."""
    if sys.platform == "win32":
        ctypes.WinDLL("kernel32").TerminateJobObject(wintypes.HANDLE(job), 1)


def close_job(job: int) -> None:
    """Release the handle."""
    if sys.platform == "win32":
        ctypes.WinDLL("kernel32").CloseHandle(wintypes.HANDLE(job))
