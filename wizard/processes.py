"""The only place that runs other programs.

None is taken from the current folder, nor run in it: that may be a checkout from anywhere, with a
`docker` or a `node_modules` of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
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


def programs(name: str, environ: Mapping[str, str], platform: str = sys.platform) -> Iterator[Path]:
    """The programs of that name in the absolute folders of `PATH`, the first is the one to run.

    Unlike `shutil.which`, this takes nothing of the current folder, which Windows searches first,
    and an empty or relative entry of `PATH` means.
    """
    names = [name]
    if platform == "win32":
        suffixes = environ.get("PATHEXT", ".COM;.EXE;.BAT;.CMD").lower().split(";")
        if Path(name).suffix.lower() not in suffixes:
            names = [name + suffix for suffix in suffixes]
    for folder in map(Path, environ.get("PATH", os.defpath).split(os.pathsep)):
        for path in (folder / each for each in names if folder.is_absolute()):
            if path.is_file() and os.access(path, os.X_OK):
                yield path


class SystemProcesses:
    """`Processes` on this machine."""

    def which(self, program: str) -> Path | None:
        """See `Processes.which`."""
        return next(programs(program, os.environ), None)

    def run(
        self, args: Sequence[str], *, timeout: float = 10.0, env: Mapping[str, str] | None = None
    ) -> Completed:
        """See `Processes.run`."""
        try:
            done = subprocess.run(
                _command(args, env),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                env=None if env is None else dict(env),
                cwd=_folder(),
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
            _command(args, env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=None if env is None else dict(env),
            cwd=_folder(),
            start_new_session=os.name == "posix",
        )


def _command(args: Sequence[str], environ: Mapping[str, str] | None) -> list[str]:
    """The program by its path, and its arguments.

    Raises:
        FileNotFoundError: it is not installed.
    """
    if Path(args[0]).is_absolute():
        return list(args)
    found = next(programs(args[0], os.environ if environ is None else environ), None)
    if found is None:
        raise FileNotFoundError(f"{args[0]} is not installed")
    return [str(found), *args[1:]]


def _folder() -> Path | None:
    """Where programs run: in the user's home, None for the current folder where there is none."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home if home.is_absolute() and home.is_dir() else None
