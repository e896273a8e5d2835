"""How the Compose files of a folder run LibreChat: as Docker Compose reads them, else as we do.

Our reader is asked in both cases: it knows the file and the line that set a variable, and refuses
files that are made to exhaust a reader before Compose gets them.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from wizard.librechat.access import Reader
from wizard.librechat.compose.docker import Services, ask_compose
from wizard.librechat.compose.model import (
    Project,
    Service,
    Trouble,
    pairs,
    service_of,
    sources_by_target,
)
from wizard.librechat.compose.own import read_project
from wizard.librechat.compose.sources import Sources
from wizard.librechat.compose.text import ComposeError
from wizard.librechat.env_file import EnvFile
from wizard.librechat.environment import (
    Container,
    Environment,
    Origin,
    Setting,
    read_by_dotenv,
)
from wizard.processes import Processes, without_secrets


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
    def image(self) -> str:
        """The image that runs, "" where none is named."""
        return self.service.image if self.service else ""

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the Compose files, the main one first."""
        return tuple(each.name for each in self.project.files)

    @property
    def settings(self) -> Iterator[Environment]:
        """The variables of every service, which may be secrets."""
        return (each.settings for each in self.project.services.values())

    @property
    def reads_env_file(self) -> bool:
        """Whether LibreChat itself reads the `.env`, in its container."""
        return self.service is not None and self.service.reads(self.env_file)

    @property
    def sets_variables_of_env_file(self) -> bool:
        """Whether Compose reads the `.env` for LibreChat, by its own grammar (`env_file`)."""
        return self.service is not None and self.service.sets_variables_of(self.env_file)

    @property
    def env_reader(self) -> Reader | None:
        """The container's user who reads the `.env`, as far as Compose names one."""
        named = self.service.user if self.service and self.reads_env_file else ""
        return Reader.in_container(named) if named else None

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
    is_safe = not project.is_too_large and not sources.mention(_secret_names(environ))
    if processes is not None and project.files and is_safe:
        answer = ask_compose(project, processes)
        if not isinstance(answer, str):
            project = _joined(project, answer)
        elif answer and not project.troubles:
            project = project._replace(troubles=(Trouble(answer),))
    return Deployment(env_file, folder, environ, sources, project)


def _secret_names(environ: Mapping[str, str]) -> set[str]:
    """Return the shell's variables that no other program gets from us."""
    return {*environ} - {*without_secrets(environ)}


def _joined(ours: Project, theirs: Services) -> Project:
    """Return the project as Compose reads it, with what our reader knows beside it."""
    if not theirs:
        return ours
    services = {name: _service(name, content, ours) for name, content in theirs.items()}
    return ours._replace(services=services, troubles=())


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
