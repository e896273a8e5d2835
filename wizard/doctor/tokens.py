"""Rules on what the sign-in asks for: scope and audience, and what token reuse needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from wizard.doctor.check import Check, Edits
from wizard.doctor.sign_in import is_documented
from wizard.doctor.subject import Subject
from wizard.findings import Finding, Rule, Severity
from wizard.language import Message, sentences
from wizard.settings import (
    InvalidValue,
    host_of,
    parse_audiences,
)

_LOGINS = "api/server/socialLogins.js"
_STRATEGY = "api/strategies/openidStrategy.js"
_AUTH = "api/server/services/AuthService.js, setOpenIDAuthTokens"
_REFRESH = "api/server/controllers/AuthController.js"

SCOPE_MISSING = Rule(
    "LA102",
    Severity.ERROR,
    "OPENID_SCOPE is empty: the button is shown, and answers with an error (500)",
    "LibreChat registers no strategy without a scope, yet shows the button.",
    "Set OPENID_SCOPE='openid profile email offline_access'.",
    _LOGINS,
)
AUDIENCE_MISSING = Rule(
    "LA112",
    Severity.WARNING,
    "Tokens are reused, but no API identifier is given",
    "Without OPENID_AUDIENCE Auth0's access tokens are opaque: nothing that reads them works"
    " (roles from the access token, MCP servers, refreshes without an ID token), and LibreChat"
    " before 0.8.3 reloads its page for ever.",
    "Set OPENID_AUDIENCE to the Identifier of your API (Applications → APIs), or"
    " OPENID_REUSE_TOKENS=false.",
    "LibreChat issue 8796",
)
AUDIENCE_NEEDED = Rule(
    "LA113",
    Severity.ERROR,
    "This LibreChat cannot reuse tokens without an API identifier",
    "Before 0.8.3 LibreChat signs its requests with the access token; an opaque one is refused,"
    " and the page reloads for ever.",
    "Set OPENID_AUDIENCE to the Identifier of your API (Applications → APIs), or update LibreChat.",
    "LibreChat issues 8796 and 11753",
)
AUDIENCE_INVALID = Rule(
    "LA114",
    Severity.WARNING,
    "OPENID_AUDIENCE is not the identifier of an API of yours",
    "For Auth0's own APIs it gives opaque tokens, or tokens without a refresh token.",
    "Create an API (Applications → APIs → Create API) and give its Identifier.",
    "https://auth0.com/docs/secure/tokens/access-tokens",
)
AUDIENCE_LIST_TOO_NEW = Rule(
    "LA115",
    Severity.ERROR,
    "This LibreChat takes one API identifier only",
    "Before 0.8.7 LibreChat sends the whole list as one identifier, which Auth0 does not know.",
    "Leave only the first in OPENID_AUDIENCE, or update LibreChat.",
    "LibreChat pull request 13694",
)
REFRESH_AUDIENCE_DIFFERS = Rule(
    "LA116",
    Severity.WARNING,
    "Refreshes ask for another API than the sign-in",
    "A refresh token is good for the API that it was given for; Auth0 may refuse the refresh, and"
    " people are signed out.",
    "Set OPENID_REFRESH_AUDIENCE to the first identifier of OPENID_AUDIENCE.",
    _REFRESH,
)
SCOPE_WITHOUT_OPENID = Rule(
    "LA117",
    Severity.ERROR,
    "OPENID_SCOPE lacks openid",
    "Without it Auth0 sends no ID token, from which LibreChat learns who signed in.",
    "Add openid to OPENID_SCOPE.",
    _STRATEGY,
)
SCOPE_WITHOUT_EMAIL = Rule(
    "LA118",
    Severity.ERROR,
    "OPENID_SCOPE lacks email",
    "LibreChat cannot create an account without an e-mail address: email: can't be blank.",
    "Add email to OPENID_SCOPE.",
    "LibreChat issues 3086, 3095 and 3098",
)
SCOPE_WITHOUT_OFFLINE_ACCESS = Rule(
    "LA119",
    Severity.ERROR,
    "Tokens are reused, but OPENID_SCOPE lacks offline_access",
    "No refresh token comes, so LibreChat sets no session at all (No refresh token available) and"
    " people land on the login page again; with OPENID_AUTO_REDIRECT it goes on for ever.",
    "Add offline_access to OPENID_SCOPE, and switch Allow Offline Access on at the API"
    " (Applications → APIs → your API → Settings).",
    _AUTH,
)
SCOPE_WITHOUT_PROFILE = Rule(
    "LA120",
    Severity.NOTE,
    "OPENID_SCOPE lacks profile",
    "LibreChat then shows e-mail addresses in place of names.",
    "Add profile to OPENID_SCOPE.",
    _STRATEGY,
)
SCOPE_WITH_COMMAS = Rule(
    "LA121",
    Severity.ERROR,
    "OPENID_SCOPE is not separated by spaces",
    "To Auth0 it is one unknown scope, so neither ID token nor e-mail come.",
    "Put spaces between the words of OPENID_SCOPE.",
    "RFC 6749, 3.3",
)
PASSWORD_BESIDE_REUSE = Rule(
    "LA137",
    Severity.NOTE,
    "Tokens are reused, and people may also sign in by password",
    "Chats of an Auth0 account do not render when it signs in by password (LibreChat issue 15092).",
    "If nobody signs in by password, set ALLOW_EMAIL_LOGIN=false.",
    "LibreChat issue 15092",
)
SESSION_AGE = Rule(
    "LA143",
    Severity.NOTE,
    "Tokens are reused: sessions live in LibreChat's memory",
    "A restart of LibreChat signs everybody out, and an access token is asked for anew every 15"
    " minutes; some versions lose sessions after about an hour (LibreChat issues 13545, 15655,"
    " 15972).",
    "If that disturbs, set OPENID_REUSE_MAX_SESSION_AGE_MS to the access token's lifetime, keep"
    " sessions in Redis (USE_REDIS=true), or set OPENID_REUSE_TOKENS=false.",
    "api/server/controllers/AuthController.js",
)
VERSION_FAULT = Rule(
    "LA146",
    Severity.WARNING,
    "This LibreChat version has a known fault with this setting",
    "It is mended in a later one.",
    "Update LibreChat, or set OPENID_REUSE_TOKENS=false.",
    "LibreChat's issues, as named",
)
# From, before: the versions with the fault.
_VERSION_FAULTS = (
    ("0.7.9", "0.8.3", Message("its page fails with 401 (issue 11753)")),
    ("0.8.2", "0.8.3", Message("sessions end with the browser (issue 11400)")),
    (
        "0.8.8-rc2",
        "0.8.8-rc3",
        Message("sign-ins end in “refresh result is no longer available” (15648)"),
    ),
    (
        "0.8.8-rc3",
        "0.8.8-rc4",
        Message("sessions are lost after about an hour (issues 15655, 15972)"),
    ),
)


def _scope_missing(subject: Subject) -> Iterator[Finding]:
    if not subject.value("OPENID_SCOPE"):
        fix = Message("Set OPENID_SCOPE='{scope}'.", scope=" ".join(_whole_scope(subject)))
        yield subject.finding(SCOPE_MISSING, "OPENID_SCOPE", fix=fix)


def _audience_missing(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_AUDIENCE"
    if subject.reuses_tokens and not subject.value(name) and not subject.runs_before("0.8.3"):
        yield subject.finding(AUDIENCE_MISSING, name)


def _audience_needed(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_AUDIENCE"
    if subject.reuses_tokens and not subject.value(name) and subject.runs_before("0.8.3"):
        yield AUDIENCE_NEEDED.finding(subject.this_version, variable=name)


def _audience_invalid(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_AUDIENCE"
    value = subject.value(name)
    if not value or is_documented(value):
        return
    try:
        parse_audiences(value, domain=host_of(subject.value("OPENID_ISSUER")))
    except InvalidValue as invalid:
        detail = subject.seen_with(name, invalid.reason)
        yield subject.finding(AUDIENCE_INVALID, name, detail)


def _audience_list_too_new(subject: Subject) -> Iterator[Finding]:
    if len(subject.audiences) > 1 and subject.runs_before("0.8.7"):
        yield AUDIENCE_LIST_TOO_NEW.finding(subject.this_version, variable="OPENID_AUDIENCE")


def _refresh_audience_differs(subject: Subject) -> Iterator[Finding]:
    value = subject.value("OPENID_REFRESH_AUDIENCE")
    if subject.reuses_tokens and subject.audiences and value not in {"", subject.audiences[0]}:
        yield subject.finding(REFRESH_AUDIENCE_DIFFERS, "OPENID_REFRESH_AUDIENCE")


def _same_refresh_audience(subject: Subject, _: Finding) -> Edits:
    return {"OPENID_REFRESH_AUDIENCE": subject.audiences[0]}


def _lacks(rule: Rule, word: str) -> Callable[[Subject], Iterator[Finding]]:
    def judge(subject: Subject) -> Iterator[Finding]:
        is_needed = {
            "offline_access": subject.reuses_tokens,
            "email": not subject.value("OPENID_EMAIL_CLAIM"),
        }.get(word, True)
        readable = subject.scopes and not _scope_is_glued(subject)
        if readable and is_needed and word not in subject.scopes:
            yield subject.finding(rule, "OPENID_SCOPE")

    return judge


def _scope_with_commas(subject: Subject) -> Iterator[Finding]:
    if _scope_is_glued(subject):
        yield subject.finding(SCOPE_WITH_COMMAS, "OPENID_SCOPE")


def _scope_is_glued(subject: Subject) -> bool:
    glued = re.search(r"(?:^|[,;+\s])openid[,;+]|[,;+]openid\b", subject.value("OPENID_SCOPE"))
    return glued is not None


def _whole_scope(subject: Subject) -> list[str]:
    words = [word for word in re.split(r"[,;+\s]+", subject.value("OPENID_SCOPE")) if word]
    needed = ["openid", "profile", "email"]
    if subject.reuses_tokens:
        needed.append("offline_access")
    return [*words, *(word for word in needed if word not in words)]


def _mended_scope(subject: Subject, _: Finding) -> Edits:
    return {"OPENID_SCOPE": " ".join(_whole_scope(subject))}


def _password_beside_reuse(subject: Subject) -> Iterator[Finding]:
    name = "ALLOW_EMAIL_LOGIN"
    if subject.reuses_tokens and subject.value(name).lower() in {"", "true"}:
        yield subject.finding(PASSWORD_BESIDE_REUSE, name)


def _session_age(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_REUSE_MAX_SESSION_AGE_MS"
    if subject.reuses_tokens and not subject.value(name) and not subject.is_on("USE_REDIS"):
        yield subject.finding(SESSION_AGE, name)


def _version_fault(subject: Subject) -> Iterator[Finding]:
    if not subject.reuses_tokens:
        return
    for start, end, what in _VERSION_FAULTS:
        if subject.runs_before(end) and not subject.runs_before(start):
            yield VERSION_FAULT.finding(
                sentences(
                    subject.this_version,
                    Message("With OPENID_REUSE_TOKENS=true {what}.", what=what),
                ),
                variable="OPENID_REUSE_TOKENS",
            )


CHECKS = (
    Check(SCOPE_MISSING, _scope_missing, _mended_scope),
    Check(SCOPE_WITH_COMMAS, _scope_with_commas, _mended_scope),
    Check(SCOPE_WITHOUT_OPENID, _lacks(SCOPE_WITHOUT_OPENID, "openid"), _mended_scope),
    Check(SCOPE_WITHOUT_EMAIL, _lacks(SCOPE_WITHOUT_EMAIL, "email"), _mended_scope),
    Check(
        SCOPE_WITHOUT_OFFLINE_ACCESS,
        _lacks(SCOPE_WITHOUT_OFFLINE_ACCESS, "offline_access"),
        _mended_scope,
    ),
    Check(AUDIENCE_NEEDED, _audience_needed),
    Check(AUDIENCE_LIST_TOO_NEW, _audience_list_too_new),
    Check(AUDIENCE_MISSING, _audience_missing),
    Check(AUDIENCE_INVALID, _audience_invalid),
    Check(REFRESH_AUDIENCE_DIFFERS, _refresh_audience_differs, _same_refresh_audience),
    Check(VERSION_FAULT, _version_fault),
    Check(SCOPE_WITHOUT_PROFILE, _lacks(SCOPE_WITHOUT_PROFILE, "profile")),
    Check(SESSION_AGE, _session_age),
    Check(PASSWORD_BESIDE_REUSE, _password_beside_reuse),
)
RULES = tuple(check.rule for check in CHECKS)
