"""The scripted user signs in, and visits no other site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest

from tests.demo.client import Client
from tests.providers import EMAIL, PASSWORD, Demo
from wizard.demo.user import LEFT_MACHINE, MAX_STEPS, NO_END, sign_in_form, sign_in_like_a_user
from wizard.findings import Failure
from wizard.http import Response

SIGNED_OUT = "v2/logout"


def start_url(demo: Demo, callback: str) -> str:
    demo.application.callbacks.append(callback)
    parameters = Client(demo).parameters(redirect_uri=callback)
    return f"{demo.issuer}authorize?{urlencode(parameters)}"


@dataclass
class Scripted:
    """An `HttpClient` that answers from a list and records its requests."""

    answers: list[Response]
    asked: list[tuple[str, str, Mapping[str, str] | None, Mapping[str, str]]] = field(
        default_factory=list
    )

    def request(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        self.asked.append((method, url, form, headers or {}))
        answer = self.answers.pop(0)
        return Response(url, answer.status, answer.headers, answer.body, answer.set_cookies)


def page(html: str, *cookies: str, status: int = 200) -> Response:
    return Response("", status, {"content-type": "text/html"}, html.encode(), cookies)


def redirect(location: str, *cookies: str, status: int = 302) -> Response:
    return Response("", status, {"location": location}, b"", cookies)


LOGIN = "<form method=post action=/in><input name=login><input type=password name=p></form>"


def test_signs_in_and_consents(demo: Demo) -> None:
    # The application is a page of the tenant that accepts any query.
    callback = f"{demo.issuer}{SIGNED_OUT}"
    end = sign_in_like_a_user(demo.http, start_url(demo, callback), EMAIL, PASSWORD)
    assert end.status == 200
    assert end.url.startswith(f"{callback}?code=")
    assert [visit.path for visit in demo.tenant.visits if visit.method == "POST"] == [
        "/u/login",
        "/u/consent",
    ]


def test_wrong_password(demo: Demo) -> None:
    start = start_url(demo, f"{demo.issuer}{SIGNED_OUT}")
    with pytest.raises(Failure) as caught:
        sign_in_like_a_user(demo.http, start, EMAIL, "wrong")
    assert caught.value.finding.rule is NO_END
    assert "wrong" not in str(caught.value)


def test_ends_at_an_error_page(demo: Demo) -> None:
    end = sign_in_like_a_user(demo.http, f"{demo.issuer}authorize", EMAIL, PASSWORD)
    assert end.status == 400


def test_does_not_leave_this_machine(demo: Demo) -> None:
    start = start_url(demo, "https://chat.example.com/oauth/openid/callback")
    with pytest.raises(Failure) as caught:
        sign_in_like_a_user(demo.http, start, EMAIL, PASSWORD)
    assert caught.value.finding.rule is LEFT_MACHINE
    assert caught.value.finding.detail == "https://chat.example.com/oauth/openid/callback"


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://localhost/", "//evil.example/"])
def test_visits_only_pages_of_this_machine(to: str) -> None:
    http = Scripted([redirect(to)])
    with pytest.raises(Failure) as caught:
        sign_in_like_a_user(http, "https://localhost/", "e", "p")
    assert caught.value.finding.rule is LEFT_MACHINE
    assert len(http.asked) == 1


def test_sends_no_password_to_another_machine() -> None:
    http = Scripted([page(LOGIN.replace("/in", "https://evil.example/"))])
    with pytest.raises(Failure) as caught:
        sign_in_like_a_user(http, "https://localhost/", "e", "p")
    assert caught.value.finding.rule is LEFT_MACHINE


def test_limits_redirects() -> None:
    http = Scripted([redirect("/again?code=secret")] * (MAX_STEPS + 1))
    with pytest.raises(Failure) as caught:
        sign_in_like_a_user(http, "https://localhost/", "e", "p")
    assert caught.value.finding.rule is NO_END
    assert "secret" not in str(caught.value)
    assert len(http.asked) == MAX_STEPS


def test_fills_in_forms_and_turns_redirects_into_get() -> None:
    http = Scripted([page(LOGIN), redirect("/done", status=303), page("done")])
    end = sign_in_like_a_user(http, "https://localhost/a/b", "me@x", "pass")
    assert end.text == "done"
    assert [(method, url, form) for method, url, form, _ in http.asked] == [
        ("GET", "https://localhost/a/b", None),
        ("POST", "https://localhost/in", {"login": "me@x", "p": "pass"}),
        ("GET", "https://localhost/done", None),
    ]


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_may_keep_the_method(status: int) -> None:
    http = Scripted([page(LOGIN), redirect("/there", status=status), page("done")])
    sign_in_like_a_user(http, "https://localhost/", "e", "p")
    assert http.asked[2][:3] == ("POST", "https://localhost/there", {"login": "e", "p": "p"})


def test_sends_cookies_only_to_their_host_and_path() -> None:
    http = Scripted(
        [
            redirect("https://127.0.0.1/", "a=1; Path=/", "b=2; Path=/deep", "s=3; Secure; Path=/"),
            redirect("https://localhost:1/x", "other=1"),
            redirect("https://localhost/deep/x", "a=; Max-Age=0; Path=/"),
            redirect("http://localhost/", "s=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/"),
            redirect("https://localhost/", 'quoted="a b"; Path=/', "nameless"),
            page("end"),
        ]
    )
    sign_in_like_a_user(http, "https://localhost/", "e", "p")
    sent = [headers.get("Cookie", "") for *_, headers in http.asked]
    assert sent == ["", "", "a=1; s=3", "b=2; s=3", "", 'quoted="a b"; nameless']


@pytest.mark.parametrize(
    "html",
    [
        "<p>no form",
        "<form><input name=q></form>",
        "<form method=post><button>Buy now</button></form>",
        "<input type=password name=p>",
    ],
)
def test_ignores_other_forms(html: str) -> None:
    assert sign_in_form(page(html)) is None


def test_only_html_has_forms() -> None:
    assert sign_in_form(Response("", 200, {"content-type": "text/plain"}, LOGIN.encode())) is None
