"""`provision` as a user runs it: the process, its files, and the auth0 CLI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from tests.management_stand_in import SCOPES, Managed
from tests.providers import Authority
from tests.tenant.state import Api, Application, Policy, User
from wizard.findings import ExitCode

STAND_IN = Path(__file__).parent.parent / "stand_ins" / "auth0.py"
URL = "https://chat.example.com"
AUDIENCE = "https://api.librechat.ai"


@dataclass
class Machine:
    """A user's machine with the auth0 CLI, signed in by default."""

    home: Path
    folder: Path
    managed: Managed
    authority: Authority

    @property
    def calls(self) -> list[dict[str, Any]]:
        log = self.home / "auth0.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def install_cli(self) -> None:
        program = self.home / "bin" / "auth0"
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable}\n{STAND_IN.read_text()}")
        program.chmod(0o755)

    def sign_in(self, *scopes: str, as_user: bool = False) -> str:
        """Sign the CLI in; as a user, it keeps the scopes that it asked for."""
        token = self.managed.token(*scopes)
        config = self.home / ".config" / "auth0" / "config.json"
        config.parent.mkdir(parents=True)
        kept = {"scopes": ["openid", *scopes]} if as_user else {}
        tenants = {self.managed.domain: {"access_token": token, **kept}}
        config.write_text(json.dumps({"default_tenant": "another", "tenants": tenants}))
        return token

    def provision(
        self, *options: str, environ: Mapping[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "wizard",
                "provision",
                "--domain",
                self.managed.domain,
                "--tenant-domain",
                self.managed.domain,
                "--public-url",
                URL,
                *options,
            ],
            cwd=self.folder,
            env=self.environ | dict(environ or {}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": f"{self.home / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "SSL_CERT_FILE": str(self.authority.ca),
            "STAND_IN_LOG": str(self.home / "auth0.log"),
            "PYTHONPATH": str(Path(__file__).parent.parent.parent),
        }

    @property
    def application(self) -> Application:
        (found,) = (
            it for it in self.managed.tenant.applications.values() if it.name == "LibreChat"
        )
        return found


@pytest.fixture
def machine(managed: Managed, authority: Authority, tmp_path: Path) -> Machine:
    managed.tenant.clock = time.time
    folder = tmp_path / "LibreChat"
    folder.mkdir()
    return Machine(tmp_path / "home", folder, managed, authority)


def findings(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return found


def test_sets_up_an_empty_tenant_with_the_auth0_cli(machine: Machine) -> None:
    machine.managed.tenant.add(
        Api(identifier=AUDIENCE, signing_alg="HS256", user_policy=Policy.REQUIRE_CLIENT_GRANT)
    )
    machine.install_cli()
    machine.sign_in()

    done = machine.provision("--yes", "--json")

    assert done.returncode == 0, done.stderr + done.stdout
    said = json.loads(done.stdout)
    assert said["applied"]
    assert {check["outcome"] for check in said["checks"]} <= {"proved", "likely"}
    assert all(
        call["argv"][-4:-2] == ["--tenant", machine.managed.domain] for call in machine.calls
    )
    env = dotenv_values(machine.folder / ".env", interpolate=False)
    assert env["OPENID_CLIENT_ID"] == machine.application.client_id
    assert env["OPENID_CLIENT_SECRET"] == machine.application.client_secret
    again = json.loads(machine.provision("--yes", "--json").stdout)
    assert not again["applied"]
    assert not again["changes"]


def test_the_cli_gets_no_credentials_of_ours_and_no_secret_in_its_arguments(
    machine: Machine,
) -> None:
    machine.install_cli()
    token, ada = machine.sign_in(), "ada@example.com"
    ours = {"AUTH0_CLIENT_SECRET": "ours", "AUTH0_DOMAIN": "ours", "CLAUDECODE": "1"}

    done = machine.provision("--yes", "--allow-user", ada, environ=ours)
    removed = machine.provision("--yes", "--remove-access", environ=ours)

    assert (done.returncode, removed.returncode) == (0, 0), done.stderr + removed.stderr
    assert machine.calls
    secrets = {token, machine.application.client_secret, machine.managed.tenant.users[ada].password}
    for call in machine.calls:
        assert not [secret for secret in secrets if secret in " ".join(call["argv"])]
        assert not [name for name in call["environ"] if name.startswith("AUTH0_")]


def test_reports_a_cli_that_is_not_signed_in(machine: Machine) -> None:
    machine.install_cli()

    done = machine.provision("--yes", "--json")

    assert done.returncode == ExitCode.FINDINGS
    (found,) = findings(done)
    assert found["rule"] == "LA618"
    assert "auth0 login" in found["fix"]


def test_reports_a_cli_that_lacks_a_scope(machine: Machine) -> None:
    machine.install_cli()
    machine.sign_in(*(it for it in SCOPES if it != "create:clients"))

    done = machine.provision("--yes", "--json")

    (found,) = findings(done)
    assert found["rule"] == "LA602"
    assert "create:clients" in found["detail"]
    assert "Done so far: API" in found["detail"]


def test_names_the_scopes_that_the_cli_did_not_ask_for_before_a_change(machine: Machine) -> None:
    machine.install_cli()
    machine.sign_in(*(it for it in SCOPES if it != "create:clients"), as_user=True)

    done = machine.provision("--yes", "--json")

    (found,) = findings(done)
    assert (found["rule"], found["detail"]) == ("LA602", "Missing: create:clients.")
    assert not machine.managed.api.writes


def test_names_an_application_that_the_cli_does_not_find(machine: Machine) -> None:
    machine.install_cli()
    machine.sign_in()

    done = machine.provision("--yes", "--json", "--client-id", "gone")

    (found,) = findings(done)
    assert found["rule"] == "LA611"


def test_reports_a_limit_that_the_cli_does_not_mention(machine: Machine) -> None:
    machine.install_cli()
    machine.sign_in()
    machine.managed.api.limits["clients"] = 1

    done = machine.provision("--yes", "--json")

    (found,) = findings(done)
    assert found["rule"] == "LA606"
    assert "403" in found["detail"]
    assert not (machine.folder / ".env").exists()


def test_reports_a_cli_without_network(machine: Machine) -> None:
    machine.install_cli()
    machine.sign_in()
    machine.managed.api.cut_from = 0

    done = machine.provision("--yes", "--json")

    assert done.returncode == ExitCode.TENANT


@pytest.mark.parametrize("how", ["works", "breaks", "refused", "refused at once"])
def test_no_secret_is_in_output_arguments_or_files(
    machine: Machine, tmp_path: Path, how: str
) -> None:
    token, stdin = machine.managed.token(), ""
    environ = {
        "AUTH0_MANAGEMENT_CLIENT_ID": machine.managed.machine.client_id,
        "AUTH0_MANAGEMENT_CLIENT_SECRET": machine.managed.machine.client_secret,
    }
    if how == "breaks":
        machine.managed.api.cut_from, machine.managed.api.cut_late = 3, True
        environ = {"AUTH0_MANAGEMENT_TOKEN": token}
    if how.startswith("refused"):
        environ, stdin = {}, token
        said = {"statusCode": 400, "error": "E", "message": f"bad {token}", "errorCode": "x"}
        machine.managed.api.answers[0 if how == "refused at once" else 2] = (400, said)
    options = ["--management-token-file", "-"] if stdin else []

    done = machine.provision("--yes", "--debug", *options, environ=environ, stdin=stdin)

    assert (done.returncode == 0) == (how == "works"), done.stderr
    assert ("Traceback" in done.stderr) == (how != "works")
    hidden = [token, machine.managed.machine.client_secret]
    hidden += [
        it.client_secret
        for it in machine.managed.tenant.applications.values()
        if it.name == "LibreChat"
    ]
    kept = {
        path: path.read_text("utf-8", "replace")
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name != ".env" and "backups" not in path.parts
    }
    for secret in hidden:
        assert secret not in done.stdout + done.stderr
        assert not [path for path, text in kept.items() if secret in text]


def test_the_env_file_is_private(machine: Machine) -> None:
    machine.provision("--yes", environ={"AUTH0_MANAGEMENT_TOKEN": machine.managed.token()})

    assert (machine.folder / ".env").stat().st_mode & 0o077 == 0


def test_sets_up_access_with_the_auth0_cli(machine: Machine) -> None:
    """The CLI prints nothing where success has no body, so the changes are read back."""
    machine.install_cli()
    machine.sign_in()
    machine.managed.tenant.add(User(login="ada@example.org", email="ada@example.org", password="a"))
    done = machine.provision("--yes", "--allow-user", "ada@example.org", "--admin", "bo@x.io")

    assert done.returncode == ExitCode.OK, done.stderr
    assert "Invitation for bo@x.io" in done.stderr
    application = next(it for it in machine.managed.tenant.applications.values() if it.callbacks)
    user = machine.managed.tenant.users["ada@example.org"]
    verdict = machine.managed.tenant.verdict(user.user_id, application.client_id)
    assert verdict.roles == ("librechat-user",)
    again = machine.provision("--yes", "--json", "--allow-user", "ada@example.org,bo@x.io")
    assert [it["title"] for it in json.loads(again.stdout)["changes"]] == []
    removed = machine.provision("--yes", "--remove-access")
    assert removed.returncode == ExitCode.OK, removed.stderr
    assert not machine.managed.tenant.library
