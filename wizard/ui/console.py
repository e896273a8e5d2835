"""What users read. Words go to standard error, data to standard output.

Callers say what a line *is* (a step, a hint, a finding); only this module knows how that looks
and has it said in the user's language. A terminal gets colour and wrapping from rich; anything
else, and who asks for it, gets plain lines.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from wizard.defaults import ENGLISH
from wizard.findings import Finding, Outcome, Severity
from wizard.language import Language, Message
from wizard.librechat.env_diff import REMOVED, DiffLine
from wizard.text import MASK, encodable, is_unicode, one_line, printable, printable_json

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

HIDDEN = Message("(hidden)")


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


_SEVERITY_KINDS = {
    Severity.ERROR: Kind.ERROR,
    Severity.WARNING: Kind.WARNING,
    Severity.NOTE: Kind.NOTE,
}
_SYMBOLS = {
    "done": ("✓", "ok"),
    "likely": ("≈", "~"),
    "unproved": ("?", "?"),
    "skipped": ("·", "-"),
    "error": ("✗", "x"),
    "warning": ("!", "!"),
    "note": ("i", "i"),
}
_OUTCOMES = {
    Outcome.PROVED: ("done", Kind.DONE, Message("proved")),
    Outcome.LIKELY: ("likely", Kind.DONE, Message("likely")),
    Outcome.UNPROVED: ("unproved", Kind.WARNING, Message("unproved")),
    Outcome.FAILED: ("error", Kind.ERROR, Message("failed")),
    Outcome.SKIPPED: ("skipped", Kind.HINT, Message("skipped")),
}
_PLAIN_MARKS = {
    "error": Message("Error:"),
    "warning": Message("Warning:"),
    "note": Message("Note:"),
}


class Console:
    """The user's terminal.

    Args:
        stderr: where words go.
        stdout: where data goes.
        language: what is spoken; English where none is given.
        plain: words in place of symbols, and nothing that is drawn again: for screen readers
            and for terminals that can do no more.
        quiet: say only what went wrong.
        silent: say nothing at all (`--json`, whose one object says it).
    """

    def __init__(
        self,
        *,
        stderr: TextIO | None = None,
        stdout: TextIO | None = None,
        language: Language | None = None,
        plain: bool = False,
        quiet: bool = False,
        silent: bool = False,
    ) -> None:
        self._stderr = stderr or sys.stderr
        self._stdout = stdout or sys.stdout
        self.language = language or Language(ENGLISH)
        self._plain = plain
        self._quiet = quiet or silent
        self._silent = silent
        self._rich_console: RichConsole | None = None
        # Tunnels tell what passes from threads of their own, also while a spinner comes and goes.
        self._lock = threading.RLock()

    @property
    def is_terminal(self) -> bool:
        """Whether a person watches."""
        return self._stderr.isatty()

    @property
    def _draws(self) -> bool:
        """Whether lines are coloured, wrapped and drawn again."""
        return self.is_terminal and not self._plain

    def step(self, number: int, total: int, title: str) -> None:
        """Where the user is."""
        self._say("")
        where = Message(
            "Step {number} of {total}: {title}", number=number, total=total, title=Message.of(title)
        )
        self._say(where, Kind.STEP)

    def say(self, text: str = "") -> None:
        """A line of the conversation."""
        self._say(text)

    def todo(self, text: str) -> None:
        """Something the user does elsewhere, now."""
        self._say(text, indent=2)

    def hint(self, text: str) -> None:
        """An explanation that the experienced skip."""
        self._say(text, Kind.HINT, indent=2)

    def done(self, text: str) -> None:
        """Something is now true."""
        self._say(text, Kind.DONE, mark="done")

    def warn(self, text: str) -> None:
        """Something the user should know, and that is no finding."""
        self._say(text, Kind.WARNING, mark="warning")

    def outcome(self, outcome: Outcome, title: str, detail: str) -> None:
        """What a check came to, in one line; what to do about it is for `finding`."""
        symbol, kind, word = _OUTCOMES[outcome]
        is_clear = outcome is Outcome.SKIPPED or (outcome is Outcome.PROVED and not self._plain)
        self._say(
            Message(
                "{title}: {detail}" if is_clear else "{title}, {outcome}: {detail}",
                title=Message.of(title),
                outcome=word,
                detail=Message.of(detail),
            ),
            kind,
            mark="" if self._plain else symbol,
        )

    def link(self, label: str, url: str) -> None:
        """A link without which the command cannot go on: shown even when quiet or silent."""
        self._stderr.write(f"{self._shown(label)}\n    {printable(url)}\n")
        self._stderr.flush()

    def verbatim(self, label: str | None, lines: Sequence[str]) -> None:
        """Lines to copy; they are never wrapped, so that a terminal copies them whole."""
        if label:
            self._say(label, indent=2)
        for line in lines:
            self._say(line, Kind.VERBATIM, indent=4, wrap=False)

    def finding(self, finding: Finding) -> None:
        """What is wrong, why, and the next step; problems are said even when quiet."""
        kind = _SEVERITY_KINDS[finding.severity]
        loud = finding.severity is not Severity.NOTE
        title = Message(
            "{title} ({rule})", title=Message.of(finding.rule.title), rule=finding.rule.id
        )
        self._say(title, kind, mark=finding.severity.value, loud=loud)
        for line in filter(None, (finding.detail, finding.rule.why)):
            self._say(line, indent=2, loud=loud)
        self._say(Message("Next: {step}", step=Message.of(finding.fix)), indent=2, loud=loud)

    def diff(self, lines: Sequence[DiffLine]) -> None:
        """What changes in a file, line by line."""
        for line in lines:
            kind = Kind.REMOVED if line.sign == REMOVED else Kind.ADDED
            self._say(line.text, kind, lead=f"{line.number:>5} {line.sign}")

    def setting(self, title: str, removed: Sequence[str], added: Sequence[str], why: str) -> None:
        """A setting that changes elsewhere than in a file, as a diff, and why."""
        self._say(Message("{title}: {why}", title=Message.of(title), why=Message.of(why)), indent=2)
        for sign, kind, lines in (("-", Kind.REMOVED, removed), ("+", Kind.ADDED, added)):
            for line in lines:
                self._say(f"{sign} {line}", kind, indent=4, wrap=False)

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Show that something takes time."""
        if self._quiet:
            yield
        elif self._draws:
            spinner = "dots" if is_unicode(self._stderr.encoding) else "line"
            status = self._rich().status(self._shown(text), spinner=spinner)
            with self._lock:
                status.start()
            try:
                yield
            finally:
                with self._lock:
                    status.stop()
        else:
            self._say(Message("{doing} ...", doing=Message.of(text)))
            yield

    @contextmanager
    def standing(self) -> Iterator[Callable[[str], None]]:
        """A line below all others that can be changed, in a terminal; nothing elsewhere."""
        if self._quiet or not self._draws:
            yield lambda _: None
            return
        from rich.text import Text

        def show(text: str) -> None:
            status.update(Text(self._shown(text), style=Kind.HINT.value))

        with self._rich().status("") as status:
            yield show

    def live(self, text: str) -> None:
        """A line that passes by while a tunnel is open."""
        self._say(one_line(self.language.say(text)), Kind.HINT)

    def data(self, value: Mapping[str, object]) -> None:
        """One JSON object on standard output."""
        # Readers expect UTF-8, which ASCII is too; Windows gives a redirected output others.
        takes_all = is_unicode(self._stdout.encoding or "utf-8")
        text = json.dumps(value, indent=2, ensure_ascii=not takes_all)
        self._stdout.write(printable_json(text) + "\n")
        self._stdout.flush()

    def text(self, text: str) -> None:
        """Text that was asked for, on standard output."""
        shown = encodable(printable(self.language.say(text)), self._stdout.encoding)
        self._stdout.write(f"{shown}\n")
        self._stdout.flush()

    def rows(self, rows: Iterable[tuple[str, str]]) -> None:
        """Text that was asked for, on standard output: a word, and what is said beside it."""
        width = _columns(self._stdout)
        for before, text in rows:
            self.text(_wrapped(before, self.language.say(text), width))

    def _say(
        self,
        text: str,
        kind: Kind = Kind.PLAIN,
        *,
        mark: str = "",
        lead: str = "",
        indent: int = 0,
        wrap: bool = True,
        loud: bool = False,
    ) -> None:
        if self._silent or (self._quiet and not loud):
            return
        line = self._shown(text)
        with self._lock:
            self._print(line, kind, lead or self._mark(mark), indent, wrap)

    def _shown(self, text: str) -> str:
        """The text in the user's language, as the terminal can show it."""
        shown = printable(self.language.say(text))
        if self._plain:
            shown = shown.replace(MASK, self.language.say(HIDDEN))
        return encodable(shown, self._stderr.encoding)

    def _print(self, line: str, kind: Kind, lead: str, indent: int, wrap: bool) -> None:
        if not self._draws:
            before = f"{' ' * indent}{lead}{' ' if lead else ''}"
            width = _columns(self._stderr) if wrap else None
            self._stderr.write(f"{_wrapped(before, line, width)}\n")
            self._stderr.flush()
            return
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        styled = Text(line, style=kind.value)
        if not wrap or not (line or lead):  # rich pads an empty line to none at all
            self._rich().print(Text(" " * indent) + styled, soft_wrap=True)
        elif not lead:
            self._rich().print(Padding(styled, (0, 0, 0, indent), expand=False))
        else:  # what is wrapped stands under the words, not under the mark before them
            row = Table.grid(padding=(0, 1))
            row.add_column()
            row.add_column(overflow="fold")  # a long path is no less of one
            row.add_row(Text(lead, style=kind.value), styled)
            self._rich().print(row)

    def _mark(self, name: str) -> str:
        if not name:
            return ""
        if self._plain:
            return self.language.say(_PLAIN_MARKS.get(name, ""))
        symbol, ascii_symbol = _SYMBOLS[name]
        return symbol if is_unicode(self._stderr.encoding) else ascii_symbol

    def _rich(self) -> RichConsole:
        if self._rich_console is None:
            from rich.console import Console as RichConsole

            self._rich_console = RichConsole(
                file=self._stderr, highlight=False, markup=False, emoji=False, soft_wrap=False
            )
        return self._rich_console


def _columns(stream: TextIO) -> int | None:
    """How wide the terminal is; None where the stream is none, or does not know."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # StringIO's fileno raises a subclass of both
        return None


def _wrapped(before: str, text: str, width: int | None) -> str:
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
