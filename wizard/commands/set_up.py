"""`init` in a folder that is set up already: proves it, and offers what one may want then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from wizard.clock import local_time
from wizard.commands.by_hand import open_page
from wizard.commands.init_progress import InitResult, Progress
from wizard.commands.opened_urls import OpenedUrls
from wizard.commands.proofs import proof_of
from wizard.commands.questions import needed
from wizard.commands.values import read_subject
from wizard.commands.who import doors_left_open
from wizard.known import Known, known_in
from wizard.language import Message
from wizard.ports import Ports
from wizard.ui.prompts import Choice, Prompter

OPEN, SIGN_IN, CHANGE, QUIT = "open", "sign-in", "change", "quit"


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

    with ports.console.working(Message("Checking {host}", host=settings.domain)):
        report = check_tenant(settings, ports.http, ports.clock)
    if not report.ok:
        return progress
    path, url = progress.folder.store.path, settings.public_url
    tunnel = OpenedUrls(ports.state_dir, path).tunnel_for(url)
    is_proved = _is_proved(progress, ports)
    for finding in doors_left_open(progress.folder, settings, ports):
        ports.console.finding(finding)
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
        options=options._replace(tunnel=tunnel, public_url="" if tunnel else url),
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
    time = local_time(datetime.fromtimestamp(proof.at, UTC))
    ports.console.done(
        Message("Everything is set up and proved: a sign-in worked at {time}.", time=time)
    )
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
