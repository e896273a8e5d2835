"""The program under signals, and the processes that it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.program import PROGRAM
from tests.tunnels.conftest import until

MARK = "E2E_TEST_MARK"


class Running:
    """The program while it runs; `mark` is in its environment and in that of all it starts."""

    def __init__(self, *args: str, cwd: Path, environ: Mapping[str, str]) -> None:
        self.mark = environ.get(MARK) or uuid.uuid4().hex
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [PROGRAM, *args],
            cwd=cwd,
            env={**environ, MARK: self.mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def says(self, text: str, seconds: float = 30) -> bool:
        return until(lambda: text in self.said, seconds)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send the signal and wait; the exit status."""
        if self.process.poll() is None:
            self.send(number)
        status = self.process.wait(20)
        self._reader.join(5)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        return status

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)


def marked(mark: str) -> dict[int, str]:
    """The processes that have the mark, with their command lines."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if command:  # a zombie has none
                    found[int(folder.name)] = command
        except OSError:
            continue
    return found


def pid_of(mark: str, *words: str) -> int:
    """The one marked process whose command line has all the words, supervisors apart."""
    programs = {pid: line for pid, line in marked(mark).items() if "wizard.supervisor" not in line}
    (pid,) = (pid for pid, line in programs.items() if all(word in line for word in words))
    return pid
