"""The clock of the checks, which tests replace."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    """The time and a pause. Safe to call from several threads."""

    def now(self) -> float:
        """Return this computer's time, in seconds since the epoch."""
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


def local_time(at: datetime) -> str:
    """Return a time as this computer's users write it, to the second."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


class SleepWatch:
    """Detects by a jump of the clock that this computer slept, or that we were stopped."""

    # Shorter gaps come from a busy computer or a correction of its clock.
    LEAST_SECONDS = 20.0

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._before = now()

    def slept(self) -> float:
        """Return the length of a sleep since the last call in seconds, 0 if there was none.

        Call it every few seconds.
        """
        before, self._before = self._before, self._now()
        passed = self._before - before
        return passed if passed > self.LEAST_SECONDS else 0.0
