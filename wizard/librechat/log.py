"""What LibreChat left behind: when it started, and what its log says about the start and sign-ins.

Sources: packages/data-schemas/src/config/winston.ts, and lines that LibreChat v0.7.9 to v0.8.8-rc1
wrote.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from wizard.findings import Finding, Rule
from wizard.language import Message
from wizard.librechat.admission import DOMAIN_REFUSED, LACKS_ROLE
from wizard.rules import rule
from wizard.system.clock import local_time, moment
from wizard.system.os_errors import reason_of
from wizard.system.reading import json_object, read_end
from wizard.text import one_line, shortened

if TYPE_CHECKING:
    from wizard.librechat.containers import RunningContainer
    from wizard.librechat.runner import Runner
    from wizard.system.processes import Processes

UNREADABLE = rule("LA592")
DID_NOT_START = rule("LA580")
NO_REFRESH_TOKEN = rule("LA581")
UNKNOWN_ERROR = rule("LA591")

# Of each file, from its end: several thousand lines.
MOST_BYTES = 1 << 20
_MOST_LINES = "5000"
# LibreChat cuts most texts at 150 characters; a line may hold a whole stack.
LONGEST_LINE = 1 << 14
_FILES_OF_A_KIND = 2
_SHOWN_LENGTH = 200
# An unspecific line belongs to the specific one that comes these seconds before it.
_SAME_ATTEMPT = 10.0
# Seconds: the system knows a start to about one, and LibreChat reads its files a moment later.
_MARGIN = 2.0

_FILE = r"(?P<kind>error|debug)-(?P<date>\d{4}-\d\d-\d\d)\.log(?:\.\d+)?"
_COLOUR = r"\x1b\[[0-9;]*m"
_TEXT_LINE = (
    r"(?P<at>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?) "
    r"(?:\d{4}-\d\d-\d\d[T ]\S+ )?"  # `docker logs --timestamps` puts its own before LibreChat's
    r"\[?(?P<level>error|warn|info|debug)\]?: (?P<message>.*)"
)
_DEAD = "Failed to start server: "
# A callback that failed, since 0.8.7 and before.
_CALLBACK_FAILED = "Callback authentication failed"
_FAILED = rf"(?:{_CALLBACK_FAILED}|Error in OAuth authentication:)"
# Before 0.8.7 a file has this line of each request that comes by a proxy, then only the reason.
_PROXIED_CALLBACK = "X-Forwarded headers detected in OAuth request"
_OTHER_ACCOUNT = (
    r"was registered with \"?(?P<reason>\w+)\"? provider"
    r"|Rejected .{1,400}?: stored openid\w+ does not match token \w+"
)
# In v0.8.7 the console has the last reason, a file only the first one; 0.8.8 has kinds.
_BAD_SIGNATURE = (
    r"Authentication failed after all strategies.*(?:\binvalid signature"
    r'|"primary_failure_reason_category":"malformed_jwt")'
    r"|OpenID JWT auth failed.*\bsecret or public key must be provided"
)
_AUTH0_ERROR = (
    r"authorization response from the server is an error"
    rf"|{_FAILED} (?!auth_failed|Unknown error)(?P<reason>.+)"
)
# What 0.8.8 adds to a line: the request that it belongs to.
_OF_REQUEST = r" \{\"(?:tenantId|userId|requestId)\":.*"
# Of the object that a file has below the line of a debug message.
_REASON = r"  reason: \"(?P<reason>[^\"]*)\","
_E_MAIL = r"[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}"


class Line(NamedTuple):
    """One line of the log; `at` is None where it has no time."""

    at: float | None
    level: str
    message: str


class Log(NamedTuple):
    """What was read, oldest first; `where` names it, `unreadable` is why a file was left out."""

    where: str = ""
    lines: Sequence[Line] = ()
    unreadable: str = ""


EMPTY = Log()


class _Row(NamedTuple):
    """What a message means: of the start or of a sign-in, and its rule; None for a success."""

    pattern: str
    about: str
    rule: Rule | None


@cache
def _rows() -> tuple[_Row, ...]:
    """Return the table: the first row that matches counts, `reason` replaces the whole line."""
    return (
        _Row(rf"{_DEAD}(?P<reason>.*)|^listen EADDRINUSE", "life", DID_NOT_START),
        _Row(r"Server listening (?:at|on) ", "life", None),
        _Row(r"OpenID Connect configured successfully", "start", None),
        _Row(r"OpenID Connect configuration failed", "start", rule("LA582")),
        _Row(r"No (access or )?refresh token (available|found)", "sign-in", NO_REFRESH_TOKEN),
        _Row(r"Unable to verify authorization request state", "sign-in", rule("LA583")),
        _Row(r"server responded with an error in the response body", "sign-in", rule("LA584")),
        _Row(r"You must have .{1,200}? role to log in", "sign-in", LACKS_ROLE),
        _Row(r"[Ee]mail domain not allowed", "sign-in", DOMAIN_REFUSED),
        _Row(_OTHER_ACCOUNT, "sign-in", rule("LA588")),
        _Row(r"User validation failed: email", "sign-in", rule("LA589")),
        _Row(_BAD_SIGNATURE, "sign-in", rule("LA590")),
        _Row(_AUTH0_ERROR, "sign-in", rule("LA585")),
        _Row(_FAILED, "sign-in", UNKNOWN_ERROR),
        _Row(r"\[openidStrategy\] login success", "sign-in", None),
    )


def rules_for(message: str) -> Iterator[Rule]:
    """Yield the rules of LibreChat's messages that a text contains."""
    return (row.rule for row in _rows() if row.rule and re.search(row.pattern, message))


# Lines that say more about an error than the line after them.
_CAUSE = r"\[openidStrategy\] (?P<reason>fetch failed.*|unexpected HTTP.*|.*Invalid URL.*)"


def log_of(
    runner: "Runner", folder: Path, values: Mapping[str, str], since: float, processes: "Processes"
) -> Log:
    """Return what a LibreChat wrote since then, to its files or its container's console."""
    if runner.container is not None:
        return _read_container_log(processes, runner.container, since)
    return read_log(folder, values, since)


def read_log(folder: Path, environ: Mapping[str, str], since: float) -> Log:
    """Return the lines that a LibreChat of this folder wrote to its files since then."""
    own = environ.get("LIBRECHAT_LOG_DIR")
    folders = [folder / own] if own else [folder / "api" / "logs", folder / "logs"]
    lines: list[Line] = []
    where: list[str] = []
    unreadable = ""
    for path in _files(folders):
        try:
            text = read_end(path, MOST_BYTES).decode("utf-8", "replace")
        except OSError as error:
            unreadable = Message("{file}: {reason}", file=path, reason=reason_of(error))
            continue
        where.append(os.path.relpath(path, folder))
        lines += parse(text)
    kept = [line for line in lines if line.at is None or line.at >= since]
    kept.sort(key=lambda line: line.at or 0.0)
    return Log(", ".join(where), kept, unreadable)


def _read_container_log(processes: "Processes", container: "RunningContainer", since: float) -> Log:
    from wizard.librechat.containers import DOCKER_SECONDS

    docker = processes.which("docker")
    if docker is None:
        return EMPTY
    command = [str(docker), "logs", "--timestamps", "--tail", _MOST_LINES]
    command += ["--since", str(int(since)), container.id]
    done = processes.run(command, timeout=DOCKER_SECONDS)
    where = f"docker logs {container.name}"
    if done.status:
        return Log(where)
    return Log(where, tuple(parse(f"{done.stdout}\n{done.stderr}")))


class Traces(NamedTuple):
    """What LibreChat left; times are seconds since the epoch.

    `started` is None where none is known to run: then the log is all there is. `newer` are the
    files that it reads when it starts and that were changed after that.
    """

    started: float | None = None
    log: Log = EMPTY
    newer: Mapping[str, float] = MappingProxyType({})


NO_TRACES = Traces()


def traces_of(
    runner: "Runner",
    folder: Path,
    values: Mapping[str, str],
    files: Iterable[Path],
    processes: "Processes",
) -> Traces:
    """Return what a LibreChat of this folder left; nothing where another one has its port."""
    if runner.other_folder is not None:
        return NO_TRACES
    started = runner.started
    since = max(0.0, (started or 0.0) - _MARGIN)
    log = log_of(runner, folder, values, since, processes)
    changed = {path.name: _changed(path) for path in files}
    newer = {name: at for name, at in changed.items() if started and at > started + _MARGIN}
    return Traces(started, log, newer)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def parse(text: str) -> Iterator[Line]:
    """Return the lines that LibreChat wrote to a file or its console, in either form."""
    last: Line | None = None
    for each in text.splitlines():
        line = re.sub(_COLOUR, "", each[:LONGEST_LINE])
        if last and (reason := re.match(_REASON, line)):
            last = last._replace(message=f"{last.message} {reason['reason']}")
            continue
        found = _json_line(line) if "{" in line[:40] else None
        found = found or _text_line(line)
        if found:
            if last:
                if found.level == "error" and last.message.startswith(_PROXIED_CALLBACK):
                    found = _as_callback(found)
                yield last
            last = found
    if last:
        yield last


def judge_log(log: Log, *, is_running: bool = True) -> Iterator[Finding]:
    """Return what went wrong at the last start and at the last sign-in.

    Where nothing runs, only why it died matters.
    """
    if log.unreadable:
        yield UNREADABLE.finding(log.unreadable)
    for row, reason, at in _last_outcomes(log.lines).values():
        if row.rule is not None and (is_running or row.about == "life"):
            yield row.rule.finding(_seen(log.where, reason, at))


def sign_in_succeeded(log: Log) -> bool:
    """Whether LibreChat let the last user in, and no error followed."""
    last = _last_outcomes(log.lines).get("sign-in")
    return last is not None and last[0].rule is None


def made_administrator(log: Log) -> bool:
    """Whether the last user who signed in became an administrator by a role.

    Source: api/strategies/openidStrategy.js, since 0.8.1
    """
    for line in reversed(log.lines):
        if "[openidStrategy]" in line.message:
            if " is an admin based on role" in line.message:
                return True
            if "login success" not in line.message:
                return False
    return False


def last_words(log: Log) -> Message | None:
    """Return the last warning or error, None without one: of a failure that has no row.

    A file has only the reason of a callback that failed, as Auth0 or an Action gave it.
    """
    for line in reversed(log.lines):
        if line.level in {"warn", "error"}:
            return _seen(log.where, line.message, line.at)
    return None


_Outcome = tuple[_Row, str, float | None]


def _last_outcomes(lines: Iterable[Line]) -> dict[str, _Outcome]:
    """Return the last thing that happened at a start and at a sign-in."""
    last: dict[str, _Outcome] = {}
    cause = ""
    for line in lines:
        if found := re.search(_CAUSE, line.message):
            cause = found["reason"]
        for row in _rows():
            if not (found := re.search(row.pattern, line.message)):
                continue
            before = last.get(row.about)
            if row.rule is UNKNOWN_ERROR and before and _is_same_attempt(before, line):
                break  # the line before says why
            reason = found.groupdict().get("reason") or line.message
            if row.about == "start" and cause:
                reason = cause
            last[row.about] = (row, reason, line.at)
            if row.about == "life":
                last = {"life": last["life"]}  # what was before another start is past
            cause = ""
            break
    return last


def _is_same_attempt(before: _Outcome, line: Line) -> bool:
    row, _, at = before
    if row.rule is None or row.rule is UNKNOWN_ERROR:
        return False
    return at is None or line.at is None or line.at - at < _SAME_ATTEMPT


def _seen(where: str, reason: str, at: float | None) -> Message:
    text = one_line(re.sub(_E_MAIL, "…@…", re.sub(_OF_REQUEST, "", reason))).strip()
    shown = shortened(text, _SHOWN_LENGTH)
    if at is None:
        return Message("{where}: {line}", where=where, line=shown)
    return Message("{where}, {when}: {line}", where=where, when=local_time(at), line=shown)


def _files(folders: Sequence[Path]) -> list[Path]:
    """Return the newest files of both kinds."""
    found: dict[str, list[tuple[str, str, Path]]] = {}
    for folder in folders:
        with suppress(OSError):
            for path in folder.iterdir():
                if (match := re.fullmatch(_FILE, path.name)) and path.is_file():
                    found.setdefault(match["kind"], []).append((match["date"], path.name, path))
    return [path for each in found.values() for *_, path in sorted(each)[-_FILES_OF_A_KIND:]]


def _json_line(line: str) -> Line | None:
    before, brace, rest = line.partition("{")
    content = json_object(brace + rest)
    level, message = content.get("level"), content.get("message")
    if not (isinstance(level, str) and isinstance(message, str)):
        return None
    stack = content.get("stack")
    if isinstance(stack, str) and "startServer" in stack and "librechat.yaml" not in message:
        message = f"{_DEAD}{message.removeprefix(_DEAD)}"  # a file may have only the reason
    code = _code(content)
    told = content.get("timestamp")
    at = moment(told if isinstance(told, str) else before)
    return Line(at, re.sub(_COLOUR, "", level), f"{message} ({code})" if code else message)


def _code(content: Mapping[str, object]) -> str:
    """Return the code of what Node could not do, such as ENOTFOUND."""
    cause = content.get("cause")
    for each in (content, cause if isinstance(cause, dict) else {}):
        code = each.get("code")
        if isinstance(code, str) and re.fullmatch(r"[A-Z_]{3,60}", code):
            return code
    return ""


def _text_line(line: str) -> Line | None:
    if (found := re.match(_TEXT_LINE, line)) is None:
        return None
    text = Line(moment(found["at"]), found["level"], found["message"])
    is_of_callback = text.level == "warn" and '"request_path":"/oauth"' in text.message
    return _as_callback(text) if is_of_callback else text


def _as_callback(line: Line) -> Line:
    """Return a failed callback's line as on the console; a file has only the reason."""
    if line.message.startswith(("[", "Unknown authentication strategy")):
        return line
    return line._replace(message=f"{_CALLBACK_FAILED} {line.message}")
