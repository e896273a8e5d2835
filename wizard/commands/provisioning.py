"""Brings a tenant to what LibreChat needs: for `provision`, and for `init` and `tunnel`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wizard.auth0.added_urls import AddedUrls
from wizard.auth0.management import ManagementApi, write_scopes
from wizard.auth0.management_access import Access
from wizard.auth0.management_plan import (
    Part,
    PlannedChange,
    Wanted,
    plan,
    remarks,
)
from wizard.commands.choose_access import choose_access, credentials, is_at_hand
from wizard.execution import INTERRUPTED
from wizard.findings import ExitCode, Failure, Finding
from wizard.known import Known
from wizard.language import Message, joined, sentences
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import NO_URLS, URL_LISTS

SECRET_HIDDEN = rule("LA614")
NOT_TAKEN = rule("LA619")

DEFAULT_NAME = "LibreChat"

Keep = Callable[[Known], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What to provision.

    Attributes:
        known: with domain and public URL, and the audiences where tokens are reused; without a
            Client ID, the application of that name is taken or created.
        env_file: for which LibreChat; URLs that we once added for it go when it has others.
        name: of a new application.
        prune: take away what LibreChat does not need, whoever added it.
        urls_only: change nothing but the lists of URLs.
    """

    known: Known
    env_file: Path
    name: str = DEFAULT_NAME
    prune: bool = False
    urls_only: bool = False


class Provisioning:
    """The tenant as it was read, and what must change in it.

    Reading happens at once and changes nothing; `apply` does what `changes` tells.

    Raises:
        Failure: the tenant cannot be read, or not all that is needed may be done.
    """

    def __init__(self, job: Job, access: Access, ports: Ports) -> None:
        self._job = job
        self._ports = ports
        self._api = ManagementApi(access, ports.clock)
        known = job.known
        if known.public_url is None:
            raise ValueError("without a public URL there is nothing to set up")
        self._wanted = Wanted(known.public_url, known.audience, job.name, prune=job.prune)
        client_id = known.client_id or ""
        with ports.console.working(Message("Reading {tenant}", tenant=access.tenant)):
            self._tenant = self._api.read(self._wanted, client_id)
        if self._tenant.application is not None:
            client_id = self._tenant.application.client_id
            self._wanted = replace(
                self._wanted, retired=self._added_urls(client_id).retired(self._wanted.urls)
            )
        self.changes = self._plan()
        self.remarks = remarks(self._tenant, self._wanted)
        self.known = self._known()
        access.require(write_scopes(self.changes, self._tenant))

    @property
    def creates_application(self) -> bool:
        """Whether the Client ID is known only afterwards."""
        return self._tenant.application is None

    def show(self) -> None:
        """The changes as a diff, with why; and what is amiss and stays."""
        console = self._ports.console
        for part in Part:
            of_part = [change for change in self.changes if change.part is part]
            if of_part:
                console.say(
                    Message(
                        "{doing} ({tenant}):",
                        doing=self._doing(part),
                        tenant=self._api.access.tenant,
                    )
                )
            for change in of_part:
                console.setting(change.title, change.removed, change.added, change.why)
        for finding in self.remarks:
            console.finding(finding)

    def apply(self, keep: Keep = lambda _: None) -> tuple[Known, tuple[Finding, ...]]:
        """Do it, part by part; returns what is known then, and what the tenant did not take.

        `keep` gets it as soon as the application exists, before anything else can go
        wrong: of a new one, nobody else has the secret.

        Raises:
            Failure: it stopped; the detail says what was done. The next run goes on from there.
        """
        done: list[str] = []
        for part in Part:
            doing: str = part.value
            try:
                if any(change.part is part for change in self.changes):
                    self._apply(part)
                    done.append(doing)
                if part is Part.APPLICATION:
                    doing = str(self._job.env_file)
                    self._note_use()
                    self.known = self._known()
                    keep(self.known)
            except Failure as failure:
                raise _told(failure, doing, done) from None
            except KeyboardInterrupt:
                if self._ports.last_words:  # the .env is written, too
                    told = Message("Done by now: {parts}.", parts=joined(", ", done))
                    raise _continued(INTERRUPTED.failure(), told if done else "") from None
                raise _told(INTERRUPTED.failure(), doing, done) from None
        return self.known, self._read_back() if self.changes else ()

    def _apply(self, part: Part) -> None:
        wanted, before = self._wanted, self._tenant.application
        if part is Part.APPLICATION and before is not None:
            self._added_urls(before.client_id).before_adding(before.urls, wanted.urls)
        with self._ports.console.working(Message("Changing the {part}", part=part.value)):
            self._tenant = self._api.apply(part, self.changes, self._tenant, wanted.audience or "")
        after = self._tenant.application
        if part is Part.APPLICATION and before is None and after is not None:
            self._added_urls(after.client_id).before_adding(NO_URLS, wanted.urls)
        self._ports.console.done(Message("The {part} is set up.", part=part.value))

    def _note_use(self) -> None:
        """The application is as it shall be: the record of its URLs, too."""
        if (application := self._tenant.application) is not None:
            record = self._added_urls(application.client_id)
            record.after_adding(application.urls, self._wanted.urls)

    def _read_back(self) -> tuple[Finding, ...]:
        client_id = self.known.client_id or ""
        try:
            with self._ports.console.working("Reading back"):
                self._tenant = self._api.read(self._wanted, client_id)
        except Failure as failure:
            told = Message("Every change was made; only the look at them afterwards failed.")
            raise _continued(failure, told) from None
        rest = self._plan()
        if not rest:
            return ()
        titles = joined(", ", (change.title for change in rest))
        return (NOT_TAKEN.finding(Message("{titles}.", titles=titles)),)

    def _plan(self) -> tuple[PlannedChange, ...]:
        changes = plan(self._tenant, self._wanted)
        if not self._job.urls_only:
            return changes
        return tuple(change for change in changes if change.field in URL_LISTS)

    def _known(self) -> Known:
        """Return what is known, with the application's ID and secret if there is one."""
        known, application = self._job.known, self._tenant.application
        if application is None:
            return known
        same = application.client_id == known.client_id
        secret = application.client_secret or (known.client_secret if same else None)
        if not secret:
            raise SECRET_HIDDEN.failure(f"{application.name} ({application.client_id}).")
        return replace(known, client_id=application.client_id, client_secret=secret)

    def _added_urls(self, client_id: str) -> AddedUrls:
        return AddedUrls(
            self._ports.state_dir, self._api.access.tenant, client_id, self._job.env_file
        )

    def _doing(self, part: Part) -> Message:
        tenant = self._tenant
        match part:
            case Part.API:
                if tenant.api is None:
                    return Message("Create the API {api}", api=self._wanted.audience)
                return Message("Change the API {api}", api=self._wanted.audience)
            case Part.APPLICATION:
                if tenant.application is None:
                    return Message("Create the application {name}", name=self._wanted.name)
                return Message("Change the application {name}", name=tenant.application.name)
            case Part.ACCESS:
                return Message("Give the application access")


def set_up_auth0(known: Known, env_file: Path, ports: Ports, keep: Keep) -> Known | None:
    """Set the tenant up after asking; for `init`.

    Returns:
        What is known then, with Client ID and secret; None if the user did not want the changes.

    Raises:
        Failure: it could not be done, or not to its end; the detail says what was done.
    """
    access = choose_access(known.domain or "", credentials(ports.environ), ports)
    provisioning = Provisioning(Job(known, env_file), access, ports)
    provisioning.show()
    if not provisioning.changes:
        ports.console.done("Auth0 is set up already.")
    elif ports.prompter is not None and not ports.prompter.confirm("Make these changes in Auth0?"):
        return None
    complete, findings = provisioning.apply(keep)
    for finding in findings:
        ports.console.finding(finding)
    return complete


def swap_urls(known: Known, env_file: Path, ports: Ports) -> bool:
    """Put LibreChat's new URLs in the place of those we added before; for `tunnel`.

    Returns:
        Whether the tenant has them now; False where no credential is at hand, or the user said no.

    Raises:
        Failure: it could not be done.
    """
    given = credentials(ports.environ)
    if not is_at_hand(given, ports) or not known.client_id:
        return False
    access = choose_access(known.domain or "", given, ports)
    provisioning = Provisioning(Job(known, env_file, urls_only=True), access, ports)
    if provisioning.changes:
        provisioning.show()
        prompter = ports.prompter
        if prompter is not None and not prompter.confirm("Change the URLs in Auth0?"):
            return False
    _, findings = provisioning.apply()
    return not findings


def _told(failure: Failure, doing: str, done: Sequence[str]) -> Failure:
    """The failure, and how far it came; what was refused was not done, what broke may have been."""
    unsure = failure.exit_code in {ExitCode.TENANT, ExitCode.INTERRUPTED}
    so_far = Message("nothing before it needed a change")
    if done:
        so_far = Message("done by now: {parts}", parts=joined(", ", done))
    told = Message("It stopped at: {doing}, which is not changed; {so_far}.")
    if unsure:
        told = Message("It stopped at: {doing}, which may or may not be changed; {so_far}.")
    return _continued(failure, told.filled(doing=doing, so_far=so_far))


def _continued(failure: Failure, told: str) -> Failure:
    finding = failure.finding
    return Failure(
        replace(
            finding,
            detail=sentences(finding.detail, told),
            fix=sentences(
                finding.fix, Message("The next run looks what there is and completes it.")
            ),
        )
    )
