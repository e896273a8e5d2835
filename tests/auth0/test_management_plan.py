from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.languages import untranslatable
from wizard.auth0.management_calls import Answer
from wizard.auth0.management_plan import (
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
SECRET = "a secret that nobody sees"
SOUND_APPLICATION: dict[str, Any] = {
    "client_id": "c" * 32,
    "client_secret": SECRET,
    "name": "LibreChat",
    "app_type": "regular_web",
    "token_endpoint_auth_method": "client_secret_post",
    "oidc_conformant": True,
    "jwt_configuration": {"alg": "RS256"},
    "grant_types": ["authorization_code", "refresh_token"],
    **{name: list(urls) for name, urls in WANTED.urls.items()},
}
SOUND_API: dict[str, Any] = {
    "id": "5f",
    "identifier": AUDIENCE,
    "signing_alg": "RS256",
    "allow_offline_access": True,
    "skip_consent_for_verifiable_first_party_clients": True,
    "subject_type_authorization": {
        "user": {"policy": "allow_all"},
        "client": {"policy": "require_client_grant"},
    },
}


def tenant_with(
    application: dict[str, Any] = SOUND_APPLICATION, *, granted: bool = False, **api: object
) -> TenantState:
    return TenantState(Answer(application), Answer({**SOUND_API, **api}), granted)


SOUND = tenant_with()

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
)
applications: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "client_id": st.just("c" * 32),
        "name": st.just("LibreChat"),
        "grant_types": st.lists(
            st.sampled_from(["authorization_code", "refresh_token", "implicit"]), unique=True
        ),
        **dict.fromkeys(URL_LISTS, urls),
    },
    optional={
        "app_type": st.sampled_from(["spa", "native", "regular_web", "non_interactive"]),
        "token_endpoint_auth_method": st.sampled_from(["none", "client_secret_post"]),
        "client_authentication_methods": st.none() | st.just({"private_key_jwt": {}}),
        "oidc_conformant": st.none() | st.booleans(),
        "jwt_configuration": st.fixed_dictionaries(
            {},
            optional={
                "alg": st.sampled_from(["HS256", "RS256"]),
                "lifetime_in_seconds": st.just(9),
            },
        ),
    },
)
apis = st.fixed_dictionaries(
    {"id": st.just("5f"), "identifier": st.just(AUDIENCE)},
    optional={
        "signing_alg": st.sampled_from(["HS256", "RS256"]),
        "allow_offline_access": st.none() | st.booleans(),
        "skip_consent_for_verifiable_first_party_clients": st.none() | st.booleans(),
        "token_encryption": st.none() | st.just({"format": "compact-nested-jwe"}),
        "subject_type_authorization": st.sampled_from(
            [
                {"user": {"policy": "allow_all"}},
                {"user": {"policy": "deny_all"}, "client": {"policy": "deny_all"}},
                {"user": {}, "client": None},
            ]
        ),
    },
)
tenants = st.builds(
    TenantState,
    st.none() | applications.map(Answer),
    st.none() | apis.map(Answer),
    has_user_grant=st.booleans(),
)


def applied(tenant: TenantState, wanted: Wanted) -> TenantState:
    """Return the tenant after the Management API has applied the plan."""
    changes = plan(tenant, wanted)
    client, api = values_of(changes, Part.APPLICATION), values_of(changes, Part.API)
    known = tenant.application.said if tenant.application else {"client_id": "n"}
    return TenantState(
        Answer({**known, **client}),
        Answer({**(tenant.api.said if tenant.api else {"id": "n"}), **api}),
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
    before, after = (it.application or Answer({}) for it in (tenant, applied(tenant, WANTED)))

    for name in ("grant_types", *URL_LISTS):
        theirs = before.strings(name)
        assert after.strings(name)[: len(theirs)] == theirs
    if signature := before.object("jwt_configuration"):
        lifetime = signature.value("lifetime_in_seconds", int)
        kept = after.object("jwt_configuration")
        assert kept is not None
        assert kept.value("lifetime_in_seconds", int) == lifetime


@given(tenants)
def test_prune_keeps_only_what_librechat_needs(tenant: TenantState) -> None:
    after = applied(tenant, WANTED._replace(prune=True))

    for name, listed in WANTED.urls.items():
        assert sorted(after.urls[name]) == sorted(listed)


@given(tenants, st.booleans())
def test_adds_no_wildcard_and_gives_a_reason_for_every_change(
    tenant: TenantState, prune: bool
) -> None:
    for change in plan(tenant, WANTED._replace(prune=prune)):
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
    lists = ("allowed_logout_urls", "grant_types")
    reversed_lists = {name: SOUND_APPLICATION[name][::-1] for name in lists}

    tenant = tenant_with({**SOUND_APPLICATION, **reversed_lists})

    assert plan(tenant, WANTED._replace(prune=prune)) == ()


def test_removes_retired_urls_only() -> None:
    old = "https://old.example.com"
    retired = {**NO_URLS, "web_origins": (old, WANTED.public_url)}
    application = {**SOUND_APPLICATION, "web_origins": [old, "https://theirs.example.com"]}

    (change,) = plan(tenant_with(application), WANTED._replace(retired=retired))

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
    tenant = tenant_with(
        {**SOUND_APPLICATION, "is_first_party": first_party},
        granted=granted,
        subject_type_authorization={name: {"policy": it} for name, it in policies.items()},
    )

    assert any(change.part is Part.ACCESS for change in plan(tenant, WANTED)) == needs


def test_keeps_other_policies_of_the_api() -> None:
    denied = {"policy": "deny_all"}
    tenant = tenant_with(subject_type_authorization={"user": denied, "anonymous_user": denied})

    sent = values_of(plan(tenant, WANTED), Part.API)

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
    broken = tenant_with({**SOUND_APPLICATION, "app_type": "spa"})

    changes = plan(broken, WANTED)

    assert SECRET not in repr((broken, changes))
    assert SECRET not in str([change.as_json() for change in changes])
