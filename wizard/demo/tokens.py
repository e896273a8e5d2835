"""The demo tenant's token endpoint, and the tokens that it signs, in Auth0's form."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import RSAAlgorithm

from wizard.auth0.probes import code_challenge
from wizard.demo.authorization import required
from wizard.demo.tenant import (
    SECONDS_OF_A_TOKEN,
    AuthorizationRequest,
    Grant,
    Session,
    Tenant,
    TenantError,
    new_key,
)

SECONDS_OF_AN_ID_TOKEN = 36_000


class TokenMaker:
    """Signs the tokens of one tenant with its RSA key."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.private_key = generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = secrets.token_urlsafe(16)

    def jwk(self) -> dict[str, object]:
        """Return the public key as it is in the JWKS."""
        public = RSAAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        named = {name: public[name] for name in ("kty", "n", "e")}
        return {**named, "use": "sig", "alg": "RS256", "kid": self.kid}

    def access_token(
        self, request: AuthorizationRequest, session: Session, scope: tuple[str, ...]
    ) -> str:
        return self.signed(self.access_claims(request, session, scope), SECONDS_OF_A_TOKEN)

    def id_token(
        self, request: AuthorizationRequest, session: Session, scope: tuple[str, ...]
    ) -> str:
        return self.signed(self.id_claims(request, session, scope), SECONDS_OF_AN_ID_TOKEN)

    def access_claims(
        self, request: AuthorizationRequest, session: Session, scope: tuple[str, ...]
    ) -> dict[str, object]:
        """Return the claims of an access token; with `openid` it is for /userinfo too."""
        userinfo = [f"{self.tenant.issuer}userinfo"] if "openid" in scope else []
        return {
            "sub": session.user_id,
            "aud": [request.audience, *userinfo] if userinfo else request.audience,
            "azp": request.client_id,
            "scope": " ".join(scope),
        }

    def id_claims(
        self, request: AuthorizationRequest, session: Session, scope: tuple[str, ...]
    ) -> dict[str, object]:
        user = self.tenant.user(session.user_id)
        claims: dict[str, object] = {
            **(user.claims(scope) if user else {"sub": session.user_id}),
            "aud": request.client_id,
            "auth_time": session.auth_time,
            "sid": session.sid,
        }
        if nonce := request.parameters.get("nonce"):
            claims["nonce"] = nonce
        return claims

    def signed(self, claims: Mapping[str, object], lifetime: int) -> str:
        """Return a JSON Web Token, valid for `lifetime` seconds."""
        now = int(self.tenant.now())
        payload = {"iss": self.tenant.issuer, **claims, "iat": now, "exp": now + lifetime}
        return jwt.encode(payload, self.private_key, "RS256", headers={"kid": self.kid})


class TokenEndpoint:
    """/oauth/token of one tenant. The client is authenticated before its grant is read."""

    def __init__(self, tenant: Tenant, maker: TokenMaker) -> None:
        self.tenant = tenant
        self.maker = maker

    def answer(self, form: Mapping[str, str], authorization: str) -> dict[str, object]:
        """Return the tokens for the form; `authorization` is the header, "" for none."""
        grant_type = required(form, "grant_type")
        client_id = self.authenticated(form, authorization)
        return self.by_grant_type(grant_type, client_id, form)

    def by_grant_type(
        self, grant_type: str, client_id: str, form: Mapping[str, str]
    ) -> dict[str, object]:
        if grant_type == "authorization_code":
            return self.by_code(client_id, form)
        if grant_type == "refresh_token":
            return self.by_refresh_token(client_id, form)
        raise TenantError(400, "unsupported_grant_type", f"Unsupported grant type: {grant_type}")

    def authenticated(self, form: Mapping[str, str], authorization: str) -> str:  # noqa: ARG002
        """Return the client ID where the form has the client's secret."""
        client_id = form.get("client_id", "")
        application = self.tenant.applications.get(client_id)
        secret = form.get("client_secret", "").encode()
        if application and hmac.compare_digest(secret, application.client_secret.encode()):
            return client_id
        raise TenantError(401, "access_denied", "Unauthorized")

    def by_code(self, client_id: str, form: Mapping[str, str]) -> dict[str, object]:
        """Check the code, its callback URL and the PKCE verifier (RFC 7636 section 4.6)."""
        grant = self.tenant.codes.pop(required(form, "code"), None)
        if grant is None or grant.request.client_id != client_id:
            raise TenantError(403, "invalid_grant", "Invalid authorization code")
        sent, expected = form.get("redirect_uri", ""), grant.request.redirect_uri
        if sent != expected:
            text = f"The redirect URI is wrong. You sent {sent}, and we expected {expected}"
            raise TenantError(403, "unauthorized_client", text)
        if challenge := grant.request.parameters.get("code_challenge"):
            verifier = form.get("code_verifier")
            if not verifier:
                raise TenantError(400, "invalid_request", "Parameter 'code_verifier' is required")
            if not hmac.compare_digest(code_challenge(verifier).encode(), challenge.encode()):
                raise TenantError(403, "invalid_grant", "Failed to verify code verifier")
        tokens = self.tokens(grant, grant.request.scope)
        if "offline_access" in grant.request.scope:
            tokens["refresh_token"] = self.refresh_token(grant)
        return tokens

    def refresh_token(self, grant: Grant) -> str:
        token = new_key()
        self.tenant.refresh_tokens[token] = grant
        return token

    def by_refresh_token(self, client_id: str, form: Mapping[str, str]) -> dict[str, object]:
        """Return tokens with the audience and scope of the sign-in."""
        grant = self.tenant.refresh_tokens.get(required(form, "refresh_token"))
        if grant is None or grant.request.client_id != client_id:
            raise TenantError(403, "invalid_grant", "Unknown or invalid refresh token.")
        return self.tokens(grant, grant.request.scope)

    def tokens(self, grant: Grant, scope: tuple[str, ...]) -> dict[str, object]:
        """Return the body of a successful answer, without a refresh token."""
        request, session = grant.request, grant.session
        answer: dict[str, object] = {
            "access_token": self.maker.access_token(request, session, scope),
            "scope": " ".join(scope),
            "expires_in": SECONDS_OF_A_TOKEN,
            "token_type": "Bearer",
        }
        if "openid" in scope:
            answer["id_token"] = self.maker.id_token(request, session, scope)
        return answer
