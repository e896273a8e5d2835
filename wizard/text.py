"""Makes text from elsewhere safe to show: nothing in it acts on the terminal or hides."""

from __future__ import annotations

import re
from collections.abc import Iterable

# C0 and C1 controls but tab and line feed, line and paragraph separators, and the marks that turn
# the reading order.
_ACTS_ON_TERMINALS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_BREAKS_LINES = re.compile(r"[\t\n]")
# What is shown in the place of a secret.
MASK = "••••••••"
# A shorter secret may be a part of many words.
LONG_SECRET = 8
_REPLACEMENT = "�"
_TYPEWRITER = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "…": "...", "–": "-", "•": "*", "›": ">", "→": "->"}
)


def without(secrets: Iterable[str], text: str) -> str:
    """Return the text with each of the secrets, in this order, hidden, in small letters too.

    A short one is hidden where it is a word of its own: as a part of a word it tells nothing.
    """
    for secret in secrets:
        if secret.lower() in text.lower():  # names of hosts are written in small letters
            hidden = re.escape(secret)
            if len(secret) < LONG_SECRET:
                hidden = rf"(?<![^\W_]){hidden}(?![^\W_])"
            text = re.sub(hidden, MASK, text, flags=re.IGNORECASE)
    return text


def printable(text: str) -> str:
    """The text without what could move the cursor, change colours or turn the reading order."""
    return _ACTS_ON_TERMINALS.sub(_REPLACEMENT, text)


def printable_json(text: str) -> str:
    """The JSON, the same to its reader, with what `printable` replaces written as escapes.

    So are surrogates, which names of files may hold and no output takes.
    """

    def escaped(found: re.Match[str]) -> str:
        return f"\\u{ord(found[0]):04x}"

    return _SURROGATE.sub(escaped, _ACTS_ON_TERMINALS.sub(escaped, text))


def is_unicode(encoding: str | None) -> bool:
    """Whether an output of that encoding takes every character."""
    return encoding is not None and encoding.lower().startswith("utf")


def encodable(text: str, encoding: str | None) -> str:
    """The text as an output of that encoding takes it, such as a redirected one of Windows."""
    if encoding is None:  # it takes text as it is
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        poorer = text if is_unicode(encoding) else text.translate(_TYPEWRITER)
        return poorer.encode(encoding, "replace").decode(encoding)
    return text


def one_line(text: str) -> str:
    """The text as `printable` leaves it, tabs and line breaks replaced too: for a line of a log."""
    return _BREAKS_LINES.sub(_REPLACEMENT, printable(text))
