"""Files that try to crash, overload or fool the doctor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.doctor.cases import CASES, env, subject
from wizard.doctor.registry import can_be_fixed, diagnose, repairs
from wizard.doctor.writing import silenced_rules
from wizard.librechat.compose.deployment import Deployment, read_deployment
from wizard.librechat.compose.sources import MAX_YAML_BYTES, Sources
from wizard.librechat.config_file import read_config
from wizard.librechat.variables import VARIABLES
from wizard.rules import BUG
from wizard.text import printable

SECRET = "s3cr3t-that-must-never-be-shown"
NAMES = [*VARIABLES, "OPENID_SCOPES", "SESSION_COOKIE_SECURE", "OPENID_REQUIRED_ROLE", "X"]
NASTY = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "http://[",
            "https://[::1",
            "https://x:99999",
            "https://x:y",
            "https://a@b@c",
            "https://user:pass@x.com",
            "//",
            "://",
            "'",
            '"',
            "`",
            "#",
            "a#b",
            "$X",
            "${X}",
            "\\",
            "\x00",
            "\x1b[31mred",
            "\u202eevil",
            "\udcff",
            "．ａｕｔｈ０．com",
            "https://" + "a" * 5000,
            ",,,",
            "-" * 100,
        ]
    ),
)
LINES = st.lists(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(NAMES),
        st.sampled_from(["=", " = ", ": ", "=\t", "='", '="', "=`", ""]),
        NASTY,
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]))
def test_no_file_breaks_a_rule(lines: list[str], line_break: str) -> None:
    checked = subject(line_break.join([*lines, f"OPENID_CLIENT_SECRET={SECRET}"]))
    for finding in diagnose(checked):
        assert finding.rule is not BUG, finding.detail
        if checked.value("OPENID_CLIENT_SECRET") == SECRET:
            assert SECRET not in finding.detail + finding.fix
        printable(finding.detail).encode()
        assert len(finding.detail) < 2000


@settings(max_examples=40)
@given(LINES)
def test_repairs_terminate(lines: list[str]) -> None:
    checked = subject("\n".join(lines))
    file, _ = repairs(checked)
    again, changes = repairs(checked._replace(file=file))
    assert changes == ()
    assert again.text == file.text


MANY = 100_000
FEWER = 20_000


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"NAME_{number}=value{number}\n" for number in range(MANY)),
        "OPENID_CLIENT_ID=1\nOPENID_CLIENT_ID=2\n" * (FEWER // 2),
        "".join(f"OPENID_UNKNOWN_{number}=your-value\n" for number in range(FEWER)),
        "# librechat-auth0: ignore LA100, LA101\n" * FEWER,
    ],
    ids=["names", "twice", "unknown", "comments"],
)
def test_a_hundred_thousand_lines(text: str) -> None:
    """Finishes before pytest's timeout; benchmarks/env_edit.py measures the time."""
    silenced_rules(text)
    checked = subject(text)
    for finding in diagnose(checked):
        can_be_fixed(checked, finding)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    "content",
    [
        "services: {api: {environment: *a, volumes: *b, env_file: *c, image: *d, ports: *e}}",
        "services: {api: {user: *j, ports: *j, environment: [*j], image: *j, env_file: [*j]}}",
        "registration: {socialLogins: *j}",
        "registration: *j",
    ],
)
def test_a_bomb_of_aliases(tmp_path: Path, content: str) -> None:
    for name in ("docker-compose.yml", "librechat.yaml"):
        (tmp_path / name).write_text(BOMB + content)
    checked = subject(env())._replace(deployment=deployment_of(tmp_path))
    assert BUG not in {finding.rule for finding in diagnose(checked)}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"[" * 1500,
        b"services: 5",
        b"services: {api: [1]}",
        b"services: {api: {environment: 5, volumes: {a: 1}, env_file: {path: 3}, user: [1]}}",
        b"- a\n- b",
        b"!!python/object/apply:os.system ['true']",
        *(b"a: !!" + each for each in (b"timestamp 1", b"int ''", b"bool maybe", b"float ''")),
        b"x: " + b"y" * MAX_YAML_BYTES,
    ],
)
def test_invalid_documents(tmp_path: Path, content: bytes) -> None:
    for name in ("compose.yaml", "compose.override.yaml", "librechat.yaml"):
        (tmp_path / name).write_bytes(content)
    checked = subject(env())._replace(deployment=deployment_of(tmp_path))
    assert BUG not in {finding.rule for finding in diagnose(checked)}


@pytest.mark.parametrize("value", [f"*{SECRET}", f"!{SECRET}", f"!a!{SECRET}", f"&{SECRET} *b"])
def test_shows_no_password_that_yaml_takes_for_a_name(tmp_path: Path, value: str) -> None:
    for name in ("compose.yaml", "librechat.yaml"):
        (tmp_path / name).write_text(f"services: {{api: {{environment: {{X: {value}}}}}}}\n")
    checked = subject(env())._replace(deployment=deployment_of(tmp_path))
    details = [each.detail for each in diagnose(checked) if each.rule.id == "LA500"]
    assert len(details) == 1
    assert SECRET not in details[0]


def deployment_of(folder: Path, environ: Mapping[str, str] | None = None) -> Deployment:
    return read_deployment(folder, folder / ".env", environ or {})


def test_a_variable_that_is_passed_on_too_often(tmp_path: Path) -> None:
    references = "".join(f"      X{number}: ${{BIG}}${{BIG}}\n" for number in range(10_000))
    compose = f"services:\n  api:\n    environment:\n{references}"
    (tmp_path / "compose.yaml").write_text(compose)
    project = deployment_of(tmp_path, {"BIG": "x" * 300_000}).project
    assert project.is_too_large
    assert not project.services


def test_folders_and_devices_in_place_of_files(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").mkdir()
    (tmp_path / "librechat.yaml").symlink_to("/dev/zero")
    deployment = deployment_of(tmp_path)
    assert deployment.service is None
    config = read_config(tmp_path / "librechat.yaml", Sources())
    assert config.content is None
    assert config.trouble


@pytest.mark.parametrize(
    ("comment", "rules"),
    [
        ("# librechat-auth0: ignore LA123", {"LA123"}),
        ("#librechat-auth0: IGNORE la123,LA124 LA125 since we know", {"LA123", "LA124", "LA125"}),
        ("X=1 # librechat-auth0: ignore LA123", set()),
        ("# librechat-auth0 ignore LA123", set()),
        ("# librechat-auth0: ignore", set()),
        ("# librechat-auth0: ignore XLA123", set()),
    ],
)
def test_ignore_comments(comment: str, rules: set[str]) -> None:
    assert silenced_rules(f"A=1\r\n{comment}\r\nB=2") == rules


def test_cases_cover_hostile_names() -> None:
    assert {"LA180", "LA181"} <= {case.rule for case in CASES}
