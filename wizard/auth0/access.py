"""Who may sign in: the policy, and the names under which Auth0 and LibreChat know it."""

import re
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from wizard.language import Message
from wizard.settings import InvalidValue, pasted

# A namespace outside auth0.com; Auth0 never fetches it. It must not change with the tunnel's URL.
# Source: https://auth0.com/docs/secure/tokens/json-web-tokens/create-custom-claims
ROLES_CLAIM = "https://librechat-auth0/roles"
USER_ROLE = "librechat-user"
ADMIN_ROLE = "librechat-admin"

_NAME = r"[^\s@,;<>\"'\\]+"
_DOMAIN = r"(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+(?!-)[a-z0-9-]{2,63}(?<!-)"


class Who(StrEnum):
    """Who may sign in."""

    PEOPLE = "people"
    DOMAINS = "domains"
    ANYBODY = "anybody"
    UNCHANGED = "unchanged"
    UNDECIDED = "undecided"  # as before we changed anything


class Policy(NamedTuple):
    """Who may sign in.

    Attributes:
        people: addresses as typed, since Auth0 finds users by their exact spelling; with `PEOPLE`.
        domains: in lower case; with `DOMAINS`.
        admins: addresses, also among the `people`; they may sign in whatever the policy.
        closes_shared: sign-ups end for other applications, too.
    """

    who: Who
    people: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    admins: tuple[str, ...] = ()
    closes_shared: bool = False

    @property
    def named(self) -> tuple[str, ...]:
        """The people whom it names, each once."""
        people = (*self.admins, *self.people)
        return tuple({address.lower(): address for address in people}.values())


class State(StrEnum):
    """Whether strangers get through a door."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class Door(NamedTuple):
    """A way in for strangers: the connections that are open, or why that is not known."""

    connections: tuple[str, ...] = ()
    reason: str = ""

    @property
    def state(self) -> State:
        """Whether strangers get through."""
        if self.reason:
            return State.UNKNOWN
        return State.OPEN if self.connections else State.CLOSED


class Doors(NamedTuple):
    """Auth0's ways in: accounts that strangers create, and accounts that they have elsewhere."""

    sign_ups: Door
    social: Door

    def opened(self, sign_ups: Message, social: Message) -> list[Message]:
        """Return the text of each door that is open, filled in with its connections."""
        return [
            text.filled(connections=", ".join(door.connections))
            for door, text in zip(self, (sign_ups, social), strict=True)
            if door.connections
        ]


def policy_of(
    *,
    users: Sequence[str] = (),
    domains: Sequence[str] = (),
    anybody: bool = False,
    admins: Sequence[str] = (),
) -> Policy | None:
    """Return the policy of the options; None if they name none.

    An administrator alone changes nothing else: the policy is then `UNCHANGED`.

    Raises:
        InvalidValue: a value is not valid, or two options contradict each other.
    """
    people, names = _each(users, parse_address), _each(domains, parse_mail_domain)
    admin = _each(admins, parse_address)
    if (bool(people) + bool(names) + anybody) > 1:
        raise InvalidValue("Choose one: --allow-user, --allow-domain or --allow-anybody.")
    if people:
        return Policy(Who.PEOPLE, _distinct((*people, *admin)), (), admin)
    if names:
        for address in admin:
            if address.rpartition("@")[2] not in names:
                raise InvalidValue("{address} is at none of the domains.", address=address)
        return Policy(Who.DOMAINS, (), names, admin)
    if anybody:
        return Policy(Who.ANYBODY, (), (), admin)
    return Policy(Who.UNCHANGED, (), (), admin) if admin else None


def parse_address(text: str) -> str:
    """Return an email address, its domain in lower case.

    Raises:
        InvalidValue: it is none.
    """
    value = pasted(text)
    name, _, domain = value.rpartition("@")
    if not re.fullmatch(_NAME, name) or not re.fullmatch(_DOMAIN, domain.lower()):
        raise InvalidValue("{value} is not an email address.", value=value or Message("That"))
    return f"{name}@{domain.lower()}"


def parse_mail_domain(text: str) -> str:
    """Return the domain of email addresses in lower case, also of one address or with an @.

    Raises:
        InvalidValue: it is none.
    """
    value = pasted(text).lower().rpartition("@")[2]
    if not re.fullmatch(_DOMAIN, value):
        raise InvalidValue(
            "{value} is not a domain. Enter it as example.com, without * or @.",
            value=value or Message("That"),
        )
    return value


def _each(texts: Iterable[str], parse: Callable[[str], str]) -> tuple[str, ...]:
    return _distinct(parse(part) for text in texts for part in text.split(",") if part.strip())


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    """Return the first spelling of each."""
    first: dict[str, str] = {}
    for value in values:
        first.setdefault(value.lower(), value)
    return tuple(first.values())
