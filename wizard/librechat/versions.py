"""LibreChat's version numbers, compared; release candidates come before their release."""

from __future__ import annotations

import re

_VERSION = re.compile(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-rc\.?(\d{1,9}))?\Z", re.IGNORECASE)
_FINAL = 1 << 30

Version = tuple[int, int, int, int]


def parse_version(text: str) -> Version | None:
    """The version that compares; None if the text is none, as `latest` is."""
    found = _VERSION.match(text.strip())
    if found is None:
        return None
    major, minor, patch = (int(part) for part in found.groups()[:3])
    return major, minor, patch, int(found[4]) if found[4] else _FINAL


def is_older(version: str, than: str) -> bool:
    """Whether `version` came out before `than`; False where one of them is no version."""
    left, right = parse_version(version), parse_version(than)
    return left is not None and right is not None and left < right
