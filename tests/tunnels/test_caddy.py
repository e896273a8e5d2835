"""The Caddy tunnel, with the real program."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from tests.ports import free_port
from tests.tunnels.conftest import Listener, program_pid, supervisors, until
from wizard.findings import ExitCode, Failure
from wizard.http import WAITING, WAITING_HEADER
from wizard.sign_in_traffic import Step, recorded
from wizard.system import loopback
from wizard.system.process_control import start_time
from wizard.system.processes import Processes
from wizard.tunnels import EventKind, TunnelRequest, caddy, provider
from wizard.tunnels.caddy import NO_CADDY, CaddyTunnel
from wizard.tunnels.local import PORTS_TO_TRY
from wizard.tunnels.trust import known_authority

pytestmark = pytest.mark.needs("caddy")


@pytest.fixture
def request_(tmp_path: Path, librechat: int, listener: Listener) -> TunnelRequest:
    return TunnelRequest(
        port=librechat,
        state_dir=tmp_path / "private",
        requested_url=f"https://localhost:{free_port()}",
        on_event=listener.events.append,
        progress=listener.lines.append,
    )


def tunnel(request: TunnelRequest) -> CaddyTunnel:
    return CaddyTunnel(request, Processes(), os.environ)


@contextmanager
def running(request: TunnelRequest) -> Iterator[CaddyTunnel]:
    opened = tunnel(request)
    with opened:
        yield opened


def visit(request: TunnelRequest, url: str) -> str:
    """Fetch a page over HTTPS, trusting only our authority."""
    context = ssl.create_default_context(cafile=known_authority(request.state_dir))
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    with opener.open(url, timeout=60) as answer:
        body = answer.read()
    assert isinstance(body, bytes)
    return body.decode()


def test_the_url_leads_to_librechat_over_https(request_: TunnelRequest) -> None:
    with running(request_):
        headers = visit(request_, f"{request_.requested_url}/")

    assert headers.lower().count("x-forwarded-proto") == 1
    assert "X-Forwarded-Proto: https\n" in headers
    assert f"Host: {request_.requested_url.removeprefix('https://')}\n" in headers


def test_every_loopback_name_has_a_certificate(request_: TunnelRequest) -> None:
    port = request_.requested_url.rpartition(":")[2]
    with running(request_):
        for address in loopback.addresses():
            host = f"[{address}]" if ":" in address else address
            assert "X-Forwarded-Proto: https" in visit(request_, f"https://{host}:{port}/")


def test_only_this_machine_reaches_it(request_: TunnelRequest) -> None:
    port = int(request_.requested_url.rpartition(":")[2])
    with running(request_), pytest.raises(OSError, match=r"refused|unreachable"):
        socket.create_connection((socket.gethostbyname("127.0.1.1"), port), timeout=2)


def test_leaves_the_users_own_caddy_alone(request_: TunnelRequest) -> None:
    with running(request_):
        visit(request_, f"{request_.requested_url}/")

    assert [path for path in Path(os.environ["HOME"]).rglob("*") if path.is_file()] == []


def test_replaces_a_link_in_place_of_its_configuration(
    request_: TunnelRequest, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    configuration = request_.state_dir / "caddy" / "Caddyfile"
    configuration.parent.mkdir(parents=True)
    configuration.symlink_to(victim)
    with running(request_):
        pass

    assert victim.read_text() == "precious"
    assert not configuration.is_symlink()


def test_uses_the_local_tunnels_authority(request_: TunnelRequest, listener: Listener) -> None:
    with running(request_):
        pass

    assert any(line.endswith("librechat-auth0 trust") for line in listener.lines)


def test_restarts_before_its_certificate_expires(
    request_: TunnelRequest, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(caddy, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with running(request_):
        first = program_pid()
        now[0] += caddy.RESTART_SECONDS + 1
        assert listener.received(EventKind.RESTORED)
        assert program_pid() != first
        assert "X-Forwarded-Proto: https" in visit(request_, f"{request_.requested_url}/")


def test_reports_requests_without_their_query(request_: TunnelRequest, listener: Listener) -> None:
    with running(request_):
        visit(request_, f"{request_.requested_url}/oauth/openid/callback?code=secret")
        assert until(listener.requests)

    (event,) = listener.requests()
    assert (event.method, event.path, event.status) == ("GET", "/oauth/openid/callback", 200)
    assert 0 < event.milliseconds < 5000


def test_records_sign_ins(request_: TunnelRequest) -> None:
    with running(request_):
        visit(request_, f"{request_.requested_url}/oauth/openid/callback?code=secret")
        assert until(lambda: recorded(request_.state_dir, request_.port))

    (passage,) = recorded(request_.state_dir, request_.port)
    assert (passage.step, passage.status) == (Step.CALLBACK, 200)


def test_uses_the_next_port_if_another_program_is_faster(
    request_: TunnelRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's tunnel opens after our check of the port, and before Caddy binds it."""
    port = free_port()
    monkeypatch.setattr("wizard.tunnels.local.DEFAULT_URL", f"https://localhost:{port}")
    monkeypatch.setattr(loopback, "is_free", lambda _: True)
    with (
        socket.create_server(("127.0.0.1", port)),
        tunnel(replace(request_, requested_url="")) as url,
    ):
        assert port < (urlsplit(url).port or 0) < port + PORTS_TO_TRY


def test_shows_visitors_that_librechat_is_not_running(request_: TunnelRequest) -> None:
    request = replace(request_, port=free_port())
    with running(request), pytest.raises(urllib.error.HTTPError) as refused:
        visit(request, request.requested_url)
    refused.value.close()

    assert (refused.value.code, refused.value.headers[WAITING_HEADER]) == (503, WAITING)


def test_closing_stops_caddy(request_: TunnelRequest) -> None:
    opened = tunnel(request_)
    opened.open()
    pid = program_pid()
    opened.close()
    opened.close()

    assert start_time(pid) is None


def test_restarts_a_killed_caddy(request_: TunnelRequest, listener: Listener) -> None:
    with running(request_):
        os.kill(program_pid(), signal.SIGKILL)
        assert listener.received(EventKind.RESTORED)
        assert "X-Forwarded-Proto: https" in visit(request_, f"{request_.requested_url}/")

    assert listener.kinds() == [EventKind.LOST, EventKind.RESTORED]
    assert listener.events[0].detail == "Caddy ended (exit status 137)"


def test_reports_a_taken_port(request_: TunnelRequest) -> None:
    port = int(request_.requested_url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)), pytest.raises(Failure) as caught:
        tunnel(request_).open()

    assert caught.value.finding.rule.id == "LA332"
    assert str(port) in caught.value.finding.detail


def test_rejects_librechats_own_port(request_: TunnelRequest) -> None:
    own = replace(request_, requested_url=f"https://localhost:{request_.port}")
    with pytest.raises(Failure) as caught:
        tunnel(own).open()

    assert caught.value.finding.rule.id == "LA332"


def test_reports_caddys_errors(request_: TunnelRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "addresses", lambda: ("300.0.0.1",))
    with pytest.raises(Failure) as caught:
        tunnel(request_).open()

    assert caught.value.exit_code is ExitCode.TUNNEL
    assert caught.value.finding.rule.id == "LA351"
    assert "300.0.0.1" in caught.value.finding.detail
    # Caddy would add its own authority to the system's, even if it cannot listen.
    configuration = request_.state_dir / "caddy" / "Caddyfile"
    assert "\tskip_install_trust\n" in configuration.read_text("utf-8")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_caddy_outlives_us(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import os, pathlib, time\n"
        "from wizard.system.processes import Processes\n"
        "from wizard.tunnels import TunnelRequest, provider\n"
        f"request = TunnelRequest(port=1, state_dir=pathlib.Path({str(tmp_path)!r}),"
        f" requested_url='https://localhost:{free_port()}')\n"
        "tunnel = provider('caddy')(request, Processes(), os.environ)\n"
        "tunnel.open()\n"
        "print('open', flush=True)\n"
        "time.sleep(60)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environ
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "open\n"
        (pid,) = supervisors(run.pid)
        run.send_signal(number)
        run.wait()

    assert until(lambda: start_time(pid) is None)


def test_the_offer() -> None:
    offer = provider("caddy").offer(Processes(), os.environ)

    assert offer.ready


def test_explains_how_to_install_caddy(
    request_: TunnelRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert provider("caddy").offer(Processes(), os.environ).ready is False
    with pytest.raises(Failure) as caught:
        tunnel(request_).open()

    assert caught.value.finding.rule is NO_CADDY
    assert "--tunnel local" in caught.value.finding.fix
