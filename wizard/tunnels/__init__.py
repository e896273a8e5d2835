"""HTTPS in front of LibreChat's port: `Tunnel`, and the `Provider` of each kind of tunnel.

A provider is one module here with a `PROVIDER`; its name is in `wizard.defaults.TUNNELS`.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlsplit

from wizard.defaults import ENGLISH, TUNNELS
from wizard.language import Language
from wizard.system.loopback import Listen, listeners

if TYPE_CHECKING:
    from wizard.findings import Finding, Rule
    from wizard.sign_in_traffic import Passage
    from wizard.system.processes import Processes

EVENTS_KEPT = 1000


class EventKind(StrEnum):
    """What can happen to an open tunnel."""

    REQUEST = "request"
    LOST = "lost"
    RESTORED = "restored"
    CLOSED = "closed"


class TunnelEvent(NamedTuple):
    """What happened to an open tunnel.

    The `path` of a request has no query, which may carry an authorization code; `milliseconds` is
    how long LibreChat took; `passage` is what a request of a sign-in showed. The other kinds have a
    `detail`.
    """

    kind: EventKind
    method: str = ""
    path: str = ""
    status: int = 0
    milliseconds: float = 0.0
    detail: str = ""
    passage: "Passage | None" = None


OnEvent = Callable[[TunnelEvent], None]


def ignore_event(event: TunnelEvent) -> None:
    """A listener that does nothing."""


class QueuedListener:
    """Calls a listener in a separate thread, so that its errors and delays harm no request.

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
            with suppress(Exception):
                self._listener(self._events.get())


class Offer(NamedTuple):
    """What a provider can do on this machine; a text is "" where it has nothing to say."""

    ready: bool  # `open` is expected to work without anything more from the user
    needs: str  # what it needs and where that was found, or that it is missing; ends a sentence
    credential_question: str = ""  # asks for the missing credential
    credential_hint: str = ""  # where the user finds it
    missing: str = ""  # what an installed program lacks, in a few words for a menu
    download_question: str = ""  # asks whether to download its program
    # Saves the credential in the provider's own configuration and returns that file, or Failure.
    save_credential: Callable[[str], Path] | None = None


@dataclass(frozen=True, slots=True)
class TunnelRequest:
    """What the user wants of a tunnel."""

    port: int  # LibreChat's
    state_dir: Path  # private (mode 0700), for certificates and the like
    requested_url: str = ""  # or a host name; "" for the provider's choice
    token: str = field(default="", repr=False)  # a credential that the user just entered
    on_event: OnEvent = ignore_event  # called in a separate thread
    progress: Callable[[str], None] = field(default=lambda _: None)  # before what takes time
    # Of the pages that visitors see while LibreChat does not answer.
    language: Language = field(default_factory=lambda: Language(ENGLISH))
    for_people: bool = True  # who open the URL in a browser and need advice about it
    listen: Listen = listeners

    def __post_init__(self) -> None:
        """Queue events, unless that is done already (`dataclasses.replace`)."""
        if self.on_event is not ignore_event and not isinstance(self.on_event, QueuedListener):
            object.__setattr__(self, "on_event", QueuedListener(self.on_event))


class Tunnel(ABC):
    """An HTTPS URL that leads to the port; `with tunnel as url:` opens and closes it."""

    findings: "tuple[Finding, ...]" = ()  # what the user must know about the open tunnel

    @abstractmethod
    def open(self) -> str:
        """Open and return the URL (`https://`, no path or trailing slash), or raise Failure."""

    @abstractmethod
    def close(self) -> None:
        """Stop what `open` started; safe at any time, twice, and from another thread."""

    def __enter__(self) -> str:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()


class Provider(Tunnel):
    """One kind of tunnel; an instance is one that is not open yet.

    Attributes:
        name: its module's.
        summary: one or two sentences for the details in the menu, beside its `Offer`.
        domains: of its URLs; a leading dot matches every host below. Any where it is empty.
        is_public: other machines reach the URL.
        has_stable_url: the URL is the same the next time.
        no_choice: refuses a requested URL, where each tunnel has a new one.
        lost_url: somebody else has the URL of an earlier run now.
        url_in_use: another process of this user has it.
    """

    name: str
    summary: str
    domains: tuple[str, ...]
    is_public = True
    has_stable_url = False
    no_choice: "Rule | None" = None
    lost_url: "Rule | None" = None
    url_in_use: "Rule | None" = None

    @abstractmethod
    def __init__(
        self, request: TunnelRequest, processes: "Processes", environ: Mapping[str, str]
    ) -> None: ...

    @staticmethod
    @abstractmethod
    def offer(processes: "Processes", environ: Mapping[str, str]) -> Offer:
        """Return what it can do on this machine; quick, and changes nothing."""


def provider(name: str) -> type[Provider]:
    """Import and return the provider of that name, which is one of `TUNNELS`."""
    return cast(type[Provider], import_module(f"wizard.tunnels.{name}").PROVIDER)


def providers_of(url: str) -> list[str]:
    """Return the names of the providers on whose domains the URL is."""
    return [name for name in TUNNELS if is_own(url, provider(name).domains)]


def is_own(url: str, domains: tuple[str, ...]) -> bool:
    """Whether the URL is on these domains, see `Provider`."""
    host = urlsplit(url).hostname or ""
    return not domains or any(
        host.endswith(it) if it.startswith(".") else host == it for it in domains
    )
