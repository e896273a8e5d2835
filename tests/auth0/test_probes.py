from __future__ import annotations

from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.auth0.scripted import (
    AUDIENCE,
    CALLBACK,
    CLIENT_ID,
    DOMAIN,
    NOW,
    SECRET,
    SETTINGS,
    WITHOUT_REUSE,
    FakeClock,
    ScriptedTenant,
    html,
    json_answer,
    metadata,
    oauth,
    redirect,
)
from wizard.auth0.error_table import Endpoint, Meaning
from wizard.auth0.probes import (
    Probes,
    code_challenge,
    judge_authorize,
    judge_token,
    with_query,
)
from wizard.auth0.retry import LONGEST_WAIT, Patient
from wizard.auth0.tenant import Discovery, judge_metadata
from wizard.http import NetworkError, Response, Trouble
from wizard.settings import Settings

AUTHORIZE_URL = f"https://{DOMAIN}/authorize?client_id=x"
STATE = "the-state"


def discovery() -> Discovery:
    judged, _ = judge_metadata(metadata(), SETTINGS)
    assert judged is not None
    return judged


def probes(http: ScriptedTenant, settings: Settings = SETTINGS) -> Probes:
    return Probes(settings, discovery(), http)


def test_the_authorization_request_is_librechats_with_a_prompt() -> None:
    http = ScriptedTenant()
    probes(http).authorize()
    (request,) = http.sent("authorize")
    assert request.url.startswith(f"https://{DOMAIN}/authorize?")
    query = request.query
    assert len(query.pop("state")) >= 32
    assert len(query.pop("code_challenge")) == 43
    assert query == {
        "client_id": CLIENT_ID,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": "openid profile email offline_access",
        "code_challenge_method": "S256",
        "audience": AUDIENCE,
        "prompt": "none",
    }


def test_requests_no_audience_or_offline_access_without_token_reuse() -> None:
    http = ScriptedTenant()
    probes(http, WITHOUT_REUSE).authorize()
    (request,) = http.sent("authorize")
    assert "audience" not in request.query
    assert request.query["scope"] == "openid profile email"


def test_exchanges_the_code_as_librechat_does() -> None:
    http = ScriptedTenant()
    probes(http).code(SECRET)
    (request,) = http.sent("code")
    form = dict(request.form)
    assert form.pop("code").startswith("librechat-auth0-check-")
    assert len(form.pop("code_verifier")) >= 43
    assert form == {
        "grant_type": "authorization_code",
        "redirect_uri": CALLBACK,
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
    }
    assert "authorization" not in {name.lower() for name in request.headers}


def test_sends_no_secret_without_one() -> None:
    http = ScriptedTenant()
    probes(http).code("")
    (request,) = http.sent("without_secret")
    assert "client_secret" not in request.form


def test_refreshes_as_librechat_does() -> None:
    http = ScriptedTenant()
    probes(http).refresh()
    (request,) = http.sent("refresh")
    form = dict(request.form)
    assert form.pop("refresh_token").startswith("librechat-auth0-check-")
    assert form == {
        "grant_type": "refresh_token",
        "scope": "openid profile email offline_access",
        "audience": AUDIENCE,
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
    }


def test_no_repr_has_the_secret() -> None:
    http = ScriptedTenant(code=oauth("weird", f"{SECRET} is wrong", 400))
    probe = probes(http)
    assert SECRET not in repr(probe.settings)


def test_the_challenge_matches_rfc_7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_adds_parameters_to_those_of_the_endpoint() -> None:
    url = with_query("https://h/authorize?tenant=a", {"b": "c d"})
    assert parse_qs(urlsplit(url).query) == {"tenant": ["a"], "b": ["c d"]}


def judged_redirect(location: str) -> tuple[str, Meaning | None]:
    answer = judge_authorize(
        Response(AUTHORIZE_URL, 302, {"location": location}, b""), CALLBACK, STATE
    )
    place = "callback" if answer.came_back else answer.trouble.rule.id if answer.trouble else ""
    return place, answer.known


GOOD = f"error=login_required&state={STATE}"
PATH = f"/oauth/openid/callback?{GOOD}"
REDIRECTS = [
    (f"{CALLBACK}?{GOOD}", "callback", Meaning.LOGIN_REQUIRED),
    (f"{CALLBACK}?error=login_required", "callback", Meaning.LOGIN_REQUIRED),
    (f"HTTPS://CHAT.example.com:443{PATH}", "callback", Meaning.LOGIN_REQUIRED),
    # another state, no error, a code without a login
    (f"{CALLBACK}?error=login_required&state=another", "", None),
    (f"{CALLBACK}?state={STATE}", "", None),
    (f"{CALLBACK}?code=abc&state={STATE}", "", None),
    (f"{CALLBACK}?error=strange&state={STATE}", "", None),
    # almost our callback
    (f"http://chat.example.com{PATH}", "", Meaning.LOGIN_REQUIRED),
    (f"{CALLBACK}/?{GOOD}", "", Meaning.LOGIN_REQUIRED),
    (f"https://chat.example.com.evil.example{PATH}", "", Meaning.LOGIN_REQUIRED),
    (f"https://chat.example.com:8443{PATH}", "", Meaning.LOGIN_REQUIRED),
    # a tenant's own error page
    ("https://errors.example/?error=invalid_request&error_description=Unknown+client%3A+x&tracking=1",
     "", Meaning.UNKNOWN_CLIENT),
    # a login page, relative and absolute
    ("/u/login?state=abc", "LA245", None),
    (f"https://{DOMAIN}/login?state=abc", "LA245", None),
    ("/u/consent?state=abc", "LA245", None),
    ("https://elsewhere.example/login", "", None),
    ("//elsewhere.example/u/login", "", None),
    ("javascript:alert(1)", "", None),
    ("https://[::1", "", None),
    ("https://host:port/", "", None),
    (f"{CALLBACK}?" + "&".join(f"a{n}=1" for n in range(5000)), "", None),
]  # fmt: skip


@pytest.mark.parametrize(("location", "place", "meaning"), REDIRECTS)
def test_judges_a_redirect_by_its_target(
    location: str, place: str, meaning: Meaning | None
) -> None:
    assert judged_redirect(location) == (place, meaning)


def test_shows_only_error_and_description_of_an_error_page() -> None:
    page = (
        "<title>Error</title><h1>Oops!, something went wrong</h1><p>invalid_request: Nobody knows"
        " this error.</p><p>Tracking ID: 5f0c1d</p><footer>Imprint</footer>"
    )
    judged = judge_authorize(
        Response(AUTHORIZE_URL, 400, {"content-type": "text/html"}, page.encode()), CALLBACK, STATE
    )

    assert judged.error.words == "invalid_request: Nobody knows this error."


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (
            html("<h1>Oops!</h1><p>invalid_request: Unknown client: x</p>", 400),
            Meaning.UNKNOWN_CLIENT,
        ),
        (html("<p>Callback URL mismatch. </p>", 403), Meaning.CALLBACK_MISMATCH),
        (
            json_answer({"error": "invalid_client", "error_description": "?"}, 400),
            Meaning.UNKNOWN_CLIENT,
        ),
        (html("<p>Unknown client</p>", 200), None),
        (html("<p>Unknown client</p>", 500), None),
        (html("<p>Something else</p>", 400), None),
        (json_answer({"error": {"a": 1}, "error_description": ["x"]}, 400), None),
        (json_answer(b"\xff\xfe\x00", 400), None),
        (html("", 400), None),
        (Response("", 302, {}, b""), None),
    ],
)
def test_judges_an_error_page_by_its_words(answer: Response, meaning: Meaning | None) -> None:
    judged = judge_authorize(
        Response(AUTHORIZE_URL, answer.status, answer.headers, answer.body), CALLBACK, STATE
    )
    assert judged.known == meaning
    assert not judged.came_back
    assert judged.error.words


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (oauth("invalid_grant", "Invalid authorization code", 403), Meaning.INVALID_GRANT),
        (oauth("invalid_grant", "whatever", 400), Meaning.INVALID_GRANT),
        (oauth("access_denied", "Unauthorized", 401), Meaning.WRONG_SECRET),
        (oauth("invalid_client", "", 401), Meaning.WRONG_SECRET),
        (json_answer({"error": "Unauthorized"}, 401), Meaning.WRONG_SECRET),
        (oauth("invalid_grant", "but with success", 200), None),
        (oauth("invalid_grant", "but broken", 500), None),
        (json_answer({"access_token": "eyJhbGciOiJub25lIn0.e30."}, 200), None),
        (json_answer({"error": "invalid_grant", "access_token": "x"}, 403), None),
        (json_answer({"error": ["invalid_grant"]}, 403), None),
        (json_answer(b"{" * 10_000, 400), None),
        (html("<h1>no</h1>", 400), None),
        (Response("", 400, {}, b"invalid_grant"), None),
        (redirect("https://portal.lan/"), None),
    ],
)
def test_judges_a_token_response_by_status_and_error(
    answer: Response, meaning: Meaning | None
) -> None:
    judged = judge_token(answer, Endpoint.CODE)
    assert judged.known == meaning
    assert "eyJ" not in judged.error.words


@given(
    st.integers(100, 599),
    st.one_of(st.text(), st.text().map(lambda end: CALLBACK + end), st.just("")),
    st.binary(max_size=300),
)
def test_survives_any_response(status: int, location: str, body: bytes) -> None:
    answer = Response(AUTHORIZE_URL, status, {"location": location} if location else {}, body)
    assert judge_authorize(answer, CALLBACK, STATE).status == status
    assert judge_token(answer, Endpoint.REFRESH).status == status


def test_returns_network_trouble_as_an_answer() -> None:
    error = NetworkError(Trouble.TIMEOUT, AUTHORIZE_URL)
    answer = probes(ScriptedTenant(authorize=error)).authorize()
    assert answer.trouble is not None
    assert answer.trouble.rule.id == "LA202"


LIMITED = html("Too many requests", 429)


@pytest.mark.parametrize(
    ("headers", "slept"),
    [
        ({"retry-after": "7"}, [7.0]),
        ({"retry-after": formatdate(NOW + 9, usegmt=True)}, [9.0]),
        ({"x-ratelimit-reset": str(int(NOW) + 4)}, [4.0]),
        ({"x-ratelimit-reset": "3"}, [3.0]),
        ({"x-ratelimit-reset": str(int(NOW) - 100)}, [0.1]),
        ({"retry-after": "-5"}, [1.0]),
        ({"retry-after": "soon"}, [1.0]),
        ({"retry-after": "1e5"}, [1.0]),
        ({}, [1.0]),
    ],
)
def test_waits_as_long_as_the_rate_limit_says(headers: dict[str, str], slept: list[float]) -> None:
    clock = FakeClock()
    limited = Response("", 429, headers, b"")
    http = ScriptedTenant(discovery=[limited, json_answer(metadata())])
    answer = Patient(http, clock).request("GET", "https://h/.well-known/openid-configuration")
    assert answer.status == 200
    assert clock.slept == slept


@pytest.mark.parametrize("wait", [str(int(LONGEST_WAIT) + 1), "9" * 5000])
def test_limits_the_wait(wait: str) -> None:
    clock = FakeClock()
    http = ScriptedTenant(discovery=Response("", 429, {"retry-after": wait}, b""))
    assert Patient(http, clock).request("GET", "https://h/openid-configuration").status == 429
    assert clock.slept == []


def test_gives_up_on_a_persistent_rate_limit() -> None:
    clock = FakeClock()
    http = ScriptedTenant(discovery=LIMITED)
    assert Patient(http, clock).request("GET", "https://h/openid-configuration").status == 429
    assert clock.slept == [1.0, 1.0]


def test_retries_a_broken_connection_once() -> None:
    broken = NetworkError(Trouble.DROPPED, AUTHORIZE_URL)
    http = ScriptedTenant(discovery=[broken, json_answer({})])
    patient = Patient(http, FakeClock())
    assert patient.request("GET", "https://h/openid-configuration").status == 200
    http = ScriptedTenant(discovery=[broken, broken, json_answer({})])
    with pytest.raises(NetworkError):
        Patient(http, FakeClock()).request("GET", "https://h/openid-configuration")
