"""Work in threads: its result, its failure, and an exit that does not wait for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wizard.system.threads import begin


def test_returns_the_result() -> None:
    assert begin(divmod, 7, 2).result(60) == (3, 1)


def test_raises_the_failure() -> None:
    with pytest.raises(ZeroDivisionError):
        begin(divmod, 7, 0).result(60)


def test_the_process_does_not_wait_for_the_work() -> None:
    code = "import time; from wizard.system.threads import begin; begin(time.sleep, 600)"
    subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], timeout=60, check=True
    )
