"""/authorize answers like Auth0: one row for each of its responses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlsplit

import pytest

from tests.demo.client import Client, form_of, location, query
from tests.providers import Demo
from tests.tenant.state import ClientGrant, OrganizationUsage, Policy

LOCAL_CALLBACK = "http://localhost:3080/oauth/openid/callback"


def unchanged(demo: Demo) -> None:
    """No fault."""


@dataclass(frozen=True)
class Case:
    """One changed setting or parameter, and the resulting response of /authorize.

    `status` 302 is a redirect to the callback URL; any other is a page of the tenant.
    """

    name: str
    error: str
    description: str
    change: Callable[[Demo], None] = unchanged
    parameters: dict[str, str | None] = field(default_factory=dict)
    status: int = 302
    signed_in: bool = False


def forget_api(demo: Demo) -> None:
    demo.tenant.apis.clear()


def deny_user_access(demo: Demo) -> None:
    demo.api.user_policy = Policy.DENY_ALL


def require_client_grant(demo: Demo) -> None:
    demo.api.user_policy = Policy.REQUIRE_CLIENT_GRANT


def grant_to_machine_only(demo: Demo) -> None:
    require_client_grant(demo)
    demo.tenant.client_grants.append(
        ClientGrant(
            client_id=demo.application.client_id,
            audience=demo.api.identifier,
            subject_type="client",
        )
    )


def make_third_party(demo: Demo) -> None:
    demo.application.is_first_party = False


def remove_code_grant(demo: Demo) -> None:
    demo.application.grant_types.remove("authorization_code")


def require_organization(demo: Demo) -> None:
    demo.application.organization_usage = OrganizationUsage.REQUIRE


def disable_connection(demo: Demo) -> None:
    demo.tenant.connections.clear()


def take_connection_from_application(demo: Demo) -> None:
    demo.tenant.connections["Username-Password-Authentication"].clients = set()


def need_consent(demo: Demo) -> None:
    demo.api.skip_consent_for_verifiable_first_party_clients = False
    demo.tenant.user_grants.clear()


def need_interaction(demo: Demo) -> None:
    demo.tenant.needs_interaction = True


def use_localhost(demo: Demo) -> None:
    demo.application.callbacks.append(LOCAL_CALLBACK)


def default_audience(demo: Demo) -> None:
    demo.tenant.default_audience = "https://nope"


NOT_AUTHORIZED = 'Client "{client}" is not authorized to access resource server "{audience}".'

CASES = [
    Case("no client", "invalid_request", "Missing required parameter: client_id",
         parameters={"client_id": None}, status=400),
    Case("unknown client", "invalid_request", "Unknown client: nobody",
         parameters={"client_id": "nobody"}, status=400),
    Case("no callback", "invalid_request", "Missing required parameter: redirect_uri",
         parameters={"redirect_uri": None}, status=400),
    Case("callback of another host", "unauthorized_client", "Callback URL mismatch. "
         "https://evil.example/ is not in the list of allowed callback URLs",
         parameters={"redirect_uri": "https://evil.example/"}, status=403),
    Case("callback with a slash more", "unauthorized_client", "Callback URL mismatch. "
         "https://chat.example.com/oauth/openid/callback/ is not in the list of allowed"
         " callback URLs",
         parameters={"redirect_uri": "https://chat.example.com/oauth/openid/callback/"},
         status=403),
    Case("loopback port differs", "unauthorized_client", "Callback URL mismatch. "
         "http://localhost:3081/oauth/openid/callback is not in the list of allowed"
         " callback URLs", use_localhost,
         parameters={"redirect_uri": "http://localhost:3081/oauth/openid/callback"}, status=403),
    Case("no response type", "invalid_request", "Missing required parameter: response_type",
         parameters={"response_type": None}),
    Case("response type", "unsupported_response_type", "Unsupported response type: token",
         parameters={"response_type": "token"}),
    Case("response mode", "unsupported_response_mode", "Unsupported response mode: fragment",
         parameters={"response_mode": "fragment"}),
    Case("grant off", "unauthorized_client",
         "Grant type 'authorization_code' not allowed for the client.", remove_code_grant),
    Case("plain challenge", "invalid_request",
         "Only the code challenge method S256 is supported",
         parameters={"code_challenge_method": "plain"}),
    Case("API gone", "access_denied", "Service not found: {audience}", forget_api),
    Case("API with a slash more", "access_denied", "Service not found: {audience}/",
         parameters={"audience": "https://api.librechat.ai/"}),
    Case("two APIs at once", "access_denied", "Service not found: {audience},https://b",
         parameters={"audience": "https://api.librechat.ai,https://b"}),
    Case("API gone, silently", "access_denied", "Service not found: {audience}", forget_api,
         parameters={"prompt": "none"}),
    Case("default audience unknown", "access_denied", "Service not found: https://nope",
         default_audience, parameters={"audience": None}),
    Case("API denies users", "invalid_request", NOT_AUTHORIZED, deny_user_access),
    Case("API wants a grant", "invalid_request", NOT_AUTHORIZED, require_client_grant),
    Case("grant is a machine's", "invalid_request", NOT_AUTHORIZED, grant_to_machine_only),
    Case("third party without grant", "invalid_request", NOT_AUTHORIZED, make_third_party),
    Case("connection disabled", "invalid_request", "the connection was disabled",
         disable_connection, parameters={"connection": "Username-Password-Authentication"}),
    Case("connection not of the application", "invalid_request", "the connection is not enabled",
         take_connection_from_application,
         parameters={"connection": "Username-Password-Authentication"}),
    Case("organization required", "invalid_request",
         "parameter organization is required for this client", require_organization),
    Case("organization by name", "invalid_request",
         "authorization request parameter organization must be an organization id",
         parameters={"organization": "acme"}),
    Case("silent, nobody signed in", "login_required", "Login required",
         parameters={"prompt": "none"}),
    Case("silent, consent missing", "consent_required", "Consent required", need_consent,
         parameters={"prompt": "none"}, signed_in=True),
    Case("silent, local callback", "consent_required", "Consent required", use_localhost,
         parameters={"prompt": "none", "redirect_uri": LOCAL_CALLBACK}, signed_in=True),
    Case("silent, more to do", "interaction_required", "Interaction required", need_interaction,
         parameters={"prompt": "none"}, signed_in=True),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_errors(demo: Demo, case: Case) -> None:
    client = Client(demo)
    if case.signed_in:
        client.sign_in()
    case.change(demo)
    response = client.authorize(**case.parameters)
    description = case.description.format(
        client=demo.application.client_id, audience=demo.api.identifier
    )
    assert response.status == case.status
    if case.status == 302:
        callback = case.parameters.get("redirect_uri") or demo.setup.callback_url
        assert location(response).startswith(f"{callback}?")
        assert query(response) == {
            "error": case.error,
            "error_description": description,
            "state": "the state",
        }
    else:
        assert response.is_html
        assert "location" not in response.headers
        assert "Oops!, something went wrong" in response.text
        assert f"{case.error}: {description}" in unescape(response.text)


def test_a_valid_request_leads_to_the_login_page(demo: Demo) -> None:
    assert location(Client(demo).authorize()).startswith("/u/login?state=")


def test_returns_no_state_when_none_was_sent(demo: Demo) -> None:
    response = Client(demo).authorize(state=None, prompt="none")
    assert "state" not in query(response)


def test_passes_the_error_to_a_custom_error_page(demo: Demo) -> None:
    demo.tenant.error_page_url = "https://errors.example/page?from=auth0"
    response = Client(demo).authorize(client_id="nobody")
    assert urlsplit(location(response)).netloc == "errors.example"
    parameters = query(response)
    assert len(parameters.pop("tracking")) == 20
    assert parameters == {
        "from": "auth0",
        "client_id": "nobody",
        "lang": "en",
        "error": "invalid_request",
        "error_description": "Unknown client: nobody",
    }


@pytest.mark.parametrize(
    ("allowed", "url", "expected"),
    [
        ("https://*.ngrok.app/cb", "https://one.ngrok.app/cb", True),
        ("https://pre-*.ngrok.app/cb", "https://pre-1.ngrok.app/cb", True),
        ("https://*.ngrok.app/cb", "https://one.two.ngrok.app/cb", False),
        ("https://*.ngrok.app/cb", "https://ngrok.app/cb", False),
        ("https://*.ngrok.app/cb", "https://one.ngrok.app/other", False),
        ("https://*.ngrok.app/cb", "https://evil.example/x.ngrok.app/cb", False),
        ("https://a.*.app/cb", "https://a.b.app/cb", False),
        ("https://chat.example/*", "https://chat.example/cb", False),
    ],
)
def test_a_wildcard_matches_one_label(demo: Demo, allowed: str, url: str, expected: bool) -> None:
    demo.application.callbacks[:] = [allowed]
    assert Client(demo).authorize(redirect_uri=url).status == (302 if expected else 403)


def test_a_client_grant_authorizes_the_application(demo: Demo) -> None:
    require_client_grant(demo)
    demo.tenant.client_grants.append(
        ClientGrant(client_id=demo.application.client_id, audience=demo.api.identifier)
    )
    assert location(Client(demo).authorize()).startswith("/u/login")


def test_sign_in_ends_at_the_callback_with_code_and_state(demo: Demo) -> None:
    client = Client(demo)
    response = client.log_in(client.authorize())
    assert location(response).startswith(f"{demo.setup.callback_url}?")
    assert query(response).keys() == {"code", "state"}
    assert query(response)["state"] == "the state"


def test_a_session_needs_no_second_sign_in_unless_requested(demo: Demo) -> None:
    client = Client(demo)
    client.sign_in()
    assert "code" in query(client.authorize(prompt="none"))
    assert "code" in query(client.authorize())
    assert "/u/login" in location(client.authorize(prompt="login"))


def test_wrong_password_shows_the_form_again(demo: Demo) -> None:
    client = Client(demo)
    response = client.log_in(client.authorize(), password="wrong")
    assert response.status == 400
    assert "Wrong email or password" in response.text
    assert "code" in query(client.send("POST", "u/login", client.login_form(response)))


def test_an_action_can_reject_the_user(demo: Demo) -> None:
    demo.tenant.denial = "Not today"
    client = Client(demo)
    parameters = query(client.log_in(client.authorize()))
    assert (parameters["error"], parameters["error_description"]) == ("access_denied", "Not today")


def test_rejects_a_user_without_organization_after_the_password(demo: Demo) -> None:
    require_organization(demo)
    client = Client(demo)
    parameters = query(client.log_in(client.authorize(organization="org_1")))
    assert parameters["error"] == "invalid_request"
    assert parameters["error_description"] == (
        "client requires organization membership, but user does not belong to any organization"
    )
    demo.user.organizations.add("org_1")
    assert "code" in query(client.authorize(organization="org_1"))


def test_asks_for_consent_once_if_the_api_requires_it(demo: Demo) -> None:
    need_consent(demo)
    client = Client(demo)
    response = client.log_in(client.authorize())
    assert "/u/consent" in location(response)
    assert "code" in query(client.consent(response))
    assert "code" in query(client.authorize(prompt="none"))


def test_asks_for_consent_at_every_sign_in_for_a_local_callback(demo: Demo) -> None:
    use_localhost(demo)
    client = Client(demo)
    client.sign_in(redirect_uri=LOCAL_CALLBACK)
    assert "/u/consent" in location(client.authorize(redirect_uri=LOCAL_CALLBACK))
    demo.application.skip_non_verifiable_callback_uri_confirmation_prompt = True
    assert "code" in query(client.authorize(redirect_uri=LOCAL_CALLBACK))


def test_declined_consent_is_access_denied(demo: Demo) -> None:
    need_consent(demo)
    client = Client(demo)
    parameters = query(client.consent(client.log_in(client.authorize()), "deny"))
    assert parameters["error"] == "access_denied"
    assert parameters["error_description"] == "User did not authorize the request"


class TestAttacks:
    """The login page works only in the browser that started it, and escapes markup."""

    def test_escapes_markup_in_parameters(self, demo: Demo) -> None:
        evil = "<script>alert(1)</script>\"'>"
        response = Client(demo).authorize(client_id=evil)
        assert response.status == 400
        assert "<script" not in response.text
        demo.application.name = evil
        client = Client(demo)
        page = client.send("GET", location(client.authorize()))
        assert "<script" not in page.text

    def test_a_line_break_in_a_parameter_adds_no_header(self, demo: Demo) -> None:
        response = Client(demo).authorize(state="a\r\nSet-Cookie: evil=1", prompt="none")
        assert "evil" not in str(response.set_cookies)
        assert query(response)["state"] == "a\r\nSet-Cookie: evil=1"

    def test_pages_load_nothing_from_elsewhere(self, demo: Demo) -> None:
        client = Client(demo)
        page = client.send("GET", location(client.authorize()))
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'nonce-")
        assert "form-action" not in policy  # it would block LibreChat's own redirect afterwards
        assert "frame-ancestors 'none'" in policy
        assert "script" not in page.text.lower()
        assert page.headers["cache-control"] == "no-store"

    def test_another_browser_cannot_use_the_link(self, demo: Demo) -> None:
        victim = Client(demo)
        link = location(Client(demo).authorize())
        victim.authorize()
        response = victim.send("GET", link)
        assert response.status == 400
        assert "password" not in response.text

    def test_rejects_a_foreign_form(self, demo: Demo) -> None:
        client = Client(demo)
        page = client.send("GET", location(client.authorize()))
        form = client.login_form(page)
        assert client.send("POST", "u/login", form | {"csrf": "guess"}).status == 400
        assert client.send("POST", "u/login", form | {"csrf": "ÿ😀"}).status == 400
        assert client.send("POST", "u/login", form | {"state": "guess"}).status == 400
        assert "code" in query(client.send("POST", "u/login", form))

    def test_consent_cannot_be_given_before_the_password(self, demo: Demo) -> None:
        client = Client(demo)
        page = client.send("GET", location(client.authorize()))
        form = form_of(page).filled_in("", "") | {"action": "accept"}
        assert "code" not in query(client.send("POST", "u/consent", form))

    def test_scripts_and_other_sites_cannot_use_cookies(self, demo: Demo) -> None:
        client = Client(demo)
        response = client.log_in(client.authorize())
        (cookie,) = response.set_cookies
        assert cookie.startswith("__Host-")
        for attribute in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
            assert attribute in cookie
