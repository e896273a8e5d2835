"""Working setups get no finding of severity error."""

from __future__ import annotations

import pytest

from tests.doctor.cases import (
    AUDIENCE,
    CLIENT_ID,
    CLIENT_SECRET,
    COMPOSE,
    DOMAIN,
    PUBLIC_URL,
    env,
    subject,
)
from tests.librechat.example import env_example
from wizard.doctor.registry import diagnose
from wizard.doctor.subject import Subject
from wizard.findings import Severity
from wizard.librechat.env_plan import Base, plan_env
from wizard.settings import Settings


def errors(checked: Subject) -> list[str]:
    return [
        f"{each.rule.id}: {each.detail}"
        for each in diagnose(checked)
        if each.severity is Severity.ERROR
    ]


def alarms(checked: Subject) -> list[str]:
    return [
        f"{each.rule.id}: {each.detail}"
        for each in diagnose(checked)
        if each.severity is not Severity.NOTE
    ]


@pytest.mark.parametrize("reuse_tokens", [True, False])
@pytest.mark.parametrize("public_url", [PUBLIC_URL, "https://localhost:3443"])
@pytest.mark.parametrize("has_example", [True, False])
@pytest.mark.parametrize("secret", [CLIENT_SECRET, ""])
def test_accepts_what_init_writes(
    reuse_tokens: bool, public_url: str, has_example: bool, secret: str
) -> None:
    audiences = (AUDIENCE,) if reuse_tokens else ()
    settings = Settings(DOMAIN, CLIENT_ID, secret, audiences, public_url, reuse_tokens)
    example = env_example() if has_example else ""
    plan = plan_env(settings, Base(None, example.encode() or None, 3080))
    text = plan.after.text
    assert alarms(subject(text, example=example)) == []
    assert alarms(subject(text, example=example, compose=COMPOSE, version="0.8.8")) == []


def test_the_example_with_correct_values() -> None:
    """LibreChat's example with the guide's values at its end."""
    guide = f"""
ALLOW_SOCIAL_LOGIN=true
OPENID_CLIENT_ID={CLIENT_ID}
OPENID_CLIENT_SECRET={CLIENT_SECRET}
OPENID_ISSUER=https://{DOMAIN}
OPENID_SESSION_SECRET={"0123456789abcdef" * 4}
"""
    assert errors(subject(env_example() + guide)) == []


VARIATIONS = {
    "issuer with a slash": env(OPENID_ISSUER=f"https://{DOMAIN}/"),
    "issuer of the metadata": env(
        OPENID_ISSUER=f"https://{DOMAIN}/.well-known/openid-configuration"
    ),
    "custom domain": env(OPENID_ISSUER="https://login.example.com"),
    "another provider's path": env(OPENID_ISSUER="https://id.example.com/realms/main"),
    "issuer in capitals": env(OPENID_ISSUER=f"https://{DOMAIN.upper()}"),
    "no token reuse, no audience": env(
        OPENID_REUSE_TOKENS="false", OPENID_AUDIENCE="", OPENID_SCOPE="openid profile email"
    ),
    "nothing about token reuse": env(
        OPENID_REUSE_TOKENS=None,
        OPENID_AUDIENCE=None,
        OPENID_REFRESH_AUDIENCE=None,
        OPENID_SCOPE="openid profile email",
    ),
    "public client": env(OPENID_CLIENT_SECRET="", OPENID_USE_PKCE="TRUE"),
    "no PKCE": env(OPENID_USE_PKCE="false"),
    "two audiences": env(OPENID_AUDIENCE=f"{AUDIENCE}, urn:other"),
    "an identifier that is not a URL": env(OPENID_AUDIENCE="LibreChat API"),
    "localhost": env(DOMAIN_CLIENT="http://localhost:3080", DOMAIN_SERVER="http://localhost:3080"),
    "development server": env(
        DOMAIN_CLIENT="http://localhost:3090", DOMAIN_SERVER="http://localhost:3080"
    ),
    "a port": env(DOMAIN_CLIENT=f"{PUBLIC_URL}:8443", DOMAIN_SERVER=f"{PUBLIC_URL}:8443"),
    "a subfolder": env(DOMAIN_CLIENT=f"{PUBLIC_URL}/chat", DOMAIN_SERVER=f"{PUBLIC_URL}/chat"),
    "plain HTTP at home": env(
        DOMAIN_CLIENT="http://192.168.1.5:3080",
        DOMAIN_SERVER="http://192.168.1.5:3080",
        SESSION_COOKIE_SECURE="false",
    ),
    "ngrok": env(
        DOMAIN_CLIENT="https://abc.ngrok-free.app", DOMAIN_SERVER="https://abc.ngrok-free.app"
    ),
    "more scopes": env(OPENID_SCOPE="openid email profile offline_access read:messages"),
    "email from another claim": env(
        OPENID_SCOPE="openid offline_access", OPENID_EMAIL_CLAIM="https://example.com/email"
    ),
    "blank credentials": env(CREDS_KEY="", CREDS_IV="", JWT_SECRET="", JWT_REFRESH_SECRET=""),
    "Windows line endings and a BOM": "\ufeff" + env().replace("\n", "\r\n"),
    "export": "".join(f"export {line}\n" for line in env().splitlines()),
    "double quotes": "".join(
        f'{name}="{value}"\n'
        for name, value in (line.split("=", 1) for line in env().splitlines())
        if "'" not in value
    )
    + env(),
    "roles": env(
        OPENID_ADMIN_ROLE="admin",
        OPENID_ADMIN_ROLE_PARAMETER_PATH="https://example.com/roles",
        OPENID_ADMIN_ROLE_TOKEN_KIND="id",
    ),
    "comments after values": env().replace("OPENID_USE_PKCE=true", "OPENID_USE_PKCE=true # public"),
    "logout elsewhere": env(OPENID_POST_LOGOUT_REDIRECT_URI="https://example.com/bye"),
}


@pytest.mark.parametrize("text", VARIATIONS.values(), ids=VARIATIONS.keys())
def test_valid_variations(text: str) -> None:
    assert errors(subject(text)) == []
    assert errors(subject(text, compose=COMPOSE, version="0.8.8-rc4")) == []


@pytest.mark.parametrize("version", ["0.8.7", "0.8.8-rc1", "0.8.8", "0.9.0", "latest", ""])
def test_the_good_file_on_versions(version: str) -> None:
    assert errors(subject(env(), version=version)) == []
