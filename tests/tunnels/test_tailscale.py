"""Tailscale Funnel, with a stand-in process."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import cast

import pytest

from tests.stand_ins.tailscale import CONSENT_PAGE, HOST, status
from tests.tunnels.conftest import Listener, program_pid, supervisors, until
from tests.tunnels.public_end import World
from tests.tunnels.test_offers import Machine
from wizard.findings import ExitCode, Failure
from wizard.sign_in_traffic import recorded
from wizard.system.processes import Processes
from wizard.tunnels import EventKind, provider
from wizard.tunnels.tailscale import TailscaleTunnel

URL = f"https://{HOST}"


@pytest.fixture
def world(
    tmp_path: Path, librechat: int, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> World:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_STATE", "")
    monkeypatch.setenv("STAND_IN_SCENARIO", "")
    return World("tailscale", tmp_path, librechat, listener)


def test_the_computers_name_leads_to_librechat_and_reports_requests(
    world: World, listener: Listener
) -> None:
    with world.tunnel() as url:
        with world.visit("/oauth/openid/callback?code=secret") as answer:
            page = answer.read(4096).decode()
        assert until(listener.requests)
        assert until(lambda: recorded(world.request.state_dir, world.request.port))

    assert url == URL
    assert "X-Forwarded-Proto: https\n" in page
    assert [event.path for event in listener.requests()] == ["/oauth/openid/callback"]


def test_runs_in_the_foreground_and_ends_with_us(world: World) -> None:
    opened = world.tunnel()
    opened.open()
    opened.close()
    opened.close()

    *_, command = world.commands()
    assert command[:2] == ["funnel", "--https=443"]
    assert "--bg" not in command
    assert supervisors() == []
    with pytest.raises(OSError, match="refused"):
        world.visit("/")


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({"TCP": {"443": {"HTTPS": True}}}, f"{URL}:8443"),
        (
            {"TCP": {"443": {"HTTPS": True}}, "Foreground": {"x": {"TCP": {"8443": {}}}}},
            f"{URL}:10000",
        ),
        ({"TCP": None, "Foreground": [], "AllowFunnel": 1}, URL),
    ],
)
def test_leaves_the_users_own_serve_alone(
    world: World, config: dict[str, object], url: str
) -> None:
    (world.state / "serve.json").write_text(json.dumps(config))
    with world.tunnel() as opened:
        assert opened == url


def test_reopens_the_url_of_an_earlier_run(world: World) -> None:
    with world.tunnel(requested_url=f"{URL}:8443") as url:
        assert url == f"{URL}:8443"


@pytest.mark.parametrize("wanted", ["https://other.tail1234.ts.net", f"{URL}:444", "http://x"])
def test_rejects_another_url_than_the_computers(world: World, wanted: str) -> None:
    with pytest.raises(Failure) as caught:
        world.tunnel(requested_url=wanted).open()

    assert caught.value.finding.rule == provider("tailscale").lost_url
    assert supervisors() == []


@pytest.mark.parametrize(
    ("said", "rule", "detail"),
    [
        (
            ("Access denied: serve config denied", "Use 'sudo tailscale funnel'."),
            "LA356",
            "Access denied: serve config denied",
        ),
        (
            ("updating config: listener already exists for port 443",),
            "LA357",
            "updating config: listener already exists for port 443",
        ),
        (
            ("Funnel not available; HTTPS must be enabled. See https://tailscale.com/s/https.",),
            "LA355",
            "Funnel not available; HTTPS must be enabled. See https://tailscale.com/s/https.",
        ),
        (
            ("Funnel is not enabled on your tailnet.", "To enable, visit:", CONSENT_PAGE),
            "LA355",
            "",
        ),
        (
            ("flag provided but not defined: -https",),
            "LA359",
            "flag provided but not defined: -https",
        ),
        ((), "LA359", "exit status 1"),
    ],
)
def test_explains_tailscales_errors(
    world: World, said: tuple[str, ...], rule: str, detail: str
) -> None:
    failure = cast(TailscaleTunnel, world.tunnel()).explain(said, 1)

    assert failure.exit_code is ExitCode.TUNNEL
    assert (failure.finding.rule.id, failure.finding.detail) == (rule, detail)
    assert (CONSENT_PAGE in failure.finding.fix) == (CONSENT_PAGE in said)


def test_shows_the_page_that_enables_funnel_and_waits(world: World, listener: Listener) -> None:
    def allow(line: str) -> None:
        listener.lines.append(line)
        if CONSENT_PAGE in line:
            (world.state / "on").touch()

    # No Python starts in this time.
    with world.tunnel("off", seconds=0.02, progress=allow) as url:
        assert url == URL

    assert any(CONSENT_PAGE in line for line in listener.lines)


def test_does_not_wait_for_consent_without_a_terminal(world: World) -> None:
    with pytest.raises(Failure) as caught:
        world.tunnel("off", seconds=0.02, for_people=False).open()

    assert caught.value.finding.rule.id in {"LA355", "LA359"}
    assert supervisors() == []


def test_restarts_a_killed_command(world: World, listener: Listener) -> None:
    with world.tunnel():
        os.kill(program_pid(), signal.SIGKILL)
        assert listener.received(EventKind.RESTORED)
        with world.visit("/") as answer:
            assert answer.status == 200

    assert listener.kinds() == [EventKind.LOST, EventKind.RESTORED]


NO_DAEMON = "failed to connect to local tailscaled; it doesn't appear to be running"


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        (json.dumps(status()), ""),
        (NO_DAEMON, "not connected"),
        (json.dumps(status("Stopped")), "not connected"),
        (json.dumps({"BackendState": "NeedsLogin", "Self": None}), "not connected"),
        (json.dumps(status(has_funnel=False)), "Funnel is off"),
        (json.dumps({**status(), "Self": {"DNSName": "a.ts.net.", "CapMap": []}}), "Funnel is off"),
    ],
)
def test_the_offer(said: str, missing: str) -> None:
    offer = provider("tailscale").offer(Machine(has_programs=True, said=said), {})

    assert (offer.ready, offer.missing) == (not missing, missing)


@pytest.mark.parametrize(
    ("said", "detail"),
    [(NO_DAEMON, "tailscaled does not respond"), (json.dumps(status("Stopped")), "Stopped")],
)
def test_a_computer_that_is_not_connected(world: World, said: str, detail: str) -> None:
    machine = Machine(has_programs=True, said=said)
    with pytest.raises(Failure) as caught:
        provider("tailscale")(world.request, machine, {}).open()

    assert (caught.value.finding.rule.id, caught.value.finding.detail) == ("LA354", detail)


def test_explains_how_to_install_tailscale(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert provider("tailscale").offer(Processes(), {}).missing == ""
    with pytest.raises(Failure) as caught:
        world.tunnel().open()

    assert caught.value.finding.rule.id == "LA353"
