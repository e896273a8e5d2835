"""The demo tenant's endpoints, as an ASGI application: here HTTP is spoken, nothing is decided."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from wizard.demo.authorization import (
    CallbackError,
    PageError,
    Step,
    callback_error,
    callback_with_code,
    check_request,
    first_step,
    step_after_sign_in,
    with_query,
)
from wizard.demo.exchange import TokenEndpoint, TokenError
from wizard.demo.state import (
    DEMO_EMAIL,
    AuthorizationRequest,
    Session,
    Tenant,
    Transaction,
    Visit,
    url_is_listed,
    url_is_listed_without_query,
)
from wizard.demo.tokens import TokenMaker
from wizard.language import Language, Message
from wizard.templates import environment

MAX_FORM_BYTES = 1 << 16
BROWSER_COOKIE = "__Host-demo-tenant-browser"
SESSION_COOKIE = "__Host-demo-tenant-session"

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+\Z")


def application(tenant: Tenant, language: Language) -> Starlette:
    """The tenant's endpoints as an ASGI application; `tenant.domain` must be set by then.

    Its pages speak the language; what it tells applications is in Auth0's English.
    """
    endpoints = _Endpoints(tenant, language)
    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", endpoints.discovery),
            Route("/.well-known/jwks.json", endpoints.jwks),
            Route("/authorize", endpoints.authorize),
            Route("/u/login", endpoints.show_login),
            Route("/u/login", endpoints.login, methods=["POST"]),
            Route("/u/consent", endpoints.show_consent),
            Route("/u/consent", endpoints.consent, methods=["POST"]),
            Route("/oauth/token", endpoints.token, methods=["POST"]),
            Route("/userinfo", endpoints.userinfo, methods=["GET", "POST"]),
            Route("/oidc/logout", endpoints.oidc_logout),
            Route("/v2/logout", endpoints.v2_logout),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=_Gate(tenant))],
        exception_handlers=dict.fromkeys((PageError, CallbackError, TokenError), endpoints.refused),
    )


class _Gate:
    """What stands before every endpoint: the tenant's name, its faults, and its record."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    async def __call__(
        self, request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        tenant = self._tenant
        began = time.monotonic()
        if tenant.delay:
            await asyncio.sleep(tenant.delay)
        response = self._instead(request) or await call_next(request)
        response.headers["Date"] = formatdate(tenant.clock(), usegmt=True)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        tenant.visits.append(
            Visit(request.method, request.url.path, response.status_code, began, time.monotonic())
        )
        return response

    def _instead(self, request: Request) -> Response | None:
        """The answer that keeps the request from its endpoint, if any."""
        tenant = self._tenant
        if request.headers.get("host") not in self._names():
            return PlainTextResponse("Not found", 404)
        interruption = tenant.interruption
        if interruption is not None and request.url.path.startswith(interruption.path):
            return Response(
                interruption.body,
                interruption.status,
                {"Content-Type": interruption.content_type},
            )
        wait = tenant.rate_limited_until - tenant.clock()
        return _too_many_requests(tenant.rate_limited_until, wait) if wait > 0 else None

    def _names(self) -> set[str]:
        """No other name leads here but by DNS rebinding."""
        port = self._tenant.domain.rpartition(":")[2]
        return {self._tenant.domain, f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"}


class _Endpoints:
    """One method for each endpoint; what is decided elsewhere, is spoken HTTP here."""

    def __init__(self, tenant: Tenant, language: Language) -> None:
        self._tenant = tenant
        self._maker = TokenMaker(tenant)
        self._tokens = TokenEndpoint(tenant, self._maker)
        self._pages = environment(language)

    async def discovery(self, request: Request) -> Response:  # noqa: ARG002
        issuer = self._tenant.issuer
        document: dict[str, object] = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}authorize",
            "token_endpoint": f"{issuer}oauth/token",
            "userinfo_endpoint": f"{issuer}userinfo",
            "jwks_uri": f"{issuer}.well-known/jwks.json",
            "end_session_endpoint": f"{issuer}oidc/logout",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": [
                "authorization_code",
                "refresh_token",
                "client_credentials",
            ],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_basic",
                "client_secret_post",
                "private_key_jwt",
                "none",
            ],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": ["aud", "email", "email_verified", "exp", "iat", "iss", "sub"],
            "request_parameter_supported": False,
        }
        if not self._tenant.rp_logout_discovery:
            del document["end_session_endpoint"]
        document |= self._tenant.metadata
        said = {name: value for name, value in document.items() if value is not None}
        return JSONResponse(said, headers={"Cache-Control": "public, max-age=15"})

    async def jwks(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse({"keys": [self._maker.key.jwk()]})

    async def authorize(self, request: Request) -> Response:
        with self._tenant.lock:
            asked = check_request(self._tenant, request.query_params)
            session = self._tenant.ledger.sessions.get(request.cookies.get(SESSION_COOKIE))
            step = first_step(self._tenant, asked, session)
            if session is None or step is Step.SIGN_IN:
                return self._begin(request, asked, None, "/u/login")
            if step is Step.CONSENT:
                return self._begin(request, asked, session, "/u/consent")
            return _redirect(callback_with_code(self._tenant, asked, session))

    async def show_login(self, request: Request) -> Response:
        with self._tenant.lock:
            key = request.query_params.get("state", "")
            return self._login_page(key, self._transaction(request, key))

    async def login(self, request: Request) -> Response:
        form = await _form(request)
        with self._tenant.lock:
            key = form.get("state", "")
            transaction = self._posted(request, key, form)
            user = self._tenant.users.get(form.get("username", ""))
            password = form.get("password", "").encode()
            if user is None or not hmac.compare_digest(password, user.password.encode()):
                return self._login_page(key, transaction, Message("Wrong email or password"))
            auth_time = int(self._tenant.clock())
            session = Session(user.user_id, secrets.token_urlsafe(24), auth_time)
            transaction.session = session
            cookie = self._tenant.ledger.sessions.put(session)
            return _with_cookie(
                self._go_on(key, transaction.request, session), SESSION_COOKIE, cookie
            )

    async def show_consent(self, request: Request) -> Response:
        with self._tenant.lock:
            key = request.query_params.get("state", "")
            transaction = self._transaction(request, key)
            asked = transaction.request
            return self._page(
                "consent",
                transaction,
                state=key,
                audience=asked.audience,
                scope=asked.scope,
                callback=asked.redirect_uri,
            )

    async def consent(self, request: Request) -> Response:
        form = await _form(request)
        with self._tenant.lock:
            key = form.get("state", "")
            transaction = self._posted(request, key, form)
            self._tenant.ledger.transactions.take(key)
            asked, session = transaction.request, transaction.session
            if session is None or form.get("action") != "accept":
                raise callback_error(asked, "access_denied", "User did not authorize the request")
            return _redirect(callback_with_code(self._tenant, asked, session))

    async def token(self, request: Request) -> Response:
        form = await _form(request)
        with self._tenant.lock:
            return JSONResponse(self._tokens.answer(form, request.headers.get("authorization")))

    async def userinfo(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        with self._tenant.lock:
            issued = self._tenant.ledger.access_tokens.get(token)
            user = self._tenant.user(issued.user_id) if issued else None
            if scheme.lower() != "bearer" or issued is None or user is None:
                return PlainTextResponse(
                    "Unauthorized", 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}
                )
            return JSONResponse(user.claims(issued.scope))

    async def oidc_logout(self, request: Request) -> Response:
        query = request.query_params
        with self._tenant.lock:
            hint = query.get("id_token_hint")
            client_id = self._maker.client_of_hint(hint) if hint else query.get("client_id")
            if hint and client_id is None:
                raise PageError(400, "invalid_request", "Invalid id_token_hint")
            target = query.get("post_logout_redirect_uri")
            if target is not None and not url_is_listed(target, self._logout_urls(client_id)):
                raise PageError(400, "invalid_request", _not_a_logout_url(target))
            return self._signed_out(
                request, target and with_query(target, {"state": query.get("state")})
            )

    async def v2_logout(self, request: Request) -> Response:
        query = request.query_params
        with self._tenant.lock:
            target = query.get("returnTo")
            listed = self._logout_urls(query.get("client_id"))
            if target is not None and not url_is_listed_without_query(target, listed):
                raise PageError(400, "invalid_request", _not_a_logout_url(target))
            return self._signed_out(request, target)

    async def refused(self, request: Request, error: Exception) -> Response:
        """The answer to whatever an endpoint refused."""
        match error:
            case CallbackError():
                return _redirect(error.location)
            case TokenError():
                body = {"error": error.error, "error_description": error.description}
                return JSONResponse(body, error.status)
            case PageError():
                return self._error_page(request, error)
            case _:
                raise error

    def _error_page(self, request: Request, error: PageError) -> Response:
        """The tenant's own page, or that of the one who set a custom error page."""
        said = {
            "error": error.error,
            "error_description": error.description,
            "tracking": secrets.token_hex(10),
        }
        if self._tenant.error_page_url:
            client_id = request.query_params.get("client_id")
            about = {"client_id": client_id, "lang": "en", **said}
            return _redirect(with_query(self._tenant.error_page_url, about))
        return self._render("error", status=error.status, **said)

    def _begin(
        self, request: Request, asked: AuthorizationRequest, session: Session | None, path: str
    ) -> Response:
        """Send the browser to a page of ours, and know it again when it comes back."""
        browser = request.cookies.get(BROWSER_COOKIE) or secrets.token_urlsafe(32)
        transaction = Transaction(asked, browser, session=session)
        key = self._tenant.ledger.transactions.put(transaction)
        return _with_cookie(_redirect(f"{path}?state={key}"), BROWSER_COOKIE, browser)

    def _go_on(self, key: str, asked: AuthorizationRequest, session: Session) -> Response:
        """What follows the sign-in."""
        try:
            step = step_after_sign_in(self._tenant, asked, session)
        except CallbackError as error:
            return _redirect(error.location)
        if step is Step.CONSENT:
            return _redirect(f"/u/consent?state={key}")
        self._tenant.ledger.transactions.take(key)
        return _redirect(callback_with_code(self._tenant, asked, session))

    def _transaction(self, request: Request, key: str) -> Transaction:
        """The sign-in under way, if it is this browser's."""
        transaction = self._tenant.ledger.transactions.get(key)
        browser = request.cookies.get(BROWSER_COOKIE, "")
        if (
            transaction is None
            or transaction.request.client_id not in self._tenant.applications
            or not _same(browser, transaction.browser)
        ):
            raise PageError(
                400,
                "invalid_request",
                "This sign-in has ended, or began in another browser."
                " Go back to the application and start again.",
            )
        return transaction

    def _posted(self, request: Request, key: str, form: Mapping[str, str]) -> Transaction:
        """The same, if the form is one that we showed."""
        transaction = self._transaction(request, key)
        if not _same(form.get("csrf", ""), transaction.csrf):
            raise PageError(400, "invalid_request", "The form is not one of this tenant.")
        return transaction

    def _login_page(self, key: str, transaction: Transaction, problem: str = "") -> Response:
        demo = self._tenant.users.get(DEMO_EMAIL)
        return self._page(
            "login",
            transaction,
            status=400 if problem else 200,
            state=key,
            problem=problem,
            username=demo.login if demo else "",
            password=demo.password if demo else "",
        )

    def _page(
        self, name: str, transaction: Transaction, *, status: int = 200, **shown: object
    ) -> Response:
        asked = transaction.request
        return self._render(
            name,
            status=status,
            goes_to=asked.redirect_uri,
            csrf=transaction.csrf,
            application=self._tenant.applications[asked.client_id].name,
            **shown,
        )

    def _render(
        self, name: str, *, status: int = 200, goes_to: str = "", **shown: object
    ) -> Response:
        nonce = secrets.token_urlsafe(16)
        html = self._pages.get_template(f"demo/{name}.html.j2").render(nonce=nonce, **shown)
        # Browsers hold the redirects that follow a form to `form-action`, too.
        parts = urlsplit(goes_to)
        origin = f"{parts.scheme}://{parts.netloc}"
        targets = f"'self' {origin}" if _ORIGIN.match(origin) else "'self'"
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; form-action {targets};"
            " frame-ancestors 'none'; base-uri 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"}
        return HTMLResponse(html, status, headers)

    def _logout_urls(self, client_id: str | None) -> list[str]:
        application = self._tenant.applications.get(client_id or "")
        return application.allowed_logout_urls if application else self._tenant.allowed_logout_urls

    def _signed_out(self, request: Request, target: str | None) -> Response:
        self._tenant.ledger.sessions.take(request.cookies.get(SESSION_COOKIE))
        response = _redirect(target) if target else self._render("signed_out")
        response.delete_cookie(SESSION_COOKIE, path="/", secure=True, httponly=True)
        return response


async def _form(request: Request) -> dict[str, str]:
    """The fields of the body, a form's or a JSON object's.

    Raises:
        TokenError: the body is too large or neither of them.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise TokenError(413, "invalid_request", "The body is too large")
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            fields = json.loads(body)
            if isinstance(fields, dict):
                return {name: it for name, it in fields.items() if isinstance(it, str)}
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    except (ValueError, RecursionError):
        raise TokenError(400, "invalid_request", "The body is not a form") from None


def _too_many_requests(until: float, wait: float) -> Response:
    """Auth0's 429; docs, "Authentication API", rate limits."""
    text = (
        "Too many requests. Check the X-RateLimit-Limit, X-RateLimit-Remaining"
        " and X-RateLimit-Reset headers."
    )
    headers = {
        "X-RateLimit-Limit": "300",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(until) + 1),
        "Retry-After": str(int(wait) + 1),
    }
    return PlainTextResponse(text, 429, headers)


def _redirect(url: str) -> RedirectResponse:
    return RedirectResponse(url, 302)


def _with_cookie(response: Response, name: str, value: str) -> Response:
    response.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="lax")
    return response


def _not_a_logout_url(url: str) -> str:
    return f'The "{url}" URL is not in the list of Allowed Logout URLs'


def _same(given: str, kept: str) -> bool:
    return hmac.compare_digest(given.encode(), kept.encode())
