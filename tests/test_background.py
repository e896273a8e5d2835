"""What is kept of tunnels in the background."""

from __future__ import annotations

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
