"""A repair removes its finding and changes nothing else; a second run changes nothing."""

from __future__ import annotations

import pytest

from tests.doctor.cases import CASES, COMPOSE, PUBLIC_URL, Case, env, subject
from wizard.doctor.registry import CHECKS, can_be_fixed, diagnose, repairs
from wizard.doctor.subject import Subject
from wizard.librechat.env_plan import is_good_secret

REPAIRS = {check.rule.id for check in CHECKS if check.repair}
# Of these rules only some findings have a safe repair.
NOT_THIS_ONE = {"LA101", "LA151", "LA190", "LA511"}


def ids(checked: Subject) -> set[str]:
    return {finding.rule.id for finding in diagnose(checked)}


def repaired(checked: Subject) -> tuple[Subject, dict[str, str]]:
    file, changes = repairs(checked)
    values = file.values()
    return checked._replace(file=file), {change.name: values[change.name] for change in changes}


def only(checked: Subject, rule: str) -> tuple[Subject, set[str]]:
    """Return the subject with only this rule's findings fixed."""
    file, changes = repairs(checked, [check for check in CHECKS if check.rule.id == rule])
    return checked._replace(file=file), {change.name for change in changes}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.rule in REPAIRS - NOT_THIS_ONE],
    ids=lambda case: case.rule,
)
class TestEachRepair:
    def test_the_finding_is_gone(self, case: Case) -> None:
        after, changed = only(case.broken, case.rule)
        assert changed
        assert case.rule not in ids(after)

    def test_no_other_value_changed(self, case: Case) -> None:
        after, changed = only(case.broken, case.rule)
        before, now = case.broken.file.values(), after.file.values()
        assert {name for name in before | now if before.get(name) != now.get(name)} <= changed

    def test_no_other_line_changed(self, case: Case) -> None:
        after, changed = only(case.broken, case.rule)
        gone = set(case.broken.file.text.splitlines()) - set(after.file.text.splitlines())
        assert all(line.split("=")[0].strip() in changed for line in gone)

    def test_no_new_finding(self, case: Case) -> None:
        after, _ = repaired(case.broken)
        assert ids(after) <= ids(case.broken)

    def test_a_second_run_changes_nothing(self, case: Case) -> None:
        after, _ = repaired(case.broken)
        assert repaired(after)[1] == {}
        assert not [each for each in diagnose(after) if can_be_fixed(after, each)]


def test_every_repair_has_a_case() -> None:
    assert {case.rule for case in CASES} >= REPAIRS


def test_generates_a_missing_session_secret() -> None:
    after, changed = repaired(subject(env(OPENID_SESSION_SECRET=None)))
    assert set(changed) == {"OPENID_SESSION_SECRET"}
    assert is_good_secret("OPENID_SESSION_SECRET", after.values)


def test_removes_space_around_the_client_id() -> None:
    after, changed = repaired(subject(env("OPENID_CLIENT_ID=' Ab1Cd2 '")))
    assert set(changed) == {"OPENID_CLIENT_ID"}
    assert after.values["OPENID_CLIENT_ID"] == "Ab1Cd2"


@pytest.mark.parametrize(
    ("broken", "right"),
    [
        ("dev-abc123.us.auth0.com", "https://dev-abc123.us.auth0.com"),
        ("http://dev-abc123.us.auth0.com/", "https://dev-abc123.us.auth0.com"),
        ("http://login.example.com", "https://login.example.com"),
        ("https://dev-abc123.us.auth0.com/u/login", "https://dev-abc123.us.auth0.com"),
    ],
)
def test_issuers(broken: str, right: str) -> None:
    after, _ = repaired(subject(env(OPENID_ISSUER=broken)))
    assert after.value("OPENID_ISSUER") == right


def test_uses_the_public_url_for_both() -> None:
    after, changed = repaired(subject(env(DOMAIN_SERVER="http://localhost:3080")))
    assert set(changed) == {"DOMAIN_SERVER"}
    assert after.value("DOMAIN_SERVER") == PUBLIC_URL


@pytest.mark.parametrize(
    "changes",
    [
        {"OPENID_ISSUER": "http://keycloak.example.com/realms/x"},
        {"DOMAIN_SERVER": "https://one.example.com"},
        {"DOMAIN_CLIENT": "localhost:3080", "DOMAIN_SERVER": "localhost:3080"},
        {"OPENID_CLIENT_SECRET": "", "OPENID_USE_PKCE": "false"},
        {"CREDS_KEY": "f34be427ebb29de8d88c107a71546019685ed8b241d8f2ed00c3df97ad2566f0"},
        {"OPENID_AUDIENCE": "", "OPENID_REFRESH_AUDIENCE": ""},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_leaves_what_only_the_user_knows(changes: dict[str, str]) -> None:
    broken = subject(env(**changes))
    assert ids(broken)
    assert repaired(broken)[1] == {}


def test_does_not_fix_in_the_file_what_compose_sets() -> None:
    override = "services:\n  api:\n    environment:\n      OPENID_SCOPE: openid\n"
    broken = subject(env(OPENID_SCOPE="openid"), compose=COMPOSE, override=override)
    assert "LA118" in ids(broken)
    assert repaired(broken)[1] == {}


def test_repairs_that_reveal_each_other() -> None:
    broken = subject(
        env(
            "OPENID_ISSUER = dev-abc123.us.auth0.com/authorize",
            OPENID_SCOPE="profile,openid",
            OPENID_CALLBACK_URL="https://x/oauth/openid/callback",
            ALLOW_SOCIAL_LOGIN="yes",
            DOMAIN_CLIENT="chat.example.com/",
        )
    )
    after, _ = repaired(broken)
    assert {finding.severity.value for finding in diagnose(after)} <= {"warning", "note"}
    assert repaired(after)[1] == {}


def test_rules_can_be_ignored() -> None:
    file, changes = repairs(subject(env(OPENID_SCOPE="openid")), without=("LA118", "LA119"))
    assert changes == ()
    assert file.values()["OPENID_SCOPE"] == "openid"


def test_fixes_the_rest_if_one_line_cannot_be_fixed() -> None:
    broken = subject("OPENID_SCOPE='openid\nX=1\n" + env(OPENID_CALLBACK_URL=""))
    assert repaired(broken)[1].get("OPENID_CALLBACK_URL") == "/oauth/openid/callback"
