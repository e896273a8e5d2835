"""The user's browser and clipboard."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Protocol


class Desktop(Protocol):
    """The browser and the clipboard, where they exist."""

    def open(self, url: str) -> bool:
        """Open the URL in the user's browser; return False where there is no graphical one."""
        ...

    def copy(self, text: str) -> bool:
        """Copy the text to the clipboard; return False where there is none."""
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
    """A `Desktop` that does nothing."""

    def open(self, url: str) -> bool:  # noqa: ARG002
        return False

    def copy(self, text: str) -> bool:  # noqa: ARG002
        return False
