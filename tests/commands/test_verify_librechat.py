"""`verify` through a running LibreChat: the proof of a sign-in, or the cause of its failure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.commands.test_verify import (
    World,
    authority,
    demo_server,
    denied,
    id_token_hs256,
    no_offline_access,
    own_tunnel,
    world,
)
from tests.e2e.installed import Installed
from tests.e2e.program import Ran
from tests.providers import EMAIL, PASSWORD, Demo
from tests.stand_ins.librechat import LOGIN_MAX, LibreChat
from tests.stand_ins.librechat import running as stand_in
from tests.stand_ins.librechat_session import Sessions
from wizard.demo.user import Browser, sign_in_form
from wizard.doctor.subject import Subject
from wizard.http import Response
from wizard.librechat.compose.deployment import read_deployment
from wizard.librechat.env_file import EnvFile
from wizard.librechat.log import Traces
from wizard.librechat.running import Instance, Reply
from wizard.steps.through_librechat import obstacles

__all__ = ["authority", "demo_server", "world"]


@contextmanager
def librechat(world: Installed, *, logs: bool = True, refusal: str = "") -> Iterator[LibreChat]:
    """Run LibreChat with the current `.env` on its port."""
    values = {name: value or "" for name, value in world.values.items()}
    folder = world.folder / "api" / "logs" if logs else None
    sessions = Sessions(values, world.http(), folder, refusal)
    sessions.log("info", f"Server listening at http://localhost:{world.port}")
    with stand_in(LibreChat(values, port=world.port, sessions=sessions)) as running:
        yield running


def visit(world: World, link: str) -> None:
    """Sign in like a user, up to the page that LibreChat then shows."""
    browser = Browser(world.http())
    page = browser.get(link)
    while form := sign_in_form(page):
        page = browser.submit(form, form.filled_in(EMAIL, PASSWORD))
    cookies = {
        "Cookie": "; ".join(f"{each.name}={each.value}" for each in browser.cookies),
    }
    refreshed = world.http().request(
        "POST", f"{world.public_url}/api/auth/refresh", headers=cookies, form={}
    )
    token = (refreshed.json_object() or {}).get("token")
    for _ in range(3 if token else 0):
        headers = {"Authorization": f"Bearer {token}", **cookies}
        url = f"{world.public_url}/api/user"
        if world.http().request("GET", url, headers=headers).status == 200:
            break


def verified(world: World, *more: str) -> Ran:
    with world.running("verify", "--no-open", "--json", *more) as verify:
        visit(world, verify.line("/oauth/openid").strip())
        return verify.end()


def test_one_sign_in_proves_it_and_doctor_reports_when(world: World) -> None:
    with librechat(world) as running, own_tunnel(world):
        ran = verified(world)

    assert ran.code == 0, ran.err
    assert ran.rules == []
    assert ran.json["proved"] is True
    assert ran.json["sign_in"] is None
    seen = {each["source"]: each["seen"] for each in ran.json["evidence"]}
    assert seen == {
        "LibreChat's log": ["the sign-in"],
        "the tunnel": ["the sign-in", "the refresh token", "a request of the signed-in session"],
    }
    assert running.logins == 3
    (kept,) = (world.state_dir / "proved").iterdir()
    assert json.loads(kept.read_text())["how"] == "librechat"


@pytest.mark.parametrize(
    ("fault", "rule", "logs"),
    [
        (no_offline_access, "LA581", False),
        (id_token_hs256, "LA590", True),
        (denied, "LA436", False),
    ],
)
def test_names_the_cause_from_the_log_or_the_tunnels_requests(
    fault: Callable[[Demo], None], rule: str, logs: bool, world: World
) -> None:
    fault(world.demo)
    with librechat(world, logs=logs):
        ran = verified(world)

    assert ran.rules == [rule]
    assert ran.code == 1
    assert ran.json["proved"] is False
    assert not (world.state_dir / "proved").exists()


def test_reports_a_rejected_user_from_the_log(world: World) -> None:
    with librechat(world, refusal="Email domain not allowed"):
        ran = verified(world)

    assert ran.rules == ["LA587"]


def test_quotes_an_unknown_reason_from_librechat(world: World) -> None:
    with librechat(world, refusal="Members of visitor@example.net\x1b[31m only"):
        ran = verified(world)

    assert ran.rules == ["LA436"]
    assert ran.finding("LA436")["detail"].endswith(": Members of …@… only")


def test_ignores_an_earlier_failure(world: World) -> None:
    with librechat(world) as running:
        assert running.sessions is not None
        running.sessions.log("error", "[setOpenIDAuthTokens] No refresh token available")
        ran = verified(world)

    assert ran.json["proved"] is True


def test_proves_nothing_without_a_sign_in(world: World) -> None:
    with librechat(world):
        ran = world.run("verify", "--no-open", "--timeout", "1")

    assert ran.code == 1
    assert "(LA435)" in ran.err
    assert "Not seen: the sign-in" in ran.err
    assert "still accepts: 6" in ran.err


def test_starts_no_sign_in_that_would_exceed_the_limit(world: World) -> None:
    with librechat(world):
        for _ in range(LOGIN_MAX - 2):
            world.http().request("GET", f"http://localhost:{world.port}/oauth/openid")
        ran = world.run("verify", "--no-open", "--json")

    assert ran.rules == ["LA533", "LA435"]
    assert "still accepts: 1" in ran.finding("LA435")["detail"]
    assert "five minutes" in ran.finding("LA435")["fix"]
    assert "Open in a browser" not in ran.err


def test_keeps_no_cookie_and_no_code(world: World) -> None:
    with librechat(world) as running:
        ran = verified(world, "--debug")

    assert running.sessions is not None
    secrets = [*running.sessions.tokens, *running.sessions.bearers, world.demo.secret, PASSWORD]
    texts = {"output": ran.out + ran.err}
    for path in world.state_dir.rglob("*"):
        if path.is_file():
            texts[str(path)] = path.read_text("latin-1")
    for place, text in texts.items():
        assert not [value for value in (*secrets, EMAIL) if value in text], place


def test_init_ends_with_a_sign_in_to_the_running_librechat(world: World) -> None:
    words = ("init", "--yes", "--tunnel", "local", "--verify", "--no-open")
    with librechat(world), world.running(*words) as init:
        init.until("Open in a browser")
        visit(world, f"{world.public_url}/oauth/openid")
        init.until("The sign-in through LibreChat works.")
        init.until("Keep this running")
        init.interrupt()
        ran = init.end()

    assert ran.code == 0, ran.err
    assert "Stop LibreChat" not in ran.err


def test_requires_a_restart_of_a_librechat_with_old_values(world: World) -> None:
    file = EnvFile.from_bytes(world.env_file.read_bytes())
    config = {"serverDomain": world.public_url, "openidLoginEnabled": True}
    sent = LibreChat(file.values()).authorize_url()
    config_reply = Reply("/", Response("", 200, {}, json.dumps(config).encode()))
    instance = Instance(
        config_reply, sign_in=Reply("/", Response("", 302, {"location": sent}, b""))
    )
    stale = Traces(started=1000.0, newer={".env": 2000.0})
    deployment = read_deployment(world.env_file.parent, world.env_file, {})
    subject = Subject(world.env_file, file, deployment, traces=stale, instance=instance)

    findings = obstacles(subject, instance, world.port)

    assert [each.rule.id for each in findings] == ["LA594", "LA435"]
    assert findings[-1].fix.startswith("Restart LibreChat")
