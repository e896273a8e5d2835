"""Which names LibreChat reads, and since when: what it does not know is a slip or an invention.

`variables` has those that the wizard writes; here are the rest of `OPENID_*` and of the sign-in.
Sources: LibreChat's .env.example and api/strategies/openidStrategy.js (v0.8.8-rc4, 2026-09).
"""

from __future__ import annotations

from collections.abc import Mapping

from wizard.librechat.variables import VARIABLES

# First version that reads the name, "" where it was always so.
_OTHERS: Mapping[str, str] = {
    "OPENID_ADMIN_ROLE": "",
    "OPENID_ADMIN_ROLE_PARAMETER_PATH": "",
    "OPENID_ADMIN_ROLE_TOKEN_KIND": "",
    "OPENID_AUTO_REDIRECT": "0.7.8",
    "OPENID_AVATAR_AUTHORIZED_ORIGINS": "",
    "OPENID_CLOCK_TOLERANCE": "0.8.0",
    "OPENID_DISCOVERY_RETRY_ATTEMPTS": "0.8.8-rc3",
    "OPENID_DISCOVERY_RETRY_DELAY_MS": "0.8.8-rc3",
    "OPENID_EMAIL_CLAIM": "0.8.3",
    "OPENID_GENERATE_NONCE": "0.8.0",
    "OPENID_GRAPH_SCOPES": "",
    "OPENID_JWKS_URL": "",
    "OPENID_JWKS_URL_CACHE_ENABLED": "",
    "OPENID_JWKS_URL_CACHE_TIME": "",
    "OPENID_NAME_CLAIM": "",
    "OPENID_ON_BEHALF_FLOW_FOR_USERINFO_REQUIRED": "",
    "OPENID_ON_BEHALF_FLOW_USERINFO_SCOPE": "",
    "OPENID_POST_LOGOUT_REDIRECT_URI": "0.8.2",
    "OPENID_REFRESH_BRIDGE_GRACE_MS": "0.8.8-rc2",
    "OPENID_REQUIRED_ROLE": "",
    "OPENID_REQUIRED_ROLE_PARAMETER_PATH": "",
    "OPENID_REQUIRED_ROLE_TOKEN_KIND": "",
    "OPENID_REUSE_MAX_SESSION_AGE_MS": "0.8.7",
    "OPENID_ROLE_SYNC_API_ENABLED": "0.8.7",
    "OPENID_ROLE_SYNC_CLAIM": "0.8.7",
    "OPENID_ROLE_SYNC_ENABLED": "0.8.7",
    "OPENID_ROLE_SYNC_FALLBACK_ROLE": "0.8.7",
    "OPENID_ROLE_SYNC_ROLE_PRIORITY": "0.8.7",
    "OPENID_ROLE_SYNC_SOURCE": "0.8.7",
    "OPENID_USERNAME_CLAIM": "",
    "SESSION_COOKIE_SECURE": "0.8.6",
}
# Names close to those of the table that LibreChat does read for something else.
_NEIGHBOURS = frozenset(
    {
        "ADMIN_PANEL_PORT",
        "ADMIN_PANEL_URL",
        "ALLOW_ACCOUNT_DELETION",
        "ALLOW_EMAIL_LOGIN_OVERRIDE",
        "ALLOW_PASSWORD_RESET",
        "ALLOW_UNVERIFIED_EMAIL_LOGIN",
        "DEBUG_OPENID_REQUESTS",
        "EMAIL_HOST",
        "EMAIL_PORT",
        "MEILI_HTTP_ADDR",
        "MEILI_NO_SYNC",
        "RAG_PORT",
        "SAML_BUTTON_LABEL",
        "SAML_CALLBACK_URL",
        "SAML_IMAGE_URL",
        "SAML_ISSUER",
        "SAML_SESSION_SECRET",
    }
)
# What people write in place of a name that works (LibreChat issue #8308, forks, other tools).
INVENTED: Mapping[str, str] = {
    "AUTH0_AUDIENCE": "OPENID_AUDIENCE",
    "AUTH0_CLIENT_ID": "OPENID_CLIENT_ID",
    "AUTH0_CLIENT_SECRET": "OPENID_CLIENT_SECRET",
    "AUTH0_DOMAIN": "OPENID_ISSUER",
    "OPENID_CALLBACK": "OPENID_CALLBACK_URL",
    "OPENID_CALLBACK_URI": "OPENID_CALLBACK_URL",
    "OPENID_DISCOVERY_RETRIES": "OPENID_DISCOVERY_RETRY_ATTEMPTS",
    "OPENID_ENABLED": "ALLOW_SOCIAL_LOGIN",
    "OPENID_ISSUER_URL": "OPENID_ISSUER",
    "OPENID_LOGOUT_REDIRECT_URI": "OPENID_POST_LOGOUT_REDIRECT_URI",
    "OPENID_REDIRECT_URI": "OPENID_CALLBACK_URL",
    "OPENID_REDIRECT_URL": "OPENID_CALLBACK_URL",
    "OPENID_SCOPES": "OPENID_SCOPE",
}


def is_known(name: str) -> bool:
    """Whether LibreChat reads a variable of that name, as far as the sign-in goes."""
    return name in VARIABLES or name in _OTHERS or name in _NEIGHBOURS


def known_names() -> tuple[str, ...]:
    """Every name that a slip may have meant."""
    return (*VARIABLES, *_OTHERS)


def first_version(name: str) -> str:
    """The first LibreChat version that reads the name, "" where it was always so."""
    if name in VARIABLES:
        return VARIABLES[name].since
    return _OTHERS.get(name, "")
