"""Who may sign in to LibreChat: its role and domain settings, applied to a sign-in's claims.

Source: api/strategies/openidStrategy.js, packages/api/src/auth/domain.ts
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from wizard.findings import Finding
from wizard.language import Message
from wizard.librechat.variables import REGISTRATION, is_enabled, is_read
from wizard.rules import rule

LACKS_ROLE = rule("LA586")
DOMAIN_REFUSED = rule("LA587")
NO_ADMIN = rule("LA593")

Claims = Mapping[str, object]
_KEY = r"[^.\[\]]+"


class SignedIn(NamedTuple):
    """The claims of one sign-in, by the token kinds of LibreChat's role settings.

    `access` is None where the token is opaque, `userinfo` where it was not asked.
    """

    id: Claims
    access: Claims | None
    userinfo: Claims | None = None


def judge_admission(
    user: SignedIn, values: Mapping[str, str], allowed_domains: Sequence[object] | None
) -> Iterator[Finding]:
    """Return why LibreChat refuses this user, and whether it makes them an administrator.

    `allowed_domains` are those of `librechat.yaml`, None for any.
    """
    e_mail = _e_mail({**user.id, **(user.userinfo or {})}, values)
    if allowed_domains and not _is_allowed(e_mail, allowed_domains):
        domain = e_mail.partition("@")[2] or Message("no email address")
        yield DOMAIN_REFUSED.finding(Message("The user has {domain}.", domain=domain))
    required = values.get("OPENID_REQUIRED_ROLE", "").split(",")
    if lack := _lack(user, values, "OPENID_REQUIRED_ROLE", [each.strip() for each in required]):
        yield LACKS_ROLE.finding(lack)
    if lack := _lack(user, values, "OPENID_ADMIN_ROLE", [values.get("OPENID_ADMIN_ROLE", "")]):
        yield NO_ADMIN.finding(lack)


def role_values(
    claims: Claims, claim: str, user_role: str, admin_role: str, version: str
) -> dict[str, str]:
    """Return the variables that ask for the roles in this ID token.

    The administrator's are there only if the token has that role: LibreChat demotes an
    administrator whose token lacks it.
    """
    roles = _roles(claims.get(claim)) or ()
    asked = {"OPENID_REQUIRED_ROLE": user_role, "OPENID_ADMIN_ROLE": admin_role}
    values: dict[str, str] = {}
    for name, role in asked.items():
        if role in roles and is_read(name, version):
            values |= {name: role, f"{name}_PARAMETER_PATH": claim, f"{name}_TOKEN_KIND": "id"}
    return values


def who_may_sign_in(
    values: Mapping[str, str],
    allowed_domains: Sequence[object] | None,
    auth0: Sequence[Message] = (Message("everyone whom Auth0 signs in"),),
) -> Iterator[Message]:
    """Yield sentences on who may use LibreChat; `auth0` says who can sign in to Auth0."""
    role = values.get("OPENID_REQUIRED_ROLE", "")
    domains = ", ".join(str(each) for each in (allowed_domains or ())[:10])
    if role:
        yield Message("Auth0's users with the role {role}", role=role)
    if domains:
        yield Message("Auth0's users with an address at {domains}", domains=domains)
    if not (role or domains):
        yield from auth0
    if is_enabled(values, REGISTRATION):
        yield Message("everyone who signs up at LibreChat with an email address")
    if admin := values.get("OPENID_ADMIN_ROLE", ""):
        yield Message("as administrators: users with the role {role}", role=admin)


def claim_at(claims: Claims, path: str) -> object:
    """Return the claim at a path as lodash's `get` finds it: the whole path as a name comes first.

    Names of Auth0's own claims are URLs, and hold dots.
    """
    if path in claims:
        return claims[path]
    value: object = claims
    for key in re.findall(_KEY, path):
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _lack(
    user: SignedIn, values: Mapping[str, str], setting: str, wanted: Sequence[str]
) -> Message | None:
    """Return why the user has none of the roles; None for one who has, or as far as is known."""
    kind = values.get(f"{setting}_TOKEN_KIND", "")
    path = values.get(f"{setting}_PARAMETER_PATH", "")
    if not any(wanted) or (kind == "userinfo" and user.userinfo is None):
        return None
    tokens = {"id": user.id, "access": user.access, "userinfo": user.userinfo}
    value = claim_at(tokens.get(kind) or {}, path)
    roles = _roles(value)
    if value is True and setting == "OPENID_ADMIN_ROLE":
        return None
    if roles is None:
        return Message("The {kind} token has no claim {path}.", kind=kind, path=path)
    if {*filter(None, wanted)} & {*roles}:
        return None
    return Message(
        "{name} is {role}; {path} has {roles}.",
        name=setting,
        role=values[setting],
        path=path,
        roles=", ".join(roles[:10]) or Message("none"),
    )


def _roles(value: object) -> tuple[str, ...] | None:
    """Return the roles in a claim; None where it holds none."""
    if isinstance(value, str) and value:
        return tuple(filter(None, re.split(r"[\s,]+", value)))
    if isinstance(value, list):
        return tuple(each for each in value if isinstance(each, str))
    return None


def _e_mail(userinfo: Claims, values: Mapping[str, str]) -> str:
    names = (values.get("OPENID_EMAIL_CLAIM", "").strip(), "email", "preferred_username", "upn")
    found = (userinfo.get(name) for name in names if name)
    return next((each for each in found if isinstance(each, str) and each), "")


def _is_allowed(e_mail: str, domains: Sequence[object]) -> bool:
    parts = e_mail.split("@")
    domain = parts[1].lower() if len(parts) > 1 else ""
    return bool(domain) and any(
        isinstance(each, str) and each.lower() == domain for each in domains
    )
