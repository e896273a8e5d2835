"""Prepares text from servers for display: one short line, no control characters or secrets."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Collection
from contextlib import suppress
from urllib.parse import quote, quote_plus, unquote

from wizard.language import Message
from wizard.text import shortened

QUOTED_LENGTH = 300
PAGE_LENGTH = 1 << 16  # longer than any error page of Auth0
_CREDENTIAL = (
    r"(?i)\b(code|code_verifier|state|nonce|client_secret|password|\w*token)"
    r"""(["']?\s*[=:]\s*["']?)[^\s"'&,;<>]+"""
)
# ECMA-48: CSI and OSC sequences, then any other.
_ESCAPE_SEQUENCE = r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?"
_SCRIPT = r"(?si)<(script|style)\b.*?((?=</\1)|\Z)"
_BASE64 = r"[A-Za-z0-9+/_-]{8,}={0,2}"
_JWT = r"\beyJ[\w-]{8,}[.\w-]*"


def decoded(text: str) -> str:
    """Return the text without percent encoding, which Auth0 sometimes applies twice."""
    for _ in range(3):
        plain = unquote(text)
        if plain == text:
            break
        text = plain
    return text


def page_text(html: str) -> str:
    """Return the visible text of a page in one line."""
    from html import unescape

    without_scripts = re.sub(_SCRIPT, "", html[:PAGE_LENGTH])
    return " ".join(unescape(re.sub(r"<[^<>]*>", " ", without_scripts)).split())


def quoted(text: str, *, secrets: Collection[str] = ()) -> str:
    """Return the text as one short line without control characters and credentials.

    Of a `Message` only the values are changed, unless a credential spans several of them.
    """
    if isinstance(text, Message) and text.values:
        message = text.filled(
            **{name: _quoted(value, secrets) for name, value in text.values.items()}
        )
        if _without_credentials(message, secrets) == message:
            return message
    line = " ".join(_without_credentials(text, secrets).split())
    line = shortened(line, QUOTED_LENGTH)
    return text if line == text else line  # keep an unchanged Message


def _without_credentials(text: str, secrets: Collection[str]) -> str:
    whole = _without_secrets(text, secrets)  # before the cut
    line = re.sub(_ESCAPE_SEQUENCE, " ", decoded(whole[:PAGE_LENGTH]))
    line = "".join(each if each.isprintable() else " " for each in line)
    line = _without_secrets(line, secrets)
    return re.sub(_JWT, "[hidden]", re.sub(_CREDENTIAL, r"\1\2[hidden]", line))


def _without_secrets(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        for form in (secret, quote(secret, safe=""), quote_plus(secret), decoded(secret)):
            text = text.replace(form, "[hidden]")

    def shown(found: re.Match[str]) -> str:
        plain = _from_base64(found[0])
        return "[hidden]" if any(secret.encode() in plain for secret in secrets) else found[0]

    return re.sub(_BASE64, shown, text) if secrets else text


def _from_base64(word: str) -> bytes:
    """Return what the word encodes, with either alphabet; b"" for nothing."""
    digits = word.rstrip("=").replace("-", "+").replace("_", "/")
    with suppress(ValueError):
        return b64decode(digits + "=" * (-len(digits) % 4))
    return b""


def _quoted(value: object, secrets: Collection[str]) -> object:
    if isinstance(value, int | float):
        return value
    return quoted(value if isinstance(value, str) else str(value), secrets=secrets)
