"""Plans the changes that a tenant needs for LibreChat. Pure.

Fields have the names of the Management API, titles those of the dashboard. A PATCH replaces lists,
so they are merged; values that others added stay unless `prune` is set.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from wizard.findings import Finding
from wizard.language import Message
from wizard.rules import rule
from wizard.settings import NO_URLS, URL_LISTS, Urls, host_of, urls_of
from wizard.tunnel_services import SHARED_DOMAINS

WILDCARD_CALLBACK = rule("LA612")
THIRD_PARTY = rule("LA613")

_URL_REASONS = {
    "callbacks": Message("After a login, Auth0 redirects only to listed URLs, compared exactly."),
    "allowed_logout_urls": Message("After a logout, Auth0 redirects only to listed URLs."),
    "web_origins": Message("Silent sign-ins work only from listed origins."),
}


class Part(Enum):
    """What a change belongs to, in the order of applying, which may stop after each part."""

    API = Message("API")
    APPLICATION = Message("application")
    ACCESS = Message("application access")
    WHO = Message("who may sign in")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationState:
    """An application as read; "" and () for what is not set."""

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    name: str = ""
    app_type: str = ""
    token_endpoint_auth_method: str = ""
    has_key_credentials: bool = False
    oidc_conformant: bool | None = None
    id_token_alg: str = ""
    id_token_lifetime: int | None = None
    grant_types: tuple[str, ...] = ()
    callbacks: tuple[str, ...] = ()
    allowed_logout_urls: tuple[str, ...] = ()
    web_origins: tuple[str, ...] = ()
    is_first_party: bool = True

    @property
    def urls(self) -> Urls:
        """The URL lists by the Management API's names."""
        return {name: getattr(self, name) for name in URL_LISTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiState:
    """An API as read; `policies` by subject type (`user`, `client`), empty in older tenants."""

    id: str = ""
    identifier: str = ""
    name: str = ""
    signing_alg: str = ""
    allow_offline_access: bool | None = None
    skip_consent_for_verifiable_first_party_clients: bool | None = None
    token_encryption: str | None = None
    policies: Mapping[str, str] = field(default_factory=dict)


class TenantState(NamedTuple):
    """LibreChat's application and API; None for what does not exist."""

    application: ApplicationState | None = None
    api: ApiState | None = None
    has_user_grant: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """The desired state; `name` is a new application's."""

    public_url: str
    audience: str | None  # None without token reuse
    name: str = "LibreChat"
    retired: Urls = field(default_factory=lambda: NO_URLS)  # we added them, nobody uses them
    prune: bool = False  # remove everything that LibreChat does not need

    @property
    def urls(self) -> Urls:
        """The URLs that must be listed."""
        return urls_of(self.public_url)

    @property
    def grant_types(self) -> tuple[str, ...]:
        """The grants that LibreChat uses."""
        return ("authorization_code", *(("refresh_token",) if self.audience else ()))


class PlannedChange(NamedTuple):
    """One setting to change: `value` is sent, `removed` and `added` are lines for a reader."""

    part: Part
    field: str
    title: str
    value: object
    why: str
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The change as `--json` shows it; there are no secrets among settings."""
        return {
            "part": self.part.value,
            "setting": self.field,
            "title": self.title,
            "removed": list(self.removed),
            "added": list(self.added),
            "why": self.why,
        }


class _Setting(NamedTuple):
    field: str
    title: str
    value: object
    why: str


_API_SETTINGS = (
    _Setting(
        "signing_alg",
        "Signing Algorithm",
        "RS256",
        Message("LibreChat verifies access tokens with the tenant's public keys."),
    ),
    _Setting(
        "allow_offline_access",
        "Allow Offline Access",
        True,
        Message("Without it there is no refresh token, and sessions end with the access token."),
    ),
    _Setting(
        "skip_consent_for_verifiable_first_party_clients",
        "Allow Skipping User Consent",
        True,
        Message("Your users are not asked to consent to your own application."),
    ),
)
_APPLICATION_SETTINGS = (
    _Setting(
        "app_type",
        "Application Type",
        "regular_web",
        Message("LibreChat is a server that can keep a secret."),
    ),
    _Setting(
        "token_endpoint_auth_method",
        "Authentication Method",
        "client_secret_post",
        Message("LibreChat sends its secret in the request body."),
    ),
    _Setting(
        "oidc_conformant",
        "OIDC Conformant",
        True,
        Message("Refresh tokens and audiences need it."),
    ),
)
_ENCRYPTION_OFF = _Setting(
    "token_encryption",
    "JSON Web Encryption (JWE)",
    None,
    Message("LibreChat cannot read encrypted access tokens."),
)
_USER_ACCESS = "Application Access Policy, User-Delegated Access"
_NEW_API_POLICIES = {"user": "allow_all", "client": "deny_all"}


def plan(tenant: TenantState, wanted: Wanted) -> tuple[PlannedChange, ...]:
    """Return the changes in the order of applying."""
    changes = [*_application(tenant.application, wanted)]
    if wanted.audience:
        changes = [*_api(tenant.api, wanted), *changes, *_access(tenant, wanted)]
    return tuple(changes)


def remarks(tenant: TenantState, wanted: Wanted) -> tuple[Finding, ...]:
    """Return the problems that the plan does not change."""
    application = tenant.application
    if application is None:
        return ()
    found = []
    if not application.is_first_party:
        found.append(THIRD_PARTY.finding(f"{application.name} ({application.client_id})."))
    shared = [] if wanted.prune else shared_wildcards(application.callbacks)
    found += [WILDCARD_CALLBACK.finding(url) for url in shared]
    return tuple(found)


def shared_wildcards(urls: Iterable[str]) -> list[str]:
    """The URLs with a `*` on a domain where anybody can register a name."""
    return [url for url in urls if "*" in url and host_of(url).endswith(SHARED_DOMAINS)]


def url_changes(before: Urls, after: Urls) -> Iterator[PlannedChange]:
    """The changes of the application's lists of URLs."""
    for name, title in URL_LISTS.items():
        yield from _list(name, title, before[name], after[name], _URL_REASONS[name])


def needs_user_grant(tenant: TenantState) -> bool:
    """Return whether the application needs a client grant for the API."""
    if tenant.api is not None and tenant.api.policies.get("user", "allow_all") != "allow_all":
        return True
    return tenant.application is not None and not tenant.application.is_first_party


def values_of(changes: Iterable[PlannedChange], part: Part) -> dict[str, object]:
    """Return the request body for that part."""
    return {change.field: change.value for change in changes if change.part is part}


def _api(api: ApiState | None, wanted: Wanted) -> Iterator[PlannedChange]:
    if api is None:
        why, audience = Message("It is the value of OPENID_AUDIENCE."), wanted.audience or ""
        yield _created(Part.API, "identifier", "Identifier", audience, why)
        why = Message("The dashboard shows this name.")
        yield _created(Part.API, "name", "Name", f"{wanted.name} API", why)
    current = api or ApiState()
    field = "subject_type_authorization"
    yield from _differing(Part.API, current, _API_SETTINGS)
    if current.token_encryption is not None:
        yield from _differing(Part.API, current, [_ENCRYPTION_OFF])
    if api is None:
        why = Message("Your applications may use it for their users, but not without a user.")
        value, added = _authorization(_NEW_API_POLICIES), ("allow_all",)
        yield PlannedChange(Part.API, field, _USER_ACCESS, value, why, added=added)
    elif api.policies.get("user") == "deny_all":
        why = Message("No application may use the API now. After this, those with a grant may.")
        user = "require_client_grant"
        value = _authorization({**api.policies, "user": user})
        yield PlannedChange(Part.API, field, _USER_ACCESS, value, why, ("deny_all",), (user,))


def _authorization(policies: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {subject: {"policy": policy} for subject, policy in policies.items()}


def _application(application: ApplicationState | None, wanted: Wanted) -> Iterator[PlannedChange]:
    part = Part.APPLICATION
    if application is None:
        why = Message("The login page shows this name.")
        yield _created(part, "name", "Name", wanted.name, why)
    current = application or ApplicationState()
    yield from _differing(part, current, _APPLICATION_SETTINGS)
    if current.has_key_credentials:
        yield PlannedChange(
            part,
            "client_authentication_methods",
            "Private Key JWT and mTLS credentials",
            None,
            Message("LibreChat authenticates with a secret only."),
            (Message("in use"),),
            (Message("none"),),
        )
    yield from _signature(current)
    yield from _list(
        "grant_types",
        "Grant Types",
        current.grant_types,
        _merged(current.grant_types, wanted.grant_types, (), prune=wanted.prune),
        Message("LibreChat signs in with a code and renews sessions with a refresh token."),
    )
    merged = {
        name: _merged(urls, wanted.urls[name], wanted.retired[name], prune=wanted.prune)
        for name, urls in current.urls.items()
    }
    yield from url_changes(current.urls, merged)


def _signature(current: ApplicationState) -> Iterator[PlannedChange]:
    """Change the algorithm that signs ID tokens; the API replaces all of `jwt_configuration`."""
    if current.id_token_alg == "RS256":  # noqa: S105 - an algorithm
        return
    lifetime = current.id_token_lifetime
    kept = {} if lifetime is None else {"lifetime_in_seconds": lifetime}
    yield PlannedChange(
        Part.APPLICATION,
        "jwt_configuration",
        "JSON Web Token Signature Algorithm",
        {**kept, "alg": "RS256"},
        Message("LibreChat verifies ID tokens with the tenant's public keys."),
        _lines(current.id_token_alg),
        ("RS256",),
    )


def _access(tenant: TenantState, wanted: Wanted) -> Iterator[PlannedChange]:
    if tenant.has_user_grant or not needs_user_grant(tenant):
        return
    name = wanted.name if tenant.application is None else tenant.application.name
    yield PlannedChange(
        Part.ACCESS,
        "client_grant",
        "Application Access, User-Delegated Access",
        None,
        Message("The API requires a grant for each application."),
        added=(Message("{application} may use {api}", application=name, api=wanted.audience),),
    )


def _differing(
    part: Part, current: ApiState | ApplicationState, settings: Sequence[_Setting]
) -> Iterator[PlannedChange]:
    for it in settings:
        before = getattr(current, it.field)
        if before != it.value:
            yield PlannedChange(part, *it, _lines(before), (_shown(it.value),))


def _created(part: Part, name: str, title: str, value: str, why: str) -> PlannedChange:
    return PlannedChange(part, name, title, value, why, added=(value,))


def _list(
    name: str, title: str, before: tuple[str, ...], after: tuple[str, ...], why: str
) -> Iterator[PlannedChange]:
    if before == after:
        return
    removed = tuple(it for it in before if it not in after)
    added = tuple(it for it in after if it not in before)
    if removed and not added:
        why = Message("LibreChat no longer uses it.")
    yield PlannedChange(Part.APPLICATION, name, title, list(after), why, removed, added)


def _merged(
    before: Sequence[str], wanted: Sequence[str], retired: Iterable[str], *, prune: bool
) -> tuple[str, ...]:
    gone = set(before if prune else retired) - set(wanted)
    kept = [it for it in before if it not in gone]
    return (*kept, *(it for it in wanted if it not in kept))


def _lines(value: object) -> tuple[str, ...]:
    return () if value in {"", None} else (_shown(value),)


def _shown(value: object) -> str:
    match value:
        case True:
            return Message("on")
        case False | None:
            return Message("off")
        case str():
            return value
        case _:
            return str(value)
