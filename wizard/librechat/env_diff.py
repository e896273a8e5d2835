"""What differs between two texts of an `.env`: every line that goes and every line that comes.

A mask hides values, never that a line goes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from wizard.librechat.env_file import EnvFile
from wizard.librechat.secrets import secrets_in, without
from wizard.librechat.variables import is_secret
from wizard.text import MASK

REMOVED, ADDED = "-", "+"
_MOST_COMPARED_EXACTLY = 5_000

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_ASSIGNED = re.compile(r"[\s#\ufeff]*(?:export\s+)?(?P<name>[A-Za-z0-9_.-]+)\s*[=:]")
# Inside a secret, where the last line of a key in base64 ends with = as well.
_ASSIGNED_INSIDE = re.compile(r"\s*(?:export\s+)?[A-Z][A-Z0-9_]*=(?=[ \t]*['\"`]?[^\s'\"`=])")


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line that goes (`sign` REMOVED, numbered as in the file before) or comes (ADDED, after)."""

    sign: str
    number: int
    text: str


def diff(before: EnvFile, after: EnvFile) -> tuple[DiffLine, ...]:
    """The difference, in the order of the file; what ends a line is not compared."""
    from difflib import SequenceMatcher

    old, new = _lines(before.text), _lines(after.text)
    first = _common(old, new)
    last = _common(old[first:][::-1], new[first:][::-1])
    changed = old[first : len(old) - last], new[first : len(new) - last]
    # Without it many equal lines, such as empty ones, take time that grows with their square.
    guesses = sum(map(len, changed)) > _MOST_COMPARED_EXACTLY
    found: list[DiffLine] = []
    for tag, i, j, k, m in SequenceMatcher(None, *changed, guesses).get_opcodes():
        if tag == "equal":
            continue
        removed = _numbered(REMOVED, changed[0][i:j], first + i)
        added = _numbered(ADDED, changed[1][k:m], first + k)
        if len(removed) <= len(added):  # each beside what takes its place
            found += chain.from_iterable(zip(removed, added, strict=False))
            found += added[len(removed) :]
        else:
            found += [*removed, *added]
    return tuple(found)


def masked_diff(before: EnvFile, after: EnvFile) -> tuple[DiffLine, ...]:
    """`diff` with every secret hidden; of an assignment, `NAME=` is left to be seen."""
    secrets = secrets_in(before, after)
    parts = {REMOVED: _secret_lines(before), ADDED: _secret_lines(after)}
    return tuple(
        replace(line, text=without(secrets, _masked(line.text, parts[line.sign].get(line.number))))
        for line in diff(before, after)
    )


def _lines(text: str) -> list[str]:
    lines = _LINE_BREAK.split(text)
    return lines if lines[-1] else lines[:-1]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    shorter = min(len(one), len(other))
    return next((number for number, (left, right) in pairs if left != right), shorter)


def _numbered(sign: str, lines: Sequence[str], before: int) -> list[DiffLine]:
    return [DiffLine(sign, before + number, text) for number, text in enumerate(lines, 1)]


def _secret_lines(file: EnvFile) -> dict[int, bool]:
    """The lines that hold a part of a secret's value, and whether it began on an earlier one."""
    found: dict[int, bool] = {}
    for each in file.assignments:
        if is_secret(each.name):
            first, last = file.line_of(each.start), file.line_of(each.end)
            found.setdefault(first, False)
            found |= dict.fromkeys(range(first + 1, last + 1), True)
    return found


def _masked(line: str, continues_a_secret: bool | None) -> str:
    """The line without a secret's value; None where it holds nothing of one by the grammar."""
    head = _ASSIGNED_INSIDE.match(line) if continues_a_secret else _ASSIGNED.match(line)
    is_shown = continues_a_secret is None and not (head and is_secret(head["name"]))
    shown = head[0] if head else ""
    return line if is_shown or not line[len(shown) :].strip() else f"{shown}{MASK}"
