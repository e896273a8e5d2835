"""Prints an examination: one line a part, one line a finding, and the first cause in full."""

from collections.abc import Collection, Iterable, Sequence

from wizard.doctor.claims import Claim, Source, are_proved
from wizard.doctor.examine import Examination, Part, part_of
from wizard.doctor.subject import settings_of
from wizard.findings import Finding, Outcome, Severity
from wizard.language import Message, ended, joined, sentences
from wizard.ports import Ports
from wizard.steps.prove import show as show_checks

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


def show_examination(
    examination: Examination,
    findings: Sequence[Finding],
    claims: Sequence[Claim],
    only: Collection[str],
    command: str,
    ports: Ports,
) -> None:
    """Print the parts, those with errors last, and the finding to fix first at the end.

    `only` are the rules that were asked for, empty for all. `command` prints every check and every
    finding in full; "" where that is to be done now.
    """
    merged = merged_findings(findings)
    problems = _without_notes(merged)
    parts = {part_of(identifier) for identifier in only} or set(Part)
    own = {part: [each for each in merged if part_of(each.rule.id) is part] for part in Part}
    for part in sorted(Part, key=lambda part: _BY_WEIGHT.index(_worst(own[part]))):
        if part not in parts:
            continue
        state, detail = _state(part, own[part], examination, claims)
        ports.console.part(part.value, detail, state)
        if not command and part is Part.AUTH0 and examination.tenant is not None:
            show_checks(examination.tenant.results, (), ports)
        for finding in sorted(own[part], key=lambda each: _BY_WEIGHT.index(each.severity)):
            if finding in problems[:1]:
                continue
            if not command:
                ports.console.finding(finding)
            elif finding in problems:
                ports.console.finding_title(finding)
    if problems:
        ports.console.say()
        ports.console.finding(problems[0])
    if len(merged) > len(problems[:1]) and command:
        ports.console.say()
        ports.console.say(_ALL.filled(counts=_count(merged), command=command))


def merged_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings with those of one rule and one next step as one."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.rule.id, finding.fix), []).append(finding)
    return [_as_one(group) for group in groups.values()]


def _as_one(group: Sequence[Finding]) -> Finding:
    details = dict.fromkeys(ended(each.detail) for each in group if each.detail)
    return group[0].rule.finding(sentences(*details), fix=group[0].fix)


def _without_notes(findings: Iterable[Finding]) -> list[Finding]:
    return [each for each in findings if each.severity is not Severity.NOTE]


def _worst(findings: Iterable[Finding]) -> Severity:
    severities = (each.severity for each in findings)
    return max(severities, key=_BY_WEIGHT.index, default=Severity.NOTE)


def _state(
    part: Part, own: Sequence[Finding], examination: Examination, claims: Sequence[Claim]
) -> tuple[Severity | Outcome, str]:
    """The worst finding, else whether the part was checked; what is right, or why it was not."""
    worst, file = _worst(own), examination.subject.path
    if worst is not Severity.NOTE:
        counts = _count(_without_notes(own))
        if part is Part.FILE:
            counts = Message("{counts} in {file}", counts=counts, file=file)
        return worst, counts
    by_name = {each.check: each for each in claims}
    if part is Part.FILE:
        return Outcome.PROVED, str(file)
    if part is Part.AUTH0:
        return _tenant_state(examination, claims)
    if part is Part.TUNNEL:
        return by_name["public_url"].state
    running = by_name["running"]
    if running.outcome is not Outcome.PROVED:
        return running.state
    values, outcome = Message("{running} with the values of the .env"), Outcome.PROVED
    if by_name["values"].outcome is Outcome.LIKELY:
        values, outcome = Message("{running}, its values are only likely"), Outcome.LIKELY
    return outcome, values.filled(running=Message.of(running.evidence))


def _tenant_state(examination: Examination, claims: Sequence[Claim]) -> tuple[Outcome, str]:
    own = [each for each in claims if each.source is Source.TENANT]
    settings = settings_of(examination.subject)
    if examination.tenant is None or settings is None:
        return own[0].state
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
        console.done("The sign-in is proved: {how}.", how=Message.of(claims[-1].evidence))
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
