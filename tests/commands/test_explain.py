"""`explain` and the documentation show the table of rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import make_world
from wizard.commands.explain import MOST_FOUND, rule_as_json, run_explain
from wizard.findings import ExitCode, Failure
from wizard.language import Language
from wizard.rules import all_rules


@pytest.mark.parametrize("identifier", ["LA119", " la119 ", "119"])
def test_one_rule(tmp_path: Path, identifier: str) -> None:
    world = make_world(tmp_path)
    result = run_explain(identifier, world.ports)
    rule = all_rules()["LA119"]
    text = world.stdout.getvalue()
    for part in (rule.id, rule.title, rule.why, rule.fix, rule.source, rule.severity.value):
        assert part in text
    assert "in the source or documentation of LibreChat v0.8.8-rc4 (2026-11)" in text
    assert world.said == ""
    assert result.exit_code is ExitCode.OK


def test_all_rules(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    run_explain("", world.ports)
    text = world.stdout.getvalue()
    for rule in all_rules().values():
        assert f" {rule.id} {rule.title}\n" in text


def test_json(tmp_path: Path) -> None:
    result = run_explain("LA100", make_world(tmp_path).ports)
    assert result.as_json()["rules"] == [rule_as_json(all_rules()["LA100"])]
    assert rule_as_json(all_rules()["LA100"])["severity"] == "error"


@pytest.mark.parametrize(
    ("question", "identifier"),
    [
        ("Callback URL mismatch", "LA231"),
        ("unauthorized_client: Callback URL mismatch. https://x/cb is not in the list", "LA231"),
        ("No refresh token available", "LA119"),
        ('was registered with "local" provider', "LA588"),
        ("Service not found: https://api.example", "LA232"),
        ("access_denied: Unauthorized", "LA237"),
        ("callback", "LA231"),
        ("too many login attempts", "LA533"),
    ],
)
def test_finds_the_rule_by_message_or_words(tmp_path: Path, question: str, identifier: str) -> None:
    found = run_explain(question, make_world(tmp_path).ports).rules

    assert identifier in [rule.id for rule in found]
    assert len(found) <= MOST_FOUND


@pytest.mark.parametrize(
    ("message", "identifier"),
    [
        ("No refresh token available", "LA581"),
        ('[openidStrategy] You must have "chat" role to log in.', "LA586"),
        ("Email domain not allowed", "LA587"),
        ("Callback URL mismatch", "LA231"),
    ],
)
def test_a_known_message_comes_before_rules_with_the_same_words(
    tmp_path: Path, message: str, identifier: str
) -> None:
    assert run_explain(message, make_world(tmp_path).ports).rules[0].id == identifier


def test_a_rule_shows_placeholders_without_the_users_values(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    run_explain("Callback URL mismatch", world.ports)
    assert "then save: the value of DOMAIN_SERVER, followed by /oauth" in world.stdout.getvalue()


def test_finds_the_rule_by_words_in_the_users_language(tmp_path: Path) -> None:
    world = make_world(tmp_path, language=Language.named("nl"))

    assert "LA231" in [rule.id for rule in run_explain("callback-URL niet", world.ports).rules]


@pytest.mark.parametrize("identifier", ["LA999", "999", "../x", "zebra"])
def test_rejects_an_unknown_rule(tmp_path: Path, identifier: str) -> None:
    with pytest.raises(Failure) as failure:
        run_explain(identifier, make_world(tmp_path).ports)
    assert failure.value.exit_code is ExitCode.USAGE
    assert "written" not in failure.value.finding.rule.why


def test_suggests_a_variable(tmp_path: Path) -> None:
    with pytest.raises(Failure) as failure:
        run_explain("OPENID_ISSUR", make_world(tmp_path).ports)

    assert str(failure.value.finding.fix) == "Did you mean OPENID_ISSUER?"


@pytest.mark.parametrize(("identifier", "can_be"), [("LA031", False), ("LA101", True)])
def test_shows_how_to_ignore_what_doctor_finds(
    tmp_path: Path, identifier: str, can_be: bool
) -> None:
    world = make_world(tmp_path)
    run_explain(identifier, world.ports)

    assert (f"ignore {identifier}" in world.stdout.getvalue()) == can_be
