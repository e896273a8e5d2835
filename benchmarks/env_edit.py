"""Editing an `.env`: ours against python-dotenv and dotenvx, side by side in one run.

    python -m benchmarks.env_edit [--rounds N] [--dotenvx PATH]

Sets sixteen keys in a file of 300 and of 100,000 lines. python-dotenv's `set_key` takes one key
per call, dotenvx one per process (npm's `@dotenvx/dotenvx`, from the path or `--dotenvx`; skipped
if it is not installed). Ours parses, edits, proves that nothing else changed, and saves with
backup, fsync and rename.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_store import EnvStore

KEYS = {f"SETTING_{number}": f"value-{number}" for number in range(16)}


def content(lines: int) -> bytes:
    """Return a file with this many lines, and the keys to set spread over it."""
    text = [f"# comment {number}\nOTHER_{number}='some value'" for number in range(lines // 2)]
    for number, name in enumerate(KEYS):
        text[number * len(text) // len(KEYS)] = f"# about {name}\n{name}=before"
    return ("\n".join(text) + "\n").encode()


def ours(file: Path) -> None:
    store = EnvStore(file, file.parent / "state")
    before = store.read()
    after, _ = EnvFile.from_bytes(before or b"").edited(KEYS)
    store.save(before, after.to_bytes())


def python_dotenv(file: Path) -> None:
    """Set each key with its own call, the only way in python-dotenv."""
    from dotenv import set_key

    for name, value in KEYS.items():
        set_key(file, name, value)


def dotenvx(program: str, file: Path) -> None:
    for name, value in KEYS.items():
        subprocess.run(
            [program, "set", name, value, "--plain", "-f", file], check=True, capture_output=True
        )


def seconds(edit: Callable[[Path], None], data: bytes, rounds: int) -> float:
    """Return the median time of this many edits of a fresh file."""
    taken = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / ".env"
            file.write_bytes(data)
            start = time.perf_counter()
            edit(file)
            taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dotenvx", default=shutil.which("dotenvx"), help="path of the program")
    options = parser.parse_args()
    rounds: int = options.rounds
    rivals: dict[str, Callable[[Path], None]] = {"16 x set_key of python-dotenv": python_dotenv}
    if options.dotenvx:
        rivals["16 x dotenvx set"] = partial(dotenvx, options.dotenvx)
    for lines in (300, 100_000):
        data = content(lines)
        base = seconds(ours, data, rounds)
        print(f"{lines:,} lines, 16 keys")
        print(f"  {'librechat-auth0':<32} {base * 1000:9.1f} ms")
        for name, edit in rivals.items():
            taken = seconds(edit, data, rounds if lines < 1000 else 1)
            print(f"  {name:<32} {taken * 1000:9.1f} ms  {taken / base:8.1f} x ours")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process: {peak:.0f} MB")


if __name__ == "__main__":
    main()
