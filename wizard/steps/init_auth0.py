"""`init`'s steps in Auth0: set it up by the Management API or by hand, and check it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from wizard import dashboard
from wizard.findings import ExitCode, Failure, Outcome, exit_code_of
from wizard.known import NAMES, Known
from wizard.language import Message, joined
from wizard.librechat.version_gates import Setup, announced
from wizard.ports import Ports
from wizard.settings import is_tenant_domain
from wizard.steps.by_hand import (
    DONE,
    Item,
    api_item,
    application_item,
    open_page,
    url_lines,
    urls_item,
    walk_through,
)
from wizard.steps.choose_access import (
    Credential,
    ask_credential,
    choose_access,
    credential_at_hand,
    tenant_at_hand,
    ways,
)
from wizard.steps.init_progress import AUTH0_SET_UP, Progress, Step
from wizard.steps.prove import check_values
from wizard.steps.questions import (
    AUDIENCES,
    CLIENT_ID,
    CLIENT_SECRET,
    DOMAIN,
    DOMAIN_OF_ANY_APPLICATION,
    SUGGESTED_AUDIENCE,
    Question,
    ask,
    ask_and_check,
    needed,
    passes,
    same_client,
)
from wizard.system.interrupts import is_ctrl_c
from wizard.ui.prompts import Back, Choice, Prompter

if TYPE_CHECKING:
    from wizard.auth0.live_checks import TenantReport

BY_HAND = "hand"
CALLBACK = ("callback-url",)
OTHER = "other"
SECONDS_BETWEEN_CHECKS = 3.0
MOST_CHECKS = 200


def auth0_steps() -> tuple[Step, ...]:
    """Return the steps up to values that the tenant accepts."""

    def asks(progress: Progress) -> bool:
        return not progress.is_proved and bool(_missing(progress))

    return (
        Step(Message("Auth0"), _choose_way, lambda progress: not progress.is_proved),
        Step("", partial(_ask_for, DOMAIN), asks),
        Step("", partial(_ask_for, CLIENT_ID), asks),
        Step("", partial(_ask_for, CLIENT_SECRET), asks),
        Step("", _add_urls, asks),
        Step("", _settle_api, asks),
        Step(Message("Checks"), _prove, lambda progress: not progress.is_proved),
    )


def _missing(progress: Progress) -> list[Question]:
    """Return the questions without an answer."""
    return [each for each in needed(progress.options) if not progress.known.has(each.name)]


# -- by the Management API ------------------------------------------------------------------------


def _choose_way(progress: Progress, ports: Ports) -> Progress:
    """Have the wizard set Auth0 up, unless all is known or the user does it by hand."""
    options, prompter = progress.options, ports.prompter
    if prompter is None or not _missing(progress):
        return _known_without_asking(progress, ports)
    if options.offline or options.public_client or options.dry_run:
        return progress
    return _set_up(progress, prompter, ports, may_be_by_hand=True) or progress


def _known_without_asking(progress: Progress, ports: Ports) -> Progress:
    if progress.options.lists_urls:
        ports.console.say("Add these URLs to your Auth0 application:")
        for label, line in url_lines(progress.known.public_url or "").items():
            ports.console.verbatim(label, [line])
    for question in needed(progress.options):
        progress = progress.keep(ask(question, progress.known, progress.offered, ports), ports)
    ports.console.done(
        "Using the application {client} at {domain}",
        client=progress.known.client_id,
        domain=progress.known.domain,
    )
    return progress


def _set_up(
    progress: Progress, prompter: Prompter, ports: Ports, *, may_be_by_hand: bool = False
) -> Progress | None:
    """Set Auth0 up by the credential at hand, or as the user chooses; None for by hand."""
    at_hand = credential_at_hand(ports)
    kind = at_hand.kind
    while True:
        try:
            used = at_hand if kind == at_hand.kind else ask_credential(kind, prompter, ports)
            if kind and (done := _set_up_by(used, progress, ports)):
                return done
        except Failure as failure:
            if failure.exit_code is ExitCode.INTERRUPTED:
                raise
            ports.console.finding(failure.finding)
        except Back:
            if kind == at_hand.kind:
                raise
        kind = _ask_way(at_hand.kind, prompter, ports, may_be_by_hand=may_be_by_hand)
        if kind == BY_HAND:
            return None


def _ask_way(at_hand: str, prompter: Prompter, ports: Ports, *, may_be_by_hand: bool) -> str:
    by_hand = [Choice(BY_HAND, "by hand in the dashboard, step by step")] if may_be_by_hand else []
    by_api = [
        Choice(way.key, Message("for me, with {way}", way=Message.of(way.label)))
        for way in ways(ports)
    ]
    choices = [*by_api, *by_hand] if at_hand else [*by_hand, *by_api]
    return prompter.select(
        "How do you want to set up Auth0?", choices, default=at_hand or choices[0].key
    )


def _set_up_by(credential: Credential, progress: Progress, ports: Ports) -> Progress | None:
    """Set Auth0 up; return None if the user declined."""
    from wizard.steps.provisioning import set_up_auth0

    offered, reuse_tokens = progress.offered, progress.options.reuse_tokens
    own_domain = tenant_at_hand(credential, ports)
    known = progress.known.or_else(Known(domain=offered.domain or own_domain or None))
    known = ask(DOMAIN_OF_ANY_APPLICATION, known, offered, ports)
    known = known.or_else(Known(client_id=offered.client_id))
    known = known.or_else(Known(client_secret=same_client(known, offered).client_secret))
    if reuse_tokens:
        known = known.or_else(Known(audiences=offered.audiences or (SUGGESTED_AUDIENCE,)))
    own_domain = "" if is_tenant_domain(known.domain or "") else own_domain
    access = choose_access(known.domain or "", credential, ports, own_domain=own_domain)
    env_file, keep = progress.folder.store.path, progress.saved_answers(ports).keep
    done = set_up_auth0(known, env_file, access, ports, keep)
    if done is None:
        return None
    complete, has_changed = done
    if has_changed:
        ports.changed.append(AUTH0_SET_UP)
    return replace(progress, known=complete.or_else(progress.known), is_agreed=has_changed)


# -- by hand --------------------------------------------------------------------------------------


def _ask_for(question: Question, progress: Progress, ports: Ports) -> Progress:
    """Ask for one value, and check it at once."""
    options, known, offered = progress.options, progress.known, progress.offered
    if not question.is_needed(options) or known.has(question.name):
        return progress
    if question is DOMAIN:
        application_item().show(ports)
    if options.offline:
        return progress.keep(ask(question, known, offered, ports), ports)
    known = ask_and_check(question, known, offered, ports, reuse_tokens=options.reuse_tokens)
    return progress.keep(known, ports)


def _add_urls(progress: Progress, ports: Ports) -> Progress:
    """Have the URLs added to the application, unless the tenant has them."""
    known, options = progress.known, progress.options
    is_there = partial(passes, CALLBACK, known, ports, reuse_tokens=options.reuse_tokens)
    item = urls_item(known.public_url or "", known.client_id or "", known.domain or "")
    _walk_until(is_there, item, progress, ports)
    return progress


def _settle_api(progress: Progress, ports: Ports) -> Progress:
    """Have the API created, unless the tenant has it."""
    options, known, offered = progress.options, progress.known, progress.offered
    if not AUDIENCES.is_needed(options) or known.audiences is not None:
        return progress
    wanted = known.having("audiences", offered.audiences or (SUGGESTED_AUDIENCE,))
    is_there = partial(passes, AUDIENCES.checks, wanted, ports, reuse_tokens=options.reuse_tokens)
    item = api_item(wanted.audience or "", known.domain or "")
    if _walk_until(is_there, item, progress, ports, Choice(OTHER, "Use another API")) != OTHER:
        return progress.keep(wanted, ports)
    return _ask_for(AUDIENCES, progress, ports)


def _walk_until(
    is_there: Callable[..., bool], item: Item, progress: Progress, ports: Ports, *more: Choice
) -> str:
    """Walk through the item until the tenant has it, or the user has confirmed it twice."""
    is_offline, prompter = progress.options.offline, ports.prompter
    if prompter is None or (not is_offline and is_there(shows_failure=False)):
        return ""
    item.show(ports)
    answer = walk_through(item, prompter, ports, more)
    if answer == DONE and not is_offline and not is_there():
        answer = walk_through(item, prompter, ports, more, Message("Continue anyway"))
    return answer


# -- checks ---------------------------------------------------------------------------------------


def _prove(progress: Progress, ports: Ports) -> Progress:
    """Check the values against the tenant, until they are right or the user insists."""
    progress = _judge_version(progress, ports)
    if progress.options.offline:
        ports.console.hint("Skipped (--offline).")
        return _unless_refused(progress, ports)
    while True:
        report = check_values(progress.settings, ports)
        progress = replace(progress, report=report)
        if report.ok or ports.prompter is None:
            break
        answer, progress = _what_now(progress, report, ports.prompter, ports)
        if answer in {"write", "stop"}:
            progress = replace(progress, insists=answer == "write")
            break
    return _unless_refused(
        replace(progress, findings=(*progress.findings, *report.findings)), ports
    )


def _judge_version(progress: Progress, ports: Ports) -> Progress:
    """Say what this LibreChat version makes of the setup."""
    findings = tuple(announced(Setup.of(progress.settings, progress.folder.version)))
    ports.console.finding(*findings)
    return replace(progress, findings=(*progress.findings, *findings))


def _what_now(
    progress: Progress, report: TenantReport, prompter: Prompter, ports: Ports
) -> tuple[str, Progress]:
    """Offer to repair what failed; return the answer, and the progress with the repair."""
    failed = [each.check.value for each in report.results if each.outcome is Outcome.FAILED]
    wrong = [each for each in needed(progress.options) if each.checks[0] in failed]
    can_fix = DOMAIN not in wrong and not progress.options.public_client and bool(failed)
    choices = [
        *((Choice("fix", "Fix it in Auth0 for me"),) if can_fix else ()),
        Choice("open", "Open the page in the dashboard"),
        *((Choice("change", _change_only(wrong)),) if wrong else ()),
        Choice("wait", "Wait until it is fixed (checks every few seconds)"),
        Choice("write", "Write the .env anyway"),
        Choice("stop", "Stop"),
    ]
    has_credential = bool(credential_at_hand(ports).kind)
    default = "fix" if can_fix and has_credential else "change" if wrong else "wait"
    while True:
        answer = prompter.select("What now?", choices, default=default)
        try:
            match answer:
                case "fix":
                    fixed = _set_up(_without(wrong, progress), prompter, ports)
                    if fixed is not None:
                        return answer, fixed
                case "change":
                    return answer, _change(wrong, progress, ports)
                case "wait":
                    _wait(progress, ports)
                    return answer, progress
                case "open":
                    open_page(_page(failed, progress), ports)
                case _:
                    return answer, progress
        except Back:
            continue


def repairs(progress: Progress, prompter: Prompter, ports: Ports) -> bool:
    """Offer what may repair a failed sign-in; return whether to test it again."""
    choices = [
        Choice("again", "Test the sign-in again"),
        Choice("fix", "Fix it in Auth0 for me"),
        Choice("open", "Open the page in the dashboard"),
        Choice("continue", "Continue without a proof"),
    ]
    while True:
        try:
            match prompter.select("What now?", choices, default="again"):
                case "again":
                    return True
                case "fix":
                    if _set_up(progress, prompter, ports) is not None:
                        return True
                case "open":
                    open_page(_page([CALLBACK[0]], progress), ports)
                case _:
                    return False
        except Back:
            continue


def _change_only(wrong: list[Question]) -> Message:
    names = joined(", ", (NAMES[each.name] for each in wrong))
    return Message("Change only: {values}", values=names)


def _without(wrong: list[Question], progress: Progress) -> Progress:
    """Return the progress without the wrong values, which a repair must not rely on."""
    known, offered = progress.known, progress.offered
    for question in wrong:
        if question is not AUDIENCES:  # which is created
            known, offered = (each.having(question.name, None) for each in (known, offered))
    if known.client_id is None:
        known, offered = (each.having("client_secret", None) for each in (known, offered))
    return replace(progress, known=known, offered=offered)


def _change(wrong: list[Question], progress: Progress, ports: Ports) -> Progress:
    """Ask for the wrong values only, with those as defaults."""
    before = progress.known
    for question in wrong:
        known = progress.known.having(question.name, None)
        known = ask_and_check(
            question, known, before, ports, reuse_tokens=progress.options.reuse_tokens
        )
        progress = progress.keep(known, ports)
    return progress


def _wait(progress: Progress, ports: Ports) -> None:
    """Check every few seconds until the values are right; Ctrl-C stops waiting."""
    from wizard.auth0.live_checks import check_tenant

    ports.console.hint("It is checked every few seconds. Press Ctrl-C to stop waiting.")
    try:
        with ports.console.working("Waiting until it is fixed"):
            for _ in range(MOST_CHECKS):
                if check_tenant(progress.settings, ports.http, ports.clock).ok:
                    return
                ports.clock.sleep(SECONDS_BETWEEN_CHECKS)
    except KeyboardInterrupt as ending:
        if not is_ctrl_c(ending):
            raise


def _page(failed: list[str], progress: Progress) -> str:
    """Return the page of the first failed check."""
    domain = progress.known.domain or ""
    if not failed or failed[0] in {*DOMAIN.checks, *CLIENT_ID.checks}:
        return dashboard.page("applications", domain)
    if failed[0] in AUDIENCES.checks:
        return dashboard.page("apis", domain)
    return dashboard.application(progress.known.client_id or "", domain=domain)


def _unless_refused(progress: Progress, ports: Ports) -> Progress:
    """End the run if a check found an error, unless the user insists on writing."""
    insists = progress.insists or progress.options.force
    if insists or exit_code_of(progress.findings) is ExitCode.OK:
        return progress
    ports.console.warn("Nothing was written.")
    if ports.prompter is None and progress.options.offline:
        ports.console.hint("Use --force to write anyway.")
    elif ports.prompter is None:
        ports.console.hint("Use --force to write anyway, or --offline to skip the checks.")
    return replace(progress, is_over=True)
