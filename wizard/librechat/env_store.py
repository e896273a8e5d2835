"""Reads and saves the `.env` on disk.

A save makes a backup, writes a temporary file next to the target and renames it, so that a crash,
a full disk or Ctrl-C leaves the old file or the new one. A lock and a comparison with what was
read keep two runs from overwriting each other.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from pathlib import Path

from wizard.findings import Failure, Rule
from wizard.language import Message
from wizard.librechat.backups import PART, Backup, Backups, parts_left
from wizard.librechat.checkout import look_at
from wizard.librechat.compose.deployment import read_deployment
from wizard.librechat.env_file import EnvFile
from wizard.librechat.permissions import (
    Notice,
    PermissionPlan,
    plan_permissions,
    readers,
    same_permissions,
)
from wizard.librechat.runner import Evidence, Runner, judge, look_at_machine
from wizard.rules import rule
from wizard.settings import port_in
from wizard.system.interrupts import signals_held
from wizard.system.locks import LockHeld, locked
from wizard.system.os_errors import place_of, refusal, remedy
from wizard.system.platforms import command_line, true_path, user_id
from wizard.system.private_files import file_name, private_folder, sync_folder, write_whole
from wizard.system.processes import Processes
from wizard.system.reading import NOT_REGULAR, read_file

UNREADABLE = rule("LA020")
NOT_A_FILE = rule("LA021")
UNWRITABLE = rule("LA022")
READ_ONLY = rule("LA023")
CHANGED_MEANWHILE = rule("LA024")
LOCKED = rule("LA025")
NO_BACKUP = rule("LA026")
FOREIGN_LINK = rule("LA030")

MAX_FILE_BYTES = 16 << 20
LOCK_TIMEOUT_SECONDS = 10
# LibreChat's .gitignore has .env*, so that what a killed run leaves behind is not committed.
_TEMPORARY_PREFIX = ".env.librechat-auth0-"
# No save takes that long: older files are a killed run's.
_LEFT_OVER_SECONDS = 3600


class EnvStore:
    """One `.env` on disk and its backups.

    Args:
        path: the file; a symbolic link is kept, and resolved once.
        state_dir: the user's private state folder, for backups and the lock.
        changed: receives a sentence once the file has changed, for a run that is interrupted.
        now: the time in a backup's name.
        processes: where a running LibreChat is looked for, None for nowhere.
        is_private: whether a save closes it to users who need no access.
    """

    def __init__(
        self,
        path: Path,
        state_dir: Path,
        changed: Callable[[Message], object] = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        processes: Processes | None = None,
        *,
        is_private: bool = True,
    ) -> None:
        self.path = path
        self._changed = changed
        self._now = now
        self._state_dir = state_dir
        self._is_private = is_private
        self.machine = cache(partial(look_at_machine, processes))

    def runner(self, values: Mapping[str, str]) -> Runner:
        """Return who runs LibreChat; the folder is read each time, the machine looked at once."""
        checkout = look_at(self.path.parent)
        deployment = read_deployment(self.path.parent, self.path, values)
        port = port_in(values)
        return judge(Evidence(checkout, deployment, port, self.machine(port)))

    @cached_property
    def target(self) -> Path:
        """The file itself, behind symbolic links.

        Raises:
            Failure: the links form a loop, or belong to another user.
        """
        target = _resolved(self.path)
        if self.path.is_symlink() and not _may_lead(self.path, target):
            named = command_line([str(target)])
            raise FOREIGN_LINK.failure(
                Message("{file} links to {target}.", file=self.path, target=target),
                fix=Message("Use the file itself: --env-file {target}", target=named),
            )
        return target

    def read(self) -> bytes | None:
        """Return the file's bytes, None if there is none; delete what a killed run left.

        Raises:
            Failure: it is no regular file, or cannot be read.
        """
        if _is_anything_left(self.target, self._state_dir):
            self._tidy()
        return _content(self.target, self.path)

    def notice(self, content: bytes) -> Notice:
        """Return who loses read access, or keeps it, if this is saved."""
        if os.name != "posix":
            return Notice()
        with _failing_with(UNWRITABLE, self.path):
            return self._access(content).notice

    def save(self, expected: bytes | None, content: bytes) -> Path | None:
        """Replace `expected` with `content`; return the backup's path, None if both are equal.

        Raises:
            Failure: the file has changed, or cannot be written; it is untouched.
        """
        if content == expected:
            return None
        with self._locked(LOCK_TIMEOUT_SECONDS), signals_held():
            self._refuse_changed(expected)
            with _failing_with(UNWRITABLE, self.backup_dir):
                backup = self._backups.add(expected, content, self._now())
            try:
                self._replace(content)
            except BaseException:
                with suppress(OSError):
                    backup.unlink(missing_ok=True)  # there is nothing to undo
                raise
            self._changed(
                Message(
                    "{file} was already written; librechat-auth0 init --undo restores the old one.",
                    file=self.path,
                )
            )
            self._backups.prune()
            return backup

    def last_backup(self) -> Backup:
        """Return what `undo` restores.

        Raises:
            Failure: there is no backup.
        """
        with _failing_with(UNREADABLE, self.backup_dir):
            backup = self._backups.last()
        if backup is None:
            raise NO_BACKUP.failure(str(self.path))
        return backup

    def undo(self, backup: Backup, expected: bytes | None) -> Path | None:
        """Restore the backup; return the copy of the replaced file, None if there was none.

        Raises:
            Failure: the file has changed, or cannot be written; it is untouched.
        """
        with self._locked(LOCK_TIMEOUT_SECONDS), signals_held():
            self._refuse_changed(expected)
            with _failing_with(UNWRITABLE, self.path):
                if expected is not None:
                    write_whole(backup.undone, expected, part=PART)
                if backup.content is None:
                    self.target.unlink(missing_ok=True)
                    sync_folder(self.target.parent)
            if backup.content is not None and backup.content != expected:
                self._replace(backup.content)
            self._changed(Message("{file} was already restored from its backup.", file=self.path))
            with suppress(OSError):
                backup.path.unlink(missing_ok=True)
            self._backups.prune(backup.undone)
        return None if expected is None else backup.undone

    @property
    def written(self) -> Message:
        """A sentence: the file is written, and who can read it."""
        return readers(self.target).filled(file=self.path)

    @property
    def backup_dir(self) -> Path:
        """The folder of this file's backups."""
        return self._backups.folder

    @cached_property
    def _backups(self) -> Backups:
        return Backups(self._state_dir, file_name(self.target))

    @cached_property
    def _lock_file(self) -> Path:
        return self._state_dir / "locks" / f"{file_name(self.target)}.lock"

    @cached_property
    def _part(self) -> Path:
        """The temporary file; only the holder of the lock uses it."""
        return self.target.with_name(f"{_TEMPORARY_PREFIX}{file_name(self._lock_file)}")

    def _refuse_changed(self, expected: bytes | None) -> None:
        """Refuse a file that has changed since it was read, or is write-protected."""
        is_same = _resolved(self.path) == self.target
        if not is_same or _content(self.target, self.path) != expected:
            raise CHANGED_MEANWHILE.failure(str(self.path))
        # Root, and a rename, need no permission on the file: its mode still shows the intent.
        with _failing_with(UNREADABLE, self.path):
            is_protected = expected is not None and not self.target.stat().st_mode & stat.S_IWUSR
        if is_protected:
            no_right = PermissionError(errno.EACCES, "")
            raise READ_ONLY.failure(str(self.path), fix=remedy(no_right, self.path))

    def _replace(self, content: bytes) -> None:
        with _failing_with(UNWRITABLE, self.path):
            give = self._access(content).give
            write_whole(self.target, content, prepare=give, part=self._part.name)

    def _access(self, content: bytes) -> PermissionPlan:
        if not self._is_private:
            return same_permissions(self.path, self.target)
        values: Mapping[str, str] = {}
        with suppress(Failure):  # an older file may be binary
            values = EnvFile.from_bytes(content).values()
        return plan_permissions(self.path, self.target, self.runner(values).reader)

    def _tidy(self) -> None:
        """Delete a killed run's files: this file's under the lock, others when they are old."""
        parts = (self._part, self._backups.folder / PART)
        with suppress(OSError, Failure):
            if any(map(os.path.lexists, parts)):
                with self._locked(0):
                    for part in parts:
                        part.unlink(missing_ok=True)
            for other in self._part.parent.glob(f"{_TEMPORARY_PREFIX}*"):
                if time.time() - other.lstat().st_mtime > _LEFT_OVER_SECONDS:
                    other.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, seconds: float) -> Iterator[None]:
        with ExitStack() as stack:
            with _failing_with(UNWRITABLE, self._lock_file):
                private_folder(self._state_dir, self._lock_file.parent.name)
                try:
                    stack.enter_context(locked(self._lock_file, seconds))
                except LockHeld:
                    raise LOCKED.failure(str(self.path)) from None
            yield


def _is_anything_left(target: Path, state_dir: Path) -> bool:
    """Return whether a killed run left a file, before names are hashed, which loads OpenSSL."""
    return any(target.parent.glob(f"{_TEMPORARY_PREFIX}*")) or any(parts_left(state_dir))


def _resolved(path: Path) -> Path:
    with suppress(RuntimeError), _failing_with(UNREADABLE, path):  # a circle, before Python 3.13
        target = Path(true_path(path.resolve()))
        if not target.is_symlink():  # a circle, since then
            return target
    raise NOT_A_FILE.failure(Message("{file} is a broken symbolic link.", file=path))


def _may_lead(link: Path, target: Path) -> bool:
    """Return whether the link's owner is the user, root, or the owner of its target.

    Linux requires the same of links in world-writable folders (fs.protected_symlinks).
    """
    user = user_id()
    with suppress(OSError):
        maker = link.lstat().st_uid
        return user is None or maker in {0, user} or maker == target.stat().st_uid
    return True


def _content(target: Path, shown: Path) -> bytes | None:
    """Return the file's bytes, None if there is none."""
    try:
        return read_file(target, MAX_FILE_BYTES, follow_links=False)
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        raise NOT_A_FILE.failure(Message("{file} is a folder.", file=shown)) from None
    except OSError as error:
        if error.errno == errno.ELOOP:  # it was replaced by a link
            raise CHANGED_MEANWHILE.failure(str(shown)) from error
        if error.strerror == NOT_REGULAR:
            raise NOT_A_FILE.failure(refusal(error, shown)) from None
        fix = remedy(error, shown, "r")
        if error.errno == errno.EINVAL:  # it is too large
            fix = Message("Check the path: this is not an .env file.")
        raise UNREADABLE.failure(refusal(error, shown), fix=fix) from error


@contextmanager
def _failing_with(rule: Rule, path: Path) -> Iterator[None]:
    """Turn an OSError into a failure about the file that it names, else about `path`."""
    try:
        yield
    except OSError as error:
        where = place_of(error) or path
        raise rule.failure(refusal(error, where), fix=remedy(error, where)) from error
