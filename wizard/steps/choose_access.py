"""Finds a credential for the tenant's Management API: given, installed, or asked for."""

from collections.abc import Sequence
from typing import NamedTuple

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
from wizard.dashboard import API_EXPLORER
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import parse_client_id, parse_client_secret, parse_domain
from wizard.steps.values import option, read_secret
from wizard.ui.prompts import Choice, Prompter

NO_CREDENTIAL = rule("LA600")
TENANT_DOMAIN_NEEDED = rule("LA616")
TOKEN_FILE = rule("LA620")

TOKEN, MACHINE, CLI = "token", "machine", "cli"


class Credential(NamedTuple):
    """What opens the Management API: `kind` is `TOKEN`, `MACHINE`, `CLI`, or "" for none yet."""

    kind: str = ""
    token: str = ""
    client_id: str = ""
    client_secret: str = ""

    def __repr__(self) -> str:
        return f"Credential({self.kind!r})"


def given_credential(ports: Ports, token_file: str = "") -> Credential:
    """Return the credential in the environment, or in a token file (`-`: standard input)."""
    environ = ports.environ
    token, name = environ.get("AUTH0_MANAGEMENT_TOKEN", ""), "AUTH0_MANAGEMENT_TOKEN"
    if token_file:
        name = "--management-token-file"
        token = read_secret(token_file, TOKEN_FILE)
    client_id = environ.get("AUTH0_MANAGEMENT_CLIENT_ID", "")
    secret = environ.get("AUTH0_MANAGEMENT_CLIENT_SECRET", "")
    if client_id:
        client_id = option("AUTH0_MANAGEMENT_CLIENT_ID", client_id, parse_client_id)
    if secret:
        secret = option("AUTH0_MANAGEMENT_CLIENT_SECRET", secret, parse_client_secret)
    if token or token_file:
        return Credential(TOKEN, option(name, token, parse_token))
    return Credential(MACHINE, "", client_id, secret) if client_id and secret else Credential()


def credential_at_hand(ports: Ports) -> Credential:
    """Return the credential in the environment, or that of an `auth0` CLI that is logged in."""
    given = given_credential(ports)
    is_signed_in = ports.processes.which("auth0") is not None and active_tenant(ports.environ)
    return Credential(CLI) if is_signed_in and not given.kind else given


def tenant_at_hand(credential: Credential, ports: Ports) -> str:
    """Return the tenant of the credential, "" if it does not name one."""
    if own := ports.environ.get("AUTH0_TENANT_DOMAIN", ""):
        return option("AUTH0_TENANT_DOMAIN", own, parse_domain)
    if credential.kind == CLI:
        return active_tenant(ports.environ)
    return claims_of(credential.token).tenant


def ways(ports: Ports) -> Sequence[Choice]:
    """Return the ways to the Management API that a user can choose."""
    has_cli = ports.processes.which("auth0") is not None
    return (
        *((Choice(CLI, "the auth0 CLI, where I am logged in"),) if has_cli else ()),
        Choice(TOKEN, "a token from the dashboard's API Explorer"),
        Choice(MACHINE, "a machine-to-machine application"),
    )


def choose_access(
    domain: str, credential: Credential, ports: Ports, *, own_domain: str = ""
) -> Access:
    """Return access to the Management API, with a question if there is no credential yet.

    The `domain` may be a custom one; `own_domain` is the one that Auth0 gave the tenant.
    """
    text = own_domain or ports.environ.get("AUTH0_TENANT_DOMAIN", "")
    own = option("--tenant-domain", text, parse_domain) if text else ""
    if not credential.kind:
        credential = _ask_for_any(ports)
    tenant = own or tenant_domain(domain, credential.token) or _ask_tenant(domain, ports)
    if credential.kind == CLI:
        ports.console.hint(
            "Using the auth0 CLI, which must be logged in to {tenant}.", tenant=tenant
        )
        return by_cli(tenant, ports.processes, ports.environ)
    if credential.kind == TOKEN:
        return by_token(credential.token, tenant, ports.http)
    return by_machine(credential.client_id, credential.client_secret, tenant, ports.http)


def _ask_for_any(ports: Ports) -> Credential:
    if ports.prompter is not None:
        choices = ways(ports)
        kind = ports.prompter.select("Use the Management API with", choices, default=choices[0].key)
        return ask_credential(kind, ports.prompter, ports)
    if ports.processes.which("auth0") is None:
        raise NO_CREDENTIAL.failure()
    return Credential(CLI)


def ask_credential(kind: str, prompter: Prompter, ports: Ports) -> Credential:
    """Return a credential of that kind, by the user's answers."""
    if kind == CLI:
        return Credential(CLI)
    ports.console.hint("It is used in this run only and not stored.")
    if kind == TOKEN:
        ports.console.hint(
            "{page} → Create & Authorize Test Application → Copy Token.", page=API_EXPLORER
        )
        token = prompter.text("Management API token (hidden)", parse=parse_token, is_hidden=True)
        return Credential(TOKEN, token)
    client_id = prompter.text("Its Client ID", parse=parse_client_id)
    secret = prompter.text("Its Client Secret (hidden)", parse=parse_client_secret, is_hidden=True)
    return Credential(MACHINE, "", client_id, secret)


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
