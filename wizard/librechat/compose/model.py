"""A Compose project, as far as LibreChat's settings depend on it."""

import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from wizard.language import Message
from wizard.librechat.compose.yaml import Text
from wizard.librechat.environment import Environment, Origin, Setting
from wizard.system.reading import expanded

# LibreChat's own images: librechat, librechat-dev, librechat-api and librechat-dev-api.
_OWN_IMAGE = r"librechat(?:-dev)?(?P<api>-api)?"
# Images that others publish for LibreChat, and those of its other parts.
_OTHER_IMAGE = r".*librechat.*"
_OTHER_PART = r"rag|panel|admin|exporter|metrics|interpreter|mongo|meili|nginx|proxy"
_SERVER = r"npm run (?:backend|start)|(?:^|[\s/])server/(?:index|experimental)\.js"
_PORT = "3080"
MOST_PORTS = 1000
_WINDOWS_PATH = r"[A-Za-z]:[\\/]"
_FOLDER = "/app"
# The working directory of the images with `-api` in their names, built from Dockerfile.multi.
_API_FOLDER = "/app/api"
_ENV_TARGETS = frozenset({f"{_FOLDER}/.env", f"{_API_FOLDER}/.env"})


class EnvFileEntry(NamedTuple):
    """An entry of `env_file`: Compose sets the file's variables, raw ones as they are written."""

    path: Path
    required: bool = True
    is_raw: bool = False


class Mount(NamedTuple):
    """A file or folder of this machine that a container sees at `target`."""

    source: Path
    target: str


class Service(NamedTuple):
    """One service, merged from all files and with its variables filled in.

    Of `env_files` a later one wins; `mounts` are without named volumes; `ports` are those in the
    container, "" for one whose variable is not set. An empty `user`, `command` or `working_dir` is
    the image's own; without a build, `dockerfile` is "". `context` may be relative to the project.
    """

    name: str
    image: str = ""
    settings: Environment = MappingProxyType({})
    env_files: tuple[EnvFileEntry, ...] = ()
    mounts: tuple[Mount, ...] = ()
    ports: tuple[str, ...] = ()
    user: str = ""
    command: str = ""
    working_dir: str = ""
    dockerfile: str = ""
    context: str = ""

    @property
    def folder(self) -> str:
        """Where LibreChat looks for its `.env`: the process's working directory.

        Source: Dockerfile (/app) and Dockerfile.multi (/app/api) of LibreChat.
        """
        if self.working_dir:
            return self.working_dir.rstrip("/")
        own = re.fullmatch(_OWN_IMAGE, _image_name(self.image))
        is_multi = own["api"] if own else self.dockerfile.endswith(".multi")
        return _API_FOLDER if is_multi else _FOLDER

    def sets_variables_of(self, env_file: Path) -> bool:
        """Return whether `env_file` lists that file."""
        return any(same_file(each.path, env_file) for each in self.env_files)

    def dotenv(self) -> Path | None:
        """Return the file of this machine that LibreChat reads as its `.env`; None for none."""
        return self.source_of(f"{self.folder}/.env")

    def reads(self, env_file: Path) -> bool:
        """Return whether LibreChat in it reads that `.env` itself, from where it works."""
        dotenv = self.dotenv()
        return dotenv is not None and same_file(dotenv, env_file)

    @property
    def is_librechat(self) -> bool:
        """Whether LibreChat's server runs in it, by its image, its command or its mounts."""
        return (
            self.has_own_image
            or self.starts_server
            or any(each.target in _ENV_TARGETS for each in self.mounts)
        )

    @property
    def has_own_image(self) -> bool:
        """Whether the image is one of LibreChat's own, not of its database, RAG API or panel."""
        return re.fullmatch(_OWN_IMAGE, _image_name(self.image)) is not None

    @property
    def starts_server(self) -> bool:
        """Whether its command is that of LibreChat's server."""
        return re.search(_SERVER, self.command) is not None

    def target_of(self, path: Path) -> str | None:
        """Return where the container sees that file of this machine; None for nowhere."""
        for mount in self.mounts:
            if same_file(mount.source, path):
                return mount.target
            if path.is_relative_to(mount.source):
                return f"{mount.target.rstrip('/')}/{path.relative_to(mount.source).as_posix()}"
        return None

    def source_of(self, target: str) -> Path | None:
        """Return the file of this machine that the container sees there; None for none."""
        for mount in sorted(self.mounts, key=lambda each: -len(each.target)):
            within = mount.target.rstrip("/")
            if target == within:
                return mount.source
            if target.startswith(f"{within}/"):
                return mount.source / target.removeprefix(f"{within}/")
        return None


class Trouble(NamedTuple):
    """Why Docker Compose refuses the files, without a value of a variable.

    `path` is None where Compose names the file in the reason.
    """

    reason: str
    path: Path | None = None
    line: int | None = None

    @property
    def at_line(self) -> str:
        """The reason behind its line, where that is known."""
        if self.line is None:
            return self.reason
        return Message("line {line}: {problem}", line=self.line, problem=self.reason)


class Project(NamedTuple):
    """The services of a folder, read as far as they can be, and the files that name them.

    `env_files` are those that `${…}` refers to, of which a later one wins. The variables of `outer`
    beat them: the shell's, and those of an `.env` that names Compose files in another folder.
    `borrowed` are the variables from outside the folder that a `${…}` took.
    """

    files: tuple[Path, ...] = ()
    services: Mapping[str, Service] = MappingProxyType({})
    troubles: tuple[Trouble, ...] = ()
    is_too_large: bool = False
    env_files: tuple[Path, ...] = ()
    outer: Environment = MappingProxyType({})
    borrowed: Environment = MappingProxyType({})

    @property
    def has_panel(self) -> bool:
        """Whether LibreChat's admin panel runs beside it."""
        return any(
            "admin-panel" in each.image or each.name == "admin-panel"
            for each in self.services.values()
        )

    def librechat(self, env_file: Path) -> Service | None:
        """Return the service that runs LibreChat, whatever its name; None where there is none."""
        likeness, service = max(
            ((_likeness(each, env_file), each) for each in self.services.values()),
            key=lambda each: each[0],
            default=(0, None),
        )
        return service if likeness >= _LEAST_LIKENESS else None


_LEAST_LIKENESS = 4


def _likeness(service: Service, env_file: Path) -> int:
    """Return how much a service looks like LibreChat; its image counts most, its name least."""
    image = _image_name(service.image)
    if re.search(_OTHER_PART, image):
        return 0
    target = service.target_of(env_file)
    return (
        4 * service.has_own_image
        + 12 * bool(re.fullmatch(_OTHER_IMAGE, image))
        + 8 * (target in _ENV_TARGETS)
        + 8 * service.starts_server
        + 4 * (_PORT in service.ports)
        + 2 * service.sets_variables_of(env_file)
        + 4 * any(map(_is_own_setting, service.settings.items()))
        + 2 * bool(service.dockerfile)
        + 2 * (service.name in {"api", "librechat"})
    )


def _is_own_setting(setting: tuple[str, Setting]) -> bool:
    name, each = setting
    return each.origin is Origin.COMPOSE and name.startswith(("OPENID_", "DOMAIN_"))


def _image_name(image: str) -> str:
    """Return the last part of an image's name: without registry, tag and digest."""
    return image.lower().partition("@")[0].rpartition("/")[2].partition(":")[0]


def real_path(path: Path) -> Path:
    """Return the path without links, where they can be followed."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a circle, before Python 3.13
        return path


def same_file(one: Path, other: Path) -> bool:
    """Return whether both paths lead to the same file, or would."""
    return real_path(one) == real_path(other)


def service_of(name: str, content: Mapping[str, object], settings: Environment) -> Service:
    """Return a service of merged and interpolated Compose files.

    Its volumes are read by `sources_by_target`, its `build` has the long form.
    """
    build, volumes = content.get("build"), content.get("volumes")
    mounts = volumes.items() if isinstance(volumes, Mapping) else ()
    dockerfile, context = _nested(build, "dockerfile"), _nested(build, "context")
    return Service(
        name,
        image=scalar(content.get("image")),
        settings=settings,
        mounts=tuple(Mount(Path(source), target) for target, source in mounts if source and target),
        ports=tuple(dict.fromkeys(islice(_ports(content.get("ports")), MOST_PORTS))),
        user=scalar(content.get("user")),
        command=" ".join(map(scalar, as_list(content.get("command")))),
        working_dir=scalar(content.get("working_dir")),
        dockerfile=dockerfile or ("Dockerfile" if build else ""),
        context=context,
    )


def pairs(environment: object) -> Iterator[tuple[Text, str | None]]:
    """Return the variables of either form, a mapping or a list; None for one passed through."""
    if isinstance(environment, Mapping):
        for name, value in environment.items():
            yield Text.at(name, str(name)), None if value is None else scalar(value)
    elif isinstance(environment, list):
        for each in environment:
            name, sign, value = scalar(each).partition("=")
            yield Text.at(each, name), value if sign else None


def scalar(value: object) -> str:
    """Return a plain value as text, "" for anything else."""
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return str(value) if isinstance(value, str | int | float) else ""
    except ValueError:  # Python writes out no number of more than 4,300 digits
        return ""


def as_list(value: object) -> Sequence[object]:
    """Return the entries of a list, or the one value that may be in its place."""
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def sources_by_target(volumes: object, folder: Path) -> dict[str, str]:
    """Return where each volume's content is on this machine, "" for a named or anonymous one."""
    found = {}
    for each in as_list(volumes):
        volume = each if isinstance(each, Mapping) else _long_volume(scalar(each))
        source = scalar(volume.get("source"))
        is_path = source and volume.get("type", "bind") == "bind"
        path = os.path.normpath(folder / expanded(source)) if is_path else ""
        found[scalar(volume.get("target"))] = path
    return found


def with_files(
    service: Mapping[str, object], project: Mapping[str, object]
) -> Mapping[str, object]:
    """Return the service with those of its `configs` and `secrets` that are files as volumes."""
    volumes = service.get("volumes")
    if not isinstance(volumes, list | None):
        return service
    binds = [
        {"type": "bind", "source": file, "target": posixpath.join(folder, target)}
        for kind, folder in (("configs", "/"), ("secrets", "/run/secrets"))
        for name, target in _used(service.get(kind))
        if (file := _nested(project, kind, name, "file"))
    ]
    return {**service, "volumes": [*(volumes or ()), *binds]} if binds else service


def _used(entries: object) -> Iterator[tuple[str, str]]:
    """Yield the name and the target of each config or secret of a service."""
    for each in as_list(entries):
        long = each if isinstance(each, Mapping) else {"source": each}
        name = scalar(long.get("source"))
        yield name, scalar(long.get("target")) or name


def _nested(tree: object, *keys: str) -> str:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return scalar(tree)


def _long_volume(text: str) -> Mapping[str, object]:
    """Return the long form of a volume; an anonymous one has no source."""
    drive = text[:2] if re.match(_WINDOWS_PATH, text) else ""
    source, colon, rest = text[len(drive) :].partition(":")
    if not colon:
        return {"type": "volume", "target": text}
    is_path = bool(drive) or source.startswith((".", "/", "~"))
    kind = "bind" if is_path else "volume"
    return {"type": kind, "source": drive + source, "target": rest.partition(":")[0]}


def _ports(value: object) -> Iterator[str]:
    for each in as_list(value):
        if isinstance(each, Mapping):
            yield scalar(each.get("target"))
        else:
            yield from _range(scalar(each).partition("/")[0].rpartition(":")[2])


def _range(ports: str) -> Sequence[str]:
    """Return the ports of `first-last`, at most as many as there are ports."""
    first, _, last = ports.partition("-")
    if not (first.isascii() and last.isascii() and first.isdecimal() and last.isdecimal()):
        return (ports,)
    start, end = int(first[:6]), min(int(last[:6]), 65_535)
    return tuple(map(str, range(start, end + 1))) or (ports,)
