"""The endpoints of Auth0's Management API that decide who may sign in, for the stand-in.

Behaviour recorded by auth0-deploy-cli and terraform-provider-auth0: `options` and bindings are
replaced as a whole, `options` is omitted without its scope, an Action is built before it can be
deployed, responses about Actions omit `total`, and users are looked up by the exact address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.management_stand_in import Refusal, a, a_name, an_object, invalid, validated
from tests.tenant.state import Action, Connection, Role, Tenant, User
from wizard.auth0.doors import DATABASE

if TYPE_CHECKING:
    from tests.management_stand_in import Call, StandIn

Json = dict[str, Any]
Answered = tuple[int, object]
Handler = Callable[["StandIn", "Call", str, frozenset[str]], Answered]

MOST_BINDINGS = 20
TRIGGER = {"id": "post-login", "version": "v3"}
_TEXT, _LIST = a(str), a(list)
ACTION = {"name": a_name, "supported_triggers": _LIST, "runtime": _TEXT, "code": _TEXT}
ROLE = {"name": a_name, "description": _TEXT}
USER = {
    "connection": _TEXT,
    "email": _TEXT,
    "password": _TEXT,
    "email_verified": a(bool),
    "verify_email": a(bool),
    "app_metadata": a(dict),
}
TICKET = {"user_id": _TEXT, "mark_email_as_verified": a(bool)}
CONNECTION = {"options": a(dict), "display_name": _TEXT, "realms": _LIST}
NEW_CONNECTION = {"name": _TEXT, "strategy": _TEXT, "options": a(dict)}
BINDING = an_object({"ref": an_object({"type": _TEXT, "value": _TEXT}), "display_name": _TEXT})


def gone(what: str) -> Refusal:
    return Refusal(404, "Not Found", f"The {what} does not exist", f"inexistent_{what}")


# -- connections ----------------------------------------------------------------------------------


def connection_of(tenant: Tenant, key: str) -> Connection:
    found = next((it for it in tenant.connections.values() if it.id == key), None)
    if found is None:
        raise gone("connection")
    return found


def connection_json(it: Connection, scopes: frozenset[str]) -> Json:
    shown: Json = {
        "id": it.id,
        "name": it.name,
        "strategy": it.strategy,
        "realms": [it.name],
        "is_domain_connection": False,
    }
    if "read:connections_options" in scopes:
        shown["options"] = {**defaults(it), **it.options}
    return shown


def defaults(it: Connection) -> Json:
    """Return the options that Auth0 shows of a database unasked, as terraform recorded them."""
    if it.strategy != DATABASE:
        return {}
    password = {"enabled": True, "api_behavior": "required", "signup_behavior": "allow"}
    return {
        "authentication_methods": {"password": password, "passkey": {"enabled": False}},
        "passkey_options": {"challenge_ui": "both", "local_enrollment_enabled": True},
    }


def completed(options: Json) -> Json:
    """Return the options as Auth0 keeps them: the authentication methods that it got, and more."""
    if "authentication_methods" not in options:
        return dict(options)
    added = {"email_otp": {"enabled": False}, "phone_otp": {"enabled": False}}
    return {**options, "authentication_methods": added | options["authentication_methods"]}


def chained(call: Call, name: str, found: list[Json]) -> Answered:
    start, take = int(call.query.get("from", 0)), int(call.query.get("take", 50))
    page: Json = {name: found[start : start + take]}
    if start + take < len(found):
        page["next"] = str(start + take)
    return 200, page


def connections_of_client(it: StandIn, call: Call, key: str, scopes: frozenset[str]) -> Answered:
    found = [each for each in it.tenant.connections.values() if each.serves(key)]
    return chained(call, "connections", [connection_json(each, scopes) for each in found])


def connections(it: StandIn, call: Call, _key: str, scopes: frozenset[str]) -> Answered:
    known = it.tenant.connections
    if call.method == "POST":
        body = validated(call.body, NEW_CONNECTION, ("name", "strategy"))
        if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,126}[A-Za-z0-9])?", body["name"]):
            raise invalid("Object didn't pass validation for format connection-name")
        if body["name"] in known:
            text = "A connection with the same name already exists"
            raise Refusal(409, "Conflict", text, "connection_conflict")
        new = Connection(
            name=body["name"], strategy=body["strategy"], options=body["options"], clients=set()
        )
        it.tenant.add(new)
        return 201, connection_json(new, scopes)
    name, strategy = call.query.get("name"), call.query.get("strategy")
    found = [
        each
        for each in known.values()
        if name in {None, each.name} and strategy in {None, each.strategy}
    ]
    return chained(call, "connections", [connection_json(each, scopes) for each in found])


def one_connection(it: StandIn, call: Call, key: str, scopes: frozenset[str]) -> Answered:
    found = connection_of(it.tenant, key)
    if call.method == "PATCH":
        body = validated(call.body, CONNECTION, ())
        found.options = completed(body.get("options", found.options))
    return 200, connection_json(found, scopes)


def clients_of_connection(it: StandIn, call: Call, key: str, _: frozenset[str]) -> Answered:
    found = connection_of(it.tenant, key)
    everyone = set(it.tenant.applications)
    if call.method == "PATCH":
        assert isinstance(call.body, list)
        if len(call.body) > 50:
            raise invalid("Array is too long")
        clients = set(everyone if found.clients is None else found.clients)
        for each in call.body:
            (clients.add if each["status"] else clients.discard)(each["client_id"])
        found.clients = clients
        return 204, None
    shown = sorted(everyone if found.clients is None else found.clients)
    return chained(call, "clients", [{"client_id": each} for each in shown])


# -- roles and users ------------------------------------------------------------------------------


def user_json(user: User) -> Json:
    shown: Json = {
        "user_id": user.user_id,
        "email": user.email,
        "email_verified": user.email_verified,
        "identities": [
            {
                "connection": user.connection,
                "user_id": user.user_id.partition("|")[2],
                "provider": user.user_id.partition("|")[0],
            }
        ],
    }
    return {**shown, "app_metadata": user.app_metadata} if user.app_metadata else shown


def user_of(tenant: Tenant, key: str) -> User:
    found = tenant.user(key)
    if not isinstance(found, User):
        raise gone("user")
    return found


def roles(it: StandIn, call: Call, _key: str, _: frozenset[str]) -> Answered:
    known = it.tenant.roles
    if call.method == "POST":
        body = validated(call.body, ROLE, ("name",))
        if body["name"] in {each.name for each in known.values()}:
            raise Refusal(409, "Conflict", "The role name already exists", "role_conflict")
        new = Role(name=body["name"], description=body.get("description", ""))
        known[new.id] = new
        return 200, {"id": new.id, "name": new.name, "description": new.description}
    wanted = call.query.get("name_filter", "")
    found = [{"id": each.id, "name": each.name} for each in known.values() if wanted in each.name]
    return 200, it.page(call, "roles", found)


def one_role(it: StandIn, _call: Call, key: str, _: frozenset[str]) -> Answered:
    role = it.tenant.roles.pop(key, None)
    if role is None:
        raise gone("role")
    for user in it.tenant.users.values():
        user.roles.discard(role.name)
    return 200, {}


def users_of_role(it: StandIn, call: Call, key: str, _: frozenset[str]) -> Answered:
    role = it.tenant.roles.get(key)
    if role is None:
        raise gone("role")
    users = [user for user in it.tenant.users.values() if role.name in user.roles]
    shown = [{"user_id": user.user_id, "email": user.email} for user in users]
    return 200, it.page(call, "users", shown)


def roles_of_user(it: StandIn, call: Call, key: str, _: frozenset[str]) -> Answered:
    user = user_of(it.tenant, key)
    names = {
        it.tenant.roles[role].name for role in validated(call.body, {"roles": _LIST}, ())["roles"]
    }
    user.roles = user.roles | names if call.method == "POST" else user.roles - names
    return 204, None


def users_by_email(it: StandIn, call: Call, _key: str, _: frozenset[str]) -> Answered:
    users = [each for each in it.tenant.users.values() if each.email == call.query["email"]]
    return 200, [user_json(user) for user in users]


def users(it: StandIn, call: Call, _key: str, _: frozenset[str]) -> Answered:
    body = validated(call.body, USER, ("connection",))
    email = body["email"].lower()
    if email in it.tenant.users:
        raise Refusal(409, "Conflict", "The user already exists.", "auth0_idp_error")
    user = User(
        login=email,
        email=email,
        password=body["password"],
        email_verified=body["email_verified"],
        connection=body["connection"],
        app_metadata=body["app_metadata"],
    )
    it.tenant.add(user)
    return 201, user_json(user)


def ticket(it: StandIn, call: Call, _key: str, _: frozenset[str]) -> Answered:
    body = validated(call.body, TICKET, ())
    user = user_of(it.tenant, body["user_id"])
    return 201, {"ticket": f"https://{it.tenant.domain}/lo/reset?ticket={user.login}"}


# -- Actions --------------------------------------------------------------------------------------


def action_of(tenant: Tenant, key: str) -> Action:
    if key not in tenant.library:
        raise gone("action")
    return tenant.library[key]


def action_json(it: Action) -> Json:
    is_built = it.looks_to_build <= 0
    shown: Json = {
        "id": it.id,
        "name": it.name,
        "supported_triggers": [TRIGGER],
        "code": it.code,
        "runtime": "node22",
        "status": "built" if is_built else "pending",
        "all_changes_deployed": it.code == it.deployed_code,
    }
    return shown


def actions(it: StandIn, call: Call, _key: str, _: frozenset[str]) -> Answered:
    library = it.tenant.library
    if call.method == "POST":
        body = validated(call.body, ACTION, ("name", "supported_triggers"))
        if body["name"] in {each.name for each in library.values()}:
            raise Refusal(409, "Conflict", "An action with this name exists", "action_conflict")
        new = Action(name=body["name"], code=body["code"])
        library[new.id] = new
        return 201, action_json(new)
    return 200, paged(call, "actions", [action_json(each) for each in library.values()])


def paged(call: Call, name: str, found: list[Json]) -> Json:
    page, size = int(call.query.get("page", 0)), int(call.query.get("per_page", 20))
    shown: Json = {"per_page": size, name: found[page * size : (page + 1) * size]}
    return {**shown, "page": page} if page else shown


def one_action(it: StandIn, call: Call, key: str, _: frozenset[str]) -> Answered:
    action = action_of(it.tenant, key)
    if call.method == "DELETE":
        if any(bound == key for bound, _ in it.tenant.bindings):
            raise Refusal(409, "Conflict", "The action is bound to a trigger", "action_in_use")
        del it.tenant.library[key]
        return 204, None
    if call.method == "PATCH":
        action.code = validated(call.body, {"code": _TEXT, "name": a_name}, ())["code"]
        action.looks_to_build = 2
    else:
        action.looks_to_build -= 1
    return 200, action_json(action)


def deploy(it: StandIn, _call: Call, key: str, _: frozenset[str]) -> Answered:
    action = action_of(it.tenant, key)
    if action.looks_to_build > 0:
        text = "An action must be in the 'built' state to be deployed"
        raise Refusal(400, "Bad Request", text, "invalid_state")
    action.deployed_code = action.code
    return 200, {"id": key, "deployed": True}


def bindings(it: StandIn, call: Call, _key: str, _: frozenset[str]) -> Answered:
    tenant = it.tenant
    if call.method == "PATCH":
        body = validated(call.body, {"bindings": _LIST}, ("bindings",))
        if len(body["bindings"]) > MOST_BINDINGS:
            raise invalid("Array is too long")
        for each in body["bindings"]:
            if why := BINDING(each):
                raise invalid(why)
            if action_of(tenant, each["ref"]["value"]).deployed_code == "":
                raise Refusal(400, "Bad Request", "The action is not deployed", "not_deployed")
        tenant.bindings = [
            (each["ref"]["value"], each["display_name"]) for each in body["bindings"]
        ]
    found = [
        {
            "id": f"bind-{action}",
            "trigger_id": "post-login",
            "display_name": name,
            "action": action_json(tenant.library[action]),
        }
        for action, name in tenant.bindings
    ]
    return 200, {"bindings": found} if call.method == "PATCH" else paged(call, "bindings", found)


# Each path: its methods, with all the scopes they require.
ROUTES: tuple[tuple[str, Mapping[str, str], Handler], ...] = (
    (
        r"clients/([^/]+)/connections",
        {"GET": "read:connections read:clients"},
        connections_of_client,
    ),
    (r"connections()", {"GET": "read:connections", "POST": "create:connections"}, connections),
    (
        r"connections/([^/]+)",
        {"GET": "read:connections", "PATCH": "update:connections update:connections_options"},
        one_connection,
    ),
    (
        r"connections/([^/]+)/clients",
        {"GET": "read:connections", "PATCH": "update:connections"},
        clients_of_connection,
    ),
    (r"roles()", {"GET": "read:roles", "POST": "create:roles"}, roles),
    (r"roles/([^/]+)", {"DELETE": "delete:roles"}, one_role),
    (r"roles/([^/]+)/users", {"GET": "read:roles read:users"}, users_of_role),
    (
        r"users/([^/]+)/roles",
        {
            "POST": "update:users create:role_members",
            "DELETE": "update:users delete:role_members",
        },
        roles_of_user,
    ),
    (r"users()", {"POST": "create:users"}, users),
    (r"users-by-email()", {"GET": "read:users"}, users_by_email),
    (r"tickets/password-change()", {"POST": "create:user_tickets"}, ticket),
    (r"actions/actions()", {"GET": "read:actions", "POST": "create:actions"}, actions),
    (
        r"actions/actions/([^/]+)",
        {"GET": "read:actions", "PATCH": "update:actions", "DELETE": "delete:actions"},
        one_action,
    ),
    (r"actions/actions/([^/]+)/deploy", {"POST": "create:actions"}, deploy),
    (
        r"actions/triggers/post-login/bindings()",
        {"GET": "read:actions", "PATCH": "update:actions"},
        bindings,
    ),
)
SCOPES = sorted(
    {scope for _, methods, _ in ROUTES for each in methods.values() for scope in each.split()}
    | {"read:connections_options"}
)


def answered(it: StandIn, call: Call, scopes: frozenset[str]) -> Answered | None:
    """Return the response, or None if the path is not about access."""
    for path, methods, handler in ROUTES:
        found = re.fullmatch(path, call.path)
        if found and call.method in methods:
            for scope in methods[call.method].split():
                if scope not in scopes:
                    text = f"Insufficient scope, expected any of: {scope}"
                    raise Refusal(403, "Forbidden", text, "insufficient_scope")
            return handler(it, call, unquote(found[1]), scopes)
    return None
