"""Remembers which tunnel opened which URL for an `.env`: two of them may own https://localhost."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from wizard.platforms import true_path
from wizard.private_files import file_name, private_folder, write_whole
from wizard.reading import load_json, read_file
from wizard.tunnels import provider, providers_of

_FOLDER = "opened"
_MAX_BYTES = 1 << 16
_URLS_KEPT = 8


class OpenedUrls:
    """The URLs that tunnels opened for one `.env`; what cannot be kept or read is not known.

    Args:
        state_dir: the user's private state folder.
        env_file: whose URLs they are.
    """

    def __init__(self, state_dir: Path, env_file: Path) -> None:
        self._state_dir = state_dir
        self._path = state_dir / _FOLDER / f"{file_name(true_path(env_file))}.json"

    def remember(self, url: str, tunnel: str) -> None:
        """Save that this tunnel opened the URL."""
        tunnels = {known: name for known, name in self._read().items() if known != url}
        latest = [*tunnels.items(), (url, tunnel)][-_URLS_KEPT:]
        with suppress(OSError):
            private_folder(self._state_dir, _FOLDER)
            write_whole(self._path, json.dumps(dict(latest)).encode())

    def forget(self) -> None:
        """Delete the record."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def tunnel_of(self, url: str) -> str:
        """Return the name of the tunnel that opened the URL, or else of the first that might.

        "" if none does.
        """
        possible = providers_of(url)
        opened_by = self._read().get(url, "")
        return opened_by if opened_by in possible else next(iter(possible), "")

    def tunnel_for(self, url: str) -> str:
        """Return the name of the tunnel that can open the URL again, "" if none can."""
        name = self.tunnel_of(url)
        return name if name and provider(name).has_reusable_url else ""

    def _read(self) -> dict[str, str]:
        try:
            kept = load_json(read_file(self._path, _MAX_BYTES, follow_links=False))
        except (OSError, ValueError):
            return {}
        known = kept.items() if isinstance(kept, dict) else ()
        return {url: name for url, name in known if isinstance(name, str)}
