"""`trust`: adds the local tunnel's authority to the trust stores, or removes it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wizard.commands.change import Question, consent
from wizard.execution import Result
from wizard.language import Message
from wizard.ports import Ports
from wizard.system.platforms import command_line
from wizard.system.reading import expanded
from wizard.tunnels import trust
from wizard.tunnels.local import TRUST_LATER

RUN_THEM = Question(
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


@dataclass(frozen=True, slots=True)
class TrustOptions:
    """The options; `ca_file` is another authority's certificate."""

    question: Question = RUN_THEM
    remove: bool = False
    ca_file: Path | None = None
    yes: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class TrustResult(Result):
    """The steps that were needed; `ca_file` is None if the authority to remove was never made."""

    ca_file: Path | None
    steps: Sequence[trust.Step]
    done: bool = False


def run_trust(options: TrustOptions, ports: Ports, platform: str = sys.platform) -> TrustResult:
    """Show the commands, ask, and run them."""
    console, processes = ports.console, ports.processes
    ca_file = _ca_file(options, ports)
    if ca_file is None:
        console.done("Nothing to do: the wizard has made no authority on this computer.")
        return TrustResult(None, (), done=True)
    plan = trust.plan(ca_file, processes, ports.environ, platform, trust=not options.remove)
    steps = [step for step in plan if not trust.is_done(step, processes)]
    if not steps:
        nothing = Message("Nothing to do: every store here trusts it ({file}).")
        if options.remove:
            nothing = Message("Nothing to do: no store here has it ({file}).")
        console.done(nothing.filled(file=ca_file))
        _remember(ca_file, options, ports)
        return TrustResult(ca_file, steps, done=True)
    aim = Message("These commands add {file} to the trust stores:")
    if options.remove:
        aim = Message("These commands remove {file} from the trust stores:")
    console.say(aim.filled(file=ca_file))
    for step in steps:
        console.verbatim(step.store, [command_line(each, platform) for each in step.commands])
    if not consent(options.question, ports, yes=options.yes, dry_run=options.dry_run):
        return TrustResult(ca_file, steps)
    try:
        findings = trust.run(steps, processes)
    finally:
        if not options.remove and any(trust.is_done(step, processes) for step in steps):
            ports.changed.append(_IN_STORES.filled(file=ca_file))
    console.finding(*findings)
    if not findings:
        _remember(ca_file, options, ports)
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
        run_trust(TrustOptions(question=TRUST_NOW), ports)


def _remember(ca_file: Path, options: TrustOptions, ports: Ports) -> None:
    if not options.dry_run:
        with suppress(OSError):  # else a hint is shown once more
            trust.remember(ca_file, ports.state_dir, trusted=not options.remove)


def _ca_file(options: TrustOptions, ports: Ports) -> Path | None:
    """The authority's certificate; None if there is nothing to remove."""
    if options.ca_file is not None:
        return ports.cwd / expanded(options.ca_file)
    if options.remove:
        return trust.known_authority(ports.state_dir)
    from wizard.tunnels.certificates import local_authority

    return local_authority(ports.state_dir, ports.processes).ca_file
