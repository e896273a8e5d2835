"""A user at a real terminal: starts the program in a pseudo-terminal, types, reads the screen."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyte
import pytest

if TYPE_CHECKING:
    import pexpect
else:
    # What imports this is skipped on Windows.
    pexpect = pytest.importorskip("pexpect")

PROGRAM = str(Path(sys.executable).with_name("librechat-auth0"))
ENTER = "\r"
CTRL_C = "\x03"
CTRL_D = "\x04"
CTRL_U = "\x15"
UP = "\x1b[A"
DOWN = "\x1b[B"


class Terminal:
    """The program, its screen, and all that ever stood on it."""

    def __init__(
        self,
        *args: str,
        cwd: Path,
        columns: int = 80,
        rows: int = 50,
        environ: Mapping[str, str] | None = None,
        color: bool = False,
    ) -> None:
        env = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(environ or {})}
        env["PROMPT_TOOLKIT_NO_CPR"] = "1"  # pyte does not tell where its cursor is
        env.pop("CI", None)
        if color:
            env.pop("NO_COLOR", None)
        self.raw = ""
        self.screen = pyte.HistoryScreen(columns, rows, history=1000)
        self._stream = pyte.Stream(self.screen)
        self._child = pexpect.spawn(
            PROGRAM,
            list(args),
            cwd=str(cwd),
            env=env,
            dimensions=(rows, columns),
            encoding="utf-8",
            timeout=20,
        )

    @property
    def text(self) -> str:
        """What stands on the screen and above it, line breaks of the terminal taken out."""
        past = ["".join(line[x].data for x in range(len(line))) for line in self.screen.history.top]
        return "\n".join(line.rstrip() for line in [*past, *self.screen.display])

    def until(self, text: str, seconds: float = 20) -> None:
        """Read until the text stands on the screen, however it is wrapped."""
        deadline = time.monotonic() + seconds
        while not self._shows(text):
            assert time.monotonic() < deadline, f"{text!r} never came:\n{self.text}"
            self._read()

    def type(self, keys: str) -> None:
        self._child.send(keys)

    def answer(self, question: str, text: str) -> None:
        """Wait for the question, put the text in place of its default, press Enter."""
        self.until(question)
        self.type(CTRL_U + text + ENTER)

    def resize(self, columns: int, rows: int) -> None:
        self._child.setwinsize(rows, columns)
        self.screen.resize(rows, columns)

    def end(self, seconds: float = 20) -> int:
        """Wait for the program to end; returns its exit code."""
        deadline = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < deadline, f"it never ended:\n{self.text}"
        self._child.close()
        status = self._child.exitstatus
        return -1 if status is None else status

    def _shows(self, text: str) -> bool:
        def squeezed(words: str) -> str:
            return "".join(words.split())

        return squeezed(text) in squeezed(self.text)

    def _read(self) -> bool:
        try:
            piece = self._child.read_nonblocking(4096, timeout=0.1)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += piece
        self._stream.feed(piece)
        return True
