"""The eight calls, compared with auth0-python's, and responses that no Management API sends."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import pytest
from auth0.management.client import Auth0

from tests.auth0.test_management_plan import AUDIENCE, SOUND, WANTED
from tests.fakes import FixedClock
from wizard.auth0.management import change_tenant, read_tenant
from wizard.auth0.management_access import Access, by_machine
from wizard.auth0.management_calls import MOST_PAGES, MOST_SECONDS, Answer, Calls
from wizard.auth0.management_plan import Part, TenantState, plan, remarks, values_of
from wizard.findings import ExitCode, Failure
from wizard.http import NetworkError, Response, Trouble

TENANT = "dev-abc.us.auth0.com"
CLIENT_ID = "one/two?three"  # not a real Client ID; it must remain one segment of the path
OPAQUE_TOKEN = "mgmt-9f27/1c+opaque="
CLIENT = {
    "client_id": CLIENT_ID,
    "client_secret": "s" * 64,
    "name": "LibreChat",
    "jwt_configuration": {"alg": "RS256", "lifetime_in_seconds": 36000},
    "callbacks": ["https://chat.example.com/oauth/openid/callback"],
}
API = {
    "id": "65f0",
    "identifier": AUDIENCE,
    "name": "LibreChat API",
    "subject_type_authorization": {"user": {"policy": "require_client_grant"}, "client": None},
}
GRANT = {"id": "cgr_1", "client_id": CLIENT_ID, "audience": AUDIENCE, "subject_type": "user"}


@dataclass(frozen=True)
class Sent:
    method: str
    path: str
    query: list[tuple[str, str]]
    body: object
    authorization: str

    @classmethod
    def of(cls, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Sent:
        parts = urlsplit(url)
        if body:
            assert headers["content-type"] == "application/json"
        return cls(
            method,
            parts.path,
            sorted(parse_qsl(parts.query, keep_blank_values=True)),
            json.loads(body) if body else None,
            headers["authorization"],
        )


def answer_to(method: str, path: str) -> tuple[int, object]:
    """Return the responses of a tenant with one application, one API and one grant."""
    kind, _, one = path.removeprefix("/api/v2/").partition("/")
    name, thing = {
        "clients": ("clients", CLIENT),
        "resource-servers": ("resource_servers", API),
        "client-grants": ("client_grants", GRANT),
    }[kind]
    if method == "GET" and not one:
        return 200, {name: [thing], "start": 0, "limit": 100, "total": 1}
    return (201 if method == "POST" else 200), thing


@dataclass
class Tenant:
    """An `HttpClient` that answers with `respond`, and moves the clock by `seconds` each time."""

    respond: Callable[[str, str], Response | NetworkError] | None = None
    clock: FixedClock = field(default_factory=FixedClock)
    seconds: float = 0.0
    sent: list[Sent] = field(default_factory=list)

    def request(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        lower = {"authorization": "", **{k.lower(): v for k, v in (headers or {}).items()}}
        self.sent.append(Sent.of(method, url, body, lower))
        assert len(self.sent) <= 1000, "it never ends"
        self.clock.time += self.seconds
        if self.respond is None:
            status, said = answer_to(method, urlsplit(url).path)
            return Response(url, status, {}, json.dumps(said).encode())
        answer = self.respond(method, url)
        if isinstance(answer, NetworkError):
            raise answer
        return answer

    @property
    def calls(self) -> Calls:
        return Calls(Access(TENANT, self, OPAQUE_TOKEN), self.clock)


def sent_by_sdk(call: Callable[[Auth0], object]) -> Sent:
    """Return the request that auth0-python sends for that call; it must also parse the response."""
    sent = []

    def handle(request: httpx.Request) -> httpx.Response:
        url = f"https://{TENANT}{request.url.raw_path.decode()}"
        sent.append(Sent.of(request.method, url, request.read(), request.headers))
        status, said = answer_to(request.method, urlsplit(url).path)
        return httpx.Response(status, json=said)

    with httpx.Client(transport=httpx.MockTransport(handle)) as client:
        call(
            Auth0(
                base_url=f"https://{TENANT}/api/v2",
                token=OPAQUE_TOKEN,
                httpx_client=client,
                max_retries=0,
            )
        )
    return sent[0]


EMPTY = plan(TenantState(), WANTED)
UPDATE = tuple(change for change in EMPTY if change.field != "identifier")
API_VALUES: dict[str, Any] = values_of(EMPTY, Part.API)
API_CHANGES: dict[str, Any] = values_of(UPDATE, Part.API)
CLIENT_VALUES: dict[str, Any] = values_of(EMPTY, Part.APPLICATION)
PAGE = {"page": 0, "per_page": 100}


def read(calls: Calls) -> object:
    return read_tenant(calls, WANTED)


def apply(part: Part, tenant: TenantState) -> Callable[[Calls], object]:
    changes = EMPTY if tenant.api is None else UPDATE
    return lambda calls: change_tenant(calls, part, changes, tenant, AUDIENCE)


KNOWN = TenantState(
    Answer({"client_id": CLIENT_ID}), Answer({"id": "65f0/..", "identifier": AUDIENCE})
)


@pytest.mark.parametrize(
    ("ours", "number", "theirs"),
    [
        (
            read,
            0,
            lambda it: it.clients.list(fields="client_id,name", is_first_party=True, **PAGE),
        ),
        (
            read,
            1,
            lambda it: it.clients.get(
                CLIENT_ID,
                fields="client_id,client_secret,name,app_type,token_endpoint_auth_method,"
                "client_authentication_methods,oidc_conformant,jwt_configuration,grant_types,"
                "callbacks,allowed_logout_urls,web_origins,is_first_party",
            ),
        ),
        (read, 2, lambda it: it.resource_servers.list(**PAGE)),
        (
            read,
            3,
            lambda it: it.client_grants.list(
                client_id=CLIENT_ID,
                audience=AUDIENCE,
                subject_type="user",
                take=100,
                include_totals=None,
            ),
        ),
        (
            apply(Part.API, TenantState()),
            0,
            lambda it: it.resource_servers.create(**API_VALUES),
        ),
        (
            apply(Part.API, KNOWN),
            0,
            lambda it: it.resource_servers.update("65f0/..", **API_CHANGES),
        ),
        (
            apply(Part.APPLICATION, TenantState()),
            0,
            lambda it: it.clients.create(**CLIENT_VALUES),
        ),
        (
            apply(Part.APPLICATION, KNOWN),
            0,
            lambda it: it.clients.update(CLIENT_ID, **CLIENT_VALUES),
        ),
        (
            apply(Part.ACCESS, KNOWN),
            0,
            lambda it: it.client_grants.create(
                client_id=CLIENT_ID, audience=AUDIENCE, scope=[], subject_type="user"
            ),
        ),
    ],
)
def test_sends_the_same_request_as_auth0s_own_client(
    ours: Callable[[Calls], object], number: int, theirs: Callable[[Auth0], object]
) -> None:
    tenant = Tenant()

    ours(tenant.calls)

    assert tenant.sent[number] == sent_by_sdk(theirs)


def test_reads_a_tenant() -> None:
    tenant = read_tenant(Tenant().calls, WANTED)

    assert tenant.client_id == CLIENT_ID
    assert tenant.urls["callbacks"] == WANTED.urls["callbacks"]
    assert tenant.policies == {"user": "require_client_grant"}
    assert tenant.has_user_grant


# -- responses that no Management API sends --------------------------------------------------------


def respond(said: object, status: int = 200, **headers: str) -> Callable[[str, str], Response]:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return lambda method, url: Response(url, status, headers, body)


def refused(tenant: Tenant, call: Callable[[Calls], object] = read) -> Failure:
    with pytest.raises(Failure) as failure:
        call(tenant.calls)
    return failure.value


CHANGED = {name: {**CLIENT, name: value} for name, value in {"client_id": "", "name": 7}.items()}


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b'"' + b"x" * 100,
        b"[" * 200_000 + b"]" * 200_000,
        b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
        b'{"name":' * 500 + b"1" + b"}" * 500,
        b'{"total": ' + b"9" * 5000 + b"}",
        b"\xff\xfe{}",
        {},
        {"clients": None},
        {"clients": "LibreChat"},
        {"clients": ["LibreChat"]},
        {"clients": [{"name": "LibreChat"}]},
        {"clients": [{"name": ["LibreChat"]}]},
        {"clients": [CLIENT], "total": "1"},
        {"clients": [CLIENT], "total": True},
        b'{"clients": [{"name": "LibreChat", "client_id": "\\ud800"}], "total": 1}',
    ],
)
def test_an_invalid_response_is_a_finding(said: object) -> None:
    failure = refused(Tenant(respond(said)))

    assert failure.finding.rule.id == "LA607"
    assert failure.exit_code is ExitCode.TENANT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_id", ""),
        ("client_id", 7),
        ("client_secret", ["s"]),
        ("jwt_configuration", "RS256"),
        ("jwt_configuration", {"alg": 256}),
        ("jwt_configuration", {"lifetime_in_seconds": "36000"}),
        ("jwt_configuration", {"lifetime_in_seconds": True}),
        ("client_authentication_methods", []),
        ("oidc_conformant", "true"),
        ("is_first_party", 0),
        ("callbacks", "https://chat.example.com"),
        ("callbacks", [None]),
        ("grant_types", {"authorization_code": True}),
    ],
)
def test_rejects_a_value_of_another_type(name: str, value: object) -> None:
    tenant = Tenant(respond({**CLIENT, name: value}))

    def read_and_plan(calls: Calls) -> None:
        found = read_tenant(calls, WANTED._replace(audience=None), CLIENT_ID)
        plan(found, WANTED)
        remarks(found, WANTED)

    assert refused(tenant, read_and_plan).finding.rule.id == "LA607"


def test_a_summary_of_an_application_is_not_taken_for_one_without_urls() -> None:
    """As with read:client_summary alone, of a token whose scopes are not known."""
    shown = {"client_id": CLIENT_ID, "name": "LibreChat", "app_type": "regular_web"}

    failure = refused(Tenant(respond(shown)), lambda calls: read_tenant(calls, WANTED, CLIENT_ID))

    assert (failure.finding.rule.id, failure.finding.detail) == ("LA602", "Missing: read:clients.")


@pytest.mark.parametrize("status", [200, 301, 302, 500, 503, 599])
def test_rejects_a_page_of_another_server(status: int) -> None:
    tenant = Tenant(respond(b"<html>", status, location="https://elsewhere.example.com"))

    failure = refused(tenant)

    assert failure.finding.rule.id == "LA607"
    assert all(sent.path.startswith("/api/v2/clients") for sent in tenant.sent)


# -- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("items", [1, 100])
def test_limits_the_number_of_pages(items: int) -> None:
    others = [{"name": "Other", "client_id": "o"}] * items
    tenant = Tenant(respond({"clients": others, "total": 10**18}))

    failure = refused(tenant)

    assert failure.finding.rule.id == "LA623"
    assert failure.exit_code is ExitCode.TENANT
    assert "--client-id" in failure.finding.fix
    assert len(tenant.sent) == MOST_PAGES


def test_slow_pages_end_at_a_deadline() -> None:
    others = [{"name": "Other", "client_id": "o"}]
    tenant = Tenant(respond({"clients": others, "total": 10**18}), seconds=25.0)
    began = tenant.clock.now()

    failure = refused(tenant)

    assert failure.finding.rule.id == "LA623"
    assert tenant.clock.now() - began < MOST_SECONDS + 25.0


@pytest.mark.parametrize("call", [read, apply(Part.ACCESS, SOUND)])
@pytest.mark.parametrize("wait", ["0", "1", "60"])
def test_rate_limits_end_at_the_same_deadline(wait: str, call: Callable[[Calls], object]) -> None:
    said = {"statusCode": 429, "message": "Global limit has been reached"}
    tenant = Tenant(respond(said, 429, **{"retry-after": wait}))
    began = tenant.clock.now()

    assert refused(tenant, call).finding.rule.id == "LA605"

    assert tenant.clock.now() - began <= MOST_SECONDS
    assert len(tenant.sent) <= 9


def test_pages_with_a_rate_limit_each_end_at_the_same_deadline() -> None:
    others = [{"name": "Other", "client_id": "o"}]
    page = respond({"clients": others, "total": 10**18})
    limit = respond({"statusCode": 429, "message": "M"}, 429, **{"retry-after": "59"})
    turns = itertools.cycle([limit, limit, page])
    tenant = Tenant(lambda method, url: next(turns)(method, url))
    began = tenant.clock.now()

    assert refused(tenant).exit_code in {ExitCode.TENANT, ExitCode.FINDINGS}

    assert tenant.clock.now() - began <= MOST_SECONDS


def test_sends_a_write_once() -> None:
    for answer in (
        respond(b"", 503),
        lambda method, url: NetworkError(Trouble.DROPPED, url),
    ):
        tenant = Tenant(answer)
        refused(tenant, apply(Part.APPLICATION, TenantState()))
        assert len(tenant.sent) == 1


def error(message: str, code: str = "c", status: int = 403) -> Callable[[str, str], Response]:
    return respond({"statusCode": status, "message": message, "errorCode": code}, status)


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        ("Insufficient scope, expected any of: read:rate_limit_policies", "LA602"),
        ("Please upgrade your subscription to enable this.", "LA603"),
    ],
)
def test_a_plan_without_a_feature_has_its_own_rule(message: str, rule: str) -> None:
    """Auth0 gives both the same code; recordings of auth0-deploy-cli."""
    failure = refused(Tenant(error(message, "insufficient_scope")))

    assert failure.finding.rule.id == rule


# -- the token ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        error(f"Authorization: Bearer {OPAQUE_TOKEN} is not allowed"),
        error(f"{' ' * 65_520}{OPAQUE_TOKEN}"),
        error(f"{quote(OPAQUE_TOKEN, safe='')} {quote(quote(OPAQUE_TOKEN, safe=''))}"),
        error(OPAQUE_TOKEN, "insufficient_scope"),
        error(f"limit of {OPAQUE_TOKEN}", "too_many_entities"),
        error(OPAQUE_TOKEN, OPAQUE_TOKEN, 400),
        error(OPAQUE_TOKEN, OPAQUE_TOKEN, 429),
        lambda method, url: NetworkError(Trouble.DROPPED, url, f"BadStatusLine({OPAQUE_TOKEN!r})"),
        lambda method, url: NetworkError(Trouble.DROPPED, url, f"BadStatusLine({OPAQUE_TOKEN})"),
        respond({**CLIENT, "name": f"Chat {OPAQUE_TOKEN}"}),
        respond({**CLIENT, "callbacks": [f"https://{OPAQUE_TOKEN}.example.com"]}),
        respond({**CLIENT, OPAQUE_TOKEN: 1}),
        respond({**CLIENT, "client_id": OPAQUE_TOKEN}),
        respond(
            json.dumps({**CLIENT, "name": OPAQUE_TOKEN}).replace("mgmt", "\\u006dgmt").encode()
        ),
    ],
)
def test_no_message_has_the_token_even_if_the_api_repeats_it(
    answer: Callable[[str, str], Response | NetworkError],
) -> None:
    failure = refused(Tenant(answer), lambda calls: calls.get("clients/any"))

    shown = json.dumps(failure.finding.as_json()) + str(failure) + repr(failure)
    assert OPAQUE_TOKEN[:7] not in shown
    assert quote(OPAQUE_TOKEN, safe="")[-7:] not in shown


def test_no_message_has_a_machines_secret() -> None:
    secret = "m2m-7d40-secret"
    broken = Tenant(lambda method, url: NetworkError(Trouble.DROPPED, url, f"got {secret}"))

    with pytest.raises(Failure) as failure:
        by_machine(CLIENT_ID, secret, TENANT, broken)

    assert secret not in str(failure.value)
