"""Which doors of a tenant are open to strangers, by its public file.

Auth0 serves each application's connections to its own login widget. The file cannot be hidden, and
creates nothing. Source: npm auth0-lock 14.3.0, src/core/client/index.js
"""

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from wizard.auth0.access import Door, Doors
from wizard.auth0.redact import quoted
from wizard.http import HttpClient, NetworkError
from wizard.language import Message
from wizard.system.reading import load_json

DATABASE = "auth0"
# Strangers can create an account in these, unless sign-ups are off; two are passwordless.
CREATES_USERS = frozenset({DATABASE, "email", "sms"})
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


def public_doors(domain: str, client_id: str, http: HttpClient, time: float = 0.0) -> Doors:
    """Return the application's doors by the tenant's public file; `time` keeps caches out."""
    url = f"https://{domain}/client/{quote(client_id, safe='')}.js?t{int(time * 1000)}"
    try:
        answer = http.request("GET", url)
    except NetworkError as error:
        return unknown_doors(Message("{host} does not answer", host=error.host))
    path = urlsplit(answer.url).path
    if answer.status != 200:
        return unknown_doors(Message("{path} answered {status}", path=path, status=answer.status))
    try:
        return _doors(answer.text)
    except (ValueError, TypeError, KeyError, AttributeError):
        return unknown_doors(Message("{path} has an unknown format", path=path))


def unknown_doors(reason: str) -> Doors:
    """Return doors of which nothing is known."""
    return Doors(Door(reason=reason), Door(reason=reason))


def is_social(strategy: str) -> bool:
    """Return whether anybody with an account at that provider can sign in."""
    return strategy not in CREATES_USERS | ENTERPRISE


def _doors(script: str) -> Doors:
    """Return the doors by the connections in the file, read as data and never evaluated.

    No boolean for sign-ups means yes, as for Auth0's own widget.

    Raises:
        ValueError, TypeError, KeyError or AttributeError: it has another shape.
    """
    text = script.strip().removesuffix(";").rstrip()
    if not (text.startswith(_BEGIN) and text.endswith(_END)):
        raise ValueError("not the file of an application")
    sign_ups, social = [], []
    for strategy in _listed(load_json(text[len(_BEGIN) : -len(_END)])["strategies"]):
        kind = _text(strategy["name"])
        for each in _listed(strategy["connections"]):
            name = _text(each["name"])
            if is_social(kind):
                social.append(name)
            elif kind in CREATES_USERS and each.get("showSignup") is not False:
                sign_ups.append(name)
    return Doors(Door(tuple(sign_ups)), Door(tuple(social)))


def _listed(value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return quoted(value)
