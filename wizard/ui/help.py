"""The help of the command line: grouped options and examples, in the user's language."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.exceptions import TyperException

from wizard.defaults import ENGLISH
from wizard.language import Language, Message

if TYPE_CHECKING:
    from typing import Any

PROGRAM = "librechat-auth0"
COMMANDS = Message("Commands")
OPTIONS = Message("Options")
EXAMPLES = Message("Examples")
# Help of options that Typer adds.
OF_TYPER = (
    Message("Show this message and exit."),
    Message("Install completion for the current shell."),
    Message("Show completion for the current shell, to copy it or customize the installation."),
)


class Entry(NamedTuple):
    """An option or an argument: `names` as typed, its environment variable or "", its panel."""

    names: str
    help: str
    variable: str = ""
    panel: str = OPTIONS

    def said(self, language: Language) -> tuple[str, str]:
        """Return the two columns of the help."""
        variable = f"  [{self.variable}]" if self.variable else ""
        return self.names, language.say(self.help) + variable


class _Help:
    """The parts of the help; the language is that of the context's object."""

    help: str | None

    def entries(self, context: "Any") -> Iterator[Entry]:
        """Return the options and arguments."""
        for parameter in self.get_params(context):  # type: ignore[attr-defined]
            panel = getattr(parameter, "rich_help_panel", None) or OPTIONS
            if isinstance(parameter, TyperArgument):
                yield Entry((parameter.name or "").upper(), parameter.help or "", panel=panel)
                continue
            names = ", ".join(sorted(parameter.opts, key=len))
            names += "".join(f" / {each}" for each in parameter.secondary_opts)
            names += "" if parameter.is_flag else f" {parameter.metavar or 'TEXT'}"
            variable = parameter.envvar if isinstance(parameter, TyperOption) else None
            yield Entry(names, parameter.help or "", str(variable or ""), panel)

    def parse_args(self, context: "Any", args: list[str]) -> list[str]:
        try:
            rest: list[str] = super().parse_args(context, args)  # type: ignore[misc]
        except TyperException as error:
            error.ctx = getattr(error, "ctx", None) or context  # type: ignore[attr-defined]
            raise
        return rest

    def format_usage(self, context: "Any", formatter: "Any") -> None:
        pieces = " ".join(self.collect_usage_pieces(context))  # type: ignore[attr-defined]
        usage = _language(context).say("Usage:")
        formatter.write_usage(context.command_path, pieces, f"{usage} ")

    def format_help_text(self, context: "Any", formatter: "Any") -> None:
        formatter.write_paragraph()
        with formatter.indentation():
            text = self.help or ""
            formatter.write_text(_language(context).say(text))

    def format_options(self, context: "Any", formatter: "Any") -> None:
        language = _language(context)
        panels: dict[str, list[tuple[str, str]]] = {}
        if isinstance(self, Group):
            for name in self.list_commands(context):
                text = language.say(self.commands.help_of(name))
                panels.setdefault(COMMANDS, []).append((name, text))
        for entry in self.entries(context):
            panels.setdefault(entry.panel, []).append(entry.said(language))
        for title, rows in panels.items():
            with formatter.section(language.say(title)):
                formatter.write_dl(rows)

    def format_epilog(self, context: "Any", formatter: "Any") -> None:
        from wizard.ui.examples import EXAMPLES_OF

        language = _language(context)
        name = context.command_path.partition(" ")[2]
        with formatter.section(language.say(EXAMPLES)):
            for line, meaning in EXAMPLES_OF[name]:
                formatter.write(f"  # {language.say(meaning)}\n  {line}\n")


class Command(_Help, TyperCommand):
    """A command."""


class Commands(Mapping[str, "Command | Group"]):
    """The commands of a group, each built when it is used: Typer takes long to read its options."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Callable[[], Command | Group]]] = {}

    def add(
        self, name: str, described: Callable[..., object], build: "Callable[[], Command | Group]"
    ) -> None:
        """Add a command; the docstring of the `described` function is its help."""
        self._known[name] = described.__doc__ or "", build

    def help_of(self, name: str) -> str:
        """Return the help of the command in one line."""
        return self._known[name][0]

    def __getitem__(self, name: str) -> "Command | Group":
        return self._known[name][1]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class Group(_Help, TyperGroup):
    """A command with commands, in the order of their examples: that of use."""

    commands: Commands  # type: ignore[assignment]

    def list_commands(self, context: "Any") -> list[str]:
        from wizard.ui.examples import EXAMPLES_OF

        order = [*EXAMPLES_OF, *self.commands]
        return sorted(super().list_commands(context), key=order.index)


def _language(context: "Any") -> Language:
    found = (context.find_root().obj or {}).get("language")
    return found if isinstance(found, Language) else Language(ENGLISH)
