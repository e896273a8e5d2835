"""`init --format`: the same values in every format, in a private file; the `.env` is unchanged."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from dotenv import dotenv_values

from tests.commands.test_init import SECRET, options
from tests.fakes import World, make_world
from wizard.commands.init import run_init
from wizard.defaults import FORMATS as NAMES
from wizard.findings import ExitCode, Failure
from wizard.language import Message
from wizard.librechat.env_file import EnvFile
from wizard.librechat.formats import FORMATS, sign_in_variables
from wizard.steps.init_progress import InitResult

Read = Callable[[str], dict[str, str]]


def _compose(text: str) -> dict[str, str]:
    values = yaml.safe_load(text)["services"]["api"]["environment"]
    return {name: value.replace("$$", "$") for name, value in values.items()}


READ: dict[str, Read] = {
    "env": lambda text: {k: v or "" for k, v in dotenv_values(stream=io.StringIO(text)).items()},
    "json": json.loads,
    "compose": _compose,
    "kubernetes": lambda text: yaml.safe_load(text)["stringData"],
}
# Values that YAML, Docker Compose or JSON misread unless quoted as we write them.
ODD = {
    "OPENID_CLIENT_SECRET": 'a$b$HOME"#: é😀',
    "OPENID_BUTTON_LABEL": "no",
    "OPENID_AUDIENCE": "0x1F",
    "OPENID_SCOPE": "openid profile",
    "DOMAIN_SERVER": "https://chat.example.com",
}


def run(world: World, **changed: object) -> InitResult:
    return run_init(options(**changed), world.ports, lambda _: None)


def test_every_format_is_implemented() -> None:
    assert tuple(FORMATS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_format_can_be_read_back(name: str) -> None:
    assert READ[name](FORMATS[name].render(ODD, "api")) == ODD


@pytest.mark.parametrize("name", NAMES)
def test_the_values_match_the_env(tmp_path: Path, name: str) -> None:
    world = make_world(tmp_path)
    (tmp_path / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.8"}')
    result = run(world, format=name)
    path = tmp_path / FORMATS[name].file
    found = READ[name](path.read_text())

    assert not (tmp_path / ".env").exists()
    assert "The values" in world.said
    assert "The .env" not in world.said
    assert (result.env_file, result.written, result.exit_code) == (path, True, ExitCode.OK)
    assert list(found) == result.changed
    assert found["OPENID_CLIENT_SECRET"] == SECRET
    assert SECRET not in world.said + world.stdout.getvalue()
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600

    run(world)
    written = sign_in_variables(EnvFile((tmp_path / ".env").read_text()))
    fresh = "OPENID_SESSION_SECRET"
    assert found | {fresh: ""} == written | {fresh: ""}
    assert "CREDS_KEY" not in found


def test_reports_who_can_read_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Like an `.env`; Windows has no modes."""
    world = make_world(tmp_path)
    (tmp_path / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.8"}')
    monkeypatch.setattr("wizard.steps.output.readers", lambda _: Message("Wrote {file}."))
    result = run(world, format="json")

    assert f"Wrote {result.env_file}.\n" in world.said
    assert "only you" not in world.said


def test_reads_an_existing_env_and_leaves_it_alone(tmp_path: Path) -> None:
    own = tmp_path / ".env"
    own.write_text(text := "OPENID_REQUIRED_ROLE=chat\nDOMAIN_CLIENT=https://old.example.com\n")
    run(make_world(tmp_path), format="json")
    found = json.loads((tmp_path / "librechat-auth0.json").read_text())

    assert own.read_text() == text
    assert found["OPENID_REQUIRED_ROLE"] == "chat"
    assert found["DOMAIN_CLIENT"] == "https://chat.example.com"


def test_writes_to_standard_output_only_on_request(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    run(world, format="json", output="-")

    assert json.loads(world.stdout.getvalue())["OPENID_CLIENT_SECRET"] == SECRET
    assert SECRET not in world.said
    assert list(tmp_path.glob("librechat-auth0*")) == []


def test_a_dry_run_shows_no_secret_and_writes_nothing(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    result = run(world, format="kubernetes", output="-", dry_run=True)

    assert "kind: Secret" in world.said
    assert SECRET not in world.said + world.stdout.getvalue()
    assert (result.written, list(tmp_path.glob("*.yaml"))) == (False, [])


def test_keeps_an_existing_file_unless_forced(tmp_path: Path) -> None:
    other = tmp_path / "docker-compose.override.yml"
    other.write_text("services: {}\n")
    to = {"format": "compose", "output": str(other)}
    with pytest.raises(Failure) as caught:
        run(make_world(tmp_path), **to)
    assert caught.value.exit_code is ExitCode.USAGE
    assert other.read_text() == "services: {}\n"

    run(make_world(tmp_path), **to, force=True)
    assert "OPENID_ISSUER" in other.read_text()


def test_reports_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        run(make_world(tmp_path), format="env", output="missing/values.env")
    assert caught.value.finding.rule.id == "LA022"


def test_rejects_output_without_a_format(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        run(make_world(tmp_path), output="values.env")
    assert caught.value.exit_code is ExitCode.USAGE


def test_the_service_of_docker_compose_has_its_own_name() -> None:
    assert yaml.safe_load(FORMATS["compose"].render(ODD, "chat"))["services"].keys() == {"chat"}
