"""Start-up side by side in one run: ours against Python itself, a bare Typer program and peers.

    python -m benchmarks.startup [--rounds N]

Rounds alternate between the commands, so that noise of the machine hits all alike; the medians
are printed as ratios.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

BARE_TYPER = """
import typer

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def common() -> None: ...


@app.command()
def init(name: str = "", yes: bool = False) -> None: ...


app()
"""


def medians(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, float]:
    """Median wall-clock seconds of each command."""
    return {name: statistics.median(each) for name, each in measured(commands, rounds).items()}


def fastest(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, float]:
    """Shortest wall-clock seconds of each command, which noise cannot shorten."""
    return {name: min(each) for name, each in measured(commands, rounds).items()}


def measured(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[float]]:
    """Wall-clock seconds of each command, round by round."""
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for round_number in range(rounds + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environ,
                check=True,
            )
            if round_number:  # the first round fills the caches
                times[name].append(time.perf_counter() - start)
    return times


def program(name: str) -> list[str]:
    beside = Path(sys.executable).with_name(name)
    return [str(beside) if beside.exists() else shutil.which(name) or name]


def commands(folder: Path) -> dict[str, list[str]]:
    bare = folder / "bare_typer.py"
    bare.write_text(BARE_TYPER)
    ours = program("librechat-auth0")
    env_file = folder / ".env"
    init = [
        *ours,
        *("init", "--yes", "--offline", "--quiet", "--env-file", str(env_file)),
        *("--domain", "dev.us.auth0.com", "--client-id", "a" * 32, "--audience", "https://api"),
        *("--public-url", "https://chat.example.com", "--client-secret-file", str(bare)),
    ]
    (folder / "secret").write_text("s" * 64)
    init[init.index(str(bare))] = str(folder / "secret")
    found = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "librechat-auth0 --version": [*ours, "--version"],
        "bare typer --help": [sys.executable, str(bare), "--help"],
        "librechat-auth0 --help": [*ours, "--help"],
        "librechat-auth0 init --offline": init,
    }
    for peer in ("copier", "cookiecutter", "http"):
        if shutil.which(program(peer)[0]):
            found[f"{peer} --version"] = [*program(peer), "--version"]
            found[f"{peer} --help"] = [*program(peer), "--help"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        taken = medians(commands(Path(folder)), rounds)
    base, bare = taken["python -c pass"], taken["bare typer --help"]
    print(f"{'command':<34} {'ms':>7} {'x python':>9} {'x typer':>8}")
    for name, seconds in taken.items():
        print(f"{name:<34} {seconds * 1000:7.1f} {seconds / base:9.2f} {seconds / bare:8.2f}")


if __name__ == "__main__":
    main()
