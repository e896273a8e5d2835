"""`init --format`: the proved values in another form, instead of in the `.env`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wizard.language import Message
from wizard.librechat.env_store import UNWRITABLE
from wizard.librechat.formats import FORMATS, sign_in_variables
from wizard.librechat.permissions import readers
from wizard.librechat.variables import is_secret
from wizard.ports import Ports
from wizard.steps.change import EnvChange
from wizard.steps.options import InitOptions
from wizard.steps.values import INVALID_VALUE
from wizard.system.os_errors import refusal
from wizard.system.platforms import command_line
from wizard.system.private_files import write_whole
from wizard.system.reading import expanded
from wizard.text import MASK

STANDARD_OUTPUT = "-"


def write_output(
    options: InitOptions, change: EnvChange, service: str, ports: Ports
) -> tuple[Path, Sequence[str]]:
    """Write the sign-in's values to a file of mode 0600, or to standard output for `-`.

    Returns the file, by default one of the form's name in LibreChat's folder, and the names of the
    values, none if nothing was written.
    """
    form, console = FORMATS[options.format], ports.console
    path = change.store.path.parent / form.file
    if options.output:
        path = ports.cwd / expanded(options.output)
    values = sign_in_variables(change.after)
    shown = {name: MASK if is_secret(name) else each for name, each in values.items()}
    text = form.render(values, service)
    if options.output == STANDARD_OUTPUT and not options.dry_run:
        for line in text.splitlines():
            console.text(line)
        return path, [*values]
    console.verbatim(
        Message("Contents of {file}:", file=path), form.render(shown, service).splitlines()
    )
    if options.dry_run:
        console.done("Dry run: nothing was written.")
        return path, []
    if path.exists() and not _may_replace(path, options, ports):
        console.say("Nothing was written.")
        return path, []
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise UNWRITABLE.failure(refusal(error, path)) from error
    console.done(readers(path).filled(file=path))
    console.hint(form.use.filled(file=command_line([str(path)])))
    return path, [*values]


def _may_replace(path: Path, options: InitOptions, ports: Ports) -> bool:
    if options.force:
        return True
    if ports.prompter is not None:
        return ports.prompter.confirm(Message("Replace {file}?", file=path), default=False)
    raise INVALID_VALUE.failure(
        "--output: {file} already exists.",
        file=path,
        fix=Message("Add --force to replace it, or choose another file with --output."),
    )
