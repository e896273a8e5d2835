"""The answers of the local tunnel while LibreChat does not answer."""

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
        """Return the HTTP/1.1 message, without its body for HEAD."""
        return b"HTTP/1.1 %d %b\r\n%bContent-Length: %d\r\n%b\r\n%b" % (
            self.status,
            HTTPStatus(self.status).phrase.encode(),
            self.headers,
            len(self.body),
            b"" if keep_alive else b"Connection: close\r\n",
            b"" if head_only else self.body,
        )


def text_page(status: int, text: str, headers: bytes = b"") -> Page:
    """Return one line of text, for programs and for refused requests."""
    headers = (
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
    ) + headers
    return Page(status, text.encode() + b"\n", headers)


def unavailable(status: int, title: str, advice: str, language: Language | None) -> Page:
    """Return the answer while LibreChat is down: a page in that language, or a line for programs.

    The page reloads itself until LibreChat answers, without script or resources.
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
