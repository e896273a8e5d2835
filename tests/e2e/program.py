"""The program as a user runs it in a shell: arguments, environment, output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.marked import MARK
from tests.json_schema import assert_fits
from tests.tunnels.conftest import until

PROGRAM = str(Path(sys.executable).with_name("librechat-auth0"))
# A bound for a busy machine.
SECONDS = 60.0


@dataclass(frozen=True)
class Ran:
    """A finished run."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Return the object on standard output, and validate it against the schema."""
        said: dict[str, Any] = json.loads(self.out)
        assert_fits(said)
        return said

    @property
    def rules(self) -> list[str]:
        """Return the rules of the findings in `--json`."""
        return [finding["rule"] for finding in self.json["findings"]]

    def finding(self, rule: str) -> dict[str, Any]:
        """Return the finding of this rule."""
        return next(each for each in self.json["findings"] if each["rule"] == rule)

    def outcome(self, check: str) -> str:
        """Return the outcome of the live check with this name."""
        return next(str(it["outcome"]) for it in self.json["checks"] if it["check"] == check)


def run(*args: str, cwd: Path, environ: Mapping[str, str], given: str = "") -> Ran:
    """Run the program to its end without a terminal; `given` is its standard input."""
    done = subprocess.run(
        [PROGRAM, *args],
        cwd=cwd,
        env=dict(environ),
        input=given,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


class Running:
    """A program that is running.

    Attributes:
        said: its standard error so far.
        mark: the value of `MARK` in its environment and in that of its children.
    """

    def __init__(self, *args: str, cwd: Path, environ: Mapping[str, str]) -> None:
        self.said = ""
        self.mark = environ.get(MARK) or uuid.uuid4().hex
        self._more = threading.Condition()
        self._process = subprocess.Popen(
            [PROGRAM, *args],
            cwd=cwd,
            env={**environ, MARK: self.mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )
        self._out: list[str] = []
        self._readers = [
            threading.Thread(target=each, daemon=True) for each in (self._hear, self._collect)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def until(self, words: str) -> None:
        """Wait until it has printed these words."""
        self.line(words)

    def line(self, words: str) -> str:
        """Wait for the line with `words`; return what follows them, or the whole line."""
        deadline = time.monotonic() + SECONDS
        with self._more:
            while words not in self.said[: self.said.rfind("\n") + 1]:
                left = deadline - time.monotonic()
                ended = self._process.poll() is not None and not self._readers[0].is_alive()
                assert left > 0, f"{words!r} was never printed:\n{self.said}"
                assert not ended, f"it ended without {words!r}:\n{self.said}"
                self._more.wait(min(left, 0.2))
            return next(line for line in self.said.splitlines() if words in line)

    def says(self, words: str, seconds: float = SECONDS) -> bool:
        """Return whether it prints these words in time."""
        return until(lambda: words in self.said, seconds)

    def link(self) -> str:
        """Return the link that the user must open."""
        return self.line("/oauth/openid?key=").strip()

    def interrupt(self) -> None:
        """Send Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def end(self, number: signal.Signals | None = None) -> Ran:
        """Wait for its end; if it is still running, first send the signal, if any."""
        if number is not None and self._process.poll() is None:
            self._process.send_signal(number)
        code = self._process.wait(SECONDS)
        self._close()
        return Ran(code, "".join(self._out), self.said)

    def stop(self) -> None:
        """End it if it has not ended."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        for reader in self._readers:
            reader.join(10)
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _hear(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._more:
                self.said += line
                self._more.notify_all()

    def _collect(self) -> None:
        assert self._process.stdout is not None
        self._out.extend(self._process.stdout)


@contextmanager
def running(*args: str, cwd: Path, environ: Mapping[str, str]) -> Iterator[Running]:
    """Run the program while the context is open."""
    process = Running(*args, cwd=cwd, environ=environ)
    try:
        yield process
    finally:
        process.stop()


def clean_environ(home: Path, ca: Path | None = None, **more: str) -> dict[str, str]:
    """Return a user's environment with its own home, which trusts only `ca`, if given."""
    trust = {"SSL_CERT_FILE": str(ca)} if ca else {}
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "LANG": "C.UTF-8", **trust, **more}
