"""The only place that runs other programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that has ended; `status` is its exit status, 127 when it could not be started."""

    status: int
    stdout: str
    stderr: str


class Processes(Protocol):
    """What the wizard needs of other programs."""

    def which(self, program: str) -> Path | None:
        """Where the program lies, None if it is not installed."""
        ...

    def run(
        self, args: Sequence[str], *, timeout: float = 10.0, env: Mapping[str, str] | None = None
    ) -> Completed:
        """Run a program to its end, its input empty; a timeout counts as status 124."""
        ...

    def start(
        self, args: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a program in a session of its own, with text pipes for stdout and stderr."""
        ...


class SystemProcesses:
    """`Processes` on this machine."""

    def which(self, program: str) -> Path | None:
        """See `Processes.which`."""
        found = shutil.which(program)
        return Path(found) if found else None

    def run(
        self, args: Sequence[str], *, timeout: float = 10.0, env: Mapping[str, str] | None = None
    ) -> Completed:
        """See `Processes.run`."""
        try:
            done = subprocess.run(
                list(args),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                env=None if env is None else dict(env),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Completed(124, "", f"no end after {timeout:g} s")
        except OSError as error:
            return Completed(127, "", str(error))
        return Completed(done.returncode, done.stdout, done.stderr)

    def start(
        self, args: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """See `Processes.start`.

        Raises:
            OSError: the program cannot be started.
        """
        return subprocess.Popen(
            list(args),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=None if env is None else dict(env),
            start_new_session=os.name == "posix",
        )
