"""Commands side by side in one run: ours against Python itself, a bare Typer program and peers.

    python -m benchmarks.startup [--rounds N]

Ours work on a folder like a LibreChat checkout. Rounds alternate between the commands, forwards
and backwards, so that noise of the machine hits all alike; the medians are printed as ratios.
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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.librechat.example import env_example

BARE_TYPER = """
import typer

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def common() -> None: ...


@app.command()
def init(name: str = "", yes: bool = False) -> None: ...


app()
"""
COMPOSE_FILE = """
services:
  api:
    image: registry.librechat.ai/danny-avila/librechat-dev:latest
    ports:
      - "${PORT}:${PORT}"
    volumes:
      - type: bind
        source: ./.env
        target: /app/.env
      - ./images:/app/client/public/images
    environment:
      - HOST=0.0.0.0
      - MONGO_URI=mongodb://mongodb:27017/LibreChat
  mongodb:
    image: mongo
    volumes:
      - ./data-node:/data/db
"""
INIT = "librechat-auth0 init --offline"
INIT_AGAIN = f"{INIT}, nothing to change"
DOCTOR = "librechat-auth0 doctor --offline"
PYTHON = "python -c pass"
TYPER = "bare typer --help"


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, the folder it is run in, and whether that has no `.env` before each run."""

    line: tuple[str, ...]
    folder: Path
    is_fresh: bool = False

    def prepare(self) -> None:
        """Make the folder what it has to be before a run."""
        if self.is_fresh:
            (self.folder / ".env").unlink(missing_ok=True)

    def environ(self) -> dict[str, str]:
        """Its environment: byte code is kept, the user's own folders and docker are left alone."""
        return {
            **os.environ,
            "PATH": str(Path(sys.executable).parent),
            "PYTHONDONTWRITEBYTECODE": "",
            "XDG_STATE_HOME": str(self.folder.parent / "state"),
        }


def medians(commands: Mapping[str, Command], rounds: int) -> dict[str, float]:
    """Median wall-clock seconds of each command."""
    return {name: statistics.median(each) for name, each in measured(commands, rounds).items()}


def measured(commands: Mapping[str, Command], rounds: int) -> dict[str, list[float]]:
    """Wall-clock seconds of each command, round by round."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    order = list(commands.items())
    for round_number in range(rounds + 1):
        for name, command in order[:: -1 if round_number % 2 else 1]:
            command.prepare()
            start = time.perf_counter()
            subprocess.run(
                command.line,
                cwd=command.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=command.environ(),
                check=True,
            )
            if round_number:  # the first round fills the caches
                times[name].append(time.perf_counter() - start)
    return times


def program(name: str) -> str:
    """Where the program lies: beside this Python, else on the path."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or name


def checkout(folder: Path) -> Path:
    """A folder like a LibreChat checkout, with all that `init` and `doctor` read of it."""
    folder.mkdir()
    (folder / ".env.example").write_text(env_example())
    (folder / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.8"}')
    (folder / "docker-compose.yml").write_text(COMPOSE_FILE)
    return folder


def init_options(folder: Path) -> tuple[str, ...]:
    """A scripted `init` that asks nobody; the secret's file is made in the folder."""
    secret = folder / "secret"
    secret.write_text("s" * 64)
    return (
        *("init", "--yes", "--offline"),
        *("--domain", "dev.us.auth0.com", "--client-id", "a" * 32, "--audience", "https://api"),
        *("--public-url", "https://chat.example.com", "--client-secret-file", str(secret)),
    )


def commands(folder: Path) -> dict[str, Command]:
    """What is measured, by its name; the folder is there and empty."""
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
        DOCTOR: Command((ours, "doctor", "--offline"), kept),
        "librechat-auth0 explain LA101": Command((ours, "explain", "LA101"), kept),
    }
    for peer in ("copier", "cookiecutter", "http"):
        if shutil.which(path := program(peer)):
            found[f"{peer} --version"] = Command((path, "--version"), fresh)
            found[f"{peer} --help"] = Command((path, "--help"), fresh)
    return found


# What must hold, pair by pair: a command, whom it is held against, and at most how many times it.
BUDGETS = (
    ("librechat-auth0 --version", PYTHON, 1.3),
    ("librechat-auth0 --help", TYPER, 1.15),
    ("librechat-auth0 tunnel status", TYPER, 2.1),
    (INIT, TYPER, 3.1),
    (INIT, "cookiecutter --version", 0.9),
    (DOCTOR, PYTHON, 12.0),
    ("librechat-auth0 explain LA101", TYPER, 4.0),
)


def over_budget(taken: Mapping[str, float]) -> Iterator[str]:
    """Return what takes longer than it may."""
    for ours, theirs, budget in BUDGETS:
        if theirs in taken and taken[ours] > budget * taken[theirs]:
            ratio = taken[ours] / taken[theirs]
            yield f"{ours} takes {ratio:.2f} times {theirs}, the budget is {budget}"


def main() -> None:
    """Print the table; exit with 1 where a command is over its budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        taken = medians(commands(Path(folder)), rounds)
    print(f"{'command':<52} {'ms':>7} {'x python':>9} {'x typer':>8}")
    for name, seconds in taken.items():
        ratios = f"{seconds / taken[PYTHON]:9.2f} {seconds / taken[TYPER]:8.2f}"
        print(f"{name:<52} {seconds * 1000:7.1f} {ratios}")
    if slow := [*over_budget(taken)]:
        raise SystemExit("\n".join(slow))


if __name__ == "__main__":
    main()
