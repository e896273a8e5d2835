"""An Auth0 tenant with every fault of a real one: it adds to the demo tenant what that omits.

Texts without another source are from public reports of Auth0's responses.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from urllib.parse import unquote_plus, urlsplit

import jwt

from tests.tenant.state import (
    Api,
    Application,
    AuthMethod,
    GrantType,
    OrganizationUsage,
    Policy,
    RefreshFamily,
    Session,
    Tenant,
    User,
    Visit,
    url_is_listed,
    url_is_listed_without_query,
)
from wizard.auth0.access import ROLES_CLAIM
from wizard.auth0.probes import with_query
from wizard.defaults import ENGLISH
from wizard.demo import endpoints, tokens
from wizard.demo.endpoints import (
    EXCHANGE_PATH,
    OPENID_SCOPES,
    Handler,
    Problem,
    json_answer,
    redirect,
    serving,
)
from wizard.demo.tenant import (
    SECONDS_OF_A_TOKEN,
    CallbackError,
    SignIn,
    TenantError,
    new_key,
    required,
)
from wizard.demo.tokens import SECONDS_OF_AN_ID_TOKEN
from wizard.http_server import Answer, Request
from wizard.language import Language
from wizard.settings import is_loopback

SESSION_COOKIE = "__Host-demo-tenant-session"


class Authorization(endpoints.Endpoints):
    """/authorize with all settings of applications, APIs and the tenant."""

    tenant: Tenant

    def checked(self, parameters: Mapping[str, str]) -> SignIn:
        """Return the valid request; /userinfo does not count as an API."""
        audience = parameters.get("audience") or self.tenant.default_audience
        if audience == f"{self.tenant.issuer}userinfo":
            audience = ""
        sign_in = super().checked({**parameters, "audience": audience})
        sign_in.scope = self._scope(sign_in)
        return sign_in

    def problem(self, sign_in: SignIn) -> Problem | None:
        parameters, application = sign_in.parameters, application_of(sign_in)
        if not parameters.get("response_type"):
            return "invalid_request", "Missing required parameter: response_type"
        found = super().problem(sign_in)
        if found and (sign_in.audience or found[0] != "access_denied"):
            return found
        mode = parameters.get("response_mode", "query")
        if mode != "query":
            return "unsupported_response_mode", f"Unsupported response mode: {mode}"
        if GrantType.CODE not in application.grant_types:
            return (
                "unauthorized_client",
                f"Grant type '{GrantType.CODE}' not allowed for the client.",
            )
        method = parameters.get("code_challenge_method")
        if parameters.get("code_challenge") and method != "S256":
            return "invalid_request", "Only the code challenge method S256 is supported"
        if sign_in.audience and not self._may_ask_for(application, sign_in.audience):
            return "invalid_request", not_authorized(sign_in.client_id, sign_in.audience)
        wrong = self._connection_problem(
            application, parameters.get("connection")
        ) or _organization_problem(application, parameters.get("organization"))
        return ("invalid_request", wrong) if wrong else None

    def _scope(self, sign_in: SignIn) -> tuple[str, ...]:
        application, api = application_of(sign_in), self.tenant.apis.get(sign_in.audience)
        granted = set(OPENID_SCOPES)
        if api is not None:
            grant = self.tenant.grant(sign_in.client_id, api.identifier)
            asks = api.user_policy is not Policy.ALLOW_ALL or not application.is_first_party
            granted.update(grant.scope if grant and asks else api.scopes)
        if not _offline_access(application, api):
            granted.discard("offline_access")
        requested = sign_in.parameters.get("scope", "").split(" ")
        return tuple(dict.fromkeys(name for name in requested if name in granted))

    def end(self, sign_in: SignIn) -> Answer:
        self.tenant.user_grants.add((sign_in.user_id, sign_in.client_id, sign_in.audience))
        return super().end(sign_in)

    def check_user(self, sign_in: SignIn) -> None:
        """Raise CallbackError if an Action or an organization rejects the user."""
        denial = self.tenant.verdict(sign_in.user_id, sign_in.client_id).denial
        if denial := denial or self.tenant.denial:
            raise CallbackError(sign_in, "access_denied", denial)
        user = next(it for it in self.tenant.users.values() if it.user_id == sign_in.user_id)
        usage = application_of(sign_in).organization_usage
        if usage is OrganizationUsage.REQUIRE and not user.organizations:
            raise CallbackError(
                sign_in,
                "invalid_request",
                "client requires organization membership, but user does not belong to any"
                " organization",
            )

    def needs_consent(self, sign_in: SignIn) -> bool:
        """Return whether to ask for consent; a callback that anyone can listen on always needs it.

        Auth0 docs: "User Consent and Third-Party Applications", "Measures Against Application
        Impersonation".
        """
        application = application_of(sign_in)
        unconfirmed = not (
            self.tenant.skip_non_verifiable_callback_uri_confirmation_prompt
            or application.skip_non_verifiable_callback_uri_confirmation_prompt
        )
        callback = sign_in.redirect_uri
        verifiable = urlsplit(callback).scheme in {"http", "https"} and not is_loopback(callback)
        if "consent" in sign_in.prompt or (unconfirmed and not verifiable):
            return True
        if (sign_in.user_id, sign_in.client_id, sign_in.audience) in self.tenant.user_grants:
            return False
        api = self.tenant.apis.get(sign_in.audience)
        return not application.is_first_party or (
            api is not None and not api.skip_consent_for_verifiable_first_party_clients
        )

    def _may_ask_for(self, application: Application, audience: str) -> bool:
        api = self.tenant.apis[audience]
        if api.user_policy is Policy.DENY_ALL:
            return False
        if api.user_policy is Policy.ALLOW_ALL and application.is_first_party:
            return True
        return self.tenant.grant(application.client_id, audience) is not None

    def _connection_problem(self, application: Application, name: str | None) -> str:
        if name is None:
            return ""
        if name not in self.tenant.connections:
            return "the connection was disabled"
        if not self.tenant.connections[name].serves(application.client_id):
            return "the connection is not enabled"
        return ""


def application_of(sign_in: SignIn) -> Application:
    """Return the application with all its settings."""
    assert isinstance(sign_in.application, Application)
    return sign_in.application


def _organization_problem(application: Application, organization: str | None) -> str:
    if organization is None:
        required = application.organization_usage is OrganizationUsage.REQUIRE
        return "parameter organization is required for this client" if required else ""
    if not organization.startswith("org_"):
        return "authorization request parameter organization must be an organization id"
    return ""


def _offline_access(application: Application, api: Api | None) -> bool:
    """Return three of the four conditions of a refresh token; the fourth is the requested scope."""
    return (
        (api is None or api.allow_offline_access)
        and GrantType.REFRESH in application.grant_types
        and application.oidc_conformant
    )


def not_authorized(client_id: str, audience: str) -> str:
    """Return Auth0's text for an API that does not authorize the application."""
    return f'Client "{client_id}" is not authorized to access resource server "{audience}".'


class TokenMaker(tokens.TokenEndpoint):
    """Opaque, encrypted and differently signed tokens."""

    tenant: Tenant

    def access_token(self, sign_in: SignIn, scope: tuple[str, ...]) -> str:
        """Return a JWT for the audience, or an opaque token without one."""
        api = self.tenant.apis.get(sign_in.audience)
        if api is None:
            token = self._opaque(encrypted=self.tenant.encrypted_opaque_tokens)
        elif api.encrypted_tokens:
            token = self._opaque(encrypted=True)
        else:
            claims = self.access_claims(sign_in, scope)
            token = self.sign_for(api, sign_in.client_id, claims)
        if "openid" in scope:
            self.tenant.userinfo[token] = (sign_in.user_id, sign_in.client_id, scope)
        return token

    def id_token(self, sign_in: SignIn, scope: tuple[str, ...]) -> str:
        application = application_of(sign_in)
        claims = self.id_claims(sign_in, scope)
        return self.sign(
            claims, SECONDS_OF_AN_ID_TOKEN, application.id_token_alg, application.client_secret
        )

    def id_claims(self, sign_in: SignIn, scope: tuple[str, ...]) -> dict[str, object]:
        claims = super().id_claims(sign_in, scope)
        roles = self.tenant.verdict(sign_in.user_id, sign_in.client_id).roles
        return claims if roles is None else {**claims, ROLES_CLAIM: list(roles)}

    def sign_for(self, api: Api, client_id: str, claims: Mapping[str, object]) -> str:
        """Return an access token in the format set for the API."""
        rest = {name: it for name, it in claims.items() if name != "azp"}
        if api.token_dialect.startswith("rfc9068"):
            kind, client = "at+jwt", {"client_id": client_id, "jti": secrets.token_urlsafe(16)}
        else:
            kind, client = "JWT", {"azp": client_id}
        claims = {**rest, **client}
        return self.sign(claims, api.token_lifetime, api.signing_alg, api.signing_secret, kind)

    def sign(
        self,
        claims: Mapping[str, object],
        lifetime: int,
        algorithm: str,
        secret: str,
        kind: str = "JWT",
    ) -> str:
        now = int(self.tenant.clock())
        payload = {"iss": self.tenant.issuer, **claims, "iat": now, "exp": now + lifetime}
        if algorithm.startswith("HS"):
            return jwt.encode(payload, secret, algorithm, headers={"typ": kind})
        headers = {"typ": kind, "kid": self.kid}
        return jwt.encode(payload, self.private_key, algorithm, headers=headers)

    def client_of_hint(self, id_token: str) -> str | None:
        """Return the client ID in an `id_token_hint`, or None if the token is not ours."""
        try:
            client_id = jwt.decode(id_token, options={"verify_signature": False}).get("aud", "")
            application = self.tenant.applications[client_id]
            hmac = application.id_token_alg.startswith("HS")
            jwt.decode(
                id_token,
                application.client_secret if hmac else self.private_key.public_key(),
                algorithms=[application.id_token_alg],
                audience=client_id,
                issuer=self.tenant.issuer,
                # A hint may have expired, and tests set the tenant's clock wrong on purpose.
                options={"verify_exp": False, "verify_iat": False},
            )
        except (jwt.InvalidTokenError, KeyError, TypeError):
            return None
        return application.client_id

    def _opaque(self, *, encrypted: bool) -> str:
        """Return a token that only the tenant could read; this one is empty."""
        if not encrypted:
            return secrets.token_urlsafe(24)
        header = {"alg": "dir", "enc": "A256GCM", "iss": self.tenant.issuer}
        start = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
        return ".".join([start, "", *(secrets.token_urlsafe(length) for length in (12, 160, 16))])


class TokenEndpoint(TokenMaker):
    """/oauth/token with all client authentication methods, rotation, expiry, client_credentials."""

    tenant: Tenant
    authorization = ""  # the header of the request that is answered, under the tenant's lock

    def by_grant_type(
        self, grant_type: str, client_id: str, form: Mapping[str, str]
    ) -> dict[str, object]:
        if grant_type in list(GrantType):
            if grant_type not in self.tenant.applications[client_id].grant_types:
                description = f"Grant type '{grant_type}' not allowed for the client."
                raise TenantError(403, "unauthorized_client", description)
            if grant_type == GrantType.CLIENT_CREDENTIALS:
                return self._by_client_credentials(client_id, form)
        return super().by_grant_type(grant_type, client_id, form)

    def authenticated(self, form: Mapping[str, str]) -> str:
        """Return the client ID if the application authenticates by its configured method.

        Post and Basic are interchangeable, as at Auth0. A public application's secret is ignored
        in the body and rejected in the header.
        """
        basic = _basic(self.authorization)
        client_id, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
        application = self.tenant.applications.get(client_id)
        match application and application.token_endpoint_auth_method:
            case AuthMethod.NONE if basic is None:
                return client_id
            case AuthMethod.POST | AuthMethod.BASIC:
                form = {"client_id": client_id, "client_secret": secret}
                try:
                    return super().authenticated(form)
                except TenantError as error:
                    raise self._unauthorized() from error
            case _:
                raise self._unauthorized()

    def by_code(self, client_id: str, form: Mapping[str, str]) -> dict[str, object]:
        """A public application must use PKCE."""
        sign_in = self.tenant.codes.get(form.get("code", ""))
        public = self.tenant.applications[client_id].token_endpoint_auth_method is AuthMethod.NONE
        if public and sign_in and not sign_in.parameters.get("code_challenge"):
            del self.tenant.codes[form["code"]]
            raise TenantError(401, "access_denied", "Unauthorized")
        return super().by_code(client_id, form)

    def refresh_token(self, sign_in: SignIn) -> str:
        lifetime = application_of(sign_in).refresh_token_lifetime
        expires = float("inf") if lifetime is None else self.tenant.clock() + lifetime
        return self._next(RefreshFamily(sign_in, expires))

    def by_refresh_token(self, client_id: str, form: Mapping[str, str]) -> dict[str, object]:
        token = required(form, "refresh_token")
        family = self.tenant.families.get(token)
        if family is None or not self._is_good(family, client_id, token):
            raise TenantError(403, "invalid_grant", "Unknown or invalid refresh token.")
        sign_in = family.sign_in
        if (sign_in.user_id, client_id, sign_in.audience) not in self.tenant.user_grants:
            raise TenantError(403, "server_error", "Grant not found, cannot refresh access token")
        # The audience parameter is ignored: the refresh token keeps its first one.
        asked = [word for word in form.get("scope", "").split(" ") if word]
        scope = tuple(it for it in sign_in.scope if not asked or it in asked)
        answer = self.tokens(sign_in, scope)
        if self.tenant.applications[client_id].rotating_refresh_tokens:
            answer["refresh_token"] = self._next(family)
        return answer

    def tokens(self, sign_in: SignIn, scope: tuple[str, ...]) -> dict[str, object]:
        """Actions run at a refresh, too; how Auth0 words their denial there is not known."""
        if denial := self.tenant.verdict(sign_in.user_id, sign_in.client_id).denial:
            raise TenantError(403, "access_denied", denial)
        api = self.tenant.apis.get(sign_in.audience)
        lifetime = api.token_lifetime if api else SECONDS_OF_A_TOKEN
        return {**super().tokens(sign_in, scope), "expires_in": lifetime}

    def _by_client_credentials(self, client_id: str, form: Mapping[str, str]) -> dict[str, object]:
        audience = form.get("audience") or self.tenant.default_audience
        api = self.tenant.apis.get(audience)
        if api is None:
            text = f"Service not enabled within domain: {audience}"
            raise TenantError(403, "access_denied", text)
        grant = self.tenant.grant(client_id, audience, "client")
        if grant is None or api.client_policy is Policy.DENY_ALL:
            raise TenantError(
                403,
                "access_denied",
                f"{not_authorized(client_id, audience)}"
                ' You need to create a "client-grant" associated to this API.',
            )
        claims = {
            "sub": f"{client_id}@clients",
            "aud": audience,
            "scope": " ".join(grant.scope),
            "gty": "client-credentials",
        }
        return {
            "access_token": self.sign_for(api, client_id, claims),
            "scope": " ".join(grant.scope),
            "expires_in": api.token_lifetime,
            "token_type": "Bearer",
        }

    def _next(self, family: RefreshFamily) -> str:
        family.current = new_key()
        self.tenant.families[family.current] = family
        return family.current

    def _is_good(self, family: RefreshFamily, client_id: str, token: str) -> bool:
        """Return whether the token is valid; a reused one invalidates its family."""
        if family.sign_in.client_id != client_id:
            return False
        if token != family.current:
            family.revoked = True
        return not family.revoked and self.tenant.clock() < family.expires

    def _unauthorized(self) -> TenantError:
        return TenantError(401, self.tenant.unauthorized_error, "Unauthorized")


def _basic(authorization: str) -> tuple[str, str] | None:
    """Return client ID and secret of the header, or None if it is not HTTP Basic."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    client_id, _, secret = decoded.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


class Endpoints(Authorization):
    """All endpoints, with outages, sessions and logout."""

    tenant: Tenant
    token_endpoint: TokenEndpoint

    def __init__(self, tenant: Tenant, language: Language) -> None:
        super().__init__(tenant, language, TokenEndpoint(tenant))

    def token(self, request: Request) -> Answer:
        self.token_endpoint.authorization = request.headers.get("authorization", "")
        return super().token(request)

    def routes(self) -> dict[tuple[str, str], Handler]:
        widgets = {("GET", f"/client/{it}.js"): self.widget for it in self.tenant.applications}
        return {
            **super().routes(),
            **widgets,
            ("GET", "/userinfo"): self.userinfo,
            ("POST", "/userinfo"): self.userinfo,
            ("GET", "/oidc/logout"): self.oidc_logout,
            ("GET", "/v2/logout"): self.v2_logout,
            ("POST", "/dbconnections/signup"): self.sign_up,
        }

    def answer(self, request: Request) -> Answer:
        self.tenant.before(request.path)
        answer = self._outage(request) or super().answer(request)
        answer.headers.setdefault("Date", formatdate(self.tenant.clock(), usegmt=True))
        self.tenant.visits.append(Visit(request.method, request.path, answer.status))
        return answer

    def _outage(self, request: Request) -> Answer | None:
        """Return the response of an outage, if there is one."""
        interruption = self.tenant.interruption
        if interruption is not None and request.path.startswith(interruption.path):
            headers = {"Content-Type": interruption.content_type}
            return Answer(interruption.status, interruption.body, headers)
        wait = self.tenant.rate_limit_left()
        return _too_many_requests(self.tenant.rate_limited_until, wait) if wait > 0 else None

    def discovery(self, request: Request) -> Answer:
        answer = super().discovery(request)
        document = json.loads(answer.body)
        if not self.tenant.rp_logout_discovery:
            del document["end_session_endpoint"]
        document |= self.tenant.changed_metadata
        changed = {name: it for name, it in document.items() if it is not None}
        return replace(answer, body=json.dumps(changed))

    def widget(self, request: Request) -> Answer:
        """The application's connections as Auth0's login widget reads them."""
        client_id = request.path.removeprefix("/client/").removesuffix(".js")
        strategies: dict[str, list[object]] = {}
        for connection in self.tenant.connections.values():
            if connection.serves(client_id):
                strategies.setdefault(connection.strategy, []).append(connection.in_widget())
        listed = [{"name": name, "connections": each} for name, each in strategies.items()]
        script = f"Auth0.setClient({json.dumps({'id': client_id, 'strategies': listed})});"
        return Answer(200, script, {"Content-Type": "application/javascript"})

    def authorize(self, request: Request) -> Answer:
        sign_in = self.checked(request.parameters)
        session = self.tenant.sessions.get(request.cookie(SESSION_COOKIE))
        if session is None or "login" in sign_in.prompt:
            return super().authorize(request)
        sign_in.user_id, sign_in.auth_time, sign_in.sid = session
        silent = "none" in sign_in.prompt
        if self.tenant.needs_interaction and silent:
            raise CallbackError(sign_in, "interaction_required", "Interaction required")
        self.check_user(sign_in)
        if not self.needs_consent(sign_in):
            return self.end(sign_in)
        if silent:
            raise CallbackError(sign_in, "consent_required", "Consent required")
        return self.begin(request, sign_in, "/u/consent")

    def after_login(self, key: str, sign_in: SignIn) -> Answer:
        user = next(it for it in self.tenant.users.values() if it.user_id == sign_in.user_id)
        if not self.tenant.admits(user, sign_in.client_id):
            sign_in.user_id = ""
            return self.login_page(key, sign_in, endpoints.WRONG_PASSWORD)
        answer = super().after_login(key, sign_in)
        try:
            self.check_user(sign_in)
            if not self.needs_consent(sign_in):
                del self.tenant.sign_ins[key]
                answer = self.end(sign_in)
        except CallbackError as error:
            answer = redirect(error.location)
        cookie = new_key()
        self.tenant.sessions[cookie] = Session(sign_in.user_id, sign_in.auth_time, sign_in.sid)
        return answer.with_cookie(SESSION_COOKIE, cookie)

    def form(self, request: Request) -> dict[str, str]:
        """Return the fields of the body, a form or a JSON object."""
        if not request.headers.get("content-type", "").startswith("application/json"):
            return super().form(request)
        try:
            fields = json.loads(request.body)
        except (ValueError, RecursionError):
            raise TenantError(400, "invalid_request", "The body is not JSON") from None
        return {name: it for name, it in fields.items() if isinstance(it, str)}

    def sign_up(self, request: Request) -> Answer:
        """Sign up a stranger; the error text is from auth0.js#356."""
        asked = self.form(request)
        connection = self.tenant.connections.get(asked["connection"])
        if connection is None or connection.options.get("disable_signup") is True:
            return json_answer({"error": "public signup is disabled"}, 400)
        email = asked["email"].lower()
        self.tenant.add(
            User(login=email, email=email, password=asked["password"], email_verified=False)
        )
        return json_answer({"email": email, "email_verified": False})

    def userinfo(self, request: Request) -> Answer:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        user_id, client_id, scope = self.tenant.userinfo.get(token, ("", "", ()))
        user = self.tenant.user(user_id)
        if scheme.lower() != "bearer" or user is None:
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return Answer(401, "Unauthorized", challenge)
        # Auth0 returns an ID token's custom claims here too.
        roles = self.tenant.verdict(user_id, client_id).roles
        claims = {} if roles is None else {ROLES_CLAIM: list(roles)}
        return json_answer({**user.claims(scope), **claims})

    def oidc_logout(self, request: Request) -> Answer:
        query = request.parameters
        hint = query.get("id_token_hint")
        client_id = self.token_endpoint.client_of_hint(hint) if hint else query.get("client_id")
        if hint and client_id is None:
            raise TenantError(400, "invalid_request", "Invalid id_token_hint")
        target = query.get("post_logout_redirect_uri")
        if target is not None and not url_is_listed(target, self._logout_urls(client_id)):
            raise TenantError(400, "invalid_request", _not_a_logout_url(target))
        state = {"state": query["state"]} if "state" in query else {}
        return self._signed_out(request, with_query(target, state) if target and state else target)

    def v2_logout(self, request: Request) -> Answer:
        target = request.parameters.get("returnTo")
        listed = self._logout_urls(request.parameters.get("client_id"))
        if target is not None and not url_is_listed_without_query(target, listed):
            raise TenantError(400, "invalid_request", _not_a_logout_url(target))
        return self._signed_out(request, target)

    def error(self, request: Request, error: TenantError) -> Answer:
        """Return the tenant's error page, or a redirect to the custom one."""
        if not self.tenant.error_page_url or request.path == EXCHANGE_PATH:
            return super().error(request, error)
        details = {
            "client_id": request.parameters.get("client_id", ""),
            "lang": "en",
            "error": error.error,
            "error_description": error.description,
            "tracking": secrets.token_hex(10),
        }
        return redirect(with_query(self.tenant.error_page_url, details))

    def _logout_urls(self, client_id: str | None) -> list[str]:
        application = self.tenant.applications.get(client_id or "")
        return application.allowed_logout_urls if application else self.tenant.allowed_logout_urls

    def _signed_out(self, request: Request, target: str | None) -> Answer:
        self.tenant.sessions.pop(request.cookie(SESSION_COOKIE), None)
        html = {"Content-Type": "text/html; charset=utf-8"}
        return redirect(target) if target else Answer(200, "<h1>You are logged out</h1>", html)


def _not_a_logout_url(url: str) -> str:
    return f'The "{url}" URL is not in the list of Allowed Logout URLs'


def _too_many_requests(until: float, wait: float) -> Answer:
    """Auth0's 429; docs, "Authentication API", rate limits."""
    text = (
        "Too many requests. Check the X-RateLimit-Limit, X-RateLimit-Remaining"
        " and X-RateLimit-Reset headers."
    )
    headers = {
        "X-RateLimit-Limit": "300",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(until) + 1),
        "Retry-After": str(int(wait) + 1),
    }
    return Answer(429, text, headers)


def tenant_server(
    tenant: Tenant, certificate: Path, key: Path, language: Language | None = None
) -> AbstractContextManager[object]:
    """Run the tenant as a server while the context is open."""
    return serving(Endpoints(tenant, language or Language(ENGLISH)), certificate, key)
