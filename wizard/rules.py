"""Reads the rules, and where their facts come from, in docs/rules.md, the only source of both."""

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


@cache
def rule(identifier: str) -> Rule:
    """Return the rule with that identifier.

    Raises:
        KeyError: the page has none.
    """
    heading, effect, step, *rest = _sections()[identifier].split("\n\n")
    severity, _, why = effect.removeprefix("*").partition(".*")
    severity, _, code = severity.partition(", exit ")
    fix = step.removeprefix("**Next:** ").rstrip("\n")
    source = rest[0].strip() if rest else ""
    return Rule(
        id=identifier,
        severity=Severity(severity.lower()),
        title=heading.removeprefix(f"{identifier}: "),
        why=why.lstrip(),
        fix=Message(fix, **GENERAL_VALUES) if "{" in fix else fix,
        source=source.removeprefix("Source: ") if source.startswith("Source: ") else "",
        exit_code=ExitCode(int(code)) if code else ExitCode.FINDINGS,
    )


@cache
def all_rules() -> Mapping[str, Rule]:
    """Return all rules in the order of the page."""
    return MappingProxyType({each: rule(each) for each in _sections()})


@cache
def _sections() -> Mapping[str, str]:
    """Return the text of each rule: only those that a command uses are parsed."""
    return {each.partition(":")[0]: each for each in resource(PAGE).split("\n### ")[1:]}


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


BUG = rule("LA001")
# Found in a .env, and by the tenant's answer.
TWO_REFRESH_SCOPES = rule("LA271")
ISSUER_WITH_PATH = rule("LA110")
# Raised by the server of the callback, and an answer to commands.
LIBRECHAT_HOLDS_PORT = rule("LA430")
