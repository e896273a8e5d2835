"""Writes the roles that LibreChat asks for, once a real ID token has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.auth0.access import ADMIN_ROLE, ROLES_CLAIM, USER_ROLE
from wizard.commands.change import EnvChange, Question, change_env
from wizard.language import Message
from wizard.librechat.admission import role_values, who_may_sign_in
from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_store import EnvStore
from wizard.ports import Ports
from wizard.settings import is_public

if TYPE_CHECKING:
    from wizard.auth0.tokens import Judgement
    from wizard.doctor.subject import Subject


def ask_for_roles(
    judgement: Judgement, store: EnvStore, ports: Ports, *, version: str = "", yes: bool = False
) -> bool:
    """Write the variables of the roles in the ID token of a proved sign-in; return whether.

    Without a terminal and without `yes`, they are only shown.

    Raises:
        Failure: the file has changed, or cannot be written.
    """
    content = store.read()
    before = EnvFile.from_bytes(content or b"")
    values = before.values()
    if not (judgement.is_proved and is_public(values.get("DOMAIN_SERVER", ""))):
        return False
    seen = role_values(judgement.id_claims, ROLES_CLAIM, USER_ROLE, ADMIN_ROLE, version)
    missing = {name: value for name, value in seen.items() if values.get(name) != value}
    if not missing:
        return False
    after, changes = before.edited(missing)
    ports.console.say("The ID token has the role, so LibreChat can require it.")
    if ports.prompter is None and not yes:
        lines = [f"{name}={value}" for name, value in missing.items()]
        ports.console.verbatim("Add to the .env, then restart LibreChat:", lines)
        return False
    change = EnvChange(store, content, before, after, changes)
    question = Question(text=Message("Let in only users with this role?"))
    return change_env(change, question, ports, yes=yes, dry_run=False).done


def show_who_may_sign_in(subject: Subject, ports: Ports) -> None:
    """Print whom LibreChat lets in, if others than this machine reach it."""
    if not is_public(subject.value("DOMAIN_SERVER")):
        return
    domains = subject.config.part("registration", "allowedDomains")
    allowed = domains if isinstance(domains, list) else None
    ports.console.say("Who may sign in:")
    for each in who_may_sign_in(subject.values, allowed):
        ports.console.todo(each)
