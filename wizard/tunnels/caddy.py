"""HTTPS on this machine by the user's Caddy, with a configuration and an authority of its own."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wizard import loopback
from wizard.language import Message
from wizard.platforms import command_line
from wizard.private_files import private_folder, write_whole
from wizard.reading import load_json
from wizard.rules import rule
from wizard.settings import LOOPBACK_HOSTS
from wizard.text import one_line
from wizard.tunnels import EventKind, Offer, Provider, TunnelEvent
from wizard.tunnels.child import ChildTunnel
from wizard.tunnels.local import CANNOT_LISTEN, PORT_TAKEN, local_url, port_taken
from wizard.tunnels.trust import is_remembered

if TYPE_CHECKING:
    from wizard.findings import Failure
    from wizard.processes import Processes

NO_CADDY = rule("LA350")
CADDY_ENDED = rule("LA351")
SILENT_CADDY = rule("LA352")

CERTIFICATE_SECONDS = 15.0
# Errors of Go's `net.Listen` on POSIX systems and on Windows, always in English.
_TAKEN = ("address already in use", "Only one usage of each socket address")
_FORBIDDEN = ("permission denied", "forbidden by its access permissions")
_READY = "serving initial configuration"
_REQUEST = "handled request"


class CaddyTunnel(ChildTunnel):
    """A Caddy beside the user's own: another configuration and storage, and no admin port."""

    _program = "Caddy"
    _domains = LOOPBACK_HOSTS
    _site = ""

    @property
    def root_certificate(self) -> Path:
        """The certificate to trust, which Caddy writes at its first start."""
        return self._folder / "data" / "pki" / "authorities" / "local" / "root.crt"

    @property
    def _folder(self) -> Path:
        return self._request.state_dir / "caddy"

    def _start(self) -> str:
        url = super()._start()
        self._wait_for_certificates(urlsplit(url).port or 443)
        if not is_remembered(self.root_certificate, self._request.state_dir):
            self._progress(
                Message(
                    "Browsers trust it after: librechat-auth0 trust --ca {certificate}",
                    certificate=command_line([str(self.root_certificate)]),
                )
            )
        return url

    def _wait_for_certificates(self, port: int) -> None:
        """Wait: at its first start, Caddy serves before it has made the certificates."""
        names = [("127.0.0.1", "localhost"), *((one, one) for one in loopback.addresses())]
        deadline = time.monotonic() + CERTIFICATE_SECONDS
        while not all(_shakes_hands(address, port, name) for address, name in names):
            if time.monotonic() > deadline or self._ended():
                raise SILENT_CADDY.failure("It made no certificate.")
            time.sleep(0.05)

    def _command(self) -> Sequence[str]:
        from wizard.templates import template

        program = self._processes.which("caddy")
        if program is None:
            raise NO_CADDY.failure()
        self._site = self._url or local_url(self._request)
        port = urlsplit(self._site).port or 443
        addresses = loopback.addresses()
        text = template("Caddyfile.j2").render(
            addresses=addresses,
            port=self._request.port,
            sites=[f"https://{host}:{port}" for host in ("localhost", *map(_in_url, addresses))],
            storage=(self._folder / "data").as_posix(),
        )
        private_folder(self._request.state_dir, self._folder.name)
        configuration = self._folder / "Caddyfile"
        write_whole(configuration, text.encode())
        # Else Caddy saves its configuration and authority in the user's own folders.
        self._environ |= {
            "XDG_CONFIG_HOME": str(self._folder / "config"),
            "XDG_DATA_HOME": str(self._folder / "share"),
        }
        return (str(program), "run", "--config", str(configuration), "--adapter", "caddyfile")

    def _hear(self, line: str) -> None:
        entry = _entry(line)
        if entry.get("msg") == _READY:
            self._is_open_at(self._site)
        elif entry.get("msg") == _REQUEST:
            self._request.on_event(_event(entry))

    def explain(self, said: Sequence[str], status: int | None) -> Failure:
        detail = next((line for line in reversed(said) if not _entry(line)), "")
        if status is None:
            return SILENT_CADDY.failure(detail)
        port = urlsplit(self._site).port or 443
        if any(words in detail for words in _TAKEN):
            return port_taken(port, self._processes)
        if "listen tcp" in detail and any(words in detail for words in _FORBIDDEN):
            return CANNOT_LISTEN.failure(detail)
        return CADDY_ENDED.failure(detail or Message("exit status {status}", status=status))


def _offer(processes: Processes, _: Mapping[str, str]) -> Offer:
    program = processes.which("caddy")
    needs = Message("Caddy (not installed)")
    if program:
        needs = Message(
            "Caddy ({program}), and a browser that is told once to trust its certificate",
            program=program,
        )
    return Offer(ready=program is not None, needs=needs, stable_url=True, public=False)


PROVIDER = Provider(
    "caddy",
    Message("Your Caddy, with a configuration and an authority of ours."),
    LOOPBACK_HOSTS,
    _offer,
    CaddyTunnel,
    url_in_use_rules=(PORT_TAKEN,),
)


def _shakes_hands(address: str, port: int, name: str) -> bool:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only a test for a certificate: nothing is sent
    try:
        with (
            socket.create_connection((address, port), timeout=1) as connection,
            context.wrap_socket(connection, server_hostname=name),
        ):
            return True
    except OSError:
        return False


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _entry(line: str) -> Mapping[str, object]:
    """Parse a line of Caddy's log; {} for any other line."""
    try:
        entry = load_json(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _event(entry: Mapping[str, object]) -> TunnelEvent:
    """Parse a line of the access log; its `duration` is in seconds."""
    asked = entry.get("request")
    asked = asked if isinstance(asked, dict) else {}
    return TunnelEvent(
        EventKind.REQUEST,
        method=one_line(str(asked.get("method", ""))),
        path=one_line(str(asked.get("uri", "")).partition("?")[0]),
        status=int(str(entry.get("status", 0))),
        milliseconds=float(str(entry.get("duration", 0))) * 1000,
    )
