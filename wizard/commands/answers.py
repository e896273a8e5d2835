"""Where a value comes from: an option, an earlier answer, the `.env`, or the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from wizard.drafts import Draft
from wizard.findings import ExitCode, Rule, Severity
from wizard.language import Message
from wizard.librechat.checkout import find
from wizard.librechat.env_store import EnvStore
from wizard.ports import Ports
from wizard.refusals import refusal
from wizard.settings import (
    InvalidValue,
    parse_audiences,
    parse_client_id,
    parse_client_secret,
    parse_domain,
    parse_port,
    parse_public_url,
    port_in,
)

INVALID_VALUE = Rule(
    "LA003",
    Severity.ERROR,
    "A value cannot be right",
    "Nothing was written.",
    "Correct it, then run the command again.",
    exit_code=ExitCode.USAGE,
)
MISSING_OPTION = Rule(
    "LA004",
    Severity.ERROR,
    "A value is missing, and there is nobody to ask",
    "Without a terminal, or with --yes, --json or CI set, every value must be an option or an"
    " environment variable.",
    "Give it, then run the command again.",
    exit_code=ExitCode.USAGE,
)
SECRET_FILE = Rule(
    "LA005",
    Severity.ERROR,
    "The client secret cannot be read",
    "Nothing was written.",
    "Check the path given with --client-secret-file; - is standard input.",
    exit_code=ExitCode.FILE,
)
RULES = (INVALID_VALUE, MISSING_OPTION, SECRET_FILE)

MAX_SECRET_BYTES = 1 << 16

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What to offer for each question, as far as it is known; "" where it is not."""

    domain: str = ""
    client_id: str = ""
    client_secret: str = ""
    audience: str = ""
    public_url: str = ""


def defaults_from(current: Mapping[str, str], draft: Draft) -> Defaults:
    """The answers of an interrupted run, and behind them what the `.env` has."""
    servers = {current.get("DOMAIN_CLIENT", ""), current.get("DOMAIN_SERVER", "")}
    server = servers.pop() if len(servers) == 1 else ""
    issuer = current.get("OPENID_ISSUER", "")
    return Defaults(
        domain=draft.domain or _if_valid(parse_domain, issuer),
        client_id=draft.client_id
        or _if_valid(parse_client_id, current.get("OPENID_CLIENT_ID", "")),
        client_secret=_if_valid(parse_client_secret, current.get("OPENID_CLIENT_SECRET", "")),
        audience=draft.audience or _if_valid(_audience, current.get("OPENID_AUDIENCE", "")),
        public_url=draft.public_url or _if_valid(parse_public_url, server),
    )


def option(name: str, text: str, parse: Callable[[str], T]) -> T:
    """The value of an option.

    Raises:
        Failure: it cannot be right; the reason names the option.
    """
    try:
        return parse(text)
    except InvalidValue as invalid:
        raise INVALID_VALUE.failure(
            Message("{name}: {reason}", name=name, reason=Message.of(invalid.reason)),
            fix=Message("Correct {name}, then run the command again.", name=name),
        ) from None


def librechat_port(given: str, values: Mapping[str, str]) -> int:
    """LibreChat's port: that of `--port`, else the one of the `.env`.

    Raises:
        Failure: the option cannot be right.
    """
    return option("--port", given, parse_port) if given else port_in(values)


def env_store(given: Path | None, ports: Ports) -> EnvStore:
    """The `.env` that was named, or that of the nearest LibreChat folder."""
    path = ports.cwd / given.expanduser() if given else find(ports.cwd).folder / ".env"
    return EnvStore(path, ports.state_dir)


def read_secret(source: str, read_stdin: Callable[[], str], rule: Rule = SECRET_FILE) -> str:
    """The client secret from a file, or from standard input where `source` is `-`.

    Raises:
        Failure: the file cannot be read; `rule` says whose it is.
    """
    if source == "-":
        return read_stdin()
    try:
        with Path(source).expanduser().open("rb") as file:
            return file.read(MAX_SECRET_BYTES).decode("utf-8")
    except OSError as error:
        raise rule.failure(refusal(error, Path(source))) from None
    except UnicodeDecodeError:
        raise rule.failure(Message("{file}: it is not UTF-8 text.", file=source)) from None


def _audience(text: str) -> str:
    return ",".join(parse_audiences(text))


def _if_valid(parse: Callable[[str], str], text: str) -> str:
    with suppress(InvalidValue):
        return parse(text)
    return ""
