"""Makes what a server said fit to be shown: short, of visible characters, without credentials."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from html import unescape
from urllib.parse import quote, quote_plus, unquote

from wizard.language import Message
from wizard.settings import Settings

QUOTED_LENGTH = 300
# No page of Auth0's with an error on it comes near this.
PAGE_LENGTH = 1 << 16
_CREDENTIAL = re.compile(
    r"\b(code|code_verifier|state|nonce|client_secret|password|\w*token)"
    r"""(["']?\s*[=:]\s*["']?)[^\s"'&,;<>]+""",
    re.IGNORECASE,
)
# CSI and OSC sequences of ECMA-48, then any other.
_ESCAPE_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?")
_JWT = re.compile(r"\beyJ[\w-]{8,}[.\w-]*")


def decoded(text: str) -> str:
    """The text without percent encoding, which Auth0 sometimes applies twice."""
    for _ in range(3):
        plain = unquote(text)
        if plain == text:
            break
        text = plain
    return text


def page_text(html: str) -> str:
    """The words of a page, in one line."""
    visible = re.sub(r"<[^<>]*>", " ", _without_scripts(html[:PAGE_LENGTH]))
    return " ".join(unescape(visible).split())


def _without_scripts(html: str) -> str:
    """The page without what browsers do not show; linear in its length, whatever it holds."""
    kept = []
    opening = re.compile(r"<(script|style)\b", re.IGNORECASE)
    start = 0
    while found := opening.search(html, start):
        kept.append(html[start : found.start()])
        closing = re.compile(f"</{found[1]}", re.IGNORECASE).search(html, found.end())
        if closing is None:
            return "".join(kept)
        start = closing.start()
    return "".join([*kept, html[start:]])


def quoted(text: str, *, secrets: Collection[str] = ()) -> str:
    """The text fit to be shown: one short line, no control characters, no credentials.

    Of a message it is the values that came from elsewhere; where it has none, its text may have.
    A message stays one unless its values together say what none of them says alone.
    """
    if isinstance(text, Message) and text.values:
        message = text.filled(
            **{name: _quoted(value, secrets) for name, value in text.values.items()}
        )
        if _without_credentials(message, secrets) == message:
            return message
    line = " ".join(_without_credentials(text, secrets).split())
    line = line if len(line) <= QUOTED_LENGTH else f"{line[: QUOTED_LENGTH - 1]}…"
    return text if line == text else line  # a message that holds nothing bad stays one


def _without_credentials(text: str, secrets: Collection[str]) -> str:
    whole = _without_secrets(text, secrets)  # the cut would leave a part of one
    line = _ESCAPE_SEQUENCE.sub(" ", decoded(whole[:PAGE_LENGTH]))
    line = "".join(" " if _unseen(character) else character for character in line)
    line = _without_secrets(line, secrets)
    return _JWT.sub("[hidden]", _CREDENTIAL.sub(r"\1\2[hidden]", line))


def _without_secrets(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        for form in (secret, quote(secret, safe=""), quote_plus(secret), decoded(secret)):
            text = text.replace(form, "[hidden]")
    return text


def _quoted(value: object, secrets: Collection[str]) -> object:
    if isinstance(value, int | float):
        return value
    return quoted(value if isinstance(value, str) else str(value), secrets=secrets)


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """What may never be shown, not even when the server says it."""
    return tuple(filter(None, (settings.client_secret,)))


def _unseen(character: str) -> bool:
    """Control characters move the cursor; format characters reverse and hide text."""
    return unicodedata.category(character)[0] in "CZ" and character != " "
