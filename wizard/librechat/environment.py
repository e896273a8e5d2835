"""The environment that LibreChat gets: each variable, its value and where it comes from.

LibreChat calls `dotenv.config()`, which reads `.env` in the process's working directory and leaves
every variable alone that the process has already, an empty one too.

Source: api/server/index.js and api/db/connect.js of LibreChat; `populate` in dotenv's lib/main.js.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from wizard.language import Message
from wizard.librechat.env_file import EnvFile


class Origin(Enum):
    """Where a variable comes from; the value is its name for users."""

    ENV_FILE = Message("the .env")
    OTHER_ENV_FILE = Message("another env file")
    COMPOSE = Message("environment of the Compose file")
    SHELL = Message("the shell")
    CONTAINER = Message("the container")


class Setting(NamedTuple):
    """One variable as LibreChat gets it, raw.

    `where` is the name of the file that sets it, "" for a shell or an image.
    """

    value: str
    origin: Origin
    where: str = ""
    line: int | None = None

    def __repr__(self) -> str:  # the value may be a secret
        return f"Setting({self.origin.name})"


Environment = Mapping[str, Setting]


class Container(NamedTuple):
    """What LibreChat's container gets from Docker Compose.

    `variables` are those of the container itself, by `environment` and `env_file`; `dotenv` is what
    LibreChat reads in the file that is mounted where it looks for its `.env`.
    """

    variables: Environment = MappingProxyType({})
    dotenv: Environment = MappingProxyType({})

    @property
    def environment(self) -> Environment:
        """What LibreChat in it gets."""
        return {**self.dotenv, **self.variables}


def read_by_dotenv(
    file: EnvFile, where: str = ".env", origin: Origin = Origin.ENV_FILE
) -> Environment:
    """Return what LibreChat reads in a file, in the file's order."""
    return {
        each.name: Setting(each.value, origin, where, file.line_of(each.start))
        for each in file.assignments
    }


def of_process(variables: Mapping[str, str], origin: Origin = Origin.SHELL) -> Environment:
    """Return the variables of a process, or of the shell that starts it."""
    return {name: Setting(value, origin) for name, value in variables.items()}
