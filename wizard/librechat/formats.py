"""The sign-in's variables in other formats, for deployments without an `.env`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wizard.language import Message
from wizard.librechat.env_file import EnvFile, quoted

_SECRET_NAME = "librechat-credentials-env"  # noqa: S105 - the name that LibreChat's Helm chart has
_BESIDE = ("DOMAIN_CLIENT", "DOMAIN_SERVER", "HSTS_ENABLED", "ALLOW_SOCIAL_REGISTRATION")


@dataclass(frozen=True, slots=True)
class Format:
    """One form; `render` gets the variables and LibreChat's service in Docker Compose."""

    file: str
    render: Callable[[Mapping[str, str], str], str]
    use: Message


def sign_in_variables(file: EnvFile) -> dict[str, str]:
    """Return the variables of a complete `.env` that the sign-in needs.

    None of LibreChat's own keys: a new CREDS_KEY would make stored data unreadable.
    """
    return {
        name: value
        for name, value in file.values().items()
        if value and (name.startswith("OPENID_") or name in {"ALLOW_SOCIAL_LOGIN", *_BESIDE})
    }


def _env(values: Mapping[str, str], _: str) -> str:
    return "".join(f"{name}={quoted(value)}\n" for name, value in values.items())


def _json(values: Mapping[str, str], _: str) -> str:
    return f"{json.dumps(values, indent=2, ensure_ascii=False)}\n"


def _compose(values: Mapping[str, str], service: str) -> str:
    """An override; in it Docker Compose reads `$$` as `$`."""
    head = f"services:\n  {json.dumps(service)}:\n    environment:\n"
    return head + _yaml({name: each.replace("$", "$$") for name, each in values.items()}, 6)


def _kubernetes(values: Mapping[str, str], _: str) -> str:
    head = f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {_SECRET_NAME}\nstringData:\n"
    return head + _yaml(values, 2)


def _yaml(values: Mapping[str, str], indent: int) -> str:
    """A block of YAML; its double-quoted scalars include JSON's strings (YAML 1.2, 1.2)."""
    space = " " * indent
    return "".join(
        f"{space}{name}: {json.dumps(value, ensure_ascii=False)}\n"
        for name, value in values.items()
    )


FORMATS: Mapping[str, Format] = {
    "env": Format(
        "librechat-auth0.env",
        _env,
        Message("Paste its lines into the variables of your service (Railway, Render)."),
    ),
    "compose": Format(
        "docker-compose.auth0.yml",
        _compose,
        Message("Start with it: docker compose -f docker-compose.yml -f {file} up -d"),
    ),
    "kubernetes": Format(
        "librechat-auth0.secret.yaml",
        _kubernetes,
        Message(
            "Add it to the Helm chart's Secret (existingSecretName): kubectl patch secret"
            " librechat-credentials-env --patch-file {file}"
        ),
    ),
    "json": Format(
        "librechat-auth0.json", _json, Message("Import it into your platform's variables.")
    ),
}
