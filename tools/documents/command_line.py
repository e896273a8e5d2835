"""The command line as Markdown and as a manual page, generated from the Typer app."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wizard.findings import ExitCode
from wizard.ui.examples import EXAMPLES_OF
from wizard.ui.help import PROGRAM, Entry, Group
from wizard.ui.help import Command as HelpCommand

_HEAD = f"""# The command line

Every command and every option. Options come after the command. An option overrides its environment
variable.

Shell completion: `{PROGRAM} --install-completion` sets it up for the shell you are in,
`{PROGRAM} --show-completion` prints it. The manual page is
[librechat-auth0.1](librechat-auth0.1): `man docs/librechat-auth0.1`.

This file is generated: `python -m tools.documents`.
"""
# Variables without an option.
ENVIRONMENT = {
    "AUTH0_CLIENT_SECRET": "The Client Secret, for `init`; no option takes it.",
    "AUTH0_MANAGEMENT_TOKEN": "A Management API token, for `provision`, `init` and `tunnel`.",
    "AUTH0_MANAGEMENT_CLIENT_ID": "A machine-to-machine application, instead of a token.",
    "AUTH0_MANAGEMENT_CLIENT_SECRET": "Its secret.",
    "NGROK_AUTHTOKEN": "ngrok's token; by default that of its configuration file.",
    "CI": "No questions and no browser, unless it is empty, 0 or false.",
    "NO_COLOR": "No colours.",
    "SSL_CERT_FILE": "Certificate authorities to trust instead of the system's.",
    "HTTPS_PROXY": "A proxy for requests to other machines; `NO_PROXY` exempts hosts.",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command; `name` is the words to type, "" for the program itself."""

    name: str
    usage: str
    help: str
    entries: Sequence[Entry]

    @property
    def examples(self) -> Sequence[tuple[str, str]]:
        return EXAMPLES_OF[self.name]


def commands() -> tuple[Command, ...]:
    """Return the program and its commands, in the order of `--help`."""
    from wizard.cli import program

    return tuple(_walk(program(), ""))


def markdown(commands: Sequence[Command]) -> str:
    """Return docs/cli.md."""
    parts = [_HEAD]
    for command in commands:
        parts += [f"## {command.name or 'All commands'}\n"]
        parts += [f"```text\n{command.usage}\n```\n", f"{command.help}\n"]
        examples = "\n".join(f"{line}  # {meaning}" for line, meaning in command.examples)
        parts += [f"```sh\n{examples}\n```\n"]
        parts += [
            _table(
                ("option", "environment", "meaning"),
                (
                    (_cell(_code(each.names)), _code(each.variable), _cell(each.help))
                    for each in command.entries
                ),
            )
        ]
    parts += ["## Environment\n", "Beside those of the options:\n"]
    parts += [_table(("variable", "meaning"), ((_code(k), v) for k, v in ENVIRONMENT.items()))]
    parts += ["## Exit codes\n"]
    parts += [_table(("code", "meaning"), ((str(code.value), code.meaning) for code in ExitCode))]
    return "\n".join(parts)


def manual(commands: Sequence[Command]) -> str:
    """Return the manual page, in groff's `man` macros (man 7)."""
    first, *others = commands
    lines = [
        f'.TH {PROGRAM.upper()} 1 "" "{PROGRAM}" "User Commands"',
        *(".SH NAME", f"{_roff(PROGRAM)} \\- {_roff(first.help)}"),
        *(".SH SYNOPSIS", f".B {_roff(first.usage)}"),
        *(".SH OPTIONS", *_paragraphs(first.entries)),
        ".SH COMMANDS",
    ]
    for command in others:
        lines += [f".SS {_roff(command.name)}", f".B {_roff(command.usage)}", ".PP"]
        lines += [_roff(command.help), *_paragraphs(command.entries), ".PP", "Examples:"]
        lines += _paragraphs([Entry(line, f"{meaning}.") for line, meaning in command.examples])
    lines += [".SH ENVIRONMENT", "Beside those of the options:"]
    lines += _paragraphs([Entry(k, v.replace("`", "")) for k, v in ENVIRONMENT.items()])
    lines += [".SH EXIT STATUS"]
    lines += _paragraphs(
        [Entry(str(code.value), code.meaning.replace("`", "")) for code in ExitCode]
    )
    return "\n".join(lines) + "\n"


def _walk(command: object, name: str) -> Iterator[Command]:
    """Return the command and its subcommands."""
    import typer

    if not isinstance(command, HelpCommand | Group):
        raise TypeError(f"{command} has no help of ours")
    context = typer.Context(command)
    usage = " ".join(filter(None, (PROGRAM, name, *command.collect_usage_pieces(context))))
    yield Command(name, usage, command.help or "", list(command.entries(context)))
    if isinstance(command, Group):
        for word in command.list_commands(context):
            yield from _walk(command.commands[word], f"{name} {word}".lstrip())


def _table(heads: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines) + "\n"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _roff(text: str) -> str:
    """Escape groff's special characters."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def _paragraphs(entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        variable = f" Environment: {entry.variable}." if entry.variable else ""
        yield from (".TP", f".B {_roff(entry.names)}", _roff(entry.help + variable))
