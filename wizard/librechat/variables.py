"""Every LibreChat variable that the wizard writes or judges: ONE table.

Sources are LibreChat's own files (as of v0.8.8-rc4, 2026-09) unless a row says otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, StrEnum

from wizard.defaults import LIBRECHAT_PORT
from wizard.language import Message
from wizard.settings import CALLBACK_PATH, SESSION_SECRET_MIN_LENGTH


class Section(StrEnum):
    """Where a variable belongs in the file; also the heading of a section we add."""

    SERVER = "Server"
    LOGIN = "Registration and Login"
    OPENID = "OpenID (Auth0)"
    CREDENTIALS = "Credentials"
    SEARCH = "Search"


class Format(Enum):
    """How a value must look for LibreChat to take it; the value says so to people."""

    TEXT = Message("any text")
    BOOLEAN = Message("true or false")
    ORIGIN = Message("https://host, no path, no trailing slash")
    ISSUER = Message("https://host")
    PATH = Message("a path that starts with /")
    SCOPE = Message("words separated by spaces")
    PORT = Message("a number from 1 to 65535")
    HEX_32_BYTES = Message("64 hexadecimal digits")
    HEX_16_BYTES = Message("32 hexadecimal digits")
    LONG_SECRET = Message("{length} characters or more", length=SESSION_SECRET_MIN_LENGTH)
    MILLISECONDS = Message("milliseconds, as a number or a product of numbers")
    NUMBER = Message("a whole number")
    URL = Message("a URL")


_PATTERNS = {
    Format.TEXT: r".*",
    Format.BOOLEAN: r"true|false",
    Format.ORIGIN: r"https?://[^/?#@\s]+",
    Format.ISSUER: r"https://[^/?#@\s]+(/|/\.well-known/openid-configuration)?",
    Format.PATH: r"/\S*",
    Format.SCOPE: r"\S+( +\S+)*",
    Format.PORT: r"[1-9]\d{0,3}|[1-5]\d{4}|6(?:[0-4]\d{3}|5(?:[0-4]\d\d|5(?:[0-2]\d|3[0-5])))",
    Format.HEX_32_BYTES: r"[0-9a-f]{64}",
    Format.HEX_16_BYTES: r"[0-9a-f]{32}",
    Format.LONG_SECRET: rf"\S{{{SESSION_SECRET_MIN_LENGTH},}}",
    Format.MILLISECONDS: r"[\d\s*+()/.-]+",
    Format.NUMBER: r"\d+",
    Format.URL: r"https?://\S+|/\S*",
}


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable of LibreChat.

    Attributes:
        name: as LibreChat reads it.
        section: where it belongs in the file.
        meaning: one line for people.
        format: what a value must look like.
        default: what LibreChat takes when it is not set, None for nothing.
        written: the value the wizard writes when the settings do not decide it.
        example: shown in a comment where the variable is optional.
        secret: never shown.
        public_values: values that LibreChat has shipped, so that everybody knows them.
        since: the first LibreChat version that reads it, "" for always.
        source: the LibreChat file where the fact comes from.
    """

    name: str
    section: Section
    meaning: str
    format: Format = Format.TEXT
    default: str | None = None
    written: str | None = None
    example: str = ""
    secret: bool = False
    public_values: frozenset[str] = frozenset()
    since: str = ""
    source: str = ""

    def accepts(self, value: str) -> bool:
        """Whether the value has the format."""
        return (
            re.fullmatch(_PATTERNS[self.format], value.strip(), re.IGNORECASE | re.ASCII)
            is not None
        )


_STRATEGY = "api/strategies/openidStrategy.js"
_LOGINS = "api/server/socialLogins.js"
_AUTH = "api/server/controllers/AuthController.js"
_LOGOUT = "api/server/controllers/auth/LogoutController.js"
_CREDENTIALS = "api/config/credentials.js"
_EXAMPLE = ".env.example"

_TABLE = (
    Variable(
        "HOST",
        Section.SERVER,
        "The address LibreChat listens on; Docker sets its own",
        default="localhost",
        written="localhost",
        source="api/server/index.js",
    ),
    Variable(
        "PORT",
        Section.SERVER,
        "The port LibreChat listens on; docker-compose.yml cannot do without it",
        Format.PORT,
        default=str(LIBRECHAT_PORT),
        written=str(LIBRECHAT_PORT),
        source="api/server/index.js",
    ),
    Variable(
        "MONGO_URI",
        Section.SERVER,
        "The database; Docker sets its own",
        # The user name and password in it make it one.
        secret=True,
        written="mongodb://127.0.0.1:27017/LibreChat",
        public_values=frozenset({"mongodb://127.0.0.1:27017/LibreChat"}),
        source="api/db/connect.js",
    ),
    Variable(
        "DOMAIN_CLIENT",
        Section.SERVER,
        "Where browsers reach LibreChat",
        Format.ORIGIN,
        source="api/server/index.js",
    ),
    Variable(
        "DOMAIN_SERVER",
        Section.SERVER,
        "The same; the callback URL is this and OPENID_CALLBACK_URL",
        Format.ORIGIN,
        source=_STRATEGY,
    ),
    Variable(
        "ADMIN_PANEL_SESSION_SECRET",
        Section.SERVER,
        "Session key of the bundled admin panel, which does not start without it",
        Format.LONG_SECRET,
        secret=True,
        since="0.8.7",
        source="docker-compose.yml",
    ),
    Variable(
        "HSTS_ENABLED",
        Section.SERVER,
        "Off for an HTTPS localhost, or browsers refuse http://localhost for a year",
        Format.BOOLEAN,
        default="true",
        since="0.8.8",
        source="packages/api/src/security/headers.ts",
    ),
    Variable(
        "TRUST_PROXY",
        Section.SERVER,
        "How many proxies stand before LibreChat; the tunnel is one",
        Format.NUMBER,
        default="1",
        written="1",
        source="api/server/index.js",
    ),
    Variable(
        "CREDS_KEY",
        Section.CREDENTIALS,
        "Encrypts what users store; a new one makes that unreadable",
        Format.HEX_32_BYTES,
        secret=True,
        public_values=frozenset(
            {"f34be427ebb29de8d88c107a71546019685ed8b241d8f2ed00c3df97ad2566f0"}
        ),
        source=_CREDENTIALS,
    ),
    Variable(
        "CREDS_IV",
        Section.CREDENTIALS,
        "Goes with CREDS_KEY",
        Format.HEX_16_BYTES,
        secret=True,
        public_values=frozenset({"e2341419ec3dd3d19b13a1a87fafcbfb"}),
        source=_CREDENTIALS,
    ),
    Variable(
        "JWT_SECRET",
        Section.CREDENTIALS,
        "Signs LibreChat's own access tokens",
        Format.LONG_SECRET,
        secret=True,
        public_values=frozenset(
            {"16f8c0ef4a5d391b26034086c628469d3f9f497f08163ab9b40137092f2909ef"}
        ),
        source=_CREDENTIALS,
    ),
    Variable(
        "JWT_REFRESH_SECRET",
        Section.CREDENTIALS,
        "Signs LibreChat's own refresh tokens",
        Format.LONG_SECRET,
        secret=True,
        public_values=frozenset(
            {"eaa5191f2914e30b9387fd84e254e4ba6fc51b4654968a9b0803b456a54b8418"}
        ),
        source=_CREDENTIALS,
    ),
    Variable(
        "SEARCH",
        Section.SEARCH,
        "Search in conversations, which needs Meilisearch",
        Format.BOOLEAN,
        default="false",
        written="false",
        source=_EXAMPLE,
    ),
    Variable(
        "MEILI_HOST",
        Section.SEARCH,
        "Where Meilisearch listens; Docker sets its own",
        Format.URL,
        written="http://127.0.0.1:7700",
        source=_EXAMPLE,
    ),
    Variable(
        "MEILI_NO_ANALYTICS",
        Section.SEARCH,
        "Meilisearch reports nothing home",
        Format.BOOLEAN,
        written="true",
        source=_EXAMPLE,
    ),
    Variable(
        "MEILI_MASTER_KEY",
        Section.SEARCH,
        "Key of the search engine; both sides must have the same",
        secret=True,
        public_values=frozenset({"DrhYf7zENyR6AlUCKmnz0eYASOQdl6zxH7s7MKFSfFCt"}),
        source="docker-compose.yml",
    ),
    Variable(
        "ALLOW_SOCIAL_LOGIN",
        Section.LOGIN,
        "Shows the button; nothing of OpenID is set up while it is not true",
        Format.BOOLEAN,
        default="false",
        written="true",
        source=_LOGINS,
    ),
    Variable(
        "ALLOW_SOCIAL_REGISTRATION",
        Section.LOGIN,
        "Lets people sign up through social logins; conventional beside the above",
        Format.BOOLEAN,
        default="false",
        written="true",
        source="api/strategies/socialLogin.js",
    ),
    Variable(
        "ALLOW_EMAIL_LOGIN",
        Section.LOGIN,
        "Sign-in by e-mail and password beside Auth0",
        Format.BOOLEAN,
        default="true",
        written="true",
        source=_EXAMPLE,
    ),
    Variable(
        "ALLOW_REGISTRATION",
        Section.LOGIN,
        "Sign-up by e-mail and password",
        Format.BOOLEAN,
        default="false",
        written="true",
        source=_EXAMPLE,
    ),
    Variable(
        "SESSION_EXPIRY",
        Section.LOGIN,
        "How long LibreChat's own access tokens live",
        Format.MILLISECONDS,
        default="1000 * 60 * 15",
        written="1000 * 60 * 15",
        source=_EXAMPLE,
    ),
    Variable(
        "REFRESH_TOKEN_EXPIRY",
        Section.LOGIN,
        "How long LibreChat's own refresh tokens live",
        Format.MILLISECONDS,
        default="(1000 * 60 * 60 * 24) * 7",
        written="(1000 * 60 * 60 * 24) * 7",
        source=_EXAMPLE,
    ),
    Variable(
        "OPENID_ISSUER",
        Section.OPENID,
        "https:// and the tenant's domain",
        Format.ISSUER,
        source=_STRATEGY,
    ),
    Variable(
        "OPENID_CLIENT_ID",
        Section.OPENID,
        "The application's Client ID",
        source=_STRATEGY,
    ),
    Variable(
        "OPENID_CLIENT_SECRET",
        Section.OPENID,
        "The application's Client Secret",
        secret=True,
        source=_STRATEGY,
    ),
    Variable(
        "OPENID_CALLBACK_URL",
        Section.OPENID,
        "The path of LibreChat's callback route; never a whole URL",
        Format.PATH,
        written=CALLBACK_PATH,
        source=_STRATEGY,
    ),
    Variable(
        "OPENID_REUSE_TOKENS",
        Section.OPENID,
        "LibreChat's sessions live on Auth0's tokens instead of its own",
        Format.BOOLEAN,
        default="false",
        since="0.7.9",
        source=_AUTH,
    ),
    Variable(
        "OPENID_SCOPE",
        Section.OPENID,
        "What LibreChat asks for; offline_access brings the refresh token",
        Format.SCOPE,
        source=_STRATEGY,
    ),
    Variable(
        "OPENID_AUDIENCE",
        Section.OPENID,
        "Identifier of the Auth0 API; without it access tokens are opaque",
        since="0.8.0",
        source=_STRATEGY,
    ),
    Variable(
        "OPENID_REFRESH_AUDIENCE",
        Section.OPENID,
        "The same, for refreshes",
        since="0.8.6",
        source=_AUTH,
    ),
    Variable(
        "OPENID_USE_PKCE",
        Section.OPENID,
        "LibreChat then also takes a client without a secret",
        Format.BOOLEAN,
        default="false",
        written="true",
        since="0.8.6",
        source=_LOGINS,
    ),
    Variable(
        "OPENID_SESSION_SECRET",
        Section.OPENID,
        "Signs the cookie that carries the sign-in; the button is hidden without it",
        Format.LONG_SECRET,
        secret=True,
        source=_LOGINS,
    ),
    Variable(
        "OPENID_USE_END_SESSION_ENDPOINT",
        Section.OPENID,
        "Signing out of LibreChat also signs out of Auth0",
        Format.BOOLEAN,
        default="false",
        written="true",
        source=_LOGOUT,
    ),
    Variable(
        "OPENID_BUTTON_LABEL",
        Section.OPENID,
        "The text on the button",
        default="Continue with OpenID",
        written="Continue with Auth0",
        source="api/server/routes/config.js",
    ),
    Variable(
        "OPENID_IMAGE_URL",
        Section.OPENID,
        "A logo for the button",
        Format.URL,
        example="https://example.com/logo.png",
        source="api/server/routes/config.js",
    ),
    Variable(
        "OPENID_MAX_LOGOUT_URL_LENGTH",
        Section.OPENID,
        "From this length on the logout URL carries logout_hint in place of id_token_hint",
        Format.NUMBER,
        default="2000",
        example="2000",
        since="0.8.4",
        source=_LOGOUT,
    ),
)

# Addresses of databases carry passwords, so _URI and _URL count unless the table knows better.
_SECRET_WORDS = re.compile(r"SECRET|KEY|TOKEN|PASS|CREDS|CREDENTIAL|PRIVATE|SALT|_SID$|_URI$|_URL$")

VARIABLES = {variable.name: variable for variable in _TABLE}


def is_secret(name: str) -> bool:
    """Whether a value of that name must never be shown; unknown names are judged by their words."""
    if name in VARIABLES:
        return VARIABLES[name].secret
    return _SECRET_WORDS.search(name.upper()) is not None
