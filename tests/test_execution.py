"""What a command starts from: its current folder, its standard streams, and a Ctrl-C before it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from wizard import __main__, cli
from wizard.execution import Flags, execute

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a shell of POSIX's")


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A shell script in which `$TOOL` is the command."""
    tool = f"'{sys.executable}' -P -m wizard"
    path = str(Path(__file__).parents[1])
    return subprocess.run(
        ["/bin/sh", "-c", script.replace("$TOOL", tool)],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_folder_that_was_deleted_is_named(tmp_path: Path) -> None:
    done = run("mkdir gone && cd gone && rmdir ../gone && $TOOL doctor", tmp_path)
    assert done.returncode == 5
    assert f"There is no {tmp_path / 'gone' / '.env'}." in done.stderr


def test_what_needs_no_folder_does_not_miss_it(tmp_path: Path) -> None:
    done = run("mkdir gone && cd gone && rmdir ../gone && $TOOL explain LA101", tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_breaks_nothing(closed: str, tmp_path: Path) -> None:
    assert run(f"$TOOL tunnel status --json {closed}", tmp_path).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("options", ["", "--json"])
def test_an_output_that_is_full_is_no_bug(options: str, tmp_path: Path) -> None:
    done = run(f"$TOOL explain LA101 {options} > /dev/full", tmp_path)
    assert done.returncode == 5
    assert options or "the disk is full" in done.stderr


def test_a_state_folder_that_cannot_be_is_no_bug(tmp_path: Path) -> None:
    name = tmp_path / ("n" * 300)
    done = run(f"XDG_STATE_HOME='{name}' $TOOL tunnel status", tmp_path)
    assert done.returncode == 5
    assert "the name is too long" in done.stderr
    assert "LA015" in done.stderr


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (7, "an output: the disk is full."),
        (None, "an output: the disk is full."),
        ("/x", "/x: the disk is full."),
        (b"/x\xff", "/x\udcff: the disk is full."),
        (Path("/x"), "/x: the disk is full."),
    ],
)
def test_whatever_the_system_names_is_told(
    name: object, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> NoReturn:
        error = OSError(errno.ENOSPC, "No space left on device")
        error.filename = name
        raise error

    with pytest.raises(SystemExit) as left:
        execute("doctor", Flags(json=True), fail)
    assert left.value.code == 5
    assert json.loads(capsys.readouterr().out)["findings"][0]["detail"] == told


def test_ctrl_c_before_a_command_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    monkeypatch.setattr(sys, "argv", ["librechat-auth0", "doctor"])
    with pytest.raises(SystemExit) as left:
        __main__.main()
    assert left.value.code == 130
