"""A diff larger than the screen: first a summary, then page by page."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.fakes import ScriptedPrompter, World, make_world
from wizard.librechat.env_diff import ADDED, REMOVED, DiffLine
from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_store import EnvStore
from wizard.steps.change import Confirmation, EnvChange, change_env
from wizard.ui import screen
from wizard.ui.screen import diff_line

NAMES = ("PORT", "OPENID_ISSUER", "CREDS_KEY", "MEILI_MASTER_KEY", "MINE")
BEFORE = "".join(f"{name}=old\n" for name in NAMES)
QUESTION = "Write these changes?"


def size(monkeypatch: pytest.MonkeyPatch, columns: int, lines: int) -> None:
    monkeypatch.setattr(screen, "_size", lambda _: os.terminal_size((columns, lines)))


def written(tmp_path: Path, *script: tuple[str, object], dry_run: bool = False) -> World:
    prompter = ScriptedPrompter(*script)
    world = make_world(tmp_path, prompter=prompter)
    (tmp_path / ".env").write_text(BEFORE)
    before = EnvFile(BEFORE)
    after, changes = before.edited(dict.fromkeys(NAMES, "new"))
    store = EnvStore(tmp_path / ".env", world.ports.state_dir)
    change = EnvChange(store, BEFORE.encode(), before, after, changes)
    change_env(change, Confirmation(), world.ports, yes=True, dry_run=dry_run)
    prompter.verify()
    return world


@pytest.mark.parametrize(("lines", "is_whole"), [(16, True), (15, False), (0, True)])
def test_summarizes_a_large_diff_by_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: int, is_whole: bool
) -> None:
    size(monkeypatch, 200, lines)  # the path of the file is on one line
    said = written(tmp_path, (QUESTION, None)).said

    assert ("PORT=new" in said) == is_whole
    for line in ("Server: PORT", "Sign-in with Auth0: OPENID_ISSUER", "Other: MINE"):
        assert (line in said) != is_whole


def test_shows_details_page_by_page_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size(monkeypatch, 80, 11)
    seen = written(tmp_path, *[(QUESTION, "?")] * 3, (QUESTION, None)).said
    lines = re.findall(r"^ +\d+ ([-+] .*)", seen, re.MULTILINE)

    assert lines[:2] == ["- PORT=old", "+ PORT=new"]
    assert [each[1] for each in re.finditer(r"Page (\d) of 2", seen)] == ["1", "2", "1"]
    assert lines[10:] == lines[: len(lines) - 10] != []


def test_a_dry_run_shows_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size(monkeypatch, 80, 10)

    assert "MINE=new" in written(tmp_path, dry_run=True).said


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_a_page_and_the_question_fit_the_screen(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    size(monkeypatch, columns, 24)
    lines = [
        diff_line(DiffLine(sign, number, f"V{number}={'long words ' * (number % 9)}{'x' * number}"))
        for number in range(1, 60)
        for sign in (REMOVED, ADDED)
    ]
    world = make_world(Path("/"))
    pages = world.ports.console.pages(lines)

    assert [line for page in pages for line in page] == lines
    assert len(pages) > 1
    for page in pages:
        before = len(world.said)
        world.ports.console.show(page)
        shown = world.said[before:].splitlines()
        rows = sum(1 + (len(line) - 1) // columns for line in shown)
        assert rows <= 24 - 4 or len(page) == 1
