"""Signals that end a run, and how to delay them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# SIGBREAK is Ctrl-Break on Windows, which has no SIGHUP.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def end_on_signals() -> None:
    """Make `kill`, Ctrl-Break and a closed terminal raise KeyboardInterrupt, as Ctrl-C does.

    Its argument is the signal's number. An ignored signal (`nohup`) stays ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise KeyboardInterrupt(number)

    for number in _numbers():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


def signal_code(error: BaseException | None) -> int:
    """Return 128 plus the number of the signal that ended the run, as shells do.

    The error may have been raised while the signal was handled. Ctrl-C at a question has no number.
    """
    while error is not None:
        if isinstance(error, KeyboardInterrupt) and error.args:
            return 128 + int(error.args[0])
        error = error.__context__
    return 128 + signal.SIGINT


def is_ctrl_c(error: BaseException) -> bool:
    """Return whether Ctrl-C ended the run, not another signal."""
    return signal_code(error) == 128 + signal.SIGINT


@contextmanager
def signals_held() -> Iterator[None]:
    """Delay signals that would end the run until the end of this block.

    Only the main thread gets signals; in another thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {
        number: handler for number in _numbers() if callable(handler := signal.getsignal(number))
    }
    arrived: list[int] = []
    is_holding = True

    def note(number: int, frame: FrameType | None) -> None:
        if is_holding:
            arrived.append(number)
        else:  # between two of the `signal.signal` calls below
            handlers[number](number, frame)

    try:
        for number in handlers:
            signal.signal(number, note)
        yield
    finally:
        is_holding = False
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if arrived:
            handlers[arrived[-1]](arrived[-1], None)


def _numbers() -> list[int]:
    return [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
