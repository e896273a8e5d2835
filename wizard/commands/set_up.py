"""`init` in a folder that is set up already: proves it, and offers what one may want then."""

from __future__ import annotations

from dataclasses import replace

from wizard.commands.init_progress import InitResult, Progress
from wizard.commands.opened_urls import OpenedUrls
from wizard.commands.questions import needed
from wizard.known import Known, known_in
from wizard.language import Message
from wizard.ports import Ports
from wizard.ui.prompts import Choice


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
    console, url = ports.console, settings.public_url
    console.done("Everything is set up and proved.")
    tunnel = OpenedUrls(ports.state_dir, progress.folder.store.path).tunnel_for(url)
    choices = [
        *((Choice("tunnel", Message("Open the tunnel: {url}", url=url)),) if tunnel else ()),
        Choice("sign-in", "Test the sign-in"),
        Choice("change", "Change something"),
        Choice("quit", "Quit"),
    ]
    answer = prompter.select("What now?", choices, default=choices[0].key)
    if answer == "change":
        return progress
    path = progress.folder.store.path
    result = InitResult(path, settings, progress.findings, report.results, is_up_to_date=True)
    return replace(
        progress,
        options=replace(options, tunnel=tunnel, public_url="" if tunnel else url),
        known=known,
        report=report,
        written=result,
        is_proved=True,
        skips_sign_in=answer != "sign-in",
        is_over=answer == "quit",
    )


def _asks_for_more(progress: Progress, known: Known) -> bool:
    """Return whether an option asks for something else than the `.env` has."""
    options = progress.options
    other_url = options.public_url not in {"", known.public_url}
    wants = bool(options.tunnel) or progress.policy is not None
    return other_url or wants or progress.known.or_else(known) != known
