"""`explain`: what a rule means, why it matters and how to mend what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wizard.commands.answers import INVALID_VALUE
from wizard.findings import ExitCode, Finding, Rule
from wizard.ports import Ports
from wizard.rules import all_rules, area


@dataclass(frozen=True, slots=True)
class ExplainResult:
    """The rules that were asked for."""

    rules: Sequence[Rule]
    exit_code: ExitCode = ExitCode.OK
    findings: Sequence[Finding] = ()

    def as_json(self) -> dict[str, object]:
        """See `Result.as_json`."""
        return {"rules": [rule_as_json(rule) for rule in self.rules]}


def run_explain(identifier: str, ports: Ports, *, as_json: bool) -> ExplainResult:
    """Tell about one rule, or list all where none is named.

    Raises:
        Failure: there is no such rule.
    """
    rules = all_rules()
    wanted = identifier.strip().upper()
    if wanted and wanted not in rules:
        raise INVALID_VALUE.failure(
            f"There is no rule {identifier}.", fix="librechat-auth0 explain lists all rules."
        )
    chosen = [rules[wanted]] if wanted else list(rules.values())
    if not as_json:
        ports.console.text(explanation(chosen[0]) if wanted else listing(chosen))
    return ExplainResult(chosen)


def explanation(rule: Rule) -> str:
    """All that is known of a rule."""
    lines = [f"{rule.id} ({rule.severity.value}): {rule.title}", ""]
    if rule.why:
        lines += [f"Why:    {rule.why}"]
    lines += [f"Next:   {rule.fix}"]
    if rule.source:
        lines += [f"Source: {rule.source}"]
    if rule.exit_code is not ExitCode.FINDINGS:
        lines += [f"Exit:   {rule.exit_code.value}"]
    return "\n".join([*lines, "", f"To silence it in a .env: # librechat-auth0: ignore {rule.id}"])


def listing(rules: Sequence[Rule]) -> str:
    """One line a rule, by area."""
    lines: list[str] = []
    heading = ""
    for rule in rules:
        if area(rule) != heading:
            heading = area(rule)
            lines += ["", heading] if lines else [heading]
        lines.append(f"  {rule.id}  {rule.severity.value:<7}  {rule.title}")
    return "\n".join(lines)


def rule_as_json(rule: Rule) -> dict[str, str | int]:
    """A rule as `--json` shows it."""
    return {
        "rule": rule.id,
        "severity": rule.severity.value,
        "title": rule.title,
        "why": rule.why,
        "fix": rule.fix,
        "source": rule.source,
        "exit_code": rule.exit_code.value,
        "area": area(rule),
    }
