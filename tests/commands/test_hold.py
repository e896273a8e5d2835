"""The keys of an open tunnel, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes import ScriptedPrompter, World, make_world
from wizard.findings import Failure
from wizard.http import NetworkError, Response, Trouble
from wizard.steps.live_view import LiveView, OpenTunnel, keep_open
from wizard.system.desktop import Desktop
from wizard.tunnels import EventKind, TunnelEvent

URL = "https://chat.example.com"


class Silent:
    """A LibreChat that is not running."""

    def request(self, method: str, url: str, **_: object) -> Response:
        raise NetworkError(Trouble.REFUSED, url, "refused")


@dataclass
class Desk(Desktop):
    """A desktop that records what it opens and copies."""

    works: bool = True
    opened: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)

    def has_browser(self) -> bool:
        return self.works

    def has_clipboard(self) -> bool:
        return self.works

    def open(self, url: str) -> bool:
        self.opened.append(url)
        return self.works

    def copy(self, text: str) -> bool:
        self.copied.append(text)
        return self.works


def held(tmp_path: Path, typed: str, desk: Desk | None = None) -> tuple[World, OpenTunnel]:
    prompter = ScriptedPrompter()
    prompter.typed = typed
    world = make_world(tmp_path / "chat", prompter=prompter)
    world.ports = world.ports._replace(desktop=desk or Desk())
    view = LiveView(3080, Silent(), world.ports.console.live)
    return world, OpenTunnel(URL, "ngrok", None, view)


def test_keys_open_copy_sign_in_and_close(tmp_path: Path) -> None:
    desk, signed_in = Desk(), []
    world, opened = held(tmp_path, "oxcq", desk)

    keep_open(opened, world.ports, lambda: signed_in.append(1))

    assert (desk.opened, desk.copied, signed_in) == ([URL], [URL], [])
    assert "s tests a sign-in" in world.said
    assert "The tunnel is closed. Your .env stays as it is." in world.said


def test_the_tunnel_stays_open_after_a_sign_in(tmp_path: Path) -> None:
    world, opened = held(tmp_path, "s")

    def sign_in() -> None:
        assert "The tunnel is closed" not in world.said
        prompter = world.ports.prompter
        assert isinstance(prompter, ScriptedPrompter)
        prompter.typed = "q"

    keep_open(opened, world.ports, sign_in)

    assert world.said.count("The tunnel is closed") == 1


def test_has_no_sign_in_key_without_settings(tmp_path: Path) -> None:
    world, opened = held(tmp_path, "sq")

    keep_open(opened, world.ports)

    assert "s tests" not in world.said
    assert "q closes the tunnel" in world.said


def test_shows_the_url_without_browser_and_clipboard(tmp_path: Path) -> None:
    world, opened = held(tmp_path, "ocq", Desk(works=False))

    keep_open(opened, world.ports)

    assert f"No browser here. Open in a browser:\n    {URL}\n" in world.said
    assert f"No clipboard. Copy the line below:\n    {URL}\n" in world.said


def test_a_tunnel_that_ends_is_a_failure(tmp_path: Path) -> None:
    world, opened = held(tmp_path, "")
    assert opened.view is not None
    opened.view.hear(TunnelEvent(EventKind.CLOSED, detail="gone"))

    with pytest.raises(Failure) as raised:
        keep_open(opened, world.ports)

    assert raised.value.finding.rule.id == "LA320"


def test_ctrl_c_as_soon_as_the_tunnel_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, opened = held(tmp_path, "")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(world.ports.console, "hint", interrupted)
    with pytest.raises(KeyboardInterrupt):  # the closing hint's, after the tunnel's last words
        keep_open(opened, world.ports)

    assert "The tunnel is closed. Your .env stays as it is." in world.said
