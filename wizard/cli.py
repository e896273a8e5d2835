"""The command line: parses options and runs the functions of `wizard.commands`."""

import inspect
import os
import sys
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar, cast

import typer

from wizard import cli_options as opt
from wizard.defaults import LANGUAGES, SECONDS_TO_SIGN_IN
from wizard.language import user_language
from wizard.ui.help import PROGRAM, Command, Group

if TYPE_CHECKING:
    from wizard.execution import Flags

Function = TypeVar("Function", bound=Callable[..., None])

app = typer.Typer(
    name=PROGRAM,
    help="Set up “Continue with Auth0” for LibreChat.",
    cls=Group,
    invoke_without_command=True,
    rich_markup_mode=None,  # half the time of rich help, and better for screen readers
    pretty_exceptions_enable=False,  # tracebacks only under --debug, never with local variables
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
# The options of every command.
_COMMON = {
    "json": opt.Json,
    "quiet": opt.Quiet,
    "lang": opt.Lang,
    "plain": opt.Plain,
    "debug": opt.Debug,
}


def _with_common_options(function: Function) -> Function:
    """Add the common options to the signature; they are read from the context."""
    own = inspect.signature(function).parameters
    added = [name for name in _COMMON if name not in own]

    @wraps(function)
    def run(**values: object) -> None:
        function(**{name: values[name] for name in own})

    parameters = [
        *own.values(),
        *(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default="" if name == "lang" else False,
                annotation=_COMMON[name],
            )
            for name in added
        ),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return cast("Function", run)


def _command(parent: typer.Typer, name: str) -> Callable[[Function], Function]:
    """Register the function as a command with the common options."""
    return lambda function: parent.command(name, cls=Command)(_with_common_options(function))


@app.callback()
def _common(
    context: typer.Context,
    lang: opt.Lang = "",
    plain: opt.Plain = False,
    debug: opt.Debug = False,
    quiet: opt.Quiet = False,
    version: opt.Version = False,
) -> None:
    context.obj = {**(context.obj or {}), "plain": plain, "debug": debug, "quiet": quiet}
    if context.invoked_subcommand is None:
        from wizard.commands.welcome import run_welcome
        from wizard.execution import execute

        execute("", _flags(context), lambda ports, _: run_welcome(ports))


def _tunnel_of_name(ngrok_domain: str, subdomain: str, local_port: str) -> str:
    """Return the tunnel of a requested name or port."""
    if ngrok_domain:
        return "ngrok"
    if subdomain:
        return "localtunnel"
    return "local" if local_port else ""


def _local_url(port: str) -> str:
    return f"https://localhost:{port}" if port else ""


def _flags(context: typer.Context) -> "Flags":
    """Return the common options, from before or after the command's name."""
    from dataclasses import fields

    from wizard.execution import Flags

    given = {**context.obj, **{name: on for name, on in context.params.items() if on}}
    return Flags(
        **{field.name: given[field.name] for field in fields(Flags) if field.name in given}
    )


@_command(app, "init")
def _init(
    context: typer.Context,
    domain: opt.Domain = "",
    client_id: opt.ClientId = "",
    client_secret_file: opt.ClientSecretFile = "",
    public_client: opt.PublicClient = False,
    audience: opt.Audience = "",
    reuse_tokens: opt.ReuseTokens = None,
    tunnel: opt.TunnelOrNone = "",
    ngrok_domain: opt.NgrokDomain = "",
    subdomain: opt.Subdomain = "",
    local_port: opt.LocalPort = "",
    public_url: opt.PublicUrl = "",
    allow_user: opt.AllowUser = None,
    allow_domain: opt.AllowDomain = None,
    allow_anybody: opt.AllowAnybody = False,
    admin: opt.Admin = None,
    port: opt.Port = "",
    env_file: opt.EnvFile = None,
    offline: opt.InitOffline = False,
    verify: opt.Verify = False,
    demo: opt.DemoFlag = False,
    hold: opt.Hold = False,
    force: opt.Force = False,
    undo: opt.Undo = False,
    no_open: opt.NoOpen = False,
    yes: opt.Yes = False,
    dry_run: opt.DryRun = False,
    format_: opt.Format = "",
    output: opt.OutputFile = "",
) -> None:
    """Set up Auth0 sign-in for a LibreChat folder."""
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
    if output == "-" and _flags(context).json:
        raise typer.BadParameter("--output - and --json both print on standard output.")
    options = InitOptions(
        domain=domain,
        client_id=client_id,
        client_secret=os.environ.get("AUTH0_CLIENT_SECRET", ""),
        client_secret_file=client_secret_file,
        audience=audience,
        tunnel=tunnel or _tunnel_of_name(ngrok_domain, subdomain, local_port),
        public_url=public_url,
        requested_url=ngrok_domain or subdomain or _local_url(local_port),
        allow_users=tuple(allow_user or ()),
        allow_domains=tuple(allow_domain or ()),
        allow_anybody=allow_anybody,
        admins=tuple(admin or ()),
        port=port,
        env_file=env_file,
        reuse_tokens=reuse_tokens is not False,
        insists_on_reuse=reuse_tokens is True,
        public_client=public_client,
        offline=offline,
        force=force,
        verify=verify,
        yes=yes,
        dry_run=dry_run,
        format=format_,
        output=output,
    )
    if demo:
        from wizard.commands.demo import run_demo

        execute(
            "init",
            _flags(context),
            lambda ports, report: run_demo(options, ports, report, hold=hold),
        )
    execute("init", _flags(context), lambda ports, report: run_init(options, ports, report))


tunnel_app = typer.Typer(cls=Group, invoke_without_command=True)
app.add_typer(tunnel_app, name="tunnel")


@tunnel_app.callback()
@_with_common_options
def _tunnel(
    context: typer.Context,
    tunnel: opt.TunnelOrNone = "",
    ngrok_domain: opt.NgrokDomain = "",
    subdomain: opt.Subdomain = "",
    local_port: opt.LocalPort = "",
    port: opt.Port = "",
    env_file: opt.EnvFile = None,
    detach: opt.Detach = False,
    yes: opt.Yes = False,
    dry_run: opt.DryRun = False,
) -> None:
    """Open the tunnel again and update the .env."""
    if context.invoked_subcommand is not None:
        return
    from wizard.commands.tunnel import ReopenOptions, run_tunnel
    from wizard.execution import execute

    options = ReopenOptions(
        tunnel=tunnel or _tunnel_of_name(ngrok_domain, subdomain, local_port),
        requested_url=ngrok_domain or subdomain or _local_url(local_port),
        port=port,
        env_file=env_file,
        detach=detach,
        yes=yes,
        dry_run=dry_run,
    )
    execute("tunnel", _flags(context), lambda ports, report: run_tunnel(options, ports, report))


@_command(tunnel_app, "status")
def _tunnel_status(
    context: typer.Context,
) -> None:
    """List the tunnels in the background."""
    from wizard.commands.background.status import run_status
    from wizard.execution import execute

    execute("tunnel status", _flags(context), lambda ports, _: run_status(ports))


@_command(tunnel_app, "stop")
def _tunnel_stop(
    context: typer.Context,
    env_file: opt.EnvFile = None,
    every: opt.Every = False,
) -> None:
    """Close the tunnel in the background."""
    from wizard.commands.background.status import run_stop
    from wizard.execution import execute

    execute("tunnel stop", _flags(context), lambda ports, _: run_stop(env_file, ports, every=every))


@_command(app, "doctor")
def _doctor(
    context: typer.Context,
    env_file: opt.EnvFile = None,
    rule: opt.OnlyRules = None,
    ignore: opt.IgnoredRules = None,
    show: opt.Show = None,
    fix: opt.Fix = False,
    verbose: opt.Verbose = False,
    offline: opt.Offline = False,
    yes: opt.Yes = False,
    dry_run: opt.DryRun = False,
) -> None:
    """Diagnose the setup and suggest fixes."""
    from wizard.execution import execute

    if show:
        from wizard.commands.show import run_show

        names = tuple(show)
        execute("doctor", _flags(context), lambda ports, _: run_show(env_file, names, ports))
    from wizard.commands.doctor import DoctorOptions, run_doctor

    options = DoctorOptions(
        env_file=env_file,
        rules=tuple(rule or ()),
        ignore=tuple(ignore or ()),
        offline=offline,
        fix=fix,
        yes=yes,
        dry_run=dry_run,
        verbose=verbose,
    )
    execute("doctor", _flags(context), lambda ports, _: run_doctor(options, ports))


@_command(app, "verify")
def _verify(
    context: typer.Context,
    env_file: opt.EnvFile = None,
    port: opt.EnvPort = "",
    tunnel: opt.VerifyTunnel = "",
    timeout: opt.Timeout = SECONDS_TO_SIGN_IN,
    no_open: opt.ShowLink = False,
) -> None:
    """Test the configuration with a real sign-in."""
    from wizard.commands.verify import VerifyOptions, run_verify
    from wizard.execution import execute

    options = VerifyOptions(env_file=env_file, port=port, tunnel=tunnel, seconds=timeout)
    execute("verify", _flags(context), lambda ports, _: run_verify(options, ports))


@_command(app, "provision")
def _provision(
    context: typer.Context,
    domain: opt.Domain = "",
    tenant_domain: opt.TenantDomain = "",
    client_id: opt.KnownClientId = "",
    name: opt.ApplicationName = "LibreChat",
    audience: opt.WantedAudience = "",
    public_url: opt.LibreChatUrl = "",
    management_token_file: opt.ManagementTokenFile = "",
    reuse_tokens: opt.ReuseTokens = None,
    allow_user: opt.AllowUser = None,
    allow_domain: opt.AllowDomain = None,
    allow_anybody: opt.AllowAnybody = False,
    admin: opt.Admin = None,
    remove_access: opt.RemoveAccess = False,
    prune: opt.Prune = False,
    env_file: opt.EnvFile = None,
    yes: opt.Yes = False,
    dry_run: opt.DryRun = False,
) -> None:
    """Set up application and API in Auth0; decide who may sign in."""
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
        reuse_tokens=reuse_tokens is not False,
        insists_on_reuse=reuse_tokens is True,
        allow_users=tuple(allow_user or ()),
        allow_domains=tuple(allow_domain or ()),
        allow_anybody=allow_anybody,
        admins=tuple(admin or ()),
        remove_access=remove_access,
        prune=prune,
        yes=yes,
        dry_run=dry_run,
    )
    execute("provision", _flags(context), lambda ports, _: run_provision(options, ports))


@_command(app, "trust")
def _trust(
    context: typer.Context,
    remove: opt.Remove = False,
    ca: opt.CaFile = None,
    yes: opt.Yes = False,
    dry_run: opt.DryRun = False,
) -> None:
    """Trust the local tunnel's certificate authority."""
    from wizard.commands.trust import TrustOptions, run_trust
    from wizard.execution import execute

    options = TrustOptions(remove=remove, ca_file=ca, yes=yes, dry_run=dry_run)
    execute("trust", _flags(context), lambda ports, _: run_trust(options, ports))


@_command(app, "explain")
def _explain(
    context: typer.Context,
    text: opt.Question = None,
) -> None:
    """Explain a rule or an error message."""
    from wizard.commands.explain import run_explain
    from wizard.execution import execute

    question = " ".join(text or ())
    execute("explain", _flags(context), lambda ports, _: run_explain(question, ports))


@_command(app, "report")
def _report(
    context: typer.Context,
    env_file: opt.EnvFile = None,
    offline: opt.Offline = False,
) -> None:
    """Print a report without secrets, for a bug report."""
    from wizard.commands.report import run_report
    from wizard.execution import execute

    execute(
        "report", _flags(context), lambda ports, _: run_report(env_file, ports, offline=offline)
    )


@_command(app, "schema")
def _schema(context: typer.Context) -> None:
    """Print the JSON Schema of what --json prints."""
    from wizard.commands.schema import run_schema
    from wizard.execution import execute

    execute("schema", _flags(context), lambda ports, _: run_schema(ports))


@app.command("help", cls=Command)
def _help(context: typer.Context, command: opt.CommandWords = None) -> None:
    """Show the help of a command."""
    typer.main.get_command(app).main(
        [*(command or ()), "--help"], prog_name=PROGRAM, obj=context.obj
    )


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        # Windows gives redirected output an encoding that lacks characters.
        sys.stdout.reconfigure(errors="replace")
    language = user_language(_requested_language(sys.argv[1:]), os.environ)
    arguments = _with_names_to_show(sys.argv[1:])
    typer.main.get_command(app)(arguments, prog_name=PROGRAM, obj={"language": language})


def _with_names_to_show(arguments: list[str]) -> list[str]:
    """Give `--show` without a name the word for all of them."""
    return [
        "--show=all" if word == "--show" and after.startswith("-") else word
        for word, after in pairwise([*arguments, "-"])
    ]


def _requested_language(arguments: list[str]) -> str:
    """Return the value of `--lang`, wherever it is: the help needs it before parsing."""
    name = os.environ.get("LIBRECHAT_AUTH0_LANG", "")
    for index, word in enumerate(arguments):
        if word == "--lang":
            name = "".join(arguments[index + 1 : index + 2])
        elif word.startswith("--lang="):
            name = word.removeprefix("--lang=")
    return name if name in LANGUAGES else ""
