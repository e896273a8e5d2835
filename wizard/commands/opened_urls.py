"""Remembers which tunnel opened which URL for an `.env`: two of them may own https://localhost."""

from __future__ import annotations

from pathlib import Path

from wizard.state_file import StateFile
from wizard.tunnels import provider, providers_of

_URLS_KEPT = 8


class OpenedUrls:
    """The URLs that tunnels opened for one `.env`.

    Args:
        state_dir: the user's private state folder.
        env_file: whose URLs they are.
    """

    def __init__(self, state_dir: Path, env_file: Path) -> None:
        self._file = StateFile.about(state_dir, "opened", env_file)
        self.forget = self._file.forget

    def remember(self, url: str, tunnel: str) -> None:
        """Save that this tunnel opened the URL."""
        tunnels = {known: name for known, name in self._read().items() if known != url}
        latest = [*tunnels.items(), (url, tunnel)][-_URLS_KEPT:]
        self._file.save(dict(latest))

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
        kept = self._file.load()
        known = kept.items() if isinstance(kept, dict) else ()
        return {url: name for url, name in known if isinstance(name, str)}
