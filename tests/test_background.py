"""What is kept of tunnels in the background."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.languages import speaking
from wizard.background import Background, BackgroundTunnel
from wizard.language import Message

ENV_FILE = Path("/chat/.env")
ENDED = "{program} ended (exit status {status})"


def tunnel_with(trouble: str) -> BackgroundTunnel:
    return BackgroundTunnel(
        str(ENV_FILE), "local", "https://localhost:3443", 3080, 1, "once", 0.0, trouble
    )


def test_why_a_tunnel_ended_can_be_said_in_another_language_by_a_later_command(
    tmp_path: Path,
) -> None:
    trouble = Message(ENDED, program=Message("The localtunnel client"), status=1)
    Background(tmp_path).keep(tunnel_with(trouble))
    language = speaking(
        {
            ENDED: "{program} is gestopt (exitstatus {status})",
            "The localtunnel client": "De localtunnel-client",
        }
    )

    kept = Background(tmp_path).of(ENV_FILE)

    assert kept is not None
    assert kept.trouble == "The localtunnel client ended (exit status 1)"
    assert language.say(kept.trouble) == "De localtunnel-client is gestopt (exitstatus 1)"


@pytest.mark.parametrize(
    "trouble", ['{"template": "{program.x}", "values": {"program": 1}}', "[]", "7"]
)
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
