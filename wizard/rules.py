"""Every rule of the project by its identifier: `explain` and the documentation read it.

The modules are imported when the registry is asked for, never at the command's start.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from wizard.findings import Rule

RULE_MODULES = (
    "wizard.execution",
    "wizard.commands.answers",
    "wizard.commands.choose_tunnel",
    "wizard.commands.init",
    "wizard.librechat.env_file",
    "wizard.librechat.env_store",
    "wizard.librechat.setup",
    "wizard.librechat.instance",
    "wizard.doctor.writing",
    "wizard.doctor.sign_in",
    "wizard.doctor.addresses",
    "wizard.doctor.credentials",
    "wizard.doctor.deployment",
    "wizard.auth0.checks",
    "wizard.demo.browser",
    "wizard.demo.tenant",
    "wizard.tunnels.certificates",
    "wizard.tunnels.local",
    "wizard.tunnels.ngrok_errors",
    "wizard.tunnels.trust",
)

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
    for name in RULE_MODULES:
        for rule in import_module(name).RULES:
            if rules.setdefault(rule.id, rule) is not rule:
                raise ValueError(f"two rules are called {rule.id}")
    return MappingProxyType(dict(sorted(rules.items())))


def area(rule: Rule) -> str:
    """What the rule is about, by the hundreds of its identifier."""
    return AREAS[int(rule.id[2:]) // 100]
