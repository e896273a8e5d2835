"""Proves a sign-in through the running LibreChat, by what its log and the tunnel show of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial, reduce
from http import HTTPStatus
from operator import or_
from typing import TYPE_CHECKING, NamedTuple

from wizard.defaults import SECONDS_TO_SIGN_IN
from wizard.doctor.examine import causes_of
from wizard.doctor.process import STARTED_EARLIER, with_remedy
from wizard.doctor.registry import RUNNING_CHECKS, diagnose
from wizard.doctor.subject import Subject
from wizard.findings import ExitCode, Failure, Finding, Severity, exit_code_of
from wizard.language import Message, joined
from wizard.librechat.log import (
    NO_REFRESH_TOKEN,
    UNREADABLE,
    Log,
    judge_log,
    last_words,
    log_of,
    made_administrator,
    sign_in_succeeded,
)
from wizard.librechat.running import RATE_LIMITED, Instance, look_at_instance
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import is_loopback
from wizard.sign_in_traffic import Passage, Step, recorded
from wizard.steps.proofs import How, remember
from wizard.steps.prove import open_in_browser

if TYPE_CHECKING:
    from wizard.tunnels.local_api import LocalApi

NOT_STARTED = rule("LA014")
NOT_PROVED = rule("LA435")
REFUSED = rule("LA436")

LOOK_SECONDS = 1.0
# A log line and what passes a tunnel are there within a second; a page takes a few to load.
SECONDS_FOR_A_CAUSE = 3.0
SECONDS_FOR_THE_PAGE = 20.0
SECONDS_FOR_A_WITNESS = 2.0
REQUESTS_OF_A_SIGN_IN = 2
# The page asks once, and once more after a refresh.
_MOST_REFUSALS = 2

SIGN_IN = Message("the sign-in")
REFRESH_TOKEN = Message("the refresh token")
SESSION = Message("a request of the signed-in session")
ADMINISTRATOR = Message("the administrator's role")
# What works and can be refreshed.
_PROOF = (SIGN_IN, REFRESH_TOKEN, SESSION)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one witness saw of the sign-in.

    Attributes:
        parts: what it saw.
        findings: why it did not see more.
        last_words: the last warning or error of LibreChat, for a failure whose cause has no rule.
    """

    parts: frozenset[Message] = frozenset()
    findings: tuple[Finding, ...] = ()
    last_words: Message | None = None

    def __or__(self, other: "Sighting") -> "Sighting":
        return Sighting(
            self.parts | other.parts,
            (*self.findings, *other.findings),
            self.last_words or other.last_words,
        )

    @property
    def is_proof(self) -> bool:
        """Whether the sign-in works and can be refreshed."""
        return not self.not_seen

    @property
    def seen(self) -> Sequence[Message]:
        """What was seen, in order."""
        return [part for part in (*_PROOF, ADMINISTRATOR) if part in self.parts]

    @property
    def not_seen(self) -> Sequence[Message]:
        """What a proof lacks, in order."""
        return [part for part in _PROOF if part not in self.parts]


NOTHING = Sighting()
Passages = Callable[[], Sequence[Passage]]


class Witness(NamedTuple):
    """One source of evidence.

    Attributes:
        name: what it is, for people.
        is_present: whether it sees requests: of those after that time, it has seen the first click.
        look: returns what it saw since then, in seconds since the epoch.
    """

    name: str
    is_present: Callable[[float], bool]
    look: Callable[[float], Sighting]


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
        witnesses = _present([*_witnesses(subject, ports, port)], began, ports)
    findings = obstacles(subject._replace(instance=instance), instance, port)
    if exit_code_of(findings) is not ExitCode.OK:
        return _shown(Evidence(findings=findings), ports)
    ports.console.done("LibreChat redirects to Auth0 with the values of the .env.")
    if not witnesses:
        unread = NOT_PROVED.finding(
            "Neither LibreChat's log nor the traffic through {url} can be read.", url=public_url
        )
        return _shown(Evidence(findings=(*findings, unread)), ports)
    since = ports.clock.now()
    left = _requests_left(instance)
    free = Message("LibreChat accepts seven sign-in requests in five minutes. A sign-in takes two.")
    ports.console.hint(free if left is None else _told(left))
    open_in_browser(f"{public_url}{Step.START}", ports)
    with ports.console.working("Waiting for the sign-in"):
        evidence = _wait(witnesses, since, seconds, ports)
    judged = (with_remedy(each, subject) for each in _judged(evidence.together))
    evidence = replace(evidence, findings=(*findings, *judged))
    remember(ports, subject, How.LIBRECHAT, is_proved=evidence.is_proved)
    return _shown(evidence, ports)


def _witnesses(subject: Subject, ports: Ports, port: int) -> Iterator[Witness]:
    reuse, url = subject.reuses_tokens, subject.value("DOMAIN_SERVER")
    yield _log_witness(subject, ports)
    ours = partial(recorded, ports.state_dir, port)
    yield tunnel_witness(Message("the tunnel"), ours, reuse=reuse)
    if not is_loopback(url) and (ngrok := _ngrok_inspectors(ports, port, url)):
        yield tunnel_witness(Message("ngrok's inspector"), ngrok, reuse=reuse)


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
    without_log = subject._replace(traces=traces._replace(log=traces.log._replace(lines=())))
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


def _judged(together: Sighting) -> Sequence[Finding]:
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
    missing = joined(", ", together.not_seen)
    return (*findings, NOT_PROVED.finding("Not seen: {parts}.", parts=missing))


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


def _log_witness(subject: Subject, ports: Ports) -> Witness:
    """Return LibreChat's log, which names causes, but not what the browser got."""

    def read(since: float) -> Log:
        return log_of(subject.runner, subject.path.parent, subject.values, since, ports.processes)

    def look(since: float) -> Sighting:
        log = read(since)
        if sign_in_succeeded(log):
            role = {ADMINISTRATOR} if made_administrator(log) else set()
            return Sighting(frozenset({SIGN_IN} | role))
        findings = tuple(each for each in judge_log(log) if each.rule is not UNREADABLE)
        return Sighting(findings=findings, last_words=last_words(log))

    return Witness(Message("LibreChat's log"), lambda since: bool(read(since).where), look)


def tunnel_witness(name: str, passages: Passages, *, reuse: bool) -> Witness:
    """Return a tunnel, of which `passages` returns what passed it; `reuse` as in `sighting_of`."""
    return Witness(
        name,
        lambda since: any(each.at >= since for each in passages()),
        lambda since: sighting_of(passages(), since, reuse=reuse),
    )


def _ngrok_inspectors(ports: Ports, port: int, public_url: str) -> Passages | None:
    """Return the inspectors of the agents between the public URL and the port, None for none."""
    from wizard.tunnels.local_api import LocalApi
    from wizard.tunnels.ngrok_agent import api_addresses, running_endpoints
    from wizard.tunnels.ngrok_config import read

    api, address = LocalApi(), ""
    with suppress(Failure):  # a broken configuration
        address = read(ports.environ).web_address
    leading = running_endpoints(api, port, public_url, api_addresses(address))
    found = list(dict.fromkeys(each.address for each in leading))
    return partial(inspected, api, found) if found else None


def inspected(api: "LocalApi", addresses: Sequence[str]) -> Sequence[Passage]:
    """Return what the ngrok agents at these addresses of this machine saw, oldest first."""
    from wizard.tunnels.ngrok_agent import passages

    found = [each for address in addresses for each in passages(api, address)]
    return sorted(found, key=lambda each: each.at)


def sighting_of(passages: Sequence[Passage], since: float, *, reuse: bool) -> Sighting:
    """Judge what passed a tunnel since then.

    Args:
        passages: oldest first.
        since: seconds since the epoch.
        reuse: whether LibreChat's sessions use Auth0's tokens.
    """
    callbacks = [each for each in passages if each.step is Step.CALLBACK and each.at >= since]
    if not callbacks:
        return NOTHING
    callback = callbacks[-1]
    if callback.status == 429:
        return Sighting(findings=(RATE_LIMITED.finding(_answered(callback)),))
    if callback.is_refused or not 300 <= callback.status < 400:
        return Sighting(findings=(REFUSED.finding(_answered(callback)),))
    if not callback.has_refresh_token:
        cause = NO_REFRESH_TOKEN if reuse else REFUSED
        missing = cause.finding("{path} set no cookie refreshToken.", path=Step.CALLBACK)
        return Sighting(frozenset({SIGN_IN}), (missing,))
    asked = [each for each in passages if each.step is Step.USER and each.at >= callback.at]
    refusals = [each for each in asked if each.status == 401]
    if any(each.status in {200, 304} for each in asked):
        return Sighting(frozenset(_PROOF))
    storm = (REFUSED.finding(_answered(refusals[-1])),) if len(refusals) > _MOST_REFUSALS else ()
    return Sighting(frozenset({SIGN_IN, REFRESH_TOKEN}), storm)


def specific(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return each finding once, and those that name no cause only where no other does."""
    each_once = tuple({each.rule.id: each for each in reversed(findings)}.values())[::-1]
    causes = tuple(each for each in each_once if each.rule is not REFUSED)
    return causes if any(each.severity is Severity.ERROR for each in causes) else each_once


def _answered(passed: Passage) -> Message:
    if passed.is_refused:
        return Message("{path} redirects with an error.", path=passed.step)
    return Message("{path}: status {status}.", path=passed.step, status=passed.status)
