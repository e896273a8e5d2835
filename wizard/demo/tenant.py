"""The demo tenant: its settings, its user, and the sign-ins under way.

Names are those of Auth0's Management API.
"""

from __future__ import annotations

import secrets
import string
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from wizard.auth0.probes import with_query
from wizard.settings import Settings

SECONDS_OF_A_TOKEN = 86_400
DEMO_EMAIL = "demo@example.com"

_ALPHABET = string.ascii_letters + string.digits


def new_key() -> str:
    """Return an unguessable value, for a code, a token or a form."""
    return secrets.token_urlsafe(32)


def _new_client_id() -> str:
    """Return a client ID in Auth0's form: 32 letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(32))


def new_client_secret() -> str:
    """Return a client secret in Auth0's form: 64 URL-safe characters."""
    return secrets.token_urlsafe(48)


@dataclass(slots=True, kw_only=True)
class Application:
    """A confidential client: a "Regular Web Application"."""

    name: str = "LibreChat"
    client_id: str = field(default_factory=_new_client_id)
    client_secret: str = field(default_factory=new_client_secret, repr=False)
    callbacks: list[str] = field(default_factory=list)

    def allows(self, callback: str) -> bool:
        return callback in self.callbacks


@dataclass(slots=True, kw_only=True)
class User:
    """A user who signs in with `login` and `password`."""

    login: str
    password: str = field(repr=False)
    user_id: str = field(default_factory=lambda: f"auth0|{secrets.token_hex(12)}")
    email: str = ""
    email_verified: bool = True

    def claims(self, scope: Collection[str]) -> dict[str, object]:
        """Return the claims of the ID token and of /userinfo under `scope`."""
        claims: dict[str, object] = {"sub": self.user_id}
        if "profile" in scope:
            claims |= {"name": "Demo User", "nickname": "demo"}
        if "email" in scope and self.email:
            claims |= {"email": self.email, "email_verified": self.email_verified}
        return claims


@dataclass(slots=True)
class SignIn:
    """A sign-in, from its valid request to /authorize to its last refresh.

    Attributes:
        audience: the API, "" for none.
        scope: the granted part of the requested scope.
        parameters: those of the request.
        browser: the browser's cookie.
        csrf: a value of its forms.
        user_id: who signed in, "" before.
        auth_time: when, in seconds since the epoch.
    """

    application: Application
    redirect_uri: str
    audience: str
    scope: tuple[str, ...]
    parameters: Mapping[str, str] = field(repr=False)
    browser: str = field(default_factory=new_key, repr=False)
    csrf: str = field(default_factory=new_key, repr=False)
    user_id: str = ""
    auth_time: int = 0
    sid: str = field(default_factory=new_key)

    @property
    def client_id(self) -> str:
        return self.application.client_id

    @property
    def prompt(self) -> frozenset[str]:
        """The values of the parameter `prompt`."""
        return frozenset(self.parameters.get("prompt", "").split())

    def callback(self, **answer: str) -> str:
        """Return the callback URL with the answer, and with `state` if one was sent."""
        state = {"state": self.parameters["state"]} if "state" in self.parameters else {}
        return with_query(self.redirect_uri, answer | state)


class TenantError(Exception):
    """An error response: Auth0's HTTP status, error code and description."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.status = status
        self.error = error
        self.description = description


class CallbackError(Exception):
    """An error for the application; `location` is its callback URL with the error."""

    def __init__(self, sign_in: SignIn, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.location = sign_in.callback(error=error, error_description=description)


def required(parameters: Mapping[str, str], name: str) -> str:
    """Return the parameter of that name.

    Raises:
        TenantError: it is missing or empty.
    """
    value = parameters.get(name)
    if not value:
        raise TenantError(400, "invalid_request", f"Missing required parameter: {name}")
    return value


@dataclass(slots=True, kw_only=True)
class Tenant:
    """The contents of the tenant. Hold `lock` to change several attributes at once.

    Attributes:
        domain: host and port, as `--domain` takes them; set by the server.
        applications: by client ID.
        apis: API identifiers.
        users: by login.
        sign_ins: those under way, by the value of `state` in the tenant's own pages.
        codes: sign-ins by authorization code; each is used once.
        refresh_tokens: sign-ins by refresh token.
        clock: the tenant's time, in seconds since the epoch.
    """

    domain: str = ""
    applications: Mapping[str, Application] = field(default_factory=dict)
    apis: Collection[str] = ()
    users: Mapping[str, User] = field(default_factory=dict)
    sign_ins: dict[str, SignIn] = field(default_factory=dict, repr=False)
    codes: dict[str, SignIn] = field(default_factory=dict, repr=False)
    refresh_tokens: dict[str, SignIn] = field(default_factory=dict, repr=False)
    clock: Callable[[], float] = time.time
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def issuer(self) -> str:
        """The issuer identifier, with Auth0's trailing slash."""
        return f"https://{self.domain}/"

    def user(self, user_id: str) -> User | None:
        return next((user for user in self.users.values() if user.user_id == user_id), None)


def add_librechat(tenant: Tenant, public_url: str, audience: str) -> tuple[Settings, User]:
    """Make `tenant` ready for LibreChat at that URL; return the setup and the only user."""
    application = Application()
    client_id, secret = application.client_id, application.client_secret
    setup = Settings(tenant.domain, client_id, secret, (audience,), public_url)
    application.callbacks = [setup.callback_url]
    user = User(login=DEMO_EMAIL, password=secrets.token_urlsafe(12), email=DEMO_EMAIL)
    tenant.applications = {client_id: application}
    tenant.apis = {audience}
    tenant.users = {user.login: user}
    return setup, user
