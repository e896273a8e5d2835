"""Prints an examination: one line a part, one line a finding, and the first cause in full."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from wizard.commands.prove import show as show_checks
from wizard.doctor.claims import Claim, Source, are_proved, why_not_asked
from wizard.doctor.examine import Examination, Part, part_of
from wizard.doctor.subject import Subject, settings_of
from wizard.findings import Finding, Outcome, Severity
from wizard.language import Message, ended, joined, sentences
from wizard.ports import Ports

_COUNTS = {
    Severity.ERROR: (Message("{count} error"), Message("{count} errors")),
    Severity.WARNING: (Message("{count} warning"), Message("{count} warnings")),
    Severity.NOTE: (Message("{count} note"), Message("{count} notes")),
}
_ALL = Message("{counts}. Show all: {command}")
_NOT_PROVED = (
    (frozenset({Outcome.LIKELY}), Message("Likely: {names}.")),
    (frozenset({Outcome.SKIPPED, Outcome.UNPROVED}), Message("Not checked: {names}.")),
)
_BY_WEIGHT = (Severity.NOTE, Severity.WARNING, Severity.ERROR)


class View(NamedTuple):
    """How to print an examination.

    Attributes:
        only: identifiers of the rules that were asked for, empty for all.
        offline: whether neither the tenant nor LibreChat was to be asked.
        verbose: print every check and every finding in full.
        command: what prints all of it.
        claims: what is proved, likely or was not looked at.
    """

    only: frozenset[str]
    offline: bool
    verbose: bool
    command: str
    claims: Sequence[Claim]


def show_examination(
    examination: Examination, findings: Sequence[Finding], view: View, ports: Ports
) -> None:
    """Print the parts, those with errors last, and the finding to fix first at the end."""
    merged = merged_findings(findings)
    problems = [each for each in merged if each.severity is not Severity.NOTE]
    for part in _parts(view.only, problems):
        _show_part(part, examination, merged, view, ports)
    if problems:
        ports.console.say()
        ports.console.finding(problems[0])
    if len(merged) > len(problems[:1]) and not view.verbose:
        ports.console.say()
        ports.console.say(_ALL.filled(counts=_count(merged), command=view.command))


def merged_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings with those of one rule and one next step as one."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.rule.id, finding.fix), []).append(finding)
    return [_as_one(group) for group in groups.values()]


def _as_one(group: Sequence[Finding]) -> Finding:
    details = dict.fromkeys(ended(each.detail) for each in group if each.detail)
    return group[0].rule.finding(sentences(*details), fix=group[0].fix)


def _parts(only: Collection[str], problems: Sequence[Finding]) -> list[Part]:
    """The parts that were checked, in the order of their worst finding."""
    wanted = {part_of(identifier) for identifier in only} or set(Part)
    worst = {part: _worst(_of(part, problems)) for part in Part}
    return sorted(
        (part for part in Part if part in wanted),
        key=lambda part: _BY_WEIGHT.index(worst[part] or Severity.NOTE),
    )


def _of(part: Part, findings: Iterable[Finding]) -> list[Finding]:
    return [each for each in findings if part_of(each.rule.id) is part]


def _worst(findings: Iterable[Finding]) -> Severity | None:
    """The highest severity, None without errors and warnings."""
    weights = [_BY_WEIGHT.index(each.severity) for each in findings]
    return _BY_WEIGHT[max(weights)] if any(weights) else None


def _show_part(
    part: Part, examination: Examination, merged: Sequence[Finding], view: View, ports: Ports
) -> None:
    own = _of(part, merged)
    outcome, detail = _state(part, examination, view)
    worst = _worst(own)
    ports.console.part(
        part.value, _problems(part, own, examination.subject) if worst else detail, worst or outcome
    )
    if view.verbose and part is Part.AUTH0 and examination.tenant is not None:
        show_checks(examination.tenant.results, (), ports)
    first = next((each for each in merged if each.severity is not Severity.NOTE), None)
    for finding in sorted(own, key=lambda each: _BY_WEIGHT.index(each.severity)):
        if finding is not first:
            _show_finding(finding, view, ports)


def _show_finding(finding: Finding, view: View, ports: Ports) -> None:
    if view.verbose:
        ports.console.finding(finding)
    elif finding.severity is not Severity.NOTE:
        ports.console.finding_title(finding)


def _problems(part: Part, findings: Sequence[Finding], subject: Subject) -> Message:
    counts = _count(each for each in findings if each.severity is not Severity.NOTE)
    if part is Part.FILE:
        return Message("{counts} in {file}", counts=counts, file=subject.path)
    return counts


def _state(part: Part, examination: Examination, view: View) -> tuple[Outcome, str]:
    """Whether the part was checked, and what is right or why it was not."""
    subject = examination.subject
    claims = {each.check: each for each in view.claims}
    if part is Part.FILE:
        return Outcome.PROVED, str(subject.path)
    if part is Part.AUTH0:
        return _tenant_state(examination, view)
    if part is Part.TUNNEL:
        return claims["public_url"].outcome, claims["public_url"].detail
    running = claims["running"]
    is_likely = running.outcome is Outcome.PROVED and claims["values"].outcome is Outcome.LIKELY
    if running.outcome is not Outcome.PROVED:
        return running.outcome, running.detail
    template = (
        Message("{running}, its values are only likely")
        if is_likely
        else Message("{running} with the values of the .env")
    )
    outcome = Outcome.LIKELY if is_likely else Outcome.PROVED
    return outcome, template.filled(running=Message.of(running.detail))


def _tenant_state(examination: Examination, view: View) -> tuple[Outcome, str]:
    settings = settings_of(examination.subject)
    if examination.tenant is None or settings is None:
        return Outcome.SKIPPED, why_not_asked(examination.subject, offline=view.offline)
    own = [each for each in view.claims if each.source is Source.TENANT]
    likely = [each.title for each in own if each.outcome is Outcome.LIKELY]
    count = len(likely) + sum(each.outcome is Outcome.PROVED for each in own)
    passed = Message("{count} checks passed at {domain}", count=count, domain=settings.domain)
    if not likely:
        return Outcome.PROVED, passed
    names = joined(", ", likely)
    return Outcome.LIKELY, Message("{passed}, {names} only likely", passed=passed, names=names)


def show_proof(claims: Sequence[Claim], command: str, ports: Ports) -> None:
    """Print whether the sign-in is proved, else what is not and the command that proves it."""
    console = ports.console
    console.say()
    if are_proved(claims):
        console.done("The sign-in is proved: {how}.", how=Message.of(claims[-1].detail))
        return
    console.say(Message("No error found, but the sign-in is not proved."))
    for outcomes, text in _NOT_PROVED:
        titles = [each.title for each in claims if each.outcome in outcomes]
        if titles:
            console.hint(text.filled(names=joined(", ", titles)))
    console.say("Prove it: {command}", command=command)


def _count(findings: Iterable[Finding]) -> Message:
    severities = [finding.severity for finding in findings]
    counts = ((texts, severities.count(severity)) for severity, texts in _COUNTS.items())
    return joined(", ", [texts[count > 1].filled(count=count) for texts, count in counts if count])
