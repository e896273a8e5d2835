"""Tests in Windows' Python under Wine. Run `.ci/windows`, which makes that machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.windows.machine import Machine, running_machine


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    wheel = os.environ.get("WINDOWS_WHEEL")
    if not wheel:
        pytest.skip("Windows under Wine: run .ci/windows")
    before, os.environ["HOME"] = os.environ["HOME"], str(tmp_path_factory.mktemp("home"))
    try:
        with running_machine(wheel) as made:
            yield made
    finally:
        os.environ["HOME"] = before


@pytest.fixture
def work(machine: Machine, tmp_path: Path) -> Path:
    """A new folder on C:, for one test."""
    folder = machine.drive / "work" / tmp_path.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
