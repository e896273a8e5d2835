"""`doctor` on a terminal of 80 columns and 24 rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.doctor.cases import env
from tests.e2e.terminal import PLAIN, Terminal
from tests.fakes import NoProcesses
from wizard.doctor.registry import diagnose
from wizard.doctor.subject import gather
from wizard.findings import Severity
from wizard.librechat.env_store import EnvStore

BROKEN = env(
    "OPENID_REQUIRED_ROLE=chat\nOPENID_REQUIRED_ROLE_TOKEN_KIND=access_token\n"
    "SESSION_COOKIE_SECURE=true\nHOST=http://chat.example.com",
    ALLOW_SOCIAL_LOGIN="yes",
    CREDS_IV="abc",
    CREDS_KEY="short",
    DOMAIN_CLIENT="http://chat.example.com/login",
    DOMAIN_SERVER="http://chat.example.com/",
    JWT_REFRESH_SECRET="",
    JWT_SECRET="",
    MONGO_URI="",
    OPENID_CALLBACK_URL="https://chat.example.com/oauth/openid/callback",
    OPENID_CLIENT_ID="an-id",
    OPENID_CLIENT_SECRET="a secret",
    OPENID_ISSUER="http://dev-abc123.us.auth0.com",
    OPENID_SCOPE="openid,profile",
    OPENID_SESSION_SECRET="",
)


@pytest.mark.parametrize(
    "environ", [{}, PLAIN, {"NO_COLOR": "1"}], ids=["drawn", "plain", "no-color"]
)
def test_shows_the_first_of_fifteen_errors_with_its_fix(
    tmp_path: Path, environ: Mapping[str, str]
) -> None:
    (tmp_path / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.4"}')
    path = tmp_path / ".env"
    path.write_text(BROKEN)
    path.chmod(0o600)
    store = EnvStore(path, tmp_path / "state")
    findings = diagnose(gather(store, BROKEN.encode(), {}, NoProcesses()))
    errors = sorted(findings, key=lambda finding: finding.severity is not Severity.ERROR)
    assert len([each for each in findings if each.severity is Severity.ERROR]) >= 15

    with Terminal("doctor", "--offline", cwd=tmp_path, rows=24, environ=environ) as terminal:
        terminal.until("of these now?")
        visible = " ".join("\n".join(terminal.screen.display).split())
        terminal.answer("Fix", "n")
        assert terminal.end() == 1

    first = errors[0]
    for text in (first.rule.title, first.rule.why, f"Next: {first.fix}", "of these now?"):
        assert text in visible
