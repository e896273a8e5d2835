"""Finds a credential for the tenant's Management API: given, installed, or asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wizard.auth0.management_access import (
    Access,
    active_tenant,
    by_cli,
    by_machine,
    by_token,
    claims_of,
    parse_token,
    tenant_domain,
)
from wizard.commands.values import MAX_SECRET_BYTES, option, read_secret
from wizard.dashboard import API_EXPLORER
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import parse_client_id, parse_client_secret, parse_domain
from wizard.ui.prompts import Choice, Prompter

NO_CREDENTIAL = rule("LA600")
TENANT_DOMAIN_NEEDED = rule("LA616")
TOKEN_FILE = rule("LA620")

TOKEN, MACHINE, CLI = "token", "machine", "cli"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials for the Management API; "" for what was not given."""

    token: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.token or (self.client_id and self.client_secret))


def credentials(environ: Mapping[str, str], token_file: str = "") -> Credentials:
    """Return the credentials in the environment, or in a token file (`-`: standard input).

    Raises:
        Failure: the file cannot be read, or a value is not valid.
    """
    token, name = environ.get("AUTH0_MANAGEMENT_TOKEN", ""), "AUTH0_MANAGEMENT_TOKEN"
    if token_file:
        name = "--management-token-file"
        token = read_secret(token_file, lambda: sys.stdin.read(MAX_SECRET_BYTES), TOKEN_FILE)
    client_id = environ.get("AUTH0_MANAGEMENT_CLIENT_ID", "")
    secret = environ.get("AUTH0_MANAGEMENT_CLIENT_SECRET", "")
    return Credentials(
        option(name, token, parse_token) if token or token_file else "",
        option("AUTH0_MANAGEMENT_CLIENT_ID", client_id, parse_client_id) if client_id else "",
        option("AUTH0_MANAGEMENT_CLIENT_SECRET", secret, parse_client_secret) if secret else "",
    )


def is_at_hand(given: Credentials, ports: Ports) -> bool:
    """Return whether no question is needed to reach the Management API."""
    return bool(given) or ports.processes.which("auth0") is not None


def kind_at_hand(given: Credentials, ports: Ports) -> str:
    """Return how the Management API can be reached without a question, "" if it cannot."""
    if given:
        return TOKEN if given.token else MACHINE
    is_signed_in = ports.processes.which("auth0") is not None and active_tenant(ports.environ)
    return CLI if is_signed_in else ""


def domain_at_hand(kind: str, given: Credentials, ports: Ports) -> str:
    """Return the tenant of the credential, "" if it does not name one."""
    if own := ports.environ.get("AUTH0_TENANT_DOMAIN", ""):
        return option("AUTH0_TENANT_DOMAIN", own, parse_domain)
    return active_tenant(ports.environ) if kind == CLI else claims_of(given.token).tenant


def ways(ports: Ports) -> Sequence[Choice]:
    """Return the ways to the Management API that a user can choose."""
    has_cli = ports.processes.which("auth0") is not None
    return (
        *((Choice(CLI, "the auth0 CLI, where I am logged in"),) if has_cli else ()),
        Choice(TOKEN, "a token from the dashboard's API Explorer"),
        Choice(MACHINE, "a machine-to-machine application"),
    )


def choose_access(
    domain: str, given: Credentials, ports: Ports, *, own_domain: str = "", kind: str = ""
) -> Access:
    """Return access to the Management API, with a question if no credential was given.

    Args:
        domain: the tenant's, maybe a custom one.
        given: the credentials that were given.
        ports: to ask for others.
        own_domain: `--tenant-domain`, the domain that Auth0 gave the tenant.
        kind: the way that the user chose, "" if none yet.

    Raises:
        Failure: there is no credential, or the tenant refuses it.
    """
    text = own_domain or ports.environ.get("AUTH0_TENANT_DOMAIN", "")
    own = option("--tenant-domain", text, parse_domain) if text else ""
    kind = kind or _kind(given, ports)
    given = ask_credentials(kind, given, ports)
    tenant = own or tenant_domain(domain, given.token) or _ask_tenant(domain, ports)
    if kind == CLI:
        ports.console.hint(
            "Using the auth0 CLI, which must be logged in to {tenant}.", tenant=tenant
        )
        return by_cli(tenant, ports.processes, ports.environ)
    if kind == TOKEN:
        return by_token(given.token, tenant, ports.http)
    return by_machine(given.client_id, given.client_secret, tenant, ports.http)


def _kind(given: Credentials, ports: Ports) -> str:
    if given:
        return TOKEN if given.token else MACHINE
    if ports.prompter is not None:
        choices = ways(ports)
        return ports.prompter.select("Use the Management API with", choices, default=choices[0].key)
    if ports.processes.which("auth0") is None:
        raise NO_CREDENTIAL.failure()
    return CLI


def ask_credentials(kind: str, given: Credentials, ports: Ports) -> Credentials:
    """Return the credentials of that kind; the user's answers where none were given."""
    if kind == CLI or given or ports.prompter is None:
        return given
    return _ask(kind, ports.prompter, ports)


def _ask(kind: str, prompter: Prompter, ports: Ports) -> Credentials:
    ports.console.hint("It is used in this run only and not stored.")
    if kind == TOKEN:
        ports.console.hint(
            "{page} → Create & Authorize Test Application → Copy Token.", page=API_EXPLORER
        )
        return Credentials(prompter.secret("Management API token (hidden)", parse=parse_token))
    client_id = prompter.text("Its Client ID", parse=parse_client_id)
    secret = prompter.secret("Its Client Secret (hidden)", parse=parse_client_secret)
    return Credentials("", client_id, secret)


def _ask_tenant(domain: str, ports: Ports) -> str:
    if ports.prompter is None:
        raise TENANT_DOMAIN_NEEDED.failure("{domain} is a custom domain.", domain=domain)
    ports.console.hint(
        "{domain} is a custom domain; the Management API needs the tenant's own domain.",
        domain=domain,
    )
    return ports.prompter.text(
        "The tenant's own domain (NAME.REGION.auth0.com)", parse=parse_domain
    )
