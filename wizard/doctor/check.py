"""A check of the doctor: a rule, the function that finds violations, and a safe repair.

A judge is pure: it takes the `Subject` and yields a finding for each violation. A repair returns
the new values of variables; the `.env` engine writes them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from wizard.doctor.subject import Subject
from wizard.findings import Finding, Rule
from wizard.language import Message, sentences
from wizard.rules import rule
from wizard.settings import InvalidValue

Edits = Mapping[str, str]
Repair = Callable[[Subject, str], Edits]  # of the finding's variable

SET_VALUE = Message("Set {name}={value}.")
OVERRIDES_FILE = Message("{seen}. The .env has another value on line {line}.")


class Violation:
    """What was found: without a detail the variable's line, without a fix the rule's.

    Both texts are filled in with `values` and the variable's `name`, `line` and `seen`.
    """

    __slots__ = ("detail", "fix", "values", "variable")

    def __init__(
        self,
        detail: str = "",
        /,
        *,
        fix: str | None = None,
        variable: str | None = None,
        **values: object,
    ) -> None:
        self.detail = Message.of(detail or "{seen}")
        self.fix = fix
        self.variable = variable
        self.values = values

    def finding(self, of: Rule, subject: Subject) -> Finding:
        """Return the finding of the rule."""
        values, name = self.values, self.variable
        if name is not None:
            about = {"name": name, "line": subject.line_of(name), "seen": subject.seen(name)}
            values = {**about, **values}
        return of.finding(self.detail, fix=self.fix, variable=name, **values)


class Check(NamedTuple):
    """A rule with its judge.

    `repair` returns the edits that fix a finding without losing anything, possibly none; it is
    None if no repair is safe.
    """

    rule: Rule
    judge: Callable[[Subject], Iterator[Finding]]
    repair: Repair | None = None


def check(
    identifier: str, find: Callable[[Subject], Iterator[Violation]], *, says_runner: bool = False
) -> Check:
    """Return the check of a rule on all that LibreChat gets.

    `says_runner` puts who runs LibreChat before the detail.
    """
    found = rule(identifier)

    def judge(subject: Subject) -> Iterator[Finding]:
        for each in find(subject):
            finding = each.finding(found, subject)
            yield said_by_runner(finding, subject) if says_runner else finding

    return Check(found, judge)


def on(
    identifier: str,
    names: str | Iterable[str] | Callable[[Subject], Iterable[str]],
    is_wrong: Callable[[Subject, str], bool | str | Violation | None],
    repair: Repair | None = None,
    *,
    fix: Message | None = None,
) -> Check:
    """Return the check of a rule on variables, each judged by itself.

    `is_wrong` returns whether the variable violates the rule, or what was found. `fix` is the next
    step; its `value` is the one of the repair.
    """

    def find(subject: Subject) -> Iterator[Violation]:
        listed = names(subject) if callable(names) else names
        for name in [listed] if isinstance(listed, str) else listed:
            wrong = is_wrong(subject, name)
            if isinstance(wrong, Violation):
                wrong.variable = name
                yield wrong
            elif wrong:
                edits = repair(subject, name) if repair and fix else {}
                value = subject.without_secrets(edits.get(name, ""))
                detail = "{found}" if isinstance(wrong, str) else ""
                yield Violation(detail, fix=fix, variable=name, value=value, found=wrong)

    return check(identifier, find)._replace(repair=repair)


def each_of(
    rules: Iterable[Rule], judge_all: Callable[[Subject], Iterable[Finding]]
) -> tuple[Check, ...]:
    """Return a check of each rule, where one judge finds them all."""

    def of(one: Rule) -> Check:
        return Check(one, lambda it: (each for each in judge_all(it) if each.rule is one))

    return tuple(map(of, rules))


def said_by_runner(finding: Finding, subject: Subject) -> Finding:
    """Return the finding, with who runs LibreChat before its detail."""
    return finding._replace(detail=sentences(subject.runner.because, finding.detail))


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
