"""The only place that runs other programs.

None is taken from the current folder, nor run in it: that may be a checkout from anywhere, with a
`docker` or a `node_modules` of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wizard.platforms import own_session

# PATHEXT has others too, such as `.js`, which Windows cannot start by themselves.
_STARTABLE = (".com", ".exe", ".bat", ".cmd")
# Windows has cmd start these, which reads the arguments its own way, whatever quotes they have.
_BATCH_FILES = (".bat", ".cmd")
_READ_BY_CMD = re.compile(r'["%&|<>^!\r\n]')


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
        named = environ.get("PATHEXT", "").lower().split(";")
        suffixes = [suffix for suffix in named if suffix in _STARTABLE] or _STARTABLE
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
            **own_session(),
        )


def _command(
    args: Sequence[str], environ: Mapping[str, str] | None, platform: str = sys.platform
) -> list[str]:
    """The program by its path, and its arguments.

    Raises:
        FileNotFoundError: it is not installed.
        OSError: it is a batch file of Windows, which cannot be given these arguments safely
            (https://kb.cert.org/vuls/id/123335).
    """
    program = Path(args[0])
    if not program.is_absolute():
        found = next(programs(args[0], os.environ if environ is None else environ, platform), None)
        if found is None:
            raise FileNotFoundError(f"{args[0]} is not installed")
        program = found
    command = [str(program), *args[1:]]
    is_batch_file = platform == "win32" and program.suffix.lower() in _BATCH_FILES
    if is_batch_file and any(map(_READ_BY_CMD.search, command)):
        raise OSError(f"{program} cannot be given these arguments")
    return command


def _folder() -> Path | None:
    """Where programs run: in the user's home, None for the current folder where there is none."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home if home.is_absolute() and home.is_dir() else None
