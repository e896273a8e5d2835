"""Asks who may sign in to a LibreChat with a public URL, and closes LibreChat's own doors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from wizard.auth0.access import Policy, Who, parse_address, parse_mail_domain, policy_of
from wizard.commands.change import CHANGES_TO, OLD_ONE_KEPT, Question, consent
from wizard.commands.values import INVALID_VALUE
from wizard.language import Message
from wizard.librechat.env_store import EnvStore
from wizard.librechat.variables import is_enabled
from wizard.ports import Ports
from wizard.settings import InvalidValue, is_public
from wizard.ui.prompts import Choice, Prompter

if TYPE_CHECKING:
    from wizard.librechat.config_file import ConfigFile

REGISTRATION, EMAIL_LOGIN = "ALLOW_REGISTRATION", "ALLOW_EMAIL_LOGIN"
_CHOICES = (
    Choice(Who.PEOPLE, "People I name"),
    Choice(Who.DOMAINS, "Everybody with an address at these domains"),
    Choice(Who.ANYBODY, "Anybody, strangers too"),
)
_WORD = "anybody"


def policy_given(
    users: tuple[str, ...], domains: tuple[str, ...], *, anybody: bool
) -> Policy | None:
    """Return the policy of the options, None where they name none.

    Raises:
        Failure: a value is not valid, or the options contradict each other.
    """
    try:
        return policy_of(users=users, domains=domains, anybody=anybody)
    except InvalidValue as invalid:
        raise INVALID_VALUE.failure(invalid.reason) from None


def choose_policy(given: Policy | None, public_url: str, ports: Ports) -> Policy | None:
    """Return who may sign in; None where only this machine reaches LibreChat, or nobody answers."""
    if not is_public(public_url):
        return None
    if given is not None or ports.prompter is None:
        return given
    ports.console.hint(Message("Anybody can open {url}.", url=public_url))
    who = ports.prompter.select("Who may sign in?", _CHOICES, default=Who.PEOPLE)
    if who == Who.DOMAINS:
        domains = ports.prompter.text("Domains, separated by commas", parse=_domains)
        return policy_of(domains=domains, admins=_administrator("", ports.prompter))
    if who == Who.PEOPLE:
        people = ports.prompter.text("Their email addresses, separated by commas", parse=_people)
        return policy_of(users=people, admins=_administrator(people[0], ports.prompter))
    ports.console.warn(
        "Strangers can then use this LibreChat, and your API keys pay for what they ask."
    )
    question = Message("Type {word} to open it to everybody", word=_WORD)
    ports.prompter.text(question, parse=_confirmed)
    return Policy(Who.ANYBODY)


def _administrator(address: str, prompter: Prompter) -> tuple[str, ...]:
    if address:
        question = Message("Make {address} the administrator?", address=address)
        return (address,) if prompter.confirm(question) else ()
    found = prompter.text("The administrator's email address (Enter for none)", parse=_optional)
    return (found,) if found else ()


def _people(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(parse_address(part) for part in text.split(",")))


def _domains(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(parse_mail_domain(part) for part in text.split(",")))


def _optional(text: str) -> str:
    return parse_address(text) if text.strip() else ""


def _confirmed(text: str) -> str:
    if text.strip().lower() != _WORD:
        raise InvalidValue("Type {word}, or go back with Ctrl-C.", word=_WORD)
    return text


def closing_values(
    policy: Policy | None, current: Mapping[str, str], ports: Ports, *, was_used: bool
) -> dict[str, str]:
    """Return the variables that close LibreChat's own doors.

    Where it was used, it may have users with a password: sign-ups are closed after a question, and
    the sign-in with a password stays unless the user closes it.
    """
    if policy is None or policy.who is Who.ANYBODY:
        return {}
    values = {}
    prompter = ports.prompter if was_used else None
    if is_enabled(current, REGISTRATION) and (
        prompter is None
        or prompter.confirm("Close LibreChat's own sign-up by email? Present users stay.")
    ):
        values[REGISTRATION] = "false"
    is_open = EMAIL_LOGIN not in current or is_enabled(current, EMAIL_LOGIN)
    if is_open and (
        not was_used
        or (
            prompter is not None
            and prompter.confirm(
                "Close the sign-in with a LibreChat password too? Users who have one could no"
                " longer sign in.",
                default=False,
            )
        )
    ):
        values[EMAIL_LOGIN] = "false"
    return values


def allow_domains(
    domains: tuple[str, ...], config: ConfigFile, ports: Ports, *, dry_run: bool
) -> bool:
    """Write the domains into LibreChat's configuration file, after showing the lines.

    Returns:
        whether the file was written.

    Raises:
        Failure: the file cannot be edited or written.
    """
    from wizard.librechat.config_edit import with_allowed_domains

    console = ports.console
    if config.path is None:
        console.warn(
            Message(
                "Set registration.allowedDomains in {file} yourself: {domains}.",
                file=config.named,
                domains=", ".join(domains),
            )
        )
        return False
    store = EnvStore(config.path, ports.state_dir, ports.last_words.append, is_private=False)
    content = store.read()
    edit = with_allowed_domains(content, domains, str(store.path))
    if not (edit.removed or edit.added):
        console.done(Message("{file} already allows these domains alone.", file=store.path))
        return False
    console.say(CHANGES_TO.filled(file=store.path))
    console.setting("registration.allowedDomains", edit.removed, edit.added)
    if not consent(Question(), ports, yes=True, dry_run=dry_run):
        return False
    backup = store.save(content, edit.after)
    console.done(store.written)
    if content is not None:
        console.hint(OLD_ONE_KEPT.filled(backup=backup))
    return True
