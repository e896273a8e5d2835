"""A public HTTPS URL without an account: npm's localtunnel client."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wizard.language import Message
from wizard.rules import rule
from wizard.settings import InvalidValue, parse_public_url
from wizard.tunnel_services import LOCALTUNNEL
from wizard.tunnels import Offer, TunnelRequest
from wizard.tunnels.child import NpmProgram, ProxiedTunnel, exit_text

if TYPE_CHECKING:
    from wizard.findings import Failure
    from wizard.system.processes import Processes

PROGRAM = NpmProgram("lt", "localtunnel@2.0.2")
PUBLIC_SERVER = "https://localtunnel.me"
SERVER_VARIABLE = "LIBRECHAT_AUTH0_LOCALTUNNEL_HOST"
PASSWORD_PAGE = "https://loca.lt/mytunnelpassword"  # noqa: S105 - a page

NO_CLIENT = rule("LA360")
NO_ANSWER = rule("LA361")
CLIENT_ENDED = rule("LA362")
NAME_TAKEN = rule("LA363")
NOT_A_NAME = rule("LA364")
NO_HTTPS = rule("LA365")

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{2,61}[a-z0-9]\Z")
_READY = re.compile(r"your url is: (https?://\S+)\Z")


class LocaltunnelTunnel(ProxiedTunnel):
    """The localtunnel client, for as long as it runs."""

    name = "localtunnel"
    summary = Message(
        "No account. Visitors first see a reminder page, and traffic from its server to you is not"
        " encrypted."
    )
    domains = LOCALTUNNEL.domains
    lost_url = NAME_TAKEN
    _program = Message("The localtunnel client")
    # Every option of the client can come from the environment (yargs' `env(true)`).
    withheld = (
        rf"{ProxiedTunnel.withheld}|(?i:p|port|h|host|s|subdomain|l|o|open|allow_invalid_cert"
        r"|local_(host|https|cert|key|ca))"
    )

    def __init__(
        self, request: TunnelRequest, processes: Processes, environ: Mapping[str, str]
    ) -> None:
        super().__init__(request, processes, environ)
        self._server = environ.get(SERVER_VARIABLE, PUBLIC_SERVER)
        if self._server != PUBLIC_SERVER:
            self.domains = ()

    @staticmethod
    def offer(processes: Processes, _: Mapping[str, str]) -> Offer:
        installed = Message("its client ({program})")
        return PROGRAM.offer(processes, installed, Message("Node.js (not installed)"))

    def _checked(self, named: str) -> str:
        if not named.startswith("https://"):
            raise NO_HTTPS.failure(named)
        url, asked = super()._checked(named), self._wanted
        if asked and name_of(url) != name_of(asked):
            raise NAME_TAKEN.failure(Message("{url} instead of {wanted}", url=url, wanted=asked))
        if self._server == PUBLIC_SERVER and not self._url:
            self._progress(
                Message(
                    "Each visitor first sees a reminder page, which asks for this computer's public"
                    " IP address: {page}",
                    page=PASSWORD_PAGE,
                )
            )
        return url

    def _command(self) -> Sequence[str]:
        client = PROGRAM.command(self._processes)
        if not client:
            raise NO_CLIENT.failure()
        if len(client) > 1:
            self._progress(PROGRAM.announcement())
        asked = self._wanted
        return (
            *client,
            *("--port", str(self._inner_port)),
            *("--host", self._server),
            *(("--subdomain", name_of(asked)) if asked else ()),
        )

    def _hear(self, line: str) -> None:
        if ready := _READY.match(line):
            self._is_open_at(ready[1])

    def _on_wake(self) -> None:
        self._stop()  # without a heartbeat, it would wait on dead connections for hours

    def explain(self, said: Sequence[str], status: int | None) -> Failure:
        if status is None:
            return NO_ANSWER.failure(Message("{server} returned no URL.", server=self._server))
        error = next((line for line in said if "Error: " in line), "")
        return CLIENT_ENDED.failure(
            error.partition("Error: ")[2] or " ".join(said[-3:]) or exit_text(status)
        )


PROVIDER = LocaltunnelTunnel


def name_of(wanted: str) -> str:
    """Return the requested name from a URL, a host or a name, or raise LA364."""
    text = wanted.strip()
    try:
        host = urlsplit(parse_public_url(text)).hostname if "." in text else text
    except InvalidValue as error:
        raise NOT_A_NAME.failure(error.reason) from None
    name = (host or "").partition(".")[0]
    if not _NAME.match(name):
        raise NOT_A_NAME.failure(wanted)
    return name
