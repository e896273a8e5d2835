"""Decides in the tenant who may sign in, for `provision` and `init`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wizard.auth0.access import Policy, Who
from wizard.auth0.access_api import AccessApi, access_scopes
from wizard.auth0.access_plan import AccessState, WantedAccess, access_remarks, plan_access
from wizard.auth0.management_access import Access
from wizard.auth0.management_plan import PlannedChange
from wizard.commands.change import Pages, consent
from wizard.commands.provisioning import MAKE_CHANGES, NOT_TAKEN, show_plan, stopped_at
from wizard.execution import INTERRUPTED
from wizard.findings import Failure, Finding
from wizard.language import Message, joined
from wizard.ports import Ports


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
    *,
    yes: bool,
    dry_run: bool = False,
) -> Admission | None:
    """Plan, show, ask, apply and read back; return None if the user declined.

    Without a `policy` all that we changed is taken back.
    """
    invitations: list[tuple[str, str]] = []

    def invited(address: str, link: str) -> None:
        invitations.append((address, link))
        ports.console.verbatim(Message("Invitation for {address}", address=address), [link])

    api = AccessApi(access, ports.clock, client_id, invited)
    with ports.console.working("Reading {tenant}", tenant=access.tenant):
        state = api.read(policy)
    wanted = _with_shared(WantedAccess(policy), state, ports)
    changes, remarks = plan_access(state, wanted), tuple(access_remarks(state, wanted))
    access.require(access_scopes(changes))
    pages = _show(changes, remarks, access.tenant, ports, whole=dry_run)
    if not changes:
        ports.console.done("Who may sign in is already set up in Auth0.")
        return Admission((), remarks)
    if not consent(MAKE_CHANGES, ports, yes=yes, dry_run=dry_run, pages=pages):
        return Admission(changes, remarks) if dry_run else None
    _apply(changes, state, api, ports)
    left = _left(wanted, api, ports)
    if invitations:
        ports.console.hint("Pass each link on. It sets a password and works once.")
    return Admission(changes, (*remarks, *left), applied=True, invitations=invitations)


def _show(
    changes: Sequence[PlannedChange],
    remarks: Sequence[Finding],
    tenant: str,
    ports: Ports,
    *,
    whole: bool,
) -> Pages:
    parts = {Message("Change who may sign in"): changes} if changes else {}
    pages = show_plan(parts, tenant, ports, whole=whole)
    ports.console.finding(*remarks)
    return pages


def _left(wanted: WantedAccess, api: AccessApi, ports: Ports) -> tuple[Finding, ...]:
    """Read the state again; return what is still to change."""
    with ports.console.working("Reading back"):
        rest = plan_access(api.read(wanted.policy), wanted)
    titles = joined(", ", (change.title for change in rest))
    return (NOT_TAKEN.finding("{titles}.", titles=titles),) if rest else ()


def _with_shared(wanted: WantedAccess, state: AccessState, ports: Ports) -> WantedAccess:
    """Ask before sign-ups end for the users of other applications, too."""
    policy = wanted.policy
    if ports.prompter is None or policy is None or policy.who is not Who.PEOPLE:
        return wanted
    shared = [it for it in state.connections if it.is_shared]
    if not shared:
        return wanted
    for it in shared:
        ports.console.say(
            "Other applications use {connection}, too: {names}.",
            connection=it.name,
            names=", ".join(it.others),
        )
    agreed = ports.prompter.confirm("Turn off sign-ups for them, too?", default=False)
    return wanted._replace(closes_shared=agreed)


def _apply(
    changes: Sequence[PlannedChange], state: AccessState, api: AccessApi, ports: Ports
) -> None:
    done: list[str] = []
    for change in changes:
        try:
            with ports.console.working(change.title):
                api.apply(change, state)
        except Failure as failure:
            raise stopped_at(failure, change.title, done) from None
        except KeyboardInterrupt:
            raise stopped_at(INTERRUPTED.failure(), change.title, done) from None
        done.append(change.title)
    ports.console.done("Who may sign in is set up.")
