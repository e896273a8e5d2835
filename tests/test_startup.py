from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.memory import peak
from benchmarks.profile import START, one_round
from benchmarks.startup import DOCTOR, INIT, Command, commands

HEAVY = (
    "asyncio",
    "auth0",
    "cryptography",
    "dotenv",
    "jinja2",
    "jwt",
    "prompt_toolkit",
    "pydantic",
    "pyngrok",
    "questionary",
    "rich",
    "urllib3",
    "yaml",
)
EXPLAIN = "librechat-auth0 explain LA101"
STATUS = "librechat-auth0 tunnel status"


def imported_by(*args: str, command: Command | None = None) -> set[str]:
    code = (
        "import sys, runpy\n"
        f"sys.argv = {['librechat-auth0', *args]!r}\n"
        "try: runpy.run_module('wizard', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "sys.stderr.write('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=command.folder if command else None,
        env=command.environ() if command else None,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split("\n"))


@pytest.mark.parametrize("args", [("--version",), ("--help",), ("init", "--help")])
def test_nothing_costly_is_imported_before_it_is_needed(args: tuple[str, ...]) -> None:
    assert not imported_by(*args) & set(HEAVY)


def test_the_version_needs_no_typer() -> None:
    assert "typer" not in imported_by("--version")


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        (INIT, {"yaml"}),
        (DOCTOR, {"yaml"}),
        (EXPLAIN, set()),
        (STATUS, set()),
    ],
)
def test_a_command_imports_what_it_needs(tmp_path: Path, name: str, needed: set[str]) -> None:
    command = commands(tmp_path)[name]
    command.prepare()

    assert imported_by(*command.line[1:], command=command) & {*HEAVY, "ssl"} == needed


def test_the_profile_knows_the_steps(tmp_path: Path) -> None:
    steps = one_round(tmp_path)

    assert {START, "import of typer", "python-dotenv reads it too", "fsync"} <= steps.keys()
    assert all(seconds > 0 for seconds in steps.values())


@pytest.mark.skipif(sys.platform != "linux", reason="others count in other units")
def test_the_peak_of_memory_is_the_programs_own(tmp_path: Path) -> None:
    small, large = (
        peak(Command((sys.executable, "-c", code), tmp_path))
        for code in ("pass", "kept = b'x' * 50_000_000")
    )

    assert 48 < large - small < 55
