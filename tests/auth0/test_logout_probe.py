"""The logout URL is tested without a session, and only if LibreChat uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.providers import Authority, Demo, demo_server, furnish
from tests.tenant.state import Tenant
from wizard.auth0.error_table import Check
from wizard.auth0.live_checks import check_tenant
from wizard.doctor.subject import Subject, settings_of
from wizard.librechat.compose.deployment import read_deployment
from wizard.librechat.env_file import EnvFile
from wizard.settings import Settings
from wizard.system.clock import Clock

__all__ = ["demo_server"]

URL = "https://chat.example.com"
LOGOUT = f"{URL}/login"


@pytest.fixture
def demo(demo_server: Tenant, authority: Authority) -> Demo:
    return furnish(demo_server, authority.http(), URL)


def rules(demo: Demo, settings: Settings) -> list[str]:
    report = check_tenant(settings, demo.http, Clock())
    return [each.rule.id for each in report.findings]


def test_accepts_a_listed_url(demo: Demo) -> None:
    assert rules(demo, demo.setup._replace(logout_url=LOGOUT)) == []


@pytest.mark.parametrize("error_page", ["", "https://errors.field.test/oops"])
def test_finds_an_unlisted_url_by_either_error_page(error_page: str, demo: Demo) -> None:
    demo.application.allowed_logout_urls = [URL]
    demo.tenant.error_page_url = error_page

    report = check_tenant(demo.setup._replace(logout_url=LOGOUT), demo.http, Clock())

    (finding,) = report[Check.CALLBACK].findings
    assert finding.rule.id == "LA437"
    assert LOGOUT in finding.fix
    assert report.ok


def test_sends_no_unnecessary_request(demo: Demo) -> None:
    demo.application.allowed_logout_urls = []

    assert rules(demo, demo.setup) == []
    assert "/oidc/logout" not in [visit.path for visit in demo.tenant.visits]


def test_a_wrong_callback_url_is_the_only_finding(demo: Demo) -> None:
    demo.application.allowed_logout_urls = demo.application.callbacks = []

    assert rules(demo, demo.setup._replace(logout_url=LOGOUT)) == ["LA231"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("OPENID_USE_END_SESSION_ENDPOINT=true", "https://front.field.test/login"),
        ("OPENID_USE_END_SESSION_ENDPOINT=false", ""),
        ("", ""),
        (
            "OPENID_USE_END_SESSION_ENDPOINT=true\nOPENID_POST_LOGOUT_REDIRECT_URI=https://a.test/b",
            "https://a.test/b",
        ),
    ],
)
def test_returns_where_a_sign_out_ends(more: str, expected: str, tmp_path: Path) -> None:
    text = (
        "OPENID_ISSUER=https://dev.us.auth0.com\nOPENID_CLIENT_ID=abc\n"
        "DOMAIN_CLIENT=https://front.field.test\nDOMAIN_SERVER=https://chat.field.test\n"
    )
    path, file = tmp_path / ".env", EnvFile.from_bytes(f"{text}{more}\n".encode())
    subject = Subject(path, file, read_deployment(tmp_path, path, {}))

    settings = settings_of(subject)

    assert settings is not None
    assert settings.logout_url == expected
