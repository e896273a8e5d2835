"""Microsoft's dev tunnels, with a stand-in process."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import cast

import pytest

from tests.tunnels.conftest import Listener, program_pid, supervisors, until
from tests.tunnels.public_end import World
from tests.tunnels.test_offers import Machine
from wizard.findings import ExitCode, Failure
from wizard.sign_in_traffic import recorded
from wizard.system.processes import TIMED_OUT, Processes
from wizard.tunnels import EventKind, provider
from wizard.tunnels.devtunnel import DevTunnel


@pytest.fixture
def world(
    tmp_path: Path, librechat: int, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> World:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_STATE", "")
    monkeypatch.setenv("STAND_IN_SCENARIO", "")
    return World("devtunnel", tmp_path, librechat, listener)


@pytest.mark.parametrize("output", ["", "recorded-2024", "documented-2025"])
def test_finds_the_ports_url_in_every_form_of_output(world: World, output: str) -> None:
    with world.tunnel(output) as url:
        (host,) = world.commands()

    assert url == f"https://7m667npm-{host[2]}.usw2.devtunnels.ms"
    assert host == ["host", "-p", host[2], "--protocol", "http", "--allow-anonymous"]


def test_leads_to_librechat_and_reports_requests(world: World, listener: Listener) -> None:
    with world.tunnel():
        with world.visit("/oauth/openid/callback?code=secret") as answer:
            page = answer.read(4096).decode()
        assert until(listener.requests)
        assert until(lambda: recorded(world.request.state_dir, world.request.port))

    assert "X-Forwarded-Proto: https\n" in page
    assert [event.path for event in listener.requests()] == ["/oauth/openid/callback"]


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        (
            "Tunnel service error: Request not permitted. Unauthorized tunnel creation access:"
            " Anonymous does not have 'create' access scope for The default tunnel domain.",
            "LA380",
        ),
        (
            "devtunnel: Error connecting host tunnel session: Rate limit exceeded (429). Too many"
            " requests in a given amount of time.",
            "LA381",
        ),
        ("The server returned status code '429' when status code '101' was expected.", "LA381"),
        ("Name or service not known (global.rel.tunnels.api.visualstudio.com:443)", "LA382"),
    ],
)
def test_explains_devtunnels_errors(world: World, said: str, rule: str) -> None:
    failure = cast(DevTunnel, world.tunnel()).explain(("Welcome!", said), 1)

    assert failure.exit_code is ExitCode.TUNNEL
    assert failure.finding.rule.id == rule
    assert said in failure.finding.detail


def test_reports_a_lost_and_restored_connection(world: World, listener: Listener) -> None:
    with world.tunnel():
        os.kill(program_pid(), signal.SIGUSR1)
        assert listener.received(EventKind.LOST)
        os.kill(program_pid(), signal.SIGUSR2)
        assert listener.received(EventKind.RESTORED)

    assert listener.kinds() == [EventKind.LOST, EventKind.RESTORED]


def test_does_not_replace_a_lost_url(world: World, listener: Listener) -> None:
    with world.tunnel():
        os.kill(program_pid(), signal.SIGKILL)
        assert listener.received(EventKind.CLOSED)

    assert listener.kinds() == [EventKind.LOST, EventKind.CLOSED]
    assert [command[0] for command in world.commands()].count("host") == 1


def test_closing_leaves_no_process(world: World) -> None:
    opened = world.tunnel()
    opened.open()
    opened.close()
    opened.close()

    assert supervisors() == []
    with pytest.raises(OSError, match="refused"):
        world.visit("/")


def test_a_url_cannot_be_chosen(world: World) -> None:
    with pytest.raises(Failure) as caught:
        world.tunnel(requested_url="https://mine-3080.euw.devtunnels.ms").open()

    assert caught.value.finding.rule.id == "LA383"
    assert not (world.state / "argv").exists()


@pytest.mark.parametrize(
    ("said", "status", "missing"),
    [
        ('Welcome to dev tunnels!\n{"status": "Logged in", "provider": "github"}', 0, ""),
        ('{"status":"Not logged in"}', 0, "not signed in"),
        ("", 1, "not signed in"),
        ("", TIMED_OUT, "does not respond"),
    ],
)
def test_the_offer(said: str, status: int, missing: str) -> None:
    machine = Machine(has_programs=True, said=said, status=status)
    offer = provider("devtunnel").offer(machine, {})

    assert (offer.ready, offer.missing) == (not missing, missing)


def test_explains_how_to_install_devtunnel(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert provider("devtunnel").offer(Processes(), {}).missing == ""
    with pytest.raises(Failure) as caught:
        world.tunnel().open()

    assert caught.value.finding.rule.id == "LA379"
