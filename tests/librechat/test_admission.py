"""LibreChat's role and domain settings, applied to the claims of a sign-in."""

from __future__ import annotations

import pytest

from wizard.librechat.admission import SignedIn, claim_at, judge_admission

ROLES = "https://chat.field.test/roles"
REQUIRED = {
    "OPENID_REQUIRED_ROLE": "staff, owner",
    "OPENID_REQUIRED_ROLE_PARAMETER_PATH": ROLES,
    "OPENID_REQUIRED_ROLE_TOKEN_KIND": "id",
}
ADMIN = {
    "OPENID_ADMIN_ROLE": "owner",
    "OPENID_ADMIN_ROLE_PARAMETER_PATH": ROLES,
    "OPENID_ADMIN_ROLE_TOKEN_KIND": "id",
}


def user(**id_claims: object) -> SignedIn:
    claims = {"email": "Jo@Field.test", **id_claims}
    return SignedIn(id=claims, access=None, userinfo=claims)


def with_roles(roles: object) -> SignedIn:
    return user(**{ROLES: roles})


def rules(
    signed_in: SignedIn, values: dict[str, str], domains: list[object] | None = None
) -> list[str]:
    return [each.rule.id for each in judge_admission(signed_in, values, domains)]


@pytest.mark.parametrize("roles", [["owner"], ["x", "staff"], "x owner", "a,staff"])
def test_one_required_role_is_enough(roles: object) -> None:
    assert rules(with_roles(roles), REQUIRED) == []


@pytest.mark.parametrize("roles", [[], ["Staff"], "staffs", None, True, {"staff": 1}, [1]])
def test_rejects_a_user_without_a_required_role(roles: object) -> None:
    assert rules(with_roles(roles), REQUIRED) == ["LA586"]


def test_ignores_a_role_in_another_token() -> None:
    elsewhere = SignedIn(id={}, access={ROLES: ["staff"]}, userinfo={ROLES: ["staff"]})

    assert rules(elsewhere, REQUIRED) == ["LA586"]
    for kind in ("access", "userinfo"):
        assert rules(elsewhere, {**REQUIRED, "OPENID_REQUIRED_ROLE_TOKEN_KIND": kind}) == []


def test_does_not_judge_claims_of_userinfo_that_was_not_requested() -> None:
    unseen = SignedIn(id={}, access=None)
    values = {**REQUIRED, "OPENID_REQUIRED_ROLE_TOKEN_KIND": "userinfo"}

    assert rules(unseen, values) == []


def test_names_what_is_missing() -> None:
    (no_claim,) = judge_admission(user(), REQUIRED, None)
    (no_role,) = judge_admission(with_roles(["guest"]), REQUIRED, None)

    assert ROLES in no_claim.detail
    assert "guest" in no_role.detail


def test_admits_a_user_who_is_not_an_administrator() -> None:
    (finding,) = judge_admission(with_roles(["staff"]), {**REQUIRED, **ADMIN}, None)

    assert (finding.rule.id, finding.severity.value) == ("LA593", "note")
    assert rules(with_roles(["owner"]), {**REQUIRED, **ADMIN}) == []
    assert rules(with_roles(True), ADMIN) == []


@pytest.mark.parametrize("domains", [None, [], ["other.test", "FIELD.TEST"]])
def test_an_allowed_domain(domains: list[object] | None) -> None:
    assert rules(user(), {}, domains) == []


@pytest.mark.parametrize("domains", [["other.test"], ["@field.test"], ["sub.field.test"], [None]])
def test_rejects_a_domain_that_is_not_allowed(domains: list[object]) -> None:
    assert rules(user(), {}, domains) == ["LA587"]


def test_the_domain_is_what_follows_the_first_at() -> None:
    strange = user(email='"jo@evil.test"@field.test')
    assert rules(strange, {}, ["field.test"]) == ["LA587"]
    assert rules(user(email="jo@field.test@evil.test"), {}, ["field.test"]) == []


def test_the_claim_of_the_e_mail_address_can_be_chosen() -> None:
    chosen = {"OPENID_EMAIL_CLAIM": "mail"}

    assert rules(user(mail="jo@other.test"), chosen, ["other.test"]) == []
    assert rules(user(), chosen, ["other.test"]) == ["LA587"]
    assert rules(SignedIn({}, None, {"upn": "jo@other.test"}), {}, ["other.test"]) == []


def test_a_path_selects_a_nested_claim_unless_it_is_a_name() -> None:
    claims = {"realm": {"roles": ["a", "b"]}, "realm.roles": "whole"}

    assert claim_at(claims, "realm.roles") == "whole"
    assert claim_at({"realm": claims["realm"]}, "realm.roles[1]") == "b"
    assert claim_at(claims, "realm.none.roles") is None
