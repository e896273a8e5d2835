"""The pages of the demo tenant in another language; simulated Auth0 texts stay English."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.demo.client import Client, location
from tests.languages import speaking
from tests.providers import Authority, Demo, furnish
from tests.tenant.faults import tenant_server
from tests.tenant.state import Tenant

DUTCH = speaking(
    {
        "Log in to {application}": "Aanmelden bij {application}",
        "Wrong email or password": "E-mailadres of wachtwoord klopt niet",
        "{application} asks for access to your account.": "{application} vraagt toegang.",
        "{application} asks for access to your account at {api}.": (
            "{application} vraagt toegang bij {api}."
        ),
        "Oops!, something went wrong": "Oeps, er ging iets mis",
    }
)


@pytest.fixture(scope="module")
def dutch_server(authority: Authority) -> Iterator[Tenant]:
    tenant = Tenant()
    with tenant_server(tenant, authority.certificate, authority.key, DUTCH):
        yield tenant


@pytest.fixture
def dutch(authority: Authority, dutch_server: Tenant) -> Demo:
    return furnish(dutch_server, authority.http())


def test_the_login_page(dutch: Demo) -> None:
    dutch.application.name = "<i>LibreChat</i>"
    client = Client(dutch)
    asked = client.authorize()

    page = client.send("GET", location(asked))
    refused = client.log_in(asked, "wrong")

    assert '<html lang="nl">' in page.text
    assert "<h1>Aanmelden bij &lt;i&gt;LibreChat&lt;/i&gt;</h1>" in page.text
    assert "E-mailadres of wachtwoord klopt niet" in refused.text
    policy = page.headers["content-security-policy"]
    nonce = re.search(r"style-src 'nonce-([\w-]+)'", policy)
    assert nonce is not None
    assert f'<style nonce="{nonce[1]}">' in page.text


@pytest.mark.parametrize("audience", [True, False])
def test_the_consent_page(audience: bool, dutch: Demo) -> None:
    client = Client(dutch)
    api = dutch.api.identifier if audience else None
    signed_in = client.log_in(client.authorize(prompt="consent", audience=api))

    page = client.send("GET", location(signed_in))

    assert (f"vraagt toegang bij {api}." if api else "vraagt toegang.") in page.text


def test_the_error_page_quotes_auth0(dutch: Demo) -> None:
    page = Client(dutch).authorize(client_id="unknown")

    assert "<h1>Oeps, er ging iets mis</h1>" in page.text
    assert "invalid_request: Unknown client: unknown" in page.text
