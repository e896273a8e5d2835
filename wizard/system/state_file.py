"""JSON files in the user's state folder. What cannot be saved or read is not known later."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from wizard.system.platforms import true_path
from wizard.system.private_files import file_name, private_folder, write_whole
from wizard.system.reading import load_json, read_file

MAX_BYTES = 1 << 20


class StateFile:
    """The file `state_dir/folder/name.json`, private and replaced atomically.

    Errors of the system are ignored: the program works without its state.
    """

    def __init__(self, state_dir: Path, folder: str, name: str | Callable[[], str]) -> None:
        self._state_dir = state_dir
        self._folder = folder
        self._name = name

    @classmethod
    def about(cls, state_dir: Path, folder: str, env_file: Path) -> StateFile:
        """Return the file for one `.env`, whatever links lead to it."""
        return cls(state_dir, folder, lambda: file_name(true_path(env_file)))

    @cached_property
    def _path(self) -> Path:
        name = self._name if isinstance(self._name, str) else self._name()
        return self._state_dir / self._folder / f"{name}.json"

    def load(self) -> Any:
        """Return the JSON value, None if the file is missing or invalid."""
        if not (self._state_dir / self._folder).is_dir():
            return None  # before the name is hashed, which loads OpenSSL
        with suppress(OSError, ValueError):
            return load_json(read_file(self._path, MAX_BYTES, follow_links=False))
        return None

    def save(self, value: object) -> None:
        """Replace the file, readable by the user alone."""
        with suppress(OSError):
            private_folder(self._state_dir, self._folder)
            write_whole(self._path, json.dumps(value).encode())

    def forget(self) -> None:
        """Delete the file."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
