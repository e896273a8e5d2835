"""The command line: parses options and runs the functions of `wizard.commands`."""

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from io import TextIOWrapper
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast, get_args

import typer
from typer.exceptions import TyperException

from wizard import cli_options as opt
from wizard.defaults import LANGUAGES
from wizard.language import user_language
from wizard.ui.help import PROGRAM, Command, Commands, Group

if TYPE_CHECKING:
    from wizard.execution import Flags, Run

# The options of a command: the annotation of each, by its name in the function's `given`.
Options = Mapping[str, Any]
Given = dict[str, Any]
Prepare = Callable[[Given], "Run"]
_NOT_GIVEN: tuple[object, ...] = (None, "", [])

# Half the time of rich help, and better for screen readers.
_PLAIN_HELP: Any = {"rich_markup_mode": None}

app = typer.Typer(
    name=PROGRAM,
    help="Set up “Continue with Auth0” for LibreChat.",
    cls=Group,
    invoke_without_command=True,
    pretty_exceptions_enable=False,  # tracebacks only under --debug, never with local variables
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    **_PLAIN_HELP,
)
COMMANDS, TUNNEL_COMMANDS = Commands(), Commands()


def program() -> Group:
    """Return the command line, to which Typer adds the options of a command when it is used."""
    return _group(app, COMMANDS)


def _group(of: typer.Typer, commands: Commands) -> Group:
    group: Any = typer.main.get_command(of)
    group.commands = commands
    return cast(Group, group)


def _command(
    parent: Commands, name: str, options: Options, flags: Options = opt.COMMON
) -> Callable[[Prepare], Prepare]:
    """Register a command with these options, and with `flags`, which `Flags` gets.

    The decorated function gets the options that were given, and returns what to run.
    """

    def register(prepare: Prepare) -> Prepare:
        parent.add(name, prepare, lambda: _built(name, _typed(prepare, options, flags)))
        return prepare

    return register


def _built(name: str, run: Callable[..., None]) -> Command:
    alone = typer.Typer(add_completion=False, **_PLAIN_HELP)
    alone.command(name, cls=Command)(run)
    return cast(Command, typer.main.get_command(alone))


def _typed(prepare: Prepare, options: Options, flags: Options) -> Callable[..., None]:
    """Return a function with the parameters that Typer turns into options."""

    def run(context: typer.Context, **values: object) -> None:
        if context.invoked_subcommand is None:
            from wizard.execution import execute

            given = {name: values[name] for name in options if values[name] not in _NOT_GIVEN}
            for name, value in given.items():
                if isinstance(value, list):
                    given[name] = tuple(value)
            execute(context.command_path.partition(" ")[2], _flags(context), prepare(given))

    run.__doc__ = prepare.__doc__
    return _with_parameters(run, {**options, **flags})


def _with_parameters(run: Callable[..., None], options: Options) -> Callable[..., None]:
    """Replace the function's `**values` by the parameters that Typer turns into options."""
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("context", kind, annotation=typer.Context)]
    for name, annotation in options.items():
        default = {str: "", bool: False}.get(get_args(annotation)[0])
        parameters.append(inspect.Parameter(name, kind, default=default, annotation=annotation))
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _root(context: typer.Context, *, plain: bool, debug: bool, quiet: bool, **_: object) -> None:
    context.obj = {**(context.obj or {}), "plain": plain, "debug": debug, "quiet": quiet}
    if context.invoked_subcommand is None:
        from wizard.commands.welcome import run_welcome
        from wizard.execution import execute

        execute("", _flags(context), lambda ports, _: run_welcome(ports))


app.callback()(_with_parameters(_root, opt.ROOT))


def _flags(context: typer.Context) -> "Flags":
    """Return the common options, from before or after the command's name."""
    from wizard.execution import Flags

    given = {**context.obj, **{name: on for name, on in context.params.items() if on}}
    return Flags(**{name: given[name] for name in Flags._fields if name in given})


def _with_tunnel(given: Given) -> Given:
    """Replace the options that request a URL of one tunnel by the tunnel and the URL."""
    tunnel, url = "", ""
    for option, name in (
        ("local_port", "local"),
        ("subdomain", "localtunnel"),
        ("ngrok_domain", "ngrok"),
    ):
        if value := given.pop(option, ""):
            tunnel, url = name, f"https://localhost:{value}" if name == "local" else value
    return {"tunnel": tunnel, "requested_url": url, **given}


def _with_reuse(given: Given) -> Given:
    """Say whether tokens are reused by default or by name."""
    wanted = given.pop("reuse_tokens", None)
    return {"reuse_tokens": wanted is not False, "insists_on_reuse": wanted is True, **given}


@_command(COMMANDS, "init", opt.INIT, opt.INIT_FLAGS)
def _init(given: Given) -> "Run":
    """Set up Auth0 sign-in for a LibreChat folder."""
    from wizard.commands.init import run_init
    from wizard.steps.options import InitOptions

    undo, demo, hold = (given.pop(name, False) for name in ("undo", "demo", "hold"))
    env_file = given.pop("env_file", None)
    secret = os.environ.get("AUTH0_CLIENT_SECRET", "")
    options = InitOptions(client_secret=secret, **_with_reuse(_with_tunnel(given)))
    if undo:
        from wizard.commands.undo import run_undo

        return lambda ports, _: run_undo(
            env_file, ports, yes=options.yes, force=options.force, dry_run=options.dry_run
        )
    if demo:
        from wizard.commands.demo import run_demo

        return lambda ports, report: run_demo(options, ports, report, env_file, hold=hold)
    return lambda ports, report: run_init(options, ports, report, env_file)


def _tunnel(given: Given) -> "Run":
    """Open the tunnel again and update the .env."""
    from wizard.commands.tunnel import ReopenOptions, run_tunnel

    options = ReopenOptions(**_with_tunnel(given))
    return lambda ports, report: run_tunnel(options, ports, report)


def _tunnel_group() -> Group:
    group = typer.Typer(
        name="tunnel", cls=Group, invoke_without_command=True, add_completion=False, **_PLAIN_HELP
    )
    group.callback()(_typed(_tunnel, opt.REOPEN, opt.COMMON))
    return _group(group, TUNNEL_COMMANDS)


COMMANDS.add("tunnel", _tunnel, _tunnel_group)


@_command(TUNNEL_COMMANDS, "status", {})
def _tunnel_status(_: Given) -> "Run":
    """List the background tunnels."""
    from wizard.commands.tunnel_status import run_status

    return lambda ports, _: run_status(ports)


@_command(TUNNEL_COMMANDS, "stop", opt.STOP)
def _tunnel_stop(given: Given) -> "Run":
    """Close the background tunnel."""
    from wizard.commands.tunnel_status import run_stop

    return lambda ports, _: run_stop(given.get("env_file"), ports, every=given["every"])


@_command(COMMANDS, "doctor", opt.DOCTOR)
def _doctor(given: Given) -> "Run":
    """Diagnose the setup and suggest fixes."""
    if names := given.pop("show", ()):
        from wizard.commands.show import run_show

        return lambda ports, _: run_show(given.get("env_file"), names, ports)
    from wizard.commands.doctor import DoctorOptions, run_doctor

    options = DoctorOptions(**given)
    return lambda ports, _: run_doctor(options, ports)


@_command(COMMANDS, "verify", opt.VERIFY, opt.VERIFY_FLAGS)
def _verify(given: Given) -> "Run":
    """Test the configuration with a real sign-in."""
    from wizard.commands.verify import VerifyOptions, run_verify

    options = VerifyOptions(**given)
    return lambda ports, _: run_verify(options, ports)


@_command(COMMANDS, "provision", opt.PROVISION)
def _provision(given: Given) -> "Run":
    """Set up application and API in Auth0; decide who may sign in."""
    from wizard.commands.provision import ProvisionOptions, run_provision

    env_file = given.pop("env_file", None)
    options = ProvisionOptions(**_with_reuse(given))
    return lambda ports, _: run_provision(options, ports, env_file)


@_command(COMMANDS, "trust", opt.TRUST)
def _trust(given: Given) -> "Run":
    """Trust the local tunnel's certificate authority."""
    from wizard.commands.trust import TrustOptions, run_trust

    options = TrustOptions(**given)
    return lambda ports, _: run_trust(options, ports)


@_command(COMMANDS, "explain", opt.EXPLAIN)
def _explain(given: Given) -> "Run":
    """Explain a rule or an error message."""
    from wizard.commands.explain import run_explain

    return lambda ports, _: run_explain(" ".join(given.get("text", ())), ports)


@_command(COMMANDS, "report", opt.REPORT)
def _report(given: Given) -> "Run":
    """Print a bug report without secrets."""
    from wizard.commands.report import run_report

    return lambda ports, _: run_report(given.get("env_file"), ports, offline=given["offline"])


@_command(COMMANDS, "schema", {})
def _schema(_: Given) -> "Run":
    """Print the JSON Schema of the --json output."""
    from wizard.commands.schema import run_schema

    return lambda ports, _: run_schema(ports)


def _help(context: typer.Context, command: opt.Words = None) -> None:
    """Show the help of a command."""
    asked = [*(command or ()), "--help"]
    program().main(asked, PROGRAM, standalone_mode=False, obj=context.obj)


COMMANDS.add("help", _help, lambda: _built("help", _help))


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        # Windows gives redirected output an encoding that lacks characters.
        sys.stdout.reconfigure(errors="replace")
    language = user_language(_requested_language(sys.argv[1:]), os.environ)
    arguments = _with_names_to_show(sys.argv[1:])
    context = {"language": language}
    try:
        sys.exit(program().main(arguments, PROGRAM, standalone_mode=False, obj=context))
    except TyperException as error:
        from wizard.ui.usage import usage_error

        sys.stderr.write(usage_error(error, language))
        sys.exit(error.exit_code)


def _with_names_to_show(arguments: list[str]) -> list[str]:
    """Give `--show` without a name the word for all of them."""
    return [
        "--show=all" if word == "--show" and after.startswith("-") else word
        for word, after in pairwise([*arguments, "-"])
    ]


def _requested_language(arguments: list[str]) -> str:
    """Return the value of `--lang`, wherever it is given: the help needs it before parsing."""
    name = os.environ.get("LIBRECHAT_AUTH0_LANG", "")
    for index, word in enumerate(arguments):
        if word == "--lang":
            name = "".join(arguments[index + 1 : index + 2])
        elif word.startswith("--lang="):
            name = word.removeprefix("--lang=")
    return name if name in LANGUAGES else ""
