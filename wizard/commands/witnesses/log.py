"""LibreChat's log as a witness of a sign-in: it names causes, but not what the browser got."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wizard.commands.witnesses import Sighting
from wizard.language import Message
from wizard.librechat.log import (
    UNREADABLE,
    Log,
    judge_log,
    last_words,
    made_administrator,
    sign_in_succeeded,
)


@dataclass(frozen=True, slots=True)
class LogWitness:
    """Reads the log; `read` returns its lines since a time."""

    read: Callable[[float], Log]

    @property
    def name(self) -> str:
        return Message("LibreChat's log")

    def is_present(self, since: float) -> bool:
        return bool(self.read(since).where)

    def look(self, since: float) -> Sighting:
        log = self.read(since)
        if sign_in_succeeded(log):
            return Sighting(signed_in=True, is_administrator=made_administrator(log))
        findings = tuple(each for each in judge_log(log) if each.rule is not UNREADABLE)
        return Sighting(findings=findings, last_words=last_words(log))
