"""Rules on who gets past Auth0, for a LibreChat with a public URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wizard.doctor.check import Violation, check, each_of, on
from wizard.doctor.subject import Subject
from wizard.findings import Finding
from wizard.language import Message, sentences
from wizard.librechat.compose.sources import MAX_YAML_BYTES
from wizard.librechat.compose.text import ComposeError
from wizard.librechat.config_file import FILE_NAME
from wizard.librechat.restart import restart_fix
from wizard.librechat.variables import EMAIL_LOGIN, REGISTRATION
from wizard.rules import rule
from wizard.settings import is_public

if TYPE_CHECKING:
    from wizard.auth0.access import Doors

STRANGERS_GET_IN = rule("LA640")
STRANGERS_CLAIM_ADDRESSES = rule("LA641")
NOT_KNOWN = rule("LA642")

_DOMAINS = r"(?m)^[^#\n]*\ballowedDomains\b[\"']?[ \t]*:"


def _is_reachable(subject: Subject) -> bool:
    return is_public(subject.value("DOMAIN_SERVER"))


def _needs_no_role(subject: Subject, name: str) -> bool:
    is_open = subject.is_on(name) or name not in subject.values
    return _is_reachable(subject) and is_open and bool(subject.bare("OPENID_REQUIRED_ROLE"))


def _domains_without_effect(subject: Subject) -> Iterator[Violation]:
    """A file that names the domains, and LibreChat finds none or cannot read it."""
    config = subject.config
    if not _is_reachable(subject) or config.content is not None or config.is_remote:
        return
    path = config.path or subject.path.parent / FILE_NAME
    try:
        text = subject.deployment.sources.text(path, MAX_YAML_BYTES) or ""
    except ComposeError:
        return
    if re.search(_DOMAINS, text):
        reason = config.trouble or Message("LibreChat does not see it")
        yield Violation("{file}: {reason}.", file=config.named, reason=reason)


def _ignores_domains(subject: Subject, name: str) -> bool:
    """A list of domains that goes with the next error in its file, and no role in its place."""
    is_ignored = subject.value(name) == "true" and not subject.runs_before("0.8.2")
    has_role = subject.bare("OPENID_REQUIRED_ROLE")
    return is_ignored and not has_role and _is_reachable(subject) and _has_domains(subject)


def _has_domains(subject: Subject) -> bool:
    return bool(subject.config.part("registration", "allowedDomains"))


def _is_still_open(subject: Subject, name: str) -> Violation | None:
    config = subject.instance.config if subject.instance else None
    is_open = config is not None and config.get("registrationEnabled") is True
    if not (is_open and _is_reachable(subject)) or subject.is_on(name):
        return None
    fix = restart_fix(subject.runner)
    return Violation("/api/config says {key}: true.", fix=fix, key="registrationEnabled")


def auth0_findings(doors: Doors, *, has_domains: bool) -> Iterator[Finding]:
    """Yield what strangers can do where LibreChat requires no role.

    `has_domains` is whether LibreChat lets in the addresses of some domains only.
    """
    sign_ups = doors.sign_ups
    if sign_ups.reason:
        yield NOT_KNOWN.finding("{reason}.", reason=Message.of(sign_ups.reason))
        return
    opened = doors.opened(
        Message("Anybody can create an account ({connections})."),
        Message("Anybody with an account elsewhere can sign in ({connections})."),
    )
    if has_domains and sign_ups.connections:
        yield STRANGERS_CLAIM_ADDRESSES.finding(opened[0])
    elif opened and not has_domains:
        yield STRANGERS_GET_IN.finding(sentences(*opened))


def _of_auth0(subject: Subject) -> Iterator[Finding]:
    doors = subject.auth0_doors
    if doors and _is_reachable(subject) and not subject.bare("OPENID_REQUIRED_ROLE"):
        yield from auth0_findings(doors, has_domains=_has_domains(subject))


CHECKS = (
    on("LA516", REGISTRATION, lambda it, name: _is_reachable(it) and it.is_on(name)),
    check("LA536", _domains_without_effect),
    on("LA643", "CONFIG_BYPASS_VALIDATION", _ignores_domains),
    on("LA518", EMAIL_LOGIN, _needs_no_role),
)
RUNNING_CHECKS = (
    on("LA519", REGISTRATION, _is_still_open),
    *each_of((STRANGERS_GET_IN, STRANGERS_CLAIM_ADDRESSES, NOT_KNOWN), _of_auth0),
)
