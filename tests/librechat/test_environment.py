"""What LibreChat gets from the `.env`, the shell and Docker Compose."""

from __future__ import annotations

from tests.doctor.cases import subject
from wizard.librechat.env_file import EnvFile
from wizard.librechat.environment import Origin, Setting, read_by_dotenv

TEXT = "# mine\nPORT=3080\nOPENID_SCOPE=openid\nOPENID_SCOPE='openid email '\n"
FILE = EnvFile(TEXT)
COMPOSE = "services: {{api: {{image: librechat, environment: {{{}}}, volumes: {}}}}}"


def test_dotenv_uses_the_last_line_of_a_name() -> None:
    assert read_by_dotenv(FILE) == {
        "PORT": Setting("3080", Origin.ENV_FILE, ".env", 2),
        "OPENID_SCOPE": Setting("openid email ", Origin.ENV_FILE, ".env", 4),
    }


def test_the_shell_overrides_the_file_even_when_empty() -> None:
    environment = subject(TEXT, environ={"PORT": "", "PATH": "/bin"}).environment
    assert environment["PORT"] == Setting("", Origin.SHELL)
    assert environment["OPENID_SCOPE"].origin is Origin.ENV_FILE
    assert "PATH" not in environment


def test_a_container_overrides_the_mounted_file() -> None:
    compose = COMPOSE.format("PORT: 80", "['./.env:/app/.env']")
    environment = subject(TEXT, compose=compose, environ={"OPENID_SCOPE": "outside"}).environment
    assert environment["PORT"] == Setting("80", Origin.COMPOSE, "docker-compose.yml", 1)
    assert environment["OPENID_SCOPE"].value == "openid email "


def test_a_container_without_the_file_has_only_its_own() -> None:
    compose = COMPOSE.format("PORT: 80, OPENID_CLIENT_ID: mine", "[]")
    environment = subject(TEXT, compose=compose).environment
    assert {name: each.value for name, each in environment.items()} == {
        "PORT": "80",
        "OPENID_CLIENT_ID": "mine",
    }


def test_a_traceback_shows_no_value() -> None:
    assert "3080" not in repr(read_by_dotenv(FILE))
