"""Reads and changes LibreChat's application and API; a request that fails raises `Failure`."""

from __future__ import annotations

from collections.abc import Iterable

from wizard.auth0.management_access import lacks_scopes
from wizard.auth0.management_calls import PAGE, Answer, Calls, segment
from wizard.auth0.management_plan import Part, PlannedChange, TenantState, Wanted, values_of
from wizard.language import Message
from wizard.rules import rule

SAME_NAME_TWICE = rule("LA610")
NO_SUCH_APPLICATION = rule("LA611")

READ_SCOPES = frozenset({"read:clients", "read:client_keys"})
_CLIENT_FIELDS = (
    "client_id,client_secret,name,app_type,token_endpoint_auth_method,"
    "client_authentication_methods,oidc_conformant,jwt_configuration,grant_types,callbacks,"
    "allowed_logout_urls,web_origins,is_first_party"
)


def read_tenant(calls: Calls, wanted: Wanted, client_id: str = "") -> TenantState:
    """Return LibreChat's application, found by `client_id` or by name, and its API."""
    reading = {"read:resource_servers"} if wanted.audience else set()
    calls.access.require(READ_SCOPES | reading)
    if not client_id:
        client_id = _find_by_name(calls, wanted.name)
    tenant = TenantState(
        _application(calls, client_id) if client_id else None,
        _api(calls, wanted.audience) if wanted.audience else None,
    )
    if tenant.application is None or not tenant.needs_user_grant:
        return tenant
    calls.access.require(frozenset({"read:client_grants"}))
    granted = _has_user_grant(calls, tenant.client_id, wanted.audience or "")
    return tenant._replace(has_user_grant=granted)


def change_tenant(
    calls: Calls, part: Part, changes: Iterable[PlannedChange], tenant: TenantState, audience: str
) -> TenantState:
    """Apply the changes to that part in one request; return the tenant as answered."""
    values = values_of(changes, part)
    match part:
        case Part.API:
            known = tenant.api.needed("id") if tenant.api else ""
            return tenant._replace(api=calls.save("resource-servers", known, values))
        case Part.APPLICATION:
            answer = calls.save("clients", tenant.client_id, values)
            return tenant._replace(application=_application_in(answer))
        case Part.ACCESS:
            grant = {
                "client_id": tenant.client_id,
                "audience": audience,
                "scope": [],
                "subject_type": "user",
            }
            calls.send("POST", "client-grants", grant)
            return tenant._replace(has_user_grant=True)
        case Part.WHO:
            raise ValueError("see wizard.auth0.access_plan")


def write_scopes(changes: tuple[PlannedChange, ...], tenant: TenantState) -> frozenset[str]:
    """Return the scopes that applying the changes needs."""
    kinds = {
        Part.API: (tenant.api, "resource_servers"),
        Part.APPLICATION: (tenant.application, "clients"),
        Part.ACCESS: (None, "client_grants"),
    }
    affected = [kinds[part] for part in {change.part for change in changes}]
    return frozenset(f"{'update' if exists else 'create'}:{name}" for exists, name in affected)


def _find_by_name(calls: Calls, name: str) -> str:
    found = [
        each.needed("client_id")
        for each in calls.all("clients", "clients", fields="client_id,name", is_first_party="true")
        if each.string("name") == name
    ]
    if len(found) > 1:
        raise SAME_NAME_TWICE.failure(f"{name}: {', '.join(found)}.")
    return next(iter(found), "")


def _application(calls: Calls, client_id: str) -> Answer:
    found = calls.find(f"clients/{segment(client_id)}", fields=_CLIENT_FIELDS)
    if found is None:
        tenant = calls.access.tenant
        where = Message("{client_id} in {tenant}.", client_id=client_id, tenant=tenant)
        raise NO_SUCH_APPLICATION.failure(where)
    return _application_in(found)


def _api(calls: Calls, audience: str) -> Answer | None:
    apis = calls.all("resource-servers", "resource_servers")
    return next((each for each in apis if each.string("identifier") == audience), None)


def _has_user_grant(calls: Calls, client_id: str, audience: str) -> bool:
    grants = calls.get(
        "client-grants", client_id=client_id, audience=audience, subject_type="user", take=PAGE
    )
    return bool(grants.objects("client_grants"))


def _application_in(client: Answer) -> Answer:
    """Return the application, which must have what Auth0 shows with all our scopes."""
    if client.value("client_secret", str) is None and not client.object("jwt_configuration"):
        # So it looks with read:client_summary: its lists of URLs are missing, too.
        raise lacks_scopes("read:clients")
    client.needed("client_id")
    return client
