from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from tests.auth0.scripted import (
    AUDIENCE,
    CALLBACK,
    CLIENT_ID,
    DOMAIN,
    INVALID_CODE,
    INVALID_REFRESH,
    LOGIN_REQUIRED,
    SECRET,
    SETTINGS,
    UNAUTHORIZED,
    WITHOUT_REUSE,
    WITHOUT_SECRET,
    FakeClock,
    Request,
    Script,
    ScriptedTenant,
    html,
    json_answer,
    kind_of,
    metadata,
    oauth,
    redirect,
    to_callback,
)
from tests.languages import speaking, untranslatable
from wizard.auth0.error_table import Check
from wizard.auth0.live_checks import TENANT_CHECKS, TenantReport, check_tenant
from wizard.findings import ExitCode, Outcome, Severity
from wizard.http import NetworkError, Response, Trouble
from wizard.settings import Settings

APPLICATION = f"https://manage.auth0.com/dashboard/us/dev-abc123/applications/{CLIENT_ID}/settings"
GRANT_TYPES = "Applications → your application → Settings → Advanced Settings → Grant Types"


def check(settings: Settings = SETTINGS, /, **answers: Script | list[Script]) -> TenantReport:
    return check_tenant(settings, ScriptedTenant(**answers), FakeClock())  # type: ignore[arg-type]


def outcomes(report: TenantReport) -> dict[Check, Outcome]:
    return {result.check: result.outcome for result in report.results}


HEALTHY = {
    Check.DISCOVERY: Outcome.PROVED,
    Check.KEYS: Outcome.PROVED,
    Check.CLIENT_ID: Outcome.PROVED,
    Check.CALLBACK: Outcome.PROVED,
    Check.FLOW: Outcome.PROVED,
    Check.AUDIENCE: Outcome.LIKELY,
    Check.SECRET: Outcome.PROVED,
    Check.REFRESH: Outcome.LIKELY,
}


def test_proves_a_healthy_tenant_as_far_as_possible_without_a_sign_in() -> None:
    report = check()
    assert outcomes(report) == HEALTHY
    assert list(outcomes(report)) == list(TENANT_CHECKS)
    assert report.findings == ()
    assert report.ok
    assert report.exit_code is ExitCode.OK


# One row per fault: the responses, the check that fails, its rule, what the fix names, and the
# other checks whose outcome differs from a healthy tenant's.
FAULTS: list[tuple[str, dict[str, Script], Check, str, str, dict[Check, Outcome]]] = [
    (
        "client ID unknown",
        {
            "authorize": html(f"<h1>Oops!</h1>invalid_request: Unknown client: {CLIENT_ID}", 400),
            "code": UNAUTHORIZED,
            "refresh": UNAUTHORIZED,
        },
        Check.CLIENT_ID,
        "LA230",
        "https://manage.auth0.com/#/applications",
        {
            Check.CALLBACK: Outcome.SKIPPED,
            Check.FLOW: Outcome.SKIPPED,
            Check.AUDIENCE: Outcome.SKIPPED,
            Check.SECRET: Outcome.SKIPPED,
            Check.REFRESH: Outcome.SKIPPED,
        },
    ),
    (
        "client ID unknown, shown on the tenant's own error page",
        {
            "authorize": redirect(
                "https://errors.example/?error=invalid_request&error_description=Unknown+client"
            ),
            "code": UNAUTHORIZED,
            "refresh": UNAUTHORIZED,
        },
        Check.CLIENT_ID,
        "LA230",
        "https://manage.auth0.com/#/applications",
        {
            Check.CALLBACK: Outcome.SKIPPED,
            Check.FLOW: Outcome.SKIPPED,
            Check.AUDIENCE: Outcome.SKIPPED,
            Check.SECRET: Outcome.SKIPPED,
            Check.REFRESH: Outcome.SKIPPED,
        },
    ),
    (
        "callback URL not registered",
        {"authorize": html(f"Callback URL mismatch. {CALLBACK} is not in the list", 403)},
        Check.CALLBACK,
        "LA231",
        f"Settings → Application URIs ({APPLICATION}), then save: {CALLBACK}",
        {Check.FLOW: Outcome.SKIPPED, Check.AUDIENCE: Outcome.SKIPPED},
    ),
    (
        "API identifier unknown",
        {
            "authorize": to_callback(
                error="access_denied", error_description=f"Service not found: {AUDIENCE}"
            )
        },
        Check.AUDIENCE,
        "LA232",
        f"create an API with the Identifier {AUDIENCE}",
        {Check.FLOW: Outcome.SKIPPED},
    ),
    (
        "API identifier unknown, encoded twice",
        {
            "authorize": to_callback(
                error="access_denied", error_description="Service%20not%20found%253A%20https"
            )
        },
        Check.AUDIENCE,
        "LA232",
        "https://manage.auth0.com/#/apis",
        {Check.FLOW: Outcome.SKIPPED},
    ),
    (
        "API does not grant the application user-delegated access",
        {
            "authorize": to_callback(
                error="invalid_request",
                error_description=f'Client "{CLIENT_ID}" is not authorized to access resource'
                f' server "{AUDIENCE}".',
            )
        },
        Check.AUDIENCE,
        "LA233",
        "User-Delegated Access",
        {Check.FLOW: Outcome.SKIPPED},
    ),
    (
        "authorization code grant off",
        {
            "authorize": to_callback(
                error="unauthorized_client",
                error_description="Grant type 'authorization_code' not allowed for the client.",
            )
        },
        Check.FLOW,
        "LA234",
        f"tick Authorization Code in {GRANT_TYPES} ({APPLICATION})",
        {Check.AUDIENCE: Outcome.SKIPPED},
    ),
    (
        "authorization code grant off, seen at the exchange",
        {
            "code": oauth(
                "unauthorized_client",
                "Grant type 'authorization_code' not allowed for the client.",
                403,
            )
        },
        Check.FLOW,
        "LA234",
        "tick Authorization Code",
        {},
    ),
    (
        "response type refused",
        {"authorize": to_callback(error="unsupported_response_type", error_description="code")},
        Check.FLOW,
        "LA235",
        "Regular Web Application",
        {Check.AUDIENCE: Outcome.SKIPPED},
    ),
    (
        "organization required",
        {
            "authorize": to_callback(
                error="invalid_request",
                error_description="parameter organization is required for this client",
            )
        },
        Check.FLOW,
        "LA236",
        f"https://manage.auth0.com/dashboard/us/dev-abc123/applications/{CLIENT_ID}/settings",
        {Check.AUDIENCE: Outcome.SKIPPED},
    ),
    (
        "no connection",
        {
            "authorize": to_callback(
                error="invalid_request", error_description="the connection is not enabled"
            )
        },
        Check.FLOW,
        "LA239",
        f"https://manage.auth0.com/dashboard/us/dev-abc123/applications/{CLIENT_ID}/connections",
        {Check.AUDIENCE: Outcome.SKIPPED},
    ),
    (
        "secret wrong",
        {"code": UNAUTHORIZED, "refresh": UNAUTHORIZED},
        Check.SECRET,
        "LA237",
        "Client Secret (Post)",
        {Check.REFRESH: Outcome.SKIPPED},
    ),
    (
        "secret wrong, in the wording of newer documentation",
        {"code": oauth("invalid_client", "x", 401), "refresh": oauth("invalid_client", "x", 401)},
        Check.SECRET,
        "LA237",
        APPLICATION,
        {Check.REFRESH: Outcome.SKIPPED},
    ),
    (
        "the application takes no secret",
        {"code": UNAUTHORIZED, "without_secret": INVALID_CODE, "refresh": UNAUTHORIZED},
        Check.SECRET,
        "LA242",
        "Client Secret (Post)",
        {Check.REFRESH: Outcome.SKIPPED},
    ),
    (
        "refresh grant off",
        {
            "refresh": oauth(
                "unauthorized_client", "Grant type 'refresh_token' not allowed for the client.", 403
            )
        },
        Check.REFRESH,
        "LA238",
        f"tick Refresh Token in {GRANT_TYPES} ({APPLICATION})",
        {},
    ),
    ("keys unreadable", {"keys": html("portal")}, Check.KEYS, "LA216", "address", {}),
]


@pytest.mark.parametrize(
    ("answers", "failing", "rule", "remedy", "others"),
    [row[1:] for row in FAULTS],
    ids=[row[0] for row in FAULTS],
)
def test_finds_each_fault_with_its_fix(
    answers: dict[str, Script],
    failing: Check,
    rule: str,
    remedy: str,
    others: dict[Check, Outcome],
) -> None:
    report = check(**answers)
    assert outcomes(report) == {**HEALTHY, failing: Outcome.FAILED, **others}
    (finding,) = report.findings
    assert report[failing].findings == (finding,)
    assert finding.rule.id == rule
    assert finding.severity is Severity.ERROR
    assert remedy in finding.fix
    assert report.exit_code is ExitCode.FINDINGS


@pytest.mark.parametrize("answers", [{}, *(row[1] for row in FAULTS)])
def test_every_text_is_translated(answers: dict[str, Script]) -> None:
    report = check(**answers)
    results = [text for each in report.results for text in (each.title, each.detail)]
    findings = [text for each in report.findings for text in (each.detail, each.fix)]
    assert untranslatable([*results, *findings]) == []


def test_a_skipped_check_names_the_other_in_dutch() -> None:
    dutch = speaking(
        {
            "Fix this first: {cause}.": "Te controleren na: {cause}.",
            "The callback URL is not registered with the application": "De URL staat er niet bij",
        }
    )
    mismatch = to_callback(error="unauthorized_client", error_description="Callback URL mismatch.")
    waiting = check(authorize=mismatch)[Check.FLOW]
    assert dutch.say(waiting.detail) == "Te controleren na: De URL staat er niet bij."


def test_proves_a_public_application_without_a_secret() -> None:
    report = check(WITHOUT_SECRET, without_secret=INVALID_CODE, refresh=INVALID_REFRESH)
    assert report[Check.SECRET].outcome is Outcome.PROVED
    assert report.ok


def test_reports_a_confidential_application_without_a_secret() -> None:
    report = check(WITHOUT_SECRET, without_secret=UNAUTHORIZED, refresh=UNAUTHORIZED)
    assert report[Check.SECRET].outcome is Outcome.FAILED
    assert [finding.rule.id for finding in report.findings] == ["LA244"]


def test_does_not_prove_a_secret_that_the_tenant_ignores() -> None:
    report = check(without_secret=INVALID_CODE)
    assert report[Check.SECRET].outcome is Outcome.UNPROVED
    assert [finding.rule.id for finding in report.findings] == ["LA243"]
    assert report.ok


def test_a_secret_is_only_likely_when_the_comparison_is_inconclusive() -> None:
    report = check(without_secret=html("?", 500))
    assert report[Check.SECRET].outcome is Outcome.LIKELY
    assert report.findings == ()


@pytest.mark.parametrize("error", ["login_required", "consent_required", "interaction_required"])
def test_each_request_for_a_login_page_proves_the_values(error: str) -> None:
    report = check(authorize=to_callback(error=error, error_description=""))
    assert outcomes(report) == HEALTHY


def test_does_not_check_api_and_refresh_without_token_reuse() -> None:
    http = ScriptedTenant()
    report = check_tenant(WITHOUT_REUSE, http, FakeClock())
    assert outcomes(report) == {
        **HEALTHY,
        Check.AUDIENCE: Outcome.SKIPPED,
        Check.REFRESH: Outcome.SKIPPED,
    }
    assert http.sent("refresh") == []
    assert report.ok


def test_skips_everything_when_discovery_fails() -> None:
    http = ScriptedTenant(discovery=NetworkError(Trouble.NAME, f"https://{DOMAIN}/"))
    report = check_tenant(SETTINGS, http, FakeClock())
    assert list(outcomes(report)) == list(TENANT_CHECKS)
    assert set(outcomes(report).values()) == {Outcome.FAILED, Outcome.SKIPPED}
    assert len(http.requests) == 1
    assert report.exit_code is ExitCode.TENANT
    assert report.discovery is None


def test_sends_no_secret_to_another_issuer() -> None:
    http = ScriptedTenant(discovery=json_answer(metadata(issuer="https://evil.example/")))
    report = check_tenant(SETTINGS, http, FakeClock())
    assert [finding.rule.id for finding in report.findings] == ["LA212"]
    assert http.sent("code") == []


NOTHING_KNOWN: list[tuple[str, Script]] = [
    ("page", html("<h1>Log in</h1>")),
    ("plain", Response("", 400, {"content-type": "text/plain"}, b"no such thing")),
    ("broken", Response("", 500, {}, b"Error: boom\n    at x.js:1")),
    ("binary", Response("", 400, {}, bytes(range(256)) * 40)),
    ("deep", json_answer(b'{"a":' * 50_000, 400)),
    ("deep, closed", json_answer(b'{"a":' * 900 + b"1" + b"}" * 900, 400)),
    ("huge", html("<p>" * 300_000, 400)),
    ("terminal", html("\x1b[2J\x1b[31mYou are \x07owned", 403)),
    ("markup", html("<script>alert(1)</script>[red]x[/red]", 400)),
    ("tokens", json_answer({"access_token": "eyJhbGciOiJub25lIn0.e30.abc"})),
    ("secret", oauth("weird", f"secret {SECRET} and code=SplxlOBe", 400)),
    ("nowhere", redirect("https://[::1")),
    ("elsewhere", redirect("http://portal.lan/?code=SplxlOBe")),
    ("teapot", Response("", 418, {}, b"")),
]


@pytest.mark.parametrize(
    "answer", [row[1] for row in NOTHING_KNOWN], ids=[r[0] for r in NOTHING_KNOWN]
)
def test_shows_an_unknown_response_and_proves_nothing(answer: Script) -> None:
    report = check(authorize=answer, code=answer, without_secret=answer, refresh=answer)
    unproved = {
        Check.CLIENT_ID,
        Check.CALLBACK,
        Check.FLOW,
        Check.AUDIENCE,
        Check.SECRET,
        Check.REFRESH,
    }
    assert {
        one for one, outcome in outcomes(report).items() if outcome is Outcome.UNPROVED
    } == unproved
    assert {finding.rule.id for finding in report.findings} == {"LA241"}
    assert report.ok  # it is not an error either
    for finding in report.findings:
        assert finding.detail.isprintable()
        assert len(finding.detail) < 400
        for hidden in (SECRET, "SplxlOBe", "eyJ"):
            assert hidden not in finding.detail


@pytest.mark.parametrize("kind", ["authorize", "code", "without_secret", "refresh", "keys"])
@pytest.mark.parametrize(
    "answer", [row[1] for row in NOTHING_KNOWN], ids=[r[0] for r in NOTHING_KNOWN]
)
def test_an_unknown_response_affects_no_other_check(kind: str, answer: Script) -> None:
    report = check(**{kind: answer})
    spoiled = {
        "authorize": {Check.CLIENT_ID, Check.CALLBACK, Check.FLOW, Check.AUDIENCE},
        "code": {Check.SECRET},
        "without_secret": {Check.SECRET},
        "refresh": {Check.REFRESH},
        "keys": {Check.KEYS},
    }[kind]
    changed = {one for one, outcome in outcomes(report).items() if outcome is not HEALTHY[one]}
    assert changed == spoiled


def test_a_login_page_is_not_an_error() -> None:
    report = check(authorize=redirect("/login?state=abc"))
    assert report[Check.CLIENT_ID].outcome is Outcome.UNPROVED
    assert [finding.rule.id for finding in report.findings] == ["LA245"]
    assert report.ok


def test_explains_a_probe_without_a_response() -> None:
    error = NetworkError(Trouble.TIMEOUT, f"https://{DOMAIN}/oauth/token")
    report = check(code=error)
    assert report[Check.SECRET].outcome is Outcome.UNPROVED
    assert [finding.rule.id for finding in report.findings] == ["LA202"]
    assert report.exit_code is ExitCode.TENANT


def test_waits_for_a_rate_limit_and_continues() -> None:
    clock = FakeClock()
    limited = Response("", 429, {"retry-after": "5"}, b"Too many requests")
    http = ScriptedTenant(authorize=[limited, LOGIN_REQUIRED], code=[limited, INVALID_CODE])
    report = check_tenant(SETTINGS, http, clock)
    assert outcomes(report) == HEALTHY
    assert clock.slept == [5.0, 5.0]


def test_reports_a_persistent_rate_limit() -> None:
    report = check(authorize=html("Too many requests", 429))
    assert report[Check.CLIENT_ID].outcome is Outcome.UNPROVED
    assert [finding.rule.id for finding in report.findings] == ["LA246"]


class Slow:
    """Time in ticks: each request takes one, and a tick passes once all concurrent ones started.

    `now` is the number of ticks so far.
    """

    def __init__(self, tenant: ScriptedTenant, together: Mapping[str, int]) -> None:
        self.tenant = tenant
        self.ticks = 0
        self._barriers = {
            kind: threading.Barrier(parties, action=self._tick)
            for kind, parties in together.items()
        }

    def _tick(self) -> None:
        self.ticks += 1

    def request(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        kind = kind_of(Request(method, url, form or {}, {}))
        self._barriers["first" if kind == "discovery" else "rest"].wait(timeout=60)
        return self.tenant.request(method, url, form=form, headers=headers)


@pytest.mark.parametrize(
    ("settings", "rest"), [(SETTINGS, 5), (WITHOUT_SECRET, 4), (WITHOUT_REUSE, 4)]
)
def test_the_longest_chain_is_two_requests(settings: Settings, rest: int) -> None:
    # No request of the second round is answered before all of them were sent.
    slow = Slow(ScriptedTenant(without_secret=INVALID_CODE), {"first": 1, "rest": rest})
    report = check_tenant(settings, slow, FakeClock())
    assert slow.ticks == 2
    assert report.ok


@pytest.mark.parametrize("first", ["keys", "authorize", "code", "without_secret", "refresh"])
def test_results_are_in_order_whatever_is_answered_first(first: str) -> None:
    others = threading.Event()

    class Ordered:
        tenant = ScriptedTenant()

        def request(
            self,
            method: str,
            url: str,
            *,
            form: Mapping[str, str] | None = None,
            body: bytes | None = None,
            headers: Mapping[str, str] | None = None,
        ) -> Response:
            kind = kind_of(Request(method, url, form or {}, {}))
            if kind not in {"discovery", first}:
                assert others.wait(60)
            answer = self.tenant.request(method, url, form=form, headers=headers)
            if kind == first:
                others.set()
            return answer

    report = check_tenant(SETTINGS, Ordered(), FakeClock())
    assert [result.check for result in report.results] == list(TENANT_CHECKS)


def test_the_json_holds_no_secret() -> None:
    report = check(code=oauth("weird", SECRET, 400))
    shown = [result.as_json() for result in report.results]
    assert [entry["check"] for entry in shown] == [one.value for one in TENANT_CHECKS]
    assert SECRET not in repr(shown)
    assert SECRET not in repr(report)
