"""The command that makes LibreChat read a changed .env, by how it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from wizard.librechat.checkout import Checkout
from wizard.librechat.compose.deployment import Deployment
from wizard.librechat.compose.model import Mount, Project, Service
from wizard.librechat.compose.sources import Sources
from wizard.librechat.containers import RunningContainer
from wizard.librechat.env_store import EnvStore
from wizard.librechat.restart import how_to_restart, restart_fix, what_to_do
from wizard.librechat.runner import Evidence, Machine, judge
from wizard.system.running_process import RunningProcess

RECREATE = "docker compose up -d"
DEPLOYED = "docker compose -f deploy-compose.yml up -d"
NPM = "npm run backend   (stop the running one first, if any)"

MOUNT_LONG = """
    volumes:
      - type: bind
        source: ./.env
        target: /app/.env
"""
MOUNT_SHORT = """
    volumes: ["./.env:/app/.env", "./images:/app/client/public/images"]
"""


def compose(api: str) -> str:
    return f"services:\n  api:\n    image: librechat\n{api}\n  rag_api:\n    env_file: .env\n"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def restart(folder: Path) -> tuple[str, ...]:
    store = EnvStore(folder / ".env", folder.parent / "state")
    return how_to_restart(store.runner({}))


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        ({}, ()),
        ({"package.json": "{}"}, ()),
        ({"package.json": '{"name": "LibreChat"}'}, (NPM,)),
        ({"docker-compose.yml": compose(MOUNT_LONG)}, (RECREATE,)),
        ({"docker-compose.yml": compose(MOUNT_SHORT)}, (RECREATE,)),
        ({"compose.yaml": compose(MOUNT_SHORT)}, (RECREATE,)),
        ({"docker-compose.yml": compose("    env_file: .env")}, (RECREATE,)),
        ({"docker-compose.yml": compose("    env_file: ./.env")}, (RECREATE,)),
        ({"docker-compose.yml": compose("    env_file: [common.conf, .env]")}, (RECREATE,)),
        (
            {
                "docker-compose.yml": compose(
                    "    env_file:\n      - path: ./.env\n        required: true"
                )
            },
            (RECREATE,),
        ),
        ({"docker-compose.yml": compose("    env_file: .env.local")}, (RECREATE,)),
        # What Compose passes on overrides the mounted file, so a restart changes nothing.
        ({"docker-compose.yml": compose(MOUNT_LONG + "    env_file: .env")}, (RECREATE,)),
        (
            {
                "docker-compose.yml": compose(MOUNT_LONG),
                "docker-compose.override.yml": compose("    env_file: .env"),
            },
            (RECREATE,),
        ),
        (
            {
                "docker-compose.yml": compose(MOUNT_LONG),
                "docker-compose.override.yml": compose("    image: librechat:v0.8.7"),
                "deploy-compose.yml": compose("    env_file: .env"),
                "package.json": "{}",
            },
            (RECREATE,),
        ),
        ({"deploy-compose.yml": compose("    env_file:\n      - .env")}, (DEPLOYED,)),
        ({"docker-compose.yml": "services: {web: {env_file: .env}}"}, ()),
        ({"docker-compose.yml": "services: [api]"}, ()),
        ({"docker-compose.yml": "services: {api: null}"}, ()),
        ({"docker-compose.yml": "[" * 100_000}, ()),
        ({"docker-compose.yml": "a: *b"}, ()),
        ({"docker-compose.yml": "!!python/object/apply:os.system [touch hacked]"}, ()),
        ({"docker-compose.yml": "\x00"}, ()),
        ({"docker-compose.yml": ""}, ()),
    ],
)
def test_starts_a_stopped_librechat(
    files: Mapping[str, str], commands: tuple[str, ...], tmp_path: Path
) -> None:
    assert restart(write(tmp_path, files)) == commands


def test_survives_an_alias_bomb(tmp_path: Path) -> None:
    levels = "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]\n" for n in range(1, 30))
    bomb = f"b0: &b0 x\n{levels}services: {{api: {{volumes: *b29, env_file: *b29}}}}\n"
    assert restart(write(tmp_path, {"docker-compose.yml": bomb})) == ()


@pytest.mark.parametrize(
    ("api", "command"),
    [
        (MOUNT_LONG, "docker compose restart api"),
        (MOUNT_SHORT, "docker compose restart api"),
        ("    env_file: .env.local", "docker compose restart api"),
        # What Compose passes on overrides the mounted file, so a restart changes nothing.
        ("    env_file: .env", RECREATE),
        (MOUNT_LONG + "    env_file: .env", RECREATE),
    ],
)
def test_restarts_a_running_librechat(api: str, command: str, tmp_path: Path) -> None:
    write(tmp_path, {"docker-compose.yml": compose(api)})
    runner = EnvStore(tmp_path / ".env", tmp_path.parent / "state").runner({})

    assert restart_fix(runner) == f"Restart LibreChat: {command}"
    running = runner._replace(is_running=True)
    assert how_to_restart(running) == (command,)
    assert what_to_do(runner) == "Start LibreChat:"
    assert what_to_do(running) == "Restart LibreChat:"


def test_docker_on_the_port_is_a_running_librechat() -> None:
    docker = RunningProcess(4711, "docker-proxy")
    project = Project(services={"api": Service("api", "librechat")})

    assert restart_seen(Machine(docker), project) == ("docker compose restart api",)


NO_PROJECT = Project()
ENV_FILE = Path("/srv/chat/.env")


def restart_seen(machine: Machine, project: Project = NO_PROJECT) -> tuple[str, ...]:
    deployment = Deployment(ENV_FILE, ENV_FILE.parent, {}, Sources(), project)
    evidence = Evidence(Checkout(ENV_FILE.parent, ()), deployment, 3080, machine)
    return how_to_restart(judge(evidence))


NAMED = Service("chat")
MOUNTED = NAMED._replace(mounts=(Mount(ENV_FILE, "/app/.env"),))


def composed(definition: Service, *files: str, state: str = "running") -> RunningContainer:
    return RunningContainer(
        "1", definition, "chat", compose_files=files, compose_folder="/srv/chat", state=state
    )


@pytest.mark.parametrize(
    ("container", "commands"),
    [
        (
            composed(MOUNTED, "/srv/chat/docker-compose.yml"),
            ("docker compose restart chat",),
        ),
        (
            composed(MOUNTED, "/srv/chat/docker-compose.yml", "/etc/my own.yml"),
            ("docker compose -f docker-compose.yml -f '/etc/my own.yml' restart chat",),
        ),
        (
            composed(MOUNTED, "/srv/chat/docker-compose.yml", state="exited"),
            ("docker compose up -d",),
        ),
        (
            composed(NAMED, "/srv/chat/a.yml"),
            ("docker compose -f a.yml up -d",),
        ),
        (
            RunningContainer("1", MOUNTED, state="running"),
            ("docker restart chat",),
        ),
        (
            RunningContainer("1", NAMED, ports=frozenset({3080}), state="running"),
            ("docker rm -f chat   (then docker run again, with the new values)",),
        ),
    ],
)
def test_restarts_a_container_as_it_was_created(
    container: RunningContainer, commands: tuple[str, ...]
) -> None:
    assert restart_seen(Machine(containers=(container,))) == commands


@pytest.mark.parametrize(
    ("unit", "is_user_unit", "command"),
    [
        ("", False, "npm run backend   (stop process 4711 first)"),
        ("cron.service", False, "npm run backend   (stop process 4711 first)"),
        ("librechat.service", False, "sudo systemctl restart librechat.service"),
        ("chat.service", True, "systemctl --user restart chat.service"),
        ("chat;$(id).service", True, "systemctl --user restart 'chat;$(id).service'"),
    ],
)
def test_restarts_a_process_as_it_was_started(unit: str, is_user_unit: bool, command: str) -> None:
    process = RunningProcess(
        4711,
        command=("node", "api/server/index.js"),
        folder=Path("/srv/chat"),
        unit=unit,
        is_user_unit=is_user_unit,
    )

    assert restart_seen(Machine(process)) == (command,)
