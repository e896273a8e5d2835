"""A file of the size and shape of LibreChat's `.env.example`, in our own words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

COMPOSE_FILE = """
services:
  api:
    image: registry.librechat.ai/danny-avila/librechat-dev:latest
    ports:
      - "${PORT}:${PORT}"
    volumes:
      - type: bind
        source: ./.env
        target: /app/.env
      - ./images:/app/client/public/images
    environment:
      - HOST=0.0.0.0
      - MONGO_URI=mongodb://mongodb:27017/LibreChat
  mongodb:
    image: mongo
    volumes:
      - ./data-node:/data/db
"""
SERVER = """
HOST=localhost
PORT=3080

# Where the conversations are kept.
MONGO_URI=mongodb://127.0.0.1:27017/LibreChat
#How many connections at most
MONGO_MAX_POOL_SIZE=

DOMAIN_CLIENT=http://localhost:3080
DOMAIN_SERVER=http://localhost:3080

# Only where the admin panel runs beside it.
ADMIN_PANEL_URL=
ADMIN_PANEL_SESSION_SECRET=
# ADMIN_PANEL_PORT=3000

# Proxies before the server.
TRUST_PROXY=1
NO_INDEX=true
"""
CREDENTIALS = """
# Blank ones are made up at the first start.
CREDS_KEY=
CREDS_IV=
"""
SEARCH = """
SEARCH=false
MEILI_NO_ANALYTICS=true
MEILI_HOST=http://0.0.0.0:7700
MEILI_MASTER_KEY=
# MEILI_NO_SYNC=true
BAN_DURATION=1000 * 60 * 60 * 2
BAN_INTERVAL=20
"""
LOGIN = """
ALLOW_EMAIL_LOGIN=true
# ALLOW_EMAIL_LOGIN_OVERRIDE=false # lets the API in all the same
ALLOW_REGISTRATION=true
ALLOW_SOCIAL_LOGIN=false
ALLOW_SOCIAL_REGISTRATION=false
# ALLOW_ACCOUNT_DELETION=true # that is the default

SESSION_EXPIRY=1000 * 60 * 15
REFRESH_TOKEN_EXPIRY=(1000 * 60 * 60 * 24) * 7

JWT_SECRET=
JWT_REFRESH_SECRET=
"""
OPENID = """
OPENID_CLIENT_ID=
OPENID_CLIENT_SECRET=
OPENID_ISSUER=
OPENID_SESSION_SECRET=
OPENID_SCOPE="openid profile email"
OPENID_CALLBACK_URL=/oauth/openid/callback
OPENID_REQUIRED_ROLE=
# Which claims name the user
OPENID_USERNAME_CLAIM=
OPENID_NAME_CLAIM=
# Sent with the request for tokens; the one after ${DOMAIN_SERVER} is not.
OPENID_AUDIENCE=
OPENID_REFRESH_AUDIENCE=
# On the button
OPENID_BUTTON_LABEL=
OPENID_IMAGE_URL=
# true sends everyone straight on
OPENID_AUTO_REDIRECT=false
OPENID_USE_PKCE=false
#Instead of tokens of its own
OPENID_REUSE_TOKENS=
OPENID_JWKS_URL_CACHE_TIME= # 600000 are ten minutes
OPENID_GRAPH_SCOPE="user.read" # for another provider
OPENID_USE_END_SESSION_ENDPOINT=
OPENID_POST_LOGOUT_REDIRECT_URI=
OPENID_MAX_LOGOUT_URL_LENGTH=
"""


def env_example() -> str:
    """Return about 1,260 lines: our sections, far apart between those of many providers."""
    return "\n".join(
        [
            _banner("Everything that can be set"),
            _section("Server", SERVER),
            *_providers(0, 45),
            _section("Credentials", CREDENTIALS),
            *_providers(45, 55),
            _section("Search", SEARCH),
            *_providers(55, 75),
            _section("Users", LOGIN),
            _section("OpenID", OPENID),
            *_providers(75, 130),
        ]
    )


def _banner(title: str) -> str:
    line = f"#{'=' * 58}#"
    return f"{line}\n#{title:^58}#\n{line}\n"


def _section(title: str, body: str) -> str:
    return f"{_banner(title)}{body}"


def _providers(first: int, last: int) -> Iterator[str]:
    for number in range(first, last):
        yield (
            f"#{'-' * 24}#\n# Provider {number}: what it's called there\n\n"
            f"PROVIDER_{number}_API_KEY=user_provided\n"
            f"# PROVIDER_{number}_MODELS=small-{number},large-{number}\n"
            f"# PROVIDER_{number}_REVERSE_PROXY=\n\n"
            f"#PROVIDER_{number}_LIMIT=10 # per minute\n"
        )


def checkout(folder: Path) -> Path:
    """Create a folder with the files of a LibreChat checkout that `init` and `doctor` read."""
    folder.mkdir()
    (folder / ".env.example").write_text(env_example())
    (folder / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.8"}')
    (folder / "docker-compose.yml").write_text(COMPOSE_FILE)
    return folder


def init_options(folder: Path) -> tuple[str, ...]:
    """Return the arguments of an `init` without questions; write the secret to the folder."""
    secret = folder / "secret"
    secret.write_text("s" * 64)
    return (
        *("init", "--yes", "--offline"),
        *("--domain", "dev.us.auth0.com", "--client-id", "a" * 32, "--audience", "https://api"),
        *("--public-url", "https://chat.example.com", "--client-secret-file", str(secret)),
    )
