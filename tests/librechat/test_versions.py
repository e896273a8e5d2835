"""Which version is older, and which versions read a name."""

from __future__ import annotations

import pytest

from wizard.librechat.variables import first_version, is_known, known_names
from wizard.librechat.versions import is_older, parse_version


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("0.7.9", "0.8.0"),
        ("v0.8.8-rc1", "0.8.8-rc2"),
        ("0.8.8-rc4", "0.8.8"),
        ("0.9.9", "0.10.0"),
        ("0.7.9", "0.8.0-rc1"),
        ("0.8.0-rc2", "0.8.0-rc10"),
        ("0.8.0-beta.2", "0.8.0-rc1"),
        ("0.7.3-rc", "0.7.3-rc2"),
        ("0.8.0-rc2+build.5", "0.8.0"),
    ],
)
def test_versions(older: str, newer: str) -> None:
    assert is_older(older, newer)
    assert not is_older(newer, older)
    assert not is_older(older, older)


@pytest.mark.parametrize(
    "text", ["", "latest", "0.8", "0.8.8-alpine", "x0.8.8", "0.8.8.1", "9" * 5000 + ".0.0"]
)
def test_not_versions(text: str) -> None:
    assert parse_version(text) is None
    assert not is_older(text, "9.9.9")
    assert not is_older("0.0.1", text)


def test_names() -> None:
    assert all(is_known(name) for name in known_names())
    versions = {first_version(name) for name in known_names()} - {""}
    assert all(parse_version(version) for version in versions)
    assert first_version("OPENID_AUDIENCE") == "0.8.0-rc1"
    assert first_version("OPENID_ISSUER") == ""
    assert not is_known("OPENID_SCOPES")
