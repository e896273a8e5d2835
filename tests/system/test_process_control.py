"""Processes are identified by ID and start time, and ended with their groups."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tunnels.conftest import until
from wizard.system import process_control
from wizard.system.process_control import end, end_child, start_time

SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEPER, start_new_session=True) as process:
        yield process
        process.kill()


def test_a_child_ends_with_its_group_and_is_reaped(tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    program = f"sleep 60 & echo $! > {note}; wait"
    with subprocess.Popen(["sh", "-c", program], start_new_session=True) as child:
        assert until(lambda: note.exists() and note.read_text().strip())
        end_child(child)

    assert child.returncode == -signal.SIGTERM
    assert until(lambda: start_time(int(note.read_text())) is None)


@pytest.mark.parametrize("read", [process_control.from_psutil, start_time])
def test_a_zombie_and_a_reaped_process_have_no_start_time(
    read: Callable[[int], str | None], sleeper: subprocess.Popen[bytes]
) -> None:
    started = read(sleeper.pid)
    assert started is not None
    assert read(sleeper.pid) == started
    sleeper.kill()

    assert until(lambda: read(sleeper.pid) is None)
    sleeper.wait()
    assert read(sleeper.pid) is None


def test_leaves_a_reused_process_id_alone(sleeper: subprocess.Popen[bytes]) -> None:
    end(sleeper.pid, "another start")

    assert start_time(sleeper.pid) is not None


def test_the_start_time_distinguishes_processes(sleeper: subprocess.Popen[bytes]) -> None:
    assert start_time(sleeper.pid) == start_time(sleeper.pid)
    assert start_time(sleeper.pid) != start_time(os.getpid())


def test_does_not_wait_for_a_hanging_taskkill(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*args: object, timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired("taskkill", timeout)

    monkeypatch.setattr(subprocess, "run", run)

    process_control.send(os.getpid(), signal.SIGTERM, "win32")
