"""Reads data files: beside the package in a checkout, inside it when installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import wizard


@cache
def resource(name: str) -> str:
    """Return the text of the file; the package may be in an archive.

    Raises:
        FileNotFoundError: the installation is broken.
    """
    folder = Path(wizard.__file__).parent
    # Like `pkgutil.get_data`, which in an archive does not resolve `../`.
    read: Callable[[str], bytes] = wizard.__loader__.get_data  # type: ignore[union-attr]
    for place in (folder, folder.parent):
        try:
            return read(str(place / name)).decode("utf-8")
        except OSError:
            continue
    raise FileNotFoundError(f"{name} is missing; reinstall librechat-auth0")
