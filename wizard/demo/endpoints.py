"""The demo tenant's endpoints and pages: from a `Request` to an `Answer`, whatever serves them."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from email.utils import formatdate
from urllib.parse import parse_qsl, urljoin

from wizard.demo.authorization import Authorization, CallbackError
from wizard.demo.tenant import Session, Tenant, TenantError, Transaction, new_key
from wizard.demo.tokens import TokenEndpoint
from wizard.http_server import Answer, Request, page
from wizard.language import Language, Message


class Pages:
    """The pages of one tenant, in one language."""

    def __init__(self, tenant: Tenant, language: Language) -> None:
        self._tenant = tenant
        self._language = language

    def login(self, key: str, transaction: Transaction, problem: str = "") -> Answer:
        """Return the login page, filled in with the demo's user."""
        status = 400 if problem else 200
        user = next(iter(self._tenant.users.values()), None)
        return self._render("login", status, transaction, key=key, problem=problem, user=user)

    def consent(self, key: str, transaction: Transaction) -> Answer:
        """Return the page that asks for consent."""
        return self._render("consent", 200, transaction, key=key)

    def error(self, refused: TenantError) -> Answer:
        """Return the page for an error that no callback URL can get."""
        callbacks = (each for it in self._tenant.applications.values() for each in it.callbacks)
        return self._render(
            "error",
            refused.status,
            None,
            refused=refused,
            tracking=secrets.token_hex(10),
            start=urljoin(next(callbacks, ""), "/"),
        )

    def _render(
        self, name: str, status: int, transaction: Transaction | None, **shown: object
    ) -> Answer:
        if transaction is not None:
            request = transaction.request
            application = self._tenant.applications[request.client_id].name
            shown |= {"request": request, "csrf": transaction.csrf, "application": application}
        # LibreChat's callback may redirect to a DOMAIN_CLIENT of another origin.
        return page(status, f"demo/{name}.html.j2", self._language, has_form=True, **shown)


BROWSER_COOKIE = "__Host-demo-tenant-browser"
EXCHANGE_PATH = "/oauth/token"
WRONG_PASSWORD = Message("Wrong email or password")

Handler = Callable[[Request], Answer]


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
        self.pages = Pages(tenant, language)

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
            ("POST", EXCHANGE_PATH): self.token,
        }

    def answer(self, request: Request) -> Answer:
        """Return the answer to any request."""
        with self.tenant.lock:
            try:
                answer = self._handler(request)(request)
            except CallbackError as error:
                answer = redirect(error.location)
            except TenantError as error:
                answer = self.error(request, error)
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
        answer = json_answer(self.metadata())
        answer.headers["Cache-Control"] = "public, max-age=15"
        return answer

    def jwks(self, request: Request) -> Answer:  # noqa: ARG002
        return json_answer({"keys": [self.token_endpoint.maker.jwk()]})

    def authorize(self, request: Request) -> Answer:
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
        return self.pages.login(*self._under_way(request, request.parameters))

    def login(self, request: Request) -> Answer:
        """Check the password of the login page's form."""
        form = self.form(request)
        key, transaction = self._posted(request, form)
        user = self.tenant.users.get(form.get("username", ""))
        if user is None or not _same(form.get("password", ""), user.password):
            return self.pages.login(key, transaction, WRONG_PASSWORD)
        return self.after_login(key, transaction, Session(user.user_id, int(self.tenant.now())))

    def after_login(self, key: str, transaction: Transaction, session: Session) -> Answer:
        """Go on to the consent page.

        Auth0 asks for consent at every sign-in whose callback URL is on the user's own machine,
        as the demo's is. Source: Auth0 docs, "Measures Against Application Impersonation".
        """
        transaction.session = session
        return redirect(f"/u/consent?state={key}")

    def show_consent(self, request: Request) -> Answer:
        return self.pages.consent(*self._under_way(request, request.parameters))

    def consent(self, request: Request) -> Answer:
        """Go back to the application with the user's decision."""
        form = self.form(request)
        key, transaction = self._posted(request, form)
        del self.tenant.transactions[key]
        checked, session = transaction.request, transaction.session
        if session is None or form.get("action") != "accept":
            raise CallbackError(checked, "access_denied", "User did not authorize the request")
        return redirect(self.authorization.callback(checked, session))

    def token(self, request: Request) -> Answer:
        authorization = request.headers.get("authorization", "")
        return json_answer(self.token_endpoint.answer(self.form(request), authorization))

    def form(self, request: Request) -> dict[str, str]:
        """Return the fields of the body.

        Raises:
            TenantError: it is not a form.
        """
        try:
            return dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        except ValueError:
            raise TenantError(400, "invalid_request", "The body is not a form") from None

    def error(self, request: Request, error: TenantError) -> Answer:
        """Return the error as JSON for an application, as a page for a person."""
        if request.path == EXCHANGE_PATH:
            body = {"error": error.error, "error_description": error.description}
            return json_answer(body, error.status)
        return self.pages.error(error)

    def _handler(self, request: Request) -> Handler:
        domain = self.tenant.domain
        port = domain.rpartition(":")[2]
        # Any other name leads here by DNS rebinding only.
        names = {domain, f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"}
        routes = self.routes()
        is_known = request.path in {path for _, path in routes}
        if request.headers.get("host") not in names or not is_known:
            return lambda _: Answer(404, "Not found")
        return routes.get((request.method, request.path), lambda _: Answer(405))

    def _under_way(self, request: Request, form: Mapping[str, str]) -> tuple[str, Transaction]:
        """Return the sign-in under way in this browser, and its key, the form's `state`.

        Raises:
            TenantError: there is none.
        """
        key = form.get("state", "")
        transaction = self.tenant.transactions.get(key)
        if (
            transaction is None
            or transaction.request.client_id not in self.tenant.applications
            or not _same(request.cookie(BROWSER_COOKIE), transaction.browser)
        ):
            raise TenantError(
                400,
                "invalid_request",
                "This sign-in has ended, or began in another browser."
                " Go back to the application and start again.",
            )
        return key, transaction

    def _posted(self, request: Request, form: Mapping[str, str]) -> tuple[str, Transaction]:
        """Return the same for a submitted form, which must be one of the tenant's pages."""
        key, transaction = self._under_way(request, form)
        if not _same(form.get("csrf", ""), transaction.csrf):
            raise TenantError(400, "invalid_request", "The form is not one of this tenant.")
        return key, transaction


def redirect(url: str) -> Answer:
    """Return a redirect to `url`."""
    return Answer(302, headers={"Location": url})


def json_answer(body: Mapping[str, object], status: int = 200) -> Answer:
    """Return the body as JSON."""
    return Answer(status, json.dumps(body), {"Content-Type": "application/json"})


def _same(given: str, kept: str) -> bool:
    return hmac.compare_digest(given.encode(), kept.encode())
