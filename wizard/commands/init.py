"""`init`: from a LibreChat folder to a complete `.env` and an open HTTPS way to it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.commands.answers import Defaults, defaults_from, librechat_port
from wizard.commands.change import EnvChange, Question, change_env
from wizard.commands.choose_tunnel import OpenTunnel, TunnelOptions, keep_open, open_tunnel
from wizard.commands.folder import find_folder, tell_folder
from wizard.commands.init_options import InitOptions, given_values, require_everything
from wizard.commands.planning import plan_for
from wizard.commands.prove import check_values, sign_in
from wizard.commands.questions import Auth0Questions, show_dashboard_steps
from wizard.drafts import Draft, Drafts
from wizard.execution import INTERRUPTED, Report
from wizard.findings import ExitCode, Failure, Finding, exit_code_of
from wizard.language import Message
from wizard.librechat.checkout import Checkout, how_to_restart
from wizard.librechat.env_file import EnvFile
from wizard.ports import Ports
from wizard.settings import Auth0Settings, SetupSettings
from wizard.ui.prompts import Choice

if TYPE_CHECKING:
    from wizard.auth0.checks import CheckResult, TenantReport
    from wizard.auth0.tokens import Judgement

STEPS = 6
AFTER_A_FAILED_CHECK = (
    Choice("again", "Check again; I have corrected it in the dashboard"),
    Choice("change", "Change the values"),
    Choice("write", "Write the .env all the same"),
    Choice("stop", "Stop"),
)


@dataclass(frozen=True, slots=True)
class InitResult:
    """What was done."""

    env_file: Path
    settings: SetupSettings
    changed: Sequence[str]
    findings: Sequence[Finding]
    checks: Sequence[CheckResult] = ()
    backup: Path | None = None
    written: bool = False
    is_complete: bool = False
    sign_in: Judgement | None = None

    @property
    def exit_code(self) -> ExitCode:
        """FINDINGS if a check found an error, TENANT if the tenant could not be reached."""
        return exit_code_of(self.findings)

    @property
    def stands(self) -> bool:
        """Whether the file is as it shall be, by now or before."""
        return self.written or (self.is_complete and not self.changed)

    def as_json(self) -> dict[str, object]:
        """See `Result.as_json`; names of variables only."""
        return {
            "env_file": str(self.env_file),
            "backup": str(self.backup) if self.backup else None,
            "changed": list(self.changed),
            "written": self.written,
            "checks": [check.as_json() for check in self.checks],
            "sign_in": self.sign_in.as_json() if self.sign_in else None,
            "public_url": self.settings.public_url,
            "callback_url": self.settings.callback_url,
            "logout_urls": list(self.settings.logout_urls),
            "web_origins": list(self.settings.web_origins),
        }


def run_init(options: InitOptions, ports: Ports, report: Report) -> InitResult:
    """Set LibreChat up, and keep the tunnel open as long as the user works.

    Args:
        options: what was asked for.
        ports: what may be touched.
        report: called with the result once it stands, before the tunnel is kept open.

    Raises:
        Failure: it could not be done; the `.env` is as it was.
    """
    with ExitStack() as stack:
        setup = _Setup(options, ports, stack)
        try:
            result = setup.run()
        except KeyboardInterrupt:
            raise INTERRUPTED.failure(setup.what_was_done()) from None
        report(result)
        if result.stands and options.hold:
            _tell_next_steps(setup.folder.checkout, result.settings, ports)
            keep_open(setup.opened, ports)
        return result


class _Setup:
    """One run of the wizard; `run` reads like the steps a user sees."""

    def __init__(self, options: InitOptions, ports: Ports, stack: ExitStack) -> None:
        self.options = options
        self.ports = ports
        self.stack = stack
        self.given = given_values(options)
        self.insists = options.force
        self.report: TenantReport | None = None
        self.is_auth0_set_up = False
        self.folder = find_folder(options.env_file, ports)
        self.findings = [*self.folder.findings]
        self.store, self.existing = self.folder.store, self.folder.existing
        self.current = EnvFile.from_bytes(self.existing).values() if self.existing else {}
        self.port = librechat_port(options.port, self.current)
        self.drafts = Drafts(ports.state_dir, self.store.path)

    def run(self) -> InitResult:
        console = self.ports.console
        console.step(1, STEPS, "LibreChat")
        tell_folder(self.folder, self.ports)
        self.draft = self._resume()
        self.defaults = defaults_from(self.current, self.draft)
        if self.ports.prompter is None:
            require_everything(self.options, self.given, self.defaults)

        console.step(2, STEPS, "An HTTPS address")
        self.opened = self._open_tunnel()

        console.step(3, STEPS, "Auth0's dashboard")
        reuse_tokens = self.options.reuse_tokens
        self._prepare_auth0(SetupSettings(self.given, self.opened.url, reuse_tokens))

        console.step(4, STEPS, "Values from Auth0")
        settings = SetupSettings(self._ask_for_values(), self.opened.url, reuse_tokens)
        if self.ports.prompter is None:
            auth0 = settings.auth0
            console.done(
                Message(
                    "All given: client {client} at {domain}",
                    client=auth0.client_id,
                    domain=auth0.domain,
                )
            )

        console.step(5, STEPS, "Proof")
        settings, checks = self._prove(settings)
        if not self._may_write():
            return InitResult(self.store.path, settings, (), self.findings, checks)

        console.step(6, STEPS, "The .env")
        return self._prove_sign_in(self._write(settings, checks))

    def what_was_done(self) -> Message:
        """For those who stopped it, by what lies on disk and was done in Auth0."""
        if self.store.read() == self.existing:
            if self.is_auth0_set_up:
                return Message("Auth0 is set up; the .env was not written.")
            return Message("Nothing was changed.")
        return Message(
            "{file} was already written; init --undo brings the old one back.",
            file=self.store.path,
        )

    def _resume(self) -> Draft:
        draft = self.drafts.load()
        if draft.is_empty or self.ports.prompter is None:
            return Draft()
        answers = ", ".join(filter(None, (draft.public_url, draft.domain, draft.client_id)))
        question = Message(
            "Go on with the answers of the run that was stopped ({answers})?", answers=answers
        )
        if self.ports.prompter.confirm(question):
            return draft
        self.drafts.forget()
        return Draft()

    def _open_tunnel(self) -> OpenTunnel:
        options = TunnelOptions(
            port=self.port,
            tunnel=self.options.tunnel,
            public_url=self.options.public_url,
            requested_url=self.options.requested_url,
            known_url=self.defaults.public_url,
            for_people=self.options.hold,
        )
        opened = self.stack.enter_context(open_tunnel(options, self.ports))
        self._keep("public_url", opened.url)
        self.findings += opened.findings
        return opened

    def _prepare_auth0(self, wanted: SetupSettings) -> None:
        """By the user in the dashboard, or by the Management API; then the values are known."""
        offered = not self.options.public_client and not self.options.offline
        while show_dashboard_steps(wanted, self.ports, offer_to_do_it=offered):
            from wizard.commands.provisioning import set_up_auth0

            try:
                tenant = self._questions(self.given, self.defaults).ask_for_tenant()
                complete = set_up_auth0(
                    replace(wanted, auth0=tenant),
                    self.store.path,
                    self.ports,
                    keep=lambda settings: self._keep("client_id", settings.auth0.client_id),
                )
            except Failure as failure:
                if failure.exit_code is ExitCode.INTERRUPTED:
                    raise
                self.ports.console.finding(failure.finding)
                continue
            if complete is not None:
                self.given = complete.auth0
                self.is_auth0_set_up = True
                return

    def _ask_for_values(self) -> Auth0Settings:
        return self._questions(self.given, self.defaults).ask()

    def _ask_again(self, answered: Auth0Settings) -> Auth0Settings:
        defaults = Defaults(
            answered.domain,
            answered.client_id,
            answered.client_secret,
            ",".join(answered.audiences),
        )
        return self._questions(Auth0Settings("", "", ""), defaults).ask()

    def _questions(self, given: Auth0Settings, defaults: Defaults) -> Auth0Questions:
        return Auth0Questions(
            given,
            defaults,
            reuse_tokens=self.options.reuse_tokens,
            public_client=self.options.public_client,
            ports=self.ports,
            keep=self._keep,
        )

    def _prove(self, settings: SetupSettings) -> tuple[SetupSettings, Sequence[CheckResult]]:
        """The settings as they were proved, or as the user insists on them."""
        console, prompter = self.ports.console, self.ports.prompter
        if self.options.offline:
            console.hint("Skipped: nothing is checked against the tenant.")
            return settings, ()
        while True:
            report = self.report = check_values(settings, self.ports)
            if report.ok or prompter is None:
                break
            answer = prompter.select("What now?", AFTER_A_FAILED_CHECK, default="again")
            if answer == "change":
                settings = replace(settings, auth0=self._ask_again(settings.auth0))
            elif answer != "again":
                self.insists = answer == "write"
                break
        self.findings += report.findings
        return settings, report.results

    def _prove_sign_in(self, result: InitResult) -> InitResult:
        """A real sign-in over what was written, if it is wanted."""
        ready = result.stands and self.report is not None and self.report.ok
        if not ready or self.report is None or not self._wants_sign_in():
            return result
        try:
            seconds = self.options.seconds_to_sign_in
            judgement = sign_in(
                result.settings, self.report, self.ports, self.port, seconds=seconds
            )
        except Failure as failure:
            self.ports.console.finding(failure.finding)
            return replace(result, findings=(*result.findings, failure.finding))
        findings = (*result.findings, *judgement.findings)
        return replace(result, findings=findings, sign_in=judgement)

    def _wants_sign_in(self) -> bool:
        prompter = self.ports.prompter
        if self.options.verify or prompter is None:
            return self.options.verify
        self.ports.console.say()
        self.ports.console.hint(
            "A sign-in now, before LibreChat runs, proves tunnel, tokens and refresh."
        )
        return prompter.confirm("Sign in once to prove it?")

    def _may_write(self) -> bool:
        if self.insists or exit_code_of(self.findings) is ExitCode.OK:
            return True
        self.ports.console.warn("Nothing was written.")
        if self.ports.prompter is None:
            self.ports.console.hint("--force writes all the same, --offline does not check.")
        return False

    def _keep(self, name: str, answer: str) -> None:
        self.draft = replace(self.draft, **{name: answer})
        self.drafts.keep(self.draft)

    def _write(self, settings: SetupSettings, checks: Sequence[CheckResult]) -> InitResult:
        console = self.ports.console
        plan = plan_for(settings, self.existing, self.folder.checkout, self.port, self.ports)
        self.findings += plan.findings
        result = InitResult(
            self.store.path, settings, plan.changed_names, self.findings, checks, is_complete=True
        )
        if not plan.changes:
            self.drafts.forget()
            console.done(
                Message("{file} is right already; it was not touched.", file=self.store.path)
            )
            return result
        change = EnvChange(
            self.store, self.existing, plan.before, plan.after, plan.changes, plan.findings
        )
        written = change_env(change, Question(), self.ports, yes=True, dry_run=self.options.dry_run)
        if written.done:
            self.drafts.forget()
        return replace(result, backup=written.backup, written=written.done)


def _tell_next_steps(checkout: Checkout, settings: SetupSettings, ports: Ports) -> None:
    console = ports.console
    console.say()
    console.verbatim("Make LibreChat read the file:", how_to_restart(checkout.folder))
    console.verbatim("Then sign in at:", [settings.public_url])
