"""Runs other programs.

Programs are never resolved from, or run in, the current folder: an untrusted checkout may contain
its own `docker` or `node_modules`.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from wizard.system.job_object import close_job, end_job, new_job
from wizard.system.platforms import home_folder, own_session
from wizard.system.process_control import KILL, send_to_group

if TYPE_CHECKING:
    from wizard.system.running_process import RunningProcess

# Maximum output of a program, and maximum line of one that keeps running.
MAX_OUTPUT_BYTES = 4 << 20
MAX_LINE_BYTES = 1 << 14
# How long to wait for more output after a program has ended.
REST_SECONDS = 0.5
# The status of a program that exceeded the time or the output limit, as of timeout(1).
TIMED_OUT = 124

# PATHEXT also has types such as `.js`, which Windows cannot start directly.
_STARTABLE = (".com", ".exe", ".bat", ".cmd")
# Windows starts these with cmd, which parses arguments its own way, whatever their quotes.
_BATCH_FILES = (".bat", ".cmd")
_READ_BY_CMD = frozenset('"%&|<>^!\r\n')

# Prefixes of variables that hold secrets of ours or of LibreChat's.
_SECRET_PREFIXES = ("AUTH0_", "OPENID_", "CREDS_", "JWT_", "MEILI_")
_OF_THE_AUTH0_CLI = "AUTH0_CLI_"


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without our secrets and settings, for other programs.

    The auth0 CLI would use some of them (auth0-cli issue 259).
    """
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_SECRET_PREFIXES) or name.startswith(_OF_THE_AUTH0_CLI)
    }


class Completed(NamedTuple):
    """The result of a program.

    `status` is its exit status, 127 if it cannot be started, `TIMED_OUT` if it exceeded
    the time or the output limit.
    """

    status: int
    stdout: str
    stderr: str


def safe_path(environ: Mapping[str, str]) -> str:
    """Return `PATH` without empty and relative entries, which mean the current folder.

    Where nothing is left it is the system's default path.
    """
    paths = (environ.get("PATH", ""), os.defpath)
    absolute = (
        [each for each in path.split(os.pathsep) if Path(each).is_absolute()] for path in paths
    )
    return os.pathsep.join(next(filter(None, absolute), []))


# The folder of this package; may be in an archive.
_ROOT = str(Path(__file__).parents[2].absolute())
_SUPERVISOR = (
    f"import sys; sys.path.append({_ROOT!r})\n"
    "from wizard.system.supervisor import main\n"
    "sys.exit(main(sys.argv[1:]))"
)


def own_program(module: str, environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return command and environment that run a module of this package."""
    path = os.pathsep.join(filter(None, (_ROOT, environ.get("PYTHONPATH"))))
    return [sys.executable, "-P", "-m", module], {**environ, "PYTHONPATH": path}


def programs(name: str, environ: Mapping[str, str], platform: str = sys.platform) -> Iterator[Path]:
    """Return the programs of that name in the absolute folders of `PATH`, in their order.

    `shutil.which` would also search the current folder: Windows does so first, and empty and
    relative entries of `PATH` mean it.
    """
    names = [name]
    if platform == "win32":
        named = environ.get("PATHEXT", "").lower().split(";")
        suffixes = [suffix for suffix in named if suffix in _STARTABLE] or _STARTABLE
        if Path(name).suffix.lower() not in suffixes:
            names = [name + suffix for suffix in suffixes]
    for folder in safe_path(environ).split(os.pathsep):
        for path in (Path(folder, each) for each in names):
            # In this order: `is_file` raises in folders that we cannot read.
            if os.access(path, os.X_OK) and path.is_file():
                yield path


class Processes:
    """Finds and runs other programs of this machine."""

    def which(self, program: str) -> Path | None:
        """Return the program's path, None if it is not installed."""
        return next(programs(program, os.environ), None)

    def run(
        self,
        args: Sequence[str],
        *,
        timeout: float = 10.0,
        env: Mapping[str, str] | None = None,
        at_terminal: bool = False,
        given: bytes = b"",
    ) -> Completed:
        """Run a program with this input, in our environment unless it has an `env`.

        `at_terminal`: it may ask for a password at the terminal, as sudo does. If not, it has its
        own session, and processes that it leaves behind are ended.
        """
        try:
            session = {} if at_terminal else own_session()
            stdin = subprocess.PIPE if given else subprocess.DEVNULL
            process = _piped(resolved(args, env), env, stdin=stdin, **session)
        except OSError as error:
            return Completed(127, "", str(error))
        if process.stdin is not None:
            threading.Thread(target=_give, args=(process.stdin, given), daemon=True).start()

        job = new_job(int(getattr(process, "_handle", 0)), ends_with_us=False)

        def end() -> None:
            if job is not None:
                end_job(job)
            elif at_terminal:  # its group is ours
                process.kill()
            else:
                send_to_group(process.pid, KILL)

        try:
            return _outcome(process, end, timeout)
        finally:
            if job is not None:
                close_job(job)

    def start(
        self, args: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program under `wizard.system.supervisor`, with pipes for its output.

        It ends, with its descendants, when the pipe to its input closes: at the latest when our
        process ends.

        Raises:
            OSError: the program is not installed.
        """
        command = resolved(args, env)
        # A frozen Python has no interpreter for the supervisor.
        ours = [sys.executable, "-I", "-S", "-c", _SUPERVISOR] if sys.executable else []
        return _piped([*ours, *command], env, stdin=subprocess.PIPE, **own_session())

    def listening(self, port: int) -> "RunningProcess | None":
        from wizard.system.loopback import answers

        if not answers(port):
            return None
        from wizard.system.running_process import process_at

        return process_at(port)


def _piped(
    command: Sequence[str], env: Mapping[str, str] | None, **given: Any
) -> subprocess.Popen[bytes]:
    """Start the program in the home folder, with pipes for its output."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, env=env, cwd=_folder(), **given)


def _give(pipe: IO[bytes], given: bytes) -> None:
    """Write a program's whole input; it may end without having read it."""
    with suppress(OSError), pipe:
        pipe.write(given)


class _Output:
    """Reads a program's pipe in a thread, up to `MAX_OUTPUT_BYTES`; then calls `overflow`."""

    def __init__(self, pipe: IO[bytes], overflow: Callable[[], None]) -> None:
        self._pipe = pipe
        self._overflow = overflow
        self._content = bytearray()
        self._thread = threading.Thread(target=self._read, name="output", daemon=True)
        self._thread.start()

    @property
    def overflowed(self) -> bool:
        return len(self._content) > MAX_OUTPUT_BYTES

    @property
    def text(self) -> str:
        """The output as UTF-8 with Unix line ends, invalid bytes replaced."""
        return self._content.decode("utf-8", "replace").replace("\r\n", "\n")

    def is_complete(self) -> bool:
        """Return whether the pipe is at its end; wait `REST_SECONDS` after the last byte."""
        read = -1
        while self._thread.is_alive() and read != len(self._content):
            read = len(self._content)
            self._thread.join(REST_SECONDS)
        return not self._thread.is_alive()

    def _read(self) -> None:
        with self._pipe:
            while chunk := os.read(self._pipe.fileno(), 1 << 16):
                self._content += chunk
                if self.overflowed:
                    self._overflow()
                    return


def _outcome(
    process: subprocess.Popen[bytes], end: Callable[[], None], timeout: float
) -> Completed:
    """Wait for the program, end what it leaves behind, and return its output."""
    ended = threading.Event()

    def wait() -> None:  # `Popen.wait` with a timeout polls
        process.wait()
        ended.set()

    outputs = [_Output(pipe, end) for pipe in (process.stdout, process.stderr) if pipe]
    threading.Thread(target=wait, daemon=True).start()
    is_whole = False
    try:
        is_in_time = ended.wait(timeout)
        # A child of the program may hold a pipe open.
        is_whole = is_in_time and all(output.is_complete() for output in outputs)
    finally:
        if not is_whole:
            end()
            ended.wait(REST_SECONDS)
    if any(output.overflowed for output in outputs):
        return Completed(TIMED_OUT, "", f"more than {MAX_OUTPUT_BYTES >> 20} MiB of output")
    if not is_in_time:
        return Completed(TIMED_OUT, "", f"no end after {timeout:g} s")
    return Completed(process.returncode, *(output.text for output in outputs))


def lines_of(stream: IO[bytes]) -> Iterator[str]:
    """Return the lines of the stream, each cut at `MAX_LINE_BYTES`."""
    while line := stream.readline(MAX_LINE_BYTES):
        yield line.decode("utf-8", "replace")
        while line and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES)


def resolved(
    args: Sequence[str], environ: Mapping[str, str] | None, platform: str = sys.platform
) -> list[str]:
    """Return the program's path and its arguments.

    Raises:
        FileNotFoundError: it is not installed.
        OSError: it is a batch file of Windows, to which these arguments cannot be passed safely
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
    if is_batch_file and not _READ_BY_CMD.isdisjoint("".join(command)):
        raise OSError(f"{program} cannot be given these arguments")
    return command


def _folder() -> Path:
    """Return the folder that programs run in: the home folder, else the root folder."""
    home = home_folder(os.environ)
    # `is_dir` raises in folders that we cannot read.
    is_ours = os.path.isdir(home) and os.access(home, os.X_OK)  # noqa: PTH112
    return home if is_ours else Path(home.anchor)
