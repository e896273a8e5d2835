"""A small HTTP/1.1 server in a thread, bounded in connections, bytes and time.

Each connection has one thread and one request. Strangers can reach it through a tunnel, so idle
connections are closed when there are too many.
"""

from __future__ import annotations

import re
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    import ssl

    from wizard.language import Language

MAX_REQUEST_BYTES = 1 << 17
MOST_FIELDS = 100
MOST_CONNECTIONS = 64
REQUEST_SECONDS = 10.0
ROOM_SECONDS = 1.0  # how long the end of an idle connection may take
LINGER_SECONDS = 1.0  # closing with unread bytes would reset the connection and lose the answer
_CHUNK_BYTES = 1 << 14
_LINE_END = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True)
class Request:
    """A request, undecoded; header names are lower-case, repeated headers joined by commas."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the query; the last of repeated ones."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def cookie(self, name: str) -> str:
        """Return the value of the cookie, "" if there is none."""
        try:
            found = SimpleCookie(self.headers.get("cookie", "")).get(name)
        except CookieError:
            return ""
        return found.value if found else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; `sent` is called when it was sent or could not be."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    sent: Callable[[], None] = lambda: None

    def with_cookie(self, name: str, value: str) -> Answer:
        """Set an HttpOnly cookie."""
        self.headers["Set-Cookie"] = f"{name}={value}; HttpOnly; Path=/; SameSite=lax; Secure"
        return self

    def to_bytes(self, method: str = "GET", *, keep_alive: bool = False) -> bytes:
        """Return the bytes to send.

        Raises:
            ValueError: a header has a line break.
        """
        content = self.body.encode()
        fields = {"Content-Length": str(len(content)), **self.headers}
        if not keep_alive:
            fields["Connection"] = "close"
        if self.status == HTTPStatus.NO_CONTENT:
            del fields["Content-Length"]
        if any(_LINE_END.search(text) for pair in fields.items() for text in pair):
            raise ValueError("a header has a line end in it")
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head if method == "HEAD" else head + content


def security_headers(nonce: str = "", *, has_form: bool = False) -> dict[str, str]:
    """Return headers that forbid scripts, frames, caches and referrers; `nonce` allows styles.

    Browsers apply `form-action` to all redirects after a form, and send `Origin: null` with a form
    of a page without referrers (Fetch standard).
    """
    style = f"'nonce-{nonce}'" if nonce else "'none'"
    forms = "" if has_form else " form-action 'none';"
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src {style}; base-uri 'none';{forms} frame-ancestors 'none'"
        ),
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin" if has_form else "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def page(
    status: int, name: str, language: Language, *, has_form: bool = False, **values: object
) -> Answer:
    """Return the page of that template with these values, and `nonce` for its styles."""
    import secrets

    from wizard.templates import template

    nonce = secrets.token_urlsafe(16)
    html = template(name, language).render(nonce=nonce, **values)
    headers = security_headers(nonce, has_form=has_form)
    return Answer(status, html, {"Content-Type": "text/html; charset=utf-8", **headers})


class HttpServer:
    """Serves from construction until `stop`, which closes the listeners.

    `respond` is called in the thread of each connection, which has `name`. `request_seconds` is the
    time limit to receive a request, and to send its answer.
    """

    def __init__(
        self,
        respond: Callable[[Request], Answer],
        listeners: list[socket.socket],
        name: str,
        *,
        tls: ssl.SSLContext | None = None,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self._respond = respond
        self._listeners = listeners
        self._name = name
        self._tls = tls
        self._request_seconds = request_seconds
        self._lock = threading.Lock()
        self._stopping = False
        self._room = threading.Semaphore(MOST_CONNECTIONS)
        self._threads: set[threading.Thread] = set()
        self._idle: dict[socket.socket, None] = {}  # in order; the values are unused
        self._stop, self._stopped = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name=name, daemon=True)
        self._acceptor.start()

    def stop(self, seconds: float) -> None:
        """Stop serving; wait this many seconds for running answers."""
        with self._lock:
            self._stopping = True
            for connection in self._idle:
                _shut(connection)
        self._stop.close()
        self._acceptor.join()
        deadline = time.monotonic() + seconds
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector, self._stopped:
            for each in (*self._listeners, self._stopped):
                each.setblocking(False)
                selector.register(each, selectors.EVENT_READ)
            while not self._stopping:
                for key, _ in selector.select():
                    if key.fileobj is self._stopped:
                        break
                    try:
                        connection, _ = key.fileobj.accept()  # type: ignore[union-attr]
                    except OSError:  # disconnected, or too many open files
                        time.sleep(0.01)
                        continue
                    self._begin(connection)
        for each in self._listeners:
            each.close()

    def _begin(self, connection: socket.socket) -> None:
        """Serve the connection in a thread, or close it if there is no room."""
        if not (self._room.acquire(blocking=False) or self._make_room()):
            connection.close()
            return
        thread = threading.Thread(
            target=self._serve, args=(connection,), name=self._name, daemon=True
        )
        with self._lock:
            self._threads = {each for each in self._threads if each.is_alive()} | {thread}
            thread.start()

    def _make_room(self) -> bool:
        """End the connection that is idle longest; return whether its room is free."""
        with self._lock:
            oldest = next(iter(self._idle), None)
            if oldest is None:
                return False
            del self._idle[oldest]
            _shut(oldest)
        return self._room.acquire(timeout=ROOM_SECONDS)

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._serve_one(connection)
        finally:
            self._room.release()

    def _serve_one(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:  # ssl.SSLError is one
            connection.settimeout(self._request_seconds)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None:
                self._converse(connection)
                return
            with self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            ) as secured:
                with self._waiting_for(secured):
                    secured.do_handshake()
                self._converse(secured)

    def _converse(self, connection: socket.socket) -> None:
        method, answer = "GET", Answer(HTTPStatus.BAD_REQUEST, "Bad request")
        with suppress(ValueError):
            with self._waiting_for(connection):
                request = read_request(connection, self._request_seconds)
            method, answer = request.method, self._answer(request)
        try:
            connection.settimeout(self._request_seconds)
            connection.sendall(answer.to_bytes(method))
        finally:
            answer.sent()
        with self._waiting_for(connection):
            _linger(connection)

    def _answer(self, request: Request) -> Answer:
        try:
            answer = self._respond(request)
            answer.to_bytes()
        except Exception:  # a browser must get an answer
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")
        return answer

    @contextmanager
    def _waiting_for(self, connection: socket.socket) -> Iterator[None]:
        """Mark the connection as idle; raise `ConnectionAbortedError` when stopping."""
        with self._lock:
            if self._stopping:
                raise ConnectionAbortedError
            self._idle[connection] = None
        try:
            yield
        finally:
            with self._lock:
                self._idle.pop(connection, None)


class _Parser:
    """Collects the first request of a connection from httptools' callbacks."""

    def __init__(self) -> None:
        import httptools

        self.method = ""
        self.target = ""
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_complete = False
        self._fields = 0
        self._parser = httptools.HttpRequestParser(self)
        self._refused = httptools.HttpParserError

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except self._refused as error:
            if not self.is_complete:
                raise ValueError(str(error)) from None

    def on_url(self, part: bytes) -> None:
        self.target += part.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        if self._fields > MOST_FIELDS:
            raise ValueError("the request has too many header fields")
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        self.method = self._parser.get_method().decode()

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.is_complete = True
        raise EOFError  # stops the parser: what follows, another protocol too, is ignored


def read_request(connection: socket.socket, seconds: float) -> Request:
    """Return the first request of the connection.

    Raises:
        ValueError: it is not HTTP/1.1, or too large.
        OSError: the connection closed, or the time is over.
    """
    parser, received = _Parser(), 0
    deadline = time.monotonic() + seconds
    while not parser.is_complete:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        data = connection.recv(_CHUNK_BYTES)
        received += len(data)
        if not data or time.monotonic() > deadline:
            raise ConnectionAbortedError
        parser.feed(data)
        if received > MAX_REQUEST_BYTES:
            raise ValueError("the request is too large")
    target = parser.target
    if not target.startswith("/"):  # RFC 9112 §3.2.2: its host replaces the header's
        parts = urlsplit(target)
        parser.headers["host"] = parts.netloc
        target = parts._replace(scheme="", netloc="").geturl()
    path, _, query = target.partition("?")
    return Request(parser.method, path, query, parser.headers, parser.body)


def _linger(connection: socket.socket) -> None:
    deadline = time.monotonic() + LINGER_SECONDS
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(LINGER_SECONDS)
    while connection.recv(_CHUNK_BYTES) and time.monotonic() < deadline:
        pass


def _shut(connection: socket.socket) -> None:
    # SSLSocket.shutdown is not thread-safe.
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
