"""A public HTTPS URL without an account: a quick tunnel of Cloudflare."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wizard.findings import Failure
from wizard.language import Message
from wizard.rules import rule
from wizard.system.private_files import private_folder, write_whole
from wizard.system.supervisor import NOT_STARTED
from wizard.tunnel_services import CLOUDFLARE
from wizard.tunnels import Offer
from wizard.tunnels.child import NpmProgram, ProxiedTunnel
from wizard.tunnels.local_api import LocalApi

if TYPE_CHECKING:
    from wizard.system.processes import Processes

# npm's package downloads Cloudflare's program at its first start, and passes all arguments on.
# Source: https://github.com/JacobLinCool/node-cloudflared
PROGRAM = NpmProgram("cloudflared", "cloudflared@0.7.3")
DOWNLOAD_SECONDS = 180.0  # 40 MB

NO_CLOUDFLARED = rule("LA370")
TOO_MANY = rule("LA371")
HELD_BACK = rule("LA372")
UNREACHABLE = rule("LA373")
NOT_UP = rule("LA374")
NO_CHOICE = rule("LA375")
NOT_DOWNLOADED = rule("LA384")
INCOMPLETE = rule("LA385")

_METRICS = re.compile(r"Starting metrics server on (\S+?)/metrics")
_CONNECTED = "Registered tunnel connection"
_FORGOTTEN = "Tunnel not found"
_LIMITED = re.compile(r"429 Too Many Requests|error code: 1015")
# Node.js, for a program that is not whole.
_NOT_RUNNABLE = re.compile(r" (?:EACCES|ENOEXEC|ETXTBSY|UNKNOWN)\b")
_NOT_REACHED = re.compile(r"failed to request quick Tunnel|Unable to establish connection")


class CloudflaredTunnel(ProxiedTunnel):
    """A quick tunnel; its URL is lost when its cloudflared ends."""

    name = _program = "cloudflared"
    summary = Message("No account. Good for a test: chat answers arrive all at once.")
    domains = CLOUDFLARE.domains
    no_choice = NO_CHOICE
    findings = (HELD_BACK.finding(),)
    # Every option of cloudflared can come from the environment, another tunnel's token too.
    withheld = rf"{ProxiedTunnel.withheld}|TUNNEL_.*|NO_AUTOUPDATE"
    _metrics = ""
    _is_forgotten = False
    _api: LocalApi

    @staticmethod
    def offer(processes: Processes, _: Mapping[str, str]) -> Offer:
        installed = Message("cloudflared ({program})")
        missing = installed.filled(program=Message("not installed"))
        return PROGRAM.offer(processes, installed, missing)

    def _start(self) -> str:
        self._api = LocalApi()
        try:
            return super()._start()
        except Failure as failure:
            if failure.finding.rule is not INCOMPLETE:
                raise
        self._stop()
        remove = (*PROGRAM.command(self._processes), "bin", "remove")
        self._processes.run(remove, env=self._environ, timeout=DOWNLOAD_SECONDS)
        return super()._start()

    def _command(self) -> Sequence[str]:
        program = PROGRAM.command(self._processes)
        if not program:
            raise NO_CLOUDFLARED.failure()
        if len(program) > 1:
            self.start_seconds = max(self.start_seconds, DOWNLOAD_SECONDS)
            self._progress(PROGRAM.announcement())
        self._progress(Message("Requesting a quick tunnel from Cloudflare"))
        # The user's own configuration file leads to other services.
        configuration = private_folder(self._request.state_dir) / "cloudflared.yml"
        write_whole(configuration, b"{}\n")
        return (
            *(*program, "tunnel", "--no-autoupdate"),
            *("--config", str(configuration)),
            *("--metrics", "127.0.0.1:0"),
            *("--url", f"http://127.0.0.1:{self._inner_port}"),
        )

    def _hear(self, line: str) -> None:
        if found := _METRICS.search(line):
            self._metrics = found[1]
        elif _CONNECTED in line:
            known = self._api.get(self._metrics, "/quicktunnel") if self._metrics else None
            if known and known.get("hostname"):
                self._is_open_at(f"https://{known['hostname']}")
        elif _FORGOTTEN in line:
            self._is_forgotten = True

    def _ended(self) -> str:
        if self._is_forgotten:
            return Message("Cloudflare has closed the quick tunnel")
        return super()._ended()

    def _poll(self) -> None:
        if self._api.get(self._metrics, "/ready") is None:
            self._lose(Message("cloudflared lost its connection to Cloudflare and is reconnecting"))
        else:
            self._regain()

    def explain(self, said: Sequence[str], status: int | None) -> Failure:
        text = " ".join(said)
        detail = next((line for line in reversed(said) if " ERR " in line), " ".join(said[-1:]))
        if _NOT_RUNNABLE.search(text.partition("spawn ")[2]):
            return INCOMPLETE.failure(PROGRAM.package)
        if status == 0 and "Starting metrics server" not in text:
            # npm's package, which reports no error but that of an unknown platform
            return NOT_DOWNLOADED.failure(detail)
        if _LIMITED.search(text):
            return TOO_MANY.failure(detail)
        if _NOT_REACHED.search(text) or (status is None and "Requesting new quick Tunnel" in text):
            return UNREACHABLE.failure(detail)
        if status in {None, NOT_STARTED}:
            return NOT_UP.failure(detail)
        return NOT_UP.failure(Message("{said} (exit status {status})", said=detail, status=status))


PROVIDER = CloudflaredTunnel
