"""No program outlives its supervisor, whatever the program does or happens to us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.tunnels.conftest import until
from wizard.system import supervisor
from wizard.system.process_control import start_time
from wizard.system.processes import Processes

ROOT = Path(__file__).parents[2]
# Writes its process ID and its children's into the file `note`.
FAMILY = """
import os, pathlib, signal, subprocess, sys, time
note, how = pathlib.Path(sys.argv[1]), sys.argv[2]
if how == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
pids = [os.getpid()]
if how in {"group", "session", "daemon"}:
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", "import time; time.sleep(600)"],
        start_new_session=how == "session",
    )
    pids.append(child.pid)
if how == "daemon":
    # Twice forked, in a session of its own, and deaf.
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write(write, str(os.getpid()).encode())
            os.close(write)
            os.execv(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        os._exit(0)
    pids.append(int(os.read(read, 20)))
fresh = note.with_suffix(".new")
fresh.write_text(" ".join(map(str, pids)))
fresh.rename(note)
if how != "ends":
    time.sleep(600)
sys.exit(7)
"""


class Family:
    """A program and its children."""

    def __init__(self, folder: Path, how: str) -> None:
        script = folder / "family.py"
        script.write_text(FAMILY)
        self.note = folder / "note"
        self.command = [sys.executable, "-S", str(script), str(self.note), how]

    def pids(self) -> list[int]:
        assert until(self.note.exists)
        return [int(word) for word in self.note.read_text().split()]

    def has_gone(self) -> bool:
        return until(lambda: not any(map(start_time, self.pids())))


KINDS = [
    "alone",
    "stubborn",
    "group",
    *(
        pytest.param(how, marks=pytest.mark.skipif(sys.platform != "linux", reason="prctl(2)"))
        for how in ("session", "daemon")
    ),
]


@pytest.mark.parametrize("how", KINDS)
def test_ends_a_program_and_its_children_when_the_pipe_closes(tmp_path: Path, how: str) -> None:
    family = Family(tmp_path, how)
    with Processes().start(family.command) as running:
        family.pids()
        assert running.stdin is not None
        running.stdin.close()

        assert family.has_gone()


@pytest.mark.parametrize("how", KINDS)
@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "os.abort()"])
def test_ends_a_program_and_its_children_when_we_are_killed(
    tmp_path: Path, how: str, end: str
) -> None:
    family = Family(tmp_path, how)
    us = tmp_path / "us.py"
    us.write_text(
        "import os, pathlib, signal, time\n"
        "from wizard.system.processes import Processes\n"
        f"running = Processes().start({family.command!r})\n"
        f"while not pathlib.Path({str(family.note)!r}).exists(): time.sleep(0.01)\n"
        f"{end}\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, us], env=environ, timeout=60, check=False)

    assert family.has_gone()


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2)")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_all(tmp_path: Path, number: signal.Signals) -> None:
    family = Family(tmp_path, "daemon")
    with Processes().start(family.command) as running:
        family.pids()
        running.send_signal(number)

        assert running.wait(60) == 128 + signal.SIGTERM
        assert family.has_gone()


def test_exits_with_the_programs_status(tmp_path: Path) -> None:
    with Processes().start(Family(tmp_path, "ends").command) as running:
        assert running.wait(60) == 7


def test_exits_with_a_shells_status_for_a_signal(tmp_path: Path) -> None:
    family = Family(tmp_path, "alone")
    with Processes().start(family.command) as running:
        os.kill(family.pids()[0], signal.SIGKILL)

        assert running.wait(60) == 128 + signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2)")
def test_children_end_with_the_program(tmp_path: Path) -> None:
    note = tmp_path / "note"
    program = ["sh", "-c", f"sleep 600 & echo $! > {note}; exit 3"]
    with Processes().start(program) as running:
        assert running.wait(60) == 3

    assert start_time(int(note.read_text())) is None


def test_explains_why_a_program_cannot_start(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("no format that the system runs")
    program.chmod(0o755)
    with Processes().start([str(program)]) as running:
        assert running.wait(60) == supervisor.NOT_STARTED
        assert running.stderr is not None
        assert str(program) in running.stderr.read().decode()


def test_does_not_run_modules_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "contextlib.py").write_text("raise SystemExit('not ours')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with Processes().start(["sh", "-c", "exit 7"]) as running:
        assert running.wait(60) == 7


def test_works_from_an_archive_with_a_relative_path(tmp_path: Path) -> None:
    """The way a zipapp runs; programs do not run in our folder."""
    with zipfile.ZipFile(tmp_path / "app.pyz", "w") as archive:
        for file in (ROOT / "wizard").rglob("*.py"):
            archive.write(file, file.relative_to(ROOT))
    code = (
        "import sys; sys.path.insert(0, 'app.pyz')\n"
        "from wizard.system.processes import Processes, __file__ as where\n"
        "assert where.startswith('app.pyz'), where\n"
        "running = Processes().start(['sh', '-c', 'exit 7'])\n"
        "print(running.wait(), running.stderr.read())\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "7 b''\n", done.stderr


def test_passes_on_the_environment_without_our_variables(tmp_path: Path) -> None:
    program = [sys.executable, "-S", "-c", "import os; print(sorted(os.environ))"]
    with Processes().start(program, env={"ONE": "1"}) as running:
        assert running.stdout is not None
        said = running.stdout.read().decode()

    assert set(eval(said)) - {"LC_CTYPE"} == {"ONE"}
