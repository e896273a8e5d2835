"""The one way to change an `.env`: show, ask, back up, write, tell. `consent` asks for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wizard.commands.values import MISSING_OPTION
from wizard.findings import Failure, Finding
from wizard.language import Message, sentences
from wizard.librechat.env_diff import masked_diff
from wizard.librechat.env_file import SPANS_LINES, Change, EnvFile, removed_lines
from wizard.librechat.env_store import EnvStore
from wizard.librechat.secrets import secrets_in
from wizard.ports import Ports

CHANGES_TO = Message("Changes to {file}:")
OLD_ONE_KEPT = Message("The old one is in {backup}; librechat-auth0 init --undo brings it back.")


@dataclass(frozen=True, slots=True)
class Question:
    """How a command asks before it changes something, and what it says where it does not.

    Attributes:
        text: the question, for who can be asked.
        default: the answer of Enter.
        declined: said after a no.
        dry_run: said where `--dry-run` is given.
        missing: what is wrong where nobody can be asked and there is no `--yes`.
        fix: what to do about that.
    """

    text: str = Message("Write these changes?")
    default: bool = True
    declined: str = Message("Nothing was written.")
    dry_run: str = Message("Dry run: nothing was written.")
    missing: str = Message("Missing: --yes (or --dry-run).")
    fix: str = Message("Add --yes to write the changes, or --dry-run to see them only.")


@dataclass(frozen=True, slots=True)
class EnvChange:
    """A planned change of an `.env`.

    Attributes:
        store: the file.
        content: its bytes as they were read, None where there is no file.
        before: what the diff compares with: the file, or the text that a new file starts from.
        after: what is to be written.
        changes: what differs, by variable.
        findings: what to know of the result.
    """

    store: EnvStore
    content: bytes | None = field(repr=False)
    before: EnvFile
    after: EnvFile
    changes: Sequence[Change]
    findings: Sequence[Finding] = ()

    @property
    def names(self) -> list[str]:
        """The variables that change, each once."""
        return list(dict.fromkeys(change.name for change in self.changes))


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a change; `backup` is the old file, None where there was none."""

    done: bool = False
    backup: Path | None = None


def change_env(
    change: EnvChange, question: Question, ports: Ports, *, yes: bool, dry_run: bool
) -> Written:
    """Show the change, and write it if that is wanted.

    Raises:
        Failure: nobody can be asked where somebody must be, or the file cannot be written.
    """
    show(change, ports)
    if not may_write(change, question, ports, yes=yes, dry_run=dry_run):
        return Written()
    return save(change, ports)


def show(change: EnvChange, ports: Ports) -> None:
    """Show every line that goes or comes, secrets masked, the findings, and who can read it."""
    ports.console.hide(secrets_in(change.before, change.after))
    ports.console.say(CHANGES_TO.filled(file=change.store.path))
    ports.console.diff(masked_diff(change.before, change.after, change.changes))
    notice = change.store.notice(change.after.to_bytes())
    for finding in (*change.findings, *notice.findings):
        ports.console.finding(finding)
    if notice.hint:
        ports.console.hint(notice.hint)


def may_write(
    change: EnvChange, question: Question, ports: Ports, *, yes: bool, dry_run: bool
) -> bool:
    """Whether the change, which the user has seen, is to be written.

    Where it removes lines that LibreChat reads as a part of a value, that is a question of its
    own, and no `--yes` answers it.

    Raises:
        Failure: nobody can be asked.
    """
    if finding := removed_lines(change.changes):
        if ports.prompter is None:
            fix = sentences(
                SPANS_LINES.fix,
                Message("In a terminal, without --yes, the command shows them and asks."),
            )
            raise Failure(SPANS_LINES.finding(finding.detail, fix=fix, variable=finding.variable))
        ports.console.finding(finding)
        if not dry_run and not ports.prompter.confirm("Remove all of these lines?", default=False):
            ports.console.say(question.declined)
            return False
    return consent(question, ports, yes=yes, dry_run=dry_run)


def consent(question: Question, ports: Ports, *, yes: bool, dry_run: bool = False) -> bool:
    """Whether to go on: the user's answer, or `--yes` where nobody can be asked.

    Raises:
        Failure: nobody can be asked, and there is no `--yes`.
    """
    if dry_run:
        ports.console.done(question.dry_run)
        return False
    if ports.prompter is not None:
        agreed = ports.prompter.confirm(question.text, default=question.default)
        if not agreed:
            ports.console.say(question.declined)
        return agreed
    if not yes:
        raise MISSING_OPTION.failure(question.missing, fix=question.fix)
    return True


def save(change: EnvChange, ports: Ports) -> Written:
    """Back the file up, write it, and say so.

    Raises:
        Failure: the file is not as it was read any more, or cannot be written.
    """
    backup = change.store.save(change.content, change.after.to_bytes())
    ports.console.done(change.store.written)
    if change.content is None:
        return Written(done=True)
    ports.console.hint(OLD_ONE_KEPT.filled(backup=backup))
    return Written(done=True, backup=backup)
