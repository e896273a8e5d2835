"""Runs a real sign-in through the public URL, with a server of ours on LibreChat's port.

Authorization code flow (RFC 6749 §4.1) with PKCE, state and nonce. The user opens `SignIn.url`,
the public URL with a secret key. So the tunnel's interstitial page comes before Auth0's pages, and
strangers who find the tunnel cannot sign in.
"""

from __future__ import annotations

import errno
import hmac
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from wizard.auth0.error_table import Check, Endpoint, OAuthError, explained
from wizard.auth0.live_checks import CheckResult
from wizard.auth0.probes import (
    authorization_parameters,
    client_credentials,
    code_parameters,
    refresh_parameters,
    with_query,
)
from wizard.auth0.redact import quoted
from wizard.auth0.result_page import judgement_page, refusal_page
from wizard.auth0.tenant import Discovery, Jwk, network_finding
from wizard.auth0.tokens import Admit, Expected, Judgement, Tokens, judge_tokens, read_tokens
from wizard.defaults import ENGLISH, LIBRECHAT_PORT
from wizard.findings import Outcome
from wizard.http import PAST_TUNNEL_PAGES, HttpClient, NetworkError
from wizard.http_server import Answer, HttpServer, Request, security_headers
from wizard.language import Language, Message, joined, sentences
from wizard.rules import LIBRECHAT_HOLDS_PORT, rule
from wizard.settings import CALLBACK_PATH, LOOPBACK_HOSTS, Settings, is_loopback
from wizard.sign_in_traffic import PROBE_PATH
from wizard.system.clock import Clock
from wizard.system.loopback import Listen, listeners

if TYPE_CHECKING:
    from types import TracebackType

START_PATH = CALLBACK_PATH.rpartition("/")[0]
SERVED_BY = "X-Librechat-Auth0"
MOST_ATTEMPTS = 20  # browsers and chat programs prefetch links
SECONDS_TO_STOP = 3.0

PORT_TAKEN = rule("LA431")
TIMED_OUT = rule("LA432")
REFUSED = rule("LA433")
NO_FORWARDED_PROTO = rule("LA434")


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The secrets of one authorization request (RFC 7636, OpenID Connect Core §2)."""

    verifier: str = field(repr=False)
    nonce: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Gets tokens as LibreChat does, and judges them; `admit` and `needs_rotation` as expected."""

    settings: Settings
    discovery: Discovery
    keys: Sequence[Jwk]
    http: HttpClient
    clock: Clock = field(default_factory=Clock)
    admit: Admit | None = None
    needs_rotation: bool = False

    def judge(self, code: str, attempt: _Attempt) -> Judgement:
        """Exchange the code, refresh the tokens, and judge both."""
        try:
            tokens = self._request(code_parameters(self.settings, code, attempt.verifier))
        except NetworkError as error:
            return Judgement((CheckResult.failed(Check.EXCHANGE, network_finding(error)),))
        now = self.clock.now()
        expected = Expected(
            self.settings,
            self.discovery,
            self.keys,
            attempt.nonce,
            now,
            self.admit,
            self.needs_rotation,
        )
        return judge_tokens(expected, tokens, self._refresh(tokens))

    def _refresh(self, tokens: Tokens | OAuthError) -> Tokens | OAuthError | None:
        if isinstance(tokens, OAuthError) or not tokens.refresh_token:
            return None
        if not self.settings.reuse_tokens:
            return None
        # Never revoked afterwards: Auth0 would delete the user's grant, and with it the sessions
        # of a LibreChat that is in use.
        try:
            return self._request(refresh_parameters(self.settings, tokens.refresh_token))
        except NetworkError as error:
            trouble = error.trouble.value
            return OAuthError("", Message("no answer, {trouble}", trouble=trouble))

    def _request(self, form: dict[str, str]) -> Tokens | OAuthError:
        form |= client_credentials(self.settings, self.settings.client_secret)
        headers = {"Accept": "application/json"}
        endpoint = self.discovery.token_endpoint
        return read_tokens(self.http.request("POST", endpoint, form=form, headers=headers))


class _Refusal(Exception):  # noqa: N818 - an answer to the visitor
    """The request is not part of the sign-in."""

    def __init__(self, status: int, reason: Message) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class SignIn:
    """One sign-in, as a context manager that runs the callback server on LibreChat's port.

    It stops `linger` seconds after the result page was sent, since tunnels buffer.
    """

    def __init__(
        self,
        exchange: Exchange,
        port: int = LIBRECHAT_PORT,
        *,
        language: Language | None = None,
        linger: float = 0.5,
        listen: Listen = listeners,
    ) -> None:
        self._exchange = exchange
        self._settings = exchange.settings
        self._language = language or Language(ENGLISH)
        self._linger = linger
        self._key = secrets.token_urlsafe(16)
        self._identity = secrets.token_urlsafe(16)
        self._lock = threading.Lock()
        self._attempts: dict[str, _Attempt] = {}
        self._used: set[str] = set()
        self._refusals: Counter[Message] = Counter()
        self._judgement: Judgement | None = None
        self._page_sent = threading.Event()
        self._serve = partial(_serve, self.answer, port, exchange.http, listen)
        self._server: HttpServer | None = None

    @property
    def url(self) -> str:
        """The URL for the user to open; it holds the secret key."""
        return f"{self._settings.public_url}{START_PATH}?key={self._key}"

    def obstacle(self) -> Message | None:
        """Return why a request to the public URL does not arrive here; None if it does."""
        url = f"{self._settings.public_url}{PROBE_PATH}"
        try:
            answer = self._exchange.http.request("GET", url, headers=PAST_TUNNEL_PAGES)
        except NetworkError as error:
            return error.trouble.value
        if answer.headers.get(SERVED_BY.lower()) == self._identity:
            return None
        return Message("something else answers (HTTP {status})", status=answer.status)

    def wait(self, timeout: float) -> Judgement:
        """Return the judgement when the result page was sent; `timeout` is in seconds.

        Raises:
            Failure: LA432, nobody signed in.
        """
        waited = 0.0
        # In short steps, because Ctrl-C does not interrupt a wait on Windows.
        while not self._page_sent.wait(min(0.2, timeout - waited)):
            waited += 0.2
            if waited >= timeout:
                raise TIMED_OUT.failure(self._what_came(timeout))
        if self._judgement is None:
            raise RuntimeError("a page without a judgement")
        return self._judgement

    def __enter__(self) -> Self:
        self._server = self._serve()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._page_sent.is_set():
            self._exchange.clock.sleep(self._linger)
        if self._server is not None:
            self._server.stop(SECONDS_TO_STOP)

    def answer(self, request: Request) -> Answer:
        """Answer a request; blocks during the code exchange."""
        answer = self._answer(request)
        return replace(answer, headers={**answer.headers, SERVED_BY: self._identity})

    def _answer(self, request: Request) -> Answer:
        if request.path == PROBE_PATH:
            return Answer(204, headers=security_headers())
        try:
            _admit(request, self._settings.public_url)
            if request.path == START_PATH:
                return self._begin(_parameters(request))
            return self._finish(request, _parameters(request))
        except _Refusal as refusal:
            with self._lock:
                if request.path != "/health":  # which our own tunnel asks for
                    self._refusals[refusal.reason] += 1
                is_over = self._judgement is not None
            return refusal_page(refusal.status, refusal.reason, self._language, is_over=is_over)

    def _begin(self, given: Mapping[str, str]) -> Answer:
        if not hmac.compare_digest(given.get("key", "").encode(), self._key.encode()):
            raise _Refusal(403, Message("The link's key is missing or wrong."))
        state = secrets.token_urlsafe(32)
        attempt = _Attempt(verifier=secrets.token_urlsafe(48), nonce=secrets.token_urlsafe(32))
        with self._lock:
            self._attempts[state] = attempt
            while len(self._attempts) > MOST_ATTEMPTS:
                del self._attempts[next(iter(self._attempts))]
        parameters = authorization_parameters(
            self._settings, state=state, verifier=attempt.verifier
        )
        parameters["nonce"] = attempt.nonce
        location = with_query(self._exchange.discovery.authorization_endpoint, parameters)
        return Answer(302, headers={**security_headers(), "Location": location})

    def _finish(self, request: Request, given: Mapping[str, str]) -> Answer:
        discovery = self._exchange.discovery
        unnamed = "" if discovery.is_named_in_answers else discovery.issuer
        if given.get("iss", unnamed) != discovery.issuer:
            # RFC 9207: mix-up attack. LibreChat's library refuses it too.
            raise _Refusal(400, Message("This answer is from another issuer."))
        if not given.get("code") and not given.get("error"):
            raise _Refusal(400, Message("The answer has neither a code nor an error."))
        attempt = self._claim(given.get("state", ""))
        result = self._judge_arrival(request, given)
        judgement = Judgement((result,))
        if not given.get("error"):
            judgement = self._exchange.judge(given["code"], attempt)
            judgement = replace(judgement, results=(result, *judgement.results))
        with self._lock:
            if self._judgement is not None:
                raise _Refusal(409, Message("The sign-in is over."))
            self._judgement = judgement
        page = judgement_page(judgement, self._settings.public_url, self._language)
        # Only then may the tunnel close.
        return replace(page, sent=self._page_sent.set)

    def _claim(self, state: str) -> _Attempt:
        """Return the attempt of that state, once."""
        with self._lock:
            if self._judgement is not None:
                raise _Refusal(409, Message("The sign-in is over."))
            if state in self._used:
                raise _Refusal(400, Message("This answer was used already."))
            if state not in self._attempts:
                raise _Refusal(
                    400, Message("This answer does not belong to a sign-in that started here.")
                )
            self._used.add(state)
            return self._attempts.pop(state)

    def _judge_arrival(self, request: Request, given: Mapping[str, str]) -> CheckResult:
        check = Check.SIGN_IN
        if given.get("error"):
            error = OAuthError(given["error"], given.get("error_description", ""))
            refused = explained(error, Endpoint.AUTHORIZE, self._settings, REFUSED)
            return CheckResult.failed(check, refused)
        proto = request.headers.get("x-forwarded-proto", "").split(",")[0].strip()
        if proto != "https" and not is_loopback(self._settings.public_url):
            seen = quoted(proto) or Message("none")
            detail = Message("X-Forwarded-Proto was: {value}.", value=seen)
            return CheckResult.failed(check, NO_FORWARDED_PROTO.finding(detail))
        detail = Message("Auth0 redirected to {url}.", url=self._settings.callback_url)
        return CheckResult(check, Outcome.PROVED, detail)

    def _what_came(self, timeout: float) -> Message:
        with self._lock:
            opened = bool(self._attempts or self._used)
            refusals = [
                joined(" × ", (str(count), reason))
                for reason, count in self._refusals.most_common(3)
            ]
        return sentences(
            Message("Waited {seconds} seconds.", seconds=f"{timeout:.0f}"),
            Message("The link was opened.") if opened else Message("The link was not opened."),
            Message("Refused: {refusals}", refusals=joined(" ", refusals)) if refusals else "",
        )


def _serve(
    respond: Callable[[Request], Answer], port: int, http: HttpClient, listen: Listen
) -> HttpServer:
    """Start a server on the loopback addresses.

    Raises:
        Failure: LA430 or LA431, the port is taken.
    """
    try:
        listeners = listen(port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _port_taken(port, http) from error
        reason = error.strerror or error
        raise PORT_TAKEN.failure(
            Message("Port {port}: {reason}.", port=port, reason=reason)
        ) from error
    return HttpServer(respond, listeners, "sign-in callback")


def _port_taken(port: int, http: HttpClient) -> Exception:
    url = f"http://localhost:{port}"
    try:
        config = http.request("GET", f"{url}/api/config").json_object() or {}
        health = http.request("GET", f"{url}/health").text.strip()
    except NetworkError:
        return PORT_TAKEN.failure(Message("Another program uses port {port}.", port=port))
    # While it starts, LibreChat has /health and no /api/config.
    if "serverDomain" in config or "openidLoginEnabled" in config or health == "OK":
        return LIBRECHAT_HOLDS_PORT.failure(Message("LibreChat answers on port {port}.", port=port))
    return PORT_TAKEN.failure(Message("Another web server uses port {port}.", port=port))


def _admit(request: Request, public_url: str) -> None:
    """Raise `_Refusal` for what a browser does not send in a sign-in."""
    headers = request.headers
    if not _is_our_host(headers.get("host", ""), public_url):
        raise _Refusal(421, Message("This server does not answer for that host."))
    if request.path not in {START_PATH, CALLBACK_PATH}:
        raise _Refusal(404, Message("This address is for a sign-in only."))
    if request.method != "GET":
        raise _Refusal(405, Message("A sign-in uses GET."))
    if headers.get("origin", "") not in {"", public_url}:
        raise _Refusal(403, Message("A page of another site sent this request."))
    mode, destination = headers.get("sec-fetch-mode", ""), headers.get("sec-fetch-dest", "")
    # Everything else is a script, a frame or an image.
    if mode not in {"", "navigate"} or destination not in {"", "document"}:
        raise _Refusal(403, Message("A script, frame or image on another page sent this request."))


def _is_our_host(host: str, public_url: str) -> bool:
    """Return whether the Host header names the public URL or this machine (DNS rebinding)."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return "@" not in host and name in {*LOOPBACK_HOSTS, urlsplit(public_url).hostname}


def _parameters(request: Request) -> dict[str, str]:
    """Return the parameters of the query; none may be repeated."""
    try:
        fields = parse_qs(request.query, keep_blank_values=True, max_num_fields=30, errors="strict")
    except ValueError:
        raise _Refusal(400, Message("The address is not an answer to a sign-in.")) from None
    if any(len(values) > 1 for values in fields.values()):
        raise _Refusal(400, Message("The address repeats a parameter."))
    return {name: values[0] for name, values in fields.items()}
