"""`init --undo`: brings back what the `.env` was before the last change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wizard.commands.change import CHANGES_TO, Question, consent
from wizard.commands.values import env_store
from wizard.findings import ExitCode, Failure, Finding
from wizard.language import Message
from wizard.librechat.backups import Backup
from wizard.librechat.env_diff import masked_diff
from wizard.librechat.env_file import EnvFile
from wizard.ports import Ports
from wizard.rules import rule

CHANGED_SINCE = rule("LA027")


@dataclass(frozen=True, slots=True)
class UndoResult:
    """What was brought back; `restored` is False if the user said no.

    Attributes:
        kept: where the file that was there is now; None if none was, or nothing was done.
    """

    env_file: Path
    backup: Path
    restored: bool
    kept: Path | None = None
    exit_code: ExitCode = ExitCode.OK
    findings: Sequence[Finding] = ()

    def as_json(self) -> dict[str, object]:
        return {
            "env_file": str(self.env_file),
            "backup": str(self.backup),
            "restored": self.restored,
            "kept": str(self.kept) if self.kept else None,
        }


def run_undo(named: Path | None, ports: Ports, *, yes: bool, force: bool = False) -> UndoResult:
    """Bring the last backup back, after a question.

    Args:
        named: the `.env` that was named, None for that of the nearest LibreChat folder.
        ports: what may be touched.
        yes: whether to do it without a question.
        force: whether to do it although the file was edited since.

    Raises:
        Failure: there is no backup, nobody can be asked about edits, or the file cannot be
            written; it is as it was.
    """
    store = env_store(named, ports)
    env_file = store.path
    current = store.read()
    backup = store.last_backup()
    loses_edits = backup.loses(current) and not force
    if backup.content is not None:
        ports.console.say(CHANGES_TO.filled(file=env_file))
        ports.console.diff(masked_diff(_text(current), _text(backup.content)))
    if loses_edits and ports.prompter is not None:
        ports.console.warn(_edited(env_file, backup))
    if not consent(_question(env_file, backup, default=not loses_edits), ports, yes=yes):
        return UndoResult(env_file, backup.path, restored=False)
    if loses_edits and ports.prompter is None:
        raise _changed_since(env_file, backup)
    kept = store.undo(backup, current)
    done = Message("{file} is as it was at {time}.")
    if backup.content is None:
        done = Message("{file} is gone.")
    ports.console.done(done.filled(file=env_file, time=_time(backup)))
    if kept is not None:
        ports.console.hint(Message("The file that was there is kept in {file}.", file=kept))
    return UndoResult(env_file, backup.path, restored=True, kept=kept)


def _text(content: bytes | None) -> EnvFile:
    """The file to show, also if it is no longer UTF-8."""
    return EnvFile((content or b"").decode("utf-8", "surrogateescape"))


def _question(env_file: Path, backup: Backup, *, default: bool) -> Question:
    question = Message("Bring {file} back as it was at {time}?")
    if backup.content is None:
        question = Message("There was no {file} before {time}. Take it away again?")
    return Question(
        question.filled(file=env_file, time=_time(backup)),
        default,
        declined=Message("Nothing was written."),
        missing=Message("Missing: --yes."),
        fix=Message("Add --yes to bring the file back."),
    )


def _edited(env_file: Path, backup: Backup) -> Message:
    return Message(
        "{file} was edited since librechat-auth0 wrote it at {time}; the edits would go too.",
        file=env_file,
        time=_time(backup),
    )


def _changed_since(env_file: Path, backup: Backup) -> Failure:
    return CHANGED_SINCE.failure(
        _edited(env_file, backup),
        fix=Message(
            "Add --force (librechat-auth0 init --undo --yes --force) to take it back all the same;"
            " the present file is then kept in {file}.",
            file=backup.undone,
        ),
    )


def _time(backup: Backup) -> str:
    """When the wizard wrote the file, by the user's clock."""
    return backup.at.astimezone().strftime("%Y-%m-%d %H:%M")
