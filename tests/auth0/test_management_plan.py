from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.languages import untranslatable
from wizard.auth0.management_plan import (
    ApiState,
    ApplicationState,
    Part,
    TenantState,
    Wanted,
    plan,
    remarks,
    shared_wildcards,
    values_of,
)
from wizard.settings import NO_URLS, URL_LISTS

AUDIENCE = "https://api.librechat.example"
WANTED = Wanted("https://chat.example.com", AUDIENCE)
SOUND_APPLICATION = ApplicationState(
    client_id="c" * 32,
    client_secret="a secret that nobody sees",
    name="LibreChat",
    app_type="regular_web",
    token_endpoint_auth_method="client_secret_post",
    oidc_conformant=True,
    id_token_alg="RS256",
    grant_types=("authorization_code", "refresh_token"),
    callbacks=WANTED.urls["callbacks"],
    allowed_logout_urls=WANTED.urls["allowed_logout_urls"],
    web_origins=WANTED.urls["web_origins"],
)
SOUND_API = ApiState(
    id="5f",
    identifier=AUDIENCE,
    signing_alg="RS256",
    allow_offline_access=True,
    skip_consent_for_verifiable_first_party_clients=True,
    policies={"user": "allow_all", "client": "require_client_grant"},
)
SOUND = TenantState(SOUND_APPLICATION, SOUND_API)

urls = st.lists(
    st.sampled_from(
        [
            *(url for listed in WANTED.urls.values() for url in listed),
            "https://theirs.example.com/callback",
            "https://*.ngrok-free.app/oauth/openid/callback",
            "https://old.example.com/oauth/openid/callback",
            "com.example.app://callback",
        ]
    ),
    unique=True,
).map(tuple)
applications = st.builds(
    ApplicationState,
    client_id=st.just("c" * 32),
    name=st.just("LibreChat"),
    app_type=st.sampled_from(["", "spa", "native", "regular_web", "non_interactive"]),
    token_endpoint_auth_method=st.sampled_from(["", "none", "client_secret_post"]),
    has_key_credentials=st.booleans(),
    oidc_conformant=st.sampled_from([None, True, False]),
    id_token_alg=st.sampled_from(["", "HS256", "RS256"]),
    id_token_lifetime=st.sampled_from([None, 36000]),
    grant_types=st.lists(
        st.sampled_from(["authorization_code", "refresh_token", "implicit"]), unique=True
    ).map(tuple),
    callbacks=urls,
    allowed_logout_urls=urls,
    web_origins=urls,
)
apis = st.builds(
    ApiState,
    id=st.just("5f"),
    identifier=st.just(AUDIENCE),
    signing_alg=st.sampled_from(["", "HS256", "RS256"]),
    allow_offline_access=st.sampled_from([None, True, False]),
    skip_consent_for_verifiable_first_party_clients=st.sampled_from([None, True, False]),
    token_encryption=st.sampled_from([None, "on"]),
    policies=st.sampled_from(
        [{}, {"user": "allow_all"}, {"user": "deny_all", "client": "deny_all"}]
    ),
)
tenants = st.builds(
    TenantState, st.none() | applications, st.none() | apis, has_user_grant=st.booleans()
)


def applied(tenant: TenantState, wanted: Wanted) -> TenantState:
    """Return the tenant after the Management API has applied the plan."""
    changes = plan(tenant, wanted)
    client, api = values_of(changes, Part.APPLICATION), values_of(changes, Part.API)
    if "client_authentication_methods" in client:
        client["has_key_credentials"] = client.pop("client_authentication_methods") is not None
    if isinstance(tokens := client.pop("jwt_configuration", None), dict):
        client["id_token_alg"] = tokens["alg"]
        assert tokens.get("lifetime_in_seconds") == (
            tenant.application.id_token_lifetime if tenant.application else None
        )
    if isinstance(rules := api.pop("subject_type_authorization", None), dict):
        api["policies"] = {subject: rule["policy"] for subject, rule in rules.items()}
    lists = {name: tuple(it) for name, it in client.items() if isinstance(it, list)}
    return TenantState(
        replace(tenant.application or ApplicationState(client_id="n"), **{**client, **lists}),  # type: ignore[arg-type]
        replace(tenant.api or ApiState(id="n"), **api),  # type: ignore[arg-type]
        tenant.has_user_grant or any(change.part is Part.ACCESS for change in changes),
    )


def test_a_correct_tenant_needs_no_change() -> None:
    assert plan(SOUND, WANTED) == ()
    assert remarks(SOUND, WANTED) == ()


@given(tenants)
def test_one_plan_is_enough(tenant: TenantState) -> None:
    assert plan(applied(tenant, WANTED), WANTED) == ()


@given(tenants)
def test_keeps_existing_values_without_prune(tenant: TenantState) -> None:
    after = applied(tenant, WANTED).application
    before = tenant.application or ApplicationState()

    assert after is not None
    for name in ("grant_types", *URL_LISTS):
        theirs = getattr(before, name)
        assert getattr(after, name)[: len(theirs)] == theirs


@given(tenants)
def test_prune_keeps_only_what_librechat_needs(tenant: TenantState) -> None:
    after = applied(tenant, replace(WANTED, prune=True)).application

    assert after is not None
    for name, listed in WANTED.urls.items():
        assert sorted(getattr(after, name)) == sorted(listed)


@given(tenants, st.booleans())
def test_adds_no_wildcard_and_gives_a_reason_for_every_change(
    tenant: TenantState, prune: bool
) -> None:
    for change in plan(tenant, replace(WANTED, prune=prune)):
        assert change.why
        assert change.title
        assert not any("*" in line for line in change.added)


@given(tenants)
def test_the_order_is_safe_to_interrupt(tenant: TenantState) -> None:
    parts = [change.part for change in plan(tenant, WANTED)]

    assert parts == sorted(parts, key=list(Part).index)


def test_a_new_application_sets_everything_whose_default_differs() -> None:
    sent = values_of(plan(TenantState(), WANTED), Part.APPLICATION)

    assert sent == {
        "name": "LibreChat",
        "app_type": "regular_web",
        "token_endpoint_auth_method": "client_secret_post",
        "oidc_conformant": True,
        "jwt_configuration": {"alg": "RS256"},
        "grant_types": ["authorization_code", "refresh_token"],
        "callbacks": ["https://chat.example.com/oauth/openid/callback"],
        "allowed_logout_urls": ["https://chat.example.com/login", "https://chat.example.com"],
        "web_origins": ["https://chat.example.com"],
    }


def test_a_new_api_sets_everything_whose_default_differs() -> None:
    sent = values_of(plan(TenantState(), WANTED), Part.API)

    assert sent == {
        "identifier": AUDIENCE,
        "name": "LibreChat API",
        "signing_alg": "RS256",
        "allow_offline_access": True,
        "skip_consent_for_verifiable_first_party_clients": True,
        "subject_type_authorization": {
            "user": {"policy": "allow_all"},
            "client": {"policy": "deny_all"},
        },
    }


@pytest.mark.parametrize("prune", [False, True])
def test_order_does_not_matter(prune: bool) -> None:
    reversed_lists = replace(
        SOUND_APPLICATION,
        allowed_logout_urls=SOUND_APPLICATION.allowed_logout_urls[::-1],
        grant_types=SOUND_APPLICATION.grant_types[::-1],
    )

    assert plan(TenantState(reversed_lists, SOUND_API), replace(WANTED, prune=prune)) == ()


def test_removes_retired_urls_only() -> None:
    old = "https://old.example.com"
    retired = {**NO_URLS, "web_origins": (old, WANTED.public_url)}
    application = replace(SOUND_APPLICATION, web_origins=(old, "https://theirs.example.com"))

    (change,) = plan(TenantState(application, SOUND_API), replace(WANTED, retired=retired))

    assert change.value == ["https://theirs.example.com", WANTED.public_url]
    assert change.removed == (old,)
    assert change.added == (WANTED.public_url,)


@pytest.mark.parametrize(
    ("policies", "granted", "first_party", "needs"),
    [
        ({}, False, True, False),
        ({"user": "allow_all"}, False, True, False),
        ({"user": "require_client_grant"}, False, True, True),
        ({"user": "require_client_grant"}, True, True, False),
        ({"user": "deny_all"}, False, True, True),
        ({"user": "allow_all"}, False, False, True),
    ],
)
def test_adds_a_grant_where_the_policy_requires_it(
    policies: dict[str, str], granted: bool, first_party: bool, needs: bool
) -> None:
    tenant = TenantState(
        replace(SOUND_APPLICATION, is_first_party=first_party),
        replace(SOUND_API, policies=policies),
        granted,
    )

    assert any(change.part is Part.ACCESS for change in plan(tenant, WANTED)) == needs


def test_keeps_other_policies_of_the_api() -> None:
    api = replace(SOUND_API, policies={"user": "deny_all", "anonymous_user": "deny_all"})

    sent = values_of(plan(TenantState(SOUND_APPLICATION, api), WANTED), Part.API)

    assert sent["subject_type_authorization"] == {
        "user": {"policy": "require_client_grant"},
        "anonymous_user": {"policy": "deny_all"},
    }


@pytest.mark.parametrize(
    ("url", "shared"),
    [
        ("https://*.ngrok-free.app/oauth/openid/callback", True),
        ("https://me-*.trycloudflare.com/x", True),
        ("https://*.loca.lt", True),
        ("https://*.example.com/oauth/openid/callback", False),
        ("https://mine.ngrok-free.app/oauth/openid/callback", False),
        ("https://*.ngrok-free.app.example.com/", False),
        ("https://[*", False),
    ],
)
def test_recognizes_wildcards_on_shared_domains(url: str, shared: bool) -> None:
    assert bool(shared_wildcards([url])) == shared


@given(tenants)
def test_every_reason_is_translated(tenant: TenantState) -> None:
    changes = plan(tenant, WANTED)
    assert untranslatable([text for it in changes for text in (it.why, it.part.value)]) == []


def test_a_plan_shows_no_secret() -> None:
    broken = replace(SOUND_APPLICATION, app_type="spa")

    changes = plan(TenantState(broken, SOUND_API), WANTED)

    assert SOUND_APPLICATION.client_secret not in repr((broken, changes))
    assert SOUND_APPLICATION.client_secret not in str([change.as_json() for change in changes])
