"""Rules on what the sign-in requests, scope and audience, and what token reuse needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from wizard.doctor.check import Check, Edits
from wizard.doctor.subject import Subject
from wizard.findings import Finding, Rule
from wizard.known import known_in, refuse_repeated
from wizard.language import Message, sentences
from wizard.librechat import version_gates
from wizard.librechat.characters import name_of, visible
from wizard.rules import TWO_REFRESH_SCOPES, rule
from wizard.settings import (
    InvalidValue,
    host_of,
    is_placeholder,
    parse_audiences,
)

SCOPE_MISSING = rule("LA102")
AUDIENCE_MISSING = rule("LA112")
AUDIENCE_INVALID = rule("LA114")
REFRESH_AUDIENCE_DIFFERS = rule("LA116")
SCOPE_WITHOUT_OPENID = rule("LA117")
SCOPE_WITHOUT_EMAIL = rule("LA118")
SCOPE_WITHOUT_OFFLINE_ACCESS = rule("LA119")
SCOPE_WITHOUT_PROFILE = rule("LA120")
SCOPE_MISJOINED = rule("LA121")
TWO_TABS = rule("LA248")


_MISJOINED = r"(?i)(?:^|[,;+\s])openid[,;+]|[,;+]openid\b|[\"'\[{(]openid\b|\bopenid[\"'\]})]"
_SCOPE_WORD = r"(?:(?![,;+\s\"'\[\]{}()])[!-~])+"
_OPENID_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})


def _scope_missing(subject: Subject) -> Iterator[Finding]:
    if not subject.bare("OPENID_SCOPE"):
        fix = Message("Set OPENID_SCOPE='{scope}'.", scope=" ".join(_whole_scope(subject)))
        yield subject.finding(SCOPE_MISSING, "OPENID_SCOPE", fix=fix)


def _audience_missing(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_AUDIENCE"
    if subject.reuses_tokens and not subject.bare(name) and not subject.runs_before("0.8.3"):
        yield subject.finding(AUDIENCE_MISSING, name)


def _audience_invalid(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_AUDIENCE"
    value = subject.bare(name)
    if not value or is_placeholder(value):
        return
    try:
        audiences = parse_audiences(value, domain=host_of(subject.bare("OPENID_ISSUER")))
        refuse_repeated("audiences", audiences, known_in(subject.values))
    except InvalidValue as invalid:
        detail = subject.seen_with(name, invalid.reason)
        yield subject.finding(AUDIENCE_INVALID, name, detail)


def _refresh_audience_differs(subject: Subject) -> Iterator[Finding]:
    value = subject.bare("OPENID_REFRESH_AUDIENCE")
    if subject.reuses_tokens and subject.audiences and value not in {"", subject.audiences[0]}:
        yield subject.finding(REFRESH_AUDIENCE_DIFFERS, "OPENID_REFRESH_AUDIENCE")


def _same_refresh_audience(subject: Subject, _: Finding) -> Edits:
    return {"OPENID_REFRESH_AUDIENCE": subject.audiences[0]}


def _lacks(rule: Rule, word: str) -> Callable[[Subject], Iterator[Finding]]:
    def judge(subject: Subject) -> Iterator[Finding]:
        is_needed = {
            "offline_access": subject.reuses_tokens,
            "email": not subject.bare("OPENID_EMAIL_CLAIM"),
        }.get(word, True)
        readable = subject.scopes and not is_misjoined(subject.value("OPENID_SCOPE"))
        if readable and is_needed and word not in subject.scopes:
            yield subject.finding(rule, "OPENID_SCOPE")

    return judge


def _both_refresh_scopes(subject: Subject) -> Iterator[Finding]:
    if {"online_access", "offline_access"} <= subject.scopes:
        yield subject.finding(TWO_REFRESH_SCOPES, "OPENID_SCOPE")


def _offline_alone(subject: Subject, _: Finding) -> Edits:
    scopes = subject.value("OPENID_SCOPE").split()
    return {"OPENID_SCOPE": " ".join(each for each in scopes if each != "online_access")}


def _two_tabs(subject: Subject) -> Iterator[Finding]:
    is_public = not subject.sent_secret and subject.is_on("OPENID_USE_PKCE")
    if is_public and subject.reuses_tokens and subject.runs_before("0.8.8-rc1"):
        detail = sentences("There is no client secret.", subject.setup.this_version)
        yield TWO_TABS.finding(detail, variable="OPENID_REUSE_TOKENS")


def _scope_misjoined(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_SCOPE"
    value = subject.value(name)
    if not is_misjoined(value):
        return
    odd = [name_of(each) for each in dict.fromkeys(value) if each != " " and not visible(each)]
    detail = Message("{seen} ({characters})", seen=subject.seen(name), characters=", ".join(odd))
    yield subject.finding(SCOPE_MISJOINED, name, detail if odd else "")


def is_misjoined(scope: str) -> bool:
    """Whether anything but U+0020 separates the scopes; a comma may be part of one."""
    has_odd = any(each != " " and not visible(each) for each in scope)
    return has_odd or re.search(_MISJOINED, scope) is not None


def _whole_scope(subject: Subject) -> list[str]:
    """Return every scope of the value, and the missing ones.

    OpenID Connect's own are lowercased: Auth0 ignores unknown scopes.
    """
    value = subject.value("OPENID_SCOPE")
    found = re.findall(_SCOPE_WORD, value) if is_misjoined(value) else value.split(" ")
    known = {word: word.lower() for word in found if word.lower() in _OPENID_SCOPES}
    words = list(dict.fromkeys(known.get(word, word) for word in found if word))
    needed = ["openid", "profile", "email"]
    if subject.reuses_tokens:
        needed.append("offline_access")
    return [*words, *(word for word in needed if word not in words)]


def _fixed_scope(subject: Subject, _: Finding) -> Edits:
    return {"OPENID_SCOPE": " ".join(_whole_scope(subject))}


CHECKS = (
    Check(SCOPE_MISSING, _scope_missing, _fixed_scope),
    Check(SCOPE_MISJOINED, _scope_misjoined, _fixed_scope),
    Check(SCOPE_WITHOUT_OPENID, _lacks(SCOPE_WITHOUT_OPENID, "openid"), _fixed_scope),
    Check(SCOPE_WITHOUT_EMAIL, _lacks(SCOPE_WITHOUT_EMAIL, "email"), _fixed_scope),
    Check(
        SCOPE_WITHOUT_OFFLINE_ACCESS,
        _lacks(SCOPE_WITHOUT_OFFLINE_ACCESS, "offline_access"),
        _fixed_scope,
    ),
    Check(version_gates.CANNOT_REUSE, lambda subject: version_gates.cannot_reuse(subject.setup)),
    Check(
        version_gates.AUDIENCE_NEEDED, lambda subject: version_gates.audience_needed(subject.setup)
    ),
    Check(
        version_gates.AUDIENCE_LIST_TOO_NEW,
        lambda subject: version_gates.audience_list_too_new(subject.setup),
    ),
    Check(TWO_REFRESH_SCOPES, _both_refresh_scopes, _offline_alone),
    Check(TWO_TABS, _two_tabs),
    Check(AUDIENCE_MISSING, _audience_missing),
    Check(AUDIENCE_INVALID, _audience_invalid),
    Check(REFRESH_AUDIENCE_DIFFERS, _refresh_audience_differs, _same_refresh_audience),
    Check(version_gates.VERSION_FAULT, lambda subject: version_gates.version_fault(subject.setup)),
    Check(SCOPE_WITHOUT_PROFILE, _lacks(SCOPE_WITHOUT_PROFILE, "profile")),
)
