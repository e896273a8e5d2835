"""Files are replaced atomically, whatever the system or the user does meanwhile."""

from __future__ import annotations

import errno
import os
import signal
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wizard.system import private_files
from wizard.system.interrupts import end_on_signals, signals_held
from wizard.system.private_files import write_whole

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and signals of POSIX")


@pytest.fixture
def handlers() -> Any:
    """Restore pytest's signal handlers after the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    end_on_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_is_complete_and_private(folder: Path) -> None:
    path = folder / "file"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(folder) == ["file"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO, errno.EDQUOT, errno.EACCES])
@pytest.mark.parametrize("call", ["open", "fsync"])
def test_works_when_a_folder_cannot_be_synced(
    call: str, number: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(os, call)

    def refuse_folders(what: Any, *args: Any, **more: Any) -> Any:
        if Path(f"/proc/self/fd/{what}" if isinstance(what, int) else what).is_dir():
            raise OSError(number, os.strerror(number))
        return real(what, *args, **more)

    monkeypatch.setattr(os, call, refuse_folders)
    write_whole(folder / "file", b"new")
    assert (folder / "file").read_bytes() == b"new"


def fail(number: int) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number), "/somewhere/temporary")

    return refuse


@pytest.mark.parametrize(
    ("place", "call", "named"),
    [
        (tempfile, "mkstemp", ""),
        (private_files, "sync", "file"),
        (os, "fchmod", "file"),
        (private_files, "replace", "file"),
    ],
)
def test_a_failure_keeps_the_old_file_and_names_it(
    place: Any, call: str, named: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_bytes(b"old")
    monkeypatch.setattr(place, call, fail(errno.EIO))
    with pytest.raises(OSError, match="Input/output error") as caught:
        write_whole(folder / "file", b"new")
    monkeypatch.undo()
    assert caught.value.filename == str(folder / named)
    assert caught.value.filename2 is None
    assert (folder / "file").read_bytes() == b"old"
    assert names(folder) == ["file"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("call", ["sync", "replace", "sync_folder"])
def test_a_signal_waits_until_the_file_is_in_place(
    call: str,
    number: int,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    handlers: None,
) -> None:
    real = getattr(private_files, call)

    def interrupted(*args: Any) -> Any:
        signal.raise_signal(number)
        return real(*args)

    monkeypatch.setattr(private_files, call, interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(folder / "file", b"new")
    assert (folder / "file").read_bytes() == b"new"
    assert names(folder) == ["file"]


def test_a_delayed_signal_keeps_its_number_and_the_next_is_immediate(handlers: None) -> None:
    done = []

    def held() -> None:
        with signals_held(), signals_held():
            signal.raise_signal(signal.SIGTERM)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt) as caught:
        held()
    assert done
    assert caught.value.args == (signal.SIGTERM,)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_another_thread_delays_no_signal(folder: Path) -> None:
    thread = threading.Thread(target=write_whole, args=(folder / "file", b"new"))
    thread.start()
    thread.join()
    assert (folder / "file").read_bytes() == b"new"


def test_a_signal_that_is_ignored_stays_ignored(
    monkeypatch: pytest.MonkeyPatch, handlers: None
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        end_on_signals()
        signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_names_of_state_files_stay_the_same() -> None:
    """So that an update finds the backups and the proofs of earlier runs."""
    assert private_files.file_name(Path("/home/me/LibreChat/.env")) == "265a76e10514e4d0"
