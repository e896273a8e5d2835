"""The demo tenant's endpoints and pages, served over HTTPS on this machine's loopback addresses.

Auth0 does not document the order of its checks at /authorize; the audience is checked before the
sign-in, as in public reports of its answers.
"""

from __future__ import annotations

import hmac
import json
import secrets
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qsl, urljoin

from wizard.demo.tenant import CallbackError, SignIn, Tenant, TenantError, new_key, required
from wizard.demo.tokens import TokenEndpoint
from wizard.http_server import Answer, HttpServer, Request, page
from wizard.language import Language, Message
from wizard.rules import rule
from wizard.system import loopback

NO_START = rule("LA450")
BROWSER_COOKIE = "__Host-demo-tenant-browser"
EXCHANGE_PATH = "/oauth/token"
SECONDS_TO_END = 1.0
OPENID_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})
WRONG_PASSWORD = Message("Wrong email or password")

Handler = Callable[[Request], Answer]
Problem = tuple[str, str]  # error code and description


class Endpoints:
    """The endpoints of one tenant.

    Pages are in `language`, errors for applications in Auth0's English.
    """

    def __init__(self, tenant: Tenant, language: Language, token_endpoint: TokenEndpoint) -> None:
        self.tenant = tenant
        self.token_endpoint = token_endpoint
        self._language = language

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
        answer.headers["Date"] = formatdate(self.tenant.clock(), usegmt=True)
        answer.headers.setdefault("Cache-Control", "no-store")
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    def discovery(self, request: Request) -> Answer:  # noqa: ARG002
        answer = json_answer(_metadata(self.tenant.issuer))
        answer.headers["Cache-Control"] = "public, max-age=15"
        return answer

    def jwks(self, request: Request) -> Answer:  # noqa: ARG002
        return json_answer({"keys": [self.token_endpoint.jwk()]})

    def authorize(self, request: Request) -> Answer:
        sign_in = self.checked(request.parameters)
        if "none" in sign_in.prompt:
            raise CallbackError(sign_in, "login_required", "Login required")
        return self.begin(request, sign_in, "/u/login")

    def checked(self, parameters: Mapping[str, str]) -> SignIn:
        """Return the valid request in the query of /authorize.

        Raises:
            TenantError: the client or its callback URL is unknown.
            CallbackError: anything else is wrong.
        """
        client_id = required(parameters, "client_id")
        application = self.tenant.applications.get(client_id)
        if application is None:
            raise TenantError(400, "invalid_request", f"Unknown client: {client_id}")
        url = required(parameters, "redirect_uri")
        if not application.allows(url):
            text = f"Callback URL mismatch. {url} is not in the list of allowed callback URLs"
            raise TenantError(403, "unauthorized_client", text)
        # Auth0 drops the rest of the scope without an error.
        words = parameters.get("scope", "").split(" ")
        scope = tuple(dict.fromkeys(word for word in words if word in OPENID_SCOPES))
        sign_in = SignIn(application, url, parameters.get("audience", ""), scope, parameters)
        if problem := self.problem(sign_in):
            raise CallbackError(sign_in, *problem)
        return sign_in

    def problem(self, sign_in: SignIn) -> Problem | None:
        """Return what is wrong with a request whose client and callback URL are right."""
        response_type = sign_in.parameters.get("response_type")
        if response_type != "code":
            return "unsupported_response_type", f"Unsupported response type: {response_type}"
        if sign_in.audience not in self.tenant.apis:
            return "access_denied", f"Service not found: {sign_in.audience}"
        return None

    def begin(self, request: Request, sign_in: SignIn, path: str) -> Answer:
        """Send the browser to a page of the tenant, with a cookie that ties the page to it."""
        sign_in.browser = request.cookie(BROWSER_COOKIE) or sign_in.browser
        key = new_key()
        self.tenant.sign_ins[key] = sign_in
        return redirect(f"{path}?state={key}").with_cookie(BROWSER_COOKIE, sign_in.browser)

    def end(self, sign_in: SignIn) -> Answer:
        """Send the browser back to the application, with a new code."""
        code = new_key()
        self.tenant.codes[code] = sign_in
        return redirect(sign_in.callback(code=code))

    def show_login(self, request: Request) -> Answer:
        return self.login_page(*self._under_way(request))

    def login_page(self, key: str, sign_in: SignIn, problem: str = "") -> Answer:
        """Return the login page, filled in with the demo's user."""
        user = next(iter(self.tenant.users.values()), None)
        status = 400 if problem else 200
        return _page(
            self._language, "login", status, key=key, sign_in=sign_in, problem=problem, user=user
        )

    def login(self, request: Request) -> Answer:
        """Check the password of the login page's form."""
        form = self.form(request)
        key, sign_in = self._under_way(request, form)
        user = self.tenant.users.get(form.get("username", ""))
        if user is None or not _same(form.get("password", ""), user.password):
            return self.login_page(key, sign_in, WRONG_PASSWORD)
        sign_in.user_id, sign_in.auth_time = user.user_id, int(self.tenant.clock())
        return self.after_login(key, sign_in)

    def after_login(self, key: str, sign_in: SignIn) -> Answer:  # noqa: ARG002
        """Go on to the consent page.

        Auth0 asks for consent at every sign-in whose callback URL is on the user's own machine,
        as the demo's is. Source: Auth0 docs, "Measures Against Application Impersonation".
        """
        return redirect(f"/u/consent?state={key}")

    def show_consent(self, request: Request) -> Answer:
        key, sign_in = self._under_way(request)
        return _page(self._language, "consent", 200, key=key, sign_in=sign_in)

    def consent(self, request: Request) -> Answer:
        """Go back to the application with the user's decision."""
        form = self.form(request)
        key, sign_in = self._under_way(request, form)
        del self.tenant.sign_ins[key]
        if not sign_in.user_id or form.get("action") != "accept":
            raise CallbackError(sign_in, "access_denied", "User did not authorize the request")
        return self.end(sign_in)

    def token(self, request: Request) -> Answer:
        return json_answer(self.token_endpoint.answer(self.form(request)))

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
        callbacks = (each for it in self.tenant.applications.values() for each in it.callbacks)
        start, tracking = urljoin(next(callbacks, ""), "/"), secrets.token_hex(10)
        return _page(
            self._language, "error", error.status, refused=error, tracking=tracking, start=start
        )

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

    def _under_way(
        self, request: Request, form: Mapping[str, str] | None = None
    ) -> tuple[str, SignIn]:
        """Return the sign-in under way in this browser, and its key: `state` in query or form.

        Raises:
            TenantError: there is none, or the form is not one of the tenant's pages.
        """
        key = (request.parameters if form is None else form).get("state", "")
        sign_in = self.tenant.sign_ins.get(key)
        if (
            sign_in is None
            or sign_in.client_id not in self.tenant.applications
            or not _same(request.cookie(BROWSER_COOKIE), sign_in.browser)
        ):
            raise TenantError(
                400,
                "invalid_request",
                "This sign-in has ended, or began in another browser."
                " Go back to the application and start again.",
            )
        if form is not None and not _same(form.get("csrf", ""), sign_in.csrf):
            raise TenantError(400, "invalid_request", "The form is not one of this tenant.")
        return key, sign_in


@contextmanager
def serving(endpoints: Endpoints, certificate: Path, key: Path) -> Iterator[None]:
    """Serve on a free port until the context ends, and set the tenant's `domain`.

    Raises:
        Failure: LA450, no port is free or the certificate (PEM, for localhost) cannot be used.
    """
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        tls.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        detail = Message("{file}: {reason}", file=certificate, reason=error)
        raise NO_START.failure(detail) from None
    try:
        listeners = loopback.listeners(0)
    except OSError as error:
        raise NO_START.failure(str(error.strerror)) from None
    endpoints.tenant.domain = f"localhost:{listeners[0].getsockname()[1]}"
    server = HttpServer(endpoints.answer, listeners, "demo tenant", tls=tls)
    try:
        yield
    finally:
        server.stop(SECONDS_TO_END)


def _metadata(issuer: str) -> dict[str, object]:
    """Return the discovery document."""
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


def _page(language: Language, name: str, status: int, **shown: object) -> Answer:
    # LibreChat's callback may redirect to a DOMAIN_CLIENT of another origin.
    return page(status, f"demo/{name}.html.j2", language, has_form=True, **shown)


def redirect(url: str) -> Answer:
    """Return a redirect to `url`."""
    return Answer(302, headers={"Location": url})


def json_answer(body: Mapping[str, object], status: int = 200) -> Answer:
    """Return the body as JSON."""
    return Answer(status, json.dumps(body), {"Content-Type": "application/json"})


def _same(given: str, kept: str) -> bool:
    return hmac.compare_digest(given.encode(), kept.encode())
