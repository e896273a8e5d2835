"""A check of the doctor: a rule, the function that finds violations, and a safe repair.

A judge is pure: it takes the `Subject` and yields a finding for each violation. A repair returns
the new values of variables; the `.env` engine writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from wizard.doctor.subject import Subject
from wizard.findings import Finding, Rule
from wizard.rules import rule
from wizard.settings import InvalidValue

Edits = Mapping[str, str]
Judge = Callable[[Subject], Iterator[Finding]]
Repair = Callable[[Subject, Finding], Edits]


class Check(NamedTuple):
    """A rule with its judge.

    Attributes:
        rule: the rule.
        judge: finds its violations.
        repair: the edits that fix a finding without losing anything, possibly none; None if
            no repair is safe.
    """

    rule: Rule
    judge: Judge
    repair: Repair | None = None


def on(
    identifier: str,
    names: str | Iterable[str],
    is_wrong: Callable[[Subject, str], bool | str],
    repair: Repair | None = None,
) -> Check:
    """Return the check of a rule on variables, each judged by itself.

    `is_wrong` returns whether the variable violates the rule, or the detail of the finding in
    place of its line; "" for none.
    """
    found = rule(identifier)

    def judge(subject: Subject) -> Iterator[Finding]:
        for name in [names] if isinstance(names, str) else names:
            if wrong := is_wrong(subject, name):
                yield subject.finding(found, name, wrong if isinstance(wrong, str) else "")

    return Check(found, judge, repair)


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
