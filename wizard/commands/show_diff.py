"""Shows the diff of an `.env`; one that does not fit the screen by its variables, then in pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

from wizard.language import Message, joined
from wizard.librechat.env_diff import DiffLine
from wizard.librechat.variables import VARIABLES, Section
from wizard.ports import Ports

CHANGES_TO = Message("Changes to {file}:")
_GROUPS = {
    Section.SERVER: Message("Server"),
    Section.LOGIN: Message("Registration and login"),
    Section.OPENID: Message("Sign-in with Auth0"),
    Section.CREDENTIALS: Message("Credentials"),
    Section.SEARCH: Message("Search"),
    None: Message("Other"),
}

More = Callable[[], None]


def show_diff(
    file: Path, lines: Sequence[DiffLine], ports: Ports, *, whole: bool = False
) -> More | None:
    """Print the diff; return what prints its next page where a user sees a summary instead.

    `whole` never summarizes.
    """
    console = ports.console
    console.say(CHANGES_TO.filled(file=file))
    pages = console.pages(lines)
    if whole or ports.prompter is None or len(pages) < 2:
        console.diff(lines)
        return None
    for group, names in _by_group(lines).items():
        console.hint(Message("{group}: {names}", group=_GROUPS[group], names=joined(", ", names)))
    turned = cycle(pages)
    return lambda: console.diff(next(turned))


def _by_group(lines: Sequence[DiffLine]) -> dict[Section | None, list[str]]:
    """Return the changed variables, each once, by their section."""
    names = dict.fromkeys(line.name for line in lines if line.name)
    groups: dict[Section | None, list[str]] = {}
    for name in names:
        known = VARIABLES.get(name)
        groups.setdefault(known.section if known else None, []).append(name)
    return groups
