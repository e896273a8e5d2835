"""The live checks against real servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.ports import free_port
from tests.providers import (
    PUBLIC_URL,
    Authority,
    Demo,
    NodeProvider,
    furnish,
    running_oidc_provider,
    sign_in_at_simulacrum,
)
from tests.tenant.state import Tenant
from wizard.auth0.error_table import Check
from wizard.auth0.live_checks import TenantReport, check_tenant
from wizard.auth0.sign_in import Exchange, SignIn
from wizard.auth0.tokens import Judgement
from wizard.demo.user import sign_in_like_a_user
from wizard.findings import Outcome
from wizard.settings import Settings
from wizard.system.clock import Clock


def check(authority: Authority, settings: Settings) -> TenantReport:
    return check_tenant(settings, authority.http(), Clock())


def settings_of(provider: NodeProvider, **changed: object) -> Settings:
    settings = Settings(
        provider.domain,
        provider.client_id,
        provider.client_secret,
        (provider.audience,),
        PUBLIC_URL,
    )
    return settings._replace(**changed)  # type: ignore[arg-type]


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


def test_the_demo_tenant_passes(authority: Authority, demo: Demo) -> None:
    report = check(authority, demo.setup)
    assert outcomes(report) == ALL_WELL
    assert report.findings == ()


@pytest.mark.needs("node")
def test_oidc_provider_passes(authority: Authority, oidc_provider: NodeProvider) -> None:
    report = check(authority, settings_of(oidc_provider))
    assert outcomes(report) == ALL_WELL
    assert report.ok


@pytest.mark.needs("node")
def test_oidc_provider_rejects_wrong_values(
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
    elsewhere = settings_of(oidc_provider)._replace(public_url="https://other.example")
    report = check(authority, elsewhere)
    assert [finding.rule.id for finding in report[Check.CALLBACK].findings] == ["LA231"]


@pytest.mark.needs("node")
def test_a_simulator_that_enforces_nothing_neither_fails_nor_passes(
    authority: Authority, simulacrum: NodeProvider
) -> None:
    report = check(authority, settings_of(simulacrum))
    assert report.ok, report.findings
    assert outcomes(report) == {
        **dict.fromkeys(ALL_WELL, "unproved"),
        "discovery": "proved",
        "signing-keys": "proved",
    }


@contextmanager
def signing_in(authority: Authority, settings: Settings, port: int) -> Iterator[SignIn]:
    report = check(authority, settings)
    assert report.discovery is not None
    http = authority.http()
    exchange = Exchange(settings, report.discovery, report.keys, http)
    with SignIn(exchange, port, linger=0) as flow:
        yield flow


def sign_in(
    authority: Authority, settings: Settings, port: int, email: str, password: str
) -> Judgement:
    with signing_in(authority, settings, port) as flow:
        page = sign_in_like_a_user(authority.http(), flow.url, email, password)
        judgement = flow.wait(60)
    assert ("The sign-in works" in page.text) is judgement.ok
    return judgement


SIGNED_IN = dict.fromkeys(
    ["sign-in", "code-exchange", "id-token", "access-token", "refresh-token", "refresh"], "proved"
)


def signed_in(judgement: Judgement) -> dict[str, str]:
    return {result.check.value: result.outcome.value for result in judgement.results}


def test_a_sign_in_at_the_demo_tenant(authority: Authority, demo_server: Tenant) -> None:
    port = free_port()
    demo = furnish(demo_server, authority.http(), f"http://localhost:{port}")
    judgement = sign_in(authority, demo.setup, port, demo.user.login, demo.user.password)
    assert signed_in(judgement) == SIGNED_IN
    assert judgement.findings == ()


@pytest.mark.needs("node")
def test_a_sign_in_at_oidc_provider(authority: Authority, node_modules: object) -> None:
    port = free_port()
    public_url = f"http://localhost:{port}"
    with running_oidc_provider(authority, public_url) as provider:
        settings = settings_of(provider)._replace(public_url=public_url)
        judgement = sign_in(authority, settings, port, provider.email, provider.password)
        assert signed_in(judgement) == SIGNED_IN, judgement.findings
        without_api = settings._replace(audiences=())
        judgement = sign_in(authority, without_api, port, provider.email, provider.password)
    assert signed_in(judgement)["access-token"] == "likely"
    assert {finding.rule.id for finding in judgement.findings} == {"LA412"}


@pytest.mark.needs("node")
def test_a_sign_in_at_the_simulator(authority: Authority, simulacrum: NodeProvider) -> None:
    port = free_port()
    settings = settings_of(simulacrum)._replace(public_url=f"http://localhost:{port}")
    http = authority.http()
    with signing_in(authority, settings, port) as flow:
        to_tenant = http.request("GET", flow.url).location
        http.request("GET", sign_in_at_simulacrum(http, simulacrum, to_tenant))
        judgement = flow.wait(60)
    assert signed_in(judgement) == SIGNED_IN, judgement.findings
