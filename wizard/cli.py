"""The command line: options in, exit codes out; what a command does is in `wizard.commands`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from wizard.settings import LIBRECHAT_PORT

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

Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when something breaks.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; go ahead.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")]
EnvFile = Annotated[
    Optional[Path],
    typer.Option(
        "--env-file", help="The .env; its folder is the LibreChat folder.", metavar="PATH"
    ),
]


def _show_version(wanted: bool) -> None:  # noqa: FBT001
    if wanted:
        from wizard import __version__

        typer.echo(f"librechat-auth0 {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    debug: Debug = False,  # noqa: FBT002
    quiet: Quiet = False,  # noqa: FBT002
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    context.obj = {"debug": debug, "quiet": quiet}
