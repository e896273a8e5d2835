"""What `init` was given on the command line or in the environment, and what it lacks."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from wizard.commands.answers import (
    INVALID_VALUE,
    MAX_SECRET_BYTES,
    MISSING_OPTION,
    Defaults,
    option,
    read_secret,
)
from wizard.commands.choose_tunnel import named_tunnel
from wizard.defaults import SECONDS_TO_SIGN_IN
from wizard.language import Message, joined
from wizard.settings import (
    Auth0Settings,
    parse_audiences,
    parse_client_id,
    parse_client_secret,
    parse_domain,
    parse_public_url,
)


@dataclass(frozen=True, slots=True)
class InitOptions:
    """What was given on the command line or in the environment; "" where nothing was.

    `client_secret` is the secret itself, read from `AUTH0_CLIENT_SECRET`;
    `client_secret_file` a path, or `-` for standard input. `requested_url` is the URL
    to ask the named tunnel for. `verify` proves a sign-in without asking; `hold` keeps the
    tunnel open.
    """

    domain: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    client_secret_file: str = ""
    audience: str = ""
    tunnel: str = ""
    public_url: str = ""
    requested_url: str = ""
    port: str = ""
    env_file: Path | None = None
    reuse_tokens: bool = True
    public_client: bool = False
    offline: bool = False
    force: bool = False
    verify: bool = False
    seconds_to_sign_in: float = SECONDS_TO_SIGN_IN
    hold: bool = True
    yes: bool = False
    dry_run: bool = False


def given_values(options: InitOptions) -> Auth0Settings:
    """The values that came as options, validated before anything is asked or opened.

    Raises:
        Failure: one cannot be right, or two contradict each other.
    """
    if options.verify and options.offline:
        raise INVALID_VALUE.failure(
            "--verify proves a sign-in at the tenant, which --offline leaves alone.",
            fix="Leave out one of the two.",
        )
    domain = option("--domain", options.domain, parse_domain) if options.domain else ""
    client_id = (
        option("--client-id", options.client_id, parse_client_id) if options.client_id else ""
    )
    named_tunnel(options.tunnel)
    if options.public_url:
        option("--public-url", options.public_url, parse_public_url)
    secret = ""
    name = "--client-secret-file" if options.client_secret_file else "AUTH0_CLIENT_SECRET"
    if not options.public_client and (options.client_secret_file or options.client_secret):
        text = options.client_secret
        if options.client_secret_file:
            text = read_secret(options.client_secret_file, lambda: sys.stdin.read(MAX_SECRET_BYTES))
        secret = option(name, text, lambda value: parse_client_secret(value, client_id=client_id))
    audiences: tuple[str, ...] = ()
    if options.audience and options.reuse_tokens:
        audiences = option(
            "--audience", options.audience, lambda text: parse_audiences(text, domain=domain)
        )
    return Auth0Settings(domain, client_id, secret, audiences)


def require_everything(options: InitOptions, given: Auth0Settings, defaults: Defaults) -> None:
    """Where nobody can be asked.

    Raises:
        Failure: values are missing; all are told at once.
    """
    needed = {
        "--domain": given.domain or defaults.domain,
        "--client-id": given.client_id or defaults.client_id,
        Message("--client-secret-file (or AUTH0_CLIENT_SECRET)"): (
            given.client_secret or defaults.client_secret or options.public_client
        ),
        "--audience": given.audiences or defaults.audience or not options.reuse_tokens,
        Message("--yes (or --dry-run)"): options.yes or options.dry_run,
    }
    missing = joined(", ", (name for name, value in needed.items() if not value))
    if missing:
        raise MISSING_OPTION.failure(
            Message("Missing: {options}.", options=missing),
            fix=Message(
                "Add {options}; librechat-auth0 init --help lists all options.", options=missing
            ),
        )
