"""Where the facts of the rules come from, and how they were checked: the table of docs/rules.md."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from wizard.resources import resource
from wizard.rules import PAGE

_ORIGIN = re.compile(
    r"^\| ([^|`\n]+) \| ((?:`[^`|\n]+` ?)+) \| ([^|\n]+) \| (\d{4}-\d\d) \| (run|read) \|$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where facts come from, and how they were checked; `marks` are in the sources of its rules."""

    name: str
    marks: tuple[str, ...]
    version: str
    checked: str
    was_run: bool


def origins() -> tuple[Origin, ...]:
    """Return the origins of the page."""
    return tuple(
        Origin(row[0], tuple(re.findall(r"`([^`]+)`", row[1])), row[2], row[3], row[4] == "run")
        for row in _ORIGIN.findall(resource(PAGE))
    )


def origin_of(source: str) -> Origin | None:
    """Return the origin of a rule's source, None without one."""
    found = next(
        (each for each in origins() if any(mark in source for mark in each.marks)),
        None,
    )
    return replace(found, was_run=True) if found and "seen in" in source else found
