"""What people have in their files, as found in the field: each fault, and a near miss."""

from __future__ import annotations

import pytest

from tests.doctor.cases import AUDIENCE, env, subject
from wizard.doctor.registry import diagnose
from wizard.doctor.subject import Subject
from wizard.findings import Severity


def found(checked: Subject, severity: Severity | None = None) -> set[tuple[str, str]]:
    """Rule and variable of each finding, of all or of one severity."""
    return {
        (each.rule.id, each.variable or "")
        for each in diagnose(checked)
        if severity in {None, each.severity}
    }


def errors(checked: Subject) -> set[tuple[str, str]]:
    return found(checked, Severity.ERROR)


class TestVersions:
    @pytest.mark.parametrize(
        ("version", "name"),
        [
            ("0.8.0-rc2", "OPENID_AUDIENCE"),
            ("0.8.0-rc4", "OPENID_AUDIENCE"),
            ("0.8.6-rc1", "OPENID_REFRESH_AUDIENCE"),
            ("0.7.9", "OPENID_USE_PKCE"),
            ("0.7.7", "OPENID_USE_END_SESSION_ENDPOINT"),
        ],
    )
    def test_what_a_version_reads_is_not_called_useless(self, version: str, name: str) -> None:
        assert ("LA147", name) not in found(subject(env(), version=version))

    @pytest.mark.parametrize(
        ("version", "name"),
        [
            ("0.7.9", "OPENID_AUDIENCE"),
            ("0.8.5", "OPENID_REFRESH_AUDIENCE"),
            ("0.7.8", "OPENID_USE_PKCE"),
            ("0.7.6", "OPENID_USE_END_SESSION_ENDPOINT"),
        ],
    )
    def test_the_version_before_does_not_read_it(self, version: str, name: str) -> None:
        assert ("LA147", name) in found(subject(env(), version=version))

    def test_tokens_cannot_be_reused_without_an_audience_in_the_request(self) -> None:
        assert errors(subject(env(), version="0.7.9")) == {("LA172", "OPENID_REUSE_TOKENS")}
        assert not errors(subject(env(), version="0.8.0"))
        # It reads no OPENID_REUSE_TOKENS at all, so its sessions are its own.
        assert not errors(subject(env(), version="0.7.8"))
        assert not errors(subject(env(OPENID_REUSE_TOKENS="false"), version="0.7.9"))

    def test_the_fault_of_plain_localhost_is_told_there_alone(self) -> None:
        """Issue 11753: read in the sources of 0.8.0 to 0.8.2, not run."""
        local = {"DOMAIN_CLIENT": "http://localhost:3080", "DOMAIN_SERVER": "http://localhost:3080"}

        def told(**changes: str) -> list[str]:
            checked = subject(env(**changes), version="0.8.1")
            return [each.detail for each in diagnose(checked) if each.rule.id == "LA146"]

        assert any("11753" in detail for detail in told(**local))
        assert told() == []

    @pytest.mark.parametrize("rotation_needed", ["0.8.0", "0.8.1-rc1"])
    def test_a_refresh_needs_rotation(self, rotation_needed: str) -> None:
        def told(version: str) -> list[str]:
            found = diagnose(subject(env(), version=version))
            return [each.detail for each in found if each.rule.id == "LA146"]

        assert any("Rotation" in detail for detail in told(rotation_needed))
        assert told("0.8.1-rc2") == []

    def test_no_audience_before_0_8_3(self) -> None:
        without = env(OPENID_AUDIENCE="", OPENID_REFRESH_AUDIENCE="")
        assert ("LA113", "OPENID_AUDIENCE") in errors(subject(without, version="0.8.2"))
        assert ("LA113", "OPENID_AUDIENCE") not in errors(subject(without, version="0.7.9"))
        two = env(OPENID_AUDIENCE=f"{AUDIENCE},urn:two")
        assert ("LA115", "OPENID_AUDIENCE") in errors(subject(two, version="0.8.6"))
