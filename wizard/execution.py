"""Runs a command: creates its ports, prints its result or error, and exits with its code."""

import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TextIO

from wizard.defaults import ENGLISH
from wizard.findings import ExitCode, Failure, Finding, exit_code_of
from wizard.language import Language, Message, sentences
from wizard.ports import Ports
from wizard.rules import BUG, rule
from wizard.system.interrupts import end_on_signals, signal_code
from wizard.system.platforms import can_draw_questions, is_console, reader_has_gone
from wizard.system.streams import close_streams

if TYPE_CHECKING:
    from wizard.text import Secrets
    from wizard.ui.console import Console
    from wizard.ui.prompts import Prompter

INTERRUPTED = rule("LA002")
SYSTEM_REFUSED = rule("LA015")
DAMAGED = rule("LA050")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command returns; its findings are in the order in which to fix them."""

    findings: Sequence[Finding] = ()

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the command."""
        return exit_code_of(self.findings)

    def as_json(self) -> dict[str, object]:
        """Return the keys of `--json` beside those of the envelope, without secrets: the fields."""
        names = [each.name for each in fields(self) if each.name != "findings"]
        return {name: _json_value(getattr(self, name)) for name in names}


def _json_value(value: Any) -> Any:
    """Return the value as `--json` prints it: a path as text, an object by its `as_json`."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "as_json"):
        return value.as_json()
    return [*map(_json_value, value)] if isinstance(value, list | tuple) else value


class Flags(NamedTuple):
    """The options of every command, and the language of its help."""

    language: Language = Language(ENGLISH)
    plain: bool = False
    json: bool = False
    quiet: bool = False
    debug: bool = False
    yes: bool = False
    no_open: bool = False


def envelope(
    command: str, exit_code: ExitCode, findings: Sequence[Finding], extra: dict[str, object]
) -> dict[str, object]:
    """Return the JSON object of a command."""
    return {
        "ok": exit_code is ExitCode.OK,
        "command": command,
        "findings": [finding.as_json() for finding in findings],
        **extra,
    }


Report = Callable[[Result], None]
# A command; it may report its result before it returns, if it keeps running after that.
Run = Callable[[Ports, Report], Result]


def execute(command: str, flags: Flags, run: Run) -> NoReturn:
    """Run the command and exit."""
    gc.freeze()  # what is imported stays: no collection looks at it
    gc.set_threshold(10_000)  # in place of 700: a command leaves little to collect
    gc.enable()
    ports = system_ports(flags)
    end_on_signals()
    try:
        code = _run(command, flags, ports, run)
    except OSError as error:
        if not reader_has_gone(error):
            raise
        code = ExitCode.INTERRUPTED
    close_streams()
    sys.exit(code)


def _run(command: str, flags: Flags, ports: Ports, run: Run) -> int:
    reported: list[Result] = []

    def report(result: Result) -> None:
        if flags.json:
            code, extra = result.exit_code, result.as_json()
            ports.console.data(envelope(command, code, result.findings, extra))
        reported.append(result)

    try:
        result = run(ports, report)
        if not reported:
            report(result)
    except (KeyboardInterrupt, Exception) as error:
        if reader_has_gone(error):
            raise
        with suppress(OSError):
            if flags.debug:
                _show_traceback(ports)
        if reported and isinstance(error, KeyboardInterrupt):
            return signal_code(error)  # it only held a tunnel, and reported that it is closed
        failure = _with_last_words(_as_failure(error), ports)
        found = envelope(command, failure.exit_code, [failure.finding], {})
        _print_failure(failure.finding, {} if reported else found, flags, ports)
        return _exit_code(failure, error, ports)
    return result.exit_code


def _as_failure(error: BaseException) -> Failure:
    match error:
        case Failure():
            return error
        case KeyboardInterrupt():
            return INTERRUPTED.failure()
        case ImportError() if _is_foreign(error):
            detail = Message(
                "{module}: {reason}.", module=error.name or "?", reason=str(error).rstrip(".")
            )
            return DAMAGED.failure(detail)
        case _:
            from wizard.system.os_errors import place_of, refusal, refusal_of_openssl

            if reason := refusal_of_openssl(error):
                return SYSTEM_REFUSED.failure(reason)
            if isinstance(error, OSError):
                place = place_of(error) or Message("an output")
                return SYSTEM_REFUSED.failure(refusal(error, place))
            return BUG.failure(type(error).__name__)


def _is_foreign(error: ImportError) -> bool:
    """Return whether a package cannot be loaded, not a name of our own that is misspelt."""
    return (error.name or "").partition(".")[0] != "wizard"


def _with_last_words(failure: Failure, ports: Ports) -> Failure:
    """Add what was written before the failure; those of tenant and tunnel have it already."""
    own_words = failure.exit_code in {ExitCode.TENANT, ExitCode.TUNNEL}
    if own_words or not ports.last_words:
        return failure
    finding = failure.finding
    return Failure(finding._replace(detail=sentences(finding.detail, *ports.last_words)))


def _exit_code(failure: Failure, error: BaseException, ports: Ports) -> int:
    if failure.exit_code is ExitCode.INTERRUPTED:
        return signal_code(error)
    if failure.exit_code is ExitCode.FILE and ports.last_words:
        return ExitCode.AFTER_WRITING
    return failure.exit_code


def _print_failure(finding: Finding, data: dict[str, object], flags: Flags, ports: Ports) -> None:
    """Print what ended the command, on the other stream where its own fails.

    `data` is empty where standard output has its one object already.
    """

    def print_on(stream: TextIO) -> None:
        from wizard.ui.console import Console

        Console(stderr=stream, language=flags.language, plain=flags.plain).finding(finding)

    ways = [partial(ports.console.finding, finding), partial(print_on, sys.stdout)]
    if flags.json:
        ways = [partial(print_on, sys.stderr)]
        if data:
            ways.insert(0, partial(ports.console.data, data))
    for way in ways:
        with suppress(OSError):
            way()
            break


def system_ports(flags: Flags) -> Ports:
    """Return the ports of this machine."""
    from wizard.http import Https
    from wizard.system.clock import Clock
    from wizard.system.desktop import Desktop, UserDesktop
    from wizard.system.platforms import home_folder, state_folder
    from wizard.system.processes import Processes

    environ, secrets = _take_secrets()
    state_dir = state_folder(environ, home_folder(environ)) / "librechat-auth0"
    is_ci = environ.get("CI", "").lower() not in {"", "0", "false"}
    is_interactive = is_console(sys.stdin) and is_console(sys.stderr) and not is_ci
    can_ask = not flags.yes and not flags.json and is_interactive
    plain = flags.plain or environ.get("TERM", "") in {"dumb", "unknown"}
    console = _console(flags, secrets, plain=plain)
    return Ports(
        console=console,
        language=flags.language,
        prompter=_prompter(console, flags.language, plain=plain) if can_ask else None,
        # This authority can only sign certificates for localhost.
        http=Https(environ, extra_ca=partial(_local_authority, state_dir)),
        clock=Clock(),
        processes=Processes(),
        desktop=Desktop() if flags.no_open or is_ci else UserDesktop(environ),
        environ=environ,
        cwd=_current_folder(environ),
        state_dir=state_dir,
        offers={},
        last_words=[],
        changed=[],
    )


def _take_secrets() -> "tuple[dict[str, str], Secrets]":
    """Return the environment, and the secrets in it, which no other program inherits."""
    from wizard.librechat.secrets import secrets_of
    from wizard.system.processes import safe_path, without_secrets

    os.environ["PATH"] = safe_path(os.environ)  # libraries find browsers and clipboards by it
    environ = dict(os.environ)
    ours = environ.keys() - without_secrets(environ).keys()
    for name in ours:
        del os.environ[name]
    return environ, secrets_of((name, environ[name]) for name in ours)


def _console(flags: Flags, secrets: "Secrets", *, plain: bool) -> "Console":
    """Return the console; JSON is English, as is what a background process reports to us."""
    from wizard.ui.console import Console

    language = Language(ENGLISH) if flags.json else flags.language
    console = Console(language=language, plain=plain, quiet=flags.quiet, silent=flags.json)
    console.hide(secrets)
    if unreadable := flags.language.in_place_of:
        console.warn(
            "The texts in the language {language} cannot be read, so these are in English."
            " Reinstall librechat-auth0.",
            language=unreadable,
        )
    return console


def _prompter(console: "Console", language: Language, *, plain: bool) -> "Prompter":
    from wizard.ui.prompts import LinePrompter, TerminalPrompter

    kind = TerminalPrompter if not plain and can_draw_questions(sys.stdout) else LinePrompter
    return kind(console.warn, console.hint, language)


def _local_authority(state_dir: Path) -> Path | None:
    from wizard.tunnels.trust import known_authority

    return known_authority(state_dir)


def _current_folder(environ: dict[str, str]) -> Path:
    """Return the current folder; its former name where it was deleted, for error messages."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path(environ.get("PWD", "."))


def _show_traceback(ports: Ports) -> None:
    import traceback

    from wizard.text import printable

    sys.stderr.write(printable(ports.console.hidden(traceback.format_exc())))
