"""Rules on LibreChat's own secrets and on what it needs to start at all."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wizard.doctor.check import Check
from wizard.doctor.subject import Subject
from wizard.findings import Finding, Rule, Severity
from wizard.language import Message
from wizard.librechat.deployment import PANEL_SERVICE
from wizard.librechat.setup import (
    BLANK_CREDENTIAL,
    PUBLIC_CREDENTIAL,
    blank_credentials,
    public_credentials,
)
from wizard.librechat.variables import VARIABLES
from wizard.settings import SESSION_SECRET_MIN_LENGTH

_CREDENTIALS = "api/config/credentials.js"

MALFORMED_CREDENTIAL = Rule(
    "LA162",
    Severity.ERROR,
    "CREDS_KEY or CREDS_IV has not the form that LibreChat can encrypt with",
    "Storing or reading users' keys fails: Invalid key length, or algorithm.iv must contain exactly"
    " 16 bytes.",
    "Set it to the output of openssl rand -hex 32 (16 for CREDS_IV), unless users have stored keys"
    " with a value that you can find again.",
    "LibreChat issues 4276, 7432 and 14699",
)
HALF_KEY = Rule(
    "LA163",
    Severity.WARNING,
    "CREDS_KEY has half of its length",
    "LibreChat then encrypts by AES-128 without a word; other parts of it fail with Invalid key"
    " length.",
    "On a LibreChat without stored keys set it to the output of: openssl rand -hex 32",
    "LibreChat issue 14699",
)
SHORT_CREDENTIAL = Rule(
    "LA164",
    Severity.WARNING,
    "A signing secret is too short",
    "Sessions signed with it can be forged by those who guess it.",
    "Set it to the output of: openssl rand -hex 32. Everybody has to sign in again.",
    _CREDENTIALS,
)
SAME_CREDENTIAL = Rule(
    "LA165",
    Severity.WARNING,
    "JWT_SECRET and JWT_REFRESH_SECRET are the same",
    "An access token then passes for a refresh token, and the other way about.",
    "Set one of them to the output of: openssl rand -hex 32. Everybody has to sign in again.",
    _CREDENTIALS,
)
JWT_SECRET_NEEDED = Rule(
    "LA166",
    Severity.ERROR,
    "This LibreChat does not start without JWT_SECRET and JWT_REFRESH_SECRET",
    "Only LibreChat 0.8.8 and later make them up.",
    "Set each to an output of its own of: openssl rand -hex 32",
    _CREDENTIALS,
)
DATABASE_MISSING = Rule(
    "LA167",
    Severity.ERROR,
    "MONGO_URI is missing",
    "LibreChat does not start without its database.",
    "Set MONGO_URI=mongodb://127.0.0.1:27017/LibreChat, or where your database is.",
    "api/db/connect.js",
)
PANEL_SECRET = Rule(
    "LA168",
    Severity.WARNING,
    "The admin panel has no session secret, so its container restarts for ever",
    "Docker Compose starts it beside LibreChat since 0.8.7, and it wants 32 characters or more.",
    "Set ADMIN_PANEL_SESSION_SECRET to the output of: openssl rand -hex 32",
    "docker-compose.yml",
)
BAD_DURATION = Rule(
    "LA169",
    Severity.WARNING,
    "A duration cannot be understood",
    "LibreChat computes it; what is no number or product of numbers gives sessions of no length.",
    "Write milliseconds, for example 1000 * 60 * 15.",
    ".env.example",
)

_DURATIONS = ("SESSION_EXPIRY", "REFRESH_TOKEN_EXPIRY")


def _malformed_credential(subject: Subject) -> Iterator[Finding]:
    for name in ("CREDS_KEY", "CREDS_IV"):
        value = subject.value(name)
        if value and not VARIABLES[name].accepts(value) and not _is_half_key(name, value):
            detail = Message(
                "{seen} ({length} characters; it must be {form})",
                seen=subject.seen(name),
                length=len(value),
                form=VARIABLES[name].format.value,
            )
            yield subject.finding(MALFORMED_CREDENTIAL, name, detail)


def _half_key(subject: Subject) -> Iterator[Finding]:
    name = "CREDS_KEY"
    if _is_half_key(name, subject.value(name)):
        detail = Message("{seen} (32 digits)", seen=subject.seen(name))
        yield subject.finding(HALF_KEY, name, detail)


def _is_half_key(name: str, value: str) -> bool:
    return name == "CREDS_KEY" and re.fullmatch(r"[0-9a-fA-F]{32}", value) is not None


def _short_credential(subject: Subject) -> Iterator[Finding]:
    for name in ("JWT_SECRET", "JWT_REFRESH_SECRET"):
        length = len(subject.value(name))
        if 0 < length < SESSION_SECRET_MIN_LENGTH:
            seen = subject.seen(name)
            detail = Message("{seen} ({length} characters)", seen=seen, length=length)
            yield subject.finding(SHORT_CREDENTIAL, name, detail)


def _same_credential(subject: Subject) -> Iterator[Finding]:
    value = subject.value("JWT_SECRET")
    if value and value == subject.value("JWT_REFRESH_SECRET"):
        yield subject.finding(SAME_CREDENTIAL, "JWT_REFRESH_SECRET")


def _jwt_secret_needed(subject: Subject) -> Iterator[Finding]:
    for name in ("JWT_SECRET", "JWT_REFRESH_SECRET"):
        if not subject.value(name) and subject.runs_before("0.8.8-rc1"):
            yield subject.finding(JWT_SECRET_NEEDED, name)


def _blank_credential(subject: Subject) -> Iterator[Finding]:
    told = {finding.variable for finding in _jwt_secret_needed(subject)}
    for finding in blank_credentials(subject.values):
        if finding.variable not in told:
            yield finding


def _database_missing(subject: Subject) -> Iterator[Finding]:
    if not subject.value("MONGO_URI"):
        yield subject.finding(DATABASE_MISSING, "MONGO_URI")


def _panel_secret(subject: Subject) -> Iterator[Finding]:
    name = "ADMIN_PANEL_SESSION_SECRET"
    has_panel = any(True for _ in subject.deployment.services(PANEL_SERVICE))
    if has_panel and len(subject.value(name)) < SESSION_SECRET_MIN_LENGTH:
        yield subject.finding(PANEL_SECRET, name)


def _bad_duration(subject: Subject) -> Iterator[Finding]:
    for name in _DURATIONS:
        value = subject.value(name)
        # Before 0.7.9 nobody could sign in without SESSION_EXPIRY (LibreChat issue 7731).
        is_needed = name == "SESSION_EXPIRY" and subject.runs_before("0.7.9")
        if (value or is_needed) and not VARIABLES[name].accepts(value):
            yield subject.finding(BAD_DURATION, name)


CHECKS = (
    Check(DATABASE_MISSING, _database_missing),
    Check(JWT_SECRET_NEEDED, _jwt_secret_needed),
    Check(MALFORMED_CREDENTIAL, _malformed_credential),
    Check(HALF_KEY, _half_key),
    Check(PUBLIC_CREDENTIAL, lambda subject: public_credentials(subject.values)),
    Check(SHORT_CREDENTIAL, _short_credential),
    Check(SAME_CREDENTIAL, _same_credential),
    Check(BAD_DURATION, _bad_duration),
    Check(PANEL_SECRET, _panel_secret),
    Check(BLANK_CREDENTIAL, _blank_credential),
)
# Those of `wizard.librechat.setup` are in its own.
RULES = tuple(
    check.rule for check in CHECKS if check.rule not in {PUBLIC_CREDENTIAL, BLANK_CREDENTIAL}
)
