from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.auth0.scripted import (
    CALLBACK,
    CLIENT_ID,
    DOMAIN,
    PUBLIC_URL,
    SECRET,
    SETTINGS,
    UNAUTHORIZED,
    WITHOUT_REUSE,
    FakeClock,
    Script,
    ScriptedTenant,
    json_answer,
    jwk,
    metadata,
    oauth,
)
from tests.auth0.test_tokens import access_token, id_token
from tests.ports import free_port
from tests.sockets import reachable_addresses, read_request, server
from wizard.auth0.error_table import Check
from wizard.auth0.probes import code_challenge
from wizard.auth0.sign_in import MOST_ATTEMPTS, Exchange, SignIn
from wizard.auth0.tenant import judge_metadata
from wizard.auth0.tokens import Judgement
from wizard.findings import Failure, Outcome
from wizard.http import Https, NetworkError, Response, Trouble
from wizard.settings import Settings

DISCOVERY, _ = judge_metadata(metadata(), SETTINGS)
assert DISCOVERY is not None
NAVIGATION = {
    "Host": "chat.example.com",
    "X-Forwarded-Proto": "https",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "cross-site",
}
EVIL = "<script>alert(1)</script>\x1b[31m"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: HTTPMessage
    text: str

    @property
    def location(self) -> dict[str, str]:
        query = parse_qs(urlsplit(self.headers["location"]).query)
        return {name: values[0] for name, values in query.items()}


@dataclass
class User:
    """A browser that reaches the sign-in through a tunnel."""

    sign_in: SignIn
    port: int
    tenant: ScriptedTenant
    started: dict[str, str] = field(default_factory=dict)

    def get(
        self,
        target: str,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        host: str = "127.0.0.1",
    ) -> Reply:
        connection = HTTPConnection(host, self.port, timeout=60)
        try:
            connection.request(method, target, headers={**NAVIGATION, **(headers or {})})
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read().decode())
        finally:
            connection.close()

    @property
    def start(self) -> str:
        return self.sign_in.url.removeprefix(PUBLIC_URL)

    def begin(self) -> dict[str, str]:
        """Open the link; the tenant then exchanges the code for this attempt's tokens."""
        reply = self.get(self.start)
        assert reply.status == 302
        self.started = reply.location
        self.tenant.code = tokens(self.started["nonce"])
        return self.started

    def come_back(self, **parameters: str) -> Reply:
        sent = {"code": "the-code", "state": self.started["state"], **parameters}
        return self.get(f"/oauth/openid/callback?{urlencode(sent)}")


def tokens(nonce: str, **changed: Any) -> Response:
    body = {
        "token_type": "Bearer",
        "access_token": access_token(),
        "id_token": id_token(nonce=nonce),
        "refresh_token": "v1.the-refresh-token",
        "scope": "openid profile email offline_access",
    }
    return json_answer({**body, **changed})


@contextmanager
def signing_in(
    settings: Settings = SETTINGS, refresh: Script | None = None, **promised: object
) -> Iterator[User]:
    port = free_port()
    tenant = ScriptedTenant(refresh=refresh or tokens("of the refresh"))
    discovery, _ = judge_metadata(metadata(**promised), SETTINGS)
    assert discovery is not None
    sign_in = SignIn(Exchange(settings, discovery, (jwk(),), tenant, FakeClock()), port)
    with sign_in:
        yield User(sign_in, port, tenant)


def outcomes(judgement: Judgement) -> dict[Check, Outcome]:
    return {result.check: result.outcome for result in judgement.results}


ALL_PROVED = dict.fromkeys(
    [
        Check.SIGN_IN,
        Check.EXCHANGE,
        Check.ID_TOKEN,
        Check.ACCESS_TOKEN,
        Check.REFRESH_TOKEN,
        Check.REFRESHED,
    ],
    Outcome.PROVED,
)


def test_proves_a_sign_in_from_link_to_result_page() -> None:
    with signing_in() as user:
        started = user.begin()
        assert started.pop("code_challenge_method") == "S256"
        assert started["client_id"] == CLIENT_ID
        assert started["redirect_uri"] == CALLBACK
        assert started["audience"] == SETTINGS.audience
        assert "prompt" not in started
        page = user.come_back()
        judgement = user.sign_in.wait(60)
    assert outcomes(judgement) == ALL_PROVED
    assert judgement.ok
    assert page.status == 200
    assert "The sign-in works" in page.text
    assert "ada@example.com" in page.text
    (exchange,) = user.tenant.sent("code")
    assert exchange.form["code"] == "the-code"
    assert exchange.form["client_secret"] == SECRET
    assert exchange.form["redirect_uri"] == CALLBACK
    assert code_challenge(exchange.form["code_verifier"]) == started["code_challenge"]
    (refresh,) = user.tenant.sent("refresh")
    assert refresh.form["refresh_token"] == "v1.the-refresh-token"


def test_no_credential_is_on_the_page_or_in_the_result() -> None:
    with signing_in() as user:
        user.begin()
        page = user.come_back()
        judgement = user.sign_in.wait(60)
    everything = page.text + str(page.headers) + repr(judgement) + repr(judgement.as_json())
    for hidden in (SECRET, "the-code", "the-refresh-token", "eyJ", user.started["state"]):
        assert hidden not in everything


def test_the_page_loads_and_runs_nothing() -> None:
    with signing_in() as user:
        user.begin()
        page = user.come_back()
    policy = page.headers["content-security-policy"]
    nonce = re.search(r"style-src 'nonce-([\w-]+)'", policy)
    assert nonce is not None
    assert f'<style nonce="{nonce[1]}">' in page.text
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script|<link|<img|<iframe|\son\w+=|\sstyle=|\ssrc=|url\(", page.text)
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"


def test_serves_both_loopback_addresses() -> None:
    with signing_in() as user:
        for host in ("127.0.0.1", "::1"):
            assert user.get("/", host=host).status == 404


def test_serves_loopback_only() -> None:
    with signing_in() as user:
        for address in reachable_addresses():
            with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
                socket.create_connection((address, user.port), timeout=1).close()


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:3080", "[::1]:3080", "CHAT.example.com:443"]
)
def test_accepts_the_host_of_this_machine_and_the_public_host(host: str) -> None:
    with signing_in() as user:
        assert user.get(user.start, {"Host": host}).status == 302


CALLBACK_PATH = "/oauth/openid/callback"

# (name, target, headers, method, status); {state} is that of the running sign-in.
ATTACKS: list[tuple[str, str, dict[str, str], str, int]] = [
    ("wrong state", f"{CALLBACK_PATH}?code=x&state=wrong", {}, "GET", 400),
    ("no state", f"{CALLBACK_PATH}?code=x", {}, "GET", 400),
    ("empty state", f"{CALLBACK_PATH}?code=x&state=", {}, "GET", 400),
    ("empty request", CALLBACK_PATH, {}, "GET", 400),
    ("no code", f"{CALLBACK_PATH}?state={{state}}", {}, "GET", 400),
    ("state twice", f"{CALLBACK_PATH}?code=x&state={{state}}&state=b", {}, "GET", 400),
    ("code twice", f"{CALLBACK_PATH}?code=x&code=y&state={{state}}", {}, "GET", 400),
    ("another issuer", f"{CALLBACK_PATH}?code=x&state={{state}}&iss=https://evil", {}, "GET", 400),
    ("markup in an error", f"{CALLBACK_PATH}?{urlencode({'error': EVIL})}&state=x", {}, "GET", 400),
    (
        "markup in everything",
        f"{CALLBACK_PATH}?{urlencode({'error': EVIL, 'error_description': EVIL, 'state': EVIL})}",
        {},
        "GET",
        400,
    ),
    ("bad encoding", f"{CALLBACK_PATH}?code=x&state=%ff", {}, "GET", 400),
    ("many fields", f"{CALLBACK_PATH}?" + "&".join(f"a{n}=" for n in range(99)), {}, "GET", 400),
    ("other host", f"{CALLBACK_PATH}?code=x&state={{state}}", {"Host": "evil.example"}, "GET", 421),
    (
        "host that looks like ours",
        f"{CALLBACK_PATH}?code=x&state={{state}}",
        {"Host": "chat.example.com.evil.example"},
        "GET",
        421,
    ),
    ("no host", f"{CALLBACK_PATH}?code=x&state={{state}}", {"Host": ""}, "GET", 421),
    (
        "user info in the host",
        f"{CALLBACK_PATH}?code=x&state={{state}}",
        {"Host": "evil.com@localhost"},
        "GET",
        421,
    ),
    (
        "an absolute target on another host",
        f"http://evil.example{CALLBACK_PATH}?code=x&state={{state}}",
        {"Host": "localhost"},
        "GET",
        421,
    ),
    ("invalid host", f"{CALLBACK_PATH}?code=x&state={{state}}", {"Host": "[::1"}, "GET", 421),
    (
        "another origin",
        f"{CALLBACK_PATH}?code=x&state={{state}}",
        {"Origin": "https://evil.example"},
        "GET",
        403,
    ),
    ("null origin", f"{CALLBACK_PATH}?code=x&state={{state}}", {"Origin": "null"}, "GET", 403),
    (
        "a script's request",
        f"{CALLBACK_PATH}?code=x&state={{state}}",
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        "GET",
        403,
    ),
    (
        "a frame",
        f"{CALLBACK_PATH}?code=x&state={{state}}",
        {"Sec-Fetch-Dest": "iframe"},
        "GET",
        403,
    ),
    ("a form", f"{CALLBACK_PATH}?code=x&state={{state}}", {}, "POST", 405),
    ("a prefetch", f"{CALLBACK_PATH}?code=x&state={{state}}", {}, "HEAD", 405),
    ("start without the key", "/oauth/openid", {}, "GET", 403),
    ("start with another key", "/oauth/openid?key=guess", {}, "GET", 403),
    ("start with a strange key", "/oauth/openid?key=%C3%A9", {}, "GET", 403),
    ("another path", "/api/config", {}, "GET", 404),
    ("a path around", "/oauth/openid/callback/../callback?code=x&state={state}", {}, "GET", 404),
]


def test_an_answer_names_its_issuer_if_the_metadata_promises_it() -> None:
    """oauth4webapi, which LibreChat uses, refuses it otherwise (RFC 9207, section 2.4)."""
    with signing_in(authorization_response_iss_parameter_supported=True) as user:
        user.begin()
        assert user.come_back().status == 400
        assert user.tenant.sent("code") == []
        assert user.come_back(iss=f"https://{DOMAIN}/").status == 200


@pytest.fixture(scope="module")
def attacked() -> Iterator[User]:
    """A user in the middle of a sign-in that others attack."""
    with signing_in() as user:
        user.begin()
        yield user


@pytest.mark.parametrize(
    ("target", "headers", "method", "status"),
    [attack[1:] for attack in ATTACKS],
    ids=[attack[0] for attack in ATTACKS],
)
def test_rejects_an_attack(
    attacked: User, target: str, headers: dict[str, str], method: str, status: int
) -> None:
    state = attacked.started["state"]
    refused = attacked.get(target.replace("{state}", state), headers, method)
    assert refused.status == status
    for harmful in ("<script", "alert(1)", "\x1b", "evil"):
        assert harmful not in refused.text
    assert "default-src 'none'" in refused.headers["content-security-policy"]
    assert attacked.tenant.sent("code") == []


def test_the_sign_in_survives_every_attack() -> None:
    with signing_in() as user:
        state = user.begin()["state"]
        for _, target, headers, method, _ in ATTACKS:
            user.get(target.replace("{state}", state), headers, method)
        user.come_back()
        assert user.sign_in.wait(60).ok


class Meanwhile:
    """A tenant; something else happens before it answers the first exchange of a code."""

    def __init__(self, tenant: ScriptedTenant) -> None:
        self._tenant = tenant
        self.acts: list[Callable[[], object]] = []

    def request(self, method: str, url: str, **given: Any) -> Response:
        if method == "POST" and self.acts:
            self.acts.pop()()
        return self._tenant.request(method, url, **given)


def test_of_two_sign_ins_at_once_the_first_that_ends_counts() -> None:
    assert DISCOVERY is not None
    tenant = ScriptedTenant(refresh=tokens("of the refresh"))
    meanwhile, port = Meanwhile(tenant), free_port()
    exchange = Exchange(SETTINGS, DISCOVERY, (jwk(),), meanwhile, FakeClock())
    with SignIn(exchange, port) as sign_in:
        late, first = User(sign_in, port, tenant), User(sign_in, port, tenant)
        late.begin()
        first.begin()
        meanwhile.acts.append(first.come_back)
        page = late.come_back()
        assert page.status == 409
        assert "The sign-in is over." in page.text
        assert sign_in.wait(60).ok


def test_rejects_a_replayed_callback() -> None:
    with signing_in() as user:
        user.begin()
        assert user.come_back().status == 200
        again = user.come_back()
        assert again.status == 409
        assert "The sign-in is over." in again.text
        assert "goes on" not in again.text
        assert user.sign_in.wait(60).ok
    assert len(user.tenant.sent("code")) == 1


def test_rejects_a_second_callback_with_another_state() -> None:
    with signing_in() as user:
        first = user.begin()
        second = user.get(user.start).location
        user.come_back(state=first["state"])
        assert user.come_back(state=second["state"], code="other").status == 409
        assert user.sign_in.wait(60).ok
    assert [request.form["code"] for request in user.tenant.sent("code")] == ["the-code"]


def test_callbacks_at_the_same_time_use_a_state_once() -> None:
    with signing_in() as user:
        user.begin()
        asked, go_on = threading.Event(), threading.Event()
        answer = user.tenant.code
        assert isinstance(answer, Response)

        def slow(_: object) -> Response:
            asked.set()
            assert go_on.wait(60)
            return answer

        user.tenant.code = slow
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(user.come_back)
            assert asked.wait(60)
            assert user.come_back().status == 400
            go_on.set()
            assert first.result().status == 200
    assert len(user.tenant.sent("code")) == 1


def test_each_opening_of_the_link_starts_an_attempt() -> None:
    with signing_in() as user:
        states = [user.get(user.start).location["state"] for _ in range(MOST_ATTEMPTS + 1)]
        assert len(set(states)) == len(states)
        user.started = {"state": states[0]}
        assert user.come_back().status == 400  # the oldest was dropped
        user.begin()
        user.come_back()
        assert user.sign_in.wait(60).ok


FAILURES: list[tuple[dict[str, str], str, str]] = [
    (
        {"error": "access_denied", "error_description": "User did not authorize the request"},
        "LA240",
        "User did not authorize the request",
    ),
    (
        {"error": "access_denied", "error_description": "Service not found: https://x"},
        "LA232",
        "create an API",
    ),
    ({"error": "login_required"}, "LA433", "login_required"),
    ({"error": "server_error", "error_description": EVIL}, "LA433", "&lt;script&gt;alert(1)"),
    ({"error": EVIL, "code": "x"}, "LA433", "&lt;script&gt;"),
]


@pytest.mark.parametrize(("parameters", "rule", "shown"), FAILURES)
def test_ends_with_the_reason_of_auth0s_rejection(
    parameters: dict[str, str], rule: str, shown: str
) -> None:
    with signing_in() as user:
        user.begin()
        page = user.come_back(**parameters)
        judgement = user.sign_in.wait(60)
    assert outcomes(judgement) == {Check.SIGN_IN: Outcome.FAILED}
    assert [finding.rule.id for finding in judgement.findings] == [rule]
    assert shown in page.text
    assert "<script" not in page.text
    assert "\x1b" not in page.text
    assert user.tenant.sent("code") == []


def test_escapes_markup_in_claims() -> None:
    with signing_in() as user:
        started = user.begin()
        hostile = {"name": EVIL, EVIL: "x", "link": "https://manage.auth0.com/<b>"}
        user.tenant.code = tokens(
            started["nonce"], id_token=id_token(nonce=started["nonce"], **hostile)
        )
        page = user.come_back()
    assert "<script" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text


@pytest.mark.parametrize(
    ("code", "check", "rule"),
    [
        (UNAUTHORIZED, Check.EXCHANGE, "LA237"),
        (oauth("invalid_grant", "Invalid authorization code", 403), Check.EXCHANGE, "LA400"),
        (
            NetworkError(Trouble.TIMEOUT, f"https://{DOMAIN}/oauth/token"),
            Check.EXCHANGE,
            "LA202",
        ),
    ],
)
def test_judges_a_failed_exchange(code: Script, check: Check, rule: str) -> None:
    with signing_in() as user:
        user.begin()
        user.tenant.code = code
        page = user.come_back()
        judgement = user.sign_in.wait(60)
    assert outcomes(judgement) == {Check.SIGN_IN: Outcome.PROVED, check: Outcome.FAILED}
    assert [finding.rule.id for finding in judgement.findings] == [rule]
    assert "does not work yet" in page.text


def test_a_dashboard_link_is_clickable() -> None:
    with signing_in() as user:
        user.begin()
        user.tenant.code = UNAUTHORIZED
        page = user.come_back()
    link = f"https://manage.auth0.com/dashboard/us/dev-abc123/applications/{CLIENT_ID}/settings"
    assert f'(<a href="{link}" target="_blank" rel="noopener noreferrer">open in' in page.text


def test_judges_a_refresh_without_a_response() -> None:
    error = NetworkError(Trouble.TIMEOUT, f"https://{DOMAIN}/oauth/token")
    with signing_in(refresh=error) as user:
        user.begin()
        user.come_back()
        judgement = user.sign_in.wait(60)
    assert outcomes(judgement) == {**ALL_PROVED, Check.REFRESHED: Outcome.FAILED}
    assert "no answer in time" in judgement.findings[0].detail


def test_does_not_refresh_without_token_reuse() -> None:
    with signing_in(WITHOUT_REUSE) as user:
        started = user.begin()
        assert "audience" not in started
        user.come_back()
        judgement = user.sign_in.wait(60)
    assert judgement.ok
    assert user.tenant.sent("refresh") == []


@pytest.mark.parametrize(
    ("proto", "good"),
    [("https", True), ("https, http", True), ("http", False), ("", False), ("http, https", False)],
)
def test_a_tunnel_must_forward_the_https_scheme(proto: str, good: bool) -> None:
    with signing_in() as user:
        user.begin()
        query = urlencode({"code": "c", "state": user.started["state"]})
        user.get(f"{CALLBACK_PATH}?{query}", {"X-Forwarded-Proto": proto})
        judgement = user.sign_in.wait(60)
    assert judgement.ok is good
    assert [finding.rule.id for finding in judgement.findings] == ([] if good else ["LA434"])


def test_a_local_public_url_needs_no_forwarded_proto() -> None:
    settings = SETTINGS._replace(public_url="https://localhost:3443")
    with signing_in(settings) as user:
        start = user.sign_in.url.removeprefix("https://localhost:3443")
        reply = user.get(start, {"Host": "localhost:3443"})
        user.started = reply.location
        user.tenant.code = tokens(user.started["nonce"])
        query = urlencode({"code": "c", "state": user.started["state"]})
        user.get(f"{CALLBACK_PATH}?{query}", {"Host": "localhost:3443", "X-Forwarded-Proto": ""})
        assert user.sign_in.wait(60).ok


def test_a_timeout_reports_the_other_requests() -> None:
    with signing_in() as user:
        with pytest.raises(Failure) as unopened:
            user.sign_in.wait(0.01)
        user.begin()
        user.get("/health", {"Host": "localhost:3080"})  # the tunnel's own look
        user.come_back(state="wrong")
        with pytest.raises(Failure) as opened:
            user.sign_in.wait(0.01)
    assert unopened.value.finding.rule.id == "LA432"
    assert "The link was not opened." in unopened.value.finding.detail
    assert (
        "The link was opened. Refused: 1 × This answer does not belong to"
        in opened.value.finding.detail
    )


def test_each_sign_in_has_its_own_secret_link() -> None:
    keys = set()
    for _ in range(2):
        with signing_in() as user:
            assert user.sign_in.url.startswith(f"{PUBLIC_URL}/oauth/openid?key=")
            keys.add(user.sign_in.url)
    assert len(keys) == 2


def test_frees_the_port_afterwards() -> None:
    with signing_in() as user:
        port = user.port
    with socket.create_server(("127.0.0.1", port)):
        pass


def sign_in_at(port: int, seconds: float = 60) -> SignIn:
    assert DISCOVERY is not None
    return SignIn(Exchange(SETTINGS, DISCOVERY, (jwk(),), Https({}, total_timeout=seconds)), port)


def answers(body: bytes) -> Any:
    def handle(connection: socket.socket) -> None:
        if read_request(connection):
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode() + body)

    return handle


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b'{"serverDomain": "http://localhost:3080", "openidLoginEnabled": true}', "LA430"),
        (b'{"hello": "world"}', "LA431"),
        (b"<h1>It works</h1>", "LA431"),
    ],
)
def test_names_the_program_on_a_taken_port(body: bytes, rule: str) -> None:
    with server(answers(body)) as port, pytest.raises(Failure) as caught:
        sign_in_at(port).__enter__()
    assert caught.value.finding.rule.id == rule
    assert str(port) in caught.value.finding.detail


def test_recognizes_a_taken_port_without_a_web_server() -> None:
    with server(lambda connection: connection.close()) as port, pytest.raises(Failure) as caught:
        sign_in_at(port).__enter__()
    assert caught.value.finding.rule.id == "LA431"


def test_recognizes_a_port_that_is_taken_on_all_addresses() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener, pytest.raises(Failure) as caught:
        sign_in_at(listener.getsockname()[1], seconds=1).__enter__()
    assert caught.value.finding.rule.id == "LA431"
