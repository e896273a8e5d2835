"""Every rule of the project by its identifier: `explain` and the documentation read it.

A rule is found because its module has it in `RULES`. The modules are imported when the registry
is asked for, never at the command's start.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import walk_packages
from types import MappingProxyType

import wizard
from wizard.findings import Rule

AREAS = (
    "The command and its files",
    "Values of the .env",
    "The Auth0 tenant",
    "Tunnels",
    "Sign-in and tokens",
    "The LibreChat deployment",
    "Auth0's Management API",
)


@cache
def all_rules() -> Mapping[str, Rule]:
    """Every rule, in the order of the identifiers.

    Raises:
        ValueError: two rules have the same identifier.
    """
    rules: dict[str, Rule] = {}
    for module in walk_packages(wizard.__path__, "wizard."):
        if module.name.endswith("__main__"):
            continue
        for rule in getattr(import_module(module.name), "RULES", ()):
            if rules.setdefault(rule.id, rule) is not rule:
                raise ValueError(f"two rules are called {rule.id}")
    return MappingProxyType(dict(sorted(rules.items())))


def area(rule: Rule) -> str:
    """What the rule is about, by the hundreds of its identifier."""
    return AREAS[int(rule.id[2:]) // 100]
