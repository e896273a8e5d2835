"""Who runs this LibreChat, by evidence: a process, a container, or what the folder holds."""

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wizard.language import Message
from wizard.librechat.checkout import Checkout
from wizard.librechat.compose.deployment import Deployment
from wizard.librechat.compose.model import Service, real_path, same_file
from wizard.librechat.permissions import Reader
from wizard.librechat.versions import parse_version
from wizard.system.threads import begin

if TYPE_CHECKING:
    from wizard.librechat.containers import RunningContainer
    from wizard.system.processes import Processes
    from wizard.system.running_process import RunningProcess

_SERVER = r"(?:^|[/\\])server[/\\](?:index|experimental)\.js$"
NOT_KNOWN = Message("It is not known how LibreChat runs.")


class Certainty(Enum):
    """How sure it is who runs LibreChat."""

    KNOWN = "known"
    LIKELY = "likely"
    UNKNOWN = "unknown"


class Way(Enum):
    """How LibreChat is run; CONTAINER is one that Docker Compose did not create."""

    NPM = "npm"
    COMPOSE = "compose"
    CONTAINER = "container"
    UNKNOWN = "unknown"


class Machine(NamedTuple):
    """What runs here: what listens at LibreChat's port, and containers of any LibreChat."""

    process: "RunningProcess | None" = None
    containers: "tuple[RunningContainer, ...]" = ()


NOTHING_RUNS = Machine()


class Evidence(NamedTuple):
    """What was seen of a LibreChat: what its folder holds, and what runs on this machine."""

    checkout: Checkout
    deployment: Deployment
    port: int = 0
    machine: Machine = NOTHING_RUNS

    @property
    def env_file(self) -> Path:
        """Its `.env`, without links."""
        return real_path(self.deployment.env_file)


class Runner(NamedTuple):
    """Who runs LibreChat.

    Attributes:
        certainty: KNOWN by a process or a container alone.
        because: what was seen, in one sentence.
        container: that runs LibreChat, or did.
        compose_files: as they are named from the folder of the `.env`.
        takes_new_container: whether a changed `.env` has an effect in a new container only.
        reader: whom the `.env` has to let read, None where it is not known.
        other_folder: where a LibreChat works that listens at the port and is not this one.
    """

    way: Way = Way.UNKNOWN
    certainty: Certainty = Certainty.UNKNOWN
    because: Message = NOT_KNOWN
    is_running: bool = False
    process: "RunningProcess | None" = None
    container: "RunningContainer | None" = None
    service: str = ""
    compose_files: tuple[str, ...] = ()
    takes_new_container: bool = False
    version: str = ""
    version_source: str = ""
    reader: Reader | None = None
    other_folder: Path | None = None

    @property
    def started(self) -> float | None:
        """When it started, in seconds since the epoch; None where none is known to run."""
        if self.container is not None:
            return self.container.started if self.container.is_running else None
        return self.process.started if self.process else None

    @property
    def is_known(self) -> bool:
        """Whether a process or a container shows it."""
        return self.certainty is Certainty.KNOWN

    @property
    def is_npm(self) -> bool:
        """Whether npm runs it, as far as that can be seen."""
        return self.way is Way.NPM

    @property
    def is_compose(self) -> bool:
        """Whether Docker Compose runs it, as far as that can be seen."""
        return self.way is Way.COMPOSE


UNKNOWN = Runner()


def look_at_machine(processes: "Processes | None", port: int) -> Machine:
    """Return what listens at the port, and LibreChat's containers."""
    if processes is None:
        return NOTHING_RUNS
    if processes.which("docker") is None:
        return Machine(processes.listening(port))
    from wizard.librechat.containers import containers

    found = begin(containers, processes)
    return Machine(processes.listening(port), found.result())


def judge(evidence: Evidence) -> Runner:
    """Return who runs LibreChat; what runs comes before what the folder holds."""
    looks = (_by_process, _by_container, _by_port, _by_folder)
    found = (runner for look in looks if (runner := look(evidence)) is not None)
    return next(found, UNKNOWN)._replace(other_folder=_other_folder(evidence))


def _is_server(process: "RunningProcess") -> bool:
    """Return whether the process is LibreChat's server, by its command line."""
    return any(re.search(_SERVER, word) for word in process.command)


def _by_process(evidence: Evidence) -> Runner | None:
    process = evidence.machine.process
    if process is None or process.container or not _is_server(process):
        return None
    if process.folder is None:
        why = Message(
            "npm probably runs LibreChat: process {pid}, whose folder cannot be read.",
            pid=process.pid,
        )
        certainty = Certainty.LIKELY
    elif same_file(process.folder / ".env", evidence.env_file):
        why = Message("npm runs LibreChat: process {pid}, started in this folder.", pid=process.pid)
        certainty = Certainty.KNOWN
    else:
        return None
    reader = None
    if process.user is not None:
        reader = Reader(process.user, other_groups=process.groups, is_in_container=False)
    runner = _npm(evidence, certainty, why)
    return runner._replace(is_running=True, process=process, reader=reader)


def _by_container(evidence: Evidence) -> Runner | None:
    ours = sorted(_ours(evidence), key=lambda each: not each.is_running)
    return _of_container(ours[0], evidence) if ours else None


def _ours(evidence: Evidence) -> "Iterator[RunningContainer]":
    """The containers of this folder, and one at its port that may have been given its values."""
    listening = evidence.machine.process.container if evidence.machine.process else ""
    for each in evidence.machine.containers:
        is_given = _is_at_port(each, evidence) and not each.service
        if each.is_of(evidence.env_file) or each.id == listening or is_given:
            yield each


def _is_at_port(container: "RunningContainer", evidence: Evidence) -> bool:
    return container.is_running and evidence.port in container.ports


def _of_container(container: "RunningContainer", evidence: Evidence) -> Runner:
    is_sure = container.is_running and container.is_of(evidence.env_file)
    reads_env_file = container.definition.reads(evidence.env_file)
    folder = evidence.deployment.env_file.parent
    version, source = _version_of(container.definition.image, container.version)
    return Runner(
        Way.COMPOSE if container.service else Way.CONTAINER,
        Certainty.KNOWN if is_sure else Certainty.LIKELY,
        _seen(container, is_sure).filled(
            name=container.name,
            service=container.service,
            code=container.exit_code,
            port=evidence.port,
        ),
        is_running=container.is_running,
        container=container,
        service=container.service,
        compose_files=tuple(_named_from(folder, Path(each)) for each in container.compose_files),
        takes_new_container=evidence.deployment.sets_variables_of_env_file or not reads_env_file,
        version=version,
        version_source=source,
        reader=container.reader if reads_env_file else None,
    )


def _named_from(folder: Path, path: Path) -> str:
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _seen(container: "RunningContainer", is_sure: bool) -> Message:
    if container.service and container.is_running:
        return Message("Docker Compose runs LibreChat: container {name} (service {service}).")
    if container.service:
        return Message(
            "Docker Compose ran LibreChat: container {name} (service {service}) has ended with"
            " exit code {code}."
        )
    if not container.is_running:
        return Message("Docker ran LibreChat: container {name} has ended with exit code {code}.")
    if is_sure:
        return Message("Docker runs LibreChat: container {name}.")
    return Message("Docker probably runs LibreChat: container {name} publishes port {port}.")


def _by_port(evidence: Evidence) -> Runner | None:
    process = evidence.machine.process
    if process is None or not (process.publishes_container or process.container):
        return None
    why = Message(
        "Docker probably runs LibreChat: {program} listens at port {port}.",
        program=process.name,
        port=evidence.port,
    )
    if service := evidence.deployment.service:
        return _compose(service, evidence.deployment, why)._replace(is_running=True)
    return Runner(Way.CONTAINER, Certainty.LIKELY, why, is_running=True)


def _by_folder(evidence: Evidence) -> Runner | None:
    deployment = evidence.deployment
    if evidence.checkout.is_built:
        why = Message(
            "npm probably runs LibreChat: node_modules is installed and the client is built."
        )
        return _npm(evidence, Certainty.LIKELY, why)
    if service := deployment.service:
        why = Message(
            "Docker Compose probably runs LibreChat: {files} has the service {service}.",
            files=", ".join(deployment.files),
            service=service.name,
        )
        return _compose(service, deployment, why)
    if evidence.checkout.has_package:
        why = Message("npm probably runs LibreChat: this folder has no Docker Compose file.")
        return _npm(evidence, Certainty.LIKELY, why)
    return None


def _npm(evidence: Evidence, certainty: Certainty, why: Message) -> Runner:
    version = evidence.checkout.version
    source = "package.json" if version else ""
    return Runner(Way.NPM, certainty, why, version=version, version_source=source)


def _compose(service: Service, deployment: Deployment, why: Message) -> Runner:
    version, source = _version_of(service.image)
    reads_env_file = service.user and service.reads(deployment.env_file)
    return Runner(
        Way.COMPOSE,
        Certainty.LIKELY,
        why,
        service=service.name,
        compose_files=deployment.files,
        takes_new_container=deployment.sets_variables_of_env_file,
        version=version,
        version_source=source,
        reader=Reader.in_container(service.user) if reads_env_file else None,
    )


def _version_of(image: str, label: str = "") -> tuple[str, str]:
    """The version that an image has, by its label or its name, and where it was found."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    if parse_version(label):
        return label.removeprefix("v"), Message("label of the image")
    if parse_version(tag):
        return tag.removeprefix("v"), Message("tag of the image")
    return "", ""


def _other_folder(evidence: Evidence) -> Path | None:
    """The folder of another LibreChat that has the port."""
    for each in evidence.machine.containers:
        if (
            _is_at_port(each, evidence)
            and each.compose_folder
            and not each.is_of(evidence.env_file)
        ):
            return Path(each.compose_folder)
    process = evidence.machine.process
    if process is None or process.container or process.folder is None or not _is_server(process):
        return None
    return None if same_file(process.folder / ".env", evidence.env_file) else process.folder
