"""A tunnel program as a child of ours: its lines are read until it says that it stands."""

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
from wizard.processes import lines_of
from wizard.supervisor import GRACE_SECONDS, NOT_STARTED
from wizard.text import one_line
from wizard.tunnels import TunnelRequest, without_librechat_variables
from wizard.tunnels.supervised import SupervisedTunnel

if TYPE_CHECKING:
    from wizard.findings import Failure
    from wizard.processes import Processes

START_SECONDS = 30.0
LINES_KEPT = 40
# The supervisor asks, kills after a grace, and then ends what is left.
CLOSE_SECONDS = 3 * GRACE_SECONDS


class Child:
    """A program that was started and does not outlive us; `on_line` gets what it says.

    Raises:
        OSError: it is not installed.
    """

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
        """The exit status, None while it runs."""
        return self._process.poll()

    @property
    def said(self) -> tuple[str, ...]:
        """Its last lines."""
        return tuple(self._lines)

    def wait(self, seconds: float) -> int | None:
        """Wait for its end; return the exit status, None if it still runs."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """End the program and all that it started; may be called twice."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self.wait(CLOSE_SECONDS)
        end_child(self._process)
        self.heard_out()

    def heard_out(self) -> None:
        """Wait until the last line of a program that has ended is read."""
        for reader in self._readers:
            if reader is not threading.current_thread():
                reader.join(1.0)

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in lines_of(stream):
                clean = one_line(line.strip())
                if clean:
                    self._lines.append(clean)
                    # Whatever a listener thinks of a line: a pipe that nobody reads stops its
                    # program.
                    with suppress(Exception):
                        self._on_line(clean)


class ChildTunnel(SupervisedTunnel):
    """A tunnel that is a program of its own; a provider says how it is started and read."""

    def __init__(
        self,
        request: TunnelRequest,
        processes: Processes,
        environ: Mapping[str, str],
        *,
        start_seconds: float = START_SECONDS,
    ) -> None:
        super().__init__(request)
        self._processes = processes
        self._environ = without_librechat_variables(environ)
        self._start_seconds = start_seconds
        self._child: Child | None = None
        self._stood: SimpleQueue[str] = SimpleQueue()

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """The program and its arguments.

        Raises:
            Failure: it cannot be started, and what to do.
        """

    @abstractmethod
    def _hear(self, line: str) -> None:
        """Read a line of the program, in a thread of its own: `_stands`, `_lose` and so on."""

    @abstractmethod
    def _explained(self, said: Sequence[str], status: int | None) -> Failure:
        """Why it does not stand, by its last lines; `status` is None while it still runs."""

    def _stands(self, url: str) -> None:
        """Take the URL from a line that says that the tunnel stands."""
        self._stood.put(url)

    def _start(self) -> str:
        self._stood = SimpleQueue()
        command = self._command()
        try:
            child = self._child = Child(self._processes, command, self._environ, self._hear)
        except OSError as error:
            raise self._explained((one_line(str(error)),), NOT_STARTED) from error
        if self._closing.is_set():
            child.close()
        deadline = time.monotonic() + self._start_seconds
        while True:
            try:
                return self._stood.get(timeout=0.05)
            except Empty:
                if child.status is not None:
                    child.heard_out()
                    raise self._explained(child.said, child.status) from None
                if time.monotonic() > deadline:
                    child.close()
                    raise self._explained(child.said, None) from None

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
