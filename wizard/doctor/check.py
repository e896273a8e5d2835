"""One row of the doctor's table: a rule, the function that sees it, and the repair if one is safe.

A judge is pure: it takes the `Subject` and yields a finding for each place where the rule is
broken. A repair says which variables get which value; the `.env` engine writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from wizard.doctor.subject import Subject
from wizard.findings import Finding, Rule

Edits = Mapping[str, str]
Judge = Callable[[Subject], Iterator[Finding]]
Repair = Callable[[Subject, Finding], Edits]


@dataclass(frozen=True, slots=True)
class Check:
    """A rule at work.

    Attributes:
        rule: what it is about.
        judge: where it is broken.
        repair: the edits that mend a finding without losing anything, empty where there are none
            for this one; None where nothing is safe.
    """

    rule: Rule
    judge: Judge
    repair: Repair | None = None
