"""Ask one question on the terminal and print the answer: `python -m tests.e2e.asking`.

The first argument is the kind of question: list, text, secret or confirm. After it, `back` allows
going back, `plain` draws nothing, and `late` waits for a file `go` before asking.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from wizard.defaults import ENGLISH
from wizard.language import Language
from wizard.settings import InvalidValue
from wizard.ui.console import Console
from wizard.ui.prompts import Back, Choice, LinePrompter, Prompter, TerminalPrompter

CHOICES = [Choice("one", "Ein"), Choice("two", "Zwo"), Choice("three", "Tri")]


def ask(kind: str, prompter: Prompter) -> object:
    """Ask a question of this kind; return the answer."""
    match kind:
        case "list":
            return prompter.select("Which?", CHOICES, default="two")
        case "text":
            return prompter.text("How many?", parse=number, default="7")
        case "secret":
            return prompter.text("Hidden?", parse=number, is_hidden=True)
        case _:
            return prompter.confirm("Sure?")


def number(text: str) -> int:
    if not text.isdecimal():
        raise InvalidValue(f"{text!r} is not a number.")
    return int(text)


def main() -> None:
    kind, *how = sys.argv[1:]
    kind_of_prompter = LinePrompter if "plain" in how else TerminalPrompter
    console = Console()
    prompter: Prompter = kind_of_prompter(console.warn, console.hint, Language(ENGLISH))
    if "back" in how:
        prompter = prompter.with_back()
    if "late" in how:
        print("Type ahead.", flush=True)
        while not Path("go").exists():
            time.sleep(0.02)
    try:
        print(f"answer: {ask(kind, prompter)!r}")
    except Back:
        print("answer: back")
    except KeyboardInterrupt:
        print("answer: stopped")


if __name__ == "__main__":
    main()
