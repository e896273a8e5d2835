"""How LibreChat reads a changed `.env`: the commands for what runs it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.language import Message, joined
from wizard.librechat.compose.own import MAIN_FILES, OVERRIDE_FILES
from wizard.librechat.runner import Runner, Way
from wizard.platforms import command_line

if TYPE_CHECKING:
    from wizard.librechat.containers import RunningContainer
    from wizard.running_process import RunningProcess

# Another unit may be the login session or cron job that started LibreChat.
_OWN_UNIT = r"(?i)chat"
OWN_WAY = Message("Restart LibreChat the way you started it.")


def how_to_restart(runner: Runner, env_file: Path) -> tuple[str, ...]:
    """Return the commands that make LibreChat read a changed `.env`, or start it; none if unknown.

    LibreChat reads a mounted file when it starts; `up -d` does nothing then, since the service's
    definition is the same. Variables that Docker Compose itself sets by `env_file` need a new
    container, as `up -d` makes it; they win over a mounted file.

    Source: docker-compose.yml (mount), deploy-compose.yml (`env_file`), api/config/credentials.js.
    """
    match runner.way:
        case Way.NPM:
            return _npm(runner.process)
        case Way.COMPOSE:
            return (_compose(runner, env_file),)
        case Way.CONTAINER if runner.container is not None:
            return _container(runner.container, env_file)
        case _:
            return ()


def what_to_do(runner: Runner) -> Message:
    """Return whether those commands start LibreChat or restart it; the label before them."""
    if runner.is_running or runner.way not in {Way.NPM, Way.COMPOSE}:
        return Message("Restart LibreChat:")
    return Message("Start LibreChat:")


def restart_fix(runner: Runner, env_file: Path) -> Message:
    """Return how to restart the LibreChat that runs, as a sentence."""
    commands = how_to_restart(runner._replace(is_running=True), env_file)
    if not commands:
        return OWN_WAY
    return Message("Restart LibreChat: {commands}", commands=joined("; ", commands))


def _npm(process: RunningProcess | None) -> tuple[str, ...]:
    if process is None:
        return (Message("npm run backend   (stop the running one first, if any)"),)
    if re.search(_OWN_UNIT, process.unit):
        user = " --user" if process.is_user_unit else ""
        return (f"{'' if user else 'sudo '}systemctl{user} restart {process.unit}",)
    return (Message("npm run backend   (stop process {pid} first)", pid=process.pid),)


def _compose(runner: Runner, env_file: Path) -> str:
    container, files = runner.container, runner.compose_files
    recreates = runner.sets_env or not runner.is_running
    if container is not None:
        files = tuple(_shown(Path(each), env_file.parent) for each in container.compose_files)
        recreates = recreates or not container.reads(env_file)
    options = (
        []
        if set(files) <= {*MAIN_FILES, *OVERRIDE_FILES}
        else [word for each in files for word in ("-f", each)]
    )
    action = ["up", "-d"] if recreates else ["restart", runner.service]
    return command_line(["docker", "compose", *options, *action])


def _container(container: RunningContainer, env_file: Path) -> tuple[str, ...]:
    if container.reads(env_file):
        return (command_line(["docker", "restart", container.name]),)
    return (
        Message(
            "{command}   (then docker run again, with the new values)",
            command=command_line(["docker", "rm", "-f", container.name]),
        ),
    )


def _shown(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
