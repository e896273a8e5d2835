"""Rules on roles from Auth0: the required one, the admin's, and role sync.

Source: api/strategies/openidStrategy.js and packages/api/src/auth/openidRoleSync.ts
"""

from __future__ import annotations

from collections.abc import Iterator

from wizard.doctor.check import Check, on
from wizard.doctor.subject import Subject
from wizard.findings import Finding
from wizard.language import Message
from wizard.librechat.variables import is_read
from wizard.rules import rule

BAD_TOKEN_KIND = rule("LA139")
ROLE_IN_OPAQUE_TOKEN = rule("LA141")
ROLE_SYNC_BROKEN = rule("LA177")

_REQUIRED = "OPENID_REQUIRED_ROLE"
_ADMIN = "OPENID_ADMIN_ROLE"
_SYNC = "OPENID_ROLE_SYNC"
_TOKEN_KINDS = frozenset({"access", "id", "userinfo"})


def _missing(role: str, subject: Subject) -> list[str]:
    """The variables that are missing to find the role; none if no role is required."""
    if not subject.bare(role) or not is_read(role, subject.version):
        return []
    return [name for name in _places(role) if not subject.bare(name)]


def _places(role: str) -> tuple[str, str]:
    return f"{role}_PARAMETER_PATH", f"{role}_TOKEN_KIND"


def _incomplete(identifier: str, role: str) -> Check:
    return on(identifier, _places(role), lambda it, name: name in _missing(role, it))


def _kinds(subject: Subject) -> Iterator[str]:
    """The variables that name the token of each role that LibreChat looks for."""
    # LibreChat looks for the admin's role only if all three variables are set.
    for role in (_REQUIRED, _ADMIN):
        is_asked = subject.bare(role) and is_read(role, subject.version)
        if is_asked and not (role == _ADMIN and _missing(role, subject)):
            yield f"{role}_TOKEN_KIND"


def _syncs(subject: Subject) -> bool:
    name = f"{_SYNC}_ENABLED"
    return subject.is_on(name) and is_read(name, subject.version)


def _bad_token_kind(subject: Subject) -> Iterator[Finding]:
    for name in _kinds(subject):
        if subject.bare(name) and subject.bare(name) not in _TOKEN_KINDS:
            fix = Message("Set {name} to access, id or userinfo.", name=name)
            yield subject.finding(BAD_TOKEN_KIND, name, fix=fix)


def _role_in_opaque_token(subject: Subject) -> Iterator[Finding]:
    if subject.sent_audiences:
        return
    names = [*_kinds(subject), *([f"{_SYNC}_SOURCE"] if _syncs(subject) else ())]
    for name in names:
        if subject.bare(name) == "access":
            yield subject.finding(ROLE_IN_OPAQUE_TOKEN, name)


def _role_sync_broken(subject: Subject) -> Iterator[Finding]:
    api = f"{_SYNC}_API_ENABLED"
    if not _syncs(subject):
        if subject.is_on(api) and is_read(api, subject.version):
            yield _sync_finding(subject, api, Message("It needs OPENID_ROLE_SYNC_ENABLED=true."))
        return
    if not subject.bare(f"{_SYNC}_CLAIM"):
        name = f"{_SYNC}_CLAIM"
        yield _sync_finding(subject, name, Message("Name the claim that holds the roles."))
    if subject.bare(f"{_SYNC}_SOURCE") not in {"", *_TOKEN_KINDS}:
        name = f"{_SYNC}_SOURCE"
        fix = Message("Set {name} to access, id or userinfo.", name=name)
        yield _sync_finding(subject, name, fix)
    for name in (f"{_SYNC}_ROLE_PRIORITY", f"{_SYNC}_FALLBACK_ROLE"):
        roles = [role.strip().lower() for role in subject.bare(name).split(",")]
        if "admin" in roles:
            yield _sync_finding(subject, name, Message("Remove ADMIN from {name}.", name=name))


def _sync_finding(subject: Subject, name: str, fix: Message) -> Finding:
    return subject.finding(ROLE_SYNC_BROKEN, name, fix=fix)


CHECKS = (
    _incomplete("LA176", _REQUIRED),
    Check(BAD_TOKEN_KIND, _bad_token_kind),
    Check(ROLE_SYNC_BROKEN, _role_sync_broken),
    Check(ROLE_IN_OPAQUE_TOKEN, _role_in_opaque_token),
    _incomplete("LA140", _ADMIN),
)
