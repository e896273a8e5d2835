"""Rules on LibreChat's own secrets, and on what it needs to start."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wizard.doctor.check import Check, Violation, check, on
from wizard.doctor.sign_in import fresh_session_secret
from wizard.doctor.subject import Subject
from wizard.findings import Finding
from wizard.language import ended, sentences
from wizard.librechat.env_plan import (
    BLANK_CREDENTIAL,
    PUBLIC_CREDENTIAL,
    RANDOM_SECRETS,
    blank_credentials,
    public_credentials,
)
from wizard.librechat.variables import VARIABLES
from wizard.settings import SESSION_SECRET_MIN_LENGTH, is_command, is_placeholder

SIGNING_SECRETS = ("JWT_SECRET", "JWT_REFRESH_SECRET")


def _malformation(subject: Subject, name: str) -> Violation | None:
    value, variable = subject.value(name), VARIABLES[name]
    if not value or variable.accepts(value) or _half_key(subject, name):
        return None
    return Violation(
        "{seen} ({length} characters; it must be {form})",
        length=len(value),
        form=variable.format.value,
    )


def _half_key(subject: Subject, name: str) -> Violation | None:
    is_half = name == "CREDS_KEY" and re.fullmatch(r"[0-9a-fA-F]{32}", subject.value(name))
    return Violation("{seen} (32 digits)") if is_half else None


def _shortness(subject: Subject, name: str) -> Violation | None:
    value = subject.value(name)
    if not value or is_command(value):
        return None
    if is_placeholder(value):
        return Violation("{seen} (a placeholder)")
    is_short = len(value) < SESSION_SECRET_MIN_LENGTH
    return Violation("{seen} ({length} characters)", length=len(value)) if is_short else None


def _is_the_other(subject: Subject, name: str) -> bool:
    value = subject.value(name)
    return bool(value) and value == subject.value("JWT_SECRET") and not is_command(value)


def _needed(subject: Subject) -> list[str]:
    """Return the missing secrets that this LibreChat does not generate."""
    if not subject.runs_before("0.8.8-rc1"):
        return []
    return [name for name in SIGNING_SECRETS if not subject.value(name)]


def _does_not_start(subject: Subject) -> Iterator[Violation]:
    if needed := _needed(subject):
        seen = (ended(subject.seen(name)) for name in needed)
        yield Violation(sentences(subject.setup.this_version, *seen), variable=needed[0])


def _is_short_for_panel(subject: Subject, name: str) -> bool:
    is_short = len(subject.value(name)) < SESSION_SECRET_MIN_LENGTH
    return is_short and subject.deployment.project.has_panel


def _is_bad_duration(subject: Subject, name: str) -> bool:
    value = subject.value(name)
    # Before 0.7.9 nobody could sign in without SESSION_EXPIRY (LibreChat issue 7731).
    is_needed = name == "SESSION_EXPIRY" and subject.runs_before("0.7.9")
    return bool(value or is_needed) and not VARIABLES[name].accepts(value)


def _blank_credential(subject: Subject) -> Iterator[Finding]:
    for finding in blank_credentials(subject.values):
        name = finding.variable or ""
        if name not in _needed(subject):
            yield finding


CHECKS = (
    on("LA167", "MONGO_URI", lambda it, name: not it.value(name)),
    check("LA166", _does_not_start),
    on("LA162", ("CREDS_KEY", "CREDS_IV"), _malformation),
    on("LA163", "CREDS_KEY", _half_key),
    Check(PUBLIC_CREDENTIAL, lambda subject: public_credentials(subject.values)),
    on("LA190", RANDOM_SECRETS, lambda it, name: is_command(it.value(name)), fresh_session_secret),
    on("LA164", SIGNING_SECRETS, _shortness),
    on("LA165", "JWT_REFRESH_SECRET", _is_the_other),
    on("LA169", ("SESSION_EXPIRY", "REFRESH_TOKEN_EXPIRY"), _is_bad_duration),
    on("LA168", "ADMIN_PANEL_SESSION_SECRET", _is_short_for_panel),
    Check(BLANK_CREDENTIAL, _blank_credential),
)
# Those of `wizard.librechat.env_plan` are in its own.
