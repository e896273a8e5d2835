"""`schema`. All other tests of real `--json` output validate it against the schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.e2e.program import clean_environ, run
from tests.json_schema import assert_fits, validator
from tools.documents.command_line import commands


def test_the_schema_is_valid_and_names_every_command(tmp_path: Path) -> None:
    ran = run("schema", "--json", cwd=tmp_path, environ=clean_environ(tmp_path / "user"))

    schema = ran.json["schema"]
    Draft202012Validator.check_schema(schema)
    assert {*schema["properties"]["command"]["enum"]} - {""} == {
        command.name for command in commands() if command.name not in {"", "help"}
    }


def test_prints_the_schema_unchanged(tmp_path: Path) -> None:
    ran = run("schema", cwd=tmp_path, environ=clean_environ(tmp_path / "user"))

    assert ran.code == 0
    assert ran.out.startswith('{\n  "$schema": ')


@pytest.mark.parametrize(
    "wrong",
    [
        {"ok": True, "command": "trust", "findings": [], "steps": []},
        {"ok": True, "command": "report", "findings": [], "report": "", "more": 1},
        {"ok": "yes", "command": "report", "findings": []},
        {"ok": True, "command": "dance", "findings": []},
        {"ok": False, "command": "doctor", "findings": [{"rule": "LA001"}]},
    ],
    ids=["a key is missing", "a key is new", "a type", "no command", "half a finding"],
)
def test_rejects_invalid_output(wrong: dict[str, Any]) -> None:
    assert list(validator().iter_errors(wrong))


def test_a_failure_has_the_envelope_only() -> None:
    assert_fits({"ok": False, "command": "doctor", "findings": []})
