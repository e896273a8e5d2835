"""Restrict sign-in for a new tenant and a new `.env`, which let everyone in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.commands.test_access import DATABASE, GUEST, OWNER, PASSWORD, STRANGER, verdict
from tests.commands.test_provision import URL, Run
from tests.librechat.example import env_example
from tests.management_stand_in import Managed
from tests.tenant.state import Connection, User
from wizard.auth0.access import ADMIN_ROLE, ROLES_CLAIM, USER_ROLE, State
from wizard.auth0.doors import public_doors
from wizard.auth0.tokens import Judgement
from wizard.commands.init import run_init
from wizard.doctor.registry import diagnose
from wizard.doctor.subject import settings_of
from wizard.librechat.admission import SignedIn, judge_admission
from wizard.librechat.env_store import EnvStore
from wizard.steps.options import InitOptions
from wizard.steps.roles import ask_for_roles, show_who_may_sign_in
from wizard.steps.values import read_subject


@pytest.fixture
def run(managed: Managed, tmp_path: Path) -> Run:
    folder = tmp_path / "LibreChat"
    folder.mkdir()
    run = Run(managed, folder)
    run(audience="", reuse_tokens=True)
    (folder / ".env").write_text(
        env_example().replace("http://localhost:3080", URL), encoding="utf-8"
    )
    (folder / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.7"}')
    managed.tenant.add(
        Connection(clients={run.application.client_id}),
        Connection(name="google-oauth2", strategy="google-oauth2"),
        User(login=OWNER, email=OWNER, password=PASSWORD),
        User(login="g", email=STRANGER, password=PASSWORD, connection="google-oauth2"),
    )
    return run


def init(run: Run, **given: Any) -> str:
    world = run.world()
    values: dict[str, Any] = {
        "domain": run.managed.domain,
        "client_id": run.application.client_id,
        "client_secret": run.application.client_secret or "",
        "audience": "https://api.librechat.ai",
        "public_url": URL,
        "hold": False,
        "yes": True,
        "force": True,
    }
    options = InitOptions(**{**values, **given})
    run_init(options, world.ports, lambda _: None)
    return world.said


def doors(run: Run) -> tuple[bool, set[State], int]:
    """Return whether LibreChat and Auth0 allow sign-up, and Auth0's response to a stranger's."""
    world = run.world()
    subject = read_subject(EnvStore(run.folder / ".env", world.ports.state_dir), world.ports)
    managed = run.managed
    form = {"connection": DATABASE, "email": "new@example.net", "password": PASSWORD}
    answer = managed.http.request(
        "POST", f"https://{managed.domain}/dbconnections/signup", form=form
    )
    seen = public_doors(managed.domain, run.application.client_id, managed.http)
    is_open = "LA516" in {each.rule.id for each in diagnose(subject)}
    return is_open, {door.state for door in seen}, answer.status


def refused(run: Run, login: str, *roles: str) -> set[str]:
    """Return why LibreChat rejects a user whose ID token has these roles."""
    claims = {"email": login, **({ROLES_CLAIM: list(roles)} if roles else {})}
    found = judge_admission(SignedIn(claims, None), run.env, None)
    return {each.rule.id for each in found}


def test_named_people(run: Run) -> None:
    assert doors(run) == (True, {State.OPEN}, 200)
    said = init(run, allow_users=(OWNER, GUEST), admins=(OWNER,))
    assert doors(run) == (False, {State.CLOSED}, 400)
    assert verdict(run, "g") == "no such user"
    assert verdict(run, "new@example.net") != []
    assert "exports.onExecutePostLogin" not in said  # there is nothing to paste
    # The role is required only once a token had it, so no one is locked out.
    assert "OPENID_REQUIRED_ROLE" not in {name for name, value in run.env.items() if value}

    roles = verdict(run, OWNER)
    assert roles == [ADMIN_ROLE, USER_ROLE]
    world = run.world()
    store = EnvStore(run.folder / ".env", world.ports.state_dir)
    judgement = Judgement((), {ROLES_CLAIM: ", ".join(roles)})
    assert ask_for_roles(judgement, store, world.ports, version="0.8.7", yes=True)

    assert refused(run, OWNER, *roles) == set()
    assert refused(run, GUEST, USER_ROLE) == {"LA593"}  # signed in, but not as administrator
    assert "LA586" in refused(run, STRANGER)
    subject = read_subject(store, world.ports)
    settings = settings_of(subject)
    assert settings is not None
    visitors = show_who_may_sign_in(subject, settings, world.ports)
    assert visitors is not None
    assert visitors.as_json() == {
        "required_role": USER_ROLE,
        "admin_role": ADMIN_ROLE,
        "allowed_domains": None,
        "librechat_sign_up": False,
        "auth0_sign_up": "closed",
        "auth0_social": "closed",
    }
    assert f"with the role {USER_ROLE}" in world.said


def test_a_run_without_options_keeps_and_reports_open_access(run: Run) -> None:
    said = init(run)
    assert "LA640" in said
    assert "google-oauth2" in said
    assert run.env["ALLOW_REGISTRATION"] == "true"
    assert doors(run)[1] == {State.OPEN}
    run(allow_users=(OWNER,))
    assert "LA640" not in init(run)
    # Not for a LibreChat that only this machine can reach.
    run.managed.tenant.connections[DATABASE].options.clear()
    assert "LA640" not in init(run, public_url="https://localhost:3443")


def test_a_domain(run: Run) -> None:
    run.managed.tenant.add(
        User(login="u", email="u@example.org", password=PASSWORD, email_verified=False)
    )
    init(run, allow_domains=("example.org",))
    assert verdict(run, OWNER) == [USER_ROLE]
    assert "Verify" in verdict(run, "u")
    assert "allowedDomains" in (run.folder / "librechat.yaml").read_text()
    assert run.env["ALLOW_REGISTRATION"] == "false"
