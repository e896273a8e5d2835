"""The demo tenant's decisions at /authorize, in Auth0's words.

Auth0 does not document the order of its checks; the audience is checked before the sign-in, as in
public reports of its answers.
"""

from __future__ import annotations

from collections.abc import Mapping

from wizard.auth0.probes import with_query
from wizard.demo.tenant import AuthorizationRequest, Grant, Session, Tenant, TenantError, new_key

OPENID_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})

Problem = tuple[str, str]
"""Error code and description."""


class CallbackError(Exception):
    """An error for the application; `location` is its callback URL with the error."""

    def __init__(self, request: AuthorizationRequest, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        answer = {"error": error, "error_description": description}
        self.location = with_query(request.redirect_uri, answer | request.state())


class Authorization:
    """The authorization endpoint of one tenant."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant

    def check(self, parameters: Mapping[str, str]) -> AuthorizationRequest:
        """Return the valid request in the query of /authorize.

        Raises:
            TenantError: the client or its callback URL is unknown.
            CallbackError: anything else is wrong.
        """
        client_id = self._known_client(parameters)
        redirect_uri = self._allowed_callback(client_id, parameters)
        audience = self.audience(parameters)
        words = [word for word in parameters.get("scope", "").split(" ") if word]
        scope = self.scope(client_id, audience, words)
        request = AuthorizationRequest(client_id, redirect_uri, audience, scope, parameters)
        if problem := self.problem(request):
            raise CallbackError(request, *problem)
        return request

    def audience(self, parameters: Mapping[str, str]) -> str:
        return parameters.get("audience", "")

    def problem(self, request: AuthorizationRequest) -> Problem | None:
        """Return what is wrong with a request whose client and callback URL are right."""
        response_type = request.parameters.get("response_type")
        if response_type != "code":
            return "unsupported_response_type", f"Unsupported response type: {response_type}"
        if request.audience not in self.tenant.apis:
            return "access_denied", f"Service not found: {request.audience}"
        return None

    def scope(self, client_id: str, audience: str, requested: list[str]) -> tuple[str, ...]:  # noqa: ARG002
        """Return the granted part of the scope; Auth0 drops the rest without an error."""
        return tuple(dict.fromkeys(name for name in requested if name in OPENID_SCOPES))

    def is_listed(self, redirect_uri: str, callbacks: list[str]) -> bool:
        return redirect_uri in callbacks

    def callback(self, request: AuthorizationRequest, session: Session) -> str:
        """Return the callback URL with a new code."""
        code = new_key()
        self.tenant.codes[code] = Grant(request, session)
        return with_query(request.redirect_uri, {"code": code} | request.state())

    def _known_client(self, parameters: Mapping[str, str]) -> str:
        client_id = required(parameters, "client_id")
        if client_id not in self.tenant.applications:
            raise TenantError(400, "invalid_request", f"Unknown client: {client_id}")
        return client_id

    def _allowed_callback(self, client_id: str, parameters: Mapping[str, str]) -> str:
        url = required(parameters, "redirect_uri")
        if not self.is_listed(url, self.tenant.applications[client_id].callbacks):
            text = f"Callback URL mismatch. {url} is not in the list of allowed callback URLs"
            raise TenantError(403, "unauthorized_client", text)
        return url


def required(parameters: Mapping[str, str], name: str) -> str:
    """Return the parameter of that name.

    Raises:
        TenantError: it is missing or empty.
    """
    value = parameters.get(name)
    if not value:
        raise TenantError(400, "invalid_request", f"Missing required parameter: {name}")
    return value
