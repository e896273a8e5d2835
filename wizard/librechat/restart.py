"""How LibreChat reads a changed `.env`: the commands for what runs it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wizard.language import Message, joined
from wizard.librechat.compose.own import MAIN_FILES, OVERRIDE_FILES
from wizard.librechat.runner import Runner, Way
from wizard.system.platforms import command_line

if TYPE_CHECKING:
    from wizard.system.running_process import RunningProcess

# Another unit may be the login session or cron job that started LibreChat.
_OWN_UNIT = r"(?i)chat"
OWN_WAY = Message("Restart LibreChat the way you started it.")


def how_to_restart(runner: Runner) -> tuple[str, ...]:
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
            return (_compose(runner),)
        case Way.CONTAINER if runner.container is not None:
            return _container(runner)
        case _:
            return ()


def what_to_do(runner: Runner) -> Message:
    """Return whether those commands start LibreChat or restart it; the label before them."""
    if runner.is_running or runner.way not in {Way.NPM, Way.COMPOSE}:
        return Message("Restart LibreChat:")
    return Message("Start LibreChat:")


def restart_fix(runner: Runner) -> Message:
    """Return how to restart the LibreChat that runs, as a sentence."""
    commands = how_to_restart(runner._replace(is_running=True))
    if not commands:
        return OWN_WAY
    return Message("Restart LibreChat: {commands}", commands=joined("; ", commands))


def _npm(process: RunningProcess | None) -> tuple[str, ...]:
    if process is None:
        return (Message("npm run backend   (stop the running one first, if any)"),)
    if re.search(_OWN_UNIT, process.unit):
        systemctl = ["systemctl", "--user"] if process.is_user_unit else ["sudo", "systemctl"]
        return (command_line([*systemctl, "restart", process.unit]),)
    return (Message("npm run backend   (stop process {pid} first)", pid=process.pid),)


def _compose(runner: Runner) -> str:
    is_usual = {*runner.compose_files} <= {*MAIN_FILES, *OVERRIDE_FILES}
    named = () if is_usual else runner.compose_files
    options = [word for each in named for word in ("-f", each)]
    is_new = runner.takes_new_container or not runner.is_running
    action = ["up", "-d"] if is_new else ["restart", runner.service]
    return command_line(["docker", "compose", *options, *action])


def _container(runner: Runner) -> tuple[str, ...]:
    name = runner.container.name if runner.container else ""
    if not runner.takes_new_container:
        return (command_line(["docker", "restart", name]),)
    return (
        Message(
            "{command}   (then docker run again, with the new values)",
            command=command_line(["docker", "rm", "-f", name]),
        ),
    )
