"""The two connections of the proxy: to a client, and to LibreChat for it.

Each client has its own connection to LibreChat, which ends with it, so no answer can reach another
client. Bodies pass with back-pressure and are never kept.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import dataclass, field
from time import perf_counter, time
from typing import Any

from wizard import loopback
from wizard.language import Language, Message
from wizard.sign_in_traffic import passage
from wizard.tunnels import EventKind, OnEvent, TunnelEvent
from wizard.tunnels.http1 import AnswerReader, Exchange, Refused, RequestReader
from wizard.tunnels.pages import Page, text_page, unavailable

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
READ_BYTES = 64 * 1024

_LOOPBACK = tuple(address for _, address in loopback.HOSTS)
_REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS"})


@dataclass(slots=True)
class Route:
    """What the connections of one proxy share."""

    port: int  # LibreChat's
    on_event: OnEvent  # the status is 499 if the client left before the answer
    language: Language  # of the pages for people; programs get English
    hosts: frozenset[bytes] | None = None  # see `RequestReader`
    addresses: tuple[str, ...] = _LOOPBACK  # Node takes `localhost` for both or either
    clients: set[asyncio.Task[None]] = field(default_factory=set)

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


class Client:
    """A client's connection: passes its requests to LibreChat one by one."""

    def __init__(self, route: Route, reader: StreamReader, writer: StreamWriter) -> None:
        self._route = route
        self._in, self._out = reader, writer
        self._requests = RequestReader(route.hosts, writer.get_extra_info("peername")[0])
        self._upstream: Upstream | None = None
        self._held = b""  # what follows a request to upgrade, until the answer says what it is
        self._since = 0.0  # the first byte of what is not complete

    async def serve(self) -> None:
        """Answer requests until either side ends the connection."""
        exchanges = self._requests.exchanges
        try:
            while exchange := await self._next():
                try:
                    await self._pass_on(exchange)
                except Refused as refusal:
                    self._refuse(exchange, refusal)
                await self._out.drain()
                if not exchange.keep_alive:
                    await self._linger(exchange)
                    break
                exchanges.popleft()
                if self._held:
                    self._held = self._requests.feed(self._held)
            self._out.close()
        except (OSError, asyncio.CancelledError):  # ssl.SSLError is an OSError
            self._out.transport.abort()  # so that the client sees that the answer is incomplete
        finally:
            if exchanges and not exchanges[0].answered:
                self._route.report(exchanges[0], CLIENT_LEFT)
            self._drop_upstream()

    async def _next(self) -> Exchange | None:
        """Return the next request when its head is there, None at the end of the connection."""
        exchanges = self._requests.exchanges
        while not exchanges:
            if not await self._receive():
                return None
        return exchanges[0]

    async def _receive(self) -> bool:
        """Read what arrives next; return False at the end of the connection."""
        requests, now = self._requests, asyncio.get_running_loop().time()
        last = requests.exchanges[-1] if requests.exchanges else None
        deadline: float | None = None
        if requests.ignores_input:
            pass
        elif requests.is_incomplete:
            deadline = self._since + HEAD_SECONDS
        elif last is None:
            deadline = now + IDLE_SECONDS
        elif not last.received:
            deadline = now + BODY_SECONDS
        try:
            async with asyncio.timeout_at(deadline):
                data = await self._in.read(READ_BYTES)
        except TimeoutError:
            if last is None and not requests.is_incomplete:
                return False
            requests.refuse(Refused(408, "The request did not arrive in time."))
            return True
        if not requests.is_incomplete:
            self._since = asyncio.get_running_loop().time()
        if last is not None and last.upgrade:
            self._held += data
        elif data and not requests.ignores_input:
            self._held = requests.feed(data)
        return bool(data)

    async def _pass_on(self, exchange: Exchange) -> None:
        """Send LibreChat the request, and the client its answer, as they arrive."""
        if exchange.refusal is not None:
            raise exchange.refusal
        upstream = await self._connected()
        if upstream is None:
            title = Message("LibreChat is not running on port {port} yet", port=self._route.port)
            advice = Message("Start LibreChat, or wait until it is ready.")
            self._say_unavailable(exchange, 503, title, advice)
            return
        upstream.expect(exchange)
        is_whole = await self._exchange(exchange, upstream)
        if is_whole and upstream.answer.status == 101:
            await self._switch(upstream)
            exchange.keep_alive = False
            return
        if is_whole and upstream.answer.reusable and not upstream.answer.broken:
            upstream.rest()
            return
        self._drop_upstream()
        if is_whole:
            return
        if upstream.answer.silent and exchange.replay:  # it met the closing of an idle connection
            exchange.outgoing, exchange.replay = [exchange.replay], b""
            await self._pass_on(exchange)
        elif exchange.answered:
            raise ConnectionAbortedError
        else:
            title = Message("LibreChat closed the connection without a response")
            advice = Message("It may have crashed or be restarting; see its log.")
            self._say_unavailable(exchange, 502, title, advice)

    async def _exchange(self, exchange: Exchange, upstream: Upstream) -> bool:
        """Return whether the answer is complete; raise Refused, or OSError if the client left."""
        answer = upstream.pass_back(exchange, self._out, self._route)
        async with _raced(answer, self._send(exchange, upstream)) as (answering, sending):
            if not answering.done():
                sending.result()
            return bool(await answering)

    async def _send(self, exchange: Exchange, upstream: Upstream) -> None:
        """Send the request as it arrives; then notice when the client leaves."""
        while exchange.refusal is None:
            with contextlib.suppress(OSError):  # the end of the answer says what became of it
                await upstream.send(exchange)
            if self._held or len(self._requests.exchanges) > 1:
                return
            if not await self._receive():
                raise ConnectionAbortedError
        raise exchange.refusal

    async def _connected(self) -> Upstream | None:
        """Return the connection to LibreChat, or a new one; None if LibreChat does not listen."""
        if self._upstream is not None and await self._upstream.is_usable():
            return self._upstream
        self._drop_upstream()
        for address in self._route.addresses:
            with contextlib.suppress(OSError):
                streams = await asyncio.open_connection(address, self._route.port, limit=READ_BYTES)
                others = set(self._route.addresses) - {address}
                self._route.addresses = (address, *others)
                self._upstream = Upstream(*streams)
                return self._upstream
        return None

    def _drop_upstream(self) -> None:
        if self._upstream is not None:
            self._upstream.end()
            self._upstream = None

    async def _switch(self, upstream: Upstream) -> None:
        """LibreChat agreed to a WebSocket: pass bytes in both directions."""
        self._requests.ignores_input = True
        upstream.writer.write(self._held)
        to, fro = _copy(self._in, upstream.writer), _copy(upstream.reader, self._out)
        async with _raced(to, fro):
            pass

    def _refuse(self, exchange: Exchange, refusal: Refused) -> None:
        if exchange.answered:
            raise ConnectionAbortedError from refusal
        exchange.keep_alive = False
        self._say(exchange, text_page(refusal.status, str(refusal)))

    def _say_unavailable(self, exchange: Exchange, status: int, title: str, advice: str) -> None:
        """Say that LibreChat does not answer: a page for a person, a line for a program."""
        language = self._route.language if exchange.wants_html() else None
        self._say(exchange, unavailable(status, title, advice, language))

    def _say(self, exchange: Exchange, page: Page) -> None:
        """Answer in place of LibreChat."""
        exchange.keep_alive = exchange.keep_alive and exchange.received
        head_only = exchange.method == b"HEAD"
        self._out.write(page.message(head_only=head_only, keep_alive=exchange.keep_alive))
        self._route.report(exchange, page.status)

    async def _linger(self, exchange: Exchange) -> None:
        """Read on for a moment: a client that still sends would lose the answer otherwise."""
        if not exchange.received:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    while await self._in.read(READ_BYTES):
                        pass


class Upstream:
    """A connection to LibreChat: sends a client's requests and returns the answers."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._idle: asyncio.Task[bytes] | None = None  # None before the first answer
        self._idle_since = 0.0

    def expect(self, exchange: Exchange) -> None:
        """Read the answer to that request from now on."""
        self.answer = AnswerReader(exchange)
        if self._idle is not None and exchange.received and exchange.method in _REPEATABLE:
            exchange.replay = b"".join(exchange.outgoing)

    def rest(self) -> None:
        """Wait for another request, and notice what LibreChat does meanwhile."""
        self._idle_since = asyncio.get_running_loop().time()
        self._idle = asyncio.create_task(self.reader.read(1))

    async def is_usable(self) -> bool:
        """Whether LibreChat has not closed the connection, is not about to, and said nothing."""
        if self._idle is None:
            return False
        is_quiet = not self._idle.done()
        self._idle.cancel()
        await asyncio.wait({self._idle})
        idle = asyncio.get_running_loop().time() - self._idle_since
        return is_quiet and idle <= UPSTREAM_IDLE_SECONDS

    async def send(self, exchange: Exchange) -> None:
        """Send what has arrived of the request."""
        self.writer.write(b"".join(exchange.outgoing))
        exchange.outgoing.clear()
        await self.writer.drain()

    async def pass_back(self, exchange: Exchange, client: StreamWriter, route: Route) -> bool:
        """Send the client the answer as it arrives; return whether it is complete."""
        answer, data = self.answer, b""
        while not (answer.complete or answer.broken or answer.status == 101):
            try:
                data = await self.reader.read(READ_BYTES)
            except OSError:
                answer.broken = True
                break
            if not data:
                break
            client.write(answer.feed(data))
            if answer.status and not exchange.answered:
                route.report(exchange, answer.status, answer.fields())
            await client.drain()
        if answer.until_close and not answer.complete and not answer.broken:
            client.write(answer.last_bytes())
            return True
        return answer.complete or (answer.status == 101 and not answer.broken)

    def end(self) -> None:
        """Close the connection; the client has its answer, or has gone."""
        if self._idle is not None:
            self._idle.cancel()
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def _raced(*work: Coroutine[Any, Any, object]) -> AsyncIterator[list[asyncio.Task[object]]]:
    """Give the tasks when the first of them has ended, and cancel the others at the end."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(READ_BYTES):
            writer.write(data)
            await writer.drain()
