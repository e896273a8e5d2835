"""Shows lines in the user's language: coloured and wrapped in a terminal, plain elsewhere."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from wizard.language import Language, Message
from wizard.text import MASK, encodable, is_unicode, printable

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

_HIDDEN = Message("(hidden)")


class Kind(StrEnum):
    """What a line is; the value is how rich shows it."""

    PLAIN = ""
    STEP = "bold cyan"
    HINT = "dim"
    DONE = "green"
    ERROR = "bold red"
    WARNING = "yellow"
    NOTE = "cyan"
    ADDED = "green"
    REMOVED = "red"
    VERBATIM = "bold"


@dataclass(frozen=True, slots=True)
class Line:
    """A line to show.

    Attributes:
        text: what it says.
        kind: what it is.
        lead: what stands before it, a mark or a number; a broken line goes on under the text.
        indent: how many columns it is moved to the right.
        wrap: whether it may be broken.
    """

    text: str
    kind: Kind = Kind.PLAIN
    lead: str = ""
    indent: int = 0
    wrap: bool = True


class Screen:
    """Where lines are shown. A terminal gets colour and wrapping from rich.

    Args:
        stream: the terminal, or what stands in its place.
        language: the user's.
        plain: whether nothing is to be drawn on a terminal either.
    """

    def __init__(self, stream: TextIO, language: Language, *, plain: bool) -> None:
        self._stream = stream
        self._language = language
        self._plain = plain
        self._rich_console: RichConsole | None = None
        # Tunnels tell what passes from threads of their own, also while a spinner comes and goes.
        self._lock = threading.RLock()

    @property
    def is_terminal(self) -> bool:
        """Whether a person watches."""
        return self._stream.isatty()

    @property
    def draws(self) -> bool:
        """Whether lines are coloured, wrapped and drawn again."""
        return self.is_terminal and not self._plain

    @property
    def is_unicode(self) -> bool:
        """Whether it can show any symbol."""
        return is_unicode(self._stream.encoding)

    def show(self, lines: Sequence[Line]) -> None:
        """The lines, with none of another thread between them."""
        texts = [self.shown(line.text) for line in lines]
        with self._lock:
            for line, text in zip(lines, texts, strict=True):
                if self.draws:
                    self._draw(line, text)
                else:
                    self._write(line, text)

    def link(self, label: str, url: str) -> None:
        """A link, whole and unadorned."""
        with self._lock:
            self._stream.write(f"{self.shown(label)}\n    {printable(url)}\n")
            self._stream.flush()

    @contextmanager
    def spinner(self, text: str) -> Iterator[None]:
        """A sign of life beside the text, in a terminal that draws."""
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
        """A line below all others that can be changed, in a terminal that draws."""
        from rich.text import Text

        def show(text: str) -> None:
            status.update(Text(self.shown(text), style=Kind.HINT.value))

        with self._rich().status("") as status:
            yield show

    def shown(self, text: str) -> str:
        """The text in the user's language, as the terminal can show it."""
        shown = printable(self._language.say(text))
        if self._plain:
            shown = shown.replace(MASK, self._language.say(_HIDDEN))
        return encodable(shown, self._stream.encoding)

    def _write(self, line: Line, text: str) -> None:
        before = f"{' ' * line.indent}{line.lead}{' ' if line.lead else ''}"
        width = columns(self._stream) if line.wrap else None
        self._stream.write(f"{wrapped(before, text, width)}\n")
        self._stream.flush()

    def _draw(self, line: Line, text: str) -> None:
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        styled = Text(text, style=line.kind.value)
        if not line.wrap or not (text or line.lead):  # rich pads an empty line to none at all
            self._rich().print(Text(" " * line.indent) + styled, soft_wrap=True)
        elif not line.lead:
            self._rich().print(Padding(styled, (0, 0, 0, line.indent), expand=False))
        else:
            row = Table.grid(padding=(0, 1))
            row.add_column()
            row.add_column(overflow="fold")  # a long path is no less of one
            row.add_row(Text(line.lead, style=line.kind.value), styled)
            self._rich().print(row)

    def _rich(self) -> RichConsole:
        if self._rich_console is None:
            from rich.console import Console as RichConsole

            self._rich_console = RichConsole(
                file=self._stream, highlight=False, markup=False, emoji=False, soft_wrap=False
            )
        return self._rich_console


def columns(stream: TextIO) -> int | None:
    """How wide the terminal is; None where the stream is none, or does not know."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # StringIO's fileno raises a subclass of both
        return None


def wrapped(before: str, text: str, width: int | None) -> str:
    """The text broken between words, with what is behind a break under its beginning."""
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
