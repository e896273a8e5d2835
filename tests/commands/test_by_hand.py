"""The checklist for Auth0's dashboard, one item at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes import ScriptedPrompter, make_world
from wizard import dashboard
from wizard.steps.by_hand import DONE, api_item, application_item, urls_item, walk_through
from wizard.system.desktop import Desktop

CLIENT_ID = "abcdefghijklmnopqrstuvwxyz012345"
ITEM = urls_item("https://chat.example.com", CLIENT_ID, "dev-abc.us.auth0.com")


@dataclass
class Desk(Desktop):
    """Record what was opened and copied, in order."""

    browser: bool = True
    clipboard: bool = True
    got: list[str] = field(default_factory=list)

    def has_browser(self) -> bool:
        return self.browser

    def has_clipboard(self) -> bool:
        return self.clipboard

    def open(self, url: str) -> bool:
        self.got.append(url)
        return self.browser

    def copy(self, text: str) -> bool:
        self.got.append(text)
        return self.clipboard


def walked(tmp_path: Path, desk: Desk, presses: int) -> tuple[str, str]:
    """Press Enter that many times; return the answer and the output."""
    prompter = ScriptedPrompter(*[(ITEM.title, None)] * presses)
    world = make_world(tmp_path, prompter=prompter)
    ports = world.ports._replace(desktop=desk)
    answer = walk_through(ITEM, prompter, ports)
    prompter.verify()
    return answer, world.said


PAGE = f"https://manage.auth0.com/dashboard/us/dev-abc/applications/{CLIENT_ID}/settings"
LINES = [
    "https://chat.example.com/oauth/openid/callback",
    "https://chat.example.com/login, https://chat.example.com",
    "https://chat.example.com",
]


def test_enter_opens_the_page_copies_each_line_and_continues(tmp_path: Path) -> None:
    desk = Desk()

    assert walked(tmp_path, desk, 5)[0] == DONE
    assert desk.got == [PAGE, *LINES]


def test_starts_with_the_first_line_without_a_browser(tmp_path: Path) -> None:
    desk = Desk(browser=False)

    assert walked(tmp_path, desk, 4)[0] == DONE
    assert desk.got == LINES


def test_enter_continues_without_browser_and_clipboard(tmp_path: Path) -> None:
    assert walked(tmp_path, Desk(browser=False, clipboard=False), 1)[0] == DONE


def test_each_value_and_the_link_are_on_their_own_line(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    for item in (application_item(), ITEM, api_item("https://api.librechat.ai", "x.eu.auth0.com")):
        item.show(world.ports)

    shown = [line.strip() for line in world.said.splitlines()]
    for line in (
        "https://manage.auth0.com/#/applications",
        PAGE,
        *LINES,
        "https://api.librechat.ai",
        "https://manage.auth0.com/dashboard/eu/x/apis",
    ):
        assert line in shown


@pytest.mark.parametrize(
    "domain", ["", "login.example.com", "localhost:9", "old.auth0.com", "x.us-3.auth0.com"]
)
def test_links_to_the_last_used_tenant_without_a_known_region(domain: str) -> None:
    assert dashboard.page("apis", domain) == "https://manage.auth0.com/#/apis"
