"""The clock of the checks, which tests replace."""

from __future__ import annotations

import time
from collections.abc import Callable

from wizard.language import Message, joined

_UNITS = (
    (Message("{count} d"), 86400),
    (Message("{count} h"), 3600),
    (Message("{count} min"), 60),
    (Message("{count} s"), 1),
)


class Clock:
    """The time and a pause. Safe to call from several threads."""

    def now(self) -> float:
        """Return this computer's time, in seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def local_time(at: float) -> str:
    """Return seconds since the epoch as this computer's users write them."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def moment(text: str) -> float | None:
    """Return an ISO 8601 time in seconds since the epoch; without a zone it is this computer's."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def duration(seconds: float) -> Message:
    """Return a time span in its two largest units: `2 h 5 min`."""
    left = int(seconds)
    parts: list[Message] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count or (size == 1 and not parts):
            parts.append(unit.filled(count=count))
    return joined(" ", parts[:2])


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
