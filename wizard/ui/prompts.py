"""Asks the user: a `Prompter` that draws, and one that does not."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

from wizard.language import Language, Message
from wizard.settings import InvalidValue, pasted
from wizard.text import encodable, printable
from wizard.ui.screen import columns, wrapped

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.layout.processors import Processor
    from prompt_toolkit.output import Output
    from questionary import Style

T = TypeVar("T")
Parse = Callable[[str], T]
YES_OR_NO = Message("Y/n")
NO_OR_YES = Message("y/N")
# A terminal delivers a long paste in pieces.
_SECONDS_TO_PASTE_MORE = 0.01
# How long `Esc` waits for a further key of a sequence of ours, after prompt_toolkit has waited for
# one of the terminal's.
_SECONDS_FOR_ALT = 0.05
_MOST_STARS = 10  # fits 40 columns beside each question
# Esc in a line that the terminal itself edits.
_ESCAPE = "\x1b"


class Back(Exception):  # noqa: N818 - an answer of the user, not an error
    """The user goes back instead of answering: `Esc`, or `<` as the answer."""


class Choice(NamedTuple):
    """One of several answers; `key` is returned, `label` is shown, `more` on the key `?`."""

    key: str
    label: str
    more: str = ""


class Prompter:
    """Asks the user; a question is repeated until its answer can be parsed.

    `parse` returns the value of an answer or raises `InvalidValue`, whose reason is then shown.
    Ctrl-C and Ctrl-D raise KeyboardInterrupt.
    """

    def __init__(
        self,
        explain: Callable[[str], None],  # shows why an answer is invalid: a bar is cut off
        tell: Callable[[str], None],  # prints the details of a choice
        language: Language,
        *,
        goes_back: bool = False,  # questions raise `Back`; otherwise `Esc` does nothing
    ) -> None:
        self._explain = explain
        self._tell = tell
        self._language = language
        self._goes_back = goes_back
        self.asked = 0  # questions

    def with_back(self) -> Self:
        """Return a prompter whose questions raise `Back`."""
        return type(self)(self._explain, self._tell, self._language, goes_back=True)

    def text(
        self, question: str, *, parse: Parse[T], default: str = "", is_hidden: bool = False
    ) -> T:
        """Ask for a line of text; a hidden one is not echoed."""
        shown = self._said(question)
        if default:
            shown = f"{shown} [{printable(default)}]"
        return self._parsed(
            lambda: self._line(shown, is_hidden=is_hidden) or default,
            lambda answer: parse(pasted(answer)),
        )

    def confirm(
        self, question: str, *, default: bool = True, more: Callable[[], None] | None = None
    ) -> bool:
        """Ask yes or no; `more` is called, then the question repeated, where the user types `?`."""
        letters = self._language.say(YES_OR_NO if default else NO_OR_YES)
        yes, no = letters.lower().split("/")

        def parse(answer: str) -> bool:
            first = answer.strip().lower()[:1]
            if first and first not in {yes, no, "y", "n"}:
                raise InvalidValue("Answer {yes} or {no}.", yes=yes, no=no)
            return default if not first else first != no

        def ask() -> str:
            while (answer := self._line(asked)).strip() == "?" and more:
                more()
            return answer

        _drop_typeahead()
        keys = self._language.say(Message("{letters}; ? for details", letters=letters))
        asked = f"{self._said(question)} ({keys if more else letters})"
        return self._parsed(ask, parse)

    def select(self, question: str, choices: Sequence[Choice], *, default: str = "") -> str:
        """Ask for one of the choices; return its key."""
        _drop_typeahead()
        self.asked += 1
        return self._choice(question, choices, default)

    def keys(self) -> AbstractContextManager[Callable[[], str]]:
        """Read keys without Enter; the value returns the characters typed since its last call."""
        from wizard.ui.keys import single_keys

        return single_keys()

    def _said(self, text: str) -> str:
        """Return our text in the user's language; foreign text in it cannot act on the terminal."""
        return printable(self._language.say(text))

    def _parsed(self, ask: Callable[[], str], parse: Parse[T]) -> T:
        self.asked += 1
        while True:
            try:
                answer = ask()
                if self._goes_back and answer.strip() in {"<", _ESCAPE}:
                    raise Back
                return parse(answer)
            except InvalidValue as invalid:
                self._explain(invalid.reason)

    def _back_keys(self, *more: str) -> Sequence[str]:
        return ("escape", *more) if self._goes_back else ()

    def _line(self, question: str, *, is_hidden: bool = False) -> str:
        raise NotImplementedError

    def _choice(self, question: str, choices: Sequence[Choice], default: str) -> str:
        raise NotImplementedError


def _drop_typeahead() -> None:
    """Drop keys typed before the question: the rest of a paste must not answer it.

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
    """Turn echo off again after `kill -TSTP` and `fg`: the shell resets the terminal."""
    resumed = getattr(signal, "SIGCONT", None)  # Windows lacks it
    if resumed is None:
        yield
        return
    from prompt_toolkit.input import create_input

    before = signal.signal(resumed, lambda *_: create_input().raw_mode().__enter__())
    try:
        yield
    finally:
        signal.signal(resumed, before)


def _own_keys(back: Sequence[str]) -> "KeyBindings":
    """Return key bindings that replace those of prompt_toolkit and questionary.

    Ctrl-D stops, also in lists, unless it can delete a character. Ctrl-Z suspends. A paste becomes
    one line that can be edited. Alt-Enter does nothing: terminals send it for Esc, Enter too, and
    in a list it would accept an empty line. The keys of `back` raise `Back`.
    """
    from prompt_toolkit.application import get_app
    from prompt_toolkit.enums import DEFAULT_BUFFER
    from prompt_toolkit.filters import Condition, has_focus
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.keys import Keys

    bindings = KeyBindings()
    at_the_end = Condition(lambda: get_app().current_buffer.document.is_cursor_at_the_end)

    # What comes within half a second after Esc is one sequence with it.
    @bindings.add(Keys.Escape, Keys.ControlC, eager=True)
    @bindings.add(Keys.Escape, Keys.ControlD, eager=True)
    @bindings.add(Keys.ControlD, filter=at_the_end, eager=True)
    def stop(event: "KeyPressEvent") -> None:
        event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    @bindings.add(Keys.BracketedPaste, filter=has_focus(DEFAULT_BUFFER), eager=True)
    def paste(event: "KeyPressEvent") -> None:
        event.current_buffer.insert_text(" ".join(event.data.strip().splitlines()))

    @bindings.add(Keys.Escape, Keys.ControlM, eager=True)
    @bindings.add(Keys.Escape, Keys.Any)
    def ignore(event: "KeyPressEvent") -> None:
        pass

    def go_back(event: "KeyPressEvent") -> None:
        event.app.erase_when_done = True
        event.app.exit(exception=Back)

    bindings.add(Keys.ControlZ)(lambda event: event.app.suspend_to_background())
    for key in back:
        bindings.add(key)(go_back)
    return bindings


def _few_stars() -> "Processor":
    """Return what cuts the stars of a hidden answer: a token has thousands of characters."""
    from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
    from prompt_toolkit.layout.utils import explode_text_fragments

    class FewStars(Processor):
        def apply_transformation(self, given: TransformationInput) -> Transformation:
            return Transformation(
                explode_text_fragments(given.fragments)[:_MOST_STARS],
                source_to_display=lambda at: min(at, _MOST_STARS),
            )

    return FewStars()


class _Wrapped(str):
    """A question that is wrapped between words, for the width at which it is drawn."""

    __slots__ = ()

    def __format__(self, _: str) -> str:
        return wrapped("? ", self, columns(sys.stderr))[2:]


class TerminalPrompter(Prompter):
    """`Prompter` with questionary, on standard error."""

    def _line(self, question: str, *, is_hidden: bool = False) -> str:
        import questionary

        ask = questionary.password if is_hidden else questionary.text
        asked = ask(
            _Wrapped(question),
            style=self._style(),
            output=self._output(),
            input_processors=[_few_stars()] if is_hidden else [],
        )
        return str(self._run(asked.application))

    def _choice(self, question: str, choices: Sequence[Choice], default: str) -> str:
        from wizard.ui.menu import Menu, application

        say, order = self._said, [choice.key for choice in choices]
        more = any(choice.more for choice in choices)
        keys = Message("(arrows, Enter)")
        menu = Menu(
            say(question),
            say(Message("(arrows, Enter; ? for details)") if more else keys),
            [say(choice.label) for choice in choices],
            [say(choice.more) for choice in choices],
            order.index(default) if default in order else 0,
        )
        self._run(application(menu, self._style(), self._output()), "<")
        return order[menu.at]

    def _run(self, application: "Application[str]", *back: str) -> str:
        from prompt_toolkit.key_binding import merge_key_bindings

        own = application.key_bindings
        bindings = [_own_keys(self._back_keys(*back)), *([own] if own else [])]
        application.key_bindings = merge_key_bindings(bindings)
        application.timeoutlen = _SECONDS_FOR_ALT
        with _raw_again_after_a_stop():
            # The question's own `ask` turns Ctrl-C into None. prompt_toolkit's handler of SIGINT
            # raises "Application is not running" if the signal comes while the question ends.
            return application.run(handle_sigint=False)

    def _output(self) -> "Output":
        from prompt_toolkit.output import create_output

        return create_output(stdout=sys.stderr)

    def _style(self) -> "Style":
        import questionary

        return questionary.Style(
            [
                ("qmark", "fg:ansicyan bold"),
                ("question", "bold"),
                ("answer", "fg:ansigreen"),
                ("pointer", "fg:ansicyan bold"),
                ("highlighted", "fg:ansicyan bold"),
            ]
        )


class LinePrompter(Prompter):
    """`Prompter` that draws nothing, for screen readers and simple terminals."""

    def _choice(self, question: str, choices: Sequence[Choice], default: str) -> str:
        keys = [choice.key for choice in choices]
        self._write(f"{self._language.say(question)}\n")
        for number, choice in enumerate(choices, 1):
            self._write(f"  {number}. {self._language.say(choice.label)}\n")

        more = {number: it.more for number, it in enumerate(choices, 1) if it.more}

        def parse(answer: str) -> str:
            if more and answer.strip() == "?":
                return "?"
            if not answer.strip().isdecimal() or not 1 <= int(answer) <= len(keys):
                raise InvalidValue("Answer with a number from 1 to {count}.", count=len(keys))
            return keys[int(answer) - 1]

        first = str(keys.index(default) + 1) if default in keys else ""
        asked = Message("Number (? for details)") if more else Message("Number")
        while (answer := self.text(asked, parse=parse, default=first)) == "?":
            for number, text in more.items():
                self._tell(Message("{number}: {text}", number=number, text=Message.of(text)))
        return answer

    def _line(self, question: str, *, is_hidden: bool = False) -> str:
        if is_hidden:
            return self._hidden_line(question)
        self._write(f"{question}: ")
        with self._ended_by_keys():
            line = sys.stdin.readline()
            if not line.endswith("\n"):
                raise EOFError
        return line.rstrip("\r\n")

    def _hidden_line(self, question: str) -> str:
        """Read a line of any length; getpass stops at the terminal's limit of 1 to 4 kB."""
        from prompt_toolkit import PromptSession
        from prompt_toolkit.input import create_input
        from prompt_toolkit.output import DummyOutput

        keys = _own_keys(self._back_keys())
        session = PromptSession[str](output=DummyOutput(), key_bindings=keys)
        session.app.timeoutlen = _SECONDS_FOR_ALT
        # Echo is off before the question is printed.
        with self._ended_by_keys(), create_input().raw_mode(), _raw_again_after_a_stop():
            self._write(f"{question}: ")
            answer = session.prompt(handle_sigint=False)
            # In raw mode: the rest of a paste would be echoed at the next question, or be buffered
            # in `sys.stdin`.
            _drop_typeahead()
        self._write("\n")
        return answer

    @contextmanager
    def _ended_by_keys(self) -> Iterator[None]:
        """Turn Ctrl-C and Ctrl-D into KeyboardInterrupt, undecodable input into InvalidValue."""
        try:
            yield
        except UnicodeDecodeError as error:
            raise InvalidValue(
                "The input is not valid {encoding}.", encoding=error.encoding
            ) from None
        except (EOFError, KeyboardInterrupt):
            self._write("\n")
            raise KeyboardInterrupt from None

    def _write(self, text: str) -> None:
        sys.stderr.write(encodable(printable(text), sys.stderr.encoding))
        sys.stderr.flush()
