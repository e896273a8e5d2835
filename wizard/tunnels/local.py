"""The embedded tunnel: HTTPS on this machine, with nothing to install and no account.

That is enough for a sign-in, since Auth0 redirects the user's own browser.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wizard.findings import Failure
from wizard.language import Message
from wizard.rules import rule
from wizard.settings import LOOPBACK_HOSTS, InvalidValue, parse_public_url
from wizard.tunnels import Offer, Provider, TunnelRequest

if TYPE_CHECKING:
    import socket

    from wizard.system.processes import Processes
    from wizard.tunnels.certificates import Authority
    from wizard.tunnels.proxy import Proxy

DEFAULT_PORT = 3443
PORTS_TO_TRY = 10
DEFAULT_URL = f"https://localhost:{DEFAULT_PORT}"
RENEWAL_LOOK_SECONDS = 24 * 3600.0

NOT_LOCAL = rule("LA331")
PORT_TAKEN = rule("LA332")
CANNOT_LISTEN = rule("LA333")
TRUST_LATER = Message("Browsers show a warning until you run: librechat-auth0 trust")


class LocalTunnel(Provider):
    """The proxy with TLS; its certificate is renewed while it runs."""

    name = "local"
    summary = Message("Built in; enough to sign in with your own browser.")
    domains = LOOPBACK_HOSTS
    is_public, has_stable_url = False, True
    lost_url = url_in_use = PORT_TAKEN

    def __init__(
        self,
        request: TunnelRequest,
        processes: Processes,
        environ: Mapping[str, str],  # noqa: ARG002
    ) -> None:
        self._request = request
        self._processes = processes
        self._lock = threading.Lock()
        self._proxy: Proxy | None = None
        self.authority: Authority | None = None

    @staticmethod
    def offer(processes: Processes, _: Mapping[str, str]) -> Offer:
        from wizard.tunnels.trust import mkcert_root

        needs = Message("browsers that trust its certificate (librechat-auth0 trust)")
        if mkcert_root(processes):
            needs = Message("nothing else: it uses mkcert's authority")
        return Offer(True, needs)

    def open(self) -> str:
        from wizard.tunnels.certificates import local_authority
        from wizard.tunnels.proxy import Proxy

        request = self._request
        urls = local_urls(request)
        self.authority = local_authority(request.state_dir, self._processes)
        context = self.authority.server_context()
        url, listeners = self._listen(urls)
        advise_trust(self.authority, request, request.progress)
        with self._lock:
            proxy = self._proxy = Proxy(request, context, listeners)
        threading.Thread(target=self._renew, args=(proxy,), name="renewal", daemon=True).start()
        return url

    def close(self) -> None:
        with self._lock:
            proxy, self._proxy = self._proxy, None
        if proxy is not None:
            proxy.end()

    def _listen(self, urls: Sequence[str]) -> tuple[str, list[socket.socket]]:
        """Return the first URL whose port is free, with its listeners."""
        refused: list[Failure] = []
        for port, url in ((port_of(url), url) for url in urls):
            try:
                return url, self._request.listen(port)
            except OSError as error:
                refused.append(_not_listening(error, port, self._processes))
        raise refused[0]

    def _renew(self, proxy: Proxy) -> None:
        """Renew the certificate in time: a tunnel may stay open for months."""
        from wizard.tunnels.certificates import local_authority

        while not proxy.ended.wait(RENEWAL_LOOK_SECONDS):
            # On a failure, the certificate in use is still valid for a month: retry the next day.
            with suppress(Failure):
                authority = local_authority(self._request.state_dir, self._processes)
                proxy.context = authority.server_context()


PROVIDER = LocalTunnel


def advise_trust(
    authority: Authority, request: TunnelRequest, progress: Callable[[str], None]
) -> None:
    """Advise people to trust the authority of an open tunnel, unless they did."""
    from wizard.tunnels.trust import is_remembered

    is_known = authority.mkcert or is_remembered(authority.ca_file, request.state_dir)
    if request.for_people and not is_known:
        progress(TRUST_LATER)


def local_urls(request: TunnelRequest) -> list[str]:
    """Return the requested URL, else the default and those with the next ports.

    Only to listen shows which port is free: another user's tunnel may open at the same moment.

    Raises:
        Failure: LA331, or LA332 for LibreChat's own port.
    """
    if not request.requested_url:
        first = port_of(DEFAULT_URL)
        ports = range(first, first + PORTS_TO_TRY)
        return [f"https://localhost:{port}" for port in ports if port != request.port]
    try:
        url = parse_public_url(request.requested_url)
    except InvalidValue as error:
        raise NOT_LOCAL.failure(error.reason) from error
    parts = urlsplit(url)
    if parts.hostname not in LOOPBACK_HOSTS:
        raise NOT_LOCAL.failure(Message("{url} is not on this computer", url=url))
    if port_of(url) == request.port:
        raise PORT_TAKEN.failure(Message("{port} is LibreChat's own port", port=request.port))
    return [url]


def port_of(url: str) -> int:
    """Return the port of an HTTPS URL."""
    return urlsplit(url).port or 443


def _not_listening(error: OSError, port: int, processes: Processes) -> Failure:
    if error.errno == errno.EADDRINUSE:
        return port_taken(port, processes)
    return CANNOT_LISTEN.failure(
        Message("port {port}: {reason}", port=port, reason=error.strerror or error)
    )


def port_taken(port: int, processes: Processes) -> Failure:
    """Return the failure that names the program on the port, if the system shows it."""
    found = processes.listening(port)
    if found is None:
        return PORT_TAKEN.failure(Message("port {port} is in use", port=port))
    holder = Message("{program} (process {pid})", program=found.name, pid=found.pid)
    return PORT_TAKEN.failure(
        Message("port {port} is in use by {holder}", port=port, holder=holder)
    )
