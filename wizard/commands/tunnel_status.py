"""`tunnel status` and `tunnel stop`, for tunnels in the background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wizard.execution import Result
from wizard.findings import Finding
from wizard.language import Message
from wizard.ports import Ports
from wizard.rules import rule
from wizard.steps.background.records import Background, BackgroundTunnel
from wizard.system.clock import duration
from wizard.system.platforms import command_line

GONE = rule("LA326")
BROKEN_RECORD = rule("LA377")
LOG_STOPPED = rule("LA391")


@dataclass(frozen=True, slots=True)
class BackgroundResult(Result):
    """The background tunnels that were found or stopped."""

    tunnels: Sequence[BackgroundTunnel]


def run_status(ports: Ports) -> BackgroundResult:
    """Show the background tunnels; one that has ended is shown once."""
    background, console = Background(ports.state_dir), ports.console
    running, findings = [], []
    for one in background.all():
        if one.runs:
            running.append(one)
            console.done(
                "{url} leads to port {port} ({tunnel}, open for {time})",
                url=one.url,
                port=one.port,
                tunnel=one.tunnel,
                time=duration(ports.clock.now() - one.opened_at),
            )
            if one.trouble:
                trouble = Message.of(one.trouble)
                console.warn("It is down: {reason}", reason=trouble)
            console.hint("{env_file}, process {pid}", env_file=one.env_file, pid=one.pid)
            log_file = background.log_file(Path(one.env_file))
            console.hint("Request log: {file}", file=log_file)
            if background.log_has_stopped(Path(one.env_file)):
                findings.append(LOG_STOPPED.finding(str(log_file)))
                console.finding(findings[-1])
        else:
            background.forget(one)
            findings.append(GONE.finding(_which_has_gone(one)))
            console.finding(findings[-1])
    if not running:
        console.say("No tunnel runs in the background.")
        console.hint("Start one with librechat-auth0 tunnel --detach.")
    return BackgroundResult(running, findings=[*findings, *_broken_records(background, ports)])


def run_stop(env_file: Path | None, ports: Ports, *, every: bool = False) -> BackgroundResult:
    """Stop the tunnel of that `.env`, or every one; raise LA322."""
    from wizard.steps.values import env_store

    background, console = Background(ports.state_dir), ports.console
    path = env_store(env_file, ports).path
    known = background.all() if every else list(filter(None, (background.of(path),)))
    stopped = []
    for one in known:
        if not one.runs:
            background.forget(one)
            continue
        with console.working("Closing {url}", url=one.url):
            background.stop(one)
        console.done("{url} is closed.", url=one.url)
        stopped.append(one)
    if not stopped:
        none = Message("No tunnel runs in the background for {file}.", file=path)
        console.say("No tunnel runs in the background." if every else none)
        for one in background.all():
            console.hint(
                "To stop {url}: librechat-auth0 tunnel stop --env-file {env_file}",
                url=one.url,
                env_file=command_line([one.env_file]),
            )
    return BackgroundResult(stopped, findings=_broken_records(background, ports))


def _broken_records(background: Background, ports: Ports) -> list[Finding]:
    """Show the invalid records, until the user deletes them."""
    found = [BROKEN_RECORD.finding(str(path)) for path in background.broken()]
    ports.console.finding(*found)
    return found


def _which_has_gone(one: BackgroundTunnel) -> Message:
    if not one.trouble:
        return Message("{url} for {env_file}.", url=one.url, env_file=one.env_file)
    return Message(
        "{url} for {env_file}: {reason}.",
        url=one.url,
        env_file=one.env_file,
        reason=Message.of(one.trouble),
    )
