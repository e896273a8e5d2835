"""Writes the roles that LibreChat asks for, once a real ID token has them; shows who may sign in."""

from __future__ import annotations

from collections.abc import Mapping

from wizard.auth0.access import ADMIN_ROLE, ROLES_CLAIM, USER_ROLE
from wizard.commands.change import EnvChange, Question, change_env
from wizard.language import Message
from wizard.librechat.admission import role_values
from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_store import EnvStore
from wizard.ports import Ports


def missing_roles(
    claims: Mapping[str, object], values: Mapping[str, str], version: str
) -> dict[str, str]:
    """Return the variables to write for the roles in an ID token, without those that are set."""
    seen = role_values(claims, ROLES_CLAIM, USER_ROLE, ADMIN_ROLE, version)
    return {name: value for name, value in seen.items() if values.get(name) != value}


def write_roles(
    store: EnvStore, missing: Mapping[str, str], ports: Ports, *, yes: bool = False
) -> bool:
    """Write the variables after showing them; without a terminal and without `yes`, show them only.

    Raises:
        Failure: the file has changed, or cannot be written.
    """
    content = store.read()
    before = EnvFile.from_bytes(content or b"")
    after, changes = before.edited(missing)
    ports.console.say("The ID token has the role, so LibreChat can ask for it.")
    if ports.prompter is None and not yes:
        lines = [f"{name}={value}" for name, value in missing.items()]
        ports.console.verbatim("Add to the .env, then restart LibreChat:", lines)
        return False
    change = EnvChange(store, content, before, after, changes)
    question = Question(text=Message("Let in only users with this role?"))
    return change_env(change, question, ports, yes=yes, dry_run=False).done
