"""What users answer: the `Prompter` port and its two forms in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from wizard.language import Language, Message
from wizard.settings import InvalidValue

if TYPE_CHECKING:
    from prompt_toolkit.output import Output
    from questionary import Question, Style

Check = Callable[[str], object]
YES_OR_NO = Message("Y/n")
NO_OR_YES = Message("y/N")


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


class _Asking:
    """What both forms have in common: a question stays until its answer can be right.

    Args:
        explain: shows why an answer cannot be right. A line of its own, since questionary's
            validation bar is cut off at the terminal's width.
        language: what is spoken.
    """

    def __init__(self, explain: Callable[[str], None], language: Language) -> None:
        self._explain = explain
        self._language = language

    def _accepts(self, answer: str, check: Check | None) -> bool:
        try:
            if check is not None:
                check(answer)
        except InvalidValue as invalid:
            self._explain(invalid.reason)
            return False
        return True

    def _yes_or_no(self, question: str, *, default: bool) -> tuple[str, Callable[[str], bool]]:
        """The question with the letters that answer it, and what reads the answer."""
        letters = self._language.say(YES_OR_NO if default else NO_OR_YES)
        yes, no = letters.lower().split("/")

        def read(answer: str) -> bool:
            first = answer.strip().lower()[:1]
            if first and first not in {yes, no, "y", "n"}:
                raise InvalidValue(Message("Answer {yes} or {no}.", yes=yes, no=no))
            return default if not first else first != no

        return f"{self._language.say(question)} ({letters})", read


class TerminalPrompter(_Asking):
    """`Prompter` on questionary. Asks on standard error: standard output is for data."""

    def text(self, question: str, *, default: str = "", check: Check | None = None) -> str:
        """See `Prompter.text`; an answer that is refused is there to be corrected."""
        return self._line(self._language.say(question), default, check)

    def secret(self, question: str, *, check: Check | None = None) -> str:
        """See `Prompter.secret`."""
        import questionary

        message = self._language.say(question)
        while True:
            answer = self._ask(
                questionary.password(message, style=self._style(), output=self._output())
            )
            if self._accepts(answer, check):
                return answer

    def confirm(self, question: str, *, default: bool = True) -> bool:
        """See `Prompter.confirm`; ended by Enter, so that a pasted line answers one question."""
        message, read = self._yes_or_no(question, default=default)
        return read(self._line(message, "", read))

    def select(self, question: str, choices: Sequence[Choice], *, default: str = "") -> str:
        """See `Prompter.select`."""
        import questionary

        say = self._language.say
        return self._ask(
            questionary.select(
                say(question),
                [questionary.Choice(say(choice.label), choice.key) for choice in choices],
                default=default or None,
                use_shortcuts=False,
                instruction=say(Message("(arrow keys, Enter)")),
                style=self._style(),
                output=self._output(),
            )
        )

    def _line(self, message: str, default: str, check: Check | None) -> str:
        import questionary

        answer = default
        while True:
            answer = self._ask(
                questionary.text(
                    message, default=answer, style=self._style(), output=self._output()
                )
            )
            if self._accepts(answer, check):
                return answer

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


class LinePrompter(_Asking):
    """`Prompter` that draws nothing: a line is asked, a line is read.

    For screen readers, which read drawn menus over and over, and for terminals that cannot draw.
    """

    def text(self, question: str, *, default: str = "", check: Check | None = None) -> str:
        """See `Prompter.text`."""
        message = self._language.say(question)
        while True:
            answer = self._read(f"{message} [{default}]: " if default else f"{message}: ")
            answer = answer or default
            if self._accepts(answer, check):
                return answer

    def secret(self, question: str, *, check: Check | None = None) -> str:
        """See `Prompter.secret`."""
        from getpass import getpass

        while True:
            try:
                answer = getpass(f"{self._language.say(question)}: ", stream=sys.stderr)
            except EOFError:
                raise KeyboardInterrupt from None
            if self._accepts(answer, check):
                return answer

    def confirm(self, question: str, *, default: bool = True) -> bool:
        """See `Prompter.confirm`."""
        message, read = self._yes_or_no(question, default=default)
        return read(self.text(message, check=read))

    def select(self, question: str, choices: Sequence[Choice], *, default: str = "") -> str:
        """See `Prompter.select`; the choices are numbered."""
        keys = [choice.key for choice in choices]
        for number, choice in enumerate(choices, 1):
            sys.stderr.write(f"  {number}. {self._language.say(choice.label)}\n")

        def read(answer: str) -> str:
            if not answer.strip().isdecimal() or not 1 <= int(answer) <= len(keys):
                raise InvalidValue(
                    Message("Answer with a number from 1 to {count}.", count=len(keys))
                )
            return keys[int(answer) - 1]

        first = str(keys.index(default) + 1) if default in keys else ""
        return read(self.text(question, default=first, check=read))

    def _read(self, prompt: str) -> str:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            sys.stderr.write("\n")
            raise KeyboardInterrupt
        return line.rstrip("\r\n")
