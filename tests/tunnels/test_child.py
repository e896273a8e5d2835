"""The output of a tunnel program is read within bounds, even if a listener fails."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.tunnels.conftest import until
from wizard.system.processes import MAX_LINE_BYTES, Processes
from wizard.tunnels.child import Child


def program(folder: Path, code: str) -> list[str]:
    script = folder / "program.py"
    script.write_text(f"import sys, time\n{code}\n")
    return [sys.executable, "-S", str(script)]


def test_a_listener_that_fails_does_not_stop_the_program(tmp_path: Path) -> None:
    """Otherwise nothing reads its pipe, and the program blocks once the pipe is full."""
    received = []

    def on_line(line: str) -> None:
        received.append(line)
        raise OSError("No space left on device")

    command = program(tmp_path, "for number in range(20000): print('line', number)")
    child = Child(Processes(), command, os.environ, on_line)
    try:
        assert child.wait(60) == 0
        child.wait_for_output()
    finally:
        child.close()

    assert received[-1] == "line 19999"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_cuts_an_endless_line(tmp_path: Path, stream: str) -> None:
    received: list[str] = []
    code = f"sys.{stream}.write('x' * 50_000_000); sys.{stream}.flush(); time.sleep(600)"
    child = Child(Processes(), program(tmp_path, code), os.environ, received.append)
    try:
        assert until(lambda: received)
    finally:
        child.close()

    assert [len(line) for line in received] == [MAX_LINE_BYTES]
    assert sum(map(len, child.said)) == MAX_LINE_BYTES
