"""`schema`: the JSON Schema of what `--json` prints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wizard.execution import Result
from wizard.ports import Ports
from wizard.system.reading import load_json

PATH = Path(__file__).parents[1] / "schema.json"


@dataclass(frozen=True, slots=True)
class SchemaResult(Result):
    """The schema."""

    schema: dict[str, Any]


def run_schema(ports: Ports) -> SchemaResult:
    """Print the schema."""
    text = PATH.read_text("utf-8")
    ports.console.text(text.rstrip())
    return SchemaResult(load_json(text))
