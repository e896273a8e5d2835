"""Every option of the command line, once."""

# No `from __future__ import annotations` here or in `wizard.cli`: Typer would evaluate each
# annotation anew, three times over, whatever command is run.

from pathlib import Path
from typing import Annotated

import typer

from wizard.defaults import LANGUAGES, LIBRECHAT_PORT, TUNNELS


def _known_language(name: str) -> str:
    if name and name not in LANGUAGES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(LANGUAGES)}")
    return name


def _rule_ids() -> list[str]:
    from wizard.rules import all_rules

    return [*all_rules()]


def _show_version(wanted: bool) -> None:
    if wanted:
        from wizard import __version__

        typer.echo(f"librechat-auth0 {__version__}")
        raise typer.Exit


# What every command has.
Lang = Annotated[
    str,
    typer.Option(
        "--lang",
        envvar="LIBRECHAT_AUTH0_LANG",
        metavar="|".join(LANGUAGES),
        autocompletion=lambda: [*LANGUAGES],
        help="The language; else the locale's.",
        callback=_known_language,
    ),
]
Plain = Annotated[
    bool,
    typer.Option(
        "--plain",
        envvar="LIBRECHAT_AUTH0_PLAIN",
        help="Plain lines, nothing drawn: for screen readers.",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when something breaks.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Version = Annotated[
    bool,
    typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
]

# What several have.
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; go ahead.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Ask neither the tenant nor the running LibreChat.")
]
EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file", help="The .env; its folder is the LibreChat folder.", metavar="PATH"
    ),
]
Domain = Annotated[
    str, typer.Option(envvar="AUTH0_DOMAIN", help="dev-abc123.us.auth0.com or a custom domain.")
]
Port = Annotated[
    str, typer.Option(envvar="LIBRECHAT_AUTH0_PORT", help=f"LibreChat's port, {LIBRECHAT_PORT}.")
]
NgrokDomain = Annotated[
    str,
    typer.Option(envvar="LIBRECHAT_AUTH0_NGROK_DOMAIN", help="Your ngrok account's own domain."),
]
Subdomain = Annotated[
    str,
    typer.Option(
        "--subdomain",
        envvar="LIBRECHAT_AUTH0_SUBDOMAIN",
        help="The name to ask localtunnel for.",
        metavar="NAME",
    ),
]

# init
ClientId = Annotated[
    str, typer.Option(envvar="AUTH0_CLIENT_ID", help="The application's Client ID.")
]
ClientSecretFile = Annotated[
    str,
    typer.Option(
        help="A file with the Client Secret, - for standard input; or set AUTH0_CLIENT_SECRET.",
        metavar="PATH",
    ),
]
PublicClient = Annotated[
    bool, typer.Option("--public-client", help="The application has no secret (SPA, Native).")
]
Audience = Annotated[
    str, typer.Option(envvar="AUTH0_AUDIENCE", help="API identifier(s), comma-separated.")
]
ReuseTokens = Annotated[
    bool | None,
    typer.Option(
        "--reuse-tokens/--no-reuse-tokens",
        help="Sessions on Auth0's tokens; without it no API identifier is needed."
        " Default: on where this LibreChat can do it (0.8.0 and later).",
    ),
]
InitTunnel = Annotated[
    str,
    typer.Option(
        envvar="LIBRECHAT_AUTH0_TUNNEL",
        help=f"{', '.join(TUNNELS)} or none.",
        autocompletion=lambda: [*TUNNELS, "none"],
    ),
]
PublicUrl = Annotated[
    str,
    typer.Option(envvar="LIBRECHAT_AUTH0_PUBLIC_URL", help="An HTTPS URL that leads here already."),
]
InitOffline = Annotated[
    bool, typer.Option("--offline", help="Do not check the values against the tenant.")
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Prove a real sign-in at the end, without asking.")
]
DemoFlag = Annotated[
    bool, typer.Option("--demo", help="Show the whole of it with a tenant on this machine.")
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Write even though a check found an error; undo even though the .env was edited.",
    ),
]
Undo = Annotated[
    bool, typer.Option("--undo", help="Bring the .env back as it was before the last change.")
]
NoOpen = Annotated[bool, typer.Option("--no-open", help="Leave browser and clipboard alone.")]

# verify
EnvPort = Annotated[
    str,
    typer.Option(
        envvar="LIBRECHAT_AUTH0_PORT",
        help=f"LibreChat's port; that of the .env, or {LIBRECHAT_PORT}.",
    ),
]
VerifyTunnel = Annotated[
    str,
    typer.Option(
        envvar="LIBRECHAT_AUTH0_TUNNEL",
        help="What to open if the public URL leads nowhere; as last time, or by the URL.",
        autocompletion=lambda: [*TUNNELS],
    ),
]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for the sign-in.", min=1)]
ShowLink = Annotated[
    bool, typer.Option("--no-open", help="Show the link; do not open the browser.")
]

# tunnel
OpenTunnel = Annotated[
    str,
    typer.Option(
        envvar="LIBRECHAT_AUTH0_TUNNEL",
        help=f"{', '.join(TUNNELS)}, or none to keep the URL of the .env.",
        autocompletion=lambda: [*TUNNELS, "none"],
    ),
]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Leave it open in the background.")]
Every = Annotated[
    bool, typer.Option("--all", help="Every tunnel in the background, not only this .env's.")
]

# trust
Remove = Annotated[bool, typer.Option("--remove", help="Have it forgotten again.")]
CaFile = Annotated[
    Path | None,
    typer.Option(
        "--ca", help="Another authority's certificate (PEM), such as Caddy's.", metavar="PATH"
    ),
]

# doctor and explain
OnlyRules = Annotated[
    list[str] | None,
    typer.Option("--rule", help="Only this rule; may be repeated.", metavar="LA…"),
]
IgnoredRules = Annotated[
    list[str] | None,
    typer.Option("--ignore", help="All but this rule; may be repeated.", metavar="LA…"),
]
Fix = Annotated[
    bool, typer.Option("--fix", help="Mend what is safe to mend, after a look at the changes.")
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Show every check, and every finding in full."),
]
RuleId = Annotated[
    str,
    typer.Argument(help="Such as LA101; without it all are listed.", autocompletion=_rule_ids),
]

# provision
TenantDomain = Annotated[
    str,
    typer.Option(
        envvar="AUTH0_TENANT_DOMAIN", help="With a custom domain: the tenant's own domain."
    ),
]
KnownClientId = Annotated[
    str,
    typer.Option(
        envvar="AUTH0_CLIENT_ID", help="Of an application to mend; else found by its name."
    ),
]
ApplicationName = Annotated[
    str, typer.Option("--name", help="The application's name; made if there is none.")
]
WantedAudience = Annotated[
    str, typer.Option(envvar="AUTH0_AUDIENCE", help="API identifier; made if there is none.")
]
LibreChatUrl = Annotated[
    str, typer.Option(envvar="LIBRECHAT_AUTH0_PUBLIC_URL", help="Where browsers reach LibreChat.")
]
ManagementTokenFile = Annotated[
    str,
    typer.Option(
        help="A file with a Management API token, - for standard input; or set"
        " AUTH0_MANAGEMENT_TOKEN, or AUTH0_MANAGEMENT_CLIENT_ID and _CLIENT_SECRET.",
        metavar="PATH",
    ),
]
WithApi = Annotated[
    bool | None,
    typer.Option(
        "--reuse-tokens/--no-reuse-tokens",
        help="Sessions on Auth0's tokens; without it no API is needed."
        " Default: on where this LibreChat can do it (0.8.0 and later).",
    ),
]
Prune = Annotated[
    bool, typer.Option("--prune", help="Take away URLs and grants that LibreChat does not need.")
]
