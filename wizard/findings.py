"""Rules, the findings of a check, and the failures that end a command."""

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum, StrEnum
from typing import NamedTuple, Self

from wizard.language import Message, changed


class ExitCode(IntEnum):
    """The exit status of a command; the documents are generated from the meanings."""

    meaning: str

    OK = 0, "success"
    FINDINGS = 1, "a check found an error; nothing was written, unless with `--force`"
    USAGE = 2, "wrong usage, or a value is missing and there is no terminal to ask for it"
    TENANT = 3, "the tenant cannot be reached"
    TUNNEL = 4, "the tunnel cannot be opened, or it closed"
    FILE = 5, "a file or an output cannot be read or written; the .env is unchanged"
    BUG = 70, "a bug in librechat-auth0"
    AFTER_WRITING = 74, "the .env was written, but a file or an output after it was not"
    INTERRUPTED = 130, "interrupted by Ctrl-C; 0 where that closes a tunnel held open"
    TERMINATED = 143, "ended by SIGTERM; any other signal gives 128 and its number"

    def __new__(cls, value: int, meaning: str = "") -> Self:
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Outcome(StrEnum):
    """The result of a check."""

    PROVED = "proved"
    LIKELY = "likely"
    UNPROVED = "unproved"
    FAILED = "failed"
    SKIPPED = "skipped"


class Rule(NamedTuple):
    """One thing that can be wrong: `title` says what, `fix` is the next step.

    The `id` is never reused; its hundreds are the area, see `wizard.rules.AREAS`. A finding may
    have a more specific fix. `exit_code` is that of a command that the rule ends.
    """

    id: str
    severity: Severity
    title: str
    why: str
    fix: str
    source: str = ""
    exit_code: ExitCode = ExitCode.FINDINGS

    def finding(
        self,
        detail: str = "",
        /,
        *,
        fix: str | None = None,
        variable: str | None = None,
        **values: object,
    ) -> "Finding":
        """Return a finding of this rule; `detail` says what was found, without secrets.

        `values` fill in the fields of the detail and of the fix.
        """
        detail = _filled(Message.of(detail), values) if values else detail
        if isinstance(fix, Message):
            fix = _filled(fix, values)
        return Finding(self, detail, self.fix if fix is None else fix, variable)

    def failure(
        self,
        detail: str = "",
        /,
        *,
        fix: str | None = None,
        variable: str | None = None,
        **values: object,
    ) -> "Failure":
        """Return the finding as an exception, which ends the command."""
        return Failure(self.finding(detail, fix=fix, variable=variable, **values))


def _filled(text: Message, values: Mapping[str, object]) -> Message:
    """Return the text with these values, unless it has its own."""
    return text if text.values else text.filled(**values)


class Finding(NamedTuple):
    """A rule and what was found."""

    rule: Rule
    detail: str
    fix: str
    variable: str | None

    @property
    def severity(self) -> Severity:
        return self.rule.severity

    def changed(self, change: Callable[[str], str]) -> "Finding":
        """Return the finding with its foreign text changed, never the rule's own words."""
        fix = changed(self.fix, change) if isinstance(self.fix, Message) else self.fix
        return self._replace(detail=changed(self.detail, change), fix=fix)

    def as_json(self) -> dict[str, str | None]:
        """Return the finding as `--json` prints it."""
        return {
            "rule": self.rule.id,
            "severity": self.severity.value,
            "title": self.rule.title,
            "detail": self.detail,
            "fix": self.fix,
            "variable": self.variable,
        }


def exit_code_of(findings: Iterable[Finding]) -> ExitCode:
    """Return the exit code of a command with these findings: the highest of its errors."""
    codes = {each.rule.exit_code for each in findings if each.severity is Severity.ERROR}
    return max(codes, default=ExitCode.OK)


class Failure(Exception):  # noqa: N818 - it ends a command, it is not a bug
    """Ends the command with a finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"{finding.rule.id} {finding.rule.title}: {finding.detail}")
        self.finding = finding

    @property
    def exit_code(self) -> ExitCode:
        return self.finding.rule.exit_code
