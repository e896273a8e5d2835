"""Which values of a file are secrets, and which parts of a value look like one."""

from __future__ import annotations

import pytest

from wizard.librechat.env_file import EnvFile
from wizard.librechat.secrets import secrets_in, secrets_of, without_forms
from wizard.librechat.variables import is_secret
from wizard.text import MASK, Secrets


@pytest.mark.parametrize(
    "name",
    [
        "OPENID_CLIENT_SECRET",
        "GOOGLE_KEY",
        "openai_api_key",
        "SMTP_PASSWORD",
        "SMTP_PW",
        "GITHUB_PAT",
        "AWS_CREDENTIALS",
        "SAML_SESSION_SECRET",
        "MY_URL",
        "SENTRY_DSN",
        "SLACK_WEBHOOK",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "HOST",
        "PATH",
        "OPENID_ADMIN_ROLE_TOKEN_KIND",
        "OPENID_POST_LOGOUT_REDIRECT_URI",
        "REFRESH_TOKEN_EXPIRY",
        "ALLOW_PASSWORD_RESET",
        "REDIS_KEY_PREFIX",
    ],
)
def test_names_of_other_variables(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("line", "secrets"),
    [
        ("A_KEY=otter", {"otter"}),
        ("A_KEY=' otter '", {"otter"}),
        ("A_KEY='otter one\nkelp two'", {"otter one\nkelp two", "otter one", "kelp two"}),
        ("MONGO_URI=mongodb://u:Kelp1@db/x", {"u:Kelp1", "Kelp1"}),
        ("DOMAIN_SERVER=https://Kelp1@x.example.com", {"Kelp1"}),
        ("A_URL=https://x.example.com/a?t=kelp-otter", {"kelp-otter"}),
        ("HOOK_URL=https://x.example.com/a/Kelp1Kelp2Kelp3Kelp4", {"Kelp1Kelp2Kelp3Kelp4"}),
        ("GH='Bearer ghp_0123456789abcdef'", {"ghp_0123456789abcdef"}),
        # Not secret: switches, numbers, names, LibreChat's defaults, common prefixes.
        ("A_KEY=true", set()),
        ("A_KEY=user_provided", set()),
        ("JWT_SECRET=secret", set()),
        ("A_KEY=3080", set()),
        ("A_KEY=abc", set()),
        ("A_KEY=", set()),
        ("JWT_SECRET=JWT_SECRET", set()),
        ("A_KEY=B_KEY\nB_KEY=", set()),
        ("MEILI_MASTER_KEY=DrhYf7zENyR6AlUCKmnz0eYASOQdl6zxH7s7MKFSfFCt", set()),
        ("APP_URL=https://x.example.com/chat", set()),
        ("X=sk-bratislava", set()),
    ],
)
def test_the_secrets_of_a_file(line: str, secrets: set[str]) -> None:
    assert secrets_in(EnvFile(line)).values == secrets


def test_masks_the_longest_first() -> None:
    secrets = secrets_of([("A_KEY", "otter-one"), ("B_KEY", "otter-one-and-more")])
    assert secrets.hidden_in("x otter-one-and-more y") == f"x {MASK} y"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("walrus", MASK),
        ("a walrus, a Walrus", f"a {MASK}, a {MASK}"),
        ("x/walrus_y", f"x/{MASK}_y"),
        ("walruses", "walruses"),
        ("7walrus", "7walrus"),
    ],
)
def test_masks_a_short_one_only_as_a_word(text: str, shown: str) -> None:
    assert Secrets(["kelpkelp", "walrus"]).hidden_in(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://u:p@x.example.com/", f"https://{MASK}@x.example.com/"),
        ("https://x/?a=short&b=not-so-short#c", f"https://x/?a=short&b={MASK}#c"),
        ("eyJhbGciOiJSUzI1NiJ9.e30.x", MASK),
        ("a1" * 20, MASK),
        ("a1" * 19, "a1" * 19),
        ("A" * 40, "A" * 40),
        ("https://api.librechat.ai", "https://api.librechat.ai"),
        ("openid profile email offline_access", "openid profile email offline_access"),
        (
            "https://sk-bratislava-and-more.example.com",
            "https://sk-bratislava-and-more.example.com",
        ),
    ],
)
def test_forms_of_secrets(value: str, shown: str) -> None:
    assert without_forms(value) == shown


def test_many_secrets_take_no_longer_than_few() -> None:
    """Finishes before pytest's timeout, unlike a search for each secret in each text."""
    secrets = secrets_of((f"A{number}_KEY", f"otter{number}otter") for number in range(200_000))
    for number in range(10_000):
        assert secrets.hidden_in(f"https://x.example.com/otter{number}otter") == (
            f"https://x.example.com/{MASK}"
        )
