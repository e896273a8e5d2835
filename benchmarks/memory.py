"""Peak memory side by side in one run: of our commands, of an edit of 16 keys, and of the peers.

    python -m benchmarks.memory [--dotenvx PATH]

Linux only. A program's peak is at least that of the process that started it, so each is started
by a Python that has nothing loaded, which stays below all that is measured.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.env_edit import KEYS, content
from benchmarks.startup import PYTHON, Command, commands

ROUNDS = 3
STARTER = """
import os, sys
null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=null)
_, status, used = os.wait4(child, 0)
print(used.ru_maxrss)
sys.exit(status != 0)
"""
EDIT = """
import pathlib, sys
sys.path.insert(0, {root!r})
from benchmarks.env_edit import {editor}
{editor}(pathlib.Path(sys.argv[1]))
"""


def peak(command: Command) -> float:
    """The megabytes that the program had at most in memory; the median of a few runs."""
    taken = []
    for _ in range(ROUNDS):
        command.prepare()
        started = subprocess.run(
            (sys.executable, "-I", "-S", "-c", STARTER, *command.line),
            cwd=command.folder,
            env=command.environ(),
            capture_output=True,
            text=True,
            check=True,
        )
        taken.append(int(started.stdout) * 1024 / 1e6)
    return statistics.median(taken)


def edits(folder: Path, lines: int, dotenvx: str | None) -> dict[str, Command]:
    """An edit of 16 keys by each editor, in a file of its own; dotenvx takes one key a process."""
    found = {}
    data = content(lines)
    root = str(Path(__file__).parents[1])
    for name, editor in (("librechat-auth0", "ours"), ("python-dotenv", "python_dotenv")):
        file = folder / f"{editor}-{lines}" / ".env"
        file.parent.mkdir()
        file.write_bytes(data)
        code = EDIT.format(root=root, editor=editor)
        line = (sys.executable, "-c", code, str(file))
        found[f"16 keys in {lines:,} lines: {name}"] = Command(line, file.parent)
    if dotenvx and (node := shutil.which("node")):
        file = folder / f"dotenvx-{lines}"
        file.write_bytes(data)
        key = next(iter(KEYS))
        command = Command(
            (node, dotenvx, "set", key, "value", "--plain", "-f", str(file)), file.parent
        )
        found[f"1 key in {lines:,} lines: dotenvx"] = command
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dotenvx", default=shutil.which("dotenvx"), help="the program's path")
    dotenvx: str | None = parser.parse_args().dotenvx
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured = commands(folder)
        for lines in (300, 100_000):
            measured |= edits(folder, lines, dotenvx)
        peaks = {each: peak(command) for each, command in measured.items()}
    print(f"{'command':<52} {'MB':>7} {'x python':>9}")
    for each, megabytes in peaks.items():
        print(f"{each:<52} {megabytes:7.1f} {megabytes / peaks[PYTHON]:9.2f}")


if __name__ == "__main__":
    main()
