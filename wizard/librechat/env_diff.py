"""What differs between two texts of an `.env`: every line that goes and every line that comes.

A mask hides values, never that a line goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from wizard.librechat.env_file import Change, EnvFile, How
from wizard.librechat.secrets import secrets_in
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
    text: str = field(repr=False)


def diff(
    before: EnvFile, after: EnvFile, changes: Iterable[Change] | None = None
) -> tuple[DiffLine, ...]:
    """The difference, in the order of the file; what ends a line is not compared.

    Args:
        before: the old text.
        after: the new one.
        changes: what `EnvFile.edited` did to the old one; without them, what was done is guessed.
    """
    old, new = _lines(before.text), _lines(after.text)
    touched = _touched(changes) if changes is not None else _differing(old, new)
    found: list[DiffLine] = []
    removed: list[DiffLine] = []
    position = 0
    for number, line in enumerate([*old, None], 1):
        if number in touched and line is not None:
            removed.append(DiffLine(REMOVED, number, line))
            continue
        kept = new.index(line, position) if line is not None else len(new)
        added = [DiffLine(ADDED, each + 1, new[each]) for each in range(position, kept)]
        found += _beside_each_other(removed, added)
        removed, position = [], kept + 1
    return tuple(found)


def masked_diff(
    before: EnvFile, after: EnvFile, changes: Iterable[Change] | None = None
) -> tuple[DiffLine, ...]:
    """`diff` with every secret hidden; of an assignment, `NAME=` is left to be seen."""
    secrets = secrets_in(before, after)
    parts = {REMOVED: _secret_lines(before), ADDED: _secret_lines(after)}
    return tuple(
        replace(line, text=secrets.hidden_in(_masked(line.text, parts[line.sign].get(line.number))))
        for line in diff(before, after, changes)
    )


def _lines(text: str) -> list[str]:
    lines = _LINE_BREAK.split(text)
    return lines if lines[-1] else lines[:-1]


def _touched(changes: Iterable[Change]) -> set[int]:
    replaced = (each for each in changes if each.how in {How.CHANGED, How.UNCOMMENTED})
    return {line for each in replaced for line in range(each.line, each.last_line + 1)}


def _differing(old: Sequence[str], new: Sequence[str]) -> set[int]:
    """The old lines to remove, if the new text is to be had by adding lines to the others."""
    from difflib import SequenceMatcher

    # Without a guess many equal lines, such as empty ones, take time that grows with their square.
    guesses = len(old) + len(new) > _MOST_COMPARED_EXACTLY
    blocks = SequenceMatcher(None, old, new, guesses).get_matching_blocks()
    kept = {line for block in blocks for line in range(block.a + 1, block.a + block.size + 1)}
    return {*range(1, len(old) + 1)} - kept


def _beside_each_other(removed: list[DiffLine], added: list[DiffLine]) -> list[DiffLine]:
    """Each line before the one that takes its place, where every one has another of its name."""
    pairs = list(zip(removed, added, strict=False))
    if len(pairs) < len(removed) or any(_name(old) != _name(new) for old, new in pairs):
        return [*removed, *added]
    return [*chain.from_iterable(pairs), *added[len(removed) :]]


def _name(line: DiffLine) -> str:
    found = _ASSIGNED.match(line.text)
    return found["name"] if found else ""


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
