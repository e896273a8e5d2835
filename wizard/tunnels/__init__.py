"""HTTPS in front of LibreChat's port: what a `Tunnel` is and who provides one.

A provider is one module here with a `PROVIDER`, its name in `wizard.defaults.TUNNELS`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

from wizard.defaults import ENGLISH, TUNNELS
from wizard.language import Language
from wizard.loopback import Listen, listeners

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wizard.findings import Finding, Rule
    from wizard.processes import Processes

EVENTS_KEPT = 1000
PROVIDER_MODULES: Mapping[str, str] = {name: f"wizard.tunnels.{name}" for name in TUNNELS}


class EventKind(StrEnum):
    """What can happen to an open tunnel."""

    REQUEST = "request"
    LOST = "lost"
    RESTORED = "restored"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class TunnelEvent:
    """Something that happened to an open tunnel.

    A request's `path` comes without its query, which may carry an authorization code;
    `milliseconds` is how long LibreChat took. `detail` is for the other kinds.
    """

    kind: EventKind
    method: str = ""
    path: str = ""
    status: int = 0
    milliseconds: float = 0.0
    detail: str = ""


OnEvent = Callable[[TunnelEvent], None]


def ignore_event(event: TunnelEvent) -> None:
    """A listener that does nothing."""


class _Aside:
    """Calls a listener in a thread of its own, so that its errors and delays end there.

    A listener that does not keep up, such as a terminal held by Ctrl-S, misses requests.
    """

    def __init__(self, listener: OnEvent) -> None:
        self._listener = listener
        self._events: SimpleQueue[TunnelEvent] = SimpleQueue()
        self._begun = threading.Lock()

    def __call__(self, event: TunnelEvent) -> None:
        if event.kind is EventKind.REQUEST and self._events.qsize() >= EVENTS_KEPT:
            return
        self._events.put(event)
        if self._begun.acquire(blocking=False):
            threading.Thread(target=self._listen, name="events", daemon=True).start()

    def _listen(self) -> None:
        while True:
            event = self._events.get()
            with suppress(Exception):
                self._listener(event)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a provider can do on this machine, in one line each.

    Attributes:
        ready: whether `open` can be expected to work without anything more from the user.
        needs: what it needs, and where that was found or that it is missing; a text that ends a
            sentence.
        stable_url: whether the public URL stays the same the next time.
        public: whether other machines reach the URL.
        credential_question: asks for the credential that is missing, "" if none is.
        credential_hint: where the user finds that credential.
        save_credential: keeps the credential in the provider's own configuration and returns that
            file; raises Failure.
    """

    ready: bool
    needs: str
    stable_url: bool
    public: bool
    credential_question: str = ""
    credential_hint: str = ""
    save_credential: Callable[[str], Path] | None = None


@dataclass(frozen=True, slots=True)
class TunnelRequest:
    """What the user wants of a tunnel.

    Attributes:
        port: LibreChat's port on this machine.
        requested_url: the host name or URL that is asked for, "" for the provider's choice.
        token: the provider's credential when the user just gave one, "" otherwise.
        on_event: gets what happens to the open tunnel, in a thread of its own; neither its errors
            nor its delays reach the tunnel.
        progress: called with one line on what takes time (a download, a start).
        language: of the pages that visitors meet in LibreChat's stead.
        state_dir: a private folder (mode 0700) for certificates and the like; it is kept.
        for_people: whether browsers of people will open the URL; nobody else needs advice.
        listen: opens a port of this machine, where the tunnel itself does.
    """

    port: int
    state_dir: Path
    requested_url: str = ""
    token: str = field(default="", repr=False)
    on_event: OnEvent = ignore_event
    progress: Callable[[str], None] = field(default=lambda _: None)
    language: Language = field(default_factory=lambda: Language(ENGLISH))
    for_people: bool = True
    listen: Listen = listeners

    def __post_init__(self) -> None:
        if self.on_event is not ignore_event and not isinstance(self.on_event, _Aside):
            object.__setattr__(self, "on_event", _Aside(self.on_event))


class Tunnel(ABC):
    """An HTTPS URL that leads to the port; `with tunnel as url:` opens and closes it.

    Whatever `open` started, `close` stops, and nothing else; `close` may come at any time,
    twice, and from another thread.
    """

    @abstractmethod
    def open(self) -> str:
        """Open and return the public URL: `https://`, no path, no trailing slash.

        Raises:
            Failure: with exit code TUNNEL and the way out.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop what was started."""

    @abstractmethod
    def healthy(self) -> bool:
        """Whether the tunnel still stands."""

    @property
    def findings(self) -> Sequence[Finding]:
        """What is to be known of the open tunnel; of most there is nothing."""
        return ()

    def __enter__(self) -> str:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Provider(Protocol):
    """One way to an HTTPS URL.

    Attributes:
        name: the value of `--tunnel`.
        summary: one sentence for the menu, beside what its `Offer` says.
        domains: the hosts of its URLs; a leading dot matches every host below.
        has_reusable_url: whether a URL that it once gave can be requested again.
        lost_url_rules: the rules that say that such a URL belongs to somebody else now.
        url_in_use_rules: the rules that say that another process of this user has the URL.
    """

    name: str
    summary: str
    domains: tuple[str, ...]
    has_reusable_url: bool
    lost_url_rules: tuple[Rule, ...]
    url_in_use_rules: tuple[Rule, ...]

    def offer(self, processes: Processes, environ: Mapping[str, str]) -> Offer:
        """What this provider can do on this machine; quick, and changes nothing."""
        ...

    def tunnel(
        self, request: TunnelRequest, processes: Processes, environ: Mapping[str, str]
    ) -> Tunnel:
        """A tunnel that is not open yet."""
        ...


def provider(name: str) -> Provider:
    """The provider of that name; its module is imported only now.

    Raises:
        KeyError: there is none.
    """
    return cast(Provider, import_module(PROVIDER_MODULES[name]).PROVIDER)


def without_librechat_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for a tunnel program: none of LibreChat's own settings, no secret of ours.

    localtunnel takes `HOST` and `PORT` for its own options.
    """
    from wizard.processes import without_secrets

    return {
        name: value
        for name, value in without_secrets(environ).items()
        if name not in {"HOST", "PORT", "SUBDOMAIN"} and not name.startswith("LIBRECHAT_")
    }


def providers_of(url: str) -> list[str]:
    """Return the names of the providers whose URLs look like that one."""
    return [name for name in PROVIDER_MODULES if is_of(provider(name), url)]


def is_of(provider: Provider, url: str) -> bool:
    """Whether the provider's URLs look like that one."""
    host = urlsplit(url).hostname or ""
    return any(is_under(host, domain) for domain in provider.domains)


def is_under(host: str, domain: str) -> bool:
    """Whether the host is that domain, or below it where it begins with a dot."""
    return host.endswith(domain) if domain.startswith(".") else host == domain
