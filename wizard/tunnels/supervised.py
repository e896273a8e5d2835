"""A tunnel that another program holds open: watched, and opened again when it breaks."""

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
    """What every tunnel of another program has in common.

    The URL that the program, or its server, names is taken only if it is valid as one that a user
    gives, and of the provider's own domains (`_domains`).

    A provider says how its program is started and stopped (`_start`, `_stop`), whether it has
    ended (`_ended`), and reports what it reads of the program's own reconnecting (`_lose`,
    `_regain`). A program that ended is started again until it stands or the tunnel is closed,
    unless that would give another URL than the one that is written down everywhere by now.
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
        """The program's name, for people; a text where it begins a sentence with a word."""

    @property
    @abstractmethod
    def _domains(self) -> tuple[str, ...]:
        """The hosts that its URL may have, as in `Provider.domains`; empty for any host."""

    @abstractmethod
    def _start(self) -> str:
        """Start the program and return the URL that it names once the tunnel is open.

        What was started before a failure is for `_stop` to end.

        Raises:
            Failure: with exit code TUNNEL and the way out.
        """

    @abstractmethod
    def _stop(self) -> None:
        """End what was started; may come at any time, twice, and from another thread."""

    @abstractmethod
    def _ended(self) -> str:
        """Why the tunnel no longer stands, "" while it does."""

    def _observe(self) -> None:
        """Look at what passes through; called once in `LOOK_SECONDS`."""

    def _woke(self) -> None:
        """The computer slept: connections may be dead, and nobody will tell."""

    def _can_come_back(self) -> bool:
        """Whether the same URL can be had again."""
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

    def healthy(self) -> bool:
        return bool(self._url) and not self._lost and not self._closing.is_set()

    def _checked(self, named: str) -> str:
        """Return the URL that the program named, in its usual form.

        Raises:
            Failure: LA376, or what `_accept` raises.
        """
        try:
            if len(named) > LONGEST_URL:
                raise InvalidValue("No host name is so long.")
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
                "{program} named {url}: {reason}",
                program=self._program,
                url=one_line(named[:LONGEST_URL]),
                reason=reason,
            )
        )

    def _is_own(self, url: str) -> bool:
        """Whether the URL is of the provider's own domains."""
        host = urlsplit(url).hostname or ""
        return not self._domains or any(is_under(host, domain) for domain in self._domains)

    def _accept(self, url: str) -> None:
        """Refuse a URL that is the provider's own, but not the one that was asked for.

        Raises:
            Failure: with exit code TUNNEL and the way out.
        """

    def _progress(self, line: str) -> None:
        """Tell what the user waits for; nobody waits for a tunnel that is opened again."""
        if not self._url:
            self._request.progress(line)

    def _lose(self, why: str) -> None:
        """Tell that nothing passes any more, once for each loss."""
        with self._state:
            known, self._lost = self._lost, why
        if not known:
            self._tell(EventKind.LOST, why)

    def _regain(self) -> None:
        """Tell that it passes again."""
        with self._state:
            known, self._lost = self._lost, ""
        if known:
            self._tell(EventKind.RESTORED, self._url)

    def _tell(self, kind: EventKind, detail: str) -> None:
        if not self._closing.is_set():
            self._request.on_event(TunnelEvent(kind, detail=detail))

    def _watch(self) -> None:
        sleep = SleepWatch()
        while not self._closing.wait(LOOK_SECONDS):
            if sleep.slept():
                self._woke()
            if why := self._ended():
                self._lose(why)
                if not self._open_again(why):
                    return
            self._observe()

    def _open_again(self, why: str) -> bool:
        if not self._can_come_back():
            self._tell(EventKind.CLOSED, why)
            return False
        told, delay = why, FIRST_DELAY_SECONDS
        while not self._closing.wait(delay):
            delay = min(2 * delay, LONGEST_DELAY_SECONDS)
            self._stop()
            try:
                url = self._checked(self._start())
            except Failure as failure:
                title = Message.of(failure.finding.rule.title)
                if title != told:
                    self._tell(EventKind.LOST, title)
                told = title
                continue
            if url == self._url:
                self._regain()
                return True
            self._stop()
            ended = Message(
                "{reason}; opened again, the URL would be {url}", reason=Message.of(why), url=url
            )
            self._tell(EventKind.CLOSED, ended)
            return False
        return False
