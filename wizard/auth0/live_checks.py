"""The live checks: proves every value against the tenant before LibreChat has started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from wizard.auth0.error_table import Check, Meaning, Row, as_it_came
from wizard.auth0.probes import Answer, Landing, Probes
from wizard.auth0.retry import Patient
from wizard.auth0.tenant import Discovery, Jwk, fetch_discovery, fetch_keys
from wizard.clock import Clock
from wizard.findings import ExitCode, Finding, Outcome, exit_code_of
from wizard.http import HttpClient
from wizard.language import Message
from wizard.rules import rule
from wizard.settings import Settings
from wizard.threads import begin

TITLES = {
    Check.DISCOVERY: Message("Tenant"),
    Check.KEYS: Message("Signing keys"),
    Check.CLIENT_ID: Message("Client ID"),
    Check.CALLBACK: Message("Callback URL"),
    Check.FLOW: Message("Authorization code flow"),
    Check.AUDIENCE: Message("API identifier"),
    Check.SECRET: Message("Client secret"),
    Check.REFRESH: Message("Refresh token grant"),
    Check.SIGN_IN: Message("Sign-in"),
    Check.EXCHANGE: Message("Code exchange"),
    Check.ID_TOKEN: Message("ID token"),
    Check.ACCESS_TOKEN: Message("Access token"),
    Check.REFRESH_TOKEN: Message("Refresh token"),
    Check.REFRESHED: Message("Refresh"),
}
# Those that need nobody to sign in.
TENANT_CHECKS = (
    Check.DISCOVERY,
    Check.KEYS,
    Check.CLIENT_ID,
    Check.CALLBACK,
    Check.FLOW,
    Check.AUDIENCE,
    Check.SECRET,
    Check.REFRESH,
)

SECRET_NOT_ACCEPTED = rule("LA242")
SECRET_NOT_CHECKED = rule("LA243")
SECRET_MISSING = rule("LA244")
LOGIN_PAGE_SHOWN = rule("LA245")
RATE_LIMITED = rule("LA246")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check came to; `detail` is one line on why the outcome is what it is."""

    check: Check
    outcome: Outcome
    detail: str
    findings: tuple[Finding, ...] = ()

    @classmethod
    def failed(cls, check: Check, *findings: Finding) -> Self:
        """A check that failed because of what was found; the first tells it in one line."""
        return cls(check, Outcome.FAILED, findings[0].rule.title, findings)

    @property
    def title(self) -> str:
        """What was checked."""
        return TITLES[self.check]

    def as_json(self) -> dict[str, object]:
        """The result as `--json` shows it."""
        return {
            "check": self.check.value,
            "title": self.title,
            "outcome": self.outcome.value,
            "detail": self.detail,
            "findings": [finding.as_json() for finding in self.findings],
        }


class Results:
    """What follows from the results of several checks."""

    __slots__ = ()
    results: tuple[CheckResult, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, in the order of the checks."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def ok(self) -> bool:
        """Whether nothing was found that breaks the sign-in."""
        return self.exit_code is ExitCode.OK

    @property
    def exit_code(self) -> ExitCode:
        """What a command ends with: TENANT when it could not be reached, FINDINGS for others."""
        return exit_code_of(self.findings)


@dataclass(frozen=True, slots=True)
class TenantReport(Results):
    """All results in the order of `TENANT_CHECKS`, and what a sign-in needs to go on."""

    results: tuple[CheckResult, ...]
    discovery: Discovery | None
    keys: tuple[Jwk, ...]

    def __getitem__(self, check: Check) -> CheckResult:
        """The result of that check."""
        return next(result for result in self.results if result.check is check)

    def as_json(self) -> list[dict[str, object]]:
        """The results as `--json` shows them."""
        return [result.as_json() for result in self.results]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the independent requests brought.

    `without_secret` and `refresh` are None when they were not asked for.
    """

    keys: tuple[Jwk, ...]
    keys_findings: tuple[Finding, ...]
    authorize: Answer
    code: Answer
    without_secret: Answer | None
    refresh: Answer | None


OnResult = Callable[[CheckResult], None]


def check_tenant(
    settings: Settings,
    http: HttpClient,
    clock: Clock,
    on_result: OnResult = lambda _: None,
) -> TenantReport:
    """Check all that can be checked without a sign-in.

    The discovery comes first, then every other request at the same time: the longest chain is
    two requests, three when one is sent again.

    Args:
        settings: what to prove.
        http: the network; used from several threads.
        clock: for rate limits and for comparing the time with the tenant's.
        on_result: called with each result, in the order of `TENANT_CHECKS`, as soon as it stands.
    """
    patient = Patient(http, clock)
    discovery, findings = fetch_discovery(settings, patient, clock)
    first = _judge_discovery(discovery, findings)
    on_result(first)
    if discovery is None:
        keys: tuple[Jwk, ...] = ()
        rest = [_without_discovery(check) for check in TENANT_CHECKS[1:]]
    else:
        answers = _ask(settings, discovery, patient)
        keys = answers.keys
        rest = judge(settings, answers)
    for result in rest:
        on_result(result)
    return TenantReport((first, *rest), discovery, keys)


def judge(settings: Settings, answers: Answers) -> list[CheckResult]:
    """The results that follow from the answers, in the order of `TENANT_CHECKS`; pure."""
    return [
        _judge_keys(answers),
        _judge_client_id(settings, answers),
        _judge_callback(settings, answers),
        _judge_flow(settings, answers),
        _judge_audience(settings, answers),
        _judge_secret(settings, answers),
        _judge_refresh(settings, answers),
    ]


def _without_discovery(check: Check) -> CheckResult:
    return CheckResult(check, Outcome.SKIPPED, "It needs the tenant's metadata.")


def _ask(settings: Settings, discovery: Discovery, http: HttpClient) -> Answers:
    secret = settings.client_secret
    probes = Probes(settings, discovery, http)
    keys = begin(fetch_keys, discovery, http)
    authorize = begin(probes.authorize)
    code = begin(probes.code, secret)
    without_secret = begin(probes.code, None) if secret else None
    refresh = begin(probes.refresh) if settings.reuse_tokens else None
    usable, keys_findings = keys.result()
    return Answers(
        keys=usable,
        keys_findings=keys_findings,
        authorize=authorize.result(),
        code=code.result(),
        without_secret=without_secret.result() if without_secret else None,
        refresh=refresh.result() if refresh else None,
    )


def _judge_discovery(discovery: Discovery | None, findings: tuple[Finding, ...]) -> CheckResult:
    if discovery is None:
        return CheckResult.failed(Check.DISCOVERY, *findings)
    detail = Message("{issuer} is the issuer that LibreChat will compare.", issuer=discovery.issuer)
    return CheckResult(Check.DISCOVERY, Outcome.PROVED, detail, findings)


def _judge_keys(answers: Answers) -> CheckResult:
    if not answers.keys:
        return CheckResult.failed(Check.KEYS, *answers.keys_findings)
    detail = Message("{count} to verify RS256 signatures with.", count=len(answers.keys))
    return CheckResult(Check.KEYS, Outcome.PROVED, detail, answers.keys_findings)


def _judge_client_id(settings: Settings, answers: Answers) -> CheckResult:
    answer = answers.authorize
    check = Check.CLIENT_ID
    if _blames(answer, check):
        return _failed(check, answer, settings)
    if _blames(answer, Check.CALLBACK):
        return CheckResult(check, Outcome.PROVED, "The tenant knows it and compared its URLs.")
    if _came_back(answer):
        return CheckResult(check, Outcome.PROVED, "The tenant knows it.")
    return _not_proved(check, answer, settings, tell=True)


def _judge_callback(settings: Settings, answers: Answers) -> CheckResult:
    answer = answers.authorize
    check = Check.CALLBACK
    if _blames(answer, check):
        return _failed(check, answer, settings)
    if _came_back(answer):
        detail = Message("The tenant sends people back to {url}.", url=settings.callback_url)
        return CheckResult(check, Outcome.PROVED, detail)
    return _not_proved(check, answer, settings)


def _judge_flow(settings: Settings, answers: Answers) -> CheckResult:
    check = Check.FLOW
    blamed = [one for one in (answers.authorize, answers.code) if _blames(one, check)]
    if blamed:
        return _failed(check, blamed[0], settings)
    if _came_back_well(answers.authorize):
        return CheckResult(check, Outcome.PROVED, "The tenant takes response_type=code.")
    return _not_proved(check, answers.authorize, settings)


def _judge_audience(settings: Settings, answers: Answers) -> CheckResult:
    answer = answers.authorize
    check = Check.AUDIENCE
    if not settings.reuse_tokens:
        return CheckResult(check, Outcome.SKIPPED, "Tokens are not reused, so none is needed.")
    if not settings.audience:
        return CheckResult(check, Outcome.SKIPPED, "None is given.")
    if _blames(answer, check):
        return _failed(check, answer, settings)
    if _came_back_well(answer):
        # That Auth0 looks at the audience before it asks for a login is not documented.
        return CheckResult(
            check, Outcome.LIKELY, "The tenant did not object; the sign-in will prove it."
        )
    return _not_proved(check, answer, settings)


def _judge_secret(settings: Settings, answers: Answers) -> CheckResult:
    check = Check.SECRET
    answer, bare = answers.code, answers.without_secret
    accepted = answer.means(Meaning.INVALID_GRANT) or _blames(answer, Check.FLOW)
    open_to_all = bare is not None and bare.means(Meaning.INVALID_GRANT)
    if answer.means(Meaning.WRONG_SECRET):
        return _judge_refusal(settings, answers, takes_none=open_to_all)
    if not accepted:
        return _not_proved(check, answer, settings, tell=True)
    if bare is None:
        return CheckResult(check, Outcome.PROVED, "None is given, and the tenant wants none.")
    if open_to_all:
        finding = SECRET_NOT_CHECKED.finding(
            "The tenant answers alike with the secret and without."
        )
        return CheckResult(check, Outcome.UNPROVED, finding.rule.title, (finding,))
    if bare.means(Meaning.WRONG_SECRET):
        return CheckResult(check, Outcome.PROVED, "The tenant takes it, and nothing without it.")
    return CheckResult(check, Outcome.LIKELY, "The tenant did not object to it.")


def _judge_refusal(settings: Settings, answers: Answers, *, takes_none: bool) -> CheckResult:
    """The credentials were refused: by which of their parts."""
    check = Check.SECRET
    if _blames(answers.authorize, Check.CLIENT_ID):
        return CheckResult(check, Outcome.SKIPPED, "It can be checked when the Client ID is right.")
    if takes_none:
        finding = SECRET_NOT_ACCEPTED.finding(
            "It takes the Client ID alone and refuses the secret."
        )
        return CheckResult.failed(check, finding)
    if not settings.client_secret:
        return CheckResult.failed(check, SECRET_MISSING.finding("It refuses the Client ID alone."))
    return _failed(check, answers.code, settings)


def _judge_refresh(settings: Settings, answers: Answers) -> CheckResult:
    check = Check.REFRESH
    answer = answers.refresh
    if answer is None:
        return CheckResult(check, Outcome.SKIPPED, "Tokens are not reused, so none is needed.")
    if _blames(answer, check):
        return _failed(check, answer, settings)
    if answer.means(Meaning.INVALID_GRANT):
        return CheckResult(
            check, Outcome.LIKELY, "The tenant did not object; the sign-in will prove it."
        )
    if answer.means(Meaning.WRONG_SECRET):
        return CheckResult(
            check, Outcome.SKIPPED, "It can be checked when the Client ID and secret are right."
        )
    return _not_proved(check, answer, settings, tell=True)


def _blames(answer: Answer, check: Check) -> bool:
    return (
        answer.known is not None
        and answer.known.cause is not None
        and answer.known.cause.blames is check
    )


def _came_back(answer: Answer) -> bool:
    """Whether Auth0 sent the browser to our callback with words that are known."""
    return answer.landing is Landing.CALLBACK and answer.known is not None


def _came_back_well(answer: Answer) -> bool:
    """Whether only the login was missing."""
    return _came_back(answer) and answer.known is not None and answer.known.cause is None


def _failed(check: Check, answer: Answer, settings: Settings) -> CheckResult:
    if answer.known is None:
        raise ValueError("only a known answer tells what failed")
    return CheckResult.failed(check, answer.known.finding(answer.error, settings))


def _not_proved(
    check: Check, answer: Answer, settings: Settings, *, tell: bool = False
) -> CheckResult:
    """Nothing follows from the answer for this check; `tell` if this is the one to say why."""
    if answer.known is not None:
        detail = Message("It can be checked after: {cause}.", cause=_cause(answer.known))
        return CheckResult(check, Outcome.SKIPPED, detail)
    if answer.trouble is not None:
        finding = answer.trouble
    elif answer.status == 429:
        finding = RATE_LIMITED.finding()
    elif answer.landing is Landing.LOGIN:
        finding = LOGIN_PAGE_SHOWN.finding()
    else:
        finding = as_it_came(answer.error, settings)
    return CheckResult(check, Outcome.UNPROVED, finding.rule.title, (finding,) if tell else ())


def _cause(known: Row) -> Message:
    return Message.of(known.cause.rule.title) if known.cause else Message("the sign-in")
