from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from wizard.system.locks import LockHeld, locked

HOLDER = """
import sys
from pathlib import Path
from wizard.system.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """Hold the lock in another process until its input ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path), pytest.raises(LockHeld), locked(path):
        pass
    with locked(path):
        pass
    assert path.stat().st_mode & 0o777 in {0o600, 0o666}  # Windows has no other kind


def test_an_exception_releases_the_lock_and_propagates(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(KeyboardInterrupt), locked(path):
        raise KeyboardInterrupt
    with locked(path):
        pass


def test_waits_for_another_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path) as holder:
        with pytest.raises(LockHeld), locked(path, 0.1):
            pass
        ender = threading.Timer(0.1, holder.communicate)
        ender.start()
        with locked(path, 60):
            pass
        ender.join()


def test_a_killed_process_releases_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path) as holder:
        holder.kill()
        holder.communicate()
        with locked(path):
            pass


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_does_not_follow_a_link(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"symbolic|loop|Too many"), locked(path):
        pass
    assert not (tmp_path / "elsewhere").exists()
