"""`tunnel` as a user sees it in a terminal."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.e2e.marked import MARK, marked, pid_of
from tests.e2e.program import run
from tests.e2e.terminal import CTRL_C, ENTER, Terminal
from tests.ports import free_port
from tests.tunnels.conftest import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")

DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
OLD = "https://old.ngrok-free.dev"


def env_file(folder: Path, url: str) -> Path:
    path = folder / ".env"
    path.write_text(f"PORT={free_port()}\nDOMAIN_CLIENT={url}\nDOMAIN_SERVER={url}\n")
    return path


@pytest.fixture
def environ(request: pytest.FixtureRequest) -> dict[str, str]:
    return {MARK: f"{request.node.name}-{os.getpid()}"}


@pytest.mark.parametrize("columns", [80, 40])
def test_the_live_view(checkout: Path, columns: int) -> None:
    url = f"https://localhost:{free_port()}"
    env_file(checkout, url)
    terminal = Terminal("tunnel", "--yes", cwd=checkout, columns=columns)
    terminal.until("Keep this running")
    terminal.until("LibreChat does not respond")
    terminal.until(f"{url} · open for")
    terminal.until("s · requests: 0")
    terminal.type(CTRL_C)

    assert terminal.end() == 0
    terminal.until("The tunnel is closed.")
    assert "\x1b[?25h" in terminal.raw  # the cursor is back


def test_a_key_prints_above_the_state(checkout: Path) -> None:
    env_file(checkout, f"https://localhost:{free_port()}")
    terminal = Terminal("tunnel", cwd=checkout, environ=dict.fromkeys(DESKTOP, ""))
    terminal.until("Write these changes?")
    terminal.type(ENTER)
    terminal.until("requests: 0")
    terminal.type("o")
    terminal.until("Open in a browser:")
    terminal.type("q")

    assert terminal.end() == 0
    assert "No browser here. Open in a browser:" in terminal.text.splitlines()


@pytest.mark.parametrize("args", [(), ("--detach",)])
def test_ctrl_c_at_the_question_changes_nothing(
    checkout: Path, environ: dict[str, str], args: tuple[str, ...]
) -> None:
    path = env_file(checkout, OLD)
    before = path.read_bytes()
    terminal = Terminal("tunnel", "--tunnel", "local", *args, cwd=checkout, environ=environ)
    terminal.until("Write these changes?")
    terminal.type(CTRL_C)

    assert terminal.end() == 130
    assert path.read_bytes() == before
    assert until(lambda: not marked(environ[MARK])), marked(environ[MARK])


def test_a_command_killed_at_the_question_leaves_no_tunnel(
    checkout: Path, environ: dict[str, str]
) -> None:
    env_file(checkout, OLD)
    terminal = Terminal("tunnel", "--tunnel", "local", "-d", cwd=checkout, environ=environ)
    terminal.until("Write these changes?")
    assert pid_of(environ[MARK], "wizard.steps.background.process")
    os.kill(pid_of(environ[MARK], "librechat-auth0", "tunnel"), signal.SIGKILL)
    terminal.end()

    assert until(lambda: not marked(environ[MARK])), marked(environ[MARK])


def test_moves_to_the_background_after_a_yes(checkout: Path, environ: dict[str, str]) -> None:
    path = env_file(checkout, OLD)
    terminal = Terminal("tunnel", "--tunnel", "local", "-d", cwd=checkout, environ=environ)
    terminal.until("Write these changes?")
    terminal.type(ENTER)
    terminal.until("stays open in the background")

    assert terminal.end() == 0
    opened = re.search(r"https://localhost:\d+", terminal.text)
    assert opened is not None
    assert f"DOMAIN_SERVER={opened[0]}\n" in path.read_text()
    assert pid_of(environ[MARK], "wizard.steps.background.process")
    done = run("tunnel", "stop", cwd=checkout, environ={**os.environ, **environ})
    assert done.code == 0
    assert until(lambda: not marked(environ[MARK])), marked(environ[MARK])
