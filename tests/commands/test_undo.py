"""`init --undo`: whose backup it brings back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import make_world
from wizard.commands.undo import run_undo
from wizard.librechat.env_store import EnvStore


@pytest.mark.parametrize("place", ["", "api"])
def test_the_nearest_librechat_folder_is_meant(place: str, tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "package.json").write_text('{"name": "LibreChat"}')
    env_file = tmp_path / ".env"
    env_file.write_text("A=1\n")
    ports = replace(make_world(tmp_path).ports, cwd=tmp_path / place)
    EnvStore(env_file, ports.state_dir).save(b"A=1\n", b"A=2\n")

    result = run_undo(None, ports, yes=True)

    assert result.restored
    assert env_file.read_text() == "A=1\n"
