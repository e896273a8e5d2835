"""Reads and changes who may sign in, by the Management API."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from wizard.auth0.access import Policy
from wizard.auth0.access_action import action_name, read_action, roles_of
from wizard.auth0.access_plan import (
    AccessState,
    Binding,
    Member,
    TenantAction,
    TenantConnection,
    TenantRole,
    TenantUser,
    own_database_name,
)
from wizard.auth0.doors import CREATES_USERS, DATABASE
from wizard.auth0.management_access import Access, lacks_scopes
from wizard.auth0.management_calls import Answer, Calls, Json, segment
from wizard.auth0.management_plan import PlannedChange
from wizard.clock import Clock
from wizard.rules import rule

BUILD_FAILED = rule("LA631")
NOT_ONLY_THIS = rule("LA632")

READ_SCOPES = frozenset(
    {"read:clients", "read:connections", "read:connections_options", "read:actions"}
)
USER_SCOPES = frozenset({"read:roles", "read:users"})
# The scopes of each row, by its field.
# Source: https://auth0.com/docs/api/management/v2, and auth0-python's reference.md
WRITE_SCOPES: Mapping[str, frozenset[str]] = {
    "sign_ups": frozenset({"update:connections", "update:connections_options"}),
    "connection": frozenset({"update:connections"}),
    "own_database": frozenset({"create:connections", "update:connections"}),
    "role": frozenset({"create:roles"}),
    "user": frozenset({"create:users", "create:user_tickets"}),
    "action": frozenset({"create:actions", "update:actions"}),
    "binding": frozenset({"update:actions"}),
    "role_removal": frozenset({"delete:roles"}),
    "action_removal": frozenset({"delete:actions"}),
}
# How we know a user that we created: only the Management API writes it.
_INVITED = "invited_by_librechat_auth0"
_BUILD_SECONDS = 1.0
_MOST_LOOKS = 60
_TRIGGER = "actions/triggers/post-login/bindings"

Invited = Callable[[str, str], None]


def access_scopes(changes: Iterable[PlannedChange]) -> frozenset[str]:
    """Return the scopes that applying the changes needs."""
    needed = set[str]()
    for change in changes:
        if change.field == "member":
            verb = "create" if change.added else "delete"
            needed |= {"update:users", f"{verb}:role_members"}
        else:
            needed |= WRITE_SCOPES[change.field]
    return frozenset(needed)


@dataclass(frozen=True, slots=True)
class AccessApi:
    """Who may sign in to one application; a request that fails raises `Failure`.

    `invited` is called with the address and the link of each user that is created.
    """

    access: Access
    clock: Clock
    client_id: str
    invited: Invited

    def read(self, policy: Policy | None) -> AccessState:
        """Return the state that the policy is planned from."""
        named = (*policy.people, *policy.admins) if policy else ()
        self.access.require(READ_SCOPES | (USER_SCOPES if named or not policy else set()))
        calls = Calls(self.access, self.clock)
        action, count = _action(calls, self.client_id)
        settings = read_action(action.code) if action else None
        recorded = [*settings.closed.sign_ups, *settings.closed.social] if settings else []
        sees_roles = bool(named) or policy is None or settings is not None
        if sees_roles:
            self.access.require(USER_SCOPES)
        return AccessState(
            self.client_id,
            tuple(_connections(calls, self.client_id, recorded)),
            _roles(calls, self.client_id) if sees_roles else {},
            {address.lower(): _users(calls, address) for address in named},
            action,
            tuple(_bindings(calls)),
            count,
        )

    def apply(self, change: PlannedChange, state: AccessState) -> None:
        """Make one change."""
        calls = Calls(self.access, self.clock)
        value = change.value
        match change.field:
            case "role":
                about = "Managed by librechat-auth0."
                calls.send("POST", "roles", {"name": value, "description": about})
            case "own_database":
                self._switch(calls, _own_database(calls, str(value)), on=True)
            case "user" if isinstance(value, tuple):
                self._invite(calls, value, state)
            case "member" if isinstance(value, Member):
                _change_member(calls, value, state)
            case "action":
                _deploy(calls, self.client_id, str(value))
            case "binding":
                _bind(calls, self.client_id, bound=bool(value))
            case "sign_ups" | "connection" if isinstance(value, tuple):
                switch = _switch_sign_ups if change.field == "sign_ups" else self._switch
                switch(calls, *value)
            case "role_removal":
                calls.send("DELETE", f"roles/{segment(state.roles[str(value)].id)}")
            case "action_removal" if state.action is not None:
                calls.send("DELETE", f"actions/actions/{segment(state.action.id)}")

    def _switch(self, calls: Calls, connection: str, on: bool) -> None:
        body = [{"client_id": self.client_id, "status": on}]
        calls.send("PATCH", f"connections/{segment(connection)}/clients", body)

    def _invite(self, calls: Calls, wanted: tuple[str, str], state: AccessState) -> None:
        """Create the user if needed, and a link that sets the password and verifies the address."""
        address, database = wanted
        known = next(iter(state.identities(address)), None)
        if known is not None:
            user_id = known.id
        else:
            user = {
                "connection": database,
                "email": address,
                "password": f"{secrets.token_urlsafe(32)}aA1!",
                "email_verified": False,
                "verify_email": False,
                "app_metadata": {_INVITED: True},
            }
            user_id = calls.send("POST", "users", user).needed("user_id")
        ticket = {"user_id": user_id, "mark_email_as_verified": True}
        self.invited(
            address, calls.send("POST", "tickets/password-change", ticket).needed("ticket")
        )


def _action(calls: Calls, client_id: str) -> tuple[TenantAction | None, int]:
    """Return the Action of our name, whose it ever is, and the number of all Actions."""
    found = [*calls.pages("actions/actions", "actions")]
    name = action_name(client_id)
    one = next((it.needed("id") for it in found if it.string("name") == name), None)
    if one is None:
        return None, len(found)
    whole = calls.get(f"actions/actions/{segment(one)}")
    is_deployed = whole.value("all_changes_deployed", bool) is True
    return TenantAction(whole.needed("id"), whole.string("code"), is_deployed), len(found)


def _bindings(calls: Calls) -> Iterator[Binding]:
    for it in calls.pages(_TRIGGER, "bindings"):
        if action := it.object("action"):
            yield Binding(action.needed("id"), it.string("display_name"))


def _connections(
    calls: Calls, client_id: str, recorded: Iterable[str]
) -> Iterator[TenantConnection]:
    path = f"clients/{segment(client_id)}/connections"
    enabled = {it.needed("id"): it for it in calls.chain(path, "connections")}
    for known in dict.fromkeys((*enabled, *recorded)):
        listed = enabled.get(known)
        if listed and listed.string("strategy") not in CREATES_USERS:
            yield TenantConnection(known, listed.needed("name"), listed.string("strategy"), True)
        elif found := calls.find(f"connections/{segment(known)}"):
            name, strategy = found.needed("name"), found.string("strategy")
            options: Json = {}
            others: tuple[str, ...] = ()
            if strategy in CREATES_USERS:
                options = _options(found)
                others = tuple(_others(calls, known, client_id))
            yield TenantConnection(known, name, strategy, listed is not None, options, others)


def _options(connection: Answer) -> Json:
    if options := connection.object("options"):
        return options.said
    raise lacks_scopes("read:connections_options")  # without it Auth0 leaves them out


def _others(calls: Calls, connection: str, client_id: str) -> Iterator[str]:
    """Yield the names of the other applications that users sign in to with the connection."""
    for it in calls.chain(f"connections/{segment(connection)}/clients", "clients"):
        other = it.needed("client_id")
        if other != client_id:
            fields = "client_id,name,app_type"
            application = calls.get(f"clients/{segment(other)}", fields=fields)
            if application.string("app_type") != "non_interactive":
                yield application.string("name") or other


def _roles(calls: Calls, client_id: str) -> dict[str, TenantRole]:
    names = roles_of(client_id)
    found = {}
    for it in calls.all("roles", "roles", name_filter=client_id):
        if (name := it.string("name")) in names:
            role = it.needed("id")
            users = calls.all(f"roles/{segment(role)}/users", "users")
            members = {user.needed("user_id"): user.string("email") for user in users}
            found[name] = TenantRole(role, members)
    return found


def _users(calls: Calls, address: str) -> tuple[TenantUser, ...]:
    """Return the users of an address; Auth0 compares it exactly, so it is asked for both ways."""
    found = {}
    for spelling in dict.fromkeys((address, address.lower())):
        for it in calls.get("users-by-email", email=spelling).objects("items"):
            ours = it.object("app_metadata")
            found[it.needed("user_id")] = TenantUser(
                it.needed("user_id"),
                it.string("email"),
                it.value("email_verified", bool) is True,
                ours is not None and ours.said.get(_INVITED) is True,
                tuple(each.string("connection") for each in it.objects("identities")),
            )
    return tuple(found.values())


def _own_database(calls: Calls, name: str) -> str:
    """Return the ID of LibreChat's own connection, created without sign-ups if it is missing."""
    found = calls.chain("connections", "connections", strategy=DATABASE, name=name)
    if known := next((it.needed("id") for it in found if it.string("name") == name), ""):
        return known
    body = {"name": name, "strategy": DATABASE, "options": {"disable_signup": True}}
    return calls.send("POST", "connections", body).needed("id")


def _change_member(calls: Calls, member: Member, state: AccessState) -> None:
    role = _roles(calls, state.client_id)[member.role]
    if member.user_id:
        _change_roles(calls, "DELETE", member.user_id, role.id)
        return
    created = own_database_name(state.client_id)
    enabled = {created, *(it.name for it in state.connections if it.enabled)}
    for user in _users(calls, member.address):
        is_sure = (user.verified or user.invited) and enabled & {*user.connections}
        if is_sure and user.id not in role.members:
            _change_roles(calls, "POST", user.id, role.id)


def _change_roles(calls: Calls, method: str, user: str, role: str) -> None:
    calls.send(method, f"users/{segment(user)}/roles", {"roles": [role]})


def _deploy(calls: Calls, client_id: str, code: str) -> None:
    """Create or update the Action, wait for its build, and deploy it."""
    known, _ = _action(calls, client_id)
    name = action_name(client_id)
    if known is None:
        body: dict[str, object] = {
            "name": name,
            "supported_triggers": [{"id": "post-login", "version": "v3"}],
            "runtime": "node22",
            "code": code,
        }
        action = calls.send("POST", "actions/actions", body).needed("id")
    else:
        action = known.id
        if known.code != code:
            calls.send("PATCH", f"actions/actions/{segment(action)}", {"code": code})
    path = f"actions/actions/{segment(action)}"
    _wait_until(calls, path, name, lambda it: it.string("status") == "built")
    calls.send("POST", f"{path}/deploy")
    _wait_until(calls, path, name, lambda it: it.value("all_changes_deployed", bool) is True)


def _wait_until(calls: Calls, path: str, name: str, is_done: Callable[[Answer], bool]) -> None:
    for _ in range(_MOST_LOOKS):
        answer = calls.get(path)
        if is_done(answer):
            return
        if answer.string("status") == "failed":
            break
        calls.clock.sleep(_BUILD_SECONDS)
    raise BUILD_FAILED.failure(f"{name}.")


def _bind(calls: Calls, client_id: str, *, bound: bool) -> None:
    """Send the whole list, which replaces the flow, with ours at its end or without it."""
    action, _ = _action(calls, client_id)
    if action is None:
        return
    kept = [it for it in _bindings(calls) if it.action_id != action.id]
    ours = [Binding(action.id, action_name(client_id))] if bound else []
    body = [
        {"ref": {"type": "action_id", "value": it.action_id}, "display_name": it.display_name}
        for it in (*kept, *ours)
    ]
    calls.send("PATCH", _TRIGGER, {"bindings": body})
    if [*_bindings(calls)] != [*kept, *ours]:
        raise NOT_ONLY_THIS.failure("Triggers → post-login.")


def _switch_sign_ups(calls: Calls, connection: str, on: bool) -> None:
    """Send all options with one changed: a PATCH replaces them, and resets what it leaves out."""
    path = f"connections/{segment(connection)}"
    before = calls.get(path)
    kept = {name: before.said[name] for name in ("display_name", "realms") if name in before.said}
    wanted = {**kept, "options": {**_options(before), "disable_signup": not on}}
    calls.send("PATCH", path, wanted)
    after = calls.get(path).said
    if any(after.get(name) != value for name, value in wanted.items()):
        raise NOT_ONLY_THIS.failure(f"{before.string('name')}.")
