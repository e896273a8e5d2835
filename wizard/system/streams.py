"""Standard input, output and error of a process that may have been started without them."""

from __future__ import annotations

import os
import sys


def open_missing_streams() -> None:
    """Open the streams that the caller closed, so that no other file gets their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def close_streams() -> None:
    """Flush the streams; drop what cannot be written, which has been reported already.

    Otherwise Python would fail at exit, with its own exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
