"""/oauth/token answers like Auth0, and issues tokens like Auth0's."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import urlencode

import jwt
import pytest

from tests.demo.client import Client, answer, query
from tests.providers import AUDIENCE, Demo
from tests.tenant.state import Api, Application, AuthMethod, ClientGrant, GrantType
from wizard.http import Response

UNAUTHORIZED = (401, "access_denied", "Unauthorized")
BAD_CODE = (403, "invalid_grant", "Invalid authorization code")
BAD_REFRESH_TOKEN = (403, "invalid_grant", "Unknown or invalid refresh token.")


def said(response: Response) -> tuple[int, str, str]:
    body = answer(response)
    assert body.keys() == {"error", "error_description"}, body
    assert response.headers["cache-control"] == "no-store"
    return response.status, body["error"], body["error_description"]


def basic(client_id: str, secret: str) -> dict[str, str]:
    value = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {value}"}


class TestProbes:
    """The responses to the invented code and refresh token of the live checks."""

    def test_bogus_code(self, demo: Demo) -> None:
        assert said(Client(demo).redeem("bogus")) == BAD_CODE

    def test_bogus_refresh_token(self, demo: Demo) -> None:
        assert said(Client(demo).refresh("bogus")) == BAD_REFRESH_TOKEN

    @pytest.mark.parametrize(
        "form", [{"client_secret": "wrong"}, {"client_secret": None}, {"client_id": "nobody"},
                 {"client_id": None}]
    )  # fmt: skip
    def test_rejects_wrong_credentials_before_the_code(
        self, demo: Demo, form: dict[str, str | None]
    ) -> None:
        client = Client(demo)
        assert said(client.redeem("bogus", **form)) == UNAUTHORIZED
        assert said(client.refresh("bogus", **form)) == UNAUTHORIZED

    def test_newer_error_code(self, demo: Demo) -> None:
        demo.tenant.unauthorized_error = "invalid_client"
        response = Client(demo).redeem("bogus", client_secret="wrong")
        assert said(response) == (401, "invalid_client", "Unauthorized")

    @pytest.mark.parametrize("grant", [GrantType.CODE, GrantType.REFRESH])
    def test_disabled_grant(self, demo: Demo, grant: GrantType) -> None:
        demo.application.grant_types.remove(grant)
        response = Client(demo).token(grant_type=grant, code="bogus", refresh_token="bogus")
        expected = f"Grant type '{grant}' not allowed for the client."
        assert said(response) == (403, "unauthorized_client", expected)

    @pytest.mark.parametrize(
        ("form", "missing"),
        [
            ({}, "grant_type"),
            ({"grant_type": "authorization_code"}, "code"),
            ({"grant_type": "refresh_token"}, "refresh_token"),
        ],
    )
    def test_missing_parameter(self, demo: Demo, form: dict[str, str], missing: str) -> None:
        expected = (400, "invalid_request", f"Missing required parameter: {missing}")
        assert said(Client(demo).token(**form)) == expected

    def test_unknown_grant(self, demo: Demo) -> None:
        response = Client(demo).token(grant_type="password")
        assert said(response)[:2] == (400, "unsupported_grant_type")

    def test_rate_limit_says_when_to_retry(self, demo: Demo) -> None:
        now = demo.tenant.clock()
        demo.tenant.clock = lambda: now
        demo.tenant.limit_rate(20)
        for response in (Client(demo).redeem("bogus"), Client(demo).authorize()):
            assert response.status == 429
            assert response.headers["x-ratelimit-remaining"] == "0"
            assert 19 <= int(response.headers["x-ratelimit-reset"]) - now <= 22
            assert 19 <= int(response.headers["retry-after"]) <= 21
            assert response.text.startswith("Too many requests. Check the X-RateLimit-Limit")
        demo.tenant.clock = lambda: now + 21
        assert said(Client(demo).redeem("bogus")) == BAD_CODE

    def test_reads_json_bodies(self, demo: Demo) -> None:
        body = {
            "grant_type": "authorization_code",
            "code": "bogus",
            "client_id": demo.application.client_id,
            "client_secret": demo.application.client_secret,
        }
        url, headers = f"{demo.issuer}oauth/token", {"Content-Type": "application/json"}
        good, broken = (
            demo.http.request("POST", url, body=sent, headers=headers)
            for sent in (json.dumps(body).encode(), b"{" * 60_000)
        )
        assert (good.status, json.loads(good.body)["error"]) == (403, "invalid_grant")
        assert (broken.status, json.loads(broken.body)["error"]) == (400, "invalid_request")

    def test_rejects_a_huge_body(self, demo: Demo) -> None:
        assert Client(demo).redeem("x" * (1 << 17)).status == 400


METHODS = [
    (AuthMethod.POST, "post", BAD_CODE),
    (AuthMethod.POST, "basic", BAD_CODE),
    (AuthMethod.POST, "nothing", UNAUTHORIZED),
    (AuthMethod.BASIC, "post", BAD_CODE),
    (AuthMethod.BASIC, "basic", BAD_CODE),
    (AuthMethod.BASIC, "nothing", UNAUTHORIZED),
    (AuthMethod.NONE, "post", BAD_CODE),
    (AuthMethod.NONE, "wrong post", BAD_CODE),
    (AuthMethod.NONE, "basic", UNAUTHORIZED),
    (AuthMethod.NONE, "nothing", BAD_CODE),
    (AuthMethod.PRIVATE_KEY_JWT, "post", UNAUTHORIZED),
    (AuthMethod.PRIVATE_KEY_JWT, "basic", UNAUTHORIZED),
    (AuthMethod.PRIVATE_KEY_JWT, "nothing", UNAUTHORIZED),
]


@pytest.mark.parametrize(("method", "sent", "expected"), METHODS)
def test_client_authentication(
    demo: Demo, method: AuthMethod, sent: str, expected: tuple[int, str, str]
) -> None:
    demo.application.token_endpoint_auth_method = method
    client_id, secret = demo.application.client_id, demo.application.client_secret
    form = {"grant_type": "authorization_code", "code": "bogus"}
    headers = {}
    match sent:
        case "post":
            form |= {"client_id": client_id, "client_secret": secret}
        case "wrong post":
            form |= {"client_id": client_id, "client_secret": "wrong"}
        case "basic":
            headers = basic(client_id, secret)
        case _:
            form |= {"client_id": client_id}
    url = f"{demo.issuer}oauth/token"
    assert said(demo.http.request("POST", url, form=form, headers=headers)) == expected


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /w==", "Basic Og=="])
def test_broken_basic_header(demo: Demo, header: str) -> None:
    form = {"grant_type": "authorization_code", "code": "bogus"}
    url = f"{demo.issuer}oauth/token"
    headers = {"Authorization": header}
    assert said(demo.http.request("POST", url, form=form, headers=headers)) == UNAUTHORIZED


class TestCode:
    """The authorization code: valid once, for the client that requested it, with the verifier."""

    def test_issues_tokens_for_the_api(self, demo: Demo) -> None:
        client = Client(demo)
        response = client.redeem(client.sign_in(nonce="n-1"))
        body = json.loads(response.body)
        assert response.status == 200
        assert body.keys() == {
            "access_token", "refresh_token", "id_token", "scope", "expires_in", "token_type",
        }  # fmt: skip
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 86400)
        assert body["scope"] == "openid profile email offline_access"
        access = client.verified(body["access_token"], AUDIENCE)
        assert access["aud"] == [AUDIENCE, f"{demo.issuer}userinfo"]
        assert access["azp"] == demo.application.client_id
        assert jwt.get_unverified_header(body["access_token"])["typ"] == "JWT"
        identity = client.verified(body["id_token"], demo.application.client_id)
        assert identity["email"] == demo.user.email
        assert identity["nonce"] == "n-1"
        assert identity["sub"] == access["sub"] == demo.user.user_id

    def test_is_valid_once(self, demo: Demo) -> None:
        client = Client(demo)
        code = client.sign_in()
        assert client.redeem(code).status == 200
        assert said(client.redeem(code)) == BAD_CODE

    def test_is_for_one_client(self, demo: Demo) -> None:
        client = Client(demo)
        code = client.sign_in()
        other = Application()
        demo.tenant.add(other)
        response = client.redeem(code, client_id=other.client_id, client_secret=other.client_secret)
        assert said(response) == BAD_CODE

    def test_wrong_verifier(self, demo: Demo) -> None:
        client = Client(demo)
        response = client.redeem(client.sign_in(), code_verifier="w" * 64)
        assert said(response) == (403, "invalid_grant", "Failed to verify code verifier")

    def test_no_verifier(self, demo: Demo) -> None:
        client = Client(demo)
        response = client.redeem(client.sign_in(), code_verifier=None)
        expected = (400, "invalid_request", "Parameter 'code_verifier' is required")
        assert said(response) == expected

    def test_wrong_redirect_uri(self, demo: Demo) -> None:
        client = Client(demo)
        response = client.redeem(client.sign_in(), redirect_uri="https://other.example/")
        assert said(response) == (
            403,
            "unauthorized_client",
            "The redirect URI is wrong. You sent https://other.example/,"
            f" and we expected {demo.setup.callback_url}",
        )

    def test_a_public_client_needs_pkce(self, demo: Demo) -> None:
        demo.application.token_endpoint_auth_method = AuthMethod.NONE
        client = Client(demo)
        code = client.sign_in(code_challenge=None, code_challenge_method=None)
        assert said(client.redeem(code, client_secret=None)) == UNAUTHORIZED
        assert client.redeem(client.sign_in(prompt="login"), client_secret=None).status == 200


class TestAccessToken:
    """Opaque or JWT, and signed as set for the API."""

    def test_opaque_without_an_audience(self, demo: Demo) -> None:
        token = Client(demo).tokens(audience=None)["access_token"]
        assert "." not in token

    def test_opaque_for_userinfo_only(self, demo: Demo) -> None:
        token = Client(demo).tokens(audience=f"{demo.issuer}userinfo")["access_token"]
        assert "." not in token

    @pytest.mark.parametrize("audience", [None, AUDIENCE])
    def test_five_parts_when_encrypted(self, demo: Demo, audience: str | None) -> None:
        demo.tenant.encrypted_opaque_tokens = True
        demo.api.encrypted_tokens = True
        token = Client(demo).tokens(audience=audience)["access_token"]
        head, key, *rest = token.split(".")
        assert len(rest) == 3
        assert key == ""
        header = json.loads(base64.urlsafe_b64decode(head + "=="))
        assert (header["alg"], header["enc"]) == ("dir", "A256GCM")

    def test_default_audience_makes_it_a_jwt(self, demo: Demo) -> None:
        demo.tenant.default_audience = AUDIENCE
        client = Client(demo)
        client.verified(client.tokens(audience=None)["access_token"], AUDIENCE)

    def test_audience_alone_without_openid(self, demo: Demo) -> None:
        client = Client(demo)
        body = client.tokens(scope="offline_access")
        assert "id_token" not in body
        assert client.verified(body["access_token"], AUDIENCE)["aud"] == AUDIENCE

    def test_hs256_api(self, demo: Demo) -> None:
        demo.api.signing_alg = "HS256"
        token = Client(demo).tokens()["access_token"]
        assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
        jwt.decode(token, demo.api.signing_secret, algorithms=["HS256"], audience=AUDIENCE)

    @pytest.mark.parametrize("algorithm", ["PS256", "RS512"])
    def test_other_rsa_algorithms(self, demo: Demo, algorithm: str) -> None:
        demo.api.signing_alg = algorithm
        client = Client(demo)
        client.verified(client.tokens()["access_token"], AUDIENCE, algorithm)

    def test_rfc_9068_profile(self, demo: Demo) -> None:
        demo.api.token_dialect = "rfc9068_profile"
        client = Client(demo)
        token = client.tokens()["access_token"]
        claims = client.verified(token, AUDIENCE)
        assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
        assert claims["client_id"] == demo.application.client_id
        assert "azp" not in claims
        assert "jti" in claims

    def test_has_the_lifetime_of_the_api(self, demo: Demo) -> None:
        demo.api.token_lifetime = 60
        client = Client(demo)
        body = client.tokens()
        claims = client.verified(body["access_token"], AUDIENCE)
        assert (body["expires_in"], claims["exp"]) == (60, claims["iat"] + 60)  # type: ignore[operator]

    def test_grants_only_scopes_of_the_api(self, demo: Demo) -> None:
        demo.api.scopes = ["read:chats"]
        body = Client(demo).tokens(scope="openid read:chats write:chats openid")
        assert body["scope"] == "openid read:chats"

    @pytest.mark.parametrize("space", ["\t", "\u00a0", "\n"])
    def test_only_a_plain_space_separates_scopes(self, demo: Demo, space: str) -> None:
        body = Client(demo).tokens(scope=f"openid  email{space}profile")
        assert body["scope"] == "openid"

    def test_clock(self, demo: Demo) -> None:
        demo.tenant.clock = lambda: 1_000_000_000.0
        client = Client(demo)
        response = client.redeem(client.sign_in())
        token = answer(response)["access_token"]
        assert jwt.decode(token, options={"verify_signature": False})["iat"] == 1_000_000_000
        assert response.headers["date"] == "Sun, 09 Sep 2001 01:46:40 GMT"


class TestIdToken:
    def test_hs256_is_signed_with_the_client_secret(self, demo: Demo) -> None:
        demo.application.id_token_alg = "HS256"
        token = Client(demo).tokens()["id_token"]
        application = demo.application
        jwt.decode(
            token, application.client_secret, algorithms=["HS256"], audience=application.client_id
        )

    @pytest.mark.parametrize("reason", ["scope", "user"])
    def test_no_email(self, demo: Demo, reason: str) -> None:
        client = Client(demo)
        if reason == "user":
            demo.user.email = ""
        scope = "openid profile" if reason == "scope" else "openid profile email"
        claims = client.verified(client.tokens(scope=scope)["id_token"], demo.application.client_id)
        assert "email" not in claims
        assert claims["name"] == "Demo User"


def no_grant(demo: Demo) -> None:
    demo.application.grant_types.remove(GrantType.REFRESH)


def no_offline_access(demo: Demo) -> None:
    demo.api.allow_offline_access = False


def not_conformant(demo: Demo) -> None:
    demo.application.oidc_conformant = False


class TestRefreshToken:
    """It is issued under four conditions, and otherwise silently missing."""

    @pytest.mark.parametrize("change", [no_grant, no_offline_access, not_conformant])
    def test_silently_missing(self, demo: Demo, change: Callable[[Demo], None]) -> None:
        change(demo)
        body = Client(demo).tokens()
        assert "refresh_token" not in body
        assert body["scope"] == "openid profile email"

    def test_missing_when_not_requested(self, demo: Demo) -> None:
        assert "refresh_token" not in Client(demo).tokens(scope="openid email")

    def test_ignores_the_api_without_an_audience(self, demo: Demo) -> None:
        demo.api.allow_offline_access = False
        assert "refresh_token" in Client(demo).tokens(audience=None)

    def test_keeps_audience_and_scope(self, demo: Demo) -> None:
        client = Client(demo)
        body = answer(client.refresh(client.tokens()["refresh_token"]))
        assert body["scope"] == "openid profile email offline_access"
        assert "refresh_token" not in body
        client.verified(body["access_token"], AUDIENCE)
        client.verified(body["id_token"], demo.application.client_id)

    def test_ignores_another_audience(self, demo: Demo) -> None:
        demo.tenant.add(Api(identifier="https://other"))
        client = Client(demo)
        token = client.tokens()["refresh_token"]
        body = answer(client.refresh(token, audience="https://other"))
        client.verified(body["access_token"], AUDIENCE)

    def test_scope_can_be_reduced_but_not_extended(self, demo: Demo) -> None:
        client = Client(demo)
        token = client.tokens(scope="openid offline_access")["refresh_token"]
        assert answer(client.refresh(token, scope="openid email"))["scope"] == "openid"
        assert "id_token" not in answer(client.refresh(token, scope="offline_access"))

    def test_rotation_and_reuse(self, demo: Demo) -> None:
        demo.application.rotating_refresh_tokens = True
        client = Client(demo)
        first = client.tokens()["refresh_token"]
        second = answer(client.refresh(first))["refresh_token"]
        third = answer(client.refresh(second))["refresh_token"]
        assert len({first, second, third}) == 3
        assert said(client.refresh(first)) == BAD_REFRESH_TOKEN
        assert said(client.refresh(third)) == BAD_REFRESH_TOKEN

    def test_a_reuse_does_not_affect_another_family(self, demo: Demo) -> None:
        demo.application.rotating_refresh_tokens = True
        client = Client(demo)
        first = client.tokens()["refresh_token"]
        other = client.tokens(prompt="login")["refresh_token"]
        client.refresh(first)
        client.refresh(first)
        assert client.refresh(other).status == 200

    def test_stays_valid_without_rotation(self, demo: Demo) -> None:
        client = Client(demo)
        token = client.tokens()["refresh_token"]
        assert [client.refresh(token).status for _ in range(2)] == [200, 200]

    def test_expiry(self, demo: Demo) -> None:
        demo.application.refresh_token_lifetime = 100
        client = Client(demo)
        token = client.tokens()["refresh_token"]
        assert client.refresh(token).status == 200
        later = demo.tenant.clock() + 101
        demo.tenant.clock = lambda: later
        assert said(client.refresh(token)) == BAD_REFRESH_TOKEN

    def test_is_for_one_client(self, demo: Demo) -> None:
        other = Application()
        demo.tenant.add(other)
        client = Client(demo)
        token = client.tokens()["refresh_token"]
        response = client.refresh(
            token, client_id=other.client_id, client_secret=other.client_secret
        )
        assert said(response) == BAD_REFRESH_TOKEN
        assert client.refresh(token).status == 200

    def test_grant_revoked_by_the_user(self, demo: Demo) -> None:
        client = Client(demo)
        token = client.tokens()["refresh_token"]
        demo.tenant.user_grants.clear()
        expected = "Grant not found, cannot refresh access token"
        assert said(client.refresh(token)) == (403, "server_error", expected)


class TestMachine:
    """client_credentials, as users of the Management API get it."""

    def ask(self, demo: Demo, audience: str = AUDIENCE) -> Response:
        demo.application.grant_types.append(GrantType.CLIENT_CREDENTIALS)
        return Client(demo).token(grant_type="client_credentials", audience=audience)

    def test_unknown_audience(self, demo: Demo) -> None:
        expected = (403, "access_denied", "Service not enabled within domain: https://nope")
        assert said(self.ask(demo, "https://nope")) == expected

    def test_no_grant(self, demo: Demo) -> None:
        assert said(self.ask(demo)) == (
            403,
            "access_denied",
            f'Client "{demo.application.client_id}" is not authorized to access resource server'
            f' "{AUDIENCE}". You need to create a "client-grant" associated to this API.',
        )

    def test_token(self, demo: Demo) -> None:
        client_id = demo.application.client_id
        demo.tenant.client_grants.append(
            ClientGrant(
                client_id=client_id, audience=AUDIENCE, subject_type="client", scope=("read:x",)
            )
        )
        body = answer(self.ask(demo))
        claims = Client(demo).verified(body["access_token"], AUDIENCE)
        assert (claims["sub"], claims["scope"]) == (f"{client_id}@clients", "read:x")


class TestUserinfo:
    @pytest.mark.parametrize("audience", [None, AUDIENCE])
    def test_returns_the_user(self, demo: Demo, audience: str | None) -> None:
        token = Client(demo).tokens(audience=audience)["access_token"]
        response = self.ask(demo, f"Bearer {token}")
        assert answer(response) == {
            "sub": demo.user.user_id,
            "name": "Demo User",
            "nickname": "demo",
            "email": demo.user.email,
            "email_verified": True,
        }

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Basic nonsense"])
    def test_rejects_others(self, demo: Demo, header: str) -> None:
        assert self.ask(demo, header).status == 401

    def test_rejects_a_token_without_openid(self, demo: Demo) -> None:
        token = Client(demo).tokens(scope="offline_access")["access_token"]
        assert self.ask(demo, f"Bearer {token}").status == 401

    def ask(self, demo: Demo, header: str) -> Response:
        url = f"{demo.issuer}userinfo"
        return demo.http.request("GET", url, headers={"Authorization": header})


class TestLogout:
    def out(self, client: Client, path: str, **parameters: str) -> Response:
        return client.send("GET", f"{path}?{urlencode(parameters)}")

    def test_ends_the_session_and_redirects_back(self, demo: Demo) -> None:
        client = Client(demo)
        hint = client.tokens()["id_token"]
        response = self.out(
            client,
            "oidc/logout",
            id_token_hint=hint,
            post_logout_redirect_uri="https://chat.example.com/login",
            state="s",
        )
        assert response.headers["location"] == "https://chat.example.com/login?state=s"
        assert query(client.authorize(prompt="none"))["error"] == "login_required"

    @pytest.mark.parametrize(
        ("path", "parameter", "url", "status"),
        [
            ("oidc/logout", "post_logout_redirect_uri", "https://chat.example.com/login", 302),
            ("oidc/logout", "post_logout_redirect_uri", "https://chat.example.com/login?a", 400),
            ("oidc/logout", "post_logout_redirect_uri", "https://chat.example.com/Login", 400),
            ("oidc/logout", "post_logout_redirect_uri", "https://chat.example.com/", 400),
            ("v2/logout", "returnTo", "https://chat.example.com/login", 302),
            ("v2/logout", "returnTo", "https://chat.example.com/login?a#b", 302),
            ("v2/logout", "returnTo", "https://chat.example.com/Login", 400),
        ],
    )
    def test_the_url_must_be_listed(
        self, demo: Demo, path: str, parameter: str, url: str, status: int
    ) -> None:
        client_id = demo.application.client_id
        response = self.out(Client(demo), path, client_id=client_id, **{parameter: url})
        assert response.status == status
        assert response.headers.get("location") == (url if status == 302 else None)

    def test_shows_a_page_without_a_url(self, demo: Demo) -> None:
        assert "You are logged out" in self.out(Client(demo), "oidc/logout").text

    @pytest.mark.parametrize("alg", ["RS256", "HS256"])
    def test_rejects_a_forged_hint(self, demo: Demo, alg: str) -> None:
        demo.application.id_token_alg = alg
        client = Client(demo)
        head, body, _ = client.tokens()["id_token"].split(".")
        for forged in (f"{head}.{body}.AAAA", "nonsense", "a.b.c"):
            assert self.out(client, "oidc/logout", id_token_hint=forged).status == 400
