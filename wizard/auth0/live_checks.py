"""Checks every value against the live tenant, before LibreChat has started."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import NamedTuple, Self, TypeVar

from wizard import dashboard
from wizard.auth0.error_table import Check, Meaning, finding_of
from wizard.auth0.probes import ProbeResult, Probes
from wizard.auth0.retry import Patient
from wizard.auth0.tenant import Discovery, Jwk, fetch_discovery, fetch_keys
from wizard.findings import ExitCode, Finding, Outcome, exit_code_of
from wizard.http import HttpClient
from wizard.language import Message
from wizard.rules import rule
from wizard.settings import Settings
from wizard.system.clock import Clock
from wizard.system.threads import begin

T = TypeVar("T")
# The checks that need no sign-in.
TENANT_CHECKS = tuple(takewhile(lambda check: check is not Check.SIGN_IN, Check))

SECRET_NOT_ACCEPTED = rule("LA242")
SECRET_NOT_CHECKED = rule("LA243")
SECRET_MISSING = rule("LA244")
RATE_LIMITED = rule("LA246")
NOT_A_LOGOUT_URL = rule("LA437")


class CheckResult(NamedTuple):
    """The result of one check; `detail` is one line on why."""

    check: Check
    outcome: Outcome
    detail: str
    findings: tuple[Finding, ...] = ()

    @classmethod
    def failed(cls, check: Check, *findings: Finding) -> Self:
        """Return a failed check; the title of the first finding is its detail."""
        return cls(check, Outcome.FAILED, findings[0].rule.title, findings)

    @property
    def title(self) -> str:
        """What was checked."""
        return self.check.label

    def as_json(self) -> dict[str, object]:
        """Return the result as `--json` prints it."""
        return {
            "check": self.check.value,
            "title": self.title,
            "outcome": self.outcome.value,
            "detail": self.detail,
            "findings": [finding.as_json() for finding in self.findings],
        }


class Results:
    """What the results of several checks have in common."""

    __slots__ = ()
    results: tuple[CheckResult, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of the checks."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command with these findings."""
        return exit_code_of(self.findings)

    @property
    def ok(self) -> bool:
        """Whether no finding breaks the sign-in."""
        return self.exit_code is ExitCode.OK


@dataclass(frozen=True, slots=True)
class TenantReport(Results):
    """The results in the order of `TENANT_CHECKS`, and what a sign-in needs."""

    results: tuple[CheckResult, ...]
    discovery: Discovery | None
    keys: tuple[Jwk, ...]

    def __getitem__(self, check: Check) -> CheckResult:
        return next(result for result in self.results if result.check is check)


@dataclass(frozen=True, slots=True)
class _Answers:
    """The tenant's answers; `NOT_ASKED` or None for requests that were not sent."""

    keys: tuple[Jwk, ...]
    keys_findings: tuple[Finding, ...]
    authorize: ProbeResult
    code: ProbeResult
    without_secret: ProbeResult | None
    refresh: ProbeResult | None
    logout: str = ""


_NOT_ASKED = ProbeResult()


def check_tenant(
    settings: Settings, http: HttpClient, clock: Clock, only: Collection[Check] = TENANT_CHECKS
) -> TenantReport:
    """Check all that can be checked without a sign-in, or some of it.

    The requests that follow the discovery run in parallel, in threads. With `only`, values that
    the other checks need may be empty.
    """
    patient = Patient(http, clock)
    discovery, findings = fetch_discovery(settings, patient, clock)
    if discovery is None:
        first = CheckResult.failed(Check.DISCOVERY, *findings)
        rest = [
            CheckResult(check, Outcome.SKIPPED, "The tenant's metadata is missing.")
            for check in TENANT_CHECKS[1:]
            if check in only
        ]
        return TenantReport((first, *rest), None, ())
    detail = Message("The issuer is {issuer}.", issuer=discovery.issuer)
    results = [CheckResult(Check.DISCOVERY, Outcome.PROVED, detail, findings)]
    answers = _ask(settings, discovery, patient, only)
    results += [_JUDGES[check](settings, answers) for check in TENANT_CHECKS[1:] if check in only]
    return TenantReport(tuple(results), discovery, answers.keys)


def _ask(
    settings: Settings, discovery: Discovery, http: HttpClient, only: Collection[Check]
) -> _Answers:
    secret = settings.client_secret
    probes = Probes(settings, discovery, http)

    def ask(is_wanted: bool, work: Callable[[], T], default: T) -> Callable[[], T]:
        return begin(work).result if is_wanted else lambda: default

    asks_for_code = Check.SECRET in only or Check.FLOW in only
    authorizes = bool(_JUDGED_BY_AUTHORIZE & {*only})
    no_keys: tuple[tuple[Jwk, ...], tuple[Finding, ...]] = ((), ())
    keys = ask(Check.KEYS in only, partial(fetch_keys, discovery, http), no_keys)
    authorize = ask(authorizes, probes.authorize, _NOT_ASKED)
    code = ask(asks_for_code, partial(probes.code, secret), _NOT_ASKED)
    without_secret = ask(bool(secret) and asks_for_code, partial(probes.code, None), None)
    refresh = ask(settings.reuse_tokens and Check.REFRESH in only, probes.refresh, None)
    signs_out = bool(settings.logout_url and discovery.end_session_endpoint) and authorizes
    logout = ask(signs_out, probes.logout, "")
    return _Answers(*keys(), authorize(), code(), without_secret(), refresh(), logout())


def _judge_keys(_: Settings, answers: _Answers) -> CheckResult:
    if not answers.keys:
        return CheckResult.failed(Check.KEYS, *answers.keys_findings)
    detail = Message("{count} can verify RS256 signatures.", count=len(answers.keys))
    return CheckResult(Check.KEYS, Outcome.PROVED, detail, answers.keys_findings)


def _judge_client_id(settings: Settings, answers: _Answers) -> CheckResult:
    check, answer = Check.CLIENT_ID, answers.authorize
    if answer.blames(Check.CALLBACK):
        return CheckResult(
            check, Outcome.PROVED, "The tenant has this application and compared its URLs."
        )
    if answer.came_back and not answer.blames(check):
        return CheckResult(check, Outcome.PROVED, "The tenant has this application.")
    return _not_proved(check, answer, settings, explain=True)


def _judge_callback(settings: Settings, answers: _Answers) -> CheckResult:
    check, answer = Check.CALLBACK, answers.authorize
    if answer.came_back and not answer.blames(check):
        detail = Message("The tenant redirects to {url}.", url=settings.callback_url)
        return CheckResult(check, Outcome.PROVED, detail, tuple(_judge_logout(settings, answers)))
    return _not_proved(check, answer, settings)


def _judge_logout(settings: Settings, answers: _Answers) -> Iterator[Finding]:
    """LA437: of an application whose callback URL is right, the tenant refuses the logout URL."""
    if answers.logout:
        url = settings.logout_url
        yield NOT_A_LOGOUT_URL.finding(
            Message("{url}: {answer}.", url=url, answer=answers.logout),
            fix=Message(
                "Run librechat-auth0 provision. Or add this line to Allowed Logout URLs in"
                " {application}, then save: {url}",
                application=dashboard.application(settings.client_id, domain=settings.domain),
                url=url,
            ),
        )


def _judge_flow(settings: Settings, answers: _Answers) -> CheckResult:
    check = Check.FLOW
    both = (answers.authorize, answers.code)
    answer = next((each for each in both if each.blames(check)), answers.authorize)
    if _only_login_missing(answer):
        return CheckResult(check, Outcome.PROVED, "The tenant accepts response_type=code.")
    return _not_proved(check, answer, settings)


def _judge_audience(settings: Settings, answers: _Answers) -> CheckResult:
    check, answer = Check.AUDIENCE, answers.authorize
    if not settings.reuse_tokens:
        return CheckResult(check, Outcome.SKIPPED, "Not needed: tokens are not reused.")
    if not settings.audience:
        return CheckResult(check, Outcome.SKIPPED, "None is set.")
    if _only_login_missing(answer):
        # Auth0 does not document that it checks the audience before it asks for a login.
        return _likely(check)
    return _not_proved(check, answer, settings)


def _judge_secret(settings: Settings, answers: _Answers) -> CheckResult:
    check = Check.SECRET
    answer, bare = answers.code, answers.without_secret
    open_to_all = bare is not None and bare.known is Meaning.INVALID_GRANT
    if answer.known is Meaning.WRONG_SECRET:
        return _judge_wrong_secret(settings, answers, open_to_all=open_to_all)
    if answer.known is not Meaning.INVALID_GRANT and not answer.blames(Check.FLOW):
        return _not_proved(check, answer, settings, explain=True)
    if bare is None:
        return CheckResult(check, Outcome.PROVED, "None is set, and the tenant requires none.")
    if open_to_all:
        finding = SECRET_NOT_CHECKED.finding(
            "The tenant gives the same answer with and without the secret."
        )
        return CheckResult(check, Outcome.UNPROVED, finding.rule.title, (finding,))
    if bare.known is Meaning.WRONG_SECRET:
        return CheckResult(
            check, Outcome.PROVED, "The tenant accepts it, and rejects a request without it."
        )
    return CheckResult(check, Outcome.LIKELY, "The tenant did not reject it.")


def _judge_wrong_secret(settings: Settings, answers: _Answers, *, open_to_all: bool) -> CheckResult:
    check = Check.SECRET
    if answers.authorize.blames(Check.CLIENT_ID):
        return CheckResult(check, Outcome.SKIPPED, "Fix the Client ID first.")
    if open_to_all:
        finding = SECRET_NOT_ACCEPTED.finding(
            "The tenant accepts the Client ID without a secret and rejects this secret."
        )
        return CheckResult.failed(check, finding)
    if not settings.client_secret:
        return CheckResult.failed(
            check, SECRET_MISSING.finding("The tenant rejects the Client ID without a secret.")
        )
    return _failed(check, answers.code, settings)


def _judge_refresh(settings: Settings, answers: _Answers) -> CheckResult:
    check, answer = Check.REFRESH, answers.refresh
    if answer is None:
        return CheckResult(check, Outcome.SKIPPED, "Not needed: tokens are not reused.")
    if answer.known is Meaning.INVALID_GRANT:
        return _likely(check)
    if answer.known is Meaning.WRONG_SECRET:
        return CheckResult(check, Outcome.SKIPPED, "Fix the Client ID and secret first.")
    return _not_proved(check, answer, settings, explain=True)


_JUDGES = {
    Check.KEYS: _judge_keys,
    Check.CLIENT_ID: _judge_client_id,
    Check.CALLBACK: _judge_callback,
    Check.FLOW: _judge_flow,
    Check.AUDIENCE: _judge_audience,
    Check.SECRET: _judge_secret,
    Check.REFRESH: _judge_refresh,
}
_JUDGED_BY_AUTHORIZE = {Check.CLIENT_ID, Check.CALLBACK, Check.FLOW, Check.AUDIENCE}


def _only_login_missing(answer: ProbeResult) -> bool:
    return answer.came_back and answer.cause is None


def _likely(check: Check) -> CheckResult:
    return CheckResult(
        check, Outcome.LIKELY, "The tenant did not reject it; a sign-in will prove it."
    )


def _failed(check: Check, answer: ProbeResult, settings: Settings) -> CheckResult:
    if answer.cause is None:
        raise ValueError("an answer that fails no check")
    return CheckResult.failed(check, finding_of(answer.error, settings, answer.cause.rule))


def _not_proved(
    check: Check, answer: ProbeResult, settings: Settings, *, explain: bool = False
) -> CheckResult:
    """Return the result of an answer that proves nothing, with a finding if requested."""
    if answer.blames(check):
        return _failed(check, answer, settings)
    if answer.known is not None:
        cause = answer.cause.rule.title if answer.cause else Message("the sign-in")
        detail = Message("Fix this first: {cause}.", cause=Message.of(cause))
        return CheckResult(check, Outcome.SKIPPED, detail)
    if answer.trouble is not None:
        finding = answer.trouble
    elif answer.status == 429:
        finding = RATE_LIMITED.finding()
    else:
        finding = finding_of(answer.error, settings)
    return CheckResult(check, Outcome.UNPROVED, finding.rule.title, (finding,) if explain else ())
