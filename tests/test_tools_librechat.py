"""The comparison of docs/variables.md with a LibreChat checkout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.librechat import differences, main, uses_in
from wizard.librechat.variables import OTHERS, VARIABLES


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that reads exactly the variables of the page."""
    (tmp_path / "package.json").write_text(json.dumps({"version": "v99.0.0"}))
    api = tmp_path / "api" / "server"
    api.mkdir(parents=True)
    reads = "".join(f"use(process.env.{name});\n" for name in (*VARIABLES, *OTHERS))
    (api / "index.js").write_text(reads)
    return tmp_path


def source(checkout: Path, name: str, text: str) -> None:
    path = checkout / "packages" / "api" / "src" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def lines(checkout: Path, version: str = "99.0.0") -> list[str]:
    return list(differences(uses_in(checkout), version))


def test_accepts_a_checkout_that_matches_the_page(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(checkout)]) == 0
    assert capsys.readouterr().out == "No difference.\n"


@pytest.mark.parametrize(
    "text",
    [
        "const a = process.env.OPENID_FRESH;",
        "const a = process.env['OPENID_FRESH'] ?? 'x';",
        "const { NODE_ENV, OPENID_FRESH } = process.env;",
        "isEnabled('OPENID_FRESH')",
    ],
)
def test_names_a_new_sign_in_variable_with_its_file(checkout: Path, text: str) -> None:
    source(checkout, "auth.ts", text)

    assert lines(checkout) == ["new      OPENID_FRESH: packages/api/src/auth.ts"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("auth.spec.ts", "process.env.OPENID_FRESH"),
        ("node_modules/x/index.js", "process.env.OPENID_FRESH"),
        ("auth.ts", "process.env.GOOGLE_MODELS"),
        ("auth.ts", "process.env.OPENID_ISSUER"),
        ("notes.md", "process.env.OPENID_FRESH"),
    ],
)
def test_ignores_tests_packages_and_other_variables(checkout: Path, name: str, text: str) -> None:
    source(checkout, name, text)

    assert lines(checkout) == []


def test_reads_the_example_file(checkout: Path) -> None:
    (checkout / ".env.example").write_text("# OPENID_FRESH=\nOPENID_ISSUER=\n")

    assert lines(checkout) == ["new      OPENID_FRESH: .env.example"]


def test_names_a_variable_that_is_not_read_any_more(checkout: Path) -> None:
    index = checkout / "api" / "server" / "index.js"
    index.write_text(index.read_text().replace("process.env.OPENID_EMAIL_CLAIM", "x"))

    assert lines(checkout) == ["gone     OPENID_EMAIL_CLAIM"]
    assert not [line for line in lines(checkout, "0.8.2") if line.startswith("gone")]


def test_names_another_default(checkout: Path) -> None:
    source(checkout, "label.ts", "process.env.OPENID_BUTTON_LABEL || 'Sign in'")

    (line,) = lines(checkout)

    assert line.startswith("default  OPENID_BUTTON_LABEL: Sign in (page: ")


def test_rejects_a_folder_that_is_not_a_checkout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert "python -m tools.librechat" in capsys.readouterr().err


def test_names_a_variable_that_is_read_in_an_older_version(checkout: Path) -> None:
    assert "earlier  OPENID_AUDIENCE: read by 0.7.9 (page: since 0.8.0-rc1)" in lines(
        checkout, "0.7.9"
    )
    assert not [line for line in lines(checkout, "0.8.0-rc1") if "OPENID_AUDIENCE:" in line]


def test_compares_only_names_for_an_example_file(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"version": "v99.0.0"}))
    (tmp_path / ".env.example").write_text("# OPENID_FRESH=1\nOPENID_ISSUER=\nRAG_FRESH=\n")

    assert lines(tmp_path) == ["new      OPENID_FRESH: .env.example"]
