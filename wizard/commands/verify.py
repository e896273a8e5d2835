"""`verify`: proves the `.env` by a real sign-in.

A running LibreChat holds the port that Auth0 redirects to: then the user signs in to LibreChat
itself. Otherwise `verify` takes its place, and judges the tokens as LibreChat does.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.defaults import SECONDS_TO_SIGN_IN
from wizard.doctor.causes import without_consequences
from wizard.doctor.deployment import BORROWED
from wizard.doctor.registry import FILE_CHECKS, diagnose
from wizard.doctor.subject import Subject, foreign_issuer, settings_of
from wizard.execution import Result
from wizard.findings import ExitCode, Failure, Finding, Severity, exit_code_of
from wizard.http import PAST_TUNNEL_PAGES, NetworkError
from wizard.librechat.running import why_public_url_is_gone
from wizard.ports import Ports
from wizard.rules import LIBRECHAT_HOLDS_PORT, rule
from wizard.settings import Settings, is_loopback
from wizard.steps.choose_tunnel import open_tunnel
from wizard.steps.prove import (
    SIGN_IN_WORKS,
    after_sign_in,
    check_values,
    exchange_for,
    sign_in,
)
from wizard.steps.roles import show_who_may_sign_in
from wizard.steps.tunnel_menu import NO_TUNNEL, OpenedUrls, TunnelOptions
from wizard.steps.values import env_store, librechat_port, read_subject
from wizard.tunnel_services import why_closed

if TYPE_CHECKING:
    from wizard.auth0.live_checks import CheckResult
    from wizard.auth0.tokens import Judgement
    from wizard.steps.roles import Visitors
    from wizard.steps.through_librechat import Evidence

NOT_SET_UP = rule("LA009")
URL_CHANGED = rule("LA013")


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """The options; "" for what was not given. `seconds` is the time to wait for the sign-in."""

    env_file: Path | None = None
    port: str = ""
    tunnel: str = ""
    seconds: float = SECONDS_TO_SIGN_IN


@dataclass(frozen=True, slots=True)
class VerifyResult(Result):
    """The result: of a sign-in of its own, or the `evidence` of one to LibreChat.

    `who_may_sign_in` is None where the sign-in is not proved, or nobody else reaches LibreChat.
    """

    public_url: str
    callback_url: str
    checks: Sequence[CheckResult] = ()
    sign_in: Judgement | None = None
    evidence: Evidence | None = None
    who_may_sign_in: Visitors | None = None

    @property
    def is_proved(self) -> bool:
        """Whether a sign-in worked."""
        proofs = (self.sign_in, self.evidence)
        return any(each is not None and each.is_proved for each in proofs)

    def as_json(self) -> dict[str, object]:
        """Return the result as `--json` prints it; claims, no tokens."""
        return {
            **Result.as_json(self),
            "proved": self.is_proved,
            "through_librechat": self.evidence is not None,
            "evidence": self.evidence.as_json() if self.evidence else [],
        }


def run_verify(options: VerifyOptions, ports: Ports) -> VerifyResult:
    """Check the file and the live tenant, then sign in."""
    store = env_store(options.env_file, ports)
    subject = read_subject(store, ports)
    settings = settings_of(subject)
    # LibreChat would not get as far as a sign-in.
    found = diagnose(subject, FILE_CHECKS)
    errors = [e for e in found if e.severity is Severity.ERROR or e.rule is BORROWED]
    if settings is None:
        raise Failure(_why_not(subject, errors, ports))
    if errors:
        ports.console.finding(*errors)
        return VerifyResult(settings.public_url, settings.callback_url, findings=errors)
    port, url = librechat_port(options.port, subject.values), settings.public_url
    name = options.tunnel or OpenedUrls(ports.state_dir, store.path).tunnel_for(url) or NO_TUNNEL
    tunnel = TunnelOptions(port, store.path, tunnel=name, known_url=url)
    gone = None if is_loopback(url) else why_public_url_is_gone(ports.http, url)
    report = check_values(settings, ports, gone)
    result = VerifyResult(url, settings.callback_url, report.results, findings=report.findings)
    if not report.ok:
        causes = without_consequences((*filter(None, [gone]), *report.findings))
        return replace(result, findings=causes)
    try:
        exchange = exchange_for(subject, settings, report, ports)
        with ExitStack() as stack:
            reopen = partial(_reopen, stack, tunnel, ports)
            judgement = sign_in(exchange, ports, port, seconds=options.seconds, open_tunnel=reopen)
    except Failure as failure:
        if failure.finding.rule is not LIBRECHAT_HOLDS_PORT:
            raise
        return _through_librechat(options, settings, result, subject, ports, tunnel)
    subject = after_sign_in(judgement, subject, store, ports)
    if judgement.ok:
        ports.console.done(SIGN_IN_WORKS)
    visitors = show_who_may_sign_in(subject, settings, ports) if judgement.is_proved else None
    findings = (*report.findings, *judgement.findings)
    return replace(result, findings=findings, sign_in=judgement, who_may_sign_in=visitors)


def _why_not(subject: Subject, errors: Sequence[Finding], ports: Ports) -> Finding:
    """Return why there is nothing to test."""
    has_values = all(map(subject.bare, ("OPENID_ISSUER", "OPENID_CLIENT_ID", "DOMAIN_SERVER")))
    if errors and has_values:
        return errors[0]
    if has_values and (issuer := foreign_issuer(subject)):
        from wizard.auth0.tenant import refuse_issuer

        if refused := refuse_issuer(issuer, ports.http):
            return refused
    return NOT_SET_UP.finding(str(subject.path))


def _reopen(stack: ExitStack, tunnel: TunnelOptions, ports: Ports) -> None:
    """Open the tunnel of the public URL, if it has one of ours; the stack closes it."""
    if tunnel.tunnel == NO_TUNNEL:
        return
    opened = stack.enter_context(open_tunnel(tunnel, ports))
    if opened.url != (url := tunnel.known_url):
        raise URL_CHANGED.failure("{url} instead of {wanted}.", url=opened.url, wanted=url)


def _through_librechat(
    options: VerifyOptions,
    settings: Settings,
    result: VerifyResult,
    subject: Subject,
    ports: Ports,
    tunnel: TunnelOptions,
) -> VerifyResult:
    """Prove the sign-in through LibreChat; open its tunnel if the public URL does not answer."""
    from wizard.steps.through_librechat import prove_through_librechat

    ports.console.say(
        "LibreChat uses port {port}, so verify tests a sign-in to LibreChat itself.",
        port=tunnel.port,
    )
    with ExitStack() as stack:
        if not _answers(settings.public_url, ports):
            _reopen(stack, tunnel, ports)
        evidence = prove_through_librechat(subject, ports, tunnel.port, options.seconds)
    findings = without_consequences((*result.findings, *evidence.findings))
    result = replace(result, findings=findings, evidence=evidence)
    if exit_code_of(findings) is not ExitCode.OK:
        return result
    visitors = show_who_may_sign_in(subject, settings, ports)
    if visitors and not subject.bare("OPENID_REQUIRED_ROLE"):
        ports.console.hint(
            "Only an ID token shows roles from Auth0. To have LibreChat require one, stop it and"
            " run librechat-auth0 verify again."
        )
    return replace(result, who_may_sign_in=visitors)


def _answers(url: str, ports: Ports) -> bool:
    try:
        answer = ports.http.request("GET", f"{url}/health", headers=PAST_TUNNEL_PAGES)
    except NetworkError:
        return False
    return not why_closed(url, answer)
