"""HTTP/1.1 messages, read by llhttp (`httptools`) and rewritten.

LibreChat never sees a client's framing, hop-by-hop fields or, unless the client is a proxy, its
`X-Forwarded-*`. Ambiguous messages are refused (RFC 9112, sections 5 to 7 and 11.2). All but bodies
(a head, empty lines before it, a chunk's extension, trailers) is limited to `HEAD_LIMIT`, within
the size of one read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, HttpResponseParser

HEAD_LIMIT = 64 * 1024
LONGEST_BODY = 2**63 - 1  # the limit of Node, Go and a C `off_t`

# RFC 9110, section 7.6.1; RFC 2616, section 13.5.1.
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    b" transfer-encoding upgrade".split()
)
_CONNECTION_OPTIONS = frozenset({b"", b"close", b"keep-alive", b"upgrade"})
_ABOUT_THE_CLIENT = (b"x-forwarded-", b"forwarded", b"x-real-ip")
_TO_WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"


class Refused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """The message is not passed on; the client gets the `status`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(slots=True)
class Exchange:
    """One request and its answer."""

    method: bytes = b""
    path: str = ""  # without its query, which may carry an authorization code
    http11: bool = True
    keep_alive: bool = False
    upgrade: bool = False
    chunked: bool = False
    lines: list[bytes] = field(default_factory=list)
    outgoing: list[bytes] = field(default_factory=list)  # not sent to LibreChat yet
    replay: bytes = b""  # the whole request, while it may be repeated
    received: bool = False  # all of it
    answered: bool = False  # the final answer has begun
    refusal: Refused | None = None
    began: float = field(default_factory=perf_counter)

    def wants_html(self) -> bool:
        """Whether the client is a browser that shows the answer to a person."""
        return any(
            line[:7].lower() == b"accept:" and b"text/html" in line.lower() for line in self.lines
        )


class _Reader:
    """Collects the head of a message as llhttp reports it, and limits what is not a body."""

    # Fields that are not passed on, by name and by prefix; they are kept in `_fields`.
    withheld: frozenset[bytes]
    withheld_prefixes: tuple[bytes, ...] = ()
    parser: HttpRequestParser | HttpResponseParser

    def _begin(self) -> None:
        self._in_head = True
        self._pending = 0  # bytes since the end of a head, a piece of a body or a message
        self._size = 0
        self._lines: list[bytes] = []
        self._fields: dict[bytes, bytes] = {}

    def release(self) -> None:
        """Drop the parser: it is a reference cycle with us, and memory is freed at once."""
        vars(self).pop("parser", None)

    def _read(self, data: bytes) -> None:
        """Have llhttp parse the bytes; raise Refused, or HttpParserUpgrade if no HTTP follows."""
        self._pending += len(data)
        try:
            self.parser.feed_data(data)
        except HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, Refused):
                raise cause from None
            raise Refused(400, f"This is not well-formed HTTP: {error}.") from None
        if self._pending > HEAD_LIMIT:
            raise _too_large()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a field; the values of a repeated one are joined (RFC 9110, section 5.3)."""
        self._size += len(name) + len(value) + 4
        if self._size > HEAD_LIMIT:
            raise _too_large()
        if not self._in_head:
            return  # a trailer: may be dropped, since `TE` is not passed on
        key = name.lower()
        if key in self.withheld or key.startswith(self.withheld_prefixes):
            fields = self._fields
            fields[key] = fields[key] + b", " + value if key in fields else value
        else:
            self._lines.append(b"%b: %b\r\n" % (name, value))

    def _end_head(self) -> None:
        """Remove the fields that `Connection` declares to be for this hop only."""
        self._in_head = False
        self._pending = 0
        if b"connection" in self._fields:
            declared = {name.strip().lower() for name in self._fields[b"connection"].split(b",")}
            if names := declared - _CONNECTION_OPTIONS:
                self._lines = [
                    line for line in self._lines if line.partition(b":")[0].lower() not in names
                ]

    def _is_chunked(self) -> bool:
        coding = self._fields.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            raise Refused(400, "Transfer-Encoding can only be chunked.")
        return coding is not None

    def _framing(self, *, chunked: bool) -> bytes:
        length = self._fields.get(b"content-length")
        if length is not None:
            length = length.strip().lstrip(b"0") or b"0"
            if len(length) > len(str(LONGEST_BODY)) or int(length) > LONGEST_BODY:
                raise Refused(400, "The Content-Length is over 2^63-1.")
        if chunked:
            return b"Transfer-Encoding: chunked\r\n"
        return b"" if length is None else b"Content-Length: %b\r\n" % length


class RequestReader(_Reader):
    """The requests of one client.

    `hosts` has the values of `Host` to answer for. It is None for all of them where the client is
    a proxy, which sends `X-Forwarded-*` itself.
    """

    withheld = _HOP_BY_HOP | {b"host", b"content-length"}

    def __init__(self, hosts: frozenset[bytes] | None, address: str) -> None:
        self.exchanges: deque[Exchange] = deque()  # the first is being answered
        self.ignores_input = False  # after a refusal, or the end of the connection
        self.parser: HttpRequestParser = HttpRequestParser(self)
        self._hosts = hosts
        self._forwarded = b""
        if hosts is not None:
            self.withheld_prefixes = _ABOUT_THE_CLIENT
            self._forwarded = f"X-Forwarded-For: {address}\r\nX-Forwarded-Proto: https\r\n".encode()
        self._target = b""
        self._begin()
        self._in_head = False

    @property
    def is_incomplete(self) -> bool:
        """Whether the rest of a head, a chunk's extension or a trailer is missing."""
        return self._in_head or self._pending > 0

    def feed(self, data: bytes) -> bytes:
        """Read the bytes; return those that follow a request for another protocol."""
        try:
            self._read(data)
        except HttpParserUpgrade as upgrade:
            return data[upgrade.args[0] :]
        except Refused as refusal:
            self.refuse(refusal)
        return b""

    def refuse(self, refusal: Refused) -> None:
        """Refuse the current request, after the answers to those before it."""
        self.ignores_input = True
        last = self.exchanges[-1] if self.exchanges else None
        if last is None or (last.received and last.keep_alive):
            self.exchanges.append(Exchange(refusal=refusal))
        elif not last.received:
            last.refusal = refusal

    def on_message_begin(self) -> None:
        self._begin()
        self._target = b""

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > HEAD_LIMIT:
            raise _too_large()

    def on_headers_complete(self) -> None:
        self._end_head()
        host, target = self._host(), self._target
        http11 = self._is_http11()
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise Refused(405, "This server is no forward proxy.")
        if not (target[:1] == b"/" or (target == b"*" and method == b"OPTIONS")) or b"#" in target:
            raise Refused(400, "The request's target is not a path on this server.")
        chunked = self._is_chunked()
        if chunked and not http11:
            raise Refused(400, "HTTP/1.0 has no chunks.")
        asks_upgrade = self._asks_upgrade()
        upgrade = asks_upgrade and http11 and self._fields[b"upgrade"].lower() == b"websocket"
        exchange = Exchange(
            method=method,
            path=target.partition(b"?")[0].decode("ascii"),
            http11=http11,
            # An upgrade other than to a WebSocket is ignored (RFC 9110, section 7.8).
            keep_alive=http11 and self.parser.should_keep_alive() and upgrade == asks_upgrade,
            upgrade=upgrade,
            chunked=chunked,
            lines=self._lines,
        )
        head = b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b%b%b\r\n" % (
            method,
            target,
            host,
            b"".join(self._lines),
            self._forwarded and b"%bX-Forwarded-Host: %b\r\n" % (self._forwarded, host),
            self._framing(chunked=chunked),
            _TO_WEBSOCKET if upgrade else b"",
        )
        exchange.outgoing.append(head)
        self.exchanges.append(exchange)

    def _host(self) -> bytes:
        host = self._fields.get(b"host", b"")
        if not host or b"," in host:
            raise Refused(400, "A request names one Host.")
        if self._hosts is not None and host.lower() not in self._hosts:
            raise Refused(421, "This server does not answer for that Host.")
        return host

    def _is_http11(self) -> bool:
        version = self.parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            raise Refused(505, "This server speaks HTTP/1.1.")
        return version == "1.1"

    def _asks_upgrade(self) -> bool:
        """Whether the request asks for another protocol: llhttp stops after its head."""
        asks = self.parser.should_upgrade()
        if asks and not self._fields.keys().isdisjoint({b"content-length", b"transfer-encoding"}):
            raise Refused(400, "A request to upgrade has no body.")
        return asks

    def on_body(self, body: bytes) -> None:
        self._pending = 0
        exchange = self.exchanges[-1]
        exchange.outgoing.append(_chunk(body) if exchange.chunked else body)

    def on_message_complete(self) -> None:
        self._pending = 0
        exchange = self.exchanges[-1]
        exchange.received = True
        if exchange.chunked:
            exchange.outgoing.append(_chunk(b""))


class AnswerReader(_Reader):
    """LibreChat's answers on one connection, one after another.

    `status` is that of the final answer, 0 before its head; 101 for a switch of protocols. It is
    `broken` when the rest cannot be read. On a `reusable` connection another request may follow.
    """

    # Strict-Transport-Security of `localhost` would cover all ports of this machine for a year:
    # http://localhost:3080, and other projects.
    withheld = _HOP_BY_HOP | {b"content-length", b"strict-transport-security"}

    def __init__(self) -> None:
        self.exchange: Exchange | None = None

    def expect(self, exchange: Exchange) -> None:
        """Read the answer to that request from now on."""
        self.parser: HttpResponseParser = HttpResponseParser(self)
        self.exchange = exchange
        self.status = 0
        self.silent = True
        self.complete = self.broken = self.until_close = self.reusable = False
        self._interim = self._chunked = False
        self._out: list[bytes] = []
        self.on_message_begin()

    def feed(self, data: bytes) -> bytes:
        """Read the bytes; return what to send to the client."""
        self.silent = False
        try:
            self._read(data)
        except HttpParserUpgrade as upgrade:
            self._out.append(data[upgrade.args[0] :])
        except Refused:
            self.broken = True
        out, self._out = b"".join(self._out), []
        return out

    def fields(self) -> Iterator[tuple[str, str]]:
        """Return the header fields that are passed on."""
        for line in self._lines:
            name, _, value = line.decode("latin-1").partition(":")
            yield name, value.strip()

    def last_bytes(self) -> bytes:
        """Return the end of an answer that ended with the connection."""
        return _chunk(b"") if self._chunked else b""

    def on_message_begin(self) -> None:
        if self.complete:
            raise Refused(502, "An answer that nobody asked for.")
        self._begin()
        self._reason = b""

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_headers_complete(self) -> None:
        self._end_head()
        exchange, status = self.exchange, self.parser.get_status_code()
        if exchange is None or status < 100:
            raise Refused(502, "That is no answer.")
        self._interim = status < 200
        if status == 101:
            if not (exchange.upgrade and self.parser.should_upgrade()):
                raise Refused(502, "A switch of protocols that nobody asked for.")
            self.status = status
            self._write_head(status, _TO_WEBSOCKET)
        elif not self._interim:
            self._begin_final(exchange, status)
        elif exchange.http11:
            self._write_head(status, b"")

    def _begin_final(self, exchange: Exchange, status: int) -> None:
        chunked = self._is_chunked()
        head_only = exchange.method == b"HEAD"
        has_body = not head_only and status not in {204, 304}
        self.until_close = has_body and not chunked and b"content-length" not in self._fields
        self._chunked = has_body and exchange.http11 and (chunked or self.until_close)
        framing = self._framing(chunked=self._chunked)
        cut_off = self.until_close and not self._chunked
        if not exchange.received or cut_off or not exchange.http11:
            exchange.keep_alive = False
        self.reusable = exchange.received and self.parser.should_keep_alive()
        self.status = status
        self._write_head(
            status, framing + (b"" if exchange.keep_alive else b"Connection: close\r\n")
        )
        # llhttp does not know that the request was HEAD, and expects a body.
        self.complete = head_only

    def _write_head(self, status: int, more: bytes) -> None:
        lines = b"".join(self._lines)
        self._out.append(b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (status, self._reason, lines, more))

    def on_body(self, body: bytes) -> None:
        if self.complete:
            raise Refused(502, "A body where none belongs.")
        self._pending = 0
        self._out.append(_chunk(body) if self._chunked else body)

    def on_message_complete(self) -> None:
        self._pending = 0
        if self._interim or self.complete:
            return
        self.complete = True
        if self._chunked:
            self._out.append(_chunk(b""))


def _chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; the last is empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _too_large() -> Refused:
    return Refused(431, "A head or trailer is over 64 KiB.")
