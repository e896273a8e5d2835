"""What the demo tenant is set up with, and what sign-ins leave behind in it.

`Tenant` holds what Auth0's dashboard shows; names are those of the Management API, so that a
stand-in for that API can work on the same objects. A fault is one changed setting: every
attribute may be changed while the tenant runs; whoever changes several at once holds `lock`.
"""

from __future__ import annotations

import re
import secrets
import string
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from wizard.settings import SetupSettings

SECONDS_OF_A_TOKEN = 86_400
SECONDS_OF_AN_ID_TOKEN = 36_000
OPENID_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})

_ALPHABET = string.ascii_letters + string.digits


class AuthMethod(StrEnum):
    """How an application proves itself at the token endpoint."""

    POST = "client_secret_post"
    BASIC = "client_secret_basic"
    NONE = "none"
    PRIVATE_KEY_JWT = "private_key_jwt"


class GrantType(StrEnum):
    """The grants that the demo tenant knows."""

    CODE = "authorization_code"
    REFRESH = "refresh_token"
    CLIENT_CREDENTIALS = "client_credentials"


class Policy(StrEnum):
    """Which applications may ask for an API: its Application Access Policy."""

    ALLOW_ALL = "allow_all"
    REQUIRE_CLIENT_GRANT = "require_client_grant"
    DENY_ALL = "deny_all"


class OrganizationUsage(StrEnum):
    """Whether users sign in as members of an organization."""

    DENY = "deny"
    ALLOW = "allow"
    REQUIRE = "require"


def new_client_id() -> str:
    """A client ID as Auth0 makes them: 32 letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(32))


def new_client_secret() -> str:
    """A client secret as Auth0 makes them: 64 URL-safe characters."""
    return secrets.token_urlsafe(48)


@dataclass(slots=True, kw_only=True)
class Application:
    """A client. `connections` None means: all that the tenant has."""

    name: str = "LibreChat"
    client_id: str = field(default_factory=new_client_id)
    client_secret: str = field(default_factory=new_client_secret, repr=False)
    app_type: str = "regular_web"
    token_endpoint_auth_method: AuthMethod = AuthMethod.POST
    grant_types: list[str] = field(default_factory=lambda: [GrantType.CODE, GrantType.REFRESH])
    callbacks: list[str] = field(default_factory=list)
    allowed_logout_urls: list[str] = field(default_factory=list)
    web_origins: list[str] = field(default_factory=list)
    oidc_conformant: bool = True
    id_token_alg: str = "RS256"  # noqa: S105 - an algorithm
    rotating_refresh_tokens: bool = False
    refresh_token_lifetime: float | None = None
    is_first_party: bool = True
    organization_usage: OrganizationUsage = OrganizationUsage.DENY
    connections: set[str] | None = None
    skip_non_verifiable_callback_uri_confirmation_prompt: bool = False


@dataclass(slots=True, kw_only=True)
class Api:
    """A resource server. Defaults are those of an API made in the dashboard."""

    identifier: str
    name: str = "LibreChat API"
    signing_alg: str = "RS256"
    signing_secret: str = field(default_factory=new_client_secret, repr=False)
    allow_offline_access: bool = False
    skip_consent_for_verifiable_first_party_clients: bool = True
    user_policy: Policy = Policy.ALLOW_ALL
    client_policy: Policy = Policy.REQUIRE_CLIENT_GRANT
    scopes: list[str] = field(default_factory=list)
    token_lifetime: int = SECONDS_OF_A_TOKEN
    token_dialect: str = "access_token"  # noqa: S105 - Auth0's name of a claims profile
    encrypted_tokens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientGrant:
    """Leave for an application to ask for an API, for users or (`client`) for itself."""

    client_id: str
    audience: str
    subject_type: str = "user"
    scope: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class User:
    """Someone who can sign in by `login` and `password`; `profile` and `email` become claims."""

    login: str
    password: str = field(repr=False)
    user_id: str
    profile: dict[str, object] = field(default_factory=dict)
    email: str = ""
    email_verified: bool = True
    organizations: set[str] = field(default_factory=set)

    def claims(self, scope: Iterable[str]) -> dict[str, object]:
        """What the ID token and /userinfo say under `scope`."""
        said: dict[str, object] = {"sub": self.user_id}
        if "profile" in scope:
            said |= self.profile
        if "email" in scope and self.email:
            said |= {"email": self.email, "email_verified": self.email_verified}
        return said


@dataclass(frozen=True, slots=True)
class Interruption:
    """What answers instead of the tenant: a captive portal, a domain not ready, an outage.

    Only requests to a path that begins with `path` are met.
    """

    status: int
    body: str
    content_type: str = "text/html; charset=utf-8"
    path: str = "/"


@dataclass(frozen=True, slots=True)
class Visit:
    """A request that came; times are `time.monotonic()`. Without its query, which may be secret."""

    method: str
    path: str
    status: int
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request to /authorize that was found to be in order. `audience` "" is none."""

    client_id: str
    redirect_uri: str
    scope: tuple[str, ...]
    audience: str
    prompt: frozenset[str]
    state: str | None
    nonce: str | None
    code_challenge: str | None
    organization: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """A browser in which a user is signed in."""

    user_id: str
    sid: str
    auth_time: int


@dataclass(slots=True)
class Transaction:
    """A sign-in under way in one browser; `csrf` is in its forms, `browser` in its cookie."""

    request: AuthorizationRequest
    browser: str = field(repr=False)
    csrf: str = field(default_factory=secrets.token_urlsafe, repr=False)
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """What an authorization code stands for."""

    request: AuthorizationRequest
    session: Session


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What an access token opens at /userinfo."""

    user_id: str
    scope: tuple[str, ...]


@dataclass(slots=True)
class RefreshFamily:
    """All refresh tokens that came from one sign-in; only `current` is good when they rotate."""

    request: AuthorizationRequest
    session: Session
    expires: float
    current: str = field(default="", repr=False)
    revoked: bool = False


T = TypeVar("T")


class Shelf(Generic[T]):
    """Things kept under an unguessable key for a while; the oldest go when there are too many."""

    CAPACITY = 10_000

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[str, tuple[float, T]] = {}

    def put(self, thing: T, key: str | None = None) -> str:
        """Keep `thing`; returns its key."""
        key = secrets.token_urlsafe(32) if key is None else key
        self._kept[key] = (time.monotonic() + self._seconds, thing)
        if len(self._kept) > self.CAPACITY:
            del self._kept[next(iter(self._kept))]
        return key

    def get(self, key: str | None) -> T | None:
        """What is kept under `key` and still fresh."""
        until, thing = self._kept.get(key or "", (0.0, None))
        return thing if time.monotonic() < until else None

    def take(self, key: str | None) -> T | None:
        """The same, and it is kept no longer."""
        thing = self.get(key)
        self._kept.pop(key or "", None)
        return thing

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


@dataclass(slots=True)
class Ledger:
    """What sign-ins leave behind. `user_grants` holds (user ID, client ID, audience)."""

    transactions: Shelf[Transaction] = field(default_factory=lambda: Shelf(3600))
    sessions: Shelf[Session] = field(default_factory=lambda: Shelf(SECONDS_OF_A_TOKEN))
    codes: Shelf[IssuedCode] = field(default_factory=lambda: Shelf(60))
    access_tokens: Shelf[IssuedToken] = field(default_factory=lambda: Shelf(SECONDS_OF_A_TOKEN))
    refresh_tokens: dict[str, RefreshFamily] = field(default_factory=dict)
    user_grants: set[tuple[str, str, str]] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Tenant:
    """The demo tenant's settings and contents.

    Attributes:
        domain: host and port; set when the tenant starts.
        applications: by client ID.
        apis: by identifier.
        users: by what they sign in with.
        connections: by name, whether they are enabled.
        default_audience: added to every request that names none.
        rp_logout_discovery: whether discovery names the `end_session_endpoint`; off in tenants
            from before 14 November 2023.
        error_page_url: where errors go that have no callback; "" for the tenant's own page.
        encrypted_opaque_tokens: opaque tokens look like a JWE of five parts, as they mostly do.
        unauthorized_error: what a client that cannot prove itself is told; both are met.
        denial: what an Action says when it refuses every sign-in, "" when none does.
        needs_interaction: something after the password needs the user (MFA, a redirect).
        metadata: replaces single fields of the discovery document; None takes one away.
        interruption: answers instead of the tenant.
        rate_limited_until: until then, by `clock`, every answer is 429.
        delay: seconds by which every answer is late.
        clock: the tenant's time, seconds since the epoch.
        visits: the last requests that came.
    """

    domain: str = ""
    applications: dict[str, Application] = field(default_factory=dict)
    apis: dict[str, Api] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    client_grants: list[ClientGrant] = field(default_factory=list)
    connections: dict[str, bool] = field(
        default_factory=lambda: {"Username-Password-Authentication": True}
    )
    allowed_logout_urls: list[str] = field(default_factory=list)
    default_audience: str = ""
    rp_logout_discovery: bool = True
    skip_non_verifiable_callback_uri_confirmation_prompt: bool = False
    error_page_url: str = ""
    encrypted_opaque_tokens: bool = False
    unauthorized_error: str = "access_denied"
    denial: str = ""
    needs_interaction: bool = False
    metadata: dict[str, object] = field(default_factory=dict)
    interruption: Interruption | None = None
    rate_limited_until: float = 0.0
    delay: float = 0.0
    clock: Callable[[], float] = time.time
    visits: deque[Visit] = field(default_factory=lambda: deque(maxlen=1000), repr=False)
    ledger: Ledger = field(default_factory=Ledger, repr=False)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def issuer(self) -> str:
        """With a trailing slash, as Auth0 has it."""
        return f"https://{self.domain}/"

    def add(self, *things: Application | Api | User) -> None:
        """Put things where they belong, in place of what has the same key."""
        for thing in things:
            match thing:
                case Application():
                    self.applications[thing.client_id] = thing
                case Api():
                    self.apis[thing.identifier] = thing
                case User():
                    self.users[thing.login] = thing

    def user(self, user_id: str) -> User | None:
        """The user of that ID."""
        return next((user for user in self.users.values() if user.user_id == user_id), None)

    def grant(
        self, client_id: str, audience: str, subject_type: str = "user"
    ) -> ClientGrant | None:
        """The application's grant for the API."""
        return next(
            (
                grant
                for grant in self.client_grants
                if (grant.client_id, grant.audience, grant.subject_type)
                == (client_id, audience, subject_type)
            ),
            None,
        )

    def limit_rate(self, seconds: float) -> None:
        """Answer 429 for so long."""
        self.rate_limited_until = self.clock() + seconds


def url_is_listed(url: str, listed: Iterable[str]) -> bool:
    """Whether a URL is exactly one of the list or matches one with a `*` in its first label.

    Auth0 docs, "Subdomain URL placeholders": one `*`, in the left-most label, one level deep.
    """
    return any(url == entry or _matches_wildcard(url, entry) for entry in listed)


def url_is_listed_without_query(url: str, listed: Iterable[str]) -> bool:
    """The same, but the URL's query and fragment do not count, as at /v2/logout."""
    return url_is_listed(url.partition("#")[0].partition("?")[0], listed)


def _matches_wildcard(url: str, entry: str) -> bool:
    if "*" not in (urlsplit(entry).hostname or "").partition(".")[0] or entry.count("*") != 1:
        return False
    before, after = entry.split("*")
    return re.fullmatch(f"{re.escape(before)}[A-Za-z0-9-]+{re.escape(after)}", url) is not None


DEMO_EMAIL = "demo@example.com"


def add_librechat(
    tenant: Tenant, setup: SetupSettings, *, email: str = DEMO_EMAIL, password: str | None = None
) -> User:
    """Set the tenant up so that `setup` is all right in it: application, APIs and one user.

    No client secret makes the application a public one. The user's password is random unless
    given; returns the user.
    """
    public = not setup.auth0.client_secret
    application = Application(
        client_id=setup.auth0.client_id,
        client_secret=setup.auth0.client_secret or new_client_secret(),
        app_type="spa" if public else "regular_web",
        token_endpoint_auth_method=AuthMethod.NONE if public else AuthMethod.POST,
        rotating_refresh_tokens=public,
        callbacks=[setup.callback_url],
        allowed_logout_urls=list(setup.logout_urls),
        web_origins=list(setup.web_origins),
    )
    user = User(
        login=email,
        password=secrets.token_urlsafe(12) if password is None else password,
        user_id=f"auth0|{secrets.token_hex(12)}",
        profile={"name": "Demo User", "nickname": "demo"},
        email=email,
    )
    tenant.add(application, user)
    tenant.add(*(Api(identifier=it, allow_offline_access=True) for it in setup.auth0.audiences))
    return user
