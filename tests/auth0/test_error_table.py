from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.auth0.scripted import CALLBACK, CLIENT_ID, SECRET, SETTINGS
from tests.languages import speaking
from wizard.auth0 import error_table
from wizard.auth0.error_table import (
    Endpoint,
    Meaning,
    OAuthError,
    classify,
    explained,
    finding_of,
)
from wizard.auth0.redact import QUOTED_LENGTH, page_text, quoted
from wizard.language import Message, joined, sentences
from wizard.rules import rule

AUTHORIZE, CODE, REFRESH = Endpoint

# (endpoint, error, description, row): texts from reports of Auth0's users and from recordings.
ANSWERS = [
    (AUTHORIZE, "invalid_request", f"Unknown client: {CLIENT_ID}", Meaning.UNKNOWN_CLIENT),
    (AUTHORIZE, "invalid_client", "client is invalid", Meaning.UNKNOWN_CLIENT),
    (
        AUTHORIZE,
        "unauthorized_client",
        f"Callback URL mismatch. {CALLBACK} is not in the list of allowed callback URLs",
        Meaning.CALLBACK_MISMATCH,
    ),
    (
        AUTHORIZE,
        "",
        "The provided redirect_uri is not in the list of allowed callback URLs. Please go to the"
        " Application Settings page and make sure you are sending a valid callback url from your"
        " application.",
        Meaning.CALLBACK_MISMATCH,
    ),
    (
        AUTHORIZE,
        "invalid_redirect_uri",
        "redirect_uri did not match any of the client's registered redirect_uris",
        Meaning.CALLBACK_MISMATCH,
    ),
    (AUTHORIZE, "access_denied", "Service not found: https://api.example.com", Meaning.UNKNOWN_API),
    (
        AUTHORIZE,
        "access_denied",
        "Service not found: https%3A%2F%2Fapi.example.com",
        Meaning.UNKNOWN_API,
    ),
    (
        AUTHORIZE,
        "access_denied",
        "Service%20not%20found%253A%20https%253A%252F%252Fx",
        Meaning.UNKNOWN_API,
    ),
    (AUTHORIZE, "invalid_target", "resource indicator is missing, or unknown", Meaning.UNKNOWN_API),
    (
        AUTHORIZE,
        "invalid_request",
        f'Client "{CLIENT_ID}" is not authorized to access resource server "https://api".',
        Meaning.API_NOT_GRANTED,
    ),
    (
        AUTHORIZE,
        "unauthorized_client",
        f'Client "{CLIENT_ID}" is not authorized to access resource server "https://api".',
        Meaning.API_NOT_GRANTED,
    ),
    (
        AUTHORIZE,
        "unauthorized_client",
        "Grant type 'authorization_code' not allowed for the client.",
        Meaning.CODE_GRANT_OFF,
    ),
    (AUTHORIZE, "unsupported_response_type", "code response type", Meaning.RESPONSE_TYPE_REFUSED),
    (
        AUTHORIZE,
        "invalid_request",
        "Missing required parameter: response_type",
        Meaning.RESPONSE_TYPE_REFUSED,
    ),
    (
        AUTHORIZE,
        "invalid_request",
        "parameter organization is required for this client",
        Meaning.ORGANIZATION_REQUIRED,
    ),
    (
        AUTHORIZE,
        "invalid_request",
        "client requires organization membership, but user does not belong to any organization",
        Meaning.ORGANIZATION_REQUIRED,
    ),
    (AUTHORIZE, "invalid_request", "the connection was disabled", Meaning.NO_CONNECTION),
    (AUTHORIZE, "invalid_request", "the connection is not enabled", Meaning.NO_CONNECTION),
    (
        AUTHORIZE,
        "invalid_request",
        "Cannot request both online_access and offline_access scopes",
        Meaning.TWO_REFRESH_SCOPES,
    ),
    (AUTHORIZE, "login_required", "Login required", Meaning.LOGIN_REQUIRED),
    (AUTHORIZE, "login_required", "End-User authentication is required", Meaning.LOGIN_REQUIRED),
    (AUTHORIZE, "consent_required", "Consent required", Meaning.CONSENT_REQUIRED),
    (AUTHORIZE, "interaction_required", "", Meaning.INTERACTION_REQUIRED),
    (AUTHORIZE, "access_denied", "User did not authorize the request", Meaning.DENIED),
    (AUTHORIZE, "unauthorized", "user is blocked", Meaning.DENIED),
    (CODE, "invalid_grant", "Invalid authorization code", Meaning.INVALID_GRANT),
    (CODE, "access_denied", "Unauthorized", Meaning.WRONG_SECRET),
    (CODE, "invalid_client", "client authentication failed", Meaning.WRONG_SECRET),
    (
        CODE,
        "unauthorized_client",
        "Grant type 'authorization_code' not allowed for the client.",
        Meaning.CODE_GRANT_OFF,
    ),
    (REFRESH, "invalid_grant", "Unknown or invalid refresh token.", Meaning.INVALID_GRANT),
    (
        REFRESH,
        "unauthorized_client",
        "Grant type 'refresh_token' not allowed for the client.",
        Meaning.REFRESH_GRANT_OFF,
    ),
    (
        REFRESH,
        "invalid_request",
        "requested grant type is not allowed for this client",
        Meaning.REFRESH_GRANT_OFF,
    ),
    (REFRESH, "access_denied", "Unauthorized", Meaning.WRONG_SECRET),
]


@pytest.mark.parametrize(("endpoint", "error", "description", "meaning"), ANSWERS)
def test_recognizes_every_reported_text(
    endpoint: Endpoint, error: str, description: str, meaning: Meaning
) -> None:
    assert classify(OAuthError(error, description), endpoint) is meaning


@pytest.mark.parametrize(
    ("endpoint", "error", "description"),
    [
        (AUTHORIZE, "", ""),
        (AUTHORIZE, "server_error", "Internal error"),
        (AUTHORIZE, "invalid_request", "Something nobody has seen"),
        (CODE, "access_denied", "You shall not pass"),
        (CODE, "login_required", "Login required"),
        (AUTHORIZE, "invalid_grant", "Invalid authorization code"),
    ],
)
def test_does_not_guess_about_unknown_texts(
    endpoint: Endpoint, error: str, description: str
) -> None:
    assert classify(OAuthError(error, description), endpoint) is None


def test_every_meaning_has_a_reported_text() -> None:
    assert {meaning for *_, meaning in ANSWERS} == {row.meaning for row in error_table.TABLE}


@pytest.mark.parametrize("meaning", Meaning)
def test_errors_name_a_dashboard_page(meaning: Meaning) -> None:
    if meaning.cause is not None:
        finding = finding_of(OAuthError("x", "y"), SETTINGS, meaning.cause.rule)
        assert "https://manage.auth0.com/" in finding.fix or "OPENID_SCOPE" in finding.fix
        assert "{" not in finding.fix
        assert "{" not in meaning.cause.rule.fix


def test_the_fix_has_the_exact_line_to_paste() -> None:
    error = OAuthError("unauthorized_client", "Callback URL mismatch.")
    fix = explained(error, AUTHORIZE, SETTINGS, error_table.UNKNOWN_ANSWER).fix
    assert fix.endswith(f": {CALLBACK}")
    page = f"https://manage.auth0.com/dashboard/us/dev-abc123/applications/{CLIENT_ID}/settings"
    assert page in fix


def test_the_dutch_fix_has_the_users_values() -> None:
    cause = Meaning.UNKNOWN_API.cause
    assert cause is not None
    template = Message.of(cause.rule.fix).template
    dutch = speaking({template: "Maak een API {audience}.", "the value of OPENID_AUDIENCE": "zo"})
    assert dutch.say(cause.rule.fix) == "Maak een API zo."
    fix = finding_of(OAuthError("", ""), SETTINGS, cause.rule).fix
    assert dutch.say(fix) == f"Maak een API {SETTINGS.audience}."


HOSTILE = [
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x1b]0;title\x07text", "text"),
    ("a\r\nb\tc\x00d", "a b c d"),
    ("right\u202eleft", "right left"),
    ("zero\u200bwidth", "zero width"),
    ("code=SplxlOBeZQQYbYS6WxSbIA&state=abc", "code=[hidden]&state=[hidden]"),
    ('{"refresh_token": "v1.abc-def"}', '{"refresh_token": "[hidden]"}'),
    ("token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln here", "token [hidden] here"),
    (f"wrong secret {SECRET}!", "wrong secret [hidden]!"),
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_sanitizes_a_response(text: str, shown: str) -> None:
    assert quoted(text, secrets=(SECRET,)) == shown


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
@pytest.mark.parametrize("as_message", [Message.of, lambda text: joined(": ", (text,))])
def test_sanitizes_a_message(as_message: Callable[[str], Message], text: str, shown: str) -> None:
    assert quoted(as_message(text), secrets=(SECRET,)) == shown


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (Message("{name}={value}", name="code", value="SplxlOBeZQ"), "code=[hidden]"),
        (Message("client_secret={value}!", value="abc"), "client_secret=[hidden]"),
        (Message("{a}{b}.", a=SECRET[:9], b=SECRET[9:]), "[hidden]."),
        (Message("{m}{b}.", m=Message("a {a}", a=SECRET[:9]), b=SECRET[9:]), "a [hidden]."),
        (sentences("state", "=abc"), "state =[hidden]"),
        (Message("It is {error}.", error=ValueError("code=abc\x1b[31m")), "It is code=[hidden] ."),
        (Message("{file}", file=Path(f"/x/{SECRET}")), "/x/[hidden]"),
        (Message("{words}", words=["a\x1b[31m", "token=abc"]), "['a\\x1b[31m', 'token=[hidden]']"),
    ],
)
def test_masks_a_secret_in_the_parts_of_a_message(message: Message, shown: str) -> None:
    assert quoted(message, secrets=(SECRET,)) == shown


def test_translates_a_quoted_message() -> None:
    dutch = speaking({"HTTP {status} to {target}": "HTTP {status} naar {target}"})
    text = Message("HTTP {status} to {target}", status=302, target="\x1b[31mhttps://x")
    assert dutch.say(quoted(text)) == "HTTP 302 naar https://x"


def test_masks_a_secret_in_every_encoding() -> None:
    secret = "p&ss w%rd/+"
    for form in (secret, "p%26ss%20w%25rd%2F%2B", "p%26ss+w%25rd%2F%2B"):
        assert quoted(f"<{form}>", secrets=(secret,)) == "<[hidden]>"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for around in ("", "i", "id", "the-client-id:"):
            form = encode(f"{around}{secret}?>".encode()).decode()
            for each in (form, form.rstrip("=")):
                assert quoted(f"Basic {each}", secrets=(secret,)) == "Basic [hidden]"
    assert quoted("unknown_application", secrets=(secret,)) == "unknown_application"


@given(st.text(max_size=2000))
def test_quoted_is_one_short_printable_line(text: str) -> None:
    line = quoted(text)
    assert line.isprintable()
    assert len(line) <= QUOTED_LENGTH


@pytest.mark.parametrize("unit", ["<", "<script>", "<script", "%25", "token=", "&#", "\x1b]", "a_"])
def test_reads_hostile_pages_in_limited_time(unit: str) -> None:
    page = unit * (1_000_000 // len(unit))
    quoted(page_text(page))
    classify(OAuthError(page[:60_000], page[:60_000]), AUTHORIZE)


def test_reads_the_words_that_browsers_show() -> None:
    page = (
        "<html><head><style>p{}</style><script>var t='Unknown client'</script></head>"
        "<body><h1>Oops!</h1><p>Callback&nbsp;URL &amp; mismatch</p></body>"
    )
    assert page_text(page) == "Oops! Callback URL & mismatch"


REPAIRED = (
    *("LA230", "LA231", "LA232", "LA233", "LA234", "LA235", "LA237", "LA238", "LA242", "LA243"),
    *("LA244", "LA403", "LA413", "LA417"),
)


@pytest.mark.parametrize("identifier", REPAIRED)
def test_names_provision_before_the_dashboard(identifier: str) -> None:
    assert rule(identifier).fix.startswith("Run librechat-auth0 provision")
