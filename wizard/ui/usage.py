"""Help and usage errors in another language than Typer's.

Typer translates a few of its words by gettext and none of its errors; English users never need
this module.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer.main
from typer import _click as click
from typer.core import TyperGroup

from wizard.language import Language, Message

# As Typer says them (typer/_click/parser.py, core.py and exceptions.py); longer ones first.
ERRORS = (
    Message("No such option: {option} (Possible options: {options})"),
    Message("No such option: {option}"),
    Message("No such command {command}."),
    Message("Missing command."),
    Message("Option {option} requires an argument."),
    Message("Option {option} does not take a value."),
    Message("Got unexpected extra argument(s) ({arguments})"),
    Message("Invalid value for {option} (env var: {name}): {reason}"),
    Message("Invalid value for {option}: {reason}"),
    Message("{value} is none of {values}"),
    Message("{value} is not a valid {kind}."),
    Message("{value} is not in the range {range}."),
)
KINDS = (Message("float range"),)
HEADINGS = (
    Message("Options"),
    Message("Commands"),
    Message("Arguments"),
    Message("Show this message and exit."),
)
_EXTRAS = (Message("[env var: {name}]"), Message("[default: {value}]"))


def run(app: typer.Typer, language: Language) -> NoReturn:
    """Run the command line with its help and errors in that language, and leave the process."""
    command = typer.main.get_command(app)
    _translate(command, language, _context_class(language))
    try:
        sys.exit(
            command.main(prog_name=app.info.name, standalone_mode=False, obj={"language": language})
        )
    except click.exceptions.UsageError as error:
        _show(error, language)
        sys.exit(error.exit_code)


def _translate(
    command: click.Command, language: Language, context_class: type[click.Context]
) -> None:
    command.context_class = context_class
    command.help = language.say(command.help or "")
    command.epilog = language.say(command.epilog or "")
    for parameter in command.params:
        if text := getattr(parameter, "help", None):
            parameter.help = language.say(text)  # type: ignore[attr-defined]
    if isinstance(command, TyperGroup):
        for each in command.commands.values():
            _translate(each, language, context_class)


def _context_class(language: Language) -> type[click.Context]:
    class Formatter(click.HelpFormatter):
        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            super().write_usage(prog, args, prefix or language.say("Usage:") + " ")

        def write_heading(self, heading: str) -> None:
            super().write_heading(language.say(heading))

        def write_dl(
            self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
        ) -> None:
            said = [(names, _with_extras(language.say(text), language)) for names, text in rows]
            super().write_dl(said, col_max, col_spacing)

    class Context(click.Context):
        formatter_class = Formatter

    return Context


def _with_extras(text: str, language: Language) -> str:
    """The help with what Typer puts behind it, such as the environment variable, translated."""
    for extra in _EXTRAS:
        if found := _pattern(extra).search(text):
            said = language.say(extra.filled(**found.groupdict()))
            text = text[: found.start()] + said + text[found.end() :]
    return text


def _show(error: click.exceptions.UsageError, language: Language) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    if context := error.ctx:
        help_option = f"{context.command_path} {context.help_option_names[0]}"
        typer.echo(context.get_usage(), err=True)
        typer.echo(language.say(Message("Try '{help}' for help.", help=help_option)), err=True)
        typer.echo(err=True)
    said = Message("Error: {reason}", reason=reason(error.format_message()))
    typer.echo(language.say(said), err=True)


def reason(text: str, *, is_nested: bool = False) -> Message:
    """What Typer says of a wrong call, as a message; as it came where the table lacks it."""

    def part(name: str, said: str) -> str:
        """What stands in a field: in most of them the user's own words, whatever they are."""
        if name == "kind":
            return Message(said)
        return reason(said, is_nested=True) if name == "reason" and not is_nested else said

    for known in ERRORS:
        if found := _pattern(known).fullmatch(text):
            return known.filled(
                **{name: part(name, said) for name, said in found.groupdict().items()}
            )
    return Message(text)


def _pattern(message: Message) -> re.Pattern[str]:
    """Finds the message in a text, its values by name."""
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^]]+?)", re.escape(message.template)))
