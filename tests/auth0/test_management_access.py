from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.fakes import NoHttp, NoProcesses
from wizard.auth0.management_access import (
    Auth0Cli,
    by_token,
    claims_of,
    parse_token,
    tenant_domain,
)
from wizard.findings import Failure
from wizard.http import NetworkError
from wizard.settings import InvalidValue
from wizard.system.processes import Completed

TENANT = "dev-abc.us.auth0.com"


def token(**claims: object) -> str:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{middle}.signature"


@pytest.mark.parametrize(
    ("text", "tenant", "scopes"),
    [
        (token(aud=f"https://{TENANT}/api/v2/", scope="read:clients"), TENANT, {"read:clients"}),
        (token(aud=["x", f"https://{TENANT}/api/v2/"], scope=""), TENANT, set()),
        (token(aud="https://api.example.com"), "", None),
        (token(aud=7, scope=["read:clients"]), "", None),
        (token(aud="https://[/api/v2/"), "", None),
        ("opaque", "", None),
        ("a.b.c", "", None),
        ("a.bnVsbA.c", "", None),
        ("a.W1tbW1tb.c", "", None),
    ],
)
def test_reads_the_claims_of_a_token(text: str, tenant: str, scopes: set[str] | None) -> None:
    claims = claims_of(text)

    assert claims.tenant == tenant
    assert claims.scopes == (None if scopes is None else frozenset(scopes))


def test_names_exactly_the_missing_scopes() -> None:
    access = by_token(
        token(aud=f"https://{TENANT}/api/v2/", scope="read:clients create:clients"),
        TENANT,
        NoHttp(),
    )

    access.require(frozenset({"read:clients"}))
    with pytest.raises(Failure) as failure:
        access.require(frozenset({"read:clients", "update:clients", "read:client_keys"}))

    assert failure.value.finding.detail == "Missing: read:client_keys, update:clients."


def test_no_token_is_in_a_repr() -> None:
    secret = token(aud=f"https://{TENANT}/api/v2/")

    assert secret not in repr(by_token(secret, TENANT, NoHttp()))


@pytest.mark.parametrize(
    ("text", "taken"),
    [(" eyJ.x.y\n", "eyJ.x.y"), ("Bearer eyJ.x.y", "eyJ.x.y"), ("", None), ("a b", None)],
)
def test_a_pasted_token(text: str, taken: str | None) -> None:
    if taken is None:
        with pytest.raises(InvalidValue):
            parse_token(text)
    else:
        assert parse_token(text) == taken


def test_the_tenants_own_domain() -> None:
    custom = token(aud=f"https://{TENANT}/api/v2/")

    assert tenant_domain(TENANT) == TENANT
    assert tenant_domain("login.example.com") == ""
    assert tenant_domain("login.example.com", custom) == TENANT


@dataclass
class Cli(NoProcesses):
    """An auth0 CLI that prints what the test sets."""

    done: Completed
    ran: list[Sequence[str]] = field(default_factory=list)
    environ: Mapping[str, str] = field(default_factory=dict)
    given: bytes = b""

    def run(self, args: Sequence[str], **rest: Any) -> Completed:
        self.ran.append(args)
        self.environ, self.given = rest["env"], rest["given"]
        return self.done


def ask(
    method: str, path: str, done: Completed, body: bytes | None = None
) -> tuple[Cli, int, object]:
    cli = Cli(done)
    environ = {"AUTH0_MANAGEMENT_TOKEN": "t", "AUTH0_CLIENT_ID": "c", "HOME": "/home/u"}
    answer = Auth0Cli(TENANT, cli, environ).request(
        method, f"https://{TENANT}/api/v2/{path}", body=body, headers={"authorization": "Bearer x"}
    )
    return cli, answer.status, json.loads(answer.body)


def test_a_request_is_one_call_of_the_cli() -> None:
    cli, status, said = ask(
        "PATCH", "clients/a?x=1,2", Completed(0, '{"name": "n"}', ""), b'{"name":"n"}'
    )

    assert cli.ran == [
        [
            *("auth0", "api", "patch", "clients/a?x=1,2"),
            *("--tenant", TENANT, "--no-input", "--no-color"),
        ]
    ]
    assert cli.given == b'{"name":"n"}'
    assert cli.environ == {"HOME": "/home/u"}
    assert (status, said) == (200, {"name": "n"})


@pytest.mark.parametrize(
    ("method", "printed", "status"),
    [
        ("GET", "[]", 200),
        ("POST", "{}", 201),
        ("GET", '{"statusCode": 404, "error": "Not Found"}', 404),
        ("POST", '{"statusCode": 409, "error": "Conflict", "errorCode": "c"}', 409),
        ("POST", "", 403),
    ],
)
def test_recognizes_the_status_by_the_output(method: str, printed: str, status: int) -> None:
    assert ask(method, "clients", Completed(0, printed, ""))[1] == status


ERROR = "\n=== a-tenant.eu.auth0.com error\n\n ▸    {}: API request failed: {}.\n\n"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            404,
            '{"statusCode":404,"message":"Not here.","errorCode":"inexistent_client"}',
            "Not here.",
        ),
        (409, '{\n  "statusCode": 409, "message": "Taken"\n}', "Taken"),
        (403, "Forbidden", None),
        (502, "<h1>502. That is an error.</h1>", None),
        (400, '"a string"', None),
        (429, '{"message":"of 100%!"(NOVERB)"}', None),
    ],
)
def test_recognizes_the_status_of_a_refusal_by_the_error(
    status: int, body: str, message: str | None
) -> None:
    _, answered, said = ask("GET", "clients/a", Completed(1, "", ERROR.format(status, body)))

    assert isinstance(said, dict)
    assert (answered, said["statusCode"], said.get("message")) == (status, status, message)


def test_takes_a_missing_scope_without_a_name_for_a_refusal() -> None:
    """As the CLI shows a plan that lacks a feature."""
    lacks = "Request failed because access token lacks scope: .\n If authenticated via client"

    _, status, said = ask("POST", "clients", Completed(1, "", lacks))

    assert (status, said) == (403, {"statusCode": 403})


def test_a_removal_needs_no_confirmation() -> None:
    cli, _, _ = ask("DELETE", "roles/rol_1", Completed(0, "{}", ""))

    assert "--force" in cli.ran[0]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "roles/rol_1"),
        ("POST", "users/auth0%7C1/roles"),
        ("PATCH", "connections/con_1/clients"),
    ],
)
def test_no_output_is_success_where_success_has_no_body(method: str, path: str) -> None:
    url = f"https://{TENANT}/api/v2/{path}"
    answer = Auth0Cli(TENANT, Cli(Completed(0, "", "")), {}).request(method, url)

    assert (answer.status, answer.body) == (204, b"")


def test_a_missing_scope_is_a_403_that_names_it() -> None:
    stderr = "request failed because access token lacks scope: create:clients.\n If ..."

    _, status, said = ask("POST", "clients", Completed(1, "", stderr))

    assert status == 403
    assert isinstance(said, dict)
    assert said["errorCode"] == "insufficient_scope"
    assert "create:clients" in said["message"]


@pytest.mark.parametrize(
    "done",
    [
        Completed(1, "", "Not logged in. Try 'auth0 login'."),
        Completed(124, "", "no end after 60 s"),
        Completed(127, "", "No such file"),
        Completed(0, "Your device confirmation code is: ABCD", ""),
    ],
)
def test_reports_a_failing_cli(done: Completed) -> None:
    with pytest.raises(Failure) as failure:
        ask("GET", "clients", done)

    assert failure.value.finding.rule.id == "LA618"


@pytest.mark.parametrize("said", ["Failed to send request: dial tcp: timeout.", "Unexpected EOF."])
def test_a_cli_without_network_is_a_network_failure(said: str) -> None:
    with pytest.raises(NetworkError):
        ask("GET", "clients", Completed(1, "", said))
