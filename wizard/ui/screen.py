"""Prints lines in the user's language: coloured and wrapped in a terminal, plain elsewhere."""

import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TextIO

from wizard.language import Language, Message
from wizard.text import MASK, encodable, is_unicode, printable

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from wizard.librechat.env_diff import DiffLine

_HIDDEN = Message("(hidden)")


class Kind(StrEnum):
    """The kind of a line; the value is the rich style of its lead.

    Only leads have a colour: text in the terminal's own colour is readable on any background.
    """

    PLAIN = ""
    TITLE = "bold"
    HINT = "dim"
    DONE = "green"
    ERROR = "bold red"
    WARNING = "bold yellow"
    NOTE = "cyan"
    ADDED = "green "
    REMOVED = "red"
    VERBATIM = "bold "


_OF_TEXT = {
    Kind.TITLE: "bold",
    Kind.VERBATIM: "bold",
    Kind.HINT: "dim",
}
_URL = r"https?://[^\s<>\"'“”…]*[\w/]"


class Line(NamedTuple):
    """A line to print."""

    text: str
    kind: Kind = Kind.PLAIN
    lead: str = ""  # a mark or a number before the text, with which wrapped lines are aligned
    indent: int = 0  # in columns
    wrap: bool = True
    is_title: bool = False  # printed in bold


def hint_line(text: str) -> Line:
    """Return an explanation for newcomers."""
    return Line(text, Kind.HINT, indent=2)


def diff_line(line: "DiffLine") -> Line:
    """Return a changed line of a file."""
    kind = Kind.REMOVED if line.is_removed else Kind.ADDED
    return Line(line.text, kind, f"{line.number:>5} {line.sign}")


def setting_lines(
    title: str, removed: Sequence[str], added: Sequence[str], why: str = ""
) -> list[Line]:
    """Return a change of a setting outside files as a diff, with its reason."""
    head = Message.of(title)
    if why:
        head = Message("{title}: {why}", title=head, why=Message.of(why))
    return [
        Line(head, indent=2),
        *(Line(each, Kind.REMOVED, "-", indent=4, wrap=False) for each in removed),
        *(Line(each, Kind.ADDED, "+", indent=4, wrap=False) for each in added),
    ]


class Screen:
    """Prints lines on a stream; on a terminal with colour by rich, unless it is `plain`."""

    def __init__(self, stream: TextIO, language: Language, *, plain: bool) -> None:
        self._stream = stream
        self._language = language
        self._plain = plain
        self._rich_console: RichConsole | None = None
        # Tunnels print from their own threads, even while a spinner starts or stops.
        self._lock = threading.RLock()

    @property
    def is_terminal(self) -> bool:
        return self._stream.isatty()

    @property
    def draws(self) -> bool:
        return self.is_terminal and not self._plain

    @property
    def is_unicode(self) -> bool:
        return is_unicode(self._stream.encoding)

    @property
    def rows(self) -> int:
        """The height of the terminal, 0 where the stream is none."""
        size = _size(self._stream)
        return size.lines if size else 0

    def height(self, line: Line) -> int:
        """Return how many rows of the terminal the line takes, 1 where the stream is none."""
        width = columns(self._stream)
        rows = wrapped(_before(line), self.shown(line.text), width).split("\n")
        return sum(1 + (len(row) - 1) // width for row in rows) if width else len(rows)

    def pages(self, lines: Sequence[Line], below: int) -> list[list[Line]]:
        """Return the lines in parts that fit the terminal, with so many rows below each."""
        rows = self.rows - below if self.rows else len(lines)
        pages: list[list[Line]] = [[]]
        left = rows
        for line in lines:
            height = self.height(line)
            if height > left and pages[-1]:
                pages.append([])
                left = rows
            pages[-1].append(line)
            left -= height
        return pages

    def show(self, lines: Sequence[Line]) -> None:
        """Print the lines, with none of another thread between them."""
        texts = [self.shown(line.text) for line in lines]
        with self._lock:
            for line, text in zip(lines, texts, strict=True):
                if self.draws:
                    self._draw(line, text)
                else:
                    self._write(line, text)

    @contextmanager
    def spinner(self, text: str) -> Iterator[None]:
        """Draw a spinner beside the text."""
        status = self._rich().status(
            self.shown(text), spinner="dots" if self.is_unicode else "line"
        )
        with self._lock:
            status.start()
        try:
            yield
        finally:
            with self._lock:
                status.stop()

    @contextmanager
    def standing(self) -> Iterator[Callable[[str], None]]:
        """Draw a line below all others; yield what changes it."""
        from rich.text import Text

        def show(text: str) -> None:
            status.update(Text(self.shown(text), style=Kind.HINT.value))

        with self._rich().status("") as status:
            yield show

    def shown(self, text: str) -> str:
        """Return the text in the user's language, with characters that the terminal has."""
        shown = printable(self._language.say(text))
        if self._plain:
            shown = shown.replace(MASK, self._language.say(_HIDDEN))
        return encodable(shown, self._stream.encoding)

    def _write(self, line: Line, text: str) -> None:
        before = _before(line)
        width = columns(self._stream) if line.wrap else None
        self._stream.write(f"{wrapped(before, text, width)}\n")
        self._stream.flush()

    def _draw(self, line: Line, text: str) -> None:
        """Draw the text, wrapped between words only, so that a link stays whole for a click."""
        from rich.text import Text

        before = _before(line)
        width = columns(self._stream) if line.wrap else None
        style = "bold" if line.is_title else _OF_TEXT.get(line.kind, "")
        for number, row in enumerate(wrapped(before, text, width).split("\n")):
            styled = Text(row, style=style)
            if number == 0:
                styled.stylize(line.kind.value.strip(), line.indent, len(before))
            for found in re.finditer(_URL, row):
                styled.stylize(f"link {found[0]}", *found.span())
            self._rich().print(styled, soft_wrap=True)

    def _rich(self) -> "RichConsole":
        if self._rich_console is None:
            from rich.console import Console as RichConsole

            self._rich_console = RichConsole(
                file=self._stream, highlight=False, markup=False, emoji=False, soft_wrap=False
            )
        return self._rich_console


def columns(stream: TextIO) -> int | None:
    """Return the width of the terminal; None where the stream is no terminal."""
    size = _size(stream)
    return size.columns or None if size else None


def _size(stream: TextIO) -> os.terminal_size | None:
    try:
        return os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # StringIO's fileno raises a subclass of both
        return None


def _before(line: Line) -> str:
    return f"{' ' * line.indent}{line.lead}{' ' if line.lead else ''}"


def wrapped(before: str, text: str, width: int | None) -> str:
    """Wrap the text between words, with a hanging indent of the width of `before`."""
    if width is None or len(before) + len(text) < width or "\n" in text:
        return before + text
    from textwrap import fill

    return fill(
        text,
        max(width - 1, len(before) + 1),
        initial_indent=before,
        subsequent_indent=" " * len(before),
        break_long_words=False,
        break_on_hyphens=False,
    )
