"""Commands that change the `.env`, with every system call failing or interrupted.

Whichever call fails, the file is either the old or the new one, a changed file has a backup, the
messages and the exit code are true, and the next run cleans up.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

import pytest

from tests.e2e.faulty import Order
from tests.e2e.program import clean_environ
from tests.management_stand_in import Managed
from tests.providers import Authority
from tests.tenant.state import Application
from tests.tunnels.conftest import until
from wizard.findings import ExitCode
from wizard.librechat.env_store import EnvStore

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's"),
    pytest.mark.needs("strace"),
    pytest.mark.timeout(600),  # hundreds of runs of the program, perhaps on a busy machine
]

ROOT = Path(__file__).parents[2]
# System calls on files and folders, on all architectures; strace may not know some.
KINDS = (
    *("open", "openat", "creat", "close", "read", "pread64", "write", "pwrite64", "lseek"),
    *("stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat", "faccessat2"),
    *("readlink", "readlinkat", "getdents64", "statfs", "fstatfs", "flock", "fcntl", "ioctl"),
    *("fsync", "fdatasync", "ftruncate", "rename", "renameat", "renameat2", "link", "linkat"),
    *("unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "symlink", "symlinkat"),
    *("chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "lchown"),
    *("getxattr", "fgetxattr", "setxattr", "fsetxattr", "listxattr"),
)
_CALL = re.compile(r"\[ *(?P<number>\d+)\] (?P<kind>\w+)\((?P<rest>.*)")
# strace shows it even with an absolute path.
_CURRENT_FOLDER = re.compile(r'AT_FDCWD<[^>]*>, "/')
# Different in each run.
_MADE_UP = re.compile(rb"^(OPENID_SESSION_SECRET)=.*$", re.MULTILINE)
# How many more calls of a kind a run may make after a failure of another kind.
SPARE = 30
# The calls of the process itself for each run: an order, its answer, and, since Python 3.12, a look
# at /proc/self/stat in `os.fork`.
OWN_CALLS = {"read", "write"}
if sys.version_info >= (3, 12):
    OWN_CALLS |= {"openat", "fstat", "newfstatat", "lseek", "close"}
FAULTS = ("error=EIO", "signal=TERM", "signal=KILL")
ENDS = {
    ExitCode.FILE,
    ExitCode.AFTER_WRITING,
    ExitCode.TERMINATED,
    -signal.SIGTERM,  # before the program handles it
    -signal.SIGKILL,
}
_WRITTEN = ("Wrote ", "librechat-auth0 init --undo restores the old one.")
_UNDONE = ("Restored ", ".env was already restored from its backup.")

OLD = (
    b"# mine\nMINE=1\nDOMAIN_CLIENT=https://old.example.com/\nDOMAIN_SERVER=https://old.example.com\n"
    b"OPENID_ISSUER=https://dev-abc.us.auth0.com/\nOPENID_SCOPE=openid\n"
)


@dataclass(frozen=True)
class Scene:
    """A command that changes the `.env`.

    Attributes:
        args: the command's arguments.
        old: the `.env`.
        before: creates everything else.
        environ: the user's variables.
        url: the URL that the tunnel opens.
        messages: what a run prints about the changed file, if it completes and if it does not.
        ends: the exit code of a complete run, and its other possible exit codes.
    """

    args: tuple[str, ...]
    old: bytes = OLD
    before: Callable[[Place], object] = lambda _: None
    environ: dict[str, str] = field(default_factory=dict)
    url: str = ""
    messages: tuple[str, ...] = _WRITTEN
    ends: tuple[int, ...] = (ExitCode.OK,)


@dataclass(frozen=True)
class Place:
    """A user's machine with a LibreChat folder."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / "LibreChat"

    @property
    def env_file(self) -> Path:
        return self.folder / ".env"

    @property
    def store(self) -> EnvStore:
        return EnvStore(self.env_file, self.root / "state/librechat-auth0")

    @property
    def kept(self) -> list[bytes]:
        """Return the contents of the backups."""
        return [path.read_bytes() for path in self.store.backup_dir.glob("*-*")]


def write_backup(place: Place) -> None:
    place.env_file.unlink()
    place.store.save(None, b"MINE=1\n")
    place.store.save(b"MINE=1\n", OLD)


INIT = (
    *("init", "--offline", "--yes", "--no-open", "--public-url", "https://chat.example.com"),
    *("--domain", "dev-abc.us.auth0.com", "--client-id", "c" * 32, "--audience", "https://api"),
)
SCENES = {
    "init": Scene(INIT, environ={"AUTH0_CLIENT_SECRET": "s3cr3t" * 8}),
    "undo": Scene(("init", "--undo", "--yes"), before=write_backup, messages=_UNDONE),
    "doctor": Scene(("doctor", "--fix", "--offline", "--yes"), ends=(ExitCode.FINDINGS,)),
    "tunnel": Scene(("tunnel", "--tunnel", "local", "--yes"), url="https://localhost:1"),
}


@dataclass(frozen=True)
class Call:
    """One call of a run: its kind, the kind's system call number, and its position.

    `saves` is whether the save has started, that is, whether it has the lock.
    """

    kind: str
    number: int
    count: int
    saves: bool


@dataclass(frozen=True)
class Result:
    """A run's exit code and output."""

    place: Place
    pid: int
    code: int
    said: str


class Runner:
    """Run a scene repeatedly in one process under strace; see `tests.e2e.faulty`."""

    def __init__(self, scene: Scene, root: Path, environ: dict[str, str], *strace: str) -> None:
        self._scene = scene
        self._root = root
        self._runs = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.faulty"],
            cwd=ROOT,
            env={**environ, "PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        _, order = self._prepared()
        assert self._answer(order) == "ready\n"
        # Only now, so that it does not count the calls of imports.
        pid = self._process.pid
        self._strace = subprocess.Popen(
            ["strace", "-qq", "-e", "signal=none", *strace, "-p", str(pid)]
        )
        assert until(lambda: is_traced(pid))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._strace, self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def run(self, call: int = 0, burnt: int = 0) -> Result:
        place, order = self._prepared()
        pid, code = json.loads(self._answer(replace(order, call=call, burnt=burnt)))
        said = Path(order.said)
        text = said.read_text("utf-8") if said.exists() else ""
        return Result(place, pid, code, " ".join(text.split()))

    def _prepared(self) -> tuple[Place, Order]:
        self._runs += 1
        place = Place(self._root / str(self._runs))
        place.folder.mkdir(parents=True)
        place.env_file.write_bytes(self._scene.old)
        self._scene.before(place)
        environ = {"HOME": str(place.root), "XDG_STATE_HOME": str(place.root / "state")}
        order = Order(
            [*self._scene.args],
            str(place.folder),
            {**environ, **self._scene.environ},
            str(place.root / "said"),
            url=self._scene.url,
        )
        return place, order

    def _answer(self, order: Order) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(asdict(order)), file=self._process.stdin, flush=True)
        return self._process.stdout.readline()


def is_traced(pid: int) -> bool:
    return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()


def as_compared(content: bytes | None) -> bytes:
    return _MADE_UP.sub(rb"\1=", content or b"")


def calls_of(result: Result, trace: Path) -> tuple[list[Call], Counter[str]]:
    """Return a run's calls on folder or state, and the number of calls of each kind."""
    counts: Counter[str] = Counter()
    calls: list[Call] = []
    saves = False
    ours = (str(result.place.folder), str(result.place.root / "state"))
    for line in Path(f"{trace}.{result.pid}").read_text("utf-8", "replace").splitlines():
        if found := _CALL.match(line):
            counts[found["kind"]] += 1
            reached = _CURRENT_FOLDER.sub('"/', found["rest"])
            if any(place in reached for place in ours):
                kind = found["kind"]
                saves = saves or "/locks" in reached
                calls.append(Call(kind, int(found["number"]), counts[kind], saves))
    return calls, counts


def judge(scene: Scene, result: Result, new: bytes) -> str:
    """Check a run's promises; return which file it left."""
    place, code, said = result.place, result.code, result.said
    content = place.env_file.read_bytes() if place.env_file.exists() else None
    is_new = as_compared(content) == as_compared(new)
    assert is_new or content == scene.old
    assert not is_new or scene.old in place.kept
    assert "Traceback" not in said
    assert code in {*ENDS, *scene.ends}
    if code in {scene.ends[0], ExitCode.AFTER_WRITING}:
        assert is_new
    if code == ExitCode.FILE:
        assert not is_new
    if code >= 0:
        assert is_new == any(words in said for words in scene.messages)
    place.store.read()
    assert [*place.folder.glob(".env.librechat-auth0-*")] == []
    return "new" if is_new else "old"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SCENES)
def test_any_failing_call(name: str, fault: str, tmp_path: Path) -> None:
    fail_each_call(SCENES[name], fault, tmp_path, clean_environ(tmp_path))


@pytest.mark.parametrize("fault", FAULTS)
def test_any_failing_call_while_the_client_secret_is_written(
    fault: str, tmp_path: Path, managed: Managed, authority: Authority
) -> None:
    managed.tenant.clock = time.time
    domain, application = managed.domain, Application(name="LibreChat")
    managed.tenant.applications[application.client_id] = application
    scene = Scene(
        (
            *("provision", "--domain", domain, "--tenant-domain", domain),
            *("--public-url", "https://chat.example.com", "--yes"),
        ),
        OLD + f"OPENID_CLIENT_ID={application.client_id}\n".encode(),
        environ={"AUTH0_MANAGEMENT_TOKEN": managed.token()},
        ends=(ExitCode.OK, ExitCode.TENANT),
    )
    fail_each_call(scene, fault, tmp_path, clean_environ(tmp_path, authority.ca))


def fail_each_call(scene: Scene, fault: str, tmp_path: Path, environ: dict[str, str]) -> None:
    """Run the command once for each call on its files, with a fault in that call."""
    environ = {**environ, "PATH": str(tmp_path)}  # no docker, which would run hundreds of times
    trace, kinds = tmp_path / "trace", ",".join(f"?{kind}" for kind in KINDS)
    watched = ("-ff", "-n", "-y", "-o", str(trace), "-e", f"trace={kinds}")
    with Runner(scene, tmp_path / "whole", environ, *watched) as runner:
        whole = runner.run()
    assert whole.code == scene.ends[0], whole.said[-300:]
    new = whole.place.env_file.read_bytes()
    assert new != scene.old
    calls, counts = calls_of(whole, trace)
    if fault.startswith("signal"):
        calls = [call for call in calls if call.saves]
    assert {"rename", "fsync"} <= {call.kind for call in calls}

    last = {call.kind: counts[call.kind] + SPARE for call in calls}
    for kind in OWN_CALLS & last.keys():
        last[kind] += 3 * len(calls)
    injections = [f"inject={kind}:{fault}:when={number}" for kind, number in last.items()]
    acting = [word for each in (f"trace={','.join(last)}", *injections) for word in ("-e", each)]
    ends: Counter[str] = Counter()
    with Runner(scene, tmp_path / "faulty", environ, "-f", "-o", "/dev/null", *acting) as runner:
        for call in calls:
            result = runner.run(call.number, last[call.kind] - call.count)
            try:
                end = judge(scene, result, new)
            except AssertionError as error:
                end = f"exit code {result.code}, {result.said[-600:]}"
                raise AssertionError(f"{call}: {end}") from error
            ends[f"{end} file, exit code {result.code}"] += 1
            shutil.rmtree(result.place.root)
    print(ends)
    assert len(ends) > 1
