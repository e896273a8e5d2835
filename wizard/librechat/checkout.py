"""The LibreChat folder: whether it is one, and of which version."""

import os
import re
import stat
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from wizard.librechat.compose.own import DEPLOY_FILE, MAIN_FILES
from wizard.librechat.config_file import FILE_NAME
from wizard.system.platforms import user_id
from wizard.system.processes import Processes
from wizard.system.reading import json_object, read_file

MAX_FILE_BYTES = 1 << 20
LONGEST_VERSION = 40
DOCKER_TIMEOUT_SECONDS = 5.0
# Of the search below a folder.
DEPTH = 3
MOST_FOLDERS = 300
MOST_CHECKOUTS = 8
COMPOSE_FILES = (*MAIN_FILES, DEPLOY_FILE)
_DATA_FOLDER = r"data-node|meili_data.*|uploads"
# Those of `Path` raise for what is in a closed folder, before Python 3.14.
_is_there, _is_folder = os.path.isfile, os.path.isdir


class Checkout(NamedTuple):
    """A folder and the evidence that it is LibreChat's."""

    folder: Path
    evidence: tuple[str, ...]
    version: str = ""
    has_package: bool = False

    @property
    def is_librechat(self) -> bool:
        """Whether there is any evidence."""
        return bool(self.evidence)

    @property
    def is_built(self) -> bool:
        """Whether its packages are installed and its client is built, as npm needs them."""
        has_modules = _is_folder(self.folder / "node_modules")
        return has_modules and _is_there(self.folder / "client/dist/index.html")

    @property
    def env_example(self) -> Path:
        """LibreChat's own template, of the version in this folder."""
        return self.folder / ".env.example"


def look_at(folder: Path) -> Checkout:
    """What the folder is; reads a few files and never fails."""
    evidence = []
    version = ""
    package = json_object(text_of(folder / "package.json"))
    name, told = package.get("name"), package.get("version")
    has_package = isinstance(name, str) and name.lower() == "librechat"
    if has_package:
        if isinstance(told, str) and len(told) <= LONGEST_VERSION:
            version = told.removeprefix("v")
        evidence.append(f"package.json (LibreChat {version})" if version else "package.json")
    if "OPENID_ISSUER" in text_of(folder / ".env.example"):
        evidence.append(".env.example")
    evidence += [name for name in COMPOSE_FILES if "librechat" in text_of(folder / name).lower()]
    if _is_there(folder / FILE_NAME):
        evidence.append(FILE_NAME)
    return Checkout(folder, tuple(evidence), version, has_package)


def find(start: Path) -> Checkout:
    """The nearest LibreChat folder: `start`, one of its parents, or a `LibreChat` inside it.

    Returns:
        `start` itself, without evidence, where there is none.
    """
    for folder in _candidates(start):
        checkout = look_at(folder)
        if checkout.is_librechat:
            return checkout
    return Checkout(start, ())


def below(start: Path) -> tuple[Checkout, ...]:
    """The LibreChat folders at most `DEPTH` folders below `start`; looks at a limited number."""
    level, found, looks = [start], [], 0
    for _ in range(DEPTH):
        level = [each for folder in level for each in _visible_folders(folder)]
        level = level[: MOST_FOLDERS - looks]
        looks += len(level)
        checkouts = {folder: look_at(folder) for folder in level}
        found += [each for each in checkouts.values() if each.has_package]
        level = [folder for folder, each in checkouts.items() if not each.has_package]
    return tuple(found[:MOST_CHECKOUTS])


def signs_of_use(folder: Path, processes: Processes) -> tuple[str, ...]:
    """The evidence that this LibreChat has run before, so its keys protect stored data.

    Sources: `.env.temp` and the volume `librechat-data` (api/config/credentials.js,
    docker-compose.yml since v0.8.8), `data-node` (docker-compose.yml).
    """
    signs = [".env.temp"] if _is_there(folder / ".env.temp") else []
    signs += [
        f"{each.name}/"
        for each in _entries(folder)
        if re.fullmatch(_DATA_FOLDER, each.name) and _holds_something(each)
    ]
    if any(_is_there(folder / name) for name in COMPOSE_FILES) and processes.which("docker"):
        volumes = processes.run(
            ["docker", "volume", "ls", "--quiet", "--filter", "name=librechat-data"],
            timeout=DOCKER_TIMEOUT_SECONDS,
        )
        ours = f"{_compose_project(folder)}_librechat-data"
        signs += [f"volume {name}" for name in volumes.stdout.split() if name == ours]
    return tuple(signs)


def _candidates(start: Path) -> Iterator[Path]:
    yield start
    yield from takewhile(lambda parent: _is_of_same_hands(parent, start), start.parents)
    yield from (start / name for name in ("LibreChat", "librechat"))


def _is_of_same_hands(parent: Path, folder: Path) -> bool:
    """Whether only the owner of the folder below, or this user, can write to the parent.

    In /tmp anyone could prepare a LibreChat with an `.env.example` of their own (CVE-2022-24765
    was the same attack on git).
    """
    user = user_id()
    if user is None:
        return True
    try:
        status, owner = parent.stat(), folder.stat().st_uid
    except OSError:
        return False
    return status.st_uid in {owner, user} and not status.st_mode & stat.S_IWOTH


def _visible_folders(folder: Path) -> list[Path]:
    return [
        each
        for each in _entries(folder)
        if not each.name.startswith(".")
        and each.name != "node_modules"
        and _is_folder(each)
        and not each.is_symlink()
    ]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _compose_project(folder: Path) -> str:
    """The name Docker Compose gives the folder's volumes; see `NormalizeProjectName` there."""
    return re.sub(r"[^a-z0-9_-]", "", folder.resolve().name.lower()).lstrip("_-")


def _holds_something(folder: Path) -> bool:
    """Whether it has entries, or belongs to a container's user and is closed to us."""
    try:
        return any(entry.name != ".gitkeep" for entry in folder.iterdir())
    except PermissionError:
        return True
    except OSError:
        return False


def text_of(path: Path) -> str:
    """Return the file's text, "" if it is no regular file that can be read."""
    try:
        return read_file(path, MAX_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
