"""The registry of rules, and the documentation that is made from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wizard.doctor.document import PATH, document
from wizard.doctor.rules import CHECKS
from wizard.findings import Rule
from wizard.rules import AREAS, all_rules, area

ROOT = Path(__file__).parent.parent
_IDENTIFIER = re.compile(r'^    (?:id=)?"(LA\d{3})"', re.MULTILINE)


@pytest.mark.parametrize("rule", all_rules().values(), ids=lambda rule: rule.id)
def test_every_rule_is_whole(rule: Rule) -> None:
    assert re.fullmatch(r"LA\d{3}", rule.id)
    assert rule.title
    assert not rule.title.endswith(".")
    assert rule.fix
    assert area(rule) in AREAS


def test_every_rule_in_the_source_is_in_the_registry() -> None:
    written = {
        identifier
        for path in (ROOT / "wizard").rglob("*.py")
        for identifier in _IDENTIFIER.findall(path.read_text("utf-8"))
    }
    assert written <= all_rules().keys(), sorted(written - all_rules().keys())


def test_every_row_of_the_doctor_is_in_the_registry() -> None:
    for check in CHECKS:
        assert all_rules()[check.rule.id] is check.rule


def test_no_rule_has_two_rows() -> None:
    rules = [check.rule.id for check in CHECKS]
    assert len(rules) == len(set(rules))


def test_the_documentation_is_what_the_table_says() -> None:
    written = (ROOT / PATH).read_text("utf-8")
    assert written == document(all_rules()), "run: python -m wizard.doctor.document"


def test_the_documentation_has_every_rule() -> None:
    text = document(all_rules())
    for rule in all_rules().values():
        assert f"### {rule.id}: {rule.title}" in text
