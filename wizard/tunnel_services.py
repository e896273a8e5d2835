"""Public tunnel services: the domains of their URLs, and how they answer for a closed tunnel."""

from typing import TYPE_CHECKING, NamedTuple

from wizard.language import Message
from wizard.rules import rule
from wizard.settings import host_of

if TYPE_CHECKING:
    from wizard.findings import Rule
    from wizard.http import Response


class TunnelService(NamedTuple):
    """A service that gives anyone a host name below its domains."""

    domains: tuple[str, ...]
    closed_text: str = ""  # what its answer for a closed tunnel means, for people
    closed_status: int = 0  # of that answer on its domains, 0 if none proves it
    # A header of that answer, on custom domains too; used instead of the status.
    closed_header: tuple[str, str] | None = None

    def says_closed(self, url: str, response: "Response") -> bool:
        """Whether this answer from the URL proves that its tunnel is closed."""
        if self.closed_header is not None:
            name, value = self.closed_header
            return response.headers.get(name) == value
        is_status = self.closed_status != 0 and response.status == self.closed_status
        return is_status and host_of(url).endswith(self.domains)


_ERROR_CODE = "ngrok-error-code"
NGROK = TunnelService(
    (".ngrok-free.app", ".ngrok-free.dev", ".ngrok.app", ".ngrok.dev", ".ngrok.io"),
    Message("ngrok says that the tunnel is closed (ERR_NGROK_3200)"),
    closed_header=(_ERROR_CODE, "ERR_NGROK_3200"),
)
LOCALTUNNEL = TunnelService(
    (".loca.lt", ".localtunnel.me"),
    Message("localtunnel says that there is no such tunnel (404)"),
    closed_status=404,
)
CLOUDFLARE = TunnelService(
    (".trycloudflare.com",),
    Message("Cloudflare says that the tunnel is closed (530)"),
    closed_status=530,
)
# How a closed dev tunnel answers is not documented.
DEV_TUNNELS = TunnelService((".devtunnels.ms",))
_SERVICES = (NGROK, LOCALTUNNEL, CLOUDFLARE, DEV_TUNNELS)
_OTHER_DOMAINS = (".serveo.net", ".lhr.life", ".app.github.dev")
SHARED_DOMAINS = (*(domain for each in _SERVICES for domain in each.domains), *_OTHER_DOMAINS)


# The rules for ngrok's other error pages, by their code (ngrok's documentation; read, not run).
SUSPENDED = rule("LA339")
SUSPENDED_CODES = (102, 103, 205, 338)
QUOTA_USED_UP = rule("LA343")
TOO_MANY_REQUESTS = rule("LA344")
OTHER_PORT = rule("LA345")
_REFUSALS = {
    **dict.fromkeys(("ERR_NGROK_725", "ERR_NGROK_727"), QUOTA_USED_UP),
    "ERR_NGROK_734": TOO_MANY_REQUESTS,
    **dict.fromkeys(("ERR_NGROK_3004", "ERR_NGROK_8012"), OTHER_PORT),
    **{f"ERR_NGROK_{number}": SUSPENDED for number in SUSPENDED_CODES},
}
REFUSALS = (SUSPENDED, QUOTA_USED_UP, TOO_MANY_REQUESTS, OTHER_PORT)


def refusal_of(response: "Response") -> "tuple[Rule | None, str]":
    """Return the rule for the tunnel service's error page, None without one, and its code."""
    code = response.headers.get(_ERROR_CODE, "")
    return _REFUSALS.get(code), code


def why_closed(url: str, response: "Response") -> str:
    """Return how the answer from this URL proves that its tunnel is closed, or ""."""
    return next((each.closed_text for each in _SERVICES if each.says_closed(url, response)), "")
