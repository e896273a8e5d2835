"""Rules on where browsers reach LibreChat: `DOMAIN_CLIENT`, `DOMAIN_SERVER` and their cookies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from socket import inet_aton
from urllib.parse import urlsplit

from wizard.doctor.check import Check, Edits
from wizard.doctor.subject import Subject
from wizard.findings import Finding
from wizard.language import Message, joined
from wizard.librechat.variables import VARIABLES
from wizard.rules import rule
from wizard.settings import InvalidValue, is_loopback, is_placeholder, parse_public_url, port_in

DOMAIN_MISSING = rule("LA122")
DOMAIN_INVALID = rule("LA123")
DOMAIN_WITH_SLASH = rule("LA124")
DOMAIN_WITH_PATH = rule("LA125")
DOMAIN_IS_PAGE = rule("LA126")
DOMAINS_DIFFER = rule("LA127")
PUBLIC_BY_HTTP = rule("LA128")
ONLY_THIS_MACHINE = rule("LA129")
HSTS_ON_LOCALHOST = rule("LA170")
SECURE_COOKIE_BY_HTTP = rule("LA171")
HTTPS_AT_OWN_PORT = rule("LA179")
PROXY_WITHOUT_SCHEME = rule("LA188")
HOST_IS_NO_ADDRESS = rule("LA189")
PORT_UNUSABLE = rule("LA192")

DOMAINS = ("DOMAIN_CLIENT", "DOMAIN_SERVER")
# What keeps LibreChat from pinning browsers to HTTPS, by packages/api/src/security/headers.ts.
_OFF = ("false", "off", "0", "no")
_NO_HSTS = {"HSTS_ENABLED": _OFF, "SECURITY_HEADERS": _OFF, "HSTS_MAX_AGE": ("0",)}
_PAGES = r"/(oauth|login|api|c)(/|\Z)"


def _domain_missing(subject: Subject) -> Iterator[Finding]:
    for name in DOMAINS:
        if not subject.bare(name):
            yield subject.finding(DOMAIN_MISSING, name)


def _domain_invalid(subject: Subject) -> Iterator[Finding]:
    for name in DOMAINS:
        value = subject.bare(name)
        if value and not is_placeholder(value) and _host(value) is None:
            yield subject.finding(DOMAIN_INVALID, name)


def _domain_with_slash(subject: Subject) -> Iterator[Finding]:
    for name in DOMAINS:
        value = subject.bare(name)
        if _host(value) and value.endswith("/") and not re.match(_PAGES, _path(value)):
            fixed = subject.without_secrets(value.rstrip("/"))
            fix = Message("Set {name}={value}.", name=name, value=fixed)
            yield subject.finding(DOMAIN_WITH_SLASH, name, fix=fix)


def _domain_with_path(subject: Subject) -> Iterator[Finding]:
    for name in DOMAINS:
        path = _path(subject.bare(name))
        if path and not re.match(_PAGES, path):
            yield subject.finding(DOMAIN_WITH_PATH, name)


def _domain_is_page(subject: Subject) -> Iterator[Finding]:
    for name in DOMAINS:
        if re.match(_PAGES, _path(subject.bare(name))):
            yield subject.finding(DOMAIN_IS_PAGE, name)


def _domains_differ(subject: Subject) -> Iterator[Finding]:
    client, server = (subject.bare(name) for name in DOMAINS)
    if not (_host(client) and _host(server)):
        return
    # Cookies ignore the port. Those for this machine are not Secure, so the scheme may differ too.
    are_local = is_loopback(client) and is_loopback(server)
    differ = _host(client) != _host(server)
    if differ or not (are_local or _scheme(client) == _scheme(server)):
        detail = joined("; ", map(subject.seen, DOMAINS))
        yield DOMAINS_DIFFER.finding(detail, variable="DOMAIN_SERVER")


def _public_by_http(subject: Subject) -> Iterator[Finding]:
    value = subject.bare("DOMAIN_SERVER")
    allows_plain = subject.bare("SESSION_COOKIE_SECURE").lower() in {"true", "false"}
    if not value.lower().startswith("http://") or is_placeholder(value):
        return
    if not is_loopback(value) and (not allows_plain or subject.runs_before("0.8.6")):
        yield subject.finding(PUBLIC_BY_HTTP, "DOMAIN_SERVER")


def _only_this_machine(subject: Subject) -> Iterator[Finding]:
    value = subject.bare("DOMAIN_SERVER")
    if _host(value) and is_loopback(value):
        yield subject.finding(ONLY_THIS_MACHINE, "DOMAIN_SERVER")


def _https_at_own_port(subject: Subject) -> Iterator[Finding]:
    for name in DOMAINS:
        value = subject.bare(name)
        if not _host(value) or urlsplit(value).scheme != "https":
            continue
        port = urlsplit(value).port
        if port is None or port != port_in(subject.values):
            continue
        if is_loopback(value):
            fix = Message(
                "Run librechat-auth0 tunnel --tunnel local, which opens https://localhost:3443, or"
                " set {name}=http://localhost:{port}.",
                name=name,
                port=port,
            )
            yield subject.finding(HTTPS_AT_OWN_PORT, name, fix=fix)
        elif value.replace(f":{port}", "", 1) in map(subject.bare, DOMAINS):
            fix = Message("Remove :{port} from {name}, as in the other one.", name=name, port=port)
            yield subject.finding(HTTPS_AT_OWN_PORT, name, fix=fix)


def _proxy_without_scheme(subject: Subject) -> Iterator[Finding]:
    name = "PROXY"
    value = subject.bare(name)
    if value and not re.match(r"https?://[^/\s]", value, re.IGNORECASE):
        yield subject.finding(PROXY_WITHOUT_SCHEME, name)


def _host_is_no_address(subject: Subject) -> Iterator[Finding]:
    name = "HOST"
    value = subject.bare(name)
    if value and not _is_listenable(value):
        yield subject.finding(HOST_IS_NO_ADDRESS, name)


def _port_unusable(subject: Subject) -> Iterator[Finding]:
    """LibreChat's `Number` makes 0 of an empty text, and of other words its default port."""
    name = "PORT"
    value = subject.bare(name)
    if name not in subject.values or not re.fullmatch(r"\d{0,9}", value, re.ASCII):
        return
    is_random = int(value or 0) == 0 and not subject.runs_before("0.7.9-rc1")
    if is_random or int(value or 0) > 65535:
        yield subject.finding(PORT_UNUSABLE, name)


def _default_port(_: Subject, __: Finding) -> Edits:
    return {"PORT": VARIABLES["PORT"].default or ""}


def _is_listenable(host: str) -> bool:
    """Whether a server can listen there: an IP address, or a name that may resolve to one."""
    with suppress(ValueError):
        return bool(ip_address(host))
    if re.fullmatch(r"[\d.]+", host):
        with suppress(OSError):
            return bool(inet_aton(host))  # 0 and 127.1 are addresses too
        return False
    return re.fullmatch(r"[\w-]+(\.[\w-]+)*\.?", host) is not None


def _hsts_on_localhost(subject: Subject) -> Iterator[Finding]:
    value = subject.bare("DOMAIN_SERVER")
    sends_it = all(subject.bare(name).lower() not in off for name, off in _NO_HSTS.items())
    if value.lower().startswith("https://") and is_loopback(value) and sends_it:
        # Older versions send no such header.
        if subject.runs_before("0.8.8-rc2"):
            return
        yield subject.finding(HSTS_ON_LOCALHOST, "HSTS_ENABLED")


def _secure_cookie_by_http(subject: Subject) -> Iterator[Finding]:
    name = "SESSION_COOKIE_SECURE"
    if subject.is_on(name) and subject.bare("DOMAIN_SERVER").lower().startswith("http://"):
        yield subject.finding(SECURE_COOKIE_BY_HTTP, name)


def _other_domain(subject: Subject, finding: Finding) -> Edits:
    """Copy the address of the valid variable to the other."""
    good = [
        subject.bare(name)
        for name in DOMAINS
        if name != finding.variable and _is_good(subject.bare(name))
    ]
    return {finding.variable: good[0]} if good and finding.variable else {}


def _public_of_both(subject: Subject, _: Finding) -> Edits:
    """Set both to the public address, if exactly one of them is public HTTPS.

    On this machine, that is the address to which Auth0 returns.
    """
    values = [subject.bare(name) for name in DOMAINS]
    local = [each for each in values if is_loopback(each)]
    if len(local) == len(values):
        return {"DOMAIN_CLIENT": values[1]} if _is_good(values[1]) else {}
    public = {each for each in values if _is_good(each) and not is_loopback(each)}
    is_clear = bool(local) or len(set(map(_host, values))) == 1
    return dict.fromkeys(DOMAINS, public.pop()) if len(public) == 1 and is_clear else {}


def _with_scheme(subject: Subject, finding: Finding) -> Edits:
    name = finding.variable or ""
    value = subject.bare(name)
    try:
        fixed = parse_public_url(value)
    except InvalidValue:
        return {}
    # http:// may be intended on this machine.
    return {} if "://" in value or is_loopback(fixed) else {name: fixed}


def _without_slash(subject: Subject, finding: Finding) -> Edits:
    name = finding.variable or ""
    return {name: subject.bare(name).rstrip("/")}


def _origin_alone(subject: Subject, finding: Finding) -> Edits:
    name = finding.variable or ""
    return {name: _origin(subject.bare(name))}


def _is_good(value: str) -> bool:
    try:
        return parse_public_url(value) == value
    except InvalidValue:
        return False


def _host(value: str) -> str | None:
    """The host of an http(s) URL, None for anything else."""
    try:
        parts = urlsplit(value)
        is_url = parts.scheme in {"http", "https"} and not re.search(r"[\s,]", value)
        return parts.hostname if is_url and parts.port != 0 else None
    except ValueError:
        return None


def _path(value: str) -> str:
    """The path, without its trailing slash."""
    if _host(value) is None:
        return ""
    parts = urlsplit(value)
    return f"{parts.path.rstrip('/')}{'?' if parts.query else ''}{'#' if parts.fragment else ''}"


def _scheme(value: str) -> str:
    return urlsplit(value).scheme


def _origin(value: str) -> str:
    parts = urlsplit(value)
    return f"{parts.scheme}://{parts.netloc}".lower()


CHECKS = (
    Check(DOMAIN_MISSING, _domain_missing, _other_domain),
    Check(DOMAIN_INVALID, _domain_invalid, _with_scheme),
    Check(DOMAIN_IS_PAGE, _domain_is_page, _origin_alone),
    Check(DOMAIN_WITH_SLASH, _domain_with_slash, _without_slash),
    Check(DOMAINS_DIFFER, _domains_differ, _public_of_both),
    Check(PUBLIC_BY_HTTP, _public_by_http),
    Check(HTTPS_AT_OWN_PORT, _https_at_own_port),
    Check(PROXY_WITHOUT_SCHEME, _proxy_without_scheme),
    Check(HOST_IS_NO_ADDRESS, _host_is_no_address),
    Check(PORT_UNUSABLE, _port_unusable, _default_port),
    Check(SECURE_COOKIE_BY_HTTP, _secure_cookie_by_http),
    Check(DOMAIN_WITH_PATH, _domain_with_path),
    Check(HSTS_ON_LOCALHOST, _hsts_on_localhost, lambda _, __: {"HSTS_ENABLED": "false"}),
    Check(ONLY_THIS_MACHINE, _only_this_machine),
)
