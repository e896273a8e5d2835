"""The cloudflared tunnel, with a stand-in process."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.ports import free_port
from tests.tunnels.conftest import Listener, count_looks, program_pid, supervisors, until
from wizard.findings import ExitCode, Failure
from wizard.http import WAITING, WAITING_HEADER
from wizard.system.process_control import start_time
from wizard.system.processes import Processes
from wizard.tunnels import EventKind, TunnelRequest, provider
from wizard.tunnels.cloudflared import NO_CLOUDFLARED, PROGRAM, CloudflaredTunnel

STAND_IN = Path(__file__).parent.parent / "stand_ins" / "cloudflared.py"


class World:
    """A machine with cloudflared, and Cloudflare's edge."""

    def __init__(self, folder: Path, port: int, listener: Listener) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        self.state = folder / "state"
        self.state.mkdir()
        program = folder / "bin" / "cloudflared"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
        program.chmod(0o755)
        self.environ = {**os.environ, "STAND_IN_STATE": str(self.state)}
        self.request = TunnelRequest(
            port=port,
            state_dir=folder / "private",
            on_event=listener.events.append,
            progress=listener.lines.append,
        )

    def tunnel(self, *, seconds: float = 60.0, **changes: object) -> CloudflaredTunnel:
        request = replace(self.request, **changes)  # type: ignore[arg-type] # by keyword
        tunnel = CloudflaredTunnel(request, Processes(), self.environ)
        tunnel.start_seconds = seconds
        return tunnel

    def visit(self, url: str) -> AbstractContextManager[http.client.HTTPResponse]:
        edge = (self.state / urlsplit(url).netloc).read_text()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        path = urlsplit(url).path or "/"
        return opener.open(f"http://127.0.0.1:{edge}{path}", timeout=60)  # type: ignore[no-any-return]

    def arguments(self) -> list[str]:
        words = json.loads((self.state / "argv").read_text())
        assert isinstance(words, list)
        return words


@pytest.fixture
def world(
    tmp_path: Path, librechat: int, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> World:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return World(tmp_path, librechat, listener)


@contextmanager
def running(opened: CloudflaredTunnel) -> Iterator[CloudflaredTunnel]:
    with opened:
        yield opened


def test_the_url_leads_to_librechat(world: World) -> None:
    with world.tunnel() as url, world.visit(f"{url}/") as answer:
        page = answer.read(4096).decode()

    assert url.endswith(".trycloudflare.com")
    assert "X-Forwarded-Proto: https\n" in page


def test_knows_that_events_are_buffered(world: World) -> None:
    with running(world.tunnel()) as opened:
        (finding,) = opened.findings

    assert finding.rule.id == "LA372"
    assert "chats look frozen" in finding.rule.why


def test_reports_requests(world: World, listener: Listener) -> None:
    with world.tunnel() as url:
        with world.visit(f"{url}/a?code=secret") as answer:
            answer.read()
        with pytest.raises(urllib.error.HTTPError) as missing:
            world.visit(f"{url}/missing")
        missing.value.close()
        assert until(lambda: len(listener.requests()) == 2)

    seen = [(event.method, event.path, event.status) for event in listener.requests()]
    assert seen == [("GET", "/a", 200), ("GET", "/missing", 404)]


def test_trusts_only_cloudflares_forwarding_headers(world: World) -> None:
    with world.tunnel() as url, world.visit(f"{url}/") as answer:
        lines = answer.read(4096).decode().splitlines()
        edge = (world.state / urlsplit(url).netloc).read_text()

    said = [line for line in lines if line.startswith(("Host", "X-Forwarded-"))]
    assert said == [
        f"Host: 127.0.0.1:{edge}",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Proto: https",
        f"X-Forwarded-Host: 127.0.0.1:{edge}",
    ]


def test_shows_visitors_that_librechat_is_not_running(world: World) -> None:
    with (
        world.tunnel(port=free_port()) as url,
        pytest.raises(urllib.error.HTTPError) as refused,
    ):
        world.visit(url)
    refused.value.close()
    assert (refused.value.code, refused.value.headers[WAITING_HEADER]) == (503, WAITING)


def test_ignores_the_users_own_configuration_and_token(world: World) -> None:
    own = Path(os.environ["HOME"], ".cloudflared", "config.yml")
    own.parent.mkdir()
    own.write_text("tunnel: 4711\ningress:\n  - service: http_status:404\n")
    world.environ["TUNNEL_TOKEN"] = "of another tunnel"
    with world.tunnel() as url, world.visit(f"{url}/") as answer:
        environ = Path(f"/proc/{program_pid()}/environ").read_bytes()
        assert b"X-Forwarded-Proto" in answer.read(4096)

    assert b"TUNNEL_TOKEN" not in environ
    assert "--no-autoupdate" in world.arguments()


@pytest.mark.parametrize(
    ("scenario", "rule", "said"),
    [
        ("limited", "LA371", "429"),
        ("unreachable", "LA373", "no such host"),
        ("silent", "LA373", "Requesting new quick Tunnel"),
        ("ends", "LA374", "exit status 3"),
    ],
)
def test_explains_cloudflareds_errors(
    world: World, scenario: str, rule: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if scenario == "silent":
        count_looks(monkeypatch, once=(world.state / "argv").exists)
    world.environ["STAND_IN_SCENARIO"] = scenario
    opened = world.tunnel(seconds=30.0)
    with pytest.raises(Failure) as caught:
        opened.open()

    assert caught.value.exit_code is ExitCode.TUNNEL
    assert caught.value.finding.rule.id == rule
    assert said in caught.value.finding.detail
    assert caught.value.finding.detail.isprintable()
    assert supervisors() == []


def test_reports_a_lost_and_restored_connection(world: World, listener: Listener) -> None:
    with world.tunnel():
        os.kill(program_pid(), signal.SIGUSR1)
        assert listener.received(EventKind.LOST)
        os.kill(program_pid(), signal.SIGUSR2)
        assert listener.received(EventKind.RESTORED)

    assert listener.kinds() == [EventKind.LOST, EventKind.RESTORED]


@pytest.mark.parametrize(
    ("scenario", "number", "said"),
    [
        ("", signal.SIGKILL, "cloudflared ended (exit status 137)"),
        ("forgets", signal.SIGUSR1, "Cloudflare has closed the quick tunnel"),
    ],
)
def test_does_not_replace_a_lost_url(
    world: World, listener: Listener, scenario: str, number: signal.Signals, said: str
) -> None:
    world.environ["STAND_IN_SCENARIO"] = scenario
    with world.tunnel():
        os.kill(program_pid(), number)
        assert listener.received(EventKind.CLOSED)

    assert listener.kinds() == [EventKind.LOST, EventKind.CLOSED]
    assert listener.events[-1].detail == said
    assert len(list(world.state.glob("stand-in-*"))) == 1


def test_replaces_a_link_in_place_of_our_configuration(world: World) -> None:
    victim = world.folder / "victim"
    victim.write_text("precious")
    configuration = world.folder / "private" / "cloudflared.yml"
    configuration.parent.mkdir()
    configuration.symlink_to(victim)
    with world.tunnel():
        pass

    assert victim.read_text() == "precious"
    assert not configuration.is_symlink()


def test_a_url_cannot_be_chosen(world: World) -> None:
    with pytest.raises(Failure) as caught:
        world.tunnel(requested_url="https://mine.trycloudflare.com").open()

    assert caught.value.finding.rule.id == "LA375"
    assert not (world.state / "argv").exists()


def test_closing_leaves_no_process_and_no_port(world: World) -> None:
    opened = world.tunnel()
    opened.open()
    port = urlsplit(world.arguments()[-1]).port or 0
    assert _listens(port)
    opened.close()
    opened.close()

    assert supervisors() == []
    assert not _listens(port)


def _listens(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1)
    except OSError:
        return False
    return True


def test_no_cloudflared_outlives_us(world: World) -> None:
    script = world.folder / "run.py"
    script.write_text(
        "import os, pathlib, time\n"
        "from wizard.system.processes import Processes\n"
        "from wizard.tunnels import TunnelRequest, provider\n"
        f"request = TunnelRequest(port=1, state_dir=pathlib.Path({str(world.folder)!r}))\n"
        "tunnel = provider('cloudflared')(request, Processes(), os.environ)\n"
        "tunnel.open()\n"
        "print('open', flush=True)\n"
        "time.sleep(60)\n"
    )
    environ = {**world.environ, "PATH": os.environ["PATH"]}
    environ["PYTHONPATH"] = str(Path(__file__).parent.parent.parent)
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environ
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "open\n"
        (pid,) = supervisors(run.pid)
        run.kill()
        run.wait()

    assert until(lambda: start_time(pid) is None)


def test_the_offer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert provider("cloudflared").offer(Processes(), {}).ready
    monkeypatch.setenv("PATH", "/nowhere")
    gone = provider("cloudflared").offer(Processes(), {})
    assert gone.ready is False
    with pytest.raises(Failure) as caught:
        world.tunnel().open()

    assert caught.value.finding.rule is NO_CLOUDFLARED


def npx(world: World, script: str) -> Path:
    """Replace cloudflared by an npx that records its commands."""
    (world.folder / "bin" / "cloudflared").rename(world.folder / "bin" / "it")
    program = world.folder / "bin" / "npx"
    said = world.folder / "said"
    program.write_text(f'#!/bin/sh\necho "$*" >> "{said}"\n{script}\n')
    program.chmod(0o755)
    return said


def test_npx_prefers_its_cache_to_the_registry(world: World) -> None:
    said = npx(world, 'shift 3; exec "$(dirname "$0")/it" "$@"')
    with world.tunnel() as url:
        assert url.endswith(".trycloudflare.com")

    assert said.read_text().startswith(
        f"--yes --prefer-offline {PROGRAM.package} tunnel --no-autoupdate "
    )


def test_reports_a_silently_failed_download(world: World) -> None:
    npx(world, "exit 0")  # npm's cloudflared 0.7.3 without access to GitHub
    with pytest.raises(Failure) as caught:
        world.tunnel().open()

    assert caught.value.finding.rule.id == "LA384"
    assert supervisors() == []


def test_repeats_an_interrupted_download(world: World) -> None:
    broken = 'echo "Error: spawn $HOME/.npm/_npx/1/cloudflared/bin/cloudflared EACCES" >&2; exit 1'
    whole = world.folder / "whole"
    said = npx(
        world,
        f'shift 3\nif [ "$1 $2" = "bin remove" ]; then touch "{whole}"; exit; fi\n'
        f'if [ ! -e "{whole}" ]; then {broken}; fi\nexec "$(dirname "$0")/it" "$@"',
    )
    with world.tunnel() as url:
        assert url.endswith(".trycloudflare.com")

    assert [line.split()[3] for line in said.read_text().splitlines()] == [
        "tunnel",
        "bin",
        "tunnel",
    ]
    assert len(supervisors()) == 0


def test_reports_a_download_that_remains_broken(world: World) -> None:
    npx(world, 'echo "Error: spawn /x/bin/cloudflared EACCES" >&2; exit 1')
    with pytest.raises(Failure) as caught:
        world.tunnel().open()

    assert caught.value.finding.rule.id == "LA385"
    assert supervisors() == []
