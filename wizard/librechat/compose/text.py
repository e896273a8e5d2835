"""Docker Compose's own grammars: `${…}` in its files, and the lines of an `env_file`.

Sources: https://docs.docker.com/reference/compose-file/interpolation/ and "Env file syntax" of
https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/; compose-go
v2, `template/template.go` and `dotenv/parser.go`.
"""

import re
from collections.abc import Callable, Iterator

from wizard.language import Message
from wizard.librechat.environment import Origin, Setting

Lookup = Callable[[str], str | None]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = r":?[-?+]"
# What Go's unicode.IsSpace takes for white space.
_GO_SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_SPACES_IN_LINE = "\t\v\f\r \x85\xa0"
_IDLE = re.compile(rf"[{_GO_SPACES}]*+(?:#[^\n]*+[{_GO_SPACES}]*+)*")
_EXPORT = re.compile(r"export[\t\n\f\r ]++")
_KEY = re.compile(rf"(?P<name>[\w.\-\[\]{_SPACES_IN_LINE}]*+)(?P<sign>[=:\n]|\Z)")
_ESCAPE = r"(?s)\\(.)"
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$$"}
_DEEPEST = 50


class ComposeError(ValueError):
    """Docker Compose refuses a text: `reason` without a value of it, and the line, if known."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def interpolated(text: str, lookup: Lookup, depth: int = 0) -> str:
    """Return the text with its variables filled in; one that is not set is empty.

    Raises:
        ComposeError: a `${…}` is not one, or names a required variable that is not set.
    """
    if "$" not in text:
        return text
    if depth > _DEEPEST:
        raise ComposeError(Message("a ${…} is nested too deeply"))
    pieces: list[str] = []
    position = 0
    while (sign := text.find("$", position)) >= 0:
        pieces.append(text[position:sign])
        value, position = _reference(text, sign + 1, lookup, depth)
        pieces.append(value)
    return "".join([*pieces, text[position:]])


def _reference(text: str, start: int, lookup: Lookup, depth: int) -> tuple[str, int]:
    """Return the value of what follows a `$`, and where the text continues."""
    if text.startswith("$", start):
        return "$", start + 1
    if name := _NAME.match(text, start):
        return lookup(name[0]) or "", name.end()
    if not text.startswith("{", start):
        raise ComposeError(Message("a $ is not followed by a variable; write $$ for a plain $"))
    end = _closing_brace(text, start)
    return _braced(text[start + 1 : end], lookup, depth + 1), end + 1


def _closing_brace(text: str, opening: int) -> int:
    depth = 0
    for position in range(opening, len(text)):
        if text[position] == "{":
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
    raise ComposeError(Message("a ${ is not closed"))


def _braced(inner: str, lookup: Lookup, depth: int) -> str:
    name = _NAME.match(inner)
    if not name:
        raise ComposeError(Message("a ${…} has no name of a variable"))
    value, rest = lookup(name[0]), inner[name.end() :]
    if not rest:
        return value or ""
    operator = re.match(_OPERATOR, rest)
    if not operator:
        raise ComposeError(Message("a ${…} has an unknown operator"))
    is_there = bool(value) if operator[0].startswith(":") else value is not None
    word = rest[operator.end() :]
    if operator[0].endswith("+"):
        return interpolated(word, lookup, depth) if is_there else ""
    if is_there:
        return value or ""
    if operator[0].endswith("-"):
        return interpolated(word, lookup, depth)
    raise ComposeError(Message("{name} is required, and not set", name=name[0]))


def read_env_file(
    text: str, outside: Lookup, origin: Origin = Origin.ENV_FILE, where: str = ".env"
) -> Iterator[tuple[str, Setting]]:
    """Yield what Compose reads in an `env_file`; a later value of a name wins.

    Variables of `outside` beat those of the file in its `${…}`.

    Raises:
        ComposeError: Compose refuses a line, and with it the whole project.
    """
    read: dict[str, str] = {}

    def lookup(name: str) -> str | None:
        known = outside(name)
        return read.get(name) if known is None else known

    for name, raw, line, is_expanded in _assignments(text):
        value = outside(name) if raw is None else raw
        if value is not None:
            read[name] = _expanded(value, lookup) if is_expanded else value
            yield name, Setting(read[name], origin, where, line)


def read_raw_env_file(
    text: str, outside: Lookup, origin: Origin = Origin.ENV_FILE, where: str = ".env"
) -> Iterator[tuple[str, Setting]]:
    """Yield what Compose reads in an `env_file` with `format: raw`: neither quotes nor `$` count.

    Source: docker/cli, pkg/kvfile.

    Raises:
        ComposeError: Compose refuses a line, and with it the whole project.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines, start=1):
        name, sign, written = line.lstrip(_GO_SPACES).partition("=")
        if (not name and not sign) or name.startswith("#"):
            continue
        if not name or " " in name or "\t" in name:
            raise ComposeError(Message("a variable name has a space"), number)
        value = written if sign else outside(name)
        if value is not None:
            yield name, Setting(value, origin, where, number)


def _expanded(raw: str, lookup: Lookup) -> str:
    """Return the value of a line; Compose leaves one that it cannot interpolate as it is."""
    try:
        return interpolated(raw, lookup)
    except ComposeError:
        return raw


def _assignments(text: str) -> Iterator[tuple[str, str | None, int, bool]]:
    """Return each name, its value (None: passed on), its line, and whether `$` is expanded."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    position = counted = 0
    line = 1
    while (idle := _IDLE.match(text, position)) and (position := idle.end()) < len(text):
        line, counted = line + text.count("\n", counted, position), position
        exported = _EXPORT.match(text, position)
        found = _KEY.match(text, exported.end() if exported else position)
        if not found:
            raise ComposeError(Message("unexpected character in a variable name"), line)
        name = found["name"].strip(_GO_SPACES)
        if not name or not set(name).isdisjoint(_GO_SPACES):
            raise ComposeError(Message("a variable name has a space"), line)
        position = found.end()
        if found["sign"] in {"\n", ""}:
            yield name, None, line, False
            continue
        value, is_expanded, position = _value(text, position, line)
        yield name, value, line, is_expanded


def _value(text: str, position: int, line: int) -> tuple[str, bool, int]:
    end = _line_end(text, position)
    written = text[position:end].lstrip(_SPACES_IN_LINE)
    if written.startswith(("'", '"')):
        return _quoted(text, end - len(written), written[0], line)
    return written.partition(" #")[0].strip(_GO_SPACES), True, end


def _quoted(text: str, opening: int, quote: str, line: int) -> tuple[str, bool, int]:
    position = opening + 1
    while (end := text.find(quote, position)) >= 0 and text[end - 1] == "\\":
        position = end + 1
    if end < 0:
        raise ComposeError(Message("a quote is not closed"), line)
    raw = text[opening + 1 : end]
    if quote == "'":
        return raw.replace("\\'", "'"), False, end + 1
    return re.sub(_ESCAPE, lambda found: _ESCAPES.get(found[1], found[0]), raw), True, end + 1


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end
