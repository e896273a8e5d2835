"""The options of each command, by the name of the field that takes the value."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from wizard.defaults import FORMATS, LANGUAGES, LIBRECHAT_PORT, TUNNELS
from wizard.language import Message

# Groups of the help.
AUTH0 = Message("Auth0")
URL = Message("Tunnel and URL")
MODE = Message("How it runs")
OUTPUT = Message("Output")


_SEVERAL = list[str] | None
_PATH = Path | None


def _option(
    names: str,
    text: str,
    value: str | None = None,
    variable: str | None = None,
    *,
    kind: Any = None,
    **more: Any,
) -> Any:
    """Return the annotation of an option; one without a `value`, as the help calls it, is a flag.

    The environment variable may replace it; `kind` is a type other than text.
    """
    made = typer.Option(*names.split(), help=text, metavar=value, envvar=variable, **more)
    return Annotated[kind or (str if value else bool), made]


_auth0, _url, _mode, _output = (
    partial(_option, rich_help_panel=panel) for panel in (AUTH0, URL, MODE, OUTPUT)
)


def _one_of(values: Sequence[str]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value and value not in values:
            from wizard.text import closest

            meant = closest(value, values)
            raise typer.BadParameter(
                Message("{value} is unknown. Did you mean {word}?", value=value, word=meant)
                if meant
                else Message("{value} is not one of {names}.", value=value, names=", ".join(values))
            )
        return value

    return check


def _not_beside_json(context: typer.Context, value: str) -> str:
    if value == "-" and context.params.get("json"):
        raise typer.BadParameter(Message("- and --json both print on standard output."))
    return value


def _rule_ids() -> list[str]:
    from wizard.rules import all_rules

    return [*all_rules()]


def _variables() -> list[str]:
    from wizard.librechat.variables import VARIABLES

    return ["all", *VARIABLES]


def _show_version(wanted: bool) -> None:
    if wanted:
        from wizard import __version__

        typer.echo(f"librechat-auth0 {__version__}")
        raise typer.Exit


def _tunnel(text: str, *more: str) -> Any:
    known = [*TUNNELS, *more]
    variable = "LIBRECHAT_AUTH0_TUNNEL"
    return _url("--tunnel", text, "NAME", variable, autocompletion=lambda: known)


_LANG = _output(
    "--lang",
    "Language; the locale's by default.",
    "|".join(LANGUAGES),
    "LIBRECHAT_AUTH0_LANG",
    autocompletion=lambda: [*LANGUAGES],
    callback=_one_of(LANGUAGES),
)
_PLAIN = _output(
    "--plain",
    "Plain lines without symbols or drawing, for screen readers.",
    variable="LIBRECHAT_AUTH0_PLAIN",
)
_DEBUG = _output("--debug", "Show a traceback on an error.")
_QUIET = _output("--quiet -q", "Print problems only.")
_OFFLINE = _mode("--offline", "Contact neither Auth0 nor the running LibreChat.")
_ENV_FILE = _option(
    "--env-file", "The .env; its folder is the LibreChat folder.", "PATH", kind=_PATH
)
_DOMAIN = _auth0(
    "--domain",
    "Domain of the tenant, abc123.us.auth0.com, or its custom domain.",
    "DOMAIN",
    "AUTH0_DOMAIN",
)
_PORT = _url(
    "--port", f"LibreChat's port; {LIBRECHAT_PORT} by default.", "PORT", "LIBRECHAT_AUTH0_PORT"
)
_REUSE_TOKENS = _auth0(
    "--reuse-tokens/--no-reuse-tokens",
    "Use Auth0's tokens for LibreChat's sessions; this needs an API."
    " On by default with LibreChat 0.8.1 and later.",
    kind=bool | None,
)
ROOT = {
    "lang": _LANG,
    "plain": _PLAIN,
    "debug": _DEBUG,
    "quiet": _QUIET,
    "version": _option("--version -V", "Show the version.", is_eager=True, callback=_show_version),
}
COMMON = {
    "json": _output("--json", "Print one JSON object on standard output.", is_eager=True),
    "quiet": _QUIET,
    "lang": _LANG,
    "plain": _PLAIN,
    "debug": _DEBUG,
}
_TUNNEL = {
    "tunnel": _tunnel(f"{', '.join(TUNNELS)}, or none to keep the URL.", "none"),
    "ngrok_domain": _url(
        "--ngrok-domain",
        "Your ngrok account's own domain.",
        "DOMAIN",
        "LIBRECHAT_AUTH0_NGROK_DOMAIN",
    ),
    "subdomain": _url(
        "--subdomain", "The name to request from localtunnel.", "NAME", "LIBRECHAT_AUTH0_SUBDOMAIN"
    ),
    "local_port": _url(
        "--local-port",
        "Port of the local tunnel; 3443 by default, or the next free one.",
        "PORT",
        "LIBRECHAT_AUTH0_LOCAL_PORT",
    ),
}
_WHO = {
    "allow_users": _auth0(
        "--allow-user",
        "Only these people may sign in (email address); repeatable.",
        "EMAIL",
        kind=_SEVERAL,
    ),
    "allow_domains": _auth0(
        "--allow-domain",
        "Only addresses at this domain may sign in; repeatable.",
        "DOMAIN",
        kind=_SEVERAL,
    ),
    "allow_anybody": _auth0("--allow-anybody", "Anybody may sign in, strangers too."),
    "admins": _auth0(
        "--admin", "Administrator of LibreChat (email address); repeatable.", "EMAIL", kind=_SEVERAL
    ),
}
_CONSENT = {
    "yes": _mode("--yes -y", "Do not ask; go ahead."),
    "dry_run": _mode("--dry-run", "Show what would change; write nothing."),
}
INIT = {
    "domain": _DOMAIN,
    "client_id": _auth0("--client-id", "Client ID of the application.", "ID", "AUTH0_CLIENT_ID"),
    "client_secret_file": _auth0(
        "--client-secret-file",
        "File with the Client Secret, - for standard input; or set AUTH0_CLIENT_SECRET.",
        "PATH",
    ),
    "public_client": _auth0("--public-client", "The application has no secret (SPA, Native)."),
    "audience": _auth0(
        "--audience", "API identifier; several separated by commas.", "API", "AUTH0_AUDIENCE"
    ),
    "reuse_tokens": _REUSE_TOKENS,
    **_TUNNEL,
    "public_url": _url(
        "--public-url",
        "An existing public HTTPS URL for LibreChat.",
        "URL",
        "LIBRECHAT_AUTH0_PUBLIC_URL",
    ),
    **_WHO,
    "port": _PORT,
    "env_file": _ENV_FILE,
    "offline": _mode("--offline", "Do not check the values against the tenant."),
    "verify": _mode("--verify", "Test a real sign-in at the end, without asking."),
    "demo": _mode("--demo", "Try it with a demo tenant on this machine."),
    "hold": _mode("--hold", "With --demo: keep the tenant and the tunnel open."),
    "force": _mode("--force", "Write despite a failed check; undo despite later edits."),
    "undo": _mode("--undo", "Restore the .env from before the last change."),
    **_CONSENT,
    "format": _output(
        "--format",
        f"Write the values in this form instead of the .env: {', '.join(FORMATS)}.",
        "FORMAT",
        callback=_one_of(FORMATS),
    ),
    "output": _output(
        "--output",
        "The file for --format, readable by you alone; - is standard output.",
        "FILE",
        callback=_not_beside_json,
    ),
}
INIT_FLAGS = {"no_open": _mode("--no-open", "Do not use browser or clipboard."), **COMMON}
REOPEN = {
    **_TUNNEL,
    "port": _PORT,
    "env_file": _ENV_FILE,
    "detach": _mode("--detach -d", "Keep it open in the background."),
    **_CONSENT,
}
STOP = {
    "env_file": _ENV_FILE,
    "every": _option("--all", "All tunnels in the background, not only this .env's."),
}
DOCTOR = {
    "env_file": _ENV_FILE,
    "rules": _option(
        "--rule",
        "Check only this rule; repeatable.",
        "LA…",
        autocompletion=_rule_ids,
        kind=_SEVERAL,
    ),
    "ignore": _option(
        "--ignore", "Skip this rule; repeatable.", "LA…", autocompletion=_rule_ids, kind=_SEVERAL
    ),
    "show": _option(
        "--show",
        "Show what LibreChat gets for NAME (default: all) and where it is set; repeatable.",
        "[NAME]",
        autocompletion=_variables,
        kind=_SEVERAL,
    ),
    "fix": _mode("--fix", "Apply safe fixes after showing a diff."),
    "verbose": _output("--verbose -v", "Show every check, and every finding in full."),
    "offline": _OFFLINE,
    **_CONSENT,
}
VERIFY = {
    "env_file": _ENV_FILE,
    "port": _url(
        "--port",
        f"LibreChat's port; by default that of the .env, or {LIBRECHAT_PORT}.",
        "PORT",
        "LIBRECHAT_AUTH0_PORT",
    ),
    "tunnel": _tunnel(
        "Tunnel to open if the public URL does not respond; the last one by default."
    ),
    "seconds": _mode(
        "--timeout",
        "Seconds to wait for the sign-in; 600 by default.",
        "SECONDS",
        min=1,
        kind=float,
    ),
}
VERIFY_FLAGS = {"no_open": _mode("--no-open", "Show the link; do not open the browser."), **COMMON}
PROVISION = {
    "domain": _DOMAIN,
    "tenant_domain": _auth0(
        "--tenant-domain",
        "The tenant's own domain, if --domain is a custom domain.",
        "DOMAIN",
        "AUTH0_TENANT_DOMAIN",
    ),
    "client_id": _auth0(
        "--client-id",
        "Client ID of the application to repair; by default found by its name.",
        "ID",
        "AUTH0_CLIENT_ID",
    ),
    "name": _auth0(
        "--name",
        "Name of the application, which is created if missing; LibreChat by default.",
        "NAME",
    ),
    "audience": _auth0(
        "--audience", "API identifier; the API is created if missing.", "API", "AUTH0_AUDIENCE"
    ),
    "public_url": _url(
        "--public-url", "Where browsers reach LibreChat.", "URL", "LIBRECHAT_AUTH0_PUBLIC_URL"
    ),
    "management_token_file": _auth0(
        "--management-token-file",
        "File with a Management API token, - for standard input; or set"
        " AUTH0_MANAGEMENT_TOKEN, or AUTH0_MANAGEMENT_CLIENT_ID and _CLIENT_SECRET.",
        "PATH",
    ),
    "reuse_tokens": _REUSE_TOKENS,
    **_WHO,
    "remove_access": _mode(
        "--remove-access", "Revert what --allow-… and --admin changed in Auth0; keep users."
    ),
    "prune": _mode("--prune", "Remove URLs and grants that LibreChat does not need."),
    "env_file": _ENV_FILE,
    **_CONSENT,
}
TRUST = {
    "remove": _option("--remove", "Remove the CA from the trust stores."),
    "ca_file": _option(
        "--ca", "Certificate of another CA (PEM), such as Caddy's.", "PATH", kind=_PATH
    ),
    **_CONSENT,
}
EXPLAIN = {
    "text": Annotated[
        list[str] | None,
        typer.Argument(
            help="A rule such as LA101, words, or an error message. Without it: all rules.",
            autocompletion=_rule_ids,
            metavar="[RULE|TEXT]",
        ),
    ]
}
REPORT = {"env_file": _ENV_FILE, "offline": _OFFLINE}
Words = Annotated[list[str] | None, typer.Argument(help="A command.", metavar="[COMMAND]")]
