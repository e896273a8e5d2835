"""The command line: options in, exit codes out; what a command does is in `wizard.commands`."""

import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

import typer

from wizard import cli_options as opt
from wizard.defaults import ENGLISH, LANGUAGES, SECONDS_TO_SIGN_IN
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
    domain: opt.Domain = "",
    client_id: opt.ClientId = "",
    client_secret_file: opt.ClientSecretFile = "",
    public_client: opt.PublicClient = False,
    audience: opt.Audience = "",
    reuse_tokens: opt.ReuseTokens = None,
    tunnel: opt.InitTunnel = "",
    ngrok_domain: opt.NgrokDomain = "",
    subdomain: opt.Subdomain = "",
    public_url: opt.PublicUrl = "",
    port: opt.Port = "",
    env_file: opt.EnvFile = None,
    offline: opt.InitOffline = False,
    verify: opt.Verify = False,
    demo: opt.DemoFlag = False,
    force: opt.Force = False,
    undo: opt.Undo = False,
    no_open: opt.NoOpen = False,
    yes: opt.Yes = False,
    dry_run: opt.DryRun = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    lang: opt.Lang = "",
    plain: opt.Plain = False,
    debug: opt.Debug = False,
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
        reuse_tokens=reuse_tokens is not False,
        insists_on_reuse=reuse_tokens is True,
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
    env_file: opt.EnvFile = None,
    port: opt.EnvPort = "",
    tunnel: opt.VerifyTunnel = "",
    timeout: opt.Timeout = SECONDS_TO_SIGN_IN,
    no_open: opt.ShowLink = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    lang: opt.Lang = "",
    plain: opt.Plain = False,
    debug: opt.Debug = False,
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
    tunnel: opt.OpenTunnel = "",
    ngrok_domain: opt.NgrokDomain = "",
    subdomain: opt.Subdomain = "",
    port: opt.Port = "",
    env_file: opt.EnvFile = None,
    detach: opt.Detach = False,
    yes: opt.Yes = False,
    dry_run: opt.DryRun = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    lang: opt.Lang = "",
    plain: opt.Plain = False,
    debug: opt.Debug = False,
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
    json: opt.Json = False,
    lang: opt.Lang = "",
    plain: opt.Plain = False,
    debug: opt.Debug = False,
) -> None:
    """Which tunnels are open in the background."""
    from wizard.commands.background.status import run_status
    from wizard.execution import execute

    execute("tunnel status", _flags(context), lambda ports, _: run_status(ports))


@tunnel_app.command("stop")
def _tunnel_stop(
    context: typer.Context,
    env_file: opt.EnvFile = None,
    every: opt.Every = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    lang: opt.Lang = "",
    plain: opt.Plain = False,
    debug: opt.Debug = False,
) -> None:
    """Close the tunnel that is open in the background."""
    from wizard.commands.background.status import run_stop
    from wizard.execution import execute

    execute("tunnel stop", _flags(context), lambda ports, _: run_stop(env_file, ports, every=every))


@app.command("trust")
def _trust(
    context: typer.Context,
    remove: opt.Remove = False,
    ca: opt.CaFile = None,
    yes: opt.Yes = False,
    dry_run: opt.DryRun = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    lang: opt.Lang = "",
    plain: opt.Plain = False,
    debug: opt.Debug = False,
) -> None:
    """Have browsers trust the certificates of the local tunnel."""
    from wizard.commands.trust import TrustOptions, run_trust
    from wizard.execution import execute

    options = TrustOptions(remove=remove, ca_file=ca, yes=yes, dry_run=dry_run)
    execute("trust", _flags(context), lambda ports, _: run_trust(options, ports))


@app.command("doctor")
def _doctor(
    context: typer.Context,
    env_file: opt.EnvFile = None,
    rule: opt.OnlyRules = None,
    ignore: opt.IgnoredRules = None,
    fix: opt.Fix = False,
    verbose: opt.Verbose = False,
    offline: opt.Offline = False,
    yes: opt.Yes = False,
    dry_run: opt.DryRun = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    lang: opt.Lang = "",
    plain: opt.Plain = False,
    debug: opt.Debug = False,
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
        verbose=verbose,
    )
    execute("doctor", _flags(context), lambda ports, _: run_doctor(options, ports))


@app.command("explain")
def _explain(
    context: typer.Context,
    rule: opt.RuleId = "",
    json: opt.Json = False,
    lang: opt.Lang = "",
    plain: opt.Plain = False,
    debug: opt.Debug = False,
) -> None:
    """What a rule means, why it matters and how to mend it."""
    from wizard.commands.explain import run_explain
    from wizard.execution import execute

    execute("explain", _flags(context), lambda ports, _: run_explain(rule, ports, as_json=json))


@app.command("report")
def _report(
    context: typer.Context,
    env_file: opt.EnvFile = None,
    offline: opt.Offline = False,
    json: opt.Json = False,
    lang: opt.Lang = "",
    plain: opt.Plain = False,
    debug: opt.Debug = False,
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
    domain: opt.Domain = "",
    tenant_domain: opt.TenantDomain = "",
    client_id: opt.KnownClientId = "",
    name: opt.ApplicationName = "LibreChat",
    audience: opt.WantedAudience = "",
    public_url: opt.LibreChatUrl = "",
    management_token_file: opt.ManagementTokenFile = "",
    reuse_tokens: opt.WithApi = None,
    prune: opt.Prune = False,
    env_file: opt.EnvFile = None,
    yes: opt.Yes = False,
    dry_run: opt.DryRun = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    lang: opt.Lang = "",
    plain: opt.Plain = False,
    debug: opt.Debug = False,
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
        reuse_tokens=reuse_tokens is not False,
        insists_on_reuse=reuse_tokens is True,
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
    language = user_language(_wanted_language(sys.argv[1:]), os.environ)
    command = typer.main.get_command(app)
    if language.name != ENGLISH:
        from wizard.ui.help import translate

        translate(command, language)
    command(prog_name=app.info.name, obj={"language": language})


def _wanted_language(arguments: list[str]) -> str:
    """What `--lang` says wherever it stands, which help and usage errors must know beforehand."""
    name = os.environ.get("LIBRECHAT_AUTH0_LANG", "")
    for index, word in enumerate(arguments):
        if word == "--lang":
            name = "".join(arguments[index + 1 : index + 2])
        elif word.startswith("--lang="):
            name = word.removeprefix("--lang=")
    return name if name in LANGUAGES else ""
