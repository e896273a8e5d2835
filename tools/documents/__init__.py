"""The pages of docs/ that are generated from code: `python -m tools.documents`."""

from __future__ import annotations

from collections.abc import Mapping


def pages() -> Mapping[str, str]:
    """Return every generated page by its name in docs/."""
    from tools.documents import command_line, sources

    commands = command_line.commands()
    return {
        "cli.md": command_line.markdown(commands),
        "librechat-auth0.1": command_line.manual(commands),
        "sources.md": sources.markdown(),
    }
