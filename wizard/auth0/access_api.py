"""Reads what decides who may sign in, and changes it, by the Management API."""

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from wizard.auth0.access import Policy, Who
from wizard.auth0.access_action import ActionSettings, Closed, action_name, read_action, roles_of
from wizard.auth0.doors import CREATES_USERS, DATABASE
from wizard.auth0.management_access import lacks_scopes
from wizard.auth0.management_calls import NOTHING, Answer, Calls, Json, segment
from wizard.rules import rule

BUILD_FAILED = rule("LA631")
NOT_ONLY_THIS = rule("LA632")

READ_SCOPES = frozenset(
    {"read:clients", "read:connections", "read:connections_options", "read:actions"}
)
USER_SCOPES = frozenset({"read:roles", "read:users"})
# How we know a user that we created: only the Management API writes it.
_INVITED = "invited_by_librechat_auth0"
_BUILD_SECONDS = 1.0
_MOST_LOOKS = 60
_TRIGGER = "actions/triggers/post-login/bindings"


class TenantConnection(NamedTuple):
    """A connection; `others` are the other applications whose users sign in with it."""

    id: str
    name: str
    strategy: str
    enabled: bool
    options: Mapping[str, object] = {}
    others: tuple[str, ...] = ()

    @property
    def has_sign_ups(self) -> bool:
        """Whether strangers can create an account in it."""
        return self.strategy in CREATES_USERS and self.options.get("disable_signup") is not True

    @property
    def is_shared(self) -> bool:
        """Whether strangers can create an account in it and other applications use it."""
        return self.enabled and self.has_sign_ups and not self.is_custom and bool(self.others)

    @property
    def is_custom(self) -> bool:
        """Whether its users are in an external database."""
        own = ("customScripts", "configuration", "enabledDatabaseCustomization", "import_mode")
        return any(self.options.get(name) for name in own)

    @property
    def needs_more(self) -> bool:
        """Whether a user in it needs more than an email address: a username or a phone number.

        Source: auth0-python, ConnectionAttributes.
        """
        said = self.options.get("attributes")
        attributes = Answer(said if isinstance(said, dict) else {})
        others = (attributes.object(name) for name in ("username", "phone_number"))
        return self.options.get("requires_username") is True or any(
            it.value("profile_required", bool)
            or (it.object("signup") or NOTHING).string("status") == "required"
            for it in others
            if it
        )


class TenantUser(NamedTuple):
    """A user; `invited` if this program created it, so that nobody knows its password."""

    id: str
    email: str
    verified: bool
    invited: bool
    connections: tuple[str, ...]


class TenantRole(NamedTuple):
    """A role and the email addresses of its members by user ID."""

    id: str
    members: Mapping[str, str] = {}


class TenantAction(NamedTuple):
    """An Action; `deployed` is false if its code is newer than what runs."""

    id: str
    code: str
    deployed: bool


class Binding(NamedTuple):
    """An Action in the post-login flow."""

    action_id: str
    display_name: str


class AccessState(NamedTuple):
    """What decides who may sign in to one application; users by address in lower case."""

    client_id: str
    connections: tuple[TenantConnection, ...] = ()
    roles: Mapping[str, TenantRole] = {}
    users: Mapping[str, tuple[TenantUser, ...]] = {}
    action: TenantAction | None = None
    bindings: tuple[Binding, ...] = ()
    action_count: int = 0

    @property
    def settings(self) -> ActionSettings | None:
        """The settings of our Action."""
        return read_action(self.action.code) if self.action else None

    @property
    def closed(self) -> Closed:
        """The connections that we closed."""
        return self.settings.closed if self.settings else Closed()

    @property
    def enabled(self) -> set[str]:
        """The names of the connections that users sign in with."""
        return {it.name for it in self.connections if it.enabled}

    @property
    def is_bound(self) -> bool:
        """Whether our Action is in the post-login flow."""
        known = self.action.id if self.action else None
        return any(it.action_id == known for it in self.bindings)

    @property
    def own_database(self) -> TenantConnection | None:
        """LibreChat's own database connection, if it is enabled."""
        name = own_database_name(self.client_id)
        return next((it for it in self.connections if it.enabled and it.name == name), None)

    def identities(self, address: str) -> list[TenantUser]:
        """Return the users whom this address surely belongs to, and who can sign in."""
        return _sure(self.users.get(address.lower(), ()), self.enabled)


def _sure(users: Iterable[TenantUser], connections: set[str]) -> list[TenantUser]:
    """Return those whom their address surely belongs to, and who can sign in with these."""
    return [it for it in users if (it.verified or it.invited) and connections & {*it.connections}]


def own_database_name(client_id: str) -> str:
    """Return the name of LibreChat's own database connection: letters, digits and hyphens."""
    return f"librechat-{re.sub(r'[^A-Za-z0-9]', '', client_id)}"


# The address and the link of an invitation, which sets the password of a new user.
Call = Callable[..., tuple[str, str] | None]


class Kind(NamedTuple):
    """A kind of change: its name in `--json`, the scopes that it needs, and its call."""

    field: str
    scopes: frozenset[str]
    call: Call


def _kind(field: str, *scopes: str) -> Callable[[Call], Kind]:
    return partial(Kind, field, frozenset(scopes))


def read_access(calls: Calls, client_id: str, policy: Policy) -> AccessState:
    """Return the state that the policy is planned from; a request that fails raises `Failure`."""
    sees_roles = bool(policy.named) or policy.who is Who.UNDECIDED
    calls.access.require(READ_SCOPES | (USER_SCOPES if sees_roles else set()))
    action, count = _action(calls, client_id)
    settings = read_action(action.code) if action else None
    recorded = [*settings.closed.sign_ups, *settings.closed.social] if settings else []
    if settings is not None:
        sees_roles = True
        calls.access.require(USER_SCOPES)
    return AccessState(
        client_id,
        tuple(_connections(calls, client_id, recorded)),
        _roles(calls, client_id) if sees_roles else {},
        {address.lower(): _users(calls, address) for address in policy.named},
        action,
        tuple(_bindings(calls)),
        count,
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


@_kind("role", "create:roles")
def create_role(calls: Calls, _: AccessState, name: str) -> None:
    """Create a role."""
    calls.send("POST", "roles", {"name": name, "description": "Managed by librechat-auth0."})


@_kind("role_removal", "delete:roles")
def delete_role(calls: Calls, state: AccessState, name: str) -> None:
    """Delete a role."""
    calls.send("DELETE", f"roles/{segment(state.roles[name].id)}")


@_kind("own_database", "create:connections", "update:connections")
def open_own_database(calls: Calls, state: AccessState, name: str) -> None:
    """Enable LibreChat's own connection, created without sign-ups if it is missing."""
    found = calls.chain("connections", "connections", strategy=DATABASE, name=name)
    known = next((it.needed("id") for it in found if it.string("name") == name), "")
    if not known:
        body = {"name": name, "strategy": DATABASE, "options": {"disable_signup": True}}
        known = calls.send("POST", "connections", body).needed("id")
    switch_connection.call(calls, state, known, True)


@_kind("connection", "update:connections")
def switch_connection(calls: Calls, state: AccessState, connection: str, on: bool) -> None:
    """Enable the connection for the application, or disable it."""
    body = [{"client_id": state.client_id, "status": on}]
    calls.send("PATCH", f"connections/{segment(connection)}/clients", body)


@_kind("sign_ups", "update:connections", "update:connections_options")
def switch_sign_ups(calls: Calls, _: AccessState, connection: str, on: bool) -> None:
    """Send all options with one changed: a PATCH replaces them, and resets what it leaves out."""
    path = f"connections/{segment(connection)}"
    before = calls.get(path)
    kept = {name: before.said[name] for name in ("display_name", "realms") if name in before.said}
    wanted = {**kept, "options": {**_options(before), "disable_signup": not on}}
    calls.send("PATCH", path, wanted)
    if not _shows(calls.get(path).said, wanted):
        raise NOT_ONLY_THIS.failure(f"{before.string('name')}.")


def _shows(answer: object, sent: object) -> bool:
    """Return whether the answer has what was sent; Auth0 adds defaults to objects that it gets.

    Source: recordings of terraform-provider-auth0, `authentication_methods` of a connection.
    """
    if isinstance(answer, Mapping) and isinstance(sent, Mapping):
        return all(name in answer and _shows(answer[name], it) for name, it in sent.items())
    return answer == sent


@_kind("user", "create:users", "create:user_tickets")
def invite(calls: Calls, state: AccessState, address: str, database: str) -> tuple[str, str]:
    """Create the user if there is none, and return an invitation."""
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
    return address, calls.send("POST", "tickets/password-change", ticket).needed("ticket")


@_kind("member", "update:users", "create:role_members")
def add_member(calls: Calls, state: AccessState, role: str, address: str) -> None:
    """Give the role to the users whom the address surely belongs to."""
    known = _roles(calls, state.client_id)[role]
    created = own_database_name(state.client_id)
    for user in _sure(_users(calls, address), {created, *state.enabled}):
        if user.id not in known.members:
            calls.send("POST", f"users/{segment(user.id)}/roles", {"roles": [known.id]})


@_kind("member", "update:users", "delete:role_members")
def remove_member(calls: Calls, state: AccessState, role: str, user: str) -> None:
    """Take the role from the user."""
    body = {"roles": [state.roles[role].id]}
    calls.send("DELETE", f"users/{segment(user)}/roles", body)


@_kind("action", "create:actions", "update:actions")
def deploy(calls: Calls, state: AccessState, code: str) -> None:
    """Create or update the Action, wait for its build, and deploy it."""
    known, name, path = state.action, action_name(state.client_id), "actions/actions/"
    if known is None:
        body: dict[str, object] = {
            "name": name,
            "supported_triggers": [{"id": "post-login", "version": "v3"}],
            "runtime": "node22",
            "code": code,
        }
        path += segment(calls.send("POST", "actions/actions", body).needed("id"))
    else:
        path += segment(known.id)
        if known.code != code:
            calls.send("PATCH", path, {"code": code})
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


@_kind("action_removal", "delete:actions")
def delete_action(calls: Calls, _: AccessState, action: str) -> None:
    """Delete the Action."""
    calls.send("DELETE", f"actions/actions/{segment(action)}")


@_kind("binding", "update:actions")
def bind(calls: Calls, state: AccessState, bound: bool) -> None:
    """Send the whole list, which replaces the flow, with ours at its end or without it."""
    action, _ = _action(calls, state.client_id)
    if action is None:
        return
    kept = [it for it in _bindings(calls) if it.action_id != action.id]
    ours = [Binding(action.id, action_name(state.client_id))] if bound else []
    body = [
        {"ref": {"type": "action_id", "value": it.action_id}, "display_name": it.display_name}
        for it in (*kept, *ours)
    ]
    calls.send("PATCH", _TRIGGER, {"bindings": body})
    if [*_bindings(calls)] != [*kept, *ours]:
        raise NOT_ONLY_THIS.failure("Triggers → post-login.")
