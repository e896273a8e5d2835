"""`trust` on a machine with a simulated trust store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import NoProcesses, ScriptedPrompter, World, make_world
from wizard.commands.trust import TrustOptions, run_trust
from wizard.findings import ExitCode, Failure
from wizard.steps.trust_stores import TrustResult
from wizard.system.processes import Completed
from wizard.tunnels.certificates import local_authority
from wizard.tunnels.trust import is_remembered

MACOS = "darwin"


class Keychain(NoProcesses):
    """A Mac's keychain, which trusts what was added to it."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.trusts = False
        self.ran: list[str] = []
        self._refuses = refuses

    def run(self, args: Sequence[str], **_: Any) -> Completed:
        verb = args[1]
        if verb == "verify-cert":
            return Completed(0 if self.trusts else 1, "", "")
        self.ran.append(" ".join(args))
        if self._refuses:
            return Completed(1, "", "SecTrustSettingsSetTrustSettings: denied")
        self.trusts = verb == "add-trusted-cert"
        return Completed(0, "", "")


class Mac:
    def __init__(self, folder: Path, *, refuses: bool = False) -> None:
        self.keychain = Keychain(refuses=refuses)
        self.folder = folder
        self.world: World = make_world(folder)

    def trust(self, options: TrustOptions, *script: tuple[str, object]) -> TrustResult:
        prompter = ScriptedPrompter(*script) if script else None
        ports = self.world.ports._replace(processes=self.keychain, prompter=prompter)
        result = run_trust(options, ports, MACOS)
        if prompter is not None:
            prompter.verify()
        return result


@pytest.fixture
def mac(tmp_path: Path) -> Mac:
    folder = tmp_path / "LibreChat"
    folder.mkdir()
    return Mac(folder)


def test_trusts_and_forgets(mac: Mac) -> None:
    assert mac.trust(TrustOptions(yes=True)).done
    assert mac.keychain.trusts
    assert mac.trust(TrustOptions(yes=True)).steps == []
    assert len(mac.keychain.ran) == 1
    assert mac.trust(TrustOptions(remove=True, yes=True)).done
    assert not mac.keychain.trusts


def test_remembers_the_trust_until_it_is_removed(mac: Mac) -> None:
    state_dir = mac.world.ports.state_dir
    ca_file = local_authority(state_dir, mac.keychain).ca_file

    mac.trust(TrustOptions(dry_run=True))
    assert not is_remembered(ca_file, state_dir)
    mac.trust(TrustOptions(yes=True))
    assert is_remembered(ca_file, state_dir)
    mac.trust(TrustOptions(remove=True, dry_run=True))
    assert is_remembered(ca_file, state_dir)
    mac.trust(TrustOptions(remove=True, yes=True))
    assert not is_remembered(ca_file, state_dir)


def test_does_not_remember_what_a_store_refused(tmp_path: Path) -> None:
    (tmp_path / "LibreChat").mkdir()
    mac = Mac(tmp_path / "LibreChat", refuses=True)
    result = mac.trust(TrustOptions(yes=True))

    assert result.ca_file is not None
    assert not is_remembered(result.ca_file, mac.world.ports.state_dir)


def test_shows_the_plan_and_accepts_a_no(mac: Mac) -> None:
    result = mac.trust(TrustOptions(), ("Run these commands?", False))

    assert mac.keychain.ran == []
    assert "security add-trusted-cert -r trustRoot -k" in mac.world.said
    assert not result.done


def test_a_dry_run_runs_nothing(mac: Mac) -> None:
    result = mac.trust(TrustOptions(dry_run=True))

    assert mac.keychain.ran == []
    steps = result.as_json()["steps"]
    assert isinstance(steps, list)
    assert steps[0]["commands"][0].startswith("/usr/bin/security add-trusted-cert")


def test_without_a_terminal(mac: Mac) -> None:
    with pytest.raises(Failure) as raised:
        mac.trust(TrustOptions())

    assert raised.value.exit_code is ExitCode.USAGE
    assert mac.keychain.ran == []


def test_reports_a_store_that_refuses(tmp_path: Path) -> None:
    (tmp_path / "LibreChat").mkdir()
    result = Mac(tmp_path / "LibreChat", refuses=True).trust(TrustOptions(yes=True))

    assert result.exit_code is ExitCode.FINDINGS
    assert "denied" in result.findings[0].detail
    assert (
        "Run it yourself to see the error: /usr/bin/security add-trusted-cert"
        in result.findings[0].fix
    )


def test_another_authority(mac: Mac, tmp_path: Path) -> None:
    theirs = local_authority(tmp_path / "theirs", mac.keychain).ca_file
    result = mac.trust(TrustOptions(ca_file=theirs, yes=True))

    assert result.ca_file == theirs
    assert str(theirs) in mac.keychain.ran[0]
    assert not (mac.world.ports.state_dir / "certificates").exists()


def test_no_certificate(mac: Mac) -> None:
    with pytest.raises(Failure) as raised:
        mac.trust(TrustOptions(ca_file=Path("missing.pem")))

    assert raised.value.finding.rule.id == "LA336"


def test_nothing_to_forget(mac: Mac) -> None:
    result = mac.trust(TrustOptions(remove=True))

    assert result.exit_code is ExitCode.OK
    assert result.as_json() == {"ca_file": None, "steps": [], "done": True}
    assert "Nothing to do" in mac.world.said
    assert not mac.keychain.ran
