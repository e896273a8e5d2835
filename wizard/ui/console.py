"""What users read. Words go to standard error, data to standard output.

Callers say what a line *is* (a step, a hint, a finding); this module knows how that looks, and
`wizard.ui.screen` shows it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TextIO

from wizard.defaults import ENGLISH
from wizard.findings import Finding, Outcome, Severity
from wizard.language import Language, Message, changed
from wizard.librechat.env_diff import REMOVED, DiffLine
from wizard.text import (
    LONG_SECRET,
    Secrets,
    encodable,
    is_unicode,
    one_line,
    printable,
    printable_json,
)
from wizard.ui.screen import Kind, Line, Screen, columns, wrapped

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
        self._stdout = stdout or sys.stdout
        self.language = language or Language(ENGLISH)
        self._screen = Screen(stderr or sys.stderr, self.language, plain=plain)
        self._plain = plain
        self._quiet = quiet or silent
        self._silent = silent
        self._secrets = Secrets()

    @property
    def is_terminal(self) -> bool:
        """Whether a person watches."""
        return self._screen.is_terminal

    def hide(self, secrets: Secrets) -> None:
        """Hide these from now on in what others wrote, never in words of ours.

        Short ones would hide parts of names and paths; whoever shows a file's values hides them.
        """
        long = {secret for secret in secrets.values if len(secret) >= LONG_SECRET}
        self._secrets = Secrets(self._secrets.values | long)

    def hidden(self, text: str) -> str:
        """Return what others wrote without the secrets that are known."""
        return self._secrets.hidden_in(text)

    def step(self, number: int, total: int, title: str) -> None:
        """Where the user is."""
        where = Message(
            "Step {number} of {total}: {title}", number=number, total=total, title=Message.of(title)
        )
        self._show(Line(""), Line(where, Kind.STEP))

    def say(self, text: str = "") -> None:
        """A line of the conversation."""
        self._show(Line(text))

    def todo(self, text: str) -> None:
        """Something the user does elsewhere, now."""
        self._show(Line(text, indent=2))

    def hint(self, text: str) -> None:
        """An explanation that the experienced skip."""
        self._show(Line(text, Kind.HINT, indent=2))

    def done(self, text: str) -> None:
        """Something is now true."""
        self._show(Line(text, Kind.DONE, self._mark("done")))

    def warn(self, text: str) -> None:
        """Something the user should know, and that is no finding."""
        self._show(Line(text, Kind.WARNING, self._mark("warning")))

    def outcome(self, outcome: Outcome, title: str, detail: str) -> None:
        """What a check came to, in one line; what to do about it is for `finding`."""
        symbol, kind, word = _OUTCOMES[outcome]
        is_clear = outcome is Outcome.SKIPPED or (outcome is Outcome.PROVED and not self._plain)
        template = "{title}: {detail}" if is_clear else "{title}, {outcome}: {detail}"
        text = Message(template, title=Message.of(title), outcome=word, detail=Message.of(detail))
        self._show(Line(text, kind, "" if self._plain else self._mark(symbol)))

    def link(self, label: str, url: str) -> None:
        """A link without which the command cannot go on: shown even when quiet or silent."""
        self._screen.link(label, url)

    def verbatim(self, label: str | None, lines: Sequence[str]) -> None:
        """Lines to copy; they are never wrapped, so that a terminal copies them whole."""
        above = [Line(label, indent=2)] if label else []
        self._show(*above, *(Line(each, Kind.VERBATIM, indent=4, wrap=False) for each in lines))

    def finding(self, finding: Finding) -> None:
        """What is wrong, why, and the next step; problems are said even when quiet."""
        finding = finding.changed(self.hidden)
        title = Message(
            "{title} ({rule})", title=Message.of(finding.rule.title), rule=finding.rule.id
        )
        step = Message("Next: {step}", step=Message.of(finding.fix))
        self._show(
            Line(title, _SEVERITY_KINDS[finding.severity], self._mark(finding.severity.value)),
            *(Line(each, indent=2) for each in (finding.detail, finding.rule.why, step) if each),
            loud=finding.severity is not Severity.NOTE,
        )

    def diff(self, lines: Sequence[DiffLine]) -> None:
        """What changes in a file, line by line."""
        self._show(
            *(
                Line(
                    line.text,
                    Kind.REMOVED if line.sign == REMOVED else Kind.ADDED,
                    f"{line.number:>5} {line.sign}",
                )
                for line in lines
            )
        )

    def setting(self, title: str, removed: Sequence[str], added: Sequence[str], why: str) -> None:
        """A setting that changes elsewhere than in a file, as a diff, and why."""
        head = Message("{title}: {why}", title=Message.of(title), why=Message.of(why))
        self._show(
            Line(head, indent=2),
            *(Line(f"- {each}", Kind.REMOVED, indent=4, wrap=False) for each in removed),
            *(Line(f"+ {each}", Kind.ADDED, indent=4, wrap=False) for each in added),
        )

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Show that something takes time."""
        if self._screen.draws and not self._quiet:
            with self._screen.spinner(text):
                yield
        else:
            self._show(Line(Message("{doing} ...", doing=Message.of(text))))
            yield

    @contextmanager
    def standing(self) -> Iterator[Callable[[str], None]]:
        """A line below all others that can be changed, in a terminal; nothing elsewhere."""
        if self._quiet or not self._screen.draws:
            yield lambda _: None
            return
        with self._screen.standing() as show:
            yield show

    def live(self, text: str) -> None:
        """A line that passes by while a tunnel is open."""
        self._show(Line(one_line(self.language.say(self._without_secrets(text))), Kind.HINT))

    def data(self, value: Mapping[str, object]) -> None:
        """One JSON object on standard output."""
        # Readers expect UTF-8, which ASCII is too; Windows gives a redirected output others.
        takes_all = is_unicode(self._stdout.encoding or "utf-8")
        text = json.dumps(_changed(value, self.hidden), indent=2, ensure_ascii=not takes_all)
        self._stdout.write(printable_json(text) + "\n")
        self._stdout.flush()

    def text(self, text: str) -> None:
        """Text that was asked for, on standard output."""
        shown = encodable(printable(self.language.say(text)), self._stdout.encoding)
        self._stdout.write(f"{shown}\n")
        self._stdout.flush()

    def rows(self, rows: Iterable[tuple[str, str]]) -> None:
        """Text that was asked for, on standard output: a word, and what is said beside it."""
        width = columns(self._stdout)
        for before, text in rows:
            self.text(wrapped(before, self.language.say(text), width))

    def _show(self, *lines: Line, loud: bool = False) -> None:
        if not self._silent and (loud or not self._quiet):
            self._screen.show(
                [replace(line, text=self._without_secrets(line.text)) for line in lines]
            )

    def _without_secrets(self, text: str) -> str:
        """The text, of whose own words none is hidden: whole where it is no message."""
        return changed(text, self.hidden) if isinstance(text, Message) else text

    def _mark(self, name: str) -> str:
        if self._plain:
            return self.language.say(_PLAIN_MARKS.get(name, ""))
        symbol, ascii_symbol = _SYMBOLS[name]
        return symbol if self._screen.is_unicode else ascii_symbol


def _changed(value: object, change: Callable[[str], str]) -> object:
    """Return the JSON with what others wrote in its messages changed."""
    match value:
        case Message():
            return changed(value, change)
        case Mapping():
            return {name: _changed(each, change) for name, each in value.items()}
        case list() | tuple():
            return [_changed(each, change) for each in value]
        case _:
            return value
