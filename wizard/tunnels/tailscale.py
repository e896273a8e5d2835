"""A public HTTPS URL of this computer: Tailscale Funnel.

The command runs in the foreground: tailscaled drops the configuration of such a session when its
connection ends, so nothing stays public, however we end.

Source: https://github.com/tailscale/tailscale (cmd/tailscale/cli/serve_v2.go, ipn/ipnlocal)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wizard.language import Message
from wizard.rules import rule
from wizard.settings import InvalidValue, parse_public_url
from wizard.system.reading import json_object
from wizard.tunnels import Offer
from wizard.tunnels.child import ProxiedTunnel, exit_text

if TYPE_CHECKING:
    from wizard.findings import Failure
    from wizard.system.processes import Processes

LOOK_SECONDS, ASK_SECONDS = 1.0, 15.0
CONSENT_SECONDS = 300.0
PORTS = (443, 8443, 10000)

NO_TAILSCALE = rule("LA353")
NOT_CONNECTED = rule("LA354")
FUNNEL_IS_OFF = rule("LA355")
NOT_ALLOWED = rule("LA356")
PORT_IN_USE = rule("LA357")
NOT_OURS = rule("LA358")
NOT_UP = rule("LA359")

_AVAILABLE = "Available on the internet:"
_URL = re.compile(r"https://\S+\Z")
_CONSENT_PAGE = re.compile(r"https://login\.tailscale\.com/\S+")
_REASONS = {
    "Access denied": NOT_ALLOWED,
    "listener already exists": PORT_IN_USE,
    "Funnel not available": FUNNEL_IS_OFF,
}
# The node attributes that `tailscale funnel` looks for (ipn/serve.go, NodeCanFunnel).
_NEEDED = {"https", "funnel"}


class TailscaleTunnel(ProxiedTunnel):
    """Funnel for as long as its command runs; the URL is the computer's name in its tailnet."""

    name, _program = "tailscale", "Tailscale"
    summary = Message("Tailscale Funnel, with your own tailnet's name and certificate.")
    domains = (".ts.net",)  # each tailnet has its own name below it, so it is not a shared domain
    has_stable_url = True
    lost_url = NOT_OURS
    url_in_use = PORT_IN_USE
    _is_announced = False

    @staticmethod
    def offer(processes: Processes, _: Mapping[str, str]) -> Offer:
        program = processes.which("tailscale")
        if program is None:
            return Offer(False, Message("Tailscale (not installed)"))
        node = _Node(program, processes, LOOK_SECONDS)
        missing: Message | str = ""
        if not node.is_connected:
            missing = Message("not connected")
        elif not node.has_funnel:
            missing = Message("Funnel is off")
        needs = Message("Tailscale ({program}), connected, with Funnel on", program=program)
        return Offer(not missing, needs, missing=missing)

    def _command(self) -> Sequence[str]:
        program = self._find("tailscale", NO_TAILSCALE)
        node = _Node(program, self._processes, ASK_SECONDS)
        if not node.is_connected:
            raise NOT_CONNECTED.failure(node.state)
        if not node.has_funnel and self._request.for_people:
            # The command shows a page to turn it on, and waits.
            self.start_seconds = max(self.start_seconds, CONSENT_SECONDS)
        self._is_announced = False
        self._progress(Message("Turning on Tailscale Funnel"))
        port = self._port(node)
        return (program, "funnel", f"--https={port}", f"http://127.0.0.1:{self._inner_port}")

    def _port(self, node: _Node) -> int:
        """Return the public port: that of the requested URL, or one that nothing else uses."""
        wanted = self._wanted
        if not wanted:
            used = node.used_ports()
            return next((port for port in PORTS if port not in used), PORTS[0])
        try:
            parts = urlsplit(parse_public_url(wanted))
        except InvalidValue as error:
            raise NOT_OURS.failure(error.reason) from None
        port = parts.port or PORTS[0]
        if parts.hostname != node.host or port not in PORTS:
            raise NOT_OURS.failure(Message("{url} instead of {host}", url=wanted, host=node.host))
        return port

    def _hear(self, line: str) -> None:
        if line == _AVAILABLE:
            self._is_announced = True
        elif not _URL.match(line):
            return
        elif self._is_announced:
            self._is_open_at(line)
        elif _CONSENT_PAGE.match(line):
            self._progress(Message("Turn on Funnel for your tailnet: {page}", page=line))

    def explain(self, said: Sequence[str], status: int | None) -> Failure:
        for words, reason in _REASONS.items():
            if line := next((line for line in said if words in line), ""):
                return reason.failure(line)
        text = " ".join(said[-3:])
        if page := _CONSENT_PAGE.search(" ".join(said)):
            fix = Message("Open {page}, then run the command again.", page=page[0])
            return FUNNEL_IS_OFF.failure(fix=fix)
        return NOT_UP.failure(text or exit_text(status))


class _Node:
    """What tailscaled reports about this computer."""

    def __init__(self, program: Path | str, processes: Processes, seconds: float) -> None:
        self._program, self._processes, self._seconds = program, processes, seconds
        status = self._ask("status", "--json", "--peers=false")
        own = _mapping(status.get("Self"))
        self.state = str(status.get("BackendState", Message("tailscaled does not respond")))
        self.host = str(own.get("DNSName", "")).rstrip(".").lower()
        self.has_funnel = _mapping(own.get("CapMap")).keys() >= _NEEDED

    @property
    def is_connected(self) -> bool:
        return self.state == "Running" and bool(self.host)

    def used_ports(self) -> set[int]:
        """Return the ports that the user's own `tailscale serve` and `funnel` use."""
        config = self._ask("funnel", "status", "--json")
        sessions = _mapping(config.get("Foreground")).values()
        used = [_mapping(_mapping(each).get("TCP")) for each in (config, *sessions)]
        return {int(port) for ports in used for port in ports if port.isdigit()}

    def _ask(self, *args: str) -> Mapping[str, object]:
        done = self._processes.run((str(self._program), *args), timeout=self._seconds)
        return json_object(done.stdout)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


PROVIDER = TailscaleTunnel
