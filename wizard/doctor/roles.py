"""Rules on roles from Auth0: the required one, the admin's, and role sync.

Source: api/strategies/openidStrategy.js and packages/api/src/auth/openidRoleSync.ts
"""

from __future__ import annotations

from collections.abc import Iterator

from wizard.doctor.check import Check, Violation, check, on
from wizard.doctor.subject import Subject
from wizard.language import Message
from wizard.librechat.variables import is_read

_REQUIRED = "OPENID_REQUIRED_ROLE"
_ADMIN = "OPENID_ADMIN_ROLE"
_SYNC = "OPENID_ROLE_SYNC"
_TOKEN_KINDS = frozenset({"access", "id", "userinfo"})
_SET_KIND = Message("Set {name} to access, id or userinfo.")


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


def _is_bad_kind(subject: Subject, name: str) -> bool:
    return subject.bare(name) not in {"", *_TOKEN_KINDS}


def _sources(subject: Subject) -> list[str]:
    return [*_kinds(subject), *([f"{_SYNC}_SOURCE"] if _syncs(subject) else ())]


def _is_opaque(subject: Subject, name: str) -> bool:
    return subject.bare(name) == "access" and not subject.sent_audiences


def _role_sync_broken(subject: Subject) -> Iterator[Violation]:
    api, claim, source = (f"{_SYNC}_{name}" for name in ("API_ENABLED", "CLAIM", "SOURCE"))
    if not _syncs(subject):
        if subject.is_on(api) and is_read(api, subject.version):
            yield Violation(fix=Message("It needs OPENID_ROLE_SYNC_ENABLED=true."), variable=api)
        return
    if not subject.bare(claim):
        yield Violation(fix=Message("Name the claim that holds the roles."), variable=claim)
    if _is_bad_kind(subject, source):
        yield Violation(fix=_SET_KIND, variable=source)
    for name in (f"{_SYNC}_ROLE_PRIORITY", f"{_SYNC}_FALLBACK_ROLE"):
        if "admin" in [role.strip().lower() for role in subject.bare(name).split(",")]:
            yield Violation(fix=Message("Remove ADMIN from {name}."), variable=name)


CHECKS = (
    _incomplete("LA176", _REQUIRED),
    on("LA139", _kinds, _is_bad_kind, fix=_SET_KIND),
    check("LA177", _role_sync_broken),
    on("LA141", _sources, _is_opaque),
    _incomplete("LA140", _ADMIN),
)
