from __future__ import annotations

import io
import json
import os
import re
import threading

import pytest

from tests.languages import speaking
from wizard.findings import Outcome, Rule, Severity
from wizard.language import Message
from wizard.librechat.env_diff import ADDED, REMOVED, DiffLine
from wizard.text import MASK, Secrets
from wizard.ui import screen
from wizard.ui.console import Console
from wizard.ui.screen import Line, diff_line, setting_lines

RULE = Rule("LA999", Severity.WARNING, "A title", "Why it matters.", "Do this.")


class Terminal(io.StringIO):
    """A standard error that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def said(*, quiet: bool = False, silent: bool = False) -> str:
    stderr = io.StringIO()
    console = Console(stderr=stderr, stdout=io.StringIO(), quiet=quiet, silent=silent)
    console.step(1, 6, "LibreChat")
    console.done("Done.")
    console.finding(RULE.finding("Seen here."))
    console.finding(Rule("LA998", Severity.NOTE, "A note", "", "Nothing.").finding())
    console.outcome(Outcome.LIKELY, "API", "no objection")
    return stderr.getvalue()


def test_a_finding_shows_problem_cause_and_fix() -> None:
    assert said().splitlines()[3:7] == [
        "! A title (LA999)",
        "  Seen here.",
        "  Why it matters.",
        "  Next: Do this.",
    ]


def test_no_line_of_another_thread_interrupts_a_finding() -> None:
    """A tunnel can print a request at any moment: here, while each text is translated."""
    console = Console(stderr=(stderr := io.StringIO()))
    speaker, translate = threading.current_thread(), console.language.say

    def say(text: str) -> str:
        if threading.current_thread() is speaker:
            passing = threading.Thread(target=console.live, args=("GET /",))
            passing.start()
            passing.join()
        return translate(text)

    console.language.say = say  # type: ignore[method-assign]
    console.finding(RULE.finding("Seen here."))
    lines = [line for line in stderr.getvalue().splitlines() if line != "GET /"]
    place = stderr.getvalue().splitlines().index(lines[0])
    assert stderr.getvalue().splitlines()[place : place + 4] == lines
    assert len(lines) == 4


def test_quiet_shows_only_problems() -> None:
    assert said(quiet=True).splitlines()[0] == "! A title (LA999)"
    assert "A note" not in said(quiet=True)


def test_silent_prints_nothing() -> None:
    assert said(silent=True) == ""


def test_data_goes_to_standard_output_only() -> None:
    stderr, stdout = io.StringIO(), io.StringIO()
    Console(stderr=stderr, stdout=stdout, silent=True).data({"ok": True})
    assert json.loads(stdout.getvalue()) == {"ok": True}
    assert stderr.getvalue() == ""


def test_replaces_control_characters_from_a_server() -> None:
    stderr = io.StringIO()
    Console(stderr=stderr).say("a\x1b[2J\x1b]0;title\x07b\u202ec\rd")
    assert not set("\x1b\x07\u202e\r") & set(stderr.getvalue())


def test_prints_no_colour_to_a_terminal_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stderr = Terminal()
    Console(stderr=stderr).done("Done.")
    assert "\x1b[3" not in stderr.getvalue()
    assert "Done." in stderr.getvalue()


def test_an_empty_line_precedes_a_step() -> None:
    terminal, file = Terminal(), io.StringIO()
    for stderr in (terminal, file):
        Console(stderr=stderr).step(2, 6, "An HTTPS address")
    assert terminal.getvalue().splitlines()[0] == file.getvalue().splitlines()[0] == ""


def test_markup_in_a_value_is_plain_text() -> None:
    stderr = Terminal()
    Console(stderr=stderr).say("[bold]not bold[/bold] :smile:")
    assert "[bold]not bold[/bold] :smile:" in stderr.getvalue()


def test_replaces_symbols_on_a_terminal_without_them() -> None:
    raw = io.BytesIO()
    stderr = io.TextIOWrapper(raw, encoding="ascii")
    Console(stderr=stderr).done("Über")
    assert raw.getvalue() == b"ok ?ber\n"


def test_a_diff_shows_each_line_with_its_number() -> None:
    stderr = io.StringIO()
    Console(stderr=stderr).show(
        [diff_line(DiffLine(REMOVED, 7, "A=old")), diff_line(DiffLine(ADDED, 12, "A=new"))]
    )
    assert stderr.getvalue() == "    7 - A=old\n   12 + A=new\n"


def test_plain_uses_words_for_masks_and_symbols() -> None:
    stderr = io.StringIO()
    console = Console(stderr=stderr, language=speaking({"(hidden)": "(verborgen)"}), plain=True)
    console.show([diff_line(DiffLine(ADDED, 7, f"JWT_SECRET={MASK}"))])
    console.outcome(Outcome.SKIPPED, "Not asked", "API")
    console.finding(RULE.finding(f"JWT_SECRET={MASK} is short."))
    said = stderr.getvalue()
    assert said.startswith("    7 + JWT_SECRET=(verborgen)\nNot asked: API\nWarning: A title")
    assert "JWT_SECRET=(verborgen) is short." in said


def test_does_not_wrap_a_long_path() -> None:
    stderr = Terminal()
    path = "/a-long-folder" * 12
    Console(stderr=stderr).done(path)
    assert "".join(stderr.getvalue().split()) == f"ok{path}"


def test_does_not_wrap_a_page_in_a_file() -> None:
    stdout = io.StringIO()
    Console(stdout=stdout).page([Line("word " * 40, lead="Why:", indent=2), Line("")])
    assert stdout.getvalue() == f"  Why: {'word ' * 40}\n\n"


def test_prints_no_page_with_json() -> None:
    stdout = io.StringIO()
    Console(stdout=stdout, silent=True).page([Line("text")])
    assert stdout.getvalue() == ""


@pytest.mark.parametrize("name", ["error", "warning", "note"])
def test_only_marks_have_a_colour(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text uses only styles that work on every background: bold and dim."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stderr = Terminal()
    console = Console(stderr=stderr)
    console.finding(Rule("LA999", Severity(name), "A title", "Why.", "Do this.").finding("Seen."))
    console.done("Done.")
    console.step(1, 2, "A step")
    console.show([diff_line(DiffLine(ADDED, 12, "A=new"))])
    console.show(setting_lines("Callback URLs", ["https://old"], ["https://new"], "why"))
    colored = re.findall(r"\x1b\[[\d;]*3\d[\d;]*m([^\x1b]*)", stderr.getvalue())
    assert colored
    assert {text.strip() for text in colored} <= {"x", "!", "i", "ok", "12 +", "+", "-"}


def test_a_wrapped_link_is_clickable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    url = f"https://manage.auth0.com/#/applications/{'a' * 32}/settings"
    stderr = Terminal()
    Console(stderr=stderr).todo(f"Open the page ({url}).")
    assert set(re.findall(r"\x1b\]8;[^;]*;(.+?)\x1b", stderr.getvalue())) == {url}


def test_masks_secrets_in_every_output() -> None:
    """A secret is masked in foreign text, never in our own words; a short one only as a word."""
    stdout, stderr = io.StringIO(), io.StringIO()
    console = Console(stdout=stdout, stderr=stderr)
    console.hide(Secrets(["Why it matters.", "Otter-Otter-1"]))
    console.hide(Secrets(["Do this.", "Otter-Otter-123", "tmp"]))
    console.finding(RULE.finding(Message("Seen: {words}.", words="otter-otter-123!")))
    console.finding(RULE.finding("Otter-Otter-1"))
    console.say(Message("{file} holds {text}", file="/tmp/x", text="Otter-Otter-123"))
    console.outcome(Outcome.LIKELY, "API", Message("no {word}", word="Otter-Otter-1"))
    console.live(Message("GET {path}", path="/Otter-Otter-1"))
    found = RULE.finding(Message("Seen: {words}.", words="Otter-Otter-1"))
    console.data({"checks": [{"detail": found.detail}], "fix": found.fix})
    shown = stdout.getvalue() + stderr.getvalue()
    assert "otter" not in shown.lower()
    assert f"Seen: {MASK}!." in shown
    assert shown.count("Why it matters.") == 2
    assert shown.count("Do this.") == 3
    assert f"/tmp/x holds {MASK}\n" in shown


@pytest.mark.parametrize(("rows", "has_why"), [(0, True), (12, True), (11, False)])
def test_a_finding_leaves_room_for_a_question(
    monkeypatch: pytest.MonkeyPatch, rows: int, has_why: bool
) -> None:
    monkeypatch.setattr(screen, "_size", lambda _: os.terminal_size((80, rows)))
    stderr = io.StringIO()
    Console(stderr=stderr).finding(RULE.finding("Seen here."))

    assert ("Why it matters." in stderr.getvalue()) == has_why
    assert "Seen here." in stderr.getvalue()
    assert "Next: Do this." in stderr.getvalue()
