"""The demo tenant's token endpoint, and the tokens that it signs, in Auth0's form."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import RSAAlgorithm

from wizard.auth0.probes import code_challenge
from wizard.demo.tenant import SECONDS_OF_A_TOKEN, SignIn, Tenant, TenantError, new_key, required

SECONDS_OF_AN_ID_TOKEN = 36_000


class TokenEndpoint:
    """/oauth/token of one tenant. The client is authenticated before its grant is read."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.private_key = generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = secrets.token_urlsafe(16)

    def jwk(self) -> dict[str, object]:
        """Return the public key as it is in the JWKS."""
        public = RSAAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        named = {name: public[name] for name in ("kty", "n", "e")}
        return {**named, "use": "sig", "alg": "RS256", "kid": self.kid}

    def answer(self, form: Mapping[str, str]) -> dict[str, object]:
        """Return the tokens for the form."""
        grant_type = required(form, "grant_type")
        client_id = self.authenticated(form)
        return self.by_grant_type(grant_type, client_id, form)

    def authenticated(self, form: Mapping[str, str]) -> str:
        """Return the client ID where the form has the client's secret."""
        client_id = form.get("client_id", "")
        application = self.tenant.applications.get(client_id)
        secret = form.get("client_secret", "").encode()
        if application and hmac.compare_digest(secret, application.client_secret.encode()):
            return client_id
        raise TenantError(401, "access_denied", "Unauthorized")

    def by_grant_type(
        self, grant_type: str, client_id: str, form: Mapping[str, str]
    ) -> dict[str, object]:
        if grant_type == "authorization_code":
            return self.by_code(client_id, form)
        if grant_type == "refresh_token":
            return self.by_refresh_token(client_id, form)
        raise TenantError(400, "unsupported_grant_type", f"Unsupported grant type: {grant_type}")

    def by_code(self, client_id: str, form: Mapping[str, str]) -> dict[str, object]:
        """Check the code, its callback URL and the PKCE verifier (RFC 7636 section 4.6)."""
        sign_in = self.tenant.codes.pop(required(form, "code"), None)
        if sign_in is None or sign_in.client_id != client_id:
            raise TenantError(403, "invalid_grant", "Invalid authorization code")
        sent, expected = form.get("redirect_uri", ""), sign_in.redirect_uri
        if sent != expected:
            text = f"The redirect URI is wrong. You sent {sent}, and we expected {expected}"
            raise TenantError(403, "unauthorized_client", text)
        if challenge := sign_in.parameters.get("code_challenge"):
            verifier = form.get("code_verifier")
            if not verifier:
                raise TenantError(400, "invalid_request", "Parameter 'code_verifier' is required")
            if not hmac.compare_digest(code_challenge(verifier).encode(), challenge.encode()):
                raise TenantError(403, "invalid_grant", "Failed to verify code verifier")
        tokens = self.tokens(sign_in, sign_in.scope)
        if "offline_access" in sign_in.scope:
            tokens["refresh_token"] = self.refresh_token(sign_in)
        return tokens

    def refresh_token(self, sign_in: SignIn) -> str:
        token = new_key()
        self.tenant.refresh_tokens[token] = sign_in
        return token

    def by_refresh_token(self, client_id: str, form: Mapping[str, str]) -> dict[str, object]:
        """Return tokens with the audience and scope of the sign-in."""
        sign_in = self.tenant.refresh_tokens.get(required(form, "refresh_token"))
        if sign_in is None or sign_in.client_id != client_id:
            raise TenantError(403, "invalid_grant", "Unknown or invalid refresh token.")
        return self.tokens(sign_in, sign_in.scope)

    def tokens(self, sign_in: SignIn, scope: tuple[str, ...]) -> dict[str, object]:
        """Return the body of a successful answer, without a refresh token."""
        answer: dict[str, object] = {
            "access_token": self.access_token(sign_in, scope),
            "scope": " ".join(scope),
            "expires_in": SECONDS_OF_A_TOKEN,
            "token_type": "Bearer",
        }
        if "openid" in scope:
            answer["id_token"] = self.id_token(sign_in, scope)
        return answer

    def access_token(self, sign_in: SignIn, scope: tuple[str, ...]) -> str:
        return self.signed(self.access_claims(sign_in, scope), SECONDS_OF_A_TOKEN)

    def id_token(self, sign_in: SignIn, scope: tuple[str, ...]) -> str:
        return self.signed(self.id_claims(sign_in, scope), SECONDS_OF_AN_ID_TOKEN)

    def access_claims(self, sign_in: SignIn, scope: tuple[str, ...]) -> dict[str, object]:
        """Return the claims of an access token; with `openid` it is for /userinfo too."""
        userinfo = [f"{self.tenant.issuer}userinfo"] if "openid" in scope else []
        return {
            "sub": sign_in.user_id,
            "aud": [sign_in.audience, *userinfo] if userinfo else sign_in.audience,
            "azp": sign_in.client_id,
            "scope": " ".join(scope),
        }

    def id_claims(self, sign_in: SignIn, scope: tuple[str, ...]) -> dict[str, object]:
        user = self.tenant.user(sign_in.user_id)
        nonce = sign_in.parameters.get("nonce")
        return {
            **(user.claims(scope) if user else {"sub": sign_in.user_id}),
            "aud": sign_in.client_id,
            "auth_time": sign_in.auth_time,
            "sid": sign_in.sid,
            **({"nonce": nonce} if nonce else {}),
        }

    def signed(self, claims: Mapping[str, object], lifetime: int) -> str:
        """Return a JSON Web Token, valid for `lifetime` seconds."""
        now = int(self.tenant.clock())
        payload = {"iss": self.tenant.issuer, **claims, "iat": now, "exp": now + lifetime}
        return jwt.encode(payload, self.private_key, "RS256", headers={"kid": self.kid})
