"""Writes the roles that LibreChat asks for, once a real ID token has them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wizard.auth0.access import ADMIN_ROLE, ROLES_CLAIM, USER_ROLE
from wizard.language import Message
from wizard.librechat.admission import role_values, who_may_sign_in
from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_store import EnvStore
from wizard.librechat.variables import REGISTRATION, is_enabled
from wizard.ports import Ports
from wizard.settings import Settings, is_public
from wizard.steps.change import Confirmation, EnvChange, change_env

if TYPE_CHECKING:
    from wizard.auth0.access import Doors
    from wizard.auth0.tokens import Judgement
    from wizard.doctor.subject import Subject


def ask_for_roles(
    judgement: "Judgement", store: EnvStore, ports: Ports, *, version: str = "", yes: bool = False
) -> bool:
    """Write the variables of the roles in the ID token of a proved sign-in; return whether.

    Without a terminal and without `yes`, they are only shown.
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
    question = Confirmation(text=Message("Let in only users with this role?"))
    return change_env(change, question, ports, yes=yes, dry_run=False).done


class Visitors(NamedTuple):
    """Whom LibreChat lets in, and whom Auth0 signs in."""

    values: Mapping[str, str]
    domains: list[object] | None
    doors: "Doors"

    def as_json(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "required_role": self.values.get("OPENID_REQUIRED_ROLE", ""),
            "admin_role": self.values.get("OPENID_ADMIN_ROLE", ""),
            "allowed_domains": None if self.domains is None else [*map(str, self.domains)],
            "librechat_sign_up": is_enabled(self.values, REGISTRATION),
            "auth0_sign_up": self.doors.sign_ups.state.value,
            "auth0_social": self.doors.social.state.value,
        }

    def show(self, ports: Ports) -> None:
        """Print it as a list."""
        ports.console.say("Who may sign in:")
        for each in who_may_sign_in(self.values, self.domains, self._of_auth0()):
            ports.console.todo(each)

    def _of_auth0(self) -> Sequence[Message]:
        if reason := self.doors.sign_ups.reason:
            text = Message("everyone whom Auth0 signs in (not known whom: {reason})")
            return [text.filled(reason=Message.of(reason))]
        opened = self.doors.opened(
            Message("everyone who creates an account at Auth0 ({connections})"),
            Message("everyone with an account elsewhere ({connections})"),
        )
        return [*opened, Message("the users who are in Auth0")]


def show_who_may_sign_in(subject: "Subject", settings: Settings, ports: Ports) -> Visitors | None:
    """Print and return whom LibreChat lets in; None if only this machine reaches it."""
    from wizard.doctor.examine import ask_doors

    if not is_public(settings.public_url):
        return None
    domains = subject.config.part("registration", "allowedDomains")
    allowed = domains if isinstance(domains, list) else None
    visitors = Visitors(subject.values, allowed, ask_doors(settings, ports.http, ports.clock))
    visitors.show(ports)
    return visitors
