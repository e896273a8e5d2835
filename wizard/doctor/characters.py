"""Rules on invisible characters in a value, which LibreChat sends as they are."""

from __future__ import annotations

from wizard.doctor.check import Edits, Violation, on
from wizard.doctor.subject import Subject
from wizard.language import joined
from wizard.librechat.characters import SPACES, URL_SPACES, invisible_in, visible
from wizard.librechat.variables import VARIABLES, Format

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
    """The characters that this version of LibreChat trims from the value."""
    if name in _URLS:
        return URL_SPACES
    since = _TRIMMED_SINCE.get(name)
    is_trimmed = not subject.runs_before(since) if since else name in _TRIMMED
    return SPACES if is_trimmed else ""


def _invisible(subject: Subject, name: str) -> Violation | None:
    used = subject.value(name).strip(_ignored(name, subject))
    is_whole = "\n" in used or visible(used) == used  # LA152
    return None if is_whole else _seen(used)


def _ignored_space(subject: Subject, name: str) -> Violation | None:
    value = subject.value(name)
    used = value.strip(" " if name == "OPENID_SCOPE" else _ignored(name, subject))
    return _seen(value) if value != used == visible(used) else None


def _seen(text: str) -> Violation | None:
    """The line, and the invisible characters in the text; None for none."""
    characters = joined(", ", invisible_in(text))
    return Violation("{seen} ({characters})", characters=characters) if characters else None


def _visible(subject: Subject, name: str) -> Edits:
    assignment = subject.assignments.get(name)
    if assignment and assignment.comment_is_glued:
        return {name: assignment.value}
    value = visible(subject.value(name))
    return {name: value} if value else {}


CHECKS = (
    on("LA174", _NAMES, _invisible, _visible),
    on("LA175", (*_NAMES, "OPENID_SCOPE"), _ignored_space, _visible),
)
