"""The LibreChat variables that the wizard writes or checks, read from docs/variables.md."""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, StrEnum
from typing import NamedTuple, Self

from wizard.language import Message
from wizard.librechat.characters import SPACES
from wizard.librechat.versions import is_older
from wizard.resources import resource
from wizard.settings import SESSION_SECRET_MIN_LENGTH

REGISTRATION, EMAIL_LOGIN = "ALLOW_REGISTRATION", "ALLOW_EMAIL_LOGIN"


class Section(StrEnum):
    """The section of a variable in the file; the value is its heading."""

    SERVER = "Server"
    LOGIN = "Registration and Login"
    OPENID = "OpenID (Auth0)"
    CREDENTIALS = "Credentials"
    SEARCH = "Search"


class Format(Enum):
    """The format of a value: the enum's value describes it to users, the pattern matches it."""

    pattern: str

    TEXT = Message("any text"), r".*"
    BOOLEAN = Message("true or false"), r"true|false"
    ORIGIN = Message("https://host, no path, no trailing slash"), r"https?://[^/?#@\s]+"
    ISSUER = Message("https://host"), r"https://[^/?#@\s]+(/|/\.well-known/openid-configuration)?"
    PATH = Message("a path that starts with /"), r"/\S*"
    SCOPE = Message("words separated by spaces"), r"\S+( +\S+)*"
    PORT = (
        Message("a number from 1 to 65535"),
        r"[1-9]\d{0,3}|[1-5]\d{4}|6(?:[0-4]\d{3}|5(?:[0-4]\d\d|5(?:[0-2]\d|3[0-5])))",
    )
    HEX_32_BYTES = Message("64 hexadecimal digits"), r"[0-9a-f]{64}"
    HEX_16_BYTES = Message("32 hexadecimal digits"), r"[0-9a-f]{32}"
    LONG_SECRET = (
        Message("{length} characters or more", length=SESSION_SECRET_MIN_LENGTH),
        rf".{{{SESSION_SECRET_MIN_LENGTH},}}",
    )
    MILLISECONDS = Message("milliseconds, as a number or a product of numbers"), r"[\d\s*+()/.-]+"
    NUMBER = Message("a whole number"), r"\d+"
    URL = Message("a URL"), r"https?://\S+|/\S*"

    def __new__(cls, meaning: Message, pattern: str = "") -> Self:
        form = object.__new__(cls)
        form._value_ = meaning
        form.pattern = pattern
        return form


class Variable(NamedTuple):
    """One environment variable of LibreChat.

    Attributes:
        meaning: one line for people.
        default: what LibreChat takes when it is not set, None for nothing.
        written: the value the wizard writes when the settings do not decide it.
        example: shown in a comment where the variable is optional.
        public_values: values that LibreChat has shipped, so that everyone knows them.
        when: when it is written, as the page says it.
        since: the first LibreChat version that reads it, "" for always.
    """

    name: str
    section: Section
    meaning: str
    format: Format = Format.TEXT
    default: str | None = None
    written: str | None = None
    example: str = ""
    secret: bool = False
    public_values: frozenset[str] = frozenset()
    when: str = ""
    since: str = ""

    def accepts(self, value: str) -> bool:
        """Whether the value is valid."""
        pattern, flags = self.format.pattern, re.IGNORECASE | re.ASCII
        return re.fullmatch(pattern, value.strip(), flags) is not None


# Values that LibreChat has shipped, so that everyone knows them.
_PUBLIC_VALUES = {
    "MONGO_URI": "mongodb://127.0.0.1:27017/LibreChat",
    "CREDS_KEY": "f34be427ebb29de8d88c107a71546019685ed8b241d8f2ed00c3df97ad2566f0",
    "CREDS_IV": "e2341419ec3dd3d19b13a1a87fafcbfb",
    "JWT_SECRET": "16f8c0ef4a5d391b26034086c628469d3f9f497f08163ab9b40137092f2909ef",
    "JWT_REFRESH_SECRET": "eaa5191f2914e30b9387fd84e254e4ba6fc51b4654968a9b0803b456a54b8418",
    "MEILI_MASTER_KEY": "DrhYf7zENyR6AlUCKmnz0eYASOQdl6zxH7s7MKFSfFCt",
}
PAGE = "docs/variables.md"
_FORMATS = {str(each.value): each for each in Format}


def _rows(heading: str) -> Iterator[list[str]]:
    """Return the cells of the table under that heading."""
    _, _, section = resource(PAGE).partition(f"\n## {heading}\n")
    for line in section.partition("\n## ")[0].splitlines():
        if line.startswith("| `"):
            yield [cell.strip(" `") for cell in line.removeprefix("| ").split(" |")]


def _variable(section: Section, cells: Sequence[str]) -> Variable:
    name, meaning, form, default, value, when, since = cells[:7]
    public = _PUBLIC_VALUES.get(name)
    return Variable(
        name,
        section,
        meaning,
        _FORMATS[form.removesuffix("; secret")],
        default or None,
        None if when == "comment" else value or None,
        value if when == "comment" else "",
        form.endswith("; secret"),
        frozenset({public} if public else ()),
        when,
        since,
    )


VARIABLES = {row[0]: _variable(section, row) for section in Section for row in _rows(section)}
# Names that LibreChat reads and the wizard does not write, and the first version that does.
OTHERS = {row[0]: row[1] for row in _rows("Others that LibreChat reads")}
NEIGHBOURS = frozenset(row[0] for row in _rows("Names like these that are something else"))
# The newest LibreChat that the page knows.
CHECKED_AGAINST = resource(PAGE).partition("Checked against LibreChat v")[2].split()[0]

# What people write in place of a name that works (LibreChat issue #8308, forks, other tools).
INVENTED: Mapping[str, str] = {
    "AUTH0_AUDIENCE": "OPENID_AUDIENCE",
    "AUTH0_CLIENT_ID": "OPENID_CLIENT_ID",
    "AUTH0_CLIENT_SECRET": "OPENID_CLIENT_SECRET",
    "AUTH0_DOMAIN": "OPENID_ISSUER",
    "OPENID_CALLBACK": "OPENID_CALLBACK_URL",
    "OPENID_CALLBACK_URI": "OPENID_CALLBACK_URL",
    "OPENID_DISCOVERY_RETRIES": "OPENID_DISCOVERY_RETRY_ATTEMPTS",
    "OPENID_ENABLED": "ALLOW_SOCIAL_LOGIN",
    "OPENID_ISSUER_URL": "OPENID_ISSUER",
    "OPENID_LOGOUT_REDIRECT_URI": "OPENID_POST_LOGOUT_REDIRECT_URI",
    "OPENID_REDIRECT_URI": "OPENID_CALLBACK_URL",
    "OPENID_REDIRECT_URL": "OPENID_CALLBACK_URL",
    "OPENID_SCOPES": "OPENID_SCOPE",
}

# Addresses of databases carry passwords, so _URI and _URL count unless the table knows better.
_MARKS_ONE = (
    r"SECRET|KEY|TOKEN|PASS|CRED|PRIVATE|SALT|WEBHOOK"
    r"|_(?:PW|PWD|PAT|JWT|DSN|SID|URI|URL)$"
)
_MARKS_NONE = (
    r"^(?:ALLOW|DISABLE|ENABLE)_|_(?:COUNT|ENABLED|EXPIRY|HEADER|KIND|LENGTH|LIMIT|PREFIX|TTL)$"
)


def is_secret(name: str) -> bool:
    """Return whether the value is a secret; unknown variables are classified by their name."""
    if name in VARIABLES:
        return VARIABLES[name].secret
    if is_known(name):
        return name.endswith("_SECRET")
    name = name.upper()
    return bool(re.search(_MARKS_ONE, name)) and not re.search(_MARKS_NONE, name)


def is_enabled(values: Mapping[str, str], name: str) -> bool:
    """Return what LibreChat's `isEnabled` does: only `true` counts, in any case.

    Source: packages/api/src/utils/common.ts
    """
    return values.get(name, "").lower().strip(SPACES) == "true"


def is_known(name: str) -> bool:
    """Whether LibreChat reads a variable of that name for the sign-in."""
    return name in VARIABLES or name in OTHERS or name in NEIGHBOURS


def known_names() -> tuple[str, ...]:
    """Every name that a typo may have meant."""
    return (*VARIABLES, *OTHERS)


def first_version(name: str) -> str:
    """The first LibreChat version that reads the name, "" for all versions."""
    if name in VARIABLES:
        return VARIABLES[name].since
    return OTHERS.get(name, "")


def is_read(name: str, version: str) -> bool:
    """Whether that LibreChat reads the name; True if the version is unknown."""
    return not is_older(version, first_version(name))
