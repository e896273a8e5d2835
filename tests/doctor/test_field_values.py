"""Values found in people's files: each fault, and a near miss."""

from __future__ import annotations

import pytest

from tests.doctor.cases import (
    AUDIENCE,
    CLIENT_ID,
    CLIENT_SECRET,
    GOOD,
    PUBLIC_URL,
    env,
    subject,
)
from wizard.doctor.registry import diagnose, repairs
from wizard.doctor.subject import Subject, settings_of
from wizard.findings import Severity


def found(checked: Subject, severity: Severity | None = None) -> set[tuple[str, str]]:
    """Return rule and variable of each finding, of all or of one severity."""
    return {
        (each.rule.id, each.variable or "")
        for each in diagnose(checked)
        if severity in {None, each.severity}
    }


def errors(checked: Subject) -> set[tuple[str, str]]:
    return found(checked, Severity.ERROR)


def repaired(checked: Subject) -> dict[str, str]:
    """Return the file's values after `--fix`."""
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
    def test_characters_that_librechat_keeps_are_an_error(
        self, name: str, value: str, named: str
    ) -> None:
        checked = subject(env(**{name: value}))

        reported = [each for each in diagnose(checked) if each.rule.id == "LA174"]

        assert [each.variable for each in reported] == [name]
        assert named in reported[0].detail
        after = subject(repairs(checked)[0].text)
        assert "LA174" not in {rule for rule, _ in found(after)}
        assert after.value(name) == value.strip(" \u00a0\u2009\ufeff").replace("\u200b", "")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("OPENID_ISSUER", " https://dev-abc123.us.auth0.com "),  # new URL() removes it
            ("OPENID_SCOPE", " openid  profile email offline_access "),
            ("OPENID_USE_PKCE", " true\u00a0"),  # isEnabled trims it
            ("PORT", "\ufeff3080 "),  # so does Number()
            ("OPENID_CLIENT_SECRET", f"{CLIENT_SECRET} "),
            ("OPENID_AUDIENCE", f" {AUDIENCE}"),
        ],
    )
    def test_characters_that_librechat_removes_are_a_note(self, name: str, value: str) -> None:
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
    def test_characters_that_older_versions_keep_are_an_error(
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
    def test_auth0_separates_scopes_at_plain_spaces_only(self, value: str) -> None:
        checked = subject(env(f"OPENID_SCOPE='{value}'"))

        reported = [each for each in diagnose(checked) if each.severity is Severity.ERROR]

        assert [each.rule.id for each in reported] == ["LA121"]
        assert "U+" in reported[0].detail
        assert repaired(checked)["OPENID_SCOPE"] == "openid profile email offline_access"

    def test_sends_the_tenant_what_librechat_sends(self) -> None:
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

    def test_older_versions_read_a_list_of_apis_as_one_name(self) -> None:
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
    def test_a_variable_that_the_version_reads_is_not_useless(
        self, version: str, name: str
    ) -> None:
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
    def test_the_previous_version_does_not_read_it(self, version: str, name: str) -> None:
        assert ("LA147", name) in found(subject(env(), version=version))

    def test_token_reuse_needs_an_audience_in_the_request(self) -> None:
        assert errors(subject(env(), version="0.7.9")) == {("LA172", "OPENID_REUSE_TOKENS")}
        assert not errors(subject(env(), version="0.8.0"))
        # It does not read OPENID_REUSE_TOKENS, so it uses its own sessions.
        assert not errors(subject(env(), version="0.7.8"))
        assert not errors(subject(env(OPENID_REUSE_TOKENS="false"), version="0.7.9"))

    def test_reports_the_localhost_fault_only_for_its_versions(self) -> None:
        """Issue 11753: found in the sources of 0.8.0 to 0.8.2, not tried."""
        local = {"DOMAIN_CLIENT": "http://localhost:3080", "DOMAIN_SERVER": "http://localhost:3080"}

        def reported(**changes: str) -> list[str]:
            checked = subject(env(**changes), version="0.8.1")
            return [each.detail for each in diagnose(checked) if each.rule.id == "LA146"]

        assert any("11753" in detail for detail in reported(**local))
        assert reported() == []

    @pytest.mark.parametrize("rotation_needed", ["0.8.0", "0.8.1-rc1"])
    def test_a_refresh_needs_rotation(self, rotation_needed: str) -> None:
        def reported(version: str) -> list[str]:
            found = diagnose(subject(env(), version=version))
            return [each.detail for each in found if each.rule.id == "LA146"]

        assert any("Rotation" in detail for detail in reported(rotation_needed))
        assert reported("0.8.1-rc2") == []

    def test_no_audience_before_0_8_3(self) -> None:
        without = env(OPENID_AUDIENCE="", OPENID_REFRESH_AUDIENCE="")
        assert ("LA113", "OPENID_AUDIENCE") in errors(subject(without, version="0.8.2"))
        assert ("LA113", "OPENID_AUDIENCE") not in errors(subject(without, version="0.7.9"))
        two = env(OPENID_AUDIENCE=f"{AUDIENCE},urn:two")
        assert ("LA115", "OPENID_AUDIENCE") in errors(subject(two, version="0.8.6"))

    def test_a_version_newer_than_the_table_may_read_more_names(self) -> None:
        text = env("OPENID_WITH_A_NEW_NAME=1\nOPENID_SCOPES=openid")
        newer = found(subject(text, version="0.9.1"))
        assert ("LA186", "OPENID_WITH_A_NEW_NAME") in newer
        assert ("LA180", "OPENID_SCOPES") in newer  # a typo of a known name
        for version in ("0.8.7", "0.8.8-rc4", ""):
            older = found(subject(text, version=version))
            assert ("LA180", "OPENID_WITH_A_NEW_NAME") in older

    def test_oauth2_only_is_wrong_with_auth0(self) -> None:
        text = env(OPENID_USE_OAUTH2="true")
        assert ("LA178", "OPENID_USE_OAUTH2") in errors(subject(text, version="0.8.9-rc1"))
        assert repaired(subject(text))["OPENID_USE_OAUTH2"] == "false"
        # Unread there: no error, but a useless line.
        assert errors(subject(text, version="0.8.7")) == set()
        assert ("LA147", "OPENID_USE_OAUTH2") in found(subject(text, version="0.8.7"))


ROLE = {
    "OPENID_REQUIRED_ROLE": "crew",
    "OPENID_REQUIRED_ROLE_PARAMETER_PATH": "https://roles.example.com/list",
    "OPENID_REQUIRED_ROLE_TOKEN_KIND": "id",
}
ADMIN = {name.replace("REQUIRED", "ADMIN"): value for name, value in ROLE.items()}
SYNC = {"OPENID_ROLE_SYNC_ENABLED": "true", "OPENID_ROLE_SYNC_CLAIM": "https://example.com/roles"}


class TestRoles:
    @pytest.mark.parametrize("role", [ROLE, ADMIN, SYNC, {**ROLE, **ADMIN, **SYNC}])
    def test_accepts_a_complete_role(self, role: dict[str, str]) -> None:
        assert found(subject(env(**role))) == set()

    @pytest.mark.parametrize("kind", ["id_token", "ID", "userInfo", "access_token"])
    @pytest.mark.parametrize("role", [ROLE, ADMIN], ids=["required", "admin"])
    def test_a_token_kind_uses_librechats_terms(self, role: dict[str, str], kind: str) -> None:
        name = next(name for name in role if name.endswith("_TOKEN_KIND"))
        assert errors(subject(env(**role | {name: kind}))) == {("LA139", name)}

    def test_admin_roles_need_all_three_variables(self) -> None:
        kind = "OPENID_ADMIN_ROLE_TOKEN_KIND"
        partly = {"OPENID_ADMIN_ROLE": "boss", kind: "id_token"}
        assert errors(subject(env(**partly))) == set()
        assert ("LA140", "OPENID_ADMIN_ROLE_PARAMETER_PATH") in found(subject(env(**partly)))
        # Not checked before 0.8.1.
        bad = env(**ADMIN | {kind: "id_token"})
        assert ("LA139", kind) not in found(subject(bad, version="0.8.0"))

    @pytest.mark.parametrize("left_out", list(ROLE)[1:])
    def test_an_incomplete_required_role_locks_everyone_out(self, left_out: str) -> None:
        half = {name: value for name, value in ROLE.items() if name != left_out}
        assert errors(subject(env(**half))) == {("LA176", left_out)}
        assert errors(subject(env(**half | {"OPENID_REQUIRED_ROLE": ""}))) == set()

    @pytest.mark.parametrize(
        ("broken", "name"),
        [
            ({"OPENID_ROLE_SYNC_CLAIM": ""}, "OPENID_ROLE_SYNC_CLAIM"),
            ({"OPENID_ROLE_SYNC_SOURCE": "idtoken"}, "OPENID_ROLE_SYNC_SOURCE"),
            ({"OPENID_ROLE_SYNC_ROLE_PRIORITY": "USER, Admin"}, "OPENID_ROLE_SYNC_ROLE_PRIORITY"),
            ({"OPENID_ROLE_SYNC_FALLBACK_ROLE": "admin"}, "OPENID_ROLE_SYNC_FALLBACK_ROLE"),
        ],
    )
    def test_role_sync(self, broken: dict[str, str], name: str) -> None:
        text = env(**SYNC | broken)
        assert errors(subject(text)) == {("LA177", name)}
        assert errors(subject(text, version="0.8.6")) == set()
        assert errors(subject(env(**SYNC | broken | {"OPENID_ROLE_SYNC_ENABLED": "no"}))) == set()

    def test_role_sync_for_the_api_only(self) -> None:
        name = "OPENID_ROLE_SYNC_API_ENABLED"
        assert errors(subject(env(**{name: "true"}))) == {("LA177", name)}
        assert errors(subject(env(**SYNC | {name: "true"}))) == set()

    @pytest.mark.parametrize(
        ("settings", "name"),
        [
            (ROLE, "OPENID_REQUIRED_ROLE_TOKEN_KIND"),
            (ADMIN, "OPENID_ADMIN_ROLE_TOKEN_KIND"),
            (SYNC, "OPENID_ROLE_SYNC_SOURCE"),
        ],
    )
    def test_an_opaque_token_has_no_role(self, settings: dict[str, str], name: str) -> None:
        by_access = settings | {name: "access"}
        without = by_access | {"OPENID_AUDIENCE": "", "OPENID_REFRESH_AUDIENCE": ""}
        assert ("LA141", name) in errors(subject(env(**without)))
        assert errors(subject(env(**by_access))) == set()


class TestAddresses:
    @pytest.mark.parametrize("name", ["DOMAIN_CLIENT", "DOMAIN_SERVER"])
    def test_the_slash_of_a_path(self, name: str) -> None:
        both = {"DOMAIN_CLIENT": f"{PUBLIC_URL}/talk", "DOMAIN_SERVER": f"{PUBLIC_URL}/talk"}
        slash = subject(env(**both | {name: f"{PUBLIC_URL}/talk/"}))
        assert errors(slash) == {("LA124", name)}
        assert repaired(slash)[name] == f"{PUBLIC_URL}/talk"
        assert errors(subject(env(**both))) == set()

    @pytest.mark.parametrize(
        ("url", "normal"),
        [
            ("https://chat.acme.org:443", "https://chat.acme.org"),
            ("HTTPS://Chat.Acme.org", "https://chat.acme.org"),
            ("https://chat.acme.org:0443/Talk", "https://chat.acme.org/Talk"),
            ("https://café.acme.org", "https://xn--caf-dma.acme.org"),
            ("http://LOCALHOST:80", "http://localhost"),
            ("https://[2001:DB8::1]:443", "https://[2001:db8::1]"),
        ],
    )
    def test_the_address_in_two_forms(self, url: str, normal: str) -> None:
        both = subject(env(DOMAIN_CLIENT=url, DOMAIN_SERVER=url))
        assert ("LA193", "DOMAIN_SERVER") in errors(both)
        assert repaired(both)["DOMAIN_SERVER"] == repaired(both)["DOMAIN_CLIENT"] == normal
        slash = subject(env(DOMAIN_CLIENT=f"{url}/", DOMAIN_SERVER=f"{url}/"))
        assert errors(slash) == {("LA124", "DOMAIN_CLIENT"), ("LA124", "DOMAIN_SERVER")}
        assert repaired(slash)["DOMAIN_SERVER"] == normal
        one = subject(env(DOMAIN_CLIENT=normal, DOMAIN_SERVER=url))
        assert errors(one) == {("LA193", "DOMAIN_SERVER")}
        for text, version in (
            (env(DOMAIN_CLIENT=normal, DOMAIN_SERVER=normal), ""),
            (env(DOMAIN_CLIENT=url, DOMAIN_SERVER=url), "0.7.8"),  # openid-client 5
        ):
            assert "LA193" not in {rule for rule, _ in errors(subject(text, version=version))}

    @pytest.mark.parametrize("end", ["?model=x", "/?model=x", "/#", "/talk?model=x", "#a"])
    def test_nothing_can_be_appended_to_a_query(self, end: str) -> None:
        url = f"{PUBLIC_URL}{end}"
        checked = subject(env(DOMAIN_CLIENT=url, DOMAIN_SERVER=url))
        assert errors(checked) == {("LA126", "DOMAIN_CLIENT"), ("LA126", "DOMAIN_SERVER")}
        kept = url if "talk" in end else PUBLIC_URL
        assert repaired(checked)["DOMAIN_SERVER"] == kept

    @pytest.mark.parametrize("port", ["3080", "4000"])
    def test_https_where_librechat_serves_http(self, port: str) -> None:
        def with_url(url: str) -> Subject:
            return subject(env(DOMAIN_CLIENT=url, DOMAIN_SERVER=url, PORT=port))

        own = errors(with_url(f"https://127.0.0.1:{port}"))
        assert own == {("LA179", "DOMAIN_CLIENT"), ("LA179", "DOMAIN_SERVER")}
        assert errors(with_url("https://localhost:3443")) == set()
        assert errors(with_url(f"http://localhost:{port}")) == set()

    @pytest.mark.parametrize("proxy", ["proxy.example.com:3128", "socks5://10.0.0.1:1080", "//p"])
    def test_an_invalid_proxy(self, proxy: str) -> None:
        assert errors(subject(env(PROXY=proxy))) == {("LA188", "PROXY")}

    @pytest.mark.parametrize("proxy", ["http://user:pw@proxy.example.com:3128", "https://[::1]:1"])
    def test_a_valid_proxy(self, proxy: str) -> None:
        assert errors(subject(env(PROXY=proxy))) == set()

    @pytest.mark.parametrize(
        "host", ["0.0.0.0.", "1.2.3.4.5", "localhost:3080", "http://localhost"]
    )
    def test_an_invalid_host(self, host: str) -> None:
        assert errors(subject(env(HOST=host))) == {("LA189", "HOST")}

    @pytest.mark.parametrize(
        "host", ["0.0.0.0", "::", "my-machine.lan", "localhost.", "fe80::1%eth0"]
    )
    def test_a_valid_host(self, host: str) -> None:
        assert errors(subject(env(HOST=host))) == set()

    @pytest.mark.parametrize(
        "off",
        [
            *("HSTS_ENABLED=false", "HSTS_ENABLED=off", "HSTS_ENABLED=0", "HSTS_MAX_AGE=0"),
            *("SECURITY_HEADERS=off", "SECURITY_HEADERS=0"),
        ],
    )
    def test_localhost_is_not_pinned_to_https(self, off: str) -> None:
        local = "https://localhost:3443"
        text = env(DOMAIN_CLIENT=local, DOMAIN_SERVER=local)
        assert ("LA170", "HSTS_ENABLED") in found(subject(text))
        assert "LA170" not in {rule for rule, _ in found(subject(f"{text}\n{off}"))}

    @pytest.mark.parametrize("port", ["", "0", "65536", " "])
    def test_a_port_that_nothing_can_reach(self, port: str) -> None:
        checked = subject(env(PORT=port))
        assert ("LA192", "PORT") in errors(checked)
        assert repaired(checked)["PORT"] == "3080"

    def test_a_port_that_librechat_accepts(self) -> None:
        for text in (env(PORT="65535"), env(PORT="chat"), env(PORT=None)):
            assert errors(subject(text)) == set()
        assert errors(subject(env(PORT=""), version="0.7.8")) == set()
        assert ("LA192", "PORT") in errors(subject(env(PORT=""), version="0.7.9"))

    @pytest.mark.parametrize("name", ["DOMAIN_CLIENT", "DOMAIN_SERVER"])
    @pytest.mark.parametrize(
        ("value", "rule"),
        [
            ("chat.example.com", "LA123"),
            ("https://your-domain.ngrok-free.app", "LA132"),
            (f"{PUBLIC_URL}/login", "LA126"),
        ],
    )
    def test_checks_both_urls(self, name: str, value: str, rule: str) -> None:
        assert (rule, name) in errors(subject(env(**{name: value})))

    @pytest.mark.parametrize("name", ["DOMAIN_CLIENT", "DOMAIN_SERVER"])
    def test_plain_http_in_public(self, name: str) -> None:
        value = {name: "http://chat.example.com"}
        assert errors(subject(env(**value))) & {("LA127", "DOMAIN_SERVER"), ("LA128", name)}


class TestPastes:
    def test_reports_and_removes_typographic_quotes(self) -> None:
        checked = subject(
            env(
                f"OPENID_CLIENT_ID=“{CLIENT_ID}”\nOPENID_CLIENT_SECRET=‘{CLIENT_SECRET}’\n"
                f"OPENID_AUDIENCE=«{AUDIENCE}»\nOPENID_REFRESH_AUDIENCE=«{AUDIENCE}»"
            )
        )
        names = ("CLIENT_ID", "CLIENT_SECRET", "AUDIENCE", "REFRESH_AUDIENCE")
        assert errors(checked) == {("LA153", f"OPENID_{name}") for name in names}
        values = repaired(checked)
        assert {values[f"OPENID_{name}"] for name in names} == {CLIENT_ID, CLIENT_SECRET, AUDIENCE}

    @pytest.mark.parametrize("value", ["你的客户端ID", "ВашClientID", "ここに貼り付け"])
    @pytest.mark.parametrize(
        ("name", "rule"), [("OPENID_CLIENT_ID", "LA134"), ("OPENID_CLIENT_SECRET", "LA135")]
    )
    def test_a_placeholder_in_any_script(self, name: str, rule: str, value: str) -> None:
        assert errors(subject(env(**{name: value}))) == {(rule, name)}

    @pytest.mark.parametrize(
        "line", ["='$(openssl rand -hex 32)'", "=`openssl rand -hex 32`", "='`uuidgen`'"]
    )
    def test_a_command_that_was_never_run(self, line: str) -> None:
        names = ("JWT_SECRET", "JWT_REFRESH_SECRET", "OPENID_SESSION_SECRET")
        checked = subject(env("\n".join(f"{name}{line}" for name in names)))

        reported = [each for each in diagnose(checked) if each.severity is not Severity.NOTE]

        once = {(each.rule.id, each.variable) for each in reported if each.rule.id != "LA150"}
        assert once == {("LA190", name) for name in names}
        # The command in the fix is not a secret, although the file has it as one.
        assert all(
            "openssl rand -hex 32" in each.fix for each in reported if each.rule.id == "LA190"
        )
        assert checked.secrets.hidden_in("openssl rand -hex 32") == "openssl rand -hex 32"

    @pytest.mark.parametrize(
        ("scope", "right"),
        [
            ('["openid","profile","email"]', "openid profile email offline_access"),
            ("OpenID Profile Email offline_access", "openid profile email offline_access"),
            ("openid, email, read:chats", "openid email read:chats profile offline_access"),
            ("openid%20email%20read:chats", "openid email read:chats profile offline_access"),
            ("openid \\", "openid profile email offline_access"),
            ("email%20openid", "openid email profile offline_access"),
            ("openid|profile|email", "openid profile email offline_access"),
            ("profile&openid", "openid profile email offline_access"),
        ],
    )
    def test_repairs_a_whole_scope(self, scope: str, right: str) -> None:
        checked = subject(env(f"OPENID_SCOPE={scope}"))
        assert errors(checked)
        assert ("LA132", "OPENID_SCOPE") not in found(checked)
        assert set(repaired(checked)["OPENID_SCOPE"].split(" ")) == set(right.split(" "))
        assert errors(subject(repairs(checked)[0].text)) == set()

    @pytest.mark.parametrize(
        "line",
        [
            "      - {name}={value}",
            "set {name}={value}",
            "$env:{name} = '{value}'",
            '  "{name}": "{value}",',
        ],
    )
    def test_names_a_line_that_sets_nothing(self, line: str) -> None:
        name = "OPENID_ISSUER"
        pasted = line.format(name=name, value=GOOD[name])
        text = env(f"# {name}=x\n{pasted}", **{name: None})

        reported = next(each for each in diagnose(subject(text)) if each.rule.id == "LA101")

        assert f"Line {text.splitlines().index(pasted) + 1} names it" in reported.detail
        assert GOOD[name] not in reported.detail

    def test_does_not_name_a_comment_or_a_longer_name(self) -> None:
        text = env("# OPENID_ISSUER=x\n- MY_OPENID_ISSUER=x", OPENID_ISSUER=None)
        reported = next(each for each in diagnose(subject(text)) if each.rule.id == "LA101")
        assert reported.detail == "OPENID_ISSUER is not set."

    def test_names_a_colon_if_it_is_the_cause(self) -> None:
        checked = subject(env(f"OPENID_CLIENT_ID: {CLIENT_ID}", OPENID_CLIENT_ID=None))

        reported = [each for each in diagnose(checked) if each.rule.id == "LA151"]

        assert [each.variable for each in reported] == ["OPENID_CLIENT_ID"]
        assert "colon" in reported[0].detail
        after = subject(repairs(checked)[0].text)
        assert f"OPENID_CLIENT_ID={CLIENT_ID}" in after.file.text
        assert found(after) == set()

    def test_names_what_others_read_differently_in_the_line_itself(self) -> None:
        for raw, sign in (("`Log in`", "`"), ('"Log in with \\"Auth0\\""', "\\")):
            text = f"{env(OPENID_BUTTON_LABEL=None)}\nOPENID_BUTTON_LABEL={raw}\n"
            reported = [
                each for each in diagnose(subject(text)) if each.severity is not Severity.NOTE
            ]
            assert [each.detail for each in reported] == [
                f"Line {text.count(chr(10))} has a {sign}."
            ]
            assert "unclosed" not in reported[0].fix

    @pytest.mark.parametrize("name", ["JWT_SECRET", "JWT_REFRESH_SECRET"])
    def test_a_signing_secret_that_is_a_placeholder(self, name: str) -> None:
        placeholder = "change-me-to-a-long-and-random-text-of-yours"
        assert found(subject(env(**{name: placeholder}))) == {("LA164", name)}


class TestEarlierRules:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            (
                {"OPENID_CLIENT_ID": "your_client_id", "DOMAIN_SERVER": "https://<your-domain>"},
                {("LA132", "OPENID_CLIENT_ID"), ("LA132", "DOMAIN_SERVER")},
            ),
            (
                {"OPENID_CALLBACK_URL": f"{PUBLIC_URL}/oauth/openid/callback"},
                {("LA106", "OPENID_CALLBACK_URL")},
            ),
            (
                {"OPENID_CALLBACK_URL": "/api/oauth/openid/callback"},
                {("LA107", "OPENID_CALLBACK_URL")},
            ),
            ({"DOMAIN_SERVER": "http://chat.example.org"}, {("LA128", "DOMAIN_SERVER")}),
            ({"DOMAIN_CLIENT": "chat.example.com:443"}, {("LA123", "DOMAIN_CLIENT")}),
        ],
    )
    def test_errors(self, changes: dict[str, str], expected: set[tuple[str, str]]) -> None:
        assert errors(subject(env(**changes))) >= expected

    def test_the_metadata_address_is_an_issuer(self) -> None:
        issuer = f"{GOOD['OPENID_ISSUER']}/.well-known/openid-configuration"
        assert errors(subject(env(OPENID_ISSUER=issuer))) == set()

    def test_a_variable_that_was_never_merged(self) -> None:
        name = "OPENID_OPTIONAL_EMAIL"
        assert ("LA180", name) in found(subject(env(f"{name}=true")))
        assert ("LA180", "OPENID_EMAIL_CLAIM") not in found(subject(env("OPENID_EMAIL_CLAIM=upn")))

    def test_a_docker_secret_of_a_variable(self) -> None:
        text = env("OPENID_CLIENT_SECRET_FILE=/run/secrets/a\nJWT_SECRET_FILE=/run/secrets/b")
        fixes = {each.rule.id: each.fix for each in diagnose(subject(text))}
        assert fixes == {
            "LA180": "Use OPENID_CLIENT_SECRET in its place.",
            "LA181": "Use JWT_SECRET in its place.",
        }

    def test_empty_lines_of_an_example_below(self) -> None:
        text = env("OPENID_ISSUER=\nOPENID_CLIENT_ID=")
        reported = {
            each.variable: each for each in diagnose(subject(text)) if each.rule.id == "LA101"
        }
        assert set(reported) == {"OPENID_ISSUER", "OPENID_CLIENT_ID"}
        last = len(text.splitlines())
        assert f"Line {last}:" in reported["OPENID_CLIENT_ID"].detail

    def test_no_login_is_listed(self) -> None:
        none = "registration:\n  socialLogins: []\n"
        listed = "registration:\n  socialLogins: ['google', 'openid']\n"
        assert "LA504" in {rule for rule, _ in errors(subject(env(), yaml=none))}
        assert errors(subject(env(), yaml=listed)) == set()

    def test_typographic_quotes_are_a_part_of_a_session_secret(self) -> None:
        checked = subject(env(OPENID_SESSION_SECRET=f"“{'0a1b2c3d' * 5}”"))
        (weak,) = (each for each in diagnose(checked) if each.rule.id == "LA130")
        assert weak.detail.endswith("(quotes are a part of it)")
