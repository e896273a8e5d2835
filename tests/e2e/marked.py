"""Find the processes that our program leaves behind by a mark in their environment."""

from __future__ import annotations

from pathlib import Path

MARK = "E2E_TEST_MARK"


def marked(mark: str) -> dict[int, str]:
    """Return the processes with the mark, and their command lines."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if command:  # a zombie has no command line
                    found[int(folder.name)] = command
        except OSError:
            continue
    return found


def pid_of(mark: str, *words: str) -> int:
    """Return the only marked process whose command line has all words, except supervisors."""
    (pid,) = (
        pid
        for pid, line in marked(mark).items()
        if all(word in line for word in words) and "wizard.system.supervisor" not in line
    )
    return pid
