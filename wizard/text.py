"""Makes foreign text safe to print: it cannot control the terminal or hide anything."""

from __future__ import annotations

import re
from collections.abc import Iterable

# C0 and C1 controls except tab and line feed, line and paragraph separators, and marks that change
# the reading direction.
_ACTS_ON_TERMINALS = (
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_SURROGATE = r"[\ud800-\udfff]"
_BREAKS_LINES = r"[\t\n]"
# Printed in place of a secret.
MASK = "••••••••"
# A shorter secret may be part of ordinary words.
LONG_SECRET = 8
_REPLACEMENT = "�"
_TYPEWRITER = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "…": "...", "–": "-", "•": "*", "›": ">", "→": "->"}
)


class Secrets:
    """Hides secrets in texts, whatever their case: host names are written in lower case.

    The time depends on the text, not on the number of secrets.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values = frozenset(values)
        self._by_length: dict[int, dict[str, str]] = {}
        for value in self.values:
            self._by_length.setdefault(len(value.lower()), {})[value.lower()] = value

    def hidden_in(self, text: str) -> str:
        """Return the text with each secret masked, the longest first: it may contain another.

        A short secret is masked only as a whole word.
        """
        lower = text.lower()
        for length in sorted(self._by_length, reverse=True):
            known = self._by_length[length]
            parts = (lower[at : at + length] for at in range(len(lower) - length + 1))
            for found in {part for part in parts if part in known}:
                hidden = re.escape(known[found])
                if length < LONG_SECRET:
                    hidden = rf"(?<![^\W_]){hidden}(?![^\W_])"
                text = re.sub(hidden, MASK, text, flags=re.IGNORECASE)
        return text


def printable(text: str) -> str:
    """Replace what could move the cursor, change colours or the reading direction."""
    return re.sub(_ACTS_ON_TERMINALS, _REPLACEMENT, text)


def printable_json(text: str) -> str:
    """Escape in JSON what `printable` replaces, and surrogates, which no output accepts."""
    if text.isascii():  # `json` has escaped all but one of them
        return text.replace("\x7f", "\\u007f")

    def escaped(found: re.Match[str]) -> str:
        return f"\\u{ord(found[0]):04x}"

    return re.sub(_SURROGATE, escaped, re.sub(_ACTS_ON_TERMINALS, escaped, text))


def is_unicode(encoding: str | None) -> bool:
    """Return whether the encoding has every character."""
    return encoding is not None and encoding.lower().startswith("utf")


def encodable(text: str, encoding: str | None) -> str:
    """Replace what the encoding lacks, such as that of redirected output on Windows."""
    if encoding is None:  # the stream takes text, not bytes
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        poorer = text if is_unicode(encoding) else text.translate(_TYPEWRITER)
        return poorer.encode(encoding, "replace").decode(encoding)
    return text


def shortened(text: str, length: int) -> str:
    """Return at most so many characters of the text, with an ellipsis where some are left out."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def one_line(text: str) -> str:
    """Return `printable` text without tabs and line breaks, for a line of a log."""
    return re.sub(_BREAKS_LINES, _REPLACEMENT, printable(text))


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant, "" if none is similar."""
    from difflib import get_close_matches

    by_lower = {each.lower(): each for each in known}
    return next((by_lower[each] for each in get_close_matches(word.lower(), by_lower, 1)), "")
