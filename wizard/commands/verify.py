"""`verify`: tests the `.env` with a real sign-in, judged as LibreChat judges it.

A running LibreChat holds the port that Auth0 redirects to. Then `verify` compares what LibreChat
sends to Auth0 with the `.env` instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.auth0.callback_server import LIBRECHAT_HOLDS_PORT
from wizard.commands.choose_tunnel import NO_TUNNEL, TunnelOptions, open_tunnel
from wizard.commands.opened_urls import OpenedUrls
from wizard.commands.proofs import How, Proof, forget_proof, keep_proof
from wizard.commands.prove import check_values, sign_in
from wizard.commands.values import env_store, librechat_port, read_subject
from wizard.defaults import SECONDS_TO_SIGN_IN
from wizard.doctor.registry import FILE_CHECKS, RUNNING_CHECKS, diagnose
from wizard.doctor.subject import Subject, settings_of
from wizard.findings import ExitCode, Failure, Finding, Severity, exit_code_of
from wizard.language import Message
from wizard.librechat.admission import SignedIn, judge_admission
from wizard.librechat.running import look_at_instance
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import Settings

if TYPE_CHECKING:
    from wizard.auth0.live_checks import CheckResult, TenantReport
    from wizard.auth0.tokens import Admit, Judgement

NOT_SET_UP = rule("LA009")
URL_CHANGED = rule("LA013")
NOT_SEEN = rule("LA014")
NOT_TESTED = rule("LA435")


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """The options; "" for what was not given. `seconds` is the time to wait for the sign-in."""

    env_file: Path | None = None
    port: str = ""
    tunnel: str = ""
    seconds: float = SECONDS_TO_SIGN_IN


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result; `sign_in` is None if there was none."""

    settings: Settings
    findings: Sequence[Finding]
    checks: Sequence[CheckResult] = ()
    sign_in: Judgement | None = None
    through_librechat: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """FINDINGS if LibreChat would not sign the user in."""
        return exit_code_of(self.findings)

    def as_json(self) -> dict[str, object]:
        """Return the result as `--json` prints it; claims, no tokens."""
        return {
            "public_url": self.settings.public_url,
            "callback_url": self.settings.callback_url,
            "checks": [check.as_json() for check in self.checks],
            "proved": self.sign_in is not None and self.sign_in.is_proved,
            "through_librechat": self.through_librechat,
            "sign_in": self.sign_in.as_json() if self.sign_in else None,
        }


def run_verify(options: VerifyOptions, ports: Ports) -> VerifyResult:
    """Check the file and the live tenant, then sign in.

    Raises:
        Failure: the `.env` is not complete, the port is taken, the tunnel does not open, or nobody
            signed in.
    """
    store = env_store(options.env_file, ports)
    _, subject = read_subject(store, ports)
    settings = settings_of(subject)
    # LibreChat would not get as far as a sign-in.
    errors = [each for each in diagnose(subject, FILE_CHECKS) if each.severity is Severity.ERROR]
    if settings is None:
        has_values = all(map(subject.bare, ("OPENID_ISSUER", "OPENID_CLIENT_ID", "DOMAIN_SERVER")))
        raise Failure(errors[0]) if errors and has_values else NOT_SET_UP.failure(str(store.path))
    if errors:
        for finding in errors:
            ports.console.finding(finding)
        return VerifyResult(settings, errors)
    port = librechat_port(options.port, subject.values)
    report = check_values(settings, ports)
    result = VerifyResult(settings, report.findings, report.results)
    if not report.ok:
        return result
    try:
        tunnel = _tunnel_options(options, store.path, settings.public_url, port, ports)
        judgement = _sign_in(options, settings, report, ports, tunnel, _admission(subject))
    except Failure as failure:
        if failure.finding.rule is not LIBRECHAT_HOLDS_PORT:
            raise
        return _through_librechat(result, subject, ports, port)
    _remember(judgement.is_proved, How.VERIFY, subject, ports)
    findings = (*report.findings, *judgement.findings)
    return replace(result, findings=findings, sign_in=judgement)


def _remember(is_proved: bool, how: How, subject: Subject, ports: Ports) -> None:
    """Keep the proof for `doctor`, or forget the one of an earlier run."""
    if is_proved:
        keep_proof(ports.state_dir, subject, Proof(ports.clock.now(), how))
    else:
        forget_proof(ports.state_dir, subject.path)


def _tunnel_options(
    options: VerifyOptions, env_file: Path, public_url: str, port: int, ports: Ports
) -> TunnelOptions:
    name = options.tunnel or OpenedUrls(ports.state_dir, env_file).tunnel_for(public_url)
    return TunnelOptions(port, env_file, tunnel=name or NO_TUNNEL, known_url=public_url)


def _sign_in(
    options: VerifyOptions,
    settings: Settings,
    report: TenantReport,
    ports: Ports,
    tunnel: TunnelOptions,
    admit: Admit,
) -> Judgement:
    with ExitStack() as stack:

        def reopen() -> None:
            if tunnel.tunnel == NO_TUNNEL:
                return
            opened = stack.enter_context(open_tunnel(tunnel, ports))
            if opened.url != settings.public_url:
                detail = Message("{url} instead of {wanted}.")
                raise URL_CHANGED.failure(detail.filled(url=opened.url, wanted=settings.public_url))

        return sign_in(
            settings,
            report,
            ports,
            tunnel.port,
            seconds=options.seconds,
            open_tunnel=reopen,
            admit=admit,
        )


def _admission(subject: Subject) -> Admit:
    """Return the judge of whom LibreChat's role and domain settings let in."""
    domains = subject.config.part("registration", "allowedDomains")

    def admit(
        id_claims: Mapping[str, object], access_claims: Mapping[str, object] | None
    ) -> tuple[Finding, ...]:
        user = SignedIn(id_claims, access_claims)
        allowed = domains if isinstance(domains, list) else None
        return tuple(judge_admission(user, subject.values, allowed))

    return admit


def _through_librechat(
    result: VerifyResult, subject: Subject, ports: Ports, port: int
) -> VerifyResult:
    """Compare what LibreChat sends to Auth0; one request, because of its rate limit."""
    console = ports.console
    console.say(
        Message("LibreChat uses port {port}, so verify checks LibreChat's own sign-in.", port=port)
    )
    public_url = result.settings.public_url
    with console.working("Checking LibreChat"):
        instance = look_at_instance(ports.http, port, public_url)
    findings = diagnose(replace(subject, instance=instance), RUNNING_CHECKS)
    if exit_code_of(findings) is ExitCode.OK and not (instance.sign_in and instance.sign_in.sent):
        findings = (*findings, NOT_SEEN.finding(Message("Port {port}.", port=port)))
    if exit_code_of(findings) is ExitCode.OK:
        console.done("LibreChat redirects to Auth0 with the values of the .env.")
        findings = (
            *findings,
            NOT_TESTED.finding(Message("LibreChat runs at {url}.", url=public_url)),
        )
    for finding in findings:
        console.finding(finding)
    return replace(result, findings=(*result.findings, *findings), through_librechat=True)
