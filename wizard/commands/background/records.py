"""Records of the tunnels that run in the background: one file for each `.env`, no secrets.

A process is named by its number and its start (`wizard.process_control.start_time`), so that a
number that was given again, after a reboot too, is never taken for ours.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from wizard.language import Message
from wizard.locks import LockHeld, locked
from wizard.private_files import file_name, private_folder, write_whole
from wizard.process_control import end, start_time
from wizard.reading import load_json, read_file
from wizard.rules import rule

STARTING = rule("LA321")
NOT_STOPPED = rule("LA322")
NO_RECORD = rule("LA327")

LOCK_SECONDS = 1.0
_FOLDER = "background"
# The names that `file_name` gives, and no others: what is no record is moved.
_RECORDS = f"{'[0-9a-f]' * 16}.json"
_MAX_BYTES = 1 << 16
# 9999 is the last year that a date shows.
_LAST_TIME = 250e9


@dataclass(frozen=True, slots=True)
class BackgroundTunnel:
    """A tunnel that runs, or ran, in the background.

    Attributes:
        env_file: whose URL it is.
        tunnel: the provider's name.
        url: the public URL.
        port: LibreChat's port.
        pid: the process that holds it.
        started: when that process started, see `start_time`.
        opened_at: seconds since the epoch.
        trouble: why it is down at the moment, or why it ended, in the language of the user who
            opened it; "" while it is up.
    """

    env_file: str
    tunnel: str
    url: str
    port: int
    pid: int
    started: str
    opened_at: float
    trouble: str = ""

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return start_time(self.pid) == self.started


class Background:
    """The records of the tunnels in the background.

    Each has its name by the `.env`, whose links were resolved when the tunnel was opened. What is
    no record lies aside then, as `*.broken`: it must not keep a tunnel from being stopped.

    Args:
        state_dir: the user's private state folder.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._folder = state_dir / _FOLDER

    def all(self) -> list[BackgroundTunnel]:
        """Return every recorded tunnel, in the order of their opening; some may have ended."""
        known = filter(None, map(_read, self._folder.glob(_RECORDS)))
        return sorted(known, key=lambda one: one.opened_at)

    def of(self, env_file: Path) -> BackgroundTunnel | None:
        """Return the tunnel for that `.env`, which may have ended."""
        return _read(self._file(env_file, "json"))

    def broken(self) -> list[Path]:
        """Return the records that could not be read, which were put aside."""
        return sorted(self._folder.glob("*.broken"))

    def keep(self, tunnel: BackgroundTunnel) -> None:
        """Save the record."""
        self._make_folder()
        write_whole(self._record(tunnel), json.dumps(asdict(tunnel)).encode())

    def forget(self, tunnel: BackgroundTunnel) -> None:
        """Delete the record, unless it is another tunnel's by now."""
        path = self._record(tunnel)
        known = _read(path)
        if known is None or (known.pid, known.started) == (tunnel.pid, tunnel.started):
            path.unlink(missing_ok=True)

    def stop(self, tunnel: BackgroundTunnel) -> None:
        """End its process, if that is still the recorded one, and delete the record.

        Raises:
            Failure: it still runs.
        """
        end(tunnel.pid, tunnel.started)
        if tunnel.runs:
            raise NOT_STOPPED.failure(
                Message("Process {pid} holds {url}.", pid=tunnel.pid, url=tunnel.url)
            )
        self.forget(tunnel)

    def log_file(self, env_file: Path) -> Path:
        """Return where the tunnel for that `.env` writes what passes."""
        return self._file(env_file, "log")

    def open_log(self, env_file: Path) -> int:
        """Open that file for appending, new and readable by the user alone; a descriptor."""
        self._make_folder()
        path = self.log_file(env_file)
        try:
            path.unlink(missing_ok=True)  # a link, a pipe or a device as well
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as error:
            raise NO_RECORD.failure(f"{path}: {error.strerror}.") from error

    def log_lock(self, env_file: Path) -> Path:
        """Return the lock that a tunnel's process holds while it can write its log."""
        return self._file(env_file, "log-lock")

    def log_has_stopped(self, env_file: Path) -> bool:
        """Whether the process of a tunnel that runs cannot write its log."""
        try:
            with locked(self.log_lock(env_file)):
                return True
        except LockHeld:
            return False
        except OSError:  # a file system that became read-only
            return True

    @contextmanager
    def starting(self, env_file: Path) -> Iterator[None]:
        """Keep others from opening one for the same `.env` meanwhile.

        Raises:
            Failure: somebody does already.
        """
        self._make_folder()
        try:
            with locked(self._file(env_file, "lock"), LOCK_SECONDS):
                yield
        except LockHeld:
            raise STARTING.failure(str(env_file)) from None

    def _make_folder(self) -> None:
        try:
            private_folder(self._state_dir, _FOLDER)
        except OSError as error:
            raise NO_RECORD.failure(f"{self._folder}: {error.strerror}.") from error

    def _record(self, tunnel: BackgroundTunnel) -> Path:
        # Its `.env` may have become a link since; the record keeps its name.
        return self._folder / f"{file_name(tunnel.env_file)}.json"

    def _file(self, env_file: Path, suffix: str) -> Path:
        return self._folder / f"{file_name(real_path(env_file))}.{suffix}"


def real_path(env_file: Path) -> str:
    """Return the path without links; where they lead in a circle, the path as it is."""
    return os.path.realpath(env_file)


def _read(path: Path) -> BackgroundTunnel | None:
    """Return the tunnel of that record; what is none is put aside."""
    try:
        tunnel = _tunnel_of(load_json(read_file(path, _MAX_BYTES, follow_links=False)))
        if path.stem != file_name(tunnel.env_file):
            raise ValueError("that is the record of another .env")
    except (FileNotFoundError, PermissionError):
        return None  # on Windows it may be on its way into its place
    except (OSError, ValueError):
        with suppress(OSError):
            path.replace(path.with_suffix(".broken"))
        return None
    return tunnel


def _tunnel_of(kept: object) -> BackgroundTunnel:
    """Return the tunnel of the record.

    Raises:
        ValueError: it is no record.
    """
    match kept:
        case {
            "env_file": str(env_file),
            "tunnel": str(tunnel),
            "url": str(url),
            "port": int(port),
            # A signal to process 0 or -1 would go to more than one.
            "pid": int(pid),
            "started": str(started),
            "opened_at": int() | float() as opened_at,
            "trouble": str(trouble),
        } if pid > 0 and 0 <= opened_at < _LAST_TIME and "\0" not in env_file:
            os.fsencode(env_file)
            return BackgroundTunnel(env_file, tunnel, url, port, pid, started, opened_at, trouble)
        case _:
            raise ValueError("that is no tunnel")
