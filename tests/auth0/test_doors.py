from __future__ import annotations

import json

import pytest

from wizard.auth0.access import State
from wizard.auth0.doors import public_doors
from wizard.http import NetworkError, Response, Trouble

DOMAIN, CLIENT_ID = "door-tests.eu.auth0.com", "AbCdEfGhIjKlMnOpQrStUvWxYz012345"
DATABASE = {"name": "Users", "showSignup": True}


def script(*strategies: tuple[str, list[object]]) -> str:
    listed = [{"name": name, "connections": each} for name, each in strategies]
    return f"Auth0.setClient({json.dumps({'id': CLIENT_ID, 'strategies': listed})});"


class Answers:
    """Answer every request the same way and record the URLs."""

    def __init__(self, answer: Response | NetworkError) -> None:
        self.answer, self.urls = answer, list[str]()

    def request(self, method: str, url: str, **_: object) -> Response:
        self.urls.append(f"{method} {url}")
        if isinstance(self.answer, NetworkError):
            raise self.answer
        return self.answer


def page(text: str, status: int = 200) -> Answers:
    return Answers(Response(f"https://{DOMAIN}/client/{CLIENT_ID}.js", status, {}, text.encode()))


@pytest.mark.parametrize(
    ("strategies", "sign_ups", "social"),
    [
        ([("auth0", [DATABASE])], ("Users",), ()),
        ([("auth0", [{"name": "Users"}])], ("Users",), ()),
        ([("auth0", [{**DATABASE, "showSignup": False}])], (), ()),
        ([("auth0", [{**DATABASE, "showSignup": "false"}])], ("Users",), ()),
        ([("google-oauth2", [{"name": "google-oauth2"}])], (), ("google-oauth2",)),
        ([("oauth2", [{"name": "their-own"}])], (), ("their-own",)),
        ([("email", [{"name": "email"}])], ("email",), ()),
        ([("samlp", [{"name": "the-company"}]), ("waad", [{"name": "entra"}])], (), ()),
        ([], (), ()),
        ([("auth0", [DATABASE]), ("github", [{"name": "github"}])], ("Users",), ("github",)),
    ],
)
def test_each_connection_is_a_way_to_sign_in(
    strategies: list[tuple[str, list[object]]], sign_ups: tuple[str, ...], social: tuple[str, ...]
) -> None:
    doors = public_doors(DOMAIN, CLIENT_ID, page(script(*strategies)))

    assert (doors.sign_ups.connections, doors.social.connections) == (sign_ups, social)
    assert [door.state for door in doors] == [
        State.OPEN if names else State.CLOSED for names in (sign_ups, social)
    ]


@pytest.mark.parametrize(
    "http",
    [
        page("Not found", 404),
        page("", 200),
        page("<html>a portal</html>"),
        page("Auth0.setClient(alert(1));"),
        page("Auth0.setClient({});"),
        page('Auth0.setClient({"strategies":{}});'),
        page('Auth0.setClient({"strategies":[{"name":"auth0"}]});'),
        page('Auth0.setClient({"strategies":[{"name":"auth0","connections":[{"name":1}]}]});'),
        page('Auth0.setClient({"strategies":["auth0"]});'),
        page(script() + "alert(1);"),
        Answers(NetworkError(Trouble.REFUSED, f"https://{DOMAIN}/", "no")),
    ],
)
def test_other_responses_are_unknown_not_closed(http: Answers) -> None:
    doors = public_doors(DOMAIN, CLIENT_ID, http)

    assert {door.state for door in doors} == {State.UNKNOWN}
    assert all(door.reason for door in doors)


def test_sends_one_read_only_request() -> None:
    http = page(script())

    public_doors(DOMAIN, "a/b", http, 12.5)

    assert http.urls == [f"GET https://{DOMAIN}/client/a%2Fb.js?t12500"]
