"""Programs that are run to completion: their output and their children are bounded."""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.tunnels.conftest import until
from wizard.system.process_control import start_time
from wizard.system.processes import MAX_LINE_BYTES, MAX_OUTPUT_BYTES, Processes, lines_of

ROOT = Path(__file__).parents[2]


def test_skips_an_unreadable_folder_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like root's folder on a user's PATH; root itself fails only on an overlong name."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    monkeypatch.setenv("PATH", f"{closed}:/{'x' * 5000}:{os.environ['PATH']}")

    assert Processes().which("sh") == Path(shutil.which("sh") or "")


def test_returns_the_output() -> None:
    done = Processes().run(["sh", "-c", "printf 'a\\r\\nb\\377'; echo no >&2; exit 5"])

    assert (done.status, done.stdout, done.stderr) == (5, "a\nb\ufffd", "no\n")


@pytest.mark.parametrize("home", ["", ".", "/nonexistent", "/dev/null"])
def test_runs_no_program_in_the_checkout_without_a_home(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", home)
    assert Path(Processes().run(["pwd"]).stdout.strip()) == Path("/")


def test_returns_a_large_output() -> None:
    done = Processes().run(["head", "-c", str(MAX_OUTPUT_BYTES), "/dev/zero"])

    assert (done.status, len(done.stdout)) == (0, MAX_OUTPUT_BYTES)


def test_gives_a_program_its_input() -> None:
    given = b"more than a pipe holds " * 9_000

    assert Processes().run(["wc", "-c"], given=given).stdout.strip() == str(len(given))
    assert Processes().run(["true"], given=given).status == 0
    assert Processes().run(["cat"]).stdout == ""


@pytest.mark.parametrize("stream", ["1", "2"])
def test_ends_a_program_that_writes_endlessly(stream: str) -> None:
    """Reading it all would exceed the memory limit."""
    code = (
        "import resource, sys\n"
        "from wizard.system.processes import Processes\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        f"done = Processes().run(['sh', '-c', 'cat /dev/zero >&{stream}'], timeout=60)\n"
        "print(done.status, done.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120
    )

    assert done.stdout == "124 more than 4 MiB of output\n", done.stderr


@pytest.mark.skipif(os.name != "posix", reason="groups of processes are POSIX's")
def test_does_not_wait_for_a_child_that_holds_the_pipe(tmp_path: Path) -> None:
    note = tmp_path / "note"
    program = ["sh", "-c", f"sleep 600 & echo $! > {note}; echo done"]
    done = Processes().run(program, timeout=600)

    assert (done.status, done.stdout) == (0, "done\n")
    assert until(lambda: start_time(int(note.read_text())) is None)


@pytest.mark.skipif(sys.platform != "linux", reason="setsid(1)")
def test_does_not_wait_for_a_child_in_another_session(tmp_path: Path) -> None:
    note = tmp_path / "note"
    inner = f"echo $$ > {note}; exec sleep 600"
    program = ["sh", "-c", f"setsid sh -c '{inner}' & while ! [ -s {note} ]; do :; done; echo done"]
    done = Processes().run(program, timeout=600)
    os.kill(int(note.read_text()), signal.SIGKILL)

    assert (done.status, done.stdout) == (0, "done\n")


def test_ends_a_hanging_program_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "note"
    program = ["sh", "-c", f"sleep 600 & echo $! > {note}; wait"]
    for seconds in (1, 10, 60):
        done = Processes().run(program, timeout=seconds)
        assert (done.status, done.stderr) == (124, f"no end after {seconds} s")
        if note.exists():  # a busy machine may start it late
            break

    assert until(lambda: start_time(int(note.read_text())) is None)


def test_a_program_at_the_terminal_stays_in_our_session() -> None:
    """There sudo can ask for a password; other programs have no terminal."""
    program = [sys.executable, "-S", "-c", "import os; print(os.getsid(0))"]

    inside = Processes().run(program, at_terminal=True)
    outside = Processes().run(program)

    assert int(inside.stdout) == os.getsid(0)
    assert int(outside.stdout) != os.getsid(0)


def test_a_timeout_at_the_terminal_spares_our_own_group() -> None:
    done = Processes().run(["sleep", "600"], timeout=0.1, at_terminal=True)

    assert done.status == 124


def test_yields_lines() -> None:
    long = b"x" * (3 * MAX_LINE_BYTES)
    stream = io.BytesIO(b"one\n" + long + b"end of it\ntwo\xff\nthree")

    assert [len(line) for line in lines_of(stream)] == [4, MAX_LINE_BYTES, 5, 5]


def test_does_not_buffer_an_endless_line() -> None:
    """Keeping the line would exceed the memory limit."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with subprocess.Popen(["head", "-c", "300000000", "/dev/zero"], stdout=subprocess.PIPE) as it:
        assert it.stdout is not None
        assert [len(line) for line in lines_of(it.stdout)] == [MAX_LINE_BYTES]

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000  # KiB


def test_reads_output_that_arrives_after_the_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, output may arrive after the exit is known."""
    waits = threading.Event()
    read = os.read

    def late(handle: int, size: int) -> bytes:
        waits.wait(0.3)
        return read(handle, size)

    monkeypatch.setattr("os.read", late)

    assert Processes().run(["sh", "-c", "echo late"]).stdout == "late\n"
