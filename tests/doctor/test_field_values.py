"""What people have in their files, as found in the field: each fault, and a near miss."""

from __future__ import annotations

import pytest

from tests.doctor.cases import AUDIENCE, CLIENT_ID, CLIENT_SECRET, PUBLIC_URL, env, subject
from wizard.doctor.registry import diagnose, repairs
from wizard.doctor.subject import Subject, settings_of
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


def mended(checked: Subject) -> dict[str, str]:
    """What the file says after `--fix`."""
    return repairs(checked)[0].values()


class TestInvisibleCharacters:
    @pytest.mark.parametrize(
        ("name", "value", "named"),
        [
            ("DOMAIN_SERVER", f"{PUBLIC_URL} ", "U+0020 space at the end"),
            ("DOMAIN_CLIENT", f"\u2009{PUBLIC_URL}", "U+2009 thin space at the start"),
            ("OPENID_CALLBACK_URL", "/oauth/openid/callback ", "U+0020 space at the end"),
            ("OPENID_CLIENT_ID", f"{CLIENT_ID}\u200b", "U+200B zero width space inside"),
            ("OPENID_CLIENT_ID", f" {CLIENT_ID}", "U+0020 space at the start"),
            ("OPENID_ISSUER", "https://dev-abc123.us.auth0.com\u00a0", "U+00A0 no-break space"),
            ("OPENID_REFRESH_AUDIENCE", f"{AUDIENCE}\ufeff", "U+FEFF zero width no-break space"),
            ("OPENID_REUSE_TOKENS", "true\u200b", "U+200B zero width space"),
            ("PORT", "3080\u200b", "U+200B zero width space"),
        ],
    )
    def test_what_librechat_would_use_is_an_error(self, name: str, value: str, named: str) -> None:
        checked = subject(env(**{name: value}))

        told = [each for each in diagnose(checked) if each.rule.id == "LA174"]

        assert [each.variable for each in told] == [name]
        assert named in told[0].detail
        after = subject(repairs(checked)[0].text)
        assert "LA174" not in {rule for rule, _ in found(after)}
        assert after.value(name) == value.strip(" \u00a0\u2009\ufeff").replace("\u200b", "")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("OPENID_ISSUER", " https://dev-abc123.us.auth0.com "),  # new URL() takes it away
            ("OPENID_SCOPE", " openid  profile email offline_access "),
            ("OPENID_USE_PKCE", " true\u00a0"),  # as isEnabled trims it
            ("PORT", "\ufeff3080 "),  # as Number() does
            ("OPENID_CLIENT_SECRET", f"{CLIENT_SECRET} "),
            ("OPENID_AUDIENCE", f" {AUDIENCE}"),
        ],
    )
    def test_what_librechat_takes_away_is_a_note(self, name: str, value: str) -> None:
        checked = subject(env(**{name: value}))

        assert not errors(checked)
        assert ("LA175", name) in found(checked)

    @pytest.mark.parametrize(
        ("name", "value", "version"),
        [
            ("OPENID_CLIENT_SECRET", f"{CLIENT_SECRET} ", "0.8.5"),
            ("OPENID_AUDIENCE", f" {AUDIENCE}", "0.8.6"),
        ],
    )
    def test_what_older_ones_did_not_take_away_is_an_error(
        self, name: str, value: str, version: str
    ) -> None:
        assert ("LA174", name) in errors(subject(env(**{name: value}), version=version))

    @pytest.mark.parametrize(
        "value",
        [
            "openid\tprofile\temail\toffline_access",
            "openid profile\u00a0email offline_access",
            "openid profile email offline_access\u3000",
        ],
    )
    def test_auth0_takes_a_scope_apart_at_plain_spaces_alone(self, value: str) -> None:
        checked = subject(env(f"OPENID_SCOPE='{value}'"))

        told = [each for each in diagnose(checked) if each.severity is Severity.ERROR]

        assert [each.rule.id for each in told] == ["LA121"]
        assert "U+" in told[0].detail
        assert mended(checked)["OPENID_SCOPE"] == "openid profile email offline_access"

    def test_the_tenant_is_asked_with_what_librechat_sends(self) -> None:
        asked = settings_of(
            subject(
                env(
                    DOMAIN_SERVER=f"{PUBLIC_URL} ",
                    OPENID_CALLBACK_URL="/oauth/openid/callback ",
                    OPENID_CLIENT_ID=f"{CLIENT_ID}\u00a0",
                    OPENID_CLIENT_SECRET=f" {CLIENT_SECRET}",
                    OPENID_SCOPE="openid\u00a0profile",
                )
            )
        )

        assert asked is not None
        assert asked.callback_url == f"{PUBLIC_URL} /oauth/openid/callback "
        assert asked.client_id == f"{CLIENT_ID}\u00a0"
        assert asked.client_secret == CLIENT_SECRET
        assert asked.scope == "openid\u00a0profile"

    def test_a_list_of_apis_is_one_name_to_older_ones(self) -> None:
        text = env(OPENID_AUDIENCE=f"{AUDIENCE}, urn:two")

        def first(version: str) -> str | None:
            asked = settings_of(subject(text, version=version))
            return asked.audience if asked else None

        assert first("0.8.6") == f"{AUDIENCE}, urn:two"
        assert first("0.8.7") == AUDIENCE


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
