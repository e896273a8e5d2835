"""`init --undo`: brings back what the `.env` was before the last change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wizard.commands.answers import MISSING_OPTION, env_store
from wizard.findings import ExitCode, Finding
from wizard.language import Message
from wizard.ports import Ports


@dataclass(frozen=True, slots=True)
class UndoResult:
    """What was brought back; `restored` is False if the user said no."""

    env_file: Path
    backup: Path
    restored: bool
    exit_code: ExitCode = ExitCode.OK
    findings: Sequence[Finding] = ()

    def as_json(self) -> dict[str, object]:
        """See `Result.as_json`."""
        return {
            "env_file": str(self.env_file),
            "backup": str(self.backup),
            "restored": self.restored,
        }


def run_undo(named: Path | None, ports: Ports, *, yes: bool) -> UndoResult:
    """Bring the last backup back, after a question.

    Args:
        named: the `.env` that was named, None for that of the nearest LibreChat folder.
        ports: what may be touched.
        yes: whether to do it without a question.

    Raises:
        Failure: there is no backup, or the file cannot be written; it is as it was.
    """
    store = env_store(named, ports)
    env_file = store.path
    current = store.read()
    backup = store.last_backup()
    if ports.prompter is None and not yes:
        raise MISSING_OPTION.failure("Missing: --yes.", fix="Add --yes to bring the file back.")
    was_absent = backup.content is None
    question = Message(
        "Bring {file} back as it was in {backup}?", file=env_file, backup=backup.path.name
    )
    if was_absent:
        question = Message("There was no {file} before. Take it away again?", file=env_file)
    if ports.prompter is not None and not ports.prompter.confirm(question):
        return UndoResult(env_file, backup.path, restored=False)
    store.undo(backup, current)
    done = Message("{file} is gone.") if was_absent else Message("{file} is as it was.")
    ports.console.done(done.filled(file=env_file))
    return UndoResult(env_file, backup.path, restored=True)
