"""A tunnel that another program holds open: it is watched, and started again when it ends."""

import re
import subprocess
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import IO, TYPE_CHECKING, NamedTuple

from wizard.findings import Failure
from wizard.language import Message
from wizard.rules import rule
from wizard.settings import InvalidValue, parse_public_url
from wizard.system.clock import SleepWatch
from wizard.system.process_control import end_child
from wizard.system.processes import lines_of, without_secrets
from wizard.system.supervisor import GRACE_SECONDS, NOT_STARTED
from wizard.text import one_line
from wizard.tunnels import EventKind, Offer, Provider, TunnelEvent, TunnelRequest, is_own

if TYPE_CHECKING:
    from wizard.findings import Rule
    from wizard.system.processes import Processes
    from wizard.tunnels.proxy import Proxy

LINES_KEPT = 40
# The supervisor asks the program to end, kills it after a grace, then ends what is left.
CLOSE_SECONDS = 3 * GRACE_SECONDS
# https://, a host name of 253 characters (RFC 1035), a port, and what a program adds to it.
LONGEST_URL = 300
LOOK_SECONDS = 1.0
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0

FOREIGN_URL = rule("LA376")


class Child:
    """A running program that does not outlive us, or OSError; `on_line` gets each line."""

    def __init__(
        self,
        processes: "Processes",
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


class ChildTunnel(Provider):
    """A tunnel that is a program; a subclass says how to start it and how to read its output.

    The URL that the program or its server names is used only if it is valid and on the provider's
    own domains. A program that ends is started again until the tunnel is open or closed by the
    user, unless it would get another URL than the one that is saved by then.

    Attributes:
        _program: its name at the start of a sentence.
        withheld: matches the environment variables that the program does not get.
    """

    _program: str
    withheld = r"HOST|PORT|LIBRECHAT_.*"  # LibreChat's and ours
    start_seconds = 30.0

    def __init__(
        self, request: TunnelRequest, processes: "Processes", environ: Mapping[str, str]
    ) -> None:
        self._request = request
        self._processes = processes
        self._environ = {
            name: value
            for name, value in without_secrets(environ).items()
            if not re.fullmatch(self.withheld, name)
        }
        self._child: Child | None = None
        self._urls: SimpleQueue[str] = SimpleQueue()
        self._url = self._lost = ""
        self._state = threading.Lock()
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None

    # For subclasses to define

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """Return the program and its arguments, or raise Failure."""

    @abstractmethod
    def _hear(self, line: str) -> None:
        """Read a line of output, in a separate thread: call `_is_open_at`, `_lose`, `_regain`."""

    @abstractmethod
    def explain(self, said: Sequence[str], status: int | None) -> Failure:
        """Why it did not open, from its last lines and exit status (None while it runs)."""

    def _poll(self) -> None:
        """Look at the program's state; called every `LOOK_SECONDS`."""

    def _on_wake(self) -> None:
        """The computer slept, so connections may be dead without a sign."""

    # For subclasses to use

    @property
    def _wanted(self) -> str:
        """The URL to open: the one that was open before, else the requested one, or ""."""
        return self._url or self._request.requested_url

    def _find(self, program: str, missing: "Rule") -> str:
        """Return the path of an installed program, or raise the failure of that rule."""
        if found := self._processes.which(program):
            return str(found)
        raise missing.failure()

    def _progress(self, line: str) -> None:
        """Show what the user waits for; nobody waits while it reopens."""
        if not self._url:
            self._request.progress(line)

    def _is_open_at(self, url: str) -> None:
        """The program says that the tunnel is open."""
        self._urls.put(url)

    def _lose(self, why: str) -> None:
        """Report that the tunnel is down, once for each loss."""
        with self._state:
            known, self._lost = self._lost, why
        if not known:
            self._report(EventKind.LOST, why)

    def _regain(self) -> None:
        """Report that the tunnel is up again."""
        with self._state:
            known, self._lost = self._lost, ""
        if known:
            self._report(EventKind.RESTORED, self._url)

    # Lifecycle

    def open(self) -> str:
        if self.no_choice is not None and self._request.requested_url:
            raise self.no_choice.failure(self._request.requested_url)
        try:
            self._url = self._checked(self._start())
        except BaseException:
            self.close()
            raise
        self._watcher = threading.Thread(target=self._watch, name="tunnel", daemon=True)
        self._watcher.start()
        return self._url

    def close(self) -> None:
        self._closing.set()
        self._stop()
        if self._watcher and self._watcher is not threading.current_thread():
            self._watcher.join()
            self._stop()  # what it may have started meanwhile

    def _start(self) -> str:
        """Start the program and return the URL, or raise Failure; `_stop` cleans up."""
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
        """End what was started; safe at any time, twice, and from another thread."""
        if self._child is not None:
            self._child.close()

    def _ended(self) -> str:
        """Why the tunnel has ended, "" while it runs."""
        status = self._child.status if self._child else None
        if status is None:
            return ""
        return Message(
            "{program} ended (exit status {status})", program=self._program, status=status
        )

    def _checked(self, named: str) -> str:
        """Return the URL that the program named, normalized, or raise Failure."""
        return _own_url(named, self._program, self.domains)

    def _report(self, kind: EventKind, detail: str) -> None:
        if not self._closing.is_set():
            self._request.on_event(TunnelEvent(kind, detail=detail))

    def _watch(self) -> None:
        sleep = SleepWatch()
        while not self._closing.wait(LOOK_SECONDS):
            if sleep.slept():
                self._on_wake()
            if why := self._ended():
                self._lose(why)
                if not self._open_again(why):
                    return
            self._poll()

    def _open_again(self, why: str) -> bool:
        if self.no_choice is not None:
            self._report(EventKind.CLOSED, why)
            return False
        reported, delay = why, FIRST_DELAY_SECONDS
        while not self._closing.wait(delay):
            delay = min(2 * delay, LONGEST_DELAY_SECONDS)
            self._stop()
            try:
                url = self._checked(self._start())
            except Failure as failure:
                title = Message.of(failure.finding.rule.title)
                if title != reported:
                    self._report(EventKind.LOST, title)
                reported = title
                continue
            if url == self._url:
                self._regain()
                return True
            self._stop()
            ended = Message(
                "{reason}; a new tunnel would have another URL, {url}",
                reason=Message.of(why),
                url=url,
            )
            self._report(EventKind.CLOSED, ended)
            return False
        return False


def _own_url(named: str, program: str, domains: tuple[str, ...]) -> str:
    try:
        if len(named) > LONGEST_URL:
            raise InvalidValue("The host name is too long.")
        url = parse_public_url(named)
    except InvalidValue as invalid:
        reason = Message.of(invalid.reason)
    else:
        if is_own(url, domains):
            return url
        reason = Message("its URLs end with {domains}.", domains=" ".join(domains))
    url = one_line(named[:LONGEST_URL])
    raise FOREIGN_URL.failure(
        Message("{program} reported {url}: {reason}", program=program, url=url, reason=reason)
    )


class ProxiedTunnel(ChildTunnel):
    """A program that leads to LibreChat through our proxy.

    The proxy has a page for visitors while LibreChat is down, reports each request, and saves what
    `verify` looks for, which such programs do not.
    """

    _proxy: "Proxy | None" = None

    @property
    def _inner_port(self) -> int:
        """The port for the program to lead to."""
        return self._proxy.port if self._proxy is not None else self._request.port

    def _start(self) -> str:
        from wizard.tunnels.proxy import Proxy

        self._proxy = Proxy(self._request, None, self._request.listen(0))
        return super()._start()

    def _stop(self) -> None:
        super()._stop()
        if self._proxy is not None:
            self._proxy.end()


class NpmProgram(NamedTuple):
    """A program as it is installed, else of npm's `package`, a `name@version`."""

    name: str
    package: str

    def command(self, processes: "Processes") -> tuple[str, ...]:
        """Return how to start it: as installed, else by npx; () without either.

        npx runs a version that is in its cache without a question to the registry.
        """
        if installed := processes.which(self.name):
            return (str(installed),)
        npx = processes.which("npx")
        return (str(npx), "--yes", "--prefer-offline", self.package) if npx else ()

    def announcement(self) -> Message:
        """Return what to say before npx runs it."""
        return Message("npx downloads {package} if it is missing", package=self.package)

    def offer(self, processes: "Processes", installed: Message, missing: str) -> Offer:
        """Return the offer of its tunnel, not ready where it would be downloaded.

        `installed` is what it needs, with a field for the `program`.
        """
        command = self.command(processes)
        needs, question = Message.of(missing), ""
        if len(command) == 1:
            needs = installed.filled(program=command[0])
        elif command:
            needs = Message("npm's {package} (downloaded by npx)", package=self.package)
            question = Message("Download npm's {package} with npx?", package=self.package)
        is_ready = len(command) == 1
        return Offer(is_ready, needs, download_question=question)


def exit_text(status: int | None) -> Message:
    """Return what is known of a program that ended and printed nothing."""
    return Message("exit status {status}", status=status)
