"""The post-login Action that keeps strangers out and names the roles in the ID token.

Its settings are in the first line, as JSON in a comment, so that the next run finds what this one
did, from any machine.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

from wizard.auth0.access import ADMIN_ROLE, ROLES_CLAIM, USER_ROLE, Policy, Who
from wizard.system.reading import load_json

_MARKER = "// librechat-auth0 access, version 1: "
_BODY = """\
// `librechat-auth0 provision` writes this Action and overwrites changes.
const settings = %(settings)s;
const CLAIM = "%(claim)s";

exports.onExecutePostLogin = async (event, api) => {
  if (event.client.client_id !== settings.client_id) return;
  const isOpen = settings.who === "anybody";
  const verified = event.user.email_verified === true;
  if (!verified && !isOpen) {
    api.access.deny("%(unverified)s");
    return;
  }
  const address = (event.user.email || "").toLowerCase();
  const held = (event.authorization && event.authorization.roles) || [];
  const listed = new Map(Object.entries(settings.people)).get(address) || [];
  const roles = new Set(verified ? listed : []);
  for (const [name, role] of Object.entries(settings.roles)) {
    if (verified && held.includes(name)) roles.add(role);
  }
  const domain = address.slice(address.lastIndexOf("@") + 1);
  if (roles.size === 0 && !isOpen && !settings.domains.includes(domain)) {
    api.access.deny("%(stranger)s");
    return;
  }
  roles.add("%(user)s");
  api.idToken.setCustomClaim(CLAIM, [...roles].sort());
};
"""
UNVERIFIED = "Verify your email address, then sign in again."
STRANGER = "You have no access to this LibreChat. Ask its owner."


class Closed(NamedTuple):
    """The identifiers of the connections that we closed, to open them again later."""

    sign_ups: tuple[str, ...] = ()
    social: tuple[str, ...] = ()


class ActionSettings(NamedTuple):
    """What the Action knows.

    Attributes:
        roles: the role in the claim, by the role's name in Auth0.
        people: the roles of verified addresses in lower case, where Auth0 has no roles for them.
    """

    client_id: str
    who: Who
    domains: tuple[str, ...] = ()
    roles: Mapping[str, str] = {}
    people: Mapping[str, tuple[str, ...]] = {}
    closed: Closed = Closed()


def action_name(client_id: str) -> str:
    """Return the Action's name, one for each application."""
    return f"LibreChat access {client_id}"


def role_name(role: str, client_id: str) -> str:
    """Return a role's name in Auth0, where all applications share the roles."""
    return f"{role} {client_id}"


def roles_of(client_id: str) -> dict[str, str]:
    """Return the roles in the claim by their names in Auth0."""
    return {role_name(role, client_id): role for role in (USER_ROLE, ADMIN_ROLE)}


def settings_to_paste(policy: Policy, client_id: str) -> ActionSettings:
    """Return settings that need no roles in Auth0, for a person with the dashboard."""
    admins = {address.lower() for address in policy.admins}
    people = {address.lower(): _listed(address.lower() in admins) for address in policy.people}
    people |= {address: _listed(is_admin=True) for address in admins}
    return ActionSettings(client_id, policy.who, policy.domains, {}, people)


def action_code(settings: ActionSettings) -> str:
    """Return the Action's code."""
    text = json.dumps({**settings._asdict(), "closed": settings.closed._asdict()}, sort_keys=True)
    body = _BODY % {
        "settings": text,
        "claim": ROLES_CLAIM,
        "user": USER_ROLE,
        "unverified": UNVERIFIED,
        "stranger": STRANGER,
    }
    return f"{_MARKER}{text}\n{body}"


def read_action(code: str) -> ActionSettings | None:
    """Return the settings of our Action, None for another one."""
    first = code.split("\n", 1)[0].rstrip("\r")
    if not first.startswith(_MARKER):
        return None
    try:
        said = load_json(first.removeprefix(_MARKER))
        closed = said["closed"]
        return ActionSettings(
            str(said["client_id"]),
            Who(said["who"]),
            tuple(map(str, said["domains"])),
            {str(name): str(role) for name, role in said["roles"].items()},
            {str(address): tuple(map(str, roles)) for address, roles in said["people"].items()},
            Closed(*(tuple(map(str, closed[name])) for name in Closed._fields)),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _listed(is_admin: bool) -> tuple[str, ...]:
    return (USER_ROLE, ADMIN_ROLE) if is_admin else (USER_ROLE,)
