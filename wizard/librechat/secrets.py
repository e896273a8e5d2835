"""Finds the secrets of an `.env`, also in variables that should hold none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from wizard.librechat.variables import VARIABLES, is_secret
from wizard.settings import is_command
from wizard.text import MASK, Secrets

if TYPE_CHECKING:
    from wizard.librechat.env_file import EnvFile

# Shorter ones are guessable, and would mask parts of other texts.
_SHORTEST_SECRET = 4
_LONGEST_PUBLIC_NUMBER = 5
# Values of a secret's variable that are no secret; user_provided is LibreChat's own.
_NO_SECRETS = frozenset(
    {"true", "false", "none", "null", "undefined", "default", "optional", "user_provided"}
    | {"secret", "password", "changeme"}  # of examples: to mask these words would hide names
)
# Tokens with a known prefix, and JWTs.
_PREFIXED = (
    r"(?<![A-Za-z0-9])(?:sk-|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|xai-|AIza|AKIA|ASIA|ya29\."
    r"|hf_|gsk_|[sr]k_live_|whsec_|eyJ)[\w.-]{8,}"
)
# Longer than any public value of a sign-in, as generated secrets are.
_GENERATED = r"[A-Za-z0-9_-]{40,}"
_USER_INFO = r"(?<=//)[^/\s@]+(?=@)"
_QUERY_VALUE = r"([?&][^\s?&=#]*=)([^\s&#]{8,})"
# In a webhook's URL.
_LONG_PART = r"(?<=/)[A-Za-z0-9_-]{20,}(?![^/?#\s])"


def random_hex(size: int) -> str:
    """Return that many random bytes as hexadecimal digits."""
    from secrets import token_hex

    return token_hex(size)


def secrets_in(*files: EnvFile) -> Secrets:
    """Return the secrets of the files, also of overridden lines."""
    return secrets_of((each.name, each.value) for file in files for each in file.assignments)


def secrets_of(values: Iterable[tuple[str, str]]) -> Secrets:
    """Return the secrets among these values."""
    known = list(values)
    names = {name for name, _ in known}
    return Secrets(
        secret
        for name, value in known
        for secret in _secrets_of(name, value)
        if not is_public(secret) and secret not in names and secret not in VARIABLES
    )


def without_forms(value: str) -> str:
    """Mask everything in a value that looks like a secret, whatever its name is."""
    value = re.sub(_USER_INFO, MASK, re.sub(_QUERY_VALUE, rf"\1{MASK}", value))
    for form in (_PREFIXED, _GENERATED):
        value = re.sub(form, lambda found: MASK if _is_random(found[0]) else found[0], value)
    return value


def _secrets_of(name: str, value: str) -> Iterator[str]:
    yield from filter(_is_random, re.findall(_PREFIXED, value))
    if "://" in value:  # a URL is public except for these parts
        for user_info in re.findall(_USER_INFO, value):
            yield from (user_info, user_info.partition(":")[2])
        if is_secret(name):
            yield from (secret for _, secret in re.findall(_QUERY_VALUE, value))
            yield from re.findall(_LONG_PART, value)
    elif is_secret(name) and not (
        name in VARIABLES and value.strip() in VARIABLES[name].public_values
    ):
        yield from (value.strip(), *map(str.strip, value.splitlines()))


def is_public(value: str) -> bool:
    """Return whether the value of a secret's variable is no secret: a switch, number or keyword."""
    return (
        len(value) < _SHORTEST_SECRET
        or value.lower() in _NO_SECRETS
        or is_command(value)
        or (value.isdecimal() and len(value) <= _LONGEST_PUBLIC_NUMBER)
    )


def _is_random(token: str) -> bool:
    """Return whether it mixes digits and small letters, as no word does."""
    return any(map(str.isdigit, token)) and any(map(str.islower, token))
