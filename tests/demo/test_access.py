"""A post-login Action's effect on real sign-ins: claims, denials and refreshes."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.demo.client import Client, answer, location
from tests.providers import Demo
from tests.tenant.state import Action
from wizard.auth0.access import ADMIN_ROLE, ROLES_CLAIM, USER_ROLE, State, Who
from wizard.auth0.access_action import (
    STRANGER,
    UNVERIFIED,
    ActionSettings,
    action_code,
    role_name,
    roles_of,
)
from wizard.auth0.doors import public_doors


def bind(demo: Demo, who: Who, client_id: str = "") -> None:
    """Add the Action to the flow, as `provision` does."""
    ours = client_id or demo.application.client_id
    domains = ("example.org",) if who is Who.DOMAINS else ()
    code = action_code(ActionSettings(ours, who, domains, roles_of(ours)))
    action = Action(name="ours", code=code, deployed_code=code)
    demo.tenant.library[action.id] = action
    demo.tenant.bindings.append((action.id, "ours"))


def denial(demo: Demo) -> str:
    """Return the reason on the callback URL, as LibreChat gets it."""
    client = Client(demo)
    response = client.log_in(client.authorize())
    said = parse_qs(urlsplit(location(response)).query)
    assert said["error"] == ["access_denied"]
    return said["error_description"][0]


def claim(demo: Demo) -> object:
    client = Client(demo)
    tokens = client.tokens()
    return client.verified(tokens["id_token"], demo.application.client_id).get(ROLES_CLAIM)


def test_sends_a_stranger_back_with_the_reason(demo: Demo) -> None:
    bind(demo, Who.PEOPLE)
    assert denial(demo) == STRANGER
    demo.user.roles.add(role_name(USER_ROLE, "another application"))
    assert denial(demo) == STRANGER


def test_the_roles_are_in_the_id_token(demo: Demo) -> None:
    bind(demo, Who.PEOPLE)
    demo.user.roles.add(role_name(ADMIN_ROLE, demo.application.client_id))
    assert claim(demo) == [ADMIN_ROLE, USER_ROLE]
    headers = {"Authorization": f"Bearer {Client(demo).tokens()['access_token']}"}
    seen = demo.http.request("GET", f"{demo.issuer}userinfo", headers=headers)
    assert (seen.json_object() or {})[ROLES_CLAIM] == [ADMIN_ROLE, USER_ROLE]
    demo.user.email_verified = False
    assert denial(demo) == UNVERIFIED


@pytest.mark.parametrize(("email", "verified"), [("x@example.org", True), ("x@example.org", False)])
def test_an_address_at_the_domain_must_be_verified(demo: Demo, email: str, verified: bool) -> None:
    bind(demo, Who.DOMAINS)
    demo.user.email, demo.user.email_verified = email, verified
    if verified:
        assert claim(demo) == [USER_ROLE]
    else:
        assert denial(demo) == UNVERIFIED


def test_ignores_another_application(demo: Demo) -> None:
    bind(demo, Who.PEOPLE, "another")
    assert claim(demo) is None


def test_a_removed_role_ends_at_the_next_refresh(demo: Demo) -> None:
    bind(demo, Who.PEOPLE)
    role = role_name(USER_ROLE, demo.application.client_id)
    demo.user.roles.add(role)
    client = Client(demo)
    token = client.tokens()["refresh_token"]
    assert client.refresh(token).status == 200
    demo.user.roles.clear()
    refused = client.refresh(token)

    assert refused.status == 403
    assert answer(refused)["error_description"] == STRANGER


def test_a_disabled_connection_lets_no_one_in(demo: Demo) -> None:
    connection = demo.tenant.connections[demo.user.connection]
    doors = public_doors(demo.tenant.domain, demo.application.client_id, demo.http)
    assert doors.sign_ups.state is State.OPEN
    connection.clients = set()
    doors = public_doors(demo.tenant.domain, demo.application.client_id, demo.http)
    assert doors.sign_ups.state is State.CLOSED
    client = Client(demo)

    assert client.log_in(client.authorize()).status == 400
    assert public_doors(demo.tenant.domain, "nobody", demo.http).social.state is State.UNKNOWN
