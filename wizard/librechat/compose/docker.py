"""Docker Compose itself, where it is installed: `config` needs no daemon and starts nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wizard.librechat.compose.model import Project
from wizard.processes import Processes, without_secrets
from wizard.reading import load_json

_SECONDS = 10.0
# A Compose file may include one from a git repository or a registry, which Compose would fetch.
_NO_REMOTE = {
    "COMPOSE_EXPERIMENTAL_GIT_REMOTE": "false",
    "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "false",
}
# It may quote a value, of whatever variable.
_QUOTED = r'"[^"]*"|`[^`]*`'
_VERSION_2 = r"v?(?:[2-9]|\d\d)\."

Services = Mapping[str, Mapping[str, object]]


def ask_compose(project: Project, processes: Processes) -> Services | str:
    """Return the services as Docker Compose v2 reads them, or why it refuses the files.

    That is "" where it is not installed, or does not end in time.
    """
    docker = processes.which("docker")
    if docker is None:
        return ""
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
    if services is not None:
        return services
    if done.status in {124, 127}:
        return ""
    version = processes.run([*command, "version", "--short"], env=env, timeout=_SECONDS)
    is_there = version.status == 0 and re.match(_VERSION_2, version.stdout)
    return _refusal(done.stderr) if is_there else ""


def _services(printed: str) -> Services | None:
    """Return the services; Compose prints each `$` twice, so that its output can be read again."""
    try:
        services = load_json(printed.replace("$$", "$"))["services"]
    except (ValueError, KeyError, TypeError):
        return None
    is_right = isinstance(services, dict) and all(isinstance(e, dict) for e in services.values())
    return services if is_right else None


def _refusal(said: str) -> str:
    """Return why Compose refuses the files, in its words: the last line that is no warning."""
    lines = [line for line in said.splitlines() if line.strip() and "level=warning" not in line]
    return re.sub(_QUOTED, '"…"', lines[-1].strip()) if lines else ""
