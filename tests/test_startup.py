from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.startup import commands, fastest

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
    "starlette",
    "urllib3",
    "uvicorn",
    "yaml",
)
ROUNDS = 12
ATTEMPTS = 4


def imported_by(*args: str) -> set[str]:
    code = (
        "import sys, runpy\n"
        f"sys.argv = {['librechat-auth0', *args]!r}\n"
        "try: runpy.run_module('wizard', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "sys.stderr.write('\\n'.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split("\n"))


@pytest.mark.parametrize("args", [("--version",), ("--help",), ("init", "--help")])
def test_nothing_costly_is_imported_before_it_is_needed(args: tuple[str, ...]) -> None:
    assert not imported_by(*args) & set(HEAVY)


def test_the_version_needs_no_typer() -> None:
    assert "typer" not in imported_by("--version")


@pytest.mark.parametrize(
    ("ours", "theirs", "budget"),
    [
        ("librechat-auth0 --version", "python -c pass", 2.0),
        ("librechat-auth0 --help", "bare typer --help", 1.15),
    ],
)
def test_the_budget(tmp_path: Path, ours: str, theirs: str, budget: float) -> None:
    both = {name: line for name, line in commands(tmp_path).items() if name in {ours, theirs}}
    ratios = []
    for _ in range(ATTEMPTS):  # other programs on the machine only ever make us slower
        taken = fastest(both, ROUNDS)
        ratios.append(taken[ours] / taken[theirs])
        if ratios[-1] <= budget:
            return
    pytest.fail(f"{ours} takes {ratios} times {theirs}, the budget is {budget}")
