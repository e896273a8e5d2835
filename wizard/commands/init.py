"""`init`: from a LibreChat folder to a complete `.env` and an open HTTPS tunnel to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.execution import INTERRUPTED, Report
from wizard.findings import ExitCode, Failure, Finding, exit_code_of
from wizard.known import NAMES, Known, known_in
from wizard.language import Message, joined, sentences
from wizard.librechat.env_file import removed_lines
from wizard.ports import Ports
from wizard.rules import LIBRECHAT_HOLDS_PORT
from wizard.steps.change import Confirmation, Written, change_env, save, show, show_restart
from wizard.steps.choose_tunnel import named_tunnel, open_tunnel
from wizard.steps.folder import Folder, find_folder
from wizard.steps.init_auth0 import auth0_steps, repairs
from wizard.steps.init_progress import InitResult, Progress, Step, walk
from wizard.steps.live_view import keep_open
from wizard.steps.look import look, offer_what_is_set_up
from wizard.steps.options import InitOptions
from wizard.steps.prove import SIGN_IN_WORKS, after_sign_in, exchange_for, sign_in
from wizard.steps.questions import PUBLIC_URL, given_values, needed, parsed, require_everything
from wizard.steps.tunnel_menu import OpenedUrls, TunnelOptions
from wizard.steps.values import librechat_port, read_subject
from wizard.steps.who import ask_steps, close_doors
from wizard.system.interrupts import is_ctrl_c

if TYPE_CHECKING:
    from wizard.auth0.live_checks import TenantReport


def run_init(
    options: InitOptions, ports: Ports, report: Report, env_file: Path | None = None
) -> InitResult:
    """Set LibreChat up, report the result, then keep the tunnel open."""
    with ExitStack() as stack:
        progress = _begin(options, env_file, ports)
        try:
            for after in walk(_steps(stack, report), progress, ports):
                progress = after
        except KeyboardInterrupt:
            if ports.last_words or progress.is_reported:
                raise
            raise INTERRUPTED.failure(_what_was_done(ports)) from None
        return progress.result


def _steps(stack: ExitStack, report: Report) -> Sequence[Step]:
    """Return the steps in their order; the stack closes the tunnel."""

    def is_open(progress: Progress) -> bool:
        return not progress.is_proved

    def writes_env(progress: Progress) -> bool:
        return is_open(progress) and not progress.options.format

    def writes_output(progress: Progress) -> bool:
        return bool(progress.options.format)

    return (
        Step(Message("LibreChat"), partial(_look_at_folder, stack)),
        Step("", offer_what_is_set_up),
        Step(Message("HTTPS URL"), partial(_open_tunnel, stack)),
        *auth0_steps(),
        *ask_steps(),
        Step(Message("The .env"), _write, writes_env, is_final=True),
        Step(Message("The values"), _write_output, writes_output, is_final=True),
        Step("", close_doors, is_open),
        Step("", _prove_sign_in),
        Step("", partial(_report, report), is_final=True, is_closing=True),
        Step("", _keep_open, _holds, is_closing=True),
    )


def _begin(options: InitOptions, env_file: Path | None, ports: Ports) -> Progress:
    """Read the options and the `.env`."""
    known, policy = given_values(options), options.policy
    named_tunnel(options.tunnel)
    if options.public_url:
        known = parsed(PUBLIC_URL, options.public_url, known)
    folder = find_folder(env_file, ports)
    values = folder.values
    port = librechat_port(options.port, values)
    options, remarks = options.settled(folder.version)
    findings = (*folder.findings, *remarks)
    return Progress(options, folder, port, known, known_in(values), findings, policy=policy)


def _look_at_folder(stack: ExitStack, progress: Progress, ports: Ports) -> Progress:
    stack.close()  # a tunnel, when the user came back to this step: its port is free
    progress = _resumed(look(progress, ports), ports)
    if ports.prompter is None:
        require_everything(progress.options, progress.known, progress.offered)
    return progress


def _resumed(progress: Progress, ports: Ports) -> Progress:
    """Take over the answers of an interrupted run if the user wants to resume it."""
    saved = progress.saved_answers(ports)
    answers = saved.load()
    if answers == Known() or ports.prompter is None:
        return progress
    url = answers.public_url or ""
    if answers == Known(public_url=answers.public_url):
        return replace(progress, offered=answers.or_else(progress.offered))
    known = progress.known.or_else(answers._replace(public_url=None))
    missing = [NAMES[each.name] for each in needed(progress.options) if not known.has(each.name)]
    shown = ", ".join(filter(None, (url, answers.domain, answers.client_id)))
    ports.console.say("Found an unfinished setup: {answers}", answers=shown)
    rest = joined(", ", (*missing, Message("checks"), Message("the .env")))
    ports.console.say("Still to do: {rest}", rest=rest)
    if not ports.prompter.confirm("Resume it?"):
        saved.forget()
        return progress
    options = progress.options
    if url and not (options.tunnel or options.public_url):
        tunnel = OpenedUrls(ports.state_dir, progress.folder.store.path).tunnel_for(url)
        options = replace(options, tunnel=tunnel, public_url="" if tunnel else url)
    return replace(
        progress, options=options, known=known, offered=answers.or_else(progress.offered)
    )


def _open_tunnel(stack: ExitStack, progress: Progress, ports: Ports) -> Progress:
    stack.close()  # when the user came back to this step
    options = progress.options
    request = TunnelOptions(
        port=progress.port,
        env_file=progress.folder.store.path,
        tunnel=options.tunnel,
        public_url=options.public_url,
        requested_url=options.requested_url,
        known_url=progress.offered.public_url or "",
        for_people=options.hold,
    )
    tunnel = stack.enter_context(open_tunnel(request, ports))
    progress = progress.keep(progress.known._replace(public_url=tunnel.url), ports)
    return replace(progress, tunnel=tunnel, findings=(*progress.findings, *tunnel.findings))


def _write(progress: Progress, ports: Ports) -> Progress:
    """Show the change of the `.env` and save it."""
    folder, options = progress.folder, progress.options
    change = folder.change(progress.settings, progress.port, ports, progress.variables)
    progress = replace(progress, findings=(*progress.findings, *change.findings))
    is_agreed = progress.is_agreed and not removed_lines(change.changes)
    if change.changes and is_agreed:
        show(change, ports)
        saved = save(change, ports)
    elif change.changes:
        saved = change_env(change, Confirmation(), ports, yes=True, dry_run=options.dry_run)
    else:
        saved = Written()
        ports.console.done("{file} is already up to date.", file=folder.store.path)
    is_up_to_date = saved.done or not change.changes
    if is_up_to_date:
        progress.saved_answers(ports).forget()
    result = replace(
        progress.result,
        changed=change.names,
        backup=saved.backup,
        written=saved.done,
        is_up_to_date=is_up_to_date,
    )
    return replace(progress, written=result)


def _write_output(progress: Progress, ports: Ports) -> Progress:
    """Write the values of the `.env` in another form."""
    from wizard.steps.output import write_output

    options, folder = progress.options, progress.folder
    change = folder.change(progress.settings, progress.port, ports, progress.variables)
    path, names = write_output(options, change, folder.runner.service or "api", ports)
    if names:
        progress.saved_answers(ports).forget()
    result = replace(progress.result, env_file=path, changed=names, written=bool(names))
    return replace(progress, written=result)


def _prove_sign_in(progress: Progress, ports: Ports) -> Progress:
    """Prove the written file by a real sign-in if the user wants one, again after a failed one."""
    result, report = progress.result, progress.report
    if not (result.is_up_to_date and report and report.ok and _wants_sign_in(progress, ports)):
        return progress
    while True:
        done = _signed_in(progress, report, ports)
        has_failed = exit_code_of(done.findings[len(result.findings) :]) is not ExitCode.OK
        if not (has_failed and ports.prompter and repairs(progress, ports.prompter, ports)):
            return replace(progress, written=done)


def _signed_in(progress: Progress, report: TenantReport, ports: Ports) -> InitResult:
    """Run a sign-in; where a person may be waiting for it, Ctrl-C skips it."""
    result, seconds = progress.result, progress.options.seconds_to_sign_in
    store = progress.folder.store
    subject = read_subject(store, ports)
    try:
        try:
            exchange = exchange_for(subject, result.settings, report, ports)
            judgement = sign_in(exchange, ports, progress.port, seconds=seconds)
        except Failure as failure:
            findings = _through_librechat(progress, ports, failure)
            return replace(result, findings=(*result.findings, *findings))
    except KeyboardInterrupt as ending:
        can_skip = ports.prompter is not None or progress.options.can_skip
        if not can_skip or not is_ctrl_c(ending):
            raise
        ports.console.say("The test sign-in was skipped.")
        return result
    after_sign_in(judgement, subject, store, ports, yes=True)
    return replace(result, findings=(*result.findings, *judgement.findings), sign_in=judgement)


def _through_librechat(progress: Progress, ports: Ports, failure: Failure) -> Sequence[Finding]:
    """Prove the sign-in through the LibreChat that holds the port; show any other failure."""
    if failure.finding.rule is not LIBRECHAT_HOLDS_PORT:
        ports.console.finding(failure.finding)
        return (failure.finding,)
    from wizard.steps.through_librechat import prove_through_librechat

    store = progress.folder.store
    if progress.result.written and ports.prompter is not None:
        show_restart(progress.folder.runner, ports)
        if not ports.prompter.confirm("Have you restarted LibreChat?"):
            return ()
    subject = read_subject(store, ports)
    seconds = progress.options.seconds_to_sign_in
    return prove_through_librechat(subject, ports, progress.port, seconds).findings


def _report(report: Report, progress: Progress, _: Ports) -> Progress:
    report(progress.result)
    return replace(progress, is_reported=True)


def _holds(progress: Progress) -> bool:
    options = progress.options
    is_wanted = options.hold and not options.dry_run and progress.result.is_up_to_date
    return is_wanted and progress.tunnel is not None


def _keep_open(progress: Progress, ports: Ports) -> Progress:
    if progress.tunnel is not None:
        _show_next_steps(progress.folder, progress.result, ports)
        keep_open(progress.tunnel, ports, _signs_in(progress, ports))
    return progress


def _signs_in(progress: Progress, ports: Ports) -> Callable[[], None] | None:
    """Return what tests a sign-in again, None where the values were not checked."""
    report = progress.report
    if report is None or not report.ok:
        return None

    def again() -> None:
        ports.console.hint("Press Ctrl-C to skip it.")
        judgement = _signed_in(replace(progress, written=first), report, ports).sign_in
        if judgement and judgement.ok:
            ports.console.done(SIGN_IN_WORKS)

    first = replace(progress.result, sign_in=None)
    return again


def _wants_sign_in(progress: Progress, ports: Ports) -> bool:
    if ports.prompter is None or progress.skips_sign_in:
        return progress.options.verify
    ports.console.say()
    ports.console.hint("A test sign-in proves the whole setup. Press Ctrl-C to skip it.")
    return True


def _what_was_done(ports: Ports) -> Message:
    """Return what a run changed that was interrupted before it wrote the `.env`."""
    if not ports.changed:
        return Message("Nothing was changed.")
    return sentences(*dict.fromkeys(ports.changed), Message("The .env was not written."))


def _show_next_steps(folder: Folder, result: InitResult, ports: Ports) -> None:
    console = ports.console
    console.say()
    if result.sign_in and result.sign_in.ok:
        console.done(SIGN_IN_WORKS)
    show_restart(folder.runner, ports)
    console.verbatim("Then sign in at:", [result.settings.public_url])
