"""Rules on LibreChat's own secrets, and on what it needs to start."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wizard.doctor.check import Check, Edits
from wizard.doctor.sign_in import fresh_session_secret
from wizard.doctor.subject import Subject
from wizard.findings import Finding
from wizard.language import Message, sentences
from wizard.librechat.env_plan import (
    BLANK_CREDENTIAL,
    PUBLIC_CREDENTIAL,
    RANDOM_SECRETS,
    blank_credentials,
    public_credentials,
)
from wizard.librechat.variables import VARIABLES
from wizard.rules import rule
from wizard.settings import SESSION_SECRET_MIN_LENGTH, is_command, is_placeholder

MALFORMED_CREDENTIAL = rule("LA162")
HALF_KEY = rule("LA163")
SHORT_CREDENTIAL = rule("LA164")
SAME_CREDENTIAL = rule("LA165")
JWT_SECRET_NEEDED = rule("LA166")
DATABASE_MISSING = rule("LA167")
PANEL_SECRET = rule("LA168")
BAD_DURATION = rule("LA169")
NEVER_RUN = rule("LA190")

SIGNING_SECRETS = ("JWT_SECRET", "JWT_REFRESH_SECRET")
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


def _never_run(subject: Subject) -> Iterator[Finding]:
    for name in RANDOM_SECRETS:
        if is_command(subject.value(name)):
            yield subject.finding(NEVER_RUN, name)


def _run(subject: Subject, finding: Finding) -> Edits:
    is_session = finding.variable == "OPENID_SESSION_SECRET"
    return fresh_session_secret(subject, finding) if is_session else {}


def _short_credential(subject: Subject) -> Iterator[Finding]:
    for name in SIGNING_SECRETS:
        value = subject.value(name)
        if not value or is_command(value):
            continue
        seen = subject.seen(name)
        if is_placeholder(value):
            detail = Message("{seen} (a placeholder)", seen=seen)
            yield subject.finding(SHORT_CREDENTIAL, name, detail)
        elif len(value) < SESSION_SECRET_MIN_LENGTH:
            detail = Message("{seen} ({length} characters)", seen=seen, length=len(value))
            yield subject.finding(SHORT_CREDENTIAL, name, detail)


def _same_credential(subject: Subject) -> Iterator[Finding]:
    value = subject.value("JWT_SECRET")
    is_same = value and value == subject.value("JWT_REFRESH_SECRET")
    if is_same and not is_command(value):
        yield subject.finding(SAME_CREDENTIAL, "JWT_REFRESH_SECRET")


def _jwt_secret_needed(subject: Subject) -> Iterator[Finding]:
    for name in SIGNING_SECRETS:
        if not subject.value(name) and subject.runs_before("0.8.8-rc1"):
            detail = sentences(subject.setup.this_version, subject.seen(name))
            yield subject.finding(JWT_SECRET_NEEDED, name, detail)


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
    if (
        subject.deployment.project.has_panel
        and len(subject.value(name)) < SESSION_SECRET_MIN_LENGTH
    ):
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
    Check(NEVER_RUN, _never_run, _run),
    Check(SHORT_CREDENTIAL, _short_credential),
    Check(SAME_CREDENTIAL, _same_credential),
    Check(BAD_DURATION, _bad_duration),
    Check(PANEL_SECRET, _panel_secret),
    Check(BLANK_CREDENTIAL, _blank_credential),
)
# Those of `wizard.librechat.env_plan` are in its own.
