"""Rules on the values of the sign-in: switches, client, issuer and callback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from wizard.doctor.check import SET_VALUE, Check, Edits, is_missing, on, refusal, to
from wizard.doctor.subject import Subject, issuer_without_path
from wizard.findings import Finding
from wizard.known import Known, refuse_repeated
from wizard.language import Message
from wizard.librechat.secrets import random_hex
from wizard.librechat.version_gates import SECRETLESS_TOO_NEW, of_version
from wizard.rules import ISSUER_WITH_PATH
from wizard.settings import (
    CALLBACK_PATH,
    if_valid,
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


def _secretless_too_new(subject: Subject) -> Iterator[Finding]:
    if subject.is_on("OPENID_USE_PKCE"):  # without it no version takes one: LA103
        yield from of_version(subject.setup, SECRETLESS_TOO_NEW)


def _has_path(subject: Subject, name: str) -> bool:
    value = issuer_without_path(subject.bare(name))
    if refusal(parse_domain, value) or not value.lower().startswith("https://"):
        return False
    parts = urlsplit(value)
    has_path = bool(parts.path or parts.query or parts.fragment)
    return has_path and is_tenant_domain(parts.hostname or "")


def _why_swapped(subject: Subject, _: str = "") -> str:
    client_id, secret = subject.bare("OPENID_CLIENT_ID"), subject.bare("OPENID_CLIENT_SECRET")
    if not (looks_like_client_secret(client_id) and re.fullmatch(_CLIENT_ID, secret)):
        return ""
    return Message("OPENID_CLIENT_ID has a secret's 64 characters, the secret a Client ID's 32.")


def _why_client_id_invalid(subject: Subject, name: str) -> str:
    value = subject.bare(name)
    is_told = is_placeholder(value) or _why_swapped(subject) or is_third_party(value)
    reason = "" if not value or is_told else refusal(parse_client_id, value)
    return subject.seen_with(name, reason)


def _why_secret_invalid(subject: Subject, name: str) -> str:
    value = subject.bare(name)
    if not value or (is_placeholder(value) and not is_mask(value)) or _why_swapped(subject):
        return ""

    def parse(value: str) -> None:
        client_id = Known(client_id=subject.bare("OPENID_CLIENT_ID"))
        refuse_repeated("client_secret", parse_client_secret(value), client_id)

    return refusal(parse, value)


def _issuer_edit(subject: Subject, name: str) -> Edits:
    bare = re.sub(r"^https?://", "", subject.bare(name), flags=re.IGNORECASE)
    domain = if_valid(parse_domain, bare)
    if domain is None:
        return {}
    # Only Auth0's issuer is known to have no path.
    has_path = "/" in issuer_without_path(bare)
    return {} if has_path and not is_tenant_domain(domain) else {name: issuer_of(domain)}


def fresh_session_secret(_: Subject, name: str) -> Edits:
    """Repair: of all secrets this one alone is ours, only sign-ins in progress must start again."""
    return {name: random_hex(32)} if name == "OPENID_SESSION_SECRET" else {}


def _is_issuer_without_scheme(subject: Subject, name: str) -> bool:
    value = subject.bare(name)
    is_whole = "://" in value or is_placeholder(value)
    return bool(value) and not is_whole and not refusal(parse_domain, value)


def _why_issuer_invalid(subject: Subject, name: str) -> str:
    value = subject.bare(name)
    is_told = value.lower().startswith("http://") or is_placeholder(value)
    return "" if not value or is_told else subject.seen_with(name, refusal(parse_domain, value))


def _is_placeholder(subject: Subject, name: str) -> bool:
    value = subject.bare(name)
    is_scope = name == "OPENID_SCOPE" and "openid" in value.lower()  # a JSON list of words
    return bool(value) and is_placeholder(value) and not is_scope


def _is_secret_missing(subject: Subject, name: str) -> bool:
    return not subject.bare(name) and not subject.is_on("OPENID_USE_PKCE")


def _is_wrong_path(subject: Subject, name: str) -> bool:
    return "://" not in subject.bare(name) and subject.bare(name) not in {"", CALLBACK_PATH}


_REQUIRED = ("OPENID_ISSUER", "OPENID_CLIENT_ID", "OPENID_SESSION_SECRET")
_CALLBACK = "OPENID_CALLBACK_URL"
_FIXED_CALLBACK = to(OPENID_CALLBACK_URL=CALLBACK_PATH)

CHECKS = (
    on("LA101", _REQUIRED, is_missing, fresh_session_secret),
    on("LA132", NEEDED, _is_placeholder),
    on("LA133", "OPENID_CLIENT_ID", _why_swapped),
    on("LA111", "OPENID_ISSUER", _why_issuer_invalid),
    on("LA108", "OPENID_ISSUER", _is_issuer_without_scheme, _issuer_edit),
    on(
        "LA109",
        "OPENID_ISSUER",
        lambda it, name: it.bare(name).lower().startswith("http://"),
        _issuer_edit,
    ),
    on(ISSUER_WITH_PATH.id, "OPENID_ISSUER", _has_path, _issuer_edit, fix=SET_VALUE),
    on("LA134", "OPENID_CLIENT_ID", _why_client_id_invalid),
    on("LA270", "OPENID_CLIENT_ID", lambda it, name: is_third_party(it.value(name))),
    on("LA103", "OPENID_CLIENT_SECRET", _is_secret_missing),
    on("LA135", "OPENID_CLIENT_SECRET", _why_secret_invalid),
    Check(SECRETLESS_TOO_NEW, _secretless_too_new),
    on(
        "LA100",
        "ALLOW_SOCIAL_LOGIN",
        lambda it, name: not it.is_on(name),
        to(ALLOW_SOCIAL_LOGIN="true"),
    ),
    on("LA105", _CALLBACK, is_missing, _FIXED_CALLBACK),
    on("LA106", _CALLBACK, lambda it, name: "://" in it.bare(name), _FIXED_CALLBACK),
    on("LA107", _CALLBACK, _is_wrong_path, _FIXED_CALLBACK),
)
