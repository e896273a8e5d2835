"""Single keys, read without Enter while a command keeps running."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

Read = Callable[[], str]


@contextmanager
def single_keys() -> Iterator[Read]:
    """Turn echo off; yield what returns the characters typed since its last call.

    Ctrl-C and Ctrl-Z keep their effect, and in the background nothing is read: both would be lost,
    or stop the program there.
    """
    from prompt_toolkit.input import create_input

    source = create_input()

    def read() -> str:
        if not _is_in_foreground():
            return ""
        typed = "".join(press.data for press in source.read_keys())
        if "\x03" in typed:
            raise KeyboardInterrupt
        return typed

    with ExitStack() as stack:
        stack.enter_context(_own_terminal())
        stack.enter_context(source.raw_mode())
        _let_keys_send_signals()
        yield read


if sys.platform == "win32":

    def _is_in_foreground() -> bool:
        return True

    def _let_keys_send_signals() -> None:
        pass

    @contextmanager
    def _own_terminal() -> Iterator[None]:
        yield

else:

    def _is_in_foreground() -> bool:
        try:
            return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
        except OSError:
            return False

    def _let_keys_send_signals() -> None:
        import termios

        mode = termios.tcgetattr(sys.stdin)
        mode[3] |= termios.ISIG
        termios.tcsetattr(sys.stdin, termios.TCSANOW, mode)

    @contextmanager
    def _own_terminal() -> Iterator[None]:
        """Let a program in the background set the terminal, and set it again after `fg`."""
        from prompt_toolkit.input import create_input

        def resume(*_: object) -> None:
            if _is_in_foreground():
                create_input().raw_mode().__enter__()
                _let_keys_send_signals()

        before = {
            number: signal.signal(number, handler)
            for number, handler in ((signal.SIGTTOU, signal.SIG_IGN), (signal.SIGCONT, resume))
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
