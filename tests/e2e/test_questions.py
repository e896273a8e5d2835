"""How many questions `init` asks, and how many keys it takes besides pasted values."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.e2e.installed import install_auth0_cli, trust_the_local_tunnel
from tests.e2e.program import clean_environ, run
from tests.e2e.terminal import CTRL_C, DOWN, ENTER, UP, Choose, Terminal
from tests.management_stand_in import Managed
from tests.ports import free_port
from tests.providers import PUBLIC_URL, Authority, Demo

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX's")

LOCAL_PORTS = range(3443, 3453)
Answers = Mapping[str, Callable[["Place"], str] | Choose | str | None]


@dataclass
class Place:
    """A LibreChat, and both kinds of tenant."""

    folder: Path
    environ: dict[str, str]
    demo: Demo
    managed: Managed


class Counting(Terminal):
    """A terminal that counts keys, except those of pasted values."""

    keys = 0

    def type(self, keys: str) -> None:
        self.keys += sum(keys.count(key) for key in (ENTER, UP, DOWN))
        super().type(keys)

    @property
    def questions(self) -> int:
        return sum(line.startswith("? ") for line in self.text.splitlines())


def with_cli(place: Place) -> None:
    """Install an auth0 CLI that is signed in to an empty tenant."""
    home = Path(place.environ["HOME"])
    (home / "bin").mkdir()
    install_auth0_cli(home / "bin", home / ".config", place.managed)
    place.environ["PATH"] = f"{home / 'bin'}:{place.environ['PATH']}"


def by_hand(place: Place) -> None:
    """Set up the tenant for any port of the local tunnel."""
    urls = [f"https://localhost:{port}" for port in LOCAL_PORTS]
    place.demo.application.callbacks = [f"{url}/oauth/openid/callback" for url in urls]


def finished(place: Place) -> None:
    """Prepare a finished, correct setup."""
    auth0 = place.demo.setup
    done = run(
        *("init", "--yes", "--public-url", PUBLIC_URL, "--domain", auth0.domain),
        *("--client-id", auth0.client_id, "--audience", auth0.audience or ""),
        cwd=place.folder,
        environ={**place.environ, "AUTH0_CLIENT_SECRET": place.demo.secret},
    )
    assert done.code == 0, done.err


VALUES: Answers = {
    "How do you want to set up Auth0?": None,
    "Domain": lambda it: it.demo.setup.domain,
    "Client ID": lambda it: it.demo.setup.client_id,
    "Client Secret (hidden)": lambda it: it.demo.secret,
    "Write these changes?": None,
}
TABLE: list[tuple[Callable[[Place], None], Answers, int, int]] = [
    # preparation, answers, maximum number of questions and keys
    (with_cli, {"Which HTTPS URL": None, "Make these changes in Auth0 and the .env?": None}, 2, 3),
    (by_hand, {"Which HTTPS URL": None, **VALUES}, 6, 6),
    (finished, {"What now?": Choose("Quit")}, 1, 3),
    (finished, {"What now?": None}, 1, 1),
]


@pytest.mark.parametrize(("prepare", "answers", "questions", "keys"), TABLE)
def test_asks_no_more_than_this(
    prepare: Callable[[Place], None],
    answers: Answers,
    questions: int,
    keys: int,
    checkout: Path,
    tmp_path: Path,
    authority: Authority,
    demo: Demo,
    managed: Managed,
) -> None:
    """The local tunnel's authority is trusted; otherwise there is one more question per machine."""
    managed.tenant.clock = time.time
    place = Place(checkout, clean_environ(tmp_path / "home", authority.ca), demo, managed)
    trust_the_local_tunnel(tmp_path / "home/.local/state/librechat-auth0")
    prepare(place)
    port = str(free_port())
    with Counting("init", "--port", port, cwd=checkout, environ=place.environ, rows=90) as terminal:
        for question, answer in answers.items():
            terminal.answer(question, answer(place) if callable(answer) else answer)
        if "Quit" not in str(answers):
            terminal.until("Waiting for the sign-in")
            terminal.type(CTRL_C)
            terminal.until("The test sign-in was skipped.")
            if "Which HTTPS URL" in answers:
                terminal.until("Keep this running")
                terminal.type(CTRL_C)
        assert terminal.end() == 0

        assert terminal.questions <= questions
        assert terminal.keys <= keys
    assert dotenv_values(checkout / ".env", interpolate=False)["OPENID_CLIENT_SECRET"]
