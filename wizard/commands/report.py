"""`report`: a text without secrets for a bug report."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from wizard import __version__
from wizard.commands.show import origin_of
from wizard.doctor.examine import Examination, examine
from wizard.doctor.subject import Subject
from wizard.execution import Result
from wizard.findings import ExitCode, Failure, Finding
from wizard.librechat.checkout import look_at
from wizard.librechat.secrets import is_public
from wizard.librechat.variables import VARIABLES, Format, is_known, is_secret
from wizard.ports import Ports
from wizard.settings import host_of, is_loopback
from wizard.steps.values import env_store, read_subject
from wizard.text import MASK, Secrets
from wizard.tunnels import providers_of

if TYPE_CHECKING:
    from wizard.auth0.live_checks import TenantReport

# Free texts that are no secrets.
_HARMLESS_TEXTS = frozenset({"HOST", "OPENID_AUDIENCE", "OPENID_REFRESH_AUDIENCE"})
MOST_VARIABLES = 200
# GitHub rejects addresses of over 8 kB; a character of the text may become nine.
MOST_IN_AN_ADDRESS = 6000
# Variables that name the user.
_PERSONAL = re.compile(r"^EMAIL|USER(?:NAME)?$|_EMAIL$")
_SHORTEST_NAME = 4
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+")
_HOME = re.compile(
    r"(?:(?<=/home/)|(?<=/Users/))[^/\s'\"]+|(?<=\\Users\\)[^\\\s'\"]+", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ReportResult(Result):
    """The text; its findings are no failure of the command."""

    report: str

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.OK


def run_report(
    env_file: Path | None, ports: Ports, *, offline: bool, tracker: str | None = None
) -> ReportResult:
    """Print the report and copy it; `tracker` is the project's issue address, for tests."""
    console = ports.console
    text, findings = _reported(env_file, ports, offline=offline)
    console.text(text)
    if ports.desktop.copy(text):
        console.done("Copied to the clipboard.")
    address = _issue_address(_tracker() if tracker is None else tracker, text)
    if address and ports.prompter and ports.prompter.confirm("Open a new issue with it?"):
        ports.desktop.open(address)
    elif address:
        console.say("Report it: {address}", address=address.partition("?")[0])
    return ReportResult(text, findings=findings)


def _reported(
    env_file: Path | None, ports: Ports, *, offline: bool
) -> tuple[str, Sequence[Finding]]:
    """Check everything; without a readable `.env`, that is the only finding."""
    store = env_store(env_file, ports)
    try:
        subject = read_subject(store, ports)
    except Failure as failure:
        hidden = _names_hidden([], ports.environ)
        sections = {
            "Findings": _findings([failure.finding], hidden),
            "Versions": _versions(look_at(store.path.parent).version),
        }
        return _assembled(sections), (failure.finding,)
    with ports.console.working("Checking the .env, the tenant and LibreChat"):
        examination = examine(subject, ports.http, ports.clock, offline=offline)
    return report_text(examination), examination.findings


def _tracker() -> str:
    """Return the address of new issues from the package's metadata, "" if it has none."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        urls = metadata("librechat-auth0").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    named = dict(url.split(", ", 1) for url in urls)
    return f"{named['Issues'].rstrip('/')}/new" if "Issues" in named else ""


def _issue_address(tracker: str, text: str) -> str:
    if not tracker:
        return ""
    while len(address := f"{tracker}?{urlencode({'body': text})}") > MOST_IN_AN_ADDRESS:
        text = text[: len(text) * 3 // 4]
    return address


def report_text(examination: Examination) -> str:
    """Return the report as Markdown, without secrets and empty sections."""
    subject = examination.subject
    names = _names_hidden(
        [(each.name, each.value) for each in subject.file.assignments], subject.environ
    )

    def hidden(text: str) -> str:
        return names(subject.hidden(text))

    version = subject.without_secrets(look_at(subject.path.parent).version)
    return _assembled(
        {
            "Findings": _findings(examination.findings, hidden),
            "Versions": [*_versions(version), *_runner(subject)],
            "Tenant": _tenant(examination.tenant, hidden),
            "LibreChat": _librechat(subject),
            "Variables": _variables(subject, hidden),
        }
    )


def _assembled(sections: Mapping[str, Iterable[str]]) -> str:
    """Return the sections as blocks of code: a value may look like Markdown, HTML or a mention."""
    lines = ["# librechat-auth0 report"]
    for title, each in sections.items():
        if content := [line.replace("```", "'''") for line in each]:
            lines += ["", f"## {title}", "", "```text", *content, "```"]
    text = _HOME.sub(MASK, _EMAIL.sub(MASK, "\n".join(lines)))
    return text.encode("utf-8", "replace").decode()


def _names_hidden(
    variables: Iterable[tuple[str, str]], environ: Mapping[str, str]
) -> Callable[[str], str]:
    """Return a function that hides the user's names, from variables and the environment."""
    names = {value.strip() for name, value in variables if _PERSONAL.search(name)}
    names |= {environ.get(name, "") for name in ("LOGNAME", "USER", "USERNAME")}
    return Secrets(
        name for name in names if len(name) >= _SHORTEST_NAME and not is_public(name)
    ).hidden_in


def tunnel_kind(url: str) -> str:
    """Return the kind of tunnel by the host of LibreChat's public URL."""
    if not host_of(url):
        return "none"
    if is_loopback(url):
        return "this machine only"
    return next(iter(providers_of(url)), "own domain")


def _versions(librechat: str) -> Iterator[str]:
    yield f"- librechat-auth0 {__version__}"
    yield f"- Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield f"- LibreChat checkout: {librechat or 'unknown'}"


def _runner(subject: Subject) -> Iterator[str]:
    runner = subject.runner
    if runner.is_npm:
        yield "- Docker image: none"
    else:
        container = runner.container
        service = container.definition if container else subject.deployment.service
        image = service.image if service else ""
        yield f"- Docker image: {subject.without_secrets(image) or 'none'}"
    yield f"- {subject.hidden(runner.because)}"
    if runner.version:
        source = f" ({runner.version_source})" if runner.version_source else ""
        yield f"- LibreChat version: {subject.without_secrets(runner.version)}{source}"


def _findings(findings: Iterable[Finding], hidden: Callable[[str], str]) -> Iterator[str]:
    for finding in findings:
        detail = " ".join(finding.changed(hidden).detail.split())
        yield f"- {finding.rule.id} {finding.severity.value}: {finding.rule.title}. {detail}"


def _variables(subject: Subject, hidden: Callable[[str], str]) -> Iterator[str]:
    written = {name: each.value for name, each in subject.assignments.items()}
    known = {name for name in subject.handed if is_known(name)}
    # Where LibreChat does not get the value of a line, the line's.
    values = {name: subject.values.get(name, written.get(name, "")) for name in {*written, *known}}
    names = sorted(filter(values.get, values))
    for name in names[:MOST_VARIABLES]:
        setting = subject.handed.get(name)
        origin = f"  # {origin_of(setting, subject.runner)}" if setting else ""
        yield f"{name}={hidden(_shown(name, values[name], subject))}{origin}"
    if len(names) > MOST_VARIABLES:
        yield f"and {len(names) - MOST_VARIABLES} more"


def _shown(name: str, value: str, subject: Subject) -> str:
    """Return the value of a harmless variable, of any other its length."""
    variable = VARIABLES.get(name)
    is_harmless = (
        variable is not None
        and not is_secret(name)
        and variable.accepts(value)
        and (variable.format is not Format.TEXT or name in _HARMLESS_TEXTS)
    )
    if not is_harmless:
        return "[set, 1 character]" if len(value) == 1 else f"[set, {len(value)} characters]"
    return subject.without_secrets(value)


def _tenant(report: TenantReport | None, hidden: Callable[[str], str]) -> Iterator[str]:
    if report is None:
        yield "- not checked"
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
    yield f"- public URL: {tunnel_kind(subject.value('DOMAIN_SERVER'))}"
    instance = subject.instance
    if instance is None:
        yield "- not checked"
        return
    config = instance.config
    yield f"- responds at its port: {'yes' if instance.local.config else 'no'}"
    if instance.public is not None:
        yield f"- responds at its public URL: {'yes' if instance.public.config else 'no'}"
    if config is not None:
        for key in ("openidLoginEnabled", "socialLoginEnabled"):
            yield f"- {key}: {str(config.get(key)).lower()[:10]}"
        build = config.get("buildInfo")
        commit = build.get("commit") if isinstance(build, dict) else None
        if isinstance(commit, str):
            yield f"- commit: {commit[:12]}"
