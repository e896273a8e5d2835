"""The settings of an Auth0 tenant: the demo's, and every other that tests change.

Names are those of the Management API, whose stand-in uses the same objects. A fault is one
changed setting; each can be changed while the tenant runs.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from secrets import token_hex
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

from tests.tenant.action import Verdict, judge_sign_in
from wizard.auth0.access_action import read_action
from wizard.auth0.doors import DATABASE
from wizard.demo import tenant as demo
from wizard.demo.tenant import SECONDS_OF_A_TOKEN, SignIn, new_client_secret
from wizard.settings import Settings

DATABASE_NAME = "Username-Password-Authentication"


class AuthMethod(StrEnum):
    """How an application authenticates at the token endpoint."""

    POST = "client_secret_post"
    BASIC = "client_secret_basic"
    NONE = "none"
    PRIVATE_KEY_JWT = "private_key_jwt"


class GrantType(StrEnum):
    CODE = "authorization_code"
    REFRESH = "refresh_token"
    CLIENT_CREDENTIALS = "client_credentials"


class Policy(StrEnum):
    """Which applications may request an API: its Application Access Policy."""

    ALLOW_ALL = "allow_all"
    REQUIRE_CLIENT_GRANT = "require_client_grant"
    DENY_ALL = "deny_all"


class OrganizationUsage(StrEnum):
    """Whether users sign in as members of an organization."""

    DENY = "deny"
    ALLOW = "allow"
    REQUIRE = "require"


@dataclass(slots=True, kw_only=True)
class Application(demo.Application):
    """A client."""

    app_type: str = "regular_web"
    token_endpoint_auth_method: AuthMethod = AuthMethod.POST
    grant_types: list[str] = field(default_factory=lambda: [GrantType.CODE, GrantType.REFRESH])
    allowed_logout_urls: list[str] = field(default_factory=list)
    web_origins: list[str] = field(default_factory=list)
    oidc_conformant: bool = True
    id_token_alg: str = "RS256"
    rotating_refresh_tokens: bool = False
    refresh_token_lifetime: float | None = None
    is_first_party: bool = True
    organization_usage: OrganizationUsage = OrganizationUsage.DENY
    skip_non_verifiable_callback_uri_confirmation_prompt: bool = False

    def allows(self, callback: str) -> bool:
        return url_is_listed(callback, self.callbacks)


@dataclass(slots=True, kw_only=True)
class Api:
    """A resource server, with the defaults of an API created in the dashboard."""

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
    token_dialect: str = "access_token"
    encrypted_tokens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientGrant:
    """Permission for an application to request an API, for users or (`client`) for itself."""

    client_id: str
    audience: str
    subject_type: str = "user"
    scope: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Connection:
    """Where users come from; `clients` None means: enabled for every application."""

    name: str = DATABASE_NAME
    strategy: str = DATABASE
    options: dict[str, object] = field(default_factory=dict)
    clients: set[str] | None = None
    id: str = field(default_factory=lambda: f"con_{token_hex(8)}")

    def serves(self, client_id: str) -> bool:
        """Return whether it is enabled for the application."""
        return self.clients is None or client_id in self.clients

    def in_widget(self) -> dict[str, object]:
        """Return it as Auth0's login widget reads it."""
        sign_ups = {"showSignup": self.options.get("disable_signup") is not True}
        return {"name": self.name, **(sign_ups if self.strategy == DATABASE else {})}


@dataclass(slots=True, kw_only=True)
class User(demo.User):
    """A user; `roles` are names in Auth0."""

    connection: str = DATABASE_NAME
    roles: set[str] = field(default_factory=set)
    organizations: set[str] = field(default_factory=set)
    app_metadata: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Action:
    """An Action; `code` runs once it is `deployed_code`, and is built after so many requests."""

    name: str
    code: str
    deployed_code: str = ""
    looks_to_build: int = 2
    id: str = field(default_factory=lambda: str(uuid4()))


@dataclass(slots=True, kw_only=True)
class Role:
    name: str
    description: str = ""
    id: str = field(default_factory=lambda: f"rol_{token_hex(8)}")


@dataclass(frozen=True, slots=True)
class Interruption:
    """A response instead of the tenant's: a captive portal, a domain not ready, an outage.

    It applies to requests whose path starts with `path`.
    """

    status: int
    body: str
    content_type: str = "text/html; charset=utf-8"
    path: str = "/"


@dataclass(frozen=True, slots=True)
class Visit:
    """A received request, without its query, which may be secret."""

    method: str
    path: str
    status: int


class Session(NamedTuple):
    """A signed-in user in one browser."""

    user_id: str
    auth_time: int
    sid: str


@dataclass(slots=True)
class RefreshFamily:
    """All refresh tokens of one sign-in; only `current` is valid when they rotate."""

    sign_in: SignIn
    expires: float
    current: str = field(default="", repr=False)
    revoked: bool = False


@dataclass(slots=True, kw_only=True)
class Tenant(demo.Tenant):
    """The settings and data of a tenant.

    Attributes:
        applications: by client ID.
        apis: by identifier.
        users: by login.
        connections: by name.
        library: the Actions by ID.
        bindings: the IDs and display names of the Actions in the post-login flow.
        roles: by ID.
        default_audience: added to every request that names none.
        rp_logout_discovery: whether discovery lists the `end_session_endpoint`; off in tenants
            from before 14 November 2023.
        error_page_url: where errors without a callback go; "" for the tenant's own page.
        encrypted_opaque_tokens: whether opaque tokens look like a JWE of five parts, as most do.
        unauthorized_error: the error for a failed client authentication; both exist.
        denial: the reason of an Action that denies every sign-in, "" for none.
        needs_interaction: something after the password needs the user (MFA, a redirect).
        changed_metadata: replaces single fields of the discovery document; None removes one.
        interruption: answers instead of the tenant.
        rate_limited_until: until then, by `clock`, every response is 429.
        before: called with the path before each response, in the request's own thread.
        visits: the last requests.
        sessions: by the browser's cookie.
        userinfo: the user ID, client ID and scope that an access token opens /userinfo for.
        user_grants: consents as (user ID, client ID, audience).
        families: by refresh token, valid or not.
    """

    applications: dict[str, Application] = field(default_factory=dict)
    apis: dict[str, Api] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    client_grants: list[ClientGrant] = field(default_factory=list)
    connections: dict[str, Connection] = field(
        default_factory=lambda: {DATABASE_NAME: Connection()}
    )
    library: dict[str, Action] = field(default_factory=dict)
    bindings: list[tuple[str, str]] = field(default_factory=list)
    roles: dict[str, Role] = field(default_factory=dict)
    allowed_logout_urls: list[str] = field(default_factory=list)
    default_audience: str = ""
    rp_logout_discovery: bool = True
    skip_non_verifiable_callback_uri_confirmation_prompt: bool = False
    error_page_url: str = ""
    encrypted_opaque_tokens: bool = False
    unauthorized_error: str = "access_denied"
    denial: str = ""
    needs_interaction: bool = False
    changed_metadata: dict[str, object] = field(default_factory=dict)
    interruption: Interruption | None = None
    rate_limited_until: float = 0.0
    _limit_seconds: float = 0.0
    before: Callable[[str], None] = field(default=lambda path: None)
    visits: deque[Visit] = field(default_factory=lambda: deque(maxlen=1000), repr=False)
    sessions: dict[str, Session] = field(default_factory=dict, repr=False)
    userinfo: dict[str, tuple[str, str, tuple[str, ...]]] = field(default_factory=dict, repr=False)
    user_grants: set[tuple[str, str, str]] = field(default_factory=set)
    families: dict[str, RefreshFamily] = field(default_factory=dict, repr=False)

    def admits(self, user: User, client_id: str) -> bool:
        """Return whether the user's connection is enabled for the application."""
        connection = self.connections.get(user.connection)
        return connection is not None and connection.serves(client_id)

    def verdict(self, user_id: str, client_id: str) -> Verdict:
        """What the post-login Actions do to a sign-in or a refresh."""
        found = Verdict()
        user = next((it for it in self.users.values() if it.user_id == user_id), None)
        for action, _ in self.bindings:
            settings = read_action(self.library[action].deployed_code)
            if user is not None and settings is not None and not found.denial:
                verdict = judge_sign_in(
                    settings, client_id, user.email, user.roles, verified=user.email_verified
                )
                found = verdict if verdict != Verdict() else found
        return found

    def add(self, *things: Application | Api | User | Connection) -> None:
        """Add objects, replacing those with the same key."""
        for thing in things:
            match thing:
                case Application():
                    self.applications[thing.client_id] = thing
                case Api():
                    self.apis[thing.identifier] = thing
                case User():
                    self.users[thing.login] = thing
                case Connection():
                    self.connections[thing.name] = thing

    def grant(
        self, client_id: str, audience: str, subject_type: str = "user"
    ) -> ClientGrant | None:
        """Grant the application access to the API."""
        wanted = (client_id, audience, subject_type)
        return next(
            (
                grant
                for grant in self.client_grants
                if (grant.client_id, grant.audience, grant.subject_type) == wanted
            ),
            None,
        )

    def limit_rate(self, seconds: float) -> None:
        """Answer 429 until this long after the first visit: a busy machine starts slowly."""
        self._limit_seconds = seconds

    def rate_limit_left(self) -> float:
        """Return for how many seconds every response will be 429."""
        if self._limit_seconds:
            self.rate_limited_until = self.clock() + self._limit_seconds
            self._limit_seconds = 0.0
        return self.rate_limited_until - self.clock()

    def reset(self, clock: Callable[[], float] = time.time) -> None:
        """Reset everything but the domain while the tenant runs."""
        fresh = Tenant(domain=self.domain, clock=clock)
        for setting in fields(Tenant):
            if setting.name != "lock":
                setattr(self, setting.name, getattr(fresh, setting.name))


def add_librechat(tenant: Tenant, setup: Settings, login: str, password: str) -> User:
    """Add what `setup` needs to the tenant: application, APIs and one user.

    Without a client secret the application is public.
    """
    public = not setup.client_secret
    application = Application(
        client_id=setup.client_id,
        client_secret=setup.client_secret or new_client_secret(),
        app_type="spa" if public else "regular_web",
        token_endpoint_auth_method=AuthMethod.NONE if public else AuthMethod.POST,
        rotating_refresh_tokens=public,
        callbacks=[setup.callback_url],
        allowed_logout_urls=list(setup.urls["allowed_logout_urls"]),
        web_origins=list(setup.urls["web_origins"]),
    )
    user = User(login=login, password=password, email=login)
    tenant.add(application, user)
    tenant.add(*(Api(identifier=it, allow_offline_access=True) for it in setup.audiences))
    return user


def url_is_listed(url: str, listed: Iterable[str]) -> bool:
    """Return whether a URL is in the list, or matches an entry with a `*` in its first label.

    Auth0 docs, "Subdomain URL placeholders": one `*`, in the left-most label, one level deep.
    """
    return any(url == entry or _matches_wildcard(url, entry) for entry in listed)


def url_is_listed_without_query(url: str, listed: Iterable[str]) -> bool:
    """Like `url_is_listed`, but without the URL's query and fragment, as at /v2/logout."""
    return url_is_listed(url.partition("#")[0].partition("?")[0], listed)


def _matches_wildcard(url: str, entry: str) -> bool:
    if "*" not in (urlsplit(entry).hostname or "").partition(".")[0] or entry.count("*") != 1:
        return False
    before, after = entry.split("*")
    return re.fullmatch(f"{re.escape(before)}[A-Za-z0-9-]+{re.escape(after)}", url) is not None
