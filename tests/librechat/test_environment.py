"""What LibreChat gets from the `.env`, the shell and Docker Compose."""

from __future__ import annotations

from wizard.librechat.env_file import EnvFile
from wizard.librechat.environment import (
    Container,
    Origin,
    Setting,
    environment_of,
    of_process,
    read_by_dotenv,
)

FILE = EnvFile("# mine\nPORT=3080\nOPENID_SCOPE=openid\nOPENID_SCOPE='openid email '\n")


def test_dotenv_uses_the_last_line_of_a_name() -> None:
    assert read_by_dotenv(FILE) == {
        "PORT": Setting("3080", Origin.ENV_FILE, ".env", 2),
        "OPENID_SCOPE": Setting("openid email ", Origin.ENV_FILE, ".env", 4),
    }


def test_the_shell_overrides_the_file_even_when_empty() -> None:
    environment = environment_of(FILE, None, of_process({"PORT": "", "PATH": "/bin"}))
    assert environment["PORT"] == Setting("", Origin.SHELL)
    assert environment["OPENID_SCOPE"].origin is Origin.ENV_FILE


def test_a_container_overrides_the_mounted_file() -> None:
    container = Container(
        {"PORT": Setting("80", Origin.COMPOSE, "compose.yaml", 5)}, reads_env_file=True
    )
    environment = environment_of(FILE, container, of_process({"OPENID_SCOPE": "not in there"}))
    assert environment["PORT"].value == "80"
    assert environment["OPENID_SCOPE"].value == "openid email "


def test_a_container_without_the_file_has_only_its_own() -> None:
    container = Container({"PORT": Setting("80", Origin.COMPOSE)})
    assert environment_of(FILE, container) == container.variables


def test_another_file_mounted_in_place_of_the_env() -> None:
    other = read_by_dotenv(EnvFile("PORT=81\n"), "prod.env", Origin.OTHER_ENV_FILE)
    environment = environment_of(FILE, Container({}, dotenv=other))
    assert environment == {"PORT": Setting("81", Origin.OTHER_ENV_FILE, "prod.env", 1)}


def test_a_traceback_shows_no_value() -> None:
    assert "3080" not in repr(read_by_dotenv(FILE))
