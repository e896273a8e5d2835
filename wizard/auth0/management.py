"""The Management API as provisioning needs it: read the tenant, apply what was planned.

On auth0-python; what it raises becomes a `Failure` here, without the answers themselves, which
hold secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from wizard.auth0 import dashboard
from wizard.auth0.management_access import SCOPES_MISSING, Access
from wizard.auth0.management_plan import (
    ApiState,
    ApplicationState,
    Part,
    PlannedChange,
    TenantState,
    Wanted,
    needs_user_grant,
    values_of,
)
from wizard.auth0.quoting import quoted
from wizard.auth0.tenant import network_finding
from wizard.clock import Clock
from wizard.findings import ExitCode, Failure, Rule, Severity
from wizard.http import NetworkError
from wizard.language import Message

if TYPE_CHECKING:
    from auth0.management.client import Auth0
    from auth0.management.core.pagination import SyncPager
    from auth0.management.types.create_client_response_content import CreateClientResponseContent
    from auth0.management.types.create_resource_server_response_content import (
        CreateResourceServerResponseContent,
    )
    from auth0.management.types.get_client_response_content import GetClientResponseContent
    from auth0.management.types.resource_server import ResourceServer
    from auth0.management.types.update_client_response_content import UpdateClientResponseContent
    from auth0.management.types.update_resource_server_response_content import (
        UpdateResourceServerResponseContent,
    )

    AnyClient = GetClientResponseContent | CreateClientResponseContent | UpdateClientResponseContent
    AnyApi = (
        ResourceServer | CreateResourceServerResponseContent | UpdateResourceServerResponseContent
    )

_API_DOCS = "https://auth0.com/docs/api/management/v2"
_LIMITS_DOCS = (
    "https://auth0.com/docs/troubleshoot/customer-support/operational-policies/entity-limit-policy"
)

TOKEN_ENDED = Rule(
    id="LA601",
    severity=Severity.ERROR,
    title="The tenant does not take the Management API token",
    why="It has ended, was taken back, or was not copied whole.",
    fix=f"Take a new one (API Explorer: {dashboard.API_EXPLORER}), then"
    " run the command again; it goes on where it stopped.",
    source="https://auth0.com/docs/secure/tokens/access-tokens/management-api-access-tokens",
)
AT_THE_LIMIT = Rule(
    id="LA603",
    severity=Severity.ERROR,
    title="The tenant takes no more of these",
    why="Auth0's plans limit how many applications, APIs and grants a tenant has; on the free plan"
    " ten applications, ten APIs and a hundred grants.",
    fix=f"Delete one that nobody uses ({dashboard.APPLICATIONS}, {dashboard.APIS}), or give the"
    " --client-id or --audience of one to use, then run the command again.",
    source=_LIMITS_DOCS,
)
CONFLICT = Rule(
    id="LA604",
    severity=Severity.ERROR,
    title="The tenant has one of that name already",
    why="Somebody made it at the same moment, or it is one that this credential does not see.",
    fix="Run the command again; it starts from the tenant as it is now.",
    source=_API_DOCS,
)
RATE_LIMITED = Rule(
    id="LA605",
    severity=Severity.ERROR,
    title="The tenant's rate limit does not pass",
    why="It was waited for as the tenant asked. Something else uses up what the Management API"
    " allows: the free plan has two requests a second.",
    fix="Wait some minutes, then run the command again.",
    source="https://auth0.com/docs/troubleshoot/customer-support/operational-policies/"
    "rate-limit-policy",
)
REFUSED = Rule(
    id="LA606",
    severity=Severity.ERROR,
    title="The Management API refused a request",
    why="What it says stands above.",
    fix=f"Mend what it names in the dashboard ({dashboard.APPLICATIONS}), then run the command"
    " again.",
    source=_API_DOCS,
)
NOT_UNDERSTOOD = Rule(
    id="LA607",
    severity=Severity.ERROR,
    title="What came from the Management API is not its answer",
    why="A proxy or another server answers under the tenant's name, or the tenant has trouble.",
    fix="See that --domain or --tenant-domain is the tenant's own domain; look at"
    " https://status.auth0.com; then run the command again.",
    source=_API_DOCS,
    exit_code=ExitCode.TENANT,
)
GONE = Rule(
    id="LA608",
    severity=Severity.ERROR,
    title="What was to be changed is no longer in the tenant",
    why="Somebody deleted it while the wizard was at work.",
    fix="Run the command again; it starts from the tenant as it is now.",
    source=_API_DOCS,
)
SAME_NAME_TWICE = Rule(
    id="LA610",
    severity=Severity.ERROR,
    title="The tenant has several applications of that name",
    why="Only you know which one is LibreChat's.",
    fix="Give the Client ID of the right one as --client-id, or another --name.",
)
NO_SUCH_APPLICATION = Rule(
    id="LA611",
    severity=Severity.ERROR,
    title="The tenant has no application of that Client ID",
    why="It was deleted, or it is in another tenant.",
    fix="Correct --client-id, or OPENID_CLIENT_ID in the .env; blank it there to have an"
    " application made.",
)
RULES = (
    TOKEN_ENDED,
    AT_THE_LIMIT,
    CONFLICT,
    RATE_LIMITED,
    REFUSED,
    NOT_UNDERSTOOD,
    GONE,
    SAME_NAME_TWICE,
    NO_SUCH_APPLICATION,
)

READ_SCOPES = frozenset({"read:clients", "read:client_keys"})
_PAGE = 100
_CLIENT_FIELDS = (
    "client_id,client_secret,name,app_type,token_endpoint_auth_method,"
    "client_authentication_methods,oidc_conformant,jwt_configuration,grant_types,callbacks,"
    "allowed_logout_urls,web_origins,is_first_party"
)
_LIMIT_WORDS = ("limit", "upgrade", "entitlement", "quota", "maximum")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ManagementApi:
    """One tenant's Management API.

    Every method raises `Failure` when the tenant cannot be reached, refuses, or speaks what is
    not the Management API's.
    """

    access: Access
    clock: Clock

    def read(self, wanted: Wanted, client_id: str = "") -> TenantState:
        """What of the tenant concerns LibreChat.

        The application is found by `client_id`, or without one by the name that is wanted.
        """
        reading = {"read:resource_servers"} if wanted.audience else set()
        self.access.require(READ_SCOPES | reading)
        client = self._client()
        if not client_id:
            client_id = self._find_by_name(client, wanted.name)
        tenant = TenantState(
            self._application(client, client_id) if client_id else None,
            self._api(client, wanted.audience) if wanted.audience else None,
        )
        if tenant.application is None or not needs_user_grant(tenant):
            return tenant
        self.access.require(frozenset({"read:client_grants"}))
        granted = self._has_user_grant(client, tenant.application.client_id, wanted.audience)
        return replace(tenant, has_user_grant=granted)

    def apply(
        self, part: Part, changes: tuple[PlannedChange, ...], tenant: TenantState, audience: str
    ) -> TenantState:
        """Change that part, in one request; returns the tenant as it answered to be."""
        values: dict[str, Any] = values_of(changes, part)
        client = self._client()
        match part:
            case Part.API:
                with _told():
                    api = (
                        client.resource_servers.create(**values)
                        if tenant.api is None
                        else client.resource_servers.update(tenant.api.id, **values)
                    )
                return replace(tenant, api=_api_state(api))
            case Part.APPLICATION:
                with _told():
                    application = (
                        client.clients.create(**values)
                        if tenant.application is None
                        else client.clients.update(tenant.application.client_id, **values)
                    )
                return replace(tenant, application=_application_state(application))
            case Part.ACCESS:
                if tenant.application is None:
                    raise ValueError("access is given to an application")
                with _told():
                    client.client_grants.create(
                        client_id=tenant.application.client_id,
                        audience=audience,
                        scope=[],
                        subject_type="user",
                    )
                return replace(tenant, has_user_grant=True)

    def _client(self) -> Auth0:
        from wizard.auth0.management_transport import connect

        return connect(self.access, self.clock)

    def _find_by_name(self, client: Auth0, name: str) -> str:
        """The Client ID, "" if there is no such application."""
        with _told():
            found = [
                each.client_id or ""
                for each in _all_pages(
                    lambda page: client.clients.list(
                        fields="client_id,name", is_first_party=True, page=page, per_page=_PAGE
                    )
                )
                if each.name == name
            ]
        if len(found) > 1:
            raise SAME_NAME_TWICE.failure(f"{name}: {', '.join(found)}.")
        return next(iter(found), "")

    def _application(self, client: Auth0, client_id: str) -> ApplicationState:
        try:
            with _told():
                return _application_state(client.clients.get(client_id, fields=_CLIENT_FIELDS))
        except Failure as failure:
            if failure.finding.rule is GONE:
                where = Message(
                    "{client_id} in {tenant}.", client_id=client_id, tenant=self.access.tenant
                )
                raise NO_SUCH_APPLICATION.failure(where) from None
            raise

    def _api(self, client: Auth0, audience: str) -> ApiState | None:
        with _told():
            apis = _all_pages(lambda page: client.resource_servers.list(page=page, per_page=_PAGE))
            return next((_api_state(each) for each in apis if each.identifier == audience), None)

    def _has_user_grant(self, client: Auth0, client_id: str, audience: str) -> bool:
        with _told():
            grants = client.client_grants.list(
                client_id=client_id,
                audience=audience,
                subject_type="user",
                take=_PAGE,
                include_totals=None,
            )
            return any(True for _ in grants)


def write_scopes(changes: tuple[PlannedChange, ...], tenant: TenantState) -> frozenset[str]:
    """The scopes that applying the changes needs."""
    exists = {Part.API: tenant.api, Part.APPLICATION: tenant.application, Part.ACCESS: None}
    names = {
        Part.API: "resource_servers",
        Part.APPLICATION: "clients",
        Part.ACCESS: "client_grants",
    }
    parts = {change.part for change in changes}
    return frozenset(f"{'update' if exists[it] else 'create'}:{names[it]}" for it in parts)


def _all_pages(list_page: Callable[[int], SyncPager[T, Any]]) -> Iterator[T]:
    """What the pages hold, to the last one; auth0-python's pager asks for one more."""
    seen = page = 0
    while True:
        answer = list_page(page)
        items = answer.items or []
        yield from items
        seen += len(items)
        if not items or seen >= (answer.response.total or 0):
            return
        page += 1


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong within, in the user's terms; the library's errors quote whole answers."""
    import httpx
    from auth0.management.core.api_error import ApiError
    from auth0.management.core.parse_error import ParsingError

    try:
        yield
    except NetworkError as error:
        raise Failure(network_finding(error)) from None
    except ApiError as error:
        raise _failure(error.status_code or 0, error.body) from None
    except (ParsingError, httpx.HTTPError, ValueError):  # pydantic's errors are ValueErrors
        raise NOT_UNDERSTOOD.failure() from None


_BY_STATUS = {
    400: REFUSED,
    401: TOKEN_ENDED,
    403: REFUSED,
    404: GONE,
    409: CONFLICT,
    429: RATE_LIMITED,
}


def _failure(status: int, body: object) -> Failure:
    """What the status and Auth0's error object mean."""
    if not isinstance(body, Mapping) or "statusCode" not in body:
        return NOT_UNDERSTOOD.failure(Message("It answered {status}.", status=status))
    message, code = quoted(str(body.get("message", ""))), str(body.get("errorCode", ""))
    if status == 403 and code == "insufficient_scope":
        return SCOPES_MISSING.failure(f"{message}.")
    rule = _BY_STATUS.get(status, NOT_UNDERSTOOD)
    is_limit = any(word in f"{code} {message}".lower() for word in _LIMIT_WORDS)
    if status in {402, 403} and is_limit:
        rule = AT_THE_LIMIT
    return rule.failure(
        Message("It answered {status}: {words}", status=status, words=message)
        if message
        else Message("It answered {status}.", status=status)
    )


def _application_state(client: AnyClient) -> ApplicationState:
    tokens = client.jwt_configuration
    if client.client_secret is None and tokens is None:
        # Auth0 leaves both out for those who may not see an application's keys.
        raise SCOPES_MISSING.failure(Message("Missing: {scopes}.", scopes="read:client_keys"))
    methods = client.client_authentication_methods
    return ApplicationState(
        client_id=client.client_id or "",
        client_secret=client.client_secret or "",
        name=client.name or "",
        app_type=client.app_type or "",
        token_endpoint_auth_method=client.token_endpoint_auth_method or "",
        has_key_credentials=methods is not None,
        oidc_conformant=client.oidc_conformant,
        # An application that was made without one signs by HS256 (terraform-provider-auth0's
        # recordings).
        id_token_alg=(tokens and tokens.alg) or "HS256",
        id_token_lifetime=tokens.lifetime_in_seconds if tokens else None,
        grant_types=tuple(client.grant_types or ()),
        callbacks=tuple(client.callbacks or ()),
        allowed_logout_urls=tuple(client.allowed_logout_urls or ()),
        web_origins=tuple(client.web_origins or ()),
        is_first_party=client.is_first_party is not False,
    )


def _api_state(api: AnyApi) -> ApiState:
    rules = api.subject_type_authorization
    policies = {} if rules is None else rules.model_dump(exclude_none=True)
    return ApiState(
        id=api.id or "",
        identifier=api.identifier or "",
        name=api.name or "",
        signing_alg=api.signing_alg or "",
        allow_offline_access=api.allow_offline_access,
        skip_consent_for_verifiable_first_party_clients=(
            api.skip_consent_for_verifiable_first_party_clients
        ),
        token_encryption=None if api.token_encryption is None else Message("on"),
        policies={
            subject: str(rule["policy"])
            for subject, rule in policies.items()
            if isinstance(rule, dict) and "policy" in rule
        },
    )
