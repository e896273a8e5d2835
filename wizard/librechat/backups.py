"""What a `.env` was before each of the last saves, in the user's state folder.

There no git and no Docker build of the checkout can pick it up.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from wizard.private_files import file_name, private_folder, sync_folder, write_whole

BACKUPS_KEPT = 10
# What a killed run left under this name is replaced by the next one.
PART = ".part"
_FOLDER = "backups"
_STAMP = "%Y%m%dT%H%M%S.%fZ"
# Its place among the others, whatever the clock says; the time; the digest of what the save wrote.
# Backups of the first versions have no place, and some no digest.
_NAME = re.compile(
    r"(?:(?P<place>\d{1,9})-)?(?P<stamp>\d{8}T\d{6}\.\d{6}Z)~*(?:-(?P<written>[0-9a-f]+))?"
    r"\.(?P<kind>env|absent|undone)"
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


class Backups:
    """The backups of one file; whoever changes them holds the file's lock.

    Args:
        state_dir: the user's private state folder.
        name: that of the file's own folder in it.
    """

    def __init__(self, state_dir: Path, name: str) -> None:
        self._state_dir = state_dir
        self.folder = state_dir / _FOLDER / name

    def last(self) -> Backup | None:
        """The newest; None where there is none.

        Raises:
            OSError: it cannot be read.
        """
        found = self._found("env", "absent")
        if not found:
            return None
        path, name = found[-1]
        at = datetime.strptime(name["stamp"], _STAMP).replace(tzinfo=UTC)
        content = None if name["kind"] == "absent" else path.read_bytes()
        return Backup(path, content, at, name["written"] or "")

    def add(self, content: bytes | None, new: bytes, at: datetime) -> Path:
        """Keep what the file is before `new` is written.

        Raises:
            OSError: it cannot be written.
        """
        is_first = not self.folder.exists()
        private_folder(self._state_dir, _FOLDER, self.folder.name)
        if is_first:
            for parent in list(self.folder.parents)[:2]:
                sync_folder(parent)
        found = self._found("env", "absent", "undone")
        place = _order(found[-1])[0] + 1 if found else 1
        kind = "absent" if content is None else "env"
        path = self.folder / f"{place:06d}-{at.strftime(_STAMP)}-{_digest(new)}.{kind}"
        write_whole(path, content or b"", part=PART)
        return path

    def prune(self, undone: Path | None = None) -> None:
        """Forget all but the newest; what cannot be removed now goes the next time.

        `undone` is what `undo` kept just now: the newest, wherever its backup stood.
        """
        with suppress(OSError):
            for kinds in (("env", "absent"), ("undone",)):
                paths = [path for path, _ in self._found(*kinds)]
                paths.sort(key=lambda path: path == undone)
                for path in paths[:-BACKUPS_KEPT]:
                    with suppress(OSError):  # another program has it open on Windows
                        path.unlink()

    def _found(self, *kinds: str) -> list[tuple[Path, re.Match[str]]]:
        """The files of these kinds and what their names say, the oldest first."""
        if not self.folder.is_dir():
            return []
        found = [
            (path, name)
            for path in self.folder.iterdir()
            if (name := _NAME.fullmatch(path.name)) and name["kind"] in kinds
        ]
        return sorted(found, key=_order)


def _order(found: tuple[Path, re.Match[str]]) -> tuple[int, str]:
    path, name = found
    return int(name["place"] or 0), path.name


def _digest(content: bytes) -> str:
    """Tells whether content is the same, and nothing of what it is."""
    return file_name(content)
