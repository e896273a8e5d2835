"""The answers of an interrupted run, so that the next one can go on; never a secret."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from wizard.private import file_name, private_folder, write_whole
from wizard.reading import load_json, read_file

_FOLDER = "drafts"
_MAX_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Draft:
    """What was answered so far, as typed; "" where nothing was."""

    domain: str = ""
    client_id: str = ""
    audience: str = ""
    public_url: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was answered."""
        return self == Draft()


class Drafts:
    """The draft of one `.env`; a draft that cannot be kept or read is no draft."""

    def __init__(self, state_dir: Path, env_file: Path) -> None:
        self._state_dir = state_dir
        self._path = state_dir / _FOLDER / f"{file_name(env_file)}.json"

    def load(self) -> Draft:
        """The answers of the run that was interrupted."""
        try:
            read = load_json(read_file(self._path, _MAX_BYTES, follow_links=False))
            known = {field.name for field in fields(Draft)}
            return Draft(**{name: str(read[name]) for name in known & read.keys()})
        except (OSError, ValueError, AttributeError, TypeError):
            return Draft()

    def keep(self, draft: Draft) -> None:
        """Remember the answers."""
        with suppress(OSError):
            private_folder(self._state_dir, _FOLDER)
            write_whole(self._path, json.dumps(asdict(draft)).encode())

    def forget(self) -> None:
        """The run came to its end."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
