"""Which answers are valid, how they are normalized, and why others are rejected."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.languages import untranslatable
from wizard.known import Known, refuse_repeated
from wizard.settings import (
    API_IDENTIFIER_MAX_LENGTH,
    InvalidValue,
    Settings,
    has_stray_quote,
    is_loopback,
    is_placeholder,
    is_tenant_domain,
    parse_audiences,
    parse_client_id,
    parse_client_secret,
    parse_domain,
    parse_port,
    parse_public_url,
    pasted,
)


def refusal(parse: Callable[[str], object], text: str) -> str:
    with pytest.raises(InvalidValue) as caught:
        parse(text)
    assert untranslatable([caught.value.reason]) == []
    return caught.value.reason


TENANTS = [
    "dev-abc123.us.auth0.com",
    "dev-abc123.us-2.auth0.com",
    "dev-abc123.eu.auth0.com",
    "dev-abc123.eu-2.auth0.com",
    "dev-abc123.uk.auth0.com",
    "dev-abc123.au.auth0.com",
    "dev-abc123.jp.auth0.com",
    "dev-abc123.ca.auth0.com",
    "old-tenant.auth0.com",
]


@pytest.mark.parametrize("domain", TENANTS)
def test_a_tenant_of_every_region(domain: str) -> None:
    assert parse_domain(domain) == domain
    assert parse_domain(f"  HTTPS://{domain.upper()}./login?x=1#y ") == domain
    assert is_tenant_domain(domain)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("login.example.com", "login.example.com"),
        ("https://login.example.com/", "login.example.com"),
        ("https://t.eu.auth0.com/.well-known/openid-configuration", "t.eu.auth0.com"),
        ("login.example.com:443", "login.example.com"),
        ("login.example.com:8443", "login.example.com:8443"),
        ("localhost:3443", "localhost:3443"),
        ("127.0.0.1:3443", "127.0.0.1:3443"),
        ("https://[::1]:3443/", "[::1]:3443"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("anmelden.müller.example", "anmelden.xn--mller-kva.example"),
        ("MÜLLER.example", "xn--mller-kva.example"),
        ("manager.auth0.com", "manager.auth0.com"),
    ],
)
def test_other_domains(text: str, domain: str) -> None:
    assert parse_domain(text) == domain
    assert parse_domain(domain) == domain


@pytest.mark.parametrize("domain", ["login.example.com", "auth0.com.evil.example", "localhost:1"])
def test_rejects_other_domains(domain: str) -> None:
    assert not is_tenant_domain(domain)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Enter the domain"),
        ("   ", "Enter the domain"),
        ("http://dev.us.auth0.com", "rejects http://"),
        (" HTTP://dev.us.auth0.com", "rejects http://"),
        ("ftp://dev.us.auth0.com", "not ftp://"),
        ("me@example.com", "email address"),
        ("https://me:pw@dev.us.auth0.com", "without a user name"),
        ("https://manage.auth0.com/dashboard/us/dev-abc/applications", "dev-abc.us.auth0.com"),
        ("https://manage.auth0.com/#/applications", "dashboard"),
        ("manage.auth0.com", "dashboard"),
        ("https://manage.us.auth0.com/", "dashboard"),
        ("https://manage.eu-2.auth0.com/dashboard", "dashboard"),
        ("MANAGE.AUTH0.COM:8443", "dashboard"),
        ("auth0.com", "dashboard"),
        ("https://www.auth0.com/docs", "dashboard"),
        ("https://dev.us.auth0.com/api/v2/", "its host: dev.us.auth0.com"),
        ("dev.us.auth0.com/api/v2", "Management API"),
        ("https://login.example.com/api/v2/clients", "Management API"),
        ("dev-abc123", "only the first part"),
        ("dev..us.auth0.com", "not a host name"),
        ("-dev.us.auth0.com", "not a host name"),
        ("dev us.auth0.com", "space"),
        ("dev\u200b.us.auth0.com", "invisible"),
        ("dev.us.auth0.com\nX-Header: 1", "not a URL"),
        ("https://", "not a host name"),
        ("https:/dev.us.auth0.com", "not a host name"),
        ("dev.us.auth0.com:0", "Port 0"),
        ("dev.us.auth0.com:99999", "not a URL"),
        ("dev.us.auth0.com:https", "not a URL"),
        ("1.2.3.999", "not an IP address"),
        ("1.2.3", "not an IP address"),
        ("[::1", "not a URL"),
        ("[fe80::1%25eth0]", "not an IP address"),
        ("a" * 64 + ".example.com", "not a host name"),
        (".".join(["abcdefgh"] * 30), "not a host name"),
        ("<your-domain>", "not a host name"),
        ("YOUR_DOMAIN", "only the first part"),
        ("your-tenant.us.auth0.com", "placeholder, not your domain"),
        ("https://tenant.auth0.com/", "placeholder, not your domain"),
        ("“dev.us.auth0.com”", "Remove the quotes around dev.us.auth0.com"),
        ("'dev.us.auth0.com", "Remove the quotes"),
        ("dev.us.\u0430uth0.com", "“\u0430” only looks like a Latin letter"),
    ],
)
def test_explains_a_rejected_domain(text: str, reason: str) -> None:
    assert reason in refusal(parse_domain, text)


@pytest.mark.parametrize("value", ["aB3" * 10 + "xY", "tpa_client", "https-client.1"])
def test_accepts_a_client_id(value: str) -> None:
    assert parse_client_id(f" {value}\n") == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Enter the Client ID"),
        ("abc def", "space"),
        ("abc\u200bdef", "invisible"),
        ("abc\u00a0def", "invisible"),
        ("me@example.com", "32 letters and digits"),
        ("dev.us.auth0.com", "32 letters and digits"),
        ("<client-id>", "placeholder"),
        ("YOUR_CLIENT_ID", "placeholder"),
        ("{yourClientId}", "placeholder"),
        ("••••••••", "placeholder"),
        ("abcdefgh••••••••", "Dots hide a part"),
        ("abcdefgh...", "Dots hide a part"),
        ("abcdefgh…", "Dots hide a part"),
        ("abcdefgh,", "Remove the “,” at the end of the Client ID"),
        ("https://api.librechat.ai", "32 letters and digits"),
        ("«abcdef»", "Remove the quotes around the Client ID"),
        ("aB3_" * 16, "64 characters of a Client Secret"),
        ("tpc_6Sm2vQZ9", "third-party application"),
    ],
)
def test_explains_a_rejected_client_id(text: str, reason: str) -> None:
    assert reason in refusal(parse_client_id, text)


def test_accepts_a_client_secret() -> None:
    secret = "aZ09_-" * 10
    assert parse_client_secret(f"\t{secret} \r\n") == secret


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Enter the Client Secret"),
        ("••••••••••••", "copy button"),
        ("************", "copy button"),
        ("............", "copy button"),
        ("●●●●●●", "copy button"),
        ("xxxxxxxx", "copy button"),
        ("abc def", "space"),
        ("abc\ndef", "space"),
        ("abc\u2060def", "invisible"),
        ("https://api.librechat.ai", "not a Client Secret"),
        ("dev.us.auth0.com", "not a Client Secret"),
        ("‘abcdef", "Remove the quotes around the Client Secret"),
        ("YOUR_CLIENT_SECRET", "placeholder"),
        ("changeme", "placeholder"),
        ("null", "placeholder"),
        ("None", "placeholder"),
        ("aB3_" * 4 + "...", "Dots hide a part"),
        ("aB3_" * 16 + ";", "Remove the “;” at the end of the Client Secret"),
    ],
)
def test_explains_a_rejected_client_secret(text: str, reason: str) -> None:
    assert reason in refusal(parse_client_secret, text)


@pytest.mark.parametrize(
    ("text", "audiences"),
    [
        ("https://api.librechat.ai", ("https://api.librechat.ai",)),
        ("https://api.librechat.ai/", ("https://api.librechat.ai/",)),
        ("librechat", ("librechat",)),
        ("urn:my:api", ("urn:my:api",)),
        ("My API", ("My API",)),
        (" a , b ,, a ", ("a", "b")),
        ("https://other.us.auth0.com/api/v3/", ("https://other.us.auth0.com/api/v3/",)),
        ("https://api.example.com/userinfo", ("https://api.example.com/userinfo",)),
        ("y" * API_IDENTIFIER_MAX_LENGTH, ("y" * API_IDENTIFIER_MAX_LENGTH,)),
    ],
)
def test_keeps_api_identifiers_byte_for_byte(text: str, audiences: tuple[str, ...]) -> None:
    assert parse_audiences(text, domain="login.example.com") == audiences


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Enter the API's Identifier"),
        (" , ,", "Enter the API's Identifier"),
        ("https://t.us.auth0.com/api/v2/", "Management API"),
        ("https://t.us.auth0.com/api/v2", "Management API"),
        ("HTTPS://T.US.AUTH0.COM/API/V2/", "Management API"),
        ("https://t.us.auth0.com/userinfo", "user info"),
        ("https://t.us.auth0.com/userinfo/", "user info"),
        ("https://t.us.auth0.com/me/", "My Account"),
        ("https://t.us.auth0.com/my-org/", "My Organization"),
        ("https://login.example.com/api/v2/", "Management API"),
        ("https://Login.Example.com/userinfo", "user info"),
        ("https://api.librechat.ai,https://t.us.auth0.com/api/v2/", "Management API"),
        ("a\u200bb", "invisible"),
        ("a\tb", "invisible"),
        ("<your api>", "placeholder"),
        ("YOUR_API_IDENTIFIER", "placeholder"),
        ("“https://api.librechat.ai”", "Remove the quotes around the API Identifier"),
        ("https://api.librechat.ai," + "aB3_" * 16, "64 characters of a Client Secret"),
        ("y" * (API_IDENTIFIER_MAX_LENGTH + 1), "at most 600"),
    ],
)
def test_explains_a_rejected_api_identifier(text: str, reason: str) -> None:
    said = refusal(lambda value: parse_audiences(value, domain="login.example.com"), text)
    assert reason in said


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://abc.ngrok-free.app", "https://abc.ngrok-free.app"),
        (" https://Chat.Example.com/ ", "https://chat.example.com"),
        ("chat.example.com", "https://chat.example.com"),
        ("https://chat.example.com:443/", "https://chat.example.com"),
        ("https://localhost:3443", "https://localhost:3443"),
        ("localhost:3443", "https://localhost:3443"),
        ("https://[::1]:3443", "https://[::1]:3443"),
        ("https://192.168.1.5", "https://192.168.1.5"),
        ("https://müller.example", "https://xn--mller-kva.example"),
    ],
)
def test_a_public_url_is_an_origin(text: str, url: str) -> None:
    assert parse_public_url(text) == url
    assert parse_public_url(url) == url


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Enter the public URL"),
        ("http://chat.example.com", "Use https://"),
        ("HTTP://localhost:3080", "Use https://"),
        ("ws://chat.example.com", "not ws://"),
        ("https://chat.example.com/login", "without a path: https://chat.example.com"),
        ("https://chat.example.com//", "without a path"),
        ("https://example.com/talk", "cannot set up a LibreChat under a path (/talk)"),
        ("https://example.com/chat/", "cannot set up a LibreChat under a path (/chat/)"),
        ("https://chat.example.com/?x=1", "without ? and #"),
        ("https://chat.example.com#x", "without ? and #"),
        ("https://me:pw@chat.example.com", "user name"),
        ("https://chat example.com", "space"),
        ("https://chat.example.com:port", "not a URL"),
        ("https://chat", "only the first part"),
        ("https://your-domain.ngrok.io", "placeholder, not your public URL"),
        ("https://", "not a host name"),
    ],
)
def test_explains_a_rejected_public_url(text: str, reason: str) -> None:
    assert reason in refusal(parse_public_url, text)


@pytest.mark.parametrize("url", ["https://localhost:4000", "127.0.0.1:4000", "https://[::1]:4000/"])
def test_the_public_url_is_not_librechats_own_port(url: str) -> None:
    assert parse_public_url(url, librechat_port=3080) == parse_public_url(url)
    said = refusal(lambda text: parse_public_url(text, librechat_port=4000), url)
    assert "listens on port 4000, without HTTPS" in said
    assert parse_public_url("chat.example.com:4000", librechat_port=4000)


@pytest.mark.parametrize(
    "text",
    [
        "aB3-_x",
        " \taB3-_x\r\n",
        "\ufeffaB3-_x\u200b\xa0",
        "\ufeff'aB3-_x'",
        '"aB3-_x",',
        "“aB3-_x”;",
        "«aB3-_x»",
        "‘aB3-_x",
        "OPENID_CLIENT_SECRET=aB3-_x",
        "export OPENID_CLIENT_SECRET = 'aB3-_x';",
        '"OPENID_CLIENT_SECRET": "aB3-_x",',
        "OPENID_CLIENT_SECRET: “aB3-_x”",
        "Client Secret: aB3-_x",
        "client id\naB3-_x",
        "Domain = aB3-_x",
        "API Identifier:\taB3-_x",
    ],
)
def test_removes_what_was_copied_with_a_value(text: str) -> None:
    assert pasted(text) == "aB3-_x"


@pytest.mark.parametrize(
    "text",
    [
        *("", "https://api.x/", "urn:A_B=c", "A_B=", "a,b", "My API", "me@example.com", "••••"),
        *("A=b", "domain:api", "Domains: x", "Identifier x"),
    ],
)
def test_keeps_everything_else(text: str) -> None:
    assert pasted(text) == text


@pytest.mark.parametrize(("text", "port"), [("1", 1), (" 3080 ", 3080), ("65535", 65535)])
def test_a_port(text: str, port: int) -> None:
    assert parse_port(text) == port


@pytest.mark.parametrize("text", ["", "0", "65536", "-1", "3080x", "³", "٣", "9" * 5000, "1.5"])
def test_no_port(text: str) -> None:
    assert "from 1 to 65535" in refusal(parse_port, text)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://localhost:3443", True),
        ("http://127.0.0.1", True),
        ("https://[::1]:3443", True),
        ("https://chat.localhost", True),
        ("https://localhost.example.com", False),
        ("https://abc.ngrok.app", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_loopback(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


@pytest.mark.parametrize(
    "value",
    [
        "your-client-id",
        "<x>",
        "[x]",
        "changeme",
        "•••",
        "TODO",
        "https://your-domain.com",
        "dev-xxxx.us",
        "%CLIENT_ID%",
        "__CLIENT_ID__",
        "#{CLIENT_ID}#",
        "${{ secrets.CLIENT_ID }}",
    ],
)
def test_placeholders(value: str) -> None:
    assert is_placeholder(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "xx",
        "yours",
        "hexadecimal",
        "a1b2c3",
        "..",
        "inserted",
        "yourhosting.nl",
        "https://chat.yourapparel.com",
        "${CLIENT_ID}",
        "a%20b%",
    ],
)
def test_not_placeholders(value: str) -> None:
    assert not is_placeholder(value)


@pytest.mark.parametrize("value", ["'x", '"x"', "`x`;", "“x”", "«x", 'x"', "x’,"])
def test_a_stray_quote(value: str) -> None:
    assert has_stray_quote(value)


@pytest.mark.parametrize("value", ["", "x", "a'b'", "“Continue” with Auth0", "O’Brien", ";"])
def test_no_stray_quote(value: str) -> None:
    assert not has_stray_quote(value)


SECRET = "s3cret"
GIVEN = Known("t.us.auth0.com", "the-id", SECRET, ("urn:a", "urn:b"), "https://chat.example.com")


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("client_id", SECRET, "Client Secret"),
        ("client_id", "urn:b", "API Identifier"),
        ("client_secret", "the-id", "Client ID"),
        ("client_secret", "urn:a", "API Identifier"),
        ("audiences", ("urn:c", SECRET), "Client Secret"),
        ("audiences", ("the-id",), "Client ID"),
    ],
)
def test_rejects_the_value_of_another_field(name: str, value: object, other: str) -> None:
    with pytest.raises(InvalidValue, match=f"That is the {other} again"):
        refuse_repeated(name, value, GIVEN)


def test_accepts_the_fields_own_value_and_the_public_url() -> None:
    for name in ("client_id", "client_secret", "audiences"):
        refuse_repeated(name, GIVEN.value(name), GIVEN)
        refuse_repeated(name, "other", GIVEN)
        refuse_repeated(name, GIVEN.value(name), Known())
    refuse_repeated("audiences", (GIVEN.public_url,), GIVEN)


PARSERS = [
    parse_domain,
    parse_client_id,
    parse_client_secret,
    parse_audiences,
    parse_public_url,
    parse_port,
]


@given(
    st.sampled_from(PARSERS),
    st.text(st.sampled_from("a1.:/@[]%?#-_é \t\n٣。ß\u200b\\'$"), max_size=14),
)
def test_any_input_is_rejected_or_stable(parse: Callable[[str], object], text: str) -> None:
    for typed in (text, f"https://{text}", f"https://a.b{text}"):
        with suppress(InvalidValue):
            value = parse(typed)
            if isinstance(value, str):
                assert parse(value) == value


def test_derives_values_from_the_settings() -> None:
    audiences = ("https://api", "second")
    settings = Settings("t.us.auth0.com", "id", "s3cret", audiences, "https://chat.example.com")
    assert settings.issuer == "https://t.us.auth0.com"
    assert settings.audience == "https://api"
    assert settings.callback_url == "https://chat.example.com/oauth/openid/callback"
    assert settings.urls["allowed_logout_urls"] == (
        "https://chat.example.com/login",
        "https://chat.example.com",
    )
    assert settings.urls["web_origins"] == ("https://chat.example.com",)
    assert settings.scope == "openid profile email offline_access"
    assert "s3cret" not in repr(settings)


def test_requests_no_refresh_token_without_token_reuse() -> None:
    settings = Settings("t.auth0.com", "id", None, (), "https://x.y", False)
    assert settings.scope == "openid profile email"
    assert settings.audience is None
