"""A check of the doctor: a rule, the function that finds violations, and a safe repair.

A judge is pure: it takes the `Subject` and yields a finding for each violation. A repair returns
the new values of variables; the `.env` engine writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from wizard.doctor.subject import Subject
from wizard.findings import Finding, Rule

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
