"""`report`: one text without secrets, to paste into a bug report."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wizard import __version__
from wizard.commands.values import env_store, read_subject
from wizard.doctor.examine import Examination, examine
from wizard.doctor.subject import Subject
from wizard.findings import ExitCode, Finding
from wizard.librechat.checkout import look_at
from wizard.librechat.variables import VARIABLES, Format, is_secret
from wizard.ports import Ports
from wizard.settings import host_of, is_loopback
from wizard.text import MASK, Secrets
from wizard.tunnels import providers_of

if TYPE_CHECKING:
    from wizard.auth0.live_checks import TenantReport

# Variables of free text in which nothing secret belongs.
_HARMLESS_TEXTS = frozenset({"HOST", "OPENID_AUDIENCE", "OPENID_REFRESH_AUDIENCE"})
MOST_VARIABLES = 500
# Who the user is, to be found in the environment, in paths and in variables of these names.
_PERSONAL = re.compile(r"^EMAIL|USER(?:NAME)?$|_EMAIL$")
_SHORTEST_NAME = 4
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+")
_HOME = re.compile(
    r"(?:(?<=/home/)|(?<=/Users/))[^/\s'\"]+|(?<=\\Users\\)[^\\\s'\"]+", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ReportResult:
    """The text; what it tells of is no failure of the command."""

    text: str
    exit_code: ExitCode = ExitCode.OK
    findings: Sequence[Finding] = ()

    def as_json(self) -> dict[str, object]:
        return {"report": self.text}


def run_report(
    env_file: Path | None, ports: Ports, *, offline: bool, as_json: bool
) -> ReportResult:
    """Look at everything and put it into one text, on standard output.

    Raises:
        Failure: there is no `.env`, or it cannot be read.
    """
    _, subject = read_subject(env_store(env_file, ports), ports)
    with ports.console.working("Looking at the .env, the tenant and LibreChat"):
        examination = examine(subject, ports.http, ports.clock, offline=offline)
    text = report_text(examination)
    if not as_json:
        ports.console.text(text)
    return ReportResult(text, findings=examination.findings)


def report_text(examination: Examination) -> str:
    """The report as Markdown; nothing in it is a secret."""
    subject = examination.subject
    hidden = _hidden(subject)
    lines = [
        *_section("Versions", _versions(subject)),
        *_section("Findings", _findings(examination.findings, hidden)),
        *_section("Variables", _variables(subject, hidden)),
        *_section("Tenant", _tenant(examination.tenant, hidden)),
        *_section("LibreChat", _librechat(subject)),
    ]
    text = "\n".join(["# librechat-auth0 report", *lines])
    return _HOME.sub(MASK, _EMAIL.sub(MASK, text)).encode("utf-8", "replace").decode()


def _hidden(subject: Subject) -> Callable[[str], str]:
    """Return what hides, in what others wrote, the file's secrets and who the user is."""
    pairs = ((each.name, each.value.strip()) for each in subject.file.assignments)
    names = {value for name, value in pairs if _PERSONAL.search(name)}
    names |= {subject.environ.get(name, "") for name in ("LOGNAME", "USER", "USERNAME")}
    personal = Secrets(name for name in names if len(name) >= _SHORTEST_NAME)
    return lambda value: personal.hidden_in(subject.hidden(value))


def tunnel_kind(url: str) -> str:
    """Who leads to LibreChat, by the host of its public URL."""
    if not host_of(url):
        return "none"
    if is_loopback(url):
        return "this machine only"
    return next(iter(providers_of(url)), "an address of its own")


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield from lines


def _versions(subject: Subject) -> Iterator[str]:
    checkout = look_at(subject.path.parent)
    yield f"- librechat-auth0 {__version__}"
    yield f"- Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield f"- LibreChat checkout: {subject.without_secrets(checkout.version) or 'unknown'}"
    yield f"- Docker image: {subject.without_secrets(subject.deployment.image) or 'none'}"


def _findings(findings: Iterable[Finding], hidden: Callable[[str], str]) -> Iterator[str]:
    for finding in findings:
        detail = " ".join(finding.changed(hidden).detail.split())
        yield f"- {finding.rule.id} {finding.severity.value}: {finding.rule.title}. {detail}"


def _variables(subject: Subject, hidden: Callable[[str], str]) -> Iterator[str]:
    names = sorted(subject.assignments)
    yield "```"
    for name in names[:MOST_VARIABLES]:
        yield f"{name}={hidden(_shown(name, subject))}"
    if len(names) > MOST_VARIABLES:
        yield f"and {len(names) - MOST_VARIABLES} more"
    yield "```"


def _shown(name: str, subject: Subject) -> str:
    """The value of a variable that is known to be harmless; of others only whether it is set."""
    value = subject.assignments[name].value
    if not value:
        return ""
    variable = VARIABLES.get(name)
    if variable is None or is_secret(name) or not variable.accepts(value):
        return f"[{len(value)} characters]"
    if variable.format is Format.TEXT and name not in _HARMLESS_TEXTS:
        return f"[{len(value)} characters]"
    return subject.without_secrets(value).replace("```", "'''")


def _tenant(report: TenantReport | None, hidden: Callable[[str], str]) -> Iterator[str]:
    if report is None:
        yield "- not asked"
        return
    if report.discovery is not None:
        found = report.discovery
        yield f"- issuer: {hidden(found.issuer)}"
        yield f"- authorization endpoint: {hidden(found.authorization_endpoint)}"
        yield f"- token endpoint: {hidden(found.token_endpoint)}"
        yield f"- end session endpoint: {hidden(found.end_session_endpoint) or 'none'}"
        yield f"- ID tokens signed by: {hidden(', '.join(found.id_token_algorithms))}"
    for result in report.results:
        yield f"- {result.title}: {result.outcome.value}"


def _librechat(subject: Subject) -> Iterator[str]:
    yield f"- public URL by: {tunnel_kind(subject.value('DOMAIN_SERVER'))}"
    instance = subject.instance
    if instance is None:
        yield "- not asked"
        return
    config = instance.config
    yield f"- answers at its port: {'yes' if instance.local.config else 'no'}"
    if instance.public is not None:
        yield f"- answers at its public URL: {'yes' if instance.public.config else 'no'}"
    if config is not None:
        for key in ("openidLoginEnabled", "socialLoginEnabled"):
            yield f"- {key}: {str(config.get(key)).lower()[:10]}"
        build = config.get("buildInfo")
        commit = build.get("commit") if isinstance(build, dict) else None
        yield f"- commit: {str(commit)[:12]}"
