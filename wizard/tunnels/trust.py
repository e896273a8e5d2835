"""Has browsers and this system trust an authority, and forget it again, when asked to.

A plan is data: each step says which store it is about and which commands of the store's own tool
it takes, so that it can be shown, and run by hand, before anything is run.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.findings import ExitCode, Finding, Rule, Severity

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from wizard.processes import Processes

Command = tuple[str, ...]

# An administrator's password or the system's own question takes a person's time.
COMMAND_SECONDS = 120.0

STORE_UNCHANGED = Rule(
    id="LA334",
    severity=Severity.ERROR,
    title="a trust store could not be changed",
    why="Browsers that use this store go on warning of https://localhost, or trusting it.",
    fix="Run the command yourself; it says more about what is wrong.",
    exit_code=ExitCode.FINDINGS,
)
NO_TOOL = Rule(
    id="LA335",
    severity=Severity.WARNING,
    title="the tool of a trust store is not installed",
    why="Chrome, Chromium and Firefox on Linux keep their own stores, which certutil changes.",
    fix="Install it (Debian, Ubuntu: libnss3-tools; Fedora: nss-tools; Arch: nss), and try again.",
    exit_code=ExitCode.FINDINGS,
)
NO_AUTHORITY = Rule(
    id="LA336",
    severity=Severity.ERROR,
    title="there is no certificate of an authority to trust",
    why="The authority is made when the local tunnel is opened for the first time.",
    fix="Open it: librechat-auth0 tunnel --tunnel local",
    exit_code=ExitCode.FILE,
)
RULES = (STORE_UNCHANGED, NO_TOOL, NO_AUTHORITY)


@dataclass(frozen=True, slots=True)
class Step:
    """One store, and what changes it.

    Attributes:
        store: whose store it is, and where.
        commands: run in this order, the first that fails ends the step.
        trusted_if: a command that changes nothing and succeeds when the store trusts the
            authority; empty where there is none.
        trusts: whether the store trusts the authority after the step.
        tool: a program that the step lacks; it cannot be run then.
    """

    store: str
    commands: tuple[Command, ...]
    trusted_if: Command
    trusts: bool
    tool: str = ""


def plan_trust(
    ca_file: Path, processes: Processes, environ: Mapping[str, str], platform: str
) -> tuple[Step, ...]:
    """The steps after which this machine's browsers trust the authority.

    Args:
        ca_file: the authority's certificate, PEM.
        processes: asked which tools there are; nothing is run.
        environ: where the user's folders are.
        platform: as `sys.platform` names it.

    Raises:
        Failure: the file is no certificate.
    """
    return _plan(ca_file, processes, environ, platform, trust=True)


def plan_untrust(
    ca_file: Path, processes: Processes, environ: Mapping[str, str], platform: str
) -> tuple[Step, ...]:
    """The steps that take the authority out again; arguments and errors as of `plan_trust`."""
    return _plan(ca_file, processes, environ, platform, trust=False)


def run(steps: Iterable[Step], processes: Processes) -> tuple[Finding, ...]:
    """Run the steps that are needed yet; what went wrong, in their order."""
    return tuple(finding for step in steps if (finding := _run(step, processes)))


def _run(step: Step, processes: Processes) -> Finding | None:
    if step.tool:
        return NO_TOOL.finding(f"{step.tool}, for {step.store}")
    if step.trusted_if and (processes.run(step.trusted_if).status == 0) == step.trusts:
        return None
    for command in step.commands:
        done = processes.run(command, timeout=COMMAND_SECONDS)
        if done.status != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            return STORE_UNCHANGED.finding(
                f"{step.store}: {said[-1] if said else f'exit status {done.status}'}",
                fix=f"Run it yourself: {' '.join(command)}",
            )
    return None


def _plan(
    ca_file: Path,
    processes: Processes,
    environ: Mapping[str, str],
    platform: str,
    *,
    trust: bool,
) -> tuple[Step, ...]:
    authority = _read(ca_file)
    if platform == "darwin":
        return (
            _keychain(ca_file, environ, trust=trust),
            *_firefox(ca_file, authority, processes, environ, platform, trust=trust),
        )
    if platform == "win32":
        return (_windows(ca_file, authority, trust=trust),)
    chromium = _nss_step(
        "Chrome, Chromium and their kin",
        _chromium_database(environ),
        ca_file,
        authority,
        processes,
        trust=trust,
    )
    system = _linux(ca_file, authority, processes, trust=trust)
    browsers = _firefox(ca_file, authority, processes, environ, platform, trust=trust)
    return (*system, chromium, *browsers)


def _read(ca_file: Path) -> Certificate:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(ca_file.read_bytes())
    except (OSError, ValueError) as error:
        raise NO_AUTHORITY.failure(f"{ca_file}: {error}") from error


def _nickname(authority: Certificate) -> str:
    """How stores that go by names know the authority: no two of ours share it."""
    return f"librechat-auth0 {_fingerprint(authority)[:16].lower()}"


def _fingerprint(authority: Certificate) -> str:
    """SHA-1, by which Windows and macOS name a certificate."""
    from cryptography.hazmat.primitives.hashes import SHA1

    return authority.fingerprint(SHA1()).hex().upper()  # noqa: S303 - a name, not a proof


# The system's stores


def _keychain(ca_file: Path, environ: Mapping[str, str], *, trust: bool) -> Step:
    """The user's own keychain: Safari, Chrome and Edge; macOS asks for the password."""
    keychain = str(Path(environ.get("HOME", "~")) / "Library/Keychains/login.keychain-db")
    ca = str(ca_file)
    command = (
        ("security", "add-trusted-cert", "-r", "trustRoot", "-k", keychain, ca)
        if trust
        else ("security", "remove-trusted-cert", ca)
    )
    # Says whether a chain of it is good, at loopback, without the network.
    check = ("security", "verify-cert", "-L", "-l", "-c", ca)
    return Step("Safari, Chrome and Edge (your keychain)", (command,), check, trust)


def _windows(ca_file: Path, authority: Certificate, *, trust: bool) -> Step:
    """The user's own root store: Edge, Chrome, and Firefox too; Windows asks to confirm."""
    thumbprint = _fingerprint(authority)
    command = (
        ("certutil", "-user", "-addstore", "Root", str(ca_file))
        if trust
        else ("certutil", "-user", "-delstore", "Root", thumbprint)
    )
    check = ("certutil", "-user", "-verifystore", "Root", thumbprint)
    return Step("Windows, Edge and Chrome (your root store)", (command,), check, trust)


def _linux(
    ca_file: Path, authority: Certificate, processes: Processes, *, trust: bool
) -> tuple[Step, ...]:
    """What curl, Git and most programs use; nothing where the distribution is not known."""
    name = _nickname(authority).replace(" ", "-")
    for folder, update in (
        ("/usr/local/share/ca-certificates", "update-ca-certificates"),  # Debian, Ubuntu, Alpine
        ("/etc/pki/ca-trust/source/anchors", "update-ca-trust"),  # Fedora, RHEL
        ("/etc/ca-certificates/trust-source/anchors", "update-ca-trust"),  # Arch
        ("/etc/pki/trust/anchors", "update-ca-certificates"),  # openSUSE
    ):
        if processes.which(update) is not None and Path(folder).is_dir():
            kept = f"{folder}/{name}.crt"
            change: Command = (
                ("install", "-m", "0644", str(ca_file), kept) if trust else ("rm", "-f", kept)
            )
            refresh: Command = (
                (update, "--fresh") if update.endswith("s") and not trust else (update,)
            )
            root = _as_root(processes)
            commands = ((*root, *change), (*root, *refresh))
            return (Step("this system", commands, ("cmp", "-s", str(ca_file), kept), trust),)
    return ()


def _as_root(processes: Processes) -> Command:
    """How an administrator's command begins; sudo asks for the password at the terminal."""
    geteuid = getattr(os, "geteuid", None)
    if geteuid is not None and geteuid() == 0:
        return ()
    return ("pkexec",) if processes.which("sudo") is None else ("sudo",)


# NSS: the browsers' own stores


def _chromium_database(environ: Mapping[str, str]) -> Path:
    """Where Chromium looks since version 146, unless the old folder is there.

    Source: https://chromium.googlesource.com/chromium/src/+/main/docs/linux/cert_management.md
    """
    home = Path(environ.get("HOME", "~"))
    old = home / ".pki/nssdb"
    return old if old.is_dir() else home / ".local/share/pki/nssdb"


def _firefox(
    ca_file: Path,
    authority: Certificate,
    processes: Processes,
    environ: Mapping[str, str],
    platform: str,
    *,
    trust: bool,
) -> tuple[Step, ...]:
    """Firefox's profiles, and Chromium as a snap, wherever there is such a store already."""
    home = Path(environ.get("HOME", "~"))
    patterns = (
        ("Library/Application Support/Firefox/Profiles/*",)
        if platform == "darwin"
        else (
            ".mozilla/firefox/*",
            ".config/mozilla/firefox/*",
            "snap/firefox/common/.mozilla/firefox/*",
            ".var/app/org.mozilla.firefox/.mozilla/firefox/*",
            "snap/chromium/current/.pki/nssdb",
        )
    )
    databases = (
        folder
        for pattern in patterns
        for folder in sorted(home.glob(pattern))
        if (folder / "cert9.db").is_file()
    )
    return tuple(
        _nss_step(
            "Chromium (snap)" if "snap/chromium" in folder.as_posix() else "Firefox",
            folder,
            ca_file,
            authority,
            processes,
            trust=trust,
        )
        for folder in databases
    )


def _nss_step(
    browser: str,
    database: Path,
    ca_file: Path,
    authority: Certificate,
    processes: Processes,
    *,
    trust: bool,
) -> Step:
    where, name = f"sql:{database}", _nickname(authority)
    commands: list[Command] = []
    if trust:
        if not (database / "cert9.db").is_file():
            commands.append(("mkdir", "-p", "-m", "0700", str(database)))
            commands.append(("certutil", "-N", "--empty-password", "-d", where))
        # "C": may vouch for servers, and for nothing else.
        commands.append(
            ("certutil", "-A", "-d", where, "-n", name, "-t", "C,,", "-i", str(ca_file))
        )
    else:
        commands.append(("certutil", "-D", "-d", where, "-n", name))
    tool = "" if processes.which("certutil") is not None else "certutil"
    check = ("certutil", "-L", "-d", where, "-n", name)
    return Step(f"{browser} ({database})", tuple(commands), check, trust, tool)
