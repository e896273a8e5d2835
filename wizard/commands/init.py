"""`init`: from a LibreChat folder to a complete `.env` and an open HTTPS tunnel to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.commands.by_hand import show_dashboard_steps
from wizard.commands.change import Question, Written, change_env
from wizard.commands.choose_tunnel import (
    OpenTunnel,
    TunnelOptions,
    keep_open,
    named_tunnel,
    open_tunnel,
)
from wizard.commands.folder import Folder, find_folder, tell_folder
from wizard.commands.init_options import InitOptions
from wizard.commands.prove import check_values, sign_in
from wizard.commands.questions import (
    AUDIENCES,
    DOMAIN_OF_ANY_APPLICATION,
    PUBLIC_URL,
    ask,
    given_values,
    needed,
    parsed,
    require_everything,
    same_client,
)
from wizard.commands.restart import show_restart
from wizard.commands.values import librechat_port
from wizard.commands.walk import Step, walk
from wizard.execution import INTERRUPTED, Report
from wizard.findings import ExitCode, Failure, Finding, exit_code_of
from wizard.known import Known, known_in
from wizard.language import Message
from wizard.librechat.version_gates import Setup, announced, settled_reuse
from wizard.ports import Ports
from wizard.saved_answers import SavedAnswers
from wizard.settings import Settings
from wizard.ui.prompts import Choice

if TYPE_CHECKING:
    from wizard.auth0.live_checks import CheckResult, TenantReport
    from wizard.auth0.tokens import Judgement

AFTER_A_FAILED_CHECK = (
    Choice("again", "Check again (I fixed it in the dashboard)"),
    Choice("change", "Change the values"),
    Choice("write", "Write the .env anyway"),
    Choice("stop", "Stop"),
)


@dataclass(frozen=True, slots=True)
class InitResult:
    """What a run of `init` did."""

    env_file: Path
    settings: Settings
    findings: Sequence[Finding]
    checks: Sequence[CheckResult]
    changed: Sequence[str] = ()
    backup: Path | None = None
    written: bool = False
    is_up_to_date: bool = False
    sign_in: Judgement | None = None

    @property
    def exit_code(self) -> ExitCode:
        """FINDINGS if a check found an error, TENANT if the tenant could not be reached."""
        return exit_code_of(self.findings)

    def as_json(self) -> dict[str, object]:
        return {
            "env_file": str(self.env_file),
            "backup": str(self.backup) if self.backup else None,
            "changed": list(self.changed),
            "written": self.written,
            "checks": [check.as_json() for check in self.checks],
            "sign_in": self.sign_in.as_json() if self.sign_in else None,
            "public_url": self.settings.public_url,
            "callback_url": self.settings.callback_url,
            "logout_urls": list(self.settings.urls["allowed_logout_urls"]),
            "web_origins": list(self.settings.urls["web_origins"]),
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a run.

    Attributes:
        known: values that need no question any more.
        offered: defaults of the questions, from an interrupted run and the `.env`.
        variables: further variables for the `.env`.
        report: the live checks, None where they were not run.
        insists: whether to write although a check found an error.
        is_auth0_set_up: whether this run changed the tenant.
        is_over: whether the remaining steps are skipped.
    """

    options: InitOptions
    folder: Folder
    port: int
    known: Known
    offered: Known
    findings: tuple[Finding, ...]
    tunnel: OpenTunnel | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    report: TenantReport | None = None
    insists: bool = False
    is_auth0_set_up: bool = False
    is_over: bool = False
    written: InitResult | None = None

    @property
    def settings(self) -> Settings:
        """The complete setup."""
        return self.known.settings(reuse_tokens=self.options.reuse_tokens)

    @property
    def result(self) -> InitResult:
        """What to report now."""
        checks = self.report.results if self.report else ()
        path = self.folder.store.path
        return self.written or InitResult(path, self.settings, self.findings, checks)

    def keep(self, known: Known, ports: Ports) -> Progress:
        """Return the progress with these values; save them if the user was asked."""
        if ports.prompter is not None and known != self.known:
            _saved_answers(self, ports).keep(known)
        return replace(self, known=known)


def run_init(options: InitOptions, ports: Ports, report: Report) -> InitResult:
    """Set LibreChat up, report the result, then keep the tunnel open.

    Raises:
        Failure: the setup failed; the `.env` is unchanged.
    """
    with ExitStack() as stack:
        progress = _begin(options, ports)
        try:
            for after in walk(_steps(stack), progress, ports):
                progress = after
        except KeyboardInterrupt:
            if ports.last_words:
                raise
            raise INTERRUPTED.failure(_what_was_done(progress)) from None
        result = progress.result
        report(result)
        holds = options.hold and not options.dry_run and result.is_up_to_date
        if holds and progress.tunnel is not None:
            _show_next_steps(progress.folder, result.settings, ports)
            keep_open(progress.tunnel, ports)
        return result


def _steps(stack: ExitStack) -> Sequence[Step[Progress]]:
    """Return the steps in their order; the stack closes the tunnel."""
    return (
        Step(Message("LibreChat"), _look_at_folder),
        Step(Message("HTTPS URL"), partial(_open_tunnel, stack)),
        Step(Message("Auth0 setup"), _prepare_auth0),
        Step(Message("Values from Auth0"), _ask_for_values),
        Step(Message("Checks"), _prove),
        Step(Message("The .env"), _write),
        Step("", _prove_sign_in),
    )


def _begin(options: InitOptions, ports: Ports) -> Progress:
    """Read the options and the `.env`.

    Raises:
        Failure: an option is invalid, or the file cannot be read.
    """
    known = given_values(options)
    named_tunnel(options.tunnel)
    if options.public_url:
        known = parsed(PUBLIC_URL, options.public_url, known)
    folder = find_folder(options.env_file, ports)
    values = folder.values
    port = librechat_port(options.port, values)
    reuse, remarks = settled_reuse(
        folder.version, wanted=options.reuse_tokens, insists=options.insists_on_reuse
    )
    options = replace(options, reuse_tokens=reuse)
    findings = (*folder.findings, *remarks)
    return Progress(options, folder, port, known, known_in(values), findings)


def _look_at_folder(progress: Progress, ports: Ports) -> Progress:
    tell_folder(progress.folder, progress.findings, ports)
    offered = _resumed(progress, ports).or_else(progress.offered)
    if ports.prompter is None:
        require_everything(progress.options, progress.known, offered)
    return replace(progress, offered=offered)


def _resumed(progress: Progress, ports: Ports) -> Known:
    """Return the answers of an interrupted run if the user wants to resume it."""
    saved = _saved_answers(progress, ports)
    answers = saved.load()
    if answers == Known() or ports.prompter is None:
        return Known()
    shown = ", ".join(filter(None, (answers.public_url, answers.domain, answers.client_id)))
    question = Message("Resume the interrupted setup ({answers})?", answers=shown)
    if ports.prompter.confirm(question):
        return answers
    saved.forget()
    return Known()


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
    progress = progress.keep(replace(progress.known, public_url=tunnel.url), ports)
    return replace(progress, tunnel=tunnel, findings=(*progress.findings, *tunnel.findings))


def _prepare_auth0(progress: Progress, ports: Ports) -> Progress:
    """Have Auth0 set up by hand, or by the Management API, which gives the values too."""
    options = progress.options
    offered = not options.public_client and not options.offline
    while show_dashboard_steps(
        progress.known.public_url or "",
        ports,
        reuse_tokens=options.reuse_tokens,
        offer_to_do_it=offered,
    ):
        try:
            progress = _set_up_auth0(progress, ports)
        except Failure as failure:
            if failure.exit_code is ExitCode.INTERRUPTED:
                raise
            ports.console.finding(failure.finding)
        if progress.is_auth0_set_up:
            break
    return progress


def _set_up_auth0(progress: Progress, ports: Ports) -> Progress:
    from wizard.commands.provisioning import set_up_auth0

    wanted = progress
    for question in (DOMAIN_OF_ANY_APPLICATION, AUDIENCES):
        if question.is_needed(progress.options):
            wanted = wanted.keep(ask(question, wanted.known, wanted.offered, ports), ports)
    known = wanted.known.or_else(Known(client_id=wanted.offered.client_id))
    known = known.or_else(Known(client_secret=same_client(known, wanted.offered).client_secret))
    complete = set_up_auth0(
        known, progress.folder.store.path, ports, keep=_saved_answers(progress, ports).keep
    )
    if complete is None:
        return progress
    return replace(progress, known=complete.or_else(progress.known), is_auth0_set_up=True)


def _ask_for_values(progress: Progress, ports: Ports) -> Progress:
    for question in needed(progress.options):
        known = ask(question, progress.known, progress.offered, ports)
        progress = progress.keep(known, ports)
    if ports.prompter is None:
        ports.console.done(
            Message(
                "From your options and .env: client {client} at {domain}",
                client=progress.known.client_id,
                domain=progress.known.domain,
            )
        )
    return progress


def _prove(progress: Progress, ports: Ports) -> Progress:
    """Check the values against the tenant, until they are right or the user insists."""
    console, prompter = ports.console, ports.prompter
    progress = _judge_version(progress, ports)
    if progress.options.offline:
        console.hint("Skipped (--offline).")
        return _unless_refused(progress, ports)
    while True:
        report = check_values(progress.settings, ports)
        progress = replace(progress, report=report)
        if report.ok or prompter is None:
            break
        answer = prompter.select("What now?", AFTER_A_FAILED_CHECK, default="again")
        if answer == "change":
            progress = _ask_again(progress, ports)
        elif answer != "again":
            progress = replace(progress, insists=answer == "write")
            break
    return _unless_refused(
        replace(progress, findings=(*progress.findings, *report.findings)), ports
    )


def _judge_version(progress: Progress, ports: Ports) -> Progress:
    """Say what this LibreChat version makes of the setup."""
    findings = tuple(announced(Setup.of(progress.settings, progress.folder.version)))
    for finding in findings:
        ports.console.finding(finding)
    return replace(progress, findings=(*progress.findings, *findings))


def _ask_again(progress: Progress, ports: Ports) -> Progress:
    """Ask for all values again, with the current ones as defaults."""
    answered = replace(
        progress, known=Known(public_url=progress.known.public_url), offered=progress.known
    )
    return replace(_ask_for_values(answered, ports), offered=progress.offered)


def _unless_refused(progress: Progress, ports: Ports) -> Progress:
    """End the run if a check found an error, unless the user insists on writing."""
    insists = progress.insists or progress.options.force
    if insists or exit_code_of(progress.findings) is ExitCode.OK:
        return progress
    ports.console.warn("Nothing was written.")
    if ports.prompter is None:
        ports.console.hint("Use --force to write anyway, or --offline to skip the checks.")
    return replace(progress, is_over=True)


def _write(progress: Progress, ports: Ports) -> Progress:
    """Show the change of the `.env` and save it."""
    folder, options = progress.folder, progress.options
    change = folder.change(progress.settings, progress.port, ports, progress.variables)
    progress = replace(progress, findings=(*progress.findings, *change.findings))
    if change.changes:
        saved = change_env(change, Question(), ports, yes=True, dry_run=options.dry_run)
    else:
        saved = Written()
        ports.console.done(Message("{file} is already up to date.", file=folder.store.path))
    is_up_to_date = saved.done or not change.changes
    if is_up_to_date:
        _saved_answers(progress, ports).forget()
    result = replace(
        progress.result,
        changed=change.names,
        backup=saved.backup,
        written=saved.done,
        is_up_to_date=is_up_to_date,
    )
    return replace(progress, written=result)


def _prove_sign_in(progress: Progress, ports: Ports) -> Progress:
    """Prove the written file by a real sign-in if the user wants one."""
    result, report = progress.result, progress.report
    if not (result.is_up_to_date and report and report.ok and _wants_sign_in(progress, ports)):
        return progress
    seconds = progress.options.seconds_to_sign_in
    try:
        judgement = sign_in(result.settings, report, ports, progress.port, seconds=seconds)
    except Failure as failure:
        ports.console.finding(failure.finding)
        result = replace(result, findings=(*result.findings, failure.finding))
    else:
        findings = (*result.findings, *judgement.findings)
        result = replace(result, findings=findings, sign_in=judgement)
    return replace(progress, written=result)


def _wants_sign_in(progress: Progress, ports: Ports) -> bool:
    if progress.options.verify or ports.prompter is None:
        return progress.options.verify
    ports.console.say()
    ports.console.hint("A test sign-in checks tunnel, tokens and refresh before LibreChat starts.")
    return ports.prompter.confirm("Test the sign-in now?")


def _saved_answers(progress: Progress, ports: Ports) -> SavedAnswers:
    return SavedAnswers(ports.state_dir, progress.folder.store.path)


def _what_was_done(progress: Progress) -> Message:
    """Return what a run changed that was interrupted before it wrote the `.env`."""
    if progress.is_auth0_set_up:
        return Message("Auth0 was set up; the .env was not written.")
    return Message("Nothing was changed.")


def _show_next_steps(folder: Folder, settings: Settings, ports: Ports) -> None:
    console = ports.console
    console.say()
    show_restart(folder.runner, folder.store.path, ports)
    console.verbatim("Then sign in at:", [settings.public_url])
