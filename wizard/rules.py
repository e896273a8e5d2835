"""Reads the rules, and where their facts come from, in docs/rules.md, the only source of both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from wizard import dashboard
from wizard.findings import ExitCode, Rule, Severity
from wizard.language import Message
from wizard.resources import resource

AREAS = (
    Message("The command and its files"),
    Message("Values of the .env"),
    Message("The Auth0 tenant"),
    Message("Tunnels"),
    Message("Sign-in and tokens"),
    Message("The LibreChat deployment"),
    Message("Auth0's Management API"),
)
# The fields of a rule's text while the user's values are not known.
GENERAL_VALUES: Mapping[str, str] = {
    "applications": dashboard.APPLICATIONS,
    "apis": dashboard.APIS,
    "logs": dashboard.LOGS,
    "callback_url": Message("the value of DOMAIN_SERVER, followed by /oauth/openid/callback"),
    "audience": Message("the value of OPENID_AUDIENCE"),
    "application": dashboard.APPLICATIONS,
    "credentials": dashboard.APPLICATIONS,
    "connections": dashboard.APPLICATIONS,
}
PAGE = "docs/rules.md"
_SECTION = re.compile(
    r"### (?P<id>LA\d{3}): (?P<title>[^\n]+)\n\n"
    r"\*(?P<severity>[A-Z][a-z]+)(?:, exit (?P<exit>\d+))?\.\*(?: (?P<why>[^\n]+))?\n\n"
    r"\*\*Next:\*\* (?P<fix>[^\n]+)\n"
    r"(?:\nSource: (?P<source>[^\n]+)\n)?"
)
_ORIGIN = (
    r"(?m)^\| ([^|`\n]+) \| ((?:`[^`|\n]+` ?)+) \| ([^|\n]+) \| (\d{4}-\d\d) \| (run|read) \|$"
)


class Origin(NamedTuple):
    """Where facts come from, and how they were checked; `marks` are in the sources of its rules."""

    name: str
    marks: tuple[str, ...]
    version: str
    checked: str
    was_run: bool


def rule(identifier: str) -> Rule:
    """Return the rule with that identifier.

    Raises:
        KeyError: the page has none.
    """
    return all_rules()[identifier]


@cache
def all_rules() -> Mapping[str, Rule]:
    """Return all rules in the order of the page."""
    rules = {found["id"]: _rule(found) for found in _SECTION.finditer(resource(PAGE))}
    return MappingProxyType(rules)


def area(of: Rule) -> str:
    """Return the rule's area: the hundreds of its identifier."""
    return AREAS[int(of.id[2:]) // 100]


def origins() -> tuple[Origin, ...]:
    """Return the origins of the page."""
    return tuple(
        Origin(row[0], tuple(re.findall(r"`([^`]+)`", row[1])), row[2], row[3], row[4] == "run")
        for row in re.findall(_ORIGIN, resource(PAGE))
    )


def origin_of(source: str) -> Origin | None:
    """Return the origin of a rule's source, None without one."""
    for each in origins():
        if any(mark in source for mark in each.marks):
            return each._replace(was_run=each.was_run or "seen in" in source)
    return None


def _rule(found: re.Match[str]) -> Rule:
    fix = found["fix"]
    return Rule(
        id=found["id"],
        severity=Severity(found["severity"].lower()),
        title=found["title"],
        why=found["why"] or "",
        fix=Message(fix, **GENERAL_VALUES) if "{" in fix else fix,
        source=found["source"] or "",
        exit_code=ExitCode(int(found["exit"] or ExitCode.FINDINGS)),
    )


BUG = rule("LA001")
# Found in a .env, and by the tenant's answer.
TWO_REFRESH_SCOPES = rule("LA271")
ISSUER_WITH_PATH = rule("LA110")
# Raised by the server of the callback, and an answer to commands.
LIBRECHAT_HOLDS_PORT = rule("LA430")
