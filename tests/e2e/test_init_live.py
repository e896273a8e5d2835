"""`init` with a tenant that has one fault: what it reports and advises."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests import sockets
from tests.e2e.program import Ran, clean_environ, run
from tests.e2e.proxies import proxy_to, refusing_proxy
from tests.e2e.terminal import CTRL_C, ENTER, Choose, Terminal
from tests.librechat.example import env_example
from tests.providers import (
    AUDIENCE,
    NO_SUCH_TENANT,
    PUBLIC_URL,
    Authority,
    Demo,
    make_authority,
)
from tests.tenant.state import (
    AuthMethod,
    GrantType,
    Interruption,
    OrganizationUsage,
    Policy,
)

CALLBACK = f"{PUBLIC_URL}/oauth/openid/callback"
DASHBOARD = "https://manage.auth0.com/#"


@dataclass
class Setup:
    """A LibreChat folder, a tenant, and the arguments of `init`."""

    demo: Demo
    folder: Path
    tmp: Path
    environ: dict[str, str]
    stack: ExitStack
    options: dict[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)

    def init(self, *more: str) -> Ran:
        auth0 = self.demo.setup
        given = {
            "--domain": auth0.domain,
            "--client-id": auth0.client_id,
            "--audience": AUDIENCE,
            "--public-url": PUBLIC_URL,
            "--client-secret-file": "-",
            **self.options,
        }
        words = [word for pair in given.items() for word in pair]
        return run(
            *("init", "--yes", "--json", *words, *self.flags, *more),
            cwd=self.folder,
            environ=self.environ,
            given=auth0.client_secret or "",
        )

    def go_by(self, proxy: str) -> None:
        self.environ["HTTPS_PROXY"] = proxy

    @property
    def port(self) -> int:
        return int(self.demo.tenant.domain.rpartition(":")[2])

    @property
    def application_page(self) -> str:
        return f"{DASHBOARD}/applications/{self.demo.application.client_id}"

    def assert_nothing_is_written(self) -> None:
        assert sorted(path.name for path in self.folder.iterdir()) == [".env.example"]
        assert not list(self.tmp.glob("home/.local/state/**/backups/*/*"))


@pytest.fixture
def setup(demo: Demo, authority: Authority, tmp_path: Path) -> Iterator[Setup]:
    folder = tmp_path / "LibreChat"
    folder.mkdir()
    (folder / ".env.example").write_text(env_example())
    environ = clean_environ(tmp_path / "home", authority.ca)
    next(iter(demo.tenant.connections.values())).options["disable_signup"] = True
    with ExitStack() as stack:
        yield Setup(demo, folder, tmp_path, environ, stack)


def no_such_tenant(setup: Setup) -> None:
    # All tenants share Auth0's address; an unknown one answers 404.
    setup.options["--domain"] = NO_SUCH_TENANT
    setup.go_by(setup.stack.enter_context(proxy_to(setup.port)))


def no_such_name(setup: Setup) -> None:
    setup.options["--domain"] = "tenant.invalid"


def nothing_there(setup: Setup) -> None:
    setup.options["--domain"] = "localhost:9"


def portal(setup: Setup) -> None:
    setup.demo.tenant.interruption = Interruption(200, "<html>Log in to the hotel's network</html>")


def no_issuer(setup: Setup) -> None:
    setup.demo.tenant.interruption = Interruption(404, "Not found", "text/plain")


def custom_domain_not_ready(setup: Setup) -> None:
    # The name resolves to Auth0 already, but has no certificate.
    setup.options["--domain"] = "login.example.com"
    setup.go_by(setup.stack.enter_context(proxy_to(setup.port)))


def outage(setup: Setup) -> None:
    setup.demo.tenant.interruption = Interruption(503, "Service Unavailable")


def other_issuer(setup: Setup) -> None:
    setup.demo.tenant.changed_metadata["issuer"] = "https://dev-abc123.eu.auth0.com/"


def unknown_client(setup: Setup) -> None:
    setup.options["--client-id"] = "nobody7nobody7nobody7nobody7nobo"


def no_callback(setup: Setup) -> None:
    setup.demo.application.callbacks = [f"{CALLBACK}/"]


def unknown_api(setup: Setup) -> None:
    setup.options["--audience"] = "https://api.librechat.ai/"


def api_not_granted(setup: Setup) -> None:
    setup.demo.api.user_policy = Policy.REQUIRE_CLIENT_GRANT


def no_code_grant(setup: Setup) -> None:
    setup.demo.application.grant_types = [GrantType.REFRESH]


def response_type_refused(setup: Setup) -> None:
    page = "<h1>Oops!</h1><p>unsupported_response_type: response_type code is not allowed</p>"
    setup.demo.tenant.interruption = Interruption(400, page, path="/authorize")


def organization(setup: Setup) -> None:
    setup.demo.application.organization_usage = OrganizationUsage.REQUIRE


def wrong_secret(setup: Setup) -> None:
    setup.demo.application.client_secret = "the secret that was rotated in the meantime"


def other_auth_method(setup: Setup) -> None:
    setup.demo.application.token_endpoint_auth_method = AuthMethod.PRIVATE_KEY_JWT


def secret_missing(setup: Setup) -> None:
    setup.options.pop("--client-secret-file", None)
    setup.flags.append("--public-client")


def no_rs256(setup: Setup) -> None:
    setup.demo.tenant.changed_metadata["id_token_signing_alg_values_supported"] = ["HS256"]


def no_refresh_grant(setup: Setup) -> None:
    setup.demo.application.grant_types = [GrantType.CODE]


def proxy_refuses(setup: Setup) -> None:
    setup.options["--domain"] = "dev-abc123.us.auth0.com"
    setup.go_by(setup.stack.enter_context(refusing_proxy()))


def untrusted(setup: Setup) -> None:
    (setup.tmp / "other").mkdir()
    setup.environ["SSL_CERT_FILE"] = str(make_authority(setup.tmp / "other").ca)


def expired(setup: Setup) -> None:
    old = sockets.Authority.create(setup.tmp)
    context = old.context("localhost", days=(-2, -1))
    port = setup.stack.enter_context(sockets.server(lambda _: None, context))
    setup.options["--domain"] = f"localhost:{port}"
    setup.environ["SSL_CERT_FILE"] = str(old.pem)


Fault = Callable[[Setup], None]

FAULTS: list[tuple[Fault, int, str, str, str]] = [
    # fault, exit code, rule, part of its detail or title, part of the fix
    (no_such_tenant, 3, "LA207", NO_SUCH_TENANT, f"Basic Information ({DASHBOARD}/applications)"),
    (no_such_name, 3, "LA200", "tenant.invalid", "Basic Information"),
    (nothing_there, 3, "LA201", "localhost:9", "domain"),
    (portal, 3, "LA209", "text/html", "log in to the network"),
    (no_issuer, 3, "LA208", "HTTP 404", f"{DASHBOARD}/branding/custom_domains"),
    (custom_domain_not_ready, 3, "LA211", "login.example.com", "Branding → Custom Domains"),
    (outage, 3, "LA221", "HTTP 503", "https://status.auth0.com"),
    (other_issuer, 1, "LA212", "dev-abc123.eu.auth0.com", "Use dev-abc123.eu.auth0.com as the"),
    (unknown_client, 1, "LA230", "Unknown client", "Settings → Basic Information"),
    (no_callback, 1, "LA231", "Callback URL mismatch", f"provision{{}}, then save: {CALLBACK}"),
    (unknown_api, 1, "LA232", "Service not found", "provision{}create an API with the Identifier"),
    (api_not_granted, 1, "LA233", "is not authorized", "grant User-Delegated Access"),
    (no_code_grant, 1, "LA234", "not allowed", "tick Authorization Code"),
    (response_type_refused, 1, "LA235", "unsupported_response_type", "Regular Web Application"),
    (organization, 1, "LA236", "organization", "Individuals or Both"),
    (wrong_secret, 1, "LA237", "Unauthorized", "provision{}copy it again"),
    (other_auth_method, 1, "LA237", "Unauthorized", "Client Secret (Post)"),
    (secret_missing, 1, "LA244", "without a secret", "provision{}copy it from Applications"),
    (no_rs256, 1, "LA215", "HS256", "Signature Algorithm to RS256"),
    (no_refresh_grant, 1, "LA238", "refresh_token", "tick Refresh Token"),
    (proxy_refuses, 3, "LA205", "407", "NO_PROXY"),
    (untrusted, 3, "LA203", "not trusted", "SSL_CERT_FILE"),
    (expired, 3, "LA220", "not valid at this computer's time", "date and time"),
]


@pytest.mark.parametrize(
    ("fault", "code", "rule", "seen", "remedy"), FAULTS, ids=[row[0].__name__ for row in FAULTS]
)
def test_reports_a_fault_with_its_fix_and_writes_nothing(
    setup: Setup, fault: Fault, code: int, rule: str, seen: str, remedy: str
) -> None:
    fault(setup)

    ran = setup.init()

    assert ran.rules == [rule]
    assert ran.code == code, ran.out
    finding = ran.finding(rule)
    assert seen in finding["detail"]
    assert all(part in finding["fix"] for part in remedy.split("{}"))
    assert not ran.json["ok"]
    assert not ran.json["written"]
    setup.assert_nothing_is_written()
    assert setup.demo.secret not in ran.out + ran.err


def test_reports_a_healthy_tenant_and_writes_the_file(setup: Setup) -> None:
    ran = setup.init()

    assert ran.code == 0, ran.err
    assert ran.json["ok"]
    assert ran.json["written"]
    assert {it["outcome"] for it in ran.json["checks"]} == {"proved", "likely"}
    assert ran.outcome("audience") == ran.outcome("refresh-grant") == "likely"


def test_waits_for_a_rate_limit_and_continues(setup: Setup) -> None:
    setup.demo.tenant.limit_rate(1.5)
    began = time.monotonic()

    ran = setup.init()

    assert time.monotonic() - began > 1.5
    assert ran.code == 0
    assert ran.rules == []
    assert 429 in {visit.status for visit in setup.demo.tenant.visits}


def test_shows_an_unknown_response_sanitized_and_proves_nothing(setup: Setup) -> None:
    secret = setup.demo.secret
    page = (
        f"<script>alert(1)</script><h1>E_STRANGE \x1b[31m</h1><p>client_secret={secret}"
        f" code=abc123 eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln \u202egnp &lt;b&gt; {secret}</p>"
    )
    setup.demo.tenant.interruption = Interruption(418, page, path="/oauth/token")

    ran = setup.init()

    assert set(ran.rules) == {"LA241"}
    assert ran.outcome("client-secret") == ran.outcome("refresh-grant") == "unproved"
    detail = ran.finding("LA241")["detail"]
    assert "E_STRANGE" in detail
    assert "<b>" in detail  # shown unchanged
    for hidden in (secret, "abc123", "eyJ", "\x1b", "\u202e", "alert"):
        assert hidden not in ran.out + ran.err
    plain = run(
        *("init", "--yes", "--dry-run", "--public-url", PUBLIC_URL, "--audience", AUDIENCE),
        *("--domain", setup.demo.setup.domain, "--client-id", "c" * 32),
        cwd=setup.folder,
        environ={**setup.environ, "AUTH0_CLIENT_SECRET": secret},
    )
    assert "E_STRANGE" in plain.err
    for hidden in (secret, "abc123", "eyJ", "\x1b", "\u202e", "alert"):
        assert hidden not in plain.out + plain.err


@pytest.mark.parametrize(("seconds", "side"), [(-3600, "ahead of"), (3600, "behind")])
def test_reports_a_wrong_clock_and_not_a_network_error(
    setup: Setup, seconds: float, side: str
) -> None:
    setup.demo.tenant.clock = lambda: time.time() + seconds

    ran = setup.init("--dry-run")

    assert ran.rules == ["LA219"]
    assert ran.code == 0
    assert f"seconds {side} the tenant" in ran.finding("LA219")["detail"]


def test_all_checks_take_as_long_as_two_requests(setup: Setup) -> None:
    """After the metadata, no request is answered before all were sent."""
    meeting = threading.Barrier(5)

    def meet(path: str) -> None:
        if path != "/.well-known/openid-configuration":
            meeting.wait(60)

    setup.demo.tenant.before = meet

    ran = setup.init("--dry-run")

    assert ran.code == 0
    assert len(setup.demo.tenant.visits) == 6


def test_rejects_a_proof_without_the_tenant(setup: Setup) -> None:
    ran = setup.init("--offline", "--verify")

    assert ran.code == 2
    assert ran.rules == ["LA003"]
    setup.assert_nothing_is_written()


class Conversation:
    """`init` at a terminal, with everything answered up to the live checks."""

    def __init__(self, setup: Setup, *, domain: str = "") -> None:
        auth0 = setup.demo.setup
        self.setup = setup
        self.terminal = Terminal(
            *("init", "--allow-anybody", "--public-url", PUBLIC_URL),
            cwd=setup.folder,
            rows=90,
            environ=setup.environ,
        )
        self.terminal.answer("How do you want to set up Auth0?", Choose("by hand"))
        self.terminal.answer("Domain", domain or auth0.domain)

    def give(self, client_id: str = "", secret: str = "") -> None:
        """Answer the questions for Client ID and secret."""
        auth0 = self.setup.demo.setup
        self.terminal.answer("Client ID", client_id or auth0.client_id)
        self.terminal.answer("Client Secret", secret or auth0.client_secret or "")

    def confirm(self, item: str, still: str) -> None:
        """Confirm an item that is not done, and confirm it again."""
        self.terminal.answer(item, Choose("Done"))
        self.terminal.until(still)
        self.terminal.answer(item, Choose("Continue anyway"))

    def write(self) -> None:
        self.terminal.until("Write these changes?")
        self.terminal.type(ENTER)

    def skip_the_sign_in(self) -> None:
        self.terminal.until("Waiting for the sign-in")
        self.terminal.type(CTRL_C)

    def ended(self) -> int:
        code = self.terminal.end()
        assert self.setup.demo.secret not in self.terminal.raw
        return code

    def written(self) -> dict[str, str | None]:
        return dotenv_values(self.setup.folder / ".env", interpolate=False)


pseudo_terminal = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX's")


@pseudo_terminal
def test_waits_for_fixes_in_the_dashboard(setup: Setup) -> None:
    no_callback(setup)
    talk = Conversation(setup)
    talk.give()
    talk.confirm("Its URLs", "Callback URL, failed")
    talk.terminal.answer("The API", Choose("Done"))
    talk.terminal.until("API identifier: Fix this first")
    talk.terminal.until("(LA231)")
    talk.terminal.answer("What now?", Choose("Wait until"))
    talk.terminal.until("Waiting until it is fixed")

    setup.demo.application.callbacks = [CALLBACK]
    talk.write()
    talk.skip_the_sign_in()

    assert talk.ended() == 0
    assert talk.terminal.text.count("? Client ID") == 1
    values = talk.written()
    assert values["OPENID_CLIENT_ID"] == setup.demo.application.client_id
    assert values["OPENID_CLIENT_SECRET"] == setup.demo.application.client_secret


WRONG: list[tuple[str, str, str, Callable[[Demo], str]]] = [
    # question, answer, rule, right answer
    ("Domain", "localhost:9", "LA201", lambda it: it.setup.domain),
    ("Client ID", "nobody7nobody7nobody7nobody7nobo", "LA230", lambda it: it.setup.client_id),
    ("Client Secret (hidden)", "a-secret-of-another-application", "LA237", lambda it: it.secret),
]


@pseudo_terminal
@pytest.mark.parametrize(
    ("question", "wrong", "rule", "right"), WRONG, ids=["domain", "id", "secret"]
)
def test_repeats_only_the_question_of_a_wrong_value(
    setup: Setup, question: str, wrong: str, rule: str, right: Callable[[Demo], str]
) -> None:
    talk = Conversation(setup, domain=wrong if question == "Domain" else "")
    for asked, _, _, answer in WRONG:
        if asked == question:
            if question != "Domain":
                talk.terminal.answer(asked, wrong)
            talk.terminal.until(f"({rule})")
        if asked == question or asked != "Domain":
            talk.terminal.answer(asked, answer(setup.demo))
    talk.write()
    talk.skip_the_sign_in()

    assert talk.ended() == 0
    asked_at_all = [line for line in talk.terminal.text.splitlines() if line.startswith("? ")]
    assert len(asked_at_all) == 6  # method, domain, Client ID, secret, write, and one repeated
    assert talk.written()["OPENID_CLIENT_SECRET"] == setup.demo.secret


@pseudo_terminal
def test_changes_only_the_wrong_value_later(setup: Setup) -> None:
    talk = Conversation(setup)
    talk.give(secret="a-secret-of-another-application")
    talk.terminal.answer("Client Secret", None)  # unchanged
    talk.terminal.answer("What now?", Choose("Change only: Client Secret"))
    talk.terminal.until("? Client Secret", times=3)
    talk.terminal.answer("Client Secret", setup.demo.secret)
    talk.write()
    talk.skip_the_sign_in()

    assert talk.ended() == 0
    assert talk.terminal.text.count("? Client ID") == 1


@pseudo_terminal
def test_writes_the_file_on_request_and_exits_with_the_finding(setup: Setup) -> None:
    wrong_secret(setup)
    talk = Conversation(setup)
    talk.give()
    talk.terminal.answer("Client Secret", None)
    talk.terminal.answer("What now?", Choose("Write the .env anyway"))
    talk.write()

    assert talk.ended() == 1
    assert "sign-in proves" not in talk.terminal.text
    assert talk.written()["OPENID_CLIENT_ID"] == setup.demo.application.client_id


@pseudo_terminal
def test_stopping_changes_nothing(setup: Setup) -> None:
    unknown_api(setup)
    setup.demo.tenant.apis.clear()
    talk = Conversation(setup)
    talk.give()
    talk.confirm("The API", "API identifier, failed")
    talk.terminal.answer("What now?", Choose("Stop"))

    assert talk.ended() == 1
    talk.terminal.until("Nothing was written.")
    setup.assert_nothing_is_written()


@pseudo_terminal
def test_a_finished_setup_takes_one_key(setup: Setup) -> None:
    assert setup.init().code == 0
    before = (setup.folder / ".env").stat()
    terminal = Terminal("init", cwd=setup.folder, environ=setup.environ)
    terminal.until("Everything is set up. No sign-in has proved it yet.")
    terminal.answer("What now?", None)  # to test the sign-in
    terminal.until("Waiting for the sign-in")
    terminal.type(CTRL_C)

    assert terminal.end() == 0
    assert terminal.text.count("\n? ") == 1
    after = (setup.folder / ".env").stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
