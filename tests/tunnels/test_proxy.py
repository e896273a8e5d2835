"""The HTTPS proxy with third-party servers and clients: h11, websockets, curl."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import platform
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_websocket
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket

from tests.languages import speaking
from tests.ports import free_port
from tests.tunnels.loopback import (
    MEGABYTE,
    RunningProxy,
    Upstream,
    WithoutMkcert,
    assert_events_come_one_by_one,
    eventually,
    read_to_end,
    running_proxy,
    scripted,
    serving,
)
from wizard.http import WAITING, WAITING_HEADER
from wizard.tunnels import connections
from wizard.tunnels import proxy as proxy_module
from wizard.tunnels.certificates import Authority, local_authority
from wizard.tunnels.http1 import AnswerReader


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return local_authority(tmp_path_factory.mktemp("state"), WithoutMkcert())


@pytest.fixture(autouse=True)
def _closes_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINGER_SECONDS", 0.05)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    with serving(upstream.serve) as port:
        upstream.port = port
        yield upstream


@pytest.fixture
def proxy(authority: Authority, upstream: Upstream) -> Iterator[RunningProxy]:
    with running_proxy(upstream.port, authority) as running:
        yield running


@contextlib.contextmanager
def client(proxy: RunningProxy, host: str = "localhost") -> Iterator[http.client.HTTPSConnection]:
    connection = http.client.HTTPSConnection(
        host, proxy.port, context=proxy.client_context(), timeout=60
    )
    try:
        yield connection
    finally:
        connection.close()


def echo(proxy: RunningProxy, *lines: str, method: str = "GET") -> dict[str, Any]:
    """Return what LibreChat received of a request with these header lines."""
    answer = proxy.raw(proxy.head(method, "/echo?q=1", *lines, "Connection: close"))
    said: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return said


def values(said: dict[str, Any], name: str) -> list[str]:
    return [value for key, value in said["headers"] if key.lower() == name.lower()]


# What LibreChat sees


def test_forwards_the_request_with_forwarding_headers(proxy: RunningProxy) -> None:
    said = echo(proxy, "Cookie: a=1", "X-Mixed-Case: kept", "Cookie: b=2")

    assert (said["method"], said["target"]) == ("GET", "/echo?q=1")
    assert values(said, "host") == [f"localhost:{proxy.port}"]
    assert values(said, "x-forwarded-proto") == ["https"]
    assert values(said, "x-forwarded-host") == [f"localhost:{proxy.port}"]
    assert values(said, "x-forwarded-for") == ["127.0.0.1"]
    assert values(said, "cookie") == ["a=1", "b=2"]
    assert values(said, "x-mixed-case") == ["kept"]


def test_replaces_a_clients_forwarding_headers(proxy: RunningProxy) -> None:
    said = echo(
        proxy,
        "X-Forwarded-Proto: http",
        "x-forwarded-proto: http, https",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-For: 1.2.3.4",
        "X-Forwarded-Port: 80",
        "X-Forwarded-Prefix: /x",
        "Forwarded: for=1.2.3.4;proto=http",
        "X-Real-IP: 1.2.3.4",
    )

    assert values(said, "x-forwarded-proto") == ["https"]
    assert values(said, "x-forwarded-host") == [f"localhost:{proxy.port}"]
    assert values(said, "x-forwarded-for") == ["127.0.0.1"]
    for gone in ("x-forwarded-port", "x-forwarded-prefix", "forwarded", "x-real-ip"):
        assert values(said, gone) == []


def test_drops_hop_by_hop_fields(proxy: RunningProxy) -> None:
    said = echo(
        proxy,
        "Connection: X-Mine, Keep-Alive, Content-Length, X-Forwarded-Proto",
        "X-Mine: 1",
        "X-Yours: 1",
        "Keep-Alive: timeout=9",
        "TE: trailers",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic eDp5",
        "Upgrade: h2c",
    )

    gone = ("connection", "x-mine", "keep-alive", "te", "proxy-connection", "proxy-authorization")
    assert [name for name in (*gone, "upgrade") if values(said, name)] == []
    assert values(said, "x-yours") == ["1"]
    assert values(said, "x-forwarded-proto") == ["https"]


def test_drops_hop_by_hop_fields_of_the_response(proxy: RunningProxy) -> None:
    with client(proxy) as connection:
        connection.request("GET", "/echo")
        answer = connection.getresponse()
        answer.read()

    assert answer.headers.get_all("set-cookie") == ["a=1", "b=2"]
    for gone in ("connection", "keep-alive", "x-hop", "strict-transport-security"):
        assert answer.headers.get_all(gone) is None


def test_reports_each_request_without_its_query(proxy: RunningProxy) -> None:
    with client(proxy) as connection:
        connection.request("GET", "/404?code=secret")
        connection.getresponse().read()

    assert eventually(lambda: proxy.answered)
    (seen,) = proxy.answered
    assert (seen.method, seen.path, seen.status) == ("GET", "/404", 404)
    assert 0 < seen.milliseconds < 5000
    assert "secret" not in repr(seen)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_serves_each_name_of_loopback(proxy: RunningProxy, host: str) -> None:
    with client(proxy, host) as connection:
        connection.request("GET", "/echo")
        assert connection.getresponse().status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost", "localhost:1", "localhost.evil:{}"])
def test_another_host_is_misdirected(proxy: RunningProxy, upstream: Upstream, host: str) -> None:
    name = host.format(proxy.port)
    answer = proxy.raw(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 421 ")
    assert upstream.connections == 0


def test_listens_on_loopback_only(proxy: RunningProxy) -> None:
    listing = Path("/proc/net/tcp")
    if not listing.exists():
        pytest.skip("needs /proc")
    listening = re.findall(
        rf"([0-9A-F]{{8}}):{proxy.port:04X} 00000000:0000 0A", listing.read_text()
    )
    assert listening == ["0100007F"]


# Keep-alive and framing


def test_keeps_both_connections_alive(proxy: RunningProxy, upstream: Upstream) -> None:
    with client(proxy) as connection:
        for body in (None, b"x" * 1000, None):
            connection.request("POST" if body else "GET", "/echo", body)
            socket_before = connection.sock
            answer = connection.getresponse()
            assert json.loads(answer.read())["size"] == len(body or b"")
            assert connection.sock is socket_before
    assert upstream.connections == 1


def test_answers_pipelined_requests_in_order(proxy: RunningProxy, upstream: Upstream) -> None:
    requests = b"".join(
        proxy.head("POST", f"/echo?{number}", "Content-Length: 2") + b"ab" for number in range(20)
    )
    answer = proxy.raw(requests + proxy.head("GET", "/echo?last", "Connection: close"))

    targets = re.findall(rb'"target": "/echo\?(\w+)"', answer)
    assert targets == [*(b"%d" % number for number in range(20)), b"last"]
    assert upstream.connections == 1


def test_forwards_a_chunked_upload_without_its_trailer(proxy: RunningProxy) -> None:
    lines = ("Transfer-Encoding: chunked", "Trailer: X-Late", "Connection: close")
    chunks = b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: 1\r\nX-Forwarded-Proto: http\r\n\r\n"
    answer = proxy.raw(proxy.head("POST", "/echo", *lines) + chunks)

    said = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert said["sha256"] == hashlib.sha256(b"abcde").hexdigest()
    assert values(said, "transfer-encoding") == ["chunked"]
    assert values(said, "x-late") == []


def test_accepts_a_request_byte_by_byte(proxy: RunningProxy) -> None:
    lines = ("Transfer-Encoding: chunked", "Connection: close")
    with proxy.connect() as connection:
        for byte in proxy.head("POST", "/echo", *lines) + b"3\r\nabc\r\n0\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert b'"size": 3' in read_to_end(connection)


@pytest.mark.parametrize(("method", "path"), [("HEAD", "/echo"), ("GET", "/204"), ("GET", "/304")])
def test_a_response_without_body_keeps_the_connection_usable(
    proxy: RunningProxy, upstream: Upstream, method: str, path: str
) -> None:
    with client(proxy) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        assert answer.read() == b""
        assert answer.status == (200 if path == "/echo" else int(path[1:]))
        connection.request("GET", "/echo?after")
        assert json.loads(connection.getresponse().read())["target"] == "/echo?after"
    assert upstream.connections == 1


def test_answers_an_http_1_0_client(authority: Authority) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with scripted(chunked) as (port, _), running_proxy(port, authority) as proxy:
        answer = proxy.raw(proxy.head().replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert answer == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"


def test_forwards_a_response_that_ends_with_its_connection(authority: Authority) -> None:
    with (
        scripted(b"HTTP/1.0 200 OK\r\n\r\nabc", close=True) as (port, _),
        running_proxy(port, authority) as proxy,
        client(proxy) as connection,
    ):
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.read() == b"abc"
        assert answer.headers["transfer-encoding"] == "chunked"
        assert connection.sock is not None


def test_forwards_interim_responses(authority: Authority) -> None:
    answers = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    )
    with scripted(answers) as (port, _), running_proxy(port, authority) as proxy:
        received = proxy.raw(proxy.head("GET", "/", "Connection: close"))
    assert received == (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    )


def test_a_body_waits_for_100_continue(proxy: RunningProxy) -> None:
    lines = ("Content-Length: 3", "Expect: 100-continue", "Connection: close")
    with proxy.connect() as connection:
        connection.sendall(proxy.head("POST", "/echo", *lines))
        assert connection.recv(1000) == b"HTTP/1.1 100 \r\n\r\n"
        connection.sendall(b"abc")
        assert b'"size": 3' in read_to_end(connection)


# Streams


def test_events_arrive_one_by_one(proxy: RunningProxy, upstream: Upstream) -> None:
    upstream.events_read = 0
    with client(proxy) as connection:
        connection.request("GET", "/events")
        assert_events_come_one_by_one(upstream, connection.getresponse())


async def echo_back(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


def test_forwards_a_websocket_both_ways(authority: Authority) -> None:
    """The client uses one thread, since two that share an SSL object can hang."""

    async def talk() -> None:
        async with serve_websocket(echo_back, "127.0.0.1", 0) as server:
            (listener,) = server.sockets
            with running_proxy(listener.getsockname()[1], authority) as proxy:
                url = proxy.url.replace("https", "wss")
                async with connect_websocket(url, ssl=proxy.client_context()) as websocket:
                    for message in ("hello", b"\x00" * 300_000, "bye"):
                        await websocket.send(message)
                        assert await asyncio.wait_for(websocket.recv(), 60) == message
                assert websocket.close_code == 1000
                assert [seen.status for seen in proxy.answered] == [101]

    asyncio.run(talk())


def test_a_rejected_websocket_keeps_the_connection_usable(
    proxy: RunningProxy, upstream: Upstream
) -> None:
    lines = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x")
    answer = proxy.raw(
        proxy.head("GET", "/404", *lines) + proxy.head("GET", "/echo?next", "Connection: close")
    )
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"target": "/echo?next"' in answer
    assert upstream.connections == 1


def test_ignores_other_upgrades(proxy: RunningProxy, upstream: Upstream) -> None:
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    answer = proxy.raw(proxy.head("GET", "/echo", *lines) + proxy.head("GET", "/smuggled"))

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close\r\n" in answer
    said = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert values(said, "upgrade") == values(said, "http2-settings") == []
    assert upstream.connections == 1


def test_forwards_bytes_after_the_upgrade_unparsed(authority: Authority) -> None:
    switch = (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    with (
        scripted(switch + b"early", b"later") as (port, heads),
        running_proxy(port, authority) as proxy,
        proxy.connect() as connection,
    ):
        lines = ("Connection: Upgrade", "Upgrade: websocket")
        connection.sendall(proxy.head("GET", "/", *lines) + b"GET not HTTP\n\r\n\r\n")
        received = b""
        while not received.endswith(b"later"):
            received += connection.recv(1000)
    assert received == switch + b"earlylater"
    assert heads[1] == b"GET not HTTP\n\r\n\r\n"


def test_cancels_the_request_of_a_client_that_leaves(
    proxy: RunningProxy, upstream: Upstream
) -> None:
    with proxy.connect() as connection:
        connection.sendall(proxy.head("GET", "/hang"))
        assert upstream.hanging.wait(60)
    assert eventually(lambda: upstream.left == ["/hang"])
    assert eventually(lambda: [seen.status for seen in proxy.answered] == [499])


def test_closes_a_connection_without_requests_silently() -> None:
    AnswerReader().release()


def test_a_slow_client_slows_librechat(proxy: RunningProxy, upstream: Upstream) -> None:
    with proxy.connect() as connection:
        connection.sendall(proxy.head("GET", "/download", "Connection: close"))
        assert eventually(lambda: upstream.sent)
        time.sleep(0.5)
        assert upstream.sent < 30 * MEGABYTE
        assert len(read_to_end(connection)) > 50 * MEGABYTE


def test_a_slow_librechat_slows_the_client(proxy: RunningProxy, upstream: Upstream) -> None:
    sent = 0
    with proxy.connect() as connection:
        size = 50 * MEGABYTE
        connection.sendall(proxy.head("POST", "/slow-reader", f"Content-Length: {size}"))

        def upload() -> None:
            nonlocal sent
            while sent < size:
                connection.sendall(b"x" * MEGABYTE)
                sent += MEGABYTE

        thread = threading.Thread(target=upload)
        thread.start()
        assert eventually(lambda: sent)
        time.sleep(0.5)
        assert sent < 30 * MEGABYTE
        upstream.reading.set()
        thread.join(60)
        assert sent == size
        assert b" 200 " in connection.recv(1000)
    assert upstream.received == size


PROXY_PROCESS = """
import sys
from pathlib import Path
from wizard.tunnels.certificates import Authority
from wizard.system.loopback import listeners
from wizard.tunnels import TunnelRequest
from wizard.tunnels.proxy import Proxy

ca, leaf, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
context = Authority(ca, leaf, mkcert=False).server_context()
proxy = Proxy(TunnelRequest(port, ca.parent), context, listeners(0))
print(proxy.port, flush=True)
proxy.ended.wait()
"""


@contextlib.contextmanager
def proxy_process(
    authority: Authority, upstream: Upstream
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a proxy in its own process; yield it and its port."""
    args = (authority.ca_file, authority.certificate_file, upstream.port)
    with subprocess.Popen(
        [sys.executable, "-c", PROXY_PROCESS, *map(str, args)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.terminate()


def peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


@pytest.mark.needs("curl")
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_streams_50_mb_in_little_memory(
    authority: Authority, upstream: Upstream, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(MEGABYTE) * 50)
    with proxy_process(authority, upstream) as (process, port):
        url = f"https://localhost:{port}"
        before = peak_memory(process.pid)
        curl = ["curl", "-sS", "--cacert", str(authority.ca_file)]
        down = subprocess.run([*curl, f"{url}/download"], capture_output=True, check=True)
        up = subprocess.run(
            [*curl, "-T", str(large), f"{url}/echo"], capture_output=True, check=True
        )
        chunked = ["-T", "-", "-H", "Transfer-Encoding: chunked", f"{url}/echo"]
        again = subprocess.run(
            [*curl, *chunked], input=large.read_bytes(), capture_output=True, check=True
        )
        grown = peak_memory(process.pid) - before
    assert len(down.stdout) == 50 * MEGABYTE
    for sent in (up, again):
        assert json.loads(sent.stdout)["sha256"] == hashlib.sha256(large.read_bytes()).hexdigest()
    assert grown < 15 * MEGABYTE


def memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs /proc, and glibc's trim")
def test_idle_connections_use_little_memory_and_release_it(
    authority: Authority, upstream: Upstream
) -> None:
    with proxy_process(authority, upstream) as (process, port), contextlib.ExitStack() as stack:
        stack.enter_context(RunningProxy(port, authority, []).connect())
        before, held = memory(process.pid), contextlib.ExitStack()
        for _ in range(200):
            held.enter_context(RunningProxy(port, authority, []).connect())
        used = memory(process.pid) - before
        held.close()
        given_back = eventually(lambda: memory(process.pid) - before < used / 2)
    assert used < 20 * MEGABYTE
    assert given_back


# LibreChat is not running, or hangs up


def test_shows_browsers_a_page_that_waits_for_librechat(authority: Authority) -> None:
    port = free_port()
    with running_proxy(port, authority) as proxy, client(proxy) as connection:
        connection.request("GET", "/c/new", headers={"Accept": "text/html,*/*;q=0.8"})
        answer = connection.getresponse()
        page = answer.read().decode()
        connection.request("GET", "/api/config", headers={"Accept": "application/json"})
        for_programs = connection.getresponse()
        line = for_programs.read().decode()

        assert (answer.status, for_programs.status) == (503, 503)
        assert {it.headers[WAITING_HEADER] for it in (answer, for_programs)} == {WAITING}
        assert f"LibreChat is not running on port {port} yet" in page
        assert '<meta http-equiv="refresh" content="2">' in page
        assert answer.headers["content-security-policy"].startswith("default-src 'none';")
        assert "http:" not in page
        assert "https:" not in page
        assert answer.headers["cache-control"] == "no-store"
        assert line.startswith(f"LibreChat is not running on port {port} yet.")
        assert eventually(lambda: [seen.status for seen in proxy.answered] == [503, 503])


def test_the_page_uses_the_users_language_and_programs_get_english(authority: Authority) -> None:
    port = free_port()
    language = speaking(
        {
            "LibreChat is not running on port {port} yet": "Op {port} draait nog geen LibreChat",
            "This page tries again every two seconds.": "Deze pagina probeert het opnieuw.",
        }
    )
    with running_proxy(port, authority, language) as proxy, client(proxy) as connection:
        connection.request("GET", "/c/new", headers={"Accept": "text/html"})
        page = connection.getresponse().read().decode()
        connection.request("GET", "/api/config")
        line = connection.getresponse().read().decode()

    assert '<html lang="nl">' in page
    assert f"<h1>Op {port} draait nog geen LibreChat</h1>" in page
    assert "Deze pagina probeert het opnieuw." in page
    assert line.startswith(f"LibreChat is not running on port {port} yet.")


def test_survives_restarts_of_librechat(authority: Authority) -> None:
    port = free_port()

    def status(connection: http.client.HTTPSConnection) -> int:
        connection.request("GET", "/echo")
        answer = connection.getresponse()
        answer.read()
        return answer.status

    with running_proxy(port, authority) as proxy, client(proxy) as connection:
        seen = [status(connection)]
        for _ in range(2):
            with serving(Upstream().serve, port):
                seen.append(status(connection))
            seen.append(status(connection))
    assert seen == [503, 200, 503, 200, 503]


def test_finds_librechat_on_ipv6_only(authority: Authority) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("needs IPv6")
    with (
        listener,
        running_proxy(listener.getsockname()[1], authority) as proxy,
        client(proxy) as connection,
    ):
        connection.request("GET", "/")
        accepted, _ = listener.accept()
        with accepted:
            accepted.recv(1000)
            accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            assert connection.getresponse().read() == b"ok"


def test_a_truncated_response_looks_truncated(proxy: RunningProxy) -> None:
    with client(proxy) as connection:
        connection.request("GET", "/half")
        answer = connection.getresponse()
        with pytest.raises((http.client.IncompleteRead, ssl.SSLError, ConnectionError)):
            answer.read()


def test_a_truncated_chunked_response_looks_truncated(authority: Authority) -> None:
    half = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"
    with (
        scripted(half, close=True) as (port, _),
        running_proxy(port, authority) as proxy,
        client(proxy) as connection,
    ):
        connection.request("GET", "/")
        with pytest.raises((http.client.IncompleteRead, ssl.SSLError, ConnectionError)):
            connection.getresponse().read()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="none"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", id="bare LF"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", id="two lengths"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="gzip"
        ),
        pytest.param(
            b"HTTP/1.1 101 Hm\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            id="an unrequested switch",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", id="huge head"),
        pytest.param(b"HTTP/1.1 099 Hm\r\nContent-Length: 2\r\n\r\nok", id="a status under 100"),
        pytest.param(b"HTTP/1.1 1000 Hm\r\nContent-Length: 2\r\n\r\nok", id="a status over 999"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nok",
            id="a length over 2^63-1",
        ),
        pytest.param(b"\r\n" * 40_000, id="empty lines"),
        pytest.param(b"220 smtp.example ESMTP\r\n", id="not HTTP"),
    ],
)
def test_an_invalid_response_is_a_bad_gateway(authority: Authority, answer: bytes) -> None:
    with (
        scripted(answer, close=True) as (port, _),
        running_proxy(port, authority) as proxy,
        client(proxy) as connection,
    ):
        connection.request("GET", "/")
        assert connection.getresponse().status == 502


def test_drops_an_unrequested_response(authority: Authority) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    with (
        scripted(answer + poison, answer) as (port, _),
        running_proxy(port, authority) as proxy,
        client(proxy) as connection,
    ):
        for _ in range(2):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"ok"


def test_repeats_a_get_on_a_closing_connection(authority: Authority) -> None:
    heads: list[bytes] = []

    async def one_answer_each(reader: Any, writer: Any) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        with contextlib.suppress(Exception):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    with (
        serving(one_answer_each) as port,
        running_proxy(port, authority) as proxy,
        client(proxy) as connection,
    ):
        for method, status in (("GET", 200), ("GET", 200), ("POST", 502)):
            connection.request(method, "/")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
    assert [head.split()[0] for head in heads] == [b"GET", b"GET", b"GET", b"POST"]


def test_does_not_reuse_a_long_idle_connection(
    proxy: RunningProxy, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "UPSTREAM_IDLE_SECONDS", 0.05)
    with client(proxy) as connection:
        for _ in range(2):
            connection.request("POST", "/echo", b"x")
            assert connection.getresponse().read()
            time.sleep(0.1)
    assert upstream.connections == 2


def test_forwards_an_early_response_to_an_upload(authority: Authority) -> None:
    refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"
    with (
        scripted(refusal) as (port, _),
        running_proxy(port, authority) as proxy,
        proxy.connect() as connection,
    ):
        connection.sendall(proxy.head("POST", "/", "Content-Length: 9000000") + b"x" * 10_000)
        received = read_to_end(connection)
    assert received.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in received
    assert received.endswith(b"big")


# Rejected requests

HOST = b"Host: localhost:%d\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"

REFUSED = {
    "two lengths": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
        400,
    ),
    "the same length twice": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
        400,
    ),
    "a list of lengths": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0, 0\r\n\r\n", 400),
    "a signed length": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +0\r\n\r\n", 400),
    "a hexadecimal length": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0x0\r\n\r\n", 400),
    "an endless length": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999\r\n\r\n",
        400,
    ),
    "a length over 2^63-1": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 9223372036854775808\r\n\r\n",
        400,
    ),
    "a length of many digits": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1" + b"0" * 9000 + b"\r\n\r\n",
        400,
    ),
    "length, then chunked": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
        400,
    ),
    "chunked, then length": (
        b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunked twice": (b"POST / HTTP/1.1\r\n" + HOST + CHUNKED * 2 + b"\r\n0\r\n\r\n", 400),
    "an unsupported coding": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunked not last": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        400,
    ),
    "almost chunked": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunked with a vertical tab": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a space before the colon": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunked in HTTP/1.0": (b"POST / HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "obsolete folding": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", 400),
    "a folded coding": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a line that begins with a space": (b"GET / HTTP/1.1\r\n X: a\r\n" + HOST + b"\r\n", 400),
    "bare LF after the request line": (b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400),
    "bare LF after a field": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\nY: b\r\n\r\n", 400),
    "bare LF at the end": (b"GET / HTTP/1.1\r\n" + HOST + b"\n", 400),
    "bare CR": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rY: b\r\n\r\n", 400),
    "NUL": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
    "a control character": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x01b\r\n\r\n", 400),
    "a name with a bracket": (b"GET / HTTP/1.1\r\n" + HOST + b"X(: a\r\n\r\n", 400),
    "a field without a name": (b"GET / HTTP/1.1\r\n" + HOST + b": a\r\n\r\n", 400),
    "a line without a colon": (b"GET / HTTP/1.1\r\n" + HOST + b"X\r\n\r\n", 400),
    "a control character in the target": (b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a target beyond ASCII": (b"GET /\xe9 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a fragment": (b"GET /#a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a whole URL": (b"GET http://localhost/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "CONNECT": (b"CONNECT localhost:22 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET / HTTP/1.1\r\n" + HOST * 2 + b"\r\n", 400),
    "an empty Host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "HTTP/2 without negotiation": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "an unknown version": (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 400),
    "not HTTP": (b"\x16\x03\x01 hello\r\n\r\n", 400),
    "an upgrade with a body": (
        b"POST / HTTP/1.1\r\n"
        + HOST
        + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
        400,
    ),
}

TOO_LARGE = {
    "head": b"GET / HTTP/1.1\r\n" + HOST + (b"X: " + b"x" * 1000 + b"\r\n") * 70,
    "field": b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 70_000,
    "target": b"GET /" + b"x" * 70_000,
}


@pytest.fixture
def _closes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a client that is slow to send much."""
    monkeypatch.setattr(connections, "LINGER_SECONDS", 60.0)


def refusal(proxy: RunningProxy, sent: bytes) -> http.client.HTTPResponse:
    """Send much; return the response, and do not wait until the proxy closes the connection."""
    with proxy.connect() as connection:
        connection.sendall(sent)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        answer.read()
    return answer


@pytest.mark.usefixtures("_closes_late")
@pytest.mark.parametrize("name", TOO_LARGE)
def test_rejects_large_heads(proxy: RunningProxy, upstream: Upstream, name: str) -> None:
    answer = refusal(proxy, (TOO_LARGE[name] + SMUGGLED).replace(b"%d", b"%d" % proxy.port))

    assert (answer.status, answer.getheader("Connection")) == (431, "close")
    assert upstream.connections == 0


@pytest.mark.parametrize("name", REFUSED)
def test_rejects_ambiguous_requests(proxy: RunningProxy, upstream: Upstream, name: str) -> None:
    request, status = REFUSED[name]
    answer = proxy.raw((request + SMUGGLED).replace(b"%d", b"%d" % proxy.port))

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert upstream.connections == 0


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"3\nabc\r\n0\r\n\r\n", id="bare LF after the size"),
        pytest.param(b"0x3\r\nabc\r\n0\r\n\r\n", id="0x"),
        pytest.param(b"3 \r\nabc\r\n0\r\n\r\n", id="a space after the size"),
        pytest.param(b"-1\r\n\r\n", id="negative"),
        pytest.param(b"3\r\nabcd\r\n0\r\n\r\n", id="longer than announced"),
        pytest.param(b"3;a\nb\r\nabc\r\n0\r\n\r\n", id="bare LF in an extension"),
        pytest.param(b"11111111111111111\r\n", id="overflow"),
    ],
)
@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_rejects_broken_chunks(proxy: RunningProxy, body: bytes, connection: str) -> None:
    lines = ("Transfer-Encoding: chunked", f"Connection: {connection}")
    answer = proxy.raw(proxy.head("POST", "/echo", *lines) + body)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_accepts_the_largest_content_length(authority: Authority) -> None:
    with (
        scripted(OK) as (port, heads),
        running_proxy(port, authority) as proxy,
        proxy.connect() as connection,
    ):
        connection.sendall(proxy.head("POST", "/", f"Content-Length: 000{2**63 - 1}"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert b"\r\nContent-Length: 9223372036854775807\r\n" in heads[0]


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

FLOODS = {
    "empty lines before a request": (b"", b"\r\n" * 40_000),
    "a chunk's extension": (CHUNKED, b"3;x=" + b"y" * 200_000),
    "an endless last chunk's extension": (CHUNKED, b"3\r\nabc\r\n0;" + b"y" * 200_000),
    "one trailer": (CHUNKED, b"0\r\nX-Late: " + b"y" * 200_000),
    "many trailers": (CHUNKED, b"0\r\n" + b"X-Late: y\r\n" * 20_000),
    "a trailer's name": (CHUNKED, b"0\r\n" + b"X" * 200_000),
}


@pytest.mark.usefixtures("_closes_late")
@pytest.mark.parametrize("name", FLOODS)
def test_limits_what_is_neither_head_nor_body(proxy: RunningProxy, name: str) -> None:
    framing, flood = FLOODS[name]
    head = b"POST /echo HTTP/1.1\r\nHost: localhost:%d\r\n%b\r\n" % (proxy.port, framing)
    answer = refusal(proxy, (head if framing else b"") + flood)
    assert (answer.status, answer.getheader("Connection")) == (431, "close")


def test_a_rejection_during_a_request_reaches_the_client(
    proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the client, which is still sending, loses the response."""
    monkeypatch.setattr(connections, "LINGER_SECONDS", 1.0)
    plain = socket.create_connection(("127.0.0.1", proxy.port), timeout=60)
    with proxy.client_context().wrap_socket(
        plain, server_hostname="localhost", suppress_ragged_eofs=False
    ) as connection:
        connection.sendall(proxy.head("POST", "/echo", "Transfer-Encoding: chunked"))
        connection.sendall(b"0\r\nX-Late: " + b"y" * 70_000)
        answer = read_to_end(connection)  # an SSLEOFError if the connection breaks
    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("flood", [b"3;" + b"y" * 700_000, b"0\r\n" + b"X: y\r\n" * 100_000])
def test_limits_what_is_neither_head_nor_body_of_a_response(
    authority: Authority, flood: bytes
) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        scripted(head + flood) as (port, _),
        running_proxy(port, authority) as proxy,
        client(proxy) as connection,
    ):
        connection.request("GET", "/")
        with pytest.raises((http.client.IncompleteRead, ssl.SSLError, ConnectionError)):
            connection.getresponse().read()


@pytest.fixture
def _watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for overdue connections often."""
    monkeypatch.setattr(proxy_module, "LOOK_SECONDS", 0.02)


@pytest.mark.usefixtures("_watchful")
@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"\r\n", id="an empty line"),
        pytest.param(b"GET /e", id="half a target"),
        pytest.param(b"GET /echo HTTP/1.1\r\nHost: localhost", id="half a head"),
        pytest.param(
            b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\na", id="half a body"
        ),
        pytest.param(
            b"POST /echo HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n3;x", id="half an extension"
        ),
        pytest.param(
            b"POST /echo HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n0\r\nX-La", id="half a trailer"
        ),
    ],
)
def test_ends_incomplete_requests(
    proxy: RunningProxy, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.0)
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.0)
    answer = proxy.raw(begun.replace(b"%d", b"%d" % proxy.port))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.usefixtures("_watchful")
def test_ends_a_trickling_head(proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.1)
    with proxy.connect() as connection, contextlib.suppress(OSError):
        for byte in proxy.head("GET", "/echo", "X-Long: " + "x" * 2000):
            connection.sendall(bytes([byte]))
            time.sleep(0.01)
    assert [seen.status for seen in proxy.answered] == [408]


@pytest.mark.usefixtures("_watchful")
@pytest.mark.parametrize("requests", [0, 1])
def test_closes_an_idle_connection(
    proxy: RunningProxy, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy.connect() as connection:
        connection.sendall(proxy.head() * requests)
        answer = connection.recv(65536) if requests else b""
        monkeypatch.setattr(connections, "IDLE_SECONDS", 0.0)
        answer += read_to_end(connection)
    assert answer.count(b"HTTP/1.1 200 ") == requests
    assert answer.count(b"HTTP/1.1 ") == requests


@pytest.mark.usefixtures("_watchful")
def test_allows_a_slow_response(
    proxy: RunningProxy, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.events_read = 0
    with client(proxy) as connection:
        connection.request("GET", "/events")
        answer = connection.getresponse()
        for name in ("HEAD_SECONDS", "BODY_SECONDS", "IDLE_SECONDS"):
            monkeypatch.setattr(connections, name, 0.0)
        time.sleep(0.1)
        assert_events_come_one_by_one(upstream, answer)


class HastyLoop(asyncio.SelectorEventLoop):
    """Its time is `ahead` seconds later than the system's."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


@pytest.mark.usefixtures("_watchful")
def test_allows_a_slow_upload(
    authority: Authority, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio, "SelectorEventLoop", HastyLoop)
    monkeypatch.setattr(HastyLoop, "ahead", 0.0)
    with running_proxy(upstream.port, authority) as proxy, proxy.connect() as connection:
        lines = ("Transfer-Encoding: chunked", "Connection: close")
        connection.sendall(proxy.head("POST", "/echo", *lines))
        for size in (2, 4, 6):
            connection.sendall(b"2\r\nab\r\n")
            assert eventually(lambda: upstream.received == size)  # noqa: B023 - called at once
            HastyLoop.ahead += 0.7 * connections.BODY_SECONDS
            time.sleep(0.1)
        connection.sendall(b"0\r\n\r\n")
        assert b'"size": 6' in read_to_end(connection)


def test_answers_requests_before_an_ambiguous_one(proxy: RunningProxy) -> None:
    answer = proxy.raw(proxy.head() * 2 + b"GET / HTTP/1.1\nHost: x\n\n" + proxy.head())
    statuses = re.findall(rb"HTTP/1.1 (\d+) ", answer)
    assert statuses == [b"200", b"200", b"400"]


def test_ignores_everything_after_connection_close(proxy: RunningProxy) -> None:
    answer = proxy.raw(proxy.head("GET", "/echo", "Connection: close") + proxy.head())
    assert answer.count(b"HTTP/1.1 ") == 1


# Silence


def test_a_failed_handshake_prints_nothing(
    proxy: RunningProxy, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port)) as plain:
        plain.sendall(proxy.head())
        plain.settimeout(60)
        with contextlib.suppress(ConnectionError):
            while plain.recv(1000):
                pass
    untrusting = ssl.create_default_context()
    with (
        socket.create_connection(("127.0.0.1", proxy.port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        untrusting.wrap_socket(plain, server_hostname="localhost")
    time.sleep(0.1)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
