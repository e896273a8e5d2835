"""Every rule of the project by its identifier: `explain` and the documentation read it.

A rule is found because its module has it in `RULES`. Those modules are imported when the registry
is asked for, never at the command's start; the others, which may be costly, are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.abc import InspectLoader
from importlib.util import find_spec
from pkgutil import walk_packages
from types import MappingProxyType

import wizard
from wizard.findings import Rule
from wizard.language import Message

AREAS = (
    Message("The command and its files"),
    Message("Values of the .env"),
    Message("The Auth0 tenant"),
    Message("Tunnels"),
    Message("Sign-in and tokens"),
    Message("The LibreChat deployment"),
    Message("Auth0's Management API"),
)


@cache
def all_rules() -> Mapping[str, Rule]:
    """Every rule, in the order of the identifiers.

    Raises:
        ValueError: two rules have the same identifier.
    """
    rules: dict[str, Rule] = {}
    for module in walk_packages(wizard.__path__, "wizard."):
        if not _has_rules(module.name):
            continue
        for rule in getattr(import_module(module.name), "RULES", ()):
            if rules.setdefault(rule.id, rule) is not rule:
                raise ValueError(f"two rules are called {rule.id}")
    return MappingProxyType(dict(sorted(rules.items())))


def _has_rules(module: str) -> bool:
    """Whether the module speaks of `RULES`, by its code alone."""
    spec = find_spec(module)
    loader = spec.loader if spec else None
    code = loader.get_code(module) if isinstance(loader, InspectLoader) else None
    return code is not None and "RULES" in code.co_names


def area(rule: Rule) -> str:
    """What the rule is about, by the hundreds of its identifier."""
    return AREAS[int(rule.id[2:]) // 100]
