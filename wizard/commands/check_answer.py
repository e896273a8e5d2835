"""Asks for a value of the setup and checks it with the tenant at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from wizard.commands.questions import Question, ask
from wizard.findings import Outcome
from wizard.known import Known
from wizard.ports import Ports

if TYPE_CHECKING:
    from wizard.auth0.live_checks import CheckResult


def ask_and_check(
    question: Question, known: Known, offered: Known, ports: Ports, *, reuse_tokens: bool
) -> Known:
    """Return the known values with the answer; ask again while the tenant rejects it.

    The same answer twice is kept: for a tenant that does not answer or is not ready yet.
    """
    rejected: object = None
    while True:
        answered = ask(question, known, offered, ports)
        value = answered.value(question.name)
        results = _check(question.checks, answered, ports, reuse_tokens=reuse_tokens)
        if results[0].outcome is not Outcome.FAILED or value == rejected:
            if results[0].outcome is not Outcome.SKIPPED:
                ports.console.outcome(results[0].outcome, results[0].title, results[0].detail)
            return answered
        for finding in results[0].findings:
            ports.console.finding(finding)
        rejected, offered = value, answered.or_else(offered)
        if not question.is_hidden:
            ports.console.hint("Correct it, or press Enter to check it again and keep it.")


def passes(
    checks: Sequence[str],
    known: Known,
    ports: Ports,
    *,
    reuse_tokens: bool,
    shows_failure: bool = True,
) -> bool:
    """Show what the tenant says to these checks; return whether none of them fails."""
    results = _check(checks, known, ports, reuse_tokens=reuse_tokens)
    passed = all(each.outcome in {Outcome.PROVED, Outcome.LIKELY} for each in results)
    if passed or shows_failure:
        for result in results:
            ports.console.outcome(result.outcome, result.title, result.detail)
    return passed


def _check(
    checks: Sequence[str], known: Known, ports: Ports, *, reuse_tokens: bool
) -> list[CheckResult]:
    from wizard.auth0.error_table import Check
    from wizard.auth0.live_checks import check_tenant

    settings = replace(known, client_id=known.client_id or "").settings(reuse_tokens=reuse_tokens)
    wanted = [Check(name) for name in checks]
    with ports.console.working("Checking {host}", host=settings.domain):
        report = check_tenant(settings, ports.http, ports.clock, wanted)
    return [report[check] for check in wanted]
