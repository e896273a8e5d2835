"""Windows' Python under Wine, as `.ci/windows` made it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

WINE = "/usr/lib/wine/wine64"
PYTHON = r"C:\Python313\python.exe"
SECONDS = 120.0


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

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe
        self._pipe = pipe
        self.so_far = b""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._pipe:
            while chunk := os.read(self._pipe.fileno(), 1 << 16):
                self.so_far += chunk

    def bytes(self) -> bytes:
        self._thread.join(3.0)
        return self.so_far


@dataclass(frozen=True)
class Machine:
    """A Windows with Python and librechat-auth0."""

    drive: Path

    @property
    def environ(self) -> dict[str, str]:
        """The environment of its programs: Wine's, and nothing of ours.

        Debian's Wine looks for its server in TMPDIR. A program that finds none starts a second one
        on the same folder, with what the first had written of the registry: at first no provider
        of random bytes.
        """
        wine = {name: value for name, value in os.environ.items() if name.startswith("WINE")}
        home = str(self.drive.parents[1])
        return {"PATH": "/usr/bin:/bin", "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", **wine}

    @property
    def server(self) -> Path:
        """The folder of the one server of Wine, whose name Debian's Wine keeps in the prefix."""
        return Path(self.environ["TMPDIR"], (self.drive.parent / "wineserver").read_text().strip())

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
            env={**self.environ, **(env or {})},
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


def until(condition: Callable[[], object], seconds: float = SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
