"""The ways in which real checkouts are set up and run: none gets a false error."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.doctor.cases import GOOD, env
from tests.doctor.machines import Runs, npm
from tests.librechat.inspect import compose_labels, described
from wizard.doctor.registry import diagnose
from wizard.doctor.subject import Subject, gather
from wizard.findings import Severity
from wizard.librechat.env_store import EnvStore
from wizard.librechat.runner import Certainty, Way

UPSTREAM = """
services:
  api:
    container_name: LibreChat
    ports: ["${PORT}:${PORT}"]
    depends_on: [mongodb, rag_api]
    image: registry.librechat.ai/danny-avila/librechat-dev:latest
    restart: always
    user: "${UID}:${GID}"
    extra_hosts: ["host.docker.internal:host-gateway"]
    environment:
      - HOST=0.0.0.0
      - MONGO_URI=mongodb://mongodb:27017/LibreChat
      - MEILI_HOST=http://meilisearch:7700
      - RAG_PORT=${RAG_PORT:-8000}
      - RAG_API_URL=http://rag_api:${RAG_PORT:-8000}
    volumes:
      - type: bind
        source: ./.env
        target: /app/.env
      - ./images:/app/client/public/images
      - ./uploads:/app/uploads
      - ./logs:/app/logs
  mongodb:
    image: mongo:8.0.17
    volumes: ["./data-node:/data/db"]
    command: mongod --noauth
  rag_api:
    image: registry.librechat.ai/danny-avila/librechat-rag-api-dev-lite:latest
    env_file: [.env]
"""
DEPLOY = """
services:
  api:
    image: registry.librechat.ai/danny-avila/librechat-dev-api:latest
    ports: ["3080:3080"]
    env_file: [.env]
    environment:
      - HOST=0.0.0.0
      - NODE_ENV=production
      - MONGO_URI=mongodb://mongodb:27017/LibreChat
    volumes:
      - type: bind
        source: ./librechat.yaml
        target: /app/librechat.yaml
      - ./images:/app/client/public/images
  client:
    image: nginx:1.27.0-alpine
"""
YEARS_AGO = 1_500_000_000  # before the process started
PACKAGE = '{"name": "LibreChat", "version": "v0.8.7"}'
YAML = "version: 1.2.1\nregistration:\n  socialLogins: ['openid']\n"
VALUES = {name: value for name, value in GOOD.items() if name != "HOST"}
CHECKOUT = {
    "package.json": PACKAGE,
    "docker-compose.yml": UPSTREAM,
    "deploy-compose.yml": DEPLOY,
}
BUILT = {
    **CHECKOUT,
    "librechat.yaml": YAML,
    "node_modules/express/package.json": "{}",
    "client/dist/index.html": "x",
}
# Set by a platform, in no file.
AS_ENVIRONMENT = "".join(f"      {name}: '{value}'\n" for name, value in VALUES.items())


@dataclass(frozen=True)
class Shape:
    """Files, what is running, and the expected result."""

    files: Mapping[str, str]
    way: Way
    certainty: Certainty = Certainty.LIKELY
    runs: Callable[[Path], Runs] = field(default=lambda _: Runs())
    env: str = field(default_factory=env)
    name: str = ".env"


def _container(folder: Path, **changes: object) -> Runs:
    return Runs(containers=[described(**changes)])  # type: ignore[arg-type]


SHAPES = {
    "upstream by npm, stopped": Shape(BUILT, Way.NPM),
    "upstream by npm, running": Shape(
        BUILT, Way.NPM, Certainty.KNOWN, lambda folder: Runs(npm(folder))
    ),
    "upstream by Docker, stopped": Shape(CHECKOUT, Way.COMPOSE, env=env(UID="0", GID="0")),
    "upstream by Docker, running": Shape(
        CHECKOUT,
        Way.COMPOSE,
        Certainty.KNOWN,
        lambda folder: _container(
            folder,
            binds={str(folder / ".env"): "/app/.env"},
            labels=compose_labels(folder),
            user=f"{os.getuid()}:{os.getgid()}",
        ),
    ),
    "an override that mounts librechat.yaml": Shape(
        {
            **CHECKOUT,
            "librechat.yaml": YAML,
            "docker-compose.override.yml": "services: {api: {volumes: "
            "['./librechat.yaml:/app/librechat.yaml']}}\n",
        },
        Way.COMPOSE,
    ),
    "deploy-compose, running": Shape(
        {**CHECKOUT, "librechat.yaml": YAML},
        Way.COMPOSE,
        Certainty.KNOWN,
        lambda folder: _container(
            folder,
            image="registry.librechat.ai/danny-avila/librechat-dev-api:latest",
            labels=compose_labels(folder, "api", "deploy-compose.yml"),
            binds={str(folder / "librechat.yaml"): "/app/librechat.yaml"},
            environ=[f"{name}={value}" for name, value in VALUES.items()],
        ),
    ),
    "a service of another name": Shape(
        {
            "docker-compose.yml": "services:\n  chat:\n"
            "    image: ghcr.io/danny-avila/librechat:v0.8.7\n    volumes: ['./.env:/app/.env']\n"
        },
        Way.COMPOSE,
    ),
    "Portainer's stack.env": Shape(
        {
            "docker-compose.yml": "services:\n  api:\n    image: librechat:v0.8.7\n"
            "    env_file: stack.env\n"
        },
        Way.COMPOSE,
        name="stack.env",
    ),
    "include": Shape(
        {
            "docker-compose.yml": "include: [chat/compose.yml]\n",
            "chat/compose.yml": "services:\n  api:\n    image: librechat:v0.8.7\n"
            "    env_file: ../.env\n",
        },
        Way.COMPOSE,
    ),
    "everything in Compose's environment, like a chart": Shape(
        {
            "docker-compose.yml": "services:\n  api:\n    image: librechat:v0.8.7\n"
            f"    environment:\n{AS_ENVIRONMENT}"
        },
        Way.COMPOSE,
        env="",
    ),
    "a platform's process, with environment only": Shape(
        {"package.json": PACKAGE},
        Way.NPM,
        Certainty.KNOWN,
        lambda folder: Runs(npm(folder, environ={**VALUES, "RAILWAY_SERVICE_NAME": "chat"})),
        env="",
    ),
    "a platform's container, with environment only": Shape(
        {},
        Way.CONTAINER,
        runs=lambda folder: _container(
            folder,
            name="chat-8f0c",
            labels={"coolify.managed": "true"},
            environ=[f"{name}={value}" for name, value in VALUES.items()],
        ),
        env="",
    ),
    "docker run with the file mounted": Shape(
        {},
        Way.CONTAINER,
        Certainty.KNOWN,
        lambda folder: _container(
            folder, binds={str(folder / ".env"): "/app/.env"}, user=str(os.getuid())
        ),
    ),
    "systemd, which passes on the file": Shape(
        BUILT,
        Way.NPM,
        Certainty.KNOWN,
        lambda folder: Runs(npm(folder, environ=VALUES, unit="librechat.service")),
    ),
}


def subject_of(shape: Shape, folder: Path) -> Subject:
    for name, text in shape.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        os.utime(folder / name, (YEARS_AGO, YEARS_AGO))
    path = folder / shape.name
    path.write_text(shape.env)
    path.chmod(0o600)
    os.utime(path, (YEARS_AGO, YEARS_AGO))
    runs = shape.runs(folder)
    store = EnvStore(path, folder.parent / "state", processes=runs)
    return gather(store, shape.env.encode(), {}, runs)


@pytest.mark.skipif(os.name != "posix", reason="users have numbers")
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_accepts_a_correct_setup(shape: Shape, tmp_path: Path) -> None:
    folder = tmp_path.resolve() / "LibreChat"
    folder.mkdir()
    subject = subject_of(shape, folder)
    errors = [each for each in diagnose(subject) if each.severity is not Severity.NOTE]

    assert (subject.runner.way, subject.runner.certainty) == (shape.way, shape.certainty)
    assert [f"{each.rule.id}: {each.detail}" for each in errors] == []


@pytest.mark.skipif(os.name != "posix", reason="users have numbers")
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_finds_a_wrong_value(shape: Shape, tmp_path: Path) -> None:
    """A wrong value is found wherever LibreChat gets it from."""
    folder = tmp_path.resolve() / "LibreChat"
    folder.mkdir()
    wrong = ("OPENID_CALLBACK_URL=/oauth", "OPENID_CALLBACK_URL=/api/oauth")
    files = {
        name: text.replace("'/oauth/openid/callback'", "'/api/oauth/openid/callback'")
        for name, text in shape.files.items()
    }
    text = shape.env.replace(*wrong)
    bad = Shape(files, shape.way, shape.certainty, _with_wrong_value(shape), text, shape.name)

    assert "LA107" in {each.rule.id for each in diagnose(subject_of(bad, folder))}


def _with_wrong_value(shape: Shape) -> Callable[[Path], Runs]:
    name, value = "OPENID_CALLBACK_URL", "/api/oauth/openid/callback"

    def runs(folder: Path) -> Runs:
        machine = shape.runs(folder)
        for each in machine.containers:
            config = each["Config"]
            assert isinstance(config, dict)
            config["Env"] = [
                f"{name}={value}" if text.startswith(f"{name}=") else text for text in config["Env"]
            ]
        process = machine.process
        if process is not None and name in (process.environ or {}):
            machine.process = npm(
                folder, environ={**(process.environ or {}), name: value}, unit=process.unit
            )
        return machine

    return runs
