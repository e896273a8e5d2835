"""Who gets past Auth0: registration, and a list of domains that LibreChat does not read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.doctor.cases import PUBLIC_URL, ROLE, answering, env, subject
from wizard.doctor.registry import diagnose

LOCAL = "https://localhost:3443"
OPEN = {"ALLOW_REGISTRATION": "true", "ALLOW_EMAIL_LOGIN": "true", **ROLE}
DOORS = {"LA516", "LA518", "LA519", "LA536"}


@pytest.mark.parametrize(
    ("url", "seen"), [(PUBLIC_URL, {"LA516", "LA518", "LA536"}), (LOCAL, set())]
)
def test_only_a_public_url_has_doors(url: str, seen: set[str]) -> None:
    text = env(**{**OPEN, "DOMAIN_CLIENT": url, "DOMAIN_SERVER": url})
    checked = subject(text, yaml="a: 1\na: 2\nregistration: {allowedDomains: [a.test]}\n")
    checked = replace(checked, instance=answering(serverDomain=url, registrationEnabled=True))
    assert {each.rule.id for each in diagnose(checked)} & DOORS == seen


@pytest.mark.parametrize(("running", "seen"), [(True, True), (False, False), (None, False)])
def test_a_running_librechat_that_is_still_open(running: bool | None, seen: bool) -> None:
    checked = replace(subject(env()), instance=answering(registrationEnabled=running))
    assert ("LA519" in {each.rule.id for each in diagnose(checked)}) == seen
