"""The state of a run of `init`, its result, and the walk through its steps, forward and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.execution import Result
from wizard.findings import Finding
from wizard.known import Known
from wizard.language import Message
from wizard.ports import Ports
from wizard.saved_answers import SavedAnswers
from wizard.settings import Settings
from wizard.steps.folder import Folder
from wizard.steps.live_view import OpenTunnel
from wizard.steps.options import InitOptions
from wizard.ui.prompts import Back

if TYPE_CHECKING:
    from wizard.auth0.access import Policy
    from wizard.auth0.live_checks import CheckResult, TenantReport
    from wizard.auth0.tokens import Judgement


AUTH0_SET_UP = Message("Auth0 was set up.")


@dataclass(frozen=True, slots=True)
class InitResult(Result):
    """What a run of `init` did."""

    env_file: Path
    settings: Settings
    checks: Sequence[CheckResult]
    changed: Sequence[str] = ()
    backup: Path | None = None
    written: bool = False
    is_up_to_date: bool = False
    sign_in: Judgement | None = None

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
        policy: who may sign in, None where that stays as it is.
        is_agreed: whether the user has agreed to the change of the `.env`, too.
        is_proved: whether the `.env` was complete and right before the run.
        skips_sign_in: whether no sign-in is tested at the end.
        is_over: whether only the closing steps remain.
        is_reported: whether the result was reported.
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
    policy: Policy | None = None
    is_agreed: bool = False
    is_proved: bool = False
    skips_sign_in: bool = False
    is_over: bool = False
    is_reported: bool = False
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
        return self.written or InitResult(path, self.settings, checks, findings=self.findings)

    def keep(self, known: Known, ports: Ports) -> Progress:
        """Return the progress with these values; save them if the user was asked."""
        if ports.prompter is not None and known != self.known:
            self.saved_answers(ports).keep(known)
        return replace(self, known=known)

    def after_back(self, later: Progress) -> Progress:
        """Return this state with the later answers as defaults."""
        return replace(self, offered=later.known.or_else(later.offered))

    def saved_answers(self, ports: Ports) -> SavedAnswers:
        """Return what keeps the answers of an interrupted run."""
        return SavedAnswers(ports.state_dir, self.folder.store.path)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the wizard.

    Attributes:
        title: its heading; a step without one continues under the previous heading.
        run: does it; may raise `Back`.
        is_needed: whether a walk in this state has this step.
        is_final: whether nobody can go back to before it.
        is_closing: whether a run that the user ends early has it, too.
    """

    title: str
    run: Callable[[Progress, Ports], Progress]
    is_needed: Callable[[Progress], bool] = lambda _: True
    is_final: bool = False
    is_closing: bool = False


def walk(steps: Sequence[Step], progress: Progress, ports: Ports) -> Iterator[Progress]:
    """Run the steps in order and yield the state after each.

    `Back` repeats the last step before that asked something.
    """
    prompter = ports.prompter.with_back() if ports.prompter else None
    ports = ports._replace(prompter=prompter)
    asked: list[tuple[int, Progress]] = []
    number = 0
    while number < len(steps):
        step = steps[number]
        is_skipped = progress.is_over and not step.is_closing
        if is_skipped or not step.is_needed(progress):
            number += 1
            continue
        _show_heading(step, steps, progress, ports)
        questions = prompter.asked if prompter else 0
        try:
            after = step.run(progress, ports)
        except Back:
            if asked:
                number, before = asked.pop()
                progress = before.after_back(progress)
        else:
            if prompter and prompter.asked > questions:
                asked.append((number, progress))
            if step.is_final:
                asked.clear()
            number, progress = number + 1, after
        yield progress


def _show_heading(step: Step, steps: Sequence[Step], progress: Progress, ports: Ports) -> None:
    if step.title:
        titles = [each.title for each in steps if each.title and each.is_needed(progress)]
        ports.console.step(titles.index(step.title) + 1, len(titles), step.title)
