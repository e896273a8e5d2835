"""The two third-party providers start, answer and sign a user in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
import pytest

from tests.demo.client import CHALLENGE, VERIFIER
from tests.providers import (
    PUBLIC_URL,
    Authority,
    NodeProvider,
    running_oidc_provider,
    sign_in_at_simulacrum,
)
from wizard.demo.user import LEFT_MACHINE, sign_in_like_a_user
from wizard.findings import Failure
from wizard.http import Https, Response

pytestmark = [pytest.mark.needs("node"), pytest.mark.usefixtures("node_modules")]

CALLBACK = f"{PUBLIC_URL}/oauth/openid/callback"


class Recorder:
    """An `HttpClient` that acts as the application at `PUBLIC_URL` and records its callbacks."""

    def __init__(self, http: Https) -> None:
        self._http = http

    def request(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        response = self._http.request(method, url, form=form, headers=headers)
        location = response.headers.get("location", "")
        if location.startswith(CALLBACK):
            # The application's response to its callback.
            return Response(location, 200, {"content-type": "text/plain"}, b"")
        return response


def authorize_url(provider: NodeProvider, **changed: str) -> str:
    parameters = {
        "client_id": provider.client_id,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": "openid profile email offline_access",
        "state": "s",
        "nonce": "n",
        "audience": provider.audience,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changed,
    }
    return f"{provider.issuer}authorize?{urlencode(parameters)}"


def callback_parameters(response: Response) -> dict[str, str]:
    url = response.headers.get("location") or response.url
    assert url.startswith(f"{CALLBACK}?"), (response.status, response.text)
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def token(http: Https, provider: NodeProvider, **form: str) -> tuple[int, dict[str, Any]]:
    sent = {
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        **form,
    }
    response = http.request("POST", f"{provider.issuer}oauth/token", form=sent)
    body: dict[str, Any] = json.loads(response.body)
    return response.status, body


def sign_in(http: Https, provider: NodeProvider, **changed: str) -> dict[str, Any]:
    end = sign_in_like_a_user(
        Recorder(http), authorize_url(provider, **changed), provider.email, provider.password
    )
    status, body = token(
        http, provider, grant_type="authorization_code", code=callback_parameters(end)["code"]
    )
    assert status == 200, body
    return body


def verified(http: Https, provider: NodeProvider, text: str) -> dict[str, Any]:
    keys = http.request("GET", f"{provider.issuer}.well-known/jwks.json").text
    key = jwt.PyJWKSet.from_json(keys)[jwt.get_unverified_header(text)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        text, key.key, algorithms=["RS256"], audience=provider.audience, issuer=provider.issuer
    )
    return claims


class TestOidcProvider:
    def test_full_sign_in(self, authority: Authority, oidc_provider: NodeProvider) -> None:
        http = authority.http()
        body = sign_in(http, oidc_provider)
        assert verified(http, oidc_provider, body["access_token"])["sub"] == oidc_provider.email
        identity = jwt.decode(body["id_token"], options={"verify_signature": False})
        assert identity["email"] == oidc_provider.email
        refresh = {"grant_type": "refresh_token", "refresh_token": body["refresh_token"]}
        status, again = token(http, oidc_provider, **refresh)
        assert status == 200, body
        verified(http, oidc_provider, again["access_token"])
        status, refused = token(http, oidc_provider, **refresh)
        assert (status, refused["error"]) == (403, "invalid_grant")

    def test_responses_to_probes(self, authority: Authority, oidc_provider: NodeProvider) -> None:
        http = authority.http()

        def authorize(**changed: str) -> Response:
            return http.request("GET", authorize_url(oidc_provider, prompt="none", **changed))

        assert callback_parameters(authorize())["error"] == "login_required"
        unknown = callback_parameters(authorize(audience="https://nope"))
        assert unknown["error"] == "access_denied"
        assert unknown["error_description"] == "Service not found: https://nope"
        for changed, status, text in (
            ({"client_id": "nobody"}, 400, "Unknown client: nobody"),
            ({"redirect_uri": "https://evil.example/"}, 403, "Callback URL mismatch"),
        ):
            response = authorize(**changed)
            assert (response.status, text in response.text) == (status, True)
        code = {"grant_type": "authorization_code", "code": "bogus"}
        assert token(http, oidc_provider, **code) == (
            403,
            {"error": "invalid_grant", "error_description": "Invalid authorization code"},
        )
        assert token(http, oidc_provider, **code, client_secret="wrong") == (
            401,
            {"error": "access_denied", "error_description": "Unauthorized"},
        )
        refresh = {"grant_type": "refresh_token", "refresh_token": "bogus"}
        assert token(http, oidc_provider, **refresh)[1]["error_description"] == (
            "Unknown or invalid refresh token."
        )

    def test_the_token_is_opaque_without_an_audience(
        self, authority: Authority, oidc_provider: NodeProvider
    ) -> None:
        assert "." not in sign_in(authority.http(), oidc_provider, audience="")["access_token"]

    @pytest.mark.parametrize(
        ("setting", "value", "expected"),
        [
            ("API_POLICY", "require_client_grant", "is not authorized to access resource server"),
            ("GRANT_TYPES", "authorization_code", "Grant type 'refresh_token' not allowed"),
        ],
    )
    def test_settings(self, authority: Authority, setting: str, value: str, expected: str) -> None:
        http = authority.http()
        with running_oidc_provider(authority, **{setting: value}) as provider:
            asked = http.request("GET", authorize_url(provider, prompt="none"))
            _, body = token(http, provider, grant_type="refresh_token", refresh_token="bogus")
        assert (
            expected in callback_parameters(asked)["error_description"] + body["error_description"]
        )

    def test_offline_access_can_be_denied(self, authority: Authority) -> None:
        with running_oidc_provider(authority, ALLOW_OFFLINE_ACCESS="false") as provider:
            assert "refresh_token" not in sign_in(authority.http(), provider)


class TestSimulacrum:
    def test_answers_over_https(self, authority: Authority, simulacrum: NodeProvider) -> None:
        http = authority.http()
        url = f"{simulacrum.issuer}.well-known/openid-configuration"
        document = json.loads(http.request("GET", url).body)
        assert document["issuer"] == simulacrum.issuer
        asked = http.request("GET", authorize_url(simulacrum))
        assert asked.status == 302
        assert "/login" in asked.headers["location"]

    def test_full_sign_in(self, authority: Authority, simulacrum: NodeProvider) -> None:
        http = authority.http()
        callback = sign_in_at_simulacrum(http, simulacrum, authorize_url(simulacrum))
        assert callback.startswith(f"{CALLBACK}?")
        code = dict(parse_qsl(urlsplit(callback).query))["code"]
        status, body = token(http, simulacrum, grant_type="authorization_code", code=code)
        assert status == 200, body
        assert verified(http, simulacrum, body["access_token"])["aud"] == simulacrum.audience
        identity = jwt.decode(body["id_token"], options={"verify_signature": False})
        assert (identity["email"], identity["nonce"]) == (simulacrum.email, "n")
        refresh = {"grant_type": "refresh_token", "refresh_token": body["refresh_token"]}
        status, body = token(http, simulacrum, **refresh)
        assert status == 200, body
        verified(http, simulacrum, body["access_token"])


def test_the_scripted_user_contacts_no_one_else(
    authority: Authority, oidc_provider: NodeProvider
) -> None:
    with pytest.raises(Failure) as caught:
        sign_in_like_a_user(
            authority.http(),
            authorize_url(oidc_provider),
            oidc_provider.email,
            oidc_provider.password,
        )
    assert caught.value.finding.rule is LEFT_MACHINE
