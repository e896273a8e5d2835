"""Our own tunnels as witnesses of a sign-in: each saves what passes, whatever process it is in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wizard.commands.witnesses import Sighting, sighting_of
from wizard.language import Message
from wizard.sign_in_traffic import recorded


@dataclass(frozen=True, slots=True)
class ProxyWitness:
    """Reads what tunnels to this port saved."""

    state_dir: Path
    port: int
    reuse: bool

    @property
    def name(self) -> str:
        return Message("the tunnel")

    def is_present(self, since: float) -> bool:
        return any(each.at >= since for each in recorded(self.state_dir, self.port))

    def look(self, since: float) -> Sighting:
        return sighting_of(recorded(self.state_dir, self.port), since, reuse=self.reuse)
