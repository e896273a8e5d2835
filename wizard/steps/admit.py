"""Decides in the tenant who may sign in, for `provision` and `init`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from wizard.auth0.access import Policy, Who
from wizard.auth0.access_api import AccessState, read_access
from wizard.auth0.access_plan import AccessChange, access_remarks, plan_access
from wizard.auth0.management_access import Access
from wizard.auth0.management_calls import Calls
from wizard.auth0.management_plan import PlannedChange
from wizard.findings import Finding
from wizard.language import Message
from wizard.ports import Ports
from wizard.steps.change import consent
from wizard.steps.options import SetupOptions
from wizard.steps.provisioning import (
    MAKE_CHANGES,
    NOT_READ_BACK,
    adding,
    not_taken,
    show_plan,
    so_far,
    stopping,
)

_QUESTION = MAKE_CHANGES._replace(declined=Message("Who may sign in is unchanged."))


@dataclass(frozen=True, slots=True)
class Admission:
    """What was planned and done; `invitations` are links by address, to pass on."""

    changes: Sequence[PlannedChange] = ()
    findings: Sequence[Finding] = ()
    applied: bool = False
    invitations: Sequence[tuple[str, str]] = ()


def set_up_access(
    policy: Policy | None,
    client_id: str,
    access: Access,
    ports: Ports,
    options: SetupOptions,
    before: Sequence[str] = (),
) -> Admission | None:
    """Plan, show, ask, apply and read back; return None if the user declined.

    Without a `policy` all that we changed is taken back. `before` is what this run did in the
    tenant before, for a failure.
    """
    yes, dry_run, policy = options.yes, options.dry_run, policy or Policy(Who.UNDECIDED)
    read = partial(read_access, client_id=client_id, policy=policy)
    with adding(so_far(before)):
        with ports.console.working("Reading {tenant}", tenant=access.tenant):
            state = read(Calls(access, ports.clock))
        policy = _with_shared(policy, state, ports)
        planned, remarks = plan_access(state, policy), tuple(access_remarks(state, policy))
        changes = [change.row for change in planned]
        access.require(frozenset().union(*(change.kind.scopes for change in planned)))
        parts = {Message("Change who may sign in"): changes} if changes else {}
        pages = show_plan(parts, access.tenant, ports, whole=dry_run)
        ports.console.finding(*remarks)
        if not changes:
            ports.console.done("Who may sign in is already set up in Auth0.")
            return Admission((), remarks)
        if not consent(_QUESTION, ports, yes=yes, dry_run=dry_run, pages=pages):
            return Admission(changes, remarks) if dry_run else None
    invitations = _apply(planned, state, access, ports, before)
    with adding(NOT_READ_BACK), ports.console.working("Reading back"):
        rest = plan_access(read(Calls(access, ports.clock)), policy)
    if invitations:
        ports.console.hint("Pass each link on. It sets a password and works once.")
    findings = (*remarks, *not_taken(change.row for change in rest))
    return Admission(changes, findings, applied=True, invitations=invitations)


def _with_shared(policy: Policy, state: AccessState, ports: Ports) -> Policy:
    """Ask before sign-ups end for the users of other applications, too."""
    shared = [it for it in state.connections if it.is_shared]
    if ports.prompter is None or policy.who is not Who.PEOPLE or not shared:
        return policy
    for it in shared:
        ports.console.say(
            "Other applications use {connection}, too: {names}.",
            connection=it.name,
            names=", ".join(it.others),
        )
    agreed = ports.prompter.confirm("Turn off sign-ups for them, too?", default=False)
    return policy._replace(closes_shared=agreed)


def _apply(
    changes: Sequence[AccessChange],
    state: AccessState,
    access: Access,
    ports: Ports,
    before: Sequence[str],
) -> list[tuple[str, str]]:
    """Make the changes; show and return the invitations."""
    done = [*before]
    invitations = []
    for change in changes:
        title, calls = change.row.title, Calls(access, ports.clock)
        with stopping(title, done, calls=calls), ports.console.working(title):
            invitation = change.kind.call(calls, state, *change.given)
        done.append(title)
        if invitation:
            address, link = invitation
            ports.console.verbatim(Message("Invitation for {address}", address=address), [link])
            invitations.append(invitation)
    ports.console.done("Who may sign in is set up.")
    return invitations
