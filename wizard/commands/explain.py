"""`explain`: what a rule means, why it matters and how to fix it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from wizard.commands.values import INVALID_VALUE
from wizard.findings import ExitCode, Finding, Rule, Severity
from wizard.language import Language, Message
from wizard.ports import Ports
from wizard.rules import all_rules, area

# A word, and what is said beside it.
Row = tuple[str, str]

_SEVERITIES = {
    Severity.ERROR: Message("error"),
    Severity.WARNING: Message("warning"),
    Severity.NOTE: Message("note"),
}


@dataclass(frozen=True, slots=True)
class ExplainResult:
    """The rules that were asked for."""

    rules: Sequence[Rule]
    exit_code: ExitCode = ExitCode.OK
    findings: Sequence[Finding] = ()

    def as_json(self) -> dict[str, object]:
        return {"rules": [rule_as_json(rule) for rule in self.rules]}


def run_explain(identifier: str, ports: Ports, *, as_json: bool) -> ExplainResult:
    """Tell about one rule, or list all where none is named.

    Raises:
        Failure: there is no such rule.
    """
    rules = all_rules()
    wanted = identifier.strip().upper()
    if wanted.isdecimal():
        wanted = f"LA{wanted:0>3}"
    if wanted and wanted not in rules:
        raise INVALID_VALUE.failure(
            Message("There is no rule {rule}.", rule=identifier),
            fix=Message("librechat-auth0 explain lists all rules."),
        )
    chosen = [rules[wanted]] if wanted else list(rules.values())
    if not as_json:
        tell = explanation(chosen[0], ports.language) if wanted else listing(chosen, ports.language)
        ports.console.rows(tell)
    return ExplainResult(chosen)


def explanation(rule: Rule, language: Language) -> list[Row]:
    """All that is known of a rule, in columns that are as wide as the language needs them."""
    say = language.say
    is_usual = rule.exit_code is ExitCode.FINDINGS
    labelled = {
        say("Why:"): say(rule.why),
        say("Next:"): say(rule.fix),
        say("Source:"): rule.source,
        say("Exit:"): "" if is_usual else str(rule.exit_code.value),
    }
    width = max(map(len, labelled))
    silence = Message("To silence it in a .env: # librechat-auth0: ignore {rule}", rule=rule.id)
    return [
        (f"{rule.id} ({say(_SEVERITIES[rule.severity])}): ", say(rule.title)),
        ("", ""),
        *((f"{label:<{width}} ", text) for label, text in labelled.items() if text),
        ("", ""),
        ("", say(silence)),
    ]


def listing(rules: Sequence[Rule], language: Language) -> list[Row]:
    """One line a rule, by area."""
    say = language.say
    severities = {severity: say(word) for severity, word in _SEVERITIES.items()}
    width = max(map(len, severities.values()))
    rows: list[Row] = []
    for heading, of_area in groupby(rules, key=area):
        rows += [("", ""), ("", say(heading))] if rows else [("", say(heading))]
        for rule in of_area:
            rows.append((f"  {rule.id}  {severities[rule.severity]:<{width}}  ", say(rule.title)))
    return rows


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
