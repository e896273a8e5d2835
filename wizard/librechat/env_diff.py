"""Diffs two texts of an `.env`; a mask hides values, never that a line is removed."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from wizard.librechat.env_file import Change, EnvFile, How
from wizard.librechat.secrets import secrets_in
from wizard.librechat.variables import is_secret
from wizard.text import MASK

REMOVED, ADDED = "-", "+"
_MOST_COMPARED_EXACTLY = 5_000

_LINE_BREAK = r"\r\n|\r|\n"
_ASSIGNED = r"[\s#\ufeff]*(?:export\s+)?(?P<name>[A-Za-z0-9_.-]+)\s*[=:]"
# Inside a secret, where the last line of a base64 key may end with = as well.
_ASSIGNED_INSIDE = r"\s*(?:export\s+)?[A-Z][A-Z0-9_]*=(?=[ \t]*['\"`]?[^\s'\"`=])"


class DiffLine(NamedTuple):
    """A removed line, numbered as in the old file, or an added one, numbered as in the new."""

    sign: str
    number: int
    text: str

    def __repr__(self) -> str:  # the text may have a secret
        return f"DiffLine({self.sign!r}, {self.number})"

    @property
    def is_removed(self) -> bool:
        """Whether the old file has it."""
        return self.sign == REMOVED

    @property
    def name(self) -> str:
        """The variable that it sets, "" for none."""
        found = re.match(_ASSIGNED, self.text)
        return found["name"] if found else ""


def diff(
    before: EnvFile, after: EnvFile, changes: Iterable[Change] | None = None
) -> tuple[DiffLine, ...]:
    """Return the differing lines in order, line breaks ignored; without changes, guess them."""
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
    """Return `diff` with every secret masked; `NAME=` of an assignment stays visible."""
    secrets = secrets_in(before, after)
    parts = {REMOVED: _secret_lines(before), ADDED: _secret_lines(after)}
    return tuple(
        line._replace(text=secrets.hidden_in(_masked(line.text, parts[line.sign].get(line.number))))
        for line in diff(before, after, changes)
    )


def _lines(text: str) -> list[str]:
    lines = re.split(_LINE_BREAK, text)
    return lines if lines[-1] else lines[:-1]


def _touched(changes: Iterable[Change]) -> set[int]:
    replaced = (each for each in changes if each.how in {How.CHANGED, How.UNCOMMENTED})
    return {line for each in replaced for line in range(each.line, each.last_line + 1)}


def _differing(old: Sequence[str], new: Sequence[str]) -> set[int]:
    """Return the old lines that the new text has not."""
    from difflib import SequenceMatcher

    # Without its heuristic, many equal lines (such as empty ones) take quadratic time.
    guesses = len(old) + len(new) > _MOST_COMPARED_EXACTLY
    blocks = SequenceMatcher(None, old, new, guesses).get_matching_blocks()
    kept = {line for block in blocks for line in range(block.a + 1, block.a + block.size + 1)}
    return {*range(1, len(old) + 1)} - kept


def _beside_each_other(removed: list[DiffLine], added: list[DiffLine]) -> list[DiffLine]:
    """Put each line before its replacement, if every line has one of the same name."""
    pairs = list(zip(removed, added, strict=False))
    if len(pairs) < len(removed) or any(old.name != new.name for old, new in pairs):
        return [*removed, *added]
    return [*chain.from_iterable(pairs), *added[len(removed) :]]


def _secret_lines(file: EnvFile) -> dict[int, bool]:
    """Return the lines with a part of a secret, and whether it began on an earlier line."""
    found: dict[int, bool] = {}
    for each in file.assignments:
        if is_secret(each.name):
            first, last = file.line_of(each.start), file.line_of(each.end)
            found.setdefault(first, False)
            found |= dict.fromkeys(range(first + 1, last + 1), True)
    return found


def _masked(line: str, continues_a_secret: bool | None) -> str:
    """Mask the secret of a line; `continues_a_secret` is None where the grammar sees none."""
    head = re.match(_ASSIGNED_INSIDE, line) if continues_a_secret else re.match(_ASSIGNED, line)
    is_shown = continues_a_secret is None and not (head and is_secret(head["name"]))
    shown = head[0] if head else ""
    return line if is_shown or not line[len(shown) :].strip() else f"{shown}{MASK}"
