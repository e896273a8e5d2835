"""What the demo tenant answers at /oauth/token: client authentication first, then the grant."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from wizard.demo.authorization import not_authorized
from wizard.demo.state import (
    SECONDS_OF_A_TOKEN,
    Application,
    AuthMethod,
    AuthorizationRequest,
    GrantType,
    Policy,
    RefreshFamily,
    Session,
    Tenant,
)
from wizard.demo.tokens import TokenMaker


class TokenError(Exception):
    """A refusal, with its HTTP status and the two fields of its body."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.status = status
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class _Credentials:
    client_id: str
    secret: str
    basic: bool


class TokenEndpoint:
    """The token endpoint of one tenant."""

    def __init__(self, tenant: Tenant, maker: TokenMaker) -> None:
        self._tenant = tenant
        self._maker = maker

    def answer(self, form: Mapping[str, str], authorization: str | None) -> dict[str, object]:
        """The tokens that the form asks for; `authorization` is the header.

        Raises:
            TokenError: with the status and text of Auth0.
        """
        grant_type = _required(form, "grant_type")
        application = self._authenticated(_credentials(form, authorization))
        if grant_type not in list(GrantType):
            raise TokenError(400, "unsupported_grant_type", f"Unsupported grant type: {grant_type}")
        if grant_type not in application.grant_types:
            raise TokenError(
                403,
                "unauthorized_client",
                f"Grant type '{grant_type}' not allowed for the client.",
            )
        match GrantType(grant_type):
            case GrantType.CODE:
                return self._by_code(application, form)
            case GrantType.REFRESH:
                return self._by_refresh_token(application, form)
            case GrantType.CLIENT_CREDENTIALS:
                return self._by_client_credentials(application, form)

    def _authenticated(self, credentials: _Credentials) -> Application:
        """The application, if it proves itself as it is set to.

        Post and Basic stand in for each other, as they do at Auth0. A public application's
        secret is ignored in the body and refused in the header.
        """
        application = self._tenant.applications.get(credentials.client_id)
        if application is not None and _proves(application, credentials):
            return application
        raise TokenError(401, self._tenant.unauthorized_error, "Unauthorized")

    def _by_code(self, application: Application, form: Mapping[str, str]) -> dict[str, object]:
        issued = self._tenant.ledger.codes.take(_required(form, "code"))
        if issued is None or issued.request.client_id != application.client_id:
            raise TokenError(403, "invalid_grant", "Invalid authorization code")
        request = issued.request
        sent = form.get("redirect_uri", "")
        if sent != request.redirect_uri:
            raise TokenError(
                403,
                "unauthorized_client",
                f"The redirect URI is wrong. You sent {sent},"
                f" and we expected {request.redirect_uri}",
            )
        _verify_challenge(application, request, form.get("code_verifier"))
        answer = self._tokens(application, request, issued.session, request.scope)
        if "offline_access" in request.scope:
            answer["refresh_token"] = self._new_family(application, request, issued.session)
        return answer

    def _by_refresh_token(
        self, application: Application, form: Mapping[str, str]
    ) -> dict[str, object]:
        token = _required(form, "refresh_token")
        family = self._tenant.ledger.refresh_tokens.get(token)
        if family is None or not self._is_good(family, application, token):
            raise TokenError(403, "invalid_grant", "Unknown or invalid refresh token.")
        request, session = family.request, family.session
        granted = (session.user_id, application.client_id, request.audience)
        if granted not in self._tenant.ledger.user_grants:
            raise TokenError(403, "server_error", "Grant not found, cannot refresh access token")
        # An audience that is sent does not count: the refresh token is for the first one.
        asked = form.get("scope", "").split()
        scope = tuple(it for it in request.scope if not asked or it in asked)
        answer = self._tokens(application, request, session, scope)
        if application.rotating_refresh_tokens:
            answer["refresh_token"] = self._next_of_family(family)
        return answer

    def _by_client_credentials(
        self, application: Application, form: Mapping[str, str]
    ) -> dict[str, object]:
        audience = form.get("audience") or self._tenant.default_audience
        api = self._tenant.apis.get(audience)
        if api is None:
            raise TokenError(403, "access_denied", f"Service not enabled within domain: {audience}")
        grant = self._tenant.grant(application.client_id, audience, "client")
        if grant is None or api.client_policy is Policy.DENY_ALL:
            raise TokenError(
                403,
                "access_denied",
                f"{not_authorized(application.client_id, audience)}"
                ' You need to create a "client-grant" associated to this API.',
            )
        return {
            "access_token": self._maker.machine_token(api, application.client_id, grant.scope),
            "scope": " ".join(grant.scope),
            "expires_in": api.token_lifetime,
            "token_type": "Bearer",
        }

    def _tokens(
        self,
        application: Application,
        request: AuthorizationRequest,
        session: Session,
        scope: tuple[str, ...],
    ) -> dict[str, object]:
        api = self._tenant.apis.get(request.audience)
        answer: dict[str, object] = {
            "access_token": self._maker.access_token(request, session, scope),
            "scope": " ".join(scope),
            "expires_in": api.token_lifetime if api else SECONDS_OF_A_TOKEN,
            "token_type": "Bearer",
        }
        if "openid" in scope:
            answer["id_token"] = self._maker.id_token(application, request, session, scope)
        return answer

    def _new_family(
        self, application: Application, request: AuthorizationRequest, session: Session
    ) -> str:
        lifetime = application.refresh_token_lifetime
        expires = float("inf") if lifetime is None else self._tenant.clock() + lifetime
        return self._next_of_family(RefreshFamily(request, session, expires))

    def _next_of_family(self, family: RefreshFamily) -> str:
        family.current = secrets.token_urlsafe(32)
        self._tenant.ledger.refresh_tokens[family.current] = family
        return family.current

    def _is_good(self, family: RefreshFamily, application: Application, token: str) -> bool:
        """Whether the token still counts; one that was spent already ends its family."""
        if family.request.client_id != application.client_id:
            return False
        if token != family.current:
            family.revoked = True
        return not family.revoked and self._tenant.clock() < family.expires


def _credentials(form: Mapping[str, str], authorization: str | None) -> _Credentials:
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return _Credentials(form.get("client_id", ""), form.get("client_secret", ""), basic=False)
    try:
        decoded = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    client_id, _, secret = decoded.partition(":")
    return _Credentials(unquote_plus(client_id), unquote_plus(secret), basic=True)


def _proves(application: Application, credentials: _Credentials) -> bool:
    match application.token_endpoint_auth_method:
        case AuthMethod.NONE:
            return not credentials.basic
        case AuthMethod.POST | AuthMethod.BASIC:
            return hmac.compare_digest(
                credentials.secret.encode(), application.client_secret.encode()
            )
        case AuthMethod.PRIVATE_KEY_JWT:
            return False


def _verify_challenge(
    application: Application, request: AuthorizationRequest, verifier: str | None
) -> None:
    """PKCE with S256, RFC 7636 §4.6; a public application must use it."""
    if request.code_challenge is None:
        if application.token_endpoint_auth_method is AuthMethod.NONE:
            raise TokenError(401, "access_denied", "Unauthorized")
        return
    if not verifier:
        raise TokenError(400, "invalid_request", "Parameter 'code_verifier' is required")
    digest = hashlib.sha256(verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not hmac.compare_digest(expected.encode(), request.code_challenge.encode()):
        raise TokenError(403, "invalid_grant", "Failed to verify code verifier")


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise TokenError(400, "invalid_request", f"Missing required parameter: {name}")
    return value
