"""Trust plans: their steps on each system, and their effect in NSS and Chromium."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.chromium import START_PATIENCE
from tests.tunnels.loopback import RunningProxy, Upstream, WithoutMkcert, running_proxy, serving
from wizard.findings import Failure
from wizard.system.processes import Completed, Processes
from wizard.tunnels.certificates import Authority, local_authority
from wizard.tunnels.trust import Step, plan, run

linux = pytest.mark.skipif(sys.platform != "linux", reason="NSS's stores are Linux's")


class With(WithoutMkcert):
    """A machine with these programs that runs none of them."""

    def __init__(self, *programs: str) -> None:
        self.programs = programs

    def which(self, program: str) -> Path | None:
        return Path("/usr/bin") / program if program in self.programs else None

    def run(
        self,
        args: Sequence[str],
        *,
        timeout: float = 10.0,
        env: Mapping[str, str] | None = None,
        at_terminal: bool = False,
        given: bytes = b"",
    ) -> Completed:
        raise AssertionError(f"planning runs nothing: {args}")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return local_authority(tmp_path_factory.mktemp("state"), WithoutMkcert())


@pytest.fixture
def home() -> Path:
    return Path(os.environ["HOME"])


def environ(**more: str) -> dict[str, str]:
    return {"HOME": os.environ["HOME"], **more}


def browsers(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return all steps but the system store's, which no test may change."""
    return tuple(step for step in steps if step.store != "this system")


def test_macos_uses_its_keychain(authority: Authority, home: Path) -> None:
    ca = str(authority.ca_file)
    (trust,) = plan(authority.ca_file, With(), environ(), "darwin", trust=True)
    (untrust,) = plan(authority.ca_file, With(), environ(), "darwin", trust=False)

    keychain = f"{home}/Library/Keychains/login.keychain-db"
    assert trust.commands == (
        ("/usr/bin/security", "add-trusted-cert", "-r", "trustRoot", "-k", keychain, ca),
    )
    (command,) = untrust.commands
    # With its trust settings; `remove-trusted-cert` keeps the certificate.
    assert command[:4] == ("/usr/bin/security", "delete-certificate", "-t", "-Z")
    assert (len(command[4]), command[5]) == (40, keychain)
    name = x509.load_pem_x509_certificate(authority.ca_file.read_bytes()).subject
    (named,) = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    assert untrust.trusted_if == (
        *("/usr/bin/security", "find-certificate", "-c", named.value, keychain),
    )
    assert (trust.trusts, untrust.trusts) == (True, False)


@pytest.mark.parametrize(("tools", "stores"), [((), 1), (("certutil",), 2)])
def test_firefox_on_macos_uses_the_keychain(
    authority: Authority, home: Path, tools: tuple[str, ...], stores: int
) -> None:
    profile = home / "Library/Application Support/Firefox/Profiles/x.default-release"
    profile.mkdir(parents=True)
    (profile / "cert9.db").touch()
    steps = plan(authority.ca_file, With(*tools), environ(), "darwin", trust=True)

    assert len(steps) == stores
    assert not any(step.tool for step in steps)


def test_windows_uses_its_own_programs(authority: Authority) -> None:
    """It uses System32's programs, whatever `PATH` has."""
    processes, environ = With("certutil", "reg"), {"SYSTEMROOT": "/D/Windows"}
    (trust,) = plan(authority.ca_file, processes, environ, "win32", trust=True)
    (untrust,) = plan(authority.ca_file, processes, environ, "win32", trust=False)

    certutil, reg = (f"/D/Windows/System32/{name}.exe" for name in ("certutil", "reg"))
    assert trust.commands == ((certutil, "-user", "-addstore", "Root", str(authority.ca_file)),)
    (command,) = untrust.commands
    assert command[:4] == (certutil, "-user", "-delstore", "Root")
    assert len(command[4]) == 40
    # The registry has only the user's own store, certutil shows the machine's as well.
    own = rf"HKCU\Software\Microsoft\SystemCertificates\Root\Certificates\{command[4]}"
    assert trust.trusted_if == untrust.trusted_if == (reg, "query", own)


@pytest.mark.skipif(
    not Path("/usr/local/share/ca-certificates").is_dir(), reason="needs Debian's folders"
)
@pytest.mark.parametrize(("user", "root"), [(0, ()), (1000, ("sudo",))])
def test_debian_copies_and_refreshes(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, user: int, root: tuple[str, ...]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    processes = With("update-ca-certificates", "certutil")
    system = plan(authority.ca_file, processes, environ(), "linux", trust=True)[0]
    undo = plan(authority.ca_file, processes, environ(), "linux", trust=False)[0]

    (copy, refresh), (remove, again) = system.commands, undo.commands
    assert copy[: len(root) + 1] == (*root, "install")
    assert copy[-1].startswith("/usr/local/share/ca-certificates/librechat-auth0-")
    assert copy[-1].endswith(".crt")
    assert remove == (*root, "rm", copy[-1])
    assert refresh == (*root, "update-ca-certificates")
    assert again == (*refresh, "--fresh")


@linux
@pytest.mark.parametrize(
    ("folder", "variables", "expected"),
    [
        (None, {}, ".local/share/pki/nssdb"),
        (None, {"XDG_DATA_HOME": "/data"}, "/data/pki/nssdb"),
        (".pki/nssdb", {}, ".pki/nssdb"),
        (".pki/nssdb", {"XDG_DATA_HOME": "/data"}, ".pki/nssdb"),
    ],
)
def test_finds_chromiums_store(
    authority: Authority, home: Path, folder: str | None, variables: dict[str, str], expected: str
) -> None:
    if folder:
        (home / folder).mkdir(parents=True)
    (step,) = plan(authority.ca_file, With("certutil"), environ(**variables), "linux", trust=True)
    assert f"sql:{home / expected}" in step.commands[-1]


@linux
def test_a_step_without_certutil_names_what_is_missing(authority: Authority) -> None:
    (step,) = plan(authority.ca_file, With(), environ(), "linux", trust=True)
    (finding,) = run([step], With())
    assert (step.tool, finding.rule.id) == ("certutil", "LA335")
    assert "libnss3-tools" in finding.fix


def test_no_plan_without_an_authority(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        plan(tmp_path / "none.pem", With(), environ(), "linux", trust=True)
    assert caught.value.finding.rule.id == "LA336"


def test_reports_a_failed_command(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "exit('no such store')")
    step = Step("a store", (command,), (), trusts=True)
    (finding,) = run([step], Processes())
    assert finding.rule.id == "LA334"
    assert finding.detail == "a store: no such store"
    assert shlex.split(finding.fix.partition(": ")[2]) == list(command)


@linux
@pytest.mark.needs("certutil")
def test_adds_to_and_removes_from_stores(authority: Authority, home: Path) -> None:
    profile = home / ".mozilla/firefox/abc.default"
    profile.mkdir(parents=True)
    database = ["certutil", "-d", f"sql:{profile}"]
    subprocess.run([*database, "-N", "--empty-password"], check=True)
    processes = Processes()

    def listed() -> str:
        return subprocess.run([*database, "-L"], capture_output=True, text=True, check=True).stdout

    before = listed()
    trust = browsers(plan(authority.ca_file, processes, environ(), "linux", trust=True))
    assert [step.store.partition(" (")[0] for step in trust] == [
        "Chrome, Chromium and related browsers",
        "Firefox",
    ]
    for _ in range(2):  # the second time, there is nothing to do
        assert run(trust, processes) == ()
        assert listed().count("librechat-auth0-") == 1
    untrust = browsers(plan(authority.ca_file, processes, environ(), "linux", trust=False))
    for _ in range(2):
        assert run(untrust, processes) == ()
        assert listed() == before


@pytest.fixture
def proxy(authority: Authority) -> Iterator[RunningProxy]:
    with serving(Upstream().serve) as port, running_proxy(port, authority) as running:
        yield running


def chromium(url: str, home: Path, **variables: str) -> str:
    """Return the page in Chromium, or "" if it rejects the certificate."""
    args: list[Any] = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    args += ["--disable-background-networking", f"--user-data-dir={home}/profile", "--dump-dom"]
    done = subprocess.run(
        [*args, url],
        env={**os.environ, "HOME": str(home), **variables},
        capture_output=True,
        text=True,
        timeout=START_PATIENCE,
        check=False,
    )
    return done.stdout


@linux
@pytest.mark.needs("chromium", "certutil")
@pytest.mark.parametrize("kind", ["new", "old", "moved"])
def test_chromium_trusts_it_after_trust_only(
    authority: Authority, proxy: RunningProxy, home: Path, kind: str
) -> None:
    variables = {"XDG_DATA_HOME": str(home / "data" if kind == "moved" else home / ".local/share")}
    if kind == "old":
        (home / ".pki/nssdb").mkdir(parents=True)
    processes = Processes()
    names = environ(**variables)

    assert "target" not in chromium(f"{proxy.url}/echo", home, **variables)
    trust = browsers(plan(authority.ca_file, processes, names, "linux", trust=True))
    assert run(trust, processes) == ()
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert "target" in chromium(f"https://{host}:{proxy.port}/echo", home, **variables)
    untrust = browsers(plan(authority.ca_file, processes, names, "linux", trust=False))
    assert run(untrust, processes) == ()
    assert "target" not in chromium(f"{proxy.url}/echo", home, **variables)
