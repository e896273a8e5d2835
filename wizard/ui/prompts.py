"""What users answer: the `Prompter` port and its form in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from wizard.settings import InvalidValue

if TYPE_CHECKING:
    from prompt_toolkit.output import Output
    from questionary import Question, Style

Check = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of several; `key` is returned, `label` is read."""

    key: str
    label: str


class Prompter(Protocol):
    """Asks a person. Ctrl-C and Ctrl-D raise KeyboardInterrupt.

    `check` raises `InvalidValue` for an answer that cannot be right; its reason is shown and
    the question stays.
    """

    def text(self, question: str, *, default: str = "", check: Check | None = None) -> str:
        """A line of text."""
        ...

    def secret(self, question: str, *, check: Check | None = None) -> str:
        """A line that is not shown."""
        ...

    def confirm(self, question: str, *, default: bool = True) -> bool:
        """Yes or no."""
        ...

    def select(self, question: str, choices: Sequence[Choice], *, default: str = "") -> str:
        """The key of one of the choices."""
        ...


class TerminalPrompter:
    """`Prompter` on questionary. Asks on standard error: standard output is for data.

    Args:
        explain: shows why an answer cannot be right. A line of its own, since questionary's
            validation bar is cut off at the terminal's width.
    """

    def __init__(self, explain: Callable[[str], None]) -> None:
        self._explain = explain

    def text(self, question: str, *, default: str = "", check: Check | None = None) -> str:
        """See `Prompter.text`; an answer that is refused is there to be corrected."""
        import questionary

        answer = default
        while True:
            answer = self._ask(
                questionary.text(
                    question, default=answer, style=self._style(), output=self._output()
                )
            )
            if self._accepts(answer, check):
                return answer

    def secret(self, question: str, *, check: Check | None = None) -> str:
        """See `Prompter.secret`."""
        import questionary

        while True:
            answer = self._ask(
                questionary.password(question, style=self._style(), output=self._output())
            )
            if self._accepts(answer, check):
                return answer

    def confirm(self, question: str, *, default: bool = True) -> bool:
        """See `Prompter.confirm`."""
        import questionary

        return bool(
            self._ask(
                questionary.confirm(
                    question, default=default, style=self._style(), output=self._output()
                )
            )
        )

    def select(self, question: str, choices: Sequence[Choice], *, default: str = "") -> str:
        """See `Prompter.select`."""
        import questionary

        return self._ask(
            questionary.select(
                question,
                [questionary.Choice(choice.label, choice.key) for choice in choices],
                default=default or None,
                use_shortcuts=False,
                instruction="(arrow keys, Enter)",
                style=self._style(),
                output=self._output(),
            )
        )

    def _accepts(self, answer: str, check: Check | None) -> bool:
        try:
            if check is not None:
                check(answer)
        except InvalidValue as reason:
            self._explain(str(reason))
            return False
        return True

    def _ask(self, question: Question) -> str:
        try:
            # `ask` would swallow Ctrl-C and answer None.
            return cast(str, question.unsafe_ask())
        except EOFError:
            raise KeyboardInterrupt from None

    def _output(self) -> Output:
        from prompt_toolkit.output import create_output

        return create_output(stdout=sys.stderr)

    def _style(self) -> Style:
        """Bold and the terminal's own colours: readable on dark and on light."""
        import questionary

        return questionary.Style(
            [
                ("qmark", "fg:ansicyan bold"),
                ("question", "bold"),
                ("answer", "fg:ansigreen"),
                ("pointer", "fg:ansicyan bold"),
                ("highlighted", "fg:ansicyan bold"),
                ("selected", "noreverse"),
                ("instruction", "nobold"),
            ]
        )
