"""Rules are written in docs/rules.md; the code names each of them once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import wizard
from wizard import dashboard
from wizard.findings import ExitCode, Rule, Severity
from wizard.rules import PAGE, all_rules, origin_of, origins

ROOT = Path(wizard.__file__).parent
TEXT = (ROOT.parent / PAGE).read_text("utf-8")


def named_in_code() -> Counter[str]:
    """Return the identifiers that the code uses: `rule("…")`, or the row of a check."""
    text = "\n".join(path.read_text("utf-8") for path in ROOT.rglob("*.py"))
    return Counter(re.findall(r'\b(?:rule|on|check|_\w+)\(\s*"(LA\d+)"[,)]', text))


def test_every_section_of_the_page_is_read() -> None:
    headings = re.findall(r"^### (\S+?):", TEXT, re.MULTILINE)

    assert headings == [*all_rules()]
    assert headings == sorted(set(headings))


def test_the_code_uses_every_rule_once() -> None:
    named = named_in_code()

    assert named.keys() == all_rules().keys()
    assert {identifier for identifier, times in named.items() if times > 1} == set()


def test_no_rule_is_written_in_the_code() -> None:
    for path in ROOT.rglob("*.py"):
        if path.name not in {"findings.py", "rules.py"}:
            assert not re.search(r"\bRule\(", path.read_text("utf-8")), path


def test_a_rule_is_under_the_heading_of_its_area() -> None:
    from itertools import groupby

    from wizard.rules import area

    areas = [heading for heading, _ in groupby(all_rules().values(), key=area)]
    assert re.findall(r"^## (.*)$", TEXT, re.MULTILINE) == areas


# How a next step starts. Add verbs only.
VERBS = frozenset(
    """
    Add Change Check Choose Compare Copy Correct Create Delete Find Fix Free Give Grant Install Keep
    Leave Look Make Move Open Put Raise Read Remove Reopen Replace Request Restart Restore Restrict
    Rotate Run Save Send Separate Set Sign Start Stop Turn Try Update Use Verify Wait Write
    """.split()  # noqa: SIM905 - shorter than a list of strings
)


@pytest.mark.parametrize("rule", all_rules().values(), ids=lambda rule: rule.id)
def test_a_next_step_starts_with_a_verb(rule: Rule) -> None:
    assert rule.fix.split()[0].rstrip(":") in VERBS


@pytest.mark.parametrize("rule", all_rules().values(), ids=lambda rule: rule.id)
def test_a_rule_reads_well(rule: Rule) -> None:
    assert rule.title[0].isupper()
    assert not rule.title.endswith(".")
    assert rule.fix
    assert rule.fix.strip() == rule.fix
    if rule.exit_code is ExitCode.OK:
        assert rule.severity is not Severity.ERROR
    for link in re.findall(r"https://manage\.auth0\.com[^\s)]*", rule.fix):
        assert link.startswith(dashboard.HOME)


@pytest.mark.parametrize("rule", all_rules().values(), ids=lambda rule: rule.id)
def test_a_source_has_a_known_origin(rule: Rule) -> None:
    assert (origin_of(rule.source) is None) is (rule.source == "")


def test_each_origin_has_rules_and_a_date() -> None:
    named = [origin_of(rule.source) for rule in all_rules().values()]
    used = {each.name for each in named if each}

    assert {each.name for each in origins()} == used
    assert TEXT.count("| run |") + TEXT.count("| read |") == len(origins())


def test_distinguishes_observed_from_documented() -> None:
    read, run = (origin_of(f"api/index.js{seen}") for seen in ("", "; seen in LibreChat v0.8.7"))
    assert read is not None
    assert run is not None
    assert (read.was_run, run.was_run) == (False, True)
