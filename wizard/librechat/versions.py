"""LibreChat's version numbers, compared; pre-releases come before their release."""

from __future__ import annotations

import re

_VERSION = (
    r"(?i)v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-(alpha|beta|rc)[.-]?(\d{1,9})?)?(?:\+[\w.-]+)?\Z"
)
_RELEASE = "release"  # after alpha, beta and rc, as the letters go

Version = tuple[int, int, int, str, int]


def parse_version(text: str) -> Version | None:
    """The version in a form that compares; None if the text is none, as `latest` is."""
    found = re.match(_VERSION, text.strip())
    if found is None:
        return None
    major, minor, patch = (int(part) for part in found.groups()[:3])
    return major, minor, patch, (found[4] or _RELEASE).lower(), int(found[5] or 0)


def is_older(version: str, than: str) -> bool:
    """Whether `version` came out before `than`; False where one of them is no version."""
    left, right = parse_version(version), parse_version(than)
    return left is not None and right is not None and left < right
