from __future__ import annotations

from wizard.tunnels import TunnelEvent
from wizard.tunnels.observer import Observer


class Connection:
    """A connection that is looked at; pieces are of any size."""

    def __init__(self, size: int = 1 << 16) -> None:
        self.events: list[TunnelEvent] = []
        self._observer = Observer(self.events.append)
        self._size = size

    def ask(self, data: bytes) -> None:
        for start in range(0, len(data), self._size):
            self._observer.asked(data[start : start + self._size])

    def answer(self, data: bytes) -> None:
        for start in range(0, len(data), self._size):
            self._observer.answered(data[start : start + self._size])

    @property
    def seen(self) -> list[tuple[str, str, int]]:
        return [(event.method, event.path, event.status) for event in self.events]


GET = b"GET /a?code=secret HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_requests_of_a_connection_that_is_kept() -> None:
    for size in (1, 7, 1 << 16):
        connection = Connection(size)
        connection.ask(GET)
        connection.answer(OK)
        connection.ask(
            b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        )
        connection.answer(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
        )

        assert connection.seen == [("GET", "/a", 200), ("POST", "/b", 404)]


def test_an_answer_is_told_when_it_begins() -> None:
    connection = Connection()
    connection.ask(GET)
    connection.answer(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")

    assert connection.seen == [("GET", "/a", 200)]
    assert connection.events[0].milliseconds >= 0


def test_head_has_no_body_whatever_it_says() -> None:
    connection = Connection()
    connection.ask(b"HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
    connection.ask(GET)
    connection.answer(OK)

    assert connection.seen == [("HEAD", "/h", 200), ("GET", "/a", 200)]


def test_a_websocket_is_told_and_left_alone() -> None:
    connection = Connection()
    connection.ask(b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    connection.answer(
        b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x01a"
    )
    connection.ask(b"\x81\x81\0\0\0\0a")
    connection.answer(b"\x81\x01a")

    assert connection.seen == [("GET", "/ws", 101)]


def test_what_is_no_http_is_no_trouble() -> None:
    connection = Connection()
    connection.ask(b"\x16\x03\x01 nonsense\r\n\r\n")
    connection.answer(b"what?\r\n\r\n")

    assert connection.seen == []
