"""Signs in like a user, without a browser: for `init --demo` and for tests.

It fills in any form with a password and accepts any form that asks for consent, whatever the
provider. It visits this machine only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.message import Message as EmailMessage
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from wizard.http import HttpClient, Response
from wizard.rules import rule
from wizard.settings import is_loopback

MAX_STEPS = 20
CONSENTING = frozenset({"accept", "consent"})

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

        if not is_loopback(url) or urlsplit(url).scheme not in {"https", "http"}:
            raise LEFT_MACHINE.failure(_without_query(url))
        self._steps += 1
        if self._steps > MAX_STEPS:
            place = _without_query(url)
            raise NO_END.failure(
                "after {count} requests it was at {page}", count=MAX_STEPS, page=place
            )
        request = Request(url, headers={"Accept": "text/html"})  # noqa: S310 - checked above
        self.cookies.add_cookie_header(request)
        response = self._http.request(
            method, url, form=fields, headers=dict(request.header_items())
        )
        self.cookies.extract_cookies(_Answer(response.set_cookies), request)  # type: ignore[arg-type]
        return response


class _Answer:
    """A response as `CookieJar` reads it."""

    def __init__(self, set_cookies: Iterable[str]) -> None:
        self._headers = EmailMessage()
        for line in set_cookies:
            self._headers["Set-Cookie"] = line

    def info(self) -> EmailMessage:
        return self._headers


@dataclass(slots=True)
class Form:
    """A form of a page: the URL it goes to, and its controls as (type, name, value)."""

    action: str
    method: str
    controls: list[tuple[str, str, str]] = field(default_factory=list, repr=False)

    @property
    def asks_for_password(self) -> bool:
        return any(kind == "password" for kind, _, _ in self.controls)

    @property
    def asks_for_consent(self) -> bool:
        return any(value in CONSENTING for _, _, value in self.controls)

    def filled_in(self, email: str, password: str) -> dict[str, str]:
        """Return its fields as a user submits them, by the first button."""
        fields: dict[str, str] = {}
        pressed = False
        for kind, name, value in self.controls:
            if kind == "submit":
                if not pressed and name:
                    fields[name] = value
                pressed = True
            elif kind == "password":
                fields[name] = password
            elif kind in {"text", "email"} and self.asks_for_password:
                fields[name] = email
            elif name and kind not in {"checkbox", "radio", "button", "reset"}:
                fields[name] = value
        return fields


class _FormReader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.forms: list[Form] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = urljoin(self._url, said.get("action") or self._url)
            self.forms.append(Form(action, said.get("method", "get").lower()))
            self._open = True
        elif self._open and tag in {"input", "button"}:
            kind = said.get("type", "text" if tag == "input" else "submit").lower()
            self.forms[-1].controls.append((kind, said.get("name", ""), said.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False


def sign_in_form(response: Response) -> Form | None:
    """Return the page's form that asks for a password or for consent."""
    if not response.is_html:
        return None
    reader = _FormReader(response.url)
    reader.feed(response.text)
    return next(
        (
            form
            for form in reader.forms
            if form.method == "post" and (form.asks_for_password or form.asks_for_consent)
        ),
        None,
    )


def _without_query(url: str) -> str:
    """Return the URL without its query, which may hold a code."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
