"""The demo tenant: its settings, its user, and the sign-ins under way.

Names are those of Auth0's Management API.
"""

from __future__ import annotations

import secrets
import string
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from wizard.settings import Settings

SECONDS_OF_A_TOKEN = 86_400
DEMO_EMAIL = "demo@example.com"

_ALPHABET = string.ascii_letters + string.digits


class TenantError(Exception):
    """An error response: Auth0's HTTP status, error code and description."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.status = status
        self.error = error
        self.description = description


def new_key() -> str:
    """Return an unguessable value, for a code, a token or a form."""
    return secrets.token_urlsafe(32)


def new_client_id() -> str:
    """Return a client ID in Auth0's form: 32 letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(32))


def new_client_secret() -> str:
    """Return a client secret in Auth0's form: 64 URL-safe characters."""
    return secrets.token_urlsafe(48)


@dataclass(slots=True, kw_only=True)
class Application:
    """A confidential client: a "Regular Web Application"."""

    name: str = "LibreChat"
    client_id: str = field(default_factory=new_client_id)
    client_secret: str = field(default_factory=new_client_secret, repr=False)
    callbacks: list[str] = field(default_factory=list)


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


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A valid request to /authorize. `audience` is "" for none."""

    client_id: str
    redirect_uri: str
    audience: str
    scope: tuple[str, ...]
    parameters: Mapping[str, str] = field(repr=False)

    @property
    def prompt(self) -> frozenset[str]:
        """The values of the parameter `prompt`."""
        return frozenset(self.parameters.get("prompt", "").split())

    def state(self) -> dict[str, str]:
        """Return the parameter `state` for the callback URL, nothing if none was sent."""
        return {"state": self.parameters["state"]} if "state" in self.parameters else {}


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in user in one browser."""

    user_id: str
    auth_time: int
    sid: str = field(default_factory=new_key)


@dataclass(slots=True)
class Transaction:
    """A sign-in under way in one browser; `csrf` is in its forms, `browser` in its cookie."""

    request: AuthorizationRequest
    browser: str = field(default_factory=new_key, repr=False)
    csrf: str = field(default_factory=new_key, repr=False)
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """The request and the user behind a code or a refresh token."""

    request: AuthorizationRequest
    session: Session


@dataclass(slots=True, kw_only=True)
class Tenant:
    """The contents of the tenant. Hold `lock` to change several attributes at once.

    Attributes:
        domain: host and port, as `--domain` takes them; set by the server.
        applications: by client ID.
        apis: API identifiers.
        users: by login.
        transactions: by the value of `state` in the tenant's own pages.
        codes: by authorization code; each is used once.
        refresh_tokens: by refresh token.
    """

    domain: str = ""
    applications: Mapping[str, Application] = field(default_factory=dict)
    apis: Collection[str] = ()
    users: Mapping[str, User] = field(default_factory=dict)
    transactions: dict[str, Transaction] = field(default_factory=dict, repr=False)
    codes: dict[str, Grant] = field(default_factory=dict, repr=False)
    refresh_tokens: dict[str, Grant] = field(default_factory=dict, repr=False)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def issuer(self) -> str:
        """The issuer identifier, with Auth0's trailing slash."""
        return f"https://{self.domain}/"

    def now(self) -> float:
        """Return the tenant's time, in seconds since the epoch."""
        return time.time()

    def user(self, user_id: str) -> User | None:
        return next((user for user in self.users.values() if user.user_id == user_id), None)


def add_librechat(tenant: Tenant, setup: Settings) -> User:
    """Make `tenant` ready for LibreChat at `setup.public_url`; return its only user."""
    application = Application(
        client_id=setup.client_id,
        client_secret=setup.client_secret or "",
        callbacks=[setup.callback_url],
    )
    user = User(login=DEMO_EMAIL, password=secrets.token_urlsafe(12), email=DEMO_EMAIL)
    tenant.applications = {application.client_id: application}
    tenant.apis = frozenset(setup.audiences)
    tenant.users = {user.login: user}
    return user
