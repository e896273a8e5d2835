"""What `init` finds out before its first question: the first screen, and whether all is set up."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from wizard.known import Known, known_in
from wizard.language import Message, joined
from wizard.librechat.runner import Way
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import host_of
from wizard.steps.by_hand import open_page
from wizard.steps.choose_access import CLI, credential_at_hand, tenant_at_hand
from wizard.steps.folder import tell_folder
from wizard.steps.init_progress import InitResult, Progress
from wizard.steps.proofs import proof_of
from wizard.steps.questions import needed
from wizard.steps.tunnel_menu import OpenedUrls, tunnel_offers
from wizard.steps.values import read_subject
from wizard.steps.who import doors_left_open
from wizard.system import loopback
from wizard.system.clock import local_time
from wizard.system.surroundings import forwarded_url, is_container, is_over_ssh
from wizard.ui.prompts import Choice, Prompter

NOT_WRITABLE = rule("LA032")
OPEN, SIGN_IN, CHANGE, QUIT = "open", "sign-in", "change", "quit"


def look(progress: Progress, ports: Ports) -> Progress:
    """Show what was found; return the progress with a forwarded URL as a default."""
    tell_folder(progress.folder, progress.findings, ports)
    if not progress.options.dry_run:
        _refuse_read_only(progress.folder.store.target.parent)
    if ports.prompter is None:
        return progress
    console, port, runner = ports.console, progress.port, progress.folder.runner
    if runner.way is not Way.UNKNOWN:
        console.done(runner.because)
    for warning in _warnings(progress, ports):
        console.warn(warning)
    way = _way_to_auth0(ports)
    if way:
        console.done(way)
    console.done(_desk(ports))
    if not progress.options.public_url:
        console.done(_tunnels(ports))
    if not _has_all_values(progress):
        if way:
            console.hint("This takes about 2 minutes.")
        else:
            console.hint("You need an Auth0 account (free). By hand this takes about 10 minutes.")
    url = forwarded_url(ports.environ, port)
    if not url or progress.offered.public_url:
        return progress
    console.done("Port {port} is forwarded from {url}.", port=port, url=url)
    return replace(progress, offered=Known(public_url=url).or_else(progress.offered))


def _has_all_values(progress: Progress) -> bool:
    values = progress.known.or_else(progress.offered)
    return all(values.has(each.name) for each in needed(progress.options))


def _refuse_read_only(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NOT_WRITABLE.failure(str(folder))


def _warnings(progress: Progress, ports: Ports) -> Iterator[Message]:
    """Yield what will stand in the way."""
    from wizard.tunnels.local import DEFAULT_PORT

    options = progress.options
    if not _is_free(progress.port, ports) and not progress.folder.runner.is_known:
        yield Message(
            "Port {port} is in use: by LibreChat, if it already runs.", port=progress.port
        )
    is_local = not options.public_url and options.tunnel in {"", "local"}
    if is_local and not options.requested_url and not _is_free(DEFAULT_PORT, ports):
        yield Message(
            "Port {port} is in use, so the local tunnel takes the next free one"
            " (choose another with --local-port).",
            port=DEFAULT_PORT,
        )
    host = host_of(options.public_url)
    if host and not options.offline and not ports.resolves(host):
        yield Message("{host} has no DNS record that this computer can see.", host=host)


def _is_free(port: int, ports: Ports) -> bool:
    try:
        loopback.close_all(ports.listen(port))
    except OSError:
        return False
    return True


def _way_to_auth0(ports: Ports) -> Message | None:
    """Return what the Management API can be reached with, None if nothing is at hand."""
    credential = credential_at_hand(ports)
    if not credential.kind:
        return None
    tenant = tenant_at_hand(credential, ports)
    if credential.kind == CLI:
        return Message("Auth0: the auth0 CLI is logged in to {tenant}.", tenant=tenant)
    if not tenant:
        return Message("Auth0: a Management API credential in the environment.")
    return Message("Auth0: a Management API credential for {tenant}.", tenant=tenant)


def _desk(ports: Ports) -> Message:
    """Return what of the user's desk is here."""
    parts: Sequence[Message] = [
        *([Message("over SSH")] if is_over_ssh(ports.environ) else []),
        *([Message("in a container")] if is_container(ports.environ) else []),
        Message("browser") if ports.desktop.has_browser() else Message("no browser"),
        Message("clipboard") if ports.desktop.has_clipboard() else Message("no clipboard"),
    ]
    return Message("Detected: {parts}.", parts=joined(", ", parts))


def _tunnels(ports: Ports) -> Message:
    """Return the tunnels that can be opened now, and those whose program lacks something."""
    offers = tunnel_offers(ports)
    ready = [name for name, each in offers.items() if each.ready]
    lacking = [
        Message("{tunnel} ({missing})", tunnel=name, missing=Message.of(each.missing))
        for name, each in offers.items()
        if each.missing
    ]
    return Message("Tunnels: {parts}.", parts=joined(", ", [*ready, *lacking]))


def offer_what_is_set_up(progress: Progress, ports: Ports) -> Progress:
    """Prove a complete `.env` without a question; ask what to do if it is right."""
    options, prompter = progress.options, ports.prompter
    known = known_in(progress.folder.values)
    is_complete = known.public_url and all(known.has(each.name) for each in needed(options))
    if prompter is None or options.offline or not is_complete or _asks_for_more(progress, known):
        return progress
    settings = known.settings(reuse_tokens=options.reuse_tokens)
    if progress.folder.change(settings, progress.port, ports).changes:
        return progress
    from wizard.auth0.live_checks import check_tenant

    with ports.console.working("Checking {host}", host=settings.domain):
        report = check_tenant(settings, ports.http, ports.clock)
    if not report.ok:
        return progress
    path, url = progress.folder.store.path, settings.public_url
    tunnel = OpenedUrls(ports.state_dir, path).tunnel_for(url)
    is_proved = _is_proved(progress, ports)
    ports.console.finding(*doors_left_open(progress.folder, settings, ports))
    answer = _ask(url, prompter, has_tunnel=bool(tunnel), is_proved=is_proved)
    if answer == CHANGE:
        return progress
    if answer == OPEN and not tunnel:
        open_page(url, ports)
    result = InitResult(
        path, settings, report.results, findings=progress.findings, is_up_to_date=True
    )
    return replace(
        progress,
        options=replace(options, tunnel=tunnel, public_url="" if tunnel else url),
        known=known,
        report=report,
        written=result,
        is_proved=True,
        skips_sign_in=answer != SIGN_IN,
        is_over=answer == QUIT or (answer == OPEN and not tunnel),
    )


def _is_proved(progress: Progress, ports: Ports) -> bool:
    """Show whether a sign-in with these settings has worked."""
    subject = read_subject(progress.folder.store, ports)
    proof = proof_of(ports.state_dir, subject)
    if proof is None:
        ports.console.done("Everything is set up. No sign-in has proved it yet.")
        return False
    time = local_time(proof.at)
    ports.console.done("Everything is set up and proved: a sign-in worked at {time}.", time=time)
    return True


def _ask(url: str, prompter: Prompter, *, has_tunnel: bool, is_proved: bool) -> str:
    label = Message("Open the tunnel: {url}") if has_tunnel else Message("Open LibreChat: {url}")
    choices = [
        Choice(OPEN, label.filled(url=url)),
        Choice(SIGN_IN, "Test the sign-in"),
        Choice(CHANGE, "Change something"),
        Choice(QUIT, "Quit"),
    ]
    return prompter.select("What now?", choices, default=OPEN if is_proved else SIGN_IN)


def _asks_for_more(progress: Progress, known: Known) -> bool:
    """Return whether an option asks for something else than the `.env` has."""
    options = progress.options
    other_url = options.public_url not in {"", known.public_url}
    wants = bool(options.tunnel or options.format) or progress.policy is not None
    return other_url or wants or progress.known.or_else(known) != known
