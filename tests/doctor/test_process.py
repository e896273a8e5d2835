"""Findings from LibreChat's process and log, and the order of causes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.fakes import NoProcesses
from wizard.doctor.causes import without_consequences
from wizard.doctor.examine import conclude
from wizard.doctor.process import with_remedy, with_whole_values
from wizard.doctor.subject import Subject, gather
from wizard.findings import Finding
from wizard.librechat.compose.deployment import read_deployment
from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_store import EnvStore
from wizard.librechat.log import traces_of
from wizard.librechat.runner import Certainty, Runner, Way
from wizard.rules import all_rules, rule
from wizard.system.running_process import RunningProcess

NOW = time.time()


def runner(started: float | None, **environ: str) -> Runner:
    process = RunningProcess(4711, "node", started=started, environ=environ)
    return Runner(Way.NPM, Certainty.KNOWN, process=process)


def subject(folder: Path, runs: Runner) -> Subject:
    env_file = folder / ".env"
    traces = traces_of(runs, folder, {}, [env_file, folder / "none.yaml"], NoProcesses())
    deployment = read_deployment(folder, env_file, {})
    return Subject(env_file, EnvFile(""), deployment, runner=runs, traces=traces)


def found(checked: Subject) -> list[Finding]:
    return list(conclude(checked, None, ()).findings)


def rules(checked: Subject) -> list[str]:
    return [each.rule.id for each in found(checked)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".env").touch()
    os.utime(tmp_path / ".env", (NOW, NOW))
    return tmp_path


def log(folder: Path, at: float, message: str) -> None:
    path = folder / "api" / "logs" / f"error-{time.strftime('%Y-%m-%d', time.gmtime(at))}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))
    line = {"level": "error", "message": message, "timestamp": stamp}
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")


def test_a_process_older_than_its_file_has_old_values(folder: Path) -> None:
    (finding,) = found(subject(folder, runner(NOW - 60)))

    assert finding.rule.id == "LA594"
    assert ".env was changed at" in finding.detail


@pytest.mark.parametrize("started", [NOW + 5, NOW - 1, None])
def test_accepts_a_process_that_read_the_file(folder: Path, started: float | None) -> None:
    assert rules(subject(folder, runner(started))) == []


def test_reads_the_log_of_this_process(folder: Path) -> None:
    log(folder, NOW + 20, "[setOpenIDAuthTokens] No refresh token available")

    assert rules(subject(folder, runner(NOW + 10))) == ["LA581"]
    assert rules(subject(folder, runner(NOW + 40))) == []


def test_the_log_explains_why_nothing_is_running(folder: Path) -> None:
    log(folder, NOW - 20, "Failed to start server: JwtStrategy requires a secret or key")

    assert rules(subject(folder, Runner())) == ["LA580"]


def test_does_not_read_the_log_of_another_folders_librechat(folder: Path) -> None:
    log(folder, NOW + 20, "[setOpenIDAuthTokens] No refresh token available")
    elsewhere = Runner(Way.UNKNOWN, other_folder=Path("/elsewhere"))

    assert rules(subject(folder, elsewhere)) == []


def test_masks_a_secret_in_the_log(folder: Path) -> None:
    secret = "Abcdef0123456789Abcdef0123456789Abcdef0123456789"
    log(folder, NOW - 20, f"Failed to start server: {secret}")
    text = f"OPENID_CLIENT_SECRET={secret}\n".encode()

    store = EnvStore(folder / ".env", folder.parent / "state")
    findings = found(gather(store, text, {}, NoProcesses()))
    (finding,) = (each for each in findings if each.rule.id == "LA580")

    assert secret not in finding.detail


REUSE_FAILS = "[setOpenIDAuthTokens] No refresh token available"
OTHER_VALUE = rule("LA524").finding(
    "OPENID_AUDIENCE: LibreChat has a, the .env b.", variable="OPENID_AUDIENCE"
)


def test_one_finding_for_everything_a_restart_fixes(folder: Path) -> None:
    log(folder, NOW - 20, REUSE_FAILS)
    stale = subject(folder, runner(NOW - 60))

    (finding,) = conclude(stale, None, [OTHER_VALUE]).findings

    assert finding.rule.id == "LA550"
    assert "LibreChat has a" in finding.detail
    assert "No refresh token" in finding.detail
    assert ".env was changed at" in finding.detail
    assert "stop process 4711 first" in finding.fix


def test_a_restart_fixes_a_refused_domain_only_if_librechat_yaml_is_newer(folder: Path) -> None:
    log(folder, NOW - 20, "Email domain not allowed")
    assert rules(subject(folder, runner(NOW - 60))) == ["LA587", "LA594"]

    (folder / "none.yaml").touch()
    assert rules(subject(folder, runner(NOW - 60))) == ["LA550"]


def test_a_restart_does_not_fix_the_shell_or_another_account_type(
    folder: Path,
) -> None:
    log(folder, NOW - 20, 'was registered with "local" provider')
    stale = subject(folder, runner(NOW - 60, OPENID_AUDIENCE="a"))

    found = conclude(stale, None, [OTHER_VALUE]).findings

    assert [each.rule.id for each in found] == ["LA524", "LA588", "LA594"]
    assert found[0].fix.startswith("Unset OPENID_AUDIENCE")


@pytest.mark.parametrize(
    ("version", "step"),
    [("0.8.7", "Restart LibreChat"), ("", "Restart LibreChat"), ("0.8.8-rc3", "Wait a minute")],
)
def test_newer_versions_retry_discovery(folder: Path, version: str, step: str) -> None:
    runs = runner(NOW + 5)._replace(version=version)

    shown = with_remedy(rule("LA526").finding(), subject(folder, runs))

    assert shown.fix.startswith(step)
    assert "NODE_EXTRA_CA_CERTS" in shown.fix


@pytest.mark.parametrize(
    ("version", "step"),
    [("0.8.0", "Update LibreChat"), ("0.8.1", "Turn on Allow Offline Access")],
)
def test_an_old_librechat_loses_the_refresh_token_itself(
    folder: Path, version: str, step: str
) -> None:
    runs = runner(NOW + 5)._replace(version=version)

    assert with_remedy(rule("LA581").finding(), subject(folder, runs)).fix.startswith(step)


def test_an_unreachable_tenant_behind_a_proxy_names_the_proxy(folder: Path) -> None:
    behind = subject(folder, runner(NOW + 5))._replace(file=EnvFile("PROXY=http://127.0.0.1:9\n"))

    shown = with_remedy(rule("LA526").finding(), behind)

    assert "through PROXY" in shown.fix


def test_a_rejected_value_that_is_cut_must_be_quoted() -> None:
    cut = rule("LA154").finding(variable="OPENID_CLIENT_SECRET", fix="Quote it.")
    rejected, other = rule("LA237").finding(), rule("LA232").finding()

    shown = with_whole_values([rejected, cut, other])

    assert shown == [rejected._replace(fix="Quote it."), cut, other]
    assert with_whole_values([rejected, other]) == [rejected, other]


def test_a_shell_value_must_be_removed_there(folder: Path) -> None:
    runs = runner(NOW + 5, OPENID_AUDIENCE="https://api.test")
    other = rule("LA524").finding(variable="OPENID_AUDIENCE")

    shown = with_remedy(other, subject(folder, runs))

    assert "4711" in shown.fix
    assert "OPENID_AUDIENCE" in shown.fix
    assert with_remedy(other, subject(folder, runner(NOW + 5))) == other


@pytest.mark.parametrize(
    ("cause", "consequence"),
    [
        ("LA530", "LA231"),
        ("LA106", "LA231"),
        ("LA100", "LA526"),
        ("LA580", "LA520"),
        ("LA200", "LA526"),
        ("LA127", "LA583"),
        ("LA127", "LA231"),
    ],
)
def test_a_cause_hides_its_consequence(cause: str, consequence: str) -> None:
    both = [rule(consequence).finding(), rule(cause).finding()]

    assert [each.rule.id for each in without_consequences(both)] == [cause]
    assert without_consequences(both[:1]) == both[:1]


def test_no_warning_hides_an_error() -> None:
    from wizard.doctor.causes import CONSEQUENCES

    for cause, consequences in CONSEQUENCES.items():
        weights = {all_rules()[each].severity.value for each in consequences}
        assert all_rules()[cause].severity.value == "error" or "error" not in weights, cause
