"""An HTTP client without redirects and retries, bounded in time and size.

It uses the system's trust store or the file in `SSL_CERT_FILE`, and the proxies of `HTTPS_PROXY`
and `NO_PROXY`.
"""

import math
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import unquote, urlencode, urljoin, urlsplit

from wizard.language import Message, joined
from wizard.settings import LOOPBACK_HOSTS
from wizard.system.loopback import ADDRESSES
from wizard.system.reading import load_json

if TYPE_CHECKING:
    import socket
    import ssl

    from urllib3 import BaseHTTPResponse, PoolManager

MAX_BODY_BYTES = 1 << 20
CHUNK_BYTES = 1 << 14
# Headers that skip the interstitial pages of free tunnels.
PAST_TUNNEL_PAGES = {"ngrok-skip-browser-warning": "1", "bypass-tunnel-reminder": "1"}
# Marks the answers of the local tunnel itself.
WAITING_HEADER = "x-librechat-auth0"
WAITING = "waiting"

# X509_V_ERR_* of OpenSSL's x509_vfy.h, errSec* of Apple's SecBase.h, CERT_E_* of winerror.h.
_CERTIFICATE_TIME_CODES = frozenset({9, 10, -67818, -67819, 0x800B0101})
_CERTIFICATE_NAME_CODES = frozenset({62, 64, -67602, 0x800B010F})


class Trouble(Enum):
    """Why a request failed."""

    NAME = Message("the name does not resolve")
    REFUSED = Message("nothing accepts the connection")
    TIMEOUT = Message("no answer in time")
    UNTRUSTED = Message("the certificate is not trusted")
    WRONG_NAME = Message("the certificate is for another name")
    WRONG_TIME = Message("the certificate is not valid at this computer's time")
    TLS = Message("the TLS handshake failed")
    PROXY = Message("the proxy refused the connection")
    DROPPED = Message("the connection broke")
    TOO_LARGE = Message("the answer is too large")


_NEVER_ENDED = Message("the answer did not end")


class NetworkError(Exception):
    """A request that failed; `detail` is the error text of a library."""

    def __init__(self, trouble: Trouble, url: str, detail: str = "") -> None:
        self.trouble = trouble
        self.url = url
        self.detail = detail
        super().__init__(self.reason)

    @property
    def reason(self) -> Message:
        """The trouble, with the detail."""
        return joined(": ", (self.trouble.value, self.detail))

    @property
    def host(self) -> str:
        """Host and port of the URL."""
        return urlsplit(self.url).netloc


class Response(NamedTuple):
    """A response; `headers` has lower-case names."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    set_cookies: tuple[str, ...] = ()

    def __repr__(self) -> str:  # the body may have a token
        return f"Response({self.status})"

    @property
    def text(self) -> str:
        """The body as text; invalid UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def is_html(self) -> bool:
        """Whether the content type is HTML."""
        return "html" in self.headers.get("content-type", "").lower()

    @property
    def location(self) -> str:
        """The absolute target of a redirect, "" if there is none."""
        target = self.headers.get("location", "") if 300 <= self.status < 400 else ""
        try:
            return urljoin(self.url, target) if target else ""
        except ValueError:
            return ""

    def json_object(self) -> dict[str, object] | None:
        """Return the body if it is a JSON object, else None."""
        try:
            value = load_json(self.body)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


class HttpClient(Protocol):
    """Sends requests; thread-safe."""

    def request(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send `form`, or `body` as it is, and return the answer.

        Raises:
            NetworkError: no answer came in time, or it was too large.
        """
        ...


@dataclass(slots=True, eq=False, repr=False)
class Https:
    """`HttpClient` on urllib3.

    Times are in seconds, the total one for the whole answer. `extra_ca` returns another CA to
    trust, a PEM file; it is called for each request.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    extra_ca: Callable[[], Path | None] = lambda: None
    connect_timeout: float = 10.0
    total_timeout: float = 30.0
    max_bytes: int = MAX_BODY_BYTES
    _pools: "dict[tuple[str | None, Path | None], PoolManager]" = field(default_factory=dict)
    _pools_lock: threading.Lock = field(default_factory=threading.Lock)

    def request(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        import urllib3

        sent = {"User-Agent": "librechat-auth0", "Accept": "*/*", **(headers or {})}
        _require_sendable(sent, url)
        if form is not None:
            body = urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        deadline = time.monotonic() + self.total_timeout
        try:
            answer = self._pool(url).request(
                method,
                url,
                body=body,
                headers=sent,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=self.connect_timeout, total=self.total_timeout),
            )
            try:
                return _read(answer, url, self.max_bytes)
            finally:
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if time.monotonic() >= deadline:
                raise NetworkError(Trouble.TIMEOUT, url, _NEVER_ENDED) from error
            raise _network_error(error, url) from error

    def _pool(self, url: str) -> "PoolManager":
        import urllib3

        proxy, extra_ca = key = self._proxy_for(url), self.extra_ca()
        with self._pools_lock:
            if key not in self._pools:
                context = self._ssl_context(url, extra_ca)
                manager = (
                    _through(proxy, context, url)
                    if proxy
                    else urllib3.PoolManager(ssl_context=context, maxsize=8)
                )
                manager.pool_classes_by_scheme = _bounded_pools()
                self._pools[key] = manager
            return self._pools[key]

    def _proxy_for(self, url: str) -> str | None:
        from urllib.request import (  # type: ignore[attr-defined]  # in none of typeshed's stubs
            proxy_bypass_environment,
        )

        parts = urlsplit(url)
        if parts.hostname in LOOPBACK_HOSTS:
            return None
        read = {name.lower(): value for name, value in self.environ.items()}
        bypass = proxy_bypass_environment(parts.netloc, {"no": read.get("no_proxy", "")})
        proxy = read.get(f"{parts.scheme}_proxy") or read.get("all_proxy")
        if not proxy or bypass:
            return None
        return proxy if "://" in proxy else f"http://{proxy}"

    def _ssl_context(self, url: str, extra_ca: Path | None) -> "ssl.SSLContext":
        bundle = self.environ.get("SSL_CERT_FILE")
        try:
            context = ssl_context(self.environ)
            if extra_ca is not None:
                context.load_verify_locations(extra_ca)
        except OSError as error:  # ssl.SSLError is one
            detail = Message.of(str(error))
            if bundle:
                detail = Message("SSL_CERT_FILE={file}: {reason}", file=bundle, reason=detail)
            raise NetworkError(Trouble.UNTRUSTED, url, detail) from error
        return context


def _require_sendable(headers: Mapping[str, str], url: str) -> None:
    # The error of http.client would quote the value, which can be a token.
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            detail = Message(
                "{header} cannot be sent: it has characters that are not allowed", header=name
            )
            raise NetworkError(Trouble.DROPPED, url, detail)


def ssl_context(environ: Mapping[str, str]) -> "ssl.SSLContext":
    """Return a context with the system's trust store, or the file in `SSL_CERT_FILE`.

    Raises:
        OSError: the file has no certificates or cannot be read; `ssl.SSLError` is one.
    """
    import ssl

    import truststore

    bundle = environ.get("SSL_CERT_FILE")
    if not bundle:
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not stat.S_ISREG(Path(bundle).stat().st_mode):  # reading a device may never end
        raise OSError(Message("it is not a file"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(bundle)
    return context


def _through(proxy: str, context: "ssl.SSLContext", url: str) -> "PoolManager":
    """Return connections through the proxy; errors do not quote its URL, which has a password."""
    import urllib3

    try:
        name_and_password = unquote(urllib3.util.parse_url(proxy).auth or "")
        return urllib3.ProxyManager(
            proxy,
            ssl_context=context,
            maxsize=8,
            proxy_headers=urllib3.make_headers(proxy_basic_auth=name_and_password or None),
        )
    except (urllib3.exceptions.HTTPError, ValueError):
        reason = Message("the proxy's address is not an http:// or https:// URL")
        raise NetworkError(Trouble.PROXY, url, reason) from None


def _bounded_pools() -> dict[str, type]:
    """Return urllib3's pools with a deadline for whole answers.

    A socket's timeout starts again with each byte, so a slow answer would never end.
    """
    from http.client import HTTPResponse

    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class Answer(HTTPResponse):
        def __init__(self, sock: "socket.socket", *rest: Any, **named: Any) -> None:
            super().__init__(sock, *rest, **named)
            self.fp = BufferedReader(_UntilDeadline(sock, self.fp.detach()))

    class Connection(_ToLoopback, HTTPConnection):
        response_class = Answer

    class TlsConnection(_ToLoopback, HTTPSConnection):
        response_class = Answer

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    return {"http": Pool, "https": TlsPool}


class _ToLoopback:
    """Connects to `localhost` where /etc/hosts lacks that name, as browsers do (RFC 6761, 6.3)."""

    host: str
    port: int
    timeout: float | None

    def _new_conn(self) -> "socket.socket":
        import socket

        from urllib3.exceptions import NameResolutionError, NewConnectionError

        try:
            found: socket.socket = super()._new_conn()  # type: ignore[misc]  # of urllib3
        except NameResolutionError:
            if self.host != "localhost":
                raise
        else:
            return found
        refused: OSError | None = None
        for address in ADDRESSES:
            try:
                return socket.create_connection((address, self.port), self.timeout)
            except OSError as error:
                refused = error
        raise NewConnectionError(self, str(refused)) from refused  # type: ignore[arg-type]


class _UntilDeadline(RawIOBase):
    """Turns the socket's timeout, which urllib3 has set to the time left, into a deadline."""

    def __init__(self, sock: "socket.socket", raw: RawIOBase) -> None:
        self._socket = sock
        self._raw = raw
        timeout = sock.gettimeout()
        self._deadline = math.inf if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """See `RawIOBase.readinto`; raises `TimeoutError` after the deadline."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(_NEVER_ENDED)
        if left < math.inf:
            self._socket.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _read(answer: "BaseHTTPResponse", url: str, max_bytes: int) -> Response:
    body = bytearray()
    while chunk := answer.read1(CHUNK_BYTES):
        body += chunk
        if len(body) > max_bytes:
            detail = Message("over {size} MiB", size=max_bytes >> 20)
            raise NetworkError(Trouble.TOO_LARGE, url, detail)
    return Response(
        url=url,
        status=answer.status,
        headers={name.lower(): value for name, value in answer.headers.items()},
        body=bytes(body),
        set_cookies=tuple(answer.headers.getlist("set-cookie")),
    )


def _network_error(error: Exception, url: str) -> NetworkError:
    from urllib3 import exceptions as u

    match error:
        case u.ProxyError():
            trouble = Trouble.PROXY
        case u.NameResolutionError():
            trouble = Trouble.NAME
        case u.NewConnectionError():  # a subclass of TimeoutError
            trouble = Trouble.REFUSED
        case u.TimeoutError():
            trouble = Trouble.TIMEOUT
        case u.SSLError():
            trouble = _tls_trouble(error)
        case _:
            trouble = Trouble.DROPPED
    # Remove the repr of the connection, what the trouble says, and the system's number for it.
    detail = re.sub(r"^\w+\([^)]*\): ", "", str(error))
    detail = re.sub(r"^Failed to resolve '[^']*' \((.*)\)$", r"\1", detail)
    detail = re.sub(r"\[Errno -?\d+\] ", "", detail)
    return NetworkError(trouble, url, Message.of(detail))


def _tls_trouble(error: Exception) -> Trouble:
    import ssl

    cause = error.args[0] if error.args else None
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return Trouble.TLS
    code = getattr(cause, "verify_code", 0)
    if code in _CERTIFICATE_NAME_CODES:
        return Trouble.WRONG_NAME
    return Trouble.WRONG_TIME if code in _CERTIFICATE_TIME_CODES else Trouble.UNTRUSTED
