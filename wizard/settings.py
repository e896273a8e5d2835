"""Validates and normalises the values of a setup, and derives others from them.

Each `parse_*` takes typed or pasted text and returns the value as it is written to the `.env`, or
raises `InvalidValue` with a reason for the user.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import SplitResult, parse_qs, urlsplit

from wizard.defaults import LIBRECHAT_PORT
from wizard.language import Message

T = TypeVar("T")
CALLBACK_PATH = "/oauth/openid/callback"
LOGOUT_PATH = "/login"
METADATA_PATH = "/.well-known/openid-configuration"
SESSION_SECRET_MIN_LENGTH = 32
# 32 random hexadecimal digits have fewer distinct ones once in 28 million times.
_RANDOM_VARIETY = 8
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
API_IDENTIFIER_MAX_LENGTH = 600

# Quotes of every kind; typographic ones come from web pages and word processors.
TYPOGRAPHIC_QUOTES = "´‘’‚‛“”„‟«»‹›"
QUOTES = f"'\"`{TYPOGRAPHIC_QUOTES}"
# Around a pasted value: also white space and what is invisible, such as a byte order mark.
_AROUND = f"{QUOTES} \t\n\r\v\f\x85\xa0\u2028\u2029\u202f\u200b\u200c\u200d\u2060\u3000\ufeff"
_NAME = rf"(?s)(?:export\s+)?[A-Z][A-Z0-9]*_[A-Z0-9_]*[{QUOTES}]?\s*[=:](?=.)"
# A label of the dashboard, copied with its value: `Domain: dev-abc123.us.auth0.com`.
_LABEL = r"(?i)(?:Domain|Client (?:ID|Secret)|(?:API )?Identifier)\s*(?:[:=]\s+|[\t\r\n]\s*)"
LIBRECHAT_PAGES = r"/(oauth|login|api|c)(/|\Z)"
_HOST_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z"
_MASK = frozenset("•●∙·⚫◦*.…xX")
_HIDDEN_PART = r"[•●∙⚫◦]{2}|…|\.{3}"
_PLACEHOLDER = (
    r"(?i)<.*>|(\$\{)?\{.*\}|\[.*\]|(your|enter|paste|insert|change|replace)[-_ ].*"
    r"|changeme|todo|placeholder|undefined|null|none"
    r"|%\w+%|__\w+__|#\{\w+\}#"  # for cmd, or a pipeline's tool, to fill in
)
_DOCUMENTED_HOST = (
    r"(?i)(?:https?://)?(?:[\w-]*\byour[-_.]?(?:auth0|tenant|domain|librechat|app|ngrok|host)"
    r"(?:name)?(?![a-z])[\w.-]*"  # a word of the examples, not the beginning of a name of its own
    r"|<[^>]*>.*|\{[^}]*\}.*|dev-x{3,}[\w.-]*|(?:tenant|domain|host)\.(?:us\.|eu\.|au\.)?auth0\.com"
    r"|your\.?domain[\w.-]*)(?:[:/].*)?"
)
# As READMEs write how to make a secret; a `.env` runs nothing.
_COMMAND = r"(?s)\$\(.+\)|`.+`|(openssl rand|head -c|uuidgen|pwgen)\b.*"
_TENANT = r"[a-z0-9-]+(\.[a-z]{2,3}(-\d+)?)?\.auth0\.com\Z"
_EXAMPLE_DOMAIN = "dev-abc123.us.auth0.com"
_DASHBOARD = r"((manage|www)(\.[a-z0-9-]+)*\.)?auth0\.com(:\d+)?\Z"
_TENANT_IN_DASHBOARD = r"/dashboard/(?P<region>[a-z0-9-]+)/(?P<tenant>[a-z0-9-]+)"
_RESERVED_IDENTIFIER = r"(?i)https://[^/]+\.auth0\.com(/api/v2|/userinfo|/me|/my-org)/?\Z"
_RESERVED_NAMES = {
    "/api/v2": Message("Auth0's own Management API"),
    "/userinfo": Message("Auth0's own user info endpoint"),
    "/me": Message("Auth0's own My Account API"),
    "/my-org": Message("Auth0's own My Organization API"),
}


class InvalidValue(ValueError):  # noqa: N818 - the reason is an answer to the user
    """The value is invalid; `reason` says why and what is expected."""

    def __init__(self, reason: str, **values: object) -> None:
        self.reason = Message(reason, **values) if values else Message.of(reason)
        super().__init__(self.reason)


def pasted(text: str) -> str:
    """Return a value without what was copied with it: a label, `NAME=`, quotes, a comma."""
    value = text.strip(_AROUND)
    if found := re.match(_NAME, value) or re.match(_LABEL, value):
        value = value[found.end() :]
    return value.rstrip(f"{_AROUND},;").lstrip(_AROUND)


def parse_domain(text: str) -> str:
    """Return the tenant's host, lower-case, with a port if it is not 443."""
    value = text.strip()
    _require(value, Message("Enter the domain, for example {example}.", example=_EXAMPLE_DOMAIN))
    if "@" in value and "://" not in value:
        raise InvalidValue(
            "That is an email address. The domain looks like {example}.", example=_EXAMPLE_DOMAIN
        )
    parts = _https_url(
        value,
        Message("domain"),
        Message("LibreChat rejects http:// issuers. Enter the domain alone: Auth0 uses https://."),
    )
    host = _authority(parts)
    if re.match(_DASHBOARD, host):
        shown = re.match(_TENANT_IN_DASHBOARD, parts.path)
        example = f"{shown['tenant']}.{shown['region']}.auth0.com" if shown else _EXAMPLE_DOMAIN
        raise InvalidValue(
            "That is a link to Auth0's dashboard. Copy the domain from your application's"
            " Settings → Basic Information, for example {example}.",
            example=example,
        )
    if f"{parts.path}/".startswith("/api/v2/"):
        raise InvalidValue(
            "That is the Management API's URL. The domain is its host: {host}.", host=host
        )
    _refuse_documented_host(host, Message("domain"))
    return host


def parse_client_id(text: str) -> str:
    """Return the client ID."""
    value = text.strip()
    _require(value, Message("Enter the Client ID; it is below the domain."))
    _refuse_hidden_or_placeholder(value, Message("Client ID"))
    _refuse_beyond_ascii(value, Message("Client ID"))
    if "@" in value or _is_address(value):
        raise InvalidValue("That is not a Client ID, which has 32 letters and digits.")
    if is_third_party(value):
        raise InvalidValue(
            "That is a third-party application (tpc_…), with which LibreChat cannot sign in. Use an"
            " application of your own."
        )
    if looks_like_client_secret(value):
        raise InvalidValue(
            "That has the 64 characters of a Client Secret. The Client ID is above it and has 32."
        )
    return value


def is_third_party(client_id: str) -> bool:
    """Return whether Auth0 created the application as a third-party one (since April 2026)."""
    return client_id.startswith("tpc_")


def looks_like_client_secret(value: str) -> bool:
    """Return whether it has the length and alphabet of Auth0's client secrets."""
    return re.fullmatch(r"[A-Za-z0-9_-]{64}", value) is not None


def parse_client_secret(text: str) -> str:
    """Return the client secret."""
    value = text.strip()
    _require(value, Message("Enter the Client Secret; it is below the Client ID."))
    if is_mask(value):
        raise InvalidValue("Those dots hide the secret. Use the copy button next to them.")
    _refuse_hidden_or_placeholder(value, Message("Client Secret"))
    _refuse_beyond_ascii(value, Message("Client Secret"))
    if _is_address(value):
        raise InvalidValue("That is an address, not a Client Secret, which has 64 characters.")
    return value


def parse_audiences(text: str, *, domain: str = "") -> tuple[str, ...]:
    """Return the comma-separated API identifiers; Auth0 compares them exactly."""
    values = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    _require(
        "".join(values),
        Message("Enter the API's Identifier, for example https://api.librechat.ai."),
    )
    for value in values:
        # Auth0 allows spaces in an identifier.
        _refuse_hidden_or_placeholder(value.replace(" ", ""), Message("API Identifier"))
        if looks_like_client_secret(value):
            raise InvalidValue(
                "That has the 64 characters of a Client Secret. The Identifier is on the page of"
                " your API."
            )
        if len(value) > API_IDENTIFIER_MAX_LENGTH:
            raise InvalidValue(
                "An API Identifier has at most {count} characters.", count=API_IDENTIFIER_MAX_LENGTH
            )
        _refuse_reserved_identifier(value, domain)
    return values


def parse_public_url(text: str, *, librechat_port: int = 0) -> str:
    """Return the HTTPS origin at which browsers reach LibreChat, without a slash."""
    value = text.strip()
    _require(value, Message("Enter the public URL, for example https://chat.example.com."))
    parts = _https_url(
        value,
        Message("public URL"),
        Message(
            "Use https://: Auth0 rejects http:// for production applications, and LibreChat's"
            " sign-in cookie needs HTTPS."
        ),
    )
    host = _authority(parts)
    if parts.path.strip("/") and not re.match(LIBRECHAT_PAGES, parts.path):
        raise InvalidValue(
            "The wizard cannot set up a LibreChat under a path ({path}). Give it a host name of its"
            " own, or set its variables by hand and run librechat-auth0 doctor.",
            path=parts.path,
        )
    if parts.path not in {"", "/"}:
        raise InvalidValue(
            "Enter the URL without a path: https://{host}. LibreChat adds {path} itself.",
            host=host,
            path=CALLBACK_PATH,
        )
    if parts.query or parts.fragment:
        raise InvalidValue("Enter the URL without ? and #: https://{host}.", host=host)
    _refuse_documented_host(host, Message("public URL"))
    if parts.port and parts.port == librechat_port and is_loopback(f"https://{host}"):
        raise InvalidValue(
            "LibreChat itself listens on port {port}, without HTTPS. Choose a tunnel (local is"
            " for this computer alone), or enter the URL of your own HTTPS proxy.",
            port=librechat_port,
        )
    return f"https://{host}"


def parse_port(text: str) -> int:
    """Return a TCP port."""
    value = text.strip()
    if not (re.fullmatch(r"[0-9]{1,5}", value) and 1 <= int(value) <= 65535):
        raise InvalidValue("Enter a port from 1 to 65535; LibreChat's default is 3080.")
    return int(value)


def port_in(values: Mapping[str, str]) -> int:
    """Return the port of a LibreChat with these variables."""
    return if_valid(parse_port, values.get("PORT", "")) or LIBRECHAT_PORT


def if_valid(parse: Callable[[str], T], text: str) -> T | None:
    """Return the parsed value, None for an invalid one."""
    try:
        return parse(text)
    except InvalidValue:
        return None


def is_placeholder(value: str) -> bool:
    """Return whether the value is an example from documentation, or the dots of a hidden one."""
    value = value.strip()
    is_documented = re.fullmatch(_PLACEHOLDER, value) or re.fullmatch(_DOCUMENTED_HOST, value)
    return is_mask(value) or is_documented is not None or is_command(value)


def is_command(value: str) -> bool:
    """Return whether the value is a command whose output was meant: `$(openssl rand -hex 32)`."""
    return re.fullmatch(_COMMAND, value.strip()) is not None


def is_repetitive(value: str) -> bool:
    """Return whether the value has too few different characters to be random."""
    return len(set(value.strip())) < _RANDOM_VARIETY


def is_mask(value: str) -> bool:
    """Return whether the value is the dots that the dashboard shows for a secret."""
    value = value.strip()
    return len(value) > 2 and _MASK.issuperset(value)


def has_stray_quote(value: str) -> bool:
    """Return whether quotes around the value are a part of it, or one at its start or end."""
    value = value.strip().rstrip(",;")
    if value[:1] in {"'", '"', "`"}:
        return True
    at_an_end = any(end in QUOTES for end in (value[:1], value[-1:]) if end)
    return at_an_end and not any(quote in value[1:-1] for quote in QUOTES)


def is_tenant_domain(domain: str) -> bool:
    """Return whether it is a tenant's own domain, not a custom one or another server."""
    return bool(re.match(_TENANT, domain))


def is_loopback(url: str) -> bool:
    """Return whether only this machine reaches the URL."""
    host = host_of(url)
    return host in LOOPBACK_HOSTS or host.endswith(".localhost")


def is_public(url: str) -> bool:
    """Return whether others than this machine may reach the URL."""
    return bool(host_of(url)) and not is_loopback(url)


def host_of(url: str) -> str:
    """Return the URL's host in lower case, "" for an invalid URL."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def in_ascii(host: str) -> str:
    """Return the host as URLs have it; raise UnicodeError if it has no such form."""
    return host if host.isascii() else host.encode("idna").decode("ascii")


def query_of(url: str) -> dict[str, str]:
    """Return the first value of each parameter of the URL's query, none for an invalid URL."""
    try:
        fields = parse_qs(urlsplit(url).query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def issuer_of(domain: str) -> str:
    """Return `OPENID_ISSUER`; LibreChat accepts it with and without a trailing slash."""
    return f"https://{domain}"


class Settings(NamedTuple):
    """A complete setup of LibreChat with Auth0.

    A public client has no secret. Of the API identifiers in `audiences` LibreChat sends the first;
    without token reuse there are none. `own_scope` is that of an `.env`, None for the default.
    `logout_url` is where Auth0's logout ends, "" where LibreChat does not call it.
    """

    domain: str
    client_id: str
    client_secret: str | None
    audiences: tuple[str, ...]
    public_url: str
    reuse_tokens: bool = True
    own_scope: str | None = None
    callback_path: str = CALLBACK_PATH
    logout_url: str = ""

    def __repr__(self) -> str:
        return f"Settings({self.domain!r}, {self.client_id!r})"

    @property
    def issuer(self) -> str:
        """`OPENID_ISSUER`."""
        return issuer_of(self.domain)

    @property
    def audience(self) -> str | None:
        """The API identifier that LibreChat sends."""
        return self.audiences[0] if self.audiences else None

    @property
    def scope(self) -> str:
        """`OPENID_SCOPE`; Auth0 issues a refresh token only with `offline_access`."""
        if self.own_scope:
            return self.own_scope
        base = "openid profile email"
        return f"{base} offline_access" if self.reuse_tokens else base

    @property
    def callback_url(self) -> str:
        """The callback URL that LibreChat sends."""
        return f"{self.public_url}{self.callback_path}"

    @property
    def urls(self) -> "Urls":
        """The application's lists of URLs."""
        return urls_of(self.public_url)


# The lists of URLs of an application: the Management API's names, and the dashboard's.
URL_LISTS = {
    "callbacks": "Allowed Callback URLs",
    "allowed_logout_urls": "Allowed Logout URLs",
    "web_origins": "Allowed Web Origins",
}
Urls = Mapping[str, tuple[str, ...]]
NO_URLS: Urls = dict.fromkeys(URL_LISTS, ())


def urls_of(public_url: str) -> Urls:
    """Return the URLs that the application must list; LibreChat uses the first logout URL."""
    return {
        "callbacks": (f"{public_url}{CALLBACK_PATH}",),
        "allowed_logout_urls": (f"{public_url}{LOGOUT_PATH}", public_url),
        "web_origins": (public_url,),
    }


def _require(value: str, reason: str) -> None:
    if not value:
        raise InvalidValue(reason)


def _refuse_documented_host(host: str, name: str) -> None:
    if re.fullmatch(_DOCUMENTED_HOST, host):
        raise InvalidValue("That is a placeholder, not your {name}.", name=name)


def _refuse_hidden_or_placeholder(value: str, name: str) -> None:
    _refuse_invisible(value, name)
    if is_placeholder(value):
        raise InvalidValue("That is a placeholder, not your {name}.", name=name)
    if value[0] in QUOTES or value[-1] in QUOTES:
        raise InvalidValue("Remove the quotes around the {name}.", name=name)
    if re.search(_HIDDEN_PART, value):
        raise InvalidValue("Dots hide a part of the {name}. Copy all of it.", name=name)
    if value[-1] in ",;":
        raise InvalidValue(
            "Remove the “{character}” at the end of the {name}.", character=value[-1], name=name
        )


def _refuse_invisible(value: str, name: str) -> None:
    if any(character.isspace() or not character.isprintable() for character in value):
        raise InvalidValue(
            "The {name} contains a space or an invisible character. Copy it again.", name=name
        )


def _is_address(value: str) -> bool:
    return "://" in value or value.endswith(".auth0.com")


def _refuse_beyond_ascii(value: str, name: str) -> None:
    """Refuse what RFC 6749, appendix A, has no place for: a placeholder in any other script."""
    strange = next((character for character in value if not character.isascii()), "")
    if strange:
        raise InvalidValue(
            "A {name} has no “{character}”: copy it again, with its copy button.",
            name=name,
            character=strange,
        )


def _refuse_reserved_identifier(value: str, domain: str) -> None:
    bare = value.rstrip("/").lower()
    path = next((path for path in _RESERVED_NAMES if bare == f"https://{domain}{path}"), None)
    if path is None and (found := re.match(_RESERVED_IDENTIFIER, value)):
        path = found[1].lower()
    if path is not None:
        raise InvalidValue(
            "{identifier} is {reserved}. LibreChat needs an API of your own: in the dashboard,"
            " Applications → APIs → Create API. Enter its Identifier.",
            identifier=value,
            reserved=_RESERVED_NAMES[path],
        )


def _https_url(value: str, name: str, http_reason: str) -> SplitResult:
    """Split an https:// URL; the scheme may be missing."""
    if value.lower().startswith("http://"):
        raise InvalidValue(http_reason)
    url = value if ":/" in value else f"https://{value}"
    try:
        parts = urlsplit(url)
        port = parts.port  # raises for one that is not a number
    except ValueError:
        raise InvalidValue("That is not a URL or a host name.") from None
    if parts.scheme != "https":
        raise InvalidValue("Use https://, not {scheme}://.", scheme=parts.scheme)
    if port == 0:
        raise InvalidValue("Port 0 does not exist.")
    _refuse_invisible(url, name)
    if parts.username or parts.password:
        raise InvalidValue("Enter the URL without a user name and password.")
    return parts


def _authority(parts: SplitResult) -> str:
    """Return host and port, normalised, without the default port."""
    host = (parts.hostname or "").rstrip(".")
    port = "" if parts.port in {None, 443} else f":{parts.port}"
    if ":" in host:
        return f"[{_ip_address(host)}]{port}"
    if any(character in QUOTES for character in host):
        raise InvalidValue("Remove the quotes around {host}.", host=host.strip(QUOTES))
    if stranger := _look_alike(host):
        raise InvalidValue(
            "{host} mixes two alphabets: “{character}” only looks like a Latin letter. Type the"
            " name instead of pasting it.",
            host=host,
            character=stranger,
        )
    try:
        host = in_ascii(host)
    except UnicodeError:
        raise InvalidValue("{host} is not a host name.", host=host) from None
    labels = host.split(".")
    if not host:
        raise InvalidValue("That is not a host name.")
    if not all(re.match(_HOST_LABEL, label) for label in labels) or len(host) > 253:
        raise InvalidValue("{host} is not a host name.", host=host)
    if labels[-1].isdecimal():
        return f"{_ip_address(host)}{port}"
    if len(labels) == 1 and host != "localhost":
        raise InvalidValue(
            "{host} is only the first part of a host name. Copy the whole name.", host=host
        )
    return f"{host}{port}"


def _look_alike(host: str) -> str:
    """Return the first non-Latin letter in a label that also has Latin ones, or ""."""
    if host.isascii():
        return ""
    from unicodedata import name

    strangers = (
        character
        for label in host.split(".")
        if re.search("[a-z]", label)
        for character in label
        if not character.isascii() and not name(character, "").startswith("LATIN")
    )
    return next(strangers, "")


def _ip_address(host: str) -> str:
    try:
        if "%" in host:
            raise ValueError("a URL has no place for an interface")
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise InvalidValue("{host} is not an IP address.", host=host) from None
