"""What a browser gets from the local tunnel when LibreChat cannot answer itself."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus

_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 34rem; margin: 18vh auto; padding: 0 1.5rem }
h1 { font-size: 1.4rem }
code { font-family: ui-monospace, monospace }
"""

_WAITING = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="2">
<title>{{ title }}</title>
<style>{{ style }}</style>
<main>
<h1>{{ title }}</h1>
<p>{{ advice }}</p>
<p>This page tries again every two seconds.</p>
</main>
</html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of our own."""

    status: int
    body: bytes
    headers: bytes

    def message(self, *, head_only: bool, keep_alive: bool) -> bytes:
        """The whole HTTP/1.1 message; to HEAD only its head."""
        return b"HTTP/1.1 %d %b\r\n%bContent-Length: %d\r\n%b\r\n%b" % (
            self.status,
            HTTPStatus(self.status).phrase.encode(),
            self.headers,
            len(self.body),
            b"" if keep_alive else b"Connection: close\r\n",
            b"" if head_only else self.body,
        )


def text_page(status: int, text: str) -> Page:
    """One line for programs, and for requests that were refused."""
    headers = (
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
    )
    return Page(status, text.encode() + b"\n", headers)


def waiting_page(status: int, title: str, advice: str) -> Page:
    """For people: loads itself anew until LibreChat answers; needs no script and no resource."""
    from jinja2 import Environment

    style_hash = b64encode(sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    )
    body = (
        Environment(autoescape=True)
        .from_string(_WAITING)
        .render(title=title, advice=advice, style=_STYLE)
    )
    headers = (
        "Content-Type: text/html; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
        f"Content-Security-Policy: {policy}\r\nReferrer-Policy: no-referrer\r\n"
        "Cache-Control: no-store\r\nRetry-After: 2\r\n"
    )
    return Page(status, body.encode(), headers.encode())
