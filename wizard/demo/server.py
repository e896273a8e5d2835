"""Serves a tenant over HTTPS on this machine's loopback addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wizard import loopback
from wizard.http_server import Answer, HttpServer, Request
from wizard.language import Message
from wizard.rules import rule

if TYPE_CHECKING:
    from wizard.demo.tenant import Tenant

NO_START = rule("LA450")
SECONDS_TO_END = 1.0


@contextmanager
def serving(
    tenant: Tenant, answer: Callable[[Request], Answer], certificate: Path, key: Path
) -> Iterator[Tenant]:
    """Serve on a free port until the context ends, and set the tenant's `domain`.

    Raises:
        Failure: LA450, no port is free or the certificate (PEM, for localhost) cannot be used.
    """
    import ssl

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        tls.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        detail = Message("{file}: {reason}", file=certificate, reason=error)
        raise NO_START.failure(detail) from None
    try:
        listeners = loopback.listeners(0)
    except OSError as error:
        raise NO_START.failure(str(error.strerror)) from None
    tenant.domain = f"localhost:{listeners[0].getsockname()[1]}"
    server = HttpServer(answer, listeners, "demo tenant", tls=tls)
    try:
        yield tenant
    finally:
        server.stop(SECONDS_TO_END)
