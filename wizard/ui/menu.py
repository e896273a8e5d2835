"""A menu on the terminal: arrows choose, Enter answers, `?` shows details below the choice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.output import Output
    from prompt_toolkit.styles import BaseStyle

Fragment = tuple[str, str]


@dataclass(slots=True)
class Menu:
    """A question, its choices, and the choice that the cursor is on."""

    question: str
    keys: str  # the text that names the keys
    labels: Sequence[str]
    details: Sequence[str]  # of each choice, "" for none
    at: int  # the number of the choice under the cursor
    is_detailed: bool = False  # its details are shown
    is_answered: bool = False

    def drawn(self, width: int, rows: int) -> list[Fragment]:
        """Return the menu, wrapped between words.

        Where it would take more than half of the rows, choices that are not pointed at are cut to
        one line each: what was printed before stays on the screen.
        """
        drawn = [*self._lines(width)]
        if sum(text.count("\n") for _, text in drawn) > rows // 2:
            drawn = [*self._lines(width, cuts=True)]
        return drawn[1:]  # without the first line break

    def _lines(self, width: int, *, cuts: bool = False) -> Iterator[Fragment]:
        after = ("class:answer", self.labels[self.at])
        if not self.is_answered:
            after = ("class:instruction", self.keys)
        yield from _flowing(("class:qmark", "?"), [("class:question", self.question), after], width)
        for number, label in enumerate([] if self.is_answered else self.labels):
            if number != self.at:
                shown = shorten(label, width - 4, placeholder=" ...") if cuts else label
                yield from _flowing(("", "  "), [("", shown)], width)
                continue
            yield from _flowing(("class:pointer", " >"), [("class:highlighted", label)], width)
            if self.is_detailed and (more := self.details[number]):
                yield from _flowing(("", "    "), [("", more)], width)
            yield "[SetCursorPosition]", ""  # which is scrolled into view


def _flowing(lead: Fragment, texts: Sequence[Fragment], width: int) -> Iterator[Fragment]:
    """Yield a line break, the lead and the words of the texts, wrapped with a hanging indent."""
    yield "", "\n"
    yield lead
    indent = column = len(lead[1])
    for style, text in texts:
        for word in text.split():
            if column > indent and column + 1 + len(word) >= width:
                yield "", "\n" + " " * indent
                column = indent
            yield style, f" {word}"
            column += 1 + len(word)


def application(menu: Menu, style: BaseStyle, output: Output) -> Application[str]:
    """Return what draws the menu until it is answered."""
    from prompt_toolkit.application import Application
    from prompt_toolkit.filters import Always
    from prompt_toolkit.layout import FormattedTextControl, Layout, Window

    def drawn() -> StyleAndTextTuples:
        size = output.get_size()
        return [*menu.drawn(size.columns, size.rows)]

    control = FormattedTextControl(drawn, focusable=True, show_cursor=False)
    window = Window(control, dont_extend_height=Always(), wrap_lines=Always())
    return Application(layout=Layout(window), key_bindings=_keys(menu), style=style, output=output)


def _keys(menu: Menu) -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.keys import Keys

    bindings = KeyBindings()

    @bindings.add(Keys.Up)
    def up(event: KeyPressEvent) -> None:  # noqa: ARG001
        menu.at = (menu.at - 1) % len(menu.labels)

    @bindings.add(Keys.Down)
    def down(event: KeyPressEvent) -> None:  # noqa: ARG001
        menu.at = (menu.at + 1) % len(menu.labels)

    @bindings.add("?")
    def show_details(event: KeyPressEvent) -> None:  # noqa: ARG001
        menu.is_detailed = any(menu.details) and not menu.is_detailed

    @bindings.add(Keys.ControlM)
    def answer(event: KeyPressEvent) -> None:
        menu.is_answered = True
        event.app.exit(result="")

    @bindings.add(Keys.ControlC)
    def stop(event: KeyPressEvent) -> None:
        event.app.exit(exception=KeyboardInterrupt)

    return bindings
