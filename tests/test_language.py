"""All that users read is said in their language: nothing is forgotten, nothing is mistranslated."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from wizard.documents.texts import ROOT, said_in

# Whole modules whose words are not for users' eyes, and why.
SPEAKS_ENGLISH = {
    "wizard/cli.py": "options; their texts are in the catalogue as --help shows them",
    "wizard/commands/report.py": "writes the bug report, which maintainers read",
    "wizard/demo/authorization.py": "plays Auth0: errors as it words them",
    "wizard/demo/tokens.py": "plays Auth0: errors as it words them",
    "wizard/documents": "writes the English documents",
    "wizard/librechat/variables.py": "comments of a new .env, which programs and teams share",
}
# Strings that are not said to users, by module, and why.
NOT_SAID: dict[str, dict[str, str]] = {
    "wizard/auth0/callback_server.py": {"sign-in callback": "the name of a thread"},
    "wizard/auth0/json_web_token.py": {"00 UTC": "a time"},
    "wizard/auth0/management.py": {"Bearer 00": "a header"},
    "wizard/auth0/management_access.py": {
        "Insufficient scope, expected any of: 00": "plays the Management API, whose words these are"
    },
    "wizard/auth0/management_plan.py": dict.fromkeys(
        (
            "Allow Offline Access",
            "Allow Skipping User Consent",
            "Allowed Callback URLs",
            "Allowed Logout URLs",
            "Allowed Web Origins",
            "Application Access Policy, User-Delegated Access",
            "Application Access, User-Delegated Access",
            "Application Type",
            "Authentication Method",
            "Grant Types",
            "JSON Web Encryption (JWE)",
            "JSON Web Token Signature Algorithm",
            "OIDC Conformant",
            "Private Key JWT and mTLS credentials",
            "Signing Algorithm",
        ),
        "the dashboard's name of a setting",
    )
    | {"00 API": "a name that the dashboard will show"},
    "wizard/auth0/probes.py": {"HTTP 00 00": "the server's own words follow"},
    "wizard/auth0/result_page.py": {
        "default-src 'none'; style-src 00; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'": "a header"
    },
    "wizard/auth0/tenant.py": {
        "librechat: api/strategies/openidStrategy.js, npm openid-client 6 discovery()": "a source",
    },
    "wizard/commands/choose_tunnel.py": {"--tunnel 00": "an option as it was given"},
    "wizard/commands/demo.py": {"demo user": "a thread's name"},
    "wizard/commands/questions.py": {
        "Allowed Callback URLs": "Auth0's dashboard says so",
        "Allowed Logout URLs": "Auth0's dashboard says so",
        "Allowed Web Origins": "Auth0's dashboard says so",
    },
    "wizard/ui/console.py": {"bold cyan": "a style", "bold red": "a style"},
    "wizard/ui/prompts.py": {"fg:ansicyan bold": "a style"},
    "wizard/auth0/tokens.py": {
        "librechat: api/strategies/openidStrategy.js": "a source",
        "Applications → APIs → your API → Settings (00)": "stands in rules, which the registry has",
        "ID token": "OpenID's term",
        "access token": "OAuth's term",
    },
    "wizard/demo/endpoints.py": dict.fromkeys(
        (
            "Login required",
            "Not found",
            "The body is not a form",
            "The body is too large",
            "The form is not one of this tenant.",
            "This sign-in has ended, or began in another browser."
            " Go back to the application and start again.",
            "User did not authorize the request",
        ),
        "plays Auth0: an error as it words it",
    )
    | {"public, max-age=15": "a header"},
    "wizard/demo/pages.py": dict.fromkeys(
        (
            "'self' 00",
            "00=00; HttpOnly; Path=/; SameSite=lax; Secure",
            "default-src 'none'; style-src 'nonce-00'; form-action 00;"
            " frame-ancestors 'none'; base-uri 'none'",
            "text/html; charset=utf-8",
        ),
        "a header",
    ),
    "wizard/demo/server.py": {"demo tenant": "the name of a thread"},
    "wizard/demo/tenant.py": {"Demo User": "the name of a user"},
    "wizard/doctor/addresses.py": {
        "packages/api/src/oauth/csrf.ts, shouldUseSecureCookie": "a source in LibreChat"
    },
    "wizard/doctor/sign_in.py": {
        "api/server/routes/config.js, isOpenIdEnabled": "a source in LibreChat"
    },
    "wizard/doctor/tokens.py": {
        "api/server/services/AuthService.js, setOpenIDAuthTokens": "a source in LibreChat"
    },
    "wizard/doctor/writing.py": {"dotenv, lib/main.js": "a source", "unset 00": "a command"},
    "wizard/librechat/checkout.py": {
        "docker compose 00": "a command",
        "docker compose -f 00 up -d": "a command",
        "restart api": "of a command",
        "package.json (LibreChat 00)": "names alone",
        "volume 00": "counted only",
    },
    "wizard/librechat/instance.py": {
        "packages/api/src/oauth/csrf.ts, shouldUseSecureCookie": "a source in LibreChat"
    },
    "wizard/settings.py": {
        "Client ID": "the dashboard's name",
        "Client Secret": "the dashboard's name",
        "API identifier": "Auth0's term",
        "openid profile email": "a scope",
        "00 offline_access": "a scope",
    },
    "wizard/templates.py": {
        "templates/ is missing; reinstall librechat-auth0": "a broken installation: a bug report"
    },
    "wizard/loopback.py": {
        "the server did not come up": "stands where the system's own words do",
    },
    "wizard/processes.py": dict.fromkeys(
        (
            "00 cannot be given these arguments",
            "00 is not installed",
            "no end after 00 s",
            "more than 00 MiB of output",
        ),
        "stands where the program's own words do",
    ),
    "wizard/tunnels/caddy.py": dict.fromkeys(
        (
            "serving initial configuration",
            "handled request",
            "address already in use",
            "permission denied",
            "Only one usage of each socket address",
            "forbidden by its access permissions",
            "listen tcp",
        ),
        "Caddy's log",
    ),
    "wizard/tunnels/certificates.py": dict.fromkeys(
        ("librechat-auth0 authority 00", "Good for localhost on this computer only"),
        "names in a certificate, which is kept",
    ),
    "wizard/tunnels/cloudflared.py": dict.fromkeys(
        ("Registered tunnel connection", "Tunnel not found", "Requesting new quick Tunnel"),
        "cloudflared's log",
    ),
    "wizard/tunnels/local.py": {"local tunnel": "a thread's name"},
    "wizard/tunnels/localtunnel.py": dict.fromkeys(
        ("p port h host s subdomain l local_host local_https local_cert local_key local_ca",),
        "options of a program",
    ),
    "wizard/tunnels/ngrok.py": dict.fromkeys(
        (
            "starting web service",
            "tunnel session started",
            "session closed, starting reconnect loop",
            "client session established",
            "failed to reconnect session",
            "configuration file",
        ),
        "the agent's log",
    ),
    "wizard/tunnels/ngrok_config.py": {
        "another kind of document": "caught where it is raised from",
        "Application Support": "a folder of macOS",
    },
    "wizard/tunnels/pages.py": dict.fromkeys(
        (
            "default-src 'none'; style-src 'nonce-00'; base-uri 'none'; form-action 'none';"
            " frame-ancestors 'none'",
            "Content-Type: text/html; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
            "Content-Security-Policy: 00\r\nReferrer-Policy: no-referrer\r\n"
            "Cache-Control: no-store\r\nRetry-After: 2\r\n",
        ),
        "fields of HTTP",
    ),
    "wizard/tunnels/proxy.py": {
        "X-Forwarded-For: 00\r\nX-Forwarded-Proto: https\r\n": "fields of HTTP"
    },
    "wizard/tunnels/trust.py": {
        "Library/Application Support/Firefox/Profiles/*": "a folder of macOS"
    },
}
# What is told to developers: a broken contract, not something a user did.
_BUGS = {"ValueError", "TypeError", "RuntimeError", "LookupError", "KeyError", "AssertionError"}
# The registry tells the texts of rules.
_RULES = {"Rule", "_rule", "_unreachable"}
# What others say, to be found in their answers.
_PATTERNS = {"Known"}
# What programs read: the names of types, answers to bad HTTP.
_FOR_PROGRAMS = {"cast", "_Refused"}
_NOT_READ = _BUGS | _RULES | _PATTERNS | _FOR_PROGRAMS
_VALUE = "00"
_WORDS = re.compile(
    r"[a-z'’]{2,}[,.:;)]? +[(“\"]?[A-Za-z0]{2,}|00[,.:;]? +[a-z]{3,}", re.IGNORECASE
)

MODULES = sorted(
    place
    for path in ROOT.glob("wizard/**/*.py")
    if not (place := path.relative_to(ROOT).as_posix()).startswith(tuple(SPEAKS_ENGLISH))
)


def prose(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The strings that read like sentences, by line, but those that are known to be said."""
    known = {id(node) for node in said_in(tree)} | set(_of_no_concern(tree))
    for node in ast.walk(tree):
        text = _text(node)
        if text and id(node) not in known and _WORDS.search(text):
            yield node.lineno, text  # type: ignore[attr-defined]


def _text(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(
                _text(part) if isinstance(part, ast.Constant) else _VALUE for part in parts
            )
        case _:
            return ""


def _of_no_concern(tree: ast.Module) -> Iterator[int]:
    """Docstrings, pieces of f-strings, and what is in the calls of `_NOT_READ`."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant() as docstring):
                yield id(docstring)
            case ast.JoinedStr(values=parts):
                yield from map(id, parts)
            case ast.Call(func=ast.Name(id=name)) if name in _NOT_READ:
                yield from (id(each) for each in ast.walk(node))
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"))):
                yield from (id(each) for each in ast.walk(node))
            case _:
                pass


@pytest.mark.parametrize("place", MODULES)
def test_every_text_is_in_the_catalogue(place: str) -> None:
    """A text in an f-string cannot be translated; `Message` can."""
    tree = ast.parse((ROOT / place).read_text("utf-8"))
    allowed = NOT_SAID.get(place, {})

    forgotten = [(line, text) for line, text in prose(tree) if text not in allowed]

    assert not forgotten
