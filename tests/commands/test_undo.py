"""`init --undo`: which backup it restores, and what happens to later edits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.program import clean_environ, run
from tests.fakes import ScriptedPrompter, World, make_world
from wizard.commands.undo import CHANGED_SINCE, run_undo
from wizard.findings import ExitCode, Failure
from wizard.librechat.env_store import EnvStore
from wizard.system.platforms import state_folder


@pytest.mark.parametrize("place", ["", "api"])
def test_uses_the_nearest_librechat_folder(place: str, tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "package.json").write_text('{"name": "LibreChat"}')
    env_file = tmp_path / ".env"
    env_file.write_text("A=1\n")
    ports = make_world(tmp_path).ports._replace(cwd=tmp_path / place)
    EnvStore(env_file, ports.state_dir).save(b"A=1\n", b"A=2\n")

    result = run_undo(None, ports, yes=True)

    assert result.restored
    assert env_file.read_text() == "A=1\n"


def edited(world: World) -> Path:
    """Create an `.env` with the wizard and edit it afterwards."""
    env_file = world.ports.cwd / ".env"
    EnvStore(env_file, world.ports.state_dir).save(None, b"A=1\n")
    env_file.write_text("A=1\nMINE=1\n")
    return env_file


def test_does_not_undo_later_edits_silently(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    env_file = edited(world)

    with pytest.raises(Failure) as caught:
        run_undo(env_file, world.ports, yes=True)

    assert caught.value.finding.rule is CHANGED_SINCE
    assert caught.value.exit_code is ExitCode.FILE
    assert env_file.read_text() == "A=1\nMINE=1\n"
    result = run_undo(env_file, world.ports, yes=True, force=True)
    assert not env_file.exists()
    assert result.kept is not None
    assert result.kept.read_text() == "A=1\nMINE=1\n"
    assert str(result.kept) in caught.value.finding.fix
    assert f"The file from before this undo is kept as {result.kept}." in world.said


def test_reports_later_edits_before_a_question_with_default_no(tmp_path: Path) -> None:
    world = make_world(tmp_path, prompter=ScriptedPrompter(("Delete it?", None)))
    env_file = edited(world)

    assert not run_undo(env_file, world.ports, yes=False).restored

    assert env_file.read_text() == "A=1\nMINE=1\n"
    assert re.search(r"was edited after librechat-auth0 wrote it at \d{4}-\d\d-\d\d ", world.said)


def test_undoing_twice_stops_at_the_users_own_file(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    env_file = edited(world)
    store = EnvStore(env_file, world.ports.state_dir)
    store.save(store.read(), b"A=2\n")

    run_undo(env_file, world.ports, yes=True)
    with pytest.raises(Failure):
        run_undo(env_file, world.ports, yes=True)

    assert env_file.read_text() == "A=1\nMINE=1\n"


@pytest.mark.parametrize(
    ("before", "says"),
    [(b"A=1\n", "Dry run: nothing was written."), (None, "would be deleted.")],
    ids=["restored", "deleted"],
)
def test_a_dry_run_shows_the_change_and_writes_nothing(
    tmp_path: Path, before: bytes | None, says: str
) -> None:
    environ = clean_environ(tmp_path / "fresh")
    env_file = tmp_path / ".env"
    if before is not None:
        env_file.write_bytes(before)
    state_dir = state_folder(environ, tmp_path / "fresh") / "librechat-auth0"
    EnvStore(env_file, state_dir).save(before, b"A=2\n")
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    options = ("--undo", "--dry-run", "--yes", "--env-file", str(env_file))
    ran = run("init", *options, cwd=tmp_path, environ=environ)

    assert ran.code == 0
    assert says in ran.err
    assert ("A=1" in ran.err) == (before is not None)
    assert files == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
