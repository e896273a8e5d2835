"""Rules on invisible characters in a value, which LibreChat sends as they are."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.doctor.check import Check, Edits
from wizard.doctor.subject import Subject
from wizard.findings import Finding, Rule
from wizard.language import Message, joined
from wizard.librechat.characters import SPACES, URL_SPACES, invisible_in, visible
from wizard.librechat.variables import VARIABLES, Format
from wizard.rules import rule

INVISIBLE = rule("LA174")
IGNORED_SPACE = rule("LA175")

# LibreChat trims these values; it uses all others as they are.
_USED_AS_THEY_ARE = (
    "DOMAIN_CLIENT",
    "DOMAIN_SERVER",
    "OPENID_CLIENT_ID",
    "OPENID_CALLBACK_URL",
    "OPENID_REFRESH_AUDIENCE",
    "OPENID_POST_LOGOUT_REDIRECT_URI",
    "OPENID_REQUIRED_ROLE_PARAMETER_PATH",
    "OPENID_REQUIRED_ROLE_TOKEN_KIND",
    "OPENID_ADMIN_ROLE",
    "OPENID_ADMIN_ROLE_PARAMETER_PATH",
    "OPENID_ADMIN_ROLE_TOKEN_KIND",
    "OPENID_NAME_CLAIM",
    "OPENID_USERNAME_CLAIM",
    "OPENID_EMAIL_CLAIM",
    "HOST",
)
_TRIMMED = (
    *(name for name, each in VARIABLES.items() if each.format is Format.BOOLEAN),
    "PORT",
    "TRUST_PROXY",
    "OPENID_REQUIRED_ROLE",
    "OPENID_ROLE_SYNC_CLAIM",
    "OPENID_ROLE_SYNC_SOURCE",
)
# As `new URL` reads them.
_URLS = ("OPENID_ISSUER", "PROXY")
# The first version that trims it.
_TRIMMED_SINCE = {"OPENID_CLIENT_SECRET": "0.8.6", "OPENID_AUDIENCE": "0.8.7"}
_NAMES = (*_USED_AS_THEY_ARE, *_URLS, *_TRIMMED_SINCE, *_TRIMMED)


def _ignored(name: str, subject: Subject) -> str:
    """The characters that this LibreChat takes away from both ends of the value."""
    if name in _URLS:
        return URL_SPACES
    since = _TRIMMED_SINCE.get(name)
    is_trimmed = not subject.runs_before(since) if since else name in _TRIMMED
    return SPACES if is_trimmed else ""


def _invisible(subject: Subject) -> Iterator[Finding]:
    for name in _NAMES:
        used = subject.value(name).strip(_ignored(name, subject))
        if "\n" in used:  # LA152
            continue
        if visible(used) != used and (characters := list(invisible_in(used))):
            yield _finding(subject, INVISIBLE, name, characters)


def _ignored_space(subject: Subject) -> Iterator[Finding]:
    for name in (*_NAMES, "OPENID_SCOPE"):
        value = subject.value(name)
        used = value.strip(" " if name == "OPENID_SCOPE" else _ignored(name, subject))
        if value != used == visible(used):
            yield _finding(subject, IGNORED_SPACE, name, list(invisible_in(value)))


def _finding(subject: Subject, rule: Rule, name: str, characters: list[Message]) -> Finding:
    detail = Message(
        "{seen} ({characters})", seen=subject.seen(name), characters=joined(", ", characters)
    )
    return subject.finding(rule, name, detail)


def _visible(subject: Subject, finding: Finding) -> Edits:
    name = finding.variable or ""
    value = visible(subject.value(name))
    return {name: value} if value else {}


CHECKS = (
    Check(INVISIBLE, _invisible, _visible),
    Check(IGNORED_SPACE, _ignored_space, _visible),
)
