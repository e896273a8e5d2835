"""`doctor --show`: each variable with its value and its source."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doctor.cases import CLIENT_SECRET, env
from tests.doctor.machines import Runs, npm
from tests.fakes import World, make_world
from tests.librechat.inspect import compose_labels, described
from wizard.commands.show import ShowResult, run_show
from wizard.system.processes import Processes

COMPOSE = """
services:
  api:
    image: librechat:v0.8.7
    env_file: [more.env]
    environment:
      OPENID_SCOPE: openid
    volumes: ["./.env:/app/.env"]
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    folder = tmp_path.resolve() / "LibreChat"
    folder.mkdir()
    (folder / ".env").write_text(env('OPENID_BUTTON_LABEL="Auth0 "\nOPENID_IMAGE_URL=\n'))
    return make_world(folder)


def shown(world: World, *names: str, runs: Processes | None = None) -> ShowResult:
    ports = world.ports._replace(processes=runs or Runs())
    return run_show(world.ports.cwd / ".env", names, ports)


def lines(world: World) -> list[str]:
    return world.stdout.getvalue().splitlines()


def test_a_variable_of_the_file(world: World) -> None:
    shown(world, "OPENID_ISSUER")

    (line,) = lines(world)
    assert line.startswith("OPENID_ISSUER=https://dev-abc123.us.auth0.com   (.env, line ")


def test_quotes_empty_values_and_trailing_spaces(world: World) -> None:
    shown(world, "OPENID_BUTTON_LABEL", "OPENID_IMAGE_URL", "OPENID_NOTHING")

    label, image, nothing = lines(world)
    assert label.startswith('OPENID_BUTTON_LABEL="Auth0 "   (')
    assert image.startswith('OPENID_IMAGE_URL=""   (')
    assert nothing == "OPENID_NOTHING is not set."


def test_each_name_is_shown_once_in_the_order_given(world: World) -> None:
    result = shown(world, "PORT,HOST", "HOST", " PORT ")

    assert [each.name for each in result.variables] == ["PORT", "HOST"]


def test_shows_all_variables_that_the_wizard_knows(world: World) -> None:
    (world.ports.cwd / ".env").write_text(env("MY_OWN=1\n"))
    names = [each.name for each in shown(world, "all").variables]

    assert "OPENID_ISSUER" in names
    assert "MY_OWN" not in names
    assert "OPENID_ADMIN_ROLE" not in names
    assert names == sorted(names)
    assert [each.value for each in shown(world, "MY_OWN").variables] == ["1"]


def test_compose_and_its_env_file(world: World) -> None:
    folder = world.ports.cwd
    (folder / "docker-compose.yml").write_text(COMPOSE)
    (folder / "more.env").write_text("# more\nOPENID_AUDIENCE=urn:more\n")
    scope, audience, issuer = shown(
        world, "OPENID_SCOPE", "OPENID_AUDIENCE", "OPENID_ISSUER"
    ).variables

    assert (scope.value, scope.where) == ("openid", "docker-compose.yml, line 7")
    assert (audience.value, audience.where) == ("urn:more", "more.env, line 2")
    assert issuer.file == ".env"


def test_the_running_process(world: World) -> None:
    folder = world.ports.cwd
    (folder / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.7"}')
    process = npm(folder, environ={"OPENID_SCOPE": "openid email", "HOME": "/root"}, started=4e9)
    result = shown(world, "OPENID_SCOPE", runs=Runs(process))

    assert lines(world) == ["OPENID_SCOPE=openid email   (the environment of process 4711)"]
    assert "npm runs LibreChat: process 4711, started in this folder." in world.said
    assert result.as_json()["runner"] == {
        "way": "npm",
        "certainty": "known",
        "because": "npm runs LibreChat: process 4711, started in this folder.",
        "version": "0.8.7",
        "version_source": "package.json",
        "pid": 4711,
        "container": None,
    }


def test_a_container_that_compose_did_not_create(world: World) -> None:
    container = described(
        binds={str(world.ports.cwd / ".env"): "/app/.env"}, environ=["OPENID_SCOPE=openid"]
    )
    result = shown(world, "OPENID_SCOPE", "PORT", runs=Runs(containers=[container]))

    assert [str(each.where).partition(",")[0] for each in result.variables] == [
        "the container",
        ".env",
    ]


def test_reads_the_compose_files_of_the_container(world: World) -> None:
    folder = world.ports.cwd
    (folder / "docker-compose.yml").write_text(COMPOSE)
    (folder / "deploy-compose.yml").write_text(COMPOSE.replace("openid", "openid profile"))
    container = described(labels=compose_labels(folder, "api", "deploy-compose.yml"))
    (scope,) = shown(world, "OPENID_SCOPE", runs=Runs(containers=[container])).variables

    assert (scope.value, scope.file) == ("openid profile", "deploy-compose.yml")


@pytest.mark.parametrize("source", ["file", "process", "container"])
def test_shows_no_secret(world: World, source: str) -> None:
    folder = world.ports.cwd
    variables = {"OPENID_CLIENT_SECRET": CLIENT_SECRET, "OPENID_BUTTON_LABEL": CLIENT_SECRET}
    runs = {
        "file": Runs(),
        "process": Runs(npm(folder, environ=variables, started=4e9)),
        "container": Runs(
            containers=[
                described(
                    binds={str(folder / "uploads"): "/app/uploads"},
                    environ=[f"{name}={value}" for name, value in variables.items()],
                )
            ]
        ),
    }[source]
    if source == "file":
        (folder / ".env").write_text(env(OPENID_BUTTON_LABEL=CLIENT_SECRET))
    else:
        (folder / ".env").write_text("HOST=localhost\n")
    result = shown(world, "all", "OPENID_CLIENT_SECRET", runs=runs)

    assert [each.value for each in result.variables if each.name == "OPENID_CLIENT_SECRET"] == [
        "••••••••"
    ]
    said = world.said + world.stdout.getvalue() + json.dumps(result.as_json()) + repr(result)
    assert CLIENT_SECRET not in said


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--show"], {"HOST", "PORT"}),
        (["--show", "--offline"], {"HOST", "PORT"}),
        (["--show", "all"], {"HOST", "PORT"}),
        (["--show", "PORT"], {"PORT"}),
        (["--show=PORT", "--show", "HOST"], {"HOST", "PORT"}),
    ],
)
def test_the_command_line(arguments: list[str], names: set[str], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HOST=localhost\nPORT=9\nMINE=1\n")
    done = subprocess.run(
        [sys.executable, "-m", "wizard", "doctor", *arguments, "--json"],
        cwd=tmp_path,
        env={"PATH": "", "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )

    assert {each["name"] for each in json.loads(done.stdout)["variables"]} == names
