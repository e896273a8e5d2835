"""Rules on what the sign-in requests, scope and audience, and what token reuse needs."""

from __future__ import annotations

import re
from collections.abc import Callable

from wizard.doctor.check import Check, Edits, Violation, is_missing, on, refusal
from wizard.doctor.subject import Subject
from wizard.findings import Rule
from wizard.known import known_in, refuse_repeated
from wizard.language import Message, sentences
from wizard.librechat import version_gates
from wizard.librechat.characters import name_of, visible
from wizard.rules import TWO_REFRESH_SCOPES
from wizard.settings import host_of, is_placeholder, parse_audiences

_MISJOINED = (
    r"(?i)(?:^|[,;+|&\s]|%20)openid(?:[,;+|&]|%20)|(?:[,;+|&=]|%20)openid\b"
    r"|[\"'\[{(`]openid\b|\bopenid[\"'\]})`]|\\"  # RFC 6749 allows no backslash
)
_SCOPE_WORD = r"(?:(?![,;+|&=\\\s\"'`\[\]{}()])[!-~])+"
_OPENID_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})


def _same_refresh_audience(subject: Subject, name: str) -> Edits:
    return {name: subject.audiences[0]}


def _offline_alone(subject: Subject, name: str) -> Edits:
    scopes = subject.value(name).split()
    return {name: " ".join(each for each in scopes if each != "online_access")}


def _two_tabs(subject: Subject, _: str) -> str:
    is_public = not subject.sent_secret and subject.is_on("OPENID_USE_PKCE")
    if not (is_public and subject.reuses_tokens and subject.runs_before("0.8.8-rc1")):
        return ""
    return sentences("There is no client secret.", subject.setup.this_version)


def _is_scope_misjoined(subject: Subject, name: str) -> bool | Violation:
    value = subject.value(name)
    odd = [name_of(each) for each in dict.fromkeys(value) if each != " " and not visible(each)]
    if not odd:
        return _is_misjoined(value)
    return Violation("{seen} ({characters})", characters=", ".join(odd))


def _is_misjoined(scope: str) -> bool:
    """Whether anything but U+0020 separates the scopes; a comma may be part of one."""
    has_odd = any(each != " " and not visible(each) for each in scope)
    return has_odd or re.search(_MISJOINED, scope) is not None


def _whole_scope(subject: Subject) -> list[str]:
    """Return every scope, OpenID Connect's own in lower case as Auth0 needs, and the missing."""
    value = subject.value("OPENID_SCOPE")
    if _is_misjoined(value):
        found = re.findall(_SCOPE_WORD, value.replace("%20", " "))
    else:
        found = value.split(" ")
    known = {word: word.lower() for word in found if word.lower() in _OPENID_SCOPES}
    words = list(dict.fromkeys(known.get(word, word) for word in found if word))
    needed = ["openid", "profile", "email"]
    if subject.reuses_tokens:
        needed.append("offline_access")
    return [*words, *(word for word in needed if word not in words)]


def _fixed_scope(subject: Subject, name: str) -> Edits:
    return {name: " ".join(_whole_scope(subject))}


def _is_audience_missing(subject: Subject, name: str) -> bool:
    return subject.reuses_tokens and not subject.bare(name) and not subject.runs_before("0.8.3")


def _why_audience_invalid(subject: Subject, name: str) -> str:
    def parse(value: str) -> None:
        audiences = parse_audiences(value, domain=host_of(subject.bare("OPENID_ISSUER")))
        refuse_repeated("audiences", audiences, known_in(subject.values))

    value = subject.bare(name)
    reason = "" if not value or is_placeholder(value) else refusal(parse, value)
    return subject.seen_with(name, reason)


def _differs(subject: Subject, name: str) -> bool:
    others = subject.audiences[:1] if subject.reuses_tokens else ()
    return bool(others) and subject.bare(name) not in {"", *others}


def _lacks(word: str) -> Callable[[Subject, str], bool]:
    def judge(subject: Subject, name: str) -> bool:
        is_needed = {
            "offline_access": subject.reuses_tokens,
            "email": not subject.bare("OPENID_EMAIL_CLAIM"),
        }.get(word, True)
        readable = bool(subject.scopes) and not _is_misjoined(subject.value(name))
        return readable and is_needed and word not in subject.scopes

    return judge


def _has_both_refresh_scopes(subject: Subject, _: str) -> bool:
    return {"online_access", "offline_access"} <= subject.scopes


def _of_version(of: Rule) -> Check:
    return Check(of, lambda subject: version_gates.of_version(subject.setup, of))


_SCOPE = "OPENID_SCOPE"

CHECKS = (
    on("LA102", _SCOPE, is_missing, _fixed_scope, fix=Message("Set {name}='{value}'.")),
    on("LA121", _SCOPE, _is_scope_misjoined, _fixed_scope),
    on("LA117", _SCOPE, _lacks("openid"), _fixed_scope),
    on("LA118", _SCOPE, _lacks("email"), _fixed_scope),
    on("LA119", _SCOPE, _lacks("offline_access"), _fixed_scope),
    _of_version(version_gates.CANNOT_REUSE),
    _of_version(version_gates.AUDIENCE_NEEDED),
    _of_version(version_gates.AUDIENCE_LIST_TOO_NEW),
    on(TWO_REFRESH_SCOPES.id, _SCOPE, _has_both_refresh_scopes, _offline_alone),
    on("LA248", "OPENID_REUSE_TOKENS", _two_tabs),
    on("LA112", "OPENID_AUDIENCE", _is_audience_missing),
    on("LA114", "OPENID_AUDIENCE", _why_audience_invalid),
    on("LA116", "OPENID_REFRESH_AUDIENCE", _differs, _same_refresh_audience),
    _of_version(version_gates.VERSION_FAULT),
    on("LA120", _SCOPE, _lacks("profile")),
)
