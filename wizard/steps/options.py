"""The options of `init`, and those that `provision` has too."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from wizard.defaults import SECONDS_TO_SIGN_IN
from wizard.findings import Finding
from wizard.librechat.version_gates import settled_reuse
from wizard.settings import InvalidValue
from wizard.steps.values import INVALID_VALUE

if TYPE_CHECKING:
    from wizard.auth0.access import Policy


@dataclass(frozen=True, slots=True)
class SetupOptions:
    """The options of both commands as typed; "" where one was not given.

    Attributes:
        insists_on_reuse: whether `--reuse-tokens` was given by name.
        allow_users: addresses of the only people who may sign in.
        allow_domains: domains whose addresses may sign in.
        allow_anybody: whether strangers may.
        admins: addresses of LibreChat's administrators.
    """

    domain: str = ""
    client_id: str = ""
    audience: str = ""
    public_url: str = ""
    reuse_tokens: bool = True
    insists_on_reuse: bool = False
    allow_users: tuple[str, ...] = ()
    allow_domains: tuple[str, ...] = ()
    allow_anybody: bool = False
    admins: tuple[str, ...] = ()
    yes: bool = False
    dry_run: bool = False

    @property
    def policy(self) -> Policy | None:
        """Who may sign in; None where no option says it."""
        from wizard.auth0.access import policy_of

        try:
            return policy_of(
                users=self.allow_users,
                domains=self.allow_domains,
                anybody=self.allow_anybody,
                admins=self.admins,
            )
        except InvalidValue as invalid:
            raise INVALID_VALUE.failure(invalid.reason) from None

    def settled(self, version: str) -> tuple[Self, tuple[Finding, ...]]:
        """Return the options without token reuse where this LibreChat cannot do it, and why."""
        reuse, remarks = settled_reuse(
            version, wanted=self.reuse_tokens, insists=self.insists_on_reuse
        )
        return replace(self, reuse_tokens=reuse), remarks


@dataclass(frozen=True, slots=True)
class InitOptions(SetupOptions):
    """The options of `init`.

    Attributes:
        client_secret: the value of `AUTH0_CLIENT_SECRET`.
        client_secret_file: a path, or `-` for standard input.
        requested_url: the URL to request from the tunnel.
        verify: whether to prove a sign-in without asking.
        lists_urls: whether to show the URLs that the application needs.
        can_skip: whether Ctrl-C skips that sign-in, although nothing is asked.
        format: the form to write instead of the `.env`, and `output` its file or `-`.
        hold: whether to keep the tunnel open at the end.
    """

    client_secret: str = field(default="", repr=False)
    client_secret_file: str = ""
    tunnel: str = ""
    requested_url: str = ""
    port: str = ""
    public_client: bool = False
    offline: bool = False
    force: bool = False
    verify: bool = False
    lists_urls: bool = True
    can_skip: bool = False
    seconds_to_sign_in: float = SECONDS_TO_SIGN_IN
    hold: bool = True
    format: str = ""
    output: str = ""
