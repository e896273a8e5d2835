"""Rules on the process that runs LibreChat: its age, its log, and who set its values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wizard.doctor.check import Check, Violation, check
from wizard.doctor.subject import Subject
from wizard.findings import Finding, Severity
from wizard.language import Message, ended, sentences
from wizard.librechat.log import NO_REFRESH_TOKEN, UNKNOWN_ERROR, judge_log
from wizard.librechat.restart import restart_fix
from wizard.librechat.version_gates import KEEPS_SESSIONS, VERSION_FAULT
from wizard.rules import rule
from wizard.system.clock import local_time

STARTED_EARLIER = rule("LA594")
FAILS_WITH_OLD_VALUES = rule("LA550")
# Comparisons of the running LibreChat with the file.
_OF_VALUES = frozenset({"LA522", "LA524", "LA525"})
# What a restart fixes where LibreChat is older than its `.env`, and than its `librechat.yaml`.
_OF_OLD_ENV = _OF_VALUES | {"LA526", "LA581", "LA582", "LA584", "LA585", "LA586", "LA589", "LA590"}
_OF_OLD_CONFIG = frozenset({"LA523", "LA587"})
# What the tenant rejects, and whose value that is.
_VARIABLES = {
    "LA200": "OPENID_ISSUER",
    "LA207": "OPENID_ISSUER",
    "LA230": "OPENID_CLIENT_ID",
    "LA231": "DOMAIN_SERVER",
    "LA232": "OPENID_AUDIENCE",
    "LA233": "OPENID_AUDIENCE",
    "LA237": "OPENID_CLIENT_SECRET",
}
_UNREACHABLE = frozenset({"LA526", "LA582"})
RETRIES_DISCOVERY = "0.8.8-rc3"


def _started_earlier(subject: Subject) -> Iterator[Violation]:
    started, newer = subject.traces.started, subject.traces.newer
    if started is None or not newer:
        return
    changes = (
        Message("{file} was changed at {time}.", file=name, time=local_time(at))
        for name, at in newer.items()
    )
    began = Message("It started at {time}.", time=local_time(started))
    yield Violation(sentences(began, *changes), fix=restart_fix(subject.runner))


def with_remedy(finding: Finding, subject: Subject) -> Finding:
    """Return the finding with the remedy for this LibreChat."""
    if _is_of_shell(finding, subject):
        return finding._replace(fix=_without(finding.variable or "", subject))
    if (name := _VARIABLES.get(finding.rule.id, "")) and subject.overriding(name):
        seen = sentences(ended(finding.detail), ended(subject.seen(name)))
        return finding._replace(detail=seen, fix=_without(name, subject), variable=name)
    is_note = finding.severity is Severity.NOTE
    if finding.variable and not is_note and _is_kept_back(finding.variable, subject):
        return finding._replace(fix=_passing_on(finding.variable, subject))
    if finding.rule is NO_REFRESH_TOKEN and subject.runs_before(KEEPS_SESSIONS):
        return finding._replace(fix=VERSION_FAULT.fix)
    if finding.rule.id in _UNREACHABLE and (fix := _reaching_tenant(subject)):
        return finding._replace(fix=fix)
    return finding


def _reaching_tenant(subject: Subject) -> Message | None:
    """Return the next step for a LibreChat that cannot reach the tenant, None for the rule's."""
    if subject.value("PROXY"):
        return Message(
            "LibreChat asks the tenant through PROXY: correct it or remove it, then restart"
            " LibreChat. If the error remains, set NODE_EXTRA_CA_CERTS to your CA's file."
        )
    if not subject.version or subject.runs_before(RETRIES_DISCOVERY):
        return None
    return Message(
        "Wait a minute: LibreChat {version} tries again without a restart. If the error"
        " remains, Node cannot reach or trust the tenant: set PROXY, or set"
        " NODE_EXTRA_CA_CERTS to your CA's file.",
        version=subject.version,
    )


def _is_kept_back(name: str, subject: Subject) -> bool:
    """Whether the file sets the variable, and Docker Compose does not pass it on."""
    is_set = name in subject.assignments and name not in subject.environment
    return is_set and bool(subject.deployment.service and subject.deployment.files)


def _passing_on(name: str, subject: Subject) -> Message:
    deployment = subject.deployment
    return Message(
        "Add {name} to environment of {service} in {file}, or pass on the whole file there"
        " (env_file: {path}).",
        name=name,
        service=deployment.service.name if deployment.service else "",
        file=deployment.files[0],
        path=subject.path.name,
    )


def _without(name: str, subject: Subject) -> Message:
    """Return the next step for a value that does not come from the `.env`."""
    setting, process = subject.handed.get(name), subject.runner.process
    if process is not None:
        return Message(
            "Unset {name} in the shell or service that starts process {pid}, then restart"
            " LibreChat.",
            name=name,
            pid=process.pid,
        )
    if setting is not None and setting.where:
        return Message("Correct {name} in {file}.", name=name, file=setting.where)
    return Message("Run unset {name}, then start LibreChat again.", name=name)


def with_whole_values(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings; a rejected value that LibreChat cuts at a # has the remedy for that."""
    cut = {each.variable: each.fix for each in findings if each.rule.id == "LA154"}
    return [
        each._replace(fix=cut[name]) if (name := _VARIABLES.get(each.rule.id)) in cut else each
        for each in findings
    ]


def with_age_first(findings: Sequence[Finding], subject: Subject) -> list[Finding]:
    """Return the findings; those that a restart fixes are one, which says why."""
    stale = next((each for each in findings if each.rule is STARTED_EARLIER), None)
    if stale is None:
        return list(findings)
    has_new_config = any(name.endswith(("yaml", "yml")) for name in subject.traces.newer)
    of_old = _OF_OLD_ENV | (_OF_OLD_CONFIG if has_new_config else frozenset())
    fixed = [
        each for each in findings if each.rule.id in of_old and not _is_of_shell(each, subject)
    ]
    errors = [each for each in fixed if each.severity is Severity.ERROR]
    if errors:
        detail = sentences(stale.detail, *(ended(each.detail) for each in errors))
        stale = FAILS_WITH_OLD_VALUES.finding(detail, fix=stale.fix)
    return [
        stale if each.rule is STARTED_EARLIER else each for each in findings if each not in fixed
    ]


def _is_of_shell(finding: Finding, subject: Subject) -> bool:
    """Whether LibreChat got the value from its shell, so that no restart changes it."""
    process = subject.runner.process
    environ = (process.environ if process else None) or {}
    return finding.rule.id in _OF_VALUES and finding.variable in environ


CHECKS = (
    Check(
        UNKNOWN_ERROR,
        lambda it: judge_log(it.traces.log, is_running=it.traces.started is not None),
    ),
    check(STARTED_EARLIER.id, _started_earlier, says_runner=True),
)
