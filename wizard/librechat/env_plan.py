"""Plans the `.env` of a complete setup from the present file. Pure."""

import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from wizard.findings import Finding
from wizard.language import Message
from wizard.librechat.env_file import Change, EnvFile, Suggestion, quoted
from wizard.librechat.secrets import random_hex
from wizard.librechat.variables import REGISTRATION, VARIABLES, Format, Section, is_enabled, is_read
from wizard.librechat.version_gates import unread
from wizard.rules import rule
from wizard.settings import (
    SESSION_SECRET_MIN_LENGTH,
    Settings,
    has_stray_quote,
    host_of,
    is_loopback,
    is_placeholder,
    is_public,
    is_repetitive,
)

PUBLIC_CREDENTIAL = rule("LA160")
BLANK_CREDENTIAL = rule("LA161")
SET_TWICE = rule("LA150")
READ_DIFFERENTLY = rule("LA151")
PASSKEYS_LOST = rule("LA346")

# Keys of stored data and running sessions: generated for a new installation only.
GUARDING_CREDENTIALS = (
    "CREDS_KEY",
    "CREDS_IV",
    "JWT_SECRET",
    "JWT_REFRESH_SECRET",
    "MEILI_MASTER_KEY",
)
RANDOM_SECRETS = (*GUARDING_CREDENTIALS, "OPENID_SESSION_SECRET", "ADMIN_PANEL_SESSION_SECRET")
# Shipped as bare `(1000 * 60 * 60 * 24) * 7`, a syntax error for a shell that sources the file;
# quoted, every reader takes them. In the user's own file they stay: LibreChat reads them well.
SHIPPED_WITHOUT_QUOTES = ("SESSION_EXPIRY", "REFRESH_TOKEN_EXPIRY")
# Of the user's own, these stay.
_KEPT = frozenset({"OPENID_BUTTON_LABEL", "OPENID_NAME_CLAIM", "OPENID_USERNAME_CLAIM"})
SHOWN_LINES = 10

# No line, a comment, or a value of printable ASCII: bare, or as a whole in quotes of one kind.
_AGREED_LINE = (
    r"[ \t]*(?:#[^\r\u2028\u2029]*)?\r?"
    r"|[A-Za-z_][A-Za-z0-9_]*="
    r"""(?:(["'])[ !#-&(-\[\]-_a-~]*\1|[ !$-&(-\[\]-_a-~]*)\r?"""
)
_QUOTE_FIRST = r"""\W*['"`]"""
RandomHex = Callable[[int], str]


class Base(NamedTuple):
    """What a plan starts from: the present `.env`, or the `.env.example` of the checkout.

    `port` is for a new file. Variables that the version does not read are not written.
    """

    existing: bytes | None
    example: bytes | None
    port: int
    signs_of_use: Sequence[str] = ()
    version: str = ""


class EnvPlan(NamedTuple):
    """An edit; without an `.env`, `before` is LibreChat's `.env.example` or our template."""

    before: EnvFile
    after: EnvFile
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]


def plan_env(
    settings: Settings,
    base: Base,
    variables: Mapping[str, str] | None = None,
    random_hex: RandomHex = random_hex,
) -> EnvPlan:
    """Return the edit that makes the file complete; it may remove lines (`removed_lines`).

    Raises:
        Failure: a value cannot be written, or the file cannot be edited safely.
    """
    is_new = base.existing is None or not base.existing.strip()
    content = base.example if is_new else base.existing
    before = EnvFile.from_bytes(content) if content else EnvFile(blank_file(base.version))
    current = before.values()
    edits: dict[str, str | Suggestion] = dict(wanted_values(settings, current, random_hex))
    if is_new:
        edits |= _for_a_new_file(settings, current, base, random_hex)
    edits |= variables or {}
    edits |= {each.name: Suggestion(each.example) for each in VARIABLES.values() if each.example}
    read = {name: each for name, each in edits.items() if is_read(name, base.version) or not each}
    after, changes = before.edited(read, removing_lines=True)
    written = [name for name, value in read.items() if isinstance(value, str)]
    values = after.values()
    findings = (
        *public_credentials(values),
        *blank_credentials(values),
        *doubts(after, {name: values[name] for name in written}),
        *passkeys_lost(current, settings.public_url),
        *unread(values, base.version, values),
    )
    return EnvPlan(before, after, changes, findings)


def wanted_values(
    settings: Settings, current: Mapping[str, str], random_hex: RandomHex
) -> dict[str, str]:
    """Return the variables that sign-in, refresh and logout need, by LibreChat's own code."""
    values = {
        **url_values(settings.public_url),
        "OPENID_ISSUER": settings.issuer,
        "OPENID_CLIENT_ID": settings.client_id,
        "OPENID_CLIENT_SECRET": settings.client_secret or "",
        "OPENID_SCOPE": settings.scope,
        "OPENID_REUSE_TOKENS": "true" if settings.reuse_tokens else "false",
    }
    is_kept = is_good_secret(name := "OPENID_SESSION_SECRET", current)
    values[name] = current[name] if is_kept else random_hex(32)
    for name, each in VARIABLES.items():
        if each.when == "always" and each.written and not (name in _KEPT and current.get(name)):
            values[name] = each.written
    audience = ",".join(settings.audiences) if settings.reuse_tokens else ""
    audiences = {
        "OPENID_AUDIENCE": audience,
        "OPENID_REFRESH_AUDIENCE": (settings.audience or "") if audience else "",
    }
    return values | {name: each for name, each in audiences.items() if each or current.get(name)}


def url_values(public_url: str) -> dict[str, str]:
    """Return the variables that follow from the public URL."""
    values = {"DOMAIN_CLIENT": public_url, "DOMAIN_SERVER": public_url}
    if is_loopback(public_url):
        values["HSTS_ENABLED"] = "false"
    return values


def passkeys_lost(current: Mapping[str, str], public_url: str) -> Iterator[Finding]:
    """Yield LA346 if the passkeys of these variables' host are of no use at this URL."""
    old, new = host_of(current.get("DOMAIN_CLIENT", "")), host_of(public_url)
    is_bound = is_enabled(current, "ALLOW_PASSKEY_LOGIN") and not current.get("PASSKEY_RP_ID")
    if is_bound and old and old != new:
        detail = Message("DOMAIN_CLIENT changes from {old} to {new}.", old=old, new=new)
        yield PASSKEYS_LOST.finding(detail, variable="PASSKEY_RP_ID")


def blank_file(version: str = "") -> str:
    """Return a complete `.env` for a folder without LibreChat's `.env.example`."""
    from wizard.templates import template

    ordered = sorted(VARIABLES.values(), key=lambda variable: list(Section).index(variable.section))
    # HSTS_ENABLED is written for localhost only; LibreChat reads a blank line as "off".
    shown = (
        variable
        for variable in ordered
        if variable.name != "HSTS_ENABLED" and is_read(variable.name, version)
    )
    sections = [
        (section.value, list(variables))
        for section, variables in groupby(shown, key=lambda variable: variable.section)
    ]
    return template("librechat.env.j2").render(sections=sections, quoted=quoted)


def is_good_secret(name: str, values: Mapping[str, str]) -> bool:
    """Return whether the value is well-formed, random and used for nothing else."""
    return why_weak(name, values) is None


def why_weak(name: str, values: Mapping[str, str]) -> Message | None:
    """Return why the value is no good secret, None for a good one."""
    value = values.get(name, "").strip()
    others = {values.get(other, "").strip(): other for other in RANDOM_SECRETS if other != name}
    if value in others:
        return Message("the same as {name}", name=others[value])
    if is_placeholder(value):
        return Message("a placeholder")
    if has_stray_quote(value):
        return Message("quotes are a part of it")
    if not VARIABLES[name].accepts(value):
        wanted = SESSION_SECRET_MIN_LENGTH
        return Message("{length} characters, of {wanted} or more", length=len(value), wanted=wanted)
    if is_repetitive(value):
        return Message("not random")
    public = set().union(*(variable.public_values for variable in VARIABLES.values()))
    return Message("published") if value in public else None


def _for_a_new_file(
    settings: Settings, current: Mapping[str, str], base: Base, random_hex: RandomHex
) -> dict[str, str]:
    """Return what a new file has beside the sign-in; keys of stored data only if there is none."""
    values = {
        name: current.get(name) or each.written
        for name, each in VARIABLES.items()
        if each.when == "new file"
        and each.written
        and (name in SHIPPED_WITHOUT_QUOTES or not current.get(name))
    }
    if current.get("PORT") != str(base.port):
        values["PORT"] = str(base.port)
    secrets = ["ADMIN_PANEL_SESSION_SECRET", *(() if base.signs_of_use else GUARDING_CREDENTIALS)]
    for name in secrets:
        if not is_good_secret(name, current):
            is_short = VARIABLES[name].format is Format.HEX_16_BYTES
            values[name] = random_hex(16 if is_short else 32)
    if is_public(settings.public_url) and not base.signs_of_use:
        values[REGISTRATION] = "false"  # LibreChat's .env.example has true
    return values


def doubts(file: EnvFile, written: Mapping[str, str]) -> Iterator[Finding]:
    """Yield why a value that was written may not be the one that is read."""
    yield from set_twice(file, written)
    yield from read_differently(file, written)


def public_credentials(values: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the secrets with a published value."""
    for name in GUARDING_CREDENTIALS:
        if values.get(name, "") in VARIABLES[name].public_values:
            detail = Message("{name} has a published value.", name=name)
            yield PUBLIC_CREDENTIAL.finding(detail, variable=name)


def blank_credentials(values: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the blank secrets, for which LibreChat generates temporary ones."""
    for name in GUARDING_CREDENTIALS:
        if not values.get(name) and name != "MEILI_MASTER_KEY":
            yield BLANK_CREDENTIAL.finding(Message("{name} is blank.", name=name), variable=name)


def set_twice(file: EnvFile, names: Collection[str] | None = None) -> Iterator[Finding]:
    """Yield the names (all of them for None) that are set on several lines."""
    places: dict[str, list[int]] = {}
    for assignment in file.assignments:
        places.setdefault(assignment.name, []).append(assignment.start)
    for name, starts in places.items():
        if len(starts) > 1 and (names is None or name in names):
            lines = ", ".join(str(file.line_of(start)) for start in starts[:SHOWN_LINES])
            more = ", …" if len(starts) > SHOWN_LINES else ""
            detail = Message("{name} is set on lines {lines}.", name=name, lines=f"{lines}{more}")
            yield SET_TWICE.finding(detail, variable=name)


def read_differently(file: EnvFile, written: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the values that python-dotenv reads differently.

    It is imported only if a line with such a name is ambiguous.
    """
    text = file.text.removeprefix("\ufeff").encode("utf-8", "replace").decode()
    doubtful = doubtful_lines(text)
    if not any(name in doubtful for name in written):
        return
    import logging

    from dotenv import dotenv_values

    # It logs lines that it cannot parse; we report the effect.
    logging.getLogger("dotenv.main").addHandler(logging.NullHandler())
    read = dotenv_values(stream=io.StringIO(text), interpolate=False)
    for name, value in written.items():
        if read.get(name) != value:
            detail = Message("It is the value of {name}.", name=name)
            yield READ_DIFFERENTLY.finding(detail, variable=name)


def doubtful_lines(text: str) -> str:
    """Return the ambiguous lines: all of them if a quoted value may span several."""
    is_agreed = re.compile(_AGREED_LINE).fullmatch
    lines = [line for line in text.split("\n") if not is_agreed(line)]
    is_open = any(
        "\\" in line or line.count("'") % 2 or line.count('"') % 2 or re.match(_QUOTE_FIRST, line)
        for line in lines
    )
    return text if is_open else "\n".join(lines)
