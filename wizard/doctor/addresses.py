"""Rules on where browsers reach LibreChat: `DOMAIN_CLIENT`, `DOMAIN_SERVER` and their cookies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from wizard.doctor.check import Check, Edits
from wizard.doctor.sign_in import is_documented
from wizard.doctor.subject import Subject
from wizard.findings import Finding, Rule, Severity
from wizard.language import Message, joined
from wizard.settings import CALLBACK_PATH, LOGOUT_PATH, InvalidValue, is_loopback, parse_public_url

_STRATEGY = "api/strategies/openidStrategy.js"
_COOKIES = "packages/api/src/oauth/csrf.ts, shouldUseSecureCookie"

DOMAIN_MISSING = Rule(
    "LA122",
    Severity.ERROR,
    "LibreChat is not told its own address",
    "It makes the callback URL from DOMAIN_SERVER and sends people to DOMAIN_CLIENT afterwards;"
    " without them they arrive at an address with undefined in it, or LibreChat does not start.",
    "Set both to the HTTPS address at which browsers reach LibreChat.",
    "api/server/index.js",
)
DOMAIN_INVALID = Rule(
    "LA123",
    Severity.ERROR,
    "LibreChat's address is no URL",
    "LibreChat does not start with a DOMAIN_CLIENT that lacks https:// (ERR_INVALID_URL), and"
    " Auth0 refuses a callback URL that lacks it.",
    "Write it as https:// and the host.",
    "api/server/index.js",
)
DOMAIN_WITH_SLASH = Rule(
    "LA124",
    Severity.ERROR,
    "LibreChat's address ends with a slash",
    f"LibreChat appends {CALLBACK_PATH} and {LOGOUT_PATH}: the address gets two slashes, which"
    " neither LibreChat nor Auth0 takes for the one they know.",
    "Remove the slash at its end.",
    _STRATEGY,
)
DOMAIN_WITH_PATH = Rule(
    "LA125",
    Severity.WARNING,
    "LibreChat's address has a path",
    "LibreChat appends its own paths to it; that works only behind a proxy that strips this one.",
    "Give the address without a path, unless your proxy strips it.",
    _STRATEGY,
)
DOMAIN_IS_PAGE = Rule(
    "LA126",
    Severity.ERROR,
    "LibreChat's address is that of one of its pages",
    "LibreChat appends its own paths, so the callback URL would have two of them.",
    "Give the address without a path.",
    _STRATEGY,
)
DOMAINS_DIFFER = Rule(
    "LA127",
    Severity.ERROR,
    "DOMAIN_CLIENT and DOMAIN_SERVER are different places",
    "The sign-in's cookies are set for DOMAIN_SERVER; at DOMAIN_CLIENT, where people arrive"
    " afterwards, they are not sent, and the login page comes again.",
    "Set both to the HTTPS address at which browsers reach LibreChat.",
    _STRATEGY,
)
PUBLIC_BY_HTTP = Rule(
    "LA128",
    Severity.ERROR,
    "LibreChat's address is http://, so browsers drop the sign-in's cookie",
    "LibreChat marks its cookies Secure unless its host is localhost.",
    "Use HTTPS (librechat-auth0 tunnel opens one), or set SESSION_COOKIE_SECURE=false on a network"
    " of your own (LibreChat 0.8.6 and later).",
    "LibreChat issue 13188",
)
ONLY_THIS_MACHINE = Rule(
    "LA129",
    Severity.NOTE,
    "LibreChat's address is localhost",
    "Only browsers on this machine can sign in.",
    "For others, open a tunnel: librechat-auth0 tunnel.",
    _STRATEGY,
)
HSTS_ON_LOCALHOST = Rule(
    "LA170",
    Severity.WARNING,
    "LibreChat would pin localhost to HTTPS",
    "Since 0.8.8 LibreChat sends Strict-Transport-Security; browsers that heed it for localhost"
    " refuse every http://localhost for a year.",
    "Set HSTS_ENABLED=false.",
    "packages/api/src/security/headers.ts",
)
SECURE_COOKIE_BY_HTTP = Rule(
    "LA171",
    Severity.ERROR,
    "Cookies are forced to be Secure, but LibreChat's address is http://",
    "LibreChat sends no sign-in cookie over HTTP then, and the way back from Auth0 ends in"
    " auth_failed.",
    "Remove SESSION_COOKIE_SECURE, or use HTTPS.",
    _COOKIES,
)

DOMAINS = ("DOMAIN_CLIENT", "DOMAIN_SERVER")
_PAGES = re.compile(r"/(oauth|login|api|c)(/|\Z)")


def _domain_missing(subject: Subject) -> Iterator[Finding]:
    for name in DOMAINS:
        if not subject.value(name):
            yield subject.finding(DOMAIN_MISSING, name)


def _domain_invalid(subject: Subject) -> Iterator[Finding]:
    for name in DOMAINS:
        value = subject.value(name)
        if value and not is_documented(value) and _host(value) is None:
            yield subject.finding(DOMAIN_INVALID, name)


def _domain_with_slash(subject: Subject) -> Iterator[Finding]:
    for name in DOMAINS:
        value = subject.value(name)
        if _host(value) and value.endswith("/") and not _path(value):
            mended = subject.without_secrets(value.rstrip("/"))
            fix = Message("Set {name}={value}.", name=name, value=mended)
            yield subject.finding(DOMAIN_WITH_SLASH, name, fix=fix)


def _domain_with_path(subject: Subject) -> Iterator[Finding]:
    for name in DOMAINS:
        path = _path(subject.value(name))
        if path and not _PAGES.match(path):
            yield subject.finding(DOMAIN_WITH_PATH, name)


def _domain_is_page(subject: Subject) -> Iterator[Finding]:
    for name in DOMAINS:
        if _PAGES.match(_path(subject.value(name))):
            yield subject.finding(DOMAIN_IS_PAGE, name)


def _domains_differ(subject: Subject) -> Iterator[Finding]:
    client, server = (subject.value(name) for name in DOMAINS)
    if not (_host(client) and _host(server)):
        return
    # The development server has a port of its own.
    are_local = is_loopback(client) and is_loopback(server)
    if _origin(client) != _origin(server) and not are_local:
        detail = joined("; ", map(subject.seen, DOMAINS))
        yield DOMAINS_DIFFER.finding(detail, variable="DOMAIN_SERVER")


def _public_by_http(subject: Subject) -> Iterator[Finding]:
    value = subject.value("DOMAIN_SERVER")
    allows_plain = subject.value("SESSION_COOKIE_SECURE").lower() in {"true", "false"}
    if not value.lower().startswith("http://") or is_documented(value):
        return
    if not is_loopback(value) and (not allows_plain or subject.runs_before("0.8.6")):
        yield subject.finding(PUBLIC_BY_HTTP, "DOMAIN_SERVER")


def _only_this_machine(subject: Subject) -> Iterator[Finding]:
    value = subject.value("DOMAIN_SERVER")
    if _host(value) and is_loopback(value):
        yield subject.finding(ONLY_THIS_MACHINE, "DOMAIN_SERVER")


def _hsts_on_localhost(subject: Subject) -> Iterator[Finding]:
    value = subject.value("DOMAIN_SERVER")
    sends_it = subject.value("HSTS_ENABLED").lower() != "false"
    if value.lower().startswith("https://") and is_loopback(value) and sends_it:
        # Older versions send no such header.
        if subject.runs_before("0.8.8-rc2"):
            return
        yield subject.finding(HSTS_ON_LOCALHOST, "HSTS_ENABLED")


def _secure_cookie_by_http(subject: Subject) -> Iterator[Finding]:
    name = "SESSION_COOKIE_SECURE"
    if subject.is_on(name) and subject.value("DOMAIN_SERVER").lower().startswith("http://"):
        yield subject.finding(SECURE_COOKIE_BY_HTTP, name)


def _other_domain(subject: Subject, finding: Finding) -> Edits:
    """The address of the one that is right, for the other."""
    good = [
        subject.value(name)
        for name in DOMAINS
        if name != finding.variable and _is_good(subject.value(name))
    ]
    return {finding.variable: good[0]} if good and finding.variable else {}


def _public_of_both(subject: Subject, _: Finding) -> Edits:
    """The public address for both, where exactly one of them is public and by HTTPS."""
    public = {
        value
        for name in DOMAINS
        if _is_good(value := subject.value(name)) and not is_loopback(value)
    }
    other_is_local = any(is_loopback(subject.value(name)) for name in DOMAINS)
    return dict.fromkeys(DOMAINS, public.pop()) if len(public) == 1 and other_is_local else {}


def _with_scheme(subject: Subject, finding: Finding) -> Edits:
    name = finding.variable or ""
    value = subject.value(name)
    try:
        mended = parse_public_url(value)
    except InvalidValue:
        return {}
    # On this machine it may be meant to be http://.
    return {} if "://" in value or is_loopback(mended) else {name: mended}


def _origin_alone(subject: Subject, finding: Finding) -> Edits:
    name = finding.variable or ""
    return {name: _origin(subject.value(name))}


def _is_good(value: str) -> bool:
    try:
        return parse_public_url(value) == value
    except InvalidValue:
        return False


def _host(value: str) -> str | None:
    """The host of an http(s) URL, None if it is none."""
    try:
        parts = urlsplit(value)
        is_url = parts.scheme in {"http", "https"} and not re.search(r"[\s,]", value)
        return parts.hostname if is_url and parts.port != 0 else None
    except ValueError:
        return None


def _path(value: str) -> str:
    """What follows the host, without the slash at the end."""
    if _host(value) is None:
        return ""
    parts = urlsplit(value)
    return f"{parts.path.rstrip('/')}{'?' if parts.query else ''}{'#' if parts.fragment else ''}"


def _origin(value: str) -> str:
    parts = urlsplit(value)
    return f"{parts.scheme}://{parts.netloc}".lower()


CHECKS = (
    Check(DOMAIN_MISSING, _domain_missing, _other_domain),
    Check(DOMAIN_INVALID, _domain_invalid, _with_scheme),
    Check(DOMAIN_IS_PAGE, _domain_is_page, _origin_alone),
    Check(DOMAIN_WITH_SLASH, _domain_with_slash, _origin_alone),
    Check(DOMAINS_DIFFER, _domains_differ, _public_of_both),
    Check(PUBLIC_BY_HTTP, _public_by_http),
    Check(SECURE_COOKIE_BY_HTTP, _secure_cookie_by_http),
    Check(DOMAIN_WITH_PATH, _domain_with_path),
    Check(HSTS_ON_LOCALHOST, _hsts_on_localhost, lambda _, __: {"HSTS_ENABLED": "false"}),
    Check(ONLY_THIS_MACHINE, _only_this_machine),
)
RULES = tuple(check.rule for check in CHECKS)
