"""Reads and changes a tenant by the Management API.

Answers must match Auth0's OpenAPI description and must not contain the token. Other answers become
a `Failure` that does not quote them, since they can hold secrets.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar
from urllib.parse import quote, urlencode

from wizard.auth0.management_access import SCOPES_MISSING, Access
from wizard.auth0.management_plan import (
    ApiState,
    ApplicationState,
    Part,
    PlannedChange,
    TenantState,
    Wanted,
    needs_user_grant,
    values_of,
)
from wizard.auth0.redact import quoted
from wizard.auth0.retry import Patient
from wizard.auth0.tenant import network_finding
from wizard.clock import Clock
from wizard.findings import Failure
from wizard.http import NetworkError
from wizard.language import Message
from wizard.rules import rule

AT_THE_LIMIT = rule("LA603")
REFUSED = rule("LA606")
NOT_UNDERSTOOD = rule("LA607")
GONE = rule("LA608")
SAME_NAME_TWICE = rule("LA610")
NO_SUCH_APPLICATION = rule("LA611")
TOO_LONG = rule("LA623")

READ_SCOPES = frozenset({"read:clients", "read:client_keys"})
MOST_SECONDS = 180.0  # of one `read` or `apply`, waits for rate limits included
MOST_PAGES = 50
_PAGE = 100
_RETRIES = 8
_LONGEST_WAIT = 60.0
_CLIENT_FIELDS = (
    "client_id,client_secret,name,app_type,token_endpoint_auth_method,"
    "client_authentication_methods,oidc_conformant,jwt_configuration,grant_types,callbacks,"
    "allowed_logout_urls,web_origins,is_first_party"
)
_LIMIT_WORDS = ("limit", "upgrade", "entitlement", "quota", "maximum")

Json = Mapping[str, object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ManagementApi:
    """One tenant's Management API; a request that fails raises `Failure`."""

    access: Access
    clock: Clock

    def read(self, wanted: Wanted, client_id: str = "") -> TenantState:
        """Return LibreChat's application, found by `client_id` or by name, and its API."""
        reading = {"read:resource_servers"} if wanted.audience else set()
        self.access.require(READ_SCOPES | reading)
        calls = self._calls()
        if not client_id:
            client_id = _find_by_name(calls, wanted.name)
        tenant = TenantState(
            _application(calls, client_id) if client_id else None,
            _api(calls, wanted.audience) if wanted.audience else None,
        )
        if tenant.application is None or not needs_user_grant(tenant):
            return tenant
        self.access.require(frozenset({"read:client_grants"}))
        granted = _has_user_grant(calls, tenant.application.client_id, wanted.audience or "")
        return replace(tenant, has_user_grant=granted)

    def apply(
        self, part: Part, changes: tuple[PlannedChange, ...], tenant: TenantState, audience: str
    ) -> TenantState:
        """Apply the changes to that part in one request; return the tenant as answered."""
        calls, values = self._calls(), values_of(changes, part)
        match part:
            case Part.API:
                answer = calls.save(
                    "resource-servers", tenant.api.id if tenant.api else None, values
                )
                return replace(tenant, api=_api_state(answer))
            case Part.APPLICATION:
                known = tenant.application.client_id if tenant.application else None
                answer = calls.save("clients", known, values)
                return replace(tenant, application=_application_state(answer))
            case Part.ACCESS:
                if tenant.application is None:
                    raise ValueError("there is no application to grant access to")
                grant = {
                    "client_id": tenant.application.client_id,
                    "audience": audience,
                    "scope": [],
                    "subject_type": "user",
                }
                calls.save("client-grants", None, grant)
                return replace(tenant, has_user_grant=True)

    def _calls(self) -> _Calls:
        return _Calls(self.access, self.clock, self.clock.now() + MOST_SECONDS)


def write_scopes(changes: tuple[PlannedChange, ...], tenant: TenantState) -> frozenset[str]:
    """Return the scopes that applying the changes needs."""
    kinds = {
        Part.API: (tenant.api, "resource_servers"),
        Part.APPLICATION: (tenant.application, "clients"),
        Part.ACCESS: (None, "client_grants"),
    }
    affected = [kinds[part] for part in {change.part for change in changes}]
    return frozenset(f"{'update' if exists else 'create'}:{name}" for exists, name in affected)


@dataclass(frozen=True, slots=True)
class _Calls:
    """Requests with one deadline."""

    access: Access
    clock: Clock
    deadline: float

    def get(self, path: str, **query: object) -> _Answer:
        """Send a GET request."""
        return self._call("GET", f"{path}?{urlencode(query)}")

    def save(self, kind: str, known: str | None, values: Json) -> _Answer:
        """Create an object, or change the one with that ID."""
        if known is None:
            return self._call("POST", kind, values)
        return self._call("PATCH", f"{kind}/{_segment(known)}", values)

    def all(self, path: str, name: str, **query: object) -> Iterator[_Answer]:
        """Yield every item of a list, page by page."""
        seen = 0
        for page in range(MOST_PAGES):
            answer = self.get(path, **query, page=page, per_page=_PAGE, include_totals="true")
            items = answer.objects(name)
            yield from items
            seen += len(items)
            if not items or seen >= (answer.value("total", int) or 0):
                return
        raise TOO_LONG.failure(
            Message("More than {pages} pages of {kind}.", pages=MOST_PAGES, kind=path)
        )

    def _call(self, method: str, path: str, body: Json | None = None) -> _Answer:
        if self.clock.now() >= self.deadline:
            raise TOO_LONG.failure(
                Message("It took over {seconds} seconds.", seconds=int(MOST_SECONDS))
            )
        token = self.access.token
        secrets = [token] if token else []
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = None if body is None else json.dumps(body).encode()
        http = Patient(
            self.access.http, self.clock, _RETRIES, _LONGEST_WAIT, self.deadline, {"GET"}
        )
        url = f"https://{self.access.tenant}/api/v2/{path}"
        try:
            answer = http.request(method, url, body=content, headers=headers)
        except NetworkError as error:
            raise Failure(network_finding(error, secrets)) from None
        said = answer.json_object()
        if not 200 <= answer.status < 300:
            raise _failure(answer.status, said, secrets)
        if said is None or not _is_fit(said, secrets):
            raise NOT_UNDERSTOOD.failure()
        return _Answer(said)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A JSON object in which null means absent; a value of the wrong type raises `Failure`."""

    said: Json = field(repr=False)

    def value(self, name: str, kind: type[T]) -> T | None:
        """Return the value, None if there is none."""
        value = self.said.get(name)
        return None if value is None else _of_type(value, kind)

    def string(self, name: str) -> str:
        """Return the string, "" if there is none."""
        return self.value(name, str) or ""

    def needed(self, name: str) -> str:
        """Return the string, which must exist."""
        if string := self.string(name):
            return string
        raise NOT_UNDERSTOOD.failure()

    def strings(self, name: str) -> tuple[str, ...]:
        """Return the list of strings, () if there is none."""
        return tuple(_of_type(each, str) for each in self.value(name, list) or ())

    def object(self, name: str) -> _Answer | None:
        """Return the object, None if there is none."""
        value = self.value(name, dict)
        return None if value is None else _Answer(value)

    def objects(self, name: str) -> list[_Answer]:
        """Return the list of objects, which must exist."""
        return [_Answer(_of_type(each, dict)) for each in _of_type(self.said.get(name), list)]


_BY_STATUS = {401: rule("LA601"), 404: GONE, 409: rule("LA604"), 429: rule("LA605")}


def _failure(status: int, said: Json | None, secrets: Collection[str]) -> Failure:
    if said is None or "statusCode" not in said:
        return NOT_UNDERSTOOD.failure(
            Message("Auth0 answered with status {status}.", status=status)
        )
    message, code = (
        quoted(value, secrets=secrets) if isinstance(value := said.get(name), str) else ""
        for name in ("message", "errorCode")
    )
    if status == 403 and code == "insufficient_scope":
        return SCOPES_MISSING.failure(f"{message}.")
    rule = REFUSED if status in {400, 403} else _BY_STATUS.get(status, NOT_UNDERSTOOD)
    is_limit = any(word in f"{code} {message}".lower() for word in _LIMIT_WORDS)
    if status in {402, 403} and is_limit:
        rule = AT_THE_LIMIT
    if not message:
        return rule.failure(Message("Auth0 answered with status {status}.", status=status))
    detail = Message("Auth0 answered with status {status}: {words}.")
    return rule.failure(detail.filled(status=status, words=message.removesuffix(".")))


def _is_fit(said: Json, secrets: Collection[str]) -> bool:
    """Return whether the answer can be encoded and holds none of the secrets."""
    try:
        text = json.dumps(said, ensure_ascii=False)
        text.encode()  # fails for lone surrogates
    except (ValueError, RecursionError):
        return False
    return not any(secret in text for secret in secrets)


def _of_type(value: object, kind: type[T]) -> T:
    if type(value) is not kind:  # isinstance takes True for an int
        raise NOT_UNDERSTOOD.failure()
    return value


def _find_by_name(calls: _Calls, name: str) -> str:
    found = [
        each.needed("client_id")
        for each in calls.all("clients", "clients", fields="client_id,name", is_first_party="true")
        if each.string("name") == name
    ]
    if len(found) > 1:
        raise SAME_NAME_TWICE.failure(f"{name}: {', '.join(found)}.")
    return next(iter(found), "")


def _application(calls: _Calls, client_id: str) -> ApplicationState:
    try:
        return _application_state(
            calls.get(f"clients/{_segment(client_id)}", fields=_CLIENT_FIELDS)
        )
    except Failure as failure:
        if failure.finding.rule is GONE:
            where = Message(
                "{client_id} in {tenant}.", client_id=client_id, tenant=calls.access.tenant
            )
            raise NO_SUCH_APPLICATION.failure(where) from None
        raise


def _api(calls: _Calls, audience: str) -> ApiState | None:
    apis = calls.all("resource-servers", "resource_servers")
    return next((_api_state(each) for each in apis if each.string("identifier") == audience), None)


def _has_user_grant(calls: _Calls, client_id: str, audience: str) -> bool:
    grants = calls.get(
        "client-grants", client_id=client_id, audience=audience, subject_type="user", take=_PAGE
    )
    return bool(grants.objects("client_grants"))


def _segment(text: str) -> str:
    return quote(text, safe="")


def _application_state(client: _Answer) -> ApplicationState:
    secret, tokens = client.value("client_secret", str), client.object("jwt_configuration")
    if secret is None and tokens is None:
        # Auth0 omits both without the scope read:client_keys.
        raise SCOPES_MISSING.failure(Message("Missing: {scopes}.", scopes="read:client_keys"))
    return ApplicationState(
        client_id=client.needed("client_id"),
        client_secret=secret or "",
        name=client.string("name"),
        app_type=client.string("app_type"),
        token_endpoint_auth_method=client.string("token_endpoint_auth_method"),
        has_key_credentials=client.object("client_authentication_methods") is not None,
        oidc_conformant=client.value("oidc_conformant", bool),
        # The default (recordings of terraform-provider-auth0).
        id_token_alg=(tokens and tokens.string("alg")) or "HS256",
        id_token_lifetime=tokens.value("lifetime_in_seconds", int) if tokens else None,
        grant_types=client.strings("grant_types"),
        callbacks=client.strings("callbacks"),
        allowed_logout_urls=client.strings("allowed_logout_urls"),
        web_origins=client.strings("web_origins"),
        is_first_party=client.value("is_first_party", bool) is not False,
    )


def _api_state(api: _Answer) -> ApiState:
    rules = api.object("subject_type_authorization") or _Answer({})
    policies = {
        subject: rule.string("policy") for subject in rules.said if (rule := rules.object(subject))
    }
    skips_consent = "skip_consent_for_verifiable_first_party_clients"
    return ApiState(
        id=api.needed("id"),
        identifier=api.string("identifier"),
        name=api.string("name"),
        signing_alg=api.string("signing_alg"),
        allow_offline_access=api.value("allow_offline_access", bool),
        skip_consent_for_verifiable_first_party_clients=api.value(skips_consent, bool),
        token_encryption=None if api.object("token_encryption") is None else Message("on"),
        policies={subject: policy for subject, policy in policies.items() if policy},
    )
