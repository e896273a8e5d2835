"""What hands do at a terminal: pasting too much or rubbish, resizing, pressing Escape."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.e2e.terminal import CTRL_C, CTRL_D, ENTER, ESCAPE, PLAIN, Choose, Terminal
from tests.providers import AUDIENCE, PUBLIC_URL, Authority, Demo

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX's")

OWN_URL = ("init", "--offline", "--public-url", PUBLIC_URL)
SECRET = "a-secret-that-nobody-may-see_0123456789"
ANSWERS = {
    "Ready?": None,
    "Domain": "dev-abc.us.auth0.com",
    "Client ID": "c" * 32,
    "Client Secret (hidden)": SECRET,
    "API Identifier": AUDIENCE,
}
A_WHILE = 0.7
MODES = pytest.mark.parametrize("mode", [{}, PLAIN], ids=["drawn", "plain"])


def pasted(text: str) -> str:
    """As a terminal sends what is pasted when the program asked it to tell pastes."""
    return f"\x1b[200~{text}\x1b[201~"


def come_to(question: str, terminal: Terminal) -> None:
    for asked, answer in ANSWERS.items():
        if asked == question:
            break
        terminal.answer(asked, answer)
    terminal.until_asked(question)


def stays_at(question: str, terminal: Terminal) -> bool:
    """Whether that question still waits, after all that was typed had time to answer it."""
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
        terminal.until_asked("API Identifier")
        terminal.type(f"{ENTER}y{ENTER}y{ENTER}")
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
def test_what_was_pasted_behind_a_secret_writes_nothing(
    checkout: Path, mode: dict[str, str], line_end: str
) -> None:
    """More than is read at once, and what is left comes in one piece of many lines."""
    with Terminal(*OWN_URL, cwd=checkout, environ=mode) as terminal:
        come_to("Client Secret (hidden)", terminal)
        terminal.type(line_end.join([SECRET, "z" * 1100, *["y"] * 200, ""]))
        terminal.until_asked("API Identifier" if mode else "Write these changes?")
        if mode:
            terminal.type(ENTER)
        terminal.until_asked("Write these changes?")
        assert stays_at("Write these changes?", terminal)
        assert not (checkout / ".env").exists()


@MODES
def test_thousands_of_lines_write_nothing(checkout: Path, mode: dict[str, str]) -> None:
    with Terminal(*OWN_URL, cwd=checkout, environ=mode) as terminal:
        come_to("API Identifier", terminal)
        terminal.type(ENTER * 3500)  # as much as a terminal keeps
        terminal.until_asked("Write these changes?")
        assert stays_at("Write these changes?", terminal)
        terminal.type(CTRL_C)
        assert terminal.end() == 130
    assert not (checkout / ".env").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("dev-abc.us.auth0.com\nand more", "A URL has no spaces or invisible characters"),
        ("a" * 10_000, "is not a host name"),
        ("dev\x1b]0;title\x07\x1b[31m.us.auth0.com", "That is not a URL"),
        ("\u202emoc.0htua", "A URL has no spaces or invisible characters"),
        ("\u200fdev.us.auth0.com", "A URL has no spaces or invisible characters"),
        ("開発 例え", "A URL has no spaces or invisible characters"),
    ],
    ids=["lines", "long", "sequences", "turned", "mark", "wide"],
)
def test_what_cannot_be_a_domain_is_told_and_may_be_corrected(
    checkout: Path, text: str, reason: str
) -> None:
    with Terminal(*OWN_URL, cwd=checkout, rows=200) as terminal:
        come_to("Domain", terminal)
        terminal.type(pasted(text) + ENTER)
        terminal.until(reason)
        terminal.answer("Domain", "dev-abc.us.auth0.com")
        terminal.until_asked("Client ID")
        assert "\x1b[31m" not in terminal.raw
        assert "\x1b]" not in terminal.raw
        assert "\u202e" not in terminal.text


@pytest.mark.parametrize("question", ["Ready?", "Write these changes?"])
def test_text_that_is_pasted_at_a_choice_chooses_nothing(checkout: Path, question: str) -> None:
    with Terminal(*OWN_URL, cwd=checkout) as terminal:
        come_to(question, terminal)
        terminal.type(pasted(f"{SECRET}\n\n{ENTER}"))
        assert stays_at(question, terminal)
        assert not (checkout / ".env").exists()


@pytest.mark.parametrize("question", [*ANSWERS, "Write these changes?"])
def test_escape_does_no_harm(checkout: Path, question: str) -> None:
    with Terminal(*OWN_URL, cwd=checkout) as terminal:
        come_to(question, terminal)
        terminal.type(ESCAPE)
        assert stays_at(question, terminal)
        terminal.type(CTRL_D)
        assert terminal.end() == 130
        terminal.until("Nothing was changed.")
        assert terminal.is_as_before


@MODES
def test_resizing_amid_every_question_and_the_spinner(
    checkout: Path, mode: dict[str, str], demo: Demo, authority: Authority
) -> None:
    auth0, demo.tenant.delay = demo.setup.auth0, 0.3
    environ = {**mode, "SSL_CERT_FILE": str(authority.ca)}
    answers = {
        "Use": Choose("an HTTPS URL"),
        "Public URL of LibreChat": PUBLIC_URL,
        **ANSWERS,
        "Domain": auth0.domain,
        "Client ID": auth0.client_id,
        "Client Secret (hidden)": auth0.client_secret,
        "Write these changes?": None,
        "Sign in once to prove it?": "n",
    }
    with Terminal("init", cwd=checkout, environ=environ, rows=90) as terminal:
        for question, answer in answers.items():
            terminal.until_asked(question)
            resize(terminal)
            terminal.answer(question, answer)
            if question == "API Identifier":
                terminal.until("Asking")
                resize(terminal)
        assert terminal.end() == 0
        assert "Traceback" not in terminal.text
    values = dotenv_values(checkout / ".env", interpolate=False)
    assert values["OPENID_CLIENT_ID"] == auth0.client_id
    assert values["OPENID_CLIENT_SECRET"] == auth0.client_secret


def resize(terminal: Terminal) -> None:
    """To 40 and 20 columns and back, with time to draw each time."""
    for columns in (40, 20, 40, 80):
        terminal.resize(columns, 90)
        terminal.read()
