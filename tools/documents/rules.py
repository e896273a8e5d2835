"""docs/rules.md: every rule, from the table of rules."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from wizard.findings import Rule
from wizard.rules import area

_HEAD = """# The rules

What librechat-auth0 can find wrong, and how to mend it. `librechat-auth0 explain LA101` shows the
same in the terminal. A comment in the `.env` silences a rule: `# librechat-auth0: ignore LA101`.

This file is generated: `python -m tools.documents`.
"""


def markdown(rules: Mapping[str, Rule]) -> str:
    """The rules as Markdown."""
    parts = [_HEAD]
    for heading, group in groupby(rules.values(), key=area):
        parts.append(f"## {heading}\n")
        parts += [_section(rule) for rule in group]
    return "\n".join(parts)


def _section(rule: Rule) -> str:
    lines = [
        f"### {rule.id}: {rule.title}",
        "",
        f"*{rule.severity.value.capitalize()}.* {rule.why}",
        "",
        f"**Next:** {rule.fix}",
    ]
    if rule.source:
        lines += ["", f"Source: {rule.source}"]
    return "\n".join(line.rstrip() for line in lines) + "\n"
