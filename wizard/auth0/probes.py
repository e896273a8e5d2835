"""What /authorize and /oauth/token give away without anybody signing in.

Each probe sends what LibreChat sends, apart from `prompt=none`, a made-up code and a made-up
refresh token: Auth0 judges the client, its URLs and its credentials first. Nothing is changed;
the tenant's log shows one failed silent sign-in and two or three failed exchanges.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import parse_qs, urlencode, urlsplit

from wizard.auth0.error_table import (
    NO_ERROR,
    Endpoint,
    Meaning,
    OAuthError,
    Row,
    classify,
)
from wizard.auth0.redact import page_text, quoted
from wizard.auth0.tenant import SECRET_KEPT, Discovery, network_finding
from wizard.findings import Finding
from wizard.http import HttpClient, NetworkError, Response
from wizard.language import Message
from wizard.settings import Settings

_LOGIN_PATHS = ("/u/login", "/login", "/u/consent", "/consent")


class Landing(Enum):
    """Where the answer to an authorization request leads the browser."""

    CALLBACK = auto()
    LOGIN = auto()
    ELSEWHERE = auto()
    NOWHERE = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe found out.

    Attributes:
        status: the HTTP status, 0 when no answer came.
        known: the row of Auth0's errors that knows the answer, if any.
        error: the error as the server worded it; what it did instead where it named none.
        landing: for the authorization request, where the browser is led.
        trouble: why no answer came.
    """

    status: int = 0
    known: Row | None = None
    error: OAuthError = NO_ERROR
    landing: Landing = Landing.NOWHERE
    trouble: Finding | None = None

    def means(self, meaning: Meaning) -> bool:
        """Whether the answer is known and means that."""
        return self.known is not None and self.known.meaning is meaning


def authorization_parameters(settings: Settings, *, state: str, verifier: str) -> dict[str, str]:
    """The parameters of LibreChat's authorization request.

    Source: librechat's api/strategies/openidStrategy.js with npm openid-client 6's Passport
    strategy: PKCE always, the first audience only, no nonce unless OPENID_GENERATE_NONCE=true.
    """
    parameters = {
        "client_id": settings.client_id,
        "response_type": "code",
        "redirect_uri": settings.callback_url,
        "scope": settings.scope,
        "state": state,
        "code_challenge": code_challenge(verifier),
        "code_challenge_method": "S256",
    }
    if settings.reuse_tokens and settings.audience:
        parameters["audience"] = settings.audience
    return parameters


def code_challenge(verifier: str) -> str:
    """The S256 challenge of RFC 7636 §4.2."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """The URL with the parameters added to those it has."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(parameters)}"


@dataclass(frozen=True, slots=True)
class Probes:
    """The requests; each returns what was found out and raises nothing."""

    settings: Settings
    discovery: Discovery
    http: HttpClient

    def authorize(self) -> Answer:
        """Ask for a sign-in without a page; judges client ID, callback URL, flow, audience."""
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        parameters = authorization_parameters(self.settings, state=state, verifier=verifier)
        parameters["prompt"] = "none"
        url = with_query(self.discovery.authorization_endpoint, parameters)
        try:
            answer = self.http.request("GET", url)
        except NetworkError as error:
            return Answer(trouble=network_finding(error))
        return judge_authorize(answer, self.settings.callback_url, state)

    def code(self, secret: str | None) -> Answer:
        """Exchange a made-up code, with the secret as LibreChat sends it, or without one."""
        form = {
            "grant_type": "authorization_code",
            "code": _made_up(),
            "redirect_uri": self.settings.callback_url,
            "code_verifier": secrets.token_urlsafe(32),
        }
        return self._exchange(form, Endpoint.CODE, secret)

    def refresh(self) -> Answer:
        """Use a made-up refresh token; judges the refresh grant."""
        form = refresh_parameters(self.settings, _made_up())
        return self._exchange(form, Endpoint.REFRESH, self.settings.client_secret)

    def _exchange(self, form: dict[str, str], endpoint: Endpoint, secret: str | None) -> Answer:
        if self.discovery.takes_secrets_elsewhere:
            return Answer(trouble=SECRET_KEPT.finding(quoted(self.discovery.token_endpoint)))
        form |= client_credentials(self.settings, secret)
        headers = {"Accept": "application/json"}
        try:
            answer = self.http.request(
                "POST", self.discovery.token_endpoint, form=form, headers=headers
            )
        except NetworkError as error:
            return Answer(trouble=network_finding(error))
        return judge_token(answer, endpoint)


def refresh_parameters(settings: Settings, refresh_token: str) -> dict[str, str]:
    """The parameters of LibreChat's refresh, without the client's credentials.

    Source: librechat's buildOpenIDRefreshParams: OPENID_SCOPE and OPENID_REFRESH_AUDIENCE.
    """
    form = {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        "scope": settings.scope,
    }
    audience = settings.audience
    return {**form, "audience": audience} if audience else form


def client_credentials(settings: Settings, secret: str | None) -> dict[str, str]:
    """How LibreChat names itself: `client_secret_post` with a secret, `none` without.

    Source: npm openid-client 6, whose default LibreChat never changes.
    """
    credentials = {"client_id": settings.client_id}
    return {**credentials, "client_secret": secret} if secret else credentials


def judge_authorize(answer: Response, callback_url: str, state: str) -> Answer:
    """What the answer to an authorization request says; pure."""
    target = answer.location
    query = _query(target)
    if target and _same_place(target, callback_url):
        if query.get("state", state) != state:
            words = Message("The answer carries another state than the request.")
            return Answer(answer.status, error=OAuthError("", words))
        return _authorize_answer(answer.status, _error_of(query), Landing.CALLBACK)
    if target and "error" in query:
        # A tenant may show its errors on a page of its own (tenant setting error_page.url).
        return _authorize_answer(answer.status, _error_of(query), Landing.ELSEWHERE)
    if target and _same_host(target, answer.url) and _path(target).startswith(_LOGIN_PATHS):
        return Answer(answer.status, landing=Landing.LOGIN)
    if target:
        words = Message("HTTP {status} to {target}", status=answer.status, target=target)
        return Answer(answer.status, error=OAuthError("", words), landing=Landing.ELSEWHERE)
    error = _page_error(answer)
    # Only a refusal is searched for known texts: a login page may hold every one of them.
    known = classify(error, Endpoint.AUTHORIZE) if 400 <= answer.status < 500 else None
    return Answer(answer.status, known, error)


def judge_token(answer: Response, endpoint: Endpoint) -> Answer:
    """What the answer to a made-up code or refresh token says; pure."""
    body = answer.json_object()
    if body is None:
        return Answer(answer.status, error=_page_error(answer))
    if "access_token" in body or "id_token" in body:
        # Whatever this server is, it proves nothing; its tokens are not shown.
        words = Message("It gave tokens for a made-up code.")
        return Answer(answer.status, error=OAuthError("", words))
    error = _error_of({name: value for name, value in body.items() if isinstance(value, str)})
    if not error.words:
        error = OAuthError("", f"HTTP {answer.status} {answer.text}")
    known = classify(error, endpoint) if 400 <= answer.status < 500 else None
    return Answer(answer.status, known, error)


def _authorize_answer(status: int, error: OAuthError, landing: Landing) -> Answer:
    if not error.words:
        words = Message("It sent the browser back without an error and without a login.")
        return Answer(status, error=OAuthError("", words))
    return Answer(status, classify(error, Endpoint.AUTHORIZE), error, landing)


def _page_error(answer: Response) -> OAuthError:
    """An error that stands on a page; some servers answer in JSON even here."""
    body = answer.json_object() or {}
    error = _error_of({name: value for name, value in body.items() if isinstance(value, str)})
    if error.words:
        return error
    return OAuthError("", f"HTTP {answer.status} {page_text(answer.text)}")


def _error_of(fields: Mapping[str, str]) -> OAuthError:
    return OAuthError(fields.get("error", ""), fields.get("error_description", ""))


def _query(url: str) -> dict[str, str]:
    """The URL's parameters, of each the first."""
    if not url:
        return {}
    try:
        fields = parse_qs(urlsplit(url).query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def _same_place(url: str, other: str) -> bool:
    return _same_host(url, other) and _path(url) == _path(other)


def _same_host(url: str, other: str) -> bool:
    return _origin(url) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme,
            parts.hostname,
            parts.port or {"https": 443, "http": 80}.get(parts.scheme),
        )
    except ValueError:
        return None


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _made_up() -> str:
    return f"librechat-auth0-check-{secrets.token_urlsafe(16)}"
