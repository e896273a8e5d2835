"""`verify` as a process: a sign-in through its tunnel, attacks, and LibreChat on its port."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.e2e.installed import Installed
from tests.e2e.program import Ran, Running
from tests.e2e.proxies import Record, counting, tls_only
from tests.fakes import make_world
from tests.ports import free_port
from tests.providers import (
    AUDIENCE,
    EMAIL,
    PASSWORD,
    Authority,
    Demo,
    authority,
    demo_server,
    furnish,
    node_modules,
    running_librechat,
)
from tests.sockets import server
from tests.stand_ins.librechat import LOGIN_MAX, LibreChat
from tests.stand_ins.librechat import running as stand_in
from tests.tenant.state import GrantType, Tenant
from wizard.commands.init import run_init
from wizard.http import Response
from wizard.steps.options import InitOptions

__all__ = ["authority", "demo_server", "node_modules"]

JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+")
CALLBACK = "/oauth/openid/callback"


class World(Installed):
    """A world with a correct demo tenant."""

    demo: Demo

    def verified(self, *more: str) -> tuple[Ran, Response]:
        """Run `verify` while the user signs in; return its result and the last page."""
        with self.running("verify", "--no-open", *more) as verify:
            page = self.sign_in(verify.link(), EMAIL, PASSWORD)
            return verify.end(), page


@pytest.fixture
def world(authority: Authority, demo_server: Tenant, tmp_path: Path) -> World:
    world = World(tmp_path, authority)
    world.demo = furnish(demo_server, authority.http(), world.public_url)
    auth0 = world.demo.setup
    chosen = InitOptions(
        domain=auth0.domain,
        client_id=auth0.client_id,
        client_secret=auth0.client_secret or "",
        audience=AUDIENCE,
        public_url=world.public_url,
        port=str(world.port),
        offline=True,
        hold=False,
        yes=True,
    )
    assert run_init(chosen, make_world(world.folder).ports, lambda _: None).written
    return world


def test_proves_a_sign_in_through_its_own_tunnel(world: World) -> None:
    ran, page = world.verified()

    assert ran.code == 0, ran.err
    assert "does not lead" not in ran.err
    assert f"{world.public_url} leads to port {world.port}" in ran.err
    assert "It returned a new JSON Web Token for the same API." in ran.err
    assert ran.out == ""
    assert "The sign-in works." in ran.err
    assert "The sign-in works" in page.text
    assert EMAIL in ran.err


def no_email(demo: Demo) -> None:
    demo.user.email = ""


def opaque(demo: Demo) -> None:
    demo.api.encrypted_tokens = True


def id_token_hs256(demo: Demo) -> None:
    demo.application.id_token_alg = "HS256"


def access_token_hs256(demo: Demo) -> None:
    demo.api.signing_alg = "HS256"


def no_offline_access(demo: Demo) -> None:
    demo.api.allow_offline_access = False


def dead_refresh_token(demo: Demo) -> None:
    demo.application.refresh_token_lifetime = 0


def short_life(demo: Demo) -> None:
    demo.api.token_lifetime = 60


def denied(demo: Demo) -> None:
    demo.tenant.denial = "Only <b>members</b> may enter"


@pytest.mark.parametrize(
    ("fault", "code", "rule", "remedy"),
    [
        (no_email, 1, "LA410", "User Management → Users"),
        (opaque, 1, "LA413", "turn off JSON Web Encryption"),
        (id_token_hs256, 1, "LA403", "JSON Web Token (JWT) Signature Algorithm to RS256"),
        (access_token_hs256, 1, "LA414", "create a new API with RS256"),
        (no_offline_access, 1, "LA417", "turn on Allow Offline Access"),
        (dead_refresh_token, 1, "LA418", "Refresh Token Expiration"),
        (short_life, 0, "LA416", "Maximum Access Token Lifetime"),
        (denied, 1, "LA240", "Monitoring → Logs"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_names_the_missing_setting_in_terminal_and_browser(
    world: World, fault: Callable[[Demo], None], code: int, rule: str, remedy: str
) -> None:
    fault(world.demo)

    ran, page = world.verified("--json")

    assert ran.rules == [rule]
    assert ran.code == code
    finding = ran.finding(rule)
    assert remedy in finding["fix"]
    assert f"({rule})" in page.text
    assert ("The sign-in works" in page.text) is (code == 0)
    assert "<b>" not in page.text


def test_the_access_token_is_opaque_without_an_api(world: World) -> None:
    world.change(f"OPENID_AUDIENCE={world.values['OPENID_AUDIENCE']}", "OPENID_AUDIENCE=")

    ran, page = world.verified("--json")

    assert ran.code == 0
    assert ran.json["proved"] is False
    assert "LA412" in ran.rules
    assert "Set OPENID_AUDIENCE to the Identifier" in page.text


def require_role(world: World, role: str, claim: str) -> None:
    settings = {"": role, "_PARAMETER_PATH": claim, "_TOKEN_KIND": "id"}
    lines = [f"OPENID_REQUIRED_ROLE{name}={value}\n" for name, value in settings.items()]
    world.env_file.write_text(world.env_file.read_text("utf-8") + "".join(lines), "utf-8")


@pytest.mark.parametrize(("claim", "rules", "code"), [("roles", ["LA586"], 1), ("nickname", [], 0)])
def test_checks_a_required_role(world: World, claim: str, rules: list[str], code: int) -> None:
    """The demo user's nickname is "demo"."""
    require_role(world, "demo", claim)

    ran, page = world.verified("--json")

    assert ran.rules == rules
    assert ran.code == code
    assert ("The sign-in works" in page.text) is not bool(rules)
    assert ran.json["proved"] is not bool(rules)


@pytest.mark.parametrize(("domain", "rules"), [("other.test", ["LA587"]), ("example.com", [])])
def test_checks_allowed_domains(world: World, domain: str, rules: list[str]) -> None:
    config = world.env_file.with_name("librechat.yaml")
    config.write_text(f"registration:\n  allowedDomains: [{domain}]\n", "utf-8")

    ran, _ = world.verified("--json")

    assert ran.rules == rules


def test_requests_what_librechat_requests(world: World) -> None:
    world.demo.api.scopes = ["read:things"]
    world.change("profile email offline_access", "profile email offline_access read:things")

    ran, _ = world.verified("--json")

    assert ran.code == 0
    scope = ran.json["sign_in"]["claims"]["access_token"]["scope"]
    assert "read:things" in scope


def test_reports_an_error_in_the_file_instead_of_a_sign_in(
    world: World,
) -> None:
    world.change("/oauth/openid/callback", "/oauth/openid/callback/")
    world.change(" offline_access", "")

    ran = world.run("verify", "--json", "--no-open")

    assert ran.code == 1
    assert ran.rules
    assert {finding["variable"] for finding in ran.json["findings"]} == {
        "OPENID_CALLBACK_URL",
        "OPENID_SCOPE",
    }
    assert ran.json["checks"] == []
    assert "OPENID_CALLBACK_URL is not LibreChat" in world.run("verify", "--no-open").err


@pytest.mark.parametrize("more", [(), ("--json", "--debug")])
def test_shows_and_keeps_only_the_claims_of_a_token(world: World, more: tuple[str, ...]) -> None:
    ran, page = world.verified(*more)

    tenant = world.demo.tenant
    secret = world.demo.secret
    (code,) = parse_qs(urlsplit(page.url).query)["code"]
    hidden = [code, secret, PASSWORD, *tenant.userinfo, *tenant.families]
    assert len(hidden) >= 5
    texts = {"output": ran.out + ran.err, "page": page.text}
    for path in world.tmp.rglob("*"):
        if path.is_file() and path != world.env_file:
            texts[str(path)] = path.read_text("latin-1")
    for place, text in texts.items():
        assert not [value for value in hidden if value in text], place
        assert not JWT.search(text), place


def test_rejects_attacks_and_continues(world: World) -> None:
    browser, callback = world.http(), f"{world.public_url}{CALLBACK}"

    def visit(url: str, **headers: str) -> Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return browser.request("GET", url, headers=sent)

    with world.running("verify", "--no-open", "--json") as verify:
        link = verify.link()
        begun = visit(link)
        (state,) = parse_qs(urlsplit(begun.location).query)["state"]
        markup = "%3Cscript%3Ealert(1)%3C/script%3E"
        refused = {
            "no state": visit(f"{callback}?code=x"),
            "wrong state": visit(f"{callback}?code=x&state={'A' * 43}"),
            "markup in an error": visit(
                f"{callback}?error={markup}&error_description={markup}&state={markup}"
            ),
            "another's error": visit(f"{callback}?error=access_denied&state={'A' * 43}"),
            "another issuer": visit(f"{callback}?code=x&state={state}&iss=https://evil.example/"),
            "two states": visit(f"{callback}?code=x&state={state}&state=b"),
            "neither code nor error": visit(f"{callback}?state={state}"),
            "another host": visit(f"{callback}?code=x&state={state}", Host="evil.example"),
            "another origin": visit(
                f"{callback}?code=x&state={state}", Origin="https://evil.example"
            ),
            "a script on another page": visit(
                f"{callback}?code=x&state={state}", Sec_Fetch_Mode="no-cors"
            ),
            "a frame": visit(f"{callback}?code=x&state={state}", Sec_Fetch_Dest="iframe"),
            "a link without its key": visit(link.partition("?")[0]),
            "a post": browser.request("POST", callback, form={"code": "x", "state": state}),
            "elsewhere": visit(f"{world.public_url}/admin"),
        }
        direct = f"http://127.0.0.1:{world.port}{CALLBACK}?code=x&state={state}"
        refused["another host, past the tunnel"] = visit(direct, Host="evil.example")
        page = world.sign_in(link, EMAIL, PASSWORD)
        replayed = [visit(page.url) for _ in range(2)]
        ran = verify.end()

    for name, response in refused.items():
        assert response.status in {400, 403, 404, 405, 421}, name
        assert "<script" not in response.text, name
        assert state not in response.text, name
    assert "The sign-in works" in page.text
    assert [response.status for response in replayed] == [409, 409]
    assert not any("The sign-in works" in response.text for response in replayed)
    assert ran.code == 0
    assert {it["outcome"] for it in ran.json["sign_in"]["checks"]} == {"proved"}
    assert ran.json["proved"] is True


def test_reports_that_no_one_signed_in(world: World) -> None:
    ran = world.run("verify", "--no-open", "--timeout", "1", "--json")

    assert ran.rules == ["LA432"]
    assert ran.code == 1
    assert "The link was not opened" in ran.finding("LA432")["detail"]


def test_reports_a_public_url_that_leads_elsewhere_and_continues(
    world: World,
) -> None:
    other = "https://chat.example.invalid"
    world.demo.application.callbacks.append(f"{other}{CALLBACK}")
    world.change(world.public_url, other)

    with world.running("verify", "--no-open") as verify:
        verify.until(f"{other} does not reach port {world.port}: the name does not resolve")
        assert verify.link().startswith(f"{other}/oauth/openid?key=")
        verify.until("Waiting for the sign-in")


def test_ctrl_c_ends_it_immediately(world: World) -> None:
    with world.running("verify", "--no-open") as verify:
        verify.until("Waiting for the sign-in")
        verify.interrupt()
        ran = verify.end()

    assert ran.code == 130
    assert "Stopped" in ran.err


def test_needs_a_file(world: World) -> None:
    world.env_file.unlink()
    assert world.run("verify").code == 5
    world.env_file.write_text("HOST=localhost\n")
    ran = world.run("verify", "--json")
    assert ran.rules == ["LA009"]


def test_names_a_value_that_prevents_the_test(world: World) -> None:
    world.change(world.demo.application.client_id, "tpc_6Sm2vQZ9")
    assert world.run("verify", "--json").rules == ["LA270"]


def test_ends_before_the_sign_in_if_a_live_check_fails(world: World) -> None:
    world.demo.application.grant_types = [GrantType.CODE]

    ran = world.run("verify", "--json", "--no-open")

    assert ran.rules == ["LA238"]
    assert ran.code == 1


def test_does_not_take_another_program_for_librechat(world: World) -> None:
    with server(lambda connection: connection.sendall(b"SSH-2.0-x\r\n"), port=world.port):
        ran = world.run("verify", "--json", "--no-open")

    assert ran.rules == ["LA431"]
    assert ran.code == 1


# While LibreChat runs


@contextmanager
def librechat(world: World) -> Iterator[Record]:
    """Run LibreChat with the current `.env` on its port, and record every request."""
    inside = free_port()
    with (
        running_librechat(world.authority, world.env_file, inside),
        counting(world.port, inside) as record,
    ):
        yield record


@contextmanager
def bare_tunnel(world: World) -> Iterator[None]:
    """Serve the public URL over HTTPS without telling LibreChat that it is HTTPS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.authority.certificate, world.authority.key)
    port = urlsplit(world.public_url).port
    assert port is not None
    with tls_only(port, world.port, context):
        yield


@contextmanager
def own_tunnel(world: World) -> Iterator[Running]:
    """Run `init` again, which opens the tunnel of the `.env` and keeps it open."""
    with world.running("init", "--yes", "--tunnel", "local") as init:
        init.until("Keep this running")
        yield init
        init.interrupt()
        assert init.end().code == 0


def through_librechat(world: World, record: Record) -> Ran:
    record.lines.clear()
    ran = world.run("verify", "--json", "--no-open")
    assert ran.json["through_librechat"]
    assert ran.json["sign_in"] is None
    # LibreChat accepts seven in five minutes.
    assert len(record.of("/oauth")) == 1
    return ran


needs_librechat = [pytest.mark.needs("node"), pytest.mark.usefixtures("node_modules")]


class TestWhileLibreChatHoldsThePort:
    pytestmark = needs_librechat

    def test_it_was_not_restarted_after_a_change(self, world: World) -> None:
        with librechat(world) as record, own_tunnel(world):
            audience = "https://api.librechat.ai"
            world.demo.tenant.apis["https://new.example"] = world.demo.api
            world.change(f"OPENID_AUDIENCE={audience}", "OPENID_AUDIENCE=https://new.example")
            ran = through_librechat(world, record)
        assert ran.rules == ["LA524"]
        assert ran.code == 1
        detail = ran.finding("LA524")["detail"]
        assert audience in detail
        assert "https://new.example" in detail
        assert "Restart LibreChat" in ran.finding("LA524")["fix"]

    def test_the_tunnel_hides_that_the_browser_came_by_https(self, world: World) -> None:
        world.env_file.write_text(f"{world.env_file.read_text()}\nSESSION_COOKIE_SECURE=true\n")
        with librechat(world) as record, bare_tunnel(world):
            ran = through_librechat(world, record)
        assert ran.rules == ["LA527"]
        assert ran.code == 1
        assert "X-Forwarded-Proto" in ran.finding("LA527")["fix"]

    def test_the_strategy_was_never_registered(self, world: World) -> None:
        world.demo.tenant.changed_metadata["issuer"] = "https://not.yet.example/"
        with librechat(world) as record, bare_tunnel(world):
            world.demo.tenant.changed_metadata.clear()
            ran = through_librechat(world, record)
        assert ran.rules == ["LA526"]
        assert ran.code == 1
        assert "Restart LibreChat" in ran.finding("LA526")["fix"]

    def test_the_tunnel_is_closed(self, world: World) -> None:
        elsewhere = "https://old.localhost:1"
        world.change(world.public_url, elsewhere)
        world.demo.application.callbacks = [f"{elsewhere}{CALLBACK}"]
        with librechat(world) as record:
            ran = through_librechat(world, record)
        assert ran.rules == ["LA530"]
        assert "librechat-auth0 tunnel" in ran.finding("LA530")["fix"]


def test_a_rate_limited_librechat_proves_nothing(world: World) -> None:
    values = {name: value or "" for name, value in world.values.items()}
    with stand_in(LibreChat(values)) as busy, counting(world.port, busy.port) as record:
        for _ in range(LOGIN_MAX):
            world.http().request("GET", f"http://localhost:{world.port}/oauth/openid")
        with own_tunnel(world):
            ran = through_librechat(world, record)

    assert ran.rules == ["LA533", "LA435"]
    assert ran.code == 1


def test_a_librechat_that_is_still_starting_proves_nothing(world: World) -> None:
    values = {name: value or "" for name, value in world.values.items()}
    with (
        stand_in(LibreChat(values, is_ready=False)) as starting,
        counting(world.port, starting.port),
        own_tunnel(world),
    ):
        ran = world.run("verify", "--json", "--no-open")

    assert {"LA535", "LA014"} <= set(ran.rules)
    assert ran.code == 1
