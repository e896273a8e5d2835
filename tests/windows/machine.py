"""Windows' Python under Wine, as `.ci/windows` made it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

WINE = "/usr/lib/wine/wine64"
SERVER = "/usr/lib/wine/wineserver64"
PYTHON = r"C:\Python313\python.exe"
PROGRAM = r"C:\Python313\Scripts\librechat-auth0.exe"
SECONDS = 240.0


@dataclass(frozen=True)
class Done:
    """The end of a Windows program."""

    status: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        return (self.out + self.err).decode("utf-8", "replace").replace("\r\n", "\n")


class Output:
    """Reads a pipe, which Wine lets a program in the background hold open too."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._read = b""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._pipe:
            while chunk := os.read(self._pipe.fileno(), 1 << 16):
                self._read += chunk

    def bytes(self) -> bytes:
        self._thread.join(1.0)
        return self._read


@dataclass(frozen=True)
class Machine:
    """A Windows with Python and librechat-auth0."""

    drive: Path

    def path(self, path: Path) -> str:
        """Return the Windows path of something on C:."""
        return "C:\\" + str(path.relative_to(self.drive)).replace("/", "\\")

    def start(
        self, *command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program with pipes: Wine 8 gives Python no usable handle of a file of Unix."""
        return subprocess.Popen(
            [WINE, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd or self.drive,
            env={**environment(), **(env or {})},
        )

    def run(
        self,
        *command: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
    ) -> Done:
        """Run a program to its end."""
        process = self.start(*command, cwd=cwd, env=env)
        assert process.stdin
        assert process.stdout
        assert process.stderr
        outputs = [Output(process.stdout), Output(process.stderr)]
        try:
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(stdin)
            process.wait(SECONDS)
        finally:
            process.kill()
        return Done(process.wait(), *(output.bytes() for output in outputs))

    def ours(
        self,
        *arguments: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
    ) -> Done:
        """Run librechat-auth0."""
        return self.run(PYTHON, "-m", "wizard", *arguments, cwd=cwd, env=env, stdin=stdin)

    def python(self, code: str, *arguments: str, cwd: Path | None = None) -> Done:
        """Run code in Windows' Python."""
        return self.run(PYTHON, "-c", code, *arguments, cwd=cwd)


def environment() -> dict[str, str]:
    kept = ("HOME", "WINEPREFIX", "WINEDEBUG", "WINEDLLOVERRIDES", "LANG")
    return {"PATH": "/usr/bin:/bin", **{name: os.environ[name] for name in kept}}


def until(condition: Callable[[], object], seconds: float = SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@contextmanager
def running_machine(wheel: str) -> Iterator[Machine]:
    """Start Windows' services, install the wheel by Windows' own pip, and stop all at the end."""
    drive = Path(os.environ["WINEPREFIX"], "drive_c")
    none = subprocess.DEVNULL
    # Services keep the pipes that they were started with.
    server = subprocess.Popen(
        [SERVER, "-f", "-p"], env=environment(), stdin=none, stdout=none, stderr=none
    )
    try:
        with subprocess.Popen(
            [WINE, "wineboot"], env=environment(), stdin=none, stdout=none, stderr=none
        ) as boot:
            boot.wait(SECONDS)
        machine = Machine(drive)
        pip = ("install", "-q", "--no-input", "--no-deps", "--no-index", "--force-reinstall")
        installed = machine.run(PYTHON, "-m", "pip", *pip, "C:\\" + wheel)
        assert installed.status == 0, installed.text
        yield machine
    finally:
        subprocess.run([SERVER, "-k"], env=environment(), timeout=SECONDS, check=False)
        server.wait(SECONDS)
