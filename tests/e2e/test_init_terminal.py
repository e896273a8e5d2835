from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.e2e.terminal import CTRL_C, ENTER, Choose, Terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX's")

CLIENT_ID = "abcdefghijklmnopqrstuvwxyz012345"
SECRET = "a-secret-that-nobody-may-see_0123456789"
OWN_URL = ("init", "--allow-anybody", "--offline", "--public-url", "https://chat.example.com")
TOKEN = "2abcDEFabcDEFabcDEFabcDEF_3abcDEFabcDEFabcDEF"
COLOR = re.compile(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38;)[0-9;]*m")


@pytest.fixture
def checkout(checkout: Path) -> Path:
    (checkout / ".env.example").write_text(
        "HOST=localhost\nPORT=3080\nMONGO_URI=mongodb://127.0.0.1:27017/LibreChat\n"
        "# OpenID\nOPENID_CLIENT_ID=\nOPENID_CLIENT_SECRET=\nOPENID_ISSUER=\n"
    )
    return checkout


@pytest.fixture
def ngrok(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which `ngrok` is the stand-in."""
    program = tmp_path / "bin/ngrok"
    program.parent.mkdir()
    stand_in = Path(__file__).parents[1] / "stand_ins/ngrok.py"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{stand_in}" "$@"\n')
    program.chmod(0o755)
    state = tmp_path / "ngrok-service"
    state.mkdir()
    return {"PATH": f"{program.parent}:{os.environ['PATH']}", "STAND_IN_STATE": str(state)}


def answer_all(terminal: Terminal) -> None:
    terminal.answer("Domain", "dev-abc.us.auth0.com")
    terminal.answer("Client ID", CLIENT_ID)
    terminal.answer("Client Secret", SECRET)
    terminal.answer("Its URLs", Choose("Done"))
    terminal.answer("The API", Choose("Done"))
    terminal.until("Write these changes?")
    terminal.type(ENTER)


@pytest.mark.parametrize("columns", [80, 40])
def test_from_the_first_key_to_the_last(checkout: Path, columns: int) -> None:
    terminal = Terminal(*OWN_URL, cwd=checkout, columns=columns)
    answer_all(terminal)

    assert terminal.end() == 0
    values = dotenv_values(checkout / ".env", interpolate=False)
    assert values["OPENID_CLIENT_SECRET"] == SECRET
    assert values["OPENID_AUDIENCE"] == "https://api.librechat.ai"
    assert SECRET not in terminal.raw
    for line in ("Step 5 of 5", "npm run backend", "https://chat.example.com"):
        terminal.until(line)


def test_uses_colour_only_where_wanted(checkout: Path) -> None:
    with_color = Terminal(*OWN_URL, cwd=checkout, color=True)
    with_color.until_asked("Domain")
    with_color.type(CTRL_C)
    with_color.end()
    without = Terminal(*OWN_URL, cwd=checkout)
    without.until_asked("Domain")
    without.type(CTRL_C)
    without.end()

    assert COLOR.search(with_color.raw)
    assert not COLOR.search(without.raw)


def test_accepts_a_long_paste(checkout: Path) -> None:
    terminal = Terminal(*OWN_URL, cwd=checkout)
    terminal.answer("Domain", "\x1b[200~https://Dev-ABC.us.auth0.com/\x1b[201~")
    terminal.until("? Client ID")
    terminal.type(CTRL_C)

    assert terminal.end() == 130


def test_a_resize_during_a_question(checkout: Path) -> None:
    terminal = Terminal(*OWN_URL, cwd=checkout)
    terminal.until_asked("Domain")
    terminal.resize(50, 30)
    terminal.answer("Domain", "dev-abc.us.auth0.com")
    terminal.until_asked("Client ID")
    terminal.type(CTRL_C)

    assert terminal.end() == 130


def test_ngrok_from_the_token_to_ctrl_c(checkout: Path, ngrok: dict[str, str]) -> None:
    terminal = Terminal("init", "--allow-anybody", "--offline", cwd=checkout, environ=ngrok)
    terminal.answer("Which HTTPS URL", Choose("ngrok"))
    terminal.answer("ngrok authtoken", TOKEN)
    terminal.until("Save it in ngrok's own configuration")
    terminal.type(ENTER)
    answer_all(terminal)
    terminal.until("Keep this running")
    terminal.type(CTRL_C)

    assert terminal.end() == 0
    terminal.until("The tunnel is closed")
    assert TOKEN not in terminal.raw
    values = dotenv_values(checkout / ".env", interpolate=False)
    assert values["DOMAIN_SERVER"] == "https://stand-in.ngrok-free.dev"
    online = {path.name for path in Path(ngrok["STAND_IN_STATE"]).iterdir()} - {"argv"}
    assert not online


def test_without_a_terminal(checkout: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("librechat-auth0")), *OWN_URL],
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "--domain" in done.stderr
    assert done.stdout == ""
    assert "\x1b" not in done.stderr
