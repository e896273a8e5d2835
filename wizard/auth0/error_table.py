"""Maps Auth0's error answers to rules.

Auth0 documents few of its error texts and words some in several ways; each row matches every
known wording. Unknown errors are shown verbatim.
"""

import re
from collections.abc import Mapping
from enum import Enum, StrEnum, auto
from typing import NamedTuple, Self

from wizard import dashboard
from wizard.auth0.redact import decoded, quoted
from wizard.findings import Finding, Rule
from wizard.language import Message
from wizard.rules import GENERAL_VALUES, TWO_REFRESH_SCOPES, rule
from wizard.settings import Settings


class Check(StrEnum):
    """A live check, in the order of the reports; from `sign-in` on they need one."""

    label: str

    DISCOVERY = "discovery", Message("Tenant")
    KEYS = "signing-keys", Message("Signing keys")
    CLIENT_ID = "client-id", Message("Client ID")
    CALLBACK = "callback-url", Message("Callback URL")
    FLOW = "code-flow", Message("Authorization code flow")
    AUDIENCE = "audience", Message("API identifier")
    SECRET = "client-secret", Message("Client secret")
    REFRESH = "refresh-grant", Message("Refresh token grant")
    SIGN_IN = "sign-in", Message("Sign-in")
    EXCHANGE = "code-exchange", Message("Code exchange")
    ID_TOKEN = "id-token", Message("ID token")
    ACCESS_TOKEN = "access-token", Message("Access token")
    REFRESH_TOKEN = "refresh-token", Message("Refresh token")
    REFRESHED = "refresh", Message("Refresh")
    ADMISSION = "admission", Message("Roles and domains")

    def __new__(cls, value: str, label: str = "") -> Self:
        check = str.__new__(cls, value)
        check._value_ = value
        check.label = label
        return check


class Endpoint(Enum):
    """Where an answer came from."""

    AUTHORIZE = auto()
    CODE = auto()
    REFRESH = auto()


class Cause(NamedTuple):
    """The failed check and its rule."""

    blames: Check
    rule: Rule


class Meaning(Enum):
    """What an answer means: the cause of an error, or a word for one of a working setup."""

    API_NOT_GRANTED = Cause(Check.AUDIENCE, rule("LA233"))
    UNKNOWN_API = Cause(Check.AUDIENCE, rule("LA232"))
    CALLBACK_MISMATCH = Cause(Check.CALLBACK, rule("LA231"))
    UNKNOWN_CLIENT = Cause(Check.CLIENT_ID, rule("LA230"))
    REFRESH_GRANT_OFF = Cause(Check.REFRESH, rule("LA238"))
    CODE_GRANT_OFF = Cause(Check.FLOW, rule("LA234"))
    RESPONSE_TYPE_REFUSED = Cause(Check.FLOW, rule("LA235"))
    ORGANIZATION_REQUIRED = Cause(Check.FLOW, rule("LA236"))
    NO_CONNECTION = Cause(Check.FLOW, rule("LA239"))
    WRONG_SECRET = Cause(Check.SECRET, rule("LA237"))
    DENIED = Cause(Check.FLOW, rule("LA240"))
    TWO_REFRESH_SCOPES = Cause(Check.FLOW, TWO_REFRESH_SCOPES)
    LOGIN_REQUIRED = "login"
    CONSENT_REQUIRED = "consent"
    INTERACTION_REQUIRED = "interaction"
    INVALID_GRANT = "grant"

    @property
    def cause(self) -> Cause | None:
        """The cause of the error; None for the answers of a working setup."""
        return self.value if isinstance(self.value, Cause) else None


class OAuthError(NamedTuple):
    """The server's `error` and `error_description` (RFC 6749 §5.2).

    If the server gave no `error`, the description may be a `Message` of ours.
    """

    code: str
    description: str

    @property
    def words(self) -> str:
        """Code and description in one line."""
        if not self.code:
            return self.description
        return f"{self.code}: {self.description}" if self.description else self.code


NO_ERROR = OAuthError("", "")


class Row(NamedTuple):
    """One kind of answer: its endpoints, its error codes (any if empty), its description."""

    meaning: Meaning
    at: frozenset[Endpoint]
    codes: tuple[str, ...] = ()
    text: str = ""

    def matches(self, error: OAuthError, endpoint: Endpoint) -> bool:
        """Return whether the answer is of this kind."""
        return (
            endpoint in self.at
            and (not self.codes or error.code.lower() in self.codes)
            and bool(re.search(self.text, error.description, re.IGNORECASE))
        )


def _values(settings: Settings) -> Mapping[str, str]:
    return {
        **GENERAL_VALUES,
        "callback_url": settings.callback_url,
        "audience": settings.audience or "",
        "application": dashboard.application(settings.client_id, domain=settings.domain),
        **{
            tab: dashboard.application(settings.client_id, tab, settings.domain)
            for tab in ("credentials", "connections")
        },
    }


_AUTHORIZE = frozenset({Endpoint.AUTHORIZE})
_CODE = frozenset({Endpoint.CODE})
_REFRESH = frozenset({Endpoint.REFRESH})
_TOKEN = _CODE | _REFRESH
_ANY = frozenset(Endpoint)
_NO_GRANT = ("unauthorized_client", "unsupported_grant_type")
_GRANT_TEXT = r"grant type .{0,40}not allowed"
_REFUSED = ("access_denied", "unauthorized")

# The first match counts. Texts: Auth0's /authorize and /oauth/token as recorded by its SDKs, its
# documentation and users' reports; codes like invalid_target (RFC 8707): other OpenID providers.
TABLE: tuple[Row, ...] = (
    Row(Meaning.API_NOT_GRANTED, _ANY, text=r"is not authorized to access resource server"),
    Row(Meaning.UNKNOWN_API, _ANY, text=r"service not (found|enabled within domain)"),
    Row(Meaning.UNKNOWN_API, _ANY, ("invalid_target",)),
    Row(
        Meaning.CALLBACK_MISMATCH,
        _AUTHORIZE,
        text=r"callback url mismatch|redirect_uri.{0,80}"
        r"(not in the list|not match|mismatch|not registered|not allowed|invalid)",
    ),
    Row(Meaning.CALLBACK_MISMATCH, _AUTHORIZE, ("invalid_redirect_uri", "redirect_uri_mismatch")),
    Row(
        Meaning.UNKNOWN_CLIENT,
        _AUTHORIZE,
        text=r"unknown client|client (is invalid|(was )?not found|does not exist)",
    ),
    Row(Meaning.UNKNOWN_CLIENT, _AUTHORIZE, ("invalid_client",)),
    Row(Meaning.REFRESH_GRANT_OFF, _REFRESH, _NO_GRANT),
    Row(Meaning.REFRESH_GRANT_OFF, _REFRESH, text=_GRANT_TEXT),
    Row(Meaning.CODE_GRANT_OFF, _AUTHORIZE | _CODE, text=_GRANT_TEXT),
    Row(Meaning.CODE_GRANT_OFF, _CODE, _NO_GRANT),
    Row(
        Meaning.RESPONSE_TYPE_REFUSED,
        _AUTHORIZE,
        ("unsupported_response_type", "unsupported_response_mode"),
    ),
    Row(Meaning.RESPONSE_TYPE_REFUSED, _AUTHORIZE, text=r"response_type"),
    Row(
        Meaning.ORGANIZATION_REQUIRED,
        _ANY,
        text=r"parameter organization|organization membership|any organization",
    ),
    Row(
        Meaning.NO_CONNECTION,
        _AUTHORIZE,
        text=r"connection (was disabled|is not enabled)|no connections enabled",
    ),
    Row(Meaning.TWO_REFRESH_SCOPES, _AUTHORIZE, text=r"both online_access and offline_access"),
    Row(Meaning.LOGIN_REQUIRED, _AUTHORIZE, ("login_required",)),
    Row(Meaning.CONSENT_REQUIRED, _AUTHORIZE, ("consent_required",)),
    Row(
        Meaning.INTERACTION_REQUIRED,
        _AUTHORIZE,
        ("interaction_required", "account_selection_required"),
    ),
    Row(Meaning.INVALID_GRANT, _TOKEN, ("invalid_grant",)),
    Row(Meaning.WRONG_SECRET, _TOKEN, ("invalid_client",)),
    Row(Meaning.WRONG_SECRET, _TOKEN, _REFUSED, r"unauthorized|^$"),
    Row(Meaning.DENIED, _AUTHORIZE, _REFUSED),
)

UNKNOWN_ANSWER = rule("LA241")


def classify(error: OAuthError, endpoint: Endpoint) -> Meaning | None:
    """Return what the answer means, None if it is unknown."""
    plain = OAuthError(error.code, decoded(error.description))
    return next((row.meaning for row in TABLE if row.matches(plain, endpoint)), None)


def finding_of(error: OAuthError, settings: Settings, rule: Rule = UNKNOWN_ANSWER) -> Finding:
    """Return a finding that quotes the answer, with the user's values in its next step."""
    secrets = [settings.client_secret] if settings.client_secret else []
    words = quoted(error.words, secrets=secrets)
    detail = Message("The answer was empty.")
    if words:
        detail = Message("The tenant answered: {words}", words=words)
    return rule.finding(detail, fix=fix_of(rule, settings))


def fix_of(rule: Rule, settings: Settings) -> Message:
    """Return the rule's next step, with the user's values."""
    return Message.of(rule.fix).filled(**_values(settings))


def explained(error: OAuthError, endpoint: Endpoint, settings: Settings, default: Rule) -> Finding:
    """Return the finding of what the answer means, or one of the default rule."""
    meaning = classify(error, endpoint)
    rule = meaning.cause.rule if meaning and meaning.cause else default
    return finding_of(error, settings, rule)
