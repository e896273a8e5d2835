"""A user at a real terminal: runs the program in a pseudo-terminal, types, reads the screen."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pyte
import pytest

if TYPE_CHECKING:
    import pexpect
else:
    # Tests that import this are skipped on Windows.
    pexpect = pytest.importorskip("pexpect")

PROGRAM = str(Path(sys.executable).with_name("librechat-auth0"))
ENTER = "\r"
ESCAPE = "\x1b"
CTRL_C = "\x03"
CTRL_D = "\x04"
UP = "\x1b[A"
DOWN = "\x1b[B"
PLAIN = {"LIBRECHAT_AUTH0_PLAIN": "1"}
# A bound for a busy machine.
SECONDS = 60.0
_SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|[=>])")


@dataclass(frozen=True)
class Choose:
    """Choose the option whose label has these words."""

    words: str


class Terminal:
    """The program, its screen, and everything it ever showed."""

    def __init__(
        self,
        *args: str,
        cwd: Path,
        columns: int = 80,
        rows: int = 50,
        environ: Mapping[str, str] | None = None,
        color: bool = False,
        program: Sequence[str] = (PROGRAM,),
    ) -> None:
        env = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(environ or {})}
        env["PROMPT_TOOLKIT_NO_CPR"] = "1"  # pyte does not answer cursor position queries
        self._is_plain = bool(env.get("LIBRECHAT_AUTH0_PLAIN") or env["TERM"] == "dumb")
        env.pop("CI", None)
        if color:
            env.pop("NO_COLOR", None)
        self.raw = ""
        self.screen = pyte.HistoryScreen(columns, rows, history=1000)
        self._stream = pyte.Stream(self.screen)
        self._child = pexpect.spawn(
            program[0],
            [*program[1:], *args],
            cwd=str(cwd),
            env=env,
            dimensions=(rows, columns),
            encoding="utf-8",
            codec_errors="replace",
        )
        self._typed_at = 0
        # While it is open here, the system keeps its modes.
        self._line = os.open(_name_of(self._child.child_fd), os.O_RDWR | os.O_NOCTTY)
        self._modes = termios.tcgetattr(self._line)

    @property
    def text(self) -> str:
        """Return the text on and above the screen, without the terminal's line breaks."""
        past = ["".join(line[x].data for x in range(len(line))) for line in self.screen.history.top]
        return "\n".join(line.rstrip() for line in [*past, *self.screen.display])

    @property
    def said(self) -> str:
        """Return all output, without colours and cursor movements."""
        return _SEQUENCE.sub("", self.raw)

    @property
    def is_as_before(self) -> bool:
        """Return whether the terminal's modes, cursor and paste mode are restored."""
        return (
            termios.tcgetattr(self._line) == self._modes
            and self.raw.rfind("\x1b[?25l") <= self.raw.rfind("\x1b[?25h")
            and self.raw.rfind("\x1b[?2004h") <= self.raw.rfind("\x1b[?2004l")
        )

    def echoes(self) -> bool:
        """Return whether the terminal echoes what is typed."""
        return bool(termios.tcgetattr(self._line)[3] & termios.ECHO)

    def stop_and_go_on(self) -> None:
        """Stop the program, reset the terminal like a shell, and continue at a question."""
        pid = self._child.pid
        assert pid
        os.kill(pid, signal.SIGSTOP)  # SIGTSTP does not stop a program without a shell
        os.waitid(os.P_PID, pid, os.WSTOPPED)
        termios.tcsetattr(self._line, termios.TCSANOW, self._modes)
        os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + SECONDS
        while self.echoes():
            assert time.monotonic() < deadline, self.text
            time.sleep(0.01)

    def until(self, text: str, seconds: float = SECONDS, *, times: int = 1) -> None:
        """Read until the text is on the screen this many times, however it is wrapped."""
        deadline = time.monotonic() + seconds
        while _squeezed(self.text).count(_squeezed(text)) < times:
            assert time.monotonic() < deadline, f"{text!r} was never shown:\n{self.text}"
            assert self.read() or _squeezed(text) in _squeezed(self.text), (
                f"it ended without {text!r}:\n{self.text}"
            )

    def until_asked(self, question: str, seconds: float = SECONDS) -> None:
        """Read until this question waits for an answer."""
        deadline = time.monotonic() + seconds
        while not self.asks(question):
            assert time.monotonic() < deadline, f"{question!r} was never asked:\n{self.text}"
            assert self.read(), f"it ended without asking {question!r}:\n{self.text}"

    def asks(self, question: str) -> bool:
        """Return whether this question waits for an answer."""
        if self._is_plain:
            since = _squeezed(_SEQUENCE.sub("", self.raw[self._typed_at :]))
            return _squeezed(question) in since and since.endswith(":")
        parts = f"\n{self.text}".split("\n? ")
        # The question mark may wrap to the start of a line.
        last = ("? ".join(parts[-count:]) for count in (1, 2))
        return any(_squeezed(each).startswith(_squeezed(question)) for each in last)

    def read(self) -> bool:
        """Read the available output; return False at its end."""
        has_ended = not self._child.isalive()
        try:
            piece = self._child.read_nonblocking(4096, timeout=0 if has_ended else 0.1)
        except pexpect.TIMEOUT:
            return not has_ended
        except pexpect.EOF:
            return False
        self.raw += piece
        self._stream.feed(piece)
        return True

    def type(self, keys: str) -> None:
        self._typed_at = len(self.raw)
        self._child.send(keys)

    def send(self, keys: bytes) -> None:
        """Type raw bytes."""
        self._typed_at = len(self.raw)
        os.write(self._child.child_fd, keys)

    def answer(self, question: str, answer: str | Choose | None) -> None:
        """Wait for the question and answer it; None accepts the default."""
        self.until_asked(question)
        match answer:
            case None:
                self.type(ENTER)
            case Choose(words):
                self._choose(words)
            case _:
                self.type(answer + ENTER)

    def resize(self, columns: int, rows: int) -> None:
        self._child.setwinsize(rows, columns)
        self.screen.resize(rows, columns)

    def end(self, seconds: float = SECONDS) -> int:
        """Wait for the program to end; return its exit code, or minus the signal that ended it."""
        deadline = time.monotonic() + seconds
        while self.read():
            assert time.monotonic() < deadline, f"it never ended:\n{self.text}"
        # It may close the terminal just before it exits; then `isalive` waits.
        assert not self._child.isalive(), self.text
        code = self._child.exitstatus
        return -int(self._child.signalstatus or 0) if code is None else int(code)

    def close(self) -> None:
        """Close the terminal, which also ends the program."""
        while not self._child.closed:
            with suppress(pexpect.ExceptionPexpect):  # not yet ended 0.1 s after SIGKILL
                self._child.close(force=True)
        if self._line >= 0:
            os.close(self._line)
        self._line = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _choose(self, words: str) -> None:
        if self._is_plain:
            numbers = re.findall(rf"^ +(\d+)\. .*{re.escape(words)}", self.text, re.MULTILINE)
            self.type(numbers[-1] + ENTER)
            return
        deadline = time.monotonic() + SECONDS
        pointed = self._pointed()
        while words not in pointed:
            self.type(DOWN)
            before = pointed
            while pointed == before:
                assert time.monotonic() < deadline, f"{words!r} is not offered:\n{self.text}"
                pointed = self._pointed()
        self.type(ENTER)
        while len(self.raw) == self._typed_at and self.read():  # until the list is gone
            assert time.monotonic() < deadline, self.text

    def settle(self) -> None:
        """Read until the output pauses."""
        known = -1
        while known != len(self.raw):
            known = len(self.raw)
            assert self.read(), self.text

    def _pointed(self) -> str:
        """Return the current choice of a list, once it is fully drawn."""
        self.settle()
        while "\n >" not in self.text:
            assert self.read(), self.text
            self.settle()
        return self.text.rpartition("\n >")[2].partition("\n")[0]


def _squeezed(words: str) -> str:
    return "".join(words.split())


def _name_of(terminal: int) -> str:
    """Return the device of a pseudo-terminal's other end; `ptsname` is not thread-safe."""
    name = ctypes.create_string_buffer(64)
    assert ctypes.CDLL(None).ptsname_r(terminal, name, len(name)) == 0
    return os.fsdecode(name.value)
