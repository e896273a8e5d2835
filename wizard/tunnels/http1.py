"""HTTP/1.1 messages, read by llhttp (`httptools`) and written anew in one plain form.

LibreChat never sees a client's framing, hop-by-hop fields or, unless the client is a proxy, its
`X-Forwarded-*`. What llhttp or this module finds ambiguous is refused (RFC 9112, sections 5 to 7
and 11.2). Bodies pass as they come. All else (a head, empty lines before it, a chunk's extension,
trailers) is bounded by `HEAD_LIMIT`, give or take what one read brings.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from time import perf_counter

from httptools import (
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
    HttpResponseParser,
)

HEAD_LIMIT = 64 * 1024
LONGEST_BODY = 2**63 - 1  # what Node, Go and a C `off_t` can hold

# RFC 9110, section 7.6.1; RFC 2616, section 13.5.1.
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    b" transfer-encoding upgrade".split()
)
_CONNECTION_OPTIONS = frozenset({b"", b"close", b"keep-alive", b"upgrade"})
_SAYS_WHO_ASKS = (b"x-forwarded-", b"forwarded", b"x-real-ip")
_TO_WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"


class Refused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """The message is not passed on; `status` is what the client gets."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(slots=True)
class Exchange:
    """One request and its answer.

    Attributes:
        path: without its query, which may carry an authorization code.
        outgoing: what LibreChat has not been sent yet.
        replay: the whole request, as long as it may be sent again.
        received: whether the request is here to its end.
        answered: whether the head of the final answer is on its way.
    """

    method: bytes = b""
    path: str = ""
    http11: bool = True
    keep_alive: bool = False
    upgrade: bool = False
    chunked: bool = False
    lines: list[bytes] = field(default_factory=list)
    outgoing: list[bytes] = field(default_factory=list)
    replay: bytes = b""
    received: bool = False
    answered: bool = False
    refusal: Refused | None = None
    began: float = field(default_factory=perf_counter)

    def wants_html(self) -> bool:
        """Whether a browser shows the answer to a person."""
        return any(
            line[:7].lower() == b"accept:" and b"text/html" in line.lower() for line in self.lines
        )


class _Reader:
    """Collects the head of a message as llhttp reports it, and bounds what is not a body."""

    # Fields that are not passed on as they are; `_fields` keeps them.
    withheld: frozenset[bytes]
    made_up: tuple[bytes, ...] = ()  # the same, by how their names begin
    parser: HttpRequestParser | HttpResponseParser

    def _begin(self) -> None:
        self._in_head = True
        self._pending = 0  # bytes since the last whole head, piece of a body or end of a message
        self._size = 0
        self._lines: list[bytes] = []
        self._fields: dict[bytes, bytes] = {}

    def release(self) -> None:
        """Let go of the parser, if there is one: it refers to us, and memory is freed at once."""
        vars(self).pop("parser", None)

    def _read(self, data: bytes) -> None:
        """Have llhttp read the bytes.

        Raises:
            Refused: this is not well-formed, or too much of it is no body.
            HttpParserUpgrade: what follows a head is not HTTP.
        """
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
        """Called by llhttp; the values of a repeated field are joined (RFC 9110, section 5.3)."""
        self._size += len(name) + len(value) + 4
        if self._size > HEAD_LIMIT:
            raise _too_large()
        if not self._in_head:
            return  # a trailer: may be dropped, and `TE` that would ask for it is not passed on
        key = name.lower()
        if key in self.withheld or key.startswith(self.made_up):
            fields = self._fields
            fields[key] = fields[key] + b", " + value if key in fields else value
        else:
            self._lines.append(b"%b: %b\r\n" % (name, value))

    def _end_head(self) -> None:
        """Take out the fields that `Connection` declares to be for this hop only."""
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

    Args:
        hosts: the values of `Host` that are served; None for all, because the client is a proxy,
            which says itself who asks and how.
        forwarded: header lines that say so otherwise.
    """

    withheld = _HOP_BY_HOP | {b"host", b"content-length"}

    def __init__(self, hosts: frozenset[bytes] | None, forwarded: bytes) -> None:
        self.exchanges: deque[Exchange] = deque()  # the first is the one being answered
        self.deaf = False  # what still comes is dropped
        self.parser: HttpRequestParser = HttpRequestParser(self)
        self._hosts = hosts
        self._forwarded = forwarded
        if hosts is not None:
            self.made_up = _SAYS_WHO_ASKS
        self._target = b""
        self._begin()
        self._in_head = False

    @property
    def is_amid(self) -> bool:
        """Whether it waits for the rest of a head, of a chunk's extension or of a trailer."""
        return self._in_head or self._pending > 0

    def feed(self, data: bytes) -> bytes:
        """Read the bytes; returns those that follow a request for another protocol."""
        try:
            self._read(data)
        except HttpParserUpgrade as upgrade:
            return data[upgrade.args[0] :]
        except Refused as refusal:
            self.refuse(refusal)
        return b""

    def refuse(self, refusal: Refused) -> None:
        """Refuse what is being read, after the answers to what came before it."""
        self.deaf = True
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
            # An upgrade other than to a WebSocket is passed over (RFC 9110, section 7.8).
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
        """Whether the request wants another protocol: llhttp reads nothing after its head."""
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

    Attributes:
        exchange: whose answer it is; None while none is expected.
        status: of the final answer, 0 as long as its head has not come; 101 for a switch.
        silent: nothing has come.
        complete: the answer is through.
        broken: it cannot be read any further.
        until_close: its end is the end of the connection.
        reusable: another request may follow on this connection.
    """

    # Strict-Transport-Security of `localhost` would hold for all its ports and for a year: it
    # takes http://localhost:3080, and every other project of this machine, from the browser.
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
        """Read the bytes; returns what the client gets of them."""
        self.silent = False
        try:
            self._read(data)
        except HttpParserUpgrade as upgrade:
            self._out.append(data[upgrade.args[0] :])
        except Refused:
            self.broken = True
        out, self._out = b"".join(self._out), []
        return out

    def last_bytes(self) -> bytes:
        """What ends the answer for the client when the connection has ended it here."""
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
        # llhttp does not know that the request was HEAD, and waits for a body.
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
    """One chunk of a chunked body; the empty one is the last."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _too_large() -> Refused:
    return Refused(431, "A head or trailer is over 64 KiB.")
