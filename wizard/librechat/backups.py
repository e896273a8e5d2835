"""Backups of an `.env` in the user's state folder, out of reach of git and Docker builds."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from wizard.system.private_files import file_name, private_folder, sync_folder, write_whole
from wizard.system.reading import files_in

BACKUPS_KEPT = 10
# The next run replaces what a killed one left under this name.
PART = ".part"
_FOLDER = "backups"
_STAMP = "%Y%m%dT%H%M%S.%fZ"
# Its place among the others, independent of the clock; the time; the digest of what the save wrote.
# Backups of the first versions have no place, and some no digest.
_NAME = (
    r"(?:(?P<place>\d{1,9})-)?(?P<stamp>\d{8}T\d{6}\.\d{6}Z)~*(?:-(?P<written>[0-9a-f]+))?"
    r"\.(?P<kind>env|absent|undone)"
)


class Backup(NamedTuple):
    """The file before a save; `written` is the digest of what that wrote, "" if not known."""

    path: Path
    content: bytes | None
    at: datetime
    written: str

    def __repr__(self) -> str:  # the content has secrets
        return f"Backup({self.path})"

    @property
    def undone(self) -> Path:
        """Where `undo` keeps the file that it replaces."""
        return self.path.with_suffix(".undone")

    def loses(self, current: bytes | None) -> bool:
        """Return whether `undo` would lose edits that were made since the save."""
        if current is None or current == self.content:
            return False
        return self.written not in {"", _digest(current)}


class Backups:
    """The backups of one file, in the folder `name`. To be changed under the file's lock."""

    def __init__(self, state_dir: Path, name: str) -> None:
        self._state_dir = state_dir
        self.folder = state_dir / _FOLDER / name

    def last(self) -> Backup | None:
        """Return the newest, None if there is none.

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
        """Save the present content before `new` is written.

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
        """Delete all but the newest, if possible; `undone`, just written, counts as the newest."""
        with suppress(OSError):
            for kinds in (("env", "absent"), ("undone",)):
                paths = [path for path, _ in self._found(*kinds)]
                paths.sort(key=lambda path: path == undone)
                for path in paths[:-BACKUPS_KEPT]:
                    with suppress(OSError):  # another program has it open on Windows
                        path.unlink()

    def _found(self, *kinds: str) -> list[tuple[Path, re.Match[str]]]:
        """Return the files of these kinds and their parsed names, the oldest first."""
        found = [
            (path, name)
            for path in files_in(self.folder)
            if (name := re.fullmatch(_NAME, path.name)) and name["kind"] in kinds
        ]
        return sorted(found, key=_order)


def parts_left(state_dir: Path) -> Iterator[Path]:
    """Yield what killed runs left of any file's backups."""
    return (state_dir / _FOLDER).glob(f"*/{PART}")


def _order(found: tuple[Path, re.Match[str]]) -> tuple[int, str]:
    path, name = found
    return int(name["place"] or 0), path.name


def _digest(content: bytes) -> str:
    """Return a short hash that identifies the content and reveals nothing of it."""
    return file_name(content)
