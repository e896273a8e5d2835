from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.sockets import Authority
from wizard import http_server
from wizard.http import Https
from wizard.http_server import (
    MAX_REQUEST_BYTES,
    MOST_CONNECTIONS,
    MOST_FIELDS,
    Answer,
    HttpServer,
    Request,
)
from wizard.system import loopback

GET = b"GET /a%20b?c=d&c=%26 HTTP/1.1\r\nHost: one\r\n\r\n"


class Site:
    """Record and answer each request."""

    def __init__(self, answer: Callable[[Request], Answer] | None = None) -> None:
        self.requests: list[Request] = []
        self._answer = answer or (lambda _: Answer(200, "hello"))

    def respond(self, request: Request) -> Answer:
        self.requests.append(request)
        return self._answer(request)


@contextmanager
def serving(
    site: Site, *, tls: ssl.SSLContext | None = None, seconds: float = 10.0
) -> Iterator[int]:
    listeners = loopback.listeners(0)
    server = HttpServer(site.respond, listeners, "test", tls=tls, request_seconds=seconds)
    try:
        yield listeners[0].getsockname()[1]
    finally:
        server.stop(10)
    assert not [thread for thread in threading.enumerate() if thread.name == "test"]


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def read_all(connection: socket.socket) -> bytes:
    """Read everything until the other side closes."""
    received = b""
    with suppress(ConnectionResetError):
        while data := connection.recv(65536):
            received += data
    return received


def exchange(port: int, sent: bytes) -> bytes:
    with connected(port) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
        return read_all(connection)


def test_receives_a_request_unchanged() -> None:
    site = Site()
    with serving(site) as port:
        head = GET[:-2] + b"X-Twice: a\r\nx-twice: b\r\nContent-Length: 4\r\n"
        answer = exchange(port, head + b"Cookie: a=1; b=2\r\n\r\nbody and more")

    (request,) = site.requests
    assert (request.method, request.path, request.query) == ("GET", "/a%20b", "c=d&c=%26")
    assert request.parameters == {"c": "&"}
    assert request.headers["x-twice"] == "a, b"
    assert request.cookie("b") == "2"
    assert request.body == b"body"
    assert answer == (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")


def test_reads_a_chunked_body() -> None:
    site = Site()
    with serving(site) as port:
        head = b"POST / HTTP/1.1\r\nHost: one\r\nTransfer-Encoding: chunked\r\n\r\n"
        exchange(port, head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    assert site.requests[0].body == b"abcde"


def test_a_connection_carries_one_request() -> None:
    site = Site()
    with serving(site) as port:
        answer = exchange(port, GET + b"POST /other HTTP/1.1\r\nHost: two\r\n\r\n")

    (request,) = site.requests
    assert (request.method, request.path) == ("GET", "/a%20b")
    assert request.headers["host"] == "one"
    assert answer.count(b"HTTP/1.1") == 1


def test_uses_the_host_of_an_absolute_target() -> None:
    """RFC 9112 §3.2.2."""
    site = Site()
    with serving(site) as port:
        exchange(port, b"GET http://evil.example/x?y HTTP/1.1\r\nHost: localhost\r\n\r\n")
        exchange(port, b"GET //evil.example/x HTTP/1.1\r\nHost: localhost\r\n\r\n")

    seen = [(each.headers["host"], each.path, each.query) for each in site.requests]
    assert seen == [("evil.example", "/x", "y"), ("localhost", "//evil.example/x", "")]


def test_sends_no_body_to_head() -> None:
    with serving(Site()) as port:
        assert exchange(port, GET.replace(b"GET", b"HEAD")).endswith(b"\r\n\r\n")


def test_ignores_a_protocol_upgrade() -> None:
    with serving(Site()) as port:
        answer = exchange(port, GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n bad: a\r\n\r\n",
        b"GET / HTTP/1.1\r\na b: c\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (MOST_FIELDS + 1) + b"\r\n",
        b"GET /" + b"a" * MAX_REQUEST_BYTES + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\na: " + b"a" * MAX_REQUEST_BYTES,
        b"POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n" + b"a" * MAX_REQUEST_BYTES,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n" + b"a" * 200_000,
    ],
)
def test_rejects_an_invalid_request(sent: bytes) -> None:
    site = Site()
    with serving(site) as port:
        answer = exchange(port, sent)

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert not site.requests


def broken(_: Request) -> Answer:
    raise RuntimeError("secret")


@pytest.mark.parametrize(
    "respond",
    [
        broken,
        lambda _: Answer(302, headers={"Location": "/\r\nSet-Cookie: a=b"}),
        lambda _: Answer(302, headers={"Location": "/\u2026"}),
        lambda _: Answer(999),
    ],
)
def test_a_failed_response_is_a_server_error(
    respond: Callable[[Request], Answer],
) -> None:
    with serving(Site(respond)) as port:
        answer = exchange(port, GET)

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in answer
    assert b"Set-Cookie" not in answer


def test_notifies_the_site_once_its_response_is_sent_or_fails() -> None:
    left, gone = threading.Event(), threading.Event()

    def respond(request: Request) -> Answer:
        if request.path == "/gone":
            return Answer(200, "x" * 1_000_000, sent=gone.set)
        return Answer(200, sent=left.set)

    with serving(Site(respond)) as port:
        exchange(port, GET)
        assert left.wait(60)
        with connected(port) as connection:
            connection.sendall(b"GET /gone HTTP/1.1\r\nHost: one\r\n\r\n")
        assert gone.wait(60)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHo", b"GET / HTTP/1.1\r\n"])
def test_times_out_without_a_request(sent: bytes) -> None:
    with serving(Site(), seconds=0.2) as port, connected(port) as connection:
        connection.sendall(sent)
        assert read_all(connection) == b""


def test_times_out_on_a_trickling_request() -> None:
    with serving(Site(), seconds=0.2) as port, connected(port) as connection:
        connection.settimeout(0.02)
        connection.sendall(b"GET / HTTP/1.1\r\nx: ")
        for _ in range(1000):
            try:
                connection.sendall(b"a")
                assert connection.recv(1) == b""
                break
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
        else:
            pytest.fail("the server kept waiting")


def test_silent_connections_make_room() -> None:
    with serving(Site()) as port, ExitStack() as idle:
        silent = [idle.enter_context(connected(port)) for _ in range(MOST_CONNECTIONS + 10)]

        for _ in range(5):
            assert exchange(port, GET).startswith(b"HTTP/1.1 200")

        assert read_all(silent[0]) == b""


def test_serves_no_more_while_a_connection_is_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood comes faster than threads end."""
    monkeypatch.setattr(http_server, "_shut", lambda _: None)
    monkeypatch.setattr(http_server, "ROOM_SECONDS", 0.01)
    with serving(Site()) as port, ExitStack() as silent:
        for _ in range(MOST_CONNECTIONS):
            silent.enter_context(connected(port))
        refused = silent.enter_context(connected(port))
        assert read_all(refused) == b""
        served = [each for each in threading.enumerate() if each.name == "test"]
        assert len(served) == MOST_CONNECTIONS + 1  # with the one that accepts them


def test_limits_concurrent_requests() -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def respond(_: Request) -> Answer:
        begun.release()
        assert go_on.wait(60)
        return Answer(200)

    with serving(Site(respond)) as port, ExitStack() as stack:
        taken = [stack.enter_context(connected(port)) for _ in range(MOST_CONNECTIONS)]
        for connection in taken:
            connection.sendall(GET)
        for _ in taken:
            assert begun.acquire(timeout=60)

        assert exchange(port, GET) == b""

        go_on.set()
        assert all(read_all(connection).startswith(b"HTTP/1.1 200") for connection in taken)


def test_closing_waits_for_responses_but_not_for_silent_connections() -> None:
    begun, go_on = threading.Event(), threading.Event()
    answers: list[bytes] = []

    def respond(_: Request) -> Answer:
        begun.set()
        assert go_on.wait(60)
        return Answer(200, "late")

    with ExitStack() as stack:
        with serving(Site(respond)) as port:
            silent = stack.enter_context(connected(port))
            visitor = threading.Thread(target=lambda: answers.append(exchange(port, GET)))
            visitor.start()
            assert begun.wait(60)
            threading.Timer(0.1, go_on.set).start()
        visitor.join(60)
        assert answers[0].endswith(b"late")
        assert read_all(silent) == b""
        with pytest.raises(ConnectionRefusedError):
            connected(port)


def test_serves_https(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    site = Site()
    client = Https({"SSL_CERT_FILE": str(authority.pem)})
    with (
        serving(site, tls=authority.context()) as port,
        connected(port),
        connected(port) as plain,
    ):
        plain.sendall(GET)
        assert client.request("GET", f"https://127.0.0.1:{port}/x").text == "hello"
    assert [each.path for each in site.requests] == ["/x"]
