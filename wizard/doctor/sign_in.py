"""Rules on the values of the sign-in: switches, client, issuer, callback, scope, audience."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from wizard.doctor.check import Check, Edits
from wizard.doctor.subject import Subject, issuer_without_path
from wizard.findings import Finding, Rule, Severity
from wizard.librechat.instance import has_sign_in
from wizard.librechat.setup import is_good_session_secret
from wizard.librechat.variables import VARIABLES, Format
from wizard.settings import (
    CALLBACK_PATH,
    InvalidValue,
    host_of,
    is_placeholder,
    is_tenant_domain,
    parse_audiences,
    parse_client_id,
    parse_client_secret,
    parse_domain,
)

_CONFIG = "api/server/routes/config.js, isOpenIdEnabled"
_LOGINS = "api/server/socialLogins.js"
_STRATEGY = "api/strategies/openidStrategy.js"
_CALLBACK = "api/server/controllers/auth/oauth.js"
_AUTH = "api/server/services/AuthService.js, setOpenIDAuthTokens"
_REFRESH = "api/server/controllers/AuthController.js"

SOCIAL_LOGIN_OFF = Rule(
    "LA100",
    Severity.ERROR,
    "Social login is off, so there is no Auth0 button",
    "LibreChat sets up OpenID only while ALLOW_SOCIAL_LOGIN is true; 1, yes and on count as off.",
    "Set ALLOW_SOCIAL_LOGIN=true.",
    "api/server/index.js",
)
REQUIRED_MISSING = Rule(
    "LA101",
    Severity.ERROR,
    "A variable is missing without which LibreChat hides the Auth0 button",
    "LibreChat skips OpenID without a word when one of OPENID_CLIENT_ID, OPENID_ISSUER and"
    " OPENID_SESSION_SECRET is empty.",
    "Give it a value; librechat-auth0 init asks for all of them.",
    _CONFIG,
)
SCOPE_MISSING = Rule(
    "LA102",
    Severity.ERROR,
    "OPENID_SCOPE is empty: the button is shown, and answers with an error (500)",
    "LibreChat registers no strategy without a scope, yet shows the button.",
    "Set OPENID_SCOPE='openid profile email offline_access'.",
    _LOGINS,
)
SECRET_MISSING = Rule(
    "LA103",
    Severity.ERROR,
    "There is no client secret, and PKCE is off",
    "LibreChat skips OpenID without a word: it takes a client without a secret only with"
    " OPENID_USE_PKCE=true.",
    "Give OPENID_CLIENT_SECRET; for an application without one (Single Page, Native) set"
    " OPENID_USE_PKCE=true.",
    _CONFIG,
)
SECRETLESS_TOO_NEW = Rule(
    "LA104",
    Severity.ERROR,
    "This LibreChat needs a client secret",
    "Only LibreChat 0.8.6 and later take a client without one.",
    "Update LibreChat, or use a Regular Web Application and give its secret.",
    "LibreChat pull request 12364",
)
CALLBACK_MISSING = Rule(
    "LA105",
    Severity.ERROR,
    "OPENID_CALLBACK_URL is empty",
    "LibreChat joins DOMAIN_SERVER and this path, and has no default for it: it would send"
    " https://hostundefined, which Auth0 refuses.",
    f"Set OPENID_CALLBACK_URL={CALLBACK_PATH}.",
    _STRATEGY,
)
CALLBACK_IS_URL = Rule(
    "LA106",
    Severity.ERROR,
    "OPENID_CALLBACK_URL is a whole URL",
    "LibreChat puts DOMAIN_SERVER in front of it, so that the address is doubled and Auth0"
    " refuses it.",
    f"Set OPENID_CALLBACK_URL={CALLBACK_PATH}.",
    "LibreChat issue 4683",
)
CALLBACK_WRONG = Rule(
    "LA107",
    Severity.ERROR,
    "OPENID_CALLBACK_URL is not the path that LibreChat listens at",
    "LibreChat's route is fixed; people would come back from Auth0 to an unknown page.",
    f"Set OPENID_CALLBACK_URL={CALLBACK_PATH}.",
    "api/server/routes/oauth.js",
)
ISSUER_WITHOUT_SCHEME = Rule(
    "LA108",
    Severity.ERROR,
    "OPENID_ISSUER lacks https://",
    "LibreChat's OpenID client needs a URL and fails with Invalid URL when LibreChat starts.",
    "Put https:// in front of it.",
    _STRATEGY,
)
ISSUER_BY_HTTP = Rule(
    "LA109",
    Severity.ERROR,
    "OPENID_ISSUER is an http:// address",
    "LibreChat's OpenID client refuses it: only requests to HTTPS are allowed.",
    "Write https:// in place of http://.",
    "npm openid-client 6",
)
ISSUER_WITH_PATH = Rule(
    "LA110",
    Severity.ERROR,
    "OPENID_ISSUER has a path",
    "Auth0's metadata lies at the domain itself; LibreChat finds nothing, or another issuer than"
    " it expects.",
    "Set it to https:// and the domain alone.",
    "npm openid-client 6",
)
ISSUER_INVALID = Rule(
    "LA111",
    Severity.ERROR,
    "OPENID_ISSUER cannot be a tenant's address",
    "LibreChat asks this address for the tenant's metadata when it starts.",
    "Set it to https:// and the Domain from Applications → your application → Settings → Basic"
    " Information.",
    _STRATEGY,
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
SESSION_SECRET_WEAK = Rule(
    "LA130",
    Severity.WARNING,
    "OPENID_SESSION_SECRET is too weak",
    "It signs the cookie that carries the sign-in: it must be long, random, and nobody else's.",
    "Set it to the output of: openssl rand -hex 32",
    "api/server/socialLogins.js",
)
PLACEHOLDER = Rule(
    "LA132",
    Severity.ERROR,
    "A value is still the placeholder of a documentation",
    "Auth0 and LibreChat take it for the real one.",
    "Put your own value in its place.",
)
PLACEHOLDER_ELSEWHERE = Rule(
    "LA131",
    Severity.NOTE,
    "A value that the sign-in does not need is still a placeholder",
    "What it is for does not work.",
    "Put your own value in its place, or leave it empty.",
)
SWAPPED = Rule(
    "LA133",
    Severity.ERROR,
    "Client ID and client secret are in each other's place",
    "Auth0 does not know the application, and the secret would show in the browser's address.",
    "Copy both again from Applications → your application → Settings → Basic Information. The"
    " secret has been shown to browsers: rotate it there.",
)
CLIENT_ID_INVALID = Rule(
    "LA134",
    Severity.ERROR,
    "OPENID_CLIENT_ID cannot be a Client ID",
    "Auth0 answers Unknown client.",
    "Copy the Client ID from Applications → your application → Settings → Basic Information.",
)
SECRET_INVALID = Rule(
    "LA135",
    Severity.ERROR,
    "OPENID_CLIENT_SECRET cannot be a client secret",
    "Auth0 refuses the exchange of the code, and the sign-in ends in auth_failed.",
    "Copy the Client Secret from Applications → your application → Settings → Basic Information"
    " with the button beside it.",
)
SOCIAL_REGISTRATION_OFF = Rule(
    "LA136",
    Severity.NOTE,
    "Social registration is off, which Auth0's sign-in ignores",
    "LibreChat creates an account for everybody who comes from Auth0 whatever this says.",
    "Nothing to do. To keep people out, restrict sign-ups in Auth0 or set"
    " registration.allowedDomains in librechat.yaml.",
    "api/strategies/socialLogin.js",
)
PASSWORD_BESIDE_REUSE = Rule(
    "LA137",
    Severity.NOTE,
    "Tokens are reused, and people may also sign in by password",
    "Chats of an Auth0 account do not render when it signs in by password (LibreChat issue 15092).",
    "If nobody signs in by password, set ALLOW_EMAIL_LOGIN=false.",
    "LibreChat issue 15092",
)
NO_BOOLEAN = Rule(
    "LA138",
    Severity.WARNING,
    "A switch is neither true nor false",
    "LibreChat takes everything but true for false, also 1, yes and on.",
    "Write true or false.",
    "packages/api/src/utils/common.ts, isEnabled",
)
BAD_TOKEN_KIND = Rule(
    "LA139",
    Severity.ERROR,
    "Where the required role stands is not said in LibreChat's words",
    "LibreChat throws at every sign-in unless it is access, id or userinfo.",
    "Set OPENID_REQUIRED_ROLE_TOKEN_KIND to access, id or userinfo.",
    _STRATEGY,
)
ROLE_INCOMPLETE = Rule(
    "LA140",
    Severity.WARNING,
    "A role is asked for, but not where it stands",
    "LibreChat needs the role, its path in the token and the kind of the token.",
    "Set …_PARAMETER_PATH (for example https://example.com/roles) and …_TOKEN_KIND (id) too.",
    _STRATEGY,
)
ROLE_IN_OPAQUE_TOKEN = Rule(
    "LA141",
    Severity.ERROR,
    "A role shall be read from the access token, which nobody can read",
    "Without OPENID_AUDIENCE Auth0's access tokens are opaque, and LibreChat cannot decode them.",
    "Set OPENID_AUDIENCE to the Identifier of your API, or …_TOKEN_KIND=id.",
    _STRATEGY,
)
OTHER_PROVIDER = Rule(
    "LA142",
    Severity.WARNING,
    "A setting is on that only Microsoft Entra ID understands",
    "Auth0 refuses what LibreChat then asks for.",
    "Set it to false.",
    ".env.example",
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
LOGOUT_STAYS = Rule(
    "LA144",
    Severity.NOTE,
    "Signing out of LibreChat does not sign out of Auth0",
    "The next click on the button signs the same person in again without asking.",
    "Set OPENID_USE_END_SESSION_ENDPOINT=true.",
    "api/server/controllers/auth/LogoutController.js",
)
LOGOUT_TARGET = Rule(
    "LA145",
    Severity.WARNING,
    "OPENID_POST_LOGOUT_REDIRECT_URI is no whole URL",
    "Auth0 sends people there after they sign out, and refuses what is not in its list.",
    "Set it to a whole URL and add the same to the application's Allowed Logout URLs, or leave it"
    " empty.",
    "api/server/controllers/auth/LogoutController.js",
)
VERSION_FAULT = Rule(
    "LA146",
    Severity.WARNING,
    "This LibreChat version has a known fault with this setting",
    "It is mended in a later one.",
    "Update LibreChat, or set OPENID_REUSE_TOKENS=false.",
    "LibreChat's issues, as named",
)
TOO_NEW = Rule(
    "LA147",
    Severity.WARNING,
    "This LibreChat is too old to read a variable",
    "It has no effect.",
    "Update LibreChat, or remove the variable.",
    "LibreChat's releases",
)
DEBUG_LEFT_ON = Rule(
    "LA148",
    Severity.NOTE,
    "LibreChat logs its requests to Auth0",
    "DEBUG_OPENID_REQUESTS is for the search for a fault; the log then has what is not for others.",
    "Set DEBUG_OPENID_REQUESTS=false when you are done.",
    _STRATEGY,
)
SAML_HIDDEN = Rule(
    "LA149",
    Severity.NOTE,
    "SAML is set up too, and hidden",
    "LibreChat shows no SAML button while OpenID is on.",
    "Remove the SAML_ variables, or the OPENID_ ones.",
    "api/server/routes/config.js",
)

_ROLES = ("OPENID_REQUIRED_ROLE", "OPENID_ADMIN_ROLE")
_TOKEN_KINDS = frozenset({"access", "id", "userinfo"})
_ENTRA_SWITCHES = (
    "OPENID_ON_BEHALF_FLOW_FOR_USERINFO_REQUIRED",
    "USE_ENTRA_ID_FOR_PEOPLE_SEARCH",
    "ENABLE_SHAREPOINT_FILEPICKER",
)
# Read otherwise than by isEnabled, or not by LibreChat at all.
_OTHER_SWITCHES = frozenset({"HSTS_ENABLED", "MEILI_NO_ANALYTICS", "ALLOW_SOCIAL_LOGIN"})
# Clearly a client ID or a secret of Auth0's, by length and alphabet.
_CLIENT_ID = re.compile(r"[A-Za-z0-9]{32}")
_CLIENT_SECRET = re.compile(r"[A-Za-z0-9_-]{64}")
_DOCUMENTED_HOST = re.compile(
    r"(?:https?://)?(?:[\w-]*\byour[-_.]?(?:auth0|tenant|domain|librechat|app|ngrok|host)[\w.-]*"
    r"|<[^>]*>.*|\{[^}]*\}.*|dev-x{3,}[\w.-]*|(?:tenant|domain|host)\.(?:us\.|eu\.|au\.)?auth0\.com"
    r"|your\.?domain[\w.-]*)(?:[:/].*)?",
    re.IGNORECASE,
)
_NEEDED = (
    "OPENID_ISSUER",
    "OPENID_CLIENT_ID",
    "OPENID_CLIENT_SECRET",
    "OPENID_AUDIENCE",
    "OPENID_SCOPE",
    "OPENID_CALLBACK_URL",
    "DOMAIN_CLIENT",
    "DOMAIN_SERVER",
)
# From, before: the versions with the fault.
_VERSION_FAULTS = (
    ("0.7.9", "0.8.3", "its page fails with 401 (issue 11753)"),
    ("0.8.2", "0.8.3", "sessions end with the browser (issue 11400)"),
    ("0.8.8-rc2", "0.8.8-rc3", "sign-ins end in “refresh result is no longer available” (15648)"),
    ("0.8.8-rc3", "0.8.8-rc4", "sessions are lost after about an hour (issues 15655, 15972)"),
)


def _social_login_off(subject: Subject) -> Iterator[Finding]:
    if not subject.is_on("ALLOW_SOCIAL_LOGIN"):
        yield SOCIAL_LOGIN_OFF.finding(
            subject.seen("ALLOW_SOCIAL_LOGIN"), variable="ALLOW_SOCIAL_LOGIN"
        )


def _required_missing(subject: Subject) -> Iterator[Finding]:
    for name in ("OPENID_ISSUER", "OPENID_CLIENT_ID", "OPENID_SESSION_SECRET"):
        if not subject.value(name):
            yield REQUIRED_MISSING.finding(subject.seen(name), variable=name)


def _scope_missing(subject: Subject) -> Iterator[Finding]:
    if not subject.value("OPENID_SCOPE"):
        yield SCOPE_MISSING.finding(
            subject.seen("OPENID_SCOPE"),
            fix=f"Set OPENID_SCOPE='{' '.join(_whole_scope(subject))}'.",
            variable="OPENID_SCOPE",
        )


def _secret_missing(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_CLIENT_SECRET"
    if not subject.value(name) and not subject.is_on("OPENID_USE_PKCE"):
        yield SECRET_MISSING.finding(subject.seen(name), variable=name)


def _secretless_too_new(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_CLIENT_SECRET"
    is_public = subject.is_on("OPENID_USE_PKCE") and not subject.value(name)
    if is_public and subject.runs_before("0.8.6"):
        yield SECRETLESS_TOO_NEW.finding(_this_version(subject), variable=name)


def _callback_missing(subject: Subject) -> Iterator[Finding]:
    if not subject.value("OPENID_CALLBACK_URL"):
        yield CALLBACK_MISSING.finding(
            subject.seen("OPENID_CALLBACK_URL"), variable="OPENID_CALLBACK_URL"
        )


def _callback_is_url(subject: Subject) -> Iterator[Finding]:
    if "://" in subject.value("OPENID_CALLBACK_URL"):
        yield CALLBACK_IS_URL.finding(
            subject.seen("OPENID_CALLBACK_URL"), variable="OPENID_CALLBACK_URL"
        )


def _callback_wrong(subject: Subject) -> Iterator[Finding]:
    value = subject.value("OPENID_CALLBACK_URL")
    if value and "://" not in value and value != CALLBACK_PATH:
        yield CALLBACK_WRONG.finding(
            subject.seen("OPENID_CALLBACK_URL"), variable="OPENID_CALLBACK_URL"
        )


def _issuer_without_scheme(subject: Subject) -> Iterator[Finding]:
    value = subject.value("OPENID_ISSUER")
    if value and "://" not in value and not is_documented(value) and not _issuer_trouble(value):
        yield ISSUER_WITHOUT_SCHEME.finding(
            subject.seen("OPENID_ISSUER"),
            fix=f"Set OPENID_ISSUER={_mended_issuer(value)}.",
            variable="OPENID_ISSUER",
        )


def _issuer_by_http(subject: Subject) -> Iterator[Finding]:
    if subject.value("OPENID_ISSUER").lower().startswith("http://"):
        yield ISSUER_BY_HTTP.finding(subject.seen("OPENID_ISSUER"), variable="OPENID_ISSUER")


def _issuer_with_path(subject: Subject) -> Iterator[Finding]:
    value = issuer_without_path(subject.value("OPENID_ISSUER"))
    if _issuer_trouble(value) or not value.lower().startswith("https://"):
        return
    parts = urlsplit(value)
    if (parts.path or parts.query or parts.fragment) and is_tenant_domain(parts.hostname or ""):
        yield ISSUER_WITH_PATH.finding(
            subject.seen("OPENID_ISSUER"),
            fix=f"Set OPENID_ISSUER={_mended_issuer(value)}.",
            variable="OPENID_ISSUER",
        )


def _issuer_invalid(subject: Subject) -> Iterator[Finding]:
    value = subject.value("OPENID_ISSUER")
    if not value or value.lower().startswith("http://") or is_documented(value):
        return
    if trouble := _issuer_trouble(value):
        yield ISSUER_INVALID.finding(
            f"{subject.seen('OPENID_ISSUER')}. {trouble}", variable="OPENID_ISSUER"
        )


def _issuer_trouble(value: str) -> str:
    try:
        parse_domain(value)
    except InvalidValue as reason:
        return str(reason)
    return ""


def _mended_issuer(value: str) -> str:
    return f"https://{parse_domain(value.replace('http://', 'https://', 1))}"


def _audience_missing(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_AUDIENCE"
    if subject.reuses_tokens and not subject.value(name) and not subject.runs_before("0.8.3"):
        yield AUDIENCE_MISSING.finding(subject.seen(name), variable=name)


def _audience_needed(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_AUDIENCE"
    if subject.reuses_tokens and not subject.value(name) and subject.runs_before("0.8.3"):
        yield AUDIENCE_NEEDED.finding(_this_version(subject), variable=name)


def _audience_invalid(subject: Subject) -> Iterator[Finding]:
    value = subject.value("OPENID_AUDIENCE")
    if not value or is_documented(value):
        return
    try:
        parse_audiences(value, domain=host_of(subject.value("OPENID_ISSUER")))
    except InvalidValue as reason:
        detail = f"{subject.seen('OPENID_AUDIENCE')}. {reason}"
        yield AUDIENCE_INVALID.finding(detail, variable="OPENID_AUDIENCE")


def _audience_list_too_new(subject: Subject) -> Iterator[Finding]:
    if len(subject.audiences) > 1 and subject.runs_before("0.8.7"):
        yield AUDIENCE_LIST_TOO_NEW.finding(_this_version(subject), variable="OPENID_AUDIENCE")


def _refresh_audience_differs(subject: Subject) -> Iterator[Finding]:
    value = subject.value("OPENID_REFRESH_AUDIENCE")
    if subject.reuses_tokens and subject.audiences and value not in {"", subject.audiences[0]}:
        yield REFRESH_AUDIENCE_DIFFERS.finding(
            subject.seen("OPENID_REFRESH_AUDIENCE"), variable="OPENID_REFRESH_AUDIENCE"
        )


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
            yield rule.finding(subject.seen("OPENID_SCOPE"), variable="OPENID_SCOPE")

    return judge


def _scope_with_commas(subject: Subject) -> Iterator[Finding]:
    if _scope_is_glued(subject):
        yield SCOPE_WITH_COMMAS.finding(subject.seen("OPENID_SCOPE"), variable="OPENID_SCOPE")


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


def _session_secret_weak(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_SESSION_SECRET"
    value = subject.value(name)
    if value and not is_good_session_secret(value, subject.values):
        yield SESSION_SECRET_WEAK.finding(
            f"{subject.seen(name)} ({_why_weak(value, subject)})", variable=name
        )


def _why_weak(value: str, subject: Subject) -> str:
    twins = [
        name
        for name in ("JWT_SECRET", "JWT_REFRESH_SECRET", "CREDS_KEY", "CREDS_IV")
        if subject.value(name) == value
    ]
    if twins:
        return f"the same as {twins[0]}"
    if is_placeholder(value):
        return "a placeholder"
    return "published" if len(value) >= 32 else f"{len(value)} characters, of 32 or more"


def _fresh_session_secret(_: Subject, __: Finding) -> Edits:
    return {"OPENID_SESSION_SECRET": secrets.token_hex(32)}


def _placeholder(subject: Subject) -> Iterator[Finding]:
    for name in _NEEDED:
        value = subject.value(name)
        if value and is_documented(value):
            yield PLACEHOLDER.finding(subject.seen(name), variable=name)


def _placeholder_elsewhere(subject: Subject) -> Iterator[Finding]:
    for name, assignment in subject.assignments.items():
        is_judged = name in _NEEDED or name == "OPENID_SESSION_SECRET"
        # A value in brackets may well be JSON.
        if is_judged or assignment.value[:1] in {"", "{", "["}:
            continue
        if is_placeholder(assignment.value):
            yield PLACEHOLDER_ELSEWHERE.finding(subject.seen(name), variable=name)


def is_documented(value: str) -> bool:
    """Whether the value was copied from a documentation as it stood there."""
    return is_placeholder(value) or _DOCUMENTED_HOST.fullmatch(value) is not None


def _swapped(subject: Subject) -> Iterator[Finding]:
    client_id, secret = subject.value("OPENID_CLIENT_ID"), subject.value("OPENID_CLIENT_SECRET")
    if _CLIENT_SECRET.fullmatch(client_id) and _CLIENT_ID.fullmatch(secret):
        detail = "OPENID_CLIENT_ID has a secret's 64 characters, the secret a Client ID's 32."
        yield SWAPPED.finding(detail, variable="OPENID_CLIENT_ID")


def _is_swapped(subject: Subject) -> bool:
    return any(True for _ in _swapped(subject))


def _client_id_invalid(subject: Subject) -> Iterator[Finding]:
    value = subject.values.get("OPENID_CLIENT_ID", "")
    if not value.strip() or is_documented(value):
        return
    try:
        if parse_client_id(value) == value:
            return
        # LibreChat trims the secret, yet not the Client ID.
        reason = "LibreChat sends it with the space around it."
    except InvalidValue as invalid:
        reason = str(invalid)
    yield CLIENT_ID_INVALID.finding(
        f"{subject.seen('OPENID_CLIENT_ID')}. {reason}", variable="OPENID_CLIENT_ID"
    )


def _secret_invalid(subject: Subject) -> Iterator[Finding]:
    value = subject.value("OPENID_CLIENT_SECRET")
    is_dots = bool(re.fullmatch(r"[•●∙·⚫◦*.…xX]{3,}", value))
    if not value or (is_documented(value) and not is_dots) or _is_swapped(subject):
        return
    try:
        parse_client_secret(value, client_id=subject.value("OPENID_CLIENT_ID"))
    except InvalidValue as reason:
        yield SECRET_INVALID.finding(str(reason), variable="OPENID_CLIENT_SECRET")


def _social_registration_off(subject: Subject) -> Iterator[Finding]:
    name = "ALLOW_SOCIAL_REGISTRATION"
    if has_sign_in(subject.values) and not subject.is_on(name):
        yield SOCIAL_REGISTRATION_OFF.finding(subject.seen(name), variable=name)


def _password_beside_reuse(subject: Subject) -> Iterator[Finding]:
    name = "ALLOW_EMAIL_LOGIN"
    if subject.reuses_tokens and subject.value(name).lower() in {"", "true"}:
        yield PASSWORD_BESIDE_REUSE.finding(subject.seen(name), variable=name)


def _no_boolean(subject: Subject) -> Iterator[Finding]:
    for name, variable in VARIABLES.items():
        if variable.format is not Format.BOOLEAN or name in _OTHER_SWITCHES:
            continue
        if subject.value(name).lower() not in {"", "true", "false"}:
            yield NO_BOOLEAN.finding(
                subject.seen(name), fix=f"Write {name}=true or {name}=false.", variable=name
            )


def _bad_token_kind(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_REQUIRED_ROLE_TOKEN_KIND"
    kind = subject.value(name)
    if subject.value("OPENID_REQUIRED_ROLE") and kind and kind not in _TOKEN_KINDS:
        yield BAD_TOKEN_KIND.finding(subject.seen(name), variable=name)


def _role_incomplete(subject: Subject) -> Iterator[Finding]:
    for role in _ROLES:
        if not subject.value(role):
            continue
        for name in (f"{role}_PARAMETER_PATH", f"{role}_TOKEN_KIND"):
            if not subject.value(name):
                yield ROLE_INCOMPLETE.finding(subject.seen(name), variable=name)


def _role_in_opaque_token(subject: Subject) -> Iterator[Finding]:
    if subject.value("OPENID_AUDIENCE"):
        return
    for role in _ROLES:
        name = f"{role}_TOKEN_KIND"
        if subject.value(role) and subject.value(name) == "access":
            yield ROLE_IN_OPAQUE_TOKEN.finding(subject.seen(name), variable=name)


def _other_provider(subject: Subject) -> Iterator[Finding]:
    host = host_of(subject.value("OPENID_ISSUER"))
    if "microsoftonline" in host or "windows.net" in host:
        return
    for name in _ENTRA_SWITCHES:
        if subject.is_on(name):
            yield OTHER_PROVIDER.finding(
                subject.seen(name), fix=f"Set {name}=false.", variable=name
            )


def _session_age(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_REUSE_MAX_SESSION_AGE_MS"
    if subject.reuses_tokens and not subject.value(name) and not subject.is_on("USE_REDIS"):
        yield SESSION_AGE.finding(subject.seen(name), variable=name)


def _logout_stays(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_USE_END_SESSION_ENDPOINT"
    if has_sign_in(subject.values) and not subject.is_on(name):
        yield LOGOUT_STAYS.finding(subject.seen(name), variable=name)


def _logout_target(subject: Subject) -> Iterator[Finding]:
    name = "OPENID_POST_LOGOUT_REDIRECT_URI"
    value = subject.value(name)
    if value and not re.match(r"https?://[^/\s]+", value):
        yield LOGOUT_TARGET.finding(subject.seen(name), variable=name)


def _version_fault(subject: Subject) -> Iterator[Finding]:
    if not subject.reuses_tokens:
        return
    for start, end, what in _VERSION_FAULTS:
        if subject.runs_before(end) and not subject.runs_before(start):
            yield VERSION_FAULT.finding(
                f"{_this_version(subject)} With OPENID_REUSE_TOKENS=true {what}.",
                variable="OPENID_REUSE_TOKENS",
            )


def _too_new(subject: Subject) -> Iterator[Finding]:
    from wizard.librechat.names import first_version, known_names

    for name in known_names():
        since = first_version(name)
        is_used = subject.value(name).lower() not in {"", "false"}
        if is_used and since and name in subject.assignments and subject.runs_before(since):
            detail = f"{_this_version(subject)} {name} is read from {since} on."
            yield TOO_NEW.finding(detail, variable=name)


def _debug_left_on(subject: Subject) -> Iterator[Finding]:
    if subject.is_on("DEBUG_OPENID_REQUESTS"):
        yield DEBUG_LEFT_ON.finding(
            subject.seen("DEBUG_OPENID_REQUESTS"), variable="DEBUG_OPENID_REQUESTS"
        )


def _saml_hidden(subject: Subject) -> Iterator[Finding]:
    names = ("SAML_ENTRY_POINT", "SAML_ISSUER", "SAML_CERT", "SAML_SESSION_SECRET")
    if has_sign_in(subject.values) and all(subject.value(name) for name in names):
        yield SAML_HIDDEN.finding(subject.seen("SAML_ISSUER"), variable="SAML_ISSUER")


def _this_version(subject: Subject) -> str:
    return f"LibreChat {subject.deployment.sure_version} runs here."


def _issuer_edit(subject: Subject, _: Finding) -> Edits:
    value = subject.value("OPENID_ISSUER")
    http = value.lower().startswith("http://")
    bare = value[len("http://") :] if http else value
    if _issuer_trouble(bare):
        return {}
    mended = _mended_issuer(bare)
    # Another provider may need its path.
    has_path = bool(urlsplit(f"https://{issuer_without_path(bare)}").path) if http else False
    if has_path and not is_tenant_domain(mended.removeprefix("https://")):
        return {}
    return {"OPENID_ISSUER": mended}


def _set(name: str, value: str) -> Callable[[Subject, Finding], Edits]:
    return lambda _, __: {name: value}


def _trimmed_client_id(subject: Subject, _: Finding) -> Edits:
    value = subject.values.get("OPENID_CLIENT_ID", "")
    try:
        return {"OPENID_CLIENT_ID": parse_client_id(value)} if value != value.strip() else {}
    except InvalidValue:
        return {}


def _session_secret_if_missing(subject: Subject, finding: Finding) -> Edits:
    if finding.variable == "OPENID_SESSION_SECRET":
        return _fresh_session_secret(subject, finding)
    return {}


_mended_callback = _set("OPENID_CALLBACK_URL", CALLBACK_PATH)

CHECKS = (
    Check(REQUIRED_MISSING, _required_missing, _session_secret_if_missing),
    Check(PLACEHOLDER, _placeholder),
    Check(SWAPPED, _swapped),
    Check(ISSUER_INVALID, _issuer_invalid),
    Check(ISSUER_WITHOUT_SCHEME, _issuer_without_scheme, _issuer_edit),
    Check(ISSUER_BY_HTTP, _issuer_by_http, _issuer_edit),
    Check(ISSUER_WITH_PATH, _issuer_with_path, _issuer_edit),
    Check(CLIENT_ID_INVALID, _client_id_invalid, _trimmed_client_id),
    Check(SECRET_MISSING, _secret_missing),
    Check(SECRET_INVALID, _secret_invalid),
    Check(SECRETLESS_TOO_NEW, _secretless_too_new),
    Check(SOCIAL_LOGIN_OFF, _social_login_off, _set("ALLOW_SOCIAL_LOGIN", "true")),
    Check(CALLBACK_MISSING, _callback_missing, _mended_callback),
    Check(CALLBACK_IS_URL, _callback_is_url, _mended_callback),
    Check(CALLBACK_WRONG, _callback_wrong, _mended_callback),
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
    Check(SESSION_SECRET_WEAK, _session_secret_weak, _fresh_session_secret),
    Check(BAD_TOKEN_KIND, _bad_token_kind),
    Check(ROLE_IN_OPAQUE_TOKEN, _role_in_opaque_token),
    Check(ROLE_INCOMPLETE, _role_incomplete),
    Check(NO_BOOLEAN, _no_boolean),
    Check(OTHER_PROVIDER, _other_provider),
    Check(VERSION_FAULT, _version_fault),
    Check(TOO_NEW, _too_new),
    Check(LOGOUT_TARGET, _logout_target),
    Check(LOGOUT_STAYS, _logout_stays),
    Check(SCOPE_WITHOUT_PROFILE, _lacks(SCOPE_WITHOUT_PROFILE, "profile")),
    Check(SESSION_AGE, _session_age),
    Check(PASSWORD_BESIDE_REUSE, _password_beside_reuse),
    Check(SOCIAL_REGISTRATION_OFF, _social_registration_off),
    Check(SAML_HIDDEN, _saml_hidden),
    Check(DEBUG_LEFT_ON, _debug_left_on),
    Check(PLACEHOLDER_ELSEWHERE, _placeholder_elsewhere),
)
RULES = tuple(check.rule for check in CHECKS)
