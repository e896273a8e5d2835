"""Who can read the `.env` after a save: real users, groups and ACLs, and the messages."""

from __future__ import annotations

import errno
import os
import stat
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import only_root
from tests.fakes import make_world
from wizard.findings import ExitCode, Failure
from wizard.librechat.checkout import look_at
from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_store import EnvStore
from wizard.librechat.permissions import (
    NOT_OURS_TO_GIVE,
    STAYS_OPEN,
    UNREADABLE_IN_CONTAINER,
    Permissions,
    Reader,
    fresh,
    kept,
    readers,
)
from wizard.settings import Settings
from wizard.steps.change import Confirmation, EnvChange, change_env
from wizard.steps.folder import folder_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and users of POSIX")
ADA, OTHER, GROUP = 1234, 2345, 3456
PRIVATE_FOLDER = Permissions(ADA, ADA, 0o755)
COMPOSE = """
services:
  api:
    image: librechat
    user: "${UID}:${GID}"
    volumes:
      - {type: bind, source: ./.env, target: /app/.env}
"""


@pytest.mark.parametrize(
    ("before", "folder", "reader", "after"),
    [
        # A umask gave group and others the same access: not intended.
        (0o644, PRIVATE_FOLDER, None, 0o600),
        (0o666, PRIVATE_FOLDER, None, 0o600),
        # Permissions for the group is intended.
        (0o640, PRIVATE_FOLDER, None, 0o640),
        (0o664, PRIVATE_FOLDER, None, 0o660),
        (0o604, PRIVATE_FOLDER, None, 0o600),
        # The folder is shared: its files have its group, or the group can write to it.
        (0o644, Permissions(ADA, GROUP, 0o2755), None, 0o640),
        (0o644, Permissions(ADA, GROUP, 0o775), None, 0o640),
        (0o644, Permissions(ADA, ADA, 0o775), None, 0o600),
        (0o644, Permissions(ADA, GROUP, 0o1777), None, 0o600),
        # LibreChat's own user keeps its access.
        (0o644, PRIVATE_FOLDER, Reader(ADA), 0o600),
        (0o644, PRIVATE_FOLDER, Reader(0), 0o600),
        (0o644, PRIVATE_FOLDER, Reader(OTHER, GROUP), 0o640),
        (0o644, PRIVATE_FOLDER, Reader(OTHER, OTHER), 0o604),
        (0o666, PRIVATE_FOLDER, Reader(OTHER), 0o604),
        # A file it could not read before stays closed.
        (0o600, PRIVATE_FOLDER, Reader(OTHER), 0o600),
    ],
)
def test_keeps_the_access_that_librechat_needs(
    before: int, folder: Permissions, reader: Reader | None, after: int
) -> None:
    assert kept(Permissions(ADA, GROUP, before), folder, reader) == Permissions(ADA, GROUP, after)


@pytest.mark.parametrize(
    ("user", "folder", "reader", "after"),
    [
        (ADA, PRIVATE_FOLDER, None, Permissions(ADA, ADA, 0o600)),
        (ADA, Permissions(OTHER, GROUP, 0o2775), None, Permissions(ADA, GROUP, 0o640)),
        (ADA, PRIVATE_FOLDER, Reader(OTHER, GROUP), Permissions(ADA, ADA, 0o600)),
        (0, PRIVATE_FOLDER, Reader(ADA, ADA), Permissions(ADA, ADA, 0o600)),
        (0, Permissions(0, 0, 0o755), Reader(OTHER, GROUP), Permissions(0, GROUP, 0o640)),
        (0, Permissions(0, 0, 0o755), Reader(OTHER), Permissions(OTHER, 0, 0o600)),
    ],
)
def test_a_new_file(
    user: int, folder: Permissions, reader: Reader | None, after: Permissions
) -> None:
    assert fresh(folder, reader, user, user) == after


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout that every user can access."""
    folder = tmp_path / "LibreChat"
    folder.mkdir()
    for parent in [folder, *folder.parents][:-2]:  # pytest's own folders are private
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o011)
    return folder


@pytest.fixture
def store(folder: Path, tmp_path: Path) -> EnvStore:
    return EnvStore(folder / ".env", tmp_path / "state")


def access_of(path: Path) -> Permissions:
    return Permissions.of(path.stat())


def is_read_by(path: Path, user: int, groups: Sequence[int]) -> bool:
    """Return whether this user can open the file."""
    code = (
        "import os, sys\n"
        f"os.setgroups({list(groups[1:])}); os.setgid({groups[0]}); os.setuid({user})\n"
        "open(sys.argv[1]).close()"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=False)
    return done.returncode == 0


@only_root
@pytest.mark.parametrize(
    ("text", "override", "reader"),
    [
        (b"UID=1234\nGID=3456\n", "", (ADA, [GROUP])),
        (b"A=1\n", 'services: {api: {user: "1234"}}', (ADA, [OTHER])),
    ],
)
def test_librechat_in_docker_can_still_read_roots_file(
    text: bytes, override: str, reader: tuple[int, list[int]], folder: Path, store: EnvStore
) -> None:
    (folder / "docker-compose.yml").write_text(COMPOSE)
    if override:
        (folder / "docker-compose.override.yml").write_text(override)
    store.path.write_bytes(text)
    store.path.chmod(0o644)
    assert is_read_by(store.path, *reader)
    (finding,) = store.notice(text + b"B=2\n").findings
    assert finding.rule is STAYS_OPEN
    assert finding.fix == f"Run: chown 1234 {store.path}; chmod 600 {store.path}"
    store.save(text, text + b"B=2\n")
    assert is_read_by(store.path, *reader)
    assert access_of(store.path) == Permissions(0, 0, 0o604)
    assert "every user of this machine can read it" in str(store.written)
    # Following the advice makes it private, and it stays private.
    os.chown(store.path, ADA, -1)
    store.path.chmod(0o600)
    assert not store.notice(text).findings
    store.save(text + b"B=2\n", text)
    assert is_read_by(store.path, *reader)
    assert access_of(store.path) == Permissions(ADA, 0, 0o600)


@only_root
def test_librechats_own_user_can_read_a_new_file_of_root(folder: Path, store: EnvStore) -> None:
    (folder / "docker-compose.yml").write_text(COMPOSE)
    new = b"UID=1234\nGID=3456\n"
    assert not store.notice(new).findings
    store.save(None, new)
    assert is_read_by(store.path, ADA, [GROUP])
    assert not is_read_by(store.path, OTHER, [OTHER])
    assert "its owner and its group can read it" in str(store.written)


def said_of_a_change(store: EnvStore, *, dry_run: bool) -> str:
    content = store.read() or b""
    before = EnvFile.from_bytes(content)
    change = EnvChange(store, content, before, *before.edited({"A": "1"}))
    world = make_world(store.path.parent)
    assert (
        change_env(change, Confirmation(), world.ports, yes=True, dry_run=dry_run).done
        is not dry_run
    )
    return world.said


def test_names_a_user_who_cannot_read_it_before_saving(folder: Path, store: EnvStore) -> None:
    (folder / "docker-compose.yml").write_text(COMPOSE)
    text = b"UID=54321\nGID=54321\n"
    store.path.write_bytes(text)
    store.path.chmod(0o600)
    said = said_of_a_change(store, dry_run=False)
    assert said.index(f"({UNREADABLE_IN_CONTAINER.id})") < said.index("Wrote ")
    assert "LibreChat runs as user 54321" in said


def test_init_returns_who_cannot_read_it_for_json(folder: Path, store: EnvStore) -> None:
    (folder / "docker-compose.yml").write_text(COMPOSE)
    store.path.write_bytes(b"UID=54321\nGID=54321\n")
    store.path.chmod(0o600)
    ports = make_world(folder).ports
    settings = Settings("t.us.auth0.com", "id", "secret", (), "https://chat.example.com")
    change = folder_of(look_at(folder), store, ports).change(settings, 3080, ports)
    assert [each.rule for each in change.findings].count(UNREADABLE_IN_CONTAINER) == 1


def test_reports_before_saving_that_others_lose_access(store: EnvStore) -> None:
    store.path.write_bytes(b"B=1\n")
    store.path.chmod(0o644)
    said = said_of_a_change(store, dry_run=True)
    assert "Its mode becomes 600: other users can no longer read it." in " ".join(said.split())


@only_root
def test_a_folder_that_a_group_shares(folder: Path, store: EnvStore) -> None:
    os.chown(folder, ADA, GROUP)
    folder.chmod(0o2775)
    store.path.write_bytes(b"1")
    store.path.chmod(0o644)
    store.save(b"1", b"2")
    assert access_of(store.path) == Permissions(0, GROUP, 0o640)
    assert is_read_by(store.path, OTHER, [OTHER, GROUP])
    store.path.unlink()
    store.save(None, b"3")
    assert is_read_by(store.path, OTHER, [OTHER, GROUP])


AS_USER = """
import os, sys
from pathlib import Path
import hashlib, yaml  # while we may still read what root has installed
from wizard.librechat.env_store import EnvStore
from wizard.findings import Failure
os.setgroups([]); os.setgid({group}); os.setuid({user})
store = EnvStore(Path(sys.argv[1]), Path(sys.argv[2]))
try:
    store.save(b"1", b"2")
except Failure as failure:
    print(failure.finding.rule.id, failure.finding.fix)
"""


def save_as(user: int, store: EnvStore, state: Path) -> str:
    state.mkdir(exist_ok=True)
    os.chown(state, user, user)
    code = AS_USER.format(user=user, group=user)
    line = [sys.executable, "-c", code, str(store.path), str(state)]
    done = subprocess.run(
        line, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    return done.stdout


@only_root
@pytest.mark.parametrize(("mode", "is_refused"), [(0o640, True), (0o644, False)])
def test_a_group_without_its_owner(
    mode: int, is_refused: bool, folder: Path, store: EnvStore, tmp_path: Path
) -> None:
    os.chown(folder, ADA, ADA)
    store.path.write_bytes(b"1")
    os.chown(store.path, ADA, GROUP)
    store.path.chmod(mode)
    said = save_as(ADA, store, tmp_path / "ada")
    if is_refused:
        assert said.startswith(NOT_OURS_TO_GIVE.id)
        assert f"chmod g= {store.path}" in said
        assert (store.read(), access_of(store.path)) == (b"1", Permissions(ADA, GROUP, mode))
    else:
        assert (said, store.read(), store.path.stat().st_mode & 0o077) == ("", b"2", 0)
    assert [path.name for path in folder.iterdir()] == [".env"]


def acl(*users: int) -> bytes:
    """Return an ACL that lets these users read, in the format of <linux/posix_acl_xattr.h>."""
    entries = [(0x01, 6, -1), *((0x02, 4, user) for user in users), (0x04, 0, -1)]
    entries += [(0x10, 4, -1), (0x20, 0, -1)]
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, rights, who & 0xFFFFFFFF) for tag, rights, who in entries
    )


@pytest.mark.skipif(sys.platform != "linux", reason="ACLs of Linux")
def test_keeps_an_acl(store: EnvStore) -> None:
    assert sys.platform == "linux"
    store.path.write_bytes(b"1")
    try:
        os.setxattr(store.path, "system.posix_acl_access", acl(OTHER))
    except OSError as error:
        pytest.skip(f"no ACLs here: {error}")
    store.save(b"1", b"2")
    assert os.getxattr(store.path, "system.posix_acl_access") == acl(OTHER)
    if os.geteuid() == 0:
        assert is_read_by(store.path, OTHER, [OTHER])
        assert not is_read_by(store.path, ADA, [ADA])


def test_a_file_system_with_fixed_modes(store: EnvStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """vfat ignores chmod; the system then reports who can read the file."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    store.path.write_bytes(b"1")
    store.path.chmod(0o600)
    monkeypatch.setattr(os, "fchmod", refuse)
    store.save(b"1", b"2")
    assert store.read() == b"2"
    # The group would lose access.
    store.path.chmod(0o640)
    with pytest.raises(Failure) as caught:
        store.save(b"2", b"3")
    assert caught.value.exit_code is ExitCode.FILE
    assert (store.read(), stat.S_IMODE(store.path.stat().st_mode)) == (b"2", 0o640)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (0o600, "only you can read it."),
        (0o640, "its owner and its group can read it."),
        (0o604, "every user of this machine can read it."),
    ],
)
def test_reports_who_can_read_it(mode: int, said: str, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.touch()
    path.chmod(mode)
    assert str(readers(path).filled(file=path)).endswith(said)


def test_does_not_report_readers_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".env"
    path.touch()
    monkeypatch.setattr(sys, "platform", "win32")
    assert str(readers(path).filled(file=path)) == f"Wrote {path}."
