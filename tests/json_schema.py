"""Validate `--json` output against the schema that the program prints."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from wizard.commands.schema import PATH


@cache
def validator() -> Draft202012Validator:
    """Return the schema's validator."""
    return Draft202012Validator(json.loads(PATH.read_text("utf-8")))


def assert_fits(said: dict[str, Any]) -> None:
    """Assert that the output matches wizard/schema.json, which lists each command's keys."""
    error = best_match(validator().iter_errors(said))
    assert error is None, f"{said.get('command')}: {error.json_path}: {error.message}"
