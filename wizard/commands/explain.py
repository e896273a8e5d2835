"""`explain`: what a rule means, why it matters and how to fix it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import log

from wizard.execution import Result
from wizard.findings import ExitCode, Rule, Severity
from wizard.language import Language, Message
from wizard.ports import Ports
from wizard.rules import AREAS, all_rules, area, origin_of
from wizard.steps.values import INVALID_VALUE, did_you_mean
from wizard.ui.console import Console
from wizard.ui.screen import Kind, Line

MOST_FOUND = 5
_IDENTIFIER = re.compile(r"(?:LA)?(\d{1,3})", re.IGNORECASE)
_WORD = re.compile(r"\w{3,}")
_SEVERITIES = {
    Severity.ERROR: Message("error"),
    Severity.WARNING: Message("warning"),
    Severity.NOTE: Message("note"),
}
# The share of a question's words, weighted by their rarity, that a rule must contain.
_ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class ExplainResult(Result):
    """The rules, the most relevant first."""

    rules: Sequence[Rule]

    def as_json(self) -> dict[str, object]:
        return {"rules": [rule_as_json(rule) for rule in self.rules]}


def run_explain(question: str, ports: Ports) -> ExplainResult:
    """Explain a rule, search by words or an error message, or list all rules."""
    console, rules = ports.console, all_rules()
    if not question.strip():
        console.page(_listing(list(rules.values()), console))
        return ExplainResult(list(rules.values()))
    if found := _IDENTIFIER.fullmatch(question.strip()):
        chosen = [rules[each] for each in (f"LA{found[1]:0>3}",) if each in rules]
    else:
        chosen = search(question, ports.language)
    if not chosen:
        from wizard.librechat.variables import VARIABLES

        fix = did_you_mean(
            question.strip(), VARIABLES, Message("Run librechat-auth0 explain to list all rules.")
        )
        raise INVALID_VALUE.failure("No rule matches {text}.", text=question, fix=fix)
    best, *others = chosen
    console.page(_explanation(best, console))
    if others:
        console.page([Line(""), Line(Message("Related rules:"), Kind.TITLE)])
        console.page(map(console.rule, others))
    return ExplainResult(chosen)


def search(question: str, language: Language) -> list[Rule]:
    """Return the rules for words or an error message, at most `MOST_FOUND`, the best first."""
    from wizard.auth0.error_table import TABLE
    from wizard.librechat.log import rules_for

    rules, asked, phrase = all_rules().values(), set(_words(question)), question.strip().lower()
    by_message = [
        *(
            cause.rule
            for row in TABLE
            if (cause := row.meaning.cause)
            and row.text
            and re.search(row.text, question, re.IGNORECASE)
        ),
        *rules_for(question),
    ]
    texts = {rule: _texts(rule, language) for rule in rules}
    rules_with = Counter(word for text in texts.values() for word in set(_words(text)))
    rarity = {word: log(1 + len(rules) / (rules_with[word] or 1)) for word in asked}

    def share(text: str) -> float:
        return sum(rarity[word] for word in asked.intersection(_words(text))) / sum(rarity.values())

    def score(rule: Rule) -> float:
        in_title = share(f"{rule.title} {language.say(rule.title)}")
        return share(texts[rule]) + in_title + (phrase in texts[rule].lower())

    found = [rule for rule in rules if asked and share(texts[rule]) >= _ENOUGH]
    ranked = sorted(found, key=score, reverse=True)
    return list(dict.fromkeys([*by_message, *ranked]))[:MOST_FOUND]


def _texts(rule: Rule, language: Language) -> str:
    texts = (rule.title, rule.why, rule.fix)
    return " ".join([*texts, *map(language.say, texts)])


def _words(text: str) -> list[str]:
    return [word.removesuffix("s") for word in _WORD.findall(text.lower())]


def _explanation(rule: Rule, console: Console) -> Iterator[Line]:
    say = console.language.say
    yield console.title(rule)
    labelled = {
        say("Severity:"): _SEVERITIES[rule.severity],
        say("Why:"): rule.why,
        say("Next:"): rule.fix,
        say("Source:"): rule.source,
        say("Checked:"): _checked(rule),
        say("Exit code:"): "" if rule.exit_code is ExitCode.FINDINGS else str(rule.exit_code.value),
    }
    width = max(map(len, labelled))
    for label, text in labelled.items():
        if text:
            is_link = text.startswith("https://")  # to copy as a whole
            yield Line(text, lead=f"{label:<{width}}", indent=2, wrap=not is_link)
    if area(rule) == AREAS[0]:  # of a command, which it ends
        return
    yield Line("")
    yield Line(Message("To ignore it, add this line to the .env:"), indent=2)
    yield Line(f"# librechat-auth0: ignore {rule.id}", Kind.VERBATIM, indent=4, wrap=False)


def _checked(rule: Rule) -> str:
    """Return against what the rule's source was checked, "" without a source."""
    origin = origin_of(rule.source)
    if origin is None:
        return ""
    text = (
        Message("in a real run of {origin} {version} ({date})")
        if origin.was_run
        else Message("in the source or documentation of {origin} {version} ({date})")
    )
    return text.filled(origin=origin.name, version=origin.version, date=origin.checked)


def _listing(rules: Sequence[Rule], console: Console) -> Iterator[Line]:
    for number, (heading, of_area) in enumerate(groupby(rules, key=area)):
        yield from [Line("")] if number else []
        yield Line(heading, Kind.TITLE)
        yield from map(console.rule, of_area)


def rule_as_json(rule: Rule) -> dict[str, str | int]:
    """Return a rule as `--json` prints it."""
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
