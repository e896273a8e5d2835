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


class Secrets:
    """What is hidden in texts, in small letters too, as names of hosts are written.

    However many there are, the time that it takes depends on the text.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values = frozenset(values)
        self._by_length: dict[int, dict[str, str]] = {}
        for value in self.values:
            self._by_length.setdefault(len(value.lower()), {})[value.lower()] = value

    def hidden_in(self, text: str) -> str:
        """Return the text with each secret in it hidden, the longest first.

        A shorter one may be a part of it, and hidden before it would leave the rest to be seen. A
        short one is hidden where it is a word of its own: as a part of a word it tells nothing.
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
