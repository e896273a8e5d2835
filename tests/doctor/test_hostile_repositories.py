"""A repository cannot make us run a program, because we do not run git."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.doctor.cases import env

pytestmark = [
    pytest.mark.needs("git"),
    pytest.mark.skipif(os.name != "posix", reason="the programs are shell scripts"),
]


@dataclass(frozen=True)
class Way:
    """Shell commands that prepare a repository, and a git command that proves it works."""

    arm: str
    fires: str


AUTHORS = ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL")
WAYS = {
    "lazy fetch": Way(
        # A tree of the sparse index is missing, and git fetches it from a "remote".
        """git sparse-checkout init --cone --sparse-index; git sparse-checkout set client
        tree=$(git rev-parse HEAD:a); rm -f .git/objects/$(echo $tree | cut -c 1-2)/*
        git config core.repositoryFormatVersion 1; git config extensions.partialClone origin
        git config remote.origin.promisor true; git config remote.origin.url .
        git config remote.origin.uploadpack "$EVIL" """,
        "git ls-files",
    ),
    "fsmonitor": Way('git config core.fsmonitor "$EVIL"', "git status"),
    "fsmonitor of an include": Way(
        "git config include.path ../more\nprintf '[core]\\nfsmonitor = %s\\n' \"$EVIL\" > more",
        "git ls-files -m",
    ),
    "fsmonitor of a conditional include": Way(
        "git config includeIf.gitdir:**.path ../more\n"
        "printf '[core]\\nfsmonitor = %s\\n' \"$EVIL\" > more",
        "git status",
    ),
    "fsmonitor behind a gitdir file": Way(
        'git config core.fsmonitor "$EVIL"\nmv .git elsewhere; echo "gitdir: elsewhere" > .git',
        "git status",
    ),
    "fsmonitor with a work tree elsewhere": Way(
        'git config core.worktree ..; git config core.fsmonitor "$EVIL"', "git status"
    ),
    "fsmonitor of a submodule": Way(
        "git -c protocol.file.allow=always submodule add -q ./ inner\n"
        'git -C inner config core.fsmonitor "$EVIL"',
        "git status",
    ),
    "update of a submodule": Way(
        "git -c protocol.file.allow=always submodule add -q ./ inner\n"
        'git config submodule.inner.update "!$EVIL"; git -C inner commit -qm y --allow-empty',
        "git submodule update",
    ),
    "filter": Way(
        'git config filter.x.clean "$EVIL"; echo "* filter=x" > .gitattributes; touch client/z',
        "git add client/z",
    ),
    "filter process": Way(
        'git config filter.x.process "$EVIL"; git config filter.x.required true\n'
        'echo "* filter=x" > .gitattributes; touch client/z',
        "git add client/z",
    ),
    "hook": Way(
        'cp "$EVIL" .git/hooks/post-index-change; touch -d @1 client/z',
        "git update-index --refresh",
    ),
    "hooks path": Way(
        'mkdir h; cp "$EVIL" h/post-index-change; git config core.hooksPath h\n'
        "touch -d @1 client/z",
        "git status",
    ),
    "pager": Way('git config core.pager "$EVIL"', "git log"),
    "external diff": Way('git config diff.external "$EVIL"; echo 1 > client/z', "git diff"),
    "text conversion": Way(
        'git config diff.x.textconv "$EVIL"; echo "* diff=x" > .gitattributes; echo 1 > client/z',
        "git diff",
    ),
    "editor": Way('git config core.editor "$EVIL"', "git commit --amend"),
    "signature": Way(
        'git config gpg.program "$EVIL"; git config commit.gpgSign true',
        "git commit --allow-empty -m y",
    ),
    "ssh": Way(
        'git config core.sshCommand "$EVIL"; git remote add origin ssh://example.invalid/x',
        "git fetch",
    ),
    "proxy": Way(
        'git config core.gitProxy "$EVIL"; git remote add origin git://example.invalid/x',
        "git fetch",
    ),
    "external transport": Way(
        'git config protocol.ext.allow always; git remote add origin "ext::$EVIL"', "git fetch"
    ),
    "credentials": Way(
        'git config credential.helper "$EVIL"', "echo url=https://x | git credential fill"
    ),
    "alternates": Way(
        "git clone -q . ../other; (cd ../other && git commit -qm y --allow-empty)\n"
        "echo ../../../other/.git/objects > .git/objects/info/alternates\n"
        'git config core.alternateRefsCommand "$EVIL"; git remote add origin ../other',
        "git fetch",
    ),
    "alias": Way('git config alias.tracked "!$EVIL"', "git tracked"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A LibreChat whose `.env` git tracks, and the program that must not run."""
    folder = tmp_path / "LibreChat"
    folder.mkdir()
    (folder / ".env").write_text(env())
    (folder / "package.json").write_text('{"name": "LibreChat", "version": "0.8.7"}')
    evil = tmp_path / "evil.sh"
    evil.write_text(f'#!/bin/sh\necho "$0 $@" >> {tmp_path}/ran\n')
    evil.chmod(0o755)
    script = """git init -q; mkdir -p a/b client; echo x > a/b/c; echo y > client/z
    git add .env package.json a client; git commit -qm x"""
    shell(folder, script)
    return folder


def shell(folder: Path, script: str) -> None:
    """Run the commands on a terminal, because git starts a pager only there."""
    environ = {
        **os.environ,
        **{
            f"GIT_{who}_{what}": "a@b"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
        "EVIL": str(folder.parent / "evil.sh"),
        "TERM": "xterm",
    }
    outer, inner = os.openpty()
    try:
        subprocess.run(
            ["sh", "-c", script],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=inner,
            stderr=inner,
            timeout=60,
            check=False,
        )
    finally:
        os.close(inner)
        os.close(outer)


@pytest.mark.parametrize("way", WAYS)
def test_runs_no_program_of_a_repository(folder: Path, way: str) -> None:
    ran = folder.parent / "ran"
    shell(folder, WAYS[way].arm)
    ran.unlink(missing_ok=True)
    for command in ("doctor", "report"):
        done = subprocess.run(
            [sys.executable, "-m", "wizard", command, "--offline"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "LA158" in done.stdout + done.stderr  # the index was read
        assert not ran.exists()
    shell(folder, WAYS[way].fires)
    assert ran.exists(), "git did not run it either, so this test proves nothing"
