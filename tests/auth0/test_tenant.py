from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from tests.auth0.scripted import (
    DOMAIN,
    NOW,
    SETTINGS,
    FakeClock,
    Script,
    ScriptedTenant,
    html,
    json_answer,
    jwk,
    metadata,
    redirect,
)
from tests.languages import speaking, untranslatable
from wizard.auth0 import tenant
from wizard.auth0.tenant import (
    Discovery,
    fetch_discovery,
    fetch_keys,
    href,
    is_usable_key,
    judge_metadata,
)
from wizard.findings import ExitCode, Finding
from wizard.http import NetworkError, Response, Trouble

URL = f"https://{DOMAIN}/.well-known/openid-configuration"
CUSTOM = "login.example.com"


def discover(
    answer: Script, domain: str = DOMAIN, date: float | None = NOW
) -> tuple[Discovery | None, tuple[Finding, ...]]:
    http = ScriptedTenant(discovery=answer, date=date)
    return fetch_discovery(SETTINGS._replace(domain=domain), http, FakeClock())


def trouble(kind: Trouble, domain: str = DOMAIN) -> NetworkError:
    return NetworkError(kind, f"https://{domain}/.well-known/openid-configuration", "as reported")


def test_a_healthy_tenant_has_no_findings() -> None:
    discovery, findings = discover(json_answer(metadata()))
    assert findings == ()
    assert discovery is not None
    assert discovery.token_endpoint == f"https://{DOMAIN}/oauth/token"
    assert discovery.id_token_algorithms == ("HS256", "RS256", "PS256")


UNREACHABLE: list[tuple[str, Script, str, str, str]] = [
    # (domain, response, rule, part of the detail, part of the fix)
    (DOMAIN, trouble(Trouble.NAME), "LA200", "does not resolve", "copy the Domain"),
    (CUSTOM, trouble(Trouble.NAME, CUSTOM), "LA200", CUSTOM, "CNAME"),
    (DOMAIN, trouble(Trouble.REFUSED), "LA201", "nothing accepts", "HTTPS_PROXY"),
    (DOMAIN, trouble(Trouble.TIMEOUT), "LA202", "no answer in time", "status.auth0.com"),
    (DOMAIN, trouble(Trouble.UNTRUSTED), "LA203", "not trusted", "SSL_CERT_FILE"),
    (DOMAIN, trouble(Trouble.WRONG_NAME), "LA203", "for another name", "SSL_CERT_FILE"),
    (DOMAIN, trouble(Trouble.WRONG_TIME), "LA220", "time", "date and time"),
    (DOMAIN, trouble(Trouble.TLS), "LA204", "handshake", "HTTPS server"),
    (DOMAIN, trouble(Trouble.PROXY), "LA205", "proxy", "HTTPS_PROXY"),
    (DOMAIN, trouble(Trouble.DROPPED), "LA206", "broke", "Try again"),
    (DOMAIN, trouble(Trouble.TOO_LARGE), "LA206", "too large", "Try again"),
    (CUSTOM, trouble(Trouble.WRONG_NAME, CUSTOM), "LA211", "another name", "custom_domains"),
    (CUSTOM, trouble(Trouble.TLS, CUSTOM), "LA211", "handshake", "custom_domains"),
    (DOMAIN, html("Not found", 404), "LA207", "HTTP 404", "region"),
    (DOMAIN, json_answer({"error": "x"}, 404), "LA207", "HTTP 404", "region"),
    (CUSTOM, html("nginx", 404), "LA208", "HTTP 404", "custom domain"),
    (CUSTOM, html("1001", 530, server="cloudflare"), "LA211", "HTTP 530", "custom_domains"),
    (CUSTOM, html("1014", 403, server="cloudflare"), "LA211", "HTTP 403", "custom_domains"),
    (CUSTOM, json_answer({"hello": "world"}), "LA208", "no issuer, authorization_", "Domain"),
    (CUSTOM, json_answer(["a"]), "LA208", "HTTP 200, application/json", "Domain"),
    (CUSTOM, json_answer(b"\x00\xff\x1b[2J"), "LA208", "6 bytes", "Domain"),
    (CUSTOM, json_answer(b"[" * 500_000), "LA208", "500000 bytes", "Domain"),
    (DOMAIN, html("<h1>Welcome to our Wi-Fi</h1>"), "LA209", "text/html", "log in to the network"),
    (DOMAIN, html("log in", 511), "LA209", "HTTP 511", "log in to the network"),
    (DOMAIN, html("blocked", 403), "LA209", "HTTP 403", "filter"),
    (DOMAIN, redirect("http://portal.lan/login?a=b"), "LA210", "http://portal.lan", "redirect"),
    (DOMAIN, redirect("https://[::1"), "LA210", "redirects to nowhere", "redirect"),
    (DOMAIN, redirect("/elsewhere"), "LA210", f"https://{DOMAIN}/elsewhere", "redirect"),
    (DOMAIN, html("proxy", 407), "LA205", "HTTP 407", "HTTPS_PROXY"),
    (DOMAIN, html("Too many", 429), "LA221", "HTTP 429", "Wait"),
    (DOMAIN, html("Bad gateway", 502), "LA221", "HTTP 502", "Wait"),
]


@pytest.mark.parametrize(("domain", "answer", "rule", "detail", "fix"), UNREACHABLE)
def test_distinguishes_why_a_tenant_is_unreachable(
    domain: str, answer: Script, rule: str, detail: str, fix: str
) -> None:
    discovery, (finding, *_) = discover(answer, domain)
    assert discovery is None
    assert finding.rule.id == rule
    assert finding.rule.exit_code is ExitCode.TENANT
    assert detail in finding.detail
    assert fix in finding.fix
    assert untranslatable((finding.detail, finding.fix)) == []


def test_every_network_trouble_has_a_text() -> None:
    assert set(tenant._BY_TROUBLE) == set(Trouble)


def test_reports_trouble_in_dutch_with_the_original_error() -> None:
    dutch = speaking({"nothing accepts the connection": "niets neemt de verbinding aan"})
    detail = tenant.network_finding(trouble(Trouble.REFUSED)).detail
    assert dutch.say(detail) == f"{DOMAIN}: niets neemt de verbinding aan (as reported)."


UNUSABLE: list[tuple[dict[str, object], str, str, str]] = [
    (
        {"issuer": "https://other.auth0.com/"},
        "LA212",
        "https://other.auth0.com/",
        "other.auth0.com",
    ),
    ({"issuer": f"https://{DOMAIN}/path"}, "LA212", "/path", DOMAIN),
    ({"issuer": f"http://{DOMAIN}/"}, "LA212", "http://", DOMAIN),
    ({"issuer": "https://[::1"}, "LA212", "https://[::1", "issuer"),
    ({"issuer": "\x1b[31mevil\x1b[0m"}, "LA212", "issuer is evil", "issuer"),
    ({"issuer": None}, "LA208", "no issuer", "Domain"),
    ({"jwks_uri": 7}, "LA208", "no jwks_uri", "Domain"),
    ({"token_endpoint": f"http://{DOMAIN}/t"}, "LA213", "token_endpoint: http://", "https://"),
    ({"jwks_uri": "https://user:pw@host/"}, "LA213", "jwks_uri", "https://"),
    ({"authorization_endpoint": "javascript:alert(1)"}, "LA213", "javascript", "https://"),
    ({"token_endpoint": "https://h/ \nx"}, "LA213", "token_endpoint", "https://"),
    ({"token_endpoint": "https://[::1"}, "LA213", "token_endpoint", "https://"),
    ({"end_session_endpoint": f"http://{DOMAIN}/o"}, "LA213", "end_session", "https://"),
    (
        {"id_token_signing_alg_values_supported": ["HS256", "none"]},
        "LA215",
        "offers HS256, none",
        "RS256",
    ),
]


@pytest.mark.parametrize(("changed", "rule", "detail", "fix"), UNUSABLE)
def test_rejects_metadata_that_librechat_cannot_use(
    changed: dict[str, object], rule: str, detail: str, fix: str
) -> None:
    discovery, (finding, *_) = judge_metadata(metadata(**changed), SETTINGS)
    assert discovery is None
    assert finding.rule.id == rule
    assert finding.rule.exit_code is ExitCode.FINDINGS or rule == "LA208"
    assert detail in finding.detail
    assert fix in finding.fix
    assert finding.detail.isprintable()


@pytest.mark.parametrize(
    ("changed", "rules"),
    [
        ({"issuer": f"https://{DOMAIN}"}, []),
        ({"issuer": f"HTTPS://{DOMAIN.upper()}:443/"}, []),
        ({"id_token_signing_alg_values_supported": None}, []),
        ({"id_token_signing_alg_values_supported": [7, {}]}, []),
        ({"end_session_endpoint": None}, ["LA218"]),
        ({"token_endpoint": "https://elsewhere.example/t"}, ["LA214"]),
        ({"jwks_uri": f"https://{DOMAIN}:8443/keys"}, ["LA214"]),
    ],
)
def test_only_warns_about_harmless_metadata(changed: dict[str, object], rules: list[str]) -> None:
    discovery, findings = judge_metadata(metadata(**changed), SETTINGS)
    assert discovery is not None
    assert [finding.rule.id for finding in findings] == rules


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Tenant.Auth0.com", "https://tenant.auth0.com/"),
        ("https://tenant.auth0.com:443/", "https://tenant.auth0.com/"),
        ("https://tenant.auth0.com:8443/a", "https://tenant.auth0.com:8443/a"),
        ("https://[::1]:3000/", "https://[::1]:3000/"),
        ("https://tenant.auth0.com/a/", "https://tenant.auth0.com/a/"),
        ("https://[::1", ""),
    ],
)
def test_compares_urls_as_librechats_client_does(url: str, expected: str) -> None:
    assert href(url) == expected


@pytest.mark.parametrize(
    ("date", "age", "reported"),
    [
        (NOW, "", None),
        (NOW - 55, "", None),
        (NOW + 55, "", None),
        (NOW - 3600, "3595", None),  # from a cache, as its Age header shows
        (NOW - 3600, "", "3600 seconds ahead of"),
        (NOW + 7200, "", "7200 seconds behind"),
        (NOW - 3600, "9" * 40, "3600 seconds ahead of"),
    ],
)
def test_notices_a_wrong_clock_by_the_tenants_date(
    date: float, age: str, reported: str | None
) -> None:
    answer = json_answer(metadata(), age=age, date=formatdate(date, usegmt=True))
    discovery, findings = discover(answer)
    assert discovery is not None
    assert [finding.rule.id for finding in findings] == ([] if reported is None else ["LA219"])
    assert reported is None or reported in findings[0].detail


@pytest.mark.parametrize("date", ["", "yesterday", "\x00", "Mon, 99 Foo 9999 99:99:99 GMT"])
def test_ignores_an_invalid_date(date: str) -> None:
    discovery, findings = discover(json_answer(metadata(), date=date))
    assert discovery is not None
    assert findings == ()


def small_key() -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)


@pytest.mark.parametrize(
    ("changed", "usable"),
    [
        ({}, True),
        ({"alg": None, "use": None}, True),
        ({"alg": "PS256"}, True),
        ({"use": "enc"}, False),
        ({"alg": "RS1"}, False),
        ({"kty": "EC"}, False),
        ({"n": ""}, False),
        ({"n": "!!!"}, False),
        ({"e": None}, False),
        ({"n": 7}, False),
        ({"n": "AQAB"}, False),
        (small_key(), False),
    ],
)
def test_recognizes_keys_for_rs256(changed: dict[str, object], usable: bool) -> None:
    key = {name: value for name, value in (jwk() | changed).items() if value is not None}
    assert is_usable_key(key) is usable


@pytest.mark.parametrize("key", [None, 7, "RSA", [], {}, {"kty": ["RSA"]}])
def test_rejects_an_invalid_key(key: object) -> None:
    assert not is_usable_key(key)


@pytest.mark.parametrize(
    ("answer", "rule", "detail"),
    [
        (html("portal"), "LA216", "text/html"),
        (json_answer({"keys": {}}), "LA216", "HTTP 200"),
        (json_answer({"keys": [jwk()]}, 500), "LA216", "HTTP 500"),
        (json_answer(b"[" * 100_000), "LA216", "100000 bytes"),
        (json_answer({"keys": []}), "LA217", "0 keys"),
        (json_answer({"keys": [{"kty": "EC"}, 7]}), "LA217", "2 keys"),
        (NetworkError(Trouble.TIMEOUT, URL), "LA202", DOMAIN),
    ],
)
def test_reports_unusable_keys(answer: Script, rule: str, detail: str) -> None:
    discovery, _ = discover(json_answer(metadata()))
    assert discovery is not None
    keys, (finding,) = fetch_keys(discovery, ScriptedTenant(keys=answer))
    assert keys == ()
    assert finding.rule.id == rule
    assert detail in finding.detail


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(sorted(metadata())),
        JSON | st.text().map(lambda text: f"https://{text}"),
    )
)
def test_survives_any_metadata(changed: dict[str, object]) -> None:
    discovery, findings = judge_metadata(metadata(**changed), SETTINGS)
    assert discovery is not None or findings
    assert all(finding.detail.isprintable() for finding in findings)


@given(st.integers(100, 599), st.text(), st.text(), st.binary(max_size=200))
def test_survives_any_response(status: int, kind: str, location: str, body: bytes) -> None:
    answer = Response("", status, {"content-type": kind, "location": location}, body)
    discovery, findings = discover(answer)
    assert discovery is None
    assert findings[0].detail.isprintable()
