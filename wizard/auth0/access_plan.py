"""Plans the changes that let only the wanted people sign in. Pure.

The Action is deployed and bound before a connection is closed: its settings record what was open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from wizard.auth0.access import ADMIN_ROLE, USER_ROLE, Policy, Who
from wizard.auth0.access_action import (
    ActionSettings,
    Closed,
    action_code,
    action_name,
    read_action,
    role_name,
    roles_of,
)
from wizard.auth0.doors import DATABASE, PASSWORDLESS, is_social
from wizard.auth0.management_plan import Part, PlannedChange
from wizard.findings import Finding
from wizard.language import Message
from wizard.rules import rule

SOMEBODY_ELSES_ACTION = rule("LA624")
NO_ROOM = rule("LA625")
UNVERIFIED_USER = rule("LA626")
SHARED_CONNECTION = rule("LA627")
CUSTOM_DATABASE = rule("LA628")
SOCIAL_IN_USE = rule("LA629")
NO_DATABASE = rule("LA630")
OWN_DATABASE_STAYS = rule("LA644")

# Source: https://auth0.com/docs/customize/actions/limitations
MOST_ACTIONS = 100
MOST_BINDINGS = 20


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
        created = self.strategy in {DATABASE, *PASSWORDLESS}
        return created and self.options.get("disable_signup") is not True

    @property
    def is_shared(self) -> bool:
        """Whether strangers can create an account in it that other applications use, too."""
        return self.enabled and self.has_sign_ups and not self.is_custom and bool(self.others)

    @property
    def is_custom(self) -> bool:
        """Whether its users are in somebody's own database."""
        own = ("customScripts", "configuration", "enabledDatabaseCustomization", "import_mode")
        return any(self.options.get(name) for name in own)


class TenantUser(NamedTuple):
    """A user; `invited` by us, and nobody else knows its password."""

    id: str
    email: str
    verified: bool
    invited: bool
    connections: tuple[str, ...]


class TenantRole(NamedTuple):
    """A role and the e-mail addresses of its members by user ID."""

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
    def is_bound(self) -> bool:
        """Whether our Action is in the post-login flow."""
        return self.action is not None and any(
            it.action_id == self.action.id for it in self.bindings
        )

    @property
    def own_database(self) -> TenantConnection | None:
        """LibreChat's own database connection, if it is enabled."""
        name = own_database_name(self.client_id)
        return next((it for it in self.connections if it.enabled and it.name == name), None)

    def identities(self, address: str) -> list[TenantUser]:
        """Return the users whom this address surely belongs to, and who can sign in."""
        enabled = {it.name for it in self.connections if it.enabled}
        return [
            user
            for user in self.users.get(address.lower(), ())
            if (user.verified or user.invited) and enabled & {*user.connections}
        ]


class WantedAccess(NamedTuple):
    """Whom to let in; no policy takes back all that we changed."""

    policy: Policy | None
    closes_shared: bool = False


class Member(NamedTuple):
    """A person to give a role to, or a user to take it from."""

    role: str
    address: str = ""
    user_id: str = ""


def plan_access(state: AccessState, wanted: WantedAccess) -> tuple[PlannedChange, ...]:
    """Return the changes in the order of applying.

    Raises:
        Failure: something that is not ours is in the way.
    """
    _refuse_what_is_in_the_way(state, wanted)
    settings = wanted_settings(state, wanted)
    before = state.settings.closed if state.settings else Closed()
    kept = settings.closed if settings else Closed()
    reopened = [*_switches(state, before, kept, opens=True), *_own_sign_ups(state, wanted)]
    if wanted.policy is None:
        return (*reopened, *_removal(state))
    if settings is None:
        return ()
    closing = _switches(state, kept, Closed(), opens=False)
    return (
        *reopened,
        *_own_database(state, wanted),
        *_roles(state, wanted.policy),
        *_users(state, wanted),
        *_members(state, wanted.policy),
        *_action(state, settings),
        *(() if wanted.policy.who is Who.UNCHANGED else closing),
    )


def access_remarks(state: AccessState, wanted: WantedAccess) -> Iterator[Finding]:
    """Yield what stays open, and why."""
    own = state.own_database
    if wanted.policy is None and own is not None:
        yield OWN_DATABASE_STAYS.finding(f"{own.name}.")
    if wanted.policy is None or wanted.policy.who is not Who.PEOPLE:
        return
    for it in state.connections:
        users = ", ".join(_users_of(state, it.name, wanted.policy))
        if it.enabled and it.has_sign_ups and it.is_custom:
            yield CUSTOM_DATABASE.finding(f"{it.name}.")
        elif it.is_shared and users and not wanted.closes_shared:
            yield SHARED_CONNECTION.finding(
                Message(
                    "{connection}: {people} sign in with it, and so do the users of {names}.",
                    connection=it.name,
                    people=users,
                    names=", ".join(it.others),
                )
            )
        elif it.enabled and is_social(it.strategy) and users:
            yield SOCIAL_IN_USE.finding(f"{it.name}: {users}.")


def wanted_settings(state: AccessState, wanted: WantedAccess) -> ActionSettings | None:
    """Return what the Action must know; None if none is needed."""
    policy, before = wanted.policy, state.settings
    if policy is None:
        return None
    closed = before.closed if before else Closed()
    who, domains, people = policy.who, policy.domains, {}
    if who is Who.UNCHANGED:
        who, domains = (before.who, before.domains) if before else (Who.ANYBODY, ())
        people = dict(before.people) if before else {}
    elif who is Who.PEOPLE:
        closed = _merged(closed, _to_close(state, wanted))
    else:
        closed = Closed(social=tuple(_replaced(state)))
    if who is Who.ANYBODY and before is None and not policy.admins:
        return None
    return ActionSettings(state.client_id, who, domains, roles_of(state.client_id), people, closed)


def _to_close(state: AccessState, wanted: WantedAccess) -> Closed:
    sign_ups, disabled = [], []
    for it in state.connections:
        is_left = it.is_shared and not wanted.closes_shared
        if it.enabled and it.has_sign_ups and not it.is_custom and not is_left:
            sign_ups.append(it.id)
        elif (
            it.enabled
            and (is_left or is_social(it.strategy))
            and not _users_of(state, it.name, wanted.policy)
        ):
            disabled.append(it.id)
    return Closed(tuple(sign_ups), tuple(disabled))


def _replaced(state: AccessState) -> Iterator[str]:
    """Yield the recorded databases that LibreChat's own replaces.

    Auth0's sign-in page uses one database only, so they stay disabled as long as it has users.
    Source: https://community.auth0.com/t/new-univeral-login-with-multiple-connections/131665
    """
    recorded = state.settings.closed.social if state.settings else ()
    for it in state.connections:
        if state.own_database and it.id in recorded and it.strategy == DATABASE:
            yield it.id


def _merged(before: Closed, more: Closed) -> Closed:
    return Closed(*(tuple(dict.fromkeys((*a, *b))) for a, b in zip(before, more, strict=True)))


def _users_of(state: AccessState, connection: str, policy: Policy | None) -> list[str]:
    """Return the named people who sign in with this connection."""
    people = (*policy.people, *policy.admins) if policy else ()
    found = (user for address in people for user in state.identities(address))
    return list(dict.fromkeys(user.email for user in found if connection in user.connections))


def _refuse_what_is_in_the_way(state: AccessState, wanted: WantedAccess) -> None:
    name = action_name(state.client_id)
    if state.action is not None and state.settings is None:
        raise SOMEBODY_ELSES_ACTION.failure(f"{name}.")
    policy = wanted.policy
    if policy is None or wanted_settings(state, wanted) is None:
        return
    if not state.is_bound and len(state.bindings) >= MOST_BINDINGS:
        raise NO_ROOM.failure(Message("{count} Actions are in the flow.", count=MOST_BINDINGS))
    if state.action is None and state.action_count >= MOST_ACTIONS:
        raise NO_ROOM.failure(Message("The tenant has {count} Actions.", count=MOST_ACTIONS))
    for address in _named(policy):
        if state.identities(address):
            continue
        staying = {it.name for it in _staying(state, wanted)}
        users = state.users.get(address.lower(), ())
        if found := [it for it in users if not it.verified and staying & {*it.connections}]:
            where = ", ".join(found[0].connections)
            raise UNVERIFIED_USER.failure(f"{address} ({where}).")
        if not database_for_users(state, wanted):
            raise NO_DATABASE.failure(f"{address}.")


def _named(policy: Policy) -> tuple[str, ...]:
    people = {address.lower(): address for address in (*policy.admins, *policy.people)}
    return tuple(people.values())


def own_database_name(client_id: str) -> str:
    """Return the name of LibreChat's own database connection: letters, digits and hyphens."""
    return f"librechat-{re.sub(r'[^A-Za-z0-9]', '', client_id)}"


def database_for_users(state: AccessState, wanted: WantedAccess) -> str:
    """Return the name of the connection in which new users are created, "" for none.

    Where a shared one is to be disabled, that is LibreChat's own, which may not be there yet.
    """
    databases = [it for it in state.connections if it.enabled and it.strategy == DATABASE]
    staying = [it for it in _staying(state, wanted) if it in databases and not it.is_custom]
    if staying:
        return staying[0].name
    return own_database_name(state.client_id) if any(it.is_shared for it in databases) else ""


def _staying(state: AccessState, wanted: WantedAccess) -> Sequence[TenantConnection]:
    """Return the connections that stay enabled."""
    is_closing = wanted.policy is not None and wanted.policy.who is Who.PEOPLE
    leaving = _to_close(state, wanted).social if is_closing else ()
    return [it for it in state.connections if it.enabled and it.id not in leaving]


def _row(
    field: str, title: str, lines: tuple[Iterable[str], Iterable[str]], value: object, why: str
) -> PlannedChange:
    removed, added = (tuple(each) for each in lines)
    return PlannedChange(Part.WHO, field, title, removed, added, value, why)


def _holders(policy: Policy) -> dict[str, tuple[str, ...]]:
    people = policy.people if policy.who is Who.PEOPLE else ()
    return {USER_ROLE: people, ADMIN_ROLE: policy.admins}


def _roles(state: AccessState, policy: Policy) -> Iterator[PlannedChange]:
    reasons = {
        USER_ROLE: Message("Its members may sign in to LibreChat."),
        ADMIN_ROLE: Message("Its members are LibreChat's administrators."),
    }
    for role, people in _holders(policy).items():
        name = role_name(role, state.client_id)
        if people and name not in state.roles:
            yield _row("role", "Role", ((), (name,)), name, reasons[role])


def _own_database(state: AccessState, wanted: WantedAccess) -> Iterator[PlannedChange]:
    name = own_database_name(state.client_id)
    is_needed = any(not state.identities(it) for it in _named(wanted.policy or Policy(Who.PEOPLE)))
    if is_needed and not state.own_database and database_for_users(state, wanted) == name:
        others = dict.fromkeys(app for it in state.connections if it.is_shared for app in it.others)
        why = Message("Strangers can still sign up for {names}.", names=", ".join(others))
        added = (name, Message("without sign-ups, for LibreChat alone"))
        yield _row("own_database", "Database connection", ((), added), name, why)


def _own_sign_ups(state: AccessState, wanted: WantedAccess) -> Iterator[PlannedChange]:
    """Open LibreChat's own database where strangers may create an account."""
    own, policy = state.own_database, wanted.policy
    if own and policy and policy.who in {Who.DOMAINS, Who.ANYBODY} and not own.has_sign_ups:
        title = Message("{connection}: Sign Ups", connection=own.name)
        lines = ((Message("off"),), (Message("on"),))
        yield _row("sign_ups", title, lines, (own.id, True), Message("They create an account."))


def _users(state: AccessState, wanted: WantedAccess) -> Iterator[PlannedChange]:
    why = Message("An invitation link sets the password and verifies the address.")
    database = database_for_users(state, wanted)
    for address in _named(wanted.policy or Policy(Who.PEOPLE)):
        users = state.identities(address)
        if not users or not any(it.verified or _has_role(state, it) for it in users):
            yield _row("user", "User", ((), (address,)), (address, database), why)


def _has_role(state: AccessState, user: TenantUser) -> bool:
    return any(user.id in role.members for role in state.roles.values())


def _members(state: AccessState, policy: Policy) -> Iterator[PlannedChange]:
    why = Message("Only these people have the role.")
    for role, people in _holders(policy).items():
        name, title = role_name(role, state.client_id), Message("Members of {role}", role=role)
        members = state.roles[name].members if name in state.roles else {}
        keep = set[str]()
        for address in people:
            found = {user.id for user in state.identities(address)}
            keep |= found
            if not found or found - members.keys():
                yield _row("member", title, ((), (address,)), Member(name, address), why)
        if policy.who is Who.UNCHANGED or (role == ADMIN_ROLE and not policy.admins):
            continue
        for user_id in members.keys() - keep:
            gone = members[user_id] or user_id
            yield _row("member", title, ((gone,), ()), Member(name, user_id=user_id), why)


def _action(state: AccessState, settings: ActionSettings) -> Iterator[PlannedChange]:
    code, name, action = action_code(settings), action_name(state.client_id), state.action
    if action is None or action.code != code or not action.deployed:
        why = Message("It denies strangers, and names the roles in the ID token.")
        yield _row("action", "Action", ((), (name, *_summary(settings))), code, why)
    if not state.is_bound:
        why = Message("It runs after each sign-in, behind the Actions that are there.")
        yield _row("binding", "Triggers → post-login", ((), (name,)), True, why)


def _summary(settings: ActionSettings) -> Iterator[str]:
    match settings.who:
        case Who.PEOPLE:
            yield Message("admits people with a role and a verified address")
        case Who.DOMAINS:
            domains = ", ".join(settings.domains)
            yield Message("admits verified addresses at {domains}", domains=domains)
        case _:
            yield Message("admits everybody")


def _switches(
    state: AccessState, some: Closed, but: Closed, *, opens: bool
) -> Iterator[PlannedChange]:
    """Yield the switches to open or close again among the recorded connections."""
    on, off = (Message("on"),), (Message("off"),)
    lines = (off, on) if opens else (on, off)
    as_before = Message("This was the setting before the wizard changed it.")
    why = as_before if opens else Message("Strangers cannot create an account.")
    for it in state.connections:
        if it.id in some.sign_ups and it.id not in but.sign_ups and it.has_sign_ups is not opens:
            title = Message("{connection}: Sign Ups", connection=it.name)
            others = (Message("also for {names}", names=", ".join(it.others)),) * bool(it.others)
            yield _row("sign_ups", title, (lines[0], (*lines[1], *others)), (it.id, opens), why)
    why = as_before if opens else Message("Everybody with an account there could sign in.")
    replaced = [*_replaced(state)] if opens else []
    for it in state.connections:
        if it.id in replaced:
            continue
        if it.id in some.social and it.id not in but.social and it.enabled is not opens:
            title = Message("{connection}: enabled for LibreChat", connection=it.name)
            yield _row("connection", title, lines, (it.id, opens), why)


def _removal(state: AccessState) -> Iterator[PlannedChange]:
    why, name = Message("LibreChat no longer uses it."), action_name(state.client_id)
    if state.is_bound:
        yield _row("binding", "Triggers → post-login", ((name,), ()), False, why)
    for role in roles_of(state.client_id):
        if role in state.roles:
            yield _row("role_removal", "Role", ((role,), ()), role, why)
    if state.action is not None:
        yield _row("action_removal", "Action", ((name,), ()), None, why)
