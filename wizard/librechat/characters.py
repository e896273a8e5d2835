"""Invisible characters in a value, and the white space that JavaScript trims."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.language import Message

# What `String.prototype.trim` removes, which is neither Python's white space nor ASCII's.
SPACES = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
# What `new URL` removes at both ends of its text: https://url.spec.whatwg.org/#url-parsing
URL_SPACES = "".join(map(chr, range(0x21)))
_CONTROLS = {"\t": "tab", "\n": "line feed", "\r": "carriage return"}


def visible(value: str) -> str:
    """The value without invisible characters."""
    if value.isprintable():
        return value.strip(SPACES)
    return "".join(each for each in value if each == " " or each.isprintable()).strip(SPACES)


def invisible_in(value: str) -> Iterator[Message]:
    """Name the invisible characters, each once per place: at the ends and inside."""
    inside = value.strip(SPACES)
    start = value[: len(value) - len(value.lstrip(SPACES))] if inside else value
    end = value[len(start) + len(inside) :]
    for character in dict.fromkeys(start):
        yield Message("{character} at the start", character=name_of(character))
    for character in dict.fromkeys(inside):
        if character != " " and not character.isprintable():
            yield Message("{character} inside", character=name_of(character))
    for character in dict.fromkeys(end):
        yield Message("{character} at the end", character=name_of(character))


def name_of(character: str) -> str:
    """The character by number and by Unicode's name: `U+00A0 no-break space`."""
    from unicodedata import name

    known = _CONTROLS.get(character) or name(character, "control character").lower()
    return f"U+{ord(character):04X} {known}"
