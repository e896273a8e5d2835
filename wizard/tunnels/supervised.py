"""A tunnel that another program holds open: it is watched, and reopened when it breaks."""

from __future__ import annotations

import threading
from abc import abstractmethod
from urllib.parse import urlsplit

from wizard.clock import SleepWatch
from wizard.findings import Failure
from wizard.language import Message
from wizard.rules import rule
from wizard.settings import InvalidValue, parse_public_url
from wizard.text import one_line
from wizard.tunnels import EventKind, Tunnel, TunnelEvent, TunnelRequest, is_under

FOREIGN_URL = rule("LA376")

# https://, a host name of 253 characters (RFC 1035), a port, and what a program adds to it.
LONGEST_URL = 300
LOOK_SECONDS = 1.0
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0


class SupervisedTunnel(Tunnel):
    """What all tunnels of other programs have in common.

    The URL that the program or its server names is used only if it is valid and on the provider's
    own domains. A program that ends is started again until the tunnel is open or closed by the
    user, unless it would get another URL than the one that is saved by then.
    """

    def __init__(self, request: TunnelRequest) -> None:
        self._request = request
        self._closing = threading.Event()
        self._url = ""
        self._lost = ""
        self._state = threading.Lock()
        self._watcher: threading.Thread | None = None

    @property
    @abstractmethod
    def _program(self) -> str:
        """The program's name at the start of a sentence."""

    @property
    @abstractmethod
    def _domains(self) -> tuple[str, ...]:
        """The domains of its URLs, as in `Provider.domains`; empty for any."""

    @abstractmethod
    def _start(self) -> str:
        """Start the program and return the URL, or raise Failure; `_stop` cleans up."""

    @abstractmethod
    def _stop(self) -> None:
        """End what was started; safe at any time, twice, and from another thread."""

    @abstractmethod
    def _ended(self) -> str:
        """Why the tunnel has ended, "" while it runs."""

    def _poll(self) -> None:
        """Look at the program's state; called every `LOOK_SECONDS`."""

    def _on_wake(self) -> None:
        """The computer slept, so connections may be dead without a sign."""

    def _can_come_back(self) -> bool:
        """Whether the program can get the same URL again."""
        return True

    def open(self) -> str:
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

    def _checked(self, named: str) -> str:
        """Return the URL that the program named, normalized, or raise Failure."""
        try:
            if len(named) > LONGEST_URL:
                raise InvalidValue("The host name is too long.")
            url = parse_public_url(named)
        except InvalidValue as invalid:
            reason = Message.of(invalid.reason)
        else:
            if self._is_own(url):
                self._accept(url)
                return url
            reason = Message("its URLs end with {domains}.", domains=" ".join(self._domains))
        raise FOREIGN_URL.failure(
            Message(
                "{program} reported {url}: {reason}",
                program=self._program,
                url=one_line(named[:LONGEST_URL]),
                reason=reason,
            )
        )

    def _is_own(self, url: str) -> bool:
        return not self._domains or is_under(urlsplit(url).hostname or "", self._domains)

    def _accept(self, url: str) -> None:
        """Raise Failure if this is not the requested URL."""

    def _progress(self, line: str) -> None:
        """Show what the user waits for; nobody waits while it reopens."""
        if not self._url:
            self._request.progress(line)

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
        if not self._can_come_back():
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
