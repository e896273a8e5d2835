"""The two connections of the proxy: to a client, and to LibreChat for it.

Each client has its own connection to LibreChat, which ends with it, so no answer can reach another
client. Bodies pass with back-pressure and are never kept.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter, time
from typing import cast

from wizard.http import WAITING, WAITING_HEADER
from wizard.http_server import Answer, page, security_headers
from wizard.language import Language, Message
from wizard.sign_in_traffic import passage
from wizard.system import loopback
from wizard.tunnels import EventKind, OnEvent, TunnelEvent
from wizard.tunnels.http1 import AnswerReader, Exchange, Refused, RequestReader

CLIENT_LEFT = 499

# A browser sends a head within milliseconds.
HEAD_SECONDS = 15.0
# Between two reads, as nginx has it: https://nginx.org/r/client_body_timeout
BODY_SECONDS = 60.0
# As Caddy's: https://caddyserver.com/docs/caddyfile/options#timeouts
IDLE_SECONDS = 300.0
# Node closes a connection that was idle for 5 s (`server.keepAliveTimeout`). A POST on one that is
# closing would be lost, since it cannot be repeated.
UPSTREAM_IDLE_SECONDS = 4.0
LINGER_SECONDS = 2.0

_REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS"})


@dataclass(slots=True)
class Route:
    """What the connections of one proxy share."""

    port: int  # LibreChat's
    on_event: OnEvent  # the status is 499 if the client left before the answer
    language: Language  # of the pages for people; programs get English
    hosts: frozenset[bytes] | None  # see `RequestReader`
    addresses: tuple[str, ...] = loopback.ADDRESSES  # Node takes `localhost` for both or either
    clients: set[Client] = field(default_factory=set)
    closed: int = 0  # connections of clients that ended since memory was given back

    def report(
        self, exchange: Exchange, status: int, fields: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Report the request, whose answer has begun with these header fields."""
        exchange.answered = True
        milliseconds = (perf_counter() - exchange.began) * 1000
        method, path = exchange.method.decode("ascii"), exchange.path
        passed = passage(path, status, fields, time()) if method == "GET" else None
        self.on_event(
            TunnelEvent(EventKind.REQUEST, method, path, status, milliseconds, passage=passed)
        )


class Pipe(asyncio.Protocol):
    """One end of a WebSocket: passes bytes on to the other end."""

    def __init__(
        self, other: asyncio.Transport, on_lost: Callable[[Exception | None], None]
    ) -> None:
        self._other = other
        self._on_lost = on_lost

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._other.write(data)

    def pause_writing(self) -> None:
        self._other.pause_reading()

    def resume_writing(self) -> None:
        self._other.resume_reading()


class Client(asyncio.Protocol):
    """A client's connection: passes its requests to LibreChat one by one."""

    transport: asyncio.Transport

    def __init__(self, route: Route) -> None:
        self.route = route
        self._loop = asyncio.get_running_loop()
        self._upstream: Upstream | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._held = b""  # what follows a request to upgrade, until the answer says what it is
        self._paused = False
        self._since = self._loop.time()  # start of what we wait for: a head, a body or a request

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.route.clients.add(self)
        self._reader = RequestReader(self.route.hosts, transport.get_extra_info("peername")[0])

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.route.clients.discard(self)
        self.route.closed += 1
        exchanges = self._reader.exchanges
        if exchanges and not exchanges[0].answered:
            self.route.report(exchanges[0], CLIENT_LEFT)
        self._end()
        self._reader.release()

    def abort(self) -> None:
        """Break off the connection, so that the client sees that the answer is incomplete."""
        self._end()
        self.transport.abort()

    def _end(self) -> None:
        """Read no more requests, and close the connection to LibreChat."""
        self._reader.ignores_input = True
        self._reader.exchanges.clear()
        if self._connecting is not None:
            self._connecting.cancel()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.end()

    def data_received(self, data: bytes) -> None:
        exchanges = self._reader.exchanges
        if exchanges and exchanges[-1].upgrade:
            self._held += data
            self.regulate()
        elif not self._reader.ignores_input:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        if not self._reader.is_incomplete:
            self._since = self._loop.time()
        self._held = self._reader.feed(data)
        self._advance()

    def pause_writing(self) -> None:
        if self._upstream is not None:
            self._upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        if self._upstream is not None:
            self._upstream.transport.resume_reading()

    def regulate(self) -> None:
        """Read from the client only while its bytes can be passed on."""
        is_full = self._upstream is not None and self._upstream.full
        has_more = bool(self._held) or len(self._reader.exchanges) > 1
        pause = self._connecting is not None or is_full or has_more
        if pause != self._paused:
            self._paused = pause
            self._since = self._loop.time()
            (self.transport.pause_reading if pause else self.transport.resume_reading)()

    def end_if_overdue(self, now: float) -> None:
        """Close an idle connection, or one whose request does not arrive in time."""
        reader, waited = self._reader, now - self._since
        if self._paused or reader.ignores_input:
            return
        if reader.is_incomplete or (reader.exchanges and not reader.exchanges[-1].received):
            if waited > (HEAD_SECONDS if reader.is_incomplete else BODY_SECONDS):
                reader.refuse(Refused(408, "The request did not arrive in time."))
                self._advance()
        elif waited > IDLE_SECONDS and not reader.exchanges:
            reader.ignores_input = True
            self.transport.close()

    # The exchange

    def _advance(self) -> None:
        """Send LibreChat what has arrived of the first request."""
        exchanges = self._reader.exchanges
        if not exchanges:
            return
        exchange, upstream = exchanges[0], self._upstream
        if exchange.refusal is not None:
            self._refuse(exchange, exchange.refusal)
            return
        if upstream is not None and upstream.stale(self._loop.time()):
            self._upstream = None
            upstream.transport.abort()
        if self._upstream is not None:
            if exchange.outgoing:
                self._upstream.send(exchange)
        elif self._connecting is None:
            self._connecting = self._loop.create_task(self._connect())
        if not exchange.received or len(exchanges) > 1 or self._held:
            self.regulate()

    def _refuse(self, exchange: Exchange, refusal: Refused) -> None:
        exchange.keep_alive = False
        if exchange.answered:
            self.abort()
        else:
            self._answer(exchange, _line(refusal.status, str(refusal)))

    async def _connect(self) -> None:
        route = self.route
        for address in route.addresses:
            with contextlib.suppress(OSError):
                _, self._upstream = await self._loop.create_connection(
                    lambda: Upstream(self), address, route.port
                )
                route.addresses = (address, *(set(route.addresses) - {address}))
                break
        self._connecting = None
        if self._upstream is None:
            self.answer_unavailable(
                self._reader.exchanges[0],
                503,
                Message("LibreChat is not running on port {port} yet", port=route.port),
                Message("Start LibreChat, or wait until it is ready."),
            )
        else:
            self._advance()
        self.regulate()

    def answer_unavailable(self, exchange: Exchange, status: int, title: str, advice: str) -> None:
        """Say that LibreChat does not answer: a page for a person, a line for a program."""
        answer = _line(status, f"{title}. {advice}")
        if exchange.wants_html():  # it reloads itself, without script or resources
            language = self.route.language
            answer = page(status, "waiting.html.j2", language, title=title, advice=advice)
            answer.headers["Retry-After"] = "2"
        answer.headers[WAITING_HEADER] = WAITING
        self._answer(exchange, answer)

    def _answer(self, exchange: Exchange, answer: Answer) -> None:
        """Answer in place of LibreChat."""
        exchange.keep_alive = exchange.keep_alive and exchange.received
        method = exchange.method.decode("ascii")
        self.transport.write(answer.to_bytes(method, keep_alive=exchange.keep_alive))
        self.route.report(exchange, answer.status)
        self.finish(exchange)

    def finish(self, exchange: Exchange) -> None:
        """The answer is complete: go on to the next request, or close the connection."""
        if not exchange.keep_alive:
            self._end()
            if exchange.received:
                self.transport.close()
            else:  # a client that still sends would lose the answer if we closed at once
                self._loop.call_later(LINGER_SECONDS, self.transport.close)
            return
        self._reader.exchanges.popleft()
        self._since = self._loop.time()
        held, self._held = self._held, b""
        if held:
            self._feed(held)
        else:
            self._advance()
        if self._paused:
            self.regulate()

    def switch(self, upstream: Upstream) -> None:
        """LibreChat agreed to a WebSocket: from here on, bytes pass in both directions."""
        self._reader.ignores_input = True
        client, server = self.transport, upstream.transport
        client.set_protocol(Pipe(server, self.connection_lost))
        server.set_protocol(Pipe(client, lambda _: client.close()))
        server.write(self._held)
        if not upstream.full:
            client.resume_reading()

    def repeat(self, exchange: Exchange) -> None:
        """Repeat a request that met LibreChat's closing of an idle connection."""
        exchange.outgoing, exchange.replay = [exchange.replay], b""
        self._advance()

    def forget(self, upstream: Upstream) -> None:
        """That connection to LibreChat has ended."""
        if upstream is self._upstream:
            self._upstream = None
            if self._paused:
                self.regulate()


class Upstream(asyncio.Protocol):
    """A connection to LibreChat: sends a client's requests and returns the answers."""

    transport: asyncio.Transport

    def __init__(self, client: Client) -> None:
        self.full = False
        self._client = client
        self._answer = AnswerReader()
        self._idle_since: float | None = None  # None before the first answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def end(self) -> None:
        """Close the connection; the client has its answer, or has gone."""
        self._answer.exchange = None
        self.transport.abort()

    def stale(self, now: float) -> bool:
        """Whether LibreChat has closed the connection, or may be about to."""
        idle = 0.0 if self._idle_since is None else now - self._idle_since
        return self._answer.exchange is None and (
            self.transport.is_closing() or idle > UPSTREAM_IDLE_SECONDS
        )

    def send(self, exchange: Exchange) -> None:
        """Send what has arrived of the request."""
        outgoing = exchange.outgoing
        data = outgoing[0] if len(outgoing) == 1 else b"".join(outgoing)
        outgoing.clear()
        if exchange is not self._answer.exchange:
            self._answer.expect(exchange)
            if self._idle_since is not None and exchange.received:
                exchange.replay = data if exchange.method in _REPEATABLE else b""
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        client, answer = self._client, self._answer
        exchange = answer.exchange
        if exchange is None:
            self.transport.abort()  # an answer without a request
        else:
            if out := answer.feed(data):
                client.transport.write(out)
            if answer.status and not exchange.answered:
                client.route.report(exchange, answer.status, answer.fields())
            if answer.complete:
                self._finish(exchange)
            elif answer.broken:
                answer.until_close = False
                self.transport.abort()
            elif answer.status == 101:
                answer.release()
                client.switch(self)

    def _finish(self, exchange: Exchange) -> None:
        self._answer.exchange = None
        if self._answer.reusable and not self._answer.broken:
            self._idle_since = asyncio.get_running_loop().time()
        else:
            self._client.forget(self)
            self.transport.abort()
        self._client.finish(exchange)

    def connection_lost(self, exc: Exception | None) -> None:
        client, answer = self._client, self._answer
        exchange = answer.exchange
        answer.release()
        client.forget(self)
        if exchange is None or client.transport.is_closing():
            return
        if answer.until_close and exc is None:
            client.transport.write(answer.last_bytes())
            client.finish(exchange)
        elif answer.silent and exchange.replay:
            client.repeat(exchange)
        elif exchange.answered:
            client.abort()
        else:
            client.answer_unavailable(
                exchange,
                502,
                Message("LibreChat closed the connection without a response"),
                Message("It may have crashed or be restarting; see its log."),
            )

    def pause_writing(self) -> None:
        self.full = True
        self._client.regulate()

    def resume_writing(self) -> None:
        self.full = False
        self._client.regulate()


def _line(status: int, text: str) -> Answer:
    """Return one line of text, for programs and for refused requests."""
    headers = {"Content-Type": "text/plain; charset=utf-8", **security_headers()}
    return Answer(status, f"{text}\n", headers)
