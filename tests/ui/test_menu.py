"""A menu is drawn with whole words at any width."""

from __future__ import annotations

import pytest

from wizard.ui.menu import Menu

LABELS = ("local: this computer only, always the same URL (recommended)", "my own HTTPS URL")
DETAILS = ("Built in; enough to sign in with your own browser.", "")


def menu() -> Menu:
    return Menu("Use which HTTPS URL for LibreChat?", "(arrows, Enter)", LABELS, DETAILS, 0)


def drawn(asked: Menu, width: int) -> list[str]:
    return "".join(text for _, text in asked.drawn(width, 90)).split("\n")


@pytest.mark.parametrize("width", [*range(24, 100)])
def test_breaks_no_word_at_any_width(width: int) -> None:
    asked = menu()
    asked.is_detailed = True
    lines = drawn(asked, width)
    words = f"? {asked.question} {asked.keys} > {LABELS[0]} {DETAILS[0]} {LABELS[1]}".split()

    assert [word for line in lines for word in line.split()] == words
    assert max(map(len, lines)) < width


def test_indents_a_wrapped_choice() -> None:
    assert drawn(menu(), 40) == [
        "? Use which HTTPS URL for LibreChat?",
        "  (arrows, Enter)",
        " > local: this computer only, always",
        "   the same URL (recommended)",
        "   my own HTTPS URL",
    ]


def test_shows_details_below_their_choice() -> None:
    asked = menu()
    asked.is_detailed = True
    assert drawn(asked, 80)[2] == "     Built in; enough to sign in with your own browser."
    asked.at = 1
    assert drawn(asked, 80)[1:] == [f"   {LABELS[0]}", f" > {LABELS[1]}"]


def test_leaves_only_the_answer() -> None:
    asked = menu()
    asked.is_answered = True

    assert drawn(asked, 40) == [
        "? Use which HTTPS URL for LibreChat?",
        "  local: this computer only, always the",
        "  same URL (recommended)",
    ]


def test_keeps_earlier_output_on_the_screen() -> None:
    """If the choices fill half of the screen, all but the current one take one line."""
    asked = Menu(
        "Which?", "", [f"tunnel {n}: public, a new URL each time" for n in range(6)], [""], 2
    )
    lines = "".join(text for _, text in asked.drawn(30, 24)).split("\n")

    assert lines[1:5] == [
        "   tunnel 0: public, a ...",
        "   tunnel 1: public, a ...",
        " > tunnel 2: public, a new",
        "   URL each time",
    ]
    assert max(map(len, lines)) < 30
