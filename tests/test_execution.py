"""What a command starts from: its current folder and its standard streams."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
