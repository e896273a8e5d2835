"""A third-party client signs in through the demo tenant: LibreChat's own packages.

`tests/node/librechat_login.mjs` sets them up as LibreChat does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.demo.client import Client
from tests.ports import free_port
from tests.providers import (
    AUDIENCE,
    EMAIL,
    PASSWORD,
    Authority,
    furnish,
    running_librechat,
)
from tests.tenant.state import AuthMethod, Tenant
from wizard.demo.user import Browser, sign_in_like_a_user

pytestmark = [pytest.mark.needs("node"), pytest.mark.usefixtures("node_modules")]


class LibreChat:
    """LibreChat's sign-in on this machine, without a tunnel, for one demo tenant."""

    def __init__(self, tenant: Tenant, authority: Authority, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.demo = furnish(tenant, authority.http(), self.url)
        self._authority = authority
        self._env_file = folder / ".env"
        self.variables = {
            "ALLOW_SOCIAL_LOGIN": "true",
            "DOMAIN_CLIENT": self.url,
            "DOMAIN_SERVER": self.url,
            "OPENID_CLIENT_ID": self.demo.application.client_id,
            "OPENID_CLIENT_SECRET": self.demo.application.client_secret,
            "OPENID_ISSUER": self.demo.setup.issuer,
            "OPENID_SCOPE": '"openid profile email offline_access"',
            "OPENID_CALLBACK_URL": "/oauth/openid/callback",
            "OPENID_SESSION_SECRET": "s" * 64,
            "OPENID_AUDIENCE": AUDIENCE,
            "OPENID_REFRESH_AUDIENCE": AUDIENCE,
            "OPENID_REUSE_TOKENS": "true",
            "OPENID_USE_PKCE": "true",
            "OPENID_USE_END_SESSION_ENDPOINT": "true",
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run LibreChat with `variables` as its `.env`."""
        self._env_file.write_text("".join(f"{k}={v}\n" for k, v in self.variables.items()))
        with running_librechat(self._authority, self._env_file, self.port):
            yield

    def sign_in(self) -> dict[str, Any]:
        """Return what LibreChat has after the sign-in, or `{"failure": reason}`."""
        with self.running():
            end = sign_in_like_a_user(self.demo.http, f"{self.url}/oauth/openid", EMAIL, PASSWORD)
        result: dict[str, Any] = json.loads(end.body)
        return result


@pytest.fixture
def librechat(demo_server: Tenant, authority: Authority, tmp_path: Path) -> LibreChat:
    return LibreChat(demo_server, authority, tmp_path)


def test_signs_in_gets_a_jwt_for_the_audience_and_refreshes(librechat: LibreChat) -> None:
    result = librechat.sign_in()
    assert result["user"] == {
        "email": EMAIL,
        "sub": librechat.demo.user.user_id,
        "userinfo": True,
    }
    for tokens in (result["first"], result["refreshed"]):
        assert tokens["access_token"]["claims"]["aud"] == [
            AUDIENCE,
            f"{librechat.demo.issuer}userinfo",
        ]
        assert tokens["access_token"]["claims"]["iss"] == librechat.demo.issuer
        assert tokens["id_token"]["claims"]["email"] == EMAIL
    assert result["first"]["has_refresh_token"]


def test_rotating_refresh_tokens_with_a_public_client(librechat: LibreChat) -> None:
    librechat.demo.application.token_endpoint_auth_method = AuthMethod.NONE
    librechat.demo.application.rotating_refresh_tokens = True
    librechat.variables["OPENID_CLIENT_SECRET"] = ""
    result = librechat.sign_in()
    assert result["refreshed"]["has_refresh_token"]
    assert "claims" in result["refreshed"]["access_token"]


def test_with_a_nonce(librechat: LibreChat) -> None:
    librechat.variables["OPENID_GENERATE_NONCE"] = "true"
    assert "nonce" in librechat.sign_in()["first"]["id_token"]["claims"]


def test_needs_no_api_without_token_reuse(librechat: LibreChat) -> None:
    librechat.variables |= {
        "OPENID_REUSE_TOKENS": "false",
        "OPENID_AUDIENCE": "",
        "OPENID_SCOPE": '"openid profile email"',
    }
    assert librechat.sign_in()["user"]["email"] == EMAIL


def wrong_secret(librechat: LibreChat) -> None:
    librechat.variables["OPENID_CLIENT_SECRET"] = "wrong"


def unknown_audience(librechat: LibreChat) -> None:
    librechat.variables["OPENID_AUDIENCE"] = "https://nope"


def no_offline_access(librechat: LibreChat) -> None:
    librechat.demo.api.allow_offline_access = False


def no_email(librechat: LibreChat) -> None:
    librechat.demo.user.email = ""


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (wrong_secret, "Unauthorized"),
        (unknown_audience, "Service not found: https://nope"),
        (no_offline_access, "No refresh token available"),
        (no_email, "email: can't be blank"),
    ],
)
def test_faults_end_at_the_login_page(
    librechat: LibreChat, fault: Callable[[LibreChat], None], failure: str
) -> None:
    fault(librechat)
    assert failure in librechat.sign_in()["failure"]


def test_after_a_failed_discovery_the_button_returns_500(librechat: LibreChat) -> None:
    librechat.demo.tenant.changed_metadata["issuer"] = "https://other.example/"
    with librechat.running():
        browser = Browser(librechat.demo.http)
        shown = browser.get(f"{librechat.url}/api/config").json_object()
        end = browser.get(f"{librechat.url}/oauth/openid")
    assert shown is not None
    assert shown["openidLoginEnabled"] is True
    assert end.status == 500


def opaque(librechat: LibreChat) -> None:
    librechat.variables["OPENID_AUDIENCE"] = ""


def jwe(librechat: LibreChat) -> None:
    librechat.demo.api.encrypted_tokens = True


def hs256_api(librechat: LibreChat) -> None:
    librechat.demo.api.signing_alg = "HS256"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (opaque, "jwt malformed"),
        (jwe, "jwt malformed"),
        (hs256_api, "invalid algorithm"),
    ],
)
def test_access_tokens_that_librechat_cannot_validate(
    librechat: LibreChat, fault: Callable[[LibreChat], None], error: str
) -> None:
    fault(librechat)
    assert error in librechat.sign_in()["first"]["access_token"]["error"]


def test_refresh_grant_removed_meanwhile(librechat: LibreChat) -> None:
    demo = librechat.demo
    demo.tenant.user_grants = _Forgetful()
    assert "Grant not found" in librechat.sign_in()["refreshed"]["error"]


class _Forgetful(set[tuple[str, str, str]]):
    """The grants of a user who revokes each immediately."""

    def __contains__(self, grant: object) -> bool:
        return False


def test_the_other_client_of_these_tests_agrees(librechat: LibreChat) -> None:
    """Both clients get the same result from the same demo tenant."""
    client = Client(librechat.demo)
    claims = client.verified(client.tokens()["access_token"], AUDIENCE)
    assert claims["azp"] == librechat.demo.application.client_id


def test_logout_ends_at_the_login_page(librechat: LibreChat) -> None:
    with librechat.running():
        end = Browser(librechat.demo.http).get(f"{librechat.url}/logout")
    assert end.url == f"{librechat.url}/login"
    assert [visit.path for visit in librechat.demo.tenant.visits][-1] == "/oidc/logout"
