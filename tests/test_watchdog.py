from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wizard.watchdog import Watchdog, end, end_child, start_time

SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-S",
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);"
    " time.sleep(60)",
]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEPER, start_new_session=True) as process:
        yield process
        process.kill()


def until(condition: Callable[[], object], seconds: float = 8.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def parent_with(program: list[str], folder: Path, *, last_words: str) -> int:
    """Run a Python that starts the program under a watchdog and then dies; its program's pid."""
    script = folder / "parent.py"
    script.write_text(
        "import os, signal, subprocess\n"
        "from wizard.watchdog import Watchdog\n"
        f"child = subprocess.Popen({program!r}, start_new_session=True, stdout=subprocess.PIPE)\n"
        "watchdog = Watchdog(child.pid)\n"
        f"if 'deaf' in {program!r}[-1]: child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        f"{last_words}\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=20, env=_with_wizard()
    )
    return int(done.stdout)


def _with_wizard() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}


@pytest.mark.parametrize(
    "last_words",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "os.abort()",
        "os._exit(0)",
    ],
)
def test_a_program_does_not_outlive_us(tmp_path: Path, last_words: str) -> None:
    pid = parent_with(SLEEPER, tmp_path, last_words=last_words)

    assert until(lambda: start_time(pid) is None)


def test_a_program_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    pid = parent_with(STUBBORN, tmp_path, last_words="os._exit(1)")

    assert until(lambda: start_time(pid) is None)


def test_the_programs_own_children_end_with_it(tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    family = [
        sys.executable,
        "-S",
        "-c",
        f"import subprocess, pathlib; p = subprocess.Popen({SLEEPER!r});"
        f" pathlib.Path({str(note)!r}).write_text(str(p.pid)); p.wait()",
    ]
    parent_with(
        family,
        tmp_path,
        last_words=f"import time\nwhile not os.path.exists({str(note)!r}): time.sleep(.01)\n"
        "time.sleep(.1); os._exit(0)",
    )

    assert until(lambda: start_time(int(note.read_text())) is None)


def test_a_released_program_lives_on(sleeper: subprocess.Popen[bytes]) -> None:
    watchdog = Watchdog(sleeper.pid)
    watchdog.release()
    watchdog.release()

    assert start_time(sleeper.pid) is not None


def test_no_process_is_left_after_the_release(sleeper: subprocess.Popen[bytes]) -> None:
    watchdog = Watchdog(sleeper.pid)
    process = watchdog._process
    assert process is not None
    watchdog.release()

    assert process.returncode == 0


def test_a_child_ends_with_its_group_and_is_reaped(tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    program = f"sleep 60 & echo $! > {note}; wait"
    with subprocess.Popen(["sh", "-c", program], start_new_session=True) as child:
        assert until(lambda: note.exists() and note.read_text().strip())
        end_child(child)

    assert child.returncode == -signal.SIGTERM
    assert until(lambda: start_time(int(note.read_text())) is None)


def test_a_number_that_was_given_again_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    end(sleeper.pid, "another start")

    assert start_time(sleeper.pid) is not None


def test_nothing_is_watched_when_the_program_has_gone(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()

    Watchdog(sleeper.pid).release()
    assert start_time(sleeper.pid) is None


def test_a_zombie_does_not_count_as_running(sleeper: subprocess.Popen[bytes]) -> None:
    os.kill(sleeper.pid, signal.SIGKILL)

    assert until(lambda: start_time(sleeper.pid) is None)


def test_the_start_time_tells_two_processes_apart(sleeper: subprocess.Popen[bytes]) -> None:
    assert start_time(sleeper.pid) == start_time(sleeper.pid)
    assert start_time(sleeper.pid) != start_time(os.getpid())


def test_modules_of_the_current_folder_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (tmp_path / "contextlib.py").write_text("raise SystemExit('not ours')")
    monkeypatch.chdir(tmp_path)
    pid = parent_with(SLEEPER, scripts, last_words="os._exit(0)")

    assert until(lambda: start_time(pid) is None)
