"""`doctor`: tells why the sign-in does not work, in the order of what to mend, and mends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.commands.prove import show
from wizard.commands.values import (
    INVALID_VALUE,
    MISSING_OPTION,
    env_store,
    read_subject,
)
from wizard.doctor.examine import Examination, Task, examine, examine_again, task_of
from wizard.doctor.registry import CHECKS, repairs
from wizard.doctor.subject import Subject, settings_of
from wizard.doctor.writing import silenced_rules
from wizard.findings import ExitCode, Finding, Severity, exit_code_of
from wizard.language import Message, joined, sentences
from wizard.librechat.checkout import how_to_restart
from wizard.ports import Ports
from wizard.rules import all_rules

if TYPE_CHECKING:
    from wizard.auth0.live_checks import CheckResult


_COUNTS = {
    Severity.ERROR: (Message("{count} error"), Message("{count} errors")),
    Severity.WARNING: (Message("{count} warning"), Message("{count} warnings")),
    Severity.NOTE: (Message("{count} note"), Message("{count} notes")),
}


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """What was given on the command line; `rules` and `ignore` are identifiers."""

    env_file: Path | None = None
    rules: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    offline: bool = False
    fix: bool = False
    yes: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class DoctorResult:
    """What was found and done; `findings` are those that are left after a repair."""

    env_file: Path
    findings: Sequence[Finding]
    ignored: Sequence[str] = ()
    checks: Sequence[CheckResult] = ()
    changed: Sequence[str] = ()
    backup: Path | None = None
    written: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """FINDINGS if any error was found that does not come from outside."""
        codes = {each.rule.exit_code for each in self.findings if each.severity is Severity.ERROR}
        return ExitCode.FINDINGS if ExitCode.FINDINGS in codes else exit_code_of(self.findings)

    def as_json(self) -> dict[str, object]:
        """See `Result.as_json`; names of variables only."""
        return {
            "env_file": str(self.env_file),
            "backup": str(self.backup) if self.backup else None,
            "changed": list(self.changed),
            "fixed": list(self.changed) if self.written else [],
            "written": self.written,
            "ignored": list(self.ignored),
            "checks": [check.as_json() for check in self.checks],
        }


def run_doctor(options: DoctorOptions, ports: Ports) -> DoctorResult:
    """Look at everything, tell, and mend if that is wished.

    Raises:
        Failure: there is no `.env`, it cannot be read or written, or an option is wrong.
    """
    return _Doctor(options, ports).run()


class _Doctor:
    """One run; `run` reads like what the user sees."""

    def __init__(self, options: DoctorOptions, ports: Ports) -> None:
        self.options = options
        self.ports = ports
        self.only = _identifiers("--rule", options.rules)
        self.ignored = _identifiers("--ignore", options.ignore)
        if options.fix and ports.prompter is None and not (options.yes or options.dry_run):
            raise MISSING_OPTION.failure(
                "Missing: --yes (or --dry-run).",
                fix=Message("Add --yes to let --fix change the file."),
            )
        self.store = env_store(options.env_file, ports)
        self.content, subject = read_subject(self.store, ports)
        self.ignored |= silenced_rules(subject.file.text)
        self.subject = subject
        # Rules on values need nobody else.
        is_local = bool(self.only) and all(rule.startswith("LA1") for rule in self.only)
        self.offline = options.offline or is_local

    def run(self) -> DoctorResult:
        console, ports = self.ports.console, self.ports
        with console.working("Looking at the .env, the tenant and LibreChat"):
            examination = examine(self.subject, ports.http, ports.clock, offline=self.offline)
        self._tell_what_was_looked_at(examination)
        self._tell(examination)
        result = self._result(examination)
        return self._mend(examination, result) if self.options.fix else result

    def _result(self, examination: Examination) -> DoctorResult:
        return DoctorResult(
            self.store.path,
            self._chosen(examination.findings),
            sorted(self.ignored),
            examination.tenant.results if examination.tenant else (),
        )

    def _chosen(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        return tuple(
            finding
            for finding in findings
            if finding.rule.id not in self.ignored
            and (not self.only or finding.rule.id in self.only)
        )

    def _tell_what_was_looked_at(self, examination: Examination) -> None:
        console = self.ports.console
        console.done(Message("{file} is read.", file=self.store.path))
        if self.options.offline:
            console.hint("Skipped: neither the tenant nor LibreChat is asked.")
            return
        if settings_of(self.subject) is None and not self.only:
            console.hint("The tenant is not asked while a value that it judges cannot be right.")
        self._tell_checks(examination)
        instance = examination.subject.instance
        if instance is not None and instance.local.config is not None:
            url = instance.local.url.removesuffix("/api/config")
            console.done(Message("LibreChat answers at {url}.", url=url))

    def _tell_checks(self, examination: Examination) -> None:
        if examination.tenant is not None:
            show(examination.tenant.results, (), self.ports)

    def _tell(self, examination: Examination) -> None:
        console = self.ports.console
        findings = self._chosen(examination.findings)
        told: list[Finding] = []
        for task, group in _by_task(findings, examination.subject):
            console.say()
            console.say(Message("{heading}:", heading=task.value))
            for finding in _merged(group):
                console.finding(finding)
                told.append(finding)
        console.say()
        if not any(finding.severity is not Severity.NOTE for finding in findings):
            console.done("Nothing is wrong.")
        else:
            console.say(_count(told))

    def _mend(self, examination: Examination, result: DoctorResult) -> DoctorResult:
        console = self.ports.console
        checks = [check for check in CHECKS if not self.only or check.rule.id in self.only]
        file, changes = repairs(examination.subject, checks, self.ignored)
        if not changes:
            console.done("There is nothing that can be mended without you; nothing was written.")
            return result
        console.say()
        from wizard.commands.change import EnvChange, Question, change_env

        change = EnvChange(self.store, self.content, examination.subject.file, file, changes)
        result = replace(result, changed=change.names)
        written = change_env(change, Question(), self.ports, yes=True, dry_run=self.options.dry_run)
        if not written.done:
            return result
        return self._after_repair(examination, replace(result, backup=written.backup, written=True))

    def _after_repair(self, before: Examination, result: DoctorResult) -> DoctorResult:
        """All rules again, over the file as it is now."""
        console, ports = self.ports.console, self.ports
        _, subject = read_subject(self.store, ports)
        with console.working("Looking again"):
            after = examine_again(subject, before, ports.http, ports.clock, offline=self.offline)
        if after.tenant is not before.tenant:
            self._tell_checks(after)
        console.say()
        console.say("What is left:")
        self._tell(after)
        console.say()
        console.verbatim("Make LibreChat read the file:", how_to_restart(self.store.path.parent))
        left = self._result(after)
        return replace(result, findings=left.findings, checks=left.checks)


def _identifiers(option: str, given: Iterable[str]) -> frozenset[str]:
    words = (word.strip().upper() for each in given for word in each.split(","))
    identifiers = frozenset(filter(None, words))
    # The registry imports the whole project; most runs need none of it.
    unknown = sorted(identifiers - all_rules().keys()) if identifiers else []
    if unknown:
        raise INVALID_VALUE.failure(
            Message("{option}: there is no rule {rules}.", option=option, rules=", ".join(unknown)),
            fix=Message("librechat-auth0 explain lists all rules."),
        )
    return identifiers


def _by_task(findings: Sequence[Finding], subject: Subject) -> Iterable[tuple[Task, list[Finding]]]:
    """The findings grouped by what to do; first the group that has what to mend first."""
    tasks = [(task_of(finding, subject), finding) for finding in findings]
    order = list(dict.fromkeys(task for task, _ in tasks))
    tasks.sort(key=lambda each: order.index(each[0]))
    for task, group in groupby(tasks, key=lambda each: each[0]):
        yield task, [finding for _, finding in group]


def _merged(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings with those of one rule and one remedy told as one."""
    for (rule, fix), group in groupby(findings, key=lambda each: (each.rule, each.fix)):
        yield rule.finding(sentences(*(_ended(finding.detail) for finding in group)), fix=fix)


def _ended(detail: str) -> str:
    """The detail as a sentence."""
    return detail if detail.endswith(".") else Message("{text}.", text=Message.of(detail))


def _count(findings: Sequence[Finding]) -> Message:
    parts = []
    for severity, (one, several) in _COUNTS.items():
        count = sum(finding.severity is severity for finding in findings)
        if count:
            parts.append((several if count > 1 else one).filled(count=count))
    return joined(", ", parts)
