"""The texts that a Compose project is read from, and how much of them is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from wizard.librechat.compose.text import ComposeError
from wizard.system.os_errors import reason_of
from wizard.system.reading import read_file

# LibreChat's own librechat.example.yaml has 30 KB.
MAX_YAML_BYTES = 1 << 19
MAX_ENV_BYTES = 1 << 20


class TooLargeError(Exception):
    """The files are larger than any that run LibreChat: they may be an attack on the reader."""


class Sources:
    """The files of a project. Each is read once, so that a project can be read again as it was.

    `texts` are what files have in place of what is on the disk.
    """

    def __init__(self, texts: Mapping[Path, str | OSError] | None = None) -> None:
        self._texts = dict(texts or {})

    def instead(self, path: Path, text: str) -> Sources:
        """Return the same sources with another text of one file."""
        return Sources({**self._texts, path: text})

    def text(self, path: Path, limit: int = MAX_ENV_BYTES) -> str | None:
        """Return the text of a file; None where there is none.

        Raises:
            ComposeError: it cannot be read.
        """
        if path not in self._texts:
            try:
                self._texts[path] = read_file(path, limit).decode("utf-8", "surrogateescape")
            except OSError as error:
                self._texts[path] = error
        text = self._texts[path]
        if isinstance(text, FileNotFoundError | IsADirectoryError | NotADirectoryError):
            return None
        if isinstance(text, OSError):
            raise ComposeError(reason_of(text)) from text
        return text

    def mention(self, names: Iterable[str]) -> bool:
        """Return whether a file that was read has one of the names in it."""
        texts = [each for each in self._texts.values() if isinstance(each, str)]
        return any(name in text for name in names for text in texts)

    def has(self, path: Path) -> bool:
        """Return whether the file is there, if only one that cannot be read."""
        try:
            return self.text(path, MAX_YAML_BYTES) is not None
        except ComposeError:
            return True


class Budget:
    """The budget of reading a project once: references and includes multiply its text."""

    def __init__(self) -> None:
        self._left = {"files": 100, "values": 50_000, "characters": 1 << 20}

    def spend(self, what: str, amount: int = 1) -> None:
        """Spend this much of the budget.

        Raises:
            TooLargeError: nothing is left.
        """
        self._left[what] -= amount
        if self._left[what] < 0:
            raise TooLargeError
