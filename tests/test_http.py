from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.languages import speaking
from tests.sockets import Authority, Handler, read_request, server
from wizard.http import MAX_BODY_BYTES, Https, NetworkError, Response, Trouble


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"))


def answering(*parts: bytes) -> Handler:
    """Answer each request on a connection with the same bytes."""

    def handle(connection: socket.socket) -> None:
        while read_request(connection):
            for part in parts:
                connection.sendall(part)

    return handle


def http_answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def fetch(
    port: int,
    *,
    host: str = "127.0.0.1",
    scheme: str = "http",
    environ: Mapping[str, str] | None = None,
    total: float = 60.0,
) -> Response:
    client = Https(environ or {}, connect_timeout=60, total_timeout=total)
    return client.request("GET", f"{scheme}://{host}:{port}/path?a=b")


def trouble(port: int, *, total: float = 60.0, **how: str) -> NetworkError:
    with pytest.raises(NetworkError) as caught:
        fetch(port, total=total, **how)  # type: ignore[arg-type]
    return caught.value


def test_returns_the_response_unchanged() -> None:
    body = json.dumps({"a": "ä"}).encode()
    answer = http_answer(
        body, "Content-Type: Application/JSON", "Set-Cookie: a=1", "Set-Cookie: b=2; Secure"
    )
    with server(answering(answer)) as port:
        response = fetch(port)
    assert response.status == 200
    assert response.headers["content-type"] == "Application/JSON"
    assert response.set_cookies == ("a=1", "b=2; Secure")
    assert response.json_object() == {"a": "ä"}
    assert not response.is_html
    assert "ä" not in repr(response)


def test_posts_a_form() -> None:
    seen: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(http_answer(b"", "Connection: close"))

    with server(handle) as port:
        Https({}).request(
            "POST",
            f"http://127.0.0.1:{port}/token",
            form={"a": "1 & 2", "ü": "="},
            headers={"Accept": "application/json"},
        )
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /token HTTP/1.1\r\n")
    assert b"accept: application/json" in head.lower()
    assert b"content-type: application/x-www-form-urlencoded" in head.lower()
    assert body == b"a=1+%26+2&%C3%BC=%3D"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/next", "http://127.0.0.1:{port}/next"),
        ("https://other.example/x", "https://other.example/x"),
        ("https://[::1", ""),
    ],
)
def test_does_not_follow_redirects(location: str, expected: str) -> None:
    with server(answering(http_answer(b"", f"Location: {location}", status="302 Found"))) as port:
        response = fetch(port)
    assert response.status == 302
    assert response.location == expected.format(port=port)


def test_reuses_connections() -> None:
    connections: list[int] = []

    def handle(connection: socket.socket) -> None:
        connections.append(1)
        answering(http_answer(b"hello"))(connection)

    client = Https({})
    with server(handle) as port:
        for _ in range(3):
            assert client.request("GET", f"http://127.0.0.1:{port}/").body == b"hello"
    assert len(connections) == 1


def test_several_threads_share_a_client(authority: Authority) -> None:
    meeting = threading.Barrier(4)

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        meeting.wait(60)  # answer only after all requests arrived
        connection.sendall(http_answer(b"hello", "Connection: close"))

    client = Https({}, extra_ca=lambda: authority.pem)
    bodies: list[bytes] = []
    with server(handle, authority.context()) as port:

        def ask() -> None:
            bodies.append(client.request("GET", f"https://127.0.0.1:{port}/").body)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert bodies == [b"hello"] * 4


def test_trusts_ssl_cert_file(authority: Authority) -> None:
    with server(answering(http_answer(b"ok")), authority.context()) as port:
        response = fetch(port, scheme="https", environ={"SSL_CERT_FILE": str(authority.pem)})
    assert response.body == b"ok"


def test_trusts_an_extra_authority(authority: Authority) -> None:
    with server(answering(http_answer(b"ok")), authority.context()) as port:
        client = Https({}, extra_ca=lambda: authority.pem)
        assert client.request("GET", f"https://127.0.0.1:{port}/").body == b"ok"


def test_trusts_an_authority_created_later(authority: Authority) -> None:
    made: list[Path] = []
    client = Https({}, extra_ca=lambda: made[0] if made else None)
    with server(answering(http_answer(b"ok")), authority.context()) as port:
        url = f"https://127.0.0.1:{port}/"
        with pytest.raises(NetworkError):
            client.request("GET", url)
        made.append(authority.pem)
        assert client.request("GET", url).body == b"ok"


def test_does_not_trust_an_unknown_authority(authority: Authority) -> None:
    with server(answering(http_answer(b"ok")), authority.context()) as port:
        error = trouble(port, scheme="https")
    assert error.trouble is Trouble.UNTRUSTED
    assert error.host == f"127.0.0.1:{port}"


def test_distinguishes_wrong_name_from_wrong_time(authority: Authority) -> None:
    client = Https({"SSL_CERT_FILE": str(authority.pem)})
    for context, expected in [
        (authority.context("other.example"), Trouble.WRONG_NAME),
        (authority.context(days=(-9, -2)), Trouble.WRONG_TIME),
        (authority.context(days=(2, 9)), Trouble.WRONG_TIME),
    ]:
        with (
            server(answering(http_answer(b"ok")), context) as port,
            pytest.raises(NetworkError) as caught,
        ):
            client.request("GET", f"https://127.0.0.1:{port}/")
        assert caught.value.trouble is expected


@pytest.mark.parametrize("content", [None, "", "not a certificate"])
def test_names_a_bad_ssl_cert_file(tmp_path: Path, content: str | None) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    with pytest.raises(NetworkError, match=r"SSL_CERT_FILE=.*bundle\.pem") as caught:
        fetch(1, scheme="https", environ={"SSL_CERT_FILE": str(bundle)})
    assert caught.value.trouble is Trouble.UNTRUSTED


def test_explains_a_failed_request_in_dutch(tmp_path: Path) -> None:
    dutch = speaking({"the certificate is not trusted": "onvertrouwd", "it is not a file": "map"})
    with pytest.raises(NetworkError) as caught:
        fetch(1, scheme="https", environ={"SSL_CERT_FILE": str(tmp_path)})
    assert dutch.say(caught.value.reason) == f"onvertrouwd: SSL_CERT_FILE={tmp_path}: map"


def test_reports_a_server_without_tls() -> None:
    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(http_answer(b"", status="400 Bad Request"))

    with server(handle) as port:
        assert trouble(port, scheme="https").trouble is Trouble.TLS


def test_reports_an_unresolvable_name() -> None:
    error = trouble(443, host="tenant.invalid", scheme="https")
    assert error.trouble is Trouble.NAME
    assert error.host == "tenant.invalid:443"
    assert error.detail
    assert "Errno" not in error.detail


@pytest.fixture
def no_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a machine whose /etc/hosts lacks `localhost`."""
    resolve = socket.getaddrinfo

    def look_up(host: Any, *rest: Any, **named: Any) -> Any:
        if host == "localhost":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.usefixtures("no_localhost")
def test_localhost_needs_no_line_in_etc_hosts(authority: Authority) -> None:
    """Browsers do not need one either (RFC 6761, 6.3)."""
    with server(answering(http_answer(b"{}"))) as port:
        assert fetch(port, host="localhost").status == 200
    with server(answering(http_answer(b"{}")), authority.context("localhost")) as port:
        environ = {"SSL_CERT_FILE": str(authority.pem)}
        assert fetch(port, host="localhost", scheme="https", environ=environ).status == 200


@pytest.mark.usefixtures("no_localhost")
def test_does_not_blame_the_name_when_nothing_listens_on_localhost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert trouble(port, host="localhost").trouble is Trouble.REFUSED


def test_reports_a_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    error = trouble(port, scheme="https")
    assert error.trouble is Trouble.REFUSED
    assert "HTTPSConnection(" not in error.detail


def test_reports_a_broken_connection() -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)

    with server(handle) as port:
        assert trouble(port).trouble is Trouble.DROPPED


def test_reports_a_truncated_body() -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    with server(handle) as port:
        assert trouble(port).trouble is Trouble.DROPPED


def silent(connection: socket.socket) -> None:
    read_request(connection)
    connection.recv(1)


def dripping_headers(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def dripping_body(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def dripping_chunks(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1\r\nx\r\n")
        time.sleep(0.05)


def stalling_body(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    connection.recv(1)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(
    "handler", [silent, dripping_headers, dripping_body, dripping_chunks, stalling_body]
)
def test_limits_the_time_of_a_request(handler: Handler, secure: bool, authority: Authority) -> None:
    client = Https({"SSL_CERT_FILE": str(authority.pem)}, total_timeout=0.4)
    scheme = "https" if secure else "http"
    context = authority.context() if secure else None
    with server(handler, context) as port, pytest.raises(NetworkError) as caught:
        client.request("GET", f"{scheme}://127.0.0.1:{port}/")
    assert caught.value.trouble is Trouble.TIMEOUT


def endless(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def bomb(connection: socket.socket) -> None:
    read_request(connection)
    packed = gzip.compress(bytes(200 * MAX_BODY_BYTES // 10), 9)
    connection.sendall(http_answer(packed, "Content-Encoding: gzip"))


@pytest.mark.parametrize("handler", [endless, bomb])
def test_limits_the_size_of_a_response(handler: Handler) -> None:
    with server(handler) as port:
        assert trouble(port).trouble is Trouble.TOO_LARGE


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"HTTP/1.1 abc def\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 " + b"O" * 70_000 + b"\r\n\r\n",
        b"\x00" * 1000 + b"\r\n\r\n",
    ],
)
def test_invalid_http_is_a_broken_connection(answer: bytes) -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    with server(handle) as port:
        assert trouble(port).trouble is Trouble.DROPPED


@pytest.fixture
def proxy() -> Iterator[tuple[int, list[str]]]:
    """Run a proxy that forwards every CONNECT to the same port on this machine."""
    asked: list[str] = []

    def handle(connection: socket.socket) -> None:
        line = read_request(connection).split(b"\r\n")[0].decode()
        asked.append(line.rpartition(" ")[0])
        port = int(line.split()[1].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as onward:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(onward, connection))
            back.start()
            pump(connection, onward)
            back.join(60)

    with server(handle) as port:
        yield port, asked


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["", "http://"])
def test_uses_the_proxy_of_the_environment(
    proxy: tuple[int, list[str]], authority: Authority, name: str, scheme: str
) -> None:
    proxy_port, asked = proxy
    environ = {name: f"{scheme}127.0.0.1:{proxy_port}", "SSL_CERT_FILE": str(authority.pem)}
    context = authority.context("tenant.example")
    with server(answering(http_answer(b"through")), context) as port:
        response = fetch(port, host="tenant.example", scheme="https", environ=environ)
        assert response.body == b"through"
    assert asked == [f"CONNECT tenant.example:{port}"]


@pytest.mark.parametrize("no_proxy", ["tenant.invalid", ".invalid", "*"])
def test_respects_no_proxy(proxy: tuple[int, list[str]], no_proxy: str) -> None:
    proxy_port, asked = proxy
    environ = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy_port}", "NO_PROXY": no_proxy}
    with pytest.raises(NetworkError) as caught:
        fetch(443, host="tenant.invalid", scheme="https", environ=environ)
    assert caught.value.trouble is Trouble.NAME
    assert asked == []


def test_never_uses_a_proxy_for_this_machine() -> None:
    with server(answering(http_answer(b"direct"))) as port:
        response = fetch(port, environ={"HTTP_PROXY": "http://127.0.0.1:1"})
    assert response.body == b"direct"


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "503 Service Unavailable"])
def test_reports_a_proxy_that_refuses(status: str) -> None:
    with server(answering(http_answer(b"", status=status))) as port:
        environ = {"HTTPS_PROXY": f"http://me:hunter2@127.0.0.1:{port}"}
        with pytest.raises(NetworkError) as caught:
            fetch(443, host="tenant.example", scheme="https", environ=environ)
    assert caught.value.trouble is Trouble.PROXY
    assert status[:3] in caught.value.detail
    assert "hunter2" not in str(caught.value)


def test_reports_an_unreachable_proxy() -> None:
    environ = {"HTTPS_PROXY": "http://127.0.0.1:1"}
    with pytest.raises(NetworkError) as caught:
        fetch(443, host="tenant.example", scheme="https", environ=environ)
    assert caught.value.trouble is Trouble.PROXY


def test_a_captive_portal_page_is_a_response() -> None:
    page = http_answer(b"<h1>Welcome</h1>", "Content-Type: text/html; charset=utf-8")
    with server(answering(page)) as port:
        response = fetch(port)
    assert response.is_html
    assert response.json_object() is None
