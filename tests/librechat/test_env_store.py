"""The file on disk: real links, modes, users, full disks, kills and concurrent processes."""

from __future__ import annotations

import base64
import errno
import json
import os
import random
import re
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn, Self

import pytest

from tests.conftest import only_root
from tests.languages import untranslatable
from tests.seed import SEED
from wizard.findings import ExitCode, Failure, Rule
from wizard.librechat.backups import BACKUPS_KEPT
from wizard.librechat.env_store import (
    CHANGED_MEANWHILE,
    FOREIGN_LINK,
    LOCKED,
    MAX_FILE_BYTES,
    NO_BACKUP,
    NOT_A_FILE,
    READ_ONLY,
    UNREADABLE,
    UNWRITABLE,
    EnvStore,
)
from wizard.librechat.permissions import NOT_OURS_TO_GIVE

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
ROOT_FOLDER = Path(__file__).parents[2]
NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "LibreChat"
    folder.mkdir()
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def store(folder: Path, state: Path) -> EnvStore:
    return EnvStore(folder / ".env", state)


@contextmanager
def failing(rule: Rule) -> Iterator[pytest.ExceptionInfo[Failure]]:
    with pytest.raises(Failure) as caught:
        yield caught
    assert caught.value.finding.rule is rule
    assert caught.value.exit_code is ExitCode.FILE
    assert caught.value.finding.fix
    assert untranslatable(texts_of(caught.value)) == []


def texts_of(failure: Failure) -> list[str]:
    """Return the text of a failure, without a bare path."""
    finding = failure.finding
    return [text for text in (finding.detail, finding.fix) if not os.path.isabs(text)]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_is_private_and_undo_removes_it(store: EnvStore, folder: Path) -> None:
    assert store.read() is None
    backup = store.save(None, b"A=1\n")
    assert store.read() == b"A=1\n"
    assert mode(store.path) == 0o600
    assert names(folder) == [".env"]
    assert backup is not None
    assert backup.suffix == ".absent"
    store.undo(store.last_backup(), b"A=1\n")
    assert names(folder) == []


def test_writes_nothing_when_nothing_changes(store: EnvStore, state: Path) -> None:
    store.path.write_bytes(b"A=1\n")
    os.utime(store.path, ns=(1, 1))
    before = store.path.stat()
    assert store.save(b"A=1\n", b"A=1\n") is None
    assert store.path.stat() == before
    assert not state.exists()


@pytest.mark.parametrize(
    ("before", "after"), [(0o644, 0o600), (0o600, 0o600), (0o755, 0o700), (0o640, 0o640)]
)
def test_keeps_the_mode_without_access_for_others(store: EnvStore, before: int, after: int) -> None:
    store.path.write_bytes(b"A=1\n")
    store.path.chmod(before)
    store.save(b"A=1\n", b"A=2\n")
    assert mode(store.path) == after


def test_keeps_ten_private_backups_outside_the_checkout(
    store: EnvStore, folder: Path, state: Path
) -> None:
    content = None
    for number in range(BACKUPS_KEPT + 5):
        new = b"A=%d\n" % number
        backup = store.save(content, new)
        assert backup is not None
        assert backup.read_bytes() == (content or b"")
        assert mode(backup) == 0o600
        content = new
    assert names(folder) == [".env"]
    assert store.backup_dir.is_relative_to(state)
    assert mode(store.backup_dir) == 0o700
    assert len(names(store.backup_dir)) == BACKUPS_KEPT
    assert store.last_backup().content == b"A=13\n"


def test_undo_goes_back_step_by_step_and_keeps_the_undone_file(store: EnvStore) -> None:
    store.path.write_bytes(b"0")
    for before, after in [(b"0", b"1"), (b"1", b"2")]:
        store.save(before, after)
    store.undo(store.last_backup(), b"2")
    assert store.read() == b"1"
    store.undo(store.last_backup(), b"1")
    assert store.read() == b"0"
    with failing(NO_BACKUP):
        store.last_backup()
    kept = sorted(store.backup_dir.glob("*.undone"))
    assert [path.read_bytes() for path in kept] == [b"1", b"2"]
    assert {mode(path) for path in kept} == {0o600}


def test_undone_files_are_not_kept_forever(store: EnvStore) -> None:
    store.path.write_bytes(b"0")
    for _ in range(BACKUPS_KEPT + 3):
        store.save(b"0", b"1")
        store.undo(store.last_backup(), b"1")
    assert len(names(store.backup_dir)) == BACKUPS_KEPT


def test_undo_rejects_a_file_that_changed_since(store: EnvStore) -> None:
    store.save(None, b"1")
    backup = store.last_backup()
    store.path.write_bytes(b"mine")
    with failing(CHANGED_MEANWHILE):
        store.undo(backup, b"1")
    assert store.read() == b"mine"


def test_a_backup_knows_whether_the_file_was_edited_since(store: EnvStore) -> None:
    store.save(None, b"1")
    store.path.write_bytes(b"mine")
    store.save(b"mine", b"2")
    last = store.last_backup()
    assert [last.loses(now) for now in (b"2", b"mine", None, b"edited")] == [False] * 3 + [True]
    assert store.undo(last, b"2") == last.undone
    assert last.undone.read_bytes() == b"2"
    # The second save did not find what the first one wrote.
    assert store.last_backup().loses(store.read())


def test_accepts_a_backup_without_a_digest(store: EnvStore) -> None:
    backup = store.save(None, b"1")
    assert backup is not None
    backup.rename(backup.with_stem(backup.stem.split("-")[1]))
    last = store.last_backup()
    assert (last.content, last.loses(b"edited")) == (None, False)


def test_a_backup_has_its_time(folder: Path, state: Path) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    store = EnvStore(folder / ".env", state, now=lambda: noon)
    store.save(None, b"1")
    store.save(b"1", b"2")  # at the same time: another name, the same time
    assert store.last_backup().at == noon


def test_keeps_the_undone_file_even_of_the_oldest_backup(store: EnvStore) -> None:
    store.path.write_bytes(b"0")
    store.save(b"0", b"1")
    first = store.last_backup()
    for _ in range(BACKUPS_KEPT):
        store.save(b"1", b"2")
        store.undo(store.last_backup(), b"2")
    assert store.undo(first, b"1") == first.undone
    assert first.undone.read_bytes() == b"1"


def test_the_last_backup_is_last_even_if_the_clock_is_set_back(folder: Path, state: Path) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    times = iter([noon, noon - timedelta(hours=1), noon - timedelta(hours=2), noon])
    store = EnvStore(folder / ".env", state, now=lambda: next(times))
    store.path.write_bytes(b"0")
    for step in range(4):
        store.save(b"%d" % step, b"%d" % (step + 1))
    for step in reversed(range(4)):
        assert store.last_backup().content == b"%d" % step
        store.undo(store.last_backup(), b"%d" % (step + 1))
    assert store.read() == b"0"


def test_a_wrong_clock_keeps_names_short_and_times_correct(folder: Path, state: Path) -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    times = iter([datetime(2100, 1, 1, tzinfo=UTC), *[now] * 30])
    store = EnvStore(folder / ".env", state, now=lambda: next(times))
    lengths = set()
    for step in range(31):
        backup = store.save(b"%d" % step if step else None, b"%d" % (step + 1))
        assert backup is not None
        lengths.add(len(backup.with_suffix("").name))
    assert len(lengths) == 1
    assert (store.last_backup().content, store.last_backup().at) == (b"30", now)


def test_backups_of_the_first_versions_are_the_oldest(store: EnvStore) -> None:
    store.path.write_bytes(b"2")
    store.backup_dir.mkdir(parents=True)
    digest = "6b86b273ff34fce1"  # of b"1"
    for name, content in {
        f"21000101T000000.000000Z-{digest}.env": b"0",
        f"21000101T000000.000000Z~-{digest}.env": b"1",
    }.items():
        (store.backup_dir / name).write_bytes(content)
    assert store.last_backup().content == b"1"
    store.save(b"2", b"3")
    for content in (b"2", b"1", b"0"):
        assert store.last_backup().content == content
        store.undo(store.last_backup(), store.read())
        assert store.read() == content


def test_the_lock_is_private(store: EnvStore, state: Path) -> None:
    store.save(None, b"1")
    (lock,) = (state / "locks").iterdir()
    assert mode(lock) == 0o600


@pytest.mark.parametrize("act", ["save", "undo"])
@pytest.mark.parametrize("call", ["fcntl.flock", "pathlib.Path.iterdir", "pathlib.Path.unlink"])
def test_ignores_failures_after_the_rename(
    call: str, act: str, folder: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = EnvStore(folder / ".env", state)
    if act == "undo":
        store.save(None, b"1")
    store = EnvStore(store.path, state, changed=lambda _: monkeypatch.setattr(call, refuse))
    if act == "undo":
        store.undo(store.last_backup(), b"1")
    else:
        store.save(None, b"1")
    monkeypatch.undo()
    assert store.read() == (None if act == "undo" else b"1")
    assert names(store.backup_dir)


def test_does_not_overwrite_another_programs_change(store: EnvStore) -> None:
    store.path.write_bytes(b"theirs")
    for expected in (b"old", None):
        with failing(CHANGED_MEANWHILE):
            store.save(expected, b"ours")
    store.path.unlink()
    with failing(CHANGED_MEANWHILE):
        store.save(b"old", b"ours")
    assert not store.path.exists()


def link_straight(folder: Path, target: Path) -> None:
    (folder / ".env").symlink_to(target)


def link_relative(folder: Path, target: Path) -> None:
    (folder / ".env").symlink_to(os.path.relpath(target, folder))


def link_chain(folder: Path, target: Path) -> None:
    (folder / "second").symlink_to(target)
    (folder / ".env").symlink_to("second")


@pytest.mark.parametrize("link", [link_straight, link_relative, link_chain])
@pytest.mark.parametrize("dangles", [False, True])
def test_keeps_a_link_and_writes_its_target(
    link: Callable[[Path, Path], None], dangles: bool, store: EnvStore, folder: Path, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    target = secrets / "librechat.env"
    if not dangles:
        target.write_bytes(b"A=1\n")
    link(folder, target)
    links = names(folder)
    before = store.read()
    store.save(before, b"A=2\n")
    assert store.path.is_symlink()
    assert target.read_bytes() == b"A=2\n"
    assert names(folder) == links
    assert names(secrets) == ["librechat.env"]
    store.undo(store.last_backup(), b"A=2\n")
    assert store.path.is_symlink()
    assert store.read() == before


def test_a_link_and_its_target_share_a_lock(folder: Path, state: Path, tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"1")
    (folder / ".env").symlink_to(tmp_path / "real")
    link, real = EnvStore(folder / ".env", state), EnvStore(tmp_path / "real", state)
    assert link.backup_dir == real.backup_dir


def lay_a_link(folder: Path, elsewhere: Path) -> None:
    (folder / ".env").unlink()
    (folder / ".env").symlink_to(elsewhere / ".env")


def swap_the_folder(folder: Path, elsewhere: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(elsewhere)


@pytest.mark.parametrize("is_link", [False, True])
@pytest.mark.parametrize("swap", [lay_a_link, swap_the_folder])
def test_replaces_only_the_file_that_was_read(
    swap: Callable[[Path, Path], None],
    is_link: bool,
    folder: Path,
    store: EnvStore,
    tmp_path: Path,
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".env").write_bytes(b"the same")
    if is_link:
        (tmp_path / "real").write_bytes(b"the same")
        store.path.symlink_to(tmp_path / "real")
    else:
        store.path.write_bytes(b"the same")
    assert store.read() == b"the same"
    swap(folder, elsewhere)
    with failing(CHANGED_MEANWHILE):
        store.save(b"the same", b"ours")
    assert (elsewhere / ".env").read_bytes() == b"the same"
    assert names(elsewhere) == [".env"]


def test_a_link_created_while_the_file_is_examined(
    folder: Path, store: EnvStore, tmp_path: Path
) -> None:
    store.path.write_bytes(b"1")
    assert store.target == store.path
    (tmp_path / ".env").write_bytes(b"1")
    lay_a_link(folder, tmp_path)
    with failing(CHANGED_MEANWHILE):
        store.read()


@only_root
def test_does_not_follow_another_users_link(folder: Path, state: Path, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "x;id", tmp_path / "theirs"
    for target in (ours, theirs):
        target.write_bytes(b"1")
    os.chown(theirs, NOBODY, NOBODY)
    link = folder / ".env"
    link.symlink_to(ours)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    with failing(FOREIGN_LINK) as caught:
        EnvStore(link, state).read()
    assert f"--env-file '{ours}'" in caught.value.finding.fix
    link.unlink()
    link.symlink_to(theirs)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    assert EnvStore(link, state).read() == b"1"


@only_root
def test_follows_roots_link(
    folder: Path, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"1")
    os.chown(theirs, NOBODY, NOBODY)
    (folder / ".env").symlink_to(theirs)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY + 1)
    assert EnvStore(folder / ".env", state).read() == b"1"


def test_rejects_a_link_loop(store: EnvStore, folder: Path) -> None:
    store.path.symlink_to("other")
    (folder / "other").symlink_to(".env")
    with pytest.raises(Failure) as caught:
        store.read()
    assert caught.value.finding.rule in {NOT_A_FILE, UNREADABLE}


def test_a_link_into_a_missing_folder(store: EnvStore) -> None:
    store.path.symlink_to("nowhere/.env")
    assert store.read() is None
    with failing(UNWRITABLE) as caught:
        store.save(None, b"1")
    assert "no such file or folder" in caught.value.finding.detail


@pytest.mark.parametrize("kind", ["folder", "fifo", "device", "socket"])
def test_rejects_an_irregular_file_immediately(kind: str, store: EnvStore) -> None:
    import socket

    if kind == "folder":
        store.path.mkdir()
    elif kind == "fifo":
        os.mkfifo(store.path)
    elif kind == "device":
        store.path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(store.path))  # a socket's path has at most 107 bytes
    with failing(NOT_A_FILE):
        store.read()
    with failing(NOT_A_FILE):
        store.save(None, b"1")


def test_rejects_a_path_through_a_file(folder: Path, state: Path) -> None:
    (folder / "file").write_bytes(b"")
    with failing(UNREADABLE):
        EnvStore(folder / "file" / ".env", state).read()


def test_does_not_read_a_huge_file_into_memory(store: EnvStore) -> None:
    with store.path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with failing(UNREADABLE):
        store.read()


def test_leaves_a_write_protected_file_alone(store: EnvStore, folder: Path) -> None:
    store.path.write_bytes(b"1")
    store.path.chmod(0o444)
    with failing(READ_ONLY) as caught:
        store.save(b"1", b"2")
    assert "chmod u+w" in caught.value.finding.fix
    assert (names(folder), store.read(), mode(store.path)) == ([".env"], b"1", 0o444)


def test_a_hard_link_keeps_the_old_content(store: EnvStore, tmp_path: Path) -> None:
    # The price of an atomic write: a rename does not reach the file's other name.
    store.path.write_bytes(b"1")
    other = tmp_path / "other"
    other.hardlink_to(store.path)
    store.save(b"1", b"2")
    assert (store.read(), other.read_bytes()) == (b"2", b"1")


AS_NOBODY = """
import fcntl, hashlib, os, sys, tempfile  # while we may still read what root has installed
from pathlib import Path
from wizard.librechat.env_store import EnvStore
from wizard.findings import Failure
os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})
store = EnvStore(Path(sys.argv[1]), Path(sys.argv[2]))
try:
    store.save(store.read(), b"ours")
except Failure as failure:
    print(failure.finding.rule.id, failure.finding.detail, failure.finding.fix)
else:
    print("saved")
"""


def save_as_nobody(path: Path, state: Path) -> str:
    for parent in [path.parent, *path.parent.parents][:-2]:  # pytest's own folders are private
        parent.chmod(parent.stat().st_mode | 0o011)
    state.mkdir(exist_ok=True)
    os.chown(state, NOBODY, NOBODY)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY.format(nobody=NOBODY), str(path), str(state)],
        cwd=ROOT_FOLDER,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@only_root
def test_a_user_who_cannot_read_it(store: EnvStore, state: Path) -> None:
    store.path.write_bytes(b"1")
    store.path.chmod(0o600)
    said = save_as_nobody(store.path, state)
    assert said.startswith("LA020")
    assert "permission denied" in said
    assert "chmod u+r" in said
    assert store.read() == b"1"


@only_root
def test_a_user_who_cannot_write_to_the_folder(store: EnvStore, state: Path) -> None:
    store.path.write_bytes(b"1")
    store.path.chmod(0o644)
    store.path.parent.chmod(0o755)
    said = save_as_nobody(store.path, state)
    assert said.startswith("LA022")
    assert "permission denied" in said
    assert store.read() == b"1"
    assert names(store.path.parent) == [".env"]


@only_root
def test_a_user_who_cannot_preserve_the_owner(store: EnvStore, state: Path) -> None:
    store.path.write_bytes(b"1")
    store.path.chmod(0o666)
    store.path.parent.chmod(0o777)
    said = save_as_nobody(store.path, state)
    assert said.startswith(NOT_OURS_TO_GIVE.id)
    assert (store.read(), store.path.stat().st_uid) == (b"1", 0)
    assert names(store.path.parent) == [".env"]


@only_root
def test_the_owner_can_save(store: EnvStore, state: Path, folder: Path) -> None:
    store.path.write_bytes(b"1")
    for path in (folder, store.path):
        os.chown(path, NOBODY, NOBODY)
    assert save_as_nobody(store.path, state) == "saved\n"
    assert (store.read(), store.path.stat().st_uid) == (b"ours", NOBODY)


def test_writes_nothing_without_a_state_folder(store: EnvStore, tmp_path: Path) -> None:
    store.path.write_bytes(b"1")
    blocked = tmp_path / "blocked"
    blocked.write_bytes(b"")
    with failing(UNWRITABLE) as caught:
        EnvStore(store.path, blocked).save(b"1", b"2")
    assert str(blocked) in caught.value.finding.detail
    assert store.read() == b"1"


@only_root
def test_root_preserves_the_owner(store: EnvStore, folder: Path) -> None:
    os.chown(folder, NOBODY, NOBODY)
    store.save(None, b"1")
    assert (store.path.stat().st_uid, store.path.stat().st_gid) == (NOBODY, NOBODY)
    os.chown(store.path, 1, 2)
    store.save(b"1", b"2")
    assert (store.path.stat().st_uid, store.path.stat().st_gid) == (1, 2)
    assert mode(store.path) == 0o600


SAVE = """
import sys
from pathlib import Path
from wizard.librechat.env_store import EnvStore
from wizard.findings import Failure
{prepare}
store = EnvStore(Path(sys.argv[1]), Path(sys.argv[2]))
try:
    {act}
except Failure as failure:
    print(failure.finding.rule.id, failure.finding.detail)
"""


def script(act: str, prepare: str = "") -> list[str]:
    return [sys.executable, "-c", SAVE.format(prepare=prepare, act=act)]


def save_with_file_size_limit(limit: int, store: EnvStore, state: Path, act: str) -> str:
    """Return the output of a run with a file size limit, which acts like a full disk."""
    prepare = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
    )
    done = subprocess.run(
        [*script(act, prepare), str(store.path), str(state)],
        cwd=ROOT_FOLDER,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(("old", "new"), [(1, 10_000), (10_000, 1)])
def test_keeps_only_the_old_file_without_room_for_file_or_backup(
    old: int, new: int, store: EnvStore, state: Path, folder: Path
) -> None:
    store.path.write_bytes(b"o" * old)
    said = save_with_file_size_limit(4096, store, state, f"store.save(b'o' * {old}, b'n' * {new})")
    assert said.startswith("LA022")
    assert str(store.path if new > old else store.backup_dir) in said
    assert (names(folder), store.read()) == ([".env"], b"o" * old)
    assert names(store.backup_dir) == []
    with failing(NO_BACKUP):
        store.last_backup()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 KB with room for five names."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k,nr_inodes=6", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("may not mount")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@only_root
def test_a_full_disk(small_disk: Path, state: Path) -> None:
    store = EnvStore(small_disk / ".env", state)
    store.path.write_bytes(b"old")
    with failing(UNWRITABLE) as caught:
        store.save(b"old", b"x" * 40_000)
    assert "the disk is full" in caught.value.finding.detail
    assert (names(small_disk), store.read()) == ([".env"], b"old")
    assert names(store.backup_dir) == []
    other = small_disk / "other"
    other.write_bytes(b"x" * 20_000)
    with failing(UNWRITABLE):
        store.save(b"old", b"x" * 12_000)
    other.unlink()
    store.save(b"old", b"x" * 12_000)
    assert store.read() == b"x" * 12_000


@only_root
def test_a_disk_without_free_inodes(small_disk: Path, state: Path) -> None:
    store = EnvStore(small_disk / ".env", state)
    store.path.write_bytes(b"old")
    for number in range(4):
        (small_disk / str(number)).touch()
    before = names(small_disk)
    with failing(UNWRITABLE) as caught:
        store.save(b"old", b"new")
    assert "the disk is full" in caught.value.finding.detail
    assert (names(small_disk), store.read()) == (before, b"old")


@only_root
@pytest.mark.needs("chattr")
@pytest.mark.parametrize("place", ["file", "folder"])
def test_names_a_protected_file_and_how_to_unprotect_it(
    place: str, store: EnvStore, folder: Path
) -> None:
    store.path.write_bytes(b"old")
    protected = store.path if place == "file" else folder
    if subprocess.run(["chattr", "+i", str(protected)], capture_output=True).returncode:
        pytest.skip("a file system that protects no files")
    try:
        with failing(UNWRITABLE) as caught:
            store.save(b"old", b"new")
    finally:
        subprocess.run(["chattr", "-i", str(protected)], check=True)
    finding = caught.value.finding
    assert finding.detail == f"{protected}: permission denied."
    assert f"chattr -i {protected}" in finding.fix
    assert (names(folder), store.read()) == ([".env"], b"old")


@only_root
@pytest.mark.parametrize(
    ("mount", "named", "reason"),
    [
        (["--bind", "{file}", "{file}"], "file", "it is mounted by another program"),
        (["--bind", "-o", "ro", "{folder}", "{folder}"], "folder", "the file system is read-only"),
    ],
)
def test_names_a_mount(
    mount: list[str], named: str, reason: str, store: EnvStore, folder: Path
) -> None:
    store.path.write_bytes(b"old")
    place = store.path if named == "file" else folder
    line = [each.format(file=store.path, folder=folder) for each in mount]
    if subprocess.run(["mount", *line], capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        with failing(UNWRITABLE) as caught:
            store.save(b"old", b"new")
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert caught.value.finding.detail.startswith(f"{place}: {reason}")
    assert (names(folder), store.read()) == ([".env"], b"old")


@only_root
def test_a_full_disk_under_the_backups(small_disk: Path, store: EnvStore, folder: Path) -> None:
    store.path.write_bytes(b"x" * 40_000)
    on_small_disk = EnvStore(store.path, small_disk)
    with failing(UNWRITABLE) as caught:
        on_small_disk.save(b"x" * 40_000, b"new")
    assert "the disk is full" in caught.value.finding.detail
    assert str(small_disk) in caught.value.finding.detail
    assert (names(folder), store.read()) == ([".env"], b"x" * 40_000)
    with failing(NO_BACKUP):
        on_small_disk.last_backup()


@only_root
def test_leftovers_of_killed_runs_do_not_fill_the_disk(small_disk: Path, state: Path) -> None:
    store = EnvStore(small_disk / ".env", state)
    store.path.write_bytes(b"old")
    left_by_a_killed_save(store, state).write_bytes(b"x" * 20_000)
    store.save(b"old", b"x" * 12_000)
    assert (names(small_disk), store.read()) == ([".env"], b"x" * 12_000)


def left_by_a_killed_save(store: EnvStore, state: Path) -> Path:
    """Return the temporary file of a run that was killed just before its rename."""
    prepare = (
        "import os\n"
        "from wizard.system import private_files\n"
        "real = private_files.replace\n"
        "def die(part, path): real(part, path) if 'backups' in path.parts else os._exit(9)\n"
        "private_files.replace = die"
    )
    before = set(store.path.parent.iterdir())
    line = [*script("store.save(store.read(), b'half')", prepare), str(store.path), str(state)]
    assert subprocess.run(line, cwd=ROOT_FOLDER, timeout=60, check=False).returncode == 9
    (left,) = set(store.path.parent.iterdir()) - before
    assert left.read_bytes() == b"half"
    assert mode(left) == 0o600
    return left


def test_removes_old_leftovers_of_another_users_killed_run(
    folder: Path, store: EnvStore, tmp_path: Path
) -> None:
    for age in (0, 7200):
        left = left_by_a_killed_save(EnvStore(store.path, tmp_path / f"{age}"), tmp_path / f"{age}")
        os.utime(left, (time.time() - age, time.time() - age))
    assert len(names(folder)) == 2
    assert store.read() is None
    assert len(names(folder)) == 1


@pytest.mark.parametrize(
    "command",
    ["doctor --offline", "report --offline", "init --undo --yes", "init --dry-run", "tunnel -y"],
)
def test_every_reading_command_removes_leftovers_of_a_killed_run(
    command: str, folder: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    store = EnvStore(folder / ".env", home / ".local/state/librechat-auth0")
    left = left_by_a_killed_save(store, home / ".local/state/librechat-auth0")
    line = [sys.executable, "-m", "wizard", *command.split(), "--env-file", str(store.path)]
    subprocess.run(line, cwd=ROOT_FOLDER, capture_output=True, timeout=60, check=False)
    assert not left.exists()


KILLS = 500


@dataclass(frozen=True, slots=True)
class Victim:
    """A file that is written while its writer is killed: its size, and whether it is a link."""

    lines: int
    line_break: bytes = b"\n"
    mode: int = 0o600
    is_link: bool = False
    act: str = "save"

    def content(self, word: str) -> bytes:
        return b"".join(
            b"NAME_%d=%s%s" % (number, word.encode(), self.line_break)
            for number in range(self.lines)
        )


VICTIMS = [
    Victim(lines=10),
    Victim(lines=2_000, line_break=b"\r\n", mode=0o644),
    Victim(lines=20_000, is_link=True),
    Victim(lines=2_000, mode=0o640, act="undo"),
    Victim(lines=500, line_break=b"\r\n", mode=0o644, is_link=True),
]


class MortalWriter:
    """See `tests.librechat.mortal_writer`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.librechat.mortal_writer"],
            cwd=ROOT_FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def killed(
        self, store: EnvStore, state: Path, act: str, content: bytes, after: float | None
    ) -> float | None:
        """Return how long the child took, or None if it was killed first."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        encoded = base64.b64encode(content).decode()
        order = json.dumps([str(store.path), str(state), act, encoded, after])
        print(order, file=self._process.stdin, flush=True)
        took: float | None = json.loads(self._process.stdout.readline())
        return took


class Trial:
    """One kind of file, whose writers are killed repeatedly."""

    def __init__(self, victim: Victim, folder: Path) -> None:
        self.victim = victim
        self.folder = folder / "LibreChat"
        self.state = folder / "state"
        self.real = folder / "secrets" / "real" if victim.is_link else self.folder / ".env"
        self.store = EnvStore(self.folder / ".env", self.state)
        self._written = {b"next"}
        self.folder.mkdir(parents=True)
        if victim.is_link:
            self.real.parent.mkdir()
            self.store.path.symlink_to(self.real)

    def run(self, writer: MortalWriter, word: str, after: float | None) -> tuple[str, float | None]:
        """Kill a writer after so many seconds; return what it interrupted and the time it took."""
        before, wanted = self._prepared(word)
        backups = set(names(self.store.backup_dir)) if self.store.backup_dir.is_dir() else set()
        took = writer.killed(self.store, self.state, self.victim.act, wanted, after)
        read = self.store.read()
        assert read in {before, wanted}
        assert took is None or read == wanted
        assert mode(self.real) == (self.victim.mode if read == before else self._private_mode)
        self._assert_whole_and_private()
        left = self._left_over() or set(names(self.store.backup_dir)) != backups
        if read == wanted:
            moment = "after it" if took else "new file, not yet done"
        else:
            moment = "old file, at work" if left else "before it"
        self._next_run_is_not_stopped(read)
        return moment, took

    @property
    def _private_mode(self) -> int:
        return 0o640 if self.victim.mode == 0o640 else 0o600

    def _prepared(self, word: str) -> tuple[bytes, bytes]:
        """Return the file's content now, and what the child will write."""
        old, new = self.victim.content(f"old{word}"), self.victim.content(f"new{word}")
        self._written |= {old, new}
        self.real.write_bytes(old)
        if self.victim.act == "undo":
            self.store.save(old, new)
            old, new = new, old
        self.real.chmod(self.victim.mode)
        return old, new

    def _assert_whole_and_private(self) -> None:
        for path in self.store.backup_dir.iterdir():
            assert mode(path) == 0o600
        for path in [*self.store.backup_dir.glob("*.env"), *self.store.backup_dir.glob("*.undone")]:
            assert path.read_bytes() in self._written
        for path in self.real.parent.glob(".env.librechat-auth0-*"):
            assert mode(path) in {0o600, self._private_mode}

    def _left_over(self) -> list[Path]:
        return [
            *self.real.parent.glob(".env.librechat-auth0-*"),
            *self.store.backup_dir.glob(".part"),
        ]

    def _next_run_is_not_stopped(self, read: bytes | None) -> None:
        assert self.store.save(read, b"next") is not None
        assert self.store.last_backup().content == read
        assert self._left_over() == []
        assert names(self.folder) == [".env"]
        assert names(self.real.parent) == [self.real.name]
        assert self.store.path.is_symlink() == self.victim.is_link
        assert (self.store.read(), mode(self.real)) == (b"next", self._private_mode)


@pytest.mark.timeout(900)  # 500 killed processes, which wait for the disk
def test_a_killed_run_leaves_a_complete_file_and_the_next_cleans_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        os, "fsync", lambda handle: None
    )  # in this process; the killed processes wait for the disk
    dice = random.Random(SEED)
    moments: Counter[str] = Counter()
    with MortalWriter() as writer:
        for number, victim in enumerate(VICTIMS):
            trial = Trial(victim, tmp_path / str(number))
            took = [trial.run(writer, "", None)[1] or 0 for _ in range(5)]
            usual = sorted(took)[2]
            for kill in range(KILLS // len(VICTIMS)):
                moment, _ = trial.run(writer, str(kill), dice.uniform(0, 1.5 * usual))
                moments[moment] += 1
    print(moments)
    assert moments.total() == KILLS
    # Each about a third of 500, depending on the machine's load, so one must be enough.
    assert moments["before it"] + moments["old file, at work"]
    assert moments["old file, at work"] + moments["new file, not yet done"]
    assert moments["after it"]


@pytest.mark.needs("git")
def test_removes_its_own_leftovers_but_not_a_neighbours(
    store: EnvStore, state: Path, folder: Path
) -> None:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".gitignore").write_text(".env*\n!.env.example\n")  # like LibreChat's
    neighbour = EnvStore(folder / ".env.test", state)
    ours = left_by_a_killed_save(store, state)
    theirs = left_by_a_killed_save(neighbour, state)
    assert neighbour.read() is None
    assert (ours.exists(), theirs.exists()) == (True, False)
    assert store.read() is None
    assert names(folder) == [".git", ".gitignore"]
    left_by_a_killed_save(store, state)
    status = ["git", "-C", str(folder), "status", "--porcelain"]
    listed = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    assert listed == "?? .gitignore\n"


def test_two_concurrent_processes_lose_nothing(store: EnvStore, state: Path) -> None:
    # Each repeatedly adds its letter to what it read, until it sees the other's letter too.
    store.path.write_bytes(b"")
    act = (
        "ours, theirs = sys.argv[3].encode(), sys.argv[4].encode()\n"
        "    done = 0\n"
        "    while done < 20 or before.count(theirs) < 10:\n"
        "        before = store.read()\n"
        "        try:\n"
        "            store.save(before, before + ours)\n"
        "            done += 1\n"
        "        except Failure as failure:\n"
        "            assert failure.finding.rule.id == 'LA024', failure\n"
        "    print(done)"
    )
    writers = {
        letter: subprocess.Popen(
            [*script(act), str(store.path), str(state), letter, other],
            cwd=ROOT_FOLDER,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for letter, other in ("ab", "ba")
    }
    saved = {}
    try:
        for letter, writer in writers.items():
            said, complaint = writer.communicate(timeout=60)
            assert complaint == b""
            saved[letter] = int(said)
    finally:
        for writer in writers.values():
            writer.kill()
            writer.wait()
    assert Counter((store.read() or b"").decode()) == saved
    assert len(names(store.backup_dir)) == BACKUPS_KEPT


def test_waits_for_a_run_that_holds_the_lock_and_then_names_it(
    store: EnvStore, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wizard.librechat.env_store.LOCK_TIMEOUT_SECONDS", 0.2)
    holding, done = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        holding.set()
        done.wait(60)

    other = EnvStore(store.path, state, changed=hold)
    thread = threading.Thread(target=other.save, args=(None, b"1"))
    thread.start()
    try:
        assert holding.wait(60)
        with failing(LOCKED):
            store.save(b"1", b"2")
    finally:
        done.set()
        thread.join()
    store.save(b"1", b"2")
    assert store.read() == b"2"


@dataclass(frozen=True, slots=True)
class Call:
    """A system call: `path` is the file of the handle, or the first name."""

    name: str
    path: str
    other: str = ""


_CALL = re.compile(
    r"(?:\d+ +)?(?P<name>\w+)\((?:\d+<(?P<handle>[^>]*)>)?(?P<rest>.*)\) += (?P<result>-?\d+)"
)


def calls_of(act: str, store: EnvStore, state: Path, trace: Path) -> list[Call]:
    """Return a run's successful calls that open, write, sync, rename or remove a file."""
    watched = "trace=open,openat,creat,write,pwrite64,writev,truncate,ftruncate,fsync,fdatasync"
    names = "rename,renameat,renameat2,unlink,unlinkat,link,linkat,copy_file_range,sendfile"
    subprocess.run(
        [
            *("strace", "-f", "-y", "-e", f"{watched},{names}", "-o", str(trace)),
            *script(act),
            *(str(store.path), str(state)),
        ],
        cwd=ROOT_FOLDER,
        check=True,
        timeout=60,
    )
    calls = []
    for line in trace.read_text().splitlines():
        found = _CALL.match(line)
        if found and int(found["result"]) >= 0:
            named = re.findall(r'"([^"]*)"', found["rest"]) if found["handle"] is None else []
            is_read_only = found["name"].startswith("open") and "O_RDONLY" in found["rest"]
            name = "look" if is_read_only else found["name"]
            calls.append(Call(name, *([found["handle"]] if found["handle"] else named[:2])))
    return calls


def assert_whole_after_a_power_cut(calls: Sequence[Call], name: str) -> int:
    """Assert that only synced content gets the name; return the position of that call."""
    touching = [each for each in calls if name in {each.path, each.other} and each.name != "look"]
    assert [each.name for each in touching] == ["rename"], touching
    place = calls.index(touching[0])
    new = touching[0].path
    made = [each.name for each in calls[:place] if each.path == new]
    assert made[0] == "openat"
    assert set(made[1:-1]) == {"write"}
    assert made[-1] == "fsync"  # nothing is written after the sync
    folder = os.path.dirname(name)
    assert calls[place + 1] == Call("fsync", folder) or (
        calls[place + 1 : place + 3] == [Call("look", folder), Call("fsync", folder)]
    ), calls[place:]
    return place


@pytest.mark.needs("strace")
@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize("is_link", [False, True])
def test_syncs_the_content_before_the_rename(
    old: bytes | None, is_link: bool, store: EnvStore, state: Path, tmp_path: Path
) -> None:
    real = store.path
    if is_link:
        real = tmp_path / "real"
        store.path.symlink_to(real)
    if old is not None:
        real.write_bytes(old)
    calls = calls_of(f"store.save({old!r}, b'brand new')", store, state, tmp_path / "trace")
    (backup,) = store.backup_dir.iterdir()
    backed_up = calls.index(Call("rename", str(backup.with_name(".part")), str(backup)))
    if old is not None:
        assert backed_up == assert_whole_after_a_power_cut(calls, str(backup))
    assert backed_up < assert_whole_after_a_power_cut(calls, str(real))
    # The backup's folders are synced too.
    for folder in list(backup.parents)[1:3]:
        assert Call("fsync", str(folder)) in calls[:backed_up]


@pytest.mark.needs("strace")
def test_undo_syncs_the_content_before_the_rename(
    store: EnvStore, state: Path, tmp_path: Path
) -> None:
    store.path.write_bytes(b"old")
    store.save(b"old", b"new")
    act = "store.undo(store.last_backup(), b'new')"
    calls = calls_of(act, store, state, tmp_path / "trace")
    (undone,) = store.backup_dir.iterdir()
    place = assert_whole_after_a_power_cut(calls, str(store.path))
    assert assert_whole_after_a_power_cut(calls, str(undone)) < place
    backup = str(undone.with_suffix(".env"))
    removed = [number for number, each in enumerate(calls) if each == Call("unlink", backup)]
    assert removed[0] > place + 1  # only after the file is synced
