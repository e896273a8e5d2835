"""Downloads the ngrok agent with pyngrok's installer, as a program of its own: `… TARGET`.

The installer prints its progress, takes proxies from the environment and saves the archive under a
fixed name in the temporary folder. In another process, all three can be set for it alone.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO

from wizard.http import ssl_context

STALL_SECONDS = 60.0


class _Lines(io.TextIOBase):
    """Turns the installer's progress bar into lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write without a buffer."""
        self._stream.write(text.replace("\r", "\n"))
        self._stream.flush()
        return len(text)


def main(target: str) -> int:
    """Save the agent at that path; return the exit status. The last line of output is the error."""
    from pyngrok import installer
    from pyngrok.exception import PyngrokError

    try:
        with contextlib.redirect_stdout(_Lines(sys.stdout)):
            installer.install_ngrok(target, timeout=STALL_SECONDS, context=ssl_context(os.environ))
    except (PyngrokError, OSError) as error:
        sys.stdout.write(f"\n{' '.join(str(error).split())}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
