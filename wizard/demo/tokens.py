"""The tokens of the demo tenant: made and signed as Auth0 makes them."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import RSAAlgorithm

from wizard.demo.state import (
    SECONDS_OF_AN_ID_TOKEN,
    Api,
    Application,
    AuthorizationRequest,
    IssuedToken,
    Session,
    Tenant,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


@dataclass(frozen=True)
class SigningKey:
    """The tenant's RSA key."""

    private: RSAPrivateKey = field(
        default_factory=lambda: generate_private_key(public_exponent=65537, key_size=2048),
        repr=False,
    )
    kid: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def jwk(self) -> dict[str, object]:
        """The public half, as it stands in the JWKS."""
        public = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        named = {name: public[name] for name in ("kty", "n", "e")}
        return {**named, "use": "sig", "alg": "RS256", "kid": self.kid}


@dataclass(frozen=True)
class TokenMaker:
    """Makes the tokens of one tenant."""

    tenant: Tenant
    key: SigningKey = field(default_factory=SigningKey)

    def access_token(
        self, request: AuthorizationRequest, session: Session, scope: tuple[str, ...]
    ) -> str:
        """A JWT for the audience, or an opaque token when there is none.

        It opens /userinfo when `openid` is in the scope.
        """
        api = self.tenant.apis.get(request.audience)
        if api is None:
            token = self._opaque(encrypted=self.tenant.encrypted_opaque_tokens)
        elif api.encrypted_tokens:
            token = self._opaque(encrypted=True)
        else:
            userinfo = [f"{self.tenant.issuer}userinfo"] if "openid" in scope else []
            token = self._sign_for(
                api,
                request.client_id,
                {
                    "sub": session.user_id,
                    "aud": [api.identifier, *userinfo] if userinfo else api.identifier,
                    "scope": " ".join(scope),
                },
            )
        if "openid" in scope:
            issued = IssuedToken(session.user_id, scope)
            self.tenant.ledger.access_tokens.put(issued, key=token)
        return token

    def machine_token(self, api: Api, client_id: str, scope: tuple[str, ...]) -> str:
        """The access token of an application that acts for itself."""
        claims = {
            "sub": f"{client_id}@clients",
            "aud": api.identifier,
            "scope": " ".join(scope),
            "gty": "client-credentials",
        }
        return self._sign_for(api, client_id, claims)

    def id_token(
        self,
        application: Application,
        request: AuthorizationRequest,
        session: Session,
        scope: tuple[str, ...],
    ) -> str:
        """Who signed in, signed with the algorithm of the application."""
        now = int(self.tenant.clock())
        user = self.tenant.user(session.user_id)
        claims: dict[str, object] = {
            **(user.claims(scope) if user else {"sub": session.user_id}),
            "iss": self.tenant.issuer,
            "aud": application.client_id,
            "iat": now,
            "exp": now + SECONDS_OF_AN_ID_TOKEN,
            "auth_time": session.auth_time,
            "sid": session.sid,
        }
        if request.nonce is not None:
            claims["nonce"] = request.nonce
        return self._sign(claims, application.id_token_alg, application.client_secret)

    def client_of_hint(self, id_token: str) -> str | None:
        """The client ID that an `id_token_hint` names; None if the token is none of ours."""
        try:
            client_id = jwt.decode(id_token, options={"verify_signature": False}).get("aud", "")
            application = self.tenant.applications[client_id]
            hmac = application.id_token_alg.startswith("HS")
            jwt.decode(
                id_token,
                application.client_secret if hmac else self.key.private.public_key(),
                algorithms=[application.id_token_alg],
                audience=client_id,
                issuer=self.tenant.issuer,
                # A hint may be old, and the tenant's clock may be set wrong on purpose.
                options={"verify_exp": False, "verify_iat": False},
            )
        except (jwt.InvalidTokenError, KeyError, TypeError):
            return None
        return application.client_id

    def _sign_for(self, api: Api, client_id: str, claims: Mapping[str, object]) -> str:
        now = int(self.tenant.clock())
        rfc9068 = api.token_dialect.startswith("rfc9068")
        client = (
            {"client_id": client_id, "jti": secrets.token_urlsafe(16)}
            if rfc9068
            else {"azp": client_id}
        )
        times = {"iat": now, "exp": now + api.token_lifetime}
        return self._sign(
            {"iss": self.tenant.issuer, **claims, **times, **client},
            api.signing_alg,
            api.signing_secret,
            "at+jwt" if rfc9068 else "JWT",
        )

    def _sign(
        self, claims: Mapping[str, object], algorithm: str, secret: str, kind: str = "JWT"
    ) -> str:
        payload = dict(claims)
        if algorithm.startswith("HS"):
            return jwt.encode(payload, secret, algorithm, headers={"typ": kind})
        headers = {"typ": kind, "kid": self.key.kid}
        return jwt.encode(payload, self.key.private, algorithm, headers=headers)

    def _opaque(self, *, encrypted: bool) -> str:
        """A token that only the tenant can read; here there is nothing in it to be read."""
        if not encrypted:
            return secrets.token_urlsafe(24)
        header = {"alg": "dir", "enc": "A256GCM", "iss": self.tenant.issuer}
        start = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
        return ".".join([start, "", *(secrets.token_urlsafe(length) for length in (12, 160, 16))])
