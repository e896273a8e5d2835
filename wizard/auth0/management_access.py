"""Access to the Management API: a token, a machine-to-machine application or the `auth0` CLI.

Credentials are used in this run only and never stored.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from wizard.auth0 import json_web_token
from wizard.auth0.redact import quoted
from wizard.auth0.tenant import network_finding
from wizard.findings import Failure
from wizard.http import HttpClient, NetworkError, Response, Trouble
from wizard.language import Message, sentences
from wizard.rules import rule
from wizard.settings import InvalidValue, is_tenant_domain, parse_domain
from wizard.system.platforms import home_folder
from wizard.system.processes import Completed, Processes, without_secrets
from wizard.system.reading import load_json, read_file

SCOPES_MISSING = rule("LA602")
OTHER_TENANT = rule("LA615")
MACHINE_REFUSED = rule("LA617")
CLI_FAILED = rule("LA618")

CLI_SECONDS = 60.0
_MAX_CONFIG_BYTES = 1 << 20
_NO_CONFIG = (OSError, ValueError, KeyError, TypeError, AttributeError)
_LACKS_SCOPE = r"lacks scope: ([a-z_]+:[a-z_]+)?"
# RFC 6750 §2.1.
_BEARER = r"[A-Za-z0-9._~+/-]+=*"
# Success has no body there; a refusal has none either, so that the result is read back.
_ANSWERS_EMPTY = r"/users/[^/]+/roles\Z|/connections/[^/]+/clients\Z"
_BROKE = r"(?i)failed to send request|unexpected EOF"
_REFUSED = r"(?s)(?P<status>[45]\d\d): API request failed: (?P<body>.*)\."


class TokenClaims(NamedTuple):
    """The unverified claims of a Management API token; empty if it is not a JWT."""

    tenant: str = ""
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Access to one tenant's Management API."""

    tenant: str  # the domain that Auth0 gave it, never a custom one
    http: HttpClient
    token: str = field(default="", repr=False)  # "" if `http` has its own
    scopes: frozenset[str] | None = None  # None if unknown

    def require(self, needed: frozenset[str]) -> None:
        """Raise LA602 if a scope is known to be missing."""
        if self.scopes is not None and (missing := needed - self.scopes):
            raise lacks_scopes(*missing)


def lacks_scopes(*scopes: str) -> Failure:
    """Return LA602 for these scopes."""
    return SCOPES_MISSING.failure(Message("Missing: {scopes}.", scopes=", ".join(sorted(scopes))))


def parse_token(text: str) -> str:
    """Return a pasted Management API token.

    Raises:
        InvalidValue: it is not a bearer token.
    """
    value = text.strip().removeprefix("Bearer ").strip()
    if not value:
        raise InvalidValue("Paste the token; it begins with eyJ.")
    if not re.fullmatch(_BEARER, value):
        raise InvalidValue("A token consists of letters, digits and -._~+/ only. Copy it again.")
    return value


def claims_of(token: str) -> TokenClaims:
    """Return the claims of the token, unverified."""
    read = json_web_token.read(token)
    scope = read.claims.get("scope")
    return TokenClaims(
        next((tenant for each in read.audience if (tenant := _tenant_of(each))), ""),
        frozenset(scope.split()) if isinstance(scope, str) else None,
    )


def by_token(token: str, tenant: str, http: HttpClient) -> Access:
    """Return access by a token.

    Raises:
        Failure: LA615, the token is for another tenant.
    """
    claims = claims_of(token)
    if claims.tenant and claims.tenant != tenant:
        detail = Message("The token is for {tenant}, not for {wanted}.")
        raise OTHER_TENANT.failure(detail.filled(tenant=claims.tenant, wanted=tenant))
    return Access(tenant, http, token, claims.scopes)


def by_machine(client_id: str, client_secret: str, tenant: str, http: HttpClient) -> Access:
    """Return access by a token of a machine-to-machine application.

    Raises:
        Failure: the tenant does not answer, or issues no token.
    """
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
        "audience": f"https://{tenant}/api/v2/",
    }
    try:
        answer = http.request("POST", f"https://{tenant}/oauth/token", form=form)
    except NetworkError as error:
        raise Failure(network_finding(error, [client_secret])) from None
    said = answer.json_object() or {}
    token = said.get("access_token")
    if answer.status != 200 or not isinstance(token, str) or not re.fullmatch(_BEARER, token):
        words = ": ".join(
            str(said[name]) for name in ("error", "error_description") if name in said
        )
        seen = quoted(words, secrets=[client_secret])
        refusal = Message("{tenant} answered {status}", tenant=tenant, status=answer.status)
        raise MACHINE_REFUSED.failure(sentences(refusal, seen))
    return by_token(token, tenant, http)


def by_cli(tenant: str, processes: Processes, environ: Mapping[str, str]) -> Access:
    """Return access by the `auth0` CLI, with its own login."""
    cli = Auth0Cli(tenant, processes, environ)
    return Access(tenant, cli, scopes=_scopes_of_cli(tenant, environ))


def active_tenant(environ: Mapping[str, str]) -> str:
    """Return the tenant that the `auth0` CLI uses, "" if it is not logged in."""
    try:
        config = _config_of_cli(environ)
        tenant = config["default_tenant"]
        return parse_domain(tenant) if tenant in config["tenants"] else ""
    except _NO_CONFIG:
        return ""


def _scopes_of_cli(tenant: str, environ: Mapping[str, str]) -> frozenset[str] | None:
    """Return the scopes of the CLI's login as a user; None as a machine, whose it does not keep."""
    try:
        scopes = _config_of_cli(environ)["tenants"][tenant]["scopes"]
        return frozenset(map(str, scopes)) or None
    except _NO_CONFIG:
        return None


def _config_of_cli(environ: Mapping[str, str]) -> Any:
    """Return the CLI's configuration; raise one of `_NO_CONFIG` if there is none.

    Source: auth0-cli, internal/config/config.go and tenant.go: `$HOME/.config/auth0/config.json`.
    """
    file = home_folder(environ) / ".config/auth0/config.json"
    return load_json(read_file(file, _MAX_CONFIG_BYTES))


@dataclass(frozen=True, slots=True)
class Auth0Cli:
    """An `HttpClient` that runs `auth0 api METHOD PATH`.

    From 1.33 on the CLI fails with the status and the body of a refusal; before, it prints the body
    without the status, and nothing for a 403 that names no missing scope. It reads a body from
    standard input, where no other user of this machine sees it (auth0-cli, internal/cli/api.go).
    """

    tenant: str
    processes: Processes
    environ: Mapping[str, str] = field(repr=False)

    def request(self, method: str, url: str, *, body: bytes | None = None, **_: object) -> Response:
        """Run the CLI; raise LA618 if it fails. See `HttpClient.request`."""
        parts = urlsplit(url)
        path = parts.path.removeprefix("/api/v2/") + (f"?{parts.query}" if parts.query else "")
        command = ["auth0", "api", method.lower(), path]
        if method == "DELETE":
            command.append("--force")  # which it wants where it sees an AI agent
        command += ["--tenant", self.tenant, "--no-input", "--no-color"]
        env = without_secrets(self.environ)
        done = self.processes.run(command, timeout=CLI_SECONDS, env=env, given=body or b"")
        return _answer(done, method, url)


def _answer(done: Completed, method: str, url: str) -> Response:
    if done.status != 0:
        return _refusal(done, url)
    text = done.stdout.strip()
    try:
        said = load_json(text) if text else None
    except ValueError:
        raise CLI_FAILED.failure("Its output is not JSON.") from None
    is_empty = method == "DELETE" or re.search(_ANSWERS_EMPTY, urlsplit(url).path)
    if said is None and is_empty:
        return Response(url, 204, {}, b"")
    if said is None:
        return _json_response(url, 403, {"statusCode": 403, "error": "Forbidden", "message": ""})
    status = said.get("statusCode") if isinstance(said, dict) and "error" in said else None
    if not isinstance(status, int):
        status = 201 if method == "POST" else 200
    return _json_response(url, status, said)


def _refusal(done: Completed, url: str) -> Response:
    if lacks := re.search(_LACKS_SCOPE, done.stderr):
        if not lacks[1]:  # so it shows a plan that lacks a feature
            return _json_response(url, 403, {"statusCode": 403})
        message = f"Insufficient scope, expected any of: {lacks[1]}"
        said = {"statusCode": 403, "errorCode": "insufficient_scope", "message": message}
        return _json_response(url, 403, said)
    if refused := re.search(_REFUSED, done.stderr):
        return _json_response(url, int(refused["status"]), _said(refused))
    if re.search(_BROKE, done.stderr):
        raise NetworkError(Trouble.DROPPED, url, quoted(done.stderr))
    reason = Message("auth0 is not installed") if done.status == 127 else quoted(done.stderr)
    raise CLI_FAILED.failure(
        Message("auth0 api ended with {status}: {reason}", status=done.status, reason=reason)
    )


def _said(refused: re.Match[str]) -> object:
    try:
        said = load_json(refused["body"])
    except ValueError:  # the CLI gives the status in words where the answer has no body
        said = None
    return said if isinstance(said, dict) else {"statusCode": int(refused["status"])}


def _json_response(url: str, status: int, said: object) -> Response:
    return Response(url, status, {"content-type": "application/json"}, json.dumps(said).encode())


def _tenant_of(audience: str) -> str:
    """Return TENANT of `https://TENANT/api/v2/`, "" for any other audience."""
    if not audience.endswith("/api/v2/"):
        return ""
    try:
        return urlsplit(audience).netloc.lower()
    except ValueError:
        return ""


def tenant_domain(domain: str, token: str = "") -> str:
    """Return the tenant's own domain, "" if unknown; custom domains do not serve this API."""
    return domain if is_tenant_domain(domain) else claims_of(token).tenant
