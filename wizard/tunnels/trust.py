"""Has browsers and this system trust an authority, and forget it again, when asked to.

A plan is data: each step says which store it is about and which commands of the store's own tool
it takes, so that it can be shown, and run by hand, before anything is run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.findings import Finding
from wizard.language import Message
from wizard.platforms import command_line, user_id
from wizard.private_files import file_name, private_folder, write_whole
from wizard.reading import read_file
from wizard.rules import rule

if TYPE_CHECKING:
    from wizard.processes import Processes

Command = tuple[str, ...]

# An administrator's password or the system's own question takes a person's time.
COMMAND_SECONDS = 120.0
MAX_BYTES = 1 << 20

STORE_UNCHANGED = rule("LA334")
NO_TOOL = rule("LA335")
NO_AUTHORITY = rule("LA336")


@dataclass(frozen=True, slots=True)
class Step:
    """One store, and what changes it.

    Attributes:
        store: whose store it is, and where; a text.
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


def is_done(step: Step, processes: Processes) -> bool:
    """Whether the store is as the step would have it, as far as its own tool can tell."""
    if step.tool or not step.trusted_if:
        return False
    return (processes.run(step.trusted_if).status == 0) == step.trusts


def remember(ca_file: Path, state_dir: Path, *, trusted: bool) -> None:
    """Keep in mind whether the stores were made to trust this certificate; for `is_remembered`.

    Raises:
        OSError: it cannot be written down.
    """
    note = _note(ca_file, state_dir)
    if trusted:
        private_folder(state_dir, note.parent.name)
        write_whole(note, b"")
    else:
        note.unlink(missing_ok=True)


def is_remembered(ca_file: Path, state_dir: Path) -> bool:
    """Whether the stores were made to trust this certificate; asks none, as that takes time."""
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
                fix=Message("Run it yourself: {command}", command=command_line(command)),
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
    home = Path(environ.get("HOME") or Path.home())
    data_home = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    planner = _Planner(ca_file, _thumbprint(ca_file), home, data_home, processes, trust)
    match platform:
        case "win32":
            return planner.windows()
        case "darwin":
            # Firefox, from 120 on, asks the keychain too; the tool of its own store is rare there.
            has_tool = processes.which("certutil") is not None
            return (*planner.keychain(), *(planner.firefox() if has_tool else ()))
        case _:
            return (*planner.linux(), *planner.chromium(), *planner.firefox())


def _thumbprint(ca_file: Path) -> str:
    """SHA-1, by which Windows and macOS name a certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA1

    try:
        authority = x509.load_pem_x509_certificate(read_file(ca_file, MAX_BYTES))
    except (OSError, ValueError) as error:
        raise NO_AUTHORITY.failure(f"{ca_file}: {error}") from error
    return authority.fingerprint(SHA1()).hex().upper()  # noqa: S303 - a name, not a proof


@dataclass(frozen=True, slots=True)
class _Planner:
    """Plans for one authority, store by store."""

    ca_file: Path
    thumbprint: str
    home: Path
    data_home: Path
    processes: Processes
    trust: bool

    @property
    def nickname(self) -> str:
        """How the stores that go by names know the authority; no two of ours share it."""
        return f"librechat-auth0-{self.thumbprint[:16].lower()}"

    def windows(self) -> tuple[Step, ...]:
        """The user's own root store; Windows asks to confirm. Not tried here, no Windows."""
        store = ("certutil", "-user")
        command = (
            (*store, "-addstore", "Root", str(self.ca_file))
            if self.trust
            else (*store, "-delstore", "Root", self.thumbprint)
        )
        check = (*store, "-verifystore", "Root", self.thumbprint)
        name = Message("Windows, Edge and Chrome (your own store)")
        return (Step(name, (command,), check, self.trust),)

    def keychain(self) -> tuple[Step, ...]:
        """The user's own keychain; macOS asks for the password. Not tried here, no macOS."""
        ca_file = str(self.ca_file)
        keychain = str(self.home / "Library/Keychains/login.keychain-db")
        command = (
            ("security", "add-trusted-cert", "-r", "trustRoot", "-k", keychain, ca_file)
            if self.trust
            else ("security", "remove-trusted-cert", ca_file)
        )
        check = ("security", "verify-cert", "-L", "-l", "-c", ca_file)  # without the network
        name = Message("Safari, Chrome and Edge (your keychain)")
        return (Step(name, (command,), check, self.trust),)

    def linux(self) -> tuple[Step, ...]:
        """What curl, Git and most programs use; nothing where the distribution is not known."""
        for folder, update in (
            ("/usr/local/share/ca-certificates", "update-ca-certificates"),  # Debian, Alpine
            ("/etc/pki/ca-trust/source/anchors", "update-ca-trust"),  # Fedora
            ("/etc/ca-certificates/trust-source/anchors", "update-ca-trust"),  # Arch
            ("/etc/pki/trust/anchors", "update-ca-certificates"),  # openSUSE
        ):
            if self.processes.which(update) is not None and Path(folder).is_dir():
                kept = f"{folder}/{self.nickname}.crt"
                source = str(self.ca_file)
                change = ("install", "-m", "0644", source, kept) if self.trust else ("rm", kept)
                root = _as_root()
                commands = ((*root, *change), (*root, update))
                check = ("cmp", "-s", source, kept)
                return (Step(Message("this system"), commands, check, self.trust),)
        return ()

    def chromium(self) -> tuple[Step, ...]:
        """Where Chromium looks since version 146; an old folder wins, even an empty one.

        Source: https://chromium.googlesource.com/chromium/src/+/main/docs/linux/cert_management.md
        """
        old, new = self.home / ".pki/nssdb", self.data_home / "pki/nssdb"
        if self.trust:
            databases = [old if old.is_dir() else new]
        else:
            databases = [folder for folder in (old, new) if _is_nss(folder)]
        name = Message("Chrome, Chromium and their kin")
        return tuple(self._nss(name, folder) for folder in databases)

    def firefox(self) -> tuple[Step, ...]:
        """Firefox's profiles, and the Chromium of a snap, wherever they are already."""
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
            for folder in sorted(self.home.glob(pattern))
            if _is_nss(folder)
        )

    def _nss(self, browser: str, database: Path) -> Step:
        at = ("-d", f"sql:{database}")
        commands: tuple[Command, ...] = (("certutil", "-D", *at, "-n", self.nickname),)
        if self.trust:
            # "C": may vouch for servers, and for nothing else.
            usage = ("-n", self.nickname, "-t", "C,,", "-i", str(self.ca_file))
            commands = (("certutil", "-A", *at, *usage),)
            if not _is_nss(database):
                folder = ("mkdir", "-p", "-m", "0700", str(database))
                commands = (folder, ("certutil", "-N", "--empty-password", *at), *commands)
        check = ("certutil", "-L", *at, "-n", self.nickname)
        tool = "" if self.processes.which("certutil") else "certutil"
        name = Message("{browser} ({database})", browser=browser, database=database)
        return Step(name, commands, check, self.trust, tool)


def _is_nss(folder: Path) -> bool:
    return (folder / "cert9.db").is_file()


def _as_root() -> Command:
    """How an administrator's command begins; sudo asks for the password at the terminal."""
    return ("sudo",) if user_id() != 0 else ()
