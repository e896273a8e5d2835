"""Reads the files that come with the package: beside it in a checkout, inside it once installed."""

from __future__ import annotations

from functools import cache
from pkgutil import get_data


@cache
def resource(name: str) -> str:
    """Return the text of that file.

    Raises:
        FileNotFoundError: the installation is broken.
    """
    for place in (name, f"../{name}"):
        try:
            data = get_data("wizard", place)
        except OSError:
            continue
        if data is not None:
            return data.decode("utf-8")
    raise FileNotFoundError(f"{name} is missing; reinstall librechat-auth0")
