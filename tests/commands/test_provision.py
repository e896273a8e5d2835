from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from traceback import format_exception
from typing import Any, NoReturn

import pytest
from dotenv import dotenv_values

from tests.fakes import ScriptedPrompter, World, make_world
from tests.management_stand_in import LIMITS, SCOPES, Managed
from tests.ports import free_port
from tests.tenant.state import Api, Application, AuthMethod, Policy, User
from wizard.auth0.live_checks import check_tenant
from wizard.auth0.management_access import TokenClaims, by_token
from wizard.auth0.management_plan import Wanted
from wizard.auth0.sign_in import Exchange, SignIn
from wizard.commands.init import run_init
from wizard.commands.provision import ProvisionOptions, ProvisionResult, run_provision
from wizard.demo.user import sign_in_like_a_user
from wizard.findings import ExitCode, Failure, Outcome
from wizard.http import HttpClient
from wizard.known import Known, known_in
from wizard.settings import Settings
from wizard.steps.choose_access import Credential
from wizard.steps.init_progress import InitResult
from wizard.steps.options import InitOptions
from wizard.steps.prove import check_values
from wizard.steps.provisioning import Provisioning, swap_urls
from wizard.system.clock import Clock

URL = "https://chat.example.com"
CALLBACK = f"{URL}/oauth/openid/callback"
AUDIENCE = "https://api.librechat.ai"
NAME = "LibreChat"
NO_CLAIMS = TokenClaims()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "LibreChat"
    path.mkdir()
    return path


@pytest.fixture
def run(managed: Managed, folder: Path) -> Run:
    return Run(managed, folder)


class Run:
    """`provision` in a folder, with a token that has every scope."""

    def __init__(self, managed: Managed, folder: Path) -> None:
        self.managed = managed
        self.folder = folder
        self.said = ""

    def world(
        self,
        *script: tuple[str, object],
        environ: dict[str, str] | None = None,
        http: HttpClient | None = None,
    ) -> World:
        known = {"AUTH0_MANAGEMENT_TOKEN": self.managed.token()} if environ is None else environ
        return make_world(
            self.folder,
            prompter=ScriptedPrompter(*script) if script else None,
            http=http or self.managed.http,
            clock=self.managed.clock,
            environ=known,
        )

    def __call__(
        self,
        *script: tuple[str, object],
        environ: dict[str, str] | None = None,
        **changed: Any,
    ) -> ProvisionResult:
        world = self.world(*script, environ=environ)
        options: dict[str, Any] = {"domain": self.managed.domain, "public_url": URL, "yes": True}
        env_file = changed.pop("env_file", None)
        try:
            return run_provision(ProvisionOptions(**{**options, **changed}), world.ports, env_file)
        finally:
            self.said = world.said
            if isinstance(world.ports.prompter, ScriptedPrompter):
                world.ports.prompter.verify()

    def refused(self, **changed: Any) -> Failure:
        with pytest.raises(Failure) as failure:
            self(**changed)
        return failure.value

    @property
    def env(self) -> dict[str, str]:
        read = dotenv_values(self.folder / ".env", interpolate=False)
        return {name: value or "" for name, value in read.items()}

    @property
    def application(self) -> Application:
        """The application with our name."""
        (found,) = [it for it in self.managed.tenant.applications.values() if it.name == NAME]
        return found

    @property
    def api(self) -> Api:
        return self.managed.tenant.apis[AUDIENCE]

    def assert_green(self) -> None:
        """Assert with the live checks, not the plan, that the tenant is what LibreChat needs."""
        env = self.env
        settings = Settings(
            self.managed.domain,
            env["OPENID_CLIENT_ID"] or "",
            env["OPENID_CLIENT_SECRET"] or "",
            (env["OPENID_AUDIENCE"] or "",),
            env["DOMAIN_SERVER"] or "",
        )
        report = check_tenant(settings, self.managed.http, self.managed.clock)
        assert report.ok, report.findings
        assert not report.findings


def test_from_an_empty_tenant_to_green_checks(run: Run) -> None:
    result = run()

    assert result.exit_code is ExitCode.OK
    assert result.applied
    run.assert_green()
    application = run.application
    assert application.app_type == "regular_web"
    assert application.token_endpoint_auth_method is AuthMethod.POST
    assert application.oidc_conformant
    assert application.id_token_alg == "RS256"
    assert application.grant_types == ["authorization_code", "refresh_token"]
    assert application.callbacks == [CALLBACK]
    assert application.allowed_logout_urls == [f"{URL}/login", URL]
    assert application.web_origins == [URL]
    assert run.api.signing_alg == "RS256"
    assert run.api.allow_offline_access
    assert run.api.skip_consent_for_verifiable_first_party_clients
    assert (run.api.user_policy, run.api.client_policy) == (Policy.ALLOW_ALL, Policy.DENY_ALL)
    assert run.env["OPENID_CLIENT_ID"] == application.client_id
    assert run.env["OPENID_CLIENT_SECRET"] == application.client_secret


NEEDS_A_GRANT = Api(
    identifier=AUDIENCE, signing_alg="HS256", user_policy=Policy.REQUIRE_CLIENT_GRANT
)


@pytest.mark.parametrize("there", [None, NEEDS_A_GRANT], ids=["empty tenant", "an API to repair"])
def test_leads_to_a_real_sign_in(run: Run, there: Api | None) -> None:
    if there is not None:
        run.managed.tenant.add(replace(there))
    user = User(login="me@example.com", password="p", user_id="auth0|1", email="me@example.com")
    run.managed.tenant.add(user)
    run.managed.tenant.clock = time.time
    port, http = free_port(), run.managed.http
    url = f"http://localhost:{port}"
    given = Known(domain=run.managed.domain, audiences=(AUDIENCE,), public_url=url)
    access = by_token(run.managed.token(), run.managed.domain, http)
    ports = run.world().ports._replace(clock=Clock())

    wanted = Wanted(url, AUDIENCE)
    known, findings = Provisioning(given, wanted, run.folder / ".env", access, ports).apply()

    assert not findings
    settings = known.settings()
    report = check_tenant(settings, http, Clock())
    assert report.ok
    assert report.discovery is not None
    exchange = Exchange(settings, report.discovery, report.keys, http)
    with SignIn(exchange, port, linger=0) as flow:
        sign_in_like_a_user(http, flow.url, user.login, user.password)
        judgement = flow.wait(60)
    assert judgement.ok, judgement.findings
    assert {result.outcome for result in judgement.results} == {Outcome.PROVED}


def test_the_second_run_changes_nothing(run: Run) -> None:
    run()
    run.managed.api.reset()
    before = (run.folder / ".env").stat()

    result = run()

    assert not result.applied
    assert not result.changes
    assert not run.managed.api.writes
    assert "Nothing to do" in run.said
    assert (run.folder / ".env").stat().st_mtime_ns == before.st_mtime_ns


def test_the_second_run_needs_no_options(run: Run) -> None:
    run()

    result = run(domain="", public_url="")

    assert not result.changes
    assert result.exit_code is ExitCode.OK
    assert run.env["DOMAIN_SERVER"] == URL


def test_creates_no_api_without_token_reuse(run: Run) -> None:
    result = run(reuse_tokens=False)

    assert result.exit_code is ExitCode.OK
    assert AUDIENCE not in run.managed.tenant.apis
    assert run.application.grant_types == ["authorization_code"]


def test_finds_the_application_by_its_client_id(run: Run) -> None:
    other = Application(name="Chat of our team")
    run.managed.tenant.add(other)

    result = run(client_id=other.client_id)

    assert result.client_id == other.client_id
    assert other.callbacks == [CALLBACK]
    assert other.name == "Chat of our team"
    assert not any(it.name == NAME for it in run.managed.tenant.applications.values())


def test_finds_an_application_beyond_the_first_page(run: Run) -> None:
    run.managed.api.limits["clients"] = 1000
    for number in range(230):
        run.managed.tenant.add(Application(name=f"Application {number}"))
    mine = Application(name=NAME)
    run.managed.tenant.add(mine)
    for number in range(120):
        run.managed.tenant.add(Api(identifier=f"https://api-{number}.example.com"))
    run.managed.tenant.add(Api(identifier=AUDIENCE, allow_offline_access=True))

    result = run()

    assert result.client_id == mine.client_id
    pages = [call.query.get("page") for call in run.managed.api.calls if call.path == "clients"]
    assert pages[:3] == ["0", "1", "2"]
    run.assert_green()


def test_rejects_two_applications_with_the_same_name(run: Run) -> None:
    run.managed.tenant.add(Application(name=NAME), Application(name=NAME))

    failure = run.refused()

    assert failure.finding.rule.id == "LA610"
    assert "--client-id" in failure.finding.fix
    assert not run.managed.api.writes


def test_reports_a_client_id_that_is_not_in_the_tenant(run: Run) -> None:
    failure = run.refused(client_id="a" * 32)

    assert failure.finding.rule.id == "LA611"
    assert not run.managed.api.writes


# -- repair of each wrong setting -----------------------------------------------------------------

Damage = Callable[[Application, Api], None]


def _set(which: str, name: str, value: object) -> Damage:
    return lambda application, api: setattr(application if which == "app" else api, name, value)


DAMAGES = {
    "app_type": _set("app", "app_type", "spa"),
    "token_endpoint_auth_method": _set("app", "token_endpoint_auth_method", AuthMethod.NONE),
    "token_endpoint_auth_method basic": _set("app", "token_endpoint_auth_method", AuthMethod.BASIC),
    "client_authentication_methods": _set(
        "app", "token_endpoint_auth_method", AuthMethod.PRIVATE_KEY_JWT
    ),
    "oidc_conformant": _set("app", "oidc_conformant", False),
    "jwt_configuration": _set("app", "id_token_alg", "HS256"),
    "grant_types code": _set("app", "grant_types", ["refresh_token"]),
    "grant_types refresh": _set("app", "grant_types", ["authorization_code"]),
    "callbacks": _set("app", "callbacks", []),
    "allowed_logout_urls": _set("app", "allowed_logout_urls", [URL]),
    "web_origins": _set("app", "web_origins", []),
    "signing_alg": _set("api", "signing_alg", "HS256"),
    "allow_offline_access": _set("api", "allow_offline_access", False),
    "skip_consent_for_verifiable_first_party_clients": _set(
        "api", "skip_consent_for_verifiable_first_party_clients", False
    ),
    "token_encryption": _set("api", "encrypted_tokens", True),
    "subject_type_authorization": _set("api", "user_policy", Policy.DENY_ALL),
    "client_grant": _set("api", "user_policy", Policy.REQUIRE_CLIENT_GRANT),
}
CHANGED_TOGETHER = {
    "client_authentication_methods": {
        "client_authentication_methods",
        "token_endpoint_auth_method",
    },
    "subject_type_authorization": {"subject_type_authorization", "client_grant"},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_repairs_each_wrong_setting_and_nothing_else(run: Run, damage: str) -> None:
    run()
    sound = (replace(run.application), replace(run.api))
    DAMAGES[damage](run.application, run.api)

    result = run()

    field = damage.split(maxsplit=1)[0]
    assert {change.field for change in result.changes} == CHANGED_TOGETHER.get(field, {field})
    assert all(change.why for change in result.changes)
    run.assert_green()
    if damage == "subject_type_authorization":
        assert run.api.user_policy is Policy.REQUIRE_CLIENT_GRANT
    elif damage != "client_grant":
        assert (sorted_lists(run.application), run.api) == (sorted_lists(sound[0]), sound[1])
    assert not run().changes


def test_reads_the_secret_of_an_application_that_authenticated_with_a_key(run: Run) -> None:
    """Auth0 does not show it before."""
    run()
    (run.folder / ".env").unlink()
    run.application.token_endpoint_auth_method = AuthMethod.PRIVATE_KEY_JWT

    assert run(dry_run=True).changes
    run()

    assert run.env["OPENID_CLIENT_SECRET"] == run.application.client_secret
    run.assert_green()


def sorted_lists(application: Application) -> Application:
    return replace(
        application,
        grant_types=sorted(application.grant_types),
        allowed_logout_urls=sorted(application.allowed_logout_urls),
    )


def test_recreates_a_deleted_api(run: Run) -> None:
    run()
    del run.managed.tenant.apis[AUDIENCE]

    run()

    run.assert_green()


def test_creates_a_user_grant_where_the_policy_requires_it(run: Run) -> None:
    run.managed.tenant.add(
        Api(identifier=AUDIENCE, allow_offline_access=True, user_policy=Policy.REQUIRE_CLIENT_GRANT)
    )

    run()

    grant = run.managed.tenant.grant(run.application.client_id, AUDIENCE, "user")
    assert grant is not None
    assert grant.scope == ()
    assert run.managed.tenant.grant(run.application.client_id, AUDIENCE, "client") is None
    run.assert_green()


def test_shows_the_dashboards_terms_and_reasons(run: Run) -> None:
    run()
    run.application.app_type = "spa"
    run.application.callbacks = ["https://old.example.com/oauth/openid/callback"]

    run()

    assert "Application Type" in run.said
    assert "- spa" in run.said
    assert "+ regular_web" in run.said
    assert f"+ {CALLBACK}" in run.said
    assert "- https://old.example.com" not in run.said


# -- other people's settings ----------------------------------------------------------------------

THEIRS = {
    "callbacks": ["https://theirs.example.com/callback", "com.example.app://callback"],
    "allowed_logout_urls": ["https://theirs.example.com"],
    "web_origins": ["https://theirs.example.com"],
    "grant_types": ["implicit", "client_credentials"],
}


def add_theirs(run: Run) -> Application:
    application = Application(name=NAME)
    for name, values in THEIRS.items():
        setattr(application, name, list(values))
    run.managed.tenant.add(application)
    return application


def test_keeps_what_others_added(run: Run) -> None:
    application = add_theirs(run)

    result = run()

    for name, theirs in THEIRS.items():
        assert getattr(application, name)[: len(theirs)] == theirs
    assert CALLBACK in application.callbacks
    assert not any(change.removed for change in result.changes)
    run.assert_green()


def test_prune_removes_and_shows_what_librechat_does_not_need(run: Run) -> None:
    application = add_theirs(run)

    run(prune=True)

    assert application.callbacks == [CALLBACK]
    assert application.allowed_logout_urls == [f"{URL}/login", URL]
    assert application.web_origins == [URL]
    assert sorted(application.grant_types) == ["authorization_code", "refresh_token"]
    for theirs in (url for urls in THEIRS.values() for url in urls):
        assert f"- {theirs}" in run.said
    assert not run(prune=True).changes


def test_a_changed_url_replaces_only_ours(run: Run) -> None:
    application = add_theirs(run)
    run(public_url="https://first.example.com")

    result = run(public_url="https://second.example.com")

    assert application.callbacks == [
        *THEIRS["callbacks"],
        "https://second.example.com/oauth/openid/callback",
    ]
    assert {change.field for change in result.changes} == {
        "callbacks",
        "allowed_logout_urls",
        "web_origins",
    }
    assert "- https://first.example.com/oauth/openid/callback" in run.said
    run.assert_green()


def test_keeps_a_url_that_existed_before(run: Run) -> None:
    first = "https://first.example.com/oauth/openid/callback"
    application = Application(name=NAME, callbacks=[first])
    run.managed.tenant.add(application)
    run(public_url="https://first.example.com")

    run(public_url="https://second.example.com")

    assert first in application.callbacks


def test_keeps_a_url_that_another_env_file_needs(run: Run, tmp_path: Path) -> None:
    run(public_url="https://first.example.com")
    run(public_url="https://first.example.com", env_file=tmp_path / "LibreChat" / "other.env")

    run(public_url="https://second.example.com")

    assert "https://first.example.com/oauth/openid/callback" in run.application.callbacks


def test_warns_about_a_wildcard_on_a_shared_domain_and_removes_it_with_prune(run: Run) -> None:
    wild = "https://*.ngrok-free.app/oauth/openid/callback"
    run.managed.tenant.add(Application(name=NAME, callbacks=[wild]))

    result = run()

    assert [finding.rule.id for finding in result.findings] == ["LA612"]
    assert wild in run.application.callbacks
    run(prune=True)
    assert run.application.callbacks == [CALLBACK]


def test_accepts_a_wildcard_on_the_users_own_domain(run: Run) -> None:
    run.managed.tenant.add(
        Application(name=NAME, callbacks=["https://*.example.com/oauth/openid/callback"])
    )

    assert not run().findings


def test_never_writes_a_wildcard(run: Run) -> None:
    failure = run.refused(public_url="https://*.ngrok-free.app")

    assert failure.exit_code is ExitCode.USAGE
    assert not run.managed.api.calls


def test_a_third_party_application_gets_its_grant_and_a_warning(run: Run) -> None:
    theirs = Application(name="Partner", is_first_party=False)
    run.managed.tenant.add(theirs)

    result = run(client_id=theirs.client_id)

    assert "LA613" in {finding.rule.id for finding in result.findings}
    assert result.exit_code is ExitCode.FINDINGS
    assert run.managed.tenant.grant(theirs.client_id, AUDIENCE) is not None


# -- asking ---------------------------------------------------------------------------------------


def test_dry_run_reads_only(run: Run) -> None:
    result = run(dry_run=True)

    assert {call.method for call in run.managed.api.calls} == {"GET"}
    assert result.changes
    assert not result.applied
    assert not (run.folder / ".env").exists()
    assert "Dry run" in run.said


def test_changes_nothing_after_a_no(run: Run) -> None:
    result = run(("Make these changes?", False))

    assert not result.applied
    assert not run.managed.api.writes


SPANNING = 'OPENID_CLIENT_SECRET="old\nMISTRAL_API_KEY=sk-of-the-user"\nLAST=1\n'


def test_rejects_an_unwritable_secret_before_creating_an_application(
    run: Run,
) -> None:
    env_file = run.folder / ".env"
    env_file.write_text(SPANNING)

    failure = run.refused()

    assert failure.finding.detail == "OPENID_CLIENT_SECRET is on lines 1 to 2."
    assert not run.managed.api.writes
    assert env_file.read_text() == SPANNING


def test_removes_lines_of_the_env_after_a_separate_yes(run: Run) -> None:
    run()
    env_file = run.folder / ".env"
    text = env_file.read_text().replace(run.application.client_secret, "")
    text = text.replace("OPENID_CLIENT_SECRET=\n", SPANNING)
    env_file.write_text(text)

    assert run.refused().finding.rule.id == "LA016"
    assert not run(("Remove all of these lines?", None)).applied
    assert env_file.read_text() == text
    assert "- MISTRAL_API_KEY=••••••••" in run.said

    assert run(("Remove all of these lines?", True), ("Make these changes?", True)).applied
    assert "MISTRAL_API_KEY" not in run.env
    run.assert_green()


def test_a_script_changes_nothing_without_yes(run: Run) -> None:
    failure = run.refused(yes=False)

    assert failure.exit_code is ExitCode.USAGE
    assert not run.managed.api.writes


def test_json_has_the_changes_and_no_secret(run: Run) -> None:
    result = run()

    shown = json.dumps(result.as_json())
    assert '"setting": "callbacks"' in shown
    assert run.application.client_secret not in shown


# -- credentials ----------------------------------------------------------------------------------


def machine_environ(managed: Managed) -> dict[str, str]:
    managed.token()  # creates the machine's grant
    return {
        "AUTH0_MANAGEMENT_CLIENT_ID": managed.machine.client_id,
        "AUTH0_MANAGEMENT_CLIENT_SECRET": managed.machine.client_secret,
    }


def test_a_machine_to_machine_application(run: Run) -> None:
    run(environ=machine_environ(run.managed), tenant_domain=run.managed.domain)

    run.assert_green()


def test_a_machine_to_machine_application_with_a_wrong_secret(run: Run) -> None:
    environ = {**machine_environ(run.managed), "AUTH0_MANAGEMENT_CLIENT_SECRET": "wrong-secret"}

    failure = run.refused(environ=environ, tenant_domain=run.managed.domain)

    assert failure.finding.rule.id == "LA617"
    assert "wrong-secret" not in str(failure)


def test_a_token_from_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"Bearer {run.managed.token()}\n")

    run(environ={}, management_token_file=str(path))

    run.assert_green()


def test_reports_a_missing_token_file(run: Run) -> None:
    failure = run.refused(environ={}, management_token_file="/nowhere")

    assert failure.finding.rule.id == "LA620"


def test_asks_for_a_token(run: Run) -> None:
    result = run(
        ("Use the Management API", "token"),
        ("Management API token", run.managed.token()),
        ("Make these changes?", True),
        environ={},
    )

    assert result.applied
    run.assert_green()


def test_takes_the_domain_from_the_token(run: Run) -> None:
    result = run(domain="")

    assert result.exit_code is ExitCode.OK
    assert run.env["OPENID_ISSUER"] == f"https://{run.managed.domain}"


def test_reports_missing_credentials(run: Run) -> None:
    failure = run.refused(environ={})

    assert failure.finding.rule.id == "LA600"
    assert failure.exit_code is ExitCode.USAGE


def test_rejects_a_token_of_another_tenant(run: Run) -> None:
    failure = run.refused(domain="other.us.auth0.com")

    assert failure.finding.rule.id == "LA615"
    assert not run.managed.api.calls


def test_a_custom_domain_needs_the_tenants_domain(run: Run) -> None:
    environ = machine_environ(run.managed)
    failure = run.refused(environ=environ)
    assert failure.finding.rule.id == "LA616"
    assert "--tenant-domain" in failure.finding.fix

    result = run(
        ("tenant's own domain", run.managed.domain),
        ("Make these changes?", True),
        environ=environ,
    )

    assert result.applied


@pytest.mark.parametrize("scope", SCOPES)
def test_names_each_missing_scope_before_any_change(run: Run, scope: str) -> None:
    run.managed.tenant.add(
        Api(identifier=AUDIENCE, user_policy=Policy.REQUIRE_CLIENT_GRANT)
        if "client_grants" in scope or scope == "update:resource_servers"
        else Application()
        if scope == "update:clients"
        else Application(name="another")
    )
    token = run.managed.token(*(it for it in SCOPES if it != scope))
    environ = {"AUTH0_MANAGEMENT_TOKEN": token}

    if scope == "update:client_grants":
        assert run(environ=environ).applied
        return
    if scope == "read:client_grants":
        run.managed.tenant.add(Application(name=NAME))
    failure = run.refused(environ=environ)

    assert failure.finding.rule.id == "LA602"
    assert scope in failure.finding.detail
    assert not run.managed.api.writes


def test_names_a_missing_scope_from_the_response(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a token that is not a JWT."""
    monkeypatch.setattr("wizard.auth0.management_access.claims_of", lambda _: NO_CLAIMS)
    token = run.managed.token(*(it for it in SCOPES if it != "create:clients"))

    failure = run.refused(
        environ={"AUTH0_MANAGEMENT_TOKEN": token}, tenant_domain=run.managed.domain
    )

    assert failure.finding.rule.id == "LA602"
    assert "create:clients" in failure.finding.detail
    assert "Done so far: API" in failure.finding.detail


# -- limits and faults ----------------------------------------------------------------------------


def test_waits_as_long_as_the_rate_limit_says(run: Run) -> None:
    run.managed.api.rate = 2  # Auth0's free plan: two requests per second

    result = run()

    assert result.applied
    assert run.managed.clock.slept
    assert max(run.managed.clock.slept) <= 1.0
    run.assert_green()


def test_reports_a_persistent_rate_limit(run: Run) -> None:
    run.managed.api.rate = 0

    failure = run.refused()

    assert failure.finding.rule.id == "LA605"
    assert sum(run.managed.clock.slept) < 60


@pytest.mark.parametrize("kind", ["clients", "resource-servers"])
def test_reports_a_tenant_at_its_limit(run: Run, kind: str) -> None:
    for number in range(LIMITS[kind]):
        run.managed.tenant.add(
            Application(name=f"{number}")
            if kind == "clients"
            else Api(identifier=f"https://{number}.example.com")
        )

    failure = run.refused()

    assert failure.finding.rule.id == "LA603"
    assert "limit" in failure.finding.detail
    assert not (run.folder / ".env").exists()


ERRORS = [
    (409, "conflict", "LA604"),
    (401, "invalid_token", "LA601"),
    (400, "invalid_body", "LA606"),
    (404, "inexistent_client", "LA608"),
    (500, "internal_error", "LA607"),
]


@pytest.mark.parametrize(("status", "code", "rule"), ERRORS)
def test_reports_progress_after_an_error_and_the_next_run_completes_it(
    run: Run, status: int, code: str, rule: str
) -> None:
    run(dry_run=True)
    reads = len(run.managed.api.calls)
    run.managed.api.reset()
    said = {"statusCode": status, "error": "E", "message": "M", "errorCode": code}
    run.managed.api.answers[reads + 1] = (
        status,
        said,
    )  # the API is created, the application is not

    failure = run.refused()

    assert failure.finding.rule.id == rule
    assert "stopped at: application" in failure.finding.detail
    assert "Done so far: API" in failure.finding.detail
    assert not (run.folder / ".env").exists()
    run.managed.api.reset()
    run()
    run.assert_green()


def test_reports_an_invalid_response(run: Run) -> None:
    run.managed.api.answers[0] = (200, ["a captive portal"])

    failure = run.refused()

    assert failure.finding.rule.id == "LA607"
    assert failure.exit_code is ExitCode.TENANT


def test_reports_a_change_that_the_tenant_ignored(run: Run) -> None:
    run()
    run.application.app_type = "spa"
    run.managed.api.reset()
    run(dry_run=True)
    reads = len(run.managed.api.calls)
    run.managed.api.reset()
    shown = {"client_id": run.application.client_id, "client_secret": "s" * 64}
    run.managed.api.answers[reads] = (200, shown)

    result = run()

    assert "LA619" in {finding.rule.id for finding in result.findings}
    assert result.exit_code is ExitCode.FINDINGS


WRITTEN = ("API", "application", "application access")


@pytest.mark.parametrize("late", [False, True], ids=["request lost", "answer lost"])
def test_completes_a_run_that_was_interrupted_after_any_request(run: Run, late: bool) -> None:
    run.managed.tenant.add(
        Api(identifier=AUDIENCE, signing_alg="HS256", user_policy=Policy.REQUIRE_CLIENT_GRANT)
    )
    pristine = replace(run.api)
    run()
    requests = len(run.managed.api.calls)
    writing = [i for i, call in enumerate(run.managed.api.calls) if call.method != "GET"]
    assert [run.managed.api.calls[i].path.partition("/")[0] for i in writing] == [
        "resource-servers",
        "clients",
        "client-grants",
    ]
    assert max(writing) < requests - 3, "it is read back"
    for number in range(requests):
        for client_id in [it.client_id for it in run.managed.tenant.applications.values()]:
            if run.managed.tenant.applications[client_id].name == NAME:
                del run.managed.tenant.applications[client_id]
        run.managed.tenant.apis[AUDIENCE] = replace(pristine)
        (run.folder / ".env").unlink(missing_ok=True)
        run.managed.api.reset()
        run.managed.api.cut_from, run.managed.api.cut_late = number, late

        failure = run.refused()

        assert failure.exit_code is ExitCode.TENANT, number
        detail = failure.finding.detail
        writes = len(run.managed.api.writes)
        if number in writing:
            assert f"stopped at: {WRITTEN[writes - 1]} (possibly" in detail
            assert ("Done so far: API" in detail) == (writes > 1)
        else:
            assert ("Every change was made" in detail) == bool(writes), detail
        run.managed.api.reset()
        run()
        run.assert_green()
        assert run.application.callbacks == [CALLBACK], "created once"
        assert not run().changes


def test_reports_progress_after_ctrl_c(run: Run) -> None:
    class Interrupted:
        def __init__(self, http: HttpClient) -> None:
            self.http = http

        def request(self, method: str, url: str, **rest: Any) -> Any:
            if method == "POST" and url.endswith("/clients"):
                raise KeyboardInterrupt
            return self.http.request(method, url, **rest)

    world = run.world(http=Interrupted(run.managed.http))
    options = ProvisionOptions(domain=run.managed.domain, public_url=URL, yes=True)

    with pytest.raises(Failure) as stopped:
        run_provision(options, world.ports)

    assert stopped.value.exit_code is ExitCode.INTERRUPTED
    assert "Done so far: API" in stopped.value.finding.detail
    run()
    run.assert_green()


def test_says_that_the_changes_were_made_if_the_last_answer_is_invalid(run: Run) -> None:
    def lose_the_callback() -> None:
        run.application.callbacks = []
        run.managed.api.reset()

    run()
    lose_the_callback()
    run()
    last = max(i for i, call in enumerate(run.managed.api.calls) if "clients/" in call.path)
    lose_the_callback()
    said = {"client_id": run.application.client_id, "client_secret": "s", "callbacks": "none"}
    run.managed.api.answers[last] = (200, said)

    failure = run.refused()

    assert failure.finding.rule.id == "LA607"
    assert "Every change was made" in failure.finding.detail
    assert len(run.managed.api.writes) == 1


def test_does_not_replace_an_unreadable_secret(run: Run) -> None:
    run()
    (run.folder / ".env").unlink()
    run.managed.api.reset()
    run(dry_run=True)
    number = next(
        index
        for index, call in enumerate(run.managed.api.calls)
        if call.path.startswith("clients/")
    )
    run.managed.api.reset()
    run.managed.api.answers[number] = (
        200,
        {"client_id": run.application.client_id, "name": NAME, "jwt_configuration": {}},
    )

    failure = run.refused()

    assert failure.finding.rule.id == "LA614"
    assert not run.managed.api.writes


# -- used by the tunnel ---------------------------------------------------------------------------


def test_swap_urls_changes_only_urls(run: Run) -> None:
    run()
    run.application.app_type = "spa"
    moved = known_in(run.env)._replace(public_url="https://moved.example.com")

    assert swap_urls(moved, run.folder / ".env", run.world().ports)

    assert run.application.callbacks == ["https://moved.example.com/oauth/openid/callback"]
    assert run.application.app_type == "spa"


def test_swap_urls_without_a_credential_does_nothing(run: Run) -> None:
    run()
    run.managed.api.reset()

    assert not swap_urls(known_in(run.env), run.folder / ".env", run.world(environ={}).ports)
    assert not run.managed.api.calls


# -- used by init ---------------------------------------------------------------------------------


def stop(*_: object, **__: object) -> NoReturn:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _nobody_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wizard.commands.init.sign_in", stop)


def init(run: Run, *script: tuple[str, object], **changed: Any) -> tuple[InitResult, World]:
    world = run.world(*script)
    result = run_init(
        InitOptions(public_url=URL, allow_anybody=True, **changed), world.ports, lambda _: None
    )
    assert isinstance(world.ports.prompter, ScriptedPrompter)
    world.ports.prompter.verify()
    return result, world


def test_init_sets_up_auth0_and_asks_for_no_value(run: Run) -> None:
    result, world = init(
        run,
        ("LibreChat folder", None),
        ("Use it anyway?", "y"),
        ("Make these changes in Auth0 and the .env?", True),
    )

    assert result.exit_code is ExitCode.OK
    assert result.written
    run.assert_green()
    assert run.env["OPENID_CLIENT_ID"] == run.application.client_id
    assert run.application.client_secret not in world.said


def test_init_falls_back_to_the_dashboard_steps(run: Run) -> None:
    run.managed.api.answers[0] = (401, {"statusCode": 401, "message": "Expired token"})
    application = Application(name="Mine", callbacks=[CALLBACK])
    run.managed.tenant.add(application, Api(identifier=AUDIENCE, allow_offline_access=True))

    result, world = init(
        run,
        ("LibreChat folder", None),
        ("Use it anyway?", "y"),
        ("How do you want", "hand"),
        ("Domain", run.managed.domain),
        ("Client ID", application.client_id),
        ("Client Secret", application.client_secret),
        ("Write these changes?", False),
    )

    assert "LA601" in world.said
    assert result.settings.client_id == application.client_id


def test_an_interrupted_init_reports_that_auth0_is_set_up(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wizard.steps.init_auth0.check_values", stop)
    with pytest.raises(Failure) as stopped:
        init(
            run,
            ("LibreChat folder", None),
            ("Use it anyway?", "y"),
            ("Make these changes in Auth0 and the .env?", True),
        )

    assert "Auth0 was set up. The .env was not written." in stopped.value.finding.detail


def test_an_interrupted_repair_reports_that_auth0_is_set_up(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = Application(name="Without a callback URL")
    run.managed.tenant.add(application, Api(identifier=AUDIENCE, allow_offline_access=True))
    checks = [check_values, stop]
    monkeypatch.setattr(
        "wizard.steps.init_auth0.check_values", lambda *given: checks.pop(0)(*given)
    )
    with pytest.raises(Failure) as stopped:
        init(
            run,
            ("LibreChat folder", None),
            ("Use it anyway?", "y"),
            ("What now?", "fix"),
            ("Make these changes in Auth0 and the .env?", True),
            domain=run.managed.domain,
            client_id=application.client_id,
            client_secret=application.client_secret,
            audience=AUDIENCE,
        )

    assert application.callbacks == [CALLBACK]
    assert "Auth0 was set up. The .env was not written." in stopped.value.finding.detail


def test_a_repair_by_init_is_not_by_hand(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    application = Application(name="Without a callback URL")
    run.managed.tenant.add(application, Api(identifier=AUDIENCE, allow_offline_access=True))
    monkeypatch.setattr("wizard.steps.init_auth0.credential_at_hand", lambda _: Credential())
    world = run.world(
        ("LibreChat folder", None),
        ("Use it anyway?", "y"),
        ("What now?", "fix"),
        ("How do you want", KeyboardInterrupt),
    )
    options = InitOptions(
        public_url=URL,
        allow_anybody=True,
        domain=run.managed.domain,
        client_id=application.client_id,
        client_secret=application.client_secret,
        audience=AUDIENCE,
    )
    with pytest.raises(Failure):
        run_init(options, world.ports, lambda _: None)

    assert isinstance(world.ports.prompter, ScriptedPrompter)
    assert any("API Explorer" in each for each in world.ports.prompter.shown)
    assert not any("by hand" in each for each in world.ports.prompter.shown)


def test_init_changes_nothing_after_a_no(run: Run) -> None:
    with pytest.raises(Failure) as stopped:
        init(
            run,
            ("LibreChat folder", None),
            ("Use it anyway?", "y"),
            ("Make these changes in Auth0 and the .env?", False),
            ("How do you want", KeyboardInterrupt),
        )

    assert stopped.value.exit_code is ExitCode.INTERRUPTED
    assert not run.managed.api.writes


# -- secrets --------------------------------------------------------------------------------------


def test_prints_logs_and_keeps_no_secret_or_token(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    run.managed.tenant.add(Api(identifier=AUDIENCE, user_policy=Policy.REQUIRE_CLIENT_GRANT))
    token = run.managed.token()
    run(environ={"AUTH0_MANAGEMENT_TOKEN": token})
    said = run.said
    run.managed.api.cut_from = len(run.managed.api.calls) + 3
    run.application.callbacks = []
    failure = run.refused(environ={"AUTH0_MANAGEMENT_TOKEN": token})
    traceback = "".join(format_exception(failure))

    secrets = [token, run.application.client_secret, run.managed.machine.client_secret]
    outputs = [said, run.said, traceback, repr(failure), caplog.text]
    kept = [
        path.read_text("utf-8", "replace")
        for path in tmp_path.rglob("*")
        if path.is_file() and ".env" not in path.name and "backups" not in path.parts
    ]
    assert any(CALLBACK in text for text in kept), "the record of URLs is one of the files checked"
    for secret in secrets:
        for text in (*outputs, *kept):
            assert secret not in text
