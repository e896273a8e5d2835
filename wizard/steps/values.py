"""Reads values from options, files and the `.env`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from wizard.findings import Rule
from wizard.language import Message
from wizard.librechat.checkout import find
from wizard.librechat.env_store import EnvStore
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import InvalidValue, parse_port, pasted, port_in
from wizard.system.os_errors import refusal
from wizard.system.reading import expanded
from wizard.text import closest

if TYPE_CHECKING:
    from wizard.doctor.subject import Subject

INVALID_VALUE = rule("LA003")
MISSING_OPTION = rule("LA004")
SECRET_FILE = rule("LA005")

MAX_SECRET_BYTES = 1 << 16


T = TypeVar("T")


def option(name: str, text: str, parse: Callable[[str], T]) -> T:
    """Parse an option."""
    try:
        return parse(pasted(text))
    except InvalidValue as invalid:
        raise INVALID_VALUE.failure(
            "{name}: {reason}",
            name=name,
            reason=Message.of(invalid.reason),
            fix=Message("Correct {name}, then run the command again.", name=name),
        ) from None


def did_you_mean(word: str, known: Iterable[str], otherwise: Message) -> Message:
    """Return the next step after an unknown value: the similar known one, or `otherwise`."""
    meant = closest(word, known)
    return Message("Did you mean {word}?", word=meant) if meant else otherwise


def librechat_port(given: str, values: Mapping[str, str]) -> int:
    """Return the port of `--port`, else of the `.env`."""
    return option("--port", given, parse_port) if given else port_in(values)


def env_store(given: Path | None, ports: Ports) -> EnvStore:
    """Return the given `.env`, or the one of the nearest LibreChat folder."""
    path = ports.cwd / expanded(given) if given else find(ports.cwd).folder / ".env"
    return EnvStore(path, ports.state_dir, ports.last_words.append, processes=ports.processes)


def read_secret(source: str, rule: Rule = SECRET_FILE) -> str:
    """Return a secret from a file, or from standard input for `-`."""
    if source == "-":
        return sys.stdin.read(MAX_SECRET_BYTES)
    try:
        with expanded(source).open("rb") as file:
            return file.read(MAX_SECRET_BYTES).decode("utf-8")
    except OSError as error:
        raise rule.failure(refusal(error, Path(source))) from None
    except UnicodeDecodeError:
        raise rule.failure("{file}: it is not UTF-8 text.", file=source) from None


def read_subject(store: EnvStore, ports: Ports) -> Subject:
    """Return what the rules look at."""
    from wizard.doctor.subject import gather
    from wizard.doctor.writing import NO_FILE

    content = store.read()
    if content is None:
        raise NO_FILE.failure("{file} does not exist.", file=store.path)
    subject = gather(store, content, ports.environ, ports.processes)
    ports.console.hide(subject.secrets)
    return subject
