"""Changes an `.env`: shows the diff, asks, backs up, writes and reports. All commands use it."""

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from wizard.findings import Failure, Finding
from wizard.language import Message, joined, sentences
from wizard.librechat.env_diff import DiffLine, masked_diff
from wizard.librechat.env_file import SPANS_LINES, Change, EnvFile, removed_lines
from wizard.librechat.env_store import EnvStore
from wizard.librechat.restart import OWN_WAY, how_to_restart, what_to_do
from wizard.librechat.runner import Runner
from wizard.librechat.secrets import secrets_in
from wizard.librechat.variables import VARIABLES, Section
from wizard.ports import Ports
from wizard.steps.values import MISSING_OPTION
from wizard.ui.screen import Line, diff_line, hint_line

OLD_ONE_KEPT = Message("Backup: {backup} (restore it with librechat-auth0 init --undo)")
CHANGES_TO = Message("Changes to {file}:")
_GROUPS = {
    Section.SERVER: Message("Server"),
    Section.LOGIN: Message("Registration and login"),
    Section.OPENID: Message("Sign-in with Auth0"),
    Section.CREDENTIALS: Message("Credentials"),
    Section.SEARCH: Message("Search"),
    None: Message("Other"),
}

Pages = Sequence[Sequence[Line]]


def show_diff(file: Path, lines: Sequence[DiffLine], ports: Ports, *, whole: bool = False) -> Pages:
    """Print the diff of an `.env`, or its variables; see `show_changes`."""
    heading = Line(CHANGES_TO.filled(file=file))
    summary = [
        hint_line(Message("{group}: {names}", group=_GROUPS[group], names=joined(", ", names)))
        for group, names in _by_group(lines).items()
    ]
    shown = [diff_line(line) for line in lines]
    return show_changes([heading, *shown], [heading, *summary], ports, whole=whole)


def show_changes(
    lines: Sequence[Line], summary: Sequence[Line], ports: Ports, *, whole: bool = False
) -> Pages:
    """Print the lines, or where they do not fit the screen of a user who is asked, the summary.

    Returns the pages that were not shown. `whole` never summarizes.
    """
    pages = ports.console.pages(lines)
    if whole or ports.prompter is None or len(pages) < 2:
        ports.console.show(lines)
        return ()
    ports.console.show(summary)
    return pages


def _turning(pages: Pages, ports: Ports) -> Callable[[], None] | None:
    """Return what prints the next page, after the last one the first; None without pages."""
    if not pages:
        return None
    turned = cycle(enumerate(pages, 1))

    def turn() -> None:
        number, page = next(turned)
        where = Message("Page {number} of {total}", number=number, total=len(pages))
        ports.console.show([*page, hint_line(where)])

    return turn


def _by_group(lines: Sequence[DiffLine]) -> dict[Section | None, list[str]]:
    """Return the changed variables, each once, by their section."""
    groups: dict[Section | None, list[str]] = {}
    for name in dict.fromkeys(line.name for line in lines if line.name):
        known = VARIABLES.get(name)
        groups.setdefault(known.section if known else None, []).append(name)
    return groups


class Confirmation(NamedTuple):
    """The texts of a confirmation.

    Attributes:
        default: the answer to Enter.
        declined: printed after a no.
        dry_run: printed for `--dry-run`.
        missing: the error without a terminal and without `--yes`.
        fix: its fix.
    """

    text: str = Message("Write these changes?")
    default: bool = True
    declined: str = Message("Nothing was written.")
    dry_run: str = Message("Dry run: nothing was written.")
    missing: str = Message("Missing: --yes (or --dry-run).")
    fix: str = Message("Add --yes to write the changes, or --dry-run to only show them.")


class EnvChange(NamedTuple):
    """A planned change of an `.env`.

    Attributes:
        content: the file's bytes as they were read, None where there is no file.
        before: the file, or the text that a new file starts from.
    """

    store: EnvStore
    content: bytes | None
    before: EnvFile
    after: EnvFile
    changes: Sequence[Change]
    findings: Sequence[Finding] = ()

    def __repr__(self) -> str:  # the content has secrets
        return f"EnvChange({self.store.path})"

    @property
    def names(self) -> list[str]:
        """The changed variables, each once."""
        return list(dict.fromkeys(change.name for change in self.changes))


class Written(NamedTuple):
    """Whether a change was written, and the old file's backup, None for a new file."""

    done: bool = False
    backup: Path | None = None


def change_env(
    change: EnvChange, question: Confirmation, ports: Ports, *, yes: bool, dry_run: bool
) -> Written:
    """Show the change, ask, and write it."""
    pages = show(change, ports, whole=dry_run)
    if not may_write(change, question, ports, yes=yes, dry_run=dry_run, pages=pages):
        return Written()
    return save(change, ports)


def show(change: EnvChange, ports: Ports, *, whole: bool = False) -> Pages:
    """Print the diff with secrets masked, the findings, and who loses access to the file.

    Lines that are removed are always shown. Otherwise, see `show_diff`.
    """
    ports.console.hide(secrets_in(change.before, change.after))
    lines = masked_diff(change.before, change.after, change.changes)
    whole = whole or removed_lines(change.changes) is not None
    pages = show_diff(change.store.path, lines, ports, whole=whole)
    notice = change.store.notice(change.after.to_bytes())
    ports.console.finding(*dict.fromkeys((*change.findings, *notice.findings)))
    if notice.hint:
        ports.console.hint(notice.hint)
    return pages


def may_write(
    change: EnvChange,
    question: Confirmation,
    ports: Ports,
    *,
    yes: bool,
    dry_run: bool,
    pages: Pages = (),
) -> bool:
    """Ask whether to write the change that was shown; `--yes` never confirms removed lines.

    `pages` are what was not shown of it.
    """
    if finding := removed_lines(change.changes):
        if ports.prompter is None:
            fix = sentences(
                SPANS_LINES.fix,
                Message(
                    "Or run the command in a terminal without --yes: it shows the lines and asks."
                ),
            )
            raise Failure(SPANS_LINES.finding(finding.detail, fix=fix, variable=finding.variable))
        ports.console.finding(finding)
        if not dry_run and not ports.prompter.confirm("Remove all of these lines?", default=False):
            ports.console.say(question.declined)
            return False
    return consent(question, ports, yes=yes, dry_run=dry_run, pages=pages)


def consent(
    question: Confirmation,
    ports: Ports,
    *,
    yes: bool,
    dry_run: bool = False,
    pages: Pages = (),
) -> bool:
    """Return the user's answer, or `--yes` without a terminal; `pages` are shown on `?`."""
    if dry_run:
        ports.console.done(question.dry_run)
        return False
    if ports.prompter is not None:
        agreed = ports.prompter.confirm(
            question.text, default=question.default, more=_turning(pages, ports)
        )
        if not agreed:
            ports.console.say(question.declined)
        return agreed
    if not yes:
        raise MISSING_OPTION.failure(question.missing, fix=question.fix)
    return True


def save(change: EnvChange, ports: Ports) -> Written:
    """Back up and write the file."""
    return write(change.store, change.content, change.after.to_bytes(), ports)


def write(store: EnvStore, content: bytes | None, after: bytes, ports: Ports) -> Written:
    """As `save`, for any file of LibreChat's: `.env` or librechat.yaml."""
    backup = store.save(content, after)
    ports.console.done(store.written)
    if content is None:
        return Written(done=True)
    ports.console.hint(OLD_ONE_KEPT.filled(backup=backup))
    return Written(done=True, backup=backup)


def show_restart(runner: Runner, ports: Ports) -> None:
    """Show what makes LibreChat read a changed `.env`: a restart, or its start."""
    commands = how_to_restart(runner)
    if not commands:
        ports.console.hint(OWN_WAY)
        return
    ports.console.hint(runner.because)
    ports.console.verbatim(what_to_do(runner), commands)
