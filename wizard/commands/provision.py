"""`provision`: creates or updates the Auth0 application and API by the Management API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.auth0.access import ROLES_CLAIM
from wizard.auth0.management_access import Access, claims_of
from wizard.auth0.management_plan import DEFAULT_NAME, Part, PlannedChange, Wanted
from wizard.execution import Result
from wizard.findings import Failure, Finding
from wizard.known import Known, known_in
from wizard.language import Message
from wizard.librechat.checkout import look_at
from wizard.librechat.env_file import EnvFile, removed_lines
from wizard.ports import Ports
from wizard.settings import port_in
from wizard.steps.change import Confirmation, EnvChange, Written, change_env, may_write, save, show
from wizard.steps.choose_access import Credential, choose_access, given_credential
from wizard.steps.folder import Folder, folder_of
from wizard.steps.options import SetupOptions
from wizard.steps.prove import check_values
from wizard.steps.provisioning import MAKE_CHANGES, Provisioning
from wizard.steps.questions import (
    AUDIENCES,
    CLIENT_ID,
    DOMAIN_OF_ANY_APPLICATION,
    PUBLIC_URL,
    SUGGESTED_AUDIENCE,
    ask,
    parsed,
    same_client,
)
from wizard.steps.values import INVALID_VALUE, MISSING_OPTION, env_store

if TYPE_CHECKING:
    from wizard.auth0.live_checks import CheckResult


@dataclass(frozen=True, slots=True)
class ProvisionOptions(SetupOptions):
    """The options of `provision`; "" for what was not given."""

    tenant_domain: str = ""
    name: str = DEFAULT_NAME
    management_token_file: str = ""
    remove_access: bool = False
    prune: bool = False


@dataclass(frozen=True, slots=True)
class ProvisionResult(Result):
    """The result; `changes` are the tenant's, `changed` names of variables.

    `invitations` are links by address: what they open sets the person's password.
    """

    env_file: Path
    client_id: str | None
    changes: Sequence[PlannedChange]
    changed: Sequence[str]
    applied: bool = False
    backup: Path | None = None
    checks: Sequence[CheckResult] = field(default=())
    invitations: Sequence[tuple[str, str]] = field(default=(), repr=False)

    def as_json(self) -> dict[str, object]:
        """Return the result as `--json` prints it, without secrets."""
        return {
            **Result.as_json(self),
            "client_id": self.client_id or "",
            "invitations": [{"address": it[0], "link": it[1]} for it in self.invitations],
        }


def run_provision(
    options: ProvisionOptions, ports: Ports, env_file: Path | None = None
) -> ProvisionResult:
    """Plan, show, ask, apply, read back, and run the live checks."""
    if options.remove_access and (
        options.allow_users or options.allow_domains or options.allow_anybody
    ):
        raise INVALID_VALUE.failure("Choose one: --remove-access or --allow-…")
    policy = options.policy
    store = env_store(env_file, ports)
    folder = folder_of(look_at(store.path.parent), store, ports)
    options, remarks = options.settled(folder.version)
    ports.console.finding(*remarks)
    given = given_credential(ports, options.management_token_file)
    known = _known(options, given, folder, ports)
    access = choose_access(known.domain or "", given, ports, own_domain=options.tenant_domain)
    if options.remove_access:
        return _removed(options, known, folder, access, ports)
    wanted = Wanted(known.public_url or "", known.audience, options.name, options.prune)
    provisioning = Provisioning(known, wanted, store.path, access, ports)
    result, may_go_on = _provisioned(options, provisioning, folder, remarks, ports)
    if policy is None or not may_go_on:
        return result
    return _admit(result, options, access, ports)


def _provisioned(
    options: ProvisionOptions,
    provisioning: Provisioning,
    folder: Folder,
    remarks: Sequence[Finding],
    ports: Ports,
) -> tuple[ProvisionResult, bool]:
    """Return what was done to the application and the API, and whether the user agreed."""
    change_to = partial(_env_change, options, folder, ports)
    brings_secret, path = provisioning.brings_secret, folder.store.path
    known = provisioning.known
    client_id = known.client_id or "new"
    placeholders = known._replace(client_id=client_id, client_secret="new")  # noqa: S106
    change = change_to(placeholders if brings_secret else known)
    if brings_secret and (finding := removed_lines(change.changes)):
        raise Failure(finding)  # before Auth0 is changed
    result = ProvisionResult(
        path,
        known.client_id,
        provisioning.changes,
        () if brings_secret else change.names,
        findings=(*remarks, *provisioning.remarks, *change.findings),
    )
    pages = [*provisioning.show(whole=options.dry_run)]
    if brings_secret:
        ports.console.say("Its Client ID and secret are then written to {file}.", file=path)
    elif change.changes:
        pages += show(change, ports, whole=options.dry_run)
    if not (provisioning.changes or result.changed):
        ports.console.done("Nothing to do: Auth0 and the .env are up to date.")
    elif not may_write(
        change, MAKE_CHANGES, ports, yes=options.yes, dry_run=options.dry_run, pages=pages
    ):
        return result, options.dry_run
    return _applied(result, options, provisioning, change_to, ports), True


def _removed(
    options: ProvisionOptions, known: Known, folder: Folder, access: Access, ports: Ports
) -> ProvisionResult:
    """Stop LibreChat from asking for a role, then take back what decides who may sign in."""
    before = EnvFile.from_bytes(folder.existing or b"")
    values = before.values()
    ours = {
        f"{role}{rest}": ""
        for role in ("OPENID_REQUIRED_ROLE", "OPENID_ADMIN_ROLE")
        for rest in ("", "_PARAMETER_PATH", "_TOKEN_KIND")
        if values.get(f"{role}_PARAMETER_PATH") == ROLES_CLAIM and values.get(f"{role}{rest}")
    }
    after, changes = before.edited(ours)
    change = EnvChange(folder.store, folder.existing, before, after, changes)
    result = ProvisionResult(folder.store.path, known.client_id, (), change.names)
    if changes:
        written = change_env(
            change, Confirmation(), ports, yes=options.yes, dry_run=options.dry_run
        )
        if not (written.done or options.dry_run):
            return result
        result = replace(result, applied=written.done, backup=written.backup)
        ports.console.hint("Restart LibreChat before the next sign-in.")
    return _admit(result, options, access, ports)


def _admit(
    result: ProvisionResult, options: ProvisionOptions, access: Access, ports: Ports
) -> ProvisionResult:
    """Change who may sign in, with a question of its own."""
    from wizard.steps.admit import set_up_access

    if not result.client_id:
        if options.dry_run:
            ports.console.hint("Who may sign in is planned once the application exists.")
            return result
        raise _missing("--client-id")
    changed = {change.part for change in result.changes if result.applied}
    done = set_up_access(
        options.policy,
        result.client_id,
        access,
        ports,
        options,
        [part.value for part in Part if part in changed],
    )
    if done is None:
        return result
    if options.policy is not None:
        ports.console.hint(
            "Next: librechat-auth0 verify."
            " Once the ID token has the role, LibreChat can require it."
        )
    return replace(
        result,
        changes=(*result.changes, *done.changes),
        findings=(*result.findings, *done.findings),
        applied=result.applied or done.applied,
        invitations=done.invitations,
    )


def _applied(
    result: ProvisionResult,
    options: ProvisionOptions,
    provisioning: Provisioning,
    change_to: Callable[[Known], EnvChange],
    ports: Ports,
) -> ProvisionResult:
    brings_secret = provisioning.brings_secret
    written = Written()
    changed: list[str] = []

    def keep(known: Known) -> None:
        nonlocal written
        change = change_to(known)
        if not change.changes:
            return
        if brings_secret:
            show(change, ports)
        written = save(change, ports)
        changed.extend(change.names)

    known, findings = provisioning.apply(keep)
    report = check_values(known.settings(reuse_tokens=options.reuse_tokens), ports)
    return replace(
        result,
        client_id=known.client_id,
        changed=changed,
        backup=written.backup,
        findings=(*result.findings, *findings, *report.findings),
        applied=bool(provisioning.changes or result.changed),
        checks=report.results,
    )


def _env_change(options: ProvisionOptions, folder: Folder, ports: Ports, known: Known) -> EnvChange:
    """Return the change of the `.env` to these values."""
    settings = known.settings(reuse_tokens=options.reuse_tokens)
    return folder.change(settings, port_in(folder.values), ports)


def _known(options: ProvisionOptions, given: Credential, folder: Folder, ports: Ports) -> Known:
    """Return the values of the options, else of the `.env`, else of the user's answers."""
    offered = known_in(folder.values).or_else(
        Known(domain=claims_of(given.token).tenant or None, audiences=(SUGGESTED_AUDIENCE,))
    )
    known = Known()
    for question, text in (
        (DOMAIN_OF_ANY_APPLICATION, options.domain),
        (CLIENT_ID, options.client_id),
        (PUBLIC_URL, options.public_url),
    ):
        known = parsed(question, text, known) if text else known
    known = known.or_else(same_client(known, offered))
    for question in (DOMAIN_OF_ANY_APPLICATION, PUBLIC_URL):
        if not known.has(question.name) and ports.prompter is None:
            raise _missing(question.option)
        known = ask(question, known, Known(), ports)
    if not options.reuse_tokens:
        return known._replace(audiences=None)
    return parsed(AUDIENCES, options.audience, known) if options.audience else known


def _missing(option: str) -> Failure:
    fix = Message("Add {option}.", option=option)
    return MISSING_OPTION.failure("Missing: {option}.", option=option, fix=fix)
