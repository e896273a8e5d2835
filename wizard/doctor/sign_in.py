"""Rules on the values of the sign-in: switches, client, issuer and callback."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from wizard.doctor.check import Check, Edits
from wizard.doctor.subject import Subject, issuer_without_path
from wizard.findings import Finding
from wizard.known import Known, refuse_repeated
from wizard.language import Message
from wizard.librechat.secrets import random_hex
from wizard.librechat.version_gates import SECRETLESS_TOO_NEW, secretless_too_new
from wizard.rules import ISSUER_WITH_PATH, rule
from wizard.settings import (
    CALLBACK_PATH,
    InvalidValue,
    is_mask,
    is_placeholder,
    is_tenant_domain,
    is_third_party,
    issuer_of,
    looks_like_client_secret,
    parse_client_id,
    parse_client_secret,
    parse_domain,
)

SOCIAL_LOGIN_OFF = rule("LA100")
REQUIRED_MISSING = rule("LA101")
SECRET_MISSING = rule("LA103")
CALLBACK_MISSING = rule("LA105")
CALLBACK_IS_URL = rule("LA106")
CALLBACK_WRONG = rule("LA107")
ISSUER_WITHOUT_SCHEME = rule("LA108")
ISSUER_BY_HTTP = rule("LA109")
ISSUER_INVALID = rule("LA111")
PLACEHOLDER = rule("LA132")
SWAPPED = rule("LA133")
CLIENT_ID_INVALID = rule("LA134")
SECRET_INVALID = rule("LA135")
THIRD_PARTY = rule("LA270")
# Clearly a client ID of Auth0's, by length and alphabet.
_CLIENT_ID = r"[A-Za-z0-9]{32}"
NEEDED = (
    "OPENID_ISSUER",
    "OPENID_CLIENT_ID",
    "OPENID_CLIENT_SECRET",
    "OPENID_AUDIENCE",
    "OPENID_SCOPE",
    "OPENID_CALLBACK_URL",
    "DOMAIN_CLIENT",
    "DOMAIN_SERVER",
)


def _social_login_off(subject: Subject) -> Iterator[Finding]:
    if not subject.is_on("ALLOW_SOCIAL_LOGIN"):
        yield subject.finding(SOCIAL_LOGIN_OFF, "ALLOW_SOCIAL_LOGIN")


def _required_missing(subject: Subject) -> Iterator[Finding]:
    for name in ("OPENID_ISSUER", "OPENID_CLIENT_ID", "OPENID_SESSION_SECRET"):
        if not subject.bare(name):
            yield subject.finding(REQUIRED_MISSING, name)


def _secret_missing(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_CLIENT_SECRET"
    if not subject.bare(name) and not subject.is_on("OPENID_USE_PKCE"):
        yield subject.finding(SECRET_MISSING, name)


def _secretless_too_new(subject: Subject) -> Iterator[Finding]:
    if subject.is_on("OPENID_USE_PKCE"):  # without it no version takes one: LA103
        yield from secretless_too_new(subject.setup)


def _callback_missing(subject: Subject) -> Iterator[Finding]:
    if not subject.bare("OPENID_CALLBACK_URL"):
        yield subject.finding(CALLBACK_MISSING, "OPENID_CALLBACK_URL")


def _callback_is_url(subject: Subject) -> Iterator[Finding]:
    if "://" in subject.bare("OPENID_CALLBACK_URL"):
        yield subject.finding(CALLBACK_IS_URL, "OPENID_CALLBACK_URL")


def _callback_wrong(subject: Subject) -> Iterator[Finding]:
    value = subject.bare("OPENID_CALLBACK_URL")
    if value and "://" not in value and value != CALLBACK_PATH:
        yield subject.finding(CALLBACK_WRONG, "OPENID_CALLBACK_URL")


def _issuer_without_scheme(subject: Subject) -> Iterator[Finding]:
    value = subject.bare("OPENID_ISSUER")
    if value and "://" not in value and not is_placeholder(value) and not _issuer_trouble(value):
        yield subject.finding(ISSUER_WITHOUT_SCHEME, "OPENID_ISSUER")


def _issuer_by_http(subject: Subject) -> Iterator[Finding]:
    if subject.bare("OPENID_ISSUER").lower().startswith("http://"):
        yield subject.finding(ISSUER_BY_HTTP, "OPENID_ISSUER")


def _issuer_with_path(subject: Subject) -> Iterator[Finding]:
    value = issuer_without_path(subject.bare("OPENID_ISSUER"))
    if _issuer_trouble(value) or not value.lower().startswith("https://"):
        return
    parts = urlsplit(value)
    if (parts.path or parts.query or parts.fragment) and is_tenant_domain(parts.hostname or ""):
        issuer = _issuer(parse_domain(value))
        fix = Message("Set {name}={value}.", name="OPENID_ISSUER", value=issuer)
        yield subject.finding(ISSUER_WITH_PATH, "OPENID_ISSUER", fix=fix)


def _issuer_invalid(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_ISSUER"
    value = subject.bare(name)
    if not value or value.lower().startswith("http://") or is_placeholder(value):
        return
    if trouble := _issuer_trouble(value):
        yield subject.finding(ISSUER_INVALID, name, subject.seen_with(name, trouble))


def _issuer_trouble(value: str) -> str:
    try:
        parse_domain(value)
    except InvalidValue as invalid:
        return invalid.reason
    return ""


def _issuer(domain: str) -> str:
    return issuer_of(domain)


def fresh_session_secret(_: Subject, __: Finding) -> Edits:
    """Repair: only sign-ins in progress must start again."""
    return {"OPENID_SESSION_SECRET": random_hex(32)}


def _placeholder(subject: Subject) -> Iterator[Finding]:
    for name in NEEDED:
        value = subject.bare(name)
        is_scope = name == "OPENID_SCOPE" and "openid" in value.lower()  # a JSON list of words
        if value and is_placeholder(value) and not is_scope:
            yield subject.finding(PLACEHOLDER, name)


def _swapped(subject: Subject) -> Iterator[Finding]:
    client_id, secret = subject.bare("OPENID_CLIENT_ID"), subject.bare("OPENID_CLIENT_SECRET")
    if looks_like_client_secret(client_id) and re.fullmatch(_CLIENT_ID, secret):
        yield SWAPPED.finding(
            Message("OPENID_CLIENT_ID has a secret's 64 characters, the secret a Client ID's 32."),
            variable="OPENID_CLIENT_ID",
        )


def _is_swapped(subject: Subject) -> bool:
    return any(True for _ in _swapped(subject))


def _third_party(subject: Subject) -> Iterator[Finding]:
    if is_third_party(subject.value("OPENID_CLIENT_ID")):
        yield subject.finding(THIRD_PARTY, "OPENID_CLIENT_ID")


def _client_id_invalid(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_CLIENT_ID"
    value = subject.bare(name)
    if not value or is_placeholder(value) or _is_swapped(subject):
        return
    if is_third_party(value):
        return
    try:
        parse_client_id(value)
    except InvalidValue as invalid:
        detail = subject.seen_with(name, invalid.reason)
        yield subject.finding(CLIENT_ID_INVALID, name, detail)


def _secret_invalid(subject: Subject) -> Iterator[Finding]:
    value = subject.bare("OPENID_CLIENT_SECRET")
    if not value or (is_placeholder(value) and not is_mask(value)) or _is_swapped(subject):
        return
    try:
        secret = parse_client_secret(value)
        refuse_repeated("client_secret", secret, Known(client_id=subject.bare("OPENID_CLIENT_ID")))
    except InvalidValue as invalid:
        yield SECRET_INVALID.finding(invalid.reason, variable="OPENID_CLIENT_SECRET")


def _issuer_edit(subject: Subject, _: Finding) -> Edits:
    bare = re.sub(r"^https?://", "", subject.bare("OPENID_ISSUER"), flags=re.IGNORECASE)
    if _issuer_trouble(bare):
        return {}
    domain = parse_domain(bare)
    # Only Auth0's issuer is known to have no path.
    has_path = "/" in issuer_without_path(bare)
    return {} if has_path and not is_tenant_domain(domain) else {"OPENID_ISSUER": _issuer(domain)}


def _set(name: str, value: str) -> Callable[[Subject, Finding], Edits]:
    return lambda _, __: {name: value}


def _session_secret_if_missing(subject: Subject, finding: Finding) -> Edits:
    if finding.variable == "OPENID_SESSION_SECRET":
        return fresh_session_secret(subject, finding)
    return {}


_fixed_callback = _set("OPENID_CALLBACK_URL", CALLBACK_PATH)


CHECKS = (
    Check(REQUIRED_MISSING, _required_missing, _session_secret_if_missing),
    Check(PLACEHOLDER, _placeholder),
    Check(SWAPPED, _swapped),
    Check(ISSUER_INVALID, _issuer_invalid),
    Check(ISSUER_WITHOUT_SCHEME, _issuer_without_scheme, _issuer_edit),
    Check(ISSUER_BY_HTTP, _issuer_by_http, _issuer_edit),
    Check(ISSUER_WITH_PATH, _issuer_with_path, _issuer_edit),
    Check(CLIENT_ID_INVALID, _client_id_invalid),
    Check(THIRD_PARTY, _third_party),
    Check(SECRET_MISSING, _secret_missing),
    Check(SECRET_INVALID, _secret_invalid),
    Check(SECRETLESS_TOO_NEW, _secretless_too_new),
    Check(SOCIAL_LOGIN_OFF, _social_login_off, _set("ALLOW_SOCIAL_LOGIN", "true")),
    Check(CALLBACK_MISSING, _callback_missing, _fixed_callback),
    Check(CALLBACK_IS_URL, _callback_is_url, _fixed_callback),
    Check(CALLBACK_WRONG, _callback_wrong, _fixed_callback),
)
