"""The embedded local tunnel."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.ports import free_port
from tests.tunnels.loopback import Upstream, WithoutMkcert, eventually, serving
from wizard.findings import ExitCode, Failure
from wizard.system import loopback
from wizard.tunnels import EventKind, TunnelEvent, TunnelRequest, local, provider, trust
from wizard.tunnels.certificates import local_authority
from wizard.tunnels.local import DEFAULT_URL, LocalTunnel, local_urls, port_taken


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    with serving(upstream.serve) as port:
        upstream.port = port
        yield upstream


def request_for(port: int, state_dir: Path, *, url: str = "") -> TunnelRequest:
    return TunnelRequest(port=port, state_dir=state_dir, requested_url=url)


def tunnel_for(request: TunnelRequest) -> LocalTunnel:
    return cast(LocalTunnel, provider("local")(request, WithoutMkcert(), {}))


def get(tunnel: LocalTunnel, url: str) -> int:
    assert tunnel.authority is not None
    context = ssl.create_default_context(cafile=str(tunnel.authority.ca_file))
    with urllib.request.urlopen(url, context=context, timeout=60) as answer:
        return int(answer.status)


def all_but(taken: Collection[int]) -> Callable[[int], list[socket.socket]]:
    """Return a `listen` that fails for these ports and binds a free one for any other."""

    def listen(port: int) -> list[socket.socket]:
        if port in taken:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        return loopback.listeners(0)

    return listen


def is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return False
    return True


def test_the_offer_needs_nothing() -> None:
    offer = provider("local").offer(WithoutMkcert(), {})
    assert offer.ready


def progress_of(state_dir: Path, *, for_people: bool = True) -> list[str]:
    lines: list[str] = []
    request = TunnelRequest(
        port=3080,
        state_dir=state_dir,
        requested_url=f"https://localhost:{free_port()}",
        progress=lines.append,
        for_people=for_people,
    )
    with tunnel_for(request):
        return lines


def test_advises_trust_until_it_is_given(tmp_path: Path) -> None:
    advice = [
        "Browsers show a warning until you run: librechat-auth0 trust",
    ]
    assert progress_of(tmp_path, for_people=False) == []
    assert [progress_of(tmp_path), progress_of(tmp_path)] == [advice, advice]
    ca_file = local_authority(tmp_path, WithoutMkcert()).ca_file
    trust.remember(ca_file, tmp_path, trusted=True)
    assert progress_of(tmp_path) == []
    ca_file.unlink()  # another authority is created, which is not trusted
    assert progress_of(tmp_path) == advice


def names_of(threads: set[threading.Thread]) -> set[str]:
    return {thread.name for thread in threads}


def test_opens_reports_and_closes(tmp_path: Path, upstream: Upstream) -> None:
    events: list[TunnelEvent] = []
    port = free_port()
    request = TunnelRequest(
        port=upstream.port,
        state_dir=tmp_path,
        requested_url=f"https://localhost:{port}",
        on_event=events.append,
    )
    threads = {*threading.enumerate()}
    tunnel = tunnel_for(request)
    assert is_free(port)

    with tunnel as url:
        assert url == f"https://localhost:{port}"
        assert get(tunnel, f"{url}/echo?code=secret") == 200
        assert eventually(lambda: events)
    tunnel.close()

    assert [(e.kind, e.method, e.path, e.status) for e in events] == [
        (EventKind.REQUEST, "GET", "/echo", 200)
    ]
    assert is_free(port)
    assert eventually(lambda: names_of({*threading.enumerate()} - threads) <= {"events"})


def test_an_open_tunnel_renews_its_certificate(
    tmp_path: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    tunnel = tunnel_for(request_for(upstream.port, tmp_path, url=f"https://localhost:{port}"))
    monkeypatch.setattr(local, "RENEWAL_LOOK_SECONDS", 0.05)
    with tunnel:
        assert tunnel.authority is not None
        before = ssl.get_server_certificate(("localhost", port))
        tunnel.authority.certificate_file.unlink()
        assert eventually(lambda: ssl.get_server_certificate(("localhost", port)) != before)


def test_no_handshake_fails_while_the_certificate_is_renewed(
    tmp_path: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "RENEWAL_LOOK_SECONDS", 0)
    port = free_port()
    tunnel = tunnel_for(request_for(upstream.port, tmp_path, url=f"https://localhost:{port}"))
    with tunnel:
        assert tunnel.authority is not None
        for _ in range(100):
            tunnel.authority.certificate_file.unlink(missing_ok=True)
            assert ssl.get_server_certificate(("localhost", port), timeout=60)


def test_can_be_reopened(tmp_path: Path, upstream: Upstream) -> None:
    tunnel = tunnel_for(
        request_for(upstream.port, tmp_path, url=f"https://127.0.0.1:{free_port()}")
    )
    for _ in range(2):
        with tunnel as url:
            assert get(tunnel, f"{url}/echo") == 200


def test_closes_during_requests(tmp_path: Path, upstream: Upstream) -> None:
    tunnel = tunnel_for(
        request_for(upstream.port, tmp_path, url=f"https://localhost:{free_port()}")
    )
    errors: list[Exception] = []

    def ask(url: str) -> None:
        try:
            get(tunnel, f"{url}/hang")
        except OSError as error:
            errors.append(error)

    with tunnel as url:
        thread = threading.Thread(target=ask, args=(url,))
        thread.start()
        assert upstream.hanging.wait(60)
    thread.join(60)
    assert len(errors) == 1
    assert eventually(lambda: upstream.left == ["/hang"])


def test_a_listener_can_close_it(tmp_path: Path, upstream: Upstream) -> None:
    port = free_port()
    request = TunnelRequest(
        port=upstream.port,
        state_dir=tmp_path,
        requested_url=f"https://localhost:{port}",
        on_event=lambda _: tunnel.close(),
    )
    tunnel = tunnel_for(request)
    with contextlib.suppress(OSError):
        get(tunnel, f"{tunnel.open()}/echo")
    assert eventually(lambda: "proxy" not in names_of({*threading.enumerate()}))
    tunnel.close()
    assert is_free(port)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("https://127.0.0.1:5443/", "https://127.0.0.1:5443"),
        ("localhost:5443", "https://localhost:5443"),
        ("https://[::1]:5443", "https://[::1]:5443"),
        ("https://localhost", "https://localhost"),
    ],
)
def test_the_url(tmp_path: Path, wanted: str, expected: str) -> None:
    assert local_urls(request_for(3080, tmp_path, url=wanted)) == [expected]


@pytest.mark.parametrize(
    ("taken", "librechat", "expected"),
    [
        (set(), 3080, DEFAULT_URL),
        ({3443}, 3080, "https://localhost:3444"),
        ({3443, 3444}, 3445, "https://localhost:3446"),
    ],
)
def test_uses_the_first_free_port_by_default(
    taken: set[int], librechat: int, expected: str, tmp_path: Path
) -> None:
    request = replace(request_for(librechat, tmp_path), listen=all_but(taken))
    with tunnel_for(request) as tunnel:
        assert tunnel == expected


def test_names_the_first_port_if_none_is_free(tmp_path: Path) -> None:
    lines: list[str] = []
    taken = all_but(range(3443, 3453))
    request = replace(request_for(3080, tmp_path), listen=taken, progress=lines.append)
    with pytest.raises(Failure, match="3443") as caught:
        tunnel_for(request).open()
    assert caught.value.finding.rule.id == "LA332"
    assert lines == []  # else the advice comes twice, where another URL is opened then


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        ("https://chat.example.com", "LA331"),
        ("https://localhost.example.com:3443", "LA331"),
        ("http://localhost:3443", "LA331"),
        ("https://localhost:3443/path", "LA331"),
        ("https://localhost:3080", "LA332"),
    ],
)
def test_rejects_a_url_on_another_computer(tmp_path: Path, wanted: str, rule: str) -> None:
    with pytest.raises(Failure) as caught:
        tunnel_for(request_for(3080, tmp_path, url=wanted)).open()
    assert caught.value.finding.rule.id == rule
    assert caught.value.exit_code is ExitCode.TUNNEL


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_names_the_program_on_a_taken_port(tmp_path: Path, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        holder = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip("needs IPv6")
    threads = threading.active_count()
    with holder:
        port = holder.getsockname()[1]
        tunnel = tunnel_for(request_for(3080, tmp_path, url=f"https://localhost:{port}"))
        with pytest.raises(Failure) as caught:
            tunnel.open()
    assert caught.value.finding.rule.id == "LA332"
    assert caught.value.exit_code is ExitCode.TUNNEL
    assert str(port) in caught.value.finding.detail
    assert f"(process {os.getpid()})" in caught.value.finding.detail
    assert eventually(lambda: threading.active_count() <= threads)
    assert is_free(port)


def test_reports_a_taken_port_without_a_known_program() -> None:
    port = free_port()

    assert port_taken(port, WithoutMkcert()).finding.detail == f"port {port} is in use"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("end", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_leaves_nothing_behind_when_the_process_ends(
    tmp_path: Path, upstream: Upstream, end: str
) -> None:
    port = free_port()
    code = (
        "import sys, threading; from pathlib import Path\n"
        "from tests.tunnels.loopback import WithoutMkcert\n"
        "from wizard.tunnels import TunnelRequest, provider\n"
        "request = TunnelRequest(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])\n"
        "with provider('local')(request, WithoutMkcert(), {}) as url:\n"
        "    print(url, flush=True)\n"
        "    threading.Event().wait()\n"
    )
    args = [str(upstream.port), str(tmp_path), f"https://localhost:{port}"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"https://")
        assert not is_free(port)
        process.send_signal(getattr(signal, end))
        process.wait(60)
    assert is_free(port)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
