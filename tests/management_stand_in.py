"""Auth0's Management API v2 for the tests, at /api/v2 of a demo tenant and on its state.

It checks what Auth0's published schemas check in the requests that provisioning sends: fields
and their types, scopes, paging, limits, rate limits. The lists of values come from Auth0's
OpenAPI description, through auth0-python. It answers in Auth0's JSON, with defaults recorded
live (terraform-provider-auth0, test/data/recordings). No recording has a reached entity limit,
so the wording of that error is a guess.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, get_args
from urllib.parse import unquote, urlsplit

import jwt
from auth0.management.types.client_app_type_enum import ClientAppTypeEnum
from auth0.management.types.client_grant_subject_type_enum import ClientGrantSubjectTypeEnum
from auth0.management.types.client_token_endpoint_auth_method_enum import (
    ClientTokenEndpointAuthMethodEnum,
)
from auth0.management.types.resource_server_subject_type_authorization_client_policy_enum import (
    ResourceServerSubjectTypeAuthorizationClientPolicyEnum,
)
from auth0.management.types.resource_server_subject_type_authorization_user_policy_enum import (
    ResourceServerSubjectTypeAuthorizationUserPolicyEnum,
)
from auth0.management.types.resource_server_token_dialect_schema_enum import (
    ResourceServerTokenDialectSchemaEnum,
)
from auth0.management.types.signing_algorithm_enum import SigningAlgorithmEnum

from tests.fakes import FixedClock
from tests.providers import Authority
from tests.tenant.faults import Endpoints
from tests.tenant.state import (
    Api,
    Application,
    AuthMethod,
    ClientGrant,
    GrantType,
    Policy,
    Tenant,
)
from wizard.defaults import ENGLISH
from wizard.demo.endpoints import serving
from wizard.http import Https
from wizard.http_server import Answer, Request
from wizard.language import Language

Json = dict[str, Any]

SCOPES = (
    *(
        f"{verb}:{noun}"
        for noun in ("clients", "resource_servers", "client_grants")
        for verb in ("read", "create", "update")
    ),
    "read:client_keys",
)

DEFAULT_GRANTS = ["authorization_code", "implicit", "refresh_token", "client_credentials"]
MOST_URLS = 100
# Auth0's free plan: applications, APIs, client grants.
LIMITS = {"clients": 10, "resource-servers": 10, "client-grants": 100}


def values(enum: object) -> set[str]:
    """Return the values of one of auth0-python's lists, `Union[Literal[…], Any]`."""
    return {value for literal in get_args(enum) for value in get_args(literal)}


class Refusal(Exception):  # noqa: N818
    def __init__(self, status: int, error: str, message: str, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"statusCode": status, "error": error, "message": message, "errorCode": code}
        self.headers: dict[str, str] = {}


def invalid(message: str) -> Refusal:
    return Refusal(400, "Bad Request", f"Payload validation error: '{message}'.", "invalid_body")


# -- schemas: a check per field, which returns the reason for a rejection or None ------------------

Check = Callable[[object], str | None]


def a(kind: type) -> Check:
    return lambda it: None if type(it) is kind else f"Expected type {kind.__name__}"


def one_of(values: set[str]) -> Check:
    return lambda it: None if it in values else f"No enum match for: {it}"


def a_name(it: object) -> str | None:
    if not isinstance(it, str) or not it:
        return "String is too short"
    return "String does not match pattern: ^[^<>]+$" if set("<>") & set(it) else None


def urls(form: str) -> Check:
    def check(it: object) -> str | None:
        if not isinstance(it, list):
            return "Expected type array"
        if len(it) > MOST_URLS:
            return f"Array is too long ({len(it)}), maximum {MOST_URLS}"
        if len(set(it)) != len(it):
            return "Array items are not unique"
        for number, url in enumerate(it):
            parts = urlsplit(url) if isinstance(url, str) else None
            if parts is None or not parts.scheme or not parts.netloc:
                return f"Object didn't pass validation for format {form}: {url} on [{number}]"
            if form == "origin" and (parts.path or parts.query):
                return f"Object didn't pass validation for format origin: {url}"
        return None

    return check


def a_list_of(values: set[str]) -> Check:
    return lambda it: (
        None if isinstance(it, list) and set(it) <= values else "Invalid list of values"
    )


def an_object(fields: Mapping[str, Check], *, nullable: bool = False) -> Check:
    def check(it: object) -> str | None:
        if it is None and nullable:
            return None
        if not isinstance(it, dict):
            return "Expected type object"
        if extra := it.keys() - fields.keys():
            return f"Additional properties not allowed: {', '.join(sorted(extra))}"
        return next((why for k, v in it.items() if (why := fields[k](v))), None)

    return check


CLIENT: dict[str, Check] = {
    "name": a_name,
    "description": a(str),
    "app_type": one_of(values(ClientAppTypeEnum)),
    "token_endpoint_auth_method": one_of(values(ClientTokenEndpointAuthMethodEnum)),
    "client_authentication_methods": an_object({"private_key_jwt": a(dict)}, nullable=True),
    "oidc_conformant": a(bool),
    "is_first_party": a(bool),
    "grant_types": a_list_of({*DEFAULT_GRANTS, "password"}),
    "jwt_configuration": an_object(
        {
            "alg": one_of(values(SigningAlgorithmEnum)),
            "lifetime_in_seconds": a(int),
            "secret_encoded": a(bool),
        }
    ),
    "callbacks": urls("callback-url"),
    "allowed_logout_urls": urls("url-with-placeholders"),
    "web_origins": urls("origin"),
    "refresh_token": a(dict),
}
API: dict[str, Check] = {
    "name": a_name,
    "signing_alg": one_of(values(SigningAlgorithmEnum)),
    "allow_offline_access": a(bool),
    "skip_consent_for_verifiable_first_party_clients": a(bool),
    "token_lifetime": a(int),
    "token_dialect": one_of(values(ResourceServerTokenDialectSchemaEnum)),
    "token_encryption": an_object({"format": a(str), "encryption_key": a(dict)}, nullable=True),
    "subject_type_authorization": an_object(
        {
            "user": an_object(
                {"policy": one_of(values(ResourceServerSubjectTypeAuthorizationUserPolicyEnum))}
            ),
            "client": an_object(
                {"policy": one_of(values(ResourceServerSubjectTypeAuthorizationClientPolicyEnum))}
            ),
        }
    ),
}
GRANT: dict[str, Check] = {
    "client_id": a(str),
    "audience": a(str),
    "scope": a(list),
    "subject_type": one_of(values(ClientGrantSubjectTypeEnum)),
}


def validated(body: object, schema: Mapping[str, Check], required: tuple[str, ...]) -> Json:
    if why := an_object(schema)(body):
        raise invalid(why)
    assert isinstance(body, dict)
    if missing := [name for name in required if name not in body]:
        raise invalid(f"Missing required property: {missing[0]}")
    return body


# -- the stored objects, as Auth0 shows them -------------------------------------------------------


def client_json(it: Application, scopes: frozenset[str]) -> Json:
    """Return it as `GET /clients` describes: the secret or the credentials need a scope."""
    private_key = it.token_endpoint_auth_method is AuthMethod.PRIVATE_KEY_JWT
    alg = {} if it.id_token_alg == "HS256" else {"alg": it.id_token_alg}
    shown: Json = {
        "tenant": "demo",
        "global": False,
        "client_id": it.client_id,
        "name": it.name,
        "app_type": it.app_type,
        "is_first_party": it.is_first_party,
        "oidc_conformant": it.oidc_conformant,
        "grant_types": list(it.grant_types),
        "callbacks": list(it.callbacks),
        "allowed_logout_urls": list(it.allowed_logout_urls),
        "web_origins": list(it.web_origins),
        "sso_disabled": False,
        "cross_origin_authentication": False,
        "jwt_configuration": {"secret_encoded": False, "lifetime_in_seconds": 36000, **alg},
    }
    if not private_key:
        shown["token_endpoint_auth_method"] = it.token_endpoint_auth_method.value
    if "read:client_keys" in scopes and private_key:
        shown["client_authentication_methods"] = {"private_key_jwt": {"credentials": []}}
    elif "read:client_keys" in scopes:
        shown["client_secret"] = it.client_secret
    return shown


def api_id(it: Api) -> str:
    return it.identifier.encode().hex()[-24:].rjust(24, "0")


def api_json(it: Api, domain: str) -> Json:
    shown: Json = {
        "id": api_id(it),
        "name": it.name,
        "identifier": it.identifier,
        "is_system": it.identifier == f"https://{domain}/api/v2/",
        "signing_alg": it.signing_alg,
        "allow_offline_access": it.allow_offline_access,
        "skip_consent_for_verifiable_first_party_clients": (
            it.skip_consent_for_verifiable_first_party_clients
        ),
        "token_lifetime": it.token_lifetime,
        "token_lifetime_for_web": 7200,
        "subject_type_authorization": {
            "user": {"policy": it.user_policy.value},
            "client": {"policy": it.client_policy.value},
        },
    }
    if it.encrypted_tokens:
        shown["token_encryption"] = {
            "format": "compact-nested-jwe",
            "encryption_key": {"alg": "RSA-OAEP-256", "kid": "a key", "pem": "a certificate"},
        }
    return shown


def grant_json(it: ClientGrant, number: int) -> Json:
    return {
        "id": f"cgr_{number:016d}",
        "client_id": it.client_id,
        "audience": it.audience,
        "scope": list(it.scope),
        "subject_type": it.subject_type,
    }


def change_client(it: Application, body: Json) -> None:
    methods = body.get("client_authentication_methods", "unsaid")
    if (
        it.token_endpoint_auth_method is AuthMethod.PRIVATE_KEY_JWT
        and "token_endpoint_auth_method" in body
        and methods is not None
    ):
        raise invalid(
            "client_authentication_methods and token_endpoint_auth_method are mutually exclusive"
        )
    for name in (
        "name",
        "app_type",
        "oidc_conformant",
        "is_first_party",
        "grant_types",
        "callbacks",
        "allowed_logout_urls",
        "web_origins",
    ):
        if name in body:
            setattr(it, name, body[name])
    if "token_endpoint_auth_method" in body:
        it.token_endpoint_auth_method = AuthMethod(body["token_endpoint_auth_method"])
    if "jwt_configuration" in body:
        it.id_token_alg = body["jwt_configuration"].get("alg", "HS256")


def change_api(it: Api, body: Json) -> None:
    for name in (
        "name",
        "signing_alg",
        "allow_offline_access",
        "skip_consent_for_verifiable_first_party_clients",
        "token_lifetime",
        "token_dialect",
    ):
        if name in body:
            setattr(it, name, body[name])
    if "token_encryption" in body:
        it.encrypted_tokens = body["token_encryption"] is not None
    rules = body.get("subject_type_authorization", {})
    if "user" in rules:
        it.user_policy = Policy(rules["user"]["policy"])
    if "client" in rules:
        it.client_policy = Policy(rules["client"]["policy"])


# -- the API --------------------------------------------------------------------------------------


@dataclass
class Call:
    method: str
    path: str
    query: dict[str, str]
    body: object


@dataclass
class StandIn:
    """The Management API of `tenant`.

    `calls` are the requests received. From request `cut_from` (counted from 0), every connection
    breaks; with `cut_late`, that first request is carried out before. `answers` replaces the
    response to single requests, by number. `rate` is the limit of requests per second.
    """

    tenant: Tenant
    key: Any = None
    calls: list[Call] = field(default_factory=list)
    cut_from: int | None = None
    cut_late: bool = False
    answers: dict[int, tuple[int, object]] = field(default_factory=dict)
    rate: int | None = None
    limits: dict[str, int] = field(default_factory=lambda: dict(LIMITS))
    _second: tuple[int, int] = (0, 0)

    @property
    def writes(self) -> list[str]:
        return [f"{it.method} {it.path}" for it in self.calls if it.method != "GET"]

    def reset(self) -> None:
        self.calls.clear()
        self.cut_from, self.cut_late, self.rate = None, False, None
        self.answers.clear()
        self.limits = dict(LIMITS)

    def answer(self, call: Call, authorization: str) -> tuple[int, object, dict[str, str]]:
        with self.tenant.lock:
            number = len(self.calls)
            self.calls.append(call)
            if number in self.answers:
                return *self.answers[number], {}
            try:
                self._limit_rate()
                scopes = self._scopes(authorization)
                status, body = self._route(call, scopes)
                return status, body, {}
            except Refusal as refusal:
                return refusal.status, refusal.body, refusal.headers

    def is_cut(self, number: int) -> bool:
        return self.cut_from is not None and number >= self.cut_from

    def _limit_rate(self) -> None:
        now = int(self.tenant.clock())
        second, count = self._second
        self._second = (now, count + 1 if second == now else 1)
        if self.rate is not None and self._second[1] > self.rate:
            refusal = Refusal(
                429, "Too Many Requests", "Global limit has been reached", "too_many_requests"
            )
            refusal.headers = {
                "x-ratelimit-limit": str(self.rate),
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": str(now + 1),
            }
            raise refusal

    def _scopes(self, authorization: str) -> frozenset[str]:
        if not authorization:
            raise Refusal(401, "Unauthorized", "Missing authentication", "missing_authentication")
        try:
            claims = jwt.decode(
                authorization.removeprefix("Bearer "),
                self.key,
                algorithms=["RS256"],
                audience=f"https://{self.tenant.domain}/api/v2/",
                issuer=self.tenant.issuer,
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            raise Refusal(401, "Unauthorized", "Invalid token", "invalid_token") from None
        if claims["exp"] <= self.tenant.clock():
            raise Refusal(
                401, "Unauthorized", "Expired token received for JSON Web Token validation", ""
            )
        return frozenset(claims["scope"].split())

    def _route(self, call: Call, scopes: frozenset[str]) -> tuple[int, object]:
        from tests import access_stand_in

        if (about_access := access_stand_in.answered(self, call, scopes)) is not None:
            return about_access
        kind, _, key = call.path.partition("/")
        noun = kind.replace("-", "_")
        verb = {"GET": "read", "POST": "create", "PATCH": "update"}.get(call.method)
        is_one = {"create": False, "update": True}.get(verb or "", bool(key))
        if kind not in LIMITS or verb is None or is_one != bool(key):
            raise Refusal(404, "Not Found", "Not Found", "")
        if f"{verb}:{noun}" not in scopes:
            raise Refusal(
                403,
                "Forbidden",
                f"Insufficient scope, expected any of: {verb}:{noun}",
                "insufficient_scope",
            )
        handler = getattr(self, f"_{noun}")
        return handler(call, unquote(key), scopes)  # type: ignore[no-any-return]

    def _clients(self, call: Call, key: str, scopes: frozenset[str]) -> tuple[int, object]:
        apps = self.tenant.applications
        if call.method == "POST":
            body = validated(call.body, CLIENT, ("name",))
            self._full("clients", len(apps))
            new = Application(
                name=body["name"],
                app_type="",
                oidc_conformant=False,
                id_token_alg="HS256",
                grant_types=list(DEFAULT_GRANTS),
            )
            change_client(new, body)
            self.tenant.add(new)
            # The secret is shown once, to the creator of the application.
            return 201, client_json(new, scopes | {"read:client_keys"})
        allowed = {"fields", "include_fields"} | (
            set() if key else {"page", "per_page", "include_totals", "is_first_party", "app_type"}
        )
        self._check_query(call, allowed)
        fields = set(call.query["fields"].split(",")) if "fields" in call.query else None

        def shown(it: Application) -> Json:
            return {
                k: v for k, v in client_json(it, scopes).items() if fields is None or k in fields
            }

        if not key:
            first_party = call.query.get("is_first_party")
            found = [
                shown(it)
                for it in apps.values()
                if first_party is None or it.is_first_party == (first_party == "true")
            ]
            return 200, self.page(call, "clients", found)
        if key not in apps:
            raise Refusal(404, "Not Found", "The client does not exist", "inexistent_client")
        if call.method == "PATCH":
            change_client(apps[key], validated(call.body, CLIENT, ()))
        return 200, shown(apps[key])

    def _resource_servers(self, call: Call, key: str, scopes: frozenset[str]) -> tuple[int, object]:
        apis, domain = self.tenant.apis, self.tenant.domain
        if call.method == "POST":
            body = validated(call.body, {**API, "identifier": a_name}, ("identifier",))
            if body["identifier"] in apis:
                raise Refusal(
                    409,
                    "Conflict",
                    "A resource server with the same identifier already exists",
                    "resource_server_identifier_conflict",
                )
            self._full("resource-servers", len(apis) - 1)  # without the Management API
            new = Api(
                identifier=body["identifier"],
                name=body["identifier"],
                skip_consent_for_verifiable_first_party_clients=False,
            )
            change_api(new, body)
            self.tenant.add(new)
            return 201, api_json(new, domain)
        if not key:
            self._check_query(call, {"page", "per_page", "include_totals", "identifiers"})
            found = [api_json(it, domain) for it in apis.values()]
            return 200, self.page(call, "resource_servers", found)
        one = next((it for it in apis.values() if key in {api_id(it), it.identifier}), None)
        if one is None:
            raise Refusal(
                404, "Not Found", "The resource server does not exist", "inexistent_resource_server"
            )
        if call.method == "PATCH":
            change_api(one, validated(call.body, API, ()))
        return 200, api_json(one, domain)

    def _client_grants(self, call: Call, key: str, scopes: frozenset[str]) -> tuple[int, object]:
        grants = self.tenant.client_grants
        if call.method == "POST":
            body = validated(call.body, GRANT, ("client_id", "audience", "scope"))
            kind = body.get("subject_type", "client")
            if body["client_id"] not in self.tenant.applications:
                raise Refusal(404, "Not Found", "The client does not exist", "inexistent_client")
            if body["audience"] not in self.tenant.apis:
                raise Refusal(404, "Not Found", "Service not found", "inexistent_resource_server")
            if self.tenant.grant(body["client_id"], body["audience"], kind):
                raise Refusal(
                    409, "Conflict", "A resource with the same identifiers exists", "conflict"
                )
            self._full("client-grants", len(grants))
            grants.append(
                ClientGrant(
                    client_id=body["client_id"],
                    audience=body["audience"],
                    subject_type=kind,
                    scope=tuple(body["scope"]),
                )
            )
            return 201, grant_json(grants[-1], len(grants) - 1)
        self._check_query(call, {"from", "take", "client_id", "audience", "subject_type"})
        asked = {k: v for k, v in call.query.items() if k not in {"from", "take"}}
        found = [
            shown
            for number, it in enumerate(grants)
            if asked.items() <= (shown := grant_json(it, number)).items()
        ]
        start, take = int(call.query.get("from", 0)), int(call.query.get("take", 50))
        page: Json = {"client_grants": found[start : start + take]}
        if start + take < len(found):
            page["next"] = str(start + take)
        return 200, page

    def _check_query(self, call: Call, allowed: set[str]) -> None:
        if extra := call.query.keys() - allowed:
            raise Refusal(
                400,
                "Bad Request",
                f"Query validation error: 'Additional properties not allowed: {extra}'",
                "invalid_query_string",
            )

    def page(self, call: Call, name: str, found: list[Json]) -> Json:
        page, per_page = int(call.query.get("page", 0)), int(call.query.get("per_page", 50))
        if not 1 <= per_page <= 100 or call.query.get("include_totals") != "true":
            raise Refusal(400, "Bad Request", "Query validation error", "invalid_query_string")
        start = page * per_page
        return {
            "start": start,
            "limit": per_page,
            "total": len(found),
            name: found[start : start + per_page],
        }

    def _full(self, kind: str, count: int) -> None:
        if count >= self.limits[kind]:
            raise Refusal(
                403,
                "Forbidden",
                "You reached the limit of entities of this type for this tenant.",
                "too_many_entities",
            )


class ManagedEndpoints(Endpoints):
    """The tenant's own endpoints, with the stand-in at /api/v2."""

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__(stand_in.tenant, Language(ENGLISH))
        self.stand_in = stand_in

    def answer(self, request: Request) -> Answer:
        if not request.path.startswith("/api/v2/"):
            return super().answer(request)
        stand_in = self.stand_in
        call = Call(
            request.method,
            request.path.removeprefix("/api/v2/"),
            request.parameters,
            json.loads(request.body) if request.body else None,
        )
        number = len(stand_in.calls)
        if stand_in.is_cut(number) and not (stand_in.cut_late and number == stand_in.cut_from):
            stand_in.calls.append(call)
            return cut()
        status, body, extra = stand_in.answer(call, request.headers.get("authorization", ""))
        if stand_in.is_cut(number):
            return cut()
        if status == 204:
            return Answer(204, "", extra)
        headers = {"Content-Type": "application/json; charset=utf-8", **extra}
        return Answer(status, json.dumps(body), headers)


def cut() -> Answer:
    """Return the start of a response, after which the server hangs up."""
    return Answer(200, "{", {"Content-Length": "100", "Connection": "close"})


# -- a tenant with the Management API --------------------------------------------------------------


@dataclass
class Managed:
    """A running tenant with its Management API; `machine` may use it, `clock` is its time."""

    tenant: Tenant
    api: StandIn
    http: Https
    machine: Application
    clock: FixedClock

    @property
    def domain(self) -> str:
        return self.tenant.domain

    def token(self, *scopes: str) -> str:
        """Return a Management API token with these scopes, or with all if none is given."""
        from tests import access_stand_in

        audience = f"https://{self.domain}/api/v2/"
        self.tenant.client_grants[:] = [
            it for it in self.tenant.client_grants if it.client_id != self.machine.client_id
        ]
        self.tenant.client_grants.append(
            ClientGrant(
                client_id=self.machine.client_id,
                audience=audience,
                subject_type="client",
                scope=scopes or (*SCOPES, *access_stand_in.SCOPES),
            )
        )
        form = {
            "grant_type": "client_credentials",
            "client_id": self.machine.client_id,
            "client_secret": self.machine.client_secret,
            "audience": audience,
        }
        answer = self.http.request("POST", f"https://{self.domain}/oauth/token", form=form)
        said = answer.json_object()
        assert said is not None, answer.text
        return str(said["access_token"])


def add_machine(tenant: Tenant) -> Application:
    """Add a machine-to-machine application that is authorized for the Management API."""
    machine = Application(
        name="Provisioning",
        app_type="non_interactive",
        grant_types=[GrantType.CLIENT_CREDENTIALS],
    )
    management = Api(identifier=f"https://{tenant.domain}/api/v2/", name="Auth0 Management API")
    tenant.add(machine, management)
    return machine


@contextmanager
def running_stand_in(authority: Authority, tenant: Tenant) -> Iterator[StandIn]:
    """Serve `tenant` with its Management API."""
    stand_in = StandIn(tenant)
    endpoints = ManagedEndpoints(stand_in)
    with serving(endpoints, authority.certificate, authority.key):
        stand_in.key = endpoints.token_endpoint.private_key.public_key()
        yield stand_in
