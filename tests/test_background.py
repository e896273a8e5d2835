"""The records of background tunnels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes import make_world
from tests.tunnels.conftest import until
from wizard.commands.tunnel_status import run_status, run_stop
from wizard.findings import ExitCode, Failure
from wizard.steps.background.process import Log
from wizard.steps.background.records import Background, BackgroundTunnel
from wizard.system.process_control import start_time

ENV_FILE = Path("/chat/.env")


def tunnel_with(trouble: str) -> BackgroundTunnel:
    return BackgroundTunnel(
        str(ENV_FILE), "local", "https://localhost:3443", 3080, 1, "once", 0.0, trouble
    )


@pytest.mark.parametrize("trouble", ["[]", "7", "null"])
def test_discards_unreadable_text(tmp_path: Path, trouble: str) -> None:
    background = Background(tmp_path)
    background.keep(tunnel_with("no network"))
    (file,) = (tmp_path / "background").glob("*.json")
    file.write_text(file.read_text("utf-8").replace('"no network"', trouble), "utf-8")

    assert background.of(ENV_FILE) is None
    assert not file.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"opened_at": "yesterday"},
        {"opened_at": 1e300},
        {"opened_at": float("nan")},
        {"url": 7},
        {"port": "3080"},
        {"tunnel": None},
        {"env_file": ["x"]},
        {"env_file": "/chat/\0.env"},
        {"env_file": "/chat/\ud800.env"},
    ],
    ids=repr,
)
def test_discards_a_record_with_wrong_types(tmp_path: Path, change: dict[str, object]) -> None:
    background = Background(tmp_path)
    background.keep(tunnel_with(""))
    (file,) = (tmp_path / "background").glob("*.json")
    file.write_text(json.dumps({**tunnel_with("")._asdict(), **change}), "utf-8")

    assert background.all() == []
    assert not file.exists()


def test_discards_a_truncated_record(tmp_path: Path) -> None:
    background = Background(tmp_path)
    background.keep(tunnel_with("no network"))
    (file,) = (tmp_path / "background").glob("*.json")
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert background.all() == []
        assert not file.exists()


# Other things in the place of a record


def pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


def endless(path: Path, _: Path) -> None:
    path.symlink_to("/dev/zero")


def circle(path: Path, _: Path) -> None:
    path.symlink_to(path.name)


def another_file(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def folder(path: Path, _: Path) -> None:
    path.mkdir()


def deep(path: Path, _: Path) -> None:
    path.write_text("[" * 200_000)


def flood(path: Path, _: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)


def nothing(path: Path, _: Path) -> None:
    path.touch()


STRANGE = [pipe, endless, circle, another_file, folder, deep, flood, nothing]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(command, start_new_session=True) as process:
        # Nothing else reaps it; it would remain a zombie.
        threading.Thread(target=process.wait, daemon=True).start()
        yield process
        process.kill()


def running(env_file: Path, process: subprocess.Popen[bytes]) -> BackgroundTunnel:
    started = start_time(process.pid)
    assert started is not None
    url = "https://localhost:3443"
    return BackgroundTunnel(str(env_file), "local", url, 3080, process.pid, started, 0.0)


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are POSIX's")
@pytest.mark.parametrize("strange", STRANGE)
def test_stops_a_tunnel_despite_an_invalid_record(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], strange: Callable[[Path, Path], None]
) -> None:
    world = make_world(tmp_path / "LibreChat")
    background = Background(world.ports.state_dir)
    background.keep(running(tmp_path / ".env", sleeper))
    (record,) = (world.ports.state_dir / "background").glob("*.json")
    victim = tmp_path / "victim"
    victim.write_text("precious")
    strange(record.with_name(f"{'0' * 16}.json"), victim)

    status = run_status(world.ports)
    stopped = run_stop(None, world.ports, every=True)

    assert [one.pid for one in status.tunnels] == [sleeper.pid]
    assert [one.pid for one in stopped.tunnels] == [sleeper.pid]
    assert [finding.rule.id for finding in stopped.findings] == ["LA377"]
    assert f"{'0' * 16}.broken" in stopped.findings[0].detail
    assert stopped.exit_code is ExitCode.OK
    assert victim.read_text() == "precious"
    assert until(lambda: start_time(sleeper.pid) is None)
    assert not record.exists()


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_stops_a_tunnel_whose_env_file_became_a_link_loop(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    world = make_world(tmp_path)
    env_file = tmp_path / ".env"
    Background(world.ports.state_dir).keep(running(env_file, sleeper))
    env_file.symlink_to(".env")

    assert len(run_status(world.ports).tunnels) == 1
    assert len(run_stop(None, world.ports, every=True).tunnels) == 1
    assert run_status(world.ports).tunnels == []


def test_keeps_the_record_of_an_env_file_that_became_a_link(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    background = Background(tmp_path / "state")
    one = running(tmp_path / ".env", sleeper)
    background.keep(one)
    (tmp_path / ".env").symlink_to(tmp_path / "moved")
    background.keep(one._replace(trouble="no network"))

    assert [known.trouble for known in background.all()] == ["no network"]
    background.forget(one)
    assert background.all() == []


def test_ignores_a_record_under_another_name(tmp_path: Path) -> None:
    """`forget` looks under the record's own name and would never delete it."""
    background = Background(tmp_path)
    background.keep(tunnel_with(""))
    (file,) = (tmp_path / "background").glob("*.json")
    file.rename(file.with_name(f"{'f' * 16}.json"))

    assert background.all() == []


def test_leaves_other_files_alone(tmp_path: Path) -> None:
    """The folder may be a link to another one."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "package.json").write_text("{}")
    (tmp_path / "background").symlink_to(theirs)

    assert Background(tmp_path).all() == []
    assert (theirs / "package.json").read_text() == "{}"


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are POSIX's")
@pytest.mark.parametrize("strange", [pipe, endless, circle, another_file, flood])
def test_replaces_an_invalid_log(tmp_path: Path, strange: Callable[[Path, Path], None]) -> None:
    background = Background(tmp_path)
    log = background.log_file(ENV_FILE)
    log.parent.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    strange(log, victim)

    with os.fdopen(background.open_log(ENV_FILE), "w") as file:
        file.write("a line")

    assert log.read_text() == "a line"
    assert not log.is_symlink()
    assert victim.read_text() == "precious"


def test_reports_a_folder_in_place_of_the_log(tmp_path: Path) -> None:
    background = Background(tmp_path)
    background.log_file(ENV_FILE).mkdir(parents=True)

    with pytest.raises(Failure) as caught:
        background.open_log(ENV_FILE)
    assert caught.value.finding.rule.id == "LA327"


@pytest.mark.skipif(os.name != "posix", reason="Windows restricts links")
def test_the_mark_of_a_log_replaces_a_link(tmp_path: Path) -> None:
    mark, victim = tmp_path / "mark", tmp_path / "victim"
    mark.symlink_to(victim)

    Log(mark)

    assert not victim.exists()
    assert mark.is_file()
