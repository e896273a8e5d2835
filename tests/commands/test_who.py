"""Who may sign in: the question, LibreChat's own doors, the roles, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.auth0.scripted import SETTINGS, ScriptedTenant, widget
from tests.commands.test_init import EXAMPLE, init, options, read
from tests.doctor.cases import env, subject
from tests.fakes import ScriptedPrompter, make_world
from wizard.auth0.access import (
    ADMIN_ROLE,
    ROLES_CLAIM,
    USER_ROLE,
    Door,
    Doors,
    Policy,
    Who,
)
from wizard.auth0.tokens import Judgement
from wizard.commands.undo import run_undo
from wizard.findings import ExitCode, Failure
from wizard.librechat.admission import who_may_sign_in
from wizard.librechat.env_store import EnvStore
from wizard.steps.roles import Visitors, ask_for_roles, show_who_may_sign_in
from wizard.steps.who import choose_policy, closing_values

URL, LOCAL = "https://chat.acme.test", "https://localhost:3443"
OPEN = {"ALLOW_REGISTRATION": "true", "ALLOW_EMAIL_LOGIN": "true"}
PEOPLE = Policy(Who.PEOPLE, ("ada@acme.test",), (), ("ada@acme.test",))
CLOSED = {"ALLOW_REGISTRATION": "false", "ALLOW_EMAIL_LOGIN": "false"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "LibreChat"
    folder.mkdir()
    (folder / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.7"}')
    (folder / ".env.example").write_text(EXAMPLE + "".join(f"{k}={v}\n" for k, v in OPEN.items()))
    return folder


@pytest.mark.parametrize(
    ("script", "policy"),
    [
        (
            [("Who may", None), ("Their email", "ada@acme.test, bob@x.test"), ("Make ada@", None)],
            Policy(Who.PEOPLE, ("ada@acme.test", "bob@x.test"), (), ("ada@acme.test",)),
        ),
        (
            [("Who may", "domains"), ("Domains", "@acme.test"), ("administrator's", "")],
            Policy(Who.DOMAINS, (), ("acme.test",)),
        ),
        ([("Who may", "anybody"), ("Type anybody", "Anybody")], Policy(Who.ANYBODY)),
    ],
)
def test_the_question(script: list[tuple[str, object]], policy: Policy, tmp_path: Path) -> None:
    world = make_world(tmp_path, prompter=ScriptedPrompter(*script))
    assert choose_policy(None, URL, world.ports) == policy
    # Not if only this machine reaches LibreChat, and not after an option.
    assert choose_policy(None, LOCAL, world.ports) is None
    assert choose_policy(PEOPLE, URL, world.ports) is PEOPLE


def test_the_question_names_the_open_access(tmp_path: Path) -> None:
    script = ScriptedPrompter(("Who may", "anybody"), ("Type anybody", "anybody"))
    world = make_world(tmp_path, prompter=script)
    choose_policy(None, URL, world.ports, ["Anybody can create an account (Users)."])
    assert f"Anybody can open {URL}." in world.said
    assert "Anybody can create an account (Users)." in world.said


def test_anyone_shows_the_cost_and_must_be_typed(tmp_path: Path) -> None:
    script = ScriptedPrompter(("Who may", "anybody"), ("Type anybody", "yes"))
    world = make_world(tmp_path, prompter=script)
    with pytest.raises(AssertionError, match="unexpected question"):
        choose_policy(None, URL, world.ports)
    assert "Type anybody" in script.refusals[0]
    assert "their use of your API keys" in world.said


@pytest.mark.parametrize(
    ("policy", "was_used", "script", "values"),
    [
        (PEOPLE, False, (), CLOSED),
        (PEOPLE, True, (), {"ALLOW_REGISTRATION": "false"}),
        (PEOPLE, True, (("Turn off LibreChat's", False), ("password too", None)), {}),
        (PEOPLE, True, (("Turn off LibreChat's", None), ("password too", True)), CLOSED),
        (Policy(Who.ANYBODY), False, (), {}),
        (None, False, (), {}),
    ],
)
def test_librechats_own_doors(
    policy: Policy | None,
    was_used: bool,
    script: tuple[tuple[str, object], ...],
    values: dict[str, str],
    tmp_path: Path,
) -> None:
    world = make_world(tmp_path, prompter=ScriptedPrompter(*script) if script else None)
    assert closing_values(policy, OPEN, world.ports, was_used=was_used) == values


def run(checkout: Path, **given: Any) -> tuple[dict[str, str | None], str]:
    chosen = options(**{"allow_anybody": False, "public_url": URL, **given})
    _, said = init(checkout, chosen)
    return read(checkout), " ".join(said.split())


def test_named_people_close_everything_and_show_the_checklist(checkout: Path) -> None:
    values, said = run(checkout, allow_users=("ada@acme.test",))
    assert {name: values[name] for name in CLOSED} == CLOSED
    assert "turn on Disable Sign Ups" in said
    assert "turn off google-oauth2" in said
    assert "exports.onExecutePostLogin" in said
    # A role is required only once a token had it.
    assert "OPENID_REQUIRED_ROLE" not in values


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mongodb://127.0.0.1:27017/LibreChat", "mongosh mongodb://127.0.0.1:27017/LibreChat"),
        ("mongodb://me:pass-word-1@127.0.0.1:27017/LibreChat", "mongosh MONGO_URI"),
    ],
)
@pytest.mark.parametrize("version", ["v0.8.0", "v0.8.7", ""])
def test_shows_the_mongo_command_without_a_credential(
    checkout: Path, version: str, uri: str, shown: str
) -> None:
    (checkout / "package.json").write_text(f'{{"name": "LibreChat", "version": "{version}"}}')
    (checkout / ".env").write_text(f"MONGO_URI={uri}\n")
    _, said = run(checkout, allow_users=("ada@acme.test",), admins=("ada@acme.test",))
    update = """'db.users.updateOne({"email": "ada@acme.test"}, {"$set": {"role": "ADMIN"}})'"""
    assert f"{shown} --quiet --eval {update}" in said
    assert "docker exec" not in said
    assert "OPENID_ADMIN_ROLE would demote" in said
    assert "pass-word-1" not in said


def test_the_command_fits_how_librechat_runs(checkout: Path) -> None:
    (checkout / "docker-compose.yml").write_text(
        "services:\n  api:\n    image: librechat\n    volumes:\n      - ./.env:/app/.env\n"
    )
    _, said = run(checkout, allow_users=("ada@acme.test",), admins=("ada@acme.test",))
    assert "docker exec chat-mongodb mongosh LibreChat --quiet --eval" in said
    assert "mongosh MONGO_URI" not in said


@pytest.mark.parametrize("admins", [(), ("ada@acme.test",)])
def test_the_admin_panel_needs_a_callback_url(checkout: Path, admins: tuple[str, ...]) -> None:
    (checkout / "docker-compose.yml").write_text(
        "services:\n  api:\n    image: librechat\n    volumes:\n      - ./.env:/app/.env\n"
        "    environment:\n      - ADMIN_PANEL_URL=http://admin.localhost\n"
    )
    _, said = run(checkout, allow_users=("ada@acme.test",), admins=admins)
    assert (f"{URL}/api/admin/oauth/openid/callback" in said) == bool(admins)


def test_the_question_is_a_step_of_the_wizard(checkout: Path) -> None:
    script = (
        ("Who may sign in?", None),
        ("Their email addresses", "ada@acme.test"),
        ("Make ada@acme.test the administrator?", None),
        ("Write these changes?", None),
    )
    chosen = options(allow_anybody=False, public_url=URL, yes=False)
    _, said = init(checkout, chosen, *script)
    assert "Step 5 of 6: Who may sign in" in said
    assert "Step 6 of 6: The .env" in said
    assert '"ada@acme.test": ["librechat-user", "librechat-admin"]' in said


def test_a_scripted_run_without_options_keeps_the_current_access(checkout: Path) -> None:
    (checkout / ".env").write_text("".join(f"{k}={v}\n" for k, v in OPEN.items()))
    values, said = run(checkout)
    assert {name: values[name] for name in OPEN} == OPEN
    assert "LA516" in said
    assert "Disable Sign Ups" not in said


@pytest.mark.parametrize(
    "given",
    [
        {"allow_users": ("ada",)},
        {"allow_domains": ("*.acme.test",)},
        {"allow_users": ("a@acme.test",), "allow_anybody": True},
    ],
)
def test_rejects_an_invalid_option(checkout: Path, given: dict[str, Any]) -> None:
    with pytest.raises(Failure) as refused:
        run(checkout, **given)
    assert refused.value.exit_code is ExitCode.USAGE
    assert not (checkout / ".env").exists()


MINE = "version: 1.3.0 # mine\nregistration:\n  socialLogins: [openid]\n"


@pytest.mark.parametrize("before", [None, MINE])
def test_writes_and_undoes_domains_with_the_env(checkout: Path, before: str | None) -> None:
    config = checkout / "librechat.yaml"
    if before:
        config.write_text(before)
        config.chmod(0o644)
    _, said = run(checkout, allow_domains=("acme.test",))
    section = yaml.safe_load(config.read_text())["registration"]
    assert section["allowedDomains"] == ["acme.test"]
    assert config.stat().st_mode & 0o777 == 0o644  # a container reads it as another user
    assert '+ - "acme.test"' in said
    world = make_world(checkout)
    result = run_undo(None, world.ports, yes=True)
    assert "librechat-auth0 provision --remove-access" in world.said
    assert result.also_restored == config
    assert not (checkout / ".env").exists()
    assert (config.read_text() if config.exists() else None) == before


def test_does_not_undo_an_older_change_of_the_yaml(checkout: Path) -> None:
    run(checkout, allow_domains=("acme.test",))
    world = make_world(checkout)
    store = EnvStore(checkout / ".env", world.ports.state_dir)
    content = store.read()
    store.save(content, (content or b"") + b"MORE=1\n")
    assert run_undo(None, world.ports, yes=True).also_restored is None
    assert "acme.test" in (checkout / "librechat.yaml").read_text()


def test_reports_a_container_that_does_not_see_the_file(checkout: Path) -> None:
    (checkout / "docker-compose.yml").write_text(
        "services:\n  api:\n    image: librechat\n    volumes:\n      - ./.env:/app/.env\n"
    )
    _, said = run(checkout, allow_domains=("acme.test",))
    assert "LA505" in said
    lines = "services: api: volumes: - type: bind source: ./librechat.yaml"
    assert f"{lines} target: /app/librechat.yaml" in said
    assert "acme.test" in (checkout / "librechat.yaml").read_text()
    assert (
        run_undo(None, make_world(checkout).ports, yes=True).also_restored
        == checkout / "librechat.yaml"
    )
    assert not (checkout / "librechat.yaml").exists()


def judged(*roles: str) -> Judgement:
    return Judgement((), {ROLES_CLAIM: ", ".join(roles)} if roles else {})


@pytest.mark.parametrize(
    ("roles", "url", "names"),
    [
        ((), URL, set()),
        ((USER_ROLE,), URL, {"OPENID_REQUIRED_ROLE"}),
        ((ADMIN_ROLE, USER_ROLE), URL, {"OPENID_REQUIRED_ROLE", "OPENID_ADMIN_ROLE"}),
        ((ADMIN_ROLE, USER_ROLE), LOCAL, set()),
    ],
)
def test_requires_a_role_once_a_token_has_it(
    roles: tuple[str, ...], url: str, names: set[str], tmp_path: Path
) -> None:
    world = make_world(tmp_path)
    store = EnvStore(tmp_path / ".env", world.ports.state_dir)
    store.path.write_text(f"DOMAIN_SERVER={url}\n")
    written = ask_for_roles(judged(*roles), store, world.ports, yes=True)
    values = {name: value or "" for name, value in read(tmp_path).items()}
    assert written == bool(names)
    assert {name for name in values if name.endswith("_ROLE")} == names
    for name in names:
        assert values[f"{name}_PARAMETER_PATH"] == ROLES_CLAIM
        assert values[f"{name}_TOKEN_KIND"] == "id"
    assert not ask_for_roles(judged(*roles), store, world.ports, yes=True)


def test_shows_the_lines_without_a_terminal(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    store = EnvStore(tmp_path / ".env", world.ports.state_dir)
    store.path.write_text(f"DOMAIN_SERVER={URL}\n")
    assert not ask_for_roles(judged(USER_ROLE), store, world.ports)
    assert f"OPENID_REQUIRED_ROLE={USER_ROLE}" in world.said
    assert "OPENID_REQUIRED_ROLE" not in store.path.read_text()


@pytest.mark.parametrize(
    ("values", "domains", "said"),
    [
        ({}, None, ["everyone whom Auth0 signs in"]),
        (OPEN, None, ["everyone whom Auth0 signs in", "everyone who signs up at LibreChat"]),
        (
            {"OPENID_REQUIRED_ROLE": "a", "OPENID_ADMIN_ROLE": "b"},
            ["acme.test"],
            ["with the role a", "an address at acme.test", "as administrators"],
        ),
    ],
)
def test_reports_who_may_sign_in(
    values: dict[str, str], domains: list[object] | None, said: list[str]
) -> None:
    sentences = [str(each) for each in who_may_sign_in(values, domains)]
    assert len(sentences) == len(said)
    assert all(part in sentence for part, sentence in zip(said, sentences, strict=True))


CLOSED_DOOR, UNKNOWN = Door(), Door(reason="no answer")
USERS, GOOGLE = Door(("Users",)), Door(("google-oauth2",))


@pytest.mark.parametrize(
    ("doors", "values", "said", "states"),
    [
        (Doors(USERS, GOOGLE), {}, ["creates an account at Auth0 (Users)", "(google-oauth2)"], 2),
        (Doors(CLOSED_DOOR, CLOSED_DOOR), {}, ["the users who are in Auth0"], 0),
        (Doors(UNKNOWN, UNKNOWN), {}, ["not known whom: no answer"], 0),
        (Doors(USERS, GOOGLE), {"OPENID_REQUIRED_ROLE": "a"}, ["with the role a"], 2),
    ],
)
def test_reports_who_may_sign_in_at_auth0(
    doors: Doors, values: dict[str, str], said: list[str], states: int, tmp_path: Path
) -> None:
    world = make_world(tmp_path)
    visitors = Visitors({**OPEN, **values}, ["acme.test"] if values else None, doors)
    visitors.show(world.ports)
    printed = visitors.as_json()
    assert all(part in world.said for part in said)
    assert ("who are in Auth0" in world.said) == (not values and doors.sign_ups is not UNKNOWN)
    assert [printed[f"auth0_{it}"] for it in ("sign_up", "social")].count("open") == states
    assert printed["librechat_sign_up"] is True
    assert printed["allowed_domains"] == (["acme.test"] if values else None)
    assert printed["required_role"] == values.get("OPENID_REQUIRED_ROLE", "")


@pytest.mark.parametrize(("url", "is_seen"), [(URL, True), (LOCAL, False)])
def test_only_a_public_url_is_visible_to_others(url: str, is_seen: bool, tmp_path: Path) -> None:
    tenant = ScriptedTenant(doors=widget(True, "google-oauth2"))
    world = make_world(tmp_path, http=tenant)
    settings = SETTINGS._replace(public_url=url)
    visitors = show_who_may_sign_in(subject(env(DOMAIN_SERVER=url)), settings, world.ports)
    assert (visitors is not None) == is_seen
    assert ("google-oauth2" in world.said) == is_seen
    assert bool(tenant.requests) == is_seen
