"""ngrok's agent as a witness of a sign-in: its inspector keeps requests and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from wizard.commands.witnesses import Sighting, sighting_of
from wizard.findings import Failure
from wizard.language import Message
from wizard.sign_in_traffic import Passage
from wizard.tunnels.local_api import LocalApi
from wizard.tunnels.ngrok_agent import api_addresses, passages, running_endpoints
from wizard.tunnels.ngrok_config import read


@dataclass(frozen=True, slots=True)
class NgrokWitness:
    """Asks the agents at these addresses of this machine."""

    api: LocalApi
    addresses: Sequence[str]
    reuse: bool

    @property
    def name(self) -> str:
        return Message("ngrok's inspector")

    def is_present(self, since: float) -> bool:
        return any(each.at >= since for each in self._passages())

    def look(self, since: float) -> Sighting:
        return sighting_of(self._passages(), since, reuse=self.reuse)

    def _passages(self) -> list[Passage]:
        found = [each for address in self.addresses for each in passages(self.api, address)]
        return sorted(found, key=lambda each: each.at)


def ngrok_witness(
    environ: Mapping[str, str], port: int, public_url: str, *, reuse: bool
) -> NgrokWitness | None:
    """Return the agent that leads from the public URL to the port, None without one."""
    api, address = LocalApi(), ""
    with suppress(Failure):  # a broken configuration
        address = read(environ).web_address
    leading = running_endpoints(api, port, public_url, api_addresses(address))
    found = list(dict.fromkeys(each.address for each in leading))
    return NgrokWitness(api, found, reuse) if found else None
