"""Prints messages to standard error and data to standard output.

Callers say what a line *is* (a step, a hint, a finding); this module decides how that looks, and
`wizard.ui.screen` prints it.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple, TextIO

from wizard.defaults import ENGLISH
from wizard.findings import Finding, Outcome, Rule, Severity
from wizard.language import Language, Message, changed
from wizard.text import (
    LONG_SECRET,
    Secrets,
    encodable,
    is_unicode,
    one_line,
    printable,
    printable_json,
)
from wizard.ui.screen import Kind, Line, Screen, hint_line


class _Mark(NamedTuple):
    """How a severity or an outcome looks: its symbol, that of ASCII, its kind and its word."""

    symbol: str
    ascii: str
    kind: Kind
    word: Message


_MARKS: dict[Severity | Outcome, _Mark] = {
    Severity.ERROR: _Mark("✗", "x", Kind.ERROR, Message("Error:")),
    Severity.WARNING: _Mark("!", "!", Kind.WARNING, Message("Warning:")),
    Severity.NOTE: _Mark("i", "i", Kind.NOTE, Message("Note:")),
    Outcome.PROVED: _Mark("✓", "ok", Kind.DONE, Message("proved")),
    Outcome.LIKELY: _Mark("≈", "~", Kind.DONE, Message("likely")),
    Outcome.UNPROVED: _Mark("?", "?", Kind.WARNING, Message("unproved")),
    Outcome.FAILED: _Mark("✗", "x", Kind.ERROR, Message("failed")),
    Outcome.SKIPPED: _Mark("·", "-", Kind.HINT, Message("skipped")),
}
# A question of up to three rows, and the line below.
_ROWS_OF_A_QUESTION = 4


class Console:
    """The user's terminal."""

    def __init__(
        self,
        *,
        stderr: TextIO | None = None,  # of messages
        stdout: TextIO | None = None,  # of data
        language: Language | None = None,  # English by default
        plain: bool = False,  # words in place of symbols, for screen readers and simple terminals
        quiet: bool = False,  # problems only
        silent: bool = False,  # no message at all (`--json`)
    ) -> None:
        self._stdout = stdout or sys.stdout
        self.language = language or Language(ENGLISH)
        self._screen = Screen(stderr or sys.stderr, self.language, plain=plain)
        self._output = Screen(self._stdout, self.language, plain=plain)
        self._plain = plain
        self._quiet = quiet or silent
        self._silent = silent
        self._secrets = Secrets()

    @property
    def is_terminal(self) -> bool:
        return self._screen.is_terminal

    def hide(self, secrets: Secrets) -> None:
        """Hide these from now on in foreign text, never in our own words.

        Short ones are ignored, since they may be parts of names and paths.
        """
        long = {secret for secret in secrets.values if len(secret) >= LONG_SECRET}
        self._secrets = Secrets(self._secrets.values | long)

    def hidden(self, text: str) -> str:
        """Return foreign text without the known secrets."""
        return self._secrets.hidden_in(text)

    def step(self, number: int, total: int, title: str) -> None:
        """Print the heading of a step."""
        where = Message(
            "Step {number} of {total}: {title}", number=number, total=total, title=Message.of(title)
        )
        self.show([Line(""), Line(where, Kind.TITLE)])

    def say(self, text: str = "", /, **values: object) -> None:
        """Print a line."""
        self.show([Line(_filled(text, values))])

    def todo(self, text: str, /, **values: object) -> None:
        """Print something for the user to do elsewhere."""
        self.show([Line(_filled(text, values), indent=2)])

    def hint(self, text: str, /, **values: object) -> None:
        """Print an explanation for newcomers."""
        self.show([hint_line(_filled(text, values))])

    def done(self, text: str, /, **values: object) -> None:
        """Print a success."""
        self.show([self._marked(Outcome.PROVED, _filled(text, values))])

    def warn(self, text: str, /, **values: object) -> None:
        """Print a warning that is not a finding."""
        self.show([self._marked(Severity.WARNING, _filled(text, values))])

    def outcome(self, outcome: Outcome, title: str, detail: str) -> None:
        """Print the result of a check in one line, without a remedy."""
        is_clear = outcome is Outcome.SKIPPED or (outcome is Outcome.PROVED and not self._plain)
        template = "{title}: {detail}" if is_clear else "{title}, {outcome}: {detail}"
        values = {"title": Message.of(title), "detail": Message.of(detail)}
        text = Message(template, outcome=_MARKS[outcome].word, **values)
        self.show([self._marked(outcome, text)])

    def link(self, label: str, url: str) -> None:
        """Print a link that the user must open, even when quiet or silent."""
        self._screen.show([Line(label), Line(url, indent=4, wrap=False)])

    def verbatim(self, label: str | None, lines: Sequence[str]) -> None:
        """Print lines to copy, without wrapping, under a label."""
        above = [Line(label, indent=2)] if label else []
        self.show([*above, *(Line(each, Kind.VERBATIM, indent=4, wrap=False) for each in lines)])

    def part(self, title: str, detail: str, state: Severity | Outcome) -> None:
        """Print a part of the setup with its worst finding, or whether it was checked."""
        text = Message("{title}: {detail}", title=Message.of(title), detail=Message.of(detail))
        self.show([self._marked(Severity.ERROR if state is Outcome.FAILED else state, text)])

    def finding(self, *findings: Finding) -> None:
        """Print what is wrong, why, and the next step; problems even when quiet."""
        for each in findings:
            lines = self._lines_of(each.changed(self.hidden))
            self.show(lines, loud=each.severity is not Severity.NOTE)

    def _lines_of(self, finding: Finding) -> Sequence[Line]:
        """Return all about a finding.

        Where that leaves no room for a question and its hints on the terminal, it leaves out why.
        """
        step = Message("Next: {step}", step=Message.of(finding.fix))
        title, detail, why, fix = (
            self.title(finding.rule),
            *(Line(each, indent=2) for each in (finding.detail, finding.rule.why, step)),
        )
        lines = [title, *(line for line in (detail, why, fix) if line.text)]
        room = self._screen.rows - 2 * _ROWS_OF_A_QUESTION
        if room > 0 and sum(map(self._screen.height, lines)) > room and why.text:
            lines.remove(why)
        return lines

    def finding_title(self, finding: Finding) -> None:
        """Print what is wrong in one line, under its part; problems even when quiet."""
        line = self.title(finding.rule)
        line = line._replace(lead=f"  {line.lead}", is_title=False)
        self.show([line], loud=finding.severity is not Severity.NOTE)

    def title(self, rule: Rule) -> Line:
        """Return the first line about a rule."""
        title = Message("{title} ({rule})", title=Message.of(rule.title), rule=rule.id)
        return self._marked(rule.severity, title)._replace(is_title=True)

    def _marked(self, state: Severity | Outcome, text: str) -> Line:
        """Return a line with the symbol of its state; with a word or nothing in plain output."""
        mark = _MARKS[state]
        lead = mark.symbol if self._screen.is_unicode else mark.ascii
        if self._plain:
            lead = self.language.say(mark.word) if isinstance(state, Severity) else ""
        return Line(text, mark.kind, lead)

    def rule(self, rule: Rule) -> Line:
        """Return the line of a rule in a list."""
        line = self._marked(rule.severity, rule.title)
        return line._replace(lead=f"{line.lead} {rule.id}", indent=2)

    def pages(self, lines: Sequence[Line]) -> list[list[Line]]:
        """Return the lines in parts that fit the terminal, with a line below and a question."""
        return self._screen.pages(lines, 1 + _ROWS_OF_A_QUESTION)

    @contextmanager
    def working(self, text: str, /, **values: object) -> Iterator[None]:
        """Show a spinner while something takes time, or a line."""
        doing = _filled(text, values)
        if self._screen.draws and not self._quiet:
            with self._screen.spinner(doing):
                yield
        else:
            self.say("{doing} ...", doing=Message.of(doing))
            yield

    def standing(self) -> AbstractContextManager[Callable[[str], None]]:
        """Draw a changing line below all others on a terminal, nothing elsewhere."""
        if self._quiet or not self._screen.draws:
            return nullcontext(lambda _: None)
        return self._screen.standing()

    def live(self, text: str) -> None:
        """Print a line of the log of an open tunnel."""
        self.show([Line(one_line(self.language.say(self._without_secrets(text))), Kind.HINT)])

    def data(self, value: Mapping[str, object]) -> None:
        """Print one JSON object on standard output."""
        # Readers expect UTF-8. Windows gives redirected output other encodings; ASCII fits all.
        takes_all = is_unicode(self._stdout.encoding or "utf-8")
        text = json.dumps(_changed(value, self.hidden), indent=2, ensure_ascii=not takes_all)
        self._stdout.write(printable_json(text) + "\n")
        self._stdout.flush()

    def text(self, text: str) -> None:
        """Print text on standard output, unless `--json` prints its object there."""
        if self._silent:
            return
        shown = encodable(printable(self.language.say(text)), self._stdout.encoding)
        self._stdout.write(f"{shown}\n")
        self._stdout.flush()

    def page(self, lines: Iterable[Line]) -> None:
        """Print lines on standard output, unless `--json` prints its object there."""
        if not self._silent:
            self._output.show(list(lines))

    def show(self, lines: Iterable[Line], *, loud: bool = False) -> None:
        """Print lines of any kind; `loud` ones even when quiet."""
        if not self._silent and (loud or not self._quiet):
            self._screen.show(
                [line._replace(text=self._without_secrets(line.text)) for line in lines]
            )

    def _without_secrets(self, text: str) -> str:
        """Hide secrets in the values of a message; a plain string is our own words."""
        return changed(text, self.hidden) if isinstance(text, Message) else text


def _filled(text: str, values: Mapping[str, object]) -> str:
    return Message(text, **values) if values else text


def _changed(value: object, change: Callable[[str], str]) -> object:
    """Return the JSON with the foreign text of its messages changed."""
    match value:
        case Message():
            return changed(value, change)
        case Mapping():
            return {name: _changed(each, change) for name, each in value.items()}
        case list() | tuple():
            return [_changed(each, change) for each in value]
        case _:
            return value
