"""Time as the checks use it, so that a test can set the clock and need not wait."""

from __future__ import annotations

import time
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
        """See `Clock.now`."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        time.sleep(seconds)
