"""Shows changes; those that do not fit the screen as a summary, and in pages to those who ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

from wizard.language import Message, joined
from wizard.librechat.env_diff import DiffLine
from wizard.librechat.variables import VARIABLES, Section
from wizard.ports import Ports
from wizard.ui.screen import Line, diff_line, hint_line

CHANGES_TO = Message("Changes to {file}:")
_GROUPS = {
    Section.SERVER: Message("Server"),
    Section.LOGIN: Message("Registration and login"),
    Section.OPENID: Message("Sign-in with Auth0"),
    Section.CREDENTIALS: Message("Credentials"),
    Section.SEARCH: Message("Search"),
    None: Message("Other"),
}

Pages = Sequence[Sequence[Line]]


def show_diff(file: Path, lines: Sequence[DiffLine], ports: Ports, *, whole: bool = False) -> Pages:
    """Print the diff of an `.env`, or its variables; see `show_changes`."""
    heading = Line(CHANGES_TO.filled(file=file))
    summary = [
        hint_line(Message("{group}: {names}", group=_GROUPS[group], names=joined(", ", names)))
        for group, names in _by_group(lines).items()
    ]
    shown = [diff_line(line) for line in lines]
    return show_changes([heading, *shown], [heading, *summary], ports, whole=whole)


def show_changes(
    lines: Sequence[Line], summary: Sequence[Line], ports: Ports, *, whole: bool = False
) -> Pages:
    """Print the lines, or where they do not fit the screen of a user who is asked, the summary.

    Returns the pages that were not shown. `whole` never summarizes.
    """
    pages = ports.console.pages(lines)
    if whole or ports.prompter is None or len(pages) < 2:
        ports.console.show(lines)
        return ()
    ports.console.show(summary)
    return pages


def turning(pages: Pages, ports: Ports) -> Callable[[], None] | None:
    """Return what prints the next page, after the last one the first; None without pages."""
    if not pages:
        return None
    turned = cycle(pages)
    return lambda: ports.console.show(next(turned))


def _by_group(lines: Sequence[DiffLine]) -> dict[Section | None, list[str]]:
    """Return the changed variables, each once, by their section."""
    groups: dict[Section | None, list[str]] = {}
    for name in dict.fromkeys(line.name for line in lines if line.name):
        known = VARIABLES.get(name)
        groups.setdefault(known.section if known else None, []).append(name)
    return groups
