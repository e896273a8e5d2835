"""A public HTTPS URL by Microsoft's dev tunnels: a temporary one, deleted when it is closed.

Sources: https://learn.microsoft.com/azure/developer/dev-tunnels/cli-commands and, for the lines,
https://github.com/microsoft/dev-tunnels/issues/400
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wizard.language import Message
from wizard.rules import rule
from wizard.system.processes import TIMED_OUT
from wizard.tunnel_services import DEV_TUNNELS
from wizard.tunnels import Offer
from wizard.tunnels.child import ProxiedTunnel, exit_text

if TYPE_CHECKING:
    from wizard.findings import Failure
    from wizard.system.processes import Processes

ASK_SECONDS = 1.0

NO_DEVTUNNEL = rule("LA379")
NOT_SIGNED_IN = rule("LA380")
LIMITED = rule("LA381")
NOT_UP = rule("LA382")
NO_CHOICE = rule("LA383")

# Older versions have a second URL, with the port after the host; new ones `Hosting port N at URL`.
_URL = r"https://[a-z0-9-]+-{port}(?:\.[a-z0-9-]+)*\.devtunnels\.ms\b"
_READY = "Ready to accept connections"
_LOST = "Connection to host tunnel relay closed"
_RESTORED = "Connection to host tunnel relay restored"
_SIGNED_IN = re.compile(r'"status"\s*:\s*"Logged in"')
_NO_ACCESS = re.compile(r"Anonymous does not have|Unauthorized|Not authorized")
_LIMIT = re.compile(r"\b429\b|[Rr]ate limit|[Ll]imit.* exceeded|exceeded.* limit")


class DevTunnel(ProxiedTunnel):
    """A temporary dev tunnel; its URL is lost when its `devtunnel host` ends."""

    name = _program = "devtunnel"
    summary = Message(
        "Microsoft's dev tunnels, with a Microsoft or GitHub account; a warning page comes first."
    )
    domains = DEV_TUNNELS.domains
    no_choice = NO_CHOICE
    _found = ""

    @staticmethod
    def offer(processes: Processes, _: Mapping[str, str]) -> Offer:
        program = processes.which("devtunnel")
        if program is None:
            return Offer(False, Message("devtunnel (not installed)"))
        shown = processes.run((str(program), "user", "show", "--json"), timeout=ASK_SECONDS)
        ready = bool(_SIGNED_IN.search(shown.stdout))
        is_silent = shown.status == TIMED_OUT
        missing = Message("does not respond") if is_silent else Message("not signed in")
        needs = Message("devtunnel ({program}), signed in", program=program)
        return Offer(ready, needs, missing="" if ready else missing)

    def _command(self) -> Sequence[str]:
        program = self._find("devtunnel", NO_DEVTUNNEL)
        self._found = ""
        self._progress(Message("Requesting a temporary dev tunnel from Microsoft"))
        port = ("-p", str(self._inner_port), "--protocol", "http")
        return (program, "host", *port, "--allow-anonymous")

    def _hear(self, line: str) -> None:
        if found := re.search(_URL.format(port=self._inner_port), line):
            self._found = found[0]
        elif _READY in line and self._found:
            self._is_open_at(self._found)
            self._regain()
        elif _LOST in line:
            self._lose(Message("devtunnel lost its connection to Microsoft and is reconnecting"))
        elif _RESTORED in line:
            self._regain()

    def explain(self, said: Sequence[str], status: int | None) -> Failure:
        text = " ".join(said)
        for pattern, reason in ((_NO_ACCESS, NOT_SIGNED_IN), (_LIMIT, LIMITED)):
            if pattern.search(text):
                return reason.failure(next(line for line in said if pattern.search(line)))
        return NOT_UP.failure(" ".join(said[-3:]) or exit_text(status))


PROVIDER = DevTunnel
