"""What Auth0's answers mean: its error texts, the cause behind each and where to mend it.

Auth0 documents few of its texts and words some in several ways; each row takes every wording
that was seen. What no row knows is nobody's guess: it is shown as it came (`quoted`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto

from wizard.auth0 import dashboard
from wizard.auth0.quoting import decoded, quoted, secrets_of
from wizard.findings import Finding, Rule
from wizard.language import Message
from wizard.rules import rule
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
_NO_REMEDY = Message.of("")


@dataclass(frozen=True, slots=True)
class Known:
    """One row of the table: which answers it takes and what they mean.

    Attributes:
        meaning: what happened, for the code that tells answers apart.
        at: the endpoints whose answers it takes.
        codes: error codes it takes, empty for all.
        text: what must be found in the description, "" for anything.
        blames: the check that failed; None when the answer is what a healthy set-up gives.
        rule: what is wrong; None with `blames`.
        remedy: the exact next step, with fields of `_values`.
    """

    meaning: Meaning
    at: frozenset[Endpoint]
    codes: frozenset[str] = frozenset()
    text: str = ""
    blames: Check | None = None
    rule: Rule | None = None
    remedy: Message = _NO_REMEDY

    def takes(self, error: OAuthError, endpoint: Endpoint) -> bool:
        """Whether the answer is this row's."""
        return (
            endpoint in self.at
            and (not self.codes or error.code.lower() in self.codes)
            and bool(re.search(self.text, error.description, re.IGNORECASE))
        )

    def finding(self, error: OAuthError, settings: Settings) -> Finding:
        """What to tell the user; only for a row that has a rule."""
        if self.rule is None:
            raise ValueError(f"{self.meaning} is good news")
        finding = as_it_came(error, settings, self.rule)
        return replace(finding, fix=self.remedy.filled(**_values(settings)))


_PAGES = {
    "applications": dashboard.APPLICATIONS,
    "apis": dashboard.APIS,
    "logs": dashboard.LOGS,
}


def _values(settings: Settings) -> Mapping[str, str]:
    """What the fields of a remedy show."""
    client_id = settings.client_id
    return {
        **_PAGES,
        "callback_url": settings.callback_url,
        "audience": settings.audience or "",
        "application": dashboard.application(client_id),
        "credentials": dashboard.application(client_id, "credentials"),
        "connections": dashboard.application(client_id, "connections"),
        "organizations": dashboard.application(client_id, "organizations"),
    }


# What stands in a remedy while nobody's values are known: `explain` and the documentation.

_FIX_CLIENT_ID = Message(
    "Copy the Client ID again from Applications → your application → Settings → Basic"
    " Information ({applications}), and see that the domain above it is this tenant's."
)
_FIX_CALLBACK = Message(
    "In Applications → your application → Settings → Application URIs → Allowed Callback URLs"
    " ({application}) add this line, save, and check again (a change can take a minute):"
    " {callback_url}"
)
_FIX_UNKNOWN_API = Message(
    "In Applications → APIs ({apis}) create an API with the Identifier {audience}, or"
    " copy the Identifier of the API that is there; every character counts, a trailing slash too."
)
_FIX_API_NOT_GRANTED = Message(
    "In Applications → APIs → {audience} ({apis}) → Application Access, edit this"
    " application and grant it User-Delegated Access; or, on the API's Settings, set Application"
    " Access Policy → User-Delegated Access to “All apps allowed”."
)
_FIX_CODE_GRANT = Message(
    "In Applications → your application → Settings → Advanced Settings → Grant Types"
    " ({application}) tick Authorization Code and save."
)
_FIX_RESPONSE_TYPE = Message(
    "LibreChat asks for response_type=code. Make the application a Regular Web Application and"
    " tick Authorization Code under Settings → Advanced Settings → Grant Types ({application})."
)
_FIX_ORGANIZATION = Message(
    "LibreChat sends no organization. In Applications → your application → Organizations"
    " ({organizations}) set “What type of end users will use this application?” to Both or"
    " Individuals."
)
_FIX_CONNECTION = Message(
    "In Applications → your application → Connections ({connections}) switch on at least one"
    " connection, for example Username-Password-Authentication."
)
_FIX_DENIED = Message(
    "Look at Monitoring → Logs ({logs}) for the reason: an Action or Rule of yours may"
    " refuse this user, or the user lacks a membership or declined the consent."
)
_FIX_CREDENTIALS = Message(
    "Copy the Client Secret again from Applications → your application → Settings → Basic"
    " Information ({application}). If it is right, see that Credentials → Authentication Methods"
    " ({credentials}) says Client Secret (Post), which is what LibreChat sends."
)
_FIX_REFRESH = Message(
    "In Applications → your application → Settings → Advanced Settings → Grant Types"
    " ({application}) tick Refresh Token and save."
)


UNKNOWN_CLIENT = rule("LA230")
CALLBACK_MISMATCH = rule("LA231")
UNKNOWN_API = rule("LA232")
API_NOT_GRANTED = rule("LA233")
CODE_GRANT_OFF = rule("LA234")
RESPONSE_TYPE_REFUSED = rule("LA235")
ORGANIZATION_REQUIRED = rule("LA236")
WRONG_SECRET = rule("LA237")
REFRESH_GRANT_OFF = rule("LA238")
NO_CONNECTION = rule("LA239")
DENIED = rule("LA240")

_AUTHORIZE = frozenset({Endpoint.AUTHORIZE})
_TOKEN = frozenset({Endpoint.CODE, Endpoint.REFRESH})
_REFRESH = frozenset({Endpoint.REFRESH})
_EVERYWHERE = frozenset(Endpoint)

# The first row that takes an answer says what it means. Texts: /authorize and /oauth/token of
# Auth0 as its SDKs' recordings, its documentation and its users report them; the more general
# codes (invalid_target of RFC 8707, invalid_client …) are what other OpenID providers say.
TABLE: tuple[Known, ...] = (
    Known(
        Meaning.API_NOT_GRANTED,
        _EVERYWHERE,
        text=r"is not authorized to access resource server",
        blames=Check.AUDIENCE,
        rule=API_NOT_GRANTED,
        remedy=_FIX_API_NOT_GRANTED,
    ),
    Known(
        Meaning.UNKNOWN_API,
        _EVERYWHERE,
        text=r"service not found|service not enabled within domain",
        blames=Check.AUDIENCE,
        rule=UNKNOWN_API,
        remedy=_FIX_UNKNOWN_API,
    ),
    Known(
        Meaning.UNKNOWN_API,
        _EVERYWHERE,
        codes=frozenset({"invalid_target"}),
        blames=Check.AUDIENCE,
        rule=UNKNOWN_API,
        remedy=_FIX_UNKNOWN_API,
    ),
    Known(
        Meaning.CALLBACK_MISMATCH,
        _AUTHORIZE,
        text=r"callback url mismatch|redirect_uri.{0,80}"
        r"(not in the list|not match|mismatch|not registered|not allowed|invalid)",
        blames=Check.CALLBACK,
        rule=CALLBACK_MISMATCH,
        remedy=_FIX_CALLBACK,
    ),
    Known(
        Meaning.CALLBACK_MISMATCH,
        _AUTHORIZE,
        codes=frozenset({"invalid_redirect_uri", "redirect_uri_mismatch"}),
        blames=Check.CALLBACK,
        rule=CALLBACK_MISMATCH,
        remedy=_FIX_CALLBACK,
    ),
    Known(
        Meaning.UNKNOWN_CLIENT,
        _AUTHORIZE,
        text=r"unknown client|client (is invalid|(was )?not found|does not exist)",
        blames=Check.CLIENT_ID,
        rule=UNKNOWN_CLIENT,
        remedy=_FIX_CLIENT_ID,
    ),
    Known(
        Meaning.UNKNOWN_CLIENT,
        _AUTHORIZE,
        codes=frozenset({"invalid_client"}),
        blames=Check.CLIENT_ID,
        rule=UNKNOWN_CLIENT,
        remedy=_FIX_CLIENT_ID,
    ),
    Known(
        Meaning.REFRESH_GRANT_OFF,
        _REFRESH,
        codes=frozenset({"unauthorized_client", "unsupported_grant_type"}),
        blames=Check.REFRESH,
        rule=REFRESH_GRANT_OFF,
        remedy=_FIX_REFRESH,
    ),
    Known(
        Meaning.REFRESH_GRANT_OFF,
        _REFRESH,
        text=r"grant type .{0,40}not allowed",
        blames=Check.REFRESH,
        rule=REFRESH_GRANT_OFF,
        remedy=_FIX_REFRESH,
    ),
    Known(
        Meaning.CODE_GRANT_OFF,
        frozenset({Endpoint.AUTHORIZE, Endpoint.CODE}),
        text=r"grant type .{0,40}not allowed",
        blames=Check.FLOW,
        rule=CODE_GRANT_OFF,
        remedy=_FIX_CODE_GRANT,
    ),
    Known(
        Meaning.CODE_GRANT_OFF,
        frozenset({Endpoint.CODE}),
        codes=frozenset({"unauthorized_client", "unsupported_grant_type"}),
        blames=Check.FLOW,
        rule=CODE_GRANT_OFF,
        remedy=_FIX_CODE_GRANT,
    ),
    Known(
        Meaning.RESPONSE_TYPE_REFUSED,
        _AUTHORIZE,
        codes=frozenset({"unsupported_response_type", "unsupported_response_mode"}),
        blames=Check.FLOW,
        rule=RESPONSE_TYPE_REFUSED,
        remedy=_FIX_RESPONSE_TYPE,
    ),
    Known(
        Meaning.RESPONSE_TYPE_REFUSED,
        _AUTHORIZE,
        text=r"response_type",
        blames=Check.FLOW,
        rule=RESPONSE_TYPE_REFUSED,
        remedy=_FIX_RESPONSE_TYPE,
    ),
    Known(
        Meaning.ORGANIZATION_REQUIRED,
        _EVERYWHERE,
        text=r"parameter organization|organization membership|any organization",
        blames=Check.FLOW,
        rule=ORGANIZATION_REQUIRED,
        remedy=_FIX_ORGANIZATION,
    ),
    Known(
        Meaning.NO_CONNECTION,
        _AUTHORIZE,
        text=r"connection (was disabled|is not enabled)|no connections enabled",
        blames=Check.FLOW,
        rule=NO_CONNECTION,
        remedy=_FIX_CONNECTION,
    ),
    Known(Meaning.LOGIN_REQUIRED, _AUTHORIZE, frozenset({"login_required"})),
    Known(Meaning.CONSENT_REQUIRED, _AUTHORIZE, frozenset({"consent_required"})),
    Known(
        Meaning.INTERACTION_REQUIRED,
        _AUTHORIZE,
        frozenset({"interaction_required", "account_selection_required"}),
    ),
    Known(Meaning.INVALID_GRANT, _TOKEN, frozenset({"invalid_grant"})),
    Known(
        Meaning.WRONG_SECRET,
        _TOKEN,
        codes=frozenset({"invalid_client"}),
        blames=Check.SECRET,
        rule=WRONG_SECRET,
        remedy=_FIX_CREDENTIALS,
    ),
    Known(
        Meaning.WRONG_SECRET,
        _TOKEN,
        codes=frozenset({"access_denied", "unauthorized"}),
        text=r"unauthorized|^$",
        blames=Check.SECRET,
        rule=WRONG_SECRET,
        remedy=_FIX_CREDENTIALS,
    ),
    Known(
        Meaning.DENIED,
        _AUTHORIZE,
        codes=frozenset({"access_denied", "unauthorized"}),
        blames=Check.FLOW,
        rule=DENIED,
        remedy=_FIX_DENIED,
    ),
)

UNKNOWN_ANSWER = rule("LA241")


def classify(error: OAuthError, endpoint: Endpoint) -> Known | None:
    """The row that knows the answer, None if there is none."""
    plain = OAuthError(error.code, decoded(error.description))
    return next((row for row in TABLE if row.takes(plain, endpoint)), None)


def explained(
    error: OAuthError, endpoint: Endpoint, settings: Settings, otherwise: Rule
) -> Finding:
    """What the answer means; where no row says what is wrong, it is `otherwise`, as it came."""
    known = classify(error, endpoint)
    if known is not None and known.rule is not None:
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
