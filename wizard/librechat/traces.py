"""What the process that runs LibreChat left: its start, its log, and files changed since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from wizard.librechat.log import EMPTY, Log, read_container_log, read_log
from wizard.librechat.runner import Runner
from wizard.processes import Processes

# Seconds: the system knows a start to about one, and LibreChat reads its files a moment later.
_MARGIN = 2.0


class Traces(NamedTuple):
    """What LibreChat left; times are seconds since the epoch.

    Attributes:
        started: when it started, None where none is known to run.
        log: its lines since then; all where nothing runs.
        newer: the files that it reads when it starts and that were changed after that.
    """

    started: float | None = None
    log: Log = EMPTY
    newer: Mapping[str, float] = MappingProxyType({})


NOTHING = Traces()


def traces_of(
    runner: Runner,
    folder: Path,
    values: Mapping[str, str],
    files: Iterable[Path],
    processes: Processes,
) -> Traces:
    """Return what a LibreChat of this folder left; nothing where another one has its port.

    Args:
        runner: who runs LibreChat.
        folder: of the checkout.
        values: the variables that LibreChat gets.
        files: what it reads when it starts.
        processes: for `docker logs`.
    """
    if runner.other_folder is not None:
        return NOTHING
    started = _started(runner)
    since = max(0.0, (started or 0.0) - _MARGIN)
    if runner.container is not None:
        log = read_container_log(processes, runner.container, since)
    else:
        log = read_log(folder, values, since)
    changed = {path.name: _changed(path) for path in files}
    newer = {name: at for name, at in changed.items() if started and at > started + _MARGIN}
    return Traces(started, log, newer)


def _started(runner: Runner) -> float | None:
    if runner.container is not None:
        return runner.container.started if runner.container.is_running else None
    return runner.process.started if runner.process else None


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
