"""A check of the doctor: a rule, the function that finds violations, and a safe repair.

A judge is pure: it takes the `Subject` and yields a finding for each violation. A repair returns
the new values of variables; the `.env` engine writes them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from wizard.doctor.subject import Subject
from wizard.findings import Finding, Rule
from wizard.rules import rule
from wizard.settings import InvalidValue

Edits = Mapping[str, str]
Repair = Callable[[Subject, str], Edits]  # of the finding's variable


class Violation(NamedTuple):
    """What was found: without a detail the variable's line, without a fix the rule's."""

    detail: str = ""
    fix: str | None = None
    variable: str | None = None


class Check(NamedTuple):
    """A rule with its judge.

    `repair` returns the edits that fix a finding without losing anything, possibly none; it is
    None if no repair is safe.
    """

    rule: Rule
    judge: Callable[[Subject], Iterator[Finding]]
    repair: Repair | None = None


def check(
    identifier: str,
    find: Callable[[Subject], Iterator[Violation]],
    repair: Repair | None = None,
) -> Check:
    """Return the check of a rule on all that LibreChat gets."""
    found = rule(identifier)

    def judge(subject: Subject) -> Iterator[Finding]:
        for detail, fix, name in find(subject):
            seen = subject.seen(name) if name and not detail else detail
            yield found.finding(seen, fix=fix, variable=name)

    return Check(found, judge, repair)


def on(
    identifier: str,
    names: str | Iterable[str] | Callable[[Subject], Iterable[str]],
    is_wrong: Callable[[Subject, str], bool | str | Violation | None],
    repair: Repair | None = None,
) -> Check:
    """Return the check of a rule on variables, each judged by itself.

    `is_wrong` returns whether the variable violates the rule, or what was found.
    """

    def find(subject: Subject) -> Iterator[Violation]:
        listed = names(subject) if callable(names) else names
        for name in [listed] if isinstance(listed, str) else listed:
            wrong = is_wrong(subject, name)
            if isinstance(wrong, Violation):
                yield wrong._replace(variable=name)
            elif wrong:
                yield Violation("" if wrong is True else wrong, variable=name)

    return check(identifier, find, repair)


def is_missing(subject: Subject, name: str) -> bool:
    """Return whether the variable has no value."""
    return not subject.bare(name)


def refusal(parse: Callable[[str], object], value: str) -> str:
    """Return why `parse` refuses the value, "" if it does not."""
    try:
        parse(value)
    except InvalidValue as invalid:
        return invalid.reason
    return ""


def to(**values: str) -> Repair:
    """Return the repair that gives these variables these values."""
    return lambda _, __: values
