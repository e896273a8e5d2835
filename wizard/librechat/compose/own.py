"""Our reader of Compose files, for machines without Docker Compose, and for the lines of values.

Held against Docker Compose v2 in the tests. It reads what LibreChat's settings depend on and
checks nothing else: Compose may refuse a file that this reader takes.
"""

import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from wizard.language import Message
from wizard.librechat.compose.merge import Listed, Tree, merged
from wizard.librechat.compose.model import (
    EnvFileEntry,
    Project,
    Service,
    Trouble,
    as_list,
    pairs,
    real_path,
    same_file,
    scalar,
    service_of,
    sources_by_target,
    with_files,
)
from wizard.librechat.compose.sources import MAX_YAML_BYTES, Budget, Sources, TooLargeError
from wizard.librechat.compose.text import (
    ComposeError,
    Lookup,
    interpolated,
    read_env_file,
    read_raw_env_file,
)
from wizard.librechat.compose.yaml import Override, Reset, Text, TooManyEntriesError, read_yaml
from wizard.librechat.environment import Environment, Origin, Setting, of_process

# The first of each that is there, in Compose's own order (compose-go, cli/options.go).
MAIN_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_FILES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
# LibreChat's own, for `docker compose -f`.
DEPLOY_FILE = "deploy-compose.yml"
# The rest of a service has no say in LibreChat's settings.
_PARTS = frozenset(
    {
        "build",
        "command",
        "env_file",
        "environment",
        "extends",
        "image",
        "ports",
        "user",
        "volumes",
        "working_dir",
    }
)
_DEEPEST = 16


def read_project(
    folder: Path, env_file: Path, environ: Mapping[str, str], sources: Sources
) -> Project:
    """Return what `docker compose` reads in that folder; what cannot be read is a trouble.

    Without files that Compose finds by itself, it is LibreChat's own for `docker compose -f`.
    """
    outer = of_process(environ)
    named = environ.get("COMPOSE_ENV_FILES", "")
    env_files = tuple(folder / each for each in named.split(",") if each) or (folder / ".env",)
    files = _found_files(folder, sources)
    reader = _Reader(sources, env_file, folder, [], Budget(), Borrowed(), outer)
    try:
        if "COMPOSE_FILE" not in environ:
            reader = reader.within(env_files, outer)
        files = _named_files(folder, reader.scope) or files
        if not files:
            return Project()
        reader = reader._replace(root=files[0].parent)
        beside = reader.root / ".env"
        if not named and beside not in env_files:
            env_files, outer = (beside,), reader.scope
        if reader.root != folder or not reader.scope:  # else it was read above
            reader = reader.within(env_files, outer)
        services = reader.services(files, reader.root)
        found = {name: reader.service(name, each) for name, each in services.items()}
    except (TooLargeError, RecursionError):
        too_large = Trouble(Message("The files are too large for a Compose project of LibreChat."))
        return Project(files, troubles=(too_large,) if files else (), is_too_large=True)
    troubles = tuple(dict.fromkeys(reader.troubles))
    return Project(
        files, found, troubles, env_files=env_files, outer=outer, borrowed=reader.borrowed.settings
    )


def _named_files(folder: Path, scope: Environment) -> tuple[Path, ...]:
    named = _value(scope, "COMPOSE_FILE") or ""
    separator = _value(scope, "COMPOSE_PATH_SEPARATOR") or os.pathsep
    return tuple(folder / name for name in named.split(separator) if name)


def _found_files(folder: Path, sources: Sources) -> tuple[Path, ...]:
    if main := _first(folder, MAIN_FILES, sources):
        return main + _first(folder, OVERRIDE_FILES, sources)
    return _first(folder, (DEPLOY_FILE,), sources)


class Borrowed:
    """The variables that were filled in from the shell, or from an env file outside the folder."""

    def __init__(self) -> None:
        self.settings: dict[str, Setting] = {}
        self.files: set[str] = set()  # those outside, as `Setting.where` names them

    def note(self, name: str, setting: Setting) -> None:
        """Keep the variable if it is one of them."""
        if setting.origin is Origin.SHELL or setting.where in self.files:
            self.settings[name] = setting


class _Reader(NamedTuple):
    """Merges files into services; `scope` is what `${…}` refers to, `depth` what led here."""

    sources: Sources
    env_file: Path
    root: Path
    troubles: list[Trouble]
    budget: Budget
    borrowed: "Borrowed"
    scope: Environment = MappingProxyType({})
    depth: int = 0

    def within(self, env_files: Sequence[Path], outer: Environment) -> "_Reader":
        """Return the reader of a project with those env files; the outer variables beat them."""
        scope: dict[str, Setting] = {}
        for path in env_files:
            scope |= self._env_file(EnvFileEntry(path, required=False), {**scope, **outer})
        return self._replace(scope={**scope, **outer})

    def lookup_in(self, scope: Environment) -> Lookup:
        """Return the function that finds a variable of the scope for a `${…}`."""

        def lookup(name: str) -> str | None:
            value = _value(scope, name)
            self.budget.spend("characters", len(value or ""))
            if name in scope:
                self.borrowed.note(name, scope[name])
            return value

        return lookup

    def services(self, files: Sequence[Path], folder: Path) -> dict[str, Tree]:
        """Return the services of the files, each merged into those before it."""
        found: dict[str, Tree] = {}
        for path in files:
            for name, service in self._services_of(path, folder).items():
                found[name] = merged(found.get(name, {}), service)
        return found

    def service(self, name: str, content: Tree) -> Service:
        """Return a service with the variables of its container."""
        settings: dict[str, Setting] = {}
        files = content.get("env_file")
        env_files = tuple(files.values()) if isinstance(files, dict) else ()
        for each in env_files:
            settings |= self._env_file(each, {**self.scope, **settings})
        environment = content.get("environment")
        for variable, value in environment.items() if isinstance(environment, dict) else ():
            if isinstance(value, Setting):
                settings[variable] = value
            else:  # it is passed on, and not set
                settings.pop(variable, None)
        return service_of(name, content, settings)._replace(env_files=env_files)

    def _services_of(self, path: Path, folder: Path) -> dict[str, Tree]:
        include, services = self._content(path, folder)
        found: dict[str, Tree] = {}
        for entry in as_list(include):
            found |= self._deeper()._included(entry, folder)
        for name, service in services.items():
            own = self._extended(service, path, folder)
            found[name] = merged(found[name], own) if name in found else own
        return found

    def _content(self, path: Path, folder: Path) -> tuple[object, dict[str, Tree]]:
        """Return `include` and `services` of a file, whose paths start at that folder."""
        self.budget.spend("files")
        try:
            text = self.sources.text(path, MAX_YAML_BYTES)
            if text is None:
                raise ComposeError(Message("the file does not exist"))
            content = read_yaml(text)
            if not isinstance(content, dict | None):
                raise ComposeError(Message("it is not a mapping of names to values"))
        except TooManyEntriesError as error:
            raise TooLargeError from error
        except ComposeError as error:
            self.troubles.append(Trouble(error.reason, path, error.line))
            return None, {}
        content = content or {}
        services: dict[str, Tree] = {}
        for name, service in _services(content).items():
            whole = with_files(service, content)
            parts = {part: whole[part] for part in _PARTS & {*whole}}
            services[name] = {
                str(part): self._read(part, self._filled_in(value, path), path, folder)
                for part, value in parts.items()
            }
        return self._filled_in(content.get("include"), path), services

    def _filled_in(self, value: object, path: Path) -> object:
        """Return the content with each `${…}` in its values filled in."""
        self.budget.spend("values")
        if isinstance(value, str):
            try:
                return Text.at(value, interpolated(value, self.lookup_in(self.scope)))
            except ComposeError as error:
                self.troubles.append(Trouble(error.reason, path, error.line))
                return value
        if isinstance(value, dict):
            return {
                Text.at(key, str(key)): self._filled_in(each, path) for key, each in value.items()
            }
        if isinstance(value, list):
            return [self._filled_in(each, path) for each in value]
        if isinstance(value, Override):
            return Override(self._filled_in(value.value, path))
        return value

    def _read(self, part: str, value: object, path: Path, folder: Path) -> object:
        """Return a part of a service in the one form that can be merged, whatever it has."""
        if value is None or isinstance(value, Reset):
            return value
        if isinstance(value, Override):
            return Override(self._read(part, value.value, path, folder))
        if part == "environment":
            return _settings(value, self.scope, self._shown(path))
        if part == "env_file":
            return _env_files(value, folder)
        if part == "volumes":
            return sources_by_target(value, folder)
        return {"context": value} if part == "build" and isinstance(value, str) else value

    def _included(self, entry: object, folder: Path) -> dict[str, Tree]:
        long = entry if isinstance(entry, Mapping) else {"path": entry}
        paths = [folder / scalar(path) for path in as_list(long.get("path"))]
        if not paths:
            return {}
        directory = scalar(long.get("project_directory"))
        inner = folder / directory if directory else paths[0].parent
        named = [folder / scalar(each) for each in as_list(long.get("env_file"))]
        reader = self.within(named or [inner / ".env"], self.scope)
        services = reader.services(paths, inner)
        return {name: _rebased(service, folder) for name, service in services.items()}

    def _extended(self, service: Tree, path: Path, folder: Path) -> Tree:
        """Return the service over the one that it extends."""
        extends = service.get("extends")
        if extends is None:
            return service
        long = extends if isinstance(extends, Mapping) else {"service": extends}
        file = scalar(long.get("file"))
        base_path = folder / file if file else path
        base_folder = base_path.parent if file else folder
        name = scalar(long.get("service"))
        base = self._content(base_path, base_folder)[1].get(name)
        if base is None:
            reason = Message("it extends {service}, which does not exist", service=name)
            self.troubles.append(Trouble(reason, path))
            return service
        base = self._deeper()._extended(base, base_path, base_folder)
        return merged(_rebased(base, folder) if file else base, service)

    def _deeper(self) -> "_Reader":
        if self.depth >= _DEEPEST:
            raise TooLargeError
        return self._replace(depth=self.depth + 1)

    def _env_file(self, entry: EnvFileEntry, outside: Environment) -> dict[str, Setting]:
        """Return the variables of an env file by Compose's grammar."""
        path = entry.path
        self.budget.spend("files")
        lookup = self.lookup_in(outside)
        is_ours = same_file(path, self.env_file)
        origin = Origin.ENV_FILE if is_ours else Origin.OTHER_ENV_FILE
        if not real_path(path).is_relative_to(real_path(self.root)):
            self.borrowed.files.add(self._shown(path))
        values: dict[str, Setting] = {}
        try:
            text = self.sources.text(path)
            if text is None and entry.required:
                raise ComposeError(Message("the file does not exist"))
            read = read_raw_env_file if entry.is_raw else read_env_file
            values.update(read(text or "", lookup, origin, self._shown(path)))
        except ComposeError as error:
            self.troubles.append(Trouble(error.reason, path, error.line))
        return values

    def _shown(self, path: Path) -> str:
        """Return the path as users know it: from the project's folder, if it is in there."""
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)


def _env_files(value: object, folder: Path) -> dict[str, EnvFileEntry]:
    """Return the env files by their names, which Compose compares."""
    found = {}
    for each in as_list(value):
        entry = each if isinstance(each, Mapping) else {"path": each}
        if name := scalar(entry.get("path")):
            path = Path(os.path.normpath(folder / name))
            is_raw = entry.get("format") == "raw"
            found[name] = EnvFileEntry(path, entry.get("required") is not False, is_raw)
    return found


def _rebased(service: Tree, folder: Path) -> Tree:
    """Return the service of another file with the names that its env files have in that folder."""
    files = service.get("env_file")
    if not isinstance(files, dict):
        return service
    named = {
        name if Path(name).is_absolute() else os.path.relpath(each.path, folder): each
        for name, each in files.items()
    }
    return {**service, "env_file": named}


def _settings(environment: object, scope: Environment, where: str) -> Tree:
    """Return the variables of `environment` as settings; one that is passed on is the scope's."""

    def setting(name: Text, value: str | None) -> object:
        if isinstance(environment, dict) and isinstance(environment.get(name), Reset):
            return environment[name]
        if value is None:
            return scope.get(name)
        return Setting(value, Origin.COMPOSE, where, name.line)

    form = Listed if isinstance(environment, list) else dict
    return form((name, setting(name, value)) for name, value in pairs(environment))


def _services(content: Mapping[str, object]) -> dict[str, Tree]:
    services = content.get("services")
    if isinstance(services, Override):
        services = services.value
    if not isinstance(services, Mapping):
        return {}
    return {str(name): {**each} for name, each in services.items() if isinstance(each, Mapping)}


def _value(scope: Environment, name: str) -> str | None:
    return scope[name].value if name in scope else None


def _first(folder: Path, names: Sequence[str], sources: Sources) -> tuple[Path, ...]:
    return tuple(islice((folder / name for name in names if sources.has(folder / name)), 1))
