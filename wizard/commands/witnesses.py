"""The sources of evidence for a sign-in that goes through the running LibreChat."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from wizard.findings import Failure, Finding, Severity
from wizard.language import Message
from wizard.librechat.log import (
    NO_REFRESH_TOKEN,
    UNREADABLE,
    Log,
    judge_log,
    last_words,
    made_administrator,
    sign_in_succeeded,
)
from wizard.librechat.running import RATE_LIMITED
from wizard.rules import rule
from wizard.sign_in_traffic import Passage, Step

if TYPE_CHECKING:
    from wizard.tunnels.local_api import LocalApi

REFUSED = rule("LA436")
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


def log_witness(read: Callable[[float], Log]) -> Witness:
    """Return LibreChat's log, which names causes, but not what the browser got.

    `read` returns its lines since a time.
    """

    def look(since: float) -> Sighting:
        log = read(since)
        if sign_in_succeeded(log):
            role = {ADMINISTRATOR} if made_administrator(log) else set()
            return Sighting(frozenset({SIGN_IN} | role))
        findings = tuple(each for each in judge_log(log) if each.rule is not UNREADABLE)
        return Sighting(findings=findings, last_words=last_words(log))

    return Witness(Message("LibreChat's log"), lambda since: bool(read(since).where), look)


def tunnel_witness(name: str, passages: Callable[[], Sequence[Passage]], *, reuse: bool) -> Witness:
    """Return a tunnel, of which `passages` returns what passed it; `reuse` as in `sighting_of`."""
    return Witness(
        name,
        lambda since: any(each.at >= since for each in passages()),
        lambda since: sighting_of(passages(), since, reuse=reuse),
    )


def ngrok_witness(
    environ: Mapping[str, str], port: int, public_url: str, *, reuse: bool
) -> Witness | None:
    """Return the inspector of the agent between the public URL and the port, None without one."""
    from wizard.tunnels.local_api import LocalApi
    from wizard.tunnels.ngrok_agent import api_addresses, running_endpoints
    from wizard.tunnels.ngrok_config import read

    api, address = LocalApi(), ""
    with suppress(Failure):  # a broken configuration
        address = read(environ).web_address
    leading = running_endpoints(api, port, public_url, api_addresses(address))
    found = list(dict.fromkeys(each.address for each in leading))
    if not found:
        return None
    return tunnel_witness(Message("ngrok's inspector"), partial(inspected, api, found), reuse=reuse)


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
