"""A tenant whose responses a test can replace; healthy by default."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from wizard.http import NetworkError, Response
from wizard.settings import Settings
from wizard.system.clock import Clock

DOMAIN = "dev-abc123.us.auth0.com"
CLIENT_ID = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv"
SECRET = "wJalrXUtnFEMI-K7MDENG_bPxRfiCYEXAMPLEKEYwJalrXUtnFEMI0123456789"
AUDIENCE = "https://api.librechat.example"
PUBLIC_URL = "https://chat.example.com"
NOW = 1_790_000_000.0

SETTINGS = Settings(DOMAIN, CLIENT_ID, SECRET, (AUDIENCE,), PUBLIC_URL)
WITHOUT_SECRET = SETTINGS._replace(client_secret=None)
WITHOUT_REUSE = SETTINGS._replace(audiences=(), reuse_tokens=False)
CALLBACK = SETTINGS.callback_url


class FakeClock(Clock):
    """A clock that moves only during a sleep."""

    def __init__(self, now: float = NOW) -> None:
        self._now = now
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    form: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}


Script = Callable[[Request], Response] | Response | NetworkError


@cache
def signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def jwk() -> dict[str, object]:
    public = RSAAlgorithm.to_jwk(signing_key().public_key(), as_dict=True)
    return {**public, "kid": "key-1", "use": "sig", "alg": "RS256"}


def metadata(**changed: object) -> dict[str, object]:
    base = f"https://{DOMAIN}"
    return {
        "issuer": f"{base}/",
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/oauth/token",
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "userinfo_endpoint": f"{base}/userinfo",
        "end_session_endpoint": f"{base}/oidc/logout",
        "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
        **changed,
    }


def json_answer(value: object, status: int = 200, **headers: str) -> Response:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Response("", status, {"content-type": "application/json", **headers}, body)


def html(text: str, status: int = 200, **headers: str) -> Response:
    return Response("", status, {"content-type": "text/html", **headers}, text.encode())


def oauth(error: str, description: str, status: int) -> Response:
    return json_answer({"error": error, "error_description": description}, status)


def redirect(location: str, status: int = 302) -> Response:
    return Response("", status, {"location": location}, b"")


def to_callback(**parameters: str) -> Script:
    """Redirect to the callback with the request's state."""

    def answer(request: Request) -> Response:
        query = urlencode({**parameters, "state": request.query["state"]})
        return redirect(f"{request.query['redirect_uri']}?{query}")

    return answer


def widget(sign_ups: bool = False, *social: str) -> Response:
    """Return the tenant's public file about the application's connections."""
    listed = [{"name": "auth0", "connections": [{"name": "Users", "showSignup": sign_ups}]}]
    listed += [{"name": each, "connections": [{"name": each}]} for each in social]
    return html(f"Auth0.setClient({json.dumps({'id': CLIENT_ID, 'strategies': listed})});")


LOGIN_REQUIRED = to_callback(error="login_required", error_description="Login required")
INVALID_CODE = oauth("invalid_grant", "Invalid authorization code", 403)
INVALID_REFRESH = oauth("invalid_grant", "Unknown or invalid refresh token.", 403)
UNAUTHORIZED = oauth("access_denied", "Unauthorized", 401)


@dataclass
class ScriptedTenant:
    """An `HttpClient` that returns these responses; several of one kind in turn."""

    discovery: Script | list[Script] = field(default_factory=lambda: json_answer(metadata()))
    keys: Script | list[Script] = field(default_factory=lambda: json_answer({"keys": [jwk()]}))
    authorize: Script | list[Script] = field(default_factory=lambda: LOGIN_REQUIRED)
    code: Script | list[Script] = field(default_factory=lambda: INVALID_CODE)
    without_secret: Script | list[Script] = field(default_factory=lambda: UNAUTHORIZED)
    refresh: Script | list[Script] = field(default_factory=lambda: INVALID_REFRESH)
    logout: Script | list[Script] = field(default_factory=lambda: redirect("/login"))
    librechat: Script | list[Script] = field(default_factory=lambda: json_answer({}))
    doors: Script | list[Script] = field(default_factory=lambda: widget())
    date: float | None = NOW

    def __post_init__(self) -> None:
        self.requests: list[Request] = []
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        request = Request(method, url, form or {}, headers or {})
        with self._lock:
            self.requests.append(request)
            script = getattr(self, kind_of(request))
            if isinstance(script, list):
                script = script.pop(0)
        if isinstance(script, NetworkError):
            raise script
        answer: Response = script(request) if callable(script) else script
        dated = {} if self.date is None else {"date": formatdate(self.date, usegmt=True)}
        return Response(url, answer.status, {**dated, **answer.headers}, answer.body)

    def sent(self, kind: str) -> list[Request]:
        return [request for request in self.requests if kind_of(request) == kind]


def kind_of(request: Request) -> str:
    path = urlsplit(request.url).path
    if path.endswith("/openid-configuration"):
        return "discovery"
    if path.endswith("jwks.json"):
        return "keys"
    if path.endswith("/logout"):
        return "logout"
    if path.startswith("/client/"):
        return "doors"
    if path == "/api/config":
        return "librechat"
    if request.method == "GET":
        return "authorize"
    if request.form["grant_type"] == "refresh_token":
        return "refresh"
    confidential = SETTINGS.client_secret
    return "code" if request.form.get("client_secret") == confidential else "without_secret"
