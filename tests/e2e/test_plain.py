"""Plain mode, TERM=dumb, and terminals without colour or some characters."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.e2e.terminal import CTRL_C, ENTER, PLAIN, Choose, Terminal
from tests.ports import free_port
from tests.providers import PUBLIC_URL

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX's")

DUMB = {"TERM": "dumb"}
SECRET = "a-secret-that-nobody-may-see_0123456789"
VALUES: list[tuple[str, str | Choose | None]] = [
    ("Domain", "dev-abc.us.auth0.com"),
    ("Client ID", "c" * 32),
    ("Client Secret (hidden)", SECRET),
    ("Its URLs", Choose("Done, continue")),
    ("The API", Choose("Done, continue")),
]
SYMBOLS = set("✓≈✗•·⠋")
IN_ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
IN_LATIN_1 = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"}


def is_plain(terminal: Terminal) -> bool:
    """Return whether nothing was drawn: no escape sequence, no symbol, no secret."""
    return not ({"\x1b", *SYMBOLS} & set(terminal.raw)) and SECRET not in terminal.raw


@pytest.mark.parametrize("mode", [PLAIN, DUMB], ids=["plain", "dumb"])
def test_init_is_a_conversation_in_lines(checkout: Path, mode: dict[str, str]) -> None:
    with Terminal("init", "--allow-anybody", "--offline", cwd=checkout, environ=mode) as terminal:
        terminal.answer("Which HTTPS URL", "ngrok")
        terminal.until("Answer with a number from 1 to 8.")
        terminal.answer("Number (? for details) [1]:", "9")
        terminal.until("Answer with a number from 1 to 8.", times=2)
        terminal.answer("Number (? for details) [1]:", "8")
        terminal.answer("Public URL of LibreChat", "http://chat.example.com")
        terminal.until("Use https://: Auth0 rejects")
        terminal.answer("Public URL of LibreChat", PUBLIC_URL)
        for question, answer in VALUES:
            terminal.answer(question, answer)
        terminal.answer("Write these changes? (Y/n)", "perhaps")
        terminal.until("Answer y or n.")
        terminal.answer("Write these changes? (Y/n)", None)

        assert terminal.end() == 0
        assert is_plain(terminal)
    lines = terminal.raw.replace("\r\n", "\n").splitlines()
    assert "      + OPENID_CLIENT_SECRET=(hidden)" in [
        re.sub(r"^ +\d+ ", " " * 6, it) for it in lines
    ]
    assert "Warning: Answer y or n." in lines
    assert "  8. my own HTTPS URL" in lines
    for question in ("Its URLs", "Domain: dev-abc.us.auth0.com", "Client Secret (hidden): "):
        assert lines.count(question) == 1
    values = dotenv_values(checkout / ".env", interpolate=False)
    assert values["OPENID_CLIENT_SECRET"] == SECRET


def test_repair_and_undo_are_conversations_in_lines(checkout: Path) -> None:
    before = f"OPENID_CLIENT_SECRET={SECRET}\nOPENID_SESSION_SECRET=short\n"
    (checkout / ".env").write_text(before)
    with Terminal("doctor", "--fix", "--offline", cwd=checkout, environ=DUMB) as terminal:
        terminal.answer("Write these changes? (Y/n)", None)
        assert terminal.end() == 1
        assert is_plain(terminal)
        assert "OPENID_SESSION_SECRET=(hidden)" in terminal.raw
    assert (checkout / ".env").read_text() != before
    with Terminal("init", "--undo", cwd=checkout, environ=DUMB) as terminal:
        terminal.answer("Restore", None)
        assert terminal.end() == 0
        assert is_plain(terminal)
    assert (checkout / ".env").read_text() == before


def test_a_tunnel_prints_lines(checkout: Path) -> None:
    url = f"https://localhost:{free_port()}"
    (checkout / ".env").write_text(
        f"PORT={free_port()}\nDOMAIN_CLIENT={url}/\nDOMAIN_SERVER={url}/\n"
    )
    with Terminal("tunnel", cwd=checkout, environ=PLAIN) as terminal:
        terminal.answer("Write these changes? (Y/n)", None)
        terminal.until("LibreChat does not respond")
        terminal.type(CTRL_C)
        assert terminal.end() == 0
        terminal.until("The tunnel is closed.")
        assert is_plain(terminal)
        assert terminal.raw.count("is open. Keep this running") == 1


def test_a_secret_may_be_longer_than_a_line_of_the_terminal(checkout: Path) -> None:
    token = "eyJ" + "0123456789" * 1000
    args = ("provision", "--domain", "localhost:9", "--tenant-domain", "localhost:9")
    with Terminal(
        *args, "--public-url", PUBLIC_URL, cwd=checkout, environ={**PLAIN, "PATH": "/nowhere"}
    ) as terminal:
        terminal.answer("Use the Management API with", Choose("a token"))
        terminal.answer("Management API token (hidden)", token)
        assert terminal.end() == 3
        terminal.until("LA201")  # so it was accepted and used
        assert "0123456789" not in terminal.raw


def test_reports_invalid_bytes_from_the_terminal(checkout: Path) -> None:
    environ = {**PLAIN, "PYTHONIOENCODING": "utf-8"}
    with Terminal(
        "init", "--allow-anybody", "--offline", cwd=checkout, environ=environ
    ) as terminal:
        terminal.answer("Which HTTPS URL", Choose("my own HTTPS URL"))
        terminal.until_asked("Public URL of LibreChat")
        terminal.send(b"https://caf\xe9.example.com\n")
        terminal.until("The input is not valid utf-8.")
        terminal.answer("Public URL of LibreChat", PUBLIC_URL)
        terminal.until("without opening a tunnel")


@pytest.mark.parametrize("mode", [{}, PLAIN], ids=["drawn", "plain"])
@pytest.mark.parametrize("encoding", [IN_ASCII, IN_LATIN_1], ids=["ascii", "latin-1"])
def test_a_terminal_that_lacks_characters(
    checkout: Path, encoding: dict[str, str], mode: dict[str, str]
) -> None:
    environ = {**encoding, **mode, "COLUMNS": ""}
    with Terminal(
        "init", "--allow-anybody", "--offline", "--lang", "nl", cwd=checkout, environ=environ
    ) as terminal:
        terminal.answer("Welke HTTPS-URL krijgt LibreChat?", Choose("mijn eigen HTTPS-URL"))
        terminal.answer("Openbare URL van LibreChat", "https://gr\u00fc\u00dfe.example.com")
        terminal.type(CTRL_C)
        assert terminal.end() == 130
        assert "Traceback" not in terminal.text
        assert "LA001" not in terminal.text


def test_draws_on_a_terminal_without_colour(checkout: Path) -> None:
    with Terminal(
        "init", "--allow-anybody", "--offline", cwd=checkout, environ={"NO_COLOR": "1"}
    ) as terminal:
        terminal.until_asked("Which HTTPS URL")
        assert "\n >" in terminal.text
        terminal.type(CTRL_C)
        terminal.end()
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38;)[0-9;]*m", terminal.raw)


def test_a_secret_is_not_echoed_however_early_it_is_typed(checkout: Path) -> None:
    args = ("init", "--allow-anybody", "--offline", "--public-url", PUBLIC_URL)
    with Terminal(*args, cwd=checkout, environ=PLAIN) as terminal:
        terminal.answer("Domain", "dev-abc.us.auth0.com")
        terminal.answer("Client ID", "c" * 32)
        terminal.until_asked("Client Secret (hidden)")
        assert not terminal.echoes()
        terminal.type(SECRET + ENTER)
        terminal.until_asked("Number")
        assert terminal.echoes()
        assert SECRET not in terminal.raw


@pytest.mark.parametrize("mode", [{}, PLAIN], ids=["drawn", "plain"])
def test_a_secret_is_not_echoed_after_a_stop(checkout: Path, mode: dict[str, str]) -> None:
    """After `kill -STOP` and `fg`, the shell in between has made the terminal echo."""
    args = ("init", "--allow-anybody", "--offline", "--public-url", PUBLIC_URL)
    with Terminal(*args, cwd=checkout, environ=mode) as terminal:
        terminal.answer("Domain", "dev-abc.us.auth0.com")
        terminal.answer("Client ID", "c" * 32)
        terminal.until_asked("Client Secret (hidden)")
        terminal.stop_and_go_on()
        terminal.type(SECRET + ENTER)
        terminal.until_asked("Number" if mode else "Its URLs")
        assert SECRET not in terminal.raw
        terminal.type(CTRL_C)
        assert terminal.end() == 130
        assert terminal.is_as_before
