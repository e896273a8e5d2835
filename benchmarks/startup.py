"""Start-up of our commands, Python itself, a bare Typer program and peers, side by side.

    python -m benchmarks.startup [--rounds N]

Ours run in a folder like a LibreChat checkout. Rounds alternate between the commands, forwards and
backwards, so that other load affects them equally. Prints the median time, the minimum CPU time
and the peak memory of each, then the pairs with a budget, by CPU time. Peers that are not on the
path are skipped. POSIX only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.librechat.example import checkout, init_options

BARE_TYPER = """
import typer

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def common() -> None: ...


@app.command()
def init(name: str = "", yes: bool = False) -> None: ...


app()
"""
INIT = "librechat-auth0 init --offline"
INIT_AGAIN = f"{INIT}, nothing to change"
DOCTOR = "librechat-auth0 doctor --offline --json"
PYTHON = "python -c pass"
TYPER = "bare typer --help"


# A process's peak memory is at least that of its parent, so a Python without modules starts it.
STARTER = """
import os, sys, time
null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=null)
_, status, used = os.wait4(child, 0)
print(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(status != 0)
"""


class Figures(NamedTuple):
    """Wall-clock seconds, seconds of CPU time, and megabytes of peak memory."""

    seconds: float
    cpu: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class Command:
    """A command line and its folder; `is_fresh` removes the `.env` before each run."""

    line: tuple[str, ...]
    folder: Path
    is_fresh: bool = False

    def prepare(self) -> None:
        if self.is_fresh:
            (self.folder / ".env").unlink(missing_ok=True)

    def environ(self) -> dict[str, str]:
        """Return its environment: byte code is cached; no docker, and its own state folder."""
        return {
            **os.environ,
            "PATH": str(Path(sys.executable).parent),
            "PYTHONDONTWRITEBYTECODE": "",
            "XDG_STATE_HOME": str(self.folder.parent / "state"),
        }


def measured(commands: Mapping[str, Command], rounds: int) -> dict[str, Figures]:
    """Return the median time and memory of each command, and its minimum CPU time.

    The first round only fills caches.
    """
    taken: dict[str, list[Figures]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in [*commands.items()][:: -1 if number % 2 else 1]:
            taken[name].append(run(command))
    return {name: _summary(each[1:]) for name, each in taken.items()}


def _summary(runs: Sequence[Figures]) -> Figures:
    seconds, cpu, megabytes = zip(*runs, strict=True)
    return Figures(statistics.median(seconds), min(cpu), statistics.median(megabytes))


def run(command: Command) -> Figures:
    """Run the command once."""
    command.prepare()
    done = subprocess.run(
        (sys.executable, "-I", "-S", "-c", STARTER, *command.line),
        cwd=command.folder,
        env=command.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, cpu, peak = map(float, done.stdout.split())
    return Figures(seconds, cpu, peak * (1 if sys.platform == "darwin" else 1024) / 1e6)


def program(name: str) -> str:
    """Return the program next to this Python, or on the path."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or name


def commands(folder: Path) -> dict[str, Command]:
    """Return the measured commands by name, in an empty folder."""
    bare = folder / "bare_typer.py"
    bare.write_text(BARE_TYPER)
    fresh, kept = checkout(folder / "fresh"), checkout(folder / "kept")
    ours, init = program("librechat-auth0"), init_options(folder)
    first = Command((ours, *init), kept)
    subprocess.run(first.line, cwd=kept, env=first.environ(), stderr=subprocess.DEVNULL, check=True)
    found = {
        PYTHON: Command((sys.executable, "-c", "pass"), fresh),
        "librechat-auth0 --version": Command((ours, "--version"), fresh),
        TYPER: Command((sys.executable, str(bare), "--help"), fresh),
        "librechat-auth0 --help": Command((ours, "--help"), fresh),
        "librechat-auth0 tunnel status": Command((ours, "tunnel", "status"), kept),
        INIT: Command((ours, *init), fresh, is_fresh=True),
        INIT_AGAIN: first,
        DOCTOR: Command((ours, "doctor", "--offline", "--json"), kept),
        "librechat-auth0 explain LA101": Command((ours, "explain", "LA101"), kept),
    }
    for peer in ("copier", "cookiecutter", "http"):
        if shutil.which(path := program(peer)):
            found[f"{peer} --version"] = Command((path, "--version"), fresh)
            found[f"{peer} --help"] = Command((path, "--help"), fresh)
    return found


# A command, its reference, and the maximum ratio of their CPU times.
BUDGETS = (
    ("librechat-auth0 --version", PYTHON, 1.3),
    ("librechat-auth0 --help", TYPER, 1.15),
    ("librechat-auth0 tunnel status", TYPER, 2.1),
    (INIT, TYPER, 3.1),
    (INIT, "cookiecutter --version", 0.9),
    (DOCTOR, PYTHON, 12.0),
    ("librechat-auth0 explain LA101", TYPER, 4.0),
)


def pairs(taken: Mapping[str, Figures]) -> Iterator[tuple[str, float, float]]:
    """Return each measured pair, its ratio and its budget."""
    for ours, theirs, budget in BUDGETS:
        if theirs in taken:
            yield f"{ours} / {theirs}", taken[ours].cpu / taken[theirs].cpu, budget


def main() -> None:
    """Print the table; exit with 1 if a command is over its budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        taken = measured(commands(Path(folder)), rounds)
    print(f"{'command':<52} {'ms':>7} {'CPU ms':>7} {'x python':>9} {'x typer':>8} {'MB':>7}")
    for name, (seconds, cpu, megabytes) in taken.items():
        ratios = f"{cpu / taken[PYTHON].cpu:9.2f} {cpu / taken[TYPER].cpu:8.2f}"
        print(f"{name:<52} {seconds * 1000:7.1f} {cpu * 1000:7.1f} {ratios} {megabytes:7.1f}")
    print(f"\n{'pair, by CPU time':<84} {'ratio':>6} {'budget':>7}")
    for name, ratio, budget in (found := [*pairs(taken)]):
        print(f"{name:<84} {ratio:6.2f} {budget:7.2f}{' !' if ratio > budget else ''}")
    if any(ratio > budget for _, ratio, budget in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
