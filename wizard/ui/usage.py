"""What is wrong with a command line, in the user's language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wizard.language import Language, Message
from wizard.text import closest, printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from typer.exceptions import TyperException

# Typer's messages of typer/_click/parser.py and core.py, and ours.
_MESSAGES = (
    (r"No such option: (\S+)", Message("There is no option {word}.")),
    (r"No such command '(.+?)'", Message("There is no command {word}.")),
    (r"Option '(.+?)' requires", Message("{word} needs a value.")),
    (r"Option '(.+?)' does not take", Message("{word} takes no value.")),
    (r"Got unexpected extra argument.*? \((.*)\)", Message("Unexpected: {word}.")),
)


def usage_error(error: TyperException, language: Language) -> str:
    """Return what is wrong, what was probably meant, and where the help is."""
    context: Any = getattr(error, "ctx", None)
    reason, word = _reason(error)
    meant = _meant(word, context.command) if context else ""
    hint = Message("Did you mean {word}?", word=meant) if meant else ""
    step = f"{context.command_path if context else 'librechat-auth0'} --help"
    first = " ".join(language.say(part) for part in ("Error:", reason, hint) if part)
    following = language.say(Message("Next: {step}", step=step))
    return f"{printable(first)}\n  {following}\n"


def _reason(error: TyperException) -> tuple[str, str]:
    """Return the reason, and the word that is wrong, "" if it has a value that is."""
    parameter = getattr(error, "param", None)
    if parameter is not None:
        return Message("{name}: {reason}", name=parameter.opts[0], reason=error.message), ""
    for pattern, message in _MESSAGES:
        if found := re.match(pattern, error.message):
            return message.filled(word=found[1]), found[1]
    return error.format_message(), ""


def _meant(word: str, command: Any) -> str:
    """Return the option or the command that is similar to the word, "" if none is."""
    if not word.startswith("-"):
        commands = getattr(command, "commands", {})
        return _option_named(word, {"": command, **commands}) or closest(word, commands)
    names = {name.lstrip("-"): name for each in command.params for name in each.opts}
    found = names.get(closest(word.lstrip("-"), names), "")
    return found if found != word else ""


def _option_named(word: str, commands: Mapping[str, Any]) -> str:
    """Return the first command with the option of that name, and the option; "" if none has it."""
    for name, command in commands.items():
        if any(f"--{word}" in each.opts for each in command.params):
            return f"{name} --{word}".lstrip()
    return ""
