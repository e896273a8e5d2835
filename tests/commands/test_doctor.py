"""`doctor` from folder to result: findings, repairs and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.auth0.scripted import AUDIENCE, CLIENT_ID, DOMAIN, NOW, SECRET, ScriptedTenant, oauth
from tests.doctor.cases import GOOD, PUBLIC_URL, env
from tests.fakes import FixedClock, ScriptedPrompter, World, make_world
from tests.stand_ins.librechat import LibreChat, Tunnel, running
from wizard.commands.doctor import DoctorOptions, DoctorResult, run_doctor
from wizard.execution import envelope
from wizard.findings import ExitCode, Failure
from wizard.http import HttpClient, NetworkError, Response, Trouble
from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_plan import Base, plan_env
from wizard.settings import Settings
from wizard.steps.proofs import How, Proof, keep_proof
from wizard.steps.values import env_store, read_subject
from wizard.system.clock import local_time
from wizard.ui.screen import wrapped

VALUES = {
    "OPENID_ISSUER": f"https://{DOMAIN}",
    "OPENID_CLIENT_ID": CLIENT_ID,
    "OPENID_CLIENT_SECRET": SECRET,
    "OPENID_AUDIENCE": AUDIENCE,
    "OPENID_REFRESH_AUDIENCE": AUDIENCE,
}


class Everything:
    """The tenant, the tunnel and LibreChat's own port behind one `HttpClient`."""

    def __init__(self, tenant: HttpClient, librechat: HttpClient) -> None:
        self._tenant = tenant
        self._librechat = librechat

    def request(self, method: str, url: str, **options: Any) -> Response:
        client = self._tenant if DOMAIN in url else self._librechat
        return client.request(method, url, **options)


@pytest.fixture
def folder(checkout: Path) -> Path:
    return checkout


@pytest.fixture
def librechat() -> Iterator[LibreChat]:
    with running(LibreChat({})) as started:
        yield started


def write(folder: Path, text: str) -> Path:
    path = folder / ".env"
    path.write_text(text, newline="")
    path.chmod(0o600)
    return path


def doctor(
    folder: Path, *script: tuple[str, object], http: HttpClient | None = None, **options: Any
) -> tuple[DoctorResult, World]:
    prompter = ScriptedPrompter(*script) if script else None
    world = make_world(folder, prompter=prompter, http=http, clock=FixedClock(NOW))
    chosen = DoctorOptions(**{"offline": http is None, **options})
    result = run_doctor(chosen, world.ports)
    if prompter is not None:
        prompter.verify()
    return result, world


def ids(result: DoctorResult) -> list[str]:
    return [finding.rule.id for finding in result.findings]


def live(
    folder: Path, librechat: LibreChat, tenant: HttpClient, running_values: Mapping[str, str]
) -> tuple[DoctorResult, World]:
    text = env(**{**VALUES, "PORT": str(librechat.port)})
    write(folder, text)
    librechat.values = {**EnvFile(text).values(), **running_values}
    return doctor(folder, http=Everything(tenant, Tunnel(PUBLIC_URL, librechat.port)))


def test_all_is_well(folder: Path) -> None:
    write(folder, env())
    result, world = doctor(folder)
    assert result.exit_code is ExitCode.OK
    assert result.findings == ()
    assert "ok File: " in world.said
    assert world.said.count("not checked (--offline)") == 3


def test_all_is_well_with_tenant_and_librechat(folder: Path, librechat: LibreChat) -> None:
    result, _world = live(folder, librechat, ScriptedTenant(), {})
    assert ids(result) == []
    assert len(result.checks) == 8
    assert librechat.logins == 1


def test_reports_faults_of_tenant_and_librechat(folder: Path, librechat: LibreChat) -> None:
    tenant = ScriptedTenant(code=oauth("access_denied", "Unauthorized", 401))
    result, world = live(folder, librechat, tenant, {"OPENID_SCOPE": "openid"})
    assert result.exit_code is ExitCode.FINDINGS
    assert "LA524" in ids(result)
    assert any(rule.startswith("LA2") for rule in ids(result))
    assert "x Auth0: 1 error" in world.said
    assert "x LibreChat: 1 error" in world.said
    assert SECRET not in world.said


def test_reports_an_unreachable_tenant(folder: Path, librechat: LibreChat) -> None:
    tenant = ScriptedTenant(discovery=NetworkError(Trouble.NAME, f"https://{DOMAIN}"))
    result, _ = live(folder, librechat, tenant, {})
    assert result.exit_code is ExitCode.TENANT


def test_does_not_ask_the_tenant_about_invalid_values(folder: Path, librechat: LibreChat) -> None:
    write(folder, env(OPENID_ISSUER="", PORT=str(librechat.port)))
    librechat.values = GOOD
    result, world = doctor(folder, http=Tunnel(PUBLIC_URL, librechat.port))
    assert "LA101" in ids(result)
    assert "not checked until the .env has valid values" in world.said
    assert result.checks == ()


def test_sorts_findings_and_shows_the_most_important_last(folder: Path) -> None:
    write(
        folder,
        env(
            OPENID_ISSUER="",
            ALLOW_SOCIAL_LOGIN="no",
            OPENID_SESSION_SECRET="x",
            ALLOW_SOCIAL_REGISTRATION="false",
        ),
    )
    result, world = doctor(folder)
    assert result.exit_code is ExitCode.FINDINGS
    severities = [finding.severity.value for finding in result.findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    lines = world.said.splitlines()
    first = result.findings[0].rule
    in_order = (
        "x File: 2 errors, 1 warning",
        "  ! ",
        "  x ",
        f"x {first.title} ({first.id})",
        "  Next: ",
        "2 errors, ",
    )
    places = [next(i for i, line in enumerate(lines) if line.startswith(each)) for each in in_order]
    assert places == sorted(places)


def lines_at_80_columns(world: World) -> int:
    """Return the number of lines on a terminal, without the spinner's."""
    shown = world.said.replace(str(world.ports.cwd), "/srv/LibreChat")
    lines = shown.splitlines()[1:]
    return sum(len(wrapped("", line, 80).splitlines()) or 1 for line in lines)


def test_shows_what_is_proved_in_a_healthy_setup(folder: Path, librechat: LibreChat) -> None:
    result, world = live(folder, librechat, ScriptedTenant(), {})
    assert result.findings == ()
    assert world.said.splitlines()[1:] == [
        f"ok File: {folder / '.env'}",
        f"~ Auth0: 8 checks passed at {DOMAIN}, API identifier, Refresh token grant only likely",
        f"ok Tunnel: {PUBLIC_URL} leads to LibreChat",
        f"~ LibreChat: running at http://localhost:{librechat.port}, its values are only likely",
        "",
        "No error found, but the sign-in is not proved.",
        "  Likely: API identifier, Refresh token grant, LibreChat's values.",
        "  Not checked: Sign-in.",
        "Prove it: librechat-auth0 verify",
    ]
    assert result.exit_code is ExitCode.OK
    assert result.as_json()["proved"] is False
    evidence = {each.check: each.as_json() for each in result.evidence}
    assert evidence["sign_in"]["outcome"] == "skipped"
    assert evidence["button"]["outcome"] == "proved"
    assert evidence["audience"]["outcome"] == "likely"
    assert all(each["source"] and each["evidence"] for each in evidence.values())


@pytest.mark.parametrize("how", How)
def test_shows_when_and_how_it_was_proved_until_a_value_changes(
    folder: Path, librechat: LibreChat, how: How
) -> None:
    live(folder, librechat, ScriptedTenant(), {})
    world = make_world(folder)
    checked = read_subject(env_store(None, world.ports), world.ports)
    keep_proof(world.ports.state_dir, checked, Proof(NOW, how))

    result, said = live(folder, librechat, ScriptedTenant(), {})

    last = said.said.splitlines()[-1]
    assert last.startswith("ok The sign-in is proved: ")
    assert local_time(NOW) in last
    assert ("through LibreChat" in last) is (how is How.LIBRECHAT)
    assert result.as_json()["proved"] is True
    assert "only likely" not in next(each for each in said.said.splitlines() if "Auth0:" in each)
    tenant = ScriptedTenant(code=oauth("access_denied", "Unauthorized", 401))
    assert live(folder, librechat, tenant, {})[0].as_json()["proved"] is False
    (folder / ".env").write_text(env(**{**VALUES, "OPENID_AUDIENCE": "urn:other"}))
    assert doctor(folder)[0].as_json()["proved"] is False


def test_a_proved_url_has_no_note(folder: Path) -> None:
    local = dict.fromkeys(("DOMAIN_CLIENT", "DOMAIN_SERVER"), "https://localhost:3443")
    write(folder, env(**local, HSTS_ENABLED="false"))
    assert ids(doctor(folder)[0]) == ["LA129"]
    world = make_world(folder)
    checked = read_subject(env_store(None, world.ports), world.ports)
    keep_proof(world.ports.state_dir, checked, Proof(NOW, How.VERIFY))
    assert ids(doctor(folder)[0]) == []


def test_a_file_written_by_init_has_no_note(folder: Path) -> None:
    settings = Settings("dev.us.auth0.com", CLIENT_ID, SECRET, (AUDIENCE,), PUBLIC_URL)
    planned = plan_env(settings, Base(None, None, 3080)).after
    write(folder, planned.text)
    result, world = doctor(folder)
    assert ids(result) == []
    assert "Not checked: Auth0, Public URL, LibreChat" in world.said


@pytest.mark.parametrize(
    "fault",
    [
        {"authorize": oauth("unauthorized_client", "Unknown client: x", 403)},
        {"authorize": oauth("server_error", "Service not found: urn:nobody", 403)},
    ],
)
def test_one_error_takes_at_most_fourteen_lines(
    folder: Path, librechat: LibreChat, fault: dict[str, Any]
) -> None:
    result, world = live(folder, librechat, ScriptedTenant(**fault), {})
    assert len(result.findings) == 1
    assert lines_at_80_columns(world) <= 14, world.said
    assert "Show all" not in world.said


def test_verbose_shows_every_check_and_finding(folder: Path, librechat: LibreChat) -> None:
    text = env(**{**VALUES, "PORT": str(librechat.port), "OPENID_SCOPE": "openid"})
    write(folder, text)
    librechat.values = EnvFile(text).values()
    http = Everything(ScriptedTenant(), Tunnel(PUBLIC_URL, librechat.port))
    result, world = doctor(folder, http=http, verbose=True)
    assert "Signing keys: " in world.said
    for finding in result.findings:
        assert finding.rule.why in world.said
    assert "Show all" not in world.said


def test_the_next_command_is_exact_without_a_terminal(folder: Path) -> None:
    write(folder, env(OPENID_SCOPE="openid"))
    _, world = doctor(folder, ignore=("LA120",))
    assert "Fix 1 of these:" not in world.said
    assert world.said.endswith(
        "\n    librechat-auth0 doctor --ignore LA120 --offline --fix --yes\n"
    )


def test_names_the_command_to_check_again(folder: Path) -> None:
    write(folder, env(MONGO_URI=""))
    _, world = doctor(folder)
    assert world.said.endswith("check again with: librechat-auth0 doctor --offline\n")


def test_the_offer_fixes_like_the_option(folder: Path) -> None:
    path = write(folder, env(OPENID_SCOPE="openid", MONGO_URI=""))
    result, _world = doctor(folder, ("Fix 2 of these now?", True), ("Write these changes?", True))
    assert EnvFile(path.read_text()).values()["OPENID_SCOPE"].startswith("openid profile")
    assert result.written
    assert ids(result) == ["LA167"]


def test_a_declined_offer_changes_nothing(folder: Path) -> None:
    path = write(folder, env(OPENID_CALLBACK_URL=""))
    before = path.read_text()
    result, _ = doctor(folder, ("Fix this now?", False))
    assert path.read_text() == before
    assert not result.written
    assert result.exit_code is ExitCode.FINDINGS


def test_shows_only_the_parts_of_the_requested_rules(folder: Path) -> None:
    write(folder, env(OPENID_SCOPE=""))
    _, world = doctor(folder, rules=("LA102",))
    assert "File: " in world.said
    assert "Auth0: " not in world.said


def test_warnings_alone_do_not_fail(folder: Path) -> None:
    write(folder, env("OPENID_SCOPES=x"))
    result, _ = doctor(folder)
    assert ids(result) == ["LA180"]
    assert result.exit_code is ExitCode.OK


def test_merges_findings_of_one_rule(folder: Path) -> None:
    write(folder, env(CREDS_KEY="", CREDS_IV="", JWT_SECRET="", JWT_REFRESH_SECRET=""))
    result, world = doctor(folder, verbose=True)
    assert ids(result) == ["LA161"] * 4
    assert world.said.count("LA161") == 1
    assert "JWT_SECRET is blank" in world.said


def test_one_rule_only(folder: Path) -> None:
    write(folder, env(OPENID_ISSUER="", OPENID_SCOPE=""))
    assert ids(doctor(folder, rules=("la102",))[0]) == ["LA102"]
    assert ids(doctor(folder, rules=("LA102", "LA101"))[0]) == ["LA101", "LA102"]
    assert ids(doctor(folder, rules=("LA102, la101",))[0]) == ["LA101", "LA102"]


def test_ignored_by_option_and_by_comment(folder: Path) -> None:
    write(folder, env("# librechat-auth0: ignore LA101", OPENID_ISSUER="", OPENID_SCOPE=""))
    result, _ = doctor(folder, ignore=("LA102",))
    assert ids(result) == []
    assert list(result.ignored) == ["LA101", "LA102"]
    assert result.exit_code is ExitCode.OK


def test_an_ignore_comment_without_effect(folder: Path) -> None:
    write(folder, env("# librechat-auth0: ignore LA1"))
    assert ids(doctor(folder)[0]) == ["LA183"]


@pytest.mark.parametrize("options", [{"rules": ("LA999",)}, {"ignore": ("LA999",)}])
def test_rejects_an_unknown_rule(folder: Path, options: dict[str, Any]) -> None:
    write(folder, env())
    with pytest.raises(Failure) as failure:
        doctor(folder, **options)
    assert failure.value.exit_code is ExitCode.USAGE
    assert "LA999" in failure.value.finding.detail


def test_no_file(folder: Path) -> None:
    with pytest.raises(Failure) as failure:
        doctor(folder)
    assert failure.value.finding.rule.id == "LA159"
    assert "--env-file PATH" in failure.value.finding.fix
    assert failure.value.exit_code is ExitCode.FILE


def test_accepts_a_file(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.env"
    other.write_text(env(OPENID_SCOPE=""))
    other.chmod(0o600)
    result, _ = doctor(folder, env_file=other)
    assert result.env_file == other
    assert ids(result) == ["LA102"]


BROKEN: Mapping[str, str] = {
    "OPENID_SCOPE": "openid",
    "OPENID_CALLBACK_URL": f"{PUBLIC_URL}/oauth/openid/callback",
    "OPENID_AUDIENCE": "",
}


class TestFix:
    def test_fixes_and_checks_again(self, folder: Path) -> None:
        path = write(folder, "# mine\n" + env("KEEP = 'this' # as it is", **BROKEN))
        result, world = doctor(folder, ("Write these changes?", True), fix=True)
        values = EnvFile(path.read_text()).values()
        assert values["OPENID_SCOPE"] == "openid profile email offline_access"
        assert values["OPENID_CALLBACK_URL"] == "/oauth/openid/callback"
        assert path.read_text().startswith("# mine\n")
        assert "\nKEEP = 'this' # as it is\n" in path.read_text()
        assert result.written
        assert set(result.changed) == {"OPENID_SCOPE", "OPENID_CALLBACK_URL"}
        assert ids(result) == ["LA112"]
        assert world.said.index("Wrote ") < world.said.rindex("! File: 1 warning in")
        assert result.backup is not None
        assert "OPENID_SCOPE=openid\n" in result.backup.read_text().replace("'", "")

    def test_a_second_run_changes_nothing(self, folder: Path) -> None:
        path = write(folder, env(**BROKEN))
        doctor(folder, fix=True, yes=True)
        before = path.stat()
        result, world = doctor(folder, fix=True, yes=True)
        after = path.stat()
        assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
        assert not result.changed
        assert "nothing was written" in world.said

    def test_dry_run(self, folder: Path) -> None:
        path = write(folder, env(**BROKEN))
        result, world = doctor(folder, fix=True, dry_run=True)
        assert path.read_text() == env(**BROKEN)
        assert not result.written
        assert "OPENID_SCOPE" in result.changed
        assert "Dry run" in world.said
        assert result.exit_code is ExitCode.FINDINGS

    def test_changes_nothing_after_a_no(self, folder: Path) -> None:
        path = write(folder, env(**BROKEN))
        result, _ = doctor(folder, ("Write these changes?", False), fix=True)
        assert path.read_text() == env(**BROKEN)
        assert not result.written

    def test_without_a_terminal(self, folder: Path) -> None:
        path = write(folder, env(**BROKEN))
        with pytest.raises(Failure) as failure:
            doctor(folder, fix=True)
        assert failure.value.exit_code is ExitCode.USAGE
        assert path.read_text() == env(**BROKEN)

    def test_fixes_only_the_named_rule(self, folder: Path) -> None:
        path = write(folder, env(**BROKEN))
        doctor(folder, fix=True, yes=True, rules=("LA106",))
        values = EnvFile(path.read_text()).values()
        assert values["OPENID_CALLBACK_URL"] == "/oauth/openid/callback"
        assert values["OPENID_SCOPE"] == "openid"

    def test_does_not_fix_an_ignored_rule(self, folder: Path) -> None:
        text = env("# librechat-auth0: ignore LA106", **BROKEN)
        path = write(folder, text)
        doctor(folder, fix=True, yes=True, ignore=("LA118", "LA119"))
        assert path.read_text() == text

    def test_prints_no_secret(self, folder: Path) -> None:
        path = write(folder, env(OPENID_SESSION_SECRET="short-secret"))
        _, world = doctor(folder, fix=True, yes=True)
        fresh = EnvFile(path.read_text()).values()["OPENID_SESSION_SECRET"]
        assert len(fresh) == 64
        assert fresh not in world.said
        assert "short-secret" not in world.said

    def test_does_not_ask_librechat_again(self, folder: Path, librechat: LibreChat) -> None:
        text = env(**VALUES, PORT=str(librechat.port), OPENID_SCOPE="openid")
        write(folder, text)
        librechat.values = EnvFile(text).values()
        tenant = ScriptedTenant()
        result, _ = doctor(
            folder,
            http=Everything(tenant, Tunnel(PUBLIC_URL, librechat.port)),
            fix=True,
            yes=True,
        )
        assert librechat.logins == 1
        assert ids(result) == ["LA524"], "it is still running with the old scope"
        assert len(tenant.sent("discovery")) == 2, (
            "the tenant is asked again, because the scope changed"
        )


def test_asks_the_tenant_once_the_file_allows_it(folder: Path, librechat: LibreChat) -> None:
    text = env(**{**VALUES, "OPENID_ISSUER": DOMAIN, "PORT": str(librechat.port)})
    write(folder, text)
    librechat.values = EnvFile(env(**VALUES)).values()
    tenant = ScriptedTenant(authorize=oauth("unauthorized_client", "Unknown client: x", 403))
    http = Everything(tenant, Tunnel(PUBLIC_URL, librechat.port))
    result, world = doctor(folder, http=http, fix=True, yes=True)
    assert "not checked until the .env has valid values" in world.said
    assert len(result.checks) == 8
    assert any(rule.startswith("LA2") for rule in ids(result))


def test_json_holds_no_secret(folder: Path) -> None:
    write(folder, env(OPENID_SCOPE=""))
    result, _ = doctor(folder, fix=True, dry_run=True)
    value = envelope("doctor", result.exit_code, result.findings, result.as_json())
    text = json.dumps(value)
    assert value["ok"] is False
    assert value["changed"] == ["OPENID_SCOPE"]
    assert value["fixed"] == []
    for name in ("OPENID_CLIENT_SECRET", "OPENID_SESSION_SECRET", "JWT_SECRET"):
        assert GOOD[name] not in text


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wizard", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_command_line(folder: Path) -> None:
    write(folder, env(OPENID_SCOPE="", ALLOW_SOCIAL_LOGIN="1"))
    done = run(folder, "doctor", "--offline", "--json", "--ignore", "LA100")
    value = json.loads(done.stdout)
    assert done.returncode == 1
    assert done.stderr == ""
    assert [finding["rule"] for finding in value["findings"]] == ["LA102"]
    assert value["command"] == "doctor"

    mended = run(folder, "doctor", "--offline", "--fix", "--yes")
    assert mended.returncode == 0
    assert mended.stdout == ""
    assert "Wrote " in mended.stderr

    report = run(folder, "report", "--offline")
    assert report.returncode == 0
    assert "OPENID_SCOPE=openid profile email offline_access" in report.stdout
    assert "(LA102)" in run(folder, "explain", "LA102").stdout
    assert run(folder, "explain", "LA999").returncode == 2


# -- lines that a repair removes ------------------------------------------------------------------

SPANNING = env(
    'ALLOW_SOCIAL_LOGIN="yes\nMISTRAL_API_KEY=sk-of-the-user\nLAST=1"', ALLOW_SOCIAL_LOGIN=None
)


def test_a_repair_removes_no_line_without_asking(folder: Path) -> None:
    path = write(folder, SPANNING)

    with pytest.raises(Failure) as caught:
        doctor(folder, fix=True, yes=True)

    assert caught.value.finding.rule.id == "LA016"
    assert caught.value.exit_code is ExitCode.FILE
    assert path.read_text() == SPANNING


def test_a_repair_removes_lines_after_a_separate_yes(folder: Path) -> None:
    path = write(folder, SPANNING)
    result, world = doctor(
        folder, ("Remove all of these lines?", True), ("Write these changes?", True), fix=True
    )
    assert result.written
    assert EnvFile(path.read_text()).values()["ALLOW_SOCIAL_LOGIN"] == "true"
    assert "- MISTRAL_API_KEY=••••••••" in world.said
    assert '- LAST=1"' in world.said


def test_does_not_repair_a_value_on_the_line_after_its_name(folder: Path) -> None:
    text = env("OPENID_CALLBACK_URL=\n'/oauth/openid/callback'", OPENID_CALLBACK_URL=None)
    path = write(folder, text)
    result, world = doctor(folder, fix=True, yes=True)
    assert not result.written
    assert "Nothing to fix automatically" in world.said
    assert path.read_text() == text
