"""The sources of evidence for a sign-in that goes through the running LibreChat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from wizard.findings import Finding, Severity
from wizard.language import Message
from wizard.librechat.log import NO_REFRESH_TOKEN
from wizard.librechat.running import RATE_LIMITED
from wizard.rules import rule
from wizard.sign_in_traffic import Passage, Step

REFUSED = rule("LA436")
# The page asks once, and once more after a refresh.
_MOST_REFUSALS = 2


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one witness saw of the sign-in.

    Attributes:
        signed_in: LibreChat accepted Auth0's answer.
        has_refresh_token: it gave the browser a refresh token.
        is_accepted: it then answered a request of that session.
        is_administrator: it made the user an administrator by a role.
        findings: why it did not.
        last_words: the last warning or error of LibreChat, for a failure whose cause has no rule.
    """

    signed_in: bool = False
    has_refresh_token: bool = False
    is_accepted: bool = False
    findings: tuple[Finding, ...] = ()
    last_words: Message | None = None
    is_administrator: bool = False

    def __or__(self, other: Sighting) -> Sighting:
        return Sighting(
            self.signed_in or other.signed_in,
            self.has_refresh_token or other.has_refresh_token,
            self.is_accepted or other.is_accepted,
            (*self.findings, *other.findings),
            self.last_words or other.last_words,
            self.is_administrator or other.is_administrator,
        )

    @property
    def is_proof(self) -> bool:
        """Whether the sign-in works and can be refreshed."""
        return self.signed_in and self.has_refresh_token and self.is_accepted

    @property
    def seen(self) -> Sequence[Message]:
        """What was seen, for people."""
        role = Message("the administrator's role")
        parts = (*self._parts(), (role, self.is_administrator))
        return [text for text, was_seen in parts if was_seen]

    @property
    def not_seen(self) -> Sequence[Message]:
        """What a proof lacks, for people."""
        return [text for text, was_seen in self._parts() if not was_seen]

    def _parts(self) -> Sequence[tuple[Message, bool]]:
        return (
            (Message("the sign-in"), self.signed_in),
            (Message("the refresh token"), self.has_refresh_token),
            (Message("a request of the signed-in session"), self.is_accepted),
        )


NOTHING = Sighting()


class Witness(Protocol):
    """One source of evidence."""

    @property
    def name(self) -> str:
        """What it is, for people."""
        ...

    def is_present(self, since: float) -> bool:
        """Whether it sees requests: of those after that time, it has seen the first click."""
        ...

    def look(self, since: float) -> Sighting:
        """Return what it saw since then, in seconds since the epoch."""
        ...


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
        detail = Message("{path} set no cookie refreshToken.", path=Step.CALLBACK)
        missing = (NO_REFRESH_TOKEN if reuse else REFUSED).finding(detail)
        return Sighting(signed_in=True, findings=(missing,))
    asked = [each for each in passages if each.step is Step.USER and each.at >= callback.at]
    refusals = [each for each in asked if each.status == 401]
    if any(each.status in {200, 304} for each in asked):
        return Sighting(signed_in=True, has_refresh_token=True, is_accepted=True)
    storm = (REFUSED.finding(_answered(refusals[-1])),) if len(refusals) > _MOST_REFUSALS else ()
    return Sighting(signed_in=True, has_refresh_token=True, findings=storm)


def specific(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return each finding once, and those that name no cause only where no other does."""
    each_once = tuple({each.rule.id: each for each in reversed(findings)}.values())[::-1]
    causes = tuple(each for each in each_once if each.rule is not REFUSED)
    return causes if any(each.severity is Severity.ERROR for each in causes) else each_once


def _answered(passed: Passage) -> Message:
    if passed.is_refused:
        return Message("{path} redirects with an error.", path=passed.step)
    return Message("{path}: status {status}.", path=passed.step, status=passed.status)
