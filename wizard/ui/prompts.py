"""What users answer: the `Prompter` port and its two forms in a terminal."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from wizard.language import Language, Message
from wizard.settings import InvalidValue
from wizard.text import encodable, printable

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.output import Output
    from questionary import Question, Style

Check = Callable[[str], object]
YES_OR_NO = Message("Y/n")
NO_OR_YES = Message("y/N")
# A terminal hands a long paste over in pieces, as they are read.
_SECONDS_TO_PASTE_MORE = 0.01


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


def _forget_what_was_typed_ahead() -> None:
    """Drop the keys that came before a question did: the rest of a paste must not answer it.

    Raises:
        KeyboardInterrupt: Ctrl-C was among them.
    """
    from prompt_toolkit.input import create_input
    from prompt_toolkit.input.typeahead import get_typeahead
    from prompt_toolkit.keys import Keys

    source = create_input()
    presses = get_typeahead(source)
    with source.raw_mode():
        while more := source.read_keys():
            presses += more
            time.sleep(_SECONDS_TO_PASTE_MORE)
    if any(press.key is Keys.ControlC for press in presses):
        raise KeyboardInterrupt


@contextmanager
def _raw_again_after_a_stop() -> Iterator[None]:
    """Keep the terminal from echoing also after `kill -TSTP` and `fg`.

    A shell whose job was stopped sets the terminal as it likes it, and leaves it so.
    """
    goes_on = getattr(signal, "SIGCONT", None)  # which Windows has not
    if goes_on is None:
        yield
        return
    from prompt_toolkit.input import create_input

    before = signal.signal(goes_on, lambda *_: create_input().raw_mode().__enter__())
    try:
        yield
    finally:
        signal.signal(goes_on, before)


def _own_keys() -> KeyBindings:
    """Keys that do other than prompt_toolkit and questionary have them do.

    Ctrl-D stops, in lists too; where it has a character to delete, it does that. What is pasted
    stays one line, which can be corrected.
    """
    from prompt_toolkit.application import get_app
    from prompt_toolkit.enums import DEFAULT_BUFFER
    from prompt_toolkit.filters import Condition, has_focus
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.keys import Keys

    bindings = KeyBindings()
    at_the_end = Condition(lambda: get_app().current_buffer.document.is_cursor_at_the_end)

    @bindings.add(Keys.ControlD, filter=at_the_end, eager=True)
    def stop(event: KeyPressEvent) -> None:
        event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    @bindings.add(Keys.BracketedPaste, filter=has_focus(DEFAULT_BUFFER), eager=True)
    def paste(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text(" ".join(event.data.strip().splitlines()))

    return bindings


class TerminalPrompter(_Asking):
    """`Prompter` on questionary. Asks on standard error: standard output is for data."""

    def text(self, question: str, *, default: str = "", check: Check | None = None) -> str:
        """See `Prompter.text`; what is typed or pasted takes the place of the default."""
        message = self._language.say(question)
        shown = f"{message} [{default}]" if default else message
        return self._line(shown, default, check)

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
        _forget_what_was_typed_ahead()
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
                pointer=">",  # which every terminal has
                use_shortcuts=False,
                instruction=say("(arrow keys, Enter)"),
                style=self._style(),
                output=self._output(),
            )
        )

    def _line(self, message: str, default: str, check: Check | None) -> str:
        import questionary

        while True:
            question = questionary.text(message, style=self._style(), output=self._output())
            answer = self._ask(question) or default
            if self._accepts(answer, check):
                return answer

    def _ask(self, question: Question) -> str:
        from prompt_toolkit.key_binding import merge_key_bindings

        own = question.application.key_bindings
        bindings = merge_key_bindings([_own_keys(), *([own] if own else [])])
        question.application.key_bindings = bindings
        with _raw_again_after_a_stop():
            # `ask` would swallow Ctrl-C and answer None.
            return cast(str, question.unsafe_ask())

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
        prompt = f"{message} [{default}]: " if default else f"{message}: "
        return self._until_accepted(lambda: self._line(prompt) or default, check)

    def secret(self, question: str, *, check: Check | None = None) -> str:
        """See `Prompter.secret`."""
        prompt = f"{self._language.say(question)}: "
        return self._until_accepted(lambda: self._hidden_line(prompt), check)

    def confirm(self, question: str, *, default: bool = True) -> bool:
        """See `Prompter.confirm`."""
        message, read = self._yes_or_no(question, default=default)
        _forget_what_was_typed_ahead()
        return read(self.text(message, check=read))

    def select(self, question: str, choices: Sequence[Choice], *, default: str = "") -> str:
        """See `Prompter.select`; the choices are numbered."""
        keys = [choice.key for choice in choices]
        self._write(f"{self._language.say(question)}\n")
        for number, choice in enumerate(choices, 1):
            self._write(f"  {number}. {self._language.say(choice.label)}\n")

        def read(answer: str) -> str:
            if not answer.strip().isdecimal() or not 1 <= int(answer) <= len(keys):
                raise InvalidValue(
                    Message("Answer with a number from 1 to {count}.", count=len(keys))
                )
            return keys[int(answer) - 1]

        first = str(keys.index(default) + 1) if default in keys else ""
        return read(self.text("Number", default=first, check=read))

    def _until_accepted(self, ask: Callable[[], str], check: Check | None) -> str:
        while True:
            try:
                answer = ask()
            except UnicodeDecodeError as error:
                self._explain(
                    Message("The terminal sent what is no {encoding}.", encoding=error.encoding)
                )
            except (EOFError, KeyboardInterrupt):
                self._write("\n")
                raise KeyboardInterrupt from None
            else:
                if self._accepts(answer, check):
                    return answer

    def _line(self, prompt: str) -> str:
        self._write(prompt)
        line = sys.stdin.readline()
        if not line.endswith("\n"):
            raise EOFError
        return line.rstrip("\r\n")

    def _hidden_line(self, prompt: str) -> str:
        """A line of any length: getpass's ends where the terminal's own does, at 1 to 4 kB."""
        from prompt_toolkit import PromptSession
        from prompt_toolkit.input import create_input
        from prompt_toolkit.output import DummyOutput

        session = PromptSession[str](output=DummyOutput(), key_bindings=_own_keys())
        # Nothing is echoed from the first key on.
        with create_input().raw_mode(), _raw_again_after_a_stop():
            self._write(prompt)
            answer = session.prompt()
            # The rest of a paste would be echoed at the next question. Out of raw mode it came in
            # one piece of many lines, which would lie in the buffer of `sys.stdin`.
            _forget_what_was_typed_ahead()
        self._write("\n")
        return answer

    def _write(self, text: str) -> None:
        sys.stderr.write(encodable(printable(text), sys.stderr.encoding))
        sys.stderr.flush()
