"""Reads along in a connection's bytes which requests pass and how they are answered.

It only looks: what it cannot follow, such as a WebSocket's frames, it stops looking at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter

from httptools import (
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
    HttpResponseParser,
)

from wizard.text import one_line
from wizard.tunnels import EventKind, OnEvent, TunnelEvent


class Observer:
    """The requests of one connection, each told when its answer begins.

    `asked` and `answered` may be called from two threads.
    """

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._open: deque[tuple[str, str, float]] = deque()
        self._requests = _Requests(self._begin)
        self._answers = _Answers(self._end)
        self._followed = {_Requests: True, _Answers: True}

    def asked(self, data: bytes) -> None:
        """Bytes on their way to LibreChat."""
        self._look(self._requests, data)

    def answered(self, data: bytes) -> None:
        """Bytes on their way back."""
        self._look(self._answers, data)

    def _look(self, side: _Requests | _Answers, data: bytes) -> None:
        if self._followed[type(side)]:
            try:
                side.parser.feed_data(data)
            except (HttpParserError, HttpParserUpgrade):
                self._followed[type(side)] = False

    def _begin(self, method: str, target: str) -> None:
        path = one_line(target.partition("?")[0])
        self._open.append((one_line(method), path, perf_counter()))

    def _end(self, status: int) -> None:
        if not self._open or (status < 200 and status != 101):
            return
        method, path, began = self._open.popleft()
        if method == "HEAD":
            # Its answer may tell the length of a body that does not follow.
            self._answers = _Answers(self._end)
        milliseconds = (perf_counter() - began) * 1000
        self._on_event(TunnelEvent(EventKind.REQUEST, method, path, status, milliseconds))


class _Requests:
    """What llhttp tells of requests, by the names that it calls."""

    def __init__(self, begin: Callable[[str, str], None]) -> None:
        self.parser = HttpRequestParser(self)
        self._begin = begin
        self._target = b""

    def on_message_begin(self) -> None:
        self._target = b""

    def on_url(self, piece: bytes) -> None:
        self._target += piece

    def on_headers_complete(self) -> None:
        method = self.parser.get_method().decode("latin-1")
        self._begin(method, self._target.decode("latin-1"))


class _Answers:
    """What llhttp tells of answers, by the names that it calls."""

    def __init__(self, end: Callable[[int], None]) -> None:
        self.parser = HttpResponseParser(self)
        self._end = end

    def on_headers_complete(self) -> None:
        self._end(self.parser.get_status_code())
