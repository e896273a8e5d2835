"""The known values of a setup, parsed."""

from collections.abc import Mapping
from typing import NamedTuple

from wizard.language import Message
from wizard.settings import (
    InvalidValue,
    Settings,
    if_valid,
    parse_audiences,
    parse_client_id,
    parse_client_secret,
    parse_domain,
    parse_public_url,
    port_in,
)

NAMES = {
    "domain": Message("domain"),
    "public_url": Message("public URL"),
    "client_id": Message("Client ID"),
    "client_secret": Message("Client Secret"),
    "audiences": Message("API Identifier"),
}


class Known(NamedTuple):
    """The values of a setup; None where one is not known."""

    domain: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    audiences: tuple[str, ...] | None = None
    public_url: str | None = None

    def __repr__(self) -> str:  # without the secret
        return f"Known({self.domain}, {self.client_id})"

    @property
    def audience(self) -> str | None:
        """The API identifier that LibreChat sends."""
        return self.audiences[0] if self.audiences else None

    def settings(self, *, reuse_tokens: bool = True) -> Settings:
        """Return the complete setup.

        Raises:
            ValueError: a value is missing.
        """
        domain, client_id, url = self.domain, self.client_id, self.public_url
        if domain is None or client_id is None or url is None:
            raise ValueError("the setup is not complete")
        audiences = self.audiences or () if reuse_tokens else ()
        return Settings(domain, client_id, self.client_secret, audiences, url, reuse_tokens)

    def value(self, name: str) -> object:
        """Return the value of a field."""
        return getattr(self, name)

    def has(self, name: str) -> bool:
        """Return whether the field is known."""
        return self.value(name) is not None

    def having(self, name: str, value: object) -> "Known":
        """Return the values with this one."""
        return self._replace(**{name: value})  # type: ignore[arg-type]

    def or_else(self, other: "Known") -> "Known":
        """Return the values, and the other's where one is not known."""
        missing = [each for each in self._fields if not self.has(each)]
        return self._replace(**{name: other.value(name) for name in missing})  # type: ignore[arg-type]


def known_in(values: Mapping[str, str]) -> Known:
    """Return the values of an `.env`, without invalid ones."""
    return Known(
        domain=if_valid(parse_domain, values.get("OPENID_ISSUER", "")),
        client_id=if_valid(parse_client_id, values.get("OPENID_CLIENT_ID", "")),
        client_secret=if_valid(parse_client_secret, values.get("OPENID_CLIENT_SECRET", "")),
        audiences=if_valid(parse_audiences, values.get("OPENID_AUDIENCE", "")),
        # LibreChat's callback URL is under DOMAIN_SERVER (api/strategies/openidStrategy.js).
        public_url=if_valid(
            lambda url: parse_public_url(url, librechat_port=port_in(values)),
            values.get("DOMAIN_SERVER", ""),
        ),
    )


def refuse_repeated(name: str, value: object, known: Known) -> None:
    """Refuse a value of another field, which the clipboard may still hold.

    Raises:
        InvalidValue: it names the other field.
    """
    for other, label in NAMES.items():
        # An API may be named by the URL of LibreChat.
        may_be_same = other == name or {name, other} == {"audiences", "public_url"}
        if not may_be_same and _bare(value) & _bare(known.value(other)):
            raise InvalidValue("That is the {name} again.", name=label)


def _bare(value: object) -> set[str]:
    """Return the value, or each of several, without scheme and trailing slash."""
    values = value if isinstance(value, tuple) else (value,)
    return {str(each).removeprefix("https://").rstrip("/") for each in values if each is not None}
