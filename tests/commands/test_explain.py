"""`explain` and the documentation show what the table of rules says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import make_world
from wizard.commands.explain import rule_as_json, run_explain
from wizard.findings import ExitCode, Failure
from wizard.rules import all_rules


@pytest.mark.parametrize("identifier", ["LA119", " la119 ", "119"])
def test_one_rule(tmp_path: Path, identifier: str) -> None:
    world = make_world(tmp_path)
    result = run_explain(identifier, world.ports, as_json=False)
    rule = all_rules()["LA119"]
    text = world.stdout.getvalue()
    for part in (rule.id, rule.title, rule.why, rule.fix, rule.source, rule.severity.value):
        assert part in text
    assert world.said == ""
    assert result.exit_code is ExitCode.OK


def test_all_rules(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    run_explain("", world.ports, as_json=False)
    text = world.stdout.getvalue()
    for rule in all_rules().values():
        assert f"{rule.id}  " in text
        assert rule.title in text


def test_json_alone_is_on_standard_output(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    result = run_explain("LA100", world.ports, as_json=True)
    assert world.stdout.getvalue() == ""
    assert result.as_json()["rules"] == [rule_as_json(all_rules()["LA100"])]
    assert rule_as_json(all_rules()["LA100"])["severity"] == "error"


@pytest.mark.parametrize("identifier", ["LA999", "999", "../x"])
def test_no_such_rule(tmp_path: Path, identifier: str) -> None:
    with pytest.raises(Failure) as failure:
        run_explain(identifier, make_world(tmp_path).ports, as_json=False)
    assert failure.value.exit_code is ExitCode.USAGE
