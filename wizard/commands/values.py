"""Where a value comes from: an option, an earlier answer, the `.env`, or the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from wizard.findings import Rule
from wizard.language import Message
from wizard.librechat.checkout import find
from wizard.librechat.env_store import EnvStore
from wizard.os_errors import refusal
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import (
    InvalidValue,
    parse_port,
    port_in,
)

if TYPE_CHECKING:
    from wizard.doctor.subject import Subject

INVALID_VALUE = rule("LA003")
MISSING_OPTION = rule("LA004")
SECRET_FILE = rule("LA005")

MAX_SECRET_BYTES = 1 << 16

T = TypeVar("T")


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
    return EnvStore(path, ports.state_dir, ports.last_words.append)


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


def read_subject(store: EnvStore, ports: Ports) -> tuple[bytes, Subject]:
    """Return the `.env` and all that the rules look at.

    Raises:
        Failure: there is none, or it cannot be read.
    """
    from wizard.doctor.subject import gather
    from wizard.doctor.writing import NO_FILE

    content = store.read()
    if content is None:
        raise NO_FILE.failure(Message("There is no {file}.", file=store.path))
    subject = gather(store.path, content, ports.environ)
    ports.console.hide(subject.secrets)
    return content, subject
