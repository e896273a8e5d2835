"""Who can bypass Auth0: open registration, and a list of domains that LibreChat does not read."""

from __future__ import annotations

import pytest

from tests.doctor.cases import PUBLIC_URL, ROLE, answering, env, subject
from wizard.auth0.access import Door, Doors
from wizard.auth0.doors import unknown_doors
from wizard.doctor.registry import diagnose

LOCAL = "https://localhost:3443"
OPEN = {"ALLOW_REGISTRATION": "true", "ALLOW_EMAIL_LOGIN": "true", **ROLE}
DOORS = {"LA516", "LA518", "LA519", "LA536"}


@pytest.mark.parametrize(
    ("url", "seen"), [(PUBLIC_URL, {"LA516", "LA518", "LA536"}), (LOCAL, set())]
)
def test_checks_only_a_public_url(url: str, seen: set[str]) -> None:
    text = env(**{**OPEN, "DOMAIN_CLIENT": url, "DOMAIN_SERVER": url})
    checked = subject(text, yaml="a: 1\na: 2\nregistration: {allowedDomains: [a.test]}\n")
    checked = checked._replace(instance=answering(serverDomain=url, registrationEnabled=True))
    assert {each.rule.id for each in diagnose(checked)} & DOORS == seen


@pytest.mark.parametrize(("running", "seen"), [(True, True), (False, False), (None, False)])
def test_reports_a_running_librechat_with_open_registration(
    running: bool | None, seen: bool
) -> None:
    checked = subject(env())._replace(instance=answering(registrationEnabled=running))
    assert ("LA519" in {each.rule.id for each in diagnose(checked)}) == seen


CLOSED = Door()
USERS, GOOGLE = Door(("Users",)), Door(("google-oauth2",))
DOMAINS = "registration: {allowedDomains: [a.test]}\n"


@pytest.mark.parametrize(
    ("doors", "rule", "with_domains"),
    [
        (Doors(USERS, CLOSED), "LA640", "LA641"),
        (Doors(CLOSED, GOOGLE), "LA640", ""),
        (Doors(USERS, GOOGLE), "LA640", "LA641"),
        (Doors(CLOSED, CLOSED), "", ""),
        (unknown_doors("nobody answers"), "LA642", "LA642"),
        (None, "", ""),
    ],
)
def test_reports_what_strangers_can_do_at_auth0(
    doors: Doors | None, rule: str, with_domains: str
) -> None:
    def found(*, yaml: str = "", **values: str) -> str:
        checked = subject(env(**values), yaml=yaml)._replace(auth0_doors=doors)
        return "".join(it.rule.id for it in diagnose(checked) if it.rule.id.startswith("LA64"))

    assert found() == rule
    assert found(yaml=DOMAINS) == with_domains
    # A role keeps strangers out, and only this machine reaches a local URL.
    assert found(**ROLE) == ""
    assert found(DOMAIN_CLIENT=LOCAL, DOMAIN_SERVER=LOCAL) == ""


def test_names_each_open_way_to_sign_in() -> None:
    checked = subject(env())._replace(auth0_doors=Doors(USERS, GOOGLE))
    (finding,) = (it for it in diagnose(checked) if it.rule.id == "LA640")
    assert "Anybody can create an account (Users)." in finding.detail
    assert "(google-oauth2)" in finding.detail
