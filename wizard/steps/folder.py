"""Finds the LibreChat folder and the `.env` to work on."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wizard.findings import Finding
from wizard.language import Message
from wizard.librechat.checkout import Checkout, below, find, look_at, signs_of_use
from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_plan import Base, plan_env
from wizard.librechat.env_store import EnvStore
from wizard.librechat.runner import Runner
from wizard.librechat.secrets import secrets_of
from wizard.librechat.version_gates import Setup, announced
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import InvalidValue, Settings
from wizard.steps.change import EnvChange
from wizard.system.reading import expanded, is_folder
from wizard.ui.prompts import Choice, Prompter

NOT_LIBRECHAT = rule("LA007")
NO_FOLDER = rule("LA008")
_OTHER = "other"
GET_LIBRECHAT = "git clone https://github.com/danny-avila/LibreChat.git"


class Folder(NamedTuple):
    """The checkout, its `.env` (`existing` is None where there is none), and who runs it."""

    checkout: Checkout
    store: EnvStore
    existing: bytes | None
    findings: Sequence[Finding]
    runner: Runner

    @property
    def values(self) -> dict[str, str]:
        """The values of the `.env`."""
        return EnvFile.from_bytes(self.existing).values() if self.existing else {}

    @property
    def version(self) -> str:
        """The LibreChat that runs here, "" where it is not known."""
        return self.runner.version

    def change(
        self,
        settings: Settings,
        port: int,
        ports: Ports,
        variables: Mapping[str, str] | None = None,
    ) -> EnvChange:
        """Return the change that makes the `.env` complete, as `plan_env` does."""
        example = EnvStore(self.checkout.env_example, ports.state_dir).read()
        used = signs_of_use(self.checkout.folder, ports.processes)
        base = Base(self.existing, example, port, used, self.version)
        change = EnvChange(self.store, self.existing, *plan_env(settings, base, variables))
        told = (*change.findings, *announced(Setup.of(settings, self.version)))
        left = self._problems_left(change.after, told, ports)
        notice = self.store.notice(change.after.to_bytes())
        return change._replace(findings=(*change.findings, *left, *notice.findings))

    def _problems_left(
        self, after: EnvFile, told: Iterable[Finding], ports: Ports
    ) -> Iterable[Finding]:
        """Return what doctor would find in the new file, without what was already shown."""
        from wizard.doctor.registry import problems_left
        from wizard.doctor.subject import planned

        subject = planned(self.store.path, after, ports.environ, self.runner)
        return problems_left(subject, told)


def find_folder(env_file: Path | None, ports: Ports) -> Folder:
    """Return the folder of the given file, else the nearest LibreChat folder or the current one."""
    path = ports.cwd / expanded(env_file) if env_file else None
    checkout = look_at(path.parent) if path else _nearest(ports)
    path = path or checkout.folder / ".env"
    if not is_folder(path.parent):
        raise NO_FOLDER.failure(str(path.parent))
    findings = []
    if not checkout.is_librechat and not env_file and not path.is_file():
        where = Message("The .env will be written to {folder}.", folder=path.parent)
        findings.append(NOT_LIBRECHAT.finding(where))
    store = EnvStore(path, ports.state_dir, ports.last_words.append, processes=ports.processes)
    folder = folder_of(checkout, store, ports, findings)
    ports.console.hide(secrets_of(folder.values.items()))
    return folder


def folder_of(
    checkout: Checkout, store: EnvStore, ports: Ports, findings: Sequence[Finding] = ()
) -> Folder:
    """Return the folder with its `.env`, and who runs it."""
    existing = store.read()
    values = EnvFile.from_bytes(existing).values() if existing else {}
    runner = store.runner({**values, **ports.environ})
    return Folder(checkout, store, existing, findings, runner)


def tell_folder(folder: Folder, findings: Iterable[Finding], ports: Ports) -> None:
    """Print what was found, and what happens to the file."""
    console = ports.console
    console.finding(*findings)
    checkout = folder.checkout
    if checkout.version:
        place = {"version": checkout.version, "folder": checkout.folder}
        console.done("LibreChat {version} in {folder}", **place)
    elif checkout.is_librechat:
        seen = ", ".join(checkout.evidence)
        console.done("LibreChat in {folder} ({evidence})", folder=checkout.folder, evidence=seen)
    if folder.store.path.is_symlink():
        console.warn(
            "The .env is a symbolic link; {target} will be changed.", target=folder.store.target
        )
    if folder.existing is not None and folder.existing.strip():
        console.done("Your .env is kept; only the necessary lines change.")
    elif folder.checkout.env_example.is_file():
        console.done("A new .env, from .env.example.")
    else:
        console.done("No .env yet: it will be created from the built-in template.")


def _nearest(ports: Ports) -> Checkout:
    checkout = find(ports.cwd)
    if not checkout.is_librechat and ports.prompter is not None:
        return _ask_folder(ports, ports.prompter)
    return checkout


def _ask_folder(ports: Ports, prompter: Prompter) -> Checkout:
    ports.console.warn("This does not look like a LibreChat folder.")
    found = below(ports.cwd)
    if found:
        choices = [Choice(str(each.folder), str(each.folder)) for each in found]
        choices.append(Choice(_OTHER, "another folder"))
        answer = prompter.select("LibreChat folder", choices, default=choices[0].key)
        if answer != _OTHER:
            return look_at(Path(answer))
    else:
        ports.console.verbatim("No LibreChat? Get it first:", [GET_LIBRECHAT])

    def existing_folder(text: str) -> Path:
        folder = ports.cwd / expanded(text.strip())
        with suppress(OSError, RuntimeError, ValueError):  # RuntimeError: links in a circle
            if is_folder(folder := folder.resolve()):
                return folder
        raise InvalidValue("{folder} is not a folder.", folder=folder)

    while True:
        folder = prompter.text("LibreChat folder", parse=existing_folder, default=str(ports.cwd))
        checkout = look_at(folder)
        if checkout.is_librechat or (folder / ".env").is_file():
            return checkout
        if prompter.confirm("This is not a LibreChat folder. Use it anyway?", default=False):
            return checkout
