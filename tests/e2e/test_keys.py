"""Unusual input at a terminal: large or broken pastes, resizing, Escape."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.e2e.terminal import CTRL_C, CTRL_D, DOWN, ENTER, ESCAPE, PLAIN, Choose, Terminal
from tests.providers import PUBLIC_URL, Authority, Demo

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX's")

OWN_URL = ("init", "--allow-anybody", "--offline", "--public-url", PUBLIC_URL)
SECRET = "a-secret-that-nobody-may-see_0123456789"
ANSWERS: dict[str, str | Choose | None] = {
    "Domain": "dev-abc.us.auth0.com",
    "Client ID": "c" * 32,
    "Client Secret (hidden)": SECRET,
    "Its URLs": Choose("Done"),
    "The API": Choose("Done"),
}
ROOT = Path(__file__).parents[2]
A_WHILE = 0.7
MODES = pytest.mark.parametrize("mode", [{}, PLAIN], ids=["drawn", "plain"])


def pasted(text: str) -> str:
    """Return a paste as a terminal sends it in bracketed paste mode."""
    return f"\x1b[200~{text}\x1b[201~"


def come_to(question: str, terminal: Terminal) -> None:
    for asked, answer in ANSWERS.items():
        if asked == question:
            break
        terminal.answer(asked, answer)
    terminal.until_asked(question)


def stays_at(question: str, terminal: Terminal) -> bool:
    """Return whether this question still waits after everything typed was processed."""
    deadline = time.monotonic() + A_WHILE
    while time.monotonic() < deadline:
        terminal.read()
    return terminal.asks(question)


@MODES
def test_the_rest_of_a_paste_confirms_nothing(checkout: Path, mode: dict[str, str]) -> None:
    with Terminal(*OWN_URL, cwd=checkout, environ=mode) as terminal:
        come_to("Domain", terminal)
        terminal.type(f"dev-abc.us.auth0.com\r{'c' * 32}\r")
        terminal.answer("Client Secret (hidden)", SECRET)
        terminal.answer("Its URLs", Choose("Done"))
        terminal.answer("The API", Choose("Done"))
        terminal.until_asked("Write these changes?")
        assert stays_at("Write these changes?", terminal)
        assert not (checkout / ".env").exists()
        terminal.type(ENTER)
        assert terminal.end() == 0
    values = dotenv_values(checkout / ".env")
    assert values["OPENID_CLIENT_ID"] == "c" * 32
    assert values["OPENID_CLIENT_SECRET"] == SECRET


@MODES
@pytest.mark.parametrize("line_end", ["\r", "\n"], ids=["CR", "LF"])
def test_text_pasted_after_a_secret_writes_nothing(
    checkout: Path, mode: dict[str, str], line_end: str
) -> None:
    """More than is read at once; the rest arrives in one piece of many lines."""
    with Terminal(*OWN_URL, cwd=checkout, environ=mode) as terminal:
        come_to("Client Secret (hidden)", terminal)
        terminal.type(line_end.join([SECRET, "z" * 1100, *["y"] * 200, ""]))
        terminal.answer("Its URLs", Choose("Done"))
        terminal.answer("The API", Choose("Done"))
        terminal.until_asked("Write these changes?")
        assert stays_at("Write these changes?", terminal)
        assert not (checkout / ".env").exists()


@MODES
def test_thousands_of_lines_write_nothing(checkout: Path, mode: dict[str, str]) -> None:
    with Terminal(*OWN_URL, cwd=checkout, environ=mode) as terminal:
        come_to("The API", terminal)
        terminal.until("Done, continue", times=2)
        terminal.settle()
        terminal.type(ENTER * 3500)  # as much as a terminal buffers; the first line means Done
        terminal.until_asked("Write these changes?")
        assert stays_at("Write these changes?", terminal)
        terminal.type(CTRL_C)
        assert terminal.end() == 130
    assert not (checkout / ".env").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("dev-abc.us.auth0.com\nand more", "The domain contains a space or an invisible character"),
        ("a" * 10_000, "is not a host name"),
        ("dev\x1b]0;title\x07\x1b[31m.us.auth0.com", "That is not a URL"),
        ("\u202emoc.0htua", "The domain contains a space or an invisible character"),
        ("\u200fdev.us.auth0.com", "The domain contains a space or an invisible character"),
        ("開発 例え", "The domain contains a space or an invisible character"),
    ],
    ids=["lines", "long", "sequences", "turned", "mark", "wide"],
)
def test_reports_an_invalid_domain_for_correction(checkout: Path, text: str, reason: str) -> None:
    with Terminal(*OWN_URL, cwd=checkout, rows=200) as terminal:
        come_to("Domain", terminal)
        terminal.type(pasted(text) + ENTER)
        terminal.until(reason)
        terminal.answer("Domain", "dev-abc.us.auth0.com")
        terminal.until_asked("Client ID")
        assert "\x1b[31m" not in terminal.raw
        assert "\x1b]0" not in terminal.raw
        assert "\u202e" not in terminal.text


@pytest.mark.parametrize("question", ["Its URLs", "Write these changes?"])
def test_pasted_text_chooses_nothing(checkout: Path, question: str) -> None:
    with Terminal(*OWN_URL, cwd=checkout) as terminal:
        come_to(question, terminal)
        terminal.type(pasted(f"{SECRET}\n\n{ENTER}"))
        assert stays_at(question, terminal)
        assert not (checkout / ".env").exists()


def asking(*how: str, cwd: Path) -> Terminal:
    """Return a terminal with one question of `tests.e2e.asking`."""
    program = (sys.executable, "-m", "tests.e2e.asking")
    environ = {"PYTHONPATH": str(ROOT), **(PLAIN if "plain" in how else {})}
    return Terminal(*how, cwd=cwd, environ=environ, program=program)


QUESTIONS = {"list": "Which?", "text": "How many?", "secret": "Hidden?", "confirm": "Sure?"}
# The keys that answer each kind of question afterwards, and the value.
THEN = {"list": ("", "'two'"), "text": ("", "7"), "secret": ("12", "12"), "confirm": ("", "True")}
ALT_ENTER = ESCAPE + ENTER
ALT_KEYS = f"{ALT_ENTER}{ESCAPE}x{ESCAPE}b{ESCAPE}é"
BACKSPACE = "\x7f"
CTRL_O = "\x0f"  # emacs: accept the line
CTRL_Z = "\x1a"


def test_a_long_secret_takes_one_line(tmp_path: Path) -> None:
    with asking("secret", cwd=tmp_path) as terminal:
        terminal.until_asked("Hidden?")
        terminal.type(pasted("7" * 3000))
        terminal.type(ENTER)
        terminal.until(f"answer: {'7' * 3000}")
        assert "Hidden? **********\n" in terminal.text


@pytest.mark.parametrize("kind", ["text", "secret"])
def test_ctrl_z_types_nothing(tmp_path: Path, kind: str) -> None:
    """It suspends under a shell, which this terminal lacks."""
    with asking(kind, cwd=tmp_path) as terminal:
        terminal.until_asked(QUESTIONS[kind])
        terminal.type(f"4{CTRL_Z}")
        terminal.until_asked(QUESTIONS[kind])
        terminal.type(f"2{ENTER}")
        terminal.until("answer: 42")


@pytest.mark.parametrize("kind", QUESTIONS)
def test_keys_with_alt_answer_nothing(tmp_path: Path, kind: str) -> None:
    answer, value = THEN[kind]
    with asking(kind, cwd=tmp_path) as terminal:
        terminal.until_asked(QUESTIONS[kind])
        for keys in (ALT_KEYS, ESCAPE):
            terminal.type(keys)
            assert stays_at(QUESTIONS[kind], terminal)
        # On a busy machine, Escape may still wait for a further key, and takes the "x".
        terminal.type(f"x{BACKSPACE}{answer}{ENTER}")
        terminal.until(f"answer: {value}")
        assert terminal.is_as_before


@pytest.mark.parametrize("kind", QUESTIONS)
@pytest.mark.parametrize("key", [CTRL_C, CTRL_D], ids=["C", "D"])
def test_ctrl_c_soon_after_escape_stops(tmp_path: Path, kind: str, key: str) -> None:
    with asking(kind, cwd=tmp_path) as terminal:
        terminal.until_asked(QUESTIONS[kind])
        terminal.type(ESCAPE + key)
        terminal.until("answer: stopped")
        assert terminal.is_as_before


def test_no_other_key_answers_a_list(tmp_path: Path) -> None:
    with asking("list", cwd=tmp_path) as terminal:
        terminal.until_asked("Which?")
        terminal.type("x<1 \x0b\x18")
        terminal.type(CTRL_O)
        assert stays_at("Which?", terminal)
        terminal.type(DOWN)
        terminal.type(ENTER)
        terminal.until("answer: 'three'")


def test_no_other_line_answers_a_list(tmp_path: Path) -> None:
    with asking("list", "plain", cwd=tmp_path) as terminal:
        for times, line in enumerate((ESCAPE, "<", "0", "4", "x", "1 2"), 1):
            terminal.answer("Number", line)
            terminal.until("Answer with a number from 1 to 3.", times=times)
        terminal.answer("Number", None)
        terminal.until("answer: 'two'")


@pytest.mark.parametrize("keys", [ESCAPE, f"<{ENTER}"], ids=ascii)
@pytest.mark.parametrize("kind", QUESTIONS)
def test_going_back(tmp_path: Path, kind: str, keys: str) -> None:
    with asking(kind, "back", cwd=tmp_path) as terminal:
        terminal.until_asked(QUESTIONS[kind])
        terminal.type(keys)
        terminal.until("answer: back")
        assert terminal.is_as_before


@pytest.mark.parametrize("keys", [ALT_ENTER, f"<{ENTER}"], ids=ascii)
@pytest.mark.parametrize("kind", QUESTIONS)
def test_going_back_in_lines(tmp_path: Path, kind: str, keys: str) -> None:
    """Esc works immediately in a hidden line; in others, the terminal buffers it until Enter."""
    with asking(kind, "back", "plain", cwd=tmp_path) as terminal:
        terminal.until_asked("Number" if kind == "list" else QUESTIONS[kind])
        terminal.type(ESCAPE if kind == "secret" and keys == ALT_ENTER else keys)
        terminal.until("answer: back")
        assert terminal.is_as_before


@pytest.mark.parametrize("kind", QUESTIONS)
def test_alt_does_not_go_back(tmp_path: Path, kind: str) -> None:
    with asking(kind, "back", cwd=tmp_path) as terminal:
        terminal.until_asked(QUESTIONS[kind])
        terminal.type(ALT_KEYS)
        assert stays_at(QUESTIONS[kind], terminal)


@MODES
@pytest.mark.parametrize("key", [CTRL_C, CTRL_D], ids=ascii)
@pytest.mark.parametrize("kind", QUESTIONS)
def test_ctrl_c_and_ctrl_d_stop(tmp_path: Path, kind: str, key: str, mode: dict[str, str]) -> None:
    with asking(kind, *(["plain"] if mode else []), cwd=tmp_path) as terminal:
        terminal.until_asked("Number" if mode and kind == "list" else QUESTIONS[kind])
        terminal.type(key)
        terminal.until("answer: stopped")
        assert terminal.is_as_before


@MODES
@pytest.mark.parametrize("kind", ["list", "confirm"])
@pytest.mark.parametrize("ahead", [f"n\r3\r\r{DOWN}\r", "a line\n1\nn\n"], ids=ascii)
def test_typed_ahead_text_answers_no_choice(
    tmp_path: Path, kind: str, ahead: str, mode: dict[str, str]
) -> None:
    with asking(kind, "late", *(["plain"] if mode else []), cwd=tmp_path) as terminal:
        terminal.until("Type ahead.")
        terminal.type(f"{ahead}end\n")
        terminal.until("end")  # the terminal itself echoes this
        (tmp_path / "go").touch()
        question = "Number" if mode and kind == "list" else QUESTIONS[kind]
        terminal.until_asked(question)
        assert stays_at(question, terminal)
        terminal.type(ENTER)
        terminal.until(f"answer: {THEN[kind][1]}")


IN_ORDER = {
    "Which HTTPS URL": Choose("my own"),
    "Public URL of LibreChat": PUBLIC_URL,
    "How do you want to set up Auth0?": Choose("by hand"),
    **ANSWERS,
}


def come_after(
    question: str, terminal: Terminal, answers: Mapping[str, Choose | str | None]
) -> str:
    """Answer everything up to this question; return the previous one."""
    before = question
    for asked, answer in answers.items():
        if asked == question:
            break
        terminal.answer(asked, answer)
        before = asked
    terminal.until_asked(question)
    return before


@pytest.mark.parametrize(
    "question", ["Which HTTPS URL", "How do you want to set up Auth0?", "Its URLs", "What now?"]
)
def test_no_list_of_init_is_answered_by_escape_and_enter(
    checkout: Path, question: str, demo: Demo, authority: Authority
) -> None:
    auth0 = demo.setup
    demo.application.callbacks = []
    answers = {
        **IN_ORDER,
        "Domain": auth0.domain,
        "Client ID": auth0.client_id,
        "Client Secret (hidden)": demo.secret,
    }
    with Terminal(
        "init", "--allow-anybody", cwd=checkout, environ={"SSL_CERT_FILE": str(authority.ca)}
    ) as terminal:
        if question == "What now?":
            come_after("Its URLs", terminal, answers)
            terminal.answer("Its URLs", Choose("Done"))
            terminal.until("Callback URL, failed")
            terminal.answer("Its URLs", Choose("Continue anyway"))
            terminal.answer("The API", Choose("Done"))
        else:
            come_after(question, terminal, answers)
        terminal.until_asked(question)
        terminal.type(ALT_ENTER)
        assert stays_at(question, terminal)
        assert "LA001" not in terminal.text


GOES_BACK = {**ANSWERS, "Write these changes?": None}


@MODES
@pytest.mark.parametrize("question", GOES_BACK)
def test_back_returns_to_the_previous_question_and_keeps_answers(
    checkout: Path, mode: dict[str, str], question: str
) -> None:
    with Terminal(*OWN_URL, cwd=checkout, environ=mode) as terminal:
        before = come_after(question, terminal, GOES_BACK)
        terminal.type("<" + ENTER if mode else ESCAPE)
        assert before != question or stays_at(question, terminal)
        terminal.until(before if mode else f"? {before}", times=1 if before == question else 2)
        terminal.until_asked(before)
        if before == "Client ID":
            terminal.until(f"[{'c' * 32}]")
        terminal.type(CTRL_D)
        assert terminal.end() == 130
        terminal.until("Nothing was changed.")
        assert terminal.is_as_before


@MODES
def test_resizing_during_every_question_and_the_spinner(
    checkout: Path, mode: dict[str, str], demo: Demo, authority: Authority
) -> None:
    auth0, may_answer = demo.setup, threading.Event()

    def wait(path: str) -> None:
        assert may_answer.wait(60)

    demo.tenant.before = wait
    environ = {**mode, "SSL_CERT_FILE": str(authority.ca)}
    answers = {
        **dict(list(IN_ORDER.items())[:3]),
        "Domain": auth0.domain,
        "Client ID": auth0.client_id,
        "Client Secret (hidden)": auth0.client_secret or "",
        "Write these changes?": None,
    }
    with Terminal("init", "--allow-anybody", cwd=checkout, environ=environ, rows=90) as terminal:
        for question, answer in answers.items():
            terminal.until_asked(question)
            resize(terminal)
            terminal.answer(question, answer)
            if question == "Domain":
                terminal.until("Checking")
                resize(terminal)
                may_answer.set()
        terminal.until("Waiting for the sign-in")
        terminal.type(CTRL_C)
        assert terminal.end() == 0
        assert "Traceback" not in terminal.text
    values = dotenv_values(checkout / ".env", interpolate=False)
    assert values["OPENID_CLIENT_ID"] == auth0.client_id
    assert values["OPENID_CLIENT_SECRET"] == auth0.client_secret


def resize(terminal: Terminal) -> None:
    """Resize to 40 and 20 columns and back, and let it redraw each time."""
    for columns in (40, 20, 40, 80):
        terminal.resize(columns, 90)
        terminal.read()
