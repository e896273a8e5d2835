"""Rules on options around the sign-in: session secret, logout, versions, switches."""

from __future__ import annotations

import re

from wizard.doctor.check import Check, Violation, on, to
from wizard.doctor.credentials import SIGNING_SECRETS
from wizard.doctor.sign_in import NEEDED, fresh_session_secret
from wizard.doctor.subject import Subject
from wizard.language import Message
from wizard.librechat.env_plan import why_weak
from wizard.librechat.running import has_sign_in
from wizard.librechat.variables import VARIABLES, Format, is_read
from wizard.librechat.version_gates import UNREAD, unread
from wizard.settings import host_of, is_command, is_placeholder

_ENTRA_SWITCHES = (
    "OPENID_ON_BEHALF_FLOW_FOR_USERINFO_REQUIRED",
    "USE_ENTRA_ID_FOR_PEOPLE_SEARCH",
    "ENABLE_SHAREPOINT_FILEPICKER",
)
_JUDGED_ELSEWHERE = frozenset({*NEEDED, "OPENID_SESSION_SECRET", *SIGNING_SECRETS})
# Read otherwise than by isEnabled, or not by LibreChat at all.
_OTHER_SWITCHES = frozenset({"HSTS_ENABLED", "MEILI_NO_ANALYTICS", "ALLOW_SOCIAL_LOGIN"})
_SWITCHES = [
    name
    for name, each in VARIABLES.items()
    if each.format is Format.BOOLEAN and name not in _OTHER_SWITCHES
]


def _is_no_boolean(subject: Subject, name: str) -> bool:
    return subject.bare(name).lower() not in {"", "true", "false"}


def _is_for_entra(subject: Subject, name: str) -> bool:
    host = host_of(subject.bare("OPENID_ISSUER"))
    return subject.is_on(name) and "microsoftonline" not in host and "windows.net" not in host


def _weakness(subject: Subject, name: str) -> Violation | None:
    value, reason = subject.bare(name), why_weak(name, subject.values)
    if not (value and reason) or is_command(value):
        return None
    return Violation("{seen} ({reason})", reason=reason)


def _is_needed_for_sign_in(subject: Subject, name: str) -> bool:
    return has_sign_in(subject.values) and not subject.is_on(name)


def _is_used(subject: Subject, name: str) -> bool:
    return subject.is_on(name) and is_read(name, subject.version)


def _is_no_url(subject: Subject, name: str) -> bool:
    value = subject.bare(name)
    return bool(value) and not re.match(r"https?://[^/\s]+", value)


def _hides_saml(subject: Subject, _: str) -> bool:
    names = ("SAML_ENTRY_POINT", "SAML_ISSUER", "SAML_CERT", "SAML_SESSION_SECRET")
    return has_sign_in(subject.values) and all(subject.bare(name) for name in names)


def _is_placeholder(subject: Subject, name: str) -> bool:
    value = subject.assignments[name].value
    # A value in brackets may be JSON.
    is_judged = name in _JUDGED_ELSEWHERE or is_command(value) or value[:1] in {"", "{", "["}
    return not is_judged and is_placeholder(value)


_LOGOUT = "OPENID_USE_END_SESSION_ENDPOINT"

CHECKS = (
    on("LA178", "OPENID_USE_OAUTH2", _is_used, to(OPENID_USE_OAUTH2="false")),
    on("LA130", "OPENID_SESSION_SECRET", _weakness, fresh_session_secret),
    on("LA138", _SWITCHES, _is_no_boolean, fix=Message("Write {name}=true or {name}=false.")),
    on("LA142", _ENTRA_SWITCHES, _is_for_entra, fix=Message("Set {name}=false.")),
    Check(UNREAD, lambda it: unread(it.values, it.version, it.assignments)),
    on("LA145", "OPENID_POST_LOGOUT_REDIRECT_URI", _is_no_url),
    on("LA144", _LOGOUT, _is_needed_for_sign_in),
    on("LA136", "ALLOW_SOCIAL_REGISTRATION", _is_needed_for_sign_in),
    on("LA149", "SAML_ISSUER", _hides_saml),
    on("LA148", "DEBUG_OPENID_REQUESTS", Subject.is_on),
    on("LA131", lambda it: it.assignments, _is_placeholder),
)
