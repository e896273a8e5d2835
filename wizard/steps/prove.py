"""Runs and shows the live checks and a sign-in, and keeps the last proved one of an `.env`.

A proof counts while nothing that decides the sign-in has changed.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wizard.defaults import SECONDS_TO_SIGN_IN
from wizard.findings import Finding, Outcome
from wizard.language import Message, joined
from wizard.librechat.env_store import EnvStore
from wizard.librechat.variables import is_known
from wizard.ports import Ports
from wizard.settings import Settings
from wizard.steps.values import read_subject
from wizard.system.state_file import StateFile

if TYPE_CHECKING:
    from wizard.auth0.live_checks import CheckResult, TenantReport
    from wizard.auth0.sign_in import Exchange
    from wizard.auth0.tokens import Admit, Judgement
    from wizard.doctor.subject import Subject


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

    if report.discovery is None:
        raise ValueError("a sign-in needs the tenant's metadata")
    admit = _admission(subject)
    return Exchange(settings, report.discovery, report.keys, ports.http, ports.clock, admit)


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


class How(StrEnum):
    """What the user signed in to."""

    LIBRECHAT = "librechat"
    VERIFY = "verify"


class Proof(NamedTuple):
    """A sign-in that worked; `at` in seconds since the epoch."""

    at: float
    how: How


def keep_proof(state_dir: Path, subject: "Subject", proof: Proof) -> None:
    """Save that a sign-in with these settings worked."""
    from secrets import token_bytes

    key = token_bytes(32)
    kept = {
        "at": proof.at,
        "how": proof.how,
        "key": key.hex(),
        "fingerprint": _fingerprint(subject, key),
    }
    _file(state_dir, subject.path).save(kept)


def proof_of(state_dir: Path, subject: "Subject") -> Proof | None:
    """Return the proof of exactly these settings, None without one."""
    kept = _file(state_dir, subject.path).load()
    try:
        key, fingerprint = bytes.fromhex(kept["key"]), str(kept["fingerprint"])
        proof = Proof(float(kept["at"]), How(kept["how"]))
        return proof if fingerprint == _fingerprint(subject, key) else None
    except (ValueError, TypeError, KeyError):
        return None


def forget_proof(state_dir: Path, env_file: Path) -> None:
    """Delete the proof: a later sign-in failed."""
    _file(state_dir, env_file).forget()


def remember(ports: Ports, subject: "Subject", how: How, *, is_proved: bool) -> None:
    """Keep the proof for `doctor`, or forget the one of an earlier run."""
    if is_proved and not subject.traces.newer:
        keep_proof(ports.state_dir, subject, Proof(ports.clock.now(), how))
    elif not is_proved:
        forget_proof(ports.state_dir, subject.path)


def _file(state_dir: Path, env_file: Path) -> StateFile:
    return StateFile.about(state_dir, "proved", env_file)


def _fingerprint(subject: "Subject", key: bytes) -> str:
    """Return a keyed hash of what decides the sign-in: a secret cannot be guessed from it."""
    from hashlib import blake2b

    values = sorted((name, value) for name, value in subject.values.items() if is_known(name))
    text = json.dumps([values, subject.config.part("registration")], default=str)
    return blake2b(text.encode("utf-8", "surrogatepass"), key=key).hexdigest()
