"""LibreChat's containers on this machine, as `docker inspect` describes them.

Source: https://docs.docker.com/reference/api/engine/ (ContainerInspect); `docker inspect` of
Docker 28 was run against a daemon double, as no daemon was available.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wizard.librechat.compose.model import Mount, Service, as_list, pairs, scalar
from wizard.librechat.environment import Origin, of_process
from wizard.librechat.permissions import Reader, is_number
from wizard.system.clock import moment
from wizard.system.processes import Completed, Processes
from wizard.system.reading import load_json

DOCKER_SECONDS = 3.0
MOST_CONTAINERS = 200
# Docker Desktop puts this before the paths of macOS.
_HOST_MOUNT = "/host_mnt"
_COMPOSE_LABEL = "com.docker.compose."
_VERSION_LABEL = "org.opencontainers.image.version"


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A container, also one that has ended.

    Attributes:
        definition: what Docker Compose would say of it.
        service: its service in Docker Compose, "" for a container that Compose did not create.
        compose_files: those that it was created from.
        compose_folder: the folder that Compose was run for.
        version: what its image says of itself.
        ports: those of this machine that lead to it.
        started: seconds since the epoch, None where it never was.
    """

    id: str
    definition: Service
    service: str = ""
    compose_files: tuple[str, ...] = ()
    compose_folder: str = ""
    version: str = ""
    ports: frozenset[int] = frozenset()
    state: str = ""
    exit_code: int = 0
    started: float | None = None

    @property
    def name(self) -> str:
        """Its own name."""
        return self.definition.name

    @property
    def is_running(self) -> bool:
        """Whether it runs, or Docker starts it over and over."""
        return self.state in {"running", "restarting", "paused"}

    def is_of(self, env_file: Path) -> bool:
        """Return whether it was created for the folder of that `.env`, or has a part of it."""
        folder = env_file.parent
        # Not what is deeper: that may be another checkout's.
        sources = (mount.source for mount in self.definition.mounts)
        if any(folder in {source, source.parent} for source in sources):
            return True
        files = (Path(each).parent for each in self.compose_files)
        return folder in {Path(self.compose_folder), *files} if self.service else False

    @property
    def reader(self) -> Reader | None:
        """The user that LibreChat in it runs as, None for a name that only the image knows."""
        return Reader.in_container(self.definition.user or "root")


def containers(processes: Processes) -> tuple[RunningContainer, ...]:
    """Return LibreChat's containers, the newest first; none where Docker does not answer.

    Docker is asked, never started, and gets `DOCKER_SECONDS`.
    """
    deadline = time.monotonic() + DOCKER_SECONDS
    listed = _docker(
        processes, deadline, "ps", f"--last={MOST_CONTAINERS}", "--quiet", "--no-trunc"
    )
    identifiers = [each for each in listed.stdout.split() if re.fullmatch(r"[0-9a-f]{12,64}", each)]
    if listed.status or not identifiers:
        return ()
    # The status only says whether one of them was removed meanwhile.
    described = _docker(processes, deadline, "inspect", "--type=container", *identifiers)
    return tuple(each for each in read_inspect(described.stdout) if each.definition.is_librechat)


def _docker(processes: Processes, deadline: float, *args: str) -> Completed:
    return processes.run(["docker", *args], timeout=max(0.1, deadline - time.monotonic()))


def read_inspect(text: str) -> Iterator[RunningContainer]:
    """Return the containers in the output of `docker inspect`, and nothing else in it."""
    try:
        content = load_json(text)
    except ValueError:
        return
    for each in content if isinstance(content, list) else ():
        if isinstance(each, dict) and isinstance(each.get("Id"), str):
            yield _container(each)


def _container(content: Mapping[str, object]) -> RunningContainer:
    config, state = _mapping(content, "Config"), _mapping(content, "State")
    labels = _mapping(config, "Labels")
    files = scalar(labels.get(f"{_COMPOSE_LABEL}project.config_files")).split(",")
    variables: dict[str, str] = {
        name: value for name, value in pairs(config.get("Env")) if value is not None
    }
    words = (*as_list(config.get("Entrypoint")), *as_list(config.get("Cmd")))
    exit_code, started = state.get("ExitCode"), moment(scalar(state.get("StartedAt")))
    return RunningContainer(
        id=str(content["Id"]),
        definition=Service(
            scalar(content.get("Name")).removeprefix("/"),
            image=scalar(config.get("Image")),
            settings=of_process(variables, Origin.CONTAINER),
            mounts=tuple(_mounts(content)),
            user=scalar(config.get("User")),
            command=" ".join(filter(None, map(scalar, words))),
            working_dir=scalar(config.get("WorkingDir")),
        ),
        service=scalar(labels.get(f"{_COMPOSE_LABEL}service")),
        compose_files=tuple(filter(None, files)),
        compose_folder=scalar(labels.get(f"{_COMPOSE_LABEL}project.working_dir")),
        version=scalar(labels.get(_VERSION_LABEL)),
        ports=frozenset(_ports(content)),
        state=scalar(state.get("Status")),
        exit_code=exit_code if isinstance(exit_code, int) else 0,
        # In the year 1 for one that was never started.
        started=started if started and started > 0 else None,
    )


def _mounts(content: Mapping[str, object]) -> Iterator[Mount]:
    for each in as_list(content.get("Mounts")):
        if isinstance(each, dict) and each.get("Type") == "bind":
            source = scalar(each.get("Source"))
            if source.startswith(f"{_HOST_MOUNT}/"):
                source = source.removeprefix(_HOST_MOUNT)
            yield Mount(Path(source), scalar(each.get("Destination")))


def _ports(content: Mapping[str, object]) -> Iterator[int]:
    for bindings in _mapping(_mapping(content, "NetworkSettings"), "Ports").values():
        for each in as_list(bindings):
            port = scalar(each.get("HostPort")) if isinstance(each, dict) else ""
            if is_number(port):
                yield int(port)


def _mapping(content: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = content.get(key)
    return value if isinstance(value, dict) else {}
