"""How the Compose files of a folder run LibreChat: as Docker Compose reads them, else as we do.

Our reader is asked in both cases: it knows the file and the line that set a variable, and refuses
files that are made to exhaust a reader before Compose gets them.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from wizard.librechat.compose.model import (
    Project,
    Service,
    Trouble,
    pairs,
    service_of,
    sources_by_target,
    with_files,
)
from wizard.librechat.compose.own import read_project
from wizard.librechat.compose.sources import Sources
from wizard.librechat.compose.text import ComposeError
from wizard.librechat.env_file import EnvFile
from wizard.librechat.environment import Container, Environment, Origin, Setting, read_by_dotenv
from wizard.system.processes import Processes, without_secrets
from wizard.system.reading import load_json

_SECONDS = 10.0
# A Compose file may include one from a git repository or a registry, which Compose would fetch.
_NO_REMOTE = {
    "COMPOSE_EXPERIMENTAL_GIT_REMOTE": "false",
    "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "false",
}
# It may quote a value, of whatever variable.
_QUOTED = r'"[^"]*"|`[^`]*`'
_VERSION_2 = r"v?(?:[2-9]|\d\d)\."


class _Found(NamedTuple):
    env_file: Path
    folder: Path
    environ: Mapping[str, str]
    sources: Sources
    project: Project = Project()
    running: Service | None = None


class Deployment(_Found):
    """The Compose project of a folder, and LibreChat's service in it.

    `running` is the service whose container runs, None where none is known to.
    """

    def __repr__(self) -> str:
        return f"Deployment({self.project!r})"

    @cached_property
    def service(self) -> Service | None:
        """LibreChat's service, None where Docker Compose does not run it."""
        return self.running or self.project.librechat(self.env_file)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the Compose files, the main one first."""
        return tuple(each.name for each in self.project.files)

    @property
    def reads_env_file(self) -> bool:
        """Whether LibreChat itself reads the `.env`, in its container."""
        return self.service is not None and self.service.reads(self.env_file)

    @property
    def sets_variables_of_env_file(self) -> bool:
        """Whether Compose reads the `.env` for LibreChat, by its own grammar (`env_file`)."""
        return self.service is not None and self.service.sets_variables_of(self.env_file)

    def container(self, file: EnvFile) -> Container | None:
        """Return what its container gets with that `.env`; None where Compose does not run it."""
        if self.service is None:
            return None
        variables = self._variables(self.service, file.text)
        if self.reads_env_file:
            return Container(variables, read_by_dotenv(file))
        return Container(variables, self._other_dotenv(self.service))

    def _other_dotenv(self, service: Service) -> Environment:
        path = service.dotenv()
        text = self._text(path) if path else None
        if path is None or text is None:
            return {}
        return read_by_dotenv(EnvFile(text), path.name, Origin.OTHER_ENV_FILE)

    def _variables(self, service: Service, text: str) -> Environment:
        """Return the variables of the container with that text of the `.env`.

        One that our reader finds the same has the value that Compose gave it.
        """
        if text == self._text(self.env_file):
            return service.settings
        before = self._own(service.name, self.sources)
        after = self._own(service.name, self.sources.instead(self.env_file, text))
        kept = {
            name: each
            for name, each in service.settings.items()
            if name in after or name not in before
        }
        return {**kept, **{name: each for name, each in after.items() if before.get(name) != each}}

    def _own(self, name: str, sources: Sources) -> Environment:
        project = read_project(self.folder, self.env_file, self.environ, sources)
        return project.services[name].settings if name in project.services else {}

    def _text(self, path: Path) -> str | None:
        with suppress(ComposeError):
            return self.sources.text(path)
        return None


def read_deployment(
    folder: Path,
    env_file: Path,
    environ: Mapping[str, str],
    processes: Processes | None = None,
    *,
    sources: Sources | None = None,
) -> Deployment:
    """Return how Docker Compose runs LibreChat in that folder; what is broken is part of it.

    Docker Compose is asked through `processes`; without them only our reader is.
    """
    folder, env_file, sources = folder.absolute(), env_file.absolute(), sources or Sources()
    project = read_project(folder, env_file, environ, sources)
    secret_names = {*environ} - {*without_secrets(environ)}  # no other program gets these from us
    is_safe = not project.is_too_large and not sources.mention(secret_names)
    if processes is not None and project.files and is_safe:
        project = _as_compose_reads(project, processes)
    return Deployment(env_file, folder, environ, sources, project)


def _as_compose_reads(project: Project, processes: Processes) -> Project:
    """Return the project as Docker Compose v2 reads it, or with the reason why it refuses it.

    Ours, where Compose is not installed or does not end in time. `config` needs no daemon and
    starts nothing.
    """
    docker = processes.which("docker")
    if docker is None:
        return project
    command = [str(docker), "compose"]
    outer = {name: each.value for name, each in project.outer.items()}
    env = without_secrets(outer) | _NO_REMOTE
    options: list[str] = []
    for path in project.env_files:
        if path.is_file():
            options += ["--env-file", str(path)]
    for path in project.files:
        options += ["--file", str(path)]
    options += ["--profile", "*", "config", "--format", "json"]
    done = processes.run([*command, *options], env=env, timeout=_SECONDS)
    services = _services(done.stdout)
    if services:
        read = {name: _service(name, content, project) for name, content in services.items()}
        return project._replace(services=read, troubles=())
    if services is not None or done.status in {124, 127} or project.troubles:
        return project
    version = processes.run([*command, "version", "--short"], env=env, timeout=_SECONDS)
    is_there = version.status == 0 and re.match(_VERSION_2, version.stdout)
    reason = _refusal(done.stderr) if is_there else ""
    return project._replace(troubles=(Trouble(reason),)) if reason else project


def _services(printed: str) -> Mapping[str, Mapping[str, object]] | None:
    """Return the services; Compose prints each `$` twice, so that its output can be read again."""
    try:
        project = load_json(printed.replace("$$", "$"))
        services = project["services"]
    except (ValueError, KeyError, TypeError):
        return None
    is_right = isinstance(services, dict) and all(isinstance(e, dict) for e in services.values())
    return {name: with_files(e, project) for name, e in services.items()} if is_right else None


def _refusal(said: str) -> str:
    """Return why Compose refuses the files, in its words: the last line that is no warning."""
    lines = [line for line in said.splitlines() if line.strip() and "level=warning" not in line]
    return re.sub(_QUOTED, '"…"', lines[-1].strip()) if lines else ""


def _service(name: str, content: Mapping[str, object], project: Project) -> Service:
    ours = project.services.get(name, Service(name))
    main = project.files[0]
    unknown = Setting("", Origin.COMPOSE, main.name)
    settings: dict[str, Setting] = {
        variable: ours.settings.get(variable, unknown)._replace(value=value)
        for variable, value in pairs(content.get("environment"))
        if value is not None
    }
    volumes = sources_by_target(content.get("volumes"), main.parent)
    service = service_of(name, {**content, "volumes": volumes}, settings)
    return service._replace(env_files=ours.env_files)
