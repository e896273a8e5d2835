"""`init --format`: the proved values in another form, instead of in the `.env`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wizard.commands.change import EnvChange
from wizard.commands.values import INVALID_VALUE
from wizard.language import Message
from wizard.librechat.access import readers
from wizard.librechat.env_store import UNWRITABLE
from wizard.librechat.formats import FORMATS, sign_in_variables
from wizard.librechat.variables import is_secret
from wizard.os_errors import refusal
from wizard.ports import Ports
from wizard.private_files import write_whole
from wizard.reading import expanded
from wizard.text import MASK

STANDARD_OUTPUT = "-"


@dataclass(frozen=True, slots=True)
class Output:
    """Where the values go: a form, and a file of mode 0600; `-` is standard output."""

    format: str
    target: str = ""
    replaces: bool = False

    def path(self, folder: Path, cwd: Path) -> Path:
        """Return the file, by default one of the form's name in LibreChat's folder."""
        if self.target:
            return cwd / expanded(self.target)
        return folder / FORMATS[self.format].file

    @property
    def is_stdout(self) -> bool:
        return self.target == STANDARD_OUTPUT


def write_output(
    output: Output, change: EnvChange, service: str, ports: Ports, *, dry_run: bool
) -> Sequence[str]:
    """Write the sign-in's values; return their names, none if nothing was written."""
    form, console = FORMATS[output.format], ports.console
    path = output.path(change.store.path.parent, ports.cwd)
    values = sign_in_variables(change.after)
    shown = {name: MASK if is_secret(name) else each for name, each in values.items()}
    text = form.render(values, service)
    if output.is_stdout and not dry_run:
        for line in text.splitlines():
            console.text(line)
        return [*values]
    console.verbatim(
        Message("Contents of {file}:", file=path), form.render(shown, service).splitlines()
    )
    if dry_run:
        console.done("Dry run: nothing was written.")
        return []
    if path.exists() and not _may_replace(path, output, ports):
        console.say("Nothing was written.")
        return []
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise UNWRITABLE.failure(refusal(error, path)) from error
    console.done(readers(path).filled(file=path))
    console.hint(form.use.filled(file=path))
    return [*values]


def _may_replace(path: Path, output: Output, ports: Ports) -> bool:
    if output.replaces:
        return True
    if ports.prompter is not None:
        return ports.prompter.confirm(Message("Replace {file}?", file=path), default=False)
    raise INVALID_VALUE.failure(
        "--output: {file} already exists.",
        file=path,
        fix=Message("Add --force to replace it, or choose another file with --output."),
    )
