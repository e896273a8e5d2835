"""docs/sources.md: every fact with its source and the version it was checked against."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.findings import Rule
from wizard.librechat.variables import CHECKED_AGAINST, OTHERS, VARIABLES, first_version
from wizard.rules import Origin, all_rules, origin_of, origins

_HEAD = """# Sources

Facts about other programs have a shelf life. This page lists the rules and variables of
librechat-auth0 by where their facts come from: the version and the month in which they were
checked, and whether a real program was run or its code and documentation only read.

After a release of one of them, check its part again; for LibreChat, `python -m tools.librechat`
does most of it ([contributing](../CONTRIBUTING.md#a-new-variable-of-librechat)). The versions are
in [rules.md](rules.md) and [variables.md](variables.md).

This file is generated: `python -m tools.documents`.
"""


def markdown() -> str:
    """Return the page."""
    parts = [_HEAD]
    for origin in origins():
        rules = [each for each in all_rules().values() if _is_of(each, origin)]
        parts.append(f"## {origin.name}\n")
        parts.append(f"{origin.version}, checked in {origin.checked}.\n")
        parts.append(_table(("rule", "title", "how", "source"), map(_row, rules)))
    parts.append("## LibreChat's variables\n")
    parts.append(f"Checked against v{CHECKED_AGAINST}.\n")
    rows = ((f"`{name}`", first_version(name) or "always") for name in (*VARIABLES, *OTHERS))
    parts.append(_table(("variable", "since"), sorted(rows)))
    return "\n".join(parts)


def _is_of(rule: Rule, origin: Origin) -> bool:
    found = origin_of(rule.source)
    return found is not None and found.name == origin.name


def _row(rule: Rule) -> tuple[str, ...]:
    origin = origin_of(rule.source)
    how = "run" if origin and origin.was_run else "read"
    return rule.id, rule.title, how, rule.source


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
