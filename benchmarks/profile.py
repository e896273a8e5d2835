"""Where the time of a scripted `init --offline` goes, by what is imported and by step.

    python -m benchmarks.profile [--rounds N]

Each round is a process of its own over a fresh checkout, whose clock (`benchmarks.clock`) counts
every moment once: for the innermost import or step that runs. Medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.startup import Command, checkout, init_options

START = "Python itself, start and end"
TIMED = "import sys; sys.path.insert(0, sys.argv.pop(1)); import benchmarks.clock as c; c.main()"


def one_round(folder: Path) -> dict[str, float]:
    """The seconds of one process over a fresh checkout, and of a Python that does nothing."""
    root = str(Path(__file__).parents[1])
    line = (sys.executable, "-c", TIMED, root, *init_options(folder))
    command = Command(line, checkout(folder / "LibreChat"))
    done = subprocess.run(
        command.line,
        cwd=command.folder,
        env=command.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    steps: dict[str, float] = json.loads(done.stdout)
    return {START: time.perf_counter() - start, **steps}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(parser.parse_args().rounds):
        with tempfile.TemporaryDirectory() as folder:
            for label, seconds in one_round(Path(folder)).items():
                taken[label].append(seconds)
    medians = {label: statistics.median(each) for label, each in taken.items()}
    whole = sum(medians.values())
    print(f"{'':<42} {'ms':>7} {'share':>6}")
    for label, seconds in sorted(medians.items(), key=lambda each: -each[1]):
        print(f"{label:<42} {seconds * 1000:7.1f} {seconds / whole:6.1%}")
    print(f"{'all':<42} {whole * 1000:7.1f}")


if __name__ == "__main__":
    main()
