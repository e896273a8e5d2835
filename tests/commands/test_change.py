"""The only way to change an `.env`: what it shows, asks, writes and reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import ScriptedPrompter, World, make_world
from wizard.findings import ExitCode, Failure
from wizard.librechat.env_diff import diff
from wizard.librechat.env_file import SPANS_LINES, EnvFile
from wizard.librechat.env_store import EnvStore
from wizard.steps.change import Confirmation, EnvChange, Written, change_env, consent
from wizard.steps.values import MISSING_OPTION

ONE_LINE = "A=1\nB=2\n"
SEVERAL_LINES = "A='1\nMINE=2\nJWT_SECRET=secret-of-mine'\nB=2\n"
REMOVE_THEM = "Remove all of these lines?"


def planned(world: World, text: str) -> EnvChange:
    """Return a change of A in a file with that text."""
    path = world.ports.cwd / ".env"
    path.write_text(text)
    before = EnvFile(text)
    after, changes = before.edited({"A": "new"}, removing_lines=True)
    store = EnvStore(path, world.ports.state_dir)
    return EnvChange(store, text.encode(), before, after, changes)


def run(
    tmp_path: Path, text: str, *script: tuple[str, object], yes: bool = False, dry_run: bool = False
) -> tuple[World, Written]:
    prompter = ScriptedPrompter(*script) if script else None
    world = make_world(tmp_path, prompter=prompter)
    change = planned(world, text)
    written = change_env(change, Confirmation(), world.ports, yes=yes, dry_run=dry_run)
    if prompter:
        prompter.verify()
    return world, written


def test_writes_after_a_yes_and_names_the_backup(tmp_path: Path) -> None:
    world, written = run(tmp_path, ONE_LINE, ("Write these changes?", True))
    assert (tmp_path / ".env").read_text() == "A=new\nB=2\n"
    assert written.done
    assert written.backup is not None
    assert written.backup.read_text() == ONE_LINE
    assert "1 - A=1\n    1 + A=new\n" in world.said
    assert str(written.backup) in world.said


def test_writes_nothing_after_a_no_in_a_dry_run_or_without_a_terminal(tmp_path: Path) -> None:
    world, written = run(tmp_path, ONE_LINE, ("Write these changes?", False))
    assert not written.done
    assert world.said.endswith("Nothing was written.\n")
    world, written = run(tmp_path, ONE_LINE, dry_run=True)
    assert not written.done
    assert "Dry run: nothing was written." in world.said
    with pytest.raises(Failure) as caught:
        run(tmp_path, ONE_LINE)
    assert caught.value.finding.rule is MISSING_OPTION
    assert (tmp_path / ".env").read_text() == ONE_LINE


@pytest.mark.parametrize("dry_run", [False, True])
def test_removes_no_line_without_a_terminal(tmp_path: Path, dry_run: bool) -> None:
    with pytest.raises(Failure) as caught:
        run(tmp_path, SEVERAL_LINES, yes=True, dry_run=dry_run)
    finding = caught.value.finding
    assert finding.rule is SPANS_LINES
    assert finding.detail == "A is on lines 1 to 3."
    assert "it shows the lines and asks" in finding.fix
    assert caught.value.exit_code is ExitCode.FILE
    assert (tmp_path / ".env").read_text() == SEVERAL_LINES


def test_removes_lines_after_a_separate_yes_and_shows_each(tmp_path: Path) -> None:
    world, written = run(
        tmp_path, SEVERAL_LINES, (REMOVE_THEM, True), ("Write these changes?", True)
    )
    assert written.done
    assert (tmp_path / ".env").read_text() == "A='new'\nB=2\n"
    for line in ("1 - A='1", "2 - MINE=2", "3 - JWT_SECRET="):
        assert line in world.said
    assert "secret-of-mine" not in world.said


def test_enter_does_not_confirm_removing_lines(tmp_path: Path) -> None:
    world, written = run(tmp_path, SEVERAL_LINES, (REMOVE_THEM, None))
    assert not written.done
    assert world.said.endswith("Nothing was written.\n")
    assert (tmp_path / ".env").read_text() == SEVERAL_LINES


def test_a_dry_run_reports_removed_lines_and_does_not_ask(tmp_path: Path) -> None:
    world = make_world(tmp_path, prompter=ScriptedPrompter())
    change = planned(world, SEVERAL_LINES)
    assert not change_env(change, Confirmation(), world.ports, yes=False, dry_run=True).done
    assert SPANS_LINES.title in world.said


def test_no_repr_has_a_secret(tmp_path: Path) -> None:
    change = planned(make_world(tmp_path), SEVERAL_LINES)
    assert "secret-of-mine" not in f"{change!r}{diff(change.before, change.after)!r}"


def test_a_new_file_has_no_backup(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    store = EnvStore(tmp_path / ".env", world.ports.state_dir)
    before = EnvFile("")
    change = EnvChange(store, None, before, *before.edited({"A": "new"}))
    assert change_env(change, Confirmation(), world.ports, yes=True, dry_run=False) == Written(True)
    assert "init --undo" not in world.said


def test_enter_gives_the_default_of_the_question(tmp_path: Path) -> None:
    for default in (True, False):
        world = make_world(tmp_path, prompter=ScriptedPrompter(("Really?", None)))
        assert consent(Confirmation("Really?", default), world.ports, yes=False) is default
