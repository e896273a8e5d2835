"""The command line's help in another language than English; Typer's usage errors stay English."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from wizard.language import Language, Message

if TYPE_CHECKING:
    from typing import Any

# Typer's own words, as its formatter gets them.
_HEADINGS = (
    Message("Options"),
    Message("Commands"),
    Message("Arguments"),
    Message("Show this message and exit."),
)
_EXTRAS = (Message("env var"), Message("default"))


def translate(command: object, language: Language) -> None:
    """Have the command, and those under it, show their help in that language."""
    if not isinstance(command, TyperCommand | TyperGroup):
        return
    command.context_class = _context_class(language)
    if command.help:
        command.help = language.say(command.help)
    if command.epilog:
        command.epilog = language.say(command.epilog)
    for parameter in command.params:
        if isinstance(parameter, TyperOption | TyperArgument) and parameter.help:
            parameter.help = language.say(parameter.help)
    for each in command.commands.values() if isinstance(command, TyperGroup) else ():
        translate(each, language)


def _context_class(language: Language) -> type[typer.Context]:
    base: Any = typer.Context.formatter_class

    class Formatter(base):  # type: ignore[misc]
        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            super().write_usage(prog, args, prefix or language.say("Usage:") + " ")

        def write_heading(self, heading: str) -> None:
            super().write_heading(language.say(heading))

        def write_dl(self, rows: Sequence[tuple[str, str]], *args: int, **options: int) -> None:
            said = [(names, _said(text, language)) for names, text in rows]
            super().write_dl(said, *args, **options)

    class Context(typer.Context):
        formatter_class = Formatter

    return Context


def _said(text: str, language: Language) -> str:
    """A help text, and what Typer puts behind it, such as the environment variable."""
    text = language.say(text)
    for extra in _EXTRAS:
        text = text.replace(f"[{extra}: ", f"[{language.say(extra)}: ")
    return text
