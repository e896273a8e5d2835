"""docs/variables.md: the variables of LibreChat that the wizard knows, from their table."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from wizard.librechat.setup import (
    GUARDING_CREDENTIALS,
    NEEDED_BY_A_NEW_FILE,
    SUGGESTED,
    wanted_values,
)
from wizard.librechat.variables import VARIABLES, Section, Variable
from wizard.settings import Settings

_HEAD = """# The variables

The variables of LibreChat's `.env` that the wizard writes or judges. *Written* says when it writes
one: `always`; in a `new file` only, where the line is missing or has a published secret; as a
`comment` that shows how; in `our template`, for a checkout without an `.env.example`. In a file
that is yours, lines of the last three kinds are never changed, and of the first a good session
secret and your own button label stay. Where the default is empty, LibreChat has none.

Facts are those of LibreChat v0.8.8-rc4; *source* is the file of LibreChat's that reads it.

This file is generated: `python -m tools.documents`.
"""
_COLUMNS = "| variable | meaning | format | default | written | since | source |"


def markdown() -> str:
    """The table as Markdown, by the sections of the file."""
    parts = [_HEAD]
    ordered = sorted(VARIABLES.values(), key=lambda variable: list(Section).index(variable.section))
    for section, variables in groupby(ordered, key=lambda variable: variable.section):
        rows = [_row(variable) for variable in variables]
        parts += [f"## {section.value}\n", "\n".join([_COLUMNS, "| --- " * 7 + "|", *rows]) + "\n"]
    return "\n".join(parts)


def _row(variable: Variable) -> str:
    secret = "; secret" if variable.secret else ""
    cells = (
        f"`{variable.name}`",
        variable.meaning,
        f"{variable.format.value}{secret}",
        f"`{variable.default}`" if variable.default else "",
        _written(variable.name),
        variable.since,
        f"`{variable.source}`",
    )
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def _written(name: str) -> str:
    """When the wizard writes it, asked of the code that does."""
    public = Settings("dev.us.auth0.com", "id", "secret", ("https://api",), "https://chat.example")
    if name in wanted_values(public, {}, lambda _: ""):
        return "always"
    if name in wanted_values(
        replace(public, public_url="https://localhost:3443"), {}, lambda _: ""
    ):
        return "for an HTTPS localhost"
    if name in {*NEEDED_BY_A_NEW_FILE, *GUARDING_CREDENTIALS, "ADMIN_PANEL_SESSION_SECRET"}:
        return "new file"
    return "comment" if name in SUGGESTED else "our template"
