"""Tests in Windows' Python under Wine. Run `.ci/windows`, which makes and starts that machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.windows.machine import Machine


@pytest.fixture(scope="session")
def machine() -> Machine:
    prefix = os.environ.get("WINDOWS_PREFIX")
    if not prefix:
        pytest.skip("Windows under Wine: run .ci/windows")
    machine = Machine(Path(prefix, "drive_c"))
    assert machine.server.is_dir(), "the tests would start a second Windows"
    return machine


@pytest.fixture
def work(machine: Machine, tmp_path: Path) -> Path:
    """A new folder on C:, for one test."""
    folder = machine.drive / "work" / tmp_path.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
