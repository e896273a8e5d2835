"""Requests to /authorize and /oauth/token that need no sign-in and change nothing.

Each sends what LibreChat sends, except for `prompt=none` and an invalid code or refresh token:
Auth0 checks the client, its URLs and its credentials first. The tenant's log shows one failed
silent sign-in and two or three failed exchanges.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from wizard.auth0.error_table import NO_ERROR, Cause, Check, Endpoint, Meaning, OAuthError, classify
from wizard.auth0.redact import page_text, quoted
from wizard.auth0.tenant import SECRET_KEPT, Discovery, href, network_finding
from wizard.findings import Finding
from wizard.http import HttpClient, NetworkError, Response
from wizard.language import Message
from wizard.rules import rule
from wizard.settings import Settings, query_of

LOGIN_PAGE_SHOWN = rule("LA245")

# The error on Auth0's own page, for example "unauthorized_client: Callback URL mismatch. …".
_ERROR_ON_PAGE = r"(?i)\b(?P<code>[a-z]+(?:_[a-z]+)+): (?P<description>.+?)(?= tracking id\b|$)"
_LOGIN_PATHS = ("/u/login", "/login", "/u/consent", "/consent")


class ProbeResult(NamedTuple):
    """The result of a probe; `status` is 0 if no answer came."""

    status: int = 0
    known: Meaning | None = None
    error: OAuthError = NO_ERROR
    came_back: bool = False  # to the callback URL, with a known error
    trouble: Finding | None = None  # why it proves nothing

    @property
    def cause(self) -> Cause | None:
        """What is wrong, None if nothing is known to be."""
        return self.known.cause if self.known else None

    def blames(self, check: Check) -> bool:
        """Return whether the answer fails that check."""
        return self.cause is not None and self.cause.blames is check


def authorization_parameters(settings: Settings, *, state: str, verifier: str) -> dict[str, str]:
    """Return the parameters of LibreChat's authorization request.

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
    """Return the S256 challenge (RFC 7636 §4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """Return the URL with these parameters added."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(parameters)}"


@dataclass(frozen=True, slots=True)
class Probes:
    """The requests; none of them raises."""

    settings: Settings
    discovery: Discovery
    http: HttpClient

    def authorize(self) -> ProbeResult:
        """Request a silent sign-in; checks client ID, callback URL, flow and audience."""
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        parameters = authorization_parameters(self.settings, state=state, verifier=verifier)
        parameters["prompt"] = "none"
        url = with_query(self.discovery.authorization_endpoint, parameters)
        try:
            answer = self.http.request("GET", url)
        except NetworkError as error:
            return ProbeResult(trouble=network_finding(error))
        return judge_authorize(answer, self.settings.callback_url, state)

    def logout(self) -> str:
        """Return how the tenant refuses the logout URL, "" where it does not.

        It compares the URL without a session, too. Source: Auth0's "Log Users Out of Auth0 with
        OIDC Endpoint"; the answer of a real tenant was not seen.
        """
        client_id, target = self.settings.client_id, self.settings.logout_url
        parameters = {"client_id": client_id, "post_logout_redirect_uri": target}
        try:
            answer = self.http.request(
                "GET", with_query(self.discovery.end_session_endpoint, parameters)
            )
        except NetworkError:
            return ""
        is_on_error_page = "error" in query_of(answer.location)
        return f"HTTP {answer.status}" if answer.status == 400 or is_on_error_page else ""

    def code(self, secret: str | None) -> ProbeResult:
        """Exchange an invalid code; checks the secret."""
        form = code_parameters(self.settings, _invalid_token(), secrets.token_urlsafe(32))
        return self._exchange(form, Endpoint.CODE, secret)

    def refresh(self) -> ProbeResult:
        """Use an invalid refresh token; checks the refresh grant."""
        form = refresh_parameters(self.settings, _invalid_token())
        return self._exchange(form, Endpoint.REFRESH, self.settings.client_secret)

    def _exchange(
        self, form: dict[str, str], endpoint: Endpoint, secret: str | None
    ) -> ProbeResult:
        if self.discovery.takes_secrets_elsewhere:
            return ProbeResult(trouble=SECRET_KEPT.finding(quoted(self.discovery.token_endpoint)))
        form |= client_credentials(self.settings, secret)
        headers = {"Accept": "application/json"}
        try:
            answer = self.http.request(
                "POST", self.discovery.token_endpoint, form=form, headers=headers
            )
        except NetworkError as error:
            return ProbeResult(trouble=network_finding(error))
        return judge_token(answer, endpoint)


def code_parameters(settings: Settings, code: str, verifier: str) -> dict[str, str]:
    """Return the parameters of LibreChat's code exchange, without credentials."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": settings.callback_url,
        "code_verifier": verifier,
    }


def refresh_parameters(settings: Settings, refresh_token: str) -> dict[str, str]:
    """Return the parameters of LibreChat's refresh, without credentials.

    Source: librechat's buildOpenIDRefreshParams: OPENID_SCOPE and OPENID_REFRESH_AUDIENCE.
    """
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "scope": settings.scope}
    audience = settings.audience
    return {**form, "audience": audience} if audience else form


def client_credentials(settings: Settings, secret: str | None) -> dict[str, str]:
    """Return LibreChat's credentials: `client_secret_post`, openid-client 6's default."""
    credentials = {"client_id": settings.client_id}
    return {**credentials, "client_secret": secret} if secret else credentials


def judge_authorize(answer: Response, callback_url: str, state: str) -> ProbeResult:
    """Interpret the answer to an authorization request. Pure."""
    target = answer.location
    query = query_of(target)
    place = urlsplit(href(target))
    is_callback = bool(target) and place[:3] == urlsplit(href(callback_url))[:3]
    if is_callback and query.get("state", state) != state:
        return _odd(answer, Message("The answer has a different state than the request."))
    # A tenant may have an error page of its own (tenant setting error_page.url).
    if is_callback or (target and "error" in query):
        error = _error_of(query)
        if not error.words:
            words = Message("It redirected to the callback URL with neither a code nor an error.")
            return _odd(answer, words)
        known = classify(error, Endpoint.AUTHORIZE)
        return ProbeResult(answer.status, known, error, is_callback and known is not None)
    is_ours = bool(target) and place[:2] == urlsplit(href(answer.url))[:2]
    if is_ours and place.path.startswith(_LOGIN_PATHS):
        return ProbeResult(answer.status, trouble=LOGIN_PAGE_SHOWN.finding())
    if target:
        words = Message("HTTP {status} to {target}", status=answer.status, target=target)
        return _odd(answer, words)
    error = _page_error(answer)
    # A login page may hold any of the known texts, so only a refusal is matched.
    known = classify(error, Endpoint.AUTHORIZE) if 400 <= answer.status < 500 else None
    return ProbeResult(answer.status, known, error)


def judge_token(answer: Response, endpoint: Endpoint) -> ProbeResult:
    """Interpret the answer to an invalid code or refresh token. Pure."""
    body = answer.json_object()
    if body is None:
        return ProbeResult(answer.status, error=_page_error(answer))
    if "access_token" in body or "id_token" in body:
        return _odd(answer, Message("It returned tokens for an invalid code."))
    error = _error_of(body)
    if not error.words:
        error = OAuthError("", f"HTTP {answer.status} {answer.text}")
    known = classify(error, endpoint) if 400 <= answer.status < 500 else None
    return ProbeResult(answer.status, known, error)


def _odd(answer: Response, words: Message) -> ProbeResult:
    return ProbeResult(answer.status, error=OAuthError("", words))


def _page_error(answer: Response) -> OAuthError:
    error = _error_of(answer.json_object() or {})
    if error.words:
        return error
    text = page_text(answer.text)
    if answer.status >= 400 and (found := re.search(_ERROR_ON_PAGE, text)):
        return OAuthError(found["code"], found["description"])
    return OAuthError("", f"HTTP {answer.status} {text}")


def _error_of(fields: Mapping[str, object]) -> OAuthError:
    code, description = fields.get("error"), fields.get("error_description")
    return OAuthError(
        code if isinstance(code, str) else "", description if isinstance(description, str) else ""
    )


def _invalid_token() -> str:
    return f"librechat-auth0-check-{secrets.token_urlsafe(16)}"
