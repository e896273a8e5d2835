"""HTTPS on this machine by the user's Caddy, with our configuration and certificate."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wizard.findings import Failure
from wizard.language import Message
from wizard.rules import rule
from wizard.settings import LOOPBACK_HOSTS
from wizard.system import loopback
from wizard.system.private_files import private_folder, write_whole
from wizard.system.reading import json_object
from wizard.tunnels import Offer
from wizard.tunnels.child import ProxiedTunnel, exit_text
from wizard.tunnels.local import (
    CANNOT_LISTEN,
    PORT_TAKEN,
    advise_trust,
    local_urls,
    port_of,
    port_taken,
)

if TYPE_CHECKING:
    from wizard.system.processes import Processes
    from wizard.tunnels.certificates import Authority

NO_CADDY = rule("LA350")
CADDY_ENDED = rule("LA351")
SILENT_CADDY = rule("LA352")

RESTART_SECONDS = 20 * 24 * 3600.0  # at a start, the certificate is valid for 30 days or more
# Errors of Go's `net.Listen` on POSIX systems and on Windows, always in English.
_TAKEN = ("address already in use", "Only one usage of each socket address")
_FORBIDDEN = ("permission denied", "forbidden by its access permissions")
_READY = "serving initial configuration"


class CaddyTunnel(ProxiedTunnel):
    """A Caddy beside the user's own: another configuration and storage, and no admin port."""

    name, _program = "caddy", "Caddy"
    summary = Message("Your own Caddy, with a separate configuration.")
    domains = LOOPBACK_HOSTS
    is_public, has_stable_url = False, True
    lost_url = url_in_use = PORT_TAKEN
    _site = ""
    _restart_at = 0.0
    _authority: Authority

    @staticmethod
    def offer(processes: Processes, _: Mapping[str, str]) -> Offer:
        program = processes.which("caddy")
        needs = Message("Caddy (not installed)")
        if program:
            needs = Message(
                "Caddy ({program}), and browsers that trust its certificate (librechat-auth0"
                " trust)",
                program=program,
            )
        return Offer(program is not None, needs)

    def _start(self) -> str:
        """Start Caddy at the first port that is free; another program may still come first."""
        sites = [self._url] if self._url else local_urls(self._request)
        taken: list[Failure] = []
        for self._site in sites:
            if len(sites) > 1 and not loopback.is_free(port_of(self._site)):
                continue
            try:
                url = super()._start()
            except Failure as failure:
                if failure.finding.rule != PORT_TAKEN:
                    raise
                taken.append(failure)
                self._stop()
            else:
                advise_trust(self._authority, self._request, self._progress)
                return url
        raise taken[0] if taken else port_taken(port_of(sites[0]), self._processes)

    def _command(self) -> Sequence[str]:
        from wizard.templates import template
        from wizard.tunnels.certificates import local_authority

        program = self._find("caddy", NO_CADDY)
        authority = self._authority = local_authority(self._request.state_dir, self._processes)
        self._restart_at = time.monotonic() + RESTART_SECONDS
        port = port_of(self._site)
        addresses = loopback.addresses()
        hosts = ("localhost", *(f"[{it}]" if ":" in it else it for it in addresses))
        text = template("Caddyfile.j2").render(
            addresses=addresses,
            port=self._inner_port,
            sites=[f"https://{host}:{port}" for host in hosts],
            certificate=authority.certificate_file.as_posix(),
        )
        folder = private_folder(self._request.state_dir, "caddy")
        configuration = folder / "Caddyfile"
        write_whole(configuration, text.encode())
        # Else Caddy writes to the user's own folders.
        self._environ |= dict.fromkeys(("XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(folder))
        return (program, "run", "--config", str(configuration), "--adapter", "caddyfile")

    def _poll(self) -> None:
        if time.monotonic() > self._restart_at:
            self._stop()  # it is started again with a renewed certificate

    def _hear(self, line: str) -> None:
        if json_object(line).get("msg") == _READY:
            self._is_open_at(self._site)

    def explain(self, said: Sequence[str], status: int | None) -> Failure:
        detail = next((line for line in reversed(said) if not json_object(line)), "")
        if status is None:
            return SILENT_CADDY.failure(detail)
        port = port_of(self._site)
        if any(words in detail for words in _TAKEN):
            return port_taken(port, self._processes)
        if "listen tcp" in detail and any(words in detail for words in _FORBIDDEN):
            return CANNOT_LISTEN.failure(detail)
        return CADDY_ENDED.failure(detail or exit_text(status))


PROVIDER = CaddyTunnel
