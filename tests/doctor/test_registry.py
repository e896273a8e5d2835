"""Each rule of the table finds its fault, and not a near miss."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.doctor.cases import CASES, CLIENT_SECRET, COMPOSE, GOOD, Case, env, subject
from tests.fakes import FixedClock
from tests.languages import speaking, untranslatable
from wizard.doctor.check import Check
from wizard.doctor.examine import examine
from wizard.doctor.registry import CHECKS, FILE_CHECKS, MOST_OF_ONE_RULE, diagnose
from wizard.doctor.subject import Subject
from wizard.findings import Rule, Severity
from wizard.http import Response
from wizard.librechat.variables import VARIABLES
from wizard.rules import BUG
from wizard.text import MASK

# Commands, paths, a line of Docker Compose, and the parser messages of the cases.
_NO_WORDS = re.compile(r"chmod \d+ |unset |/|docker-compose\S*: \w+=|line 1\Z")


def ids(checked: Subject) -> set[str]:
    return {finding.rule.id for finding in diagnose(checked)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
class TestCases:
    def test_broken(self, case: Case) -> None:
        found = [finding for finding in diagnose(case.broken) if finding.rule.id == case.rule]
        assert found, "the rule is not found"
        for finding in found:
            assert finding.detail
            assert finding.fix

    def test_near_miss(self, case: Case) -> None:
        assert case.rule not in ids(case.near)

    def test_no_other_rule_breaks(self, case: Case) -> None:
        for checked in (case.broken, case.near):
            assert BUG.id not in ids(checked)

    def test_prints_no_secret(self, case: Case) -> None:
        for checked in (case.broken, case.near):
            text = " ".join(f"{each.detail} {each.fix}" for each in diagnose(checked))
            for name, variable in VARIABLES.items():
                value = checked.value(name)
                if variable.secret and len(value) >= 8 and value not in variable.public_values:
                    assert value not in text, name
            assert CLIENT_SECRET not in text

    def test_every_text_is_translated(self, case: Case) -> None:
        texts = [text for each in diagnose(case.broken) for text in (each.detail, each.fix)]
        assert [text for text in untranslatable(texts) if not _NO_WORDS.match(text)] == []


def test_a_dutch_finding_masks_the_same_secrets() -> None:
    dutch = speaking(
        {
            "{seen}. The .env has another value on line {line}.": "{seen}. De .env ({line}) niet.",
            "In {origin}: {name}={value}": "In {origin}: {name}={value}",
            "the shell": "de shell",
        }
    )
    checked = subject(env(OPENID_ISSUER="x"), environ={"OPENID_ISSUER": CLIENT_SECRET})
    finding = next(each for each in diagnose(checked) if each.rule.id == "LA182")
    line = checked.line_of("OPENID_ISSUER")
    assert dutch.say(finding.detail) == (
        f"In de shell: OPENID_ISSUER={MASK}. De .env ({line}) niet."
    )


@pytest.mark.parametrize("secret", ["LibreChat", "rand -hex 32", "Line", "JWT_SECRET"])
def test_never_masks_our_own_words(secret: str) -> None:
    """A secret is masked in a value, not in the sentence around it or in a fix."""
    random = ("Qz9" * 9)[: len(secret)]
    found, plain = (
        {each.rule.id: each for each in diagnose(subject(env(JWT_SECRET=each, OPENID_SCOPE="")))}
        for each in (secret, random)
    )
    assert {"LA102", "LA164"} <= found.keys()
    assert {name: plain.get(name, each) for name, each in found.items()} == found


def test_every_rule_of_the_table_has_a_case() -> None:
    cases, rules = {case.rule for case in CASES}, {check.rule.id for check in FILE_CHECKS}
    assert cases == rules, "each rule needs one case in tests/doctor/cases.py"


def test_a_good_file_has_no_finding() -> None:
    assert diagnose(subject(env())) == ()


def test_only_what_breaks_is_an_error() -> None:
    """LibreChat's code shows that it works despite these warnings and notes."""
    lenient = {"LA112", "LA130", "LA136", "LA144", "LA150", "LA157", "LA158", "LA160", "LA161"}
    severities = {check.rule.id: check.rule.severity for check in CHECKS}
    assert not [rule for rule in lenient if severities[rule] is Severity.ERROR]


def test_a_crashing_rule_stops_no_other() -> None:
    def broken(_: Subject):  # type: ignore[no-untyped-def]
        raise RuntimeError(CLIENT_SECRET)

    rule = Rule("LA199", Severity.ERROR, "t", "w", "f")
    found = diagnose(subject(env(OPENID_SCOPE="")), [Check(rule, broken), *CHECKS])
    assert found[0].rule is BUG
    assert "LA199" in found[0].detail
    assert CLIENT_SECRET not in found[0].detail
    assert "LA102" in {finding.rule.id for finding in found}


class _BrokenNetwork:
    def request(self, method: str, url: str, **_: Any) -> Response:
        raise RuntimeError(CLIENT_SECRET)


def test_a_crashing_live_check_stops_no_rule() -> None:
    found = examine(
        subject(env(ALLOW_SOCIAL_LOGIN="1")), _BrokenNetwork(), FixedClock(), offline=False
    ).findings
    assert [finding.rule.id for finding in found] == ["LA100", "LA001", "LA001", "LA001"]
    assert CLIENT_SECRET not in str(found)


def test_limits_the_findings_of_one_rule() -> None:
    flood = "\n".join(f"OPENID_NOTHING_{number}=1" for number in range(100))
    found = [each for each in diagnose(subject(env(flood))) if each.rule.id == "LA180"]
    assert len(found) == MOST_OF_ONE_RULE + 1
    assert "more" in found[-1].detail


def test_two_missing_secrets_are_one_finding() -> None:
    keyless = subject(env(JWT_SECRET="", JWT_REFRESH_SECRET=None), version="0.8.7")
    (found,) = (each for each in diagnose(keyless) if each.rule.id == "LA166")
    assert found.variable == "JWT_SECRET"
    assert found.detail.count("This is LibreChat 0.8.7.") == 1
    assert found.detail.endswith("JWT_SECRET=. JWT_REFRESH_SECRET is not set.")
    assert "LA161" not in ids(keyless)


def test_names_the_effective_line() -> None:
    text = env("PORT=3081\nOPENID_SCOPE=openid")
    finding = next(each for each in diagnose(subject(text)) if each.rule.id == "LA118")
    assert finding.detail == f"Line {len(GOOD) + 2}: OPENID_SCOPE=openid"


def test_a_colon_takes_the_next_line_as_the_value() -> None:
    colon = subject(env("OPENID_CLIENT_SECRET:\nMINE=1", OPENID_CLIENT_SECRET=None))
    assert "LA152" in {finding.rule.id for finding in diagnose(colon)}
    below = subject(env("OPENID_IMAGE_URL=\n'/a'"))
    assert "LA152" not in {finding.rule.id for finding in diagnose(below)}


def test_uses_what_compose_sets() -> None:
    override = "services:\n  api:\n    environment:\n      - OPENID_SCOPE=openid email\n"
    found = {
        each.rule.id: each for each in diagnose(subject(env(), compose=COMPOSE, override=override))
    }
    assert "docker-compose.override.yml, line 4: OPENID_SCOPE=openid email" in found["LA119"].detail


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("OPENID_SCOPES", "OPENID_SCOPE"),
        ("OPENID_ENABLED", "ALLOW_SOCIAL_LOGIN"),
        ("OPENID_REDIRECT_URI", "OPENID_CALLBACK_URL"),
        ("OPENID_ISUER", "OPENID_ISSUER"),
        ("OPENID_CLEINT_ID", "OPENID_CLIENT_ID"),
        ("OPENIDAUDIENCE", "OPENID_AUDIENCE"),
        ("OPEN_ID_SCOPE", "OPENID_SCOPE"),
        ("openid_issuer", "OPENID_ISSUER"),
        ("DOMAIN_SERVERS", "DOMAIN_SERVER"),
        ("AUTH0_DOMAIN", "OPENID_ISSUER"),
        ("MONGO_URL", "MONGO_URI"),
    ],
)
def test_typos(written: str, meant: str) -> None:
    found = [each for each in diagnose(subject(env(f"{written}=x"))) if each.variable == written]
    assert [each.fix for each in found] == [f"Use {meant} in its place."]


@pytest.mark.parametrize(
    "name", ["HOSTS", "SORT", "PORTS", "OPENAI_API_KEY", "MEILI_HTTP_ADDR", "EMAIL_HOST", "X"]
)
def test_no_typos(name: str) -> None:
    assert "LA181" not in ids(subject(env(f"{name}=x")))
