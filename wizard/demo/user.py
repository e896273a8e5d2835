"""Signs in like a user, without a browser: for `init --demo` and for tests.

It fills in any form with a password and accepts any form that asks for consent, whatever the
provider. It visits this machine only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message as EmailMessage
from html.parser import HTMLParser
from types import SimpleNamespace
from urllib.parse import urljoin, urlsplit

from wizard.http import HttpClient, Response
from wizard.rules import rule
from wizard.settings import is_loopback

MAX_STEPS = 20
CONSENTING = frozenset({"accept", "consent"})
UNTYPED = frozenset({"checkbox", "radio", "button", "reset", "submit"})

NO_END = rule("LA451")
LEFT_MACHINE = rule("LA452")


def sign_in_like_a_user(http: HttpClient, start_url: str, email: str, password: str) -> Response:
    """Follow `start_url` through login and consent; returns the page it ends on.

    Raises:
        Failure: LA451, the sign-in was refused or never ended; LA452, it led off this machine.
        NetworkError: no answer came.
    """
    browser = Browser(http)
    response = browser.get(start_url)
    form = sign_in_form(response)
    typed = False
    while form is not None:
        if form.asks_for_password:
            if typed:
                place = _without_query(response.url)
                raise NO_END.failure("{page} asks for the password again", page=place)
            typed = True
        response = browser.submit(form, form.filled_in(email, password))
        form = sign_in_form(response)
    return response


class Browser:
    """Follows redirects and keeps cookies; stops after `MAX_STEPS` requests."""

    def __init__(self, http: HttpClient) -> None:
        from http.cookiejar import CookieJar

        self._http = http
        self.cookies = CookieJar()
        self._steps = 0

    def get(self, url: str) -> Response:
        """Return the page that `url` leads to."""
        return self._follow("GET", url, None)

    def submit(self, form: Form, fields: Mapping[str, str]) -> Response:
        """Return the page that the form, filled in with `fields`, leads to."""
        return self._follow("POST", form.action, fields)

    def _follow(self, method: str, url: str, fields: Mapping[str, str] | None) -> Response:
        while True:
            response = self._request(method, url, fields)
            location = response.headers.get("location")
            if not (300 <= response.status < 400 and location):
                return response
            url = urljoin(url, location)
            if response.status not in {307, 308}:
                method, fields = "GET", None

    def _request(self, method: str, url: str, fields: Mapping[str, str] | None) -> Response:
        from urllib.request import Request

        place = _without_query(url)
        if not is_loopback(url) or urlsplit(url).scheme not in {"https", "http"}:
            raise LEFT_MACHINE.failure(place)
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise NO_END.failure(
                "after {count} requests it was at {page}", count=MAX_STEPS, page=place
            )
        request = Request(url, headers={"Accept": "text/html"})  # noqa: S310 - checked above
        self.cookies.add_cookie_header(request)
        headers = dict(request.header_items())
        response = self._http.request(method, url, form=fields, headers=headers)
        received = EmailMessage()
        for line in response.set_cookies:
            received["Set-Cookie"] = line
        answer = SimpleNamespace(info=lambda: received)  # all that a jar asks of a response
        self.cookies.extract_cookies(answer, request)  # type: ignore[arg-type]
        return response


@dataclass(slots=True)
class Form:
    """A form of a page: the URL that it is sent to, and its controls as (type, name, value)."""

    action: str
    controls: list[tuple[str, str, str]] = field(default_factory=list, repr=False)

    @property
    def asks_for_password(self) -> bool:
        return any(kind == "password" for kind, _, _ in self.controls)

    @property
    def asks_for_consent(self) -> bool:
        return any(value in CONSENTING for _, _, value in self.controls)

    def filled_in(self, email: str, password: str) -> dict[str, str]:
        """Return its fields as a user submits them, by the first button."""
        typed = {"password": password}
        if self.asks_for_password:
            typed |= {"text": email, "email": email}
        buttons = [each for each in self.controls if each[0] == "submit"]
        others = [each for each in self.controls if each[0] not in UNTYPED]
        return {
            name: typed.get(kind, value) for kind, name, value in [*others, *buttons[:1]] if name
        }


class _FormReader(HTMLParser):
    """Reads the forms that are sent by POST."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.forms: list[Form] = []
        self._is_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_open = said.get("method", "").lower() == "post"
            if self._is_open:
                self.forms.append(Form(urljoin(self._url, said.get("action") or self._url)))
        elif self._is_open and tag in {"input", "button"}:
            kind = said.get("type", "text" if tag == "input" else "submit").lower()
            self.forms[-1].controls.append((kind, said.get("name", ""), said.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        self._is_open = self._is_open and tag != "form"


def sign_in_form(response: Response) -> Form | None:
    """Return the page's form that asks for a password or for consent."""
    if not response.is_html:
        return None
    reader = _FormReader(response.url)
    reader.feed(response.text)
    signing = (it for it in reader.forms if it.asks_for_password or it.asks_for_consent)
    return next(signing, None)


def _without_query(url: str) -> str:
    """Return the URL without its query, which may hold a code."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
