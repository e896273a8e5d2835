"""Judges the tokens of a sign-in as LibreChat does, and names the setting that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wizard import dashboard
from wizard.auth0.error_table import Check, Endpoint, OAuthError, explained, fix_of
from wizard.auth0.json_web_token import Token, read
from wizard.auth0.live_checks import CheckResult, Results
from wizard.auth0.openid_client import CLOCK_TOLERANCE, number, refusal_of_answer, refusal_of_claims
from wizard.auth0.redact import quoted
from wizard.auth0.tenant import ACCEPTED_ALGORITHMS, WRONG_CLOCK, Discovery, Jwk
from wizard.findings import Finding, Outcome, Severity
from wizard.http import Response
from wizard.language import Message
from wizard.rules import rule
from wizard.settings import Settings

SHORTEST_LIFETIME = 300.0  # seconds; LibreChat refreshes tokens that end within 30 seconds
_UNITS = (
    (86_400, Message("{count} days")),
    (3600, Message("{count} hours")),
    (60, Message("{count} minutes")),
)
_SECONDS = Message("{count} seconds")

EXCHANGE_REFUSED = rule("LA400")
NO_ACCESS_TOKEN = rule("LA401")
NO_ID_TOKEN = rule("LA402")
ID_TOKEN_NOT_RS256 = rule("LA403")
UNREADABLE = rule("LA404")
BAD_SIGNATURE = rule("LA405")
WRONG_ISSUER = rule("LA406")
WRONG_CLIENT = rule("LA407")
WRONG_NONCE = rule("LA408")
NOT_VALID_NOW = rule("LA409")
NO_EMAIL = rule("LA410")
EMAIL_NOT_VERIFIED = rule("LA411")
OPAQUE_ACCESS_TOKEN = rule("LA412")
ENCRYPTED_ACCESS_TOKEN = rule("LA413")
ACCESS_TOKEN_NOT_RS256 = rule("LA414")
WRONG_AUDIENCE = rule("LA415")
SHORT_LIFETIME = rule("LA416")
NO_REFRESH_TOKEN = rule("LA417")
REFRESH_REFUSED = rule("LA418")
REFRESHED_WITHOUT_ID_TOKEN = rule("LA419")
ANSWER_REFUSED = rule("LA420")
ID_TOKEN_REFUSED = rule("LA421")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The token endpoint's answer; "" for what is missing."""

    access_token: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    scope: str = ""
    refusal: Message | None = None  # of LibreChat's library, for the answer as a whole


@dataclass(frozen=True, slots=True)
class Judgement(Results):
    """The results of a sign-in, and the claims of its tokens as text; no token."""

    results: tuple[CheckResult, ...]
    id_claims: Mapping[str, str] = field(default_factory=dict)
    access_claims: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_proved(self) -> bool:
        """Whether nothing failed and nothing is only likely."""
        return {each.outcome for each in self.results} <= {Outcome.PROVED, Outcome.SKIPPED}

    def as_json(self) -> dict[str, object]:
        """Return the judgement as `--json` prints it."""
        return {
            "checks": [result.as_json() for result in self.results],
            "claims": {"id_token": self.id_claims, "access_token": self.access_claims},
        }


# Why LibreChat refuses a user with the claims of an ID token and of an access token, which is None
# where it is opaque.
Admit = Callable[[Mapping[str, Any], Mapping[str, Any] | None], Sequence[Finding]]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the tokens must match; `now` is in seconds since the epoch.

    `needs_rotation`: whether LibreChat needs a new refresh token from each refresh.
    """

    settings: Settings
    discovery: Discovery
    keys: Sequence[Jwk]
    nonce: str
    now: float
    admit: Admit | None = None
    needs_rotation: bool = False


def read_tokens(answer: Response) -> Tokens | OAuthError:
    """Return the tokens, or the error as the server worded it."""
    body = answer.json_object() or {}
    texts = {name: value for name, value in body.items() if isinstance(value, str)}
    if answer.status == 200 and "access_token" in texts:
        return Tokens(
            texts["access_token"],
            texts.get("id_token", ""),
            texts.get("refresh_token", ""),
            texts.get("scope", ""),
            refusal_of_answer(body),
        )
    if error := texts.get("error"):
        return OAuthError(error, texts.get("error_description", ""))
    return OAuthError("", Message("HTTP {status} without tokens", status=answer.status))


def judge_tokens(
    expected: Expected, tokens: Tokens | OAuthError, refreshed: Tokens | OAuthError | None
) -> Judgement:
    """Judge the tokens, and the refreshed ones unless there was no refresh."""
    if isinstance(tokens, OAuthError):
        failed = explained(tokens, Endpoint.CODE, expected.settings, EXCHANGE_REFUSED)
        return Judgement((CheckResult.failed(Check.EXCHANGE, failed),))
    if tokens.refusal:
        refused = ANSWER_REFUSED.finding(tokens.refusal)
        return Judgement((CheckResult.failed(Check.EXCHANGE, refused),))
    exchange = CheckResult(
        Check.EXCHANGE, Outcome.PROVED, "The tenant accepted the code, PKCE and the credentials."
    )
    id_token = read(tokens.id_token)
    access_token = read(tokens.access_token)
    access = _judge_access_token(access_token, expected)
    results = [exchange, _judge_id_token(id_token, expected), access]
    if expected.settings.reuse_tokens:
        known = [finding for result in results for finding in result.findings]
        results.append(_judge_refresh_token(tokens, expected.settings))
        if refreshed is not None:
            results.append(_judge_refreshed(refreshed, known, expected))
    if expected.admit and not id_token.is_encrypted:
        findings = expected.admit(id_token.claims, access_token.claims or None)
        results.append(_judge_admission(tuple(findings)))
    return Judgement(tuple(results), id_token.shown(), access_token.shown())


def _judge_id_token(token: Token, expected: Expected) -> CheckResult:
    failed = _refused_id_token(token, expected) or _misdirected_id_token(token, expected)
    if failed is not None:
        return CheckResult.failed(Check.ID_TOKEN, failed)
    email = token.email
    findings = [*_remarks("ID token", token, expected)]
    if token.claims.get("email_verified") is False:
        findings.append(EMAIL_NOT_VERIFIED.finding(quoted(email)))
    detail = Message(
        "{token}, with the email address {email}.", token=_description(token), email=quoted(email)
    )
    return CheckResult(Check.ID_TOKEN, Outcome.PROVED, detail, tuple(findings))


def _judge_admission(findings: tuple[Finding, ...]) -> CheckResult:
    check = Check.ADMISSION
    if any(each.severity is Severity.ERROR for each in findings):
        return CheckResult.failed(check, *findings)
    return CheckResult(check, Outcome.PROVED, "LibreChat lets this user in.", findings)


def _description(token: Token) -> Message:
    ends, issued = token.time("exp"), token.time("iat")
    if ends is None or issued is None or ends <= issued:
        return Message("A JSON Web Token signed {algorithm}", algorithm=token.algorithm)
    return Message(
        "A JSON Web Token signed {algorithm}, valid for {duration}",
        algorithm=token.algorithm,
        duration=_duration(ends - issued),
    )


def _duration(seconds: float) -> Message:
    """Return the duration in the largest unit of which there are at least two."""
    for unit, text in _UNITS:
        if seconds >= 2 * unit:
            return text.filled(count=f"{seconds / unit:.0f}")
    return _SECONDS.filled(count=f"{seconds:.0f}")


def _unverifiable_id_token(token: Token, settings: Settings) -> Finding | None:
    if not token.raw:
        return NO_ID_TOKEN.finding(Message("The sign-in requested: {scope}.", scope=settings.scope))
    if not token.header or token.is_encrypted:
        return UNREADABLE.finding("The ID token.")
    if token.algorithm not in ACCEPTED_ALGORITHMS and not _goes_unverified(token, settings):
        fix = fix_of(ID_TOKEN_NOT_RS256, settings)
        return ID_TOKEN_NOT_RS256.finding(_signed_with(token), fix=fix)
    return None


def _goes_unverified(token: Token, settings: Settings) -> bool:
    """Whether LibreChat takes the token without its signature: seen in v0.8.7, without reuse."""
    return token.algorithm == "HS256" and not settings.reuse_tokens


def _refused_id_token(token: Token, expected: Expected) -> Finding | None:
    """Return what the library refuses, at the sign-in and at each refresh."""
    client_id = expected.settings.client_id
    failed = _unverifiable_id_token(token, expected.settings)
    if failed := failed or _failure_of_jwt("ID token", token, expected):
        return failed
    if client_id not in token.audience:
        return WRONG_CLIENT.finding(
            Message("It is for {audience}.", audience=_listed(token.audience))
        )
    refusal = refusal_of_claims(token.claims, token.header, client_id)
    return ID_TOKEN_REFUSED.finding(refusal) if refusal else None


def _misdirected_id_token(token: Token, expected: Expected) -> Finding | None:
    if token.claims.get("nonce") != expected.nonce:
        return WRONG_NONCE.finding()
    if not isinstance(token.claims.get("sub"), str):
        return UNREADABLE.finding("The ID token has no user (sub).")
    if not token.email:
        return NO_EMAIL.finding(
            Message("Its claims: {claims}.", claims=_listed(sorted(token.claims)))
        )
    return None


def _judge_access_token(token: Token, expected: Expected) -> CheckResult:
    check = Check.ACCESS_TOKEN
    if not expected.settings.reuse_tokens:
        return CheckResult(
            check, Outcome.SKIPPED, "LibreChat does not reuse tokens, so it may be opaque."
        )
    failed = _failure_of_access_token(token, expected)
    if failed is not None and failed.rule is OPAQUE_ACCESS_TOKEN:
        detail = Message("It is opaque; LibreChat uses the ID token from 0.8.3 on.")
        return CheckResult(check, Outcome.LIKELY, detail, (failed,))
    if failed is not None:
        return CheckResult.failed(check, failed)
    detail = Message(
        "{token}, for {audience}.",
        token=_description(token),
        audience=_listed(token.audience),
    )
    remarks = tuple(_remarks("access token", token, expected))
    return CheckResult(check, Outcome.PROVED, detail, remarks)


def _failure_of_access_token(token: Token, expected: Expected) -> Finding | None:
    audience = expected.settings.audience
    if failed := _unverifiable_access_token(token, audience):
        return failed
    if failed := _failure_of_jwt("access token", token, expected):
        return failed
    if audience and audience not in token.audience:
        return WRONG_AUDIENCE.finding(
            Message(
                "It is for {audience}; the sign-in requested {asked}.",
                audience=_listed(token.audience),
                asked=quoted(audience),
            )
        )
    return None


def _unverifiable_access_token(token: Token, audience: str | None) -> Finding | None:
    if not token.raw:
        return NO_ACCESS_TOKEN.finding()
    if token.is_encrypted and audience:
        return ENCRYPTED_ACCESS_TOKEN.finding()
    # Without an API, Auth0 issues an opaque or encrypted token for /userinfo.
    if token.is_encrypted or not token.header:
        return OPAQUE_ACCESS_TOKEN.finding(
            Message("The sign-in requested {audience}.", audience=quoted(audience))
            if audience
            else Message("The sign-in requested no API.")
        )
    if token.algorithm not in ACCEPTED_ALGORITHMS:
        return ACCESS_TOKEN_NOT_RS256.finding(_signed_with(token))
    return None


def _signed_with(token: Token) -> Message:
    algorithm = quoted(token.algorithm) or Message("nothing")
    return Message("It is signed with {algorithm}.", algorithm=algorithm)


def _failure_of_jwt(name: str, token: Token, expected: Expected) -> Finding | None:
    """Return what is wrong with the token's signature, issuer or validity."""
    issuer = token.claims.get("iss")
    is_signed = token.is_signed_by(expected.keys) or _goes_unverified(token, expected.settings)
    if not is_signed:
        key = quoted(str(token.header.get("kid", ""))) or Message("without an ID")
        return BAD_SIGNATURE.finding(
            Message("The {token}, signed with key {key}.", token=name, key=key)
        )
    if issuer != expected.discovery.issuer:
        return WRONG_ISSUER.finding(
            Message(
                "The {token} is from {issuer}, not {expected}.",
                token=name,
                issuer=quoted(str(issuer)),
                expected=quoted(expected.discovery.issuer),
            )
        )
    return _failure_of_times(name, token.claims, expected.now)


def _failure_of_times(name: str, claims: Mapping[str, Any], now: float) -> Finding | None:
    ends, starts = number(claims.get("exp")), number(claims.get("nbf", 0))
    if ends is None:
        return UNREADABLE.finding(Message("The {token} has no expiry time (exp).", token=name))
    if starts is None:
        return UNREADABLE.finding(Message("The {token} has no valid start time (nbf).", token=name))
    if ends <= now - CLOCK_TOLERANCE:
        expired = Message("The {token} expired {seconds} seconds ago.")
        return NOT_VALID_NOW.finding(expired.filled(token=name, seconds=f"{now - ends:.0f}"))
    if starts > now + CLOCK_TOLERANCE:
        early = Message("The {token} becomes valid in {seconds} seconds.")
        return NOT_VALID_NOW.finding(early.filled(token=name, seconds=f"{starts - now:.0f}"))
    return None


def _remarks(name: str, token: Token, expected: Expected) -> Iterator[Finding]:
    ends, issued = token.time("exp"), token.time("iat")
    if ends is None or issued is None:
        return
    if ends - issued < SHORTEST_LIFETIME:
        short = Message("The {token} expires after {seconds} seconds.")
        yield SHORT_LIFETIME.finding(short.filled(token=name, seconds=f"{ends - issued:.0f}"))
    if issued > expected.now + CLOCK_TOLERANCE:
        ahead = Message("The {token} was issued {seconds} seconds in the future.")
        yield WRONG_CLOCK.finding(ahead.filled(token=name, seconds=f"{issued - expected.now:.0f}"))


def _judge_refresh_token(tokens: Tokens, settings: Settings) -> CheckResult:
    check = Check.REFRESH_TOKEN
    if tokens.refresh_token:
        return CheckResult(check, Outcome.PROVED, "The tenant returned one.")
    return CheckResult.failed(check, _missing_refresh_token(tokens, settings))


def _missing_refresh_token(tokens: Tokens, settings: Settings) -> Finding:
    """Return which setting is off, by the scope that the tenant granted.

    Source: https://auth0.com/docs/secure/tokens/refresh-tokens/get-refresh-tokens
    """
    granted = tokens.scope.split()
    application = dashboard.application(settings.client_id, domain=settings.domain)
    if "offline_access" in granted or not settings.audience:
        return NO_REFRESH_TOKEN.finding(
            "The application gets none.",
            fix=Message(
                "In Applications → your application → Settings → Advanced Settings → Grant Types"
                " ({application}) tick Refresh Token.",
                application=application,
            ),
        )
    return NO_REFRESH_TOKEN.finding(
        Message(
            "The tenant did not grant offline_access; it granted: {scope}.",
            scope=quoted(tokens.scope) or Message("nothing"),
        ),
        fix=Message(
            "In Applications → APIs → {api} → Settings ({apis}) turn on Allow Offline Access. If"
            " it is on: in Applications → your application → Settings → Advanced Settings → Grant"
            " Types ({application}) tick Refresh Token.",
            api=quoted(settings.audience),
            apis=dashboard.APIS,
            application=application,
        ),
    )


def _not_rotated(settings: Settings) -> Finding:
    return NO_REFRESH_TOKEN.finding(
        "The refresh returned no new one, which LibreChat before 0.8.1 needs.",
        fix=Message(
            "Update LibreChat, or set OPENID_REUSE_TOKENS=false. Or turn on Refresh Token"
            " Rotation in Applications → your application → Settings ({application}).",
            application=dashboard.application(settings.client_id, domain=settings.domain),
        ),
    )


def _judge_refreshed(
    refreshed: Tokens | OAuthError, known: Sequence[Finding], expected: Expected
) -> CheckResult:
    check = Check.REFRESHED
    failed = _failure_of_refresh(refreshed, expected)
    if failed is not None and failed.rule is OPAQUE_ACCESS_TOKEN:
        news = () if failed in known else (failed,)
        return CheckResult(check, Outcome.LIKELY, "It returned a new ID token.", news)
    if failed in known:
        return CheckResult(check, Outcome.FAILED, "The new tokens have the same error.")
    if failed is not None:
        return CheckResult.failed(check, failed)
    return CheckResult(check, Outcome.PROVED, "It returned a new JSON Web Token for the same API.")


def _failure_of_refresh(refreshed: Tokens | OAuthError, expected: Expected) -> Finding | None:
    if isinstance(refreshed, OAuthError):
        return explained(refreshed, Endpoint.REFRESH, expected.settings, REFRESH_REFUSED)
    if refreshed.refusal:
        return ANSWER_REFUSED.finding(refreshed.refusal)
    if not refreshed.id_token:
        return REFRESHED_WITHOUT_ID_TOKEN.finding()
    if expected.needs_rotation and not refreshed.refresh_token:
        return _not_rotated(expected.settings)
    return _refused_id_token(read(refreshed.id_token), expected) or _failure_of_access_token(
        read(refreshed.access_token), expected
    )


def _listed(values: Sequence[str]) -> str:
    return quoted(", ".join(values)) or Message("nobody")
