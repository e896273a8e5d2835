"""Decodes a JSON Web Token; only `is_signed_by` verifies it."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wizard.auth0.openid_client import number
from wizard.auth0.redact import quoted
from wizard.system.reading import load_json

if TYPE_CHECKING:
    from wizard.auth0.tenant import Jwk

LONGEST_TOKEN = 1 << 16
# LibreChat takes the first of these (librechat: openidStrategy.js).
EMAIL_CLAIMS = ("email", "preferred_username", "upn")
_UNSHOWN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "sid", "jti"})
_MOST_CLAIMS = 40
_TIME_CLAIMS = frozenset({"exp", "iat", "nbf", "auth_time", "updated_at"})
_LAST_YEAR = 250e9  # datetime ends with 9999


@dataclass(frozen=True, slots=True)
class Token:
    """A token's content; `header` is empty if it is not a JWT."""

    raw: str = field(repr=False)
    header: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_encrypted(self) -> bool:
        """Whether the token is a JWE."""
        return bool(self.header) and (self.raw.count(".") == 4 or "enc" in self.header)

    @property
    def algorithm(self) -> str:
        """The `alg` header, "" if there is none."""
        return str(self.header.get("alg", ""))

    @property
    def audience(self) -> list[str]:
        """The `aud` claim as a list."""
        audience = self.claims.get("aud")
        listed = audience if isinstance(audience, list) else [audience]
        return [each for each in listed if isinstance(each, str)]

    @property
    def email(self) -> str:
        """The address that LibreChat uses, "" if there is none."""
        found = (self.claims.get(name) for name in EMAIL_CLAIMS)
        return next((value for value in found if isinstance(value, str) and value), "")

    def time(self, name: str) -> float | None:
        """Return the claim in seconds since the epoch, None if it is not a valid time."""
        value = number(self.claims.get(name))
        return float(value) if value is not None and 0 <= value < _LAST_YEAR else None

    def is_signed_by(self, keys: Sequence[Jwk]) -> bool:
        """Return whether the key that the token names signed it; any key if it names none."""
        import jwt

        named = [key for key in keys if key.get("kid") == self.header.get("kid")]
        for key in named or (keys if "kid" not in self.header else ()):
            if key.get("alg", self.algorithm) != self.algorithm:
                continue
            try:
                public = jwt.PyJWK(dict(key), algorithm=self.algorithm)
                jwt.api_jws.decode(self.raw, public, algorithms=[self.algorithm])
            except (jwt.PyJWTError, ValueError):
                continue
            return True
        return False

    def shown(self) -> dict[str, str]:
        """Return the claims as text, without those that only machines compare."""
        shown: dict[str, str] = {}
        for name, value in list(self.claims.items())[:_MOST_CLAIMS]:
            if name in _UNSHOWN_CLAIMS:
                continue
            if name in _TIME_CLAIMS and (time := self.time(name)) is not None:
                shown[name] = f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S} UTC"
            elif isinstance(value, list) and all(isinstance(each, str) for each in value):
                shown[quoted(name)] = quoted(", ".join(value))
            elif isinstance(value, bool):
                shown[quoted(name)] = str(value).lower()
            elif isinstance(value, str | int | float):
                shown[quoted(name)] = quoted(str(value))
        return shown


def read(raw: str) -> Token:
    """Decode a token (RFC 7519, RFC 7516 §3.1)."""
    parts = raw.split(".") if len(raw) <= LONGEST_TOKEN else []
    if len(parts) not in {3, 5}:  # signed, encrypted
        return Token(raw)
    try:
        header = _object(parts[0])
        return Token(raw, header, _object(parts[1]) if len(parts) == 3 else {})
    except ValueError:
        return Token(raw)


def _object(part: str) -> dict[str, Any]:
    data = b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    value = load_json(data.decode("utf-8", "replace"))  # json.loads would guess the encoding
    if not isinstance(value, dict):
        raise ValueError("A part of the token is no JSON object.")
    return value
