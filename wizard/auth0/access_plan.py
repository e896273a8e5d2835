"""Plans the changes that let only the named people sign in. Pure.

The Action is deployed and bound before a connection is closed: its settings record what was open.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from wizard.auth0 import access_api as api
from wizard.auth0.access import ADMIN_ROLE, USER_ROLE, Policy, Who
from wizard.auth0.access_action import (
    ActionSettings,
    Closed,
    action_code,
    action_name,
    role_name,
    roles_of,
)
from wizard.auth0.access_api import AccessState, Kind, TenantConnection, own_database_name
from wizard.auth0.doors import DATABASE, is_social
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

Lines = tuple[str, ...]


class AccessChange(NamedTuple):
    """A row of the plan, and what its call is given."""

    row: PlannedChange
    kind: Kind
    given: tuple[object, ...]


def plan_access(state: AccessState, policy: Policy) -> tuple[AccessChange, ...]:
    """Return the changes in the order of applying.

    Raises:
        Failure: something that is not ours is in the way.
    """
    _refuse_what_is_in_the_way(state, policy)
    settings = _wanted_settings(state, policy)
    kept = settings.closed if settings else Closed()
    reopened = [*_switches(state, state.closed, kept, opens=True), *_own_sign_ups(state, policy)]
    if policy.who is Who.UNDECIDED:
        return (*reopened, *_removal(state))
    if settings is None:
        return ()
    closing = _switches(state, kept, Closed(), opens=False)
    return (
        *reopened,
        *_own_database(state, policy),
        *_roles(state, policy),
        *_users(state, policy),
        *_members(state, policy),
        *_action(state, settings),
        *(() if policy.who is Who.UNCHANGED else closing),
    )


def access_remarks(state: AccessState, policy: Policy) -> Iterator[Finding]:
    """Yield the doors that stay open, and why."""
    if policy.who is Who.UNDECIDED and state.own_database:
        yield OWN_DATABASE_STAYS.finding(f"{state.own_database.name}.")
    if policy.who is not Who.PEOPLE:
        return
    for it in state.connections:
        users = ", ".join(_users_of(state, it.name, policy))
        if it.enabled and it.has_sign_ups and it.is_custom:
            yield CUSTOM_DATABASE.finding(f"{it.name}.")
        elif it.is_shared and users and not policy.closes_shared:
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


def _wanted_settings(state: AccessState, policy: Policy) -> ActionSettings | None:
    """Return the Action's settings; None if no Action is needed."""
    client_id = state.client_id
    if policy.who is Who.UNDECIDED:
        return None
    if policy.who is Who.ANYBODY and state.settings is None and not policy.admins:
        return None
    settings = ActionSettings(client_id, policy.who, policy.domains, closed=state.closed)
    if policy.who is Who.UNCHANGED:
        settings = state.settings or settings._replace(who=Who.ANYBODY, domains=())
    elif policy.who is Who.PEOPLE:
        both = zip(state.closed, _to_close(state, policy), strict=True)
        closed = (tuple(dict.fromkeys((*before, *more))) for before, more in both)
        settings = settings._replace(closed=Closed(*closed))
    else:
        settings = settings._replace(closed=Closed(social=tuple(_replaced(state))))
    return settings._replace(client_id=client_id, roles=roles_of(client_id))


def _to_close(state: AccessState, policy: Policy) -> Closed:
    sign_ups, disabled = [], []
    for it in state.connections:
        is_left = it.is_shared and not policy.closes_shared
        if it.enabled and it.has_sign_ups and not it.is_custom and not is_left:
            sign_ups.append(it.id)
        elif (
            it.enabled
            and (is_left or is_social(it.strategy))
            and not _users_of(state, it.name, policy)
        ):
            disabled.append(it.id)
    return Closed(tuple(sign_ups), tuple(disabled))


def _replaced(state: AccessState) -> Iterator[str]:
    """Yield the recorded databases that LibreChat's own replaces.

    Auth0's sign-in page uses one database only, so they stay disabled as long as it has users.
    Source: https://community.auth0.com/t/new-univeral-login-with-multiple-connections/131665
    """
    for it in state.connections:
        if state.own_database and it.id in state.closed.social and it.strategy == DATABASE:
            yield it.id


def _users_of(state: AccessState, connection: str, policy: Policy) -> list[str]:
    """Return the named people who sign in with this connection."""
    found = (user for address in policy.people for user in state.identities(address))
    return list(dict.fromkeys(user.email for user in found if connection in user.connections))


def _refuse_what_is_in_the_way(state: AccessState, policy: Policy) -> None:
    name = action_name(state.client_id)
    if state.action is not None and state.settings is None:
        raise SOMEBODY_ELSES_ACTION.failure(f"{name}.")
    if _wanted_settings(state, policy) is None:
        return
    if not state.is_bound and len(state.bindings) >= MOST_BINDINGS:
        raise NO_ROOM.failure(Message("{count} Actions are in the flow.", count=MOST_BINDINGS))
    if state.action is None and state.action_count >= MOST_ACTIONS:
        raise NO_ROOM.failure(Message("The tenant has {count} Actions.", count=MOST_ACTIONS))
    staying = {it.name for it in _staying(state, policy)}
    for address in policy.named:
        if state.identities(address):
            continue
        users = state.users.get(address.lower(), ())
        if found := [it for it in users if not it.verified and staying & {*it.connections}]:
            where = ", ".join(found[0].connections)
            raise UNVERIFIED_USER.failure(f"{address} ({where}).")
        if not _database_for_users(state, policy):
            raise NO_DATABASE.failure(f"{address}.")


def _database_for_users(state: AccessState, policy: Policy) -> str:
    """Return the name of the connection in which new users are created, "" for none.

    Where a shared one is to be disabled, that is LibreChat's own, which may not be there yet.
    """
    databases = [it for it in state.connections if it.enabled and it.strategy == DATABASE]
    for it in _staying(state, policy):
        if it in databases and not (it.is_custom or it.needs_more):
            return it.name
    return own_database_name(state.client_id) if any(it.is_shared for it in databases) else ""


def _staying(state: AccessState, policy: Policy) -> Sequence[TenantConnection]:
    """Return the connections that stay enabled."""
    leaving = _to_close(state, policy).social if policy.who is Who.PEOPLE else ()
    return [it for it in state.connections if it.enabled and it.id not in leaving]


def _row(
    kind: Kind, title: str, why: str, *given: object, removed: Lines = (), added: Lines = ()
) -> AccessChange:
    row = PlannedChange(Part.WHO, kind.field, title, None, why, removed, added)
    return AccessChange(row, kind, given)


def _switch(
    kind: Kind, title: str, connection: str, why: str, *note: str, opens: bool
) -> AccessChange:
    on, off = Message("on"), Message("off")
    before, after = (off, on) if opens else (on, off)
    return _row(kind, title, why, connection, opens, removed=(before,), added=(after, *note))


def _holders(policy: Policy) -> dict[str, tuple[str, ...]]:
    return {USER_ROLE: policy.people, ADMIN_ROLE: policy.admins}


def _roles(state: AccessState, policy: Policy) -> Iterator[AccessChange]:
    reasons = {
        USER_ROLE: Message("Its members may sign in to LibreChat."),
        ADMIN_ROLE: Message("Its members are LibreChat's administrators."),
    }
    for role, people in _holders(policy).items():
        name = role_name(role, state.client_id)
        if people and name not in state.roles:
            yield _row(api.create_role, "Role", reasons[role], name, added=(name,))


def _own_database(state: AccessState, policy: Policy) -> Iterator[AccessChange]:
    name = own_database_name(state.client_id)
    is_needed = not all(map(state.identities, policy.named))
    if is_needed and not state.own_database and _database_for_users(state, policy) == name:
        others = dict.fromkeys(app for it in state.connections if it.is_shared for app in it.others)
        why = Message("Strangers can still sign up for {names}.", names=", ".join(others))
        added = (name, Message("without sign-ups, for LibreChat alone"))
        yield _row(api.open_own_database, "Database connection", why, name, added=added)


def _own_sign_ups(state: AccessState, policy: Policy) -> Iterator[AccessChange]:
    """Open LibreChat's own database where strangers may create an account."""
    own = state.own_database
    if own and policy.who in {Who.DOMAINS, Who.ANYBODY} and not own.has_sign_ups:
        title = Message("{connection}: Sign Ups", connection=own.name)
        why = Message("They create an account.")
        yield _switch(api.switch_sign_ups, title, own.id, why, opens=True)


def _users(state: AccessState, policy: Policy) -> Iterator[AccessChange]:
    why = Message("An invitation link sets the password and verifies the address.")
    database = _database_for_users(state, policy)
    members = {user_id for role in state.roles.values() for user_id in role.members}
    for address in policy.named:
        if not any(it.verified or it.id in members for it in state.identities(address)):
            yield _row(api.invite, "User", why, address, database, added=(address,))


def _members(state: AccessState, policy: Policy) -> Iterator[AccessChange]:
    why = Message("Only these people have the role.")
    for role, people in _holders(policy).items():
        name, title = role_name(role, state.client_id), Message("Members of {role}", role=role)
        members = state.roles[name].members if name in state.roles else {}
        keep = set[str]()
        for address in people:
            found = {user.id for user in state.identities(address)}
            keep |= found
            if not found or found - members.keys():
                yield _row(api.add_member, title, why, name, address, added=(address,))
        if policy.who is Who.UNCHANGED or (role == ADMIN_ROLE and not policy.admins):
            continue
        for user_id in members.keys() - keep:
            gone = (members[user_id] or user_id,)
            yield _row(api.remove_member, title, why, name, user_id, removed=gone)


def _action(state: AccessState, settings: ActionSettings) -> Iterator[AccessChange]:
    code, name, action = action_code(settings), action_name(state.client_id), state.action
    if action is None or action.code != code or not action.deployed:
        why = Message("It denies strangers, and names the roles in the ID token.")
        added = (name, _summary(settings))
        yield _row(api.deploy, "Action", why, code, added=added)
    if not state.is_bound:
        why = Message("It runs after each sign-in, behind the Actions that are there.")
        yield _row(api.bind, "Triggers → post-login", why, True, added=(name,))


def _summary(settings: ActionSettings) -> Message:
    match settings.who:
        case Who.PEOPLE:
            return Message("admits people with a role and a verified address")
        case Who.DOMAINS:
            domains = ", ".join(settings.domains)
            return Message("admits verified addresses at {domains}", domains=domains)
        case _:
            return Message("admits everyone")


def _switches(
    state: AccessState, some: Closed, but: Closed, *, opens: bool
) -> Iterator[AccessChange]:
    """Yield the switches to open or close again among the recorded connections."""
    as_before = Message("This was the setting before the wizard changed it.")
    why = as_before if opens else Message("Strangers cannot create an account.")
    for it in state.connections:
        if it.id in some.sign_ups and it.id not in but.sign_ups and it.has_sign_ups is not opens:
            title = Message("{connection}: Sign Ups", connection=it.name)
            note = Message("also for {names}", names=", ".join(it.others))
            notes = [note] if it.others else []
            yield _switch(api.switch_sign_ups, title, it.id, why, *notes, opens=opens)
    why = as_before if opens else Message("Everyone with an account there could sign in.")
    staying = {*but.social, *(_replaced(state) if opens else ())}
    for it in state.connections:
        if it.id in some.social and it.id not in staying and it.enabled is not opens:
            title = Message("{connection}: enabled for LibreChat", connection=it.name)
            yield _switch(api.switch_connection, title, it.id, why, opens=opens)


def _removal(state: AccessState) -> Iterator[AccessChange]:
    why, name = Message("LibreChat no longer uses it."), action_name(state.client_id)
    if state.is_bound:
        yield _row(api.bind, "Triggers → post-login", why, False, removed=(name,))
    for role in roles_of(state.client_id):
        if role in state.roles:
            yield _row(api.delete_role, "Role", why, role, removed=(role,))
    if state.action is not None:
        yield _row(api.delete_action, "Action", why, state.action.id, removed=(name,))
