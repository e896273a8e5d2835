"""The user's browser and clipboard, where there are any."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Protocol


class Desktop(Protocol):
    """What the wizard may do outside the terminal."""

    def open(self, url: str) -> bool:
        """Open the URL in the user's browser; False where there is none to be seen."""
        ...

    def copy(self, text: str) -> bool:
        """Put the text into the clipboard; False where there is none."""
        ...


class UserDesktop:
    """`Desktop` on this machine."""

    def __init__(self, environ: Mapping[str, str], platform: str = sys.platform) -> None:
        self._environ = environ
        self._platform = platform

    def open(self, url: str) -> bool:
        import webbrowser

        # Without a display, webbrowser would start a text browser inside the wizard's terminal.
        has_display = self._platform in {"darwin", "win32"} or any(
            self._environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
        )
        try:
            return has_display and webbrowser.open(url)
        except (webbrowser.Error, OSError):
            return False

    def copy(self, text: str) -> bool:
        import pyperclip

        try:
            pyperclip.copy(text)
        except (pyperclip.PyperclipException, OSError):
            return False
        return True


class NoDesktop:
    """`Desktop` of those who asked for none."""

    def open(self, url: str) -> bool:  # noqa: ARG002
        """Nothing is opened."""
        return False

    def copy(self, text: str) -> bool:  # noqa: ARG002
        """Nothing is copied."""
        return False
