"""Adds an authority to the trust stores of browsers and the system, and removes it.

A plan is data: each step names a store and the commands of its own tool, so that users can see
them, or run them by hand, first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.findings import Finding
from wizard.language import Message
from wizard.rules import rule
from wizard.system.platforms import command_line, home_folder, system_folder, user_id
from wizard.system.private_files import file_name, private_folder, write_whole
from wizard.system.reading import read_file

if TYPE_CHECKING:
    from wizard.system.processes import Processes

Command = tuple[str, ...]

# The system may ask a person for a password.
COMMAND_SECONDS = 120.0
MAX_BYTES = 1 << 20

STORE_UNCHANGED = rule("LA334")
NO_TOOL = rule("LA335")
NO_AUTHORITY = rule("LA336")

# Of our own authority, in the state folder.
FOLDER = "certificates"
CA_FILE = "ca.pem"


def known_authority(state_dir: Path) -> Path | None:
    """Return the certificate of our own authority, None if it was never made."""
    path = state_dir / FOLDER / CA_FILE
    return path if path.is_file() else None


def mkcert_root(processes: Processes) -> Path | None:
    """Return the certificate of mkcert's authority; None if it is missing or cannot sign."""
    if processes.which("mkcert") is None:
        return None
    done = processes.run(["mkcert", "-CAROOT"])
    folder = Path(done.stdout.strip())
    can_sign = done.status == 0 and (folder / "rootCA-key.pem").is_file()
    return folder / "rootCA.pem" if can_sign else None


@dataclass(frozen=True, slots=True)
class Step:
    """A change of one store, whose owner and place `store` names for people."""

    store: str
    commands: tuple[Command, ...]  # in this order, until one fails
    trusted_if: Command  # changes nothing, and succeeds if the store trusts the authority
    trusts: bool  # whether the store trusts the authority after the step
    tool: str = ""  # a missing program, without which the step cannot be run

    def as_json(self) -> dict[str, object]:
        """Return the step as `--json` prints it."""
        return {"store": self.store, "commands": [*map(command_line, self.commands)]}


def plan(
    ca_file: Path,
    processes: Processes,
    environ: Mapping[str, str],
    platform: str,
    *,
    trust: bool,
) -> tuple[Step, ...]:
    """Plan to add the authority with this certificate to the stores, or to remove it; or LA336."""
    planner = _Planner(ca_file, processes, environ, trust=trust)
    if platform == "win32":
        return (planner.windows(),)
    if platform == "darwin":
        # Firefox 120 and later reads the keychain too; its own store rarely has a tool there.
        return (planner.keychain(), *(planner.firefox() if planner.has_certutil else ()))
    return (*planner.linux(), *planner.chromium(), *planner.firefox())


def run(steps: Iterable[Step], processes: Processes) -> tuple[Finding, ...]:
    """Run the steps that are not done yet; return what went wrong."""
    return tuple(finding for step in steps if (finding := _run(step, processes)))


def is_done(step: Step, processes: Processes) -> bool:
    """Whether the store is already as after the step, as far as its tool knows."""
    if step.tool or not step.trusted_if:
        return False
    return (processes.run(step.trusted_if).status == 0) == step.trusts


def remember(ca_file: Path, state_dir: Path, *, trusted: bool) -> None:
    """Record whether the stores trust this certificate, for `is_remembered`; raises OSError."""
    note = _note(ca_file, state_dir)
    if trusted:
        private_folder(state_dir, note.parent.name)
        write_whole(note, b"")
    else:
        note.unlink(missing_ok=True)


def is_remembered(ca_file: Path, state_dir: Path) -> bool:
    """Whether the stores are recorded to trust this certificate: asking them takes time."""
    return ca_file.is_file() and _note(ca_file, state_dir).is_file()


def _note(ca_file: Path, state_dir: Path) -> Path:
    return state_dir / "trusted" / file_name(read_file(ca_file, MAX_BYTES))


def _run(step: Step, processes: Processes) -> Finding | None:
    if step.tool:
        return NO_TOOL.finding(Message("{tool}, for {store}", tool=step.tool, store=step.store))
    if is_done(step, processes):
        return None
    for command in step.commands:
        done = processes.run(command, timeout=COMMAND_SECONDS, at_terminal=True)
        if done.status != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            why = said[-1] if said else Message("exit status {status}", status=done.status)
            return STORE_UNCHANGED.finding(
                Message("{store}: {reason}", store=step.store, reason=why),
                fix=Message(
                    "Run it yourself to see the error: {command}", command=command_line(command)
                ),
            )
    return None


def _names(ca_file: Path) -> tuple[str, str]:
    """Return the SHA-1 by which Windows and macOS name a certificate, and its common name or ""."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA1

    try:
        authority = x509.load_pem_x509_certificate(read_file(ca_file, MAX_BYTES))
    except OSError as error:
        raise NO_AUTHORITY.failure(f"{ca_file}: {error.strerror}") from error
    except ValueError as error:
        raise NO_AUTHORITY.failure(
            Message("{file} is not a PEM certificate", file=ca_file)
        ) from error
    thumbprint = authority.fingerprint(SHA1()).hex().upper()  # noqa: S303 - only a name
    named = authority.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return thumbprint, str(named[0].value) if named else ""


class _Planner:
    """Plans the steps for one authority."""

    def __init__(
        self, ca_file: Path, processes: Processes, environ: Mapping[str, str], *, trust: bool
    ) -> None:
        self._ca_file = str(ca_file)
        self._processes = processes
        self._trust = trust
        self._home = home_folder(environ)
        self._data_home = Path(environ.get("XDG_DATA_HOME") or self._home / ".local/share")
        self._system_folder = system_folder(environ)
        self._thumbprint, self._common_name = _names(ca_file)
        # The authority's unique name in stores that go by names.
        self._nickname = f"librechat-auth0-{self._thumbprint[:16].lower()}"
        self.has_certutil = processes.which("certutil") is not None

    def windows(self) -> Step:
        """The user's own root store; Windows asks to confirm. Not tested on Windows.

        The programs are Windows' own: NSS has a certutil too. certutil lists the machine's
        certificates in the user's store, the registry does not
        (https://learn.microsoft.com/windows/win32/seccrypto/system-store-locations).
        """
        store = (str(self._system_folder / "certutil.exe"), "-user")
        own = rf"HKCU\Software\Microsoft\SystemCertificates\Root\Certificates\{self._thumbprint}"
        return self._step(
            Message("Windows, Edge and Chrome (your own store)"),
            (*store, "-addstore", "Root", self._ca_file),
            (*store, "-delstore", "Root", self._thumbprint),
            (str(self._system_folder / "reg.exe"), "query", own),
        )

    def keychain(self) -> Step:
        """The user's own keychain; macOS asks for the password. Not tested on macOS.

        A certificate that lost its trust stays in the keychain until it is deleted, with `-t` its
        trust settings too (security(1)).
        """
        security, ca_file = "/usr/bin/security", self._ca_file
        keychain = str(self._home / "Library/Keychains/login.keychain-db")
        check: Command = (security, "verify-cert", "-L", "-l", "-c", ca_file)  # no network
        if not self._trust:
            find = (security, "find-certificate", "-c", self._common_name, keychain)
            check = find if self._common_name else ()
        return self._step(
            Message("Safari, Chrome and Edge (your keychain)"),
            (security, "add-trusted-cert", "-r", "trustRoot", "-k", keychain, ca_file),
            (security, "delete-certificate", "-t", "-Z", self._thumbprint, keychain),
            check,
        )

    def linux(self) -> tuple[Step, ...]:
        """The system's store, for curl, Git and most programs; () on unknown distributions."""
        root = ("sudo",) if user_id() != 0 else ()
        for folder, update in (
            ("/usr/local/share/ca-certificates", "update-ca-certificates"),  # Debian, Alpine
            ("/etc/pki/ca-trust/source/anchors", "update-ca-trust"),  # Fedora
            ("/etc/ca-certificates/trust-source/anchors", "update-ca-trust"),  # Arch
            ("/etc/pki/trust/anchors", "update-ca-certificates"),  # openSUSE
        ):
            if self._processes.which(update) is not None and Path(folder).is_dir():
                kept = f"{folder}/{self._nickname}.crt"
                # Otherwise Debian keeps its links to the removed file.
                is_stale = not self._trust and update == "update-ca-certificates"
                fresh = ("--fresh",) if is_stale else ()
                step = self._step(
                    Message("this system"),
                    (*root, "install", "-m", "0644", self._ca_file, kept),
                    (*root, "rm", kept),
                    ("cmp", "-s", self._ca_file, kept),
                    (*root, update, *fresh),
                )
                return (step,)
        return ()

    def _step(
        self, store: str, add: Command, remove: Command, check: Command, *then: Command
    ) -> Step:
        change = add if self._trust else remove
        return Step(store, (change, *then), check, self._trust)

    def chromium(self) -> tuple[Step, ...]:
        """Chromium's store since version 146; the old folder takes precedence, even if it is empty.

        Source: https://chromium.googlesource.com/chromium/src/+/main/docs/linux/cert_management.md
        """
        old, new = self._home / ".pki/nssdb", self._data_home / "pki/nssdb"
        if self._trust:
            databases = [old if old.is_dir() else new]
        else:
            databases = [folder for folder in (old, new) if _is_nss(folder)]
        name = Message("Chrome, Chromium and related browsers")
        return tuple(self._nss(name, folder) for folder in databases)

    def firefox(self) -> tuple[Step, ...]:
        """The stores of existing Firefox profiles and of the Chromium snap."""
        patterns = {
            "Library/Application Support/Firefox/Profiles/*": "Firefox",
            ".mozilla/firefox/*": "Firefox",
            ".config/mozilla/firefox/*": "Firefox",
            "snap/firefox/common/.mozilla/firefox/*": "Firefox",
            ".var/app/org.mozilla.firefox/.mozilla/firefox/*": "Firefox",
            "snap/chromium/current/.pki/nssdb": "Chromium",
        }
        return tuple(
            self._nss(browser, folder)
            for pattern, browser in patterns.items()
            for folder in sorted(self._home.glob(pattern))
            if _is_nss(folder)
        )

    def _nss(self, browser: str, database: Path) -> Step:
        at = ("-d", f"sql:{database}")
        commands: tuple[Command, ...] = (("certutil", "-D", *at, "-n", self._nickname),)
        if self._trust:
            # "C": trusted for servers only.
            usage = ("-n", self._nickname, "-t", "C,,", "-i", self._ca_file)
            commands = (("certutil", "-A", *at, *usage),)
            if not _is_nss(database):
                folder = ("mkdir", "-p", "-m", "0700", str(database))
                commands = (folder, ("certutil", "-N", "--empty-password", *at), *commands)
        check = ("certutil", "-L", *at, "-n", self._nickname)
        name = Message("{browser} ({database})", browser=browser, database=database)
        return Step(name, commands, check, self._trust, "" if self.has_certutil else "certutil")


def _is_nss(folder: Path) -> bool:
    return (folder / "cert9.db").is_file()
