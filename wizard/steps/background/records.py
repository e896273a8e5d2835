"""Records of the tunnels in the background: one file for each `.env`, without secrets.

A process is identified by its PID and start time (`wizard.system.process_control.start_time`), so
a PID that is in use again, even after a reboot, is never mistaken for ours.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from wizard.rules import rule
from wizard.system.locks import LockHeld, locked
from wizard.system.platforms import true_path
from wizard.system.private_files import file_name, private_folder, write_whole
from wizard.system.process_control import end, start_time
from wizard.system.reading import files_in, load_json, read_file

STARTING = rule("LA321")
NOT_STOPPED = rule("LA322")
NO_RECORD = rule("LA327")

LOCK_SECONDS = 1.0
_FOLDER = "background"
# Only the names that `file_name` returns: an invalid record is renamed.
_RECORDS = f"{'[0-9a-f]' * 16}.json"
_MAX_BYTES = 1 << 16
# In the year 9999, the last of `datetime`.
_LAST_TIME = 250e9


class BackgroundTunnel(NamedTuple):
    """A tunnel that runs, or ran, in the background.

    Attributes:
        env_file: the `.env` with its URL.
        tunnel: the provider's name.
        port: LibreChat's port.
        pid: of the process that holds it.
        started: the start of that process, see `start_time`.
        opened_at: seconds since the epoch.
        trouble: why it is down or has ended, in the user's language; "" while it is up.
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
        """Whether its process runs."""
        return start_time(self.pid) == self.started

    def as_json(self) -> dict[str, object]:
        """Return the tunnel as `--json` prints it."""
        return {
            "public_url": self.url,
            "tunnel": self.tunnel,
            "port": self.port,
            "env_file": self.env_file,
            "pid": self.pid,
            "opened_at": datetime.fromtimestamp(self.opened_at, UTC).isoformat(timespec="seconds"),
            "trouble": self.trouble,
        }


class Background:
    """The records of the tunnels in the background.

    Each is named after the resolved path of its `.env`. An invalid record is renamed `*.broken`, so
    that it does not prevent stopping other tunnels.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._folder = state_dir / _FOLDER

    def all(self) -> list[BackgroundTunnel]:
        """Return every recorded tunnel, oldest first; some may have ended."""
        known = filter(None, map(_read, self._files(_RECORDS)))
        return sorted(known, key=lambda one: one.opened_at)

    def of(self, env_file: Path) -> BackgroundTunnel | None:
        """Return the tunnel for that `.env`, which may have ended."""
        return _read(self._file(env_file, "json"))

    def broken(self) -> list[Path]:
        """Return the invalid records."""
        return sorted(self._files("*.broken"))

    def _files(self, pattern: str) -> Iterator[Path]:
        return (path for path in files_in(self._folder) if path.match(pattern))

    def keep(self, tunnel: BackgroundTunnel) -> None:
        """Save the record."""
        self._make_folder()
        write_whole(self._record(tunnel), json.dumps(tunnel._asdict()).encode())

    def forget(self, tunnel: BackgroundTunnel) -> None:
        """Delete the record, unless it now belongs to another tunnel."""
        path = self._record(tunnel)
        known = _read(path)
        if known is None or (known.pid, known.started) == (tunnel.pid, tunnel.started):
            path.unlink(missing_ok=True)

    def stop(self, tunnel: BackgroundTunnel) -> None:
        """End its process, if it is still the recorded one, and delete the record; raise LA322."""
        end(tunnel.pid, tunnel.started)
        if tunnel.runs:
            raise NOT_STOPPED.failure(
                "Process {pid} runs the tunnel {url}.", pid=tunnel.pid, url=tunnel.url
            )
        self.forget(tunnel)

    def log_file(self, env_file: Path) -> Path:
        """Return the log of the tunnel for that `.env`."""
        return self._file(env_file, "log")

    def open_log(self, env_file: Path) -> int:
        """Create that file, readable by the user alone; return a descriptor for appending."""
        self._make_folder()
        path = self.log_file(env_file)
        try:
            path.unlink(missing_ok=True)  # a link, a pipe or a device as well
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as error:
            raise NO_RECORD.failure(f"{path}: {error.strerror}.") from error

    def log_mark(self, env_file: Path) -> Path:
        """Return the file that exists while the process can write its log."""
        return self._file(env_file, "log-mark")

    def log_has_stopped(self, env_file: Path) -> bool:
        """Whether the process of a running tunnel cannot write its log."""
        mark = self.log_mark(env_file)
        return not os.access(mark, os.W_OK)  # nor on a file system that became read-only

    @contextmanager
    def starting(self, env_file: Path) -> Iterator[None]:
        """Prevent other runs from opening a tunnel for the same `.env`, or raise LA321."""
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
        # Its `.env` may have become a link; the record keeps its name.
        return self._folder / f"{file_name(tunnel.env_file)}.json"

    def _file(self, env_file: Path, suffix: str) -> Path:
        return self._folder / f"{file_name(true_path(env_file))}.{suffix}"


def _read(path: Path) -> BackgroundTunnel | None:
    """Return the tunnel of that record; rename an invalid one."""
    try:
        tunnel = _tunnel_of(load_json(read_file(path, _MAX_BYTES, follow_links=False)))
        if path.stem != file_name(tunnel.env_file):
            raise ValueError("that is the record of another .env")
    except (FileNotFoundError, PermissionError):
        return None  # on Windows, while it is being replaced
    except (OSError, ValueError):
        with suppress(OSError):
            path.replace(path.with_suffix(".broken"))
        return None
    return tunnel


def _tunnel_of(kept: object) -> BackgroundTunnel:
    """Return the tunnel of a parsed record; raises ValueError."""
    match kept:
        case {
            "env_file": str(env_file),
            "tunnel": str(tunnel),
            "url": str(url),
            "port": int(port),
            # A signal to 0 or -1 would reach more than one process.
            "pid": int(pid),
            "started": str(started),
            "opened_at": int() | float() as opened_at,
            "trouble": str(trouble),
        } if pid > 0 and 0 <= opened_at < _LAST_TIME and "\0" not in env_file:
            os.fsencode(env_file)
            return BackgroundTunnel(env_file, tunnel, url, port, pid, started, opened_at, trouble)
        case _:
            raise ValueError("that is no tunnel")
