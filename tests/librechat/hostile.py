"""Files and edits that try to break readers and writers of an `.env`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from wizard.librechat.env_file import Suggestion

# Pieces from which every pitfall of the grammar can be built.
PIECES = [
    *"AB=:'\"`\\#$- \t\n\r\x0b\x0c\x1c\x85\xa0\u1680\u180e\u200a\u200b\u2028\u2029\u3000\ufeffé",
    *("export", "export ", "\r\n", "\\n", "\\r", "\\'", " #", "\n#", "A=", "\nB=", "\nA='"),
    *("'\n", '"\n', "# A=", "A: ", "${A}"),
]
BROKEN_UTF8 = [b"\xff", b"\xe2\x80", b"\xf0\x9f", b"\xed\xa0\x80"]
ALL_PIECES = [*(piece.encode() for piece in PIECES), *BROKEN_UTF8]

# Names that a shell can also set; some are a prefix of another, some are related in our table.
NAMES = [
    *("A", "AA", "B", "export_", "OPENID_ISSUER", "OPENID_CLIENT_ID", "OPENID_CLIENT_SECRET"),
    *("PORT", "SEARCH", "DOMAIN_CLIENT", "UNKNOWN"),
]
_ODD_NAMES = ["X.Y-z", "-", "1A", "A.B", "A-B"]
_MANY = 16

_LONG = 5_000
_HARMLESS = "abcXYZ019_./:@%+,=-"
_IN_APOSTROPHES = [
    *_HARMLESS,
    *' #"`$;&|<>()[]{}*?!~^é漢🙂\xa0\u200b\u2028\x85',
    *("$(touch hacked)", "`touch hacked`", "$HOME", " # ", "A=", "export ", "\ufeff"),
]
_BARE = ["", "x", "true", "3080", "https://t.auth0.com", "a/b:c@d%20+,=-"]
_COMMENTS = [
    "#",
    "# c",
    "# it's",
    '# say "',
    "# `touch hacked` $(x) ${A} \\",
    "#\x0b\x0c\x1c\x85 é",
]
_WRITABLE = [
    *_BARE,
    *("openid profile", "a#b", " # c", "#", "$HOME", "$(touch hacked)", "`touch hacked`", "$"),
    *(
        'say "hi"',
        '"',
        '"x"',
        " x ",
        "~",
        "!!",
        "* ?",
        "a;b&c|d",
        "\u2028",
        "\x85x",
        "\ufeff",
        "é漢🙂",
    ),
    *("A=b", "export A=b", "x" * _LONG),
]
# A value with an apostrophe, a backslash, a control character or ${ has no common form.
_UNWRITABLE = ["it's", "'", "\\", "a\\", "a\nB=c", "a\rb", "\t", "\0", "\x1b[2J", "\x7f", "${A}"]


class Kind(StrEnum):
    """How a file was built."""

    PLAIN = "plain"  # all readers agree
    LINES = "lines"  # assignments, each with a fault
    SOUP = "soup"  # anything


_KINDS = [Kind.PLAIN, Kind.LINES, Kind.SOUP, Kind.PLAIN, Kind.LINES]


@dataclass(frozen=True, slots=True)
class Case:
    """A file and its edits; `seed` and `number` reproduce it."""

    seed: str
    number: int
    kind: Kind
    file: bytes
    edits: Mapping[str, str | Suggestion]

    @property
    def is_for_a_shell(self) -> bool:
        """Return False for what a shell misreads: a carriage return or a BOM."""
        return self.kind is Kind.PLAIN and b"\r" not in self.file and self.file[:1] != b"\xef"


def case(seed: str, number: int) -> Case:
    """Return the file and the edits of this number."""
    dice = Random(f"{seed}/{number}")
    kind = _KINDS[number % len(_KINDS)]
    return Case(seed, number, kind, _FILES[kind](dice), _edits(dice, kind))


def _edits(dice: Random, kind: Kind) -> dict[str, str | Suggestion]:
    names = NAMES if kind is Kind.PLAIN else NAMES + _ODD_NAMES
    count = dice.choice((1, 1, 1, 2, 3, 4, len(names)))
    return {name: _wanted(dice) for name in dice.sample(names, count)}


def _wanted(dice: Random) -> str | Suggestion:
    luck = dice.random()
    if luck < 0.01:
        return dice.choice(_UNWRITABLE)
    if luck < 0.06:
        return Suggestion(dice.choice(_BARE))
    return dice.choice(_WRITABLE) if luck < 0.6 else _text(dice, _IN_APOSTROPHES, 12)


def _text(dice: Random, alphabet: list[str], longest: int) -> str:
    return "".join(dice.choices(alphabet, k=dice.randrange(longest + 1)))


def _plain(dice: Random) -> bytes:
    line_break = dice.choice(("\n", "\n", "\n", "\r\n"))
    lines = [_plain_line(dice, line_break) for _ in range(dice.randrange(9))]
    bom = "\ufeff" if dice.random() < 0.1 else ""
    end = line_break if dice.random() < 0.8 else ""
    return f"{bom}{line_break.join(lines)}{end}".encode()


def _plain_line(dice: Random, line_break: str) -> str:
    what = dice.random()
    if what < 0.15:
        return dice.choice(("", " ", "\t"))
    if what < 0.3:
        return dice.choice(_COMMENTS)
    name = dice.choice(NAMES)
    export = dice.choice(("", "", "export ", "export \t"))
    if what < 0.45:
        return f"{dice.choice(('#', '# ', ' ## '))}{export}{name}={dice.choice(_BARE)}"
    comment = f" {dice.choice(_COMMENTS)}" if dice.random() < 0.3 else ""
    value = _plain_value(dice, line_break)
    if not value:
        comment = ""  # the value that readers find
    return f"{dice.choice(('', '', '  '))}{export}{name}={value}{comment}"


def _plain_value(dice: Random, line_break: str) -> str:
    form = dice.random()
    if form < 0.4:
        return dice.choice(_BARE)
    if form < 0.5:
        return f'"{_text(dice, [*_HARMLESS, " "], 8)}"'
    alphabet = [*_IN_APOSTROPHES, "\n"] if line_break == "\n" else _IN_APOSTROPHES
    return f"'{_text(dice, alphabet, 300 if form > 0.98 else 12)}'"


_LINE_BREAKS = [*["\n"] * 12, *["\r\n"] * 4, "\r", "\n\n", "\u2028", "\u2029", "\x0b", "\x85", ""]
_LEADS = ["", "", "", " ", "\t", "\xa0", "\ufeff", "\x0c", "# ", "#", "## ", "x "]
_EXPORTS = ["", "", "", "export ", "export\t", "export\n", "export\xa0", "export", "exports "]
_SEPARATORS = [
    *["="] * 8,
    " =",
    "= ",
    " = ",
    ": ",
    ":",
    ":\n",
    ":\r\n",
    "=\n",
    "\n=",
    "==",
    "",
    " ",
]
_QUOTES = ["", "", "'", '"', "`"]
_TAILS = ["", "", "", " # c", "\t# c", "#c", " #", " x", "\\", "  ", "\xa0", " # it's", " # A=b"]


def _lines(dice: Random) -> bytes:
    text = "".join(
        f"{_odd_line(dice)}{dice.choice(_LINE_BREAKS)}" for _ in range(dice.randrange(7))
    )
    luck = dice.random()
    if luck < 0.002:
        return text.encode("utf-16")
    if luck < 0.004:
        return text.encode() + b"\0"
    if luck < 0.05:
        return dice.choice(BROKEN_UTF8).join([text.encode(), b"'\n"])
    return text.encode()


def _odd_line(dice: Random) -> str:
    if dice.random() < 0.1:
        return dice.choice(_COMMENTS)
    name = dice.choice(NAMES if dice.random() < 0.9 else _ODD_NAMES)
    if dice.random() < 0.05:
        return _swallowing_line(dice, name)
    opening = dice.choice(_QUOTES)
    closing = opening if dice.random() < 0.9 else dice.choice(_QUOTES)
    value = _text(dice, PIECES if dice.random() < 0.4 else _IN_APOSTROPHES, 6)
    if dice.random() < 0.002:
        value *= _LONG
    parts = (dice.choice(_LEADS), dice.choice(_EXPORTS), name, dice.choice(_SEPARATORS))
    return f"{''.join(parts)}{opening}{value}{closing}{dice.choice(_TAILS)}"


def _swallowing_line(dice: Random, name: str) -> str:
    """Return a value whose quote closes lines later, or on the line of another variable."""
    others = "".join(f"{other}={dice.choice(_BARE)}\n" for other in dice.sample(NAMES, 2))
    if dice.random() < 0.3:
        return f"{name}:\n{others}"
    quote = dice.choice(("'", '"', "`"))
    return f"{name}={quote}{dice.choice(_BARE)}\n{others}LAST=x{quote}"


def _soup(dice: Random) -> bytes:
    return b"".join(dice.choices(ALL_PIECES, k=dice.randrange(25)))


_FILES = {Kind.PLAIN: _plain, Kind.LINES: _lines, Kind.SOUP: _soup}
