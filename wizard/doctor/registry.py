"""All checks of the doctor, in the order to fix their findings, and the functions that run them.

A new rule is one row in the module of its subject. Rules on the file come first: its values can
be tested only once they can be read, and LibreChat was started with them.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from wizard.doctor import (
    addresses,
    characters,
    configuration,
    credentials,
    deployment,
    doors,
    options,
    process,
    roles,
    sign_in,
    tokens,
    writing,
)
from wizard.doctor.check import Check, each_of
from wizard.doctor.subject import Subject
from wizard.findings import Failure, Finding, Severity
from wizard.language import sentences
from wizard.librechat.env_file import Change, EnvFile
from wizard.librechat.restart import restart_fix
from wizard.librechat.running import (
    INSTANCE_RULES,
    OTHER_LOOKS,
    OTHER_VALUES,
    SIGN_IN_OFF,
    judge_instance,
)
from wizard.rules import BUG, rule

PROBLEMS_LEFT = rule("LA191")

# Of one rule, against a file made to flood the output.
MOST_OF_ONE_RULE = 20
LONGEST_DETAIL = 500
# A repair may reveal another violation; each round fixes those of the one before.
REPAIR_ROUNDS = 5
_FIXED_BY_RESTART = (SIGN_IN_OFF, OTHER_VALUES, OTHER_LOOKS)


def _of_instance(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with the running LibreChat, with the command of its restart."""
    for finding in judge_instance(subject.instance, subject.values) if subject.instance else ():
        if finding.rule not in _FIXED_BY_RESTART:
            yield finding
            continue
        # A LibreChat that is older than its files says what runs it itself.
        because = "" if subject.traces.newer else subject.runner.because
        detail = sentences(finding.detail, because)
        yield finding._replace(detail=detail, fix=restart_fix(subject.runner))


FILE_CHECKS: tuple[Check, ...] = (
    *writing.CHECKS,
    *characters.CHECKS,
    *sign_in.CHECKS,
    *addresses.CHECKS,
    *tokens.CHECKS,
    *credentials.CHECKS,
    *deployment.CHECKS,
    *roles.CHECKS,
    *configuration.CHECKS,
    *doors.CHECKS,
    *options.CHECKS,
)
RUNNING_CHECKS = (
    *process.CHECKS,
    *doors.RUNNING_CHECKS,
    *each_of(INSTANCE_RULES, _of_instance),
)
CHECKS = (*FILE_CHECKS, *RUNNING_CHECKS)


def diagnose(subject: Subject, checks: Sequence[Check] = CHECKS) -> tuple[Finding, ...]:
    """Return the findings of the checks; a check that raises becomes a finding."""
    return tuple(finding for check in checks for finding in _findings(check, subject))


def problems_left(subject: Subject, told: Iterable[Finding]) -> Iterator[Finding]:
    """LA191: the errors and warnings of the file, without those already shown."""
    known = {(each.rule.id, each.variable) for each in told}
    left = [
        f"{each.rule.id} {each.variable or ''}".rstrip()
        for each in diagnose(subject, FILE_CHECKS)
        if each.severity is not Severity.NOTE and (each.rule.id, each.variable) not in known
    ]
    if left:
        named = ", ".join(dict.fromkeys(left))
        yield PROBLEMS_LEFT.finding("Not fixed: {problems}.", problems=named)


def repairs(
    subject: Subject, checks: Sequence[Check] = CHECKS, without: Collection[str] = ()
) -> tuple[EnvFile, tuple[Change, ...]]:
    """Return the file with every safe repair, and the changes; leave the rules `without` alone."""
    chosen = [check for check in checks if check.repair and check.rule.id not in without]
    wanted: dict[str, str] = {}
    fixed = subject
    for _ in range(REPAIR_ROUNDS):
        edits: dict[str, str] = {}
        for check in chosen:
            for finding in _findings(check, fixed):  # of two for one variable, the first wins
                found = _edits_of(check, finding, fixed)
                edits |= {name: each for name, each in found.items() if name not in edits}
        if not (edits := _possible(fixed.file, edits)):
            break
        wanted |= edits
        fixed = subject._replace(file=subject.file.edited(wanted, removing_lines=True)[0])
    return subject.file.edited(wanted, removing_lines=True)


def can_be_fixed(subject: Subject, finding: Finding) -> bool:
    """Whether `repairs` fixes the finding."""
    check = next((check for check in CHECKS if check.rule is finding.rule), None)
    return check is not None and bool(_possible(subject.file, _edits_of(check, finding, subject)))


def _findings(check: Check, subject: Subject) -> Iterator[Finding]:
    try:
        found = list(itertools.islice(check.judge(subject), MOST_OF_ONE_RULE + 1))
    except Exception as error:  # a rule that breaks must not hide the others
        name, crash = check.rule.id, type(error).__name__
        yield BUG.finding("The check {rule} crashed: {error}.", rule=name, error=crash)
        return
    for finding in found[:MOST_OF_ONE_RULE]:
        if finding.variable in subject.distorted and check.rule not in deployment.DISTORTIONS:
            continue  # a consequence
        shown = finding.changed(subject.hidden)
        if len(shown.detail) > LONGEST_DETAIL:
            shown = shown._replace(detail=shown.detail[:LONGEST_DETAIL])
        yield shown
    if len(found) > MOST_OF_ONE_RULE:
        yield check.rule.finding("There are more than {count} of these.", count=MOST_OF_ONE_RULE)


def _edits_of(check: Check, finding: Finding, subject: Subject) -> dict[str, str]:
    """The repair of a finding, without edits of the file that do not reach LibreChat."""
    if check.repair is None or not finding.variable:
        return {}
    edits = check.repair(subject, finding.variable)
    return {name: value for name, value in edits.items() if _reaches(subject, name, value)}


def _reaches(subject: Subject, name: str, value: str) -> bool:
    if subject.container is None:
        return name not in subject.handed
    with suppress(Failure):
        edited, _ = subject.file.edited({name: value}, removing_lines=True)
        return subject._replace(file=edited).value(name) == value
    return False


def _possible(file: EnvFile, edits: Mapping[str, str]) -> dict[str, str]:
    """The edits that change the file and that the engine can make."""
    with suppress(Failure):
        _, changes = file.edited(edits, removing_lines=True)
        return {change.name: edits[change.name] for change in changes}
    possible: dict[str, str] = {}
    for name, value in edits.items():
        with suppress(Failure):
            file.edited({**possible, name: value}, removing_lines=True)
            possible[name] = value
    return possible
