"""Questions and keys in a console of Windows, which Wine draws in a pseudo-terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.e2e.terminal import CTRL_C, PLAIN, Terminal
from tests.e2e.test_keys import ANSWERS, OWN_URL, SECRET
from tests.librechat.example import checkout
from tests.windows.machine import PYTHON, SECONDS, WINE, Machine, until
from tests.windows.test_init import INIT
from tests.windows.test_init import SECRET as GIVEN_SECRET

WIZARD = (WINE, PYTHON, "-m", "wizard")
GIVEN = tuple(each for each in INIT if each != "--yes")


@pytest.fixture
def folder(work: Path) -> Path:
    return checkout(work / "LibreChat")


def test_init_asks_in_a_console(machine: Machine, folder: Path) -> None:
    with Terminal(*OWN_URL, cwd=folder, environ=PLAIN, program=WIZARD) as terminal:
        for question, answer in {**ANSWERS, "Write these changes?": None}.items():
            terminal.until_asked(question, SECONDS)
            # Wine lets the pseudo-terminal echo until the console is first read.
            assert until(lambda: not terminal.echoes())
            terminal.answer(question, answer)
        assert terminal.end(SECONDS) == 0, terminal.text
        assert SECRET not in terminal.raw
    values = dotenv_values(folder / ".env", interpolate=False)
    assert values["OPENID_CLIENT_SECRET"] == SECRET


@pytest.mark.parametrize("mode", [{}, PLAIN], ids=["drawn", "plain"])
def test_ctrl_c_at_a_hidden_question_changes_nothing(
    machine: Machine, folder: Path, mode: dict[str, str]
) -> None:
    with Terminal(*GIVEN, cwd=folder, environ=mode, program=WIZARD) as terminal:
        terminal.until("Client Secret (hid", SECONDS)
        assert until(lambda: not terminal.echoes())
        terminal.type(SECRET)
        terminal.type(CTRL_C)
        assert terminal.end(SECONDS) == 130, terminal.text
        assert "Nothing was changed." in terminal.text
        assert SECRET not in terminal.raw
    assert not (folder / ".env").exists()


def test_ctrl_c_closes_a_tunnel(machine: Machine, folder: Path) -> None:
    assert machine.ours(*INIT, cwd=folder, env=GIVEN_SECRET).status == 0
    with Terminal("tunnel", "--tunnel", "local", "--yes", cwd=folder, program=WIZARD) as terminal:
        terminal.until("press Ctrl-C to close it.", SECONDS)
        terminal.type(CTRL_C)
        assert terminal.end(SECONDS) == 0, terminal.text
        assert "The tunnel is closed." in terminal.text
    assert b"DOMAIN_SERVER=https://localhost:" in (folder / ".env").read_bytes()
