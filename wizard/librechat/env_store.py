"""The `.env` on disk: read whole, replaced whole, backed up first.

A save writes a temporary file beside the target, syncs it and renames it over the target, so
that a crash, a full disk or Ctrl-C leaves the old file or the new one. A lock and a comparison
with what was read keep two runs from overwriting each other. Backups lie in the user's state
folder, where no git and no Docker build of the checkout can pick them up.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from wizard.findings import ExitCode, Failure, Rule, Severity
from wizard.language import Message
from wizard.platforms import command_line, replace, sync
from wizard.private import file_name, private_folder
from wizard.refusals import refusal

UNREADABLE = Rule(
    "LA020",
    Severity.ERROR,
    "The file cannot be read",
    "The wizard changes the file you have; it never starts over on top of one it cannot see.",
    "Give yourself access to it, then run the command again.",
    exit_code=ExitCode.FILE,
)
NOT_A_FILE = Rule(
    "LA021",
    Severity.ERROR,
    "There is something else where the .env file should be",
    "LibreChat reads a regular file. Docker creates a folder of that name when it mounts an .env"
    " that does not exist.",
    "Move it away, then run the command again.",
    exit_code=ExitCode.FILE,
)
UNWRITABLE = Rule(
    "LA022",
    Severity.ERROR,
    "The file cannot be written",
    "The old file is untouched.",
    "Mend the cause, then run the command again.",
    exit_code=ExitCode.FILE,
)
READ_ONLY = Rule(
    "LA023",
    Severity.ERROR,
    "The file is write-protected",
    "Somebody meant it to stay as it is, so it was left untouched.",
    "Lift the protection, then run the command again.",
    exit_code=ExitCode.FILE,
)
CHANGED_MEANWHILE = Rule(
    "LA024",
    Severity.ERROR,
    "The file was changed by someone else while the wizard was open",
    "Writing now would lose that change, so nothing was written.",
    "Run the command again; it starts from the file as it is now.",
    exit_code=ExitCode.FILE,
)
LOCKED = Rule(
    "LA025",
    Severity.ERROR,
    "Another run is writing the same file",
    "Two runs at once could lose each other's changes.",
    "Wait until the other one has ended, then run the command again.",
    exit_code=ExitCode.FILE,
)
NO_BACKUP = Rule(
    "LA026",
    Severity.ERROR,
    "There is no backup of this file",
    "The wizard keeps one each time it changes a file, and undo brings the last one back.",
    "Nothing to do if the wizard never changed this file; otherwise check the path.",
    exit_code=ExitCode.FILE,
)
RULES = (UNREADABLE, NOT_A_FILE, UNWRITABLE, READ_ONLY, CHANGED_MEANWHILE, LOCKED, NO_BACKUP)

BACKUPS_KEPT = 10
MAX_FILE_BYTES = 16 << 20
LOCK_TIMEOUT_SECONDS = 10
# LibreChat's .gitignore has .env*, so that what a killed run leaves behind is not committed.
_TEMPORARY_PREFIX = ".env.librechat-auth0-"
_PRIVATE_FILE = 0o600
_OTHERS = 0o077
_NO_ACCESS = frozenset({errno.EACCES, errno.EPERM})
_STAMP = "%Y%m%dT%H%M%S.%fZ"
# The time, then what the save wrote; backups of the first versions do not tell the latter.
_BACKUP_NAME = re.compile(
    r"(?P<stamp>\d{8}T\d{6}\.\d{6}Z)~*(?:-(?P<written>[0-9a-f]+))?\.(?:env|absent)"
)


@dataclass(frozen=True, slots=True)
class Backup:
    """What the file was before a save.

    Attributes:
        path: the copy.
        content: None where there was no file.
        at: the time of the save.
        written: the digest of what the save wrote; "" where it was not kept.
    """

    path: Path
    content: bytes | None = field(repr=False)
    at: datetime
    written: str

    @property
    def undone(self) -> Path:
        """Where `undo` keeps the file that it replaces."""
        return self.path.with_suffix(".undone")

    def loses(self, current: bytes | None) -> bool:
        """Whether the file was changed since the save, so that `undo` takes that back too."""
        if current is None or current == self.content:
            return False
        return self.written not in {"", _digest(current)}


class EnvStore:
    """One `.env` on disk and its backups.

    Args:
        path: the file; a symbolic link is followed, and stays.
        state_dir: the user's private state folder, where backups and the lock lie.
        now: the time that names a backup.
    """

    def __init__(
        self,
        path: Path,
        state_dir: Path,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.path = path
        self._now = now
        self._state_dir = state_dir

    def read(self) -> bytes | None:
        """The file's bytes, None if there is none.

        Raises:
            Failure: it is no regular file, or it cannot be read.
        """
        try:
            target = self._target()
            mode = target.stat().st_mode
            if not stat.S_ISREG(mode):
                raise NOT_A_FILE.failure(
                    Message("{file} is a folder.", file=self.path)
                    if stat.S_ISDIR(mode)
                    else Message("{file} is not a regular file.", file=self.path)
                )
            # What lies there may have changed since: neither a pipe nor a flood holds us.
            with open(target, "rb", opener=_without_waiting) as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UNREADABLE.failure(
                refusal(error, self.path), fix=_access_fix(self.path, "r")
            ) from error
        if len(content) > MAX_FILE_BYTES:
            raise UNREADABLE.failure(
                Message(
                    "{file} has more than {size} MB.", file=self.path, size=MAX_FILE_BYTES >> 20
                ),
                fix="Check the path: that is no .env.",
            )
        return content

    def save(self, expected: bytes | None, content: bytes) -> Path | None:
        """Put `content` in place of `expected`, with mode 0600 and a backup.

        Returns:
            The backup's path; None if `content` is what is there, and nothing was done.

        Raises:
            Failure: the file is not as expected any more, or cannot be written; it is untouched.
        """
        if content == expected:
            return None
        with self._locked():
            if self.read() != expected:
                raise CHANGED_MEANWHILE.failure(str(self.path))
            self._refuse_protected()
            with _told_as(UNWRITABLE, self.backup_dir):
                backup = self._back_up(expected, content)
            try:
                with _told_as(UNWRITABLE, self.path):
                    self._replace(content)
            except BaseException:
                backup.unlink(missing_ok=True)  # undo must not find what was never changed
                raise
            _drop_all_but_the_newest([path for path, _ in self._backups()])
            return backup

    def last_backup(self) -> Backup:
        """What `undo` would bring back.

        Raises:
            Failure: there is no backup.
        """
        backups = self._backups()
        if not backups:
            raise NO_BACKUP.failure(str(self.path))
        path, name = backups[-1]
        at = datetime.strptime(name["stamp"], _STAMP).replace(tzinfo=UTC)
        with _told_as(UNREADABLE, path):
            content = None if path.suffix == ".absent" else path.read_bytes()
        return Backup(path, content, at, name["written"] or "")

    def undo(self, backup: Backup, expected: bytes | None) -> Path | None:
        """Bring the backup back.

        Returns:
            Where the file as it was is kept, beside the backups; None if there was none.

        Raises:
            Failure: the file is not as expected any more, or cannot be written; it is untouched.
        """
        with self._locked():
            if self.read() != expected:
                raise CHANGED_MEANWHILE.failure(str(self.path))
            self._refuse_protected()
            with _told_as(UNWRITABLE, self.path):
                if expected is not None:
                    older = sorted({*self.backup_dir.glob("*.undone")} - {backup.undone})
                    _write_synced(backup.undone, expected)
                    _drop_all_but_the_newest([*older, backup.undone])
                if backup.content is None:
                    self._target().unlink(missing_ok=True)
                    _sync_directory(self._target().parent)
                elif backup.content != expected:
                    self._replace(backup.content)
                backup.path.unlink(missing_ok=True)
        return None if expected is None else backup.undone

    @property
    def backup_dir(self) -> Path:
        """Where this file's backups lie."""
        return self._state_dir.joinpath(*self._backup_names())

    def _backup_names(self) -> tuple[str, str]:
        return "backups", self._key()

    def _key(self) -> str:
        return file_name(self._target())

    def _target(self) -> Path:
        """The file itself, behind symbolic links."""
        try:
            return self.path.resolve()
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop, before Python 3.13
            raise NOT_A_FILE.failure(
                Message("{file} is a link that leads nowhere.", file=self.path)
            ) from error

    def _refuse_protected(self) -> None:
        # Root may write anything, and a rename needs no permission on the file itself: the
        # mode still tells what its owner meant.
        target = self._target()
        if target.exists() and not target.stat().st_mode & stat.S_IWUSR:
            raise READ_ONLY.failure(str(self.path), fix=_access_fix(self.path, "w"))

    def _backups(self) -> list[tuple[Path, re.Match[str]]]:
        """The backups and what their names tell, the oldest first."""
        if not self.backup_dir.is_dir():
            return []
        return [
            (path, name)
            for path in sorted(self.backup_dir.iterdir())
            if (name := _BACKUP_NAME.fullmatch(path.name))
        ]

    def _back_up(self, content: bytes | None, new: bytes) -> Path:
        is_first = not self.backup_dir.exists()
        private_folder(self._state_dir, *self._backup_names())
        if is_first:
            for parent in list(self.backup_dir.parents)[:2]:
                _sync_directory(parent)
        for left_over in self.backup_dir.glob("*.part"):
            left_over.unlink(missing_ok=True)
        stamp = self._now().strftime(_STAMP)
        for last, _ in self._backups()[-1:]:
            before = last.stem.partition("-")[0]
            if stamp <= before:  # the clock was set back: the order must tell the last
                stamp = f"{before}~"
        suffix = ".absent" if content is None else ".env"
        backup = self.backup_dir / f"{stamp}-{_digest(new)}{suffix}"
        _write_synced(backup, content or b"")
        return backup

    def _replace(self, content: bytes) -> None:
        target = self._target()
        prefix = f"{_TEMPORARY_PREFIX}{self._key()}-"
        for left_over in target.parent.glob(f"{prefix}*"):
            left_over.unlink(missing_ok=True)  # of a run that was killed; we hold the lock
        handle, name = tempfile.mkstemp(prefix=prefix, dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                _keep_owner_and_mode(file.fileno(), temporary, target)
                file.write(content)
                file.flush()
                sync(file.fileno())
            replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_directory(target.parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        locks = self._state_dir / "locks"
        with _told_as(UNWRITABLE, locks):
            private_folder(self._state_dir, "locks")
            lock = FileLock(locks / f"{self._key()}.lock", timeout=LOCK_TIMEOUT_SECONDS)
            try:
                lock.acquire()
            except Timeout:
                raise LOCKED.failure(str(self.path)) from None
        try:
            yield
        finally:
            lock.release()


def _without_waiting(path: str, flags: int) -> int:
    """`os.open` that does not wait for somebody to write into a named pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _keep_owner_and_mode(handle: int, temporary: Path, target: Path) -> None:
    """The temporary file gets the target's owner, and its mode less what others may.

    A new file made by root belongs to the owner of the folder, who is to use it.
    """
    is_new = not target.exists()
    model = (target.parent if is_new else target).stat()
    mode = _PRIVATE_FILE if is_new else stat.S_IMODE(model.st_mode) & ~_OTHERS
    if sys.platform == "win32":
        temporary.chmod(mode)
    else:
        os.fchmod(handle, mode)  # by its name it could be another file by now, and we root
        if is_new and os.geteuid() != 0:
            return
        if model.st_uid != os.geteuid():
            os.fchown(handle, model.st_uid, model.st_gid)
        else:
            with suppress(PermissionError):  # a group we are not in; its rights are gone anyway
                os.fchown(handle, -1, model.st_gid)


def _digest(content: bytes) -> str:
    """Tells whether content is the same, and nothing of what it is."""
    return file_name(content)


def _drop_all_but_the_newest(oldest_first: Sequence[Path]) -> None:
    for path in oldest_first[:-BACKUPS_KEPT]:
        with suppress(OSError):  # what another program has open on Windows goes the next time
            path.unlink()


def _write_synced(path: Path, content: bytes) -> None:
    """Write a private file; under its name it is always whole."""
    part = path.with_suffix(".part")
    try:
        with open(part, "wb", opener=partial(os.open, mode=_PRIVATE_FILE)) as file:
            file.write(content)
            file.flush()
            sync(file.fileno())
        replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Make a rename last through a power cut; Windows has no such thing."""
    if os.name != "posix":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told_as(rule: Rule, path: Path) -> Iterator[None]:
    try:
        yield
    except Failure:
        raise
    except OSError as error:
        where = Path(os.fsdecode(error.filename or path))
        fix = _access_fix(where, "w") if error.errno in _NO_ACCESS else None
        raise rule.failure(refusal(error, where), fix=fix) from error


def _access_fix(path: Path, access: str, platform: str = sys.platform) -> Message:
    file = command_line([str(path)], platform)
    if platform == "win32":
        return Message(
            "Close the programs that have it open, or lift its protection: attrib -R {file}",
            file=file,
        )
    return Message(
        "chmod u+{access} {file}, or run as the user who owns it.", access=access, file=file
    )
