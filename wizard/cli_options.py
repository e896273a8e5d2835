"""Every option of the command line, once."""

# No `from __future__ import annotations` here or in `wizard.cli`: Typer would evaluate each
# annotation three times.

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


def _option(
    names: str, text: str, value: str = "TEXT", variable: str | None = None, **more: Any
) -> Any:
    """An option; the help calls its value `value`, the environment variable may replace it."""
    return typer.Option(*names.split(), help=text, metavar=value, envvar=variable, **more)


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


# What every command has.
Lang = Annotated[
    str,
    _output(
        "--lang",
        "Language; the locale's by default.",
        "|".join(LANGUAGES),
        "LIBRECHAT_AUTH0_LANG",
        autocompletion=lambda: [*LANGUAGES],
        callback=_one_of(LANGUAGES),
    ),
]
Plain = Annotated[
    bool,
    _output(
        "--plain",
        "Plain lines without symbols or drawing, for screen readers.",
        "",
        "LIBRECHAT_AUTH0_PLAIN",
    ),
]
Debug = Annotated[bool, _output("--debug", "Show a traceback on an error.")]
Quiet = Annotated[bool, _output("--quiet -q", "Print problems only.")]
Json = Annotated[
    bool, _output("--json", "Print one JSON object on standard output.", is_eager=True)
]
COMMON = {"json": Json, "quiet": Quiet, "lang": Lang, "plain": Plain, "debug": Debug}
Version = Annotated[
    bool, _option("--version -V", "Show the version.", is_eager=True, callback=_show_version)
]

# What several have.
Yes = Annotated[bool, _mode("--yes -y", "Do not ask; go ahead.")]
DryRun = Annotated[bool, _mode("--dry-run", "Show what would change; write nothing.")]
Offline = Annotated[bool, _mode("--offline", "Contact neither Auth0 nor the running LibreChat.")]
EnvFile = Annotated[
    Path | None, _option("--env-file", "The .env; its folder is the LibreChat folder.", "PATH")
]
Domain = Annotated[
    str,
    _auth0(
        "--domain",
        "Domain of the tenant, dev-abc123.us.auth0.com, or its custom domain.",
        "DOMAIN",
        "AUTH0_DOMAIN",
    ),
]
Port = Annotated[
    str,
    _url(
        "--port", f"LibreChat's port; {LIBRECHAT_PORT} by default.", "PORT", "LIBRECHAT_AUTH0_PORT"
    ),
]
LocalPort = Annotated[
    str,
    _url(
        "--local-port",
        "Port of the local tunnel; 3443 by default, or the next free one.",
        "PORT",
        "LIBRECHAT_AUTH0_LOCAL_PORT",
    ),
]
NgrokDomain = Annotated[
    str,
    _url(
        "--ngrok-domain",
        "Your ngrok account's own domain.",
        "DOMAIN",
        "LIBRECHAT_AUTH0_NGROK_DOMAIN",
    ),
]
Subdomain = Annotated[
    str,
    _url(
        "--subdomain", "The name to request from localtunnel.", "NAME", "LIBRECHAT_AUTH0_SUBDOMAIN"
    ),
]
Audience = Annotated[
    str,
    _auth0("--audience", "API identifier; several separated by commas.", "API", "AUTH0_AUDIENCE"),
]
ReuseTokens = Annotated[
    bool | None,
    _auth0(
        "--reuse-tokens/--no-reuse-tokens",
        "Use Auth0's tokens for LibreChat's sessions; this needs an API."
        " By default on where LibreChat supports it (0.8.0 and later).",
    ),
]
TunnelOrNone = Annotated[str, _tunnel(f"{', '.join(TUNNELS)}, or none to keep the URL.", "none")]

# init
ClientId = Annotated[
    str, _auth0("--client-id", "Client ID of the application.", "ID", "AUTH0_CLIENT_ID")
]
ClientSecretFile = Annotated[
    str,
    _auth0(
        "--client-secret-file",
        "File with the Client Secret, - for standard input; or set AUTH0_CLIENT_SECRET.",
        "PATH",
    ),
]
PublicClient = Annotated[
    bool, _auth0("--public-client", "The application has no secret (SPA, Native).")
]
PublicUrl = Annotated[
    str,
    _url(
        "--public-url",
        "An existing public HTTPS URL for LibreChat.",
        "URL",
        "LIBRECHAT_AUTH0_PUBLIC_URL",
    ),
]
InitOffline = Annotated[bool, _mode("--offline", "Do not check the values against the tenant.")]
Verify = Annotated[bool, _mode("--verify", "Test a real sign-in at the end, without asking.")]
DemoFlag = Annotated[bool, _mode("--demo", "Try it with a demo tenant on this machine.")]
Hold = Annotated[bool, _mode("--hold", "With --demo: keep the tenant and the tunnel open.")]
Force = Annotated[bool, _mode("--force", "Write despite a failed check; undo despite later edits.")]
AllowUser = Annotated[
    list[str] | None,
    _auth0("--allow-user", "Only these people may sign in (email address); repeatable.", "EMAIL"),
]
AllowDomain = Annotated[
    list[str] | None,
    _auth0("--allow-domain", "Only addresses at this domain may sign in; repeatable.", "DOMAIN"),
]
AllowAnybody = Annotated[
    bool, _auth0("--allow-anybody", "Anybody may sign in, strangers too.", None)
]
Admin = Annotated[
    list[str] | None,
    _auth0("--admin", "Administrator of LibreChat (email address); repeatable.", "EMAIL"),
]
Undo = Annotated[bool, _mode("--undo", "Restore the .env from before the last change.")]
Format = Annotated[
    str,
    _output(
        "--format",
        f"Write the values in this form instead of the .env: {', '.join(FORMATS)}.",
        "FORMAT",
        callback=_one_of(FORMATS),
    ),
]
OutputFile = Annotated[
    str,
    _output(
        "--output",
        "The file for --format, readable by you alone; - is standard output.",
        "FILE",
        callback=_not_beside_json,
    ),
]
NoOpen = Annotated[bool, _mode("--no-open", "Do not use browser or clipboard.")]

# verify
EnvPort = Annotated[
    str,
    _url(
        "--port",
        f"LibreChat's port; by default that of the .env, or {LIBRECHAT_PORT}.",
        "PORT",
        "LIBRECHAT_AUTH0_PORT",
    ),
]
VerifyTunnel = Annotated[
    str, _tunnel("Tunnel to open if the public URL does not respond; the last one by default.")
]
Timeout = Annotated[
    float, _mode("--timeout", "Seconds to wait for the sign-in; 600 by default.", "SECONDS", min=1)
]
ShowLink = Annotated[bool, _mode("--no-open", "Show the link; do not open the browser.")]

# tunnel
Detach = Annotated[bool, _mode("--detach -d", "Keep it open in the background.")]
Every = Annotated[bool, _option("--all", "All tunnels in the background, not only this .env's.")]

# trust
Remove = Annotated[bool, _option("--remove", "Remove the CA from the trust stores.")]
CaFile = Annotated[
    Path | None, _option("--ca", "Certificate of another CA (PEM), such as Caddy's.", "PATH")
]

# doctor, explain, help
OnlyRules = Annotated[
    list[str] | None,
    _option("--rule", "Check only this rule; repeatable.", "LA…", autocompletion=_rule_ids),
]
IgnoredRules = Annotated[
    list[str] | None,
    _option("--ignore", "Skip this rule; repeatable.", "LA…", autocompletion=_rule_ids),
]
Show = Annotated[
    list[str] | None,
    _option(
        "--show",
        "Show what LibreChat gets for NAME (default: all) and where it is set; repeatable.",
        "[NAME]",
        autocompletion=_variables,
    ),
]
Fix = Annotated[bool, _mode("--fix", "Apply safe fixes after showing a diff.")]
Verbose = Annotated[bool, _output("--verbose -v", "Show every check, and every finding in full.")]
Question = Annotated[
    list[str] | None,
    typer.Argument(
        help="A rule such as LA101, words, or an error message. Without it: all rules.",
        autocompletion=_rule_ids,
        metavar="[RULE|TEXT]",
    ),
]
CommandWords = Annotated[list[str] | None, typer.Argument(help="A command.", metavar="[COMMAND]")]

# provision
TenantDomain = Annotated[
    str,
    _auth0(
        "--tenant-domain",
        "The tenant's own domain, if --domain is a custom domain.",
        "DOMAIN",
        "AUTH0_TENANT_DOMAIN",
    ),
]
KnownClientId = Annotated[
    str,
    _auth0(
        "--client-id",
        "Client ID of the application to repair; by default found by its name.",
        "ID",
        "AUTH0_CLIENT_ID",
    ),
]
ApplicationName = Annotated[
    str,
    _auth0(
        "--name",
        "Name of the application, which is created if missing; LibreChat by default.",
        "NAME",
    ),
]
WantedAudience = Annotated[
    str,
    _auth0("--audience", "API identifier; the API is created if missing.", "API", "AUTH0_AUDIENCE"),
]
LibreChatUrl = Annotated[
    str,
    _url("--public-url", "Where browsers reach LibreChat.", "URL", "LIBRECHAT_AUTH0_PUBLIC_URL"),
]
ManagementTokenFile = Annotated[
    str,
    _auth0(
        "--management-token-file",
        "File with a Management API token, - for standard input; or set"
        " AUTH0_MANAGEMENT_TOKEN, or AUTH0_MANAGEMENT_CLIENT_ID and _CLIENT_SECRET.",
        "PATH",
    ),
]
Prune = Annotated[bool, _mode("--prune", "Remove URLs and grants that LibreChat does not need.")]
RemoveAccess = Annotated[
    bool,
    _mode("--remove-access", "Take back what --allow-… and --admin changed in Auth0; keep users."),
]
