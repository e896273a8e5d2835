"""Rules on who gets past Auth0, for a LibreChat with a public URL."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wizard.doctor.check import Check
from wizard.doctor.subject import Subject
from wizard.findings import Finding
from wizard.language import Message
from wizard.librechat.compose.sources import MAX_YAML_BYTES
from wizard.librechat.compose.text import ComposeError
from wizard.librechat.config_file import FILE_NAME
from wizard.librechat.restart import restart_fix
from wizard.librechat.variables import EMAIL_LOGIN, REGISTRATION
from wizard.rules import rule
from wizard.settings import is_public

OPEN_REGISTRATION = rule("LA516")
PASSWORDS_NEED_NO_ROLE = rule("LA518")
STILL_OPEN = rule("LA519")
DOMAINS_WITHOUT_EFFECT = rule("LA536")

_DOMAINS = re.compile(r"^[^#\n]*\ballowedDomains\b[\"']?[ \t]*:", re.MULTILINE)


def _is_reachable(subject: Subject) -> bool:
    return is_public(subject.value("DOMAIN_SERVER"))


def _open_registration(subject: Subject) -> Iterator[Finding]:
    if _is_reachable(subject) and subject.is_on(REGISTRATION):
        yield subject.finding(OPEN_REGISTRATION, REGISTRATION)


def _passwords_need_no_role(subject: Subject) -> Iterator[Finding]:
    is_open = subject.is_on(EMAIL_LOGIN) or EMAIL_LOGIN not in subject.values
    if _is_reachable(subject) and is_open and subject.bare("OPENID_REQUIRED_ROLE"):
        yield subject.finding(PASSWORDS_NEED_NO_ROLE, EMAIL_LOGIN)


def _domains_without_effect(subject: Subject) -> Iterator[Finding]:
    """A file that names the domains, and LibreChat finds none or cannot read it."""
    config = subject.config
    if not _is_reachable(subject) or config.content is not None or config.is_remote:
        return
    path = config.path or subject.path.parent / FILE_NAME
    try:
        text = subject.deployment.sources.text(path, MAX_YAML_BYTES) or ""
    except ComposeError:
        return
    if _DOMAINS.search(text):
        reason = config.trouble or Message("LibreChat does not see it")
        yield DOMAINS_WITHOUT_EFFECT.finding(
            Message("{file}: {reason}.", file=config.named, reason=reason)
        )


def _still_open(subject: Subject) -> Iterator[Finding]:
    config = subject.instance.config if subject.instance else None
    is_open = config is not None and config.get("registrationEnabled") is True
    if is_open and _is_reachable(subject) and not subject.is_on(REGISTRATION):
        yield subject.finding(
            STILL_OPEN,
            REGISTRATION,
            Message("/api/config says {key}: true.", key="registrationEnabled"),
            fix=restart_fix(subject.runner, subject.path),
        )


CHECKS = (
    Check(OPEN_REGISTRATION, _open_registration),
    Check(DOMAINS_WITHOUT_EFFECT, _domains_without_effect),
    Check(PASSWORDS_NEED_NO_ROLE, _passwords_need_no_role),
)
RUNNING_CHECKS = (Check(STILL_OPEN, _still_open),)
