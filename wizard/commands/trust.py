"""`trust`: adds the local tunnel's authority to the trust stores, or removes it."""

import sys
from pathlib import Path
from typing import NamedTuple

from wizard.ports import Ports
from wizard.steps.trust_stores import StoreChange, TrustResult, change_stores
from wizard.system.reading import expanded
from wizard.tunnels.trust import known_authority


class TrustOptions(NamedTuple):
    """The options; `ca_file` is another authority's certificate."""

    remove: bool = False
    ca_file: Path | None = None
    yes: bool = False
    dry_run: bool = False


def run_trust(options: TrustOptions, ports: Ports, platform: str = sys.platform) -> TrustResult:
    """Show the commands, ask, and run them."""
    ca_file = _ca_file(options, ports)
    if ca_file is None:
        ports.console.done(
            "Nothing to do: the wizard has created no certificate authority on this computer."
        )
        return TrustResult(None, (), done=True)
    change = StoreChange(ca_file, remove=options.remove, yes=options.yes, dry_run=options.dry_run)
    return change_stores(change, ports, platform)


def _ca_file(options: TrustOptions, ports: Ports) -> Path | None:
    """The authority's certificate; None if there is nothing to remove."""
    if options.ca_file is not None:
        return ports.cwd / expanded(options.ca_file)
    if options.remove:
        return known_authority(ports.state_dir)
    from wizard.tunnels.certificates import local_authority

    return local_authority(ports.state_dir, ports.processes).ca_file
