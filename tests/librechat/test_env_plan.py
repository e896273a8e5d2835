"""The plan for the file: new, from the example, with existing values, and on a second run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.librechat.example import env_example
from tests.librechat.hostile import case
from tests.librechat.readers import (
    needs_compose,
    read_by_compose,
    read_by_node,
    read_by_python_dotenv,
    read_by_shell,
)
from tests.seed import SEED
from wizard.findings import Failure
from wizard.librechat.env_file import EnvFile, How, quoted
from wizard.librechat.env_plan import (
    BLANK_CREDENTIAL,
    GUARDING_CREDENTIALS,
    PUBLIC_CREDENTIAL,
    READ_DIFFERENTLY,
    SET_TWICE,
    Base,
    EnvPlan,
    blank_file,
    is_good_secret,
    plan_env,
)
from wizard.librechat.env_store import EnvStore
from wizard.librechat.variables import VARIABLES, is_read
from wizard.settings import Settings

SETTINGS = Settings(
    "dev-abc.us.auth0.com",
    "the-id",
    "the-secret",
    ("https://api.x/", "second"),
    "https://chat.example.com",
)
WRITTEN = {
    "ALLOW_SOCIAL_LOGIN": "true",
    "ALLOW_SOCIAL_REGISTRATION": "true",
    "DOMAIN_CLIENT": "https://chat.example.com",
    "DOMAIN_SERVER": "https://chat.example.com",
    "OPENID_AUDIENCE": "https://api.x/,second",
    "OPENID_BUTTON_LABEL": "Continue with Auth0",
    "OPENID_CALLBACK_URL": "/oauth/openid/callback",
    "OPENID_CLIENT_ID": "the-id",
    "OPENID_CLIENT_SECRET": "the-secret",
    "OPENID_ISSUER": "https://dev-abc.us.auth0.com",
    "OPENID_NAME_CLAIM": "name",
    "OPENID_REFRESH_AUDIENCE": "https://api.x/",
    "OPENID_REUSE_TOKENS": "true",
    "OPENID_SCOPE": "openid profile email offline_access",
    "OPENID_USE_END_SESSION_ENDPOINT": "true",
    "OPENID_USE_PKCE": "true",
    "OPENID_USERNAME_CLAIM": "nickname",
    "REFRESH_TOKEN_EXPIRY": "(1000 * 60 * 60 * 24) * 7",
    "SESSION_EXPIRY": "1000 * 60 * 15",
}
DIGITS = "0123456789abcdef"
FRESH = ("ADMIN_PANEL_SESSION_SECRET", "OPENID_SESSION_SECRET", *GUARDING_CREDENTIALS)
EXAMPLE = env_example()


def counting_hex() -> Callable[[int], str]:
    """Return distinct values that are the same in every run."""
    calls = iter(range(1, 100))
    return lambda count: f"{next(calls):02x}{DIGITS * 4}"[: 2 * count]


def plan(
    existing: str | None = None,
    example: str | None = EXAMPLE,
    *,
    settings: Settings = SETTINGS,
    signs_of_use: tuple[str, ...] = (),
    port: int = 3080,
    version: str = "",
) -> EnvPlan:
    base = Base(
        None if existing is None else existing.encode(),
        None if example is None else example.encode(),
        port,
        signs_of_use,
        version,
    )
    return plan_env(settings, base, random_hex=counting_hex())


def findings(made: EnvPlan) -> set[tuple[str, str | None]]:
    return {(finding.rule.id, finding.variable) for finding in made.findings}


@pytest.mark.parametrize(
    ("existing", "is_lost"),
    [
        ("ALLOW_PASSKEY_LOGIN=true\nDOMAIN_CLIENT=https://old.ngrok-free.app\n", True),
        ("ALLOW_PASSKEY_LOGIN=true\nDOMAIN_CLIENT=https://CHAT.example.com\n", False),
        ("ALLOW_PASSKEY_LOGIN=true\n", False),
        ("ALLOW_PASSKEY_LOGIN=false\nDOMAIN_CLIENT=https://old.ngrok-free.app\n", False),
        (
            "ALLOW_PASSKEY_LOGIN=true\nPASSKEY_RP_ID=example.com\n"
            "DOMAIN_CLIENT=https://old.example.com\n",
            False,
        ),
    ],
)
def test_warns_that_passkeys_are_bound_to_the_old_host(existing: str, is_lost: bool) -> None:
    made = plan(existing, settings=SETTINGS._replace(public_url="https://chat.example.com"))
    assert (("LA346", "PASSKEY_RP_ID") in findings(made)) is is_lost


def test_our_example_resembles_librechats() -> None:
    lines = EXAMPLE.splitlines()
    assert 1200 < len(lines) < 1320
    assert plan(EXAMPLE).before.text == EXAMPLE


def test_a_new_file_from_the_example_is_complete() -> None:
    made = plan()
    values = made.after.values()
    assert {name: values[name] for name in WRITTEN} == WRITTEN
    for name in FRESH:
        assert VARIABLES[name].accepts(values[name])
    assert len({values[name] for name in FRESH}) == len(FRESH)
    assert (values["PORT"], values["HOST"], values["SEARCH"]) == ("3080", "localhost", "false")
    assert made.findings == ()
    assert {change.name for change in made.changes} == {
        *WRITTEN,
        *FRESH,
        "ALLOW_REGISTRATION",
    } - {"OPENID_CALLBACK_URL"}


def test_keeps_all_other_lines_byte_for_byte() -> None:
    made = plan(EXAMPLE.replace("\n", "\r\n"))
    old, new = made.before.text.split("\n"), made.after.text.split("\n")
    assert len(old) == len(new)
    differing = [
        index for index, lines in enumerate(zip(old, new, strict=True)) if len(set(lines)) > 1
    ]
    assert [index + 1 for index in differing] == [change.line for change in made.changes]
    assert all(change.how is How.CHANGED for change in made.changes)
    assert all(line.endswith("\r") for line in new[:-1])


@pytest.mark.needs("node", "sh")
@pytest.mark.parametrize("example", [EXAMPLE, None])
def test_every_reader_agrees_on_the_new_file(example: str | None, tmp_path: Path) -> None:
    data = plan(example=example).after.to_bytes()
    [by_node] = read_by_node([data])
    ours = {name: by_node[name] for name in (*WRITTEN, *FRESH)}
    assert ours.items() >= WRITTEN.items()
    by_python = read_by_python_dotenv(data)
    assert {name: by_python[name] for name in ours} == ours
    # LibreChat's BAN_DURATION=1000 * 60 causes an error in a shell, but does not stop it.
    data = re.sub(rb"(?m)^BAN_DURATION=.*\n", b"", data)
    assert read_by_shell("sh", [data], list(ours), tmp_path) == [ours]


@pytest.mark.parametrize("example", [EXAMPLE, None])
def test_docker_compose_agrees_on_the_new_file(example: str | None, tmp_path: Path) -> None:
    needs_compose()
    new = plan(example=example).after
    [by_compose] = read_by_compose([new.to_bytes()], tmp_path)
    assert by_compose is not None
    assert by_compose.items() >= WRITTEN.items()
    assert {name: by_compose[name] for name in FRESH} == {
        name: new.values()[name] for name in FRESH
    }


@pytest.mark.parametrize("example", [EXAMPLE, None, "PORT=3080", "\ufeff", EXAMPLE[:20_000]])
@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("url", ["https://localhost:3443", "https://chat.example.com"])
def test_the_second_run_changes_nothing(example: str | None, reuse: bool, url: str) -> None:
    settings = SETTINGS._replace(reuse_tokens=reuse, public_url=url)
    first = plan(example=example, settings=settings)
    second = plan(first.after.text, settings=settings)
    assert second.changes == ()
    assert second.after.text == first.after.text


def test_uses_our_template_without_an_example() -> None:
    made = plan(example=None)
    assert made.before.text == blank_file()
    values = made.after.values()
    assert {name: values[name] for name in WRITTEN} == WRITTEN
    assert values["MONGO_URI"] == "mongodb://127.0.0.1:27017/LibreChat"
    assert all(values[name] for name in (*FRESH, "HOST", "PORT"))
    assert "HSTS_ENABLED" not in values
    assert re.search(r"^# OPENID_IMAGE_URL=.", made.after.text, re.MULTILINE)
    assert set(re.findall(r"^#? ?([A-Z_]+)=", made.after.text, re.MULTILINE)) <= set(VARIABLES)


@pytest.mark.parametrize("existing", ["", " \n\r\n"])
def test_an_empty_file_counts_as_none(existing: str) -> None:
    assert plan(existing).after.text == plan().after.text


def test_writes_the_requested_port_only_to_a_new_file() -> None:
    assert plan(port=4000).after.values()["PORT"] == "4000"
    assert plan(example="").after.values()["PORT"] == "3080"
    assert plan("PORT=5000\n", port=4000).after.values()["PORT"] == "5000"


def test_keeps_and_reports_keys_of_an_existing_file() -> None:
    public = {name: min(VARIABLES[name].public_values) for name in GUARDING_CREDENTIALS}
    existing = "".join(f"{name}={value}\n" for name, value in public.items())
    made = plan(existing)
    assert {name: made.after.values()[name] for name in public} == public
    assert {(PUBLIC_CREDENTIAL.id, name) for name in public} <= findings(made)
    assert not any(
        value in finding.detail for finding in made.findings for value in public.values()
    )


def test_keeps_and_reports_blank_keys_of_an_existing_file() -> None:
    made = plan(EXAMPLE)
    values = made.after.values()
    blank = [name for name in GUARDING_CREDENTIALS if name != "MEILI_MASTER_KEY"]
    assert all(values[name] == "" for name in GUARDING_CREDENTIALS)
    assert findings(made) == {(BLANK_CREDENTIAL.id, name) for name in blank}


@pytest.mark.parametrize("sign", [".env.temp", "volume librechat_librechat-data", "data-node/"])
def test_a_new_file_of_a_used_librechat_gets_no_new_keys(sign: str) -> None:
    made = plan(signs_of_use=(sign,))
    values = made.after.values()
    assert all(values[name] == "" for name in GUARDING_CREDENTIALS)
    assert (BLANK_CREDENTIAL.id, "CREDS_KEY") in findings(made)
    assert values["OPENID_SESSION_SECRET"]
    assert values["ADMIN_PANEL_SESSION_SECRET"]


def test_a_new_file_replaces_the_published_keys_of_an_old_example() -> None:
    example = EXAMPLE
    for name in GUARDING_CREDENTIALS:
        example = example.replace(f"\n{name}=", f"\n{name}={min(VARIABLES[name].public_values)}")
    values = plan(example=example).after.values()
    for name in GUARDING_CREDENTIALS:
        assert values[name] not in {"", *VARIABLES[name].public_values}
    kept = plan(example=example, signs_of_use=(".env.temp",))
    assert (PUBLIC_CREDENTIAL.id, "CREDS_KEY") in findings(kept)


def test_a_new_file_replaces_placeholders_and_secrets_that_librechat_cannot_use() -> None:
    bad = {
        "CREDS_KEY": "CHANGE_ME_GENERATE_64_HEX_CHARS",
        "CREDS_IV": "abc",
        "JWT_SECRET": "secret",
        "JWT_REFRESH_SECRET": "s" * 40,
        "ADMIN_PANEL_SESSION_SECRET": "s" * 40,
        "MEILI_MASTER_KEY": "<a master key>",
    }
    example = "".join(f"{name}={value}\n" for name, value in bad.items())

    values = plan(example=example).after.values()

    for name in bad:
        assert is_good_secret(name, values)


def test_a_new_file_keeps_good_secrets() -> None:
    good = {"CREDS_KEY": DIGITS * 4, "CREDS_IV": DIGITS[::-1] * 2, "JWT_SECRET": f"j{DIGITS}" * 2}
    example = "".join(f"{name}={value}\n" for name, value in good.items())

    assert plan(example=example).after.values().items() >= good.items()


@pytest.mark.parametrize(
    ("kept", "good"),
    [
        (DIGITS * 2, True),
        (f"{DIGITS * 2}"[1:], False),
        ("s" * 40, False),
        (" " * 40, False),
        ("", False),
        ("your-session-secret-your-session-secret", False),
        ("x" * 40, False),
        ("ab12" * 10, False),
        (min(VARIABLES["JWT_SECRET"].public_values), False),
        ("j" * 64, False),  # the value of another secret
        ("“" + "s" * 40 + "”", False),
        ('"' + "s" * 40 + '";', False),
    ],
)
def test_keeps_a_good_session_secret(kept: str, good: bool) -> None:
    made = plan(f"JWT_SECRET={'j' * 64}\nOPENID_SESSION_SECRET={quoted(kept)}\n")
    assert (made.after.values()["OPENID_SESSION_SECRET"] == kept) is good
    values = {"JWT_SECRET": "j" * 64, "OPENID_SESSION_SECRET": kept}
    assert is_good_secret("OPENID_SESSION_SECRET", values) is good


def test_leaves_a_good_session_secret_in_unusual_quotes_alone() -> None:
    line = 'OPENID_SESSION_SECRET="it\'s long enough, and \\ everything else"\n'
    assert line in plan(line).after.text


def test_requests_no_audience_without_token_reuse() -> None:
    settings = SETTINGS._replace(reuse_tokens=False)
    values = plan(settings=settings).after.values()
    assert values["OPENID_REUSE_TOKENS"] == "false"
    assert values["OPENID_SCOPE"] == "openid profile email"
    assert values["OPENID_AUDIENCE"] == values["OPENID_REFRESH_AUDIENCE"] == ""
    taken_back = plan(plan().after.text, settings=settings).after.values()
    assert taken_back["OPENID_AUDIENCE"] == taken_back["OPENID_REFRESH_AUDIENCE"] == ""
    assert "OPENID_AUDIENCE" not in plan("PORT=1\n", settings=settings).after.values()


def test_a_public_client_has_no_secret() -> None:
    values = plan(settings=SETTINGS._replace(client_secret=None)).after.values()
    assert values["OPENID_CLIENT_SECRET"] == ""
    assert values["OPENID_USE_PKCE"] == "true"


def test_https_on_localhost_sets_no_hsts() -> None:
    local = plan(settings=SETTINGS._replace(public_url="https://localhost:3443"))
    assert local.after.values()["HSTS_ENABLED"] == "false"
    assert "HSTS_ENABLED" not in plan().after.values()


@pytest.mark.parametrize(
    "own",
    [
        ("OPENID_BUTTON_LABEL", "Sign in"),
        ("OPENID_NAME_CLAIM", "https://example.com/name"),
        ("OPENID_USERNAME_CLAIM", "sub"),
    ],
)
def test_keeps_the_users_label_and_claims(own: tuple[str, str]) -> None:
    name, value = own
    assert plan(f"{name}={value}\n").after.values()[name] == value


def test_only_suggests_what_is_optional() -> None:
    made = plan("PORT=1\n")
    suggested = [change.name for change in made.changes if change.how is How.SUGGESTED]
    assert suggested == ["OPENID_IMAGE_URL", "OPENID_MAX_LOGOUT_URL_LENGTH"]
    assert "# OPENID_MAX_LOGOUT_URL_LENGTH=2000\n" in made.after.text
    assert "OPENID_IMAGE_URL" not in made.after.values()


def test_reports_a_duplicate_name_and_changes_the_last() -> None:
    made = plan("OPENID_ISSUER=a\nPORT=1\nOPENID_ISSUER=b\n")
    assert made.after.text.startswith("OPENID_ISSUER=a\nPORT=1\n")
    assert "\nOPENID_ISSUER=https://dev-abc.us.auth0.com\n" in made.after.text
    assert (SET_TWICE.id, "OPENID_ISSUER") in findings(made)


def test_reports_a_line_that_others_read_differently() -> None:
    # For dotenv the value ends with the first line, for python-dotenv with the next quote.
    made = plan("X='a\nOPENID_ISSUER=b\nY=c' d\n")
    assert made.after.values()["OPENID_ISSUER"] == "https://dev-abc.us.auth0.com"
    differing = {variable for rule, variable in findings(made) if rule == READ_DIFFERENTLY.id}
    by_python = read_by_python_dotenv(made.after.to_bytes())
    wanted = made.after.values()
    assert differing == {name for name in WRITTEN if by_python.get(name) != wanted.get(name)}
    assert "OPENID_ISSUER" in differing


def test_rejects_a_value_without_a_common_form_by_name() -> None:
    from wizard.findings import Failure

    with pytest.raises(Failure) as caught:
        plan(settings=SETTINGS._replace(audiences=("it's",)))
    assert caught.value.finding.variable in {"OPENID_AUDIENCE", "OPENID_REFRESH_AUDIENCE"}


def test_the_operating_system_generates_the_secrets() -> None:
    first, second = (
        plan_env(SETTINGS, Base(None, EXAMPLE.encode(), 3080)).after.values() for _ in range(2)
    )
    assert all(first[name] != second[name] for name in FRESH)
    assert EnvFile(EXAMPLE).values()["CREDS_KEY"] == ""


def test_a_plan_and_a_backup_do_not_show_secrets(tmp_path: Path) -> None:
    made = plan(plan().after.text.replace("the-secret", "old-secret"))
    store = EnvStore(tmp_path / ".env", tmp_path / "state")
    store.save(None, b"the-secret")
    store.save(b"the-secret", b"")
    shown = repr((made, made.after.assignments, SETTINGS, store.last_backup()))
    assert "-secret" not in shown
    assert "OPENID_CLIENT_SECRET" in shown


def test_keeps_the_expiries_of_an_existing_file() -> None:
    line = "REFRESH_TOKEN_EXPIRY=(1000 * 60 * 60 * 24) * 7\n"
    made = plan(line + "SESSION_EXPIRY=1000 * 60 * 15\n")
    assert made.after.text.startswith(line + "SESSION_EXPIRY=1000 * 60 * 15\n")


def test_a_second_run_over_any_file_changes_nothing() -> None:
    refused = 0
    for each in (case(SEED, number) for number in range(1_000)):
        try:
            first = plan_env(SETTINGS, Base(each.file, None, 3080))
        except Failure:
            refused += 1
            continue
        assert not plan_env(SETTINGS, Base(first.after.to_bytes(), None, 3080)).changes, each
    assert refused < 20


@pytest.mark.parametrize(
    ("version", "unread"),
    [
        ("0.7.8", {"OPENID_REUSE_TOKENS", "OPENID_USE_PKCE", "OPENID_AUDIENCE"}),
        ("0.8.0-rc2", {"OPENID_REFRESH_AUDIENCE", "ADMIN_PANEL_SESSION_SECRET"}),
        ("0.8.6-rc1", {"ADMIN_PANEL_SESSION_SECRET"}),
        ("0.8.8", set()),
        ("", set()),
    ],
)
@pytest.mark.parametrize("example", [EXAMPLE, None])
def test_does_not_write_what_the_version_does_not_read(
    version: str, unread: set[str], example: str | None
) -> None:
    names = {each.name for each in plan(example=example).changes}
    written = {each.name for each in plan(example=example, version=version).changes}

    assert names - written >= unread & names
    assert written >= {"OPENID_ISSUER", "OPENID_SCOPE"}
    assert not {name for name in written if not is_read(name, version)}


def test_reports_and_keeps_a_line_that_the_version_does_not_read() -> None:
    made = plan("OPENID_REFRESH_AUDIENCE=urn:mine\n", version="0.8.2")

    assert ("LA147", "OPENID_REFRESH_AUDIENCE") in findings(made)
    assert made.after.values()["OPENID_REFRESH_AUDIENCE"] == "urn:mine"


@pytest.mark.parametrize(
    ("url", "existing", "signs", "registration"),
    [
        ("https://chat.example.com", None, (), "false"),
        ("https://localhost:3443", None, (), "true"),  # not reachable by others
        ("https://chat.example.com", None, ("data-node/",), "true"),  # may have local users
        ("https://chat.example.com", b"ALLOW_REGISTRATION=true\n", (), "true"),
    ],
)
def test_a_new_file_for_a_public_url_has_no_open_registration(
    url: str, existing: bytes | None, signs: tuple[str, ...], registration: str
) -> None:
    settings = SETTINGS._replace(public_url=url)
    made = plan_env(settings, Base(existing, EXAMPLE.encode(), 3080, signs))
    assert made.after.values()["ALLOW_REGISTRATION"] == registration
    assert "ALLOW_REGISTRATION=false\n" in blank_file()
