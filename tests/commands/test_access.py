"""Who may sign in, set up in a tenant and tested by real sign-ins."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.access_stand_in import SCOPES as ACCESS_SCOPES
from tests.access_stand_in import completed, defaults
from tests.commands.test_provision import Run
from tests.management_stand_in import SCOPES, Managed, add_machine
from tests.tenant.state import Action, Application, Connection, User
from wizard.auth0.access import ADMIN_ROLE, ROLES_CLAIM, USER_ROLE, Policy, State, Who
from wizard.auth0.access_action import (
    action_name,
    read_action,
    role_name,
)
from wizard.auth0.access_api import own_database_name
from wizard.auth0.access_plan import MOST_ACTIONS
from wizard.auth0.doors import public_doors
from wizard.auth0.management_access import TokenClaims, by_token
from wizard.findings import Failure
from wizard.steps.admit import set_up_access
from wizard.steps.options import SetupOptions

OWNER, GUEST, STRANGER = "ada@example.org", "bo@example.org", "eve@example.net"
PASSWORD = "correct horse battery staple"
DATABASE = "Username-Password-Authentication"
PEOPLE: dict[str, Any] = {"allow_users": (OWNER, GUEST), "admins": (OWNER,)}
POLICY = Policy(Who.PEOPLE, (OWNER, GUEST), (), (OWNER,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "LibreChat"
    path.mkdir()
    return path


@pytest.fixture
def run(managed: Managed, folder: Path) -> Run:
    """A tenant with a working application that still lets everyone sign in."""
    run = Run(managed, folder)
    run(audience="", reuse_tokens=True)
    managed.tenant.add(
        Connection(clients={run.application.client_id}),
        Connection(name="google-oauth2", strategy="google-oauth2"),
        User(login=OWNER, email=OWNER, password=PASSWORD),
    )
    managed.api.calls.clear()
    return run


def in_tenant(run: Run) -> object:
    """Return everything that decides who may sign in, for a comparison."""
    tenant = run.managed.tenant
    return json.dumps(
        {
            "connections": [
                (it.name, it.options, sorted(it.clients or {"*"}))
                for it in tenant.connections.values()
            ],
            "users": [(it.login, sorted(it.roles)) for it in tenant.users.values()],
            "actions": [(it.name, it.code, it.deployed_code) for it in tenant.library.values()],
            "bindings": [(tenant.library[action].name, name) for action, name in tenant.bindings],
            "roles": sorted(role.name for role in tenant.roles.values()),
        },
        sort_keys=True,
    )


def verdict(run: Run, login: str) -> str | list[str]:
    """Return the result of a sign-in: the reason for a denial, or the roles in the claim."""
    tenant, client_id = run.managed.tenant, run.application.client_id
    user = tenant.users.get(login)
    if user is None or not tenant.admits(user, client_id):
        return "no such user"
    found = tenant.verdict(user.user_id, client_id)
    return found.denial or list(found.roles or ())


def test_only_the_named_people_sign_in_and_the_owner_is_administrator(run: Run) -> None:
    tenant, client_id = run.managed.tenant, run.application.client_id
    tenant.add(
        User(login=STRANGER, email=STRANGER, password=PASSWORD),
        User(login="g", email=STRANGER, password=PASSWORD, connection="google-oauth2"),
    )
    before = public_doors(run.managed.domain, client_id, run.managed.http)
    result = run(**PEOPLE)
    after = public_doors(run.managed.domain, client_id, run.managed.http)

    assert {door.state for door in before} == {State.OPEN}
    assert {door.state for door in after} == {State.CLOSED}
    assert verdict(run, OWNER) == [ADMIN_ROLE, USER_ROLE]
    assert "no access" in verdict(run, STRANGER)
    assert verdict(run, "g") == "no such user"
    assert [address for address, _ in result.invitations] == [GUEST]
    assert "Verify" in verdict(run, GUEST)
    tenant.users[GUEST].email_verified = True  # by the invitation link
    assert verdict(run, GUEST) == [USER_ROLE]
    assert result.invitations[0][1] in run.said


def test_the_second_run_changes_nothing(run: Run) -> None:
    run(**PEOPLE)
    before = in_tenant(run)
    run.managed.api.calls.clear()
    result = run(**PEOPLE)

    assert not result.changes
    assert run.managed.api.writes == []
    assert in_tenant(run) == before


def test_completes_a_run_that_was_interrupted_after_any_change(run: Run) -> None:
    """Nothing is created twice, and the owner can always sign in.

    A connection that breaks at a read leaves the same state as after the previous change.
    """
    tenant, api = run.managed.tenant, run.managed.api
    google = replace(tenant.connections["google-oauth2"])

    def admit() -> None:
        set_up(run, POLICY)

    admit()
    wanted = in_tenant(run)
    changes = [number for number, it in enumerate(api.calls) if it.method != "GET"]
    assert len(changes) == 12
    for number in changes:
        reset(run, google)
        api.calls.clear()
        api.cut_from, api.cut_late = number, True
        with pytest.raises(Failure):
            admit()
        assert isinstance(verdict(run, OWNER), list), number
        api.cut_from = None
        admit()
        assert in_tenant(run) == wanted, number


def test_says_what_the_run_did_before_a_failure(managed: Managed, folder: Path) -> None:
    """The application and the API are created first, in the same run."""
    run, api, tenant = Run(managed, folder), managed.api, managed.tenant
    tenant.add(User(login=OWNER, email=OWNER, password=PASSWORD))
    run(**PEOPLE)
    requests = [(it.method, it.path.partition("/")[0]) for it in api.calls]
    first, last = requests.index(("POST", "roles")), len(requests) - 1
    look = requests.index(("GET", "actions"))
    created = "Done so far: API, application."
    words = {
        look: [created],
        first: ["It stopped at: Role", created],
        first + 1: ["It stopped at: Role", created.replace("application", "application, Role")],
        last: ["Every change was made"],
    }

    for number, said in words.items():
        tenant.reset(managed.clock.now)
        managed.machine = add_machine(tenant)
        tenant.add(User(login=OWNER, email=OWNER, password=PASSWORD))
        (folder / ".env").unlink()
        api.reset()
        api.cut_from = number
        detail = run.refused(**PEOPLE).finding.detail

        assert all(each in detail for each in said), (number, detail)
        assert "Nothing" not in detail


def test_a_refused_change_of_access_leaves_what_was_set_up_before(
    managed: Managed, folder: Path
) -> None:
    run = Run(managed, folder)
    result = run(("Make these changes?", True), ("Make these changes?", False), **PEOPLE)

    assert result.applied
    assert "Who may sign in is unchanged." in run.said
    assert "Nothing was changed" not in run.said


def set_up(run: Run, policy: Policy | None) -> None:
    """Run only the part of `provision` that sets up access."""
    access = by_token(run.managed.token(), run.managed.domain, run.managed.http)
    set_up_access(
        policy, run.application.client_id, access, run.world().ports, SetupOptions(yes=True)
    )


def test_completes_an_interrupted_removal(run: Run) -> None:
    api = run.managed.api
    set_up(run, POLICY)
    for number in range(6):
        api.calls.clear()
        set_up(run, None)
        writes = [at for at, it in enumerate(api.calls) if it.method != "GET"]
        assert len(writes) == 6
        wanted = in_tenant(run)
        set_up(run, POLICY)
        api.calls.clear()
        api.cut_from, api.cut_late = writes[number], True
        with pytest.raises(Failure):
            set_up(run, None)
        assert isinstance(verdict(run, OWNER), list), number
        api.cut_from = None
        set_up(run, None)
        assert in_tenant(run) == wanted, number
        set_up(run, POLICY)


def answer_instead(run: Run, path: str, after: str, answer: dict[str, object]) -> None:
    """Replace the response to the first GET of a path after a request with that method."""
    api = run.managed.api
    set_up(run, POLICY)
    changed = next(at for at, it in enumerate(api.calls) if it.method == after and path in it.path)
    number = next(
        at
        for at, it in enumerate(api.calls)
        if at > changed and it.method == "GET" and path in it.path
    )
    said = api.calls[number].path
    answer.setdefault("id", said.rpartition("/")[2])
    set_up(run, None)
    del run.managed.tenant.users[GUEST]
    api.calls.clear()
    api.answers[number] = (200, answer)


def test_reports_a_setting_that_changed_with_ours(run: Run) -> None:
    answer: dict[str, object] = {"name": DATABASE, "options": {"disable_signup": True, "mfa": 1}}
    answer_instead(run, "connections/con_", "PATCH", answer)
    with pytest.raises(Failure) as failure:
        set_up(run, POLICY)

    assert failure.value.finding.rule.id == "LA632"
    assert DATABASE in failure.value.finding.detail
    assert f"{DATABASE}: Sign Ups (possibly changed)." in failure.value.finding.detail


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("create:roles", "It stopped at: Role (not changed)."),
        ("create:user_tickets", "It stopped at: User (possibly changed). Done so far: Role."),
    ],
)
def test_names_a_scope_that_is_missing_in_the_middle(
    run: Run, scope: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a token that is not a JWT; the user is created before the invitation."""
    monkeypatch.setattr("wizard.auth0.management_access.claims_of", lambda _: TokenClaims())
    token = run.managed.token(*(it for it in (*SCOPES, *ACCESS_SCOPES) if it != scope))
    environ = {"AUTH0_MANAGEMENT_TOKEN": token}

    failure = run.refused(environ=environ, tenant_domain=run.managed.domain, **PEOPLE)

    assert failure.finding.rule.id == "LA602"
    assert failure.finding.detail.endswith(f"expected any of: {scope}. {said}")


def test_reports_an_action_that_auth0_cannot_build(run: Run) -> None:
    answer_instead(run, "actions/actions", "POST", {"status": "failed"})
    with pytest.raises(Failure) as failure:
        set_up(run, POLICY)

    assert failure.value.finding.rule.id == "LA631"
    assert run.managed.tenant.bindings == []


def reset(run: Run, google: Connection) -> None:
    tenant = run.managed.tenant
    tenant.library.clear()
    tenant.bindings.clear()
    tenant.roles.clear()
    del tenant.users[GUEST]
    tenant.users[OWNER].roles.clear()
    tenant.connections[DATABASE].options.clear()
    google.clients = None
    tenant.connections["google-oauth2"] = replace(google)


def test_a_domain_requires_a_verified_address(run: Run) -> None:
    tenant = run.managed.tenant
    tenant.add(
        User(login="v", email="Vi@Example.org", password=PASSWORD),
        User(login="u", email="u@example.org", password=PASSWORD, email_verified=False),
        User(login=STRANGER, email=STRANGER, password=PASSWORD),
        User(login="s", email="s@sub.example.org", password=PASSWORD),
    )
    run(allow_domains=("example.org",))

    assert verdict(run, "v") == [USER_ROLE]
    assert "Verify" in verdict(run, "u")
    assert "no access" in verdict(run, STRANGER)
    assert "no access" in verdict(run, "s")
    assert not tenant.roles
    assert "disable_signup" not in tenant.connections[DATABASE].options


def test_removes_all_changes(run: Run) -> None:
    tenant = run.managed.tenant
    theirs = add_theirs(run)
    shown = defaults(tenant.connections[DATABASE])
    options = completed({**shown, "password_history": {"enable": True}, "disable_signup": False})
    tenant.connections[DATABASE].options = dict(options)
    run(**PEOPLE)
    assert tenant.connections[DATABASE].options == {**options, "disable_signup": True}
    assert tenant.bindings[0] == (theirs.id, "Theirs")
    run(remove_access=True)

    assert list(tenant.library) == [theirs.id]
    assert tenant.bindings == [(theirs.id, "Theirs")]
    assert not tenant.roles
    assert tenant.connections[DATABASE].options == options
    assert tenant.connections["google-oauth2"].serves(run.application.client_id)
    run.managed.api.calls.clear()
    run(remove_access=True)
    assert run.managed.api.writes == []


def add_theirs(run: Run) -> Action:
    theirs = Action(name="Theirs", code="// theirs", deployed_code="// theirs", looks_to_build=0)
    run.managed.tenant.library[theirs.id] = theirs
    run.managed.tenant.bindings.append((theirs.id, "Theirs"))
    return theirs


def test_switching_from_people_to_anyone_reopens_sign_up(run: Run) -> None:
    tenant = run.managed.tenant
    run(**PEOPLE)
    run(allow_anybody=True)

    assert tenant.connections[DATABASE].options["disable_signup"] is False
    assert tenant.connections["google-oauth2"].serves(run.application.client_id)
    tenant.add(User(login=STRANGER, email=STRANGER, password=PASSWORD))
    assert verdict(run, STRANGER) == [USER_ROLE]
    assert verdict(run, OWNER) == [ADMIN_ROLE, USER_ROLE]


def test_anyone_changes_nothing_in_an_unchanged_tenant(run: Run) -> None:
    result = run(allow_anybody=True)

    assert not result.changes
    assert run.managed.api.writes == []


def test_an_administrator_alone_keeps_access_as_it_is(run: Run) -> None:
    tenant = run.managed.tenant
    run(allow_users=(OWNER,))
    tenant.add(User(login=GUEST, email=GUEST, password=PASSWORD))
    run(admins=(GUEST,))

    assert verdict(run, GUEST) == [ADMIN_ROLE, USER_ROLE]
    assert verdict(run, OWNER) == [USER_ROLE]
    tenant.add(User(login=STRANGER, email=STRANGER, password=PASSWORD))
    assert "no access" in verdict(run, STRANGER)


def test_removes_the_role_of_people_no_longer_named(run: Run) -> None:
    run(**PEOPLE)
    run(allow_users=(OWNER,))

    run.managed.tenant.users[GUEST].email_verified = True
    assert "no access" in verdict(run, GUEST)
    assert verdict(run, OWNER) == [ADMIN_ROLE, USER_ROLE]


def test_leaves_other_applications_alone(run: Run) -> None:
    tenant = run.managed.tenant
    other = Application(name="Shop")
    tenant.add(other, User(login=STRANGER, email=STRANGER, password=PASSWORD))
    tenant.connections[DATABASE].clients = None
    result = run(**PEOPLE)

    user = tenant.users[STRANGER]
    assert tenant.verdict(user.user_id, other.client_id).denial == ""
    assert tenant.connections["google-oauth2"].serves(other.client_id)
    assert "disable_signup" not in tenant.connections[DATABASE].options
    (finding,) = [it for it in result.findings if it.rule.id == "LA627"]
    assert "Shop" in finding.detail
    assert "Provisioning" not in finding.detail  # a machine application has no users


def test_closes_a_shared_connection_after_confirmation(run: Run) -> None:
    run.managed.tenant.add(Application(name="Shop"))
    run.managed.tenant.connections[DATABASE].clients = None
    run(
        ("Turn off sign-ups for them, too?", True),
        ("Make these changes?", True),
        **PEOPLE,
        audience="https://api.librechat.ai",
    )

    assert run.managed.tenant.connections[DATABASE].options["disable_signup"] is True
    assert "Shop" in run.said


def shared_with_a_shop(run: Run) -> Application:
    """No one whom the owner names has an account yet."""
    tenant, shop = run.managed.tenant, Application(name="Shop")
    tenant.add(shop)
    tenant.connections[DATABASE].clients = {run.application.client_id, shop.client_id}
    del tenant.users[OWNER]
    return shop


def test_creates_a_separate_connection_beside_another_application(run: Run) -> None:
    shop, tenant, ours = shared_with_a_shop(run), run.managed.tenant, run.application.client_id
    result = run(**PEOPLE)
    own, shared = tenant.connections[own_database_name(ours)], tenant.connections[DATABASE]

    assert "Shop" in run.said
    assert "LA627" not in {it.rule.id for it in result.findings}
    assert own.clients == {ours}
    assert shared.clients == {shop.client_id}
    assert "disable_signup" not in shared.options
    assert {door.state for door in public_doors(run.managed.domain, ours, run.managed.http)} == {
        State.CLOSED
    }
    assert [address for address, _ in result.invitations] == [OWNER, GUEST]
    tenant.users[OWNER].email_verified = True
    assert verdict(run, OWNER) == [ADMIN_ROLE, USER_ROLE]
    run.managed.api.calls.clear()
    run(**PEOPLE)
    assert run.managed.api.writes == []


def test_creates_a_separate_connection_once_despite_interruptions(run: Run) -> None:
    tenant, api = run.managed.tenant, run.managed.api
    shop = shared_with_a_shop(run)
    shared, google = tenant.connections[DATABASE], tenant.connections["google-oauth2"]
    set_up(run, POLICY)
    wanted = in_tenant(run)
    changes = [
        number
        for number, it in enumerate(api.calls)
        if it.method != "GET" and it.path.startswith("connections")
    ]
    assert len(changes) == 4
    for number in changes:
        for them in (tenant.library, tenant.bindings, tenant.roles, tenant.users):
            them.clear()
        del tenant.connections[own_database_name(run.application.client_id)]
        shared.clients, google.clients = {run.application.client_id, shop.client_id}, None
        api.calls.clear()
        api.cut_from, api.cut_late = number, True
        with pytest.raises(Failure):
            set_up(run, POLICY)
        api.cut_from = None
        set_up(run, POLICY)
        assert in_tenant(run) == wanted, number


def test_keeps_a_separate_connection_with_users(run: Run) -> None:
    """Auth0's page uses one database only; with both, some people could no longer sign in."""
    tenant, ours = run.managed.tenant, run.application.client_id
    shared_with_a_shop(run)
    run(**PEOPLE)
    own, shared = tenant.connections[own_database_name(ours)], tenant.connections[DATABASE]
    run(allow_anybody=True)
    assert own.options.get("disable_signup") is False
    assert not shared.serves(ours)
    run(**PEOPLE)
    assert own.options.get("disable_signup") is True
    result = run(remove_access=True)

    assert "LA644" in {it.rule.id for it in result.findings}
    assert own.serves(ours)
    assert not shared.serves(ours)
    assert tenant.connections["google-oauth2"].serves(ours)


def test_names_a_missing_scope_for_the_connection_and_changes_nothing(run: Run) -> None:
    shared_with_a_shop(run)
    before = in_tenant(run)
    scopes = (it for it in (*SCOPES, *ACCESS_SCOPES) if it != "create:connections")
    with pytest.raises(Failure) as failure:
        run(environ={"AUTH0_MANAGEMENT_TOKEN": run.managed.token(*scopes)}, **PEOPLE)

    assert failure.value.finding.detail == "Missing: create:connections."
    assert in_tenant(run) == before


def test_leaves_a_custom_database_alone(run: Run) -> None:
    options = {"customScripts": {"login": "function () {}"}, "configuration": {"key": "2.0$"}}
    run.managed.tenant.connections[DATABASE].options = dict(options)
    result = run(allow_users=(OWNER,))

    assert run.managed.tenant.connections[DATABASE].options == options
    assert "LA628" in {it.rule.id for it in result.findings}


def test_keeps_google_for_a_named_person_who_uses_it(run: Run) -> None:
    tenant = run.managed.tenant
    tenant.add(
        User(login="go", email=GUEST, password=PASSWORD, connection="google-oauth2"),
        User(login="g", email=STRANGER, password=PASSWORD, connection="google-oauth2"),
    )
    result = run(**PEOPLE)

    assert verdict(run, "go") == [USER_ROLE]
    assert "no access" in verdict(run, "g")
    assert "LA629" in {it.rule.id for it in result.findings}
    assert not result.invitations


Spoil = Callable[[Run], object]


def somebody_elses_action(run: Run) -> None:
    theirs = Action(name=action_name(run.application.client_id), code="// theirs")
    run.managed.tenant.library[theirs.id] = theirs


def full_flow(run: Run) -> None:
    theirs = add_theirs(run)
    run.managed.tenant.bindings[:] = [(theirs.id, f"Theirs {number}") for number in range(20)]


def full_library(run: Run) -> None:
    for number in range(MOST_ACTIONS):
        it = Action(name=f"Theirs {number}", code="//")
        run.managed.tenant.library[it.id] = it


def unverified(run: Run) -> None:
    run.managed.tenant.add(User(login=GUEST, email=GUEST, password=PASSWORD, email_verified=False))


def no_database(run: Run) -> None:
    run.managed.tenant.connections[DATABASE].clients = set()


def a_username(run: Run) -> None:
    run.managed.tenant.connections[DATABASE].options["requires_username"] = True


def a_phone_number(run: Run) -> None:
    attributes = {"email": {}, "phone_number": {"signup": {"status": "required"}}}
    run.managed.tenant.connections[DATABASE].options["attributes"] = attributes


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (somebody_elses_action, "LA624"),
        (full_flow, "LA625"),
        (full_library, "LA625"),
        (unverified, "LA626"),
        (no_database, "LA630"),
        (a_username, "LA630"),
        (a_phone_number, "LA630"),
    ],
)
def test_reports_an_obstacle_and_changes_nothing(run: Run, spoil: Spoil, rule: str) -> None:
    spoil(run)
    before = in_tenant(run)

    assert run.refused(**PEOPLE).finding.rule.id == rule
    assert in_tenant(run) == before
    assert run.managed.api.writes == []


UNUSED = {"delete:roles", "delete:actions", "delete:role_members", "create:connections"}


@pytest.mark.parametrize("scope", sorted({*ACCESS_SCOPES} - UNUSED))
def test_names_each_missing_scope_and_changes_nothing(run: Run, scope: str) -> None:
    before = in_tenant(run)
    token = run.managed.token(*(it for it in (*SCOPES, *ACCESS_SCOPES) if it != scope))
    with pytest.raises(Failure) as failure:
        run(environ={"AUTH0_MANAGEMENT_TOKEN": token}, **PEOPLE)

    assert failure.value.finding.rule.id == "LA602"
    assert failure.value.finding.detail == f"Missing: {scope}."
    assert in_tenant(run) == before


def test_respects_two_requests_per_second(run: Run) -> None:
    run.managed.api.rate = 2
    run(**PEOPLE)

    assert verdict(run, OWNER) == [ADMIN_ROLE, USER_ROLE]


def test_a_dry_run_and_json(run: Run) -> None:
    before = in_tenant(run)
    result = run(**PEOPLE, dry_run=True)
    said = json.dumps(result.as_json())

    assert in_tenant(run) == before
    assert role_name(ADMIN_ROLE, run.application.client_id) in said
    assert "on" in said


def test_updates_our_existing_action(run: Run) -> None:
    tenant = run.managed.tenant
    run(allow_domains=("example.org",))
    (ours,) = tenant.library
    run(allow_domains=("example.net",))

    assert list(tenant.library) == [ours]
    settings = read_action(tenant.library[ours].deployed_code)
    assert settings is not None
    assert settings.domains == ("example.net",)


def test_a_stranger_can_sign_up_before_but_not_after(run: Run) -> None:
    def sign_up(email: str) -> int:
        form: Mapping[str, str] = {"connection": DATABASE, "email": email, "password": PASSWORD}
        url = f"https://{run.managed.domain}/dbconnections/signup"
        return run.managed.http.request("POST", url, form=form).status

    assert sign_up("first@example.net") == 200
    run(**PEOPLE)
    assert sign_up("second@example.net") == 400
    assert "Verify" in verdict(run, "first@example.net")


def test_librechat_no_longer_requires_a_removed_role(run: Run) -> None:
    run(**PEOPLE)
    env = run.folder / ".env"
    theirs = "OPENID_ADMIN_ROLE=boss\nOPENID_ADMIN_ROLE_PARAMETER_PATH=https://x.org/roles\n"
    ours = (
        f"OPENID_REQUIRED_ROLE={USER_ROLE}\n"
        f"OPENID_REQUIRED_ROLE_PARAMETER_PATH={ROLES_CLAIM}\n"
        "OPENID_REQUIRED_ROLE_TOKEN_KIND=id\n"
    )
    env.write_text(env.read_text() + theirs + ours)
    run(remove_access=True)

    assert run.env["OPENID_REQUIRED_ROLE"] == ""
    assert run.env["OPENID_REQUIRED_ROLE_PARAMETER_PATH"] == ""
    assert run.env["OPENID_ADMIN_ROLE"] == "boss"
    assert not run.managed.tenant.library


def test_removing_changes_from_an_unchanged_tenant(run: Run) -> None:
    assert not run(remove_access=True).changes
    assert "Choose one" in run.refused(remove_access=True, allow_anybody=True).finding.detail


@pytest.mark.parametrize("asked", ["Ada@Example.org", "ada@example.org"])
def test_looks_up_an_address_in_both_spellings(run: Run, asked: str) -> None:
    """A social connection keeps the spelling, a database stores lower case."""
    run.managed.tenant.add(
        User(login="g", email="Ada@example.org", password=PASSWORD, connection="google-oauth2")
    )
    run(allow_users=(asked,))

    assert verdict(run, OWNER) == [USER_ROLE]
    assert (verdict(run, "g") == [USER_ROLE]) == (asked[0] == "A")
