"""A public HTTPS URL without an account, by Cloudflare's quick tunnels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wizard.findings import Finding
from wizard.language import Message
from wizard.private_files import private_folder, write_whole
from wizard.rules import rule
from wizard.supervisor import NOT_STARTED
from wizard.tunnels import Offer, Tunnel, TunnelRequest
from wizard.tunnels.child import START_SECONDS, ChildTunnel
from wizard.tunnels.local_api import LocalApi

if TYPE_CHECKING:
    from wizard.findings import Failure
    from wizard.processes import Processes
    from wizard.tunnels.proxy import ProxyThread


NO_CLOUDFLARED = rule("LA370")
TOO_MANY = rule("LA371")
HELD_BACK = rule("LA372")
UNREACHABLE = rule("LA373")
NOT_UP = rule("LA374")
NO_CHOICE = rule("LA375")

DOMAINS = (".trycloudflare.com",)

_METRICS = re.compile(r"Starting metrics server on (\S+?)/metrics")
_CONNECTED = "Registered tunnel connection"
_FORGOTTEN = "Tunnel not found"
_LIMITED = re.compile(r"429 Too Many Requests|error code: 1015")
_NOT_REACHED = re.compile(r"failed to request quick Tunnel|Unable to establish connection")


class CloudflaredTunnel(ChildTunnel):
    """A quick tunnel, for as long as its cloudflared runs: then its URL is gone for good."""

    _program = "cloudflared"
    _domains = DOMAINS

    def __init__(
        self,
        request: TunnelRequest,
        processes: Processes,
        environ: Mapping[str, str],
        *,
        start_seconds: float = START_SECONDS,
    ) -> None:
        super().__init__(request, processes, environ, start_seconds=start_seconds)
        # Every option of cloudflared can come from the environment, a token for another tunnel too.
        self._environ = {
            name: value
            for name, value in self._environ.items()
            if not name.startswith("TUNNEL_") and name != "NO_AUTOUPDATE"
        }
        self._proxy: ProxyThread | None = None
        self._metrics = ""
        self._api = LocalApi()
        self._forgotten = False

    @property
    def findings(self) -> Sequence[Finding]:
        return (HELD_BACK.finding(),)

    def _start(self) -> str:
        from wizard.tunnels.proxy import Proxy, ProxyThread

        request = self._request
        if request.requested_url:
            raise NO_CHOICE.failure(request.requested_url)
        # cloudflared's log has no requests, and its own page for visitors blames the tunnel.
        listeners = request.listen(0)
        proxy = Proxy(
            request.port,
            None,
            listeners,
            on_event=request.on_event,
            language=request.language,
        )
        self._proxy = ProxyThread(proxy)
        self._proxy.begin()
        self._progress(Message("Asking Cloudflare for a quick tunnel"))
        return super()._start()

    def _stop(self) -> None:
        super()._stop()
        if self._proxy is not None:
            self._proxy.end()

    def _command(self) -> Sequence[str]:
        program = self._processes.which("cloudflared")
        if program is None:
            raise NO_CLOUDFLARED.failure()
        if self._proxy is None:
            raise NOT_UP.failure("The tunnel was closed.")
        # A configuration file of the user's would lead to other services than this one.
        configuration = private_folder(self._request.state_dir) / "cloudflared.yml"
        write_whole(configuration, b"{}\n")
        return (
            *(str(program), "tunnel", "--no-autoupdate"),
            *("--config", str(configuration)),
            *("--metrics", "127.0.0.1:0"),
            *("--url", f"http://127.0.0.1:{self._proxy.port}"),
        )

    def _hear(self, line: str) -> None:
        if found := _METRICS.search(line):
            self._metrics = found[1]
        elif _CONNECTED in line:
            known = self._api.get(self._metrics, "/quicktunnel") if self._metrics else None
            if known and known.get("hostname"):
                self._stands(f"https://{known['hostname']}")
        elif _FORGOTTEN in line:
            self._forgotten = True

    def _ended(self) -> str:
        if self._forgotten:
            return Message("Cloudflare has given up the quick tunnel")
        return super()._ended()

    def _can_come_back(self) -> bool:
        return False

    def _observe(self) -> None:
        if self._api.get(self._metrics, "/ready") is None:
            self._lose(Message("cloudflared lost the connection to Cloudflare and tries again"))
        else:
            self._regain()

    def _explained(self, said: Sequence[str], status: int | None) -> Failure:
        text = " ".join(said)
        detail = next((line for line in reversed(said) if " ERR " in line), " ".join(said[-1:]))
        if _LIMITED.search(text):
            return TOO_MANY.failure(detail)
        if _NOT_REACHED.search(text) or (status is None and "Requesting new quick Tunnel" in text):
            return UNREACHABLE.failure(detail)
        if status in {None, NOT_STARTED}:
            return NOT_UP.failure(detail)
        return NOT_UP.failure(Message("{said} (exit status {status})", said=detail, status=status))


class Cloudflared:
    """See `wizard.tunnels.Provider`."""

    name = "cloudflared"
    summary = Message("Without an account, to try the sign-in; chats look frozen through it.")
    domains = DOMAINS
    has_reusable_url = False
    lost_url_rules = ()
    url_in_use_rules = ()

    def offer(
        self,
        processes: Processes,
        environ: Mapping[str, str],  # noqa: ARG002
    ) -> Offer:
        program = processes.which("cloudflared")
        return Offer(
            ready=program is not None,
            needs=Message("cloudflared ({program})", program=program or Message("not installed")),
            stable_url=False,
            public=True,
        )

    def tunnel(
        self, request: TunnelRequest, processes: Processes, environ: Mapping[str, str]
    ) -> Tunnel:
        return CloudflaredTunnel(request, processes, environ)


PROVIDER = Cloudflared()
