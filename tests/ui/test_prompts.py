from __future__ import annotations

from typing import Any

import pytest

from wizard.defaults import ENGLISH
from wizard.language import Language, Message
from wizard.ui import menu, prompts
from wizard.ui.prompts import Choice, TerminalPrompter

EVIL = "chat\x1b[31m\u202egnp\x9b2J"


class Recorded(TerminalPrompter):
    """Records what the terminal would show, and answers nothing."""

    def __init__(self) -> None:
        super().__init__(lambda _: None, lambda _: None, Language(ENGLISH))
        self.shown = ""

    def _line(self, question: str, *, is_hidden: bool = False) -> str:
        self.shown += question
        return ""

    def _run(self, application: Any, *back: str) -> str:
        self.shown += "".join(text for _, text in application.drawn(200, 50))
        return ""

    def _output(self) -> Any:
        return None


def test_replaces_control_characters_in_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "_drop_typeahead", lambda: None)
    monkeypatch.setattr(menu, "application", lambda drawn, *_: drawn)
    asked = Recorded()
    question = Message("Replace {file}?", file=EVIL)
    asked.text(question, parse=str, default=EVIL)
    asked.confirm(question)
    asked.select(question, [Choice("a", EVIL), Choice("b", "other", EVIL)])
    assert asked.shown.count("chat�[31m�gnp�2J") == 5
    assert not {"\x1b", "\u202e", "\x9b"} & set(asked.shown)
