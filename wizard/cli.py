"""The command line: options in, exit codes out; what a command does is in `wizard.commands`."""

# No `from __future__ import annotations` here: Typer would evaluate each annotation anew, three
# times over, whatever command is run.

import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wizard.defaults import ENGLISH, LANGUAGES, LIBRECHAT_PORT, SECONDS_TO_SIGN_IN, TUNNELS
from wizard.language import user_language

if TYPE_CHECKING:
    from wizard.execution import Flags

app = typer.Typer(
    name="librechat-auth0",
    help="From a fresh LibreChat checkout to a working “Continue with Auth0”.",
    epilog="Exit codes: 0 done, 1 a check found an error, 2 wrong usage, 3 tenant not reached,"
    " 4 tunnel not opened, 5 file not read or written, 70 a bug, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode=None,  # half the time of rich help, and kinder to screen readers
    pretty_exceptions_enable=False,  # tracebacks only under --debug, never with local variables
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _known_language(name: str) -> str:
    if name and name not in LANGUAGES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(LANGUAGES)}")
    return name


def _rule_ids() -> list[str]:
    from wizard.rules import all_rules

    return [*all_rules()]


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
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; go ahead.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")]
EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file", help="The .env; its folder is the LibreChat folder.", metavar="PATH"
    ),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Ask neither the tenant nor the running LibreChat.")
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


def _show_version(wanted: bool) -> None:
    if wanted:
        from wizard import __version__

        typer.echo(f"librechat-auth0 {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    lang: Lang = "",
    plain: Plain = False,
    debug: Debug = False,
    quiet: Quiet = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    context.obj = {**(context.obj or {}), "plain": plain, "debug": debug, "quiet": quiet}


def _tunnel_of_name(ngrok_domain: str, subdomain: str) -> str:
    """The tunnel that a wished name is for."""
    if ngrok_domain:
        return "ngrok"
    return "localtunnel" if subdomain else ""


def _flags(context: typer.Context) -> "Flags":
    """The common options, given before or behind the command's name."""
    from dataclasses import fields

    from wizard.execution import Flags

    given = {**context.obj, **{name: on for name, on in context.params.items() if on}}
    return Flags(
        **{field.name: given[field.name] for field in fields(Flags) if field.name in given}
    )


@app.command("init")
def _init(
    context: typer.Context,
    domain: Domain = "",
    client_id: Annotated[
        str, typer.Option(envvar="AUTH0_CLIENT_ID", help="The application's Client ID.")
    ] = "",
    client_secret_file: Annotated[
        str,
        typer.Option(
            help="A file with the Client Secret, - for standard input; or set AUTH0_CLIENT_SECRET.",
            metavar="PATH",
        ),
    ] = "",
    public_client: Annotated[
        bool, typer.Option("--public-client", help="The application has no secret (SPA, Native).")
    ] = False,
    audience: Annotated[
        str, typer.Option(envvar="AUTH0_AUDIENCE", help="API identifier(s), comma-separated.")
    ] = "",
    reuse_tokens: Annotated[
        bool,
        typer.Option(
            "--reuse-tokens/--no-reuse-tokens",
            help="Sessions on Auth0's tokens; without it no API identifier is needed.",
        ),
    ] = True,
    tunnel: Annotated[
        str,
        typer.Option(
            envvar="LIBRECHAT_AUTH0_TUNNEL",
            help=f"{', '.join(TUNNELS)} or none.",
            autocompletion=lambda: [*TUNNELS, "none"],
        ),
    ] = "",
    ngrok_domain: NgrokDomain = "",
    subdomain: Subdomain = "",
    public_url: Annotated[
        str,
        typer.Option(
            envvar="LIBRECHAT_AUTH0_PUBLIC_URL", help="An HTTPS URL that leads here already."
        ),
    ] = "",
    port: Port = "",
    env_file: EnvFile = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not check the values against the tenant.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Prove a real sign-in at the end, without asking.")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Show the whole of it with a tenant on this machine.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Write even though a check found an error; undo even though the .env was edited.",
        ),
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Bring the .env back as it was before the last change.")
    ] = False,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Leave browser and clipboard alone.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
    plain: Plain = False,
    debug: Debug = False,
) -> None:
    """From a LibreChat folder to a complete .env and a tunnel."""
    from wizard.commands.init import run_init
    from wizard.commands.init_options import InitOptions
    from wizard.execution import execute

    if undo:
        from wizard.commands.undo import run_undo

        execute(
            "init",
            _flags(context),
            lambda ports, _: run_undo(env_file, ports, yes=yes, force=force),
        )
    options = InitOptions(
        domain=domain,
        client_id=client_id,
        client_secret=os.environ.get("AUTH0_CLIENT_SECRET", ""),
        client_secret_file=client_secret_file,
        audience=audience,
        tunnel=tunnel or _tunnel_of_name(ngrok_domain, subdomain),
        public_url=public_url,
        requested_url=ngrok_domain or subdomain,
        port=port,
        env_file=env_file,
        reuse_tokens=reuse_tokens,
        public_client=public_client,
        offline=offline,
        force=force,
        verify=verify,
        yes=yes,
        dry_run=dry_run,
    )
    if demo:
        from wizard.commands.demo import run_demo

        execute("init", _flags(context), lambda ports, report: run_demo(options, ports, report))
    execute("init", _flags(context), lambda ports, report: run_init(options, ports, report))


@app.command("verify")
def _verify(
    context: typer.Context,
    env_file: EnvFile = None,
    port: Annotated[
        str,
        typer.Option(
            envvar="LIBRECHAT_AUTH0_PORT",
            help=f"LibreChat's port; that of the .env, or {LIBRECHAT_PORT}.",
        ),
    ] = "",
    tunnel: Annotated[
        str,
        typer.Option(
            envvar="LIBRECHAT_AUTH0_TUNNEL",
            help="What to open if the public URL leads nowhere; guessed from the URL.",
            autocompletion=lambda: [*TUNNELS],
        ),
    ] = "",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the sign-in.", min=1)] = (
        SECONDS_TO_SIGN_IN
    ),
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Show the link; do not open the browser.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
    plain: Plain = False,
    debug: Debug = False,
) -> None:
    """Prove the .env by a real sign-in, judged as by LibreChat."""
    from wizard.commands.verify import VerifyOptions, run_verify
    from wizard.execution import execute

    options = VerifyOptions(env_file=env_file, port=port, tunnel=tunnel, seconds=timeout)
    execute("verify", _flags(context), lambda ports, _: run_verify(options, ports))


tunnel_app = typer.Typer(invoke_without_command=True)
app.add_typer(tunnel_app, name="tunnel")


@tunnel_app.callback()
def _tunnel(
    context: typer.Context,
    tunnel: Annotated[
        str,
        typer.Option(
            envvar="LIBRECHAT_AUTH0_TUNNEL",
            help=f"{', '.join(TUNNELS)}.",
            autocompletion=lambda: [*TUNNELS],
        ),
    ] = "",
    ngrok_domain: NgrokDomain = "",
    subdomain: Subdomain = "",
    port: Port = "",
    env_file: EnvFile = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Leave it open in the background.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
    plain: Plain = False,
    debug: Debug = False,
) -> None:
    """Open the tunnel again and bring the .env up to date."""
    if context.invoked_subcommand is not None:
        return
    from wizard.commands.tunnel import ReopenOptions, run_tunnel
    from wizard.execution import execute

    options = ReopenOptions(
        tunnel=tunnel or _tunnel_of_name(ngrok_domain, subdomain),
        requested_url=ngrok_domain or subdomain,
        port=port,
        env_file=env_file,
        detach=detach,
        yes=yes,
        dry_run=dry_run,
    )
    execute("tunnel", _flags(context), lambda ports, report: run_tunnel(options, ports, report))


@tunnel_app.command("status")
def _tunnel_status(
    context: typer.Context,
    json: Json = False,
    lang: Lang = "",
    plain: Plain = False,
    debug: Debug = False,
) -> None:
    """Which tunnels are open in the background."""
    from wizard.commands.background_tunnels import run_status
    from wizard.execution import execute

    execute("tunnel status", _flags(context), lambda ports, _: run_status(ports))


@tunnel_app.command("stop")
def _tunnel_stop(
    context: typer.Context,
    env_file: EnvFile = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every tunnel in the background, not only this .env's.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
    plain: Plain = False,
    debug: Debug = False,
) -> None:
    """Close the tunnel that is open in the background."""
    from wizard.commands.background_tunnels import run_stop
    from wizard.execution import execute

    execute("tunnel stop", _flags(context), lambda ports, _: run_stop(env_file, ports, every=every))


@app.command("trust")
def _trust(
    context: typer.Context,
    remove: Annotated[bool, typer.Option("--remove", help="Have it forgotten again.")] = False,
    ca: Annotated[
        Path | None,
        typer.Option(
            "--ca", help="Another authority's certificate (PEM), such as Caddy's.", metavar="PATH"
        ),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
    plain: Plain = False,
    debug: Debug = False,
) -> None:
    """Have browsers trust the certificates of the local tunnel."""
    from wizard.commands.trust import TrustOptions, run_trust
    from wizard.execution import execute

    options = TrustOptions(remove=remove, ca_file=ca, yes=yes, dry_run=dry_run)
    execute("trust", _flags(context), lambda ports, _: run_trust(options, ports))


@app.command("doctor")
def _doctor(
    context: typer.Context,
    env_file: EnvFile = None,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", help="Only this rule; may be repeated.", metavar="LA…"),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", help="All but this rule; may be repeated.", metavar="LA…"),
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what is safe to mend, after a look at the changes.")
    ] = False,
    offline: Offline = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
    plain: Plain = False,
    debug: Debug = False,
) -> None:
    """Why the sign-in does not work, and what to mend first."""
    from wizard.commands.doctor import DoctorOptions, run_doctor
    from wizard.execution import execute

    options = DoctorOptions(
        env_file=env_file,
        rules=tuple(rule or ()),
        ignore=tuple(ignore or ()),
        offline=offline,
        fix=fix,
        yes=yes,
        dry_run=dry_run,
    )
    execute("doctor", _flags(context), lambda ports, _: run_doctor(options, ports))


@app.command("explain")
def _explain(
    context: typer.Context,
    rule: Annotated[
        str,
        typer.Argument(help="Such as LA101; without it all are listed.", autocompletion=_rule_ids),
    ] = "",
    json: Json = False,
    lang: Lang = "",
    plain: Plain = False,
    debug: Debug = False,
) -> None:
    """What a rule means, why it matters and how to mend it."""
    from wizard.commands.explain import run_explain
    from wizard.execution import execute

    execute("explain", _flags(context), lambda ports, _: run_explain(rule, ports, as_json=json))


@app.command("report")
def _report(
    context: typer.Context,
    env_file: EnvFile = None,
    offline: Offline = False,
    json: Json = False,
    lang: Lang = "",
    plain: Plain = False,
    debug: Debug = False,
) -> None:
    """One text without secrets, to paste into a bug report."""
    from wizard.commands.report import run_report
    from wizard.execution import execute

    execute(
        "report",
        _flags(context),
        lambda ports, _: run_report(env_file, ports, offline=offline, as_json=json),
    )


@app.command("provision")
def _provision(
    context: typer.Context,
    domain: Domain = "",
    tenant_domain: Annotated[
        str,
        typer.Option(
            envvar="AUTH0_TENANT_DOMAIN", help="With a custom domain: the tenant's own domain."
        ),
    ] = "",
    client_id: Annotated[
        str,
        typer.Option(
            envvar="AUTH0_CLIENT_ID", help="Of an application to mend; else found by its name."
        ),
    ] = "",
    name: Annotated[
        str, typer.Option("--name", help="The application's name; made if there is none.")
    ] = "LibreChat",
    audience: Annotated[
        str, typer.Option(envvar="AUTH0_AUDIENCE", help="API identifier; made if there is none.")
    ] = "",
    public_url: Annotated[
        str,
        typer.Option(envvar="LIBRECHAT_AUTH0_PUBLIC_URL", help="Where browsers reach LibreChat."),
    ] = "",
    management_token_file: Annotated[
        str,
        typer.Option(
            help="A file with a Management API token, - for standard input; or set"
            " AUTH0_MANAGEMENT_TOKEN, or AUTH0_MANAGEMENT_CLIENT_ID and _CLIENT_SECRET.",
            metavar="PATH",
        ),
    ] = "",
    reuse_tokens: Annotated[
        bool,
        typer.Option(
            "--reuse-tokens/--no-reuse-tokens",
            help="Sessions on Auth0's tokens; without it no API is needed.",
        ),
    ] = True,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Take away URLs and grants that LibreChat does not need."),
    ] = False,
    env_file: EnvFile = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    lang: Lang = "",
    plain: Plain = False,
    debug: Debug = False,
) -> None:
    """Make or mend the application and the API in Auth0."""
    from wizard.commands.provision import ProvisionOptions, run_provision
    from wizard.execution import execute

    options = ProvisionOptions(
        domain=domain,
        tenant_domain=tenant_domain,
        client_id=client_id,
        name=name,
        audience=audience,
        public_url=public_url,
        management_token_file=management_token_file,
        env_file=env_file,
        reuse_tokens=reuse_tokens,
        prune=prune,
        yes=yes,
        dry_run=dry_run,
    )
    execute("provision", _flags(context), lambda ports, _: run_provision(options, ports))


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        # Windows gives a redirected output an encoding that lacks characters.
        sys.stdout.reconfigure(errors="replace")
    if not any(name.endswith("_COMPLETE") for name in os.environ):
        _forget_other_commands(app, sys.argv[1:])
    language = user_language(_wanted_language(sys.argv[1:]), os.environ)
    if language.name == ENGLISH:
        app(obj={"language": language})
    from wizard.ui.usage import run

    run(app, language)


def _wanted_language(arguments: list[str]) -> str:
    """What `--lang` says wherever it stands, which help and usage errors must know beforehand."""
    name = os.environ.get("LIBRECHAT_AUTH0_LANG", "")
    for index, word in enumerate(arguments):
        if word == "--lang":
            name = "".join(arguments[index + 1 : index + 2])
        elif word.startswith("--lang="):
            name = word.removeprefix("--lang=")
    return name if name in LANGUAGES else ""


def _forget_other_commands(app: typer.Typer, arguments: list[str]) -> None:
    """Keep no more than name and help of the commands that are not called.

    Their hundred options would be built at every start, for a tenth of the time of `--help`.
    """
    names = {command.name for command in app.registered_commands}
    names |= {group.name for group in app.registered_groups}
    called = next((word for word in arguments if word in names), "")
    for command in app.registered_commands:
        if command.name != called:
            command.callback = _only_help(command.callback)
    for group in app.registered_groups:
        if (
            group.name != called
            and group.typer_instance
            and group.typer_instance.registered_callback
        ):
            group.help = (group.typer_instance.registered_callback.callback.__doc__ or "").strip()
            group.typer_instance = typer.Typer(callback=lambda: None)


def _only_help(command: Callable[..., None] | None) -> Callable[[], None]:
    def shown() -> None: ...

    shown.__doc__ = command.__doc__
    return shown
