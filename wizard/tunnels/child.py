"""A tunnel program as a child process, which says in its output when the tunnel is open."""

from __future__ import annotations

import subprocess
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import IO, TYPE_CHECKING

from wizard.language import Message
from wizard.process_control import end_child
from wizard.processes import lines_of, without_secrets
from wizard.supervisor import GRACE_SECONDS, NOT_STARTED
from wizard.text import one_line
from wizard.tunnels import TunnelRequest
from wizard.tunnels.supervised import SupervisedTunnel

if TYPE_CHECKING:
    from wizard.findings import Failure
    from wizard.processes import Processes
    from wizard.tunnels.proxy import Proxy

LINES_KEPT = 40
# The supervisor asks the program to end, kills it after a grace, then ends what is left.
CLOSE_SECONDS = 3 * GRACE_SECONDS


class Child:
    """A running program that does not outlive us, or OSError; `on_line` gets each line."""

    def __init__(
        self,
        processes: Processes,
        args: Sequence[str],
        environ: Mapping[str, str],
        on_line: Callable[[str], None],
    ) -> None:
        self._on_line = on_line
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._process = processes.start(args, env=environ)
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), name=args[0], daemon=True)
            for stream in (self._process.stdout, self._process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def status(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._process.poll()

    @property
    def said(self) -> tuple[str, ...]:
        """The last lines of output."""
        return tuple(self._lines)

    def wait(self, seconds: float) -> int | None:
        """Wait for the end; return the exit status, or None if it still runs."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """End the program and all that it started; safe to call twice."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self.wait(CLOSE_SECONDS)
        end_child(self._process)
        self.wait_for_output()

    def wait_for_output(self) -> None:
        """Wait until all output of a program that has ended is read."""
        for reader in self._readers:
            if reader is not threading.current_thread():
                reader.join(1.0)

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in lines_of(stream):
                if clean := one_line(line.strip()):
                    self._lines.append(clean)
                    # Read on after an error: a full pipe would stop the program.
                    with suppress(Exception):
                        self._on_line(clean)


class ChildTunnel(SupervisedTunnel):
    """A tunnel that is a program; a subclass says how to start it and how to read its output."""

    start_seconds = 30.0

    def __init__(
        self, request: TunnelRequest, processes: Processes, environ: Mapping[str, str]
    ) -> None:
        super().__init__(request)
        self._processes = processes
        self._environ = {
            name: value for name, value in without_secrets(environ).items() if self._passes(name)
        }
        self._child: Child | None = None
        self._urls: SimpleQueue[str] = SimpleQueue()

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """Return the program and its arguments, or raise Failure."""

    @abstractmethod
    def _hear(self, line: str) -> None:
        """Read a line of output, in a thread of its own: call `_is_open_at`, `_lose`, `_regain`."""

    @abstractmethod
    def explain(self, said: Sequence[str], status: int | None) -> Failure:
        """Why it did not open, from its last lines and exit status (None while it runs)."""

    def _passes(self, name: str) -> bool:
        """Whether the program gets this environment variable: none of LibreChat's or of ours.

        localtunnel takes `HOST` and `PORT` for its own options.
        """
        return name not in {"HOST", "PORT", "SUBDOMAIN"} and not name.startswith("LIBRECHAT_")

    def _is_open_at(self, url: str) -> None:
        """The program says that the tunnel is open."""
        self._urls.put(url)

    def _start(self) -> str:
        self._urls = SimpleQueue()
        command = self._command()
        try:
            child = self._child = Child(self._processes, command, self._environ, self._hear)
        except OSError as error:
            raise self.explain((one_line(str(error)),), NOT_STARTED) from error
        if self._closing.is_set():
            child.close()
        deadline = time.monotonic() + self.start_seconds
        while True:
            try:
                return self._urls.get(timeout=0.05)
            except Empty:
                if child.status is not None:
                    child.wait_for_output()
                    raise self.explain(child.said, child.status) from None
                if time.monotonic() > deadline:
                    child.close()
                    raise self.explain(child.said, None) from None

    def _stop(self) -> None:
        if self._child is not None:
            self._child.close()

    def _ended(self) -> str:
        status = self._child.status if self._child else None
        if status is None:
            return ""
        return Message(
            "{program} ended (exit status {status})", program=self._program, status=status
        )


class ProxiedTunnel(ChildTunnel):
    """A program that leads to LibreChat through our proxy.

    The proxy has a page for visitors while LibreChat is down, reports each request, and saves what
    `verify` looks for, which such programs do not.
    """

    _proxy: Proxy | None = None

    @property
    def _inner_port(self) -> int:
        """The port for the program to lead to."""
        return self._proxy.port if self._proxy is not None else self._request.port

    def _start(self) -> str:
        from wizard.tunnels.proxy import serve

        self._proxy = serve(self._request, None, self._request.listen(0))
        return super()._start()

    def _stop(self) -> None:
        super()._stop()
        if self._proxy is not None:
            self._proxy.end()
