"""The table of variables is consistent."""

from __future__ import annotations

import re

import pytest

from wizard.librechat.env_file import is_writable
from wizard.librechat.env_plan import GUARDING_CREDENTIALS, wanted_values
from wizard.librechat.variables import (
    NEIGHBOURS,
    OTHERS,
    PAGE,
    VARIABLES,
    Variable,
    is_secret,
)
from wizard.resources import resource
from wizard.settings import Settings

PAGE_TEXT = resource(PAGE)

every_variable = pytest.mark.parametrize("variable", VARIABLES.values(), ids=list(VARIABLES))


@every_variable
def test_our_values_have_the_format(variable: Variable) -> None:
    for value in (variable.written, variable.default, variable.example, *variable.public_values):
        assert not value or variable.accepts(value), value
        assert is_writable(value or "")


@every_variable
def test_a_variable_has_a_meaning_and_a_source(variable: Variable) -> None:
    row = next(each for each in PAGE_TEXT.splitlines() if each.startswith(f"| `{variable.name}` |"))
    assert variable.meaning
    assert "\n" not in variable.meaning
    assert row.split(" |")[-2].strip(" `")
    assert not (variable.written and variable.example)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("CREDS_KEY", ["0aF" * 21 + "0"], ["", "0" * 63, "0" * 65, "g" * 64]),
        ("CREDS_IV", ["0" * 32], ["0" * 64, "0" * 31]),
        ("JWT_SECRET", ["s" * 32, "s s" * 20], ["s" * 31]),
        ("PORT", ["1", "3080", "65535"], ["", "0", "port", "-1", "٣٠٨٠", "65536", "70000"]),
        ("DOMAIN_CLIENT", ["https://a.b", "http://localhost:3080"], ["a.b", "https://a.b/", "x"]),
        ("OPENID_ISSUER", ["https://a.b", "https://a.b/"], ["a.b", "http://a.b", "https://a.b/x"]),
        ("OPENID_CALLBACK_URL", ["/oauth/openid/callback"], ["", "https://a.b/oauth", "x"]),
        ("OPENID_SCOPE", ["openid", "openid profile  email"], ["", " "]),
        ("OPENID_REUSE_TOKENS", ["true", "False", " TRUE "], ["", "1", "yes", "truefalse"]),
        ("SESSION_EXPIRY", ["1000 * 60 * 15", "(60 * 24) * 7", "5"], ["", "ten", "1; 2"]),
    ],
)
def test_formats(name: str, good: list[str], bad: list[str]) -> None:
    assert [value for value in good if not VARIABLES[name].accepts(value)] == []
    assert [value for value in bad if VARIABLES[name].accepts(value)] == []


@pytest.mark.parametrize(
    "name",
    [
        "OPENID_CLIENT_SECRET",
        "MONGO_URI",
        "openai_api_key",
        "AWS_SESSION_TOKEN",
        "EMAIL_PASSWORD",
        "REDIS_URI",
        "DATABASE_URL",
        "TWILIO_SID",
        "CREDS_SALT",
    ],
)
def test_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["PORT", "OPENID_ISSUER", "OPENID_CALLBACK_URL", "OPENID_IMAGE_URL"]
)
def test_no_secrets(name: str) -> None:
    assert not is_secret(name)


def when_it_is_written(name: str) -> str:
    """Return when the code writes it."""
    public = Settings("dev.us.auth0.com", "id", "secret", ("https://api",), "https://chat.example")
    local = public._replace(public_url="https://localhost:3443")
    if name in wanted_values(public, {}, lambda _: ""):
        return "always"
    if name in wanted_values(local, {}, lambda _: ""):
        return "for an HTTPS localhost"
    if name in {*GUARDING_CREDENTIALS, "ADMIN_PANEL_SESSION_SECRET"}:
        return "new file"
    return VARIABLES[name].when


def test_the_page_says_when_a_variable_is_written() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(?:[^|\n]*\|){4} ([^|\n]+) \|", PAGE_TEXT, re.MULTILINE)

    assert dict(rows) == {name: when_it_is_written(name) for name in VARIABLES}


def test_every_variable_that_librechat_reads_has_a_source() -> None:
    _, _, section = PAGE_TEXT.partition("## Others that LibreChat reads")
    rows = re.findall(r"^\| `(\w+)` \|([^|\n]*)\| ([^|\n]+) \|$", section, re.MULTILINE)

    assert {name for name, _, source in rows if source.strip()} == set(OTHERS)


def test_every_row_of_the_page_is_read() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE_TEXT, re.MULTILINE)

    assert sorted(rows) == sorted([*VARIABLES, *OTHERS, *NEIGHBOURS])
    assert len(rows) == len(set(rows))
