"""The live checks against servers that speak for themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.providers import PUBLIC_URL, Authority, Demo, NodeProvider
from wizard.auth0.checks import TenantReport, check_tenant
from wizard.auth0.errors import Check
from wizard.clock import SystemClock
from wizard.findings import Outcome
from wizard.settings import Auth0Settings, SetupSettings


def check(authority: Authority, settings: SetupSettings) -> TenantReport:
    return check_tenant(settings, authority.http(), SystemClock())


def settings_of(provider: NodeProvider, **changed: object) -> SetupSettings:
    auth0 = Auth0Settings(
        provider.domain, provider.client_id, provider.client_secret, (provider.audience,)
    )
    return SetupSettings(replace(auth0, **changed), PUBLIC_URL)  # type: ignore[arg-type]


def outcomes(report: TenantReport) -> dict[str, str]:
    return {result.check.value: result.outcome.value for result in report.results}


ALL_WELL = {
    "discovery": "proved",
    "signing-keys": "proved",
    "client-id": "proved",
    "callback-url": "proved",
    "code-flow": "proved",
    "audience": "likely",
    "client-secret": "proved",
    "refresh-grant": "likely",
}


def test_the_demo_tenant_is_all_right(authority: Authority, demo: Demo) -> None:
    report = check(authority, demo.setup)
    assert outcomes(report) == ALL_WELL
    assert report.findings == ()


@pytest.mark.needs("node")
def test_oidc_provider_is_all_right(authority: Authority, oidc_provider: NodeProvider) -> None:
    report = check(authority, settings_of(oidc_provider))
    assert outcomes(report) == ALL_WELL
    assert report.ok


@pytest.mark.needs("node")
def test_oidc_provider_refuses_what_is_wrong(
    authority: Authority, oidc_provider: NodeProvider
) -> None:
    wrong: list[tuple[dict[str, object], Check, str]] = [
        ({"client_id": "nobody"}, Check.CLIENT_ID, "LA230"),
        ({"client_secret": "wrong"}, Check.SECRET, "LA237"),
        ({"audiences": ("https://nope",)}, Check.AUDIENCE, "LA232"),
    ]
    for changed, failing, rule in wrong:
        report = check(authority, settings_of(oidc_provider, **changed))
        assert report[failing].outcome is Outcome.FAILED, outcomes(report)
        assert [finding.rule.id for finding in report[failing].findings] == [rule]
    elsewhere = replace(settings_of(oidc_provider), public_url="https://other.example")
    report = check(authority, elsewhere)
    assert [finding.rule.id for finding in report[Check.CALLBACK].findings] == ["LA231"]


@pytest.mark.needs("node")
def test_a_simulator_that_enforces_nothing_is_neither_refused_nor_proved(
    authority: Authority, simulacrum: NodeProvider
) -> None:
    report = check(authority, settings_of(simulacrum))
    assert report.ok, report.findings
    assert outcomes(report) == {
        **dict.fromkeys(ALL_WELL, "unproved"),
        "discovery": "proved",
        "signing-keys": "proved",
    }
