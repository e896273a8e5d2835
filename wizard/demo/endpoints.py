"""The demo tenant's endpoints: from a `Request` to an `Answer`, whatever serves them."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from email.utils import formatdate
from urllib.parse import parse_qsl

from wizard.demo.authorization import Authorization, CallbackError, PageError
from wizard.demo.pages import Handler, Pages
from wizard.demo.tenant import Session, Tenant, Transaction, new_key
from wizard.demo.tokens import TokenEndpoint, TokenError
from wizard.http_server import Answer, Request
from wizard.language import Language, Message

BROWSER_COOKIE = "__Host-demo-tenant-browser"


class Endpoints:
    """The endpoints of one tenant.

    Pages are in `language`, errors for applications in Auth0's English.
    """

    def __init__(
        self,
        tenant: Tenant,
        language: Language,
        authorization: Authorization,
        token_endpoint: TokenEndpoint,
    ) -> None:
        self.tenant = tenant
        self.authorization = authorization
        self.token_endpoint = token_endpoint
        self._pages = Pages(tenant, language)

    def routes(self) -> dict[tuple[str, str], Handler]:
        """Return the handlers by method and path."""
        return {
            ("GET", "/.well-known/openid-configuration"): self.discovery,
            ("GET", "/.well-known/jwks.json"): self.jwks,
            ("GET", "/authorize"): self.authorize,
            ("GET", "/u/login"): self.show_login,
            ("POST", "/u/login"): self.login,
            ("GET", "/u/consent"): self.show_consent,
            ("POST", "/u/consent"): self.consent,
            ("POST", "/oauth/token"): self.token,
        }

    def answer(self, request: Request) -> Answer:
        """Return the answer to any request."""
        with self.tenant.lock:
            try:
                answer = self._handler(request)(request)
            except PageError as error:
                answer = self.error_page(request, error)
            except CallbackError as error:
                answer = redirect(error.location)
            except TokenError as error:
                body = {"error": error.error, "error_description": error.description}
                answer = json_answer(body, error.status)
        answer.headers["Date"] = formatdate(self.tenant.now(), usegmt=True)
        answer.headers.setdefault("Cache-Control", "no-store")
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    def metadata(self) -> dict[str, object]:
        """Return the discovery document."""
        issuer = self.tenant.issuer
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}authorize",
            "token_endpoint": f"{issuer}oauth/token",
            "userinfo_endpoint": f"{issuer}userinfo",
            "jwks_uri": f"{issuer}.well-known/jwks.json",
            "end_session_endpoint": f"{issuer}oidc/logout",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": ["aud", "email", "email_verified", "exp", "iat", "iss", "sub"],
            "request_parameter_supported": False,
        }

    def discovery(self, request: Request) -> Answer:  # noqa: ARG002
        """OpenID Connect Discovery 1.0, section 4."""
        answer = json_answer(self.metadata())
        answer.headers["Cache-Control"] = "public, max-age=15"
        return answer

    def jwks(self, request: Request) -> Answer:  # noqa: ARG002
        """The public signing keys, RFC 7517."""
        return json_answer({"keys": [self.token_endpoint.maker.jwk()]})

    def authorize(self, request: Request) -> Answer:
        """Check an authorization request and go to the login page."""
        checked = self.authorization.check(request.parameters)
        if "none" in checked.prompt:
            raise CallbackError(checked, "login_required", "Login required")
        return self.begin(request, Transaction(checked), "/u/login")

    def begin(self, request: Request, transaction: Transaction, path: str) -> Answer:
        """Send the browser to a page of the tenant, with a cookie that ties the page to it."""
        transaction.browser = request.cookie(BROWSER_COOKIE) or transaction.browser
        key = new_key()
        self.tenant.transactions[key] = transaction
        return redirect(f"{path}?state={key}").with_cookie(BROWSER_COOKIE, transaction.browser)

    def show_login(self, request: Request) -> Answer:
        """The login page."""
        key = request.parameters.get("state", "")
        return self._pages.login(key, self._transaction(request, key))

    def login(self, request: Request) -> Answer:
        """Check the password of the login page's form."""
        form = self.form(request)
        key = form.get("state", "")
        transaction = self._posted(request, key, form)
        user = self.tenant.users.get(form.get("username", ""))
        password = form.get("password", "")
        if user is None or not _same(password, user.password):
            return self._pages.login(key, transaction, Message("Wrong email or password"))
        return self.after_login(key, transaction, Session(user.user_id, int(self.tenant.now())))

    def after_login(self, key: str, transaction: Transaction, session: Session) -> Answer:
        """Go on to the consent page.

        Auth0 asks for consent at every sign-in whose callback URL is on the user's own machine,
        as the demo's is. Source: Auth0 docs, "Measures Against Application Impersonation".
        """
        transaction.session = session
        return redirect(f"/u/consent?state={key}")

    def show_consent(self, request: Request) -> Answer:
        """The consent page."""
        key = request.parameters.get("state", "")
        return self._pages.consent(key, self._transaction(request, key))

    def consent(self, request: Request) -> Answer:
        """Go back to the application with the user's decision."""
        form = self.form(request)
        key = form.get("state", "")
        transaction = self._posted(request, key, form)
        del self.tenant.transactions[key]
        checked, session = transaction.request, transaction.session
        if session is None or form.get("action") != "accept":
            raise CallbackError(checked, "access_denied", "User did not authorize the request")
        return redirect(self.authorization.callback(checked, session))

    def token(self, request: Request) -> Answer:
        """The token endpoint, RFC 6749 section 3.2."""
        authorization = request.headers.get("authorization", "")
        return json_answer(self.token_endpoint.answer(self.form(request), authorization))

    def form(self, request: Request) -> dict[str, str]:
        """Return the fields of the body.

        Raises:
            TokenError: it is not a form.
        """
        try:
            return dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        except ValueError:
            raise TokenError(400, "invalid_request", "The body is not a form") from None

    def error_page(self, request: Request, error: PageError) -> Answer:  # noqa: ARG002
        """The page for an error that no callback URL can get."""
        return self._pages.error(error)

    def _handler(self, request: Request) -> Handler:
        domain = self.tenant.domain
        port = domain.rpartition(":")[2]
        # Any other name leads here by DNS rebinding only.
        names = {domain, f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"}
        routes = self.routes()
        if request.headers.get("host") not in names:
            return lambda _: Answer(404, "Not found")
        if request.path not in {path for _, path in routes}:
            return lambda _: Answer(404, "Not found")
        return routes.get((request.method, request.path), lambda _: Answer(405))

    def _transaction(self, request: Request, key: str) -> Transaction:
        """Return the sign-in under way in this browser.

        Raises:
            PageError: there is none.
        """
        transaction = self.tenant.transactions.get(key)
        if (
            transaction is None
            or transaction.request.client_id not in self.tenant.applications
            or not _same(request.cookie(BROWSER_COOKIE), transaction.browser)
        ):
            raise PageError(
                400,
                "invalid_request",
                "This sign-in has ended, or began in another browser."
                " Go back to the application and start again.",
            )
        return transaction

    def _posted(self, request: Request, key: str, form: Mapping[str, str]) -> Transaction:
        """Return the same, for a form of a page of the tenant.

        Raises:
            PageError: see `_transaction`; or the form is from elsewhere.
        """
        transaction = self._transaction(request, key)
        if not _same(form.get("csrf", ""), transaction.csrf):
            raise PageError(400, "invalid_request", "The form is not one of this tenant.")
        return transaction


def redirect(url: str) -> Answer:
    """Return a redirect to `url`."""
    return Answer(302, headers={"Location": url})


def json_answer(body: Mapping[str, object], status: int = 200) -> Answer:
    """Return the body as JSON."""
    return Answer(status, json.dumps(body), {"Content-Type": "application/json"})


def _same(given: str, kept: str) -> bool:
    return hmac.compare_digest(given.encode(), kept.encode())
