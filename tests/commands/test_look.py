"""What `init` finds before its first question, and what it concludes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import NoProcesses, ScriptedPrompter, World, make_world
from wizard.commands.init import run_init
from wizard.findings import ExitCode, Failure
from wizard.known import Known
from wizard.steps.options import InitOptions
from wizard.steps.tunnel_menu import TunnelOptions, choose_tunnel, latest_offer, tunnel_offers
from wizard.system.desktop import Desktop
from wizard.system.loopback import listeners
from wizard.system.processes import Completed
from wizard.ui.prompts import Back

URL = "https://chat.example.com"


@dataclass
class Installed(NoProcesses):
    """Programs on PATH."""

    programs: tuple[str, ...] = ()

    def which(self, program: str) -> Path | None:
        return Path("/usr/bin", program) if program in self.programs else None


@dataclass
class Asked(Installed):
    """Programs on PATH, which say nothing; notes how often they are run."""

    runs: int = 0

    def run(self, args: Sequence[str], **_: object) -> Completed:
        self.runs += 1
        return Completed(1, "", "")


class Desk(Desktop):
    """A browser and a clipboard."""

    def has_browser(self) -> bool:
        return True

    def has_clipboard(self) -> bool:
        return True


def at(
    folder: Path, *script: tuple[str, object], environ: Mapping[str, str] | None = None
) -> World:
    return make_world(folder, prompter=ScriptedPrompter(*script), environ=environ)


def stop_at(world: World, options: InitOptions, env_file: Path | None = None) -> str:
    """Return the screen when the user stops at the last question of the script."""
    with pytest.raises(Failure) as stopped:
        run_init(options, world.ports, lambda _: None, env_file)
    assert stopped.value.exit_code is ExitCode.INTERRUPTED
    return world.said


DOMAIN = ("Domain", KeyboardInterrupt)
ANYWAY = ("Use it anyway?", True)


def test_shows_what_is_here_before_the_first_question(checkout: Path) -> None:
    world = at(checkout, DOMAIN)
    said = stop_at(replace_ports(world, desktop=Desk()), InitOptions(offline=True, public_url=URL))

    assert " browser, clipboard." in said
    assert "no browser" not in said
    assert "By hand this takes about 10 minutes." in said


@pytest.mark.parametrize(
    ("files", "runner"),
    [
        ({}, "npm probably runs LibreChat: this folder has no Docker Compose file."),
        (
            {"docker-compose.yml": "services: {api: {image: librechat}}"},
            "Docker Compose probably runs LibreChat: docker-compose.yml has the service api.",
        ),
        ({"package.json": "{}"}, ""),
    ],
)
def test_shows_how_librechat_runs(checkout: Path, files: dict[str, str], runner: str) -> None:
    for name, text in files.items():
        (checkout / name).write_text(text)
    options = InitOptions(offline=True, public_url=URL)
    said = stop_at(at(checkout, DOMAIN), options, checkout / ".env")

    assert runner in said
    assert ("runs LibreChat" in said) == bool(runner)


def replace_ports(world: World, **changed: object) -> World:
    return World(world.ports._replace(**changed), world.stderr, world.stdout)  # type: ignore[arg-type]


def test_tunnel_programs_are_asked_once(checkout: Path) -> None:
    machine = Asked(programs=("tailscale", "devtunnel"))
    ports = at(checkout).ports._replace(processes=machine, prompter=None)
    tunnel_offers(ports)
    choose_tunnel(TunnelOptions(3080, Path("unused.env")), ports)
    latest_offer("tailscale", ports)

    assert machine.runs == 2
    latest_offer("tailscale", ports)  # a second try
    assert machine.runs == 3


def test_finds_no_browser_over_ssh(checkout: Path) -> None:
    world = at(checkout, DOMAIN, environ={"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"})
    said = stop_at(world, InitOptions(offline=True, public_url=URL))

    assert "Detected: over SSH" in said
    assert "no browser, no clipboard" in said


def test_names_the_tenant_of_a_signed_in_cli(checkout: Path, tmp_path: Path) -> None:
    config = tmp_path / ".config/auth0/config.json"
    config.parent.mkdir(parents=True)
    tenant = "dev-abc.us.auth0.com"
    config.write_text(json.dumps({"default_tenant": tenant, "tenants": {tenant: {}}}))
    world = at(checkout, DOMAIN, environ={"HOME": str(tmp_path)})
    world = replace_ports(world, processes=Installed(("auth0",)))

    said = stop_at(world, InitOptions(offline=True, public_url=URL))

    assert f"the auth0 CLI is logged in to {tenant}." in said
    assert "about 2 minutes" in said


@pytest.mark.parametrize(
    "config",
    [
        "",
        "[]",
        "{}",
        '{"default_tenant": "x", "tenants": {}}',
        '{"default_tenant": 1, "tenants": [1]}',
    ],
)
def test_does_not_mention_a_cli_that_is_not_signed_in(
    checkout: Path, tmp_path: Path, config: str
) -> None:
    file = tmp_path / ".config/auth0/config.json"
    file.parent.mkdir(parents=True)
    file.write_text(config)
    world = at(checkout, DOMAIN, environ={"HOME": str(tmp_path)})
    world = replace_ports(world, processes=Installed(("auth0",)))

    assert "CLI is logged in" not in stop_at(world, InitOptions(offline=True, public_url=URL))


class TunnelPrograms(Installed):
    """Two programs, each of which answers only once both are running."""

    programs = ("caddy", "tailscale", "devtunnel")

    def __init__(self) -> None:
        self._both = threading.Barrier(2)

    def run(self, args: Sequence[str], **_: Any) -> Completed:
        self._both.wait(60)
        is_devtunnel = args[0].endswith("devtunnel")
        return Completed(0, '{"status": "Logged in"}' if is_devtunnel else "", "")


MENU = ("Which HTTPS URL", KeyboardInterrupt)


def test_names_tunnels_and_what_an_installed_one_lacks(checkout: Path) -> None:
    world = replace_ports(at(checkout, MENU), processes=TunnelPrograms())

    said = stop_at(world, InitOptions(offline=True))

    assert "Tunnels: local, caddy, devtunnel, tailscale (not connected).\n" in said


def test_looks_for_no_tunnel_when_the_url_is_given(checkout: Path) -> None:
    assert "Tunnels:" not in stop_at(
        at(checkout, DOMAIN), InitOptions(offline=True, public_url=URL)
    )


def test_reports_a_taken_port(checkout: Path) -> None:
    taken = listeners(0)
    port = taken[0].getsockname()[1]
    try:
        said = stop_at(
            at(checkout, DOMAIN), InitOptions(offline=True, public_url=URL, port=str(port))
        )
    finally:
        for listener in taken:
            listener.close()

    assert f"Port {port} is in use" in said


def test_uses_and_reports_the_next_free_port(checkout: Path) -> None:
    def listen(port: int) -> list[object]:
        if port == 3443:
            raise OSError
        return []

    world = replace_ports(at(checkout, ("Which HTTPS URL", KeyboardInterrupt)), listen=listen)
    said = stop_at(world, InitOptions(offline=True))

    assert "Port 3443 is in use, so the local tunnel takes the next free one" in said
    assert "--local-port" in said


def test_a_tunnel_of_this_run_is_not_in_the_way(checkout: Path) -> None:
    """The user came back to the first step, so the tunnel of the second one is closed."""
    from wizard.saved_answers import SavedAnswers

    resumed, way = ("Resume it?", True), "How do you want"
    world = at(checkout, resumed, (way, Back), resumed, (way, KeyboardInterrupt))
    answers = SavedAnswers(world.ports.state_dir, checkout / ".env")
    answers.keep(Known(domain="dev-abc123.us.auth0.com"))

    said = stop_at(world, InitOptions(tunnel="local"))

    assert said.count("Step 1 of") == 2
    assert said.count("in use") in {0, 2}  # of another program


def test_reports_an_unresolvable_url(checkout: Path) -> None:
    world = at(checkout, ("How do you want", KeyboardInterrupt))
    said = stop_at(replace_ports(world, resolves=lambda _: False), InitOptions(public_url=URL))

    assert "chat.example.com has no DNS record that this computer can see." in said


def test_offers_a_forwarded_url(checkout: Path) -> None:
    url = "https://fluffy-3080.app.github.dev"
    environ = {
        "CODESPACE_NAME": "fluffy",
        "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "app.github.dev",
    }
    world = at(checkout, ("Which HTTPS URL", None), ("Public URL", None), DOMAIN, environ=environ)
    said = stop_at(world, InitOptions(offline=True))

    assert f"Port 3080 is forwarded from {url}." in said
    assert f"Using {url} without opening a tunnel." in said


@pytest.mark.parametrize("asked", [True, False])
def test_ends_immediately_when_the_folder_is_read_only(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    world = at(checkout) if asked else make_world(checkout)

    with pytest.raises(Failure) as failure:
        run_init(InitOptions(offline=True, public_url=URL), world.ports, lambda _: None)

    finding = failure.value.finding
    assert finding.rule.id == "LA032"
    assert finding.detail == str(checkout)
    assert failure.value.exit_code is ExitCode.FILE


def test_offers_folders_below(tmp_path: Path) -> None:
    start = tmp_path / "start"
    for name in ("work/apps/chat", "other", "work/node_modules/LibreChat", ".hidden/LibreChat"):
        (start / name).mkdir(parents=True)
    for name in ("work/apps/chat", "work/node_modules/LibreChat", ".hidden/LibreChat"):
        (start / name / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.8"}')
    world = at(start, ("LibreChat folder", None), DOMAIN)

    said = stop_at(world, InitOptions(offline=True, public_url=URL))

    assert f"LibreChat 0.8.8 in {start}/work/apps/chat" in said
    assert isinstance(world.ports.prompter, ScriptedPrompter)
    offered = [each for each in world.ports.prompter.shown if each.startswith(str(start))]
    assert offered == [str(start / "work/apps/chat")]


@pytest.mark.parametrize("typed", ["n" * 300, "~nobody-of-that-name", "a\0b", "gone"])
def test_asks_again_for_an_invalid_folder(typed: str, tmp_path: Path) -> None:
    start = tmp_path / "start"
    start.mkdir()
    world = at(start, ("LibreChat folder", typed), ("LibreChat folder", None), ANYWAY, DOMAIN)

    stop_at(world, InitOptions(offline=True, public_url=URL))

    assert isinstance(world.ports.prompter, ScriptedPrompter)
    assert world.ports.prompter.refusals == [f"{start / typed} is not a folder."]


def test_asks_again_for_another_projects_folder(tmp_path: Path, checkout: Path) -> None:
    start = tmp_path / "start"
    start.mkdir()
    asked = ("LibreChat folder", None), ("Use it anyway?", None), ("LibreChat folder", checkout)
    world = at(start, *asked, DOMAIN)

    said = stop_at(world, InitOptions(offline=True, public_url=URL))

    assert f"LibreChat 0.8.8 in {checkout}" in said
    assert "LA007" not in said


def test_explains_how_to_get_librechat(tmp_path: Path) -> None:
    start = tmp_path / "start"
    start.mkdir()
    world = at(start, ("LibreChat folder", None), ANYWAY, DOMAIN)

    said = stop_at(world, InitOptions(offline=True, public_url=URL))

    assert "git clone https://github.com/danny-avila/LibreChat.git" in said


def test_a_url_alone_is_not_an_interrupted_setup(checkout: Path) -> None:
    from wizard.saved_answers import SavedAnswers

    world = at(checkout, ("Which HTTPS URL", KeyboardInterrupt))
    saved = SavedAnswers(world.ports.state_dir, checkout / ".env")
    saved.keep(Known(public_url=URL))

    assert "Still to do" not in stop_at(world, InitOptions(offline=True))
