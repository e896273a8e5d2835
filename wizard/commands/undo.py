"""`init --undo`: restores the `.env`, and librechat.yaml, from before the last change."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from wizard.execution import Result
from wizard.findings import Failure
from wizard.language import Message
from wizard.librechat.backups import Backup
from wizard.librechat.env_diff import masked_diff
from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_store import EnvStore
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import is_public
from wizard.steps.change import Confirmation, Pages, consent, show_diff
from wizard.steps.values import env_store

CHANGED_SINCE = rule("LA027")

_CONFIRMATION = Confirmation(
    missing=Message("Missing: --yes."), fix=Message("Add --yes to restore the file.")
)
_FORCE = Message(
    "Add --force (librechat-auth0 init --undo --yes --force) to restore it anyway; the current"
    " file is then kept as {file}."
)


@dataclass(frozen=True, slots=True)
class UndoResult(Result):
    """Whether the backup was restored, and where the replaced file is kept, if there was one.

    `also_restored` is the librechat.yaml that was restored with it.
    """

    env_file: Path
    backup: Path
    restored: bool
    kept: Path | None = None
    also_restored: Path | None = None


def run_undo(
    named: Path | None, ports: Ports, *, yes: bool, force: bool = False, dry_run: bool = False
) -> UndoResult:
    """Restore the last backup, and that of librechat.yaml if the same run changed it.

    `force` discards edits since the last change.
    """
    store = env_store(named, ports)
    config = _config(store, ports)
    replaced = _text(store.read()).values()
    backup = store.last_backup()
    restore = partial(_restore, ports=ports, yes=yes, force=force, dry_run=dry_run)
    result = restore(store, backup)
    # What was changed after the `.env` belongs to the same run.
    if (result.restored or dry_run) and config and _is_as_new(config, backup):
        other = restore(config, config.last_backup())
        result = replace(result, also_restored=other.env_file if other.restored else None)
    if result.restored and is_public(replaced.get("DOMAIN_SERVER", "")):
        ports.console.hint(
            "Auth0 stays as it is. To revert who may sign in: librechat-auth0 provision"
            " --remove-access"
        )
    return result


def _config(store: EnvStore, ports: Ports) -> EnvStore | None:
    """Return LibreChat's configuration file; None where this machine has none."""
    from wizard.steps.who import config_of

    with suppress(Failure):  # the `.env` is no text
        if path := config_of(store, ports).path_in(store.path.parent):
            return EnvStore(path, ports.state_dir, ports.last_words.append, is_private=False)
    return None


def _is_as_new(store: EnvStore, backup: Backup) -> bool:
    """Whether its last backup is not older; False where it has none."""
    with suppress(Failure):
        return store.last_backup().at >= backup.at
    return False


def _restore(
    store: EnvStore, backup: Backup, ports: Ports, *, yes: bool, force: bool, dry_run: bool
) -> UndoResult:
    """Restore the backup after a question, unless it would lose edits."""
    current = store.read()
    loses_edits = backup.loses(current) and not force
    values = {"file": store.path, "time": backup.at.astimezone().strftime("%Y-%m-%d %H:%M")}
    edited = Message(
        "{file} was edited after librechat-auth0 wrote it at {time}; those edits would be lost.",
        **values,
    )
    question = Message("{file} did not exist before {time}. Delete it?")
    done = Message("Deleted {file}.")
    pages: Pages = ()
    dry = Message("Dry run: {file} would be deleted.")
    if backup.content is not None:
        dry = Message("Dry run: nothing was written.")
        question = Message("Restore {file} as of {time}?")
        done = Message("Restored {file} as of {time}.")
        lines = masked_diff(_text(current), _text(backup.content))
        pages = show_diff(store.path, lines, ports, whole=dry_run)
    if loses_edits and (dry_run or ports.prompter is not None):
        ports.console.warn(edited)
    confirmation = _CONFIRMATION._replace(
        text=question.filled(**values), default=not loses_edits, dry_run=dry.filled(**values)
    )
    if not consent(confirmation, ports, yes=yes, dry_run=dry_run, pages=pages):
        return UndoResult(store.path, backup.path, restored=False)
    if loses_edits and ports.prompter is None:
        raise CHANGED_SINCE.failure(edited, fix=_FORCE.filled(file=backup.undone))
    kept = store.undo(backup, current)
    ports.console.done(done.filled(**values))
    if kept is not None:
        ports.console.hint("The file from before this undo is kept as {file}.", file=kept)
    return UndoResult(store.path, backup.path, restored=True, kept=kept)


def _text(content: bytes | None) -> EnvFile:
    return EnvFile((content or b"").decode("utf-8", "surrogateescape"))  # it may be binary
