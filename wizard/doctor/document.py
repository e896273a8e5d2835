"""Writes docs/rules.md from the table of rules: `python -m wizard.doctor.document`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from wizard.findings import Rule
from wizard.rules import all_rules, area

PATH = Path("docs/rules.md")
_HEAD = """# The rules

What librechat-auth0 can find wrong, and how to mend it. `librechat-auth0 explain LA101` shows the
same in the terminal. A comment in the `.env` silences a rule: `# librechat-auth0: ignore LA101`.

This file is generated: `python -m wizard.doctor.document`.
"""


def document(rules: Mapping[str, Rule]) -> str:
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
    ]
    lines += ["", f"**Next:** {rule.fix}"]
    if rule.source:
        lines += ["", f"Source: {rule.source}"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main() -> None:
    """Write the file that is named, or docs/rules.md."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PATH
    path.write_text(document(all_rules()), "utf-8")


if __name__ == "__main__":
    main()
