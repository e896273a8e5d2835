"""Runs all checks: the rules of the file, the live checks of the tenant, and LibreChat's."""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from wizard.doctor.causes import without_consequences
from wizard.doctor.process import with_age_first, with_remedy, with_whole_values
from wizard.doctor.registry import FILE_CHECKS, RUNNING_CHECKS, diagnose
from wizard.doctor.subject import Subject, foreign_issuer, settings_of
from wizard.doctor.writing import IGNORES_NOTHING, silenced_rules
from wizard.findings import Finding, Severity
from wizard.http import HttpClient
from wizard.language import Message
from wizard.librechat.running import look_at_instance
from wizard.rules import BUG, all_rules
from wizard.settings import Settings, is_public, port_in
from wizard.system.clock import Clock
from wizard.system.threads import begin

if TYPE_CHECKING:
    from wizard.auth0.access import Doors
    from wizard.auth0.live_checks import TenantReport

T = TypeVar("T")


class Examination(NamedTuple):
    """The result of all checks; the first finding is the one to fix first."""

    subject: Subject  # with what the running LibreChat answered
    tenant: "TenantReport | None"  # None where the tenant was not asked
    findings: tuple[Finding, ...]


class Part(Enum):
    """What a finding is about; the value is its name."""

    FILE = Message("File")
    AUTH0 = Message("Auth0")
    TUNNEL = Message("Tunnel")
    LIBRECHAT = Message("LibreChat")


TUNNEL_RULES = frozenset({"LA527", "LA530", "LA531", "LA532", "LA534"})
_PARTS = {**dict.fromkeys(("LA2", "LA4", "LA6"), Part.AUTH0), "LA5": Part.LIBRECHAT}
_WEIGHTS = {severity: weight for weight, severity in enumerate(Severity)}


def examine(subject: Subject, http: HttpClient, clock: Clock, *, offline: bool) -> Examination:
    """Run every rule and, unless `offline`, the live checks at the same time, in threads."""
    settings = None if offline else settings_of(subject)
    port = port_in(subject.values)
    public_url = "" if subject.borrowed else subject.value("DOMAIN_SERVER")
    tenant = begin(_ask_tenant, settings, http, clock).result if settings else None
    asked = settings if is_public(public_url) else None
    doors = begin(ask_doors, asked, http, clock).result if asked else None
    instance = None if offline else begin(look_at_instance, http, port, public_url).result
    ask = _question_to_issuer(subject, http, offline=offline)
    issuer = begin(ask).result if ask else None
    findings = list(diagnose(subject, FILE_CHECKS))
    report = _result(tenant, findings)
    findings += _result(issuer, findings) or ()
    answers = _result(instance, findings)
    opened = _result(doors, findings)
    subject = subject._replace(instance=answers, auth0_doors=opened)
    return conclude(subject, report, findings)


def examine_again(
    subject: Subject, before: Examination, http: HttpClient, clock: Clock, *, offline: bool
) -> Examination:
    """Check the file again after a fix.

    LibreChat has not read the new file and counts requests, so its answers are kept. The tenant
    is asked again if its values changed.
    """
    report = before.tenant
    settings = settings_of(subject)
    findings = list(diagnose(subject, FILE_CHECKS))
    findings += _result(_question_to_issuer(subject, http, offline=offline), findings) or ()
    if not offline and settings != settings_of(before.subject):
        ask = partial(_ask_tenant, settings, http, clock) if settings else None
        report = _result(ask, findings)
    known = before.subject
    subject = subject._replace(instance=known.instance, auth0_doors=known.auth0_doors)
    return conclude(subject, report, findings)


def conclude(
    subject: Subject, tenant: "TenantReport | None", file_findings: Iterable[Finding]
) -> Examination:
    """Sort all findings in the order to fix them: errors before warnings, causes first."""
    findings = [
        *file_findings,
        *_ignoring_nothing(subject),
        *(tenant.findings if tenant else ()),
        *diagnose(subject, RUNNING_CHECKS),
    ]
    return Examination(subject, tenant, tuple(causes_of(findings, subject)))


def causes_of(findings: Sequence[Finding], subject: Subject) -> list[Finding]:
    """Return the findings that do not follow from another, errors first, with their remedies."""
    causes = with_age_first(with_whole_values(without_consequences(findings)), subject)
    causes.sort(key=lambda finding: _WEIGHTS[finding.severity])
    return [with_remedy(each, subject) for each in causes]


def _ask_tenant(settings: Settings, http: HttpClient, clock: Clock) -> "TenantReport":
    from wizard.auth0.live_checks import check_tenant

    return check_tenant(settings, http, clock)


def ask_doors(settings: Settings, http: HttpClient, clock: Clock) -> "Doors":
    """Return Auth0's ways in for strangers, as anybody can read them."""
    from wizard.auth0.doors import public_doors
    from wizard.auth0.retry import Patient

    patient = Patient(http, clock)
    return public_doors(settings.domain, settings.client_id, patient, clock.now())


def _question_to_issuer(
    subject: Subject, http: HttpClient, *, offline: bool
) -> Callable[[], Sequence[Finding]] | None:
    """Return what asks an issuer that is not Auth0's whether LibreChat can use it."""
    issuer = "" if offline else foreign_issuer(subject)

    def ask() -> Sequence[Finding]:
        from wizard.auth0.tenant import refuse_issuer

        refused = refuse_issuer(issuer, http)
        return [refused] if refused else []

    return ask if issuer else None


def part_of(identifier: str) -> Part:
    """Return what the rule with that identifier is about."""
    if identifier in TUNNEL_RULES:
        return Part.TUNNEL
    return _PARTS.get(identifier[:3], Part.FILE)


def _result(work: Callable[[], T] | None, findings: list[Finding]) -> T | None:
    """Return the result of the work; an exception becomes a finding."""
    try:
        return work() if work else None
    except Exception as error:
        crash = type(error).__name__
        findings.append(BUG.finding("A live check crashed: {error}.", error=crash))
        return None


def _ignoring_nothing(subject: Subject) -> Iterable[Finding]:
    for identifier in sorted(silenced_rules(subject.file.text)):
        if identifier not in all_rules():
            yield IGNORES_NOTHING.finding("There is no rule {rule}.", rule=identifier)
