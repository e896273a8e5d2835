"""The secrets of an `.env`, to be hidden wherever they stand: also where they do not belong."""

from __future__ import annotations

from collections.abc import Iterable

from wizard.librechat.env_file import EnvFile
from wizard.librechat.variables import VARIABLES, is_secret
from wizard.text import MASK

_SHORTEST_SECRET = 8


def secrets_in(*files: EnvFile) -> tuple[str, ...]:
    """The secrets of the files, also those of lines that a later one overrides."""
    return secrets_of((each.name, each.value) for file in files for each in file.assignments)


def secrets_of(values: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The secrets among values by name, the longest first.

    A shorter one may be a part of it, and hidden before it would leave the rest of it to be seen.
    """
    secrets = {
        secret
        for name, value in values
        if name in VARIABLES
        and is_secret(name)
        and len(secret := value.strip()) >= _SHORTEST_SECRET
        and secret not in VARIABLES[name].public_values
    }
    return tuple(sorted(secrets, key=len, reverse=True))


def without(secrets: Iterable[str], text: str) -> str:
    """The text with each of the secrets, in this order, hidden."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text
