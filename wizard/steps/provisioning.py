"""Sets a tenant up for LibreChat, for `provision`, `init` and `tunnel`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from wizard.auth0.added_urls import AddedUrls
from wizard.auth0.management import change_tenant, read_tenant, write_scopes
from wizard.auth0.management_access import Access
from wizard.auth0.management_calls import NOTHING, Calls
from wizard.auth0.management_plan import Part, PlannedChange, Wanted, plan, remarks
from wizard.execution import INTERRUPTED
from wizard.findings import ExitCode, Failure, Finding
from wizard.known import Known
from wizard.language import Message, joined, sentences
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import NO_URLS
from wizard.steps.change import Confirmation, Pages, consent, show_changes
from wizard.steps.choose_access import choose_access, given_credential
from wizard.ui.screen import Line, hint_line, setting_lines

SECRET_HIDDEN = rule("LA614")
NOT_TAKEN = rule("LA619")
NOT_READ_BACK = Message("Every change was made, but they could not be read back.")

MAKE_CHANGES = Confirmation(
    text=Message("Make these changes?"),
    declined=Message("Nothing was changed."),
    dry_run=Message("Dry run: nothing was changed."),
    fix=Message("Add --yes to make the changes, or --dry-run to only show them."),
)

Keep = Callable[[Known], None]


class Provisioning:
    """Reads the tenant and plans `changes`; `apply` makes them.

    `known` has at least the domain; added URLs are recorded for `env_file`.
    """

    def __init__(
        self, known: Known, wanted: Wanted, env_file: Path, access: Access, ports: Ports
    ) -> None:
        self._given = known
        self._wanted = wanted
        self._env_file = env_file
        self._ports = ports
        self._access = access
        with ports.console.working("Reading {tenant}", tenant=access.tenant):
            self._tenant = read_tenant(self._calls, wanted, known.client_id or "")
        if self._tenant.application is not None:
            self._wanted = wanted._replace(retired=self._added_urls.retired(wanted.urls))
        self.changes = plan(self._tenant, self._wanted)
        self.remarks = remarks(self._tenant, self._wanted)
        self.known = known._replace(client_id=self._tenant.client_id or known.client_id)
        if not self.brings_secret:
            self.known = self._known()
        access.require(write_scopes(self.changes, self._tenant))

    @property
    def brings_secret(self) -> bool:
        """Whether the secret is known after the changes only.

        It is of a new application. Auth0 hides it of one that authenticates with a key (recordings
        of terraform-provider-auth0).
        """
        known = self._tenant.application
        fields = {change.field for change in self.changes}
        return known is None or (
            "client_authentication_methods" in fields and not known.string("client_secret")
        )

    def show(self, *, whole: bool = False) -> Pages:
        """Show the changes as a diff with reasons, and the remarks; see `show_changes`."""
        parts = {part: [each for each in self.changes if each.part is part] for part in Part}
        doing = {self._doing(part): changes for part, changes in parts.items() if changes}
        pages = show_plan(doing, self._access.tenant, self._ports, whole=whole)
        self._ports.console.finding(*self.remarks)
        return pages

    def apply(self, keep: Keep = lambda _: None) -> tuple[Known, tuple[Finding, ...]]:
        """Make the changes; return what is then known, and a finding if some were not saved.

        `keep` saves the secret of a new application before anything else can fail.
        """
        done: list[str] = []
        for part in Part:
            if any(change.part is part for change in self.changes):
                with stopping(part.value, done, self._ports.last_words):
                    self._apply(part)
                done.append(part.value)
            if part is Part.APPLICATION:
                with stopping(str(self._env_file), done, self._ports.last_words):
                    self._added_urls.after_adding(self._tenant.urls, self._wanted.urls)
                    self.known = self._known()
                    keep(self.known)
        return self.known, self._read_back() if self.changes else ()

    def _apply(self, part: Part) -> None:
        before, urls = self._tenant, self._wanted.urls
        is_new = before.application is None
        if part is Part.APPLICATION and not is_new:
            self._added_urls.before_adding(before.urls, urls)
        with self._ports.console.working("Changing the {part}", part=part.value):
            audience = self._wanted.audience or ""
            self._tenant = change_tenant(self._calls, part, self.changes, before, audience)
        if part is Part.APPLICATION and is_new:
            self._added_urls.before_adding(NO_URLS, urls)
        self._ports.console.done("The {part} is set up.", part=part.value)

    def _read_back(self) -> tuple[Finding, ...]:
        with adding(NOT_READ_BACK), self._ports.console.working("Reading back"):
            tenant = read_tenant(self._calls, self._wanted, self.known.client_id or "")
            return not_taken(plan(tenant, self._wanted))

    def _known(self) -> Known:
        known, application = self._given, self._tenant.application or NOTHING
        client_id, secret = self._tenant.client_id, application.string("client_secret")
        if not secret and client_id == known.client_id:
            secret = known.client_secret or ""
        if not secret:
            raise SECRET_HIDDEN.failure(f"{application.string('name')} ({client_id}).")
        return known._replace(client_id=client_id, client_secret=secret)

    @property
    def _calls(self) -> Calls:
        return Calls(self._access, self._ports.clock)

    @property
    def _added_urls(self) -> AddedUrls:
        """The record for the application, which must exist."""
        tenant, client_id = self._access.tenant, self._tenant.client_id
        return AddedUrls(self._ports.state_dir, tenant, client_id, self._env_file)

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
                name = tenant.application.string("name")
                return Message("Change the application {name}", name=name)
            case Part.ACCESS:
                return Message("Give the application access")
            case Part.WHO:
                raise ValueError("see wizard.steps.admit")


def show_plan(
    parts: Mapping[Message, Sequence[PlannedChange]], tenant: str, ports: Ports, *, whole: bool
) -> Pages:
    """Show what would be changed in the tenant, by what is done; see `show_changes`."""
    lines: list[Line] = []
    summary: list[Line] = []
    for doing, changes in parts.items():
        head = Line(Message("{doing} ({tenant}):", doing=doing, tenant=tenant))
        lines.append(head)
        for each in changes:
            lines += setting_lines(each.title, each.removed, each.added, each.why)
        summary += [head, hint_line(joined(", ", (each.title for each in changes)))]
    return show_changes(lines, summary, ports, whole=whole)


def set_up_auth0(
    known: Known, env_file: Path, access: Access, ports: Ports, keep: Keep
) -> tuple[Known, bool] | None:
    """Set the tenant up, for `init`; return None if the user declined.

    Otherwise return what is then known, and whether that needed changes.
    """
    wanted = Wanted(known.public_url or "", known.audience)
    provisioning = Provisioning(known, wanted, env_file, access, ports)
    pages = provisioning.show()
    question = MAKE_CHANGES._replace(text=Message("Make these changes in Auth0 and the .env?"))
    if not provisioning.changes:
        ports.console.done("Auth0 is already set up.")
    elif not consent(question, ports, yes=True, pages=pages):
        return None
    complete, findings = provisioning.apply(keep)
    ports.console.finding(*findings)
    return complete, bool(provisioning.changes)


def swap_urls(known: Known, env_file: Path, ports: Ports) -> bool:
    """Replace LibreChat's old URLs in the tenant, for `tunnel`; return whether that was done.

    It is not without a credential or a Client ID, or if the user declined.
    """
    given = given_credential(ports)
    is_at_hand = given.kind or ports.processes.which("auth0") is not None
    if not is_at_hand or not known.client_id:
        return False
    access = choose_access(known.domain or "", given, ports)
    wanted = Wanted(known.public_url or "", known.audience, urls_only=True)
    provisioning = Provisioning(known, wanted, env_file, access, ports)
    if provisioning.changes:
        pages = provisioning.show()
        question = MAKE_CHANGES._replace(text=Message("Change the URLs in Auth0?"))
        if not consent(question, ports, yes=True, pages=pages):
            return False
    _, findings = provisioning.apply()
    return not findings


def not_taken(rest: Iterable[PlannedChange]) -> tuple[Finding, ...]:
    """Return a finding if changes are left after all were made."""
    titles = joined(", ", (change.title for change in rest))
    return (NOT_TAKEN.finding("{titles}.", titles=titles),) if titles else ()


@contextmanager
def stopping(
    doing: str, done: Sequence[str], written: Sequence[str] = (), calls: Calls | None = None
) -> Iterator[None]:
    """Add to a failure where it stopped and what was done before.

    Ctrl-C after the `.env` is `written` did not stop it there; the last words say so. `calls` are
    those of a change with several requests.
    """
    with adding(so_far(done)):
        try:
            yield
        except Failure as failure:
            is_begun = calls is not None and calls.has_written
            raise _stopped_at(failure, doing, is_begun=is_begun) from None
        except KeyboardInterrupt:
            if written:
                raise
            raise _stopped_at(INTERRUPTED.failure(), doing) from None


@contextmanager
def adding(sentence: str) -> Iterator[None]:
    """Add the sentence to a failure and to Ctrl-C; "" for none."""
    try:
        yield
    except Failure as failure:
        raise _continued(failure, sentence) from None
    except KeyboardInterrupt:
        if not sentence:
            raise
        raise _continued(INTERRUPTED.failure(), sentence) from None


def so_far(parts: Iterable[str]) -> str:
    """Return what was done, "" for nothing."""
    listed = joined(", ", dict.fromkeys(parts))
    return Message("Done so far: {parts}.", parts=listed) if listed else ""


def _stopped_at(failure: Failure, doing: str, *, is_begun: bool = False) -> Failure:
    stopped = Message("It stopped at: {doing} (not changed).")
    if is_begun or failure.exit_code in {ExitCode.TENANT, ExitCode.INTERRUPTED}:
        # After a lost connection or Ctrl-C the last change may have been made.
        stopped = Message("It stopped at: {doing} (possibly changed).")
    return _continued(failure, stopped.filled(doing=doing))


def _continued(failure: Failure, sentence: str) -> Failure:
    finding = failure.finding
    return Failure(finding._replace(detail=sentences(finding.detail, sentence)))
