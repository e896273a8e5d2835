"""What the demo tenant thinks of a request to /authorize, in Auth0's order and words.

Where a text has no other source it stands in public reports of what Auth0 answered; the order
of audience and sign-in is not documented: here the audience comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from urllib.parse import urlencode, urlsplit, urlunsplit

from wizard.demo.state import (
    OPENID_SCOPES,
    Api,
    Application,
    AuthorizationRequest,
    GrantType,
    IssuedCode,
    OrganizationUsage,
    Policy,
    Session,
    Tenant,
    url_is_listed,
)
from wizard.settings import is_loopback


class PageError(Exception):
    """An error that no callback URL can be told: it ends on a page of the tenant."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.status = status
        self.error = error
        self.description = description


class CallbackError(Exception):
    """An error that the application is told at its callback URL, which is in `location`."""

    def __init__(self, redirect_uri: str, state: str | None, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        said = {"error": error, "error_description": description, "state": state}
        self.location = with_query(redirect_uri, said)


class Step(Enum):
    """What a request that is in order needs next."""

    SIGN_IN = auto()
    CONSENT = auto()
    DONE = auto()


def check_request(tenant: Tenant, parameters: Mapping[str, str]) -> AuthorizationRequest:
    """The request that the query of /authorize makes.

    Raises:
        PageError: the client or its callback URL is unknown.
        CallbackError: anything else is wrong.
    """
    application = _application(tenant, parameters)
    redirect_uri = _redirect_uri(application, parameters)

    def refused(error: str, description: str) -> CallbackError:
        return CallbackError(redirect_uri, parameters.get("state"), error, description)

    response_type = parameters.get("response_type")
    if not response_type:
        raise refused("invalid_request", "Missing required parameter: response_type")
    if response_type != "code":
        raise refused("unsupported_response_type", f"Unsupported response type: {response_type}")
    mode = parameters.get("response_mode", "query")
    if mode != "query":
        raise refused("unsupported_response_mode", f"Unsupported response mode: {mode}")
    if GrantType.CODE not in application.grant_types:
        raise refused(
            "unauthorized_client",
            f"Grant type '{GrantType.CODE}' not allowed for the client.",
        )
    challenge = parameters.get("code_challenge")
    if challenge and parameters.get("code_challenge_method") != "S256":
        raise refused("invalid_request", "Only the code challenge method S256 is supported")
    audience = _audience(tenant, parameters)
    if audience and audience not in tenant.apis:
        raise refused("access_denied", f"Service not found: {audience}")
    if audience and not _may_ask_for(tenant, application, tenant.apis[audience]):
        raise refused("invalid_request", not_authorized(application.client_id, audience))
    if problem := _connection_problem(tenant, application, parameters.get("connection")):
        raise refused("invalid_request", problem)
    organization = parameters.get("organization")
    if problem := _organization_problem(application, organization):
        raise refused("invalid_request", problem)
    return AuthorizationRequest(
        client_id=application.client_id,
        redirect_uri=redirect_uri,
        scope=_granted_scope(tenant, application, audience, parameters.get("scope", "")),
        audience=audience,
        prompt=frozenset(parameters.get("prompt", "").split()),
        state=parameters.get("state"),
        nonce=parameters.get("nonce"),
        code_challenge=challenge,
        organization=organization,
    )


def first_step(tenant: Tenant, request: AuthorizationRequest, session: Session | None) -> Step:
    """What a browser in which `session` stands must do.

    Raises:
        CallbackError: it must do something, and `prompt=none` forbids it.
    """
    silent = "none" in request.prompt
    if session is None or "login" in request.prompt:
        if silent:
            raise callback_error(request, "login_required", "Login required")
        return Step.SIGN_IN
    if tenant.needs_interaction and silent:
        raise callback_error(request, "interaction_required", "Interaction required")
    step = step_after_sign_in(tenant, request, session)
    if step is Step.CONSENT and silent:
        raise callback_error(request, "consent_required", "Consent required")
    return step


def step_after_sign_in(tenant: Tenant, request: AuthorizationRequest, session: Session) -> Step:
    """Whether the signed-in user must still consent.

    Raises:
        CallbackError: an Action or an organization refuses the user.
    """
    if tenant.denial:
        raise callback_error(request, "access_denied", tenant.denial)
    user = tenant.user(session.user_id)
    required = tenant.applications[request.client_id].organization_usage
    if required is OrganizationUsage.REQUIRE and user and not user.organizations:
        raise callback_error(
            request,
            "invalid_request",
            "client requires organization membership, but user does not belong to any organization",
        )
    return Step.CONSENT if _needs_consent(tenant, request, session.user_id) else Step.DONE


def callback_error(request: AuthorizationRequest, error: str, description: str) -> CallbackError:
    """The error as the request's callback URL is told it."""
    return CallbackError(request.redirect_uri, request.state, error, description)


def callback_with_code(tenant: Tenant, request: AuthorizationRequest, session: Session) -> str:
    """The callback URL with a fresh code in it."""
    tenant.ledger.user_grants.add((session.user_id, request.client_id, request.audience))
    code = tenant.ledger.codes.put(IssuedCode(request, session))
    return with_query(request.redirect_uri, {"code": code, "state": request.state})


def with_query(url: str, parameters: Mapping[str, str | None]) -> str:
    """The URL with parameters added to its query; those that are None are left out."""
    parts = urlsplit(url)
    added = urlencode({name: value for name, value in parameters.items() if value is not None})
    query = "&".join(part for part in (parts.query, added) if part)
    return urlunsplit(parts._replace(query=query))


def not_authorized(client_id: str, audience: str) -> str:
    """Auth0's text for an API that exists and does not let the application in."""
    return f'Client "{client_id}" is not authorized to access resource server "{audience}".'


def _application(tenant: Tenant, parameters: Mapping[str, str]) -> Application:
    client_id = parameters.get("client_id")
    if not client_id:
        raise PageError(400, "invalid_request", "Missing required parameter: client_id")
    try:
        return tenant.applications[client_id]
    except KeyError:
        raise PageError(400, "invalid_request", f"Unknown client: {client_id}") from None


def _redirect_uri(application: Application, parameters: Mapping[str, str]) -> str:
    redirect_uri = parameters.get("redirect_uri")
    if not redirect_uri:
        raise PageError(400, "invalid_request", "Missing required parameter: redirect_uri")
    if not url_is_listed(redirect_uri, application.callbacks):
        raise PageError(
            403,
            "unauthorized_client",
            f"Callback URL mismatch. {redirect_uri} is not in the list of allowed callback URLs",
        )
    return redirect_uri


def _audience(tenant: Tenant, parameters: Mapping[str, str]) -> str:
    """The API that is asked for; /userinfo is no API of its own."""
    audience = parameters.get("audience") or tenant.default_audience
    return "" if audience == f"{tenant.issuer}userinfo" else audience


def _may_ask_for(tenant: Tenant, application: Application, api: Api) -> bool:
    if api.user_policy is Policy.DENY_ALL:
        return False
    if api.user_policy is Policy.ALLOW_ALL and application.is_first_party:
        return True
    return tenant.grant(application.client_id, api.identifier) is not None


def _connection_problem(tenant: Tenant, application: Application, name: str | None) -> str:
    if name is None:
        return ""
    if not tenant.connections.get(name, False):
        return "the connection was disabled"
    if application.connections is not None and name not in application.connections:
        return "the connection is not enabled"
    return ""


def _organization_problem(application: Application, organization: str | None) -> str:
    if organization is None:
        required = application.organization_usage is OrganizationUsage.REQUIRE
        return "parameter organization is required for this client" if required else ""
    if not organization.startswith("org_"):
        return "authorization request parameter organization must be an organization id"
    return ""


def _granted_scope(
    tenant: Tenant, application: Application, audience: str, asked: str
) -> tuple[str, ...]:
    """What of the scope is granted; the rest is left out without a word, as Auth0 does."""
    api = tenant.apis.get(audience)
    granted = set(OPENID_SCOPES)
    if api is not None:
        grant = tenant.grant(application.client_id, audience)
        by_application = api.user_policy is not Policy.ALLOW_ALL or not application.is_first_party
        granted.update(grant.scope if grant and by_application else api.scopes)
    if not _offline_access(application, api):
        granted.discard("offline_access")
    return tuple(dict.fromkeys(scope for scope in asked.split() if scope in granted))


def _offline_access(application: Application, api: Api | None) -> bool:
    """Three of the four conditions of a refresh token; the fourth is that it is asked for."""
    return (
        (api is None or api.allow_offline_access)
        and GrantType.REFRESH in application.grant_types
        and application.oidc_conformant
    )


def _needs_consent(tenant: Tenant, request: AuthorizationRequest, user_id: str) -> bool:
    """Whether the user is asked; a callback that anybody can listen at is confirmed every time.

    Auth0 docs: "User Consent and Third-Party Applications", "Measures Against Application
    Impersonation".
    """
    application = tenant.applications[request.client_id]
    unconfirmed = not (
        tenant.skip_non_verifiable_callback_uri_confirmation_prompt
        or application.skip_non_verifiable_callback_uri_confirmation_prompt
    )
    if "consent" in request.prompt or (unconfirmed and not _is_verifiable(request.redirect_uri)):
        return True
    if (user_id, request.client_id, request.audience) in tenant.ledger.user_grants:
        return False
    api = tenant.apis.get(request.audience)
    return not application.is_first_party or (
        api is not None and not api.skip_consent_for_verifiable_first_party_clients
    )


def _is_verifiable(redirect_uri: str) -> bool:
    return urlsplit(redirect_uri).scheme in {"http", "https"} and not is_loopback(redirect_uri)
