"""`doctor`: finds why the sign-in does not work, what to fix first, and fixes what is safe."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wizard.doctor.addresses import ONLY_THIS_MACHINE
from wizard.doctor.claims import Claim, are_proved, claims_of
from wizard.doctor.examine import Examination, examine, examine_again
from wizard.doctor.registry import CHECKS, can_be_fixed, repairs
from wizard.doctor.subject import Subject
from wizard.doctor.writing import silenced_rules
from wizard.execution import Result
from wizard.findings import ExitCode, Finding, Severity, exit_code_of
from wizard.language import Message
from wizard.librechat.env_store import EnvStore
from wizard.ports import Ports
from wizard.rules import all_rules
from wizard.steps.doctor_screen import merged_findings, show_examination, show_proof
from wizard.steps.proofs import How, proof_of
from wizard.steps.values import INVALID_VALUE, MISSING_OPTION, env_store, read_subject
from wizard.system.clock import local_time

if TYPE_CHECKING:
    from wizard.auth0.live_checks import CheckResult


_SIGNED_IN = {
    How.LIBRECHAT: Message("a sign-in through LibreChat worked at {time}"),
    How.VERIFY: Message("librechat-auth0 verify signed in at {time}"),
}


class DoctorOptions(NamedTuple):
    """The command line; `rules` and `ignore` are identifiers."""

    env_file: Path | None = None
    rules: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    offline: bool = False
    fix: bool = False
    yes: bool = False
    dry_run: bool = False
    verbose: bool = False


@dataclass(frozen=True, slots=True)
class DoctorResult(Result):
    """What was found and changed; `findings` are those left after a repair."""

    env_file: Path
    ignored: Sequence[str] = ()
    checks: "Sequence[CheckResult]" = ()
    evidence: Sequence[Claim] = ()
    changed: Sequence[str] = ()
    backup: Path | None = None
    written: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """FINDINGS if there is an error that the user can fix."""
        codes = {each.rule.exit_code for each in self.findings if each.severity is Severity.ERROR}
        return ExitCode.FINDINGS if ExitCode.FINDINGS in codes else exit_code_of(self.findings)

    def as_json(self) -> dict[str, object]:
        """See `Result.as_json`; names of variables only."""
        return {
            **Result.as_json(self),
            "fixed": list(self.changed) if self.written else [],
            "proved": are_proved(self.evidence),
        }


class _Run(NamedTuple):
    """The options as they apply, and the file as it was read."""

    options: DoctorOptions
    only: frozenset[str]
    ignored: frozenset[str]
    store: EnvStore
    subject: Subject

    @property
    def offline(self) -> bool:
        """Whether the network is not needed: by option, or for rules on values only."""
        is_local = bool(self.only) and all(rule.startswith("LA1") for rule in self.only)
        return self.options.offline or is_local


def run_doctor(options: DoctorOptions, ports: Ports) -> DoctorResult:
    """Check everything, show the result, and fix what is safe after consent."""
    run = _start(options, ports)
    with ports.console.working("Checking the .env, Auth0, the tunnel and LibreChat"):
        examination = examine(run.subject, ports.http, ports.clock, offline=run.offline)
    result = _result(run, examination, ports)
    _show(run, examination, result, ports)
    if options.fix or _wants_fixes(run, result.findings, ports):
        return _fix(run, examination, result, ports)
    return result


def _start(options: DoctorOptions, ports: Ports) -> _Run:
    only = _identifiers("--rule", options.rules)
    ignored = _identifiers("--ignore", options.ignore)
    if options.fix and ports.prompter is None and not (options.yes or options.dry_run):
        raise MISSING_OPTION.failure(
            "Missing: --yes (or --dry-run).",
            fix=Message("Add --yes to let --fix change the file."),
        )
    store = env_store(options.env_file, ports)
    subject = read_subject(store, ports)
    ignored |= silenced_rules(subject.file.text)
    return _Run(options, only, ignored, store, subject)


def _wants_fixes(run: _Run, findings: Sequence[Finding], ports: Ports) -> bool:
    """Ask whether to fix now; without a terminal, print the command that does."""
    problems = [each for each in findings if each.severity is not Severity.NOTE]
    fixable = merged_findings(each for each in problems if can_be_fixed(run.subject, each))
    if not problems:
        return False
    if not fixable:
        again = _command(run.options)
        ports.console.hint("Then check again with: {command}", command=again)
        return False
    ports.console.say()
    is_one = len(merged_findings(problems)) == 1
    if ports.prompter is not None:
        many = Message("Fix {count} of these now?", count=len(fixable))
        return ports.prompter.confirm(Message("Fix this now?") if is_one else many)
    many = Message("Fix {count} of these:", count=len(fixable))
    label = Message("Fix this:") if is_one else many
    ports.console.verbatim(label, [_command(run.options, "--fix", "--yes")])
    return False


def _show(run: _Run, examination: Examination, result: DoctorResult, ports: Ports) -> None:
    command = "" if run.options.verbose else _command(run.options, "-v")
    show_examination(examination, result.findings, result.evidence, run.only, command, ports)
    if not run.only and exit_code_of(result.findings) is ExitCode.OK:
        file = ["--env-file", str(run.options.env_file)] if run.options.env_file else []
        show_proof(result.evidence, shlex.join(["librechat-auth0", "verify", *file]), ports)


def _result(run: _Run, examination: Examination, ports: Ports) -> DoctorResult:
    proof = proof_of(ports.state_dir, examination.subject)
    signed_in = _SIGNED_IN[proof.how].filled(time=local_time(proof.at)) if proof else ""
    claims = claims_of(examination, signed_in, offline=run.offline)
    ignored = run.ignored
    if are_proved(claims):  # the address works, so it was chosen
        ignored |= {ONLY_THIS_MACHINE.id}
    findings = tuple(
        each
        for each in examination.findings
        if each.rule.id not in ignored and (not run.only or each.rule.id in run.only)
    )
    return DoctorResult(
        run.store.path,
        sorted(run.ignored),
        examination.tenant.results if examination.tenant else (),
        claims,
        findings=findings,
    )


def _fix(run: _Run, examination: Examination, result: DoctorResult, ports: Ports) -> DoctorResult:
    """Fix what is safe, and check the file as it is then."""
    checks = [check for check in CHECKS if not run.only or check.rule.id in run.only]
    file, changes = repairs(examination.subject, checks, run.ignored)
    if not changes:
        ports.console.done("Nothing to fix automatically; nothing was written.")
        return result
    ports.console.say()
    from wizard.steps.change import Confirmation, EnvChange, change_env, show_restart

    before = examination.subject.file
    change = EnvChange(run.store, before.to_bytes(), before, file, changes)
    written = change_env(change, Confirmation(), ports, yes=True, dry_run=run.options.dry_run)
    if not written.done:
        return replace(result, changed=change.names)
    subject = read_subject(run.store, ports)
    with ports.console.working("Checking again"):
        after = examine_again(subject, examination, ports.http, ports.clock, offline=run.offline)
    left = _result(run, after, ports)
    ports.console.say()
    _show(run, after, left, ports)
    ports.console.say()
    show_restart(subject.runner, ports)
    return replace(left, changed=change.names, backup=written.backup, written=True)


def _command(options: DoctorOptions, *words: str) -> str:
    """Return the same command with these options."""
    given = [
        *(("--env-file", str(options.env_file)) if options.env_file else ()),
        *(word for rule in options.rules for word in ("--rule", rule)),
        *(word for rule in options.ignore for word in ("--ignore", rule)),
        *(("--offline",) if options.offline else ()),
    ]
    return shlex.join(["librechat-auth0", "doctor", *given, *words])


def _identifiers(option: str, given: Iterable[str]) -> frozenset[str]:
    words = (word.strip().upper() for each in given for word in each.split(","))
    identifiers = frozenset(filter(None, words))
    if unknown := sorted(identifiers - all_rules().keys()):
        raise INVALID_VALUE.failure(
            "{option}: there is no rule {rules}.",
            option=option,
            rules=", ".join(unknown),
            fix=Message("Run librechat-auth0 explain to list all rules."),
        )
    return identifiers
