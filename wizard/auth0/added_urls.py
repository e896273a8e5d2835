"""Records which URLs we added to an application, so that only those are removed later.

One file per application in the state folder; it holds no secrets. Several LibreChats may share an
application: a URL that another `.env` uses stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wizard.settings import URL_LISTS, Urls
from wizard.system.platforms import true_path
from wizard.system.private_files import file_name
from wizard.system.state_file import StateFile

Pairs = frozenset[tuple[str, str]]  # of a list's name and a URL in it


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
        added, used = self._read()
        used.pop(self._user, None)
        return _lists(added.difference(_pairs(wanted), *used.values()))

    def before_adding(self, current: Urls, wanted: Urls) -> None:
        """Record what is about to be added, so that an interrupted run is known to the next."""
        added, used = self._read()
        there = _pairs(current)
        self._save((added & there) | (_pairs(wanted) - there), used)

    def after_adding(self, current: Urls, wanted: Urls) -> None:
        """Record what this `.env` uses, and forget the URLs that the application lost."""
        added, used = self._read()
        self._save(added & _pairs(current), {**used, self._user: _pairs(wanted)})

    @property
    def _user(self) -> str:
        return true_path(self.env_file)

    @property
    def _file(self) -> StateFile:
        name = file_name(f"{self.tenant}\n{self.client_id}")
        return StateFile(self.state_dir, "provisioned", name)

    def _read(self) -> tuple[Pairs, dict[str, Pairs]]:
        """Return what was added, and what each `.env` uses."""
        saved = self._file.load()
        try:
            used = {str(env_file): _pairs(urls) for env_file, urls in saved["used"].items()}
            return _pairs(saved["added"]), used
        except (KeyError, TypeError, AttributeError):
            return frozenset(), {}

    def _save(self, added: Pairs, used: Mapping[str, Pairs]) -> None:
        if (added, used) == self._read():
            return
        owner = {"tenant": self.tenant, "client_id": self.client_id}
        lists = {env_file: _lists(pairs) for env_file, pairs in used.items()}
        self._file.save({**owner, "added": _lists(added), "used": lists})


def _pairs(urls: Mapping[str, Iterable[str]]) -> Pairs:
    return frozenset((name, str(url)) for name in URL_LISTS for url in urls[name])


def _lists(pairs: Pairs) -> Urls:
    return {name: tuple(sorted(url for of, url in pairs if of == name)) for name in URL_LISTS}
