"""What a check says: rules, the findings they lead to, and the failures that end a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from wizard.language import Message, changed


class ExitCode(IntEnum):
    """What the process answers with; documented in the README."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    TENANT = 3
    TUNNEL = 4
    FILE = 5
    BUG = 70
    AFTER_WRITING = 74
    INTERRUPTED = 130
    TERMINATED = 143


class Severity(StrEnum):
    """How much a finding matters to the sign-in."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Outcome(StrEnum):
    """How sure a check is of what it checked."""

    PROVED = "proved"
    LIKELY = "likely"
    UNPROVED = "unproved"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong, and what is always true of it.

    Attributes:
        id: stable identifier, `LA101`; never reused. The hundreds are the area: 0 the command
            and its files, 1 values of the `.env`, 2 the tenant, 3 tunnels, 4 sign-in and
            tokens, 5 the LibreChat deployment, 6 the Management API.
        severity: what a finding of this rule weighs.
        title: one line, what is wrong, without a full stop.
        why: why it matters to LibreChat; one or two sentences.
        fix: the exact next step; a finding may give one that names the values at hand.
        source: where the fact comes from.
        exit_code: what a command ends with that this rule stops.
    """

    id: str
    severity: Severity
    title: str
    why: str
    fix: str
    source: str = ""
    exit_code: ExitCode = ExitCode.FINDINGS

    def finding(
        self, detail: str = "", *, fix: str | None = None, variable: str | None = None
    ) -> Finding:
        """This rule, seen at work: `detail` says what was seen, never a secret."""
        return Finding(self, detail, self.fix if fix is None else fix, variable)

    def failure(
        self, detail: str = "", *, fix: str | None = None, variable: str | None = None
    ) -> Failure:
        """The finding as an exception, for what ends the command."""
        return Failure(self.finding(detail, fix=fix, variable=variable))


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule and what was seen of it here."""

    rule: Rule
    detail: str
    fix: str
    variable: str | None

    @property
    def severity(self) -> Severity:
        """The rule's severity."""
        return self.rule.severity

    def changed(self, change: Callable[[str], str]) -> Finding:
        """Return the finding with what others wrote in it changed, never the rule's own words."""
        fix = changed(self.fix, change) if isinstance(self.fix, Message) else self.fix
        return replace(self, detail=changed(self.detail, change), fix=fix)

    def as_json(self) -> dict[str, str | None]:
        """The finding as `--json` shows it."""
        return {
            "rule": self.rule.id,
            "severity": self.severity.value,
            "title": self.rule.title,
            "detail": self.detail,
            "fix": self.fix,
            "variable": self.variable,
        }


def exit_code_of(findings: Iterable[Finding]) -> ExitCode:
    """What a command ends with that found these: the errors among them decide."""
    codes = {each.rule.exit_code for each in findings if each.severity is Severity.ERROR}
    return max(codes, default=ExitCode.OK)


class Failure(Exception):  # noqa: N818 - it ends a command, it is not a bug
    """Ends the command: what happened, the likely cause and the next step are its finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"{finding.rule.id} {finding.rule.title}: {finding.detail}")
        self.finding = finding

    @property
    def exit_code(self) -> ExitCode:
        """What the process ends with."""
        return self.finding.rule.exit_code
