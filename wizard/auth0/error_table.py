"""What Auth0's answers mean: its error texts, the cause behind each and where to fix it.

Auth0 documents few of its texts and words some in several ways; each row takes every wording
that was seen. What no row knows is nobody's guess: it is shown as it came (`quoted`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto

from wizard import dashboard
from wizard.auth0.redact import decoded, quoted, secrets_of
from wizard.findings import Finding, Rule
from wizard.language import Message
from wizard.rules import GENERAL_VALUES, rule
from wizard.settings import Settings


class Check(StrEnum):
    """What is proved, in the order of the reports: first without a sign-in, then by one."""

    DISCOVERY = "discovery"
    KEYS = "signing-keys"
    CLIENT_ID = "client-id"
    CALLBACK = "callback-url"
    FLOW = "code-flow"
    AUDIENCE = "audience"
    SECRET = "client-secret"  # noqa: S105 - the check's name
    REFRESH = "refresh-grant"
    SIGN_IN = "sign-in"
    EXCHANGE = "code-exchange"
    ID_TOKEN = "id-token"  # noqa: S105 - the check's name
    ACCESS_TOKEN = "access-token"  # noqa: S105 - the check's name
    REFRESH_TOKEN = "refresh-token"  # noqa: S105 - the check's name
    REFRESHED = "refresh"


class Endpoint(Enum):
    """Who answered: the same words mean different things at different places."""

    AUTHORIZE = auto()
    CODE = auto()
    REFRESH = auto()


class Meaning(StrEnum):
    """What an answer says: several rows may mean the same."""

    API_NOT_GRANTED = auto()
    UNKNOWN_API = auto()
    CALLBACK_MISMATCH = auto()
    UNKNOWN_CLIENT = auto()
    REFRESH_GRANT_OFF = auto()
    CODE_GRANT_OFF = auto()
    RESPONSE_TYPE_REFUSED = auto()
    ORGANIZATION_REQUIRED = auto()
    NO_CONNECTION = auto()
    INTERACTION_REQUIRED = auto()
    WRONG_SECRET = auto()
    DENIED = auto()
    LOGIN_REQUIRED = auto()
    CONSENT_REQUIRED = auto()
    INVALID_GRANT = auto()


@dataclass(frozen=True, slots=True)
class OAuthError:
    """An error as a server words it: the code of RFC 6749, and the text for people.

    Where the server named no error, the text may be a message of ours that tells its answer.
    """

    code: str
    description: str

    @property
    def words(self) -> str:
        """Both, for a reader."""
        if not self.code:
            return self.description
        return f"{self.code}: {self.description}" if self.description else self.code


NO_ERROR = OAuthError("", "")


@dataclass(frozen=True, slots=True)
class Cause:
    """What is wrong: the check that failed, and the rule."""

    blames: Check
    rule: Rule


# What is not here is what a healthy setup answers.
CAUSES: Mapping[Meaning, Cause] = {
    Meaning.API_NOT_GRANTED: Cause(Check.AUDIENCE, rule("LA233")),
    Meaning.UNKNOWN_API: Cause(Check.AUDIENCE, rule("LA232")),
    Meaning.CALLBACK_MISMATCH: Cause(Check.CALLBACK, rule("LA231")),
    Meaning.UNKNOWN_CLIENT: Cause(Check.CLIENT_ID, rule("LA230")),
    Meaning.REFRESH_GRANT_OFF: Cause(Check.REFRESH, rule("LA238")),
    Meaning.CODE_GRANT_OFF: Cause(Check.FLOW, rule("LA234")),
    Meaning.RESPONSE_TYPE_REFUSED: Cause(Check.FLOW, rule("LA235")),
    Meaning.ORGANIZATION_REQUIRED: Cause(Check.FLOW, rule("LA236")),
    Meaning.NO_CONNECTION: Cause(Check.FLOW, rule("LA239")),
    Meaning.WRONG_SECRET: Cause(Check.SECRET, rule("LA237")),
    Meaning.DENIED: Cause(Check.FLOW, rule("LA240")),
}


@dataclass(frozen=True, slots=True)
class Row:
    """Which answers mean what.

    Attributes:
        meaning: what happened.
        at: the endpoints whose answers it takes.
        codes: error codes it takes, empty for all.
        text: what must be found in the description, "" for anything.
    """

    meaning: Meaning
    at: frozenset[Endpoint]
    codes: tuple[str, ...] = ()
    text: str = ""

    @property
    def cause(self) -> Cause | None:
        """What is wrong; None where nothing is."""
        return CAUSES.get(self.meaning)

    def takes(self, error: OAuthError, endpoint: Endpoint) -> bool:
        """Return whether the answer is this row's."""
        return (
            endpoint in self.at
            and (not self.codes or error.code.lower() in self.codes)
            and bool(re.search(self.text, error.description, re.IGNORECASE))
        )

    def finding(self, error: OAuthError, settings: Settings) -> Finding:
        """Return what is wrong, and the next step with the user's values.

        Raises:
            ValueError: nothing is wrong.
        """
        if self.cause is None:
            raise ValueError(f"{self.meaning} is good news")
        finding = as_it_came(error, settings, self.cause.rule)
        return replace(finding, fix=Message.of(finding.fix).filled(**_values(settings)))


def _values(settings: Settings) -> Mapping[str, str]:
    """Return what the fields of a remedy show."""
    client_id = settings.client_id
    return {
        **GENERAL_VALUES,
        "callback_url": settings.callback_url,
        "audience": settings.audience or "",
        "application": dashboard.application(client_id),
        "credentials": dashboard.application(client_id, "credentials"),
        "connections": dashboard.application(client_id, "connections"),
        "organizations": dashboard.application(client_id, "organizations"),
    }


_AUTHORIZE = frozenset({Endpoint.AUTHORIZE})
_TOKEN = frozenset({Endpoint.CODE, Endpoint.REFRESH})
_REFRESH = frozenset({Endpoint.REFRESH})
_EVERYWHERE = frozenset(Endpoint)

# The first row that takes an answer says what it means. Texts: /authorize and /oauth/token of
# Auth0 as its SDKs' recordings, its documentation and its users report them; the more general
# codes (invalid_target of RFC 8707, invalid_client …) are what other OpenID providers say.
TABLE: tuple[Row, ...] = (
    Row(Meaning.API_NOT_GRANTED, _EVERYWHERE, text=r"is not authorized to access resource server"),
    Row(
        Meaning.UNKNOWN_API,
        _EVERYWHERE,
        text=r"service not found|service not enabled within domain",
    ),
    Row(Meaning.UNKNOWN_API, _EVERYWHERE, codes=("invalid_target",)),
    Row(
        Meaning.CALLBACK_MISMATCH,
        _AUTHORIZE,
        text=r"callback url mismatch|redirect_uri.{0,80}"
        r"(not in the list|not match|mismatch|not registered|not allowed|invalid)",
    ),
    Row(
        Meaning.CALLBACK_MISMATCH,
        _AUTHORIZE,
        codes=("invalid_redirect_uri", "redirect_uri_mismatch"),
    ),
    Row(
        Meaning.UNKNOWN_CLIENT,
        _AUTHORIZE,
        text=r"unknown client|client (is invalid|(was )?not found|does not exist)",
    ),
    Row(Meaning.UNKNOWN_CLIENT, _AUTHORIZE, codes=("invalid_client",)),
    Row(
        Meaning.REFRESH_GRANT_OFF,
        _REFRESH,
        codes=("unauthorized_client", "unsupported_grant_type"),
    ),
    Row(Meaning.REFRESH_GRANT_OFF, _REFRESH, text=r"grant type .{0,40}not allowed"),
    Row(
        Meaning.CODE_GRANT_OFF,
        frozenset({Endpoint.AUTHORIZE, Endpoint.CODE}),
        text=r"grant type .{0,40}not allowed",
    ),
    Row(
        Meaning.CODE_GRANT_OFF,
        frozenset({Endpoint.CODE}),
        codes=("unauthorized_client", "unsupported_grant_type"),
    ),
    Row(
        Meaning.RESPONSE_TYPE_REFUSED,
        _AUTHORIZE,
        codes=("unsupported_response_type", "unsupported_response_mode"),
    ),
    Row(Meaning.RESPONSE_TYPE_REFUSED, _AUTHORIZE, text=r"response_type"),
    Row(
        Meaning.ORGANIZATION_REQUIRED,
        _EVERYWHERE,
        text=r"parameter organization|organization membership|any organization",
    ),
    Row(
        Meaning.NO_CONNECTION,
        _AUTHORIZE,
        text=r"connection (was disabled|is not enabled)|no connections enabled",
    ),
    Row(Meaning.LOGIN_REQUIRED, _AUTHORIZE, ("login_required",)),
    Row(Meaning.CONSENT_REQUIRED, _AUTHORIZE, ("consent_required",)),
    Row(
        Meaning.INTERACTION_REQUIRED,
        _AUTHORIZE,
        ("interaction_required", "account_selection_required"),
    ),
    Row(Meaning.INVALID_GRANT, _TOKEN, ("invalid_grant",)),
    Row(Meaning.WRONG_SECRET, _TOKEN, codes=("invalid_client",)),
    Row(
        Meaning.WRONG_SECRET,
        _TOKEN,
        codes=("access_denied", "unauthorized"),
        text=r"unauthorized|^$",
    ),
    Row(Meaning.DENIED, _AUTHORIZE, codes=("access_denied", "unauthorized")),
)

UNKNOWN_ANSWER = rule("LA241")


def classify(error: OAuthError, endpoint: Endpoint) -> Row | None:
    """The row that knows the answer, None if there is none."""
    plain = OAuthError(error.code, decoded(error.description))
    return next((row for row in TABLE if row.takes(plain, endpoint)), None)


def explained(
    error: OAuthError, endpoint: Endpoint, settings: Settings, otherwise: Rule
) -> Finding:
    """What the answer means; where no row says what is wrong, it is `otherwise`, as it came."""
    known = classify(error, endpoint)
    if known is not None and known.cause is not None:
        return known.finding(error, settings)
    return as_it_came(error, settings, otherwise)


def as_it_came(error: OAuthError, settings: Settings, rule: Rule = UNKNOWN_ANSWER) -> Finding:
    """The rule, with the answer in the server's own words."""
    words = quoted(error.words, secrets=secrets_of(settings))
    return rule.finding(
        Message("The tenant answered: {words}", words=words)
        if words
        else Message("The answer was empty.")
    )
