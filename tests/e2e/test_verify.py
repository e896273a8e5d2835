"""From `init` to a sign-in: a real browser, other providers, and LibreChat's own packages."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.chromium import Tab, chromium
from tests.commands.test_verify_librechat import librechat
from tests.demo.test_access import bind
from tests.e2e.installed import Installed, trust_the_local_tunnel
from tests.e2e.program import Ran
from tests.e2e.terminal import CTRL_C, ENTER, Terminal
from tests.providers import (
    AUDIENCE,
    EMAIL,
    PASSWORD,
    Authority,
    Demo,
    NodeProvider,
    furnish,
    running_librechat,
    running_oidc_provider,
    sign_in_at_simulacrum,
)
from tests.tenant.state import AuthMethod, Tenant, User
from wizard.auth0.access import ADMIN_ROLE, ROLES_CLAIM, USER_ROLE, Who
from wizard.auth0.access_action import STRANGER, role_name

# Where to save screenshots, if anyone wants them.
SCREENSHOTS = os.environ.get("SCREENSHOTS")
WIDTH = 400
SIGN_IN_CHECKS = (
    "sign-in",
    "admission",
    "code-exchange",
    "id-token",
    "access-token",
    "refresh-token",
    "refresh",
)


@pytest.fixture
def installed(authority: Authority, tmp_path: Path) -> Installed:
    return Installed(tmp_path, authority)


def sign_in_outcomes(ran: Ran) -> dict[str, str]:
    return {it["check"]: it["outcome"] for it in ran.json["sign_in"]["checks"]}


def outcomes(ran: Ran) -> dict[str, str]:
    return {it["check"]: it["outcome"] for it in ran.json["checks"]}


# A real browser


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def sign_in_with(tab: Tab, link: str) -> None:
    """Log in and accept; afterwards `requested` has only later requests."""
    tab.open(link, "document.querySelector('[type=password]')")
    tab.submit(username=EMAIL, password=PASSWORD)
    tab.wait("document.querySelector('[value=accept]')")
    tab.requested.clear()
    tab.evaluate("document.querySelector('[value=accept]').click()")


def nothing(demo: Demo) -> None:
    pass


def id_token_hs256(demo: Demo) -> None:
    demo.application.id_token_alg = "HS256"


def no_offline_access(demo: Demo) -> None:
    demo.api.allow_offline_access = False


def no_email(demo: Demo) -> None:
    demo.user.email = ""


@pytest.mark.needs("chromium")
@pytest.mark.parametrize(
    ("fault", "rules", "shown"),
    [
        (nothing, [], EMAIL),
        (id_token_hs256, ["LA403"], "Signature Algorithm to RS256"),
        (no_offline_access, ["LA417"], "turn on Allow Offline Access"),
        (no_email, ["LA410"], "has no email address"),
    ],
    ids=["success", "hs256", "no-refresh-token", "no-email"],
)
def test_from_the_link_to_the_result_in_a_browser(
    fault: Callable[[Demo], None],
    rules: list[str],
    shown: str,
    installed: Installed,
    demo_server: Tenant,
    authority: Authority,
    tab: Tab,
    tmp_path: Path,
) -> None:
    demo = furnish(demo_server, authority.http(), installed.public_url)
    auth0 = demo.setup
    assert installed.init(auth0.domain, auth0.client_id, auth0.client_secret or "").code == 0
    fault(demo)
    tab.call("Network.clearBrowserCookies")
    tab.look(width=WIDTH, dark=False)
    tab.console.clear()
    with installed.running("verify", "--no-open", "--json") as verify:
        sign_in_with(tab, verify.link())
        tab.wait("document.querySelector('footer') && document.readyState === 'complete'")
        ran = verify.end()

    # The program has ended, and the page still works.
    assert ran.rules == rules
    assert ran.code == (1 if rules else 0)
    text = tab.evaluate("document.body.textContent")
    assert ("The sign-in works" in text) is (not rules)
    assert shown in text
    assert urlsplit(tab.evaluate("location.href")).path == "/oauth/openid/callback"
    assert {urlsplit(url).hostname for url in tab.requested} == {"localhost"}
    assert not [line for line in tab.console if "Content Security Policy" in line]
    for dark in (False, True):
        tab.look(width=WIDTH, dark=dark)
        assert tab.evaluate("document.documentElement.scrollWidth") <= WIDTH
        folder = Path(SCREENSHOTS) if SCREENSHOTS else tmp_path
        tab.screenshot(folder / f"verify-{fault.__name__}-{'dark' if dark else 'light'}.png")


@pytest.mark.needs("chromium")
@pytest.mark.parametrize(
    ("fault", "rules", "shown"),
    [(nothing, [], f"Hello, {EMAIL}"), (no_offline_access, ["LA581"], "Welcome back")],
)
def test_from_the_link_through_the_running_librechat_in_a_browser(
    fault: Callable[[Demo], None],
    rules: list[str],
    shown: str,
    installed: Installed,
    demo_server: Tenant,
    authority: Authority,
    tab: Tab,
) -> None:
    demo = furnish(demo_server, authority.http(), installed.public_url)
    auth0 = demo.setup
    assert installed.init(auth0.domain, auth0.client_id, auth0.client_secret or "").code == 0
    fault(demo)
    tab.call("Network.clearBrowserCookies")
    with librechat(installed), installed.running("verify", "--no-open") as verify:
        verify.until("Open in a browser")
        link = f"{installed.public_url}/oauth/openid"
        sign_in_with(tab, link)
        tab.wait(f"document.body && document.body.textContent === {json.dumps(shown)}")
        ran = verify.end()

    assert ran.code == (1 if rules else 0)
    assert ("The sign-in through LibreChat works." in ran.err) is (not rules)
    assert [rule for rule in rules if f"({rule})" not in ran.err] == []


@pytest.mark.needs("chromium")
def test_in_a_browser_the_named_person_is_administrator_and_a_stranger_is_rejected(
    installed: Installed, demo_server: Tenant, authority: Authority, tab: Tab
) -> None:
    demo = furnish(demo_server, authority.http(), installed.public_url)
    auth0, stranger = demo.setup, "eve@example.net"
    assert installed.init(auth0.domain, auth0.client_id, auth0.client_secret or "").code == 0
    installed.env_file.write_text(
        installed.env_file.read_text()
        + "".join(
            f"{name}={role}\n{name}_PARAMETER_PATH={ROLES_CLAIM}\n{name}_TOKEN_KIND=id\n"
            for name, role in (
                ("OPENID_REQUIRED_ROLE", USER_ROLE),
                ("OPENID_ADMIN_ROLE", ADMIN_ROLE),
            )
        )
    )
    bind(demo, Who.PEOPLE)
    demo.user.roles.add(role_name(ADMIN_ROLE, auth0.client_id))
    demo.tenant.add(User(login=stranger, email=stranger, password=PASSWORD))
    link = f"{installed.public_url}/oauth/openid"
    tab.call("Network.clearBrowserCookies")
    with librechat(installed):
        with installed.running("verify", "--no-open", "--json") as verify:
            verify.until("Open in a browser")
            sign_in_with(tab, link)
            tab.wait(f"document.body && document.body.textContent === 'Hello, {EMAIL}'")
            admitted = verify.end()
        tab.call("Network.clearBrowserCookies")
        with installed.running("verify", "--no-open", "--json") as verify:
            verify.until("Open in a browser")
            tab.open(link, "document.querySelector('[type=password]')")
            tab.submit(username=stranger, password=PASSWORD)
            tab.wait("document.body && document.body.textContent === 'Welcome back'")
            denied = verify.end()

    assert admitted.code == 0, admitted.err
    seen = [part for each in admitted.json["evidence"] for part in each["seen"]]
    assert "the administrator's role" in seen
    assert denied.rules == ["LA436"]
    assert STRANGER in denied.finding("LA436")["detail"]


# At a terminal


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX's")
def test_init_ends_with_a_sign_in_and_keeps_the_tunnel_open(
    installed: Installed, demo_server: Tenant, authority: Authority
) -> None:
    demo = furnish(demo_server, authority.http(), installed.public_url)
    installed.env_file.write_text(
        f"PORT={installed.port}\nMONGO_URI=mongodb://127.0.0.1:27017/LibreChat\n"
        f"DOMAIN_CLIENT={installed.public_url}\nDOMAIN_SERVER={installed.public_url}\n"
    )
    trust_the_local_tunnel(installed.state_dir)
    terminal = Terminal(
        *("init", "--tunnel", "local", "--no-open"),
        cwd=installed.folder,
        columns=120,
        rows=100,
        environ={**installed.environ, "XDG_STATE_HOME": str(installed.state_dir.parent)},
    )
    terminal.answer("How do you want to set up Auth0?", None)
    terminal.answer("Domain", demo.setup.domain)
    terminal.answer("Client ID", demo.setup.client_id)
    terminal.answer("Client Secret", demo.secret)
    terminal.until("Write these changes?")
    terminal.type(ENTER)
    terminal.until("Waiting for the sign-in")
    (link,) = re.findall(r"https://localhost:\d+/oauth/openid\?key=[\w-]+", terminal.text)
    installed.sign_in(link, EMAIL, PASSWORD)
    terminal.until("It returned a new JSON Web Token")
    terminal.until("Keep this running")
    assert "does not lead" not in terminal.text
    terminal.type(CTRL_C)

    assert terminal.end() == 0
    assert installed.values["OPENID_CLIENT_SECRET"] == demo.secret
    for secret in (demo.secret, PASSWORD, "eyJ", "code="):
        assert secret not in terminal.raw


# Third-party providers


def settle(installed: Installed, provider: NodeProvider, *more: str, **changed: str) -> Ran:
    """Run `init` for the provider."""
    given = {"client_id": provider.client_id, "client_secret": provider.client_secret, **changed}
    return installed.init(provider.domain, given["client_id"], given["client_secret"], *more)


@pytest.mark.needs("node")
@pytest.mark.usefixtures("node_modules")
class TestOidcProvider:
    @pytest.fixture
    def provider(self, installed: Installed) -> Iterator[NodeProvider]:
        with running_oidc_provider(installed.authority, installed.public_url) as running:
            yield running

    def test_init_then_verify(self, installed: Installed, provider: NodeProvider) -> None:
        written = settle(installed, provider)
        assert written.code == 0, written.out
        assert set(outcomes(written).values()) == {"proved", "likely"}

        with installed.running("verify", "--no-open", "--json") as verify:
            page = installed.sign_in(verify.link(), provider.email, provider.password)
            ran = verify.end()

        assert "The sign-in works" in page.text
        assert ran.code == 0
        assert sign_in_outcomes(ran) == dict.fromkeys(SIGN_IN_CHECKS, "proved")
        claims = ran.json["sign_in"]["claims"]["access_token"]
        assert AUDIENCE in claims["aud"]
        assert claims["iss"].rstrip("/") == provider.issuer.rstrip("/")

    def test_reports_each_wrong_value(self, installed: Installed, provider: NodeProvider) -> None:
        nobody = settle(installed, provider, client_id="n" * 32)
        assert nobody.rules == ["LA230"]
        wrong_secret = settle(installed, provider, client_secret="w" * 64)
        assert wrong_secret.rules == ["LA237"]
        other_api = settle(installed, provider, "--audience", "https://nope.example")
        assert other_api.rules == ["LA232"]
        no_secret = settle(installed, provider, "--public-client")
        assert no_secret.rules == ["LA244"]
        elsewhere = settle(installed, provider, "--public-url", "https://other.example")
        assert elsewhere.rules == ["LA231"]
        assert {ran.code for ran in (nobody, wrong_secret, other_api, elsewhere)} == {1}
        assert not installed.env_file.exists()


@pytest.mark.needs("node")
@pytest.mark.usefixtures("node_modules")
@pytest.mark.parametrize(
    ("environ", "rule"),
    [
        ({"GRANT_TYPES": "authorization_code"}, "LA238"),
        ({"GRANT_TYPES": "refresh_token"}, "LA235"),
        ({"API_POLICY": "require_client_grant"}, "LA233"),
        ({"AUTH_METHOD": "client_secret_jwt"}, "LA237"),
        ({"AUTH_METHOD": "none"}, "LA242"),
    ],
)
def test_faults_of_oidc_provider_before_the_sign_in(
    environ: dict[str, str], rule: str, installed: Installed
) -> None:
    with running_oidc_provider(installed.authority, installed.public_url, **environ) as provider:
        ran = settle(installed, provider)
    assert rule in ran.rules
    assert ran.code == 1
    assert not installed.env_file.exists()


@pytest.mark.needs("node")
@pytest.mark.usefixtures("node_modules")
@pytest.mark.parametrize(
    ("environ", "rule"),
    [({"ALLOW_OFFLINE_ACCESS": "false"}, "LA417"), ({"ID_TOKEN_ALG": "HS256"}, "LA403")],
)
def test_faults_of_oidc_provider_found_only_by_a_sign_in(
    environ: dict[str, str], rule: str, installed: Installed
) -> None:
    with running_oidc_provider(installed.authority, installed.public_url, **environ) as provider:
        assert settle(installed, provider, "--force").json["written"]
        with installed.running("verify", "--no-open", "--json") as verify:
            installed.sign_in(verify.link(), provider.email, provider.password)
            ran = verify.end()
    assert rule in ran.rules
    assert ran.code == 1


@pytest.mark.needs("node")
def test_the_simulator_neither_fails_nor_passes_before_the_sign_in(
    installed: Installed, simulacrum: NodeProvider
) -> None:
    written = settle(installed, simulacrum, client_secret="s" * 64)
    assert written.code == 0, written.out
    judged = outcomes(written)
    assert judged.pop("discovery") == judged.pop("signing-keys") == "proved"
    assert set(judged.values()) == {"unproved"}

    http = installed.http()
    with installed.running("verify", "--no-open", "--json") as verify:
        to_tenant = http.request("GET", verify.link()).location
        page = http.request("GET", sign_in_at_simulacrum(http, simulacrum, to_tenant))
        ran = verify.end()

    assert "The sign-in works" in page.text
    assert ran.code == 0
    assert sign_in_outcomes(ran) == dict.fromkeys(SIGN_IN_CHECKS, "proved")


# LibreChat's own packages


@pytest.mark.needs("node")
@pytest.mark.usefixtures("node_modules")
@pytest.mark.parametrize("public", [False, True], ids=["with a secret", "public client"])
def test_librechat_signs_in_through_the_tunnel_of_init(
    public: bool, installed: Installed, demo_server: Tenant, authority: Authority
) -> None:
    demo = furnish(demo_server, authority.http(), installed.public_url)
    auth0 = demo.setup
    if public:
        demo.application.token_endpoint_auth_method = AuthMethod.NONE
        demo.application.rotating_refresh_tokens = True
    words = ["--public-client"] if public else []
    written = installed.init(auth0.domain, auth0.client_id, auth0.client_secret or "", *words)
    assert written.code == 0, written.out
    before = installed.env_file.read_bytes()

    # Another day: the same command finds everything in the file, and reopens the tunnel.
    with installed.running("init", "--yes", "--tunnel", "local", *words) as init:
        init.until("Keep this running")
        with running_librechat(authority, installed.env_file, installed.port):
            start = f"{installed.public_url}/oauth/openid"
            end = installed.sign_in(start, EMAIL, PASSWORD)
        init.interrupt()
        assert init.end().code == 0

    assert installed.env_file.read_bytes() == before
    result: dict[str, Any] = json.loads(end.body)
    assert result["user"]["email"] == EMAIL
    for tokens in (result["first"], result["refreshed"]):
        assert AUDIENCE in tokens["access_token"]["claims"]["aud"]
        assert tokens["id_token"]["claims"]["email"] == EMAIL
    assert result["first"]["has_refresh_token"]
