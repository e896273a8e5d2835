"""Time as the checks use it, so that a test can set the clock and need not wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """What a check needs of time. Safe to call from several threads."""

    def now(self) -> float:
        """This computer's time, in seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """`Clock` on this computer."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class SleepWatch:
    """Notices that this computer slept, or that we were stopped, by the jump of its clock."""

    # What a busy computer or a correction of its clock may take.
    LEAST_SECONDS = 20.0

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._before = now()

    def slept(self) -> float:
        """For how many seconds nobody called, if it was a sleep; 0 otherwise.

        To be called every few seconds.
        """
        before, self._before = self._before, self._now()
        passed = self._before - before
        return passed if passed > self.LEAST_SECONDS else 0.0
