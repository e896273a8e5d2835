"""The stand-in must refuse what Auth0 refuses, or the tests against it prove nothing."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pydantic
import pytest
from auth0.management.actions.client import ActionsClient
from auth0.management.actions.triggers.bindings.client import BindingsClient
from auth0.management.client_grants.client import ClientGrantsClient
from auth0.management.clients.client import ClientsClient
from auth0.management.connections.client import ConnectionsClient
from auth0.management.resource_servers.client import ResourceServersClient
from auth0.management.roles.client import RolesClient
from auth0.management.tickets.client import TicketsClient
from auth0.management.types.get_action_response_content import GetActionResponseContent
from auth0.management.types.get_connection_enabled_clients_response_content import (
    GetConnectionEnabledClientsResponseContent,
)
from auth0.management.types.get_connection_response_content import GetConnectionResponseContent
from auth0.management.types.list_action_bindings_paginated_response_content import (
    ListActionBindingsPaginatedResponseContent,
)
from auth0.management.types.list_actions_paginated_response_content import (
    ListActionsPaginatedResponseContent,
)
from auth0.management.types.list_client_connections_response_content import (
    ListClientConnectionsResponseContent,
)
from auth0.management.users.client import UsersClient
from auth0.management.users.roles.client import RolesClient as UserRolesClient

from tests import access_stand_in
from tests.commands.conftest import authority, managed, stand_in
from tests.management_stand_in import API, CLIENT, GRANT, Managed
from tests.tenant.state import Action, Application

__all__ = ["authority", "managed", "stand_in"]


def send(
    managed: Managed, method: str, path: str, body: object = None, token: str | None = None
) -> tuple[int, Any]:
    bearer = managed.token() if token is None else token
    answer = managed.http.request(
        method,
        f"https://{managed.domain}/api/v2/{path}",
        body=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"},
    )
    return answer.status, answer.json_object()


@pytest.mark.parametrize(
    ("schema", "method"),
    [
        (CLIENT, ClientsClient.create),
        (CLIENT, ClientsClient.update),
        (API, ResourceServersClient.create),
        (API, ResourceServersClient.update),
        (GRANT, ClientGrantsClient.create),
        (access_stand_in.ACTION, ActionsClient.create),
        ({"code": ..., "name": ...}, ActionsClient.update),
        ({"bindings": ...}, BindingsClient.update_many),
        (access_stand_in.ROLE, RolesClient.create),
        ({"roles": ...}, UserRolesClient.assign),
        (access_stand_in.USER, UsersClient.create),
        (access_stand_in.TICKET, TicketsClient.change_password),
        (access_stand_in.CONNECTION, ConnectionsClient.update),
    ],
)
def test_its_fields_match_auth0s(schema: dict[str, object], method: object) -> None:
    assert callable(method)
    assert schema.keys() <= inspect.signature(method).parameters.keys()


def test_defaults_match_the_recordings(managed: Managed) -> None:
    status, client = send(managed, "POST", "clients", {"name": "n"})
    assert status == 201
    assert client["oidc_conformant"] is False
    assert "alg" not in client["jwt_configuration"]
    assert client["grant_types"] == [
        "authorization_code",
        "implicit",
        "refresh_token",
        "client_credentials",
    ]
    status, api = send(managed, "POST", "resource-servers", {"identifier": "https://a"})
    assert status == 201
    assert api["signing_alg"] == "RS256"
    assert api["allow_offline_access"] is False
    assert api["skip_consent_for_verifiable_first_party_clients"] is False
    assert api["subject_type_authorization"]["user"] == {"policy": "allow_all"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "a<b"},
        {"name": "n", "unknown": 1},
        {"name": "n", "app_type": "regular"},
        {"name": "n", "token_endpoint_auth_method": "Post"},
        {"name": "n", "oidc_conformant": "true"},
        {"name": "n", "jwt_configuration": {"algorithm": "RS256"}},
        {"name": "n", "grant_types": ["code"]},
        {"name": "n", "callbacks": "https://a"},
        {"name": "n", "callbacks": ["https://a", "https://a"]},
        {"name": "n", "callbacks": [f"https://a/{n}" for n in range(101)]},
        {"name": "n", "web_origins": [""]},
        {"name": "n", "web_origins": ["https://a/path"]},
        {"name": "n", "allowed_logout_urls": [""]},
    ],
)
def test_rejects_a_client_that_auth0_rejects(managed: Managed, body: object) -> None:
    status, said = send(managed, "POST", "clients", body)

    assert status == 400
    assert said["errorCode"] == "invalid_body"
    assert said["message"].startswith("Payload validation error")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"identifier": "https://a", "signing_alg": "none"},
        {"identifier": "https://a", "subject_type_authorization": {"user": "allow_all"}},
        {
            "identifier": "https://a",
            "subject_type_authorization": {"client": {"policy": "allow_all"}},
        },
    ],
)
def test_rejects_an_api_that_auth0_rejects(managed: Managed, body: object) -> None:
    assert send(managed, "POST", "resource-servers", body)[0] == 400


def test_rejects_a_change_of_identifier(managed: Managed) -> None:
    _, api = send(managed, "POST", "resource-servers", {"identifier": "https://a"})

    changed = {"identifier": "https://b"}
    assert send(managed, "PATCH", f"resource-servers/{api['id']}", changed)[0] == 400


def test_replaces_a_list(managed: Managed) -> None:
    application = Application(callbacks=["https://theirs"])
    managed.tenant.add(application)

    send(managed, "PATCH", f"clients/{application.client_id}", {"callbacks": ["https://ours"]})

    assert application.callbacks == ["https://ours"]


@pytest.mark.parametrize("query", ["per_page=101&include_totals=true", "unknown=1", "page=0"])
def test_rejects_a_query_that_auth0_rejects(managed: Managed, query: str) -> None:
    assert send(managed, "GET", f"clients?{query}")[0] == 400


def test_shows_keys_only_with_their_scope(managed: Managed) -> None:
    path = f"clients/{managed.machine.client_id}"
    token = managed.token("read:clients")

    assert "client_secret" not in send(managed, "GET", path, token=token)[1]
    assert send(managed, "GET", path)[1]["client_secret"] == managed.machine.client_secret


def test_rejects_foreign_and_expired_tokens(managed: Managed) -> None:
    token = managed.token()
    assert send(managed, "GET", "clients/x", token=token[:-8] + "AAAAAAAA")[0] == 401
    assert send(managed, "GET", "clients/x", token="opaque")[0] == 401
    managed.clock.sleep(86_401)
    assert send(managed, "GET", "clients/x", token=token)[0] == 401


def test_its_access_responses_match_auth0s_models(managed: Managed) -> None:
    """They fit the models of Auth0's own client."""
    tenant = managed.tenant
    action = Action(name="n", code="//", deployed_code="//", looks_to_build=0)
    tenant.library[action.id] = action
    tenant.bindings.append((action.id, "n"))
    client = f"clients/{managed.machine.client_id}/connections"
    connection = next(iter(tenant.connections.values())).id
    flow = "actions/triggers/post-login/bindings"
    answers: dict[str, type[pydantic.BaseModel]] = {
        client: ListClientConnectionsResponseContent,
        f"connections/{connection}": GetConnectionResponseContent,
        f"connections/{connection}/clients": GetConnectionEnabledClientsResponseContent,
        f"actions/actions/{action.id}": GetActionResponseContent,
        "actions/actions": ListActionsPaginatedResponseContent,
        flow: ListActionBindingsPaginatedResponseContent,
    }
    for path, model in answers.items():
        status, said = send(managed, "GET", path)
        assert status == 200, path
        read = model.model_validate(said)
        assert not read.model_extra, path
