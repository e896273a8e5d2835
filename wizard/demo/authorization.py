"""The demo tenant's decisions at /authorize, in Auth0's words.

Auth0 documents no order of the checks of audience and sign-in; the audience comes first here, as
public reports of Auth0's answers have it.
"""

from __future__ import annotations

from collections.abc import Mapping

from wizard.auth0.probes import with_query
from wizard.demo.tenant import AuthorizationRequest, Grant, Session, Tenant, new_key

OPENID_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})

Problem = tuple[str, str]
"""Error code and description."""


class PageError(Exception):
    """An error that is shown on a page of the tenant: there is no callback URL to send it to."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.status = status
        self.error = error
        self.description = description


class CallbackError(Exception):
    """An error that the application gets at its callback URL; `location` is both."""

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
            PageError: the client or its callback URL is unknown.
            CallbackError: anything else is wrong.
        """
        client_id = self._client_id(parameters)
        redirect_uri = self._redirect_uri(client_id, parameters)
        audience = self.audience(parameters)
        scope = self.scope(client_id, audience, parameters.get("scope", "").split())
        request = AuthorizationRequest(client_id, redirect_uri, audience, scope, parameters)
        if problem := self.problem(request):
            raise CallbackError(request, *problem)
        return request

    def audience(self, parameters: Mapping[str, str]) -> str:
        """Return the API identifier that the request is for."""
        return parameters.get("audience", "")

    def problem(self, request: AuthorizationRequest) -> Problem | None:
        """Return what is wrong with a request whose client and callback URL are right."""
        response_type = request.parameters.get("response_type")
        if response_type != "code":
            return "unsupported_response_type", f"Unsupported response type: {response_type}"
        if request.audience not in self.tenant.apis:
            return "access_denied", f"Service not found: {request.audience}"
        return None

    def scope(
        self,
        client_id: str,  # noqa: ARG002
        audience: str,  # noqa: ARG002
        requested: list[str],
    ) -> tuple[str, ...]:
        """Return the granted part of the scope; Auth0 leaves the rest out without an error."""
        return tuple(dict.fromkeys(name for name in requested if name in OPENID_SCOPES))

    def is_listed(self, redirect_uri: str, callbacks: list[str]) -> bool:
        """Return whether the callback URL is one of the Allowed Callback URLs."""
        return redirect_uri in callbacks

    def callback(self, request: AuthorizationRequest, session: Session) -> str:
        """Return the callback URL with a new code."""
        code = new_key()
        self.tenant.codes[code] = Grant(request, session)
        return with_query(request.redirect_uri, {"code": code} | request.state())

    def _client_id(self, parameters: Mapping[str, str]) -> str:
        client_id = parameters.get("client_id")
        if not client_id:
            raise PageError(400, "invalid_request", "Missing required parameter: client_id")
        if client_id not in self.tenant.applications:
            raise PageError(400, "invalid_request", f"Unknown client: {client_id}")
        return client_id

    def _redirect_uri(self, client_id: str, parameters: Mapping[str, str]) -> str:
        redirect_uri = parameters.get("redirect_uri")
        if not redirect_uri:
            raise PageError(400, "invalid_request", "Missing required parameter: redirect_uri")
        if not self.is_listed(redirect_uri, self.tenant.applications[client_id].callbacks):
            raise PageError(
                403,
                "unauthorized_client",
                f"Callback URL mismatch. {redirect_uri} is not in the list of allowed callback"
                " URLs",
            )
        return redirect_uri
