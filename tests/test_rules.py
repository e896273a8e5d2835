from __future__ import annotations

import pytest

from wizard.findings import ExitCode, Rule, Severity
from wizard.rules import all_rules


@pytest.mark.parametrize("rule", all_rules().values(), ids=lambda rule: rule.id)
def test_a_rule_reads_well(rule: Rule) -> None:
    assert rule.title[0].isupper()
    assert not rule.title.endswith(".")
    assert rule.fix
    assert rule.fix.strip() == rule.fix
    if rule.exit_code is ExitCode.OK:
        assert rule.severity is not Severity.ERROR
