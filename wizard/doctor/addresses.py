"""Rules on where browsers reach LibreChat: `DOMAIN_CLIENT`, `DOMAIN_SERVER` and their cookies."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from wizard.doctor.check import SET_VALUE, Edits, Violation, is_missing, on, to
from wizard.doctor.subject import Subject
from wizard.language import Message, joined
from wizard.librechat.variables import VARIABLES
from wizard.rules import rule
from wizard.settings import (
    LIBRECHAT_PAGES,
    if_valid,
    in_ascii,
    is_loopback,
    is_placeholder,
    parse_public_url,
    port_in,
)

ONLY_THIS_MACHINE = rule("LA129")

DOMAINS = ("DOMAIN_CLIENT", "DOMAIN_SERVER")
DEFAULT_PORT = to(PORT=VARIABLES["PORT"].default or "")
# What keeps LibreChat from pinning browsers to HTTPS, by packages/api/src/security/headers.ts.
_OFF = ("false", "off", "0", "no")
_NO_HSTS = {"HSTS_ENABLED": _OFF, "SECURITY_HEADERS": _OFF, "HSTS_MAX_AGE": ("0",)}
# A page of LibreChat, or a query or a fragment, behind which no path can be appended.
_PAGES = rf"{LIBRECHAT_PAGES}|.*[?#]\Z"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _ends_with_slash(subject: Subject, name: str) -> bool:
    value = subject.bare(name)
    return bool(_host(value)) and value.endswith("/") and not _is_page(subject, name)


def _differ(subject: Subject, _: str) -> str:
    client, server = (subject.bare(name) for name in DOMAINS)
    if not (_host(client) and _host(server)):
        return ""
    # Cookies ignore the port. Those for this machine are not Secure, so the scheme may differ too,
    # but not at one port.
    schemes, places = ({urlsplit(each)[part] for each in (client, server)} for part in (0, 1))
    may_differ = is_loopback(client) and is_loopback(server) and len(places) > 1
    is_same = _host(_normal(client)) == _host(_normal(server)) and (may_differ or len(schemes) == 1)
    return "" if is_same else joined("; ", map(subject.seen, DOMAINS))


def _is_https_at_own_port(subject: Subject, name: str) -> Violation | None:
    value = subject.bare(name)
    port = urlsplit(value).port if _host(value) and urlsplit(value).scheme == "https" else None
    if port is None or port != port_in(subject.values):
        return None
    if is_loopback(value):
        fix = Message(
            "Run librechat-auth0 tunnel --tunnel local, which opens https://localhost:3443, or"
            " set {name}=http://localhost:{port}."
        )
        return Violation(fix=fix, port=port)
    if value.replace(f":{port}", "", 1) not in map(subject.bare, DOMAINS):
        return None
    return Violation(fix=Message("Remove :{port} from {name}, as in the other one."), port=port)


def _is_listenable(host: str) -> bool:
    """Whether a server can listen there: an IP address, or a name that may resolve to one."""
    with suppress(ValueError):
        return bool(ip_address(host))
    if re.fullmatch(r"[\d.]+", host):
        from socket import inet_aton

        with suppress(OSError):
            return bool(inet_aton(host))  # 0 and 127.1 are addresses too
        return False
    return re.fullmatch(r"[\w-]+(\.[\w-]+)*\.?", host) is not None


def _normal(value: str) -> str:
    """The address as `new URL` writes it; as it is, where that is not known."""
    parts = urlsplit(value) if _host(value) else None
    named = re.fullmatch(r"(?P<name>\[.*\]|[^:@]*)(?::\d*)?", parts.netloc) if parts else None
    if parts is None or named is None:
        return value
    host = named["name"].lower()
    with suppress(UnicodeError):
        host = in_ascii(host)
    port = "" if parts.port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _is_sent_in_two_forms(subject: Subject, name: str) -> bool:
    """openid-client 6 does so, which LibreChat uses since 0.7.9."""
    value = subject.bare(name)
    is_judged_elsewhere = (
        is_placeholder(value) or _is_page(subject, name) or _ends_with_slash(subject, name)
    )
    return _normal(value) != value and not (is_judged_elsewhere or subject.runs_before("0.7.9-rc1"))


def _is_invalid(subject: Subject, name: str) -> bool:
    value = subject.bare(name)
    return bool(value) and not is_placeholder(value) and _host(value) is None


def _is_page(subject: Subject, name: str) -> bool:
    return bool(re.match(_PAGES, _path(subject.bare(name))))


def _has_path(subject: Subject, name: str) -> bool:
    return bool(_path(subject.bare(name))) and not _is_page(subject, name)


def _is_public_by_http(subject: Subject, name: str) -> bool:
    value = subject.bare(name)
    if not value.lower().startswith("http://") or is_placeholder(value) or is_loopback(value):
        return False
    allows_plain = subject.bare("SESSION_COOKIE_SECURE").lower() in {"true", "false"}
    return not allows_plain or subject.runs_before("0.8.6")


def _is_only_here(subject: Subject, name: str) -> bool:
    value = subject.bare(name)
    return bool(_host(value)) and is_loopback(value)


def _lacks_scheme(subject: Subject, name: str) -> bool:
    value = subject.bare(name)
    return bool(value) and not re.match(r"https?://[^/\s]", value, re.IGNORECASE)


def _is_no_address(subject: Subject, name: str) -> bool:
    value = subject.bare(name)
    return bool(value) and not _is_listenable(value)


def _is_unusable_port(subject: Subject, name: str) -> bool:
    """LibreChat's `Number` makes 0 of an empty text, and of other words its default port."""
    value = subject.bare(name)
    if name not in subject.values or not re.fullmatch(r"\d{0,9}", value, re.ASCII):
        return False
    is_random = int(value or 0) == 0 and not subject.runs_before("0.7.9-rc1")
    return is_random or int(value or 0) > 65535


def _pins_localhost(subject: Subject, _: str) -> bool:
    """HSTS for this machine; versions before 0.8.8-rc2 send no such header."""
    value = subject.bare("DOMAIN_SERVER")
    sends_it = all(subject.bare(name).lower() not in off for name, off in _NO_HSTS.items())
    is_https_here = value.lower().startswith("https://") and is_loopback(value)
    return is_https_here and sends_it and not subject.runs_before("0.8.8-rc2")


def _never_sends_cookie(subject: Subject, name: str) -> bool:
    return subject.is_on(name) and subject.bare("DOMAIN_SERVER").lower().startswith("http://")


def _other_domain(subject: Subject, name: str) -> Edits:
    """Copy the address of the valid variable to the other."""
    good = [value for value in map(subject.bare, DOMAINS) if _is_good(value)]
    return {name: good[0]} if good else {}


def _public_of_both(subject: Subject, _: str) -> Edits:
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


def _with_scheme(subject: Subject, name: str) -> Edits:
    value = subject.bare(name)
    fixed = None if "://" in value else if_valid(parse_public_url, value)
    # http:// may be intended on this machine.
    return {name: fixed} if fixed and not is_loopback(fixed) else {}


def _without_slash(subject: Subject, name: str) -> Edits:
    return {name: _normal(subject.bare(name)).rstrip("/")}


def _origin_alone(subject: Subject, name: str) -> Edits:
    parts = urlsplit(subject.bare(name))
    is_all = not parts.path.strip("/") or re.match(_PAGES, parts.path)
    return {name: f"{parts.scheme}://{parts.netloc}".lower()} if is_all else {}


def _normalized(subject: Subject, name: str) -> Edits:
    """Both addresses, where they are one."""
    normal = _normal(subject.bare(name))
    return {each: normal for each in DOMAINS if _normal(subject.bare(each)) == normal}


def _is_good(value: str) -> bool:
    return if_valid(parse_public_url, value) == value


def _host(value: str) -> str | None:
    """The host of an http(s) URL, None for anything else."""
    try:
        parts = urlsplit(value)
        is_url = parts.scheme in {"http", "https"} and not re.search(r"[\s,]", value)
        return parts.hostname if is_url and parts.port != 0 else None
    except ValueError:
        return None


def _path(value: str) -> str:
    """The path, without its trailing slash, and the sign of what follows it."""
    if _host(value) is None:
        return ""
    sign = re.search(r"[?#]", value)
    return f"{urlsplit(value).path.rstrip('/')}{sign[0] if sign else ''}"


CHECKS = (
    on("LA122", DOMAINS, is_missing, _other_domain),
    on("LA123", DOMAINS, _is_invalid, _with_scheme),
    on("LA126", DOMAINS, _is_page, _origin_alone),
    on("LA124", DOMAINS, _ends_with_slash, _without_slash, fix=SET_VALUE),
    on("LA193", "DOMAIN_SERVER", _is_sent_in_two_forms, _normalized, fix=SET_VALUE),
    on("LA127", "DOMAIN_SERVER", _differ, _public_of_both),
    on("LA128", "DOMAIN_SERVER", _is_public_by_http),
    on("LA179", DOMAINS, _is_https_at_own_port),
    on("LA188", "PROXY", _lacks_scheme),
    on("LA189", "HOST", _is_no_address),
    on("LA192", "PORT", _is_unusable_port, DEFAULT_PORT),
    on("LA171", "SESSION_COOKIE_SECURE", _never_sends_cookie),
    on("LA125", DOMAINS, _has_path),
    on("LA170", "HSTS_ENABLED", _pins_localhost, to(HSTS_ENABLED="false")),
    on(ONLY_THIS_MACHINE.id, "DOMAIN_SERVER", _is_only_here),
)
