"""Records which URLs we added to an application, so that only those are removed later.

One file per application in the state folder; it holds no secrets. Several LibreChats may share an
application: a URL that another `.env` uses stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from wizard.platforms import true_path
from wizard.private_files import file_name
from wizard.settings import NO_URLS, URL_LISTS, Urls
from wizard.state_file import StateFile


@dataclass(frozen=True, slots=True)
class AddedUrls:
    """The record for one application, as one `.env` sees it.

    A record that cannot be saved or read counts as empty; then no URL is removed.
    """

    state_dir: Path
    tenant: str
    client_id: str
    env_file: Path

    def retired(self, wanted: Urls) -> Urls:
        """Return the URLs we added that no `.env` needs any longer."""
        record = self._read()
        used = [wanted, *(urls for env_file, urls in record.used.items() if env_file != self._user)]
        return _lists(
            lambda name: (
                url for url in record.added[name] if not any(url in urls[name] for urls in used)
            )
        )

    def before_adding(self, current: Urls, wanted: Urls) -> None:
        """Record what is about to be added, so that an interrupted run is known to the next."""
        record = self._read()
        added = _lists(
            lambda name: (
                *(url for url in record.added[name] if url in current[name]),
                *(url for url in wanted[name] if url not in current[name]),
            )
        )
        self._save(_Record(added, record.used))

    def after_adding(self, current: Urls, wanted: Urls) -> None:
        """Record what this `.env` uses, and forget the URLs that the application lost."""
        record = self._read()
        added = _lists(lambda name: (url for url in record.added[name] if url in current[name]))
        self._save(_Record(added, {**record.used, self._user: wanted}))

    @property
    def _user(self) -> str:
        return true_path(self.env_file)

    @property
    def _file(self) -> StateFile:
        name = file_name(f"{self.tenant}\n{self.client_id}")
        return StateFile(self.state_dir, "provisioned", name)

    def _read(self) -> _Record:
        saved = self._file.load()
        try:
            used = {str(env_file): _urls(urls) for env_file, urls in saved["used"].items()}
            return _Record(_urls(saved["added"]), used)
        except (KeyError, TypeError, AttributeError):
            return _Record(NO_URLS, {})

    def _save(self, record: _Record) -> None:
        if record == self._read():
            return
        owner = {"tenant": self.tenant, "client_id": self.client_id}
        self._file.save({**owner, "added": record.added, "used": record.used})


@dataclass(frozen=True, slots=True)
class _Record:
    added: Urls
    used: dict[str, Urls]


def _lists(urls_of_list: Callable[[str], Iterable[str]]) -> Urls:
    return {name: tuple(urls_of_list(name)) for name in URL_LISTS}


def _urls(saved: dict[str, list[str]]) -> Urls:
    return _lists(lambda name: map(str, saved[name]))
