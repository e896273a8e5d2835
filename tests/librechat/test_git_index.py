"""Our reader of git's index agrees with git."""

from __future__ import annotations

import os
import random
import struct
import subprocess
from pathlib import Path

import pytest

from wizard.librechat.git_index import is_tracked

GIT = pytest.mark.needs("git")


def git(folder: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *args],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def repository(folder: Path, *options: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", *options)
    for name in (".env", "a/b/c.txt", "a/long-name-that-shares-a-prefix.txt", "z.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    git(folder, "add", "a", "z.txt")
    return folder


@GIT
@pytest.mark.parametrize("version", ["2", "3", "4"])
@pytest.mark.parametrize("options", [(), ("--object-format=sha256",)])
def test_every_version_of_the_index(tmp_path: Path, version: str, options: tuple[str, ...]) -> None:
    folder = repository(tmp_path, *options)
    git(folder, "update-index", "--index-version", version)
    assert not is_tracked(folder / ".env")
    git(folder, "add", "-f", ".env")
    git(folder, "add", "-N", "-f", "a/b/c.txt")
    git(folder, "update-index", "--skip-worktree", "z.txt")  # this turns version 2 into 3
    for name in (".env", "a/b/c.txt", "z.txt", "a/long-name-that-shares-a-prefix.txt"):
        assert is_tracked(folder / name), name
    assert not is_tracked(folder / "a/.env")
    git(folder, "rm", "-q", "--cached", ".env")
    assert not is_tracked(folder / ".env")


@GIT
def test_a_split_index(tmp_path: Path) -> None:
    folder = repository(tmp_path)
    for number in range(200):
        (folder / f"file{number:03}").write_text("x")
        os.utime(folder / f"file{number:03}", (1e9, 1e9))  # otherwise git checks them again
    git(folder, "add", ".")
    git(folder, "config", "core.splitIndex", "true")
    git(folder, "config", "splitIndex.maxPercentChange", "100")
    git(folder, "update-index", "--split-index")
    assert is_tracked(folder / ".env")
    git(folder, "rm", "-q", "--cached", ".env", "file150")
    assert (folder / ".git/index").stat().st_size < 5000  # the rest is in the shared index
    tracked = set(git(folder, "ls-files").split())
    for name in (".env", "z.txt", *(f"file{number:03}" for number in range(200))):
        assert is_tracked(folder / name) == (name in tracked), name
    git(folder, "add", ".env")
    assert is_tracked(folder / ".env")


@GIT
def test_a_sparse_index(tmp_path: Path) -> None:
    folder = repository(tmp_path)
    git(folder, "add", ".env")
    git(folder, "commit", "-qm", "x")
    git(folder, "sparse-checkout", "init", "--cone", "--sparse-index")
    assert is_tracked(folder / ".env")
    assert not is_tracked(folder / "other")


@GIT
def test_a_conflict(tmp_path: Path) -> None:
    folder = repository(tmp_path)
    git(folder, "add", ".env")
    git(folder, "commit", "-qm", "x")
    git(folder, "checkout", "-qb", "other")
    (folder / ".env").write_text("theirs")
    git(folder, "commit", "-qam", "x")
    git(folder, "checkout", "-q", "-")
    (folder / ".env").write_text("ours")
    git(folder, "commit", "-qam", "x")
    with pytest.raises(subprocess.CalledProcessError):
        git(folder, "merge", "-q", "other")
    assert is_tracked(folder / ".env")


@GIT
def test_work_trees_submodules_and_links(tmp_path: Path) -> None:
    main = repository(tmp_path / "main")
    git(main, "add", ".env")
    git(main, "commit", "-qm", "x")
    git(main, "worktree", "add", "-q", "../tree")
    assert is_tracked(tmp_path / "tree/.env")
    parent = repository(tmp_path / "parent")
    git(parent, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(main), "inner")
    assert is_tracked(parent / "inner/.env")
    assert not is_tracked(parent / ".env")
    if os.name == "posix":  # the link's target has the secrets
        (tmp_path / ".env").symlink_to(main / ".env")
        assert is_tracked(tmp_path / ".env")
        (main / "private").write_text("x")
        (main / "linked").symlink_to("private")
        git(main, "add", "linked")
        assert not is_tracked(main / "linked")


def entry(name: bytes, flags: int | None = None) -> bytes:
    """Return an entry of version 2, as git writes it."""
    head = bytes(60) + struct.pack(">H", len(name) if flags is None else flags) + name
    return head + bytes(8 - len(head) % 8)


def index(*entries: bytes, version: int = 2, count: int | None = None) -> bytes:
    number = len(entries) if count is None else count
    return struct.pack(">4sII", b"DIRC", version, number) + b"".join(entries) + bytes(20)


def folder_with(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / ".git").mkdir(exist_ok=True)
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / ".git/index").write_bytes(content)
    return tmp_path / ".env"


def test_a_broken_index_tracks_nothing(tmp_path: Path) -> None:
    whole = index(entry(b".env"), entry(b"x" * 5000), version=2)
    assert not is_tracked(folder_with(tmp_path, whole))  # a name that no path can have
    whole = index(entry(b"a"), entry(b".env"))
    assert is_tracked(folder_with(tmp_path, whole))
    for length in range(whole.index(b".env") + 5):
        assert not is_tracked(folder_with(tmp_path, whole[:length]))
    chance = random.Random(1)
    link = b"link" + struct.pack(">I", 60) + b"\x01" * 60
    for version in (2, 3, 4, 5):
        for _ in range(300):
            content = bytearray(index(entry(b"a"), version=version)[:-20] + link + bytes(20))
            for _ in range(chance.randrange(1, 6)):
                content[chance.randrange(len(content))] = chance.randrange(256)
            is_tracked(folder_with(tmp_path, bytes(content)))


def test_an_index_with_more_entries_than_bytes(tmp_path: Path) -> None:
    assert not is_tracked(folder_with(tmp_path, index(entry(b".env"), count=(1 << 32) - 1)))


def test_rejects_names_that_keep_growing(tmp_path: Path) -> None:
    """In version 4, each name can extend the previous one, so their total size has no limit."""
    entries = [bytes(60) + struct.pack(">HB", min(size, 0xFFF), 0) + b"a\0" for size in range(5000)]
    content = index(*entries[1:], version=4)
    assert not is_tracked(folder_with(tmp_path, content))


@pytest.mark.parametrize(
    "marker", ["", "gitdir", "gitdir: ", "gitdir: nowhere\n", "gitdir: //example.com/share\n"]
)
def test_a_git_file_that_leads_nowhere(tmp_path: Path, marker: str) -> None:
    (tmp_path / ".git").write_text(marker)
    assert not is_tracked(tmp_path / ".env")


def test_ignores_a_git_folder_without_a_repository(tmp_path: Path) -> None:
    folder_with(tmp_path, index(entry(b"inner/.env")))
    (tmp_path / "inner/.git").mkdir(parents=True)
    assert is_tracked(tmp_path / "inner/.env")
