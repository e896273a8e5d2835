"""The options of `init`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from wizard.defaults import SECONDS_TO_SIGN_IN


@dataclass(frozen=True, slots=True)
class InitOptions:
    """The options as typed; "" where one was not given.

    Attributes:
        client_secret: the value of `AUTH0_CLIENT_SECRET`.
        client_secret_file: a path, or `-` for standard input.
        insists_on_reuse: whether `--reuse-tokens` was given by name.
        allow_users: addresses of the only people who may sign in.
        allow_domains: domains whose addresses may sign in.
        allow_anybody: whether strangers may.
        admins: addresses of LibreChat's administrators.
        requested_url: the URL to request from the tunnel.
        verify: whether to prove a sign-in without asking.
        lists_urls: whether to show the URLs that the application needs.
        can_skip: whether Ctrl-C skips that sign-in, although nothing is asked.
        format: the form to write instead of the `.env`, and `output` its file or `-`.
        hold: whether to keep the tunnel open at the end.
    """

    domain: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    client_secret_file: str = ""
    audience: str = ""
    tunnel: str = ""
    public_url: str = ""
    requested_url: str = ""
    allow_users: tuple[str, ...] = ()
    allow_domains: tuple[str, ...] = ()
    allow_anybody: bool = False
    admins: tuple[str, ...] = ()
    port: str = ""
    env_file: Path | None = None
    reuse_tokens: bool = True
    insists_on_reuse: bool = False
    public_client: bool = False
    offline: bool = False
    force: bool = False
    verify: bool = False
    lists_urls: bool = True
    can_skip: bool = False
    seconds_to_sign_in: float = SECONDS_TO_SIGN_IN
    hold: bool = True
    yes: bool = False
    dry_run: bool = False
    format: str = ""
    output: str = ""
