"""What LibreChat's OpenID library refuses in a token answer and in an ID token.

Source: openid-client 6 and oauth4webapi 3 (processGenericAccessTokenResponse, validateJwt), which
tests/auth0/test_openid_client.py runs on the same answers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from wizard.language import Message

# Seconds that clocks may differ. OPENID_CLOCK_TOLERANCE does not reach the library.
CLOCK_TOLERANCE = 30.0
_NUMBER = r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_REQUIRED = ("aud", "exp", "iat", "iss", "sub")
_TIMES = ("exp", "iat", "nbf")

Claims = Mapping[str, object]


def refusal_of_answer(body: Mapping[str, object]) -> Message | None:
    """Return why the library refuses a token answer; None where it takes it."""
    for name in ("access_token", "token_type"):
        if not _is_text(body.get(name)):
            return _missing(name)
    for name in ("refresh_token", "id_token"):
        if name in body and not _is_text(body[name]):
            return _missing(name)
    if "scope" in body and not isinstance(body["scope"], str):
        return Message("{name} is not a string.", name="scope")
    if "expires_in" in body and not _is_lifetime(body["expires_in"]):
        return Message("{name} is not a number of seconds.", name="expires_in")
    if str(body["token_type"]).lower() not in {"bearer", "dpop"}:
        return Message("{name} is not Bearer.", name="token_type")
    return None


def refusal_of_claims(claims: Claims, header: Claims, client_id: str) -> Message | None:
    """Return why the library refuses an ID token whose issuer and times are right, or None."""
    if "crit" in header:
        return Message("Its header has {name}.", name="crit")
    for name in _REQUIRED:
        if name not in claims:
            return Message("It has no {name}.", name=name)
    for name in _TIMES:
        if name in claims and number(claims[name]) is None:
            return Message("{name} is not a number of seconds.", name=name)
    if "auth_time" in claims and not _is_age(claims["auth_time"]):
        return Message("{name} is not a number of seconds.", name="auth_time")
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) != 1 and claims.get("azp") != client_id:
        return Message("It is for several audiences, and azp is not this application.")
    return None


def number(value: object) -> float | None:
    """Return a JSON value that JavaScript calls a number; None for any other."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_age(value: object) -> bool:
    seconds = number(value)
    return seconds is not None and math.isfinite(seconds) and seconds >= 0


def _is_lifetime(value: object) -> bool:
    """Return whether it is a number, or begins with one as JavaScript's parseFloat takes it."""
    if isinstance(value, str):
        found = re.match(_NUMBER, value)
        return found is not None and _is_age(float(found[0]))
    return _is_age(value)


def _missing(name: str) -> Message:
    return Message("{name} is not there, or not a string.", name=name)
