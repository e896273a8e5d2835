"""Rules on the process that runs LibreChat: its age, its log, and who set its values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from wizard.clock import local_time
from wizard.doctor.check import Check
from wizard.doctor.subject import Subject
from wizard.findings import Finding
from wizard.language import Message, sentences
from wizard.librechat.log import UNKNOWN_ERROR, judge_log
from wizard.rules import rule

STARTED_EARLIER = rule("LA594")
# Comparisons of the running LibreChat with the file.
_OF_VALUES = frozenset({"LA522", "LA524", "LA525"})


def _started_earlier(subject: Subject) -> Iterator[Finding]:
    started, newer = subject.traces.started, subject.traces.newer
    if started is None or not newer:
        return
    changes = (
        Message("{file} was changed at {time}.", file=name, time=_shown(at))
        for name, at in newer.items()
    )
    began = Message("It started at {time}.", time=_shown(started))
    yield STARTED_EARLIER.finding(sentences(subject.runner.because, began, *changes))


def _log(subject: Subject) -> Iterator[Finding]:
    yield from judge_log(subject.traces.log, is_running=subject.traces.started is not None)


def with_remedy(finding: Finding, subject: Subject) -> Finding:
    """Return the finding with the remedy for a value that LibreChat got from its shell."""
    process, name = subject.runner.process, finding.variable or ""
    if finding.rule.id not in _OF_VALUES or process is None or name not in (process.environ or {}):
        return finding
    fix = Message(
        "Unset {name} in the shell or service that starts process {pid}, then restart LibreChat.",
        name=name,
        pid=process.pid,
    )
    return replace(finding, fix=fix)


def _shown(seconds: float) -> str:
    return local_time(datetime.fromtimestamp(seconds, UTC))


CHECKS = (Check(UNKNOWN_ERROR, _log), Check(STARTED_EARLIER, _started_earlier))
