"""What a browser gets from the local tunnel when LibreChat cannot answer itself."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from wizard.http import WAITING, WAITING_HEADER

if TYPE_CHECKING:
    from wizard.language import Language

_WAITING = f"{WAITING_HEADER}: {WAITING}\r\n".encode()


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


def text_page(status: int, text: str, headers: bytes = b"") -> Page:
    """One line for programs, and for requests that were refused."""
    headers = (
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
    ) + headers
    return Page(status, text.encode() + b"\n", headers)


def unavailable(status: int, title: str, advice: str, language: Language | None) -> Page:
    """Says that LibreChat does not answer; for a person in that language, else for a program.

    The page for people loads itself anew until LibreChat answers; it needs no script and no
    resource.
    """
    if language is None:
        return text_page(status, f"{title}. {advice}", _WAITING)
    from wizard.templates import template

    nonce = secrets.token_urlsafe(16)
    page = template("waiting.html.j2", language).render(title=title, advice=advice, nonce=nonce)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    )
    headers = (
        "Content-Type: text/html; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
        f"Content-Security-Policy: {policy}\r\nReferrer-Policy: no-referrer\r\n"
        "Cache-Control: no-store\r\nRetry-After: 2\r\n"
    )
    return Page(status, page.encode(), headers.encode() + _WAITING)
