"""How this folder's LibreChat is run: what Docker Compose hands to it, and its `librechat.yaml`.

Only read, never run: no Docker is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.language import Message
from wizard.librechat.access import Reader
from wizard.os_errors import reason_of
from wizard.reading import read_file

if TYPE_CHECKING:
    import yaml

# LibreChat's own librechat.example.yaml has 30 KB.
MAX_FILE_BYTES = 1 << 18
# Entries of all mappings, their merges (`<<`) written out: nested ones multiply, and a file of one
# kilobyte can hold more than a computer has memory for.
MOST_ENTRIES = 50_000
# A few references each to a long variable come to more than a computer has memory for, too.
MOST_INTERPOLATED = 1 << 20
API_SERVICE = "api"
PANEL_SERVICE = "admin-panel"
YAML_FILE = "librechat.yaml"
# LibreChat's own, for `docker compose -f`.
DEPLOY_FILE = "deploy-compose.yml"
# The first of each is what `docker compose` reads without -f; the second is merged into it.
MAIN_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_OVERRIDE_FILES = tuple(
    f"{name.partition('.')[0]}.override.{name.partition('.')[2]}" for name in MAIN_FILES
)
# What `docker compose` reads by itself.
DEFAULT_FILES = frozenset({*MAIN_FILES, *_OVERRIDE_FILES})

_INTERPOLATION = re.compile(
    r"\$(?:\$|(?P<bare>[A-Za-z_]\w*)"
    r"|\{(?P<name>[A-Za-z_]\w*)(?:(?P<operator>:?[-?+])(?P<word>[^{}]*))?\})"
)


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file: None is a file that is not there, `trouble` why it cannot be understood."""

    name: str
    content: Mapping[str, object] | None = field(default=None, repr=False)
    trouble: str = ""

    @property
    def is_there(self) -> bool:
        """Whether the folder has the file."""
        return self.content is not None or bool(self.trouble)


@dataclass(frozen=True, slots=True)
class Handed:
    """A variable that Docker Compose sets for LibreChat: it beats the file's."""

    value: str = field(repr=False)
    where: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """The folder's Compose files, main and override, and its `librechat.yaml`."""

    compose: tuple[Document, ...] = ()
    yaml: Document = field(default_factory=lambda: Document(YAML_FILE))

    @property
    def documents(self) -> tuple[Document, ...]:
        """All files that there are."""
        return (*self.compose, self.yaml) if self.yaml.is_there else self.compose

    def services(self, name: str) -> Iterator[tuple[str, Mapping[str, object]]]:
        """The service in each Compose file that has it, with the file's name."""
        for document in self.compose:
            services = (document.content or {}).get("services")
            service = services.get(name) if isinstance(services, Mapping) else None
            if isinstance(service, Mapping):
                yield document.name, service

    def items(self, service: str, key: str) -> tuple[object, ...]:
        """All entries of a list of that service, in every file."""
        found: list[object] = []
        for _, each in self.services(service):
            value = each.get(key)
            found += value if isinstance(value, list) else [] if value is None else [value]
        return tuple(found)

    @property
    def has_api(self) -> bool:
        """Whether Docker Compose runs LibreChat here."""
        return any(True for _ in self.services(API_SERVICE))

    @property
    def image(self) -> str:
        """The image that runs, "" where none is named."""
        images = [
            scalar(each["image"]) for _, each in self.services(API_SERVICE) if "image" in each
        ]
        return images[-1] if images else ""

    def environment(self, values: Mapping[str, str]) -> dict[str, Handed]:
        """What Compose sets for LibreChat; `values` is what it interpolates from."""
        handed: dict[str, Handed] = {}
        room = MOST_INTERPOLATED
        for where, service in self.services(API_SERVICE):
            for name, value in _pairs(service.get("environment")):
                if value is not None:
                    handed[name] = Handed(interpolated(value, values, room), where)
                    room -= len(handed[name].value)
        return handed

    @property
    def hands_env_on(self) -> bool:
        """Whether the file reaches LibreChat, as a mount or by `env_file`."""
        return self.mounts_env or self.hands_env_as_variables

    @property
    def mounts_env(self) -> bool:
        """Whether LibreChat itself reads the file, in the container."""
        return any(_source(each).endswith(".env") for each in self.items(API_SERVICE, "volumes"))

    def env_reader(self, values: Mapping[str, str]) -> Reader | None:
        """The user of the container who reads the file, as far as Compose names one by number.

        `values` is what Compose interpolates from.
        """
        users = [scalar(each["user"]) for _, each in self.services(API_SERVICE) if "user" in each]
        if not users or not self.mounts_env:
            return None
        user, _, group = interpolated(users[-1], values).partition(":")
        if not _is_number(user):
            return None
        return Reader(int(user), int(group) if _is_number(group) else None)

    @property
    def hands_env_as_variables(self) -> bool:
        """Whether Compose itself reads the file, by its own grammar."""
        return any(
            scalar(each.get("path") if isinstance(each, Mapping) else each).endswith(".env")
            for each in self.items(API_SERVICE, "env_file")
        )

    @property
    def mounts_yaml(self) -> bool:
        """Whether a container sees the folder's `librechat.yaml`."""
        return any(_source(each).endswith(YAML_FILE) for each in self.items(API_SERVICE, "volumes"))


def read_deployment(folder: Path) -> Deployment:
    """What the folder says; files that are missing or broken are part of the answer."""
    return Deployment(read_compose(folder), _document(folder / YAML_FILE))


def read_compose(folder: Path) -> tuple[Document, ...]:
    """The Compose files, main and override; often much shorter than the `librechat.yaml`."""
    compose = []
    for names in (MAIN_FILES, _OVERRIDE_FILES):
        found = _first_of(folder, names)
        if found is None:
            break
        compose.append(found)
    if not compose and (found := _first_of(folder, (DEPLOY_FILE,))):
        compose.append(found)
    return tuple(compose)


def _first_of(folder: Path, names: Iterable[str]) -> Document | None:
    documents = (_document(folder / name) for name in names)
    return next((document for document in documents if document.is_there), None)


def interpolated(text: str, values: Mapping[str, str], room: int = MOST_INTERPOLATED) -> str:
    """The text as Docker Compose reads it.

    Source: https://docs.docker.com/reference/compose-file/interpolation/

    Args:
        text: what stands in the file.
        values: the variables.
        room: the most characters that may come in; what comes after them is left out.
    """

    def replaced(found: re.Match[str]) -> str:
        nonlocal room
        value = value_of(found)
        room -= len(value)
        return value if room >= 0 else ""

    def value_of(found: re.Match[str]) -> str:
        name = found["bare"] or found["name"]
        if name is None:
            return "$"
        value = values.get(name)
        operator, word = found["operator"] or "", found["word"] or ""
        is_there = bool(value) if operator.startswith(":") else value is not None
        if operator.endswith("+"):
            return word if is_there else ""
        if operator.endswith("-") and not is_there:
            return word
        return value or ""

    return _INTERPOLATION.sub(replaced, text)


def _document(path: Path) -> Document:
    try:
        return _understood(path.name, read_file(path, MAX_FILE_BYTES))
    except (FileNotFoundError, IsADirectoryError):
        return Document(path.name)
    except OSError as error:
        return Document(path.name, trouble=reason_of(error))


def _understood(name: str, data: bytes) -> Document:
    import yaml

    try:
        content = _content(data)
    except _TooManyEntriesError:
        trouble = Message("Its merges (<<) come to more entries than any honest file has.")
        return Document(name, trouble=trouble)
    except (ValueError, RecursionError) as error:
        return Document(name, trouble=type(error).__name__)
    except yaml.YAMLError as error:
        return Document(name, trouble=_yaml_trouble(error))
    if content is None:
        content = {}
    if not isinstance(content, dict):
        return Document(name, trouble=Message("It is no mapping of names to values."))
    return Document(name, content)


def _yaml_trouble(error: yaml.YAMLError) -> str:
    """What PyYAML says, in its own words, and where."""
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or error)
    if mark is None:
        return problem
    return Message("line {line}: {problem}", line=mark.line + 1, problem=problem)


class _TooManyEntriesError(Exception):
    """The merges of a file come to more entries than any honest file has."""


def _content(data: bytes) -> object:
    """What the YAML says.

    Raises:
        yaml.YAMLError: it is no YAML.
        _TooManyEntriesError: its merges come to more than any honest file has.
        RecursionError: it is nested too deeply.
    """
    import yaml

    loader = yaml.SafeLoader(data)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        if _entries_of(root, {}) > MOST_ENTRIES:
            raise _TooManyEntriesError
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _entries_of(node: yaml.Node, seen: dict[int, int]) -> int:
    """Entries of all mappings from here on, with those that are merged into them.

    `seen` holds each mapping's own, so that an alias is counted where it is merged alone.
    """
    import yaml

    if id(node) in seen or not isinstance(node, yaml.CollectionNode):
        return 0
    seen[id(node)] = 0  # a node may hold itself
    if isinstance(node, yaml.SequenceNode):
        return sum(_entries_of(each, seen) for each in node.value)
    within, own = 0, len(node.value)
    for key, value in node.value:
        within += _entries_of(key, seen) + _entries_of(value, seen)
        if key.tag == "tag:yaml.org,2002:merge":
            merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
            own += sum(seen.get(id(each), 0) for each in merged)
    seen[id(node)] = own
    return within + own


def _pairs(environment: object) -> Iterator[tuple[str, str | None]]:
    if isinstance(environment, Mapping):
        for name, value in environment.items():
            yield str(name), None if value is None else scalar(value)
    elif isinstance(environment, list):
        for each in environment:
            name, sign, value = scalar(each).partition("=")
            yield name, value if sign else None


def scalar(value: object) -> str:
    """Return a plain value as Compose hands it on, "" for what is nested: a bomb of aliases."""
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return str(value) if isinstance(value, str | int | float) else ""
    except ValueError:  # Python writes out no number of more than 4,300 digits
        return ""


def _is_number(text: str) -> bool:
    """Whether it is a user's or group's number, which has 32 bits."""
    return text.isascii() and text.isdecimal() and len(text) <= len(str(1 << 32))


def _source(volume: object) -> str:
    if isinstance(volume, Mapping):
        return scalar(volume.get("source"))
    return scalar(volume).partition(":")[0]
