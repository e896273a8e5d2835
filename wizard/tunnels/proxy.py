"""An HTTPS reverse proxy for loopback: streams both ways, because chats and uploads do.

Every message is taken apart by llhttp (`httptools`) and put together again in one plain form, so
that LibreChat never sees framing, hop-by-hop fields or `X-Forwarded-*` that a client made up;
what llhttp or this module finds ambiguous is refused (RFC 9112, sections 5 to 7 and 11.2).
Bodies pass as they come, with back-pressure, and are never held.

One connection to LibreChat belongs to one client's connection: an answer cannot reach another
client, and a client that leaves takes its connection to LibreChat with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast

from httptools import (
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
    HttpResponseParser,
)

from wizard import loopback
from wizard.defaults import ENGLISH
from wizard.language import Language, Message
from wizard.tunnels.pages import Page, text_page, waiting_line, waiting_page

HEAD_LIMIT = 64 * 1024
LOOPBACK = tuple(address for _, address in loopback.HOSTS)
CLIENT_LEFT = 499

# Node closes a connection that was idle for 5 s (`server.keepAliveTimeout`): one that may be
# closing just now is not used again, since a POST cannot be repeated.
UPSTREAM_IDLE_SECONDS = 4.0
LINGER_SECONDS = 2.0

# RFC 9110, section 7.6.1; RFC 2616, section 13.5.1.
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_CONNECTION_OPTIONS = frozenset({b"", b"close", b"keep-alive", b"upgrade"})
_REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_TO_WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"


@dataclass(frozen=True, slots=True)
class Answered:
    """A request and what came of it.

    Attributes:
        method: as the client wrote it; "" for a request that could not be read.
        path: without its query, which may carry an authorization code.
        status: what the client got; 499 when it left before.
        milliseconds: from the end of the request's head to the end of the answer's.
    """

    method: str
    path: str
    status: int
    milliseconds: float


OnAnswered = Callable[[Answered], None]


class Proxy:
    """Serves HTTPS on loopback and passes each request to a port of this machine.

    Everything happens in the event loop that runs `start`; `on_answered` is called there.
    """

    def __init__(
        self,
        upstream_port: int,
        context: ssl.SSLContext,
        *,
        port: int,
        on_answered: OnAnswered | None = None,
        language: Language | None = None,
    ) -> None:
        """Port 0 takes a free one; `port` tells which, once it has started.

        `language` is that of the pages for people; programs are answered in English.
        """
        self.port = port
        self.upstream_port = upstream_port
        self.on_answered = on_answered
        self.language = language or Language(ENGLISH)
        self.hosts: frozenset[bytes] = frozenset()
        self.clients: set[_Client] = set()
        # LibreChat listens where Node finds `localhost`: on both addresses, or on either alone.
        self.upstream_addresses: tuple[str, ...] = LOOPBACK
        self._context = context
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        """Listen on 127.0.0.1 and, where there is IPv6, on ::1.

        Raises:
            OSError: the port cannot be had.
        """
        try:
            for address in loopback.addresses():
                # By its address: only then asyncio sets TCP_NODELAY, without which each
                # handshake and many an answer waits 40 ms for the client's acknowledgement.
                server = await asyncio.get_running_loop().create_server(
                    lambda: _Client(self),
                    address,
                    self.port,
                    ssl=self._context,
                    backlog=512,
                    ssl_handshake_timeout=10.0,
                    ssl_shutdown_timeout=LINGER_SECONDS,
                )
                self._servers.append(server)
                self.port = server.sockets[0].getsockname()[1]
        except OSError:
            await self.stop()
            raise
        self.hosts = _served_hosts(self.port)

    async def stop(self) -> None:
        """Close every socket, those of requests under way too."""
        for server in self._servers:
            server.close()
            if sys.version_info >= (3, 13):
                server.abort_clients()  # reaches those too that are still in their handshake
        self._servers.clear()
        while self.clients:
            for client in tuple(self.clients):
                client.abort()
            await asyncio.sleep(0)

    def serving(self) -> bool:
        """Whether new connections are accepted."""
        return bool(self._servers) and all(server.is_serving() for server in self._servers)


def _served_hosts(port: int) -> frozenset[bytes]:
    """The `Host` values that are ours; another name that leads here is DNS rebinding."""
    names = ("localhost", "127.0.0.1", "[::1]")
    suffixes = ("", ":443") if port == 443 else (f":{port}",)
    return frozenset(f"{name}{suffix}".encode() for name in names for suffix in suffixes)


class _Refused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """The message is not passed on."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def _too_large() -> _Refused:
    return _Refused(431, "The head is over 64 KiB.")


@dataclass(slots=True)
class _Exchange:
    """One request and its answer."""

    method: bytes = b""
    path: str = ""
    http11: bool = True
    keep_alive: bool = False
    upgrade: bool = False
    chunked: bool = False
    lines: list[bytes] = field(default_factory=list)
    outgoing: list[bytes] = field(default_factory=list)  # not yet given to LibreChat
    replay: bytes = b""  # the whole request, as long as it may be sent again
    received: bool = False  # the request is here to its end
    answered: bool = False  # the final answer's head is on its way
    refusal: _Refused | None = None
    began: float = field(default_factory=perf_counter)

    def wants_html(self) -> bool:
        """Whether a browser shows the answer to a person."""
        return any(
            line[:7].lower() == b"accept:" and b"text/html" in line.lower() for line in self.lines
        )


class _HeadReader:
    """Collects a message's head as llhttp tells it."""

    # Fields that are not passed on as they are; they are kept in `_fields` for a look at them.
    withheld: frozenset[bytes]

    def _begin_head(self) -> None:
        self._in_head = True
        self._head_size = 0
        self._lines: list[bytes] = []
        self._fields: dict[bytes, bytes] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by llhttp; a repeated field's values are joined as RFC 9110, 5.3 has it."""
        if not self._in_head:
            return  # a trailer: may be dropped, and `TE` that would ask for it is not passed on
        self._head_size += len(name) + len(value) + 4
        if self._head_size > HEAD_LIMIT:
            raise _too_large()
        key = name.lower()
        if key in self.withheld or key.startswith(b"x-forwarded-"):
            fields = self._fields
            fields[key] = fields[key] + b", " + value if key in fields else value
        else:
            self._lines.append(b"%b: %b\r\n" % (name, value))

    def _end_head(self) -> None:
        """Take out the fields that `Connection` declares to be for this hop only."""
        self._in_head = False
        if b"connection" in self._fields:
            declared = {name.strip().lower() for name in self._fields[b"connection"].split(b",")}
            if names := declared - _CONNECTION_OPTIONS:
                self._lines = [
                    line for line in self._lines if line.partition(b":")[0].lower() not in names
                ]

    def _is_chunked(self) -> bool:
        coding = self._fields.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            raise _Refused(400, "Transfer-Encoding can only be chunked.")
        return coding is not None

    def _framing(self, *, chunked: bool) -> bytes:
        if chunked:
            return b"Transfer-Encoding: chunked\r\n"
        length = self._fields.get(b"content-length")
        return b"" if length is None else b"Content-Length: %b\r\n" % length


class _Client(_HeadReader, asyncio.Protocol):
    """A client's connection: reads requests and has LibreChat answer them one by one."""

    withheld = _HOP_BY_HOP | {b"host", b"content-length", b"forwarded", b"x-real-ip"}
    transport: asyncio.Transport

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._loop = asyncio.get_running_loop()
        self._parser = HttpRequestParser(self)
        self._exchanges: deque[_Exchange] = deque()  # the first is the one being answered
        self._upstream: _Upstream | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._held = b""  # came after a request to upgrade, whose answer will say what it is
        self._websocket = False
        self._deaf = False  # what still comes is dropped
        self._paused = False
        self._target = b""
        self._unfinished = 0
        self._forwarded = b""
        self._begin_head()
        self._in_head = False

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._proxy.clients.add(self)
        address = transport.get_extra_info("peername")[0]
        self._forwarded = f"X-Forwarded-For: {address}\r\nX-Forwarded-Proto: https\r\n".encode()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._proxy.clients.discard(self)
        if self._exchanges and not self._exchanges[0].answered:
            self.report(self._exchanges[0], CLIENT_LEFT)
        self._end()
        del self._parser  # knows us: with it gone, the 256 KiB of asyncio's TLS go at once

    def abort(self) -> None:
        """Break the connection off: the client sees that its answer is not whole."""
        self._end()
        self.transport.abort()

    def _end(self) -> None:
        """No more requests: let go of LibreChat."""
        self._deaf = True
        self._exchanges.clear()
        if self._connecting is not None:
            self._connecting.cancel()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._websocket:
            if self._upstream is not None:
                self._upstream.transport.write(data)
        elif self._deaf:
            return
        elif self._exchanges and self._exchanges[-1].upgrade:
            self._held += data
            self.regulate()
        else:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._held = data[upgrade.args[0] :]
        except HttpParserError as error:
            self._refuse(error)
        else:
            if self._in_head:
                self._unfinished += len(data)
                if self._unfinished > HEAD_LIMIT:
                    self._refuse(_too_large())
        self._advance()

    def pause_writing(self) -> None:
        if self._upstream is not None:
            self._upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        if self._upstream is not None:
            self._upstream.transport.resume_reading()

    def regulate(self) -> None:
        """Read from the client only while there is somewhere for it to go."""
        pause = self._connecting is not None or (self._upstream is not None and self._upstream.full)
        if not self._websocket:
            pause = pause or bool(self._held) or len(self._exchanges) > 1
        if pause != self._paused:
            self._paused = pause
            (self.transport.pause_reading if pause else self.transport.resume_reading)()

    # The request, as llhttp tells it

    def on_message_begin(self) -> None:
        self._begin_head()
        self._target = b""
        self._unfinished = 0

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > HEAD_LIMIT:
            raise _too_large()

    def on_headers_complete(self) -> None:
        self._end_head()
        method, host, target = self._parser.get_method(), self._host(), self._target
        version = self._parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            raise _Refused(505, "This server speaks HTTP/1.1.")
        if method == b"CONNECT":
            raise _Refused(405, "This server is no forward proxy.")
        if not (target[:1] == b"/" or (target == b"*" and method == b"OPTIONS")) or b"#" in target:
            raise _Refused(400, "The request's target is not a path on this server.")
        http11 = version == "1.1"
        chunked = self._is_chunked()
        if chunked and not http11:
            raise _Refused(400, "HTTP/1.0 has no chunks.")
        asks_upgrade = self._asks_upgrade()
        upgrade = asks_upgrade and http11 and self._fields[b"upgrade"].lower() == b"websocket"
        exchange = _Exchange(
            method=method,
            path=target.partition(b"?")[0].decode("ascii"),
            http11=http11,
            # An upgrade other than to a WebSocket is passed over (RFC 9110, 7.8).
            keep_alive=http11 and self._parser.should_keep_alive() and upgrade == asks_upgrade,
            upgrade=upgrade,
            chunked=chunked,
            lines=self._lines,
        )
        head = b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%bX-Forwarded-Host: %b\r\n%b%b\r\n" % (
            method,
            target,
            host,
            b"".join(self._lines),
            self._forwarded,
            host,
            self._framing(chunked=chunked),
            _TO_WEBSOCKET if upgrade else b"",
        )
        exchange.outgoing.append(head)
        self._exchanges.append(exchange)

    def _host(self) -> bytes:
        host = self._fields.get(b"host", b"")
        if not host or b"," in host:
            raise _Refused(400, "A request names one Host.")
        if host.lower() not in self._proxy.hosts:
            raise _Refused(421, "This server does not answer for that Host.")
        return host

    def _asks_upgrade(self) -> bool:
        """Whether the request wants another protocol: llhttp reads nothing after its head."""
        asks = self._parser.should_upgrade()
        if asks and not self._fields.keys().isdisjoint({b"content-length", b"transfer-encoding"}):
            raise _Refused(400, "A request to upgrade has no body.")
        return asks

    def on_body(self, body: bytes) -> None:
        exchange = self._exchanges[-1]
        exchange.outgoing.append(_chunk(body) if exchange.chunked else body)

    def on_message_complete(self) -> None:
        exchange = self._exchanges[-1]
        exchange.received = True
        if exchange.chunked:
            exchange.outgoing.append(_chunk(b""))

    def _refuse(self, error: Exception) -> None:
        """Refuse what cannot be read, after the answers to what came before it."""
        refusal = error if isinstance(error, _Refused) else error.__context__
        if not isinstance(refusal, _Refused):
            refusal = _Refused(400, f"This is not well-formed HTTP: {error}.")
        self._deaf = True
        last = self._exchanges[-1] if self._exchanges else None
        if last is None or (last.received and last.keep_alive):
            self._exchanges.append(_Exchange(refusal=refusal))
        elif not last.received:
            last.refusal = refusal

    # The exchange

    def _advance(self) -> None:
        """Give LibreChat what is there of the first request."""
        if not self._exchanges:
            return
        exchange, upstream = self._exchanges[0], self._upstream
        if exchange.refusal is not None:
            self._answer_refused(exchange, exchange.refusal)
            return
        if upstream is not None and upstream.stale(self._loop.time()):
            self._upstream = None
            upstream.transport.abort()
        if self._upstream is not None:
            if exchange.outgoing:
                self._upstream.send(exchange)
        elif self._connecting is None:
            self._connecting = self._loop.create_task(self._connect())
        if not exchange.received or len(self._exchanges) > 1 or self._held:
            self.regulate()

    def _answer_refused(self, exchange: _Exchange, refusal: _Refused) -> None:
        exchange.keep_alive = False
        if exchange.answered:
            self.abort()
        else:
            self.answer(exchange, text_page(refusal.status, str(refusal)))

    async def _connect(self) -> None:
        port = self._proxy.upstream_port
        for address in self._proxy.upstream_addresses:
            with contextlib.suppress(OSError):
                _, self._upstream = await self._loop.create_connection(
                    lambda: _Upstream(self), address, port
                )
                others = (other for other in LOOPBACK if other != address)
                self._proxy.upstream_addresses = (address, *others)
                break
        self._connecting = None
        if self._upstream is None:
            self.answer_unavailable(
                self._exchanges[0],
                503,
                Message("LibreChat is not up yet on port {port}", port=port),
                Message("Start it, or wait for it to be ready."),
            )
        else:
            self._advance()
        self.regulate()

    def answer_unavailable(self, exchange: _Exchange, status: int, title: str, advice: str) -> None:
        """Tell that LibreChat does not answer: a person by a page, a program by a line."""
        if exchange.wants_html():
            self.answer(exchange, waiting_page(status, title, advice, self._proxy.language))
        else:
            self.answer(exchange, waiting_line(status, title, advice))

    def answer(self, exchange: _Exchange, page: Page) -> None:
        """Answer in LibreChat's stead."""
        exchange.keep_alive = exchange.keep_alive and exchange.received
        head_only = exchange.method == b"HEAD"
        self.transport.write(page.message(head_only=head_only, keep_alive=exchange.keep_alive))
        self.report(exchange, page.status)
        self.finish(exchange)

    def finish(self, exchange: _Exchange) -> None:
        """The answer is through: on to the next request, or to the end."""
        if not exchange.keep_alive:
            self._end()
            if exchange.received:
                self.transport.close()
            else:  # a client that still sends would lose the answer if the socket closed at once
                self._loop.call_later(LINGER_SECONDS, self.transport.close)
            return
        self._exchanges.popleft()
        held, self._held = self._held, b""
        if held:
            self._feed(held)
        else:
            self._advance()
        if self._paused:
            self.regulate()

    def switch(self) -> None:
        """LibreChat agreed to the WebSocket: from here on it is bytes, not requests."""
        self._websocket = True
        held, self._held = self._held, b""
        self.data_received(held)
        self.regulate()

    def repeat(self, exchange: _Exchange) -> None:
        """Send a request again that ran into LibreChat's closing of an idle connection."""
        exchange.outgoing, exchange.replay = [exchange.replay], b""
        self._advance()

    def forget(self, upstream: _Upstream) -> None:
        """That connection to LibreChat has ended."""
        if upstream is self._upstream:
            self._upstream = None
            if self._websocket:
                self.transport.close()
            elif self._paused:
                self.regulate()

    def report(self, exchange: _Exchange, status: int) -> None:
        """The answer's head is on its way: tell so."""
        exchange.answered = True
        if self._proxy.on_answered is not None:
            milliseconds = (perf_counter() - exchange.began) * 1000
            self._proxy.on_answered(
                Answered(exchange.method.decode("ascii"), exchange.path, status, milliseconds)
            )


class _Upstream(_HeadReader, asyncio.Protocol):
    """A connection to LibreChat: takes a client's requests, returns the answers."""

    # Strict-Transport-Security of `localhost` would hold for all its ports and for a year: it
    # takes http://localhost:3080, and every other project of this machine, from the browser.
    withheld = _HOP_BY_HOP | {b"content-length", b"strict-transport-security"}
    transport: asyncio.Transport

    def __init__(self, client: _Client) -> None:
        self.full = False
        self._client = client
        self._exchange: _Exchange | None = None
        self._idle_since: float | None = None  # None before the first answer
        self._out: list[bytes] = []
        self._websocket = False
        self._begin_answer()

    def _begin_answer(self) -> None:
        self._parser = HttpResponseParser(self)
        self._begin_head()
        self._reason = b""
        self._silent = True  # nothing has come
        self._interim = False
        self._chunked = False
        self._until_close = False
        self._reusable = False
        self._complete = False

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def stale(self, now: float) -> bool:
        """Whether LibreChat has closed the connection, or may be about to."""
        idle = 0.0 if self._idle_since is None else now - self._idle_since
        return self._exchange is None and (
            self.transport.is_closing() or idle > UPSTREAM_IDLE_SECONDS
        )

    def send(self, exchange: _Exchange) -> None:
        """Send what is there of the request."""
        outgoing = exchange.outgoing
        data = outgoing[0] if len(outgoing) == 1 else b"".join(outgoing)
        outgoing.clear()
        if exchange is not self._exchange:
            self._exchange = exchange
            if self._idle_since is not None:
                self._begin_answer()
                if exchange.received and exchange.method in _REPEATABLE:
                    exchange.replay = data
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self._websocket:
            self._client.transport.write(data)
            return
        self._silent = False
        broken = False
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._out.append(data[upgrade.args[0] :])
            self._websocket = True
        except HttpParserError:
            broken = True
        if self._out:
            self._client.transport.write(b"".join(self._out))
            self._out.clear()
        if self._complete:
            self._finish(reusable=self._reusable and not broken)
        elif broken:
            self._until_close = False
            self.transport.abort()
        elif self._websocket:
            self._client.switch()

    def _finish(self, *, reusable: bool) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            self.transport.abort()  # says something, though nothing was asked
            return
        if reusable:
            self._idle_since = asyncio.get_running_loop().time()
        else:
            self._client.forget(self)
            self.transport.abort()
        self._client.finish(exchange)

    def connection_lost(self, exc: Exception | None) -> None:
        client, exchange = self._client, self._exchange
        self._exchange = None
        del self._parser  # see `_Client.connection_lost`
        client.forget(self)
        if exchange is None or self._websocket or client.transport.is_closing():
            return
        if self._until_close and exc is None:
            if self._chunked:
                client.transport.write(_chunk(b""))
            client.finish(exchange)
        elif self._silent and exchange.replay:
            client.repeat(exchange)
        elif exchange.answered:
            client.abort()
        else:
            client.answer_unavailable(
                exchange,
                502,
                Message("LibreChat ended the connection without an answer"),
                Message("It may have crashed or be starting again; its log tells more."),
            )

    def pause_writing(self) -> None:
        self.full = True
        self._client.regulate()

    def resume_writing(self) -> None:
        self.full = False
        self._client.regulate()

    # The answer, as llhttp tells it

    def on_message_begin(self) -> None:
        if self._exchange is None or self._complete:
            raise _Refused(502, "An answer that nobody asked for.")
        self._begin_head()
        self._reason = b""

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_headers_complete(self) -> None:
        self._end_head()
        exchange = self._exchange
        if exchange is None:
            raise _Refused(502, "An answer that nobody asked for.")
        status = self._parser.get_status_code()
        self._interim = status < 200
        if status == 101:
            if not (exchange.upgrade and self._parser.should_upgrade()):
                raise _Refused(502, "A switch of protocols that nobody asked for.")
            self._write_head(status, _TO_WEBSOCKET)
            self._client.report(exchange, status)
        elif self._interim:
            if exchange.http11:
                self._write_head(status, b"")
        else:
            self._begin_final(exchange, status)

    def _begin_final(self, exchange: _Exchange, status: int) -> None:
        chunked = self._is_chunked()
        head_only = exchange.method == b"HEAD"
        has_body = not head_only and status not in {204, 304}
        self._until_close = has_body and not chunked and b"content-length" not in self._fields
        self._chunked = has_body and exchange.http11 and (chunked or self._until_close)
        if (
            not exchange.received
            or (self._until_close and not self._chunked)
            or not exchange.http11
        ):
            exchange.keep_alive = False
        self._reusable = exchange.received and self._parser.should_keep_alive()
        framing = self._framing(chunked=self._chunked)
        connection = b"" if exchange.keep_alive else b"Connection: close\r\n"
        self._write_head(status, framing + connection)
        self._client.report(exchange, status)
        # llhttp does not know that the request was HEAD, and waits for a body.
        self._complete = head_only

    def _write_head(self, status: int, more: bytes) -> None:
        lines = b"".join(self._lines)
        self._out.append(b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (status, self._reason, lines, more))

    def on_body(self, body: bytes) -> None:
        if self._complete:
            raise _Refused(502, "A body where none belongs.")
        self._out.append(_chunk(body) if self._chunked else body)

    def on_message_complete(self) -> None:
        if self._interim or self._complete:
            return
        self._complete = True
        if self._chunked:
            self._out.append(_chunk(b""))


def _chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; the empty one is the last."""
    return b"%x\r\n%b\r\n" % (len(data), data)
