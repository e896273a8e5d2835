"""What our post-login Action does, in Python: tests hold it against the Action's code in Node."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from wizard.auth0.access import USER_ROLE, Who
from wizard.auth0.access_action import STRANGER, UNVERIFIED, ActionSettings


class Verdict(NamedTuple):
    """The Action's decision on one sign-in: a reason to deny it, or the claim's roles."""

    denial: str = ""
    roles: tuple[str, ...] | None = None


def judge_sign_in(
    settings: ActionSettings, client_id: str, email: str, held: Collection[str], *, verified: bool
) -> Verdict:
    """Return what the Action's code does to a sign-in by a user who holds these roles in Auth0.

    Everyone whom it admits has the user's role in the claim, so that LibreChat can require it.
    """
    if client_id != settings.client_id:
        return Verdict()
    is_open = settings.who is Who.ANYBODY
    if not (verified or is_open):
        return Verdict(UNVERIFIED)
    address = email.lower()
    roles = set[str]()
    if verified:
        roles |= {*settings.people.get(address, ())}
        roles |= {role for name, role in settings.roles.items() if name in held}
    if not (roles or is_open or address.rpartition("@")[2] in settings.domains):
        return Verdict(STRANGER)
    return Verdict(roles=tuple(sorted({*roles, USER_ROLE})))
