"""Remembers which URLs we added to an application, so that we take away those and no others.

One file for each application, in the user's state folder; it holds URLs and names, no secrets.
Each `.env` has its own entry, since several LibreChats may share an application.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from wizard.auth0.management_plan import URL_LISTS, Urls


@dataclass(frozen=True, slots=True)
class AddedUrls:
    """The record for one application and one `.env`.

    A record that cannot be kept or read is none: then URLs stay in the tenant that could go.
    """

    state_dir: Path
    tenant: str
    client_id: str
    env_file: Path

    def retired(self, wanted: Urls) -> Urls:
        """Those we added for this `.env`, that it needs no longer and no other `.env` does."""
        entries = self._entries()
        ours = entries.pop(str(self.env_file), {})
        return {
            name: tuple(
                url
                for url in ours.get(name, ())
                if url not in wanted[name]
                and not any(url in entry.get(name, ()) for entry in entries.values())
            )
            for name in URL_LISTS
        }

    def before_adding(self, current: Urls, wanted: Urls) -> None:
        """Note what is about to be added; kept beside what was, until it is done.

        Noted first, so that what an interrupted run added is known to the next one. What has
        gone from the tenant since is forgotten.
        """
        ours = self._entries().get(str(self.env_file), {})
        self._keep(
            {
                name: (
                    *(url for url in ours.get(name, ()) if url in current[name]),
                    *(url for url in wanted[name] if url not in current[name]),
                )
                for name in URL_LISTS
            }
        )

    def after_adding(self, current: Urls) -> None:
        """What we added and the tenant has now."""
        ours = self._entries().get(str(self.env_file), {})
        self._keep(
            {
                name: tuple(url for url in ours.get(name, ()) if url in current[name])
                for name in URL_LISTS
            }
        )

    @property
    def _path(self) -> Path:
        name = sha256(f"{self.tenant}\n{self.client_id}".encode()).hexdigest()[:16]
        return self.state_dir / "provisioned" / f"{name}.json"

    def _entries(self) -> dict[str, dict[str, list[str]]]:
        try:
            entries = json.loads(self._path.read_bytes())["env_files"]
            return {
                str(env_file): {
                    name: [str(url) for url in urls] for name, urls in dict(entry).items()
                }
                for env_file, entry in dict(entries).items()
            }
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}

    def _keep(self, ours: Mapping[str, tuple[str, ...]]) -> None:
        entries = {**self._entries(), str(self.env_file): {k: list(v) for k, v in ours.items()}}
        record = {"tenant": self.tenant, "client_id": self.client_id, "env_files": entries}
        path = self._path
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(record, indent=2), "utf-8")
            fresh.replace(path)
