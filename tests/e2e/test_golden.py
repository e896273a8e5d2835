"""Screens change only with review; `UPDATE_GOLDEN=1` rewrites them."""

from __future__ import annotations

import os
import sys
import time

import pytest

from tests.e2e.golden import GOLDEN, SCREENS, place
from tests.management_stand_in import Managed
from tests.providers import Authority, Demo

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the screens were made on Linux")


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_matches_its_reviewed_file(
    name: str, demo: Demo, managed: Managed, authority: Authority
) -> None:
    demo.tenant.clock = time.time
    path = GOLDEN / f"{name}.txt"
    with place(demo, managed, authority) as at:
        screen = SCREENS[name](at)
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(screen, "utf-8")

    assert screen == path.read_text("utf-8")


def test_every_file_is_a_screen() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == SCREENS.keys()
