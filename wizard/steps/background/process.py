"""The process that holds a tunnel in the background; `tunnel` starts it and sends it orders."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from wizard.findings import ExitCode, Failure
from wizard.language import Language
from wizard.steps.background.records import Background, BackgroundTunnel
from wizard.steps.live_view import LiveView
from wizard.system.platforms import reader_has_gone
from wizard.system.process_control import start_time
from wizard.system.reading import load_json
from wizard.text import one_line
from wizard.tunnels import EventKind, TunnelEvent, TunnelRequest, provider

LOG_BYTES = 1 << 20
STAY = "stay"


def main() -> int:
    """Run the process; return its exit status."""
    from wizard.system.interrupts import end_on_signals

    os.umask(0o077)
    end_on_signals()
    try:
        order = load_json(sys.stdin.readline())
        return _Holder(order).run()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except OSError as error:
        if not reader_has_gone(error):
            raise
        return ExitCode.INTERRUPTED


class _Holder:
    """Opens and holds the tunnel of the order."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        from wizard.http import Https

        state_dir = Path(order["state_dir"])
        self._environ = dict(os.environ)
        self._name = str(order["tunnel"])
        self._language = Language.named(order["language"])
        self._view = LiveView(order["port"], Https(self._environ), self._write)
        self._background = Background(state_dir)
        self._env_file = str(order["env_file"])
        self._log = Log(self._background.log_mark(Path(self._env_file)))
        self._known: BackgroundTunnel | None = None
        self._request = TunnelRequest(
            port=order["port"],
            state_dir=state_dir,
            requested_url=order["requested_url"],
            token=order["token"],
            on_event=self._hear,
            progress=self._tell,
            language=Language.named(order["language_of_pages"]),
        )

    def run(self) -> int:
        from wizard.system.processes import Processes

        tunnel = provider(self._name)(self._request, Processes(), self._environ)
        try:
            with tunnel as url:
                send(sys.stdout, {"url": url})
                if load_json(sys.stdin.readline() or '""') != STAY:
                    return ExitCode.INTERRUPTED
                self._stay(url)
        except Failure as failure:
            detail, fix = map(self._language.say, (failure.finding.detail, failure.finding.fix))
            translated = failure.finding._replace(detail=detail, fix=fix)
            send(sys.stdout, {"failure": translated.as_json()})
            return failure.exit_code
        return ExitCode.TUNNEL

    def _stay(self, url: str) -> None:
        """Save its record, report that, close the pipes, and hold it until it ends."""
        pid = os.getpid()
        known = self._known = BackgroundTunnel(
            env_file=self._env_file,
            tunnel=self._name,
            url=url,
            port=self._request.port,
            pid=pid,
            started=start_time(pid) or "",
            opened_at=time.time(),
        )
        try:
            self._background.keep(known)
            send(sys.stdout, {"stays": pid})
            nothing = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1):
                os.dup2(nothing, descriptor)
            os.close(nothing)
            self._view.watch(url, lambda _: None)
        except BaseException:
            self._background.forget(known)
            raise

    def _hear(self, event: TunnelEvent) -> None:
        self._view.hear(event)
        if self._known is not None and event.kind is not EventKind.REQUEST:
            trouble = "" if event.kind is EventKind.RESTORED else event.detail
            self._known = self._known._replace(trouble=self._language.say(trouble))
            self._background.keep(self._known)

    def _tell(self, line: str) -> None:
        """Send progress to the command while it waits, and to the log afterwards."""
        if self._known is None:
            send(sys.stdout, {"progress": self._language.say(line)})
        else:
            self._write(line)

    def _write(self, line: str) -> None:
        self._log.write(self._language.say(line))


class Log:
    """The log file: our standard error, truncated when it is full.

    Args:
        mark: a file that exists while the log can be written, for `tunnel status`. Even a full
            disk lets it be removed.
    """

    def __init__(self, mark: Path) -> None:
        self._mark = mark
        self._turn = threading.Lock()
        self._is_marked = False
        self._set_mark(True)

    def write(self, line: str) -> None:
        """Write a line, and set or remove the mark."""
        text = f"{one_line(line)}\n".encode()
        with self._turn:
            is_written = _is_written(text)
            if is_written != self._is_marked:
                self._set_mark(is_written)

    def _set_mark(self, exists: bool) -> None:
        with suppress(OSError):
            self._mark.unlink(missing_ok=True)  # a link as well
            if exists:
                self._mark.touch(0o600, exist_ok=False)
            self._is_marked = exists


def _is_written(text: bytes) -> bool:
    """Write a line to the log; return whether it was written in full."""
    try:
        size = os.fstat(2).st_size
        if size > LOG_BYTES:
            size = 0
            os.ftruncate(2, 0)
            os.lseek(2, 0, os.SEEK_SET)  # Windows does not inherit O_APPEND
        if os.write(2, text) == len(text):
            return True
        os.ftruncate(2, size)  # half a line
    except OSError:
        pass
    return False


def send(pipe: IO[str] | None, word: object) -> None:
    """Write a line of JSON."""
    if pipe is not None:
        pipe.write(f"{json.dumps(word)}\n")
        pipe.flush()


if __name__ == "__main__":
    sys.exit(main())
