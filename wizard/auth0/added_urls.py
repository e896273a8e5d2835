"""Remembers which URLs we added to an application, so that we take away those and no others.

One file for each application, in the user's state folder; it holds URLs and names, no secrets.
Several LibreChats may share an application: what one of them uses stays.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wizard.private_files import file_name, private_folder, write_whole
from wizard.reading import load_json, read_file
from wizard.settings import NO_URLS, URL_LISTS, Urls

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class AddedUrls:
    """The record for one application, as one `.env` sees it.

    A record that cannot be kept or read is none: then URLs stay in the tenant that could go.
    """

    state_dir: Path
    tenant: str
    client_id: str
    env_file: Path

    def retired(self, wanted: Urls) -> Urls:
        """Those we added that neither this `.env` needs any longer nor another one uses."""
        record = self._read()
        others = [urls for env_file, urls in record.used.items() if env_file != self._user]
        return {
            name: tuple(
                url
                for url in record.added[name]
                if url not in wanted[name] and not any(url in used[name] for used in others)
            )
            for name in URL_LISTS
        }

    def before_adding(self, current: Urls, wanted: Urls) -> None:
        """Note what is about to be added; then the next run knows what an interrupted one did."""
        record = self._read()
        added = {
            name: (
                *(url for url in record.added[name] if url in current[name]),
                *(url for url in wanted[name] if url not in current[name]),
            )
            for name in URL_LISTS
        }
        self._keep(_Record(added, record.used))

    def after_adding(self, current: Urls, wanted: Urls) -> None:
        """Note what is used, and forget of what we added all that has gone."""
        record = self._read()
        added = {
            name: tuple(url for url in record.added[name] if url in current[name])
            for name in URL_LISTS
        }
        self._keep(_Record(added, {**record.used, self._user: wanted}))

    @property
    def _user(self) -> str:
        return str(self.env_file.resolve())

    @property
    def _path(self) -> Path:
        name = file_name(f"{self.tenant}\n{self.client_id}")
        return self.state_dir / "provisioned" / f"{name}.json"

    def _read(self) -> _Record:
        try:
            kept = load_json(read_file(self._path, _MAX_BYTES, follow_links=False))
            used = {str(env_file): _urls(urls) for env_file, urls in kept["used"].items()}
            return _Record(_urls(kept["added"]), used)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return _Record(NO_URLS, {})

    def _keep(self, record: _Record) -> None:
        if record == self._read():
            return
        kept = {
            "tenant": self.tenant,
            "client_id": self.client_id,
            "added": record.added,
            "used": record.used,
        }
        path = self._path
        with suppress(OSError):
            private_folder(self.state_dir, path.parent.name)
            write_whole(path, json.dumps(kept, indent=2).encode())


@dataclass(frozen=True, slots=True)
class _Record:
    added: Urls
    used: dict[str, Urls]


def _urls(kept: dict[str, list[str]]) -> Urls:
    return {name: tuple(str(url) for url in kept[name]) for name in URL_LISTS}
