"""The user's browser and clipboard."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from wizard.system.surroundings import is_over_ssh


class Desktop:
    """No browser and no clipboard."""

    def has_browser(self) -> bool:
        """Return whether there is a graphical browser to open."""
        return False

    def has_clipboard(self) -> bool:
        """Return whether there is a clipboard to copy to."""
        return False

    def open(self, url: str) -> bool:  # noqa: ARG002
        """Open the URL in the user's browser; return False where there is no graphical one."""
        return False

    def copy(self, text: str) -> bool:  # noqa: ARG002
        """Copy the text to the clipboard; return False where there is none."""
        return False


class UserDesktop(Desktop):
    """Those of this machine."""

    def __init__(self, environ: Mapping[str, str], platform: str = sys.platform) -> None:
        self._environ = environ
        self._platform = platform

    def has_browser(self) -> bool:
        # Without a display, webbrowser would start a text browser inside the wizard's terminal.
        return self._platform in {"darwin", "win32"} or any(
            self._environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
        )

    def has_clipboard(self) -> bool:
        import pyperclip

        if self._is_remote:
            return True
        copy, _ = pyperclip.determine_clipboard()
        return bool(copy)  # what pyperclip returns where there is none is false

    def open(self, url: str) -> bool:
        import webbrowser

        try:
            return self.has_browser() and webbrowser.open(url)
        except (webbrowser.Error, OSError):
            return False

    def copy(self, text: str) -> bool:
        import pyperclip

        if self._is_remote:
            return _copy_to_terminal(text)
        try:
            pyperclip.copy(text)
        except (pyperclip.PyperclipException, OSError):
            return False
        return True

    @property
    def _is_remote(self) -> bool:
        return is_over_ssh(self._environ) and not self.has_browser()


def _copy_to_terminal(text: str) -> bool:
    """Ask the terminal at the user's end to copy the text: OSC 52, of xterm's control sequences.

    https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
    """
    import base64

    sequence = f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\a"
    try:
        with Path("/dev/tty").open("w", encoding="ascii") as terminal:
            terminal.write(sequence)
    except OSError:
        return False
    return True
