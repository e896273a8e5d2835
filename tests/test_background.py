"""What is kept of tunnels in the background."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from wizard.background import Background, BackgroundTunnel

ENV_FILE = Path("/chat/.env")
ENDED = "{program} ended (exit status {status})"


def tunnel_with(trouble: str) -> BackgroundTunnel:
    return BackgroundTunnel(
        str(ENV_FILE), "local", "https://localhost:3443", 3080, 1, "once", 0.0, trouble
    )


@pytest.mark.parametrize("trouble", ["[]", "7", "null"])
def test_a_text_that_nobody_can_read_is_thrown_away(tmp_path: Path, trouble: str) -> None:
    background = Background(tmp_path)
    background.keep(tunnel_with("no network"))
    (file,) = (tmp_path / "background").glob("*.json")
    file.write_text(file.read_text("utf-8").replace('"no network"', trouble), "utf-8")

    assert background.of(ENV_FILE) is None
    assert not file.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"opened_at": "yesterday"},
        {"opened_at": 1e300},
        {"opened_at": float("nan")},
        {"url": 7},
        {"port": "3080"},
        {"tunnel": None},
        {"env_file": ["x"]},
        {"env_file": "/chat/\0.env"},
        {"env_file": "/chat/\ud800.env"},
    ],
    ids=repr,
)
def test_a_record_of_other_types_is_thrown_away(tmp_path: Path, change: dict[str, object]) -> None:
    background = Background(tmp_path)
    background.keep(tunnel_with(""))
    (file,) = (tmp_path / "background").glob("*.json")
    file.write_text(json.dumps({**asdict(tunnel_with("")), **change}), "utf-8")

    assert background.all() == []
    assert not file.exists()


def test_a_record_that_was_broken_off_is_thrown_away(tmp_path: Path) -> None:
    background = Background(tmp_path)
    background.keep(tunnel_with("no network"))
    (file,) = (tmp_path / "background").glob("*.json")
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert background.all() == []
        assert not file.exists()
