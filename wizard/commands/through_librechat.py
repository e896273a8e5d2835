"""Proves a sign-in through the running LibreChat, by what its log and the tunnel show of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from http import HTTPStatus
from operator import or_

from wizard.commands.prove import How, open_in_browser, remember
from wizard.commands.witnesses import (
    NOTHING,
    REFUSED,
    SIGN_IN,
    Sighting,
    Witness,
    log_witness,
    ngrok_witness,
    specific,
    tunnel_witness,
)
from wizard.defaults import SECONDS_TO_SIGN_IN
from wizard.doctor.examine import causes_of
from wizard.doctor.process import STARTED_EARLIER
from wizard.doctor.registry import RUNNING_CHECKS, diagnose
from wizard.doctor.subject import Subject
from wizard.findings import ExitCode, Finding, exit_code_of
from wizard.language import Message, joined
from wizard.librechat.log import Log, read_container_log, read_log
from wizard.librechat.running import RATE_LIMITED, Instance, look_at_instance
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import is_loopback
from wizard.sign_in_traffic import Step, recorded

NOT_STARTED = rule("LA014")
NOT_PROVED = rule("LA435")

LOOK_SECONDS = 1.0
# A log line and what passes a tunnel are there within a second; a page takes a few to load.
SECONDS_FOR_A_CAUSE = 3.0
SECONDS_FOR_THE_PAGE = 20.0
SECONDS_FOR_A_WITNESS = 2.0
REQUESTS_OF_A_SIGN_IN = 2


@dataclass(frozen=True, slots=True)
class Evidence:
    """What each witness saw, by its name."""

    sightings: Sequence[tuple[str, Sighting]] = ()
    findings: Sequence[Finding] = ()

    @property
    def together(self) -> Sighting:
        """What all of them saw."""
        return reduce(or_, (sighting for _, sighting in self.sightings), NOTHING)

    @property
    def is_proved(self) -> bool:
        """Whether a user signed in, and can stay so."""
        return self.together.is_proof

    def as_json(self) -> list[dict[str, object]]:
        """Return what `--json` prints: what was seen by whom."""
        return [{"source": name, "seen": list(sighting.seen)} for name, sighting in self.sightings]


def prove_through_librechat(
    subject: Subject, ports: Ports, port: int, seconds: float = SECONDS_TO_SIGN_IN
) -> Evidence:
    """Have the user sign in to LibreChat on that port, show the result, and remember a proof."""
    public_url = subject.value("DOMAIN_SERVER")
    began = ports.clock.now()
    with ports.console.working("Checking LibreChat"):
        instance = look_at_instance(ports.http, port, public_url)
        witnesses = _present(_witnesses(subject, ports, port), began, ports)
    findings = obstacles(replace(subject, instance=instance), instance, port)
    if exit_code_of(findings) is not ExitCode.OK:
        return _shown(Evidence(findings=findings), ports)
    ports.console.done("LibreChat redirects to Auth0 with the values of the .env.")
    if not witnesses:
        return _shown(Evidence(findings=(*findings, _without_witness(public_url))), ports)
    since = ports.clock.now()
    _invite(public_url, instance, ports)
    with ports.console.working("Waiting for the sign-in"):
        evidence = _wait(witnesses, since, seconds, ports)
    evidence = replace(evidence, findings=(*findings, *_judged(evidence)))
    remember(ports, subject, How.LIBRECHAT, is_proved=evidence.is_proved)
    return _shown(evidence, ports)


def _witnesses(subject: Subject, ports: Ports, port: int) -> Sequence[Witness]:
    def read(since: float) -> Log:
        container = subject.runner.container
        if container is not None:
            return read_container_log(ports.processes, container, since)
        return read_log(subject.path.parent, subject.values, since)

    reuse, public_url = subject.reuses_tokens, subject.value("DOMAIN_SERVER")
    ours = tunnel_witness(
        Message("the tunnel"), partial(recorded, ports.state_dir, port), reuse=reuse
    )
    if is_loopback(public_url):
        return [log_witness(read), ours]
    ngrok = ngrok_witness(ports.environ, port, public_url, reuse=reuse)
    return [log_witness(read), ours, *([ngrok] if ngrok else [])]


def _present(witnesses: Sequence[Witness], since: float, ports: Ports) -> Sequence[Witness]:
    """Return those that saw our own request, which a tunnel saves a moment later."""
    deadline = ports.clock.now() + SECONDS_FOR_A_WITNESS
    present: Sequence[Witness] = ()
    while True:
        # Who is present stays so: to ask again would read the log, or run docker, each time.
        present = [each for each in witnesses if each in present or each.is_present(since)]
        if len(present) > 1 or ports.clock.now() >= deadline:
            return present
        ports.clock.sleep(LOOK_SECONDS / 10)


def obstacles(subject: Subject, instance: Instance, port: int) -> tuple[Finding, ...]:
    """Return what prevents a sign-in; an earlier one that failed does not."""
    traces = subject.traces
    without_log = replace(subject, traces=traces._replace(log=traces.log._replace(lines=())))
    findings = tuple(causes_of(diagnose(without_log, RUNNING_CHECKS), subject))
    if exit_code_of(findings) is not ExitCode.OK:
        return tuple(causes_of(diagnose(subject, RUNNING_CHECKS), subject))
    if stale := next((each for each in findings if each.rule is STARTED_EARLIER), None):
        return (*findings, NOT_PROVED.finding("It would test the old values.", fix=stale.fix))
    if instance.sign_in and instance.sign_in.status == HTTPStatus.TOO_MANY_REQUESTS:
        return (*findings, NOT_PROVED.finding(fix=RATE_LIMITED.fix))
    if not (instance.sign_in and instance.sign_in.sent):
        return (*findings, NOT_STARTED.finding("Port {port}.", port=port))
    left = _requests_left(instance)
    if left is not None and left < REQUESTS_OF_A_SIGN_IN:
        detail = _told(left)
        unproved = NOT_PROVED.finding(detail, fix=RATE_LIMITED.fix)
        return (*findings, RATE_LIMITED.finding(detail), unproved)
    return findings


def _requests_left(instance: Instance) -> int | None:
    """Return how many requests LibreChat still counts as sign-ins, None where it does not say.

    Source: express-rate-limit's header fields, which LibreChat leaves on.
    """
    response = instance.sign_in.response if instance.sign_in else None
    told = response.headers.get("x-ratelimit-remaining", "") if response else ""
    return int(told) if told.isdecimal() and len(told) < 7 else None


def _told(left: int) -> Message:
    return Message(
        "Sign-in requests that LibreChat still accepts: {count}. A sign-in takes two.", count=left
    )


def _invite(public_url: str, instance: Instance, ports: Ports) -> None:
    console, url = ports.console, f"{public_url}{Step.START}"
    left = _requests_left(instance)
    console.hint(
        Message("LibreChat accepts seven sign-in requests in five minutes. A sign-in takes two.")
        if left is None
        else _told(left)
    )
    open_in_browser(url, ports)


def _wait(witnesses: Sequence[Witness], since: float, seconds: float, ports: Ports) -> Evidence:
    """Ask the witnesses until the sign-in is proved, has failed, or nothing more comes."""
    deadline, is_settling = ports.clock.now() + seconds, False
    while True:
        # A log's times may lack fractions.
        evidence = Evidence([(each.name, each.look(since - 1)) for each in witnesses])
        together = evidence.together
        if together.is_proof or ports.clock.now() >= deadline:
            return evidence
        if not is_settling and (together.findings or SIGN_IN in together.parts):
            is_settling = True
            pause = SECONDS_FOR_A_CAUSE if together.findings else SECONDS_FOR_THE_PAGE
            deadline = min(deadline, ports.clock.now() + pause)
        ports.clock.sleep(LOOK_SECONDS)


def _judged(evidence: Evidence) -> Sequence[Finding]:
    together = evidence.together
    if together.is_proof:
        return ()
    findings = specific(together.findings)
    if together.last_words:
        findings = tuple(
            each._replace(detail=together.last_words) if each.rule is REFUSED else each
            for each in findings
        )
    if exit_code_of(findings) is not ExitCode.OK:
        return findings
    detail = Message("Not seen: {parts}.", parts=joined(", ", together.not_seen))
    return (*findings, NOT_PROVED.finding(detail))


def _without_witness(public_url: str) -> Finding:
    detail = Message(
        "Neither LibreChat's log nor the traffic through {url} can be read.", url=public_url
    )
    return NOT_PROVED.finding(detail)


def _shown(evidence: Evidence, ports: Ports) -> Evidence:
    console = ports.console
    for name, sighting in evidence.sightings:
        if sighting.seen:
            seen = joined(", ", sighting.seen)
            console.done("Seen by {source}: {parts}", source=name, parts=seen)
    console.finding(*evidence.findings)
    if evidence.is_proved:
        console.done("The sign-in through LibreChat works.")
    return evidence
