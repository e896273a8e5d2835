"""Parses the text of an `.env` as LibreChat does, and edits it without other changes. Pure.

LibreChat reads its file with Node's `dotenv`, whose grammar this follows (`dotenv` 16 and 17,
`lib/main.js`, `LINE` and `parse`). A value is written in the one form that `dotenv`,
`python-dotenv`, Docker Compose and a POSIX shell read alike.
"""

import re
from bisect import bisect, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from wizard.findings import Failure, Finding
from wizard.language import Message, sentences
from wizard.librechat.characters import SPACES
from wizard.librechat.variables import VARIABLES
from wizard.rules import rule

UNWRITABLE_VALUE = rule("LA010")
CONFUSING_FILE = rule("LA011")
NOT_TEXT = rule("LA012")
SPANS_LINES = rule("LA016")

_S = f"[{SPACES}]"
_END = r"\n\r\u2028\u2029"
_QUOTES = frozenset("'\"`")
_NAME = re.compile(rf"(?:export{_S}++)?(?P<name>[A-Za-z0-9_.-]++)(?:{_S}*+=|:(?:\r\n|{_S}))")
_UNQUOTED = re.compile(r"[^#\r\n]*+")
_OPENING_QUOTE = rf"(?:\A|(?<=[{_END}]))['\"`]"
_CLOSING_QUOTE = rf"['\"`](?=[{_END}]|\Z)"
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_LINE_END = re.compile(rf"\r\n|[{_END}]")
_INLINE_SPACES = "".join(each for each in SPACES if each not in "\n\r\u2028\u2029")
_NO_LINE_BREAKS = "".join(each for each in SPACES if each not in "\r\n")
_INLINE_SPACE = f"[{_INLINE_SPACES}]"
_COMMENT_OR_END = frozenset({"", "#", "\n", "\r", "\u2028", "\u2029"})
_COMMENT = re.compile(r"#[^\r\n]*")
_IDLE_LINE = (
    r"(?<![^\r\n])(?P<lead>(?:\A\ufeff)?[ \t]*)(?P<hash>\#[# \t]*)?"
    r"(?P<assignment>(?P<export>export[ \t]+)?(?P<name>[A-Za-z0-9_.-]++)[ \t]*+"
    rf"(?(hash)=[^{_END}]*))"
    r"(?![^\r\n])"
)

_BARE = r"[A-Za-z0-9_./:@%+,=-]*\Z"
_SAFE_IN_ANY_QUOTES = r"[A-Za-z0-9_./:@%+,= -]*\Z"
_UNSAFE_IN_SINGLE_QUOTES = r"['\\\x00-\x1f\x7f\ud800-\udfff]|\$\{"
# Some readers take this for the value of an empty `NAME=` before it.
_TAKEN_FOR_A_VALUE = rf"{_S}*+['\"`]|{_INLINE_SPACE}*+#"


class How(StrEnum):
    """What an edit does to the file."""

    CHANGED = "changed"
    UNCOMMENTED = "uncommented"
    ADDED = "added"
    SUGGESTED = "suggested"


class Suggestion(NamedTuple):
    """An edit that adds `# NAME=value` to a file that does not mention the name."""

    value: str


class Assignment(NamedTuple):
    """One `NAME=value` as LibreChat reads it, and its place in the text.

    Attributes:
        raw: the value as written.
        start: where the name begins.
        end: behind the value and what other parsers add to it: JavaScript's white space, or the
            rest of the line after a bare value with a `#` glued to it.
        is_plain: whether the text from start to end is `NAME=` and `raw`.
        spans_lines: whether that text has one of JavaScript's line ends.
        comment_is_glued: whether some parser reads the comment as a part of the value: also in
            `A= # c` (python-dotenv, Docker Compose) and after a tab (Docker Compose).
    """

    name: str
    value: str
    raw: str
    start: int
    end: int
    is_plain: bool
    spans_lines: bool
    comment_is_glued: bool

    def __repr__(self) -> str:  # the value may be a secret
        return f"Assignment({self.name})"

    @property
    def is_portable(self) -> bool:
        """Whether every parser reads the value as LibreChat does."""
        if not self.is_plain or self.comment_is_glued:
            return False
        quote = self.raw[:1]
        if quote == "'" == self.raw[-1:] and len(self.raw) > 1:
            return re.search(_UNSAFE_IN_SINGLE_QUOTES, self.raw[1:-1]) is None
        if quote == '"' == self.raw[-1:] and len(self.raw) > 1:
            return re.match(_SAFE_IN_ANY_QUOTES, self.raw[1:-1]) is not None
        return re.match(_BARE, self.raw) is not None


class Change(NamedTuple):
    """What an edit did to one variable.

    Attributes:
        line: the first replaced line, from 1 in the old file; for a new line, the one before it
            plus 1.
        last_line: the last replaced line.
        spans_lines: whether it removed one of JavaScript's four line ends.
    """

    name: str
    how: How
    line: int
    last_line: int
    spans_lines: bool = False


class _Splice(NamedTuple):
    name: str
    how: How
    start: int
    end: int
    text: str
    line: int = 0

    def __repr__(self) -> str:  # the text may be a secret
        return f"_Splice({self.name})"


class EnvFile:
    """The text of an `.env`. Immutable: an edit returns a new one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.assignments: tuple[Assignment, ...] = tuple(_scan(text))

    @classmethod
    def from_bytes(cls, data: bytes) -> "EnvFile":
        """Decode a file; `to_bytes` returns invalid UTF-8 unchanged.

        Raises:
            Failure: it is UTF-16 or binary.
        """
        if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
            raise NOT_TEXT.failure()
        return cls(data.decode("utf-8", "surrogateescape"))

    def to_bytes(self) -> bytes:
        """Return the file as bytes."""
        return self.text.encode("utf-8", "surrogateescape")

    def values(self) -> dict[str, str]:
        """Return the values that LibreChat reads; the last assignment to a name wins."""
        return {assignment.name: assignment.value for assignment in self.assignments}

    def line_of(self, offset: int) -> int:
        """Return the line of the offset, counted from 1."""
        return bisect_right(self._line_starts, offset)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(found.end() for found in _LINE_BREAK.finditer(self.text))]

    def edited(
        self, edits: Mapping[str, str | Suggestion], *, removing_lines: bool = False
    ) -> "tuple[EnvFile, tuple[Change, ...]]":
        """Return the file with these values, and the changes.

        A name keeps its line, its `export`, safe quotes and its inline comment; it replaces a
        commented-out `# NAME=`; a missing name goes next to its relatives in docs/variables.md.

        Args:
            edits: the values by name.
            removing_lines: whether to replace a value that spans several lines. Each of them may
                be meant as a variable: show them (`env_diff`), and ask.

        Raises:
            Failure: a value cannot be written, the file is too broken to be edited safely, or
                lines would be removed.
        """
        splices = sorted(_plan(self, edits), key=lambda splice: (splice.start, splice.end))
        if not splices:
            return self, ()
        changes = tuple(_change(self, splice) for splice in splices)
        if not removing_lines and (finding := removed_lines(changes)):
            raise Failure(finding)
        result = EnvFile(_apply(self.text, splices))
        _verify(self, result, edits)
        return result, changes


def removed_lines(changes: Iterable[Change]) -> Finding | None:
    """Return the finding about changes that remove line ends, None if there are none."""
    spanning = [change for change in changes if change.spans_lines]
    if not spanning:
        return None
    return SPANS_LINES.finding(sentences(*map(_where, spanning)), variable=spanning[0].name)


def _where(change: Change) -> Message:
    where = Message("{name} is on line {first}.")
    if change.last_line > change.line:
        where = Message("{name} is on lines {first} to {last}.")
    return where.filled(name=change.name, first=change.line, last=change.last_line)


def _change(file: EnvFile, splice: _Splice) -> Change:
    line = splice.line or file.line_of(splice.start)
    return Change(
        splice.name,
        splice.how,
        line,
        max(line, file.line_of(splice.end)),
        _LINE_END.search(file.text, splice.start, splice.end) is not None,
    )


def quoted(value: str, style: str = "") -> str:
    """Return the value in a form that all four readers understand, in quotes of `style` if safe.

    Raises:
        Failure: there is no such form.
    """
    if style in {"'", '"'} and re.match(_SAFE_IN_ANY_QUOTES, value):
        return f"{style}{value}{style}"
    if re.match(_BARE, value):
        return value
    if not is_writable(value):
        raise UNWRITABLE_VALUE.failure()
    return f"'{value}'"


def is_writable(value: str) -> bool:
    """Return whether the value has a form that all four readers understand alike."""
    return re.search(_UNSAFE_IN_SINGLE_QUOTES, value) is None


def _scan(text: str) -> Iterator[Assignment]:
    """Yield the assignments by dotenv's grammar, in linear time."""
    position = 0
    while position < len(text):
        position = _behind(SPACES, text, position)
        if found := _NAME.match(text, position):
            start, position = _value_span(text, found.end())
            yield _assignment(text, found, start, position)
        line_end = _LINE_END.search(text, position)
        position = line_end.end() if line_end else len(text)


def _value_span(text: str, behind_separator: int) -> tuple[int, int]:
    start = _behind(SPACES, text, behind_separator)
    if text[start : start + 1] in _QUOTES:
        closing = _closing_quote(text, start)
        if closing is not None:
            return start, closing + 1
    unquoted = _UNQUOTED.match(text, behind_separator)
    return behind_separator, unquoted.end() if unquoted else behind_separator


def _closing_quote(text: str, opening: int) -> int | None:
    """Return the last quote before a comment or line end, up to the first unescaped one."""
    closing = None
    position = text.find(text[opening], opening + 1)
    while position >= 0:
        behind = _behind(_INLINE_SPACES, text, position + 1)
        if text[behind : behind + 1] in _COMMENT_OR_END:
            closing = position
        if text[position - 1] != "\\":
            break
        position = text.find(text[opening], position + 1)
    return closing


def _assignment(text: str, found: re.Match[str], start: int, end: int) -> Assignment:
    written = text[start:end]
    raw = written.strip(SPACES)
    behind_space = _behind(_NO_LINE_BREAKS, text, end)
    if text[behind_space : behind_space + 1] not in {"", "#", "\r", "\n"}:
        behind_space = end
    if raw:
        end = start + len(written.rstrip(SPACES))
    else:
        end = found.start() + len(found[0].rstrip(SPACES))
    comment = _comment(text, end)
    space = text[end : comment.start()] if comment else ""
    glued = comment is not None and _is_glued(raw, space)
    if comment and glued and raw and raw[0] not in _QUOTES and not space:
        end = comment.end()
    else:
        end += len(text[end:behind_space].rstrip(" \t\r\n"))
    name, begin = found["name"], found.start("name")
    is_plain = text[begin:end] == f"{name}={raw}"
    spans_lines = _LINE_END.search(text, begin, end) is not None
    return Assignment(name, _read(raw), raw, begin, end, is_plain, spans_lines, glued)


def _is_glued(raw: str, space: str) -> bool:
    return not raw or not (space if raw[0] in _QUOTES else space.endswith(" "))


def _read(raw: str) -> str:
    """Return the value as `dotenv` does."""
    value = _without_quotes(_LINE_BREAK.sub("\n", _as_utf8(raw)))
    if raw.startswith('"'):
        value = value.replace("\\n", "\n").replace("\\r", "\r")
    return value


def _without_quotes(raw: str) -> str:
    """Strip quotes as `dotenv` does: also from quoted lines between U+2028 or U+2029."""
    if _QUOTES.isdisjoint(raw):
        return raw
    last = {quote[0]: quote.start() for quote in re.finditer(_CLOSING_QUOTE, raw)}
    pieces = []
    position = 0
    for opening in re.finditer(_OPENING_QUOTE, raw):
        closing = last.get(opening[0], -1)
        if position <= opening.start() < closing:
            pieces += [raw[position : opening.start()], raw[opening.end() : closing]]
            position = closing + 1
    return "".join([*pieces, raw[position:]])


def _as_utf8(text: str) -> str:
    """Show invalid bytes as Node does, as the replacement character."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _comment(text: str, position: int) -> re.Match[str] | None:
    """Return the comment that follows in the line, if only spaces come before it."""
    return _COMMENT.match(text, _behind(_INLINE_SPACES, text, position))


def _behind(spaces: str, text: str, position: int) -> int:
    """Return where the spaces at the position end."""
    while position < len(text) and text[position] in spaces:
        position += 1
    return position


def _plan(file: EnvFile, edits: Mapping[str, str | Suggestion]) -> list[_Splice]:
    current = {assignment.name: assignment for assignment in file.assignments}
    idle = _idle_lines(file, {name for name in edits if name not in current})
    splices = []
    missing: dict[str, str | Suggestion] = {}
    for name, wanted in edits.items():
        if isinstance(wanted, Suggestion):
            if name not in current and name not in idle:
                missing[name] = wanted
        elif name in current:
            if not _is_well_set(current[name], wanted):
                splices.append(_changed(file, current[name], wanted))
        elif name in idle:
            splices.append(_uncommented(file, idle[name], name, wanted))
        else:
            missing[name] = wanted
    return splices + _insertions(file, missing)


def _is_well_set(old: Assignment, value: str) -> bool:
    """Return whether the line stays; so does one with no portable form or several lines."""
    return old.value == value and (old.is_portable or old.spans_lines or not is_writable(value))


def _changed(file: EnvFile, old: Assignment, value: str) -> _Splice:
    after = _line(old.name, value, file.text, old.end, style=old.raw[:1])
    text, end = after, old.end
    comment = _comment(file.text, end)
    if comment and not file.text[end : comment.start()].endswith(" "):
        text, end = f"{after} ", comment.start()
    return _Splice(old.name, How.CHANGED, old.start, end, text)


def _uncommented(file: EnvFile, idle: re.Match[str], name: str, value: str) -> _Splice:
    written = idle["assignment"]
    old = next(_scan(written), None)
    found = _comment(written, old.end) if old else None
    comment = f" {found[0].strip(SPACES)}" if found else ""
    behind = idle.start("assignment") + old.end if old and found else idle.end()
    after = _line(name, value, file.text, behind)
    text = f"{idle['lead']}{idle['export'] or ''}{after}{comment}"
    return _Splice(name, How.UNCOMMENTED, idle.start(), idle.end(), text)


def _line(name: str, value: str, text: str, position: int, style: str = "") -> str:
    """Return the assignment to write before the position in the text."""
    if not is_writable(value):
        detail = Message("It is the value of {name}.", name=name)
        raise UNWRITABLE_VALUE.failure(detail, variable=name)
    written = quoted(value, style)
    if not written and re.match(_TAKEN_FOR_A_VALUE, text[position:]):
        written = "''"
    return f"{name}={written}"


def _idle_lines(file: EnvFile, names: Collection[str]) -> dict[str, re.Match[str]]:
    """Return each name's last line that does not set it: `# NAME=…` or `NAME`."""
    if not names:
        return {}
    starts = [assignment.start for assignment in file.assignments]
    found = {}
    for match in re.finditer(_IDLE_LINE, file.text):
        if match["name"] not in names:
            continue
        before = bisect(starts, match.start())
        ends_before = not before or file.assignments[before - 1].end <= match.start()
        if ends_before and before == bisect(starts, match.end()):
            found[match["name"]] = match
    return found


def _insertions(file: EnvFile, missing: Mapping[str, str | Suggestion]) -> list[_Splice]:
    """Return new lines, each next to its nearest relative, else at the end of the file."""
    line_ends = _line_ends(file)
    end = len(file.text.rstrip("\r\n")) or len(file.text)
    line_break = _dominant_line_break(file.text)
    splices: list[_Splice] = []
    heading = ""
    for name in sorted(missing, key=_table_position):
        anchor = _anchor(name, line_ends)
        lead = line_break
        if anchor is None:
            anchor = end
            section = VARIABLES[name].section.value if name in VARIABLES else "Others"
            if section != heading:
                heading = section
                lead = f"{line_break * 2}# {section}{line_break}"
        if not splices and not file.text[:anchor].strip("\r\n"):
            lead = lead.lstrip("\r\n")
        line, how = _new_line(name, missing[name], file.text, anchor)
        number = file.line_of(anchor) + 1
        splices.append(_Splice(name, how, anchor, anchor, lead + line, number))
    return splices


def _line_ends(file: EnvFile) -> dict[str, int]:
    """Return where each name's line ends; another assignment may begin in it (U+2028)."""
    ends: dict[str, int] = {}
    next_start = next_end = len(file.text)
    for each in reversed(file.assignments):
        end = _end_of_line(file.text, each.end)
        next_start, next_end = each.start, end if end <= next_start else next_end
        ends.setdefault(each.name, next_end)
    return ends


def _new_line(name: str, wanted: str | Suggestion, text: str, position: int) -> tuple[str, How]:
    if isinstance(wanted, Suggestion):
        return f"# {_line(name, wanted.value, text, position)}", How.SUGGESTED
    return _line(name, wanted, text, position), How.ADDED


def _anchor(name: str, line_ends: Mapping[str, int]) -> int | None:
    """Return the end of the line of the nearest relative in the file."""
    if name not in VARIABLES:
        return None
    section = VARIABLES[name].section
    relatives = [each for each in VARIABLES if VARIABLES[each].section is section]
    place = relatives.index(name)
    nearest_first = [*reversed(relatives[:place]), *relatives[place:]]
    return next((line_ends[each] for each in nearest_first if each in line_ends), None)


def _table_position(name: str) -> int:
    return list(VARIABLES).index(name) if name in VARIABLES else len(VARIABLES)


def _apply(text: str, splices: Sequence[_Splice]) -> str:
    pieces = []
    position = 0
    for splice in splices:
        pieces += [text[position : splice.start], splice.text]
        position = splice.end
    rest = text[position:]
    if not rest:  # the last line is one of ours
        rest = _dominant_line_break(text)
    return "".join([*pieces, rest])


def _verify(before: EnvFile, after: EnvFile, edits: Mapping[str, str | Suggestion]) -> None:
    """Verify that LibreChat reads the new values, and the others as before."""
    wanted = before.values()
    wanted |= {name: value for name, value in edits.items() if isinstance(value, str)}
    read = after.values()
    for name in (*wanted, *read):
        if wanted.get(name) != read.get(name):
            detail = Message("LibreChat would read another value of {name} after the change.")
            line = 0
            if first := next((each for each in before.assignments if each.name == name), None):
                line = before.line_of(first.start)
                detail = Message(
                    "Near line {line}: LibreChat would read another value of {name} after the"
                    " change."
                )
            raise CONFUSING_FILE.failure(detail.filled(line=line, name=name))


def _end_of_line(text: str, offset: int) -> int:
    line_break = _LINE_BREAK.search(text, offset)
    return line_break.start() if line_break else len(text)


def _dominant_line_break(text: str) -> str:
    """Return the commoner line break; a lone CR ends no line in Docker Compose and shells."""
    windows = text.count("\r\n")
    return "\r\n" if windows > text.count("\n") - windows else "\n"
