"""Has the trust stores trust an authority, or no longer: shows the commands, asks, runs them."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wizard.execution import Result
from wizard.language import Message
from wizard.ports import Ports
from wizard.steps.change import Confirmation, consent
from wizard.system.platforms import command_line
from wizard.tunnels import trust
from wizard.tunnels.local import TRUST_LATER

RUN_THEM = Confirmation(
    text=Message("Run these commands?"),
    declined=Message("Nothing was run."),
    dry_run=Message("Dry run: nothing was run."),
    fix=Message("Add --yes to run these commands."),
)
TRUST_NOW = RUN_THEM._replace(
    text=Message("Run them, so that browsers show no warning?"), declined=TRUST_LATER
)

_IN_STORES = Message(
    "{file} was added to the trust stores; librechat-auth0 trust --remove removes it."
)


class StoreChange(NamedTuple):
    """What the stores are to do with the authority of that certificate."""

    ca_file: Path
    remove: bool = False
    question: Confirmation = RUN_THEM
    yes: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class TrustResult(Result):
    """The steps that were needed; `ca_file` is None if the authority to remove was never made."""

    ca_file: Path | None
    steps: Sequence[trust.Step]
    done: bool = False


def change_stores(change: StoreChange, ports: Ports, platform: str = sys.platform) -> TrustResult:
    """Show the commands that are needed, ask, and run them."""
    console, processes, ca_file = ports.console, ports.processes, change.ca_file
    plan = trust.plan(ca_file, processes, ports.environ, platform, trust=not change.remove)
    steps = [step for step in plan if not trust.is_done(step, processes)]
    if not steps:
        nothing = Message("Nothing to do: every store here trusts it ({file}).")
        if change.remove:
            nothing = Message("Nothing to do: no store here has it ({file}).")
        console.done(nothing.filled(file=ca_file))
        _remember(change, ports)
        return TrustResult(ca_file, steps, done=True)
    aim = Message("These commands add {file} to the trust stores:")
    if change.remove:
        aim = Message("These commands remove {file} from the trust stores:")
    console.say(aim.filled(file=ca_file))
    for step in steps:
        console.verbatim(step.store, [command_line(each, platform) for each in step.commands])
    if not consent(change.question, ports, yes=change.yes, dry_run=change.dry_run):
        return TrustResult(ca_file, steps)
    try:
        findings = trust.run(steps, processes)
    finally:
        if not change.remove and any(trust.is_done(step, processes) for step in steps):
            ports.changed.append(_IN_STORES.filled(file=ca_file))
    console.finding(*findings)
    if not findings:
        _remember(change, ports)
        console.done("Done. Restart open browsers to apply it.")
    return TrustResult(ca_file, steps, findings=findings, done=True)


def offer_trust(ports: Ports) -> None:
    """Offer to trust the local tunnel's authority, unless that was done before."""
    from wizard.tunnels.certificates import local_authority

    authority = local_authority(ports.state_dir, ports.processes)
    if authority.mkcert or trust.is_remembered(authority.ca_file, ports.state_dir):
        return
    plan = trust.plan(authority.ca_file, ports.processes, ports.environ, sys.platform, trust=True)
    if any(step.tool for step in plan):  # then `trust` shows what to install
        ports.console.hint(TRUST_LATER)
    else:
        change_stores(StoreChange(authority.ca_file, question=TRUST_NOW), ports)


def _remember(change: StoreChange, ports: Ports) -> None:
    if not change.dry_run:
        with suppress(OSError):  # else a hint is shown once more
            trust.remember(change.ca_file, ports.state_dir, trusted=not change.remove)
