"""`init` after a finished setup: what it reports and offers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes import ScriptedPrompter, World, make_world
from tests.providers import Demo, demo, demo_server
from wizard import dashboard
from wizard.auth0.tokens import Judgement
from wizard.commands.init import run_init
from wizard.findings import ExitCode, Failure
from wizard.rules import rule
from wizard.steps.init_progress import InitResult
from wizard.steps.options import InitOptions
from wizard.steps.proofs import How, Proof, keep_proof
from wizard.steps.values import env_store, read_subject
from wizard.system.desktop import Desktop
from wizard.ui.prompts import Back

__all__ = ["demo", "demo_server"]

PROVED = "Everything is set up and proved: a sign-in worked at 2027-01-15"
UNPROVED = "Everything is set up. No sign-in has proved it yet."


class Browser(Desktop):
    """A browser that records what it opens."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def open(self, url: str) -> bool:
        self.opened.append(url)
        return True


@dataclass
class Finished:
    """A LibreChat with its own URL, and its tenant."""

    checkout: Path
    setup: Demo
    browser: Browser

    def world(self, *script: tuple[str, object]) -> World:
        prompter = ScriptedPrompter(*script) if script else None
        world = make_world(self.checkout, prompter=prompter, http=self.setup.http)
        return World(world.ports._replace(desktop=self.browser), world.stderr, world.stdout)


@pytest.fixture
def finished(checkout: Path, demo: Demo) -> Finished:
    auth0 = demo.setup
    done = Finished(checkout, demo, Browser())
    world = done.world()
    options = InitOptions(
        domain=auth0.domain,
        client_id=auth0.client_id,
        client_secret=auth0.client_secret or "",
        audience=auth0.audience or "",
        public_url=auth0.public_url,
        yes=True,
    )
    run_init(options, world.ports, lambda _: None)
    return done


def prove(finished: Finished) -> None:
    ports = finished.world().ports
    subject = read_subject(env_store(None, ports), ports)
    keep_proof(ports.state_dir, subject, Proof(1_800_000_000.0, How.VERIFY))


@pytest.mark.parametrize("is_proved", [True, False])
def test_only_a_sign_in_proves_the_setup(finished: Finished, is_proved: bool) -> None:
    if is_proved:
        prove(finished)
    world = finished.world(("What now?", "quit"))
    run_init(InitOptions(), world.ports, lambda _: None)

    assert (PROVED in world.said) == is_proved
    assert (UNPROVED in world.said) != is_proved
    assert "Auth0 account" not in world.said


def test_a_changed_value_invalidates_the_proof(finished: Finished) -> None:
    prove(finished)
    env_file = finished.checkout / ".env"
    env_file.write_text(f"{env_file.read_text()}\nOPENID_IMAGE_URL=/assets/logo.svg\n")
    world = finished.world(("What now?", "quit"))
    run_init(InitOptions(), world.ports, lambda _: None)

    assert UNPROVED in world.said


def test_offers_four_choices_and_opens_librechat(finished: Finished) -> None:
    prove(finished)
    world = finished.world(("What now?", None))
    run_init(InitOptions(), world.ports, lambda _: None)
    prompter = world.ports.prompter

    assert isinstance(prompter, ScriptedPrompter)
    assert prompter.shown == [
        "Open LibreChat: https://chat.example.com",
        "Test the sign-in",
        "Change something",
        "Quit",
        "What now?",
    ]
    assert finished.browser.opened == ["https://chat.example.com"]


def test_another_format_does_not_ask_about_a_finished_setup(finished: Finished) -> None:
    world = finished.world(("HTTPS URL", KeyboardInterrupt))
    with pytest.raises(Failure):
        run_init(InitOptions(format="json"), world.ports, lambda _: None)

    assert UNPROVED not in world.said


def test_offers_to_repeat_a_failed_sign_in(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[Judgement | Failure] = [
        rule("LA431").failure(),
        rule("LA431").failure(),
        Judgement(()),
    ]

    def sign_in(*_: object, **__: object) -> Judgement:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Failure):
            raise outcome
        return outcome

    monkeypatch.setattr("wizard.commands.init.sign_in", sign_in)
    again = [("What now?", answer) for answer in (Back, "open", "again", None)]
    world = finished.world(("What now?", "sign-in"), *again)
    results: list[InitResult] = []
    run_init(InitOptions(), world.ports, lambda result: results.append(result))  # type: ignore[arg-type]

    assert outcomes == []
    assert results[0].exit_code is ExitCode.OK
    assert results[0].sign_in is not None
    assert finished.browser.opened == [
        dashboard.application(finished.setup.setup.client_id, domain=finished.setup.setup.domain)
    ]


def test_continuing_after_a_finding_sets_the_exit_code(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sign_in(*_: object, **__: object) -> Judgement:
        raise rule("LA431").failure()

    monkeypatch.setattr("wizard.commands.init.sign_in", sign_in)
    world = finished.world(("What now?", "sign-in"), ("What now?", "continue"))
    result = run_init(InitOptions(), world.ports, lambda _: None)

    assert result.exit_code is not ExitCode.OK
