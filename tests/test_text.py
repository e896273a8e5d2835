from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wizard.system.clock import SleepWatch
from wizard.text import one_line, printable


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"])))
def test_keeps_readable_text(text: str) -> None:
    assert one_line(text) == printable(text) == text


@given(st.text())
def test_replaces_control_characters(text: str) -> None:
    shown = one_line(text)

    assert len(shown) == len(text)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)
    assert len(shown.splitlines()) <= 1


def test_keeps_line_breaks_only_in_multiline_text() -> None:
    assert printable("a\n\tb\x1b[31m\u202e") == "a\n\tb�[31m�"
    assert one_line("a\n\tb") == "a��b"


def test_notices_a_suspended_machine() -> None:
    times = iter([0.0, 0.5, 1.0, 601.0, 601.5, 300.0])
    watch = SleepWatch(lambda: next(times))

    assert [watch.slept() for _ in range(5)] == [0, 0, 600, 0, 0]
