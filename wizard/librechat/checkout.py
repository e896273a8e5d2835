"""The LibreChat folder: whether it is one, how old, and how its server takes up a new `.env`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wizard.processes import Processes

MAX_FILE_BYTES = 4 << 20
COMPOSE_FILES = (
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.yml",
    "compose.yaml",
    "deploy-compose.yml",
)


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder and what tells that it is LibreChat's."""

    folder: Path
    evidence: tuple[str, ...]
    version: str = ""

    @property
    def is_librechat(self) -> bool:
        """Whether anything tells so."""
        return bool(self.evidence)

    @property
    def env_example(self) -> Path:
        """LibreChat's own template, of just the version that lies here."""
        return self.folder / ".env.example"


def look_at(folder: Path) -> Checkout:
    """What the folder is; reads a few files and never fails."""
    evidence = []
    version = ""
    package = _json_object(folder / "package.json")
    if str(package.get("name", "")).lower() == "librechat":
        version = str(package.get("version", "")).removeprefix("v")
        evidence.append(f"package.json (LibreChat {version})" if version else "package.json")
    if "OPENID_ISSUER" in _text(folder / ".env.example"):
        evidence.append(".env.example")
    evidence += [name for name in COMPOSE_FILES if "librechat" in _text(folder / name).lower()]
    if (folder / "librechat.yaml").is_file():
        evidence.append("librechat.yaml")
    return Checkout(folder, tuple(evidence), version)


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


def signs_of_use(folder: Path, processes: Processes) -> tuple[str, ...]:
    """What tells that this LibreChat has run before, so that its keys guard stored data.

    Sources: `.env.temp` and the volume `librechat-data` (api/config/credentials.js,
    docker-compose.yml since v0.8.8), `data-node` (docker-compose.yml).
    """
    signs = []
    if (folder / ".env.temp").exists():
        signs.append(".env.temp")
    signs += [
        f"{name}/"
        for name in ("data-node", "meili_data_v1.12", "uploads")
        if _has_entries(folder / name)
    ]
    if (folder / "docker-compose.yml").is_file() and processes.which("docker"):
        volumes = processes.run(
            ["docker", "volume", "ls", "--quiet", "--filter", "name=librechat-data"], timeout=5
        )
        project = f"{folder.name.lower()}_librechat-data"
        signs += [f"volume {name}" for name in volumes.stdout.split() if name == project]
    return tuple(signs)


def how_to_restart(folder: Path) -> tuple[str, ...]:
    """The commands, one for each way this LibreChat may run, that make it read a changed `.env`.

    A bind-mounted file is read again at a restart; variables that Docker Compose hands on need
    a new container; a plain `up -d` does nothing with a bind mount, since the service's
    definition is the same (docker-compose.yml and deploy-compose.yml).
    """
    commands = []
    for name in COMPOSE_FILES:
        if service := _api_service(folder / name):
            file = "" if name != "deploy-compose.yml" else f" -f {name}"
            commands.append(
                f"docker compose{file} {'up -d' if _hands_env_on(service) else 'restart api'}"
            )
    if (folder / "package.json").is_file() or not commands:
        commands.append("npm run backend   (stop the one that runs first)")
    return tuple(commands)


def _candidates(start: Path) -> Iterator[Path]:
    yield start
    yield from start.parents
    yield from (start / name for name in ("LibreChat", "librechat"))


def _api_service(compose_file: Path) -> Mapping[str, object] | None:
    import yaml

    try:
        document = yaml.safe_load(_text(compose_file))
        service = document["services"]["api"]
    except (yaml.YAMLError, TypeError, KeyError, ValueError, RecursionError):
        return None
    return service if isinstance(service, dict) else None


def _hands_env_on(service: Mapping[str, object]) -> bool:
    mounted = any(".env" in str(volume) for volume in _items(service.get("volumes")))
    handed_on = any(".env" in str(each) for each in _items(service.get("env_file")))
    return handed_on and not mounted


def _items(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _has_entries(folder: Path) -> bool:
    try:
        return any(entry.name != ".gitkeep" for entry in folder.iterdir())
    except OSError:
        return False


def _json_object(path: Path) -> dict[str, object]:
    try:
        value = json.loads(_text(path))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(path: Path) -> str:
    """The file's text, "" if it is no ordinary readable file."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            return ""
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
