"""Plans the changes that a tenant needs for LibreChat. Pure.

Fields have the names of the Management API, titles those of the dashboard. A PATCH replaces lists,
so they are merged; values that others added stay unless `prune` is set.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from wizard.auth0.management_calls import NOTHING, Answer
from wizard.findings import Finding
from wizard.language import Message
from wizard.rules import rule
from wizard.settings import NO_URLS, URL_LISTS, Urls, host_of, urls_of
from wizard.tunnel_services import SHARED_DOMAINS

WILDCARD_CALLBACK = rule("LA612")
THIRD_PARTY = rule("LA613")

DEFAULT_NAME = "LibreChat"

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


class TenantState(NamedTuple):
    """LibreChat's application and API as Auth0 describes them; None for what does not exist."""

    application: Answer | None = None
    api: Answer | None = None
    has_user_grant: bool = False

    @property
    def client_id(self) -> str:
        """The application's Client ID, "" without an application."""
        return self.application.needed("client_id") if self.application else ""

    @property
    def urls(self) -> Urls:
        """The application's lists of URLs."""
        known = self.application or NOTHING
        return {name: known.strings(name) for name in URL_LISTS}

    @property
    def policies(self) -> dict[str, str]:
        """Who may use the API by subject type (`user`, `client`); empty in older tenants."""
        rules = (self.api or NOTHING).object("subject_type_authorization") or NOTHING
        found = {name: rule.string("policy") for name in rules.said if (rule := rules.object(name))}
        return {name: policy for name, policy in found.items() if policy}

    @property
    def is_third_party(self) -> bool:
        """Whether the application is not the tenant's own."""
        return (self.application or NOTHING).value("is_first_party", bool) is False

    @property
    def needs_user_grant(self) -> bool:
        """Whether the application needs a client grant for the API."""
        return self.is_third_party or self.policies.get("user", "allow_all") != "allow_all"


class Wanted(NamedTuple):
    """The desired state; `name` is a new application's."""

    public_url: str
    audience: str | None  # None without token reuse
    name: str = DEFAULT_NAME
    prune: bool = False  # remove everything that LibreChat does not need
    urls_only: bool = False  # change only the lists of URLs
    retired: Urls = NO_URLS  # we added them, nobody uses them

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
    words: tuple[tuple[str], tuple[str]] | None = None  # in place of the values


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
    _Setting(
        "token_encryption",
        "JSON Web Encryption (JWE)",
        None,
        Message("LibreChat cannot read encrypted access tokens."),
        ((Message("on"),), (Message("off"),)),
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
    _Setting(
        "client_authentication_methods",
        "Private Key JWT and mTLS credentials",
        None,
        Message("LibreChat authenticates with a secret only."),
        ((Message("in use"),), (Message("none"),)),
    ),
)
_NEW_API_POLICIES = {"user": "allow_all", "client": "deny_all"}


def plan(tenant: TenantState, wanted: Wanted) -> tuple[PlannedChange, ...]:
    """Return the changes in the order of applying."""
    if wanted.urls_only:
        return tuple(row for row in _application(tenant, wanted) if row.field in URL_LISTS)
    if not wanted.audience:
        return tuple(_application(tenant, wanted))
    return (*_api(tenant, wanted), *_application(tenant, wanted), *_access(tenant, wanted))


def remarks(tenant: TenantState, wanted: Wanted) -> tuple[Finding, ...]:
    """Return the problems that the plan does not change."""
    found = []
    if tenant.application and tenant.is_third_party:
        name = tenant.application.string("name")
        found.append(THIRD_PARTY.finding(f"{name} ({tenant.client_id})."))
    shared = [] if wanted.prune else shared_wildcards(tenant.urls["callbacks"])
    found += [WILDCARD_CALLBACK.finding(url) for url in shared]
    return tuple(found)


def shared_wildcards(urls: Iterable[str]) -> list[str]:
    """The URLs with a `*` on a domain where anybody can register a name."""
    return [url for url in urls if "*" in url and host_of(url).endswith(SHARED_DOMAINS)]


def url_changes(before: Urls, after: Urls) -> Iterator[PlannedChange]:
    """The changes of the application's lists of URLs."""
    for name, title in URL_LISTS.items():
        yield from _list(name, title, before[name], after[name], _URL_REASONS[name])


def values_of(changes: Iterable[PlannedChange], part: Part) -> dict[str, object]:
    """Return the request body for that part."""
    return {change.field: change.value for change in changes if change.part is part}


def _api(tenant: TenantState, wanted: Wanted) -> Iterator[PlannedChange]:
    part = Part.API
    if tenant.api is None:
        why, audience = Message("It is the value of OPENID_AUDIENCE."), wanted.audience or ""
        yield _created(part, "identifier", "Identifier", audience, why)
        why = Message("The dashboard shows this name.")
        yield _created(part, "name", "Name", f"{wanted.name} API", why)
    yield from _differing(part, tenant.api, _API_SETTINGS)
    if tenant.api is None:
        why = Message("Your applications may use it for their users, but not without a user.")
        yield _authorization(_NEW_API_POLICIES, why)
    elif tenant.policies.get("user") == "deny_all":
        why = Message("No application may use the API now. After this, those with a grant may.")
        yield _authorization({**tenant.policies, "user": "require_client_grant"}, why, "deny_all")


def _authorization(policies: Mapping[str, str], why: str, *removed: str) -> PlannedChange:
    value = {subject: {"policy": policy} for subject, policy in policies.items()}
    field, title = "subject_type_authorization", "Application Access Policy, User-Delegated Access"
    return PlannedChange(Part.API, field, title, value, why, removed, (policies["user"],))


def _application(tenant: TenantState, wanted: Wanted) -> Iterator[PlannedChange]:
    part, known = Part.APPLICATION, tenant.application or NOTHING
    if tenant.application is None:
        why = Message("The login page shows this name.")
        yield _created(part, "name", "Name", wanted.name, why)
    yield from _differing(part, tenant.application, _APPLICATION_SETTINGS)
    yield from _signature(tenant.application)
    grants = known.strings("grant_types")
    yield from _list(
        "grant_types",
        "Grant Types",
        grants,
        _merged(grants, wanted.grant_types, (), prune=wanted.prune),
        Message("LibreChat signs in with a code and renews sessions with a refresh token."),
    )
    merged = {
        name: _merged(urls, wanted.urls[name], wanted.retired[name], prune=wanted.prune)
        for name, urls in tenant.urls.items()
    }
    yield from url_changes(tenant.urls, merged)


def _signature(application: Answer | None) -> Iterator[PlannedChange]:
    """Change the algorithm that signs ID tokens; the API replaces all of `jwt_configuration`."""
    tokens = (application or NOTHING).object("jwt_configuration") or NOTHING
    # The default (recordings of terraform-provider-auth0).
    algorithm = tokens.string("alg") or ("HS256" if application else "")
    if algorithm == "RS256":
        return
    lifetime = tokens.value("lifetime_in_seconds", int)
    kept = {} if lifetime is None else {"lifetime_in_seconds": lifetime}
    yield PlannedChange(
        Part.APPLICATION,
        "jwt_configuration",
        "JSON Web Token Signature Algorithm",
        {**kept, "alg": "RS256"},
        Message("LibreChat verifies ID tokens with the tenant's public keys."),
        _lines(algorithm),
        ("RS256",),
    )


def _access(tenant: TenantState, wanted: Wanted) -> Iterator[PlannedChange]:
    if tenant.has_user_grant or not tenant.needs_user_grant:
        return
    name = tenant.application.string("name") if tenant.application else wanted.name
    yield PlannedChange(
        Part.ACCESS,
        "client_grant",
        "Application Access, User-Delegated Access",
        None,
        Message("The API requires a grant for each application."),
        added=(Message("{application} may use {api}", application=name, api=wanted.audience),),
    )


def _differing(
    part: Part, known: Answer | None, settings: Sequence[_Setting]
) -> Iterator[PlannedChange]:
    for it in settings:
        kind = dict if it.value is None else type(it.value)
        before = known.value(it.field, kind) if known else None
        if before != it.value:
            words = it.words or (_lines(before), _lines(it.value))
            yield PlannedChange(part, it.field, it.title, it.value, it.why, *words)


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
    match value:
        case None | "":
            return ()
        case True:
            return (Message("on"),)
        case False:
            return (Message("off"),)
        case _:
            return (str(value),)
