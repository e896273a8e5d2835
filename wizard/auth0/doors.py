"""Which doors of a tenant are open to strangers, as anybody can read it.

Auth0 serves each application's connections to its own login widget. The file cannot be hidden, and
creates nothing. Source: npm auth0-lock 14.3.0, src/core/client/index.js
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from wizard.auth0.access import Door, Doors, State
from wizard.auth0.redact import quoted
from wizard.http import HttpClient, NetworkError
from wizard.language import Message
from wizard.reading import load_json

DATABASE = "auth0"
PASSWORDLESS = frozenset({"email", "sms"})
# Connections to an organization's own directory; everything else admits anybody with an account.
# Source: auth0-python, ConnectionStrategyEnum
ENTERPRISE = frozenset(
    {
        "ad",
        "adfs",
        "auth0-adldap",
        "google-apps",
        "ip",
        "oidc",
        "office365",
        "okta",
        "pingfederate",
        "samlp",
        "sharepoint",
        "waad",
    }
)
_BEGIN, _END = "Auth0.setClient(", ")"


class Connection(NamedTuple):
    """A connection of an application; `sign_ups` is None where it is not known."""

    name: str
    strategy: str
    sign_ups: bool | None


def public_doors(domain: str, client_id: str, http: HttpClient, time: float = 0.0) -> Doors:
    """Return the application's doors by the tenant's public file; `time` keeps caches out."""
    url = f"https://{domain}/client/{quote(client_id, safe='')}.js?t{int(time * 1000)}"
    try:
        answer = http.request("GET", url)
    except NetworkError as error:
        return unknown_doors(Message("{host} does not answer", host=error.host))
    if answer.status != 200:
        return unknown_doors(
            Message(
                "{path} answered {status}", path=urlsplit(answer.url).path, status=answer.status
            )
        )
    try:
        return judge_doors(_connections(answer.text))
    except (ValueError, TypeError, KeyError, AttributeError):
        return unknown_doors(
            Message("{path} has an unknown format", path=urlsplit(answer.url).path)
        )


def unknown_doors(reason: str) -> Doors:
    """Return doors of which nothing is known."""
    door = Door(State.UNKNOWN, reason=reason)
    return Doors(door, door)


def judge_doors(connections: Iterable[Connection]) -> Doors:
    """Return the doors that these connections open. Pure."""
    known = tuple(connections)
    created = [it for it in known if it.strategy in {DATABASE, *PASSWORDLESS}]
    opened = tuple(it.name for it in created if it.sign_ups)
    dark = tuple(it.name for it in created if it.sign_ups is None)
    social = tuple(it.name for it in known if is_social(it.strategy))
    sign_ups = Door(State.OPEN, opened) if opened else Door(State.CLOSED)
    if dark and not opened:
        reason = Message("the settings of {names} cannot be read", names=", ".join(dark))
        sign_ups = Door(State.UNKNOWN, dark, reason)
    return Doors(sign_ups, Door(State.OPEN, social) if social else Door(State.CLOSED))


def is_social(strategy: str) -> bool:
    """Return whether anybody with an account elsewhere gets in."""
    return strategy not in {DATABASE, *PASSWORDLESS, *ENTERPRISE}


def _connections(script: str) -> list[Connection]:
    """Return the connections in the file, read as data and never evaluated.

    Raises:
        ValueError, TypeError, KeyError or AttributeError: it has another shape.
    """
    text = script.strip().removesuffix(";").rstrip()
    if not (text.startswith(_BEGIN) and text.endswith(_END)):
        raise ValueError("not the file of an application")
    said = load_json(text[len(_BEGIN) : -len(_END)])
    return [
        Connection(_text(each["name"]), _text(strategy["name"]), _sign_ups(each))
        for strategy in _listed(said["strategies"])
        for each in _listed(strategy["connections"])
    ]


def _sign_ups(connection: Mapping[str, object]) -> bool:
    """Return whether strangers can sign up: no boolean means yes, as for Auth0's own widget."""
    return connection.get("showSignup") is not False


def _listed(value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return quoted(value)
