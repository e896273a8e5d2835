"""Runs the live checks and a sign-in, and shows their results."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from wizard.defaults import SECONDS_TO_SIGN_IN
from wizard.findings import Finding, Outcome
from wizard.language import Message, joined
from wizard.librechat.env_store import EnvStore
from wizard.ports import Ports
from wizard.settings import Settings
from wizard.steps.proofs import How, remember
from wizard.steps.values import read_subject

if TYPE_CHECKING:
    from wizard.auth0.live_checks import CheckResult, TenantReport
    from wizard.auth0.sign_in import Exchange
    from wizard.auth0.tokens import Admit, Judgement
    from wizard.doctor.subject import Subject

SIGN_IN_WORKS = Message("The sign-in works.")


def check_values(settings: Settings, ports: Ports, cause: Finding | None = None) -> "TenantReport":
    """Check the values against the live tenant, and show the results.

    `cause` is a finding of which some of the tenant's are consequences.
    """
    from wizard.auth0.live_checks import check_tenant
    from wizard.doctor.causes import without_consequences

    with ports.console.working("Checking {host}", host=settings.domain):
        report = check_tenant(settings, ports.http, ports.clock)
    known = (cause,) if cause and not report.ok else ()
    show(report.results, without_consequences((*known, *report.findings)), ports)
    return report


def exchange_for(
    subject: "Subject", settings: Settings, report: "TenantReport", ports: Ports
) -> "Exchange":
    """Return what exchanges the code of a sign-in and judges the tokens as LibreChat does."""
    from wizard.auth0.sign_in import Exchange
    from wizard.librechat.version_gates import KEEPS_SESSIONS

    if report.discovery is None:
        raise ValueError("a sign-in needs the tenant's metadata")
    admit = _admission(subject)
    return Exchange(
        settings,
        report.discovery,
        report.keys,
        ports.http,
        ports.clock,
        admit,
        subject.runs_before(KEEPS_SESSIONS),
    )


def _admission(subject: "Subject") -> "Admit":
    """Return the judge of whom LibreChat's role and domain settings let in."""
    from wizard.librechat.admission import SignedIn, judge_admission

    domains = subject.config.part("registration", "allowedDomains")

    def admit(
        id_claims: Mapping[str, object], access_claims: Mapping[str, object] | None
    ) -> tuple[Finding, ...]:
        user = SignedIn(id_claims, access_claims)
        allowed = domains if isinstance(domains, list) else None
        return tuple(judge_admission(user, subject.values, allowed))

    return admit


def sign_in(
    exchange: "Exchange",
    ports: Ports,
    port: int,
    *,
    seconds: float = SECONDS_TO_SIGN_IN,
    open_tunnel: Callable[[], None] = lambda: None,
) -> "Judgement":
    """Run a sign-in on LibreChat's port, and show the results.

    `open_tunnel` is called if the public URL does not lead to the port.
    """
    from wizard.auth0.sign_in import SignIn

    with SignIn(exchange, port, language=ports.language, listen=ports.listen) as flow:
        if flow.obstacle():
            open_tunnel()
            _warn_of_obstacle(flow.obstacle(), exchange.settings.public_url, port, ports)
        open_in_browser(flow.url, ports)
        with ports.console.working("Waiting for the sign-in"):
            judgement = flow.wait(seconds)
    show(judgement.results, judgement.findings, ports)
    return judgement


def after_sign_in(
    judgement: "Judgement", subject: "Subject", store: EnvStore, ports: Ports, *, yes: bool = False
) -> "Subject":
    """Offer to require the roles that the sign-in showed, and keep its proof.

    Returns what the `.env` then says. `yes` writes the roles without a terminal.
    """
    from wizard.steps.roles import ask_for_roles

    if ask_for_roles(judgement, store, ports, version=subject.version, yes=yes):
        subject = read_subject(store, ports)
    remember(ports, subject, How.VERIFY, is_proved=judgement.is_proved)
    return subject


def _warn_of_obstacle(obstacle: Message | None, url: str, port: int, ports: Ports) -> None:
    """Say why this computer does not reach the URL; a router may not route it to itself."""
    if obstacle:
        text = Message("From this computer, {url} does not reach port {port}: {obstacle}.")
        ports.console.warn(text.filled(url=url, port=port, obstacle=obstacle))


def open_in_browser(url: str, ports: Ports) -> None:
    """Open the URL in the user's browser, and show it; without a browser, ask them to."""
    if ports.desktop.open(url):
        ports.console.verbatim("Opening the sign-in:", [url])
    else:
        ports.console.link("Open in a browser:", url)


def show(results: "Iterable[CheckResult]", findings: Sequence[Finding], ports: Ports) -> None:
    """Show one line a check, then the findings."""
    skipped = []
    for result in results:
        if result.outcome is Outcome.SKIPPED:
            skipped.append(result.title)
        else:
            ports.console.outcome(result.outcome, result.title, result.detail)
    if skipped:
        ports.console.outcome(Outcome.SKIPPED, "Not checked", joined(", ", skipped))
    ports.console.finding(*findings)
