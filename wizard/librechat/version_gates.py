"""What each LibreChat version can do, and where it fails: the same for `init` and for the rules.

Source: api/strategies/openidStrategy.js and api/server/services/AuthService.js at the releases'
tags. Read there, not run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from wizard.findings import Finding
from wizard.language import Message, sentences
from wizard.librechat.variables import first_version, is_read, known_names
from wizard.librechat.versions import is_older
from wizard.rules import rule
from wizard.settings import Settings, is_loopback

SECRETLESS_TOO_NEW = rule("LA104")
AUDIENCE_NEEDED = rule("LA113")
AUDIENCE_LIST_TOO_NEW = rule("LA115")
VERSION_FAULT = rule("LA146")
UNREAD = rule("LA147")
CANNOT_REUSE = rule("LA172")
REUSE_STAYS_OFF = rule("LA173")

SENDS_AUDIENCE = "0.8.0-rc1"


class Setup(NamedTuple):
    """What a version may not be able to do; `runner` says in a sentence who runs it."""

    version: str
    reuses_tokens: bool
    audiences: tuple[str, ...]
    has_secret: bool
    public_url: str
    runner: str = ""

    @classmethod
    def of(cls, settings: Settings, version: str, runner: str = "") -> "Setup":
        """The setup that `init` is about to write."""
        return cls(
            version,
            settings.reuse_tokens,
            settings.audiences,
            bool(settings.client_secret),
            settings.public_url,
            runner,
        )

    def runs_before(self, version: str) -> bool:
        """Whether LibreChat is known to be older than that."""
        return is_older(self.version, version)

    @property
    def this_version(self) -> Message:
        """Which version this is, as a sentence; only where it is known."""
        return sentences(self.runner, Message("This is LibreChat {version}.", version=self.version))

    @property
    def reuses_in_vain(self) -> bool:
        """Whether the version reuses tokens, but cannot ask Auth0 for ones that it can check."""
        return self.reuses_tokens and self.runs_before(SENDS_AUDIENCE)


class _Fault(NamedTuple):
    """A fault of the versions from `start` up to, not including, `end`."""

    start: str
    end: str
    what: Message
    hits: Callable[[Setup], bool] = lambda _: True


def _is_plain_localhost(setup: Setup) -> bool:
    return setup.public_url.lower().startswith("http://") and is_loopback(setup.public_url)


_FAULTS = (
    _Fault(
        SENDS_AUDIENCE,
        "0.8.1-rc2",
        Message(
            "people are signed out at the first refresh, unless Refresh Token Rotation is on in"
            " the application's settings at Auth0"
        ),
    ),
    _Fault(
        SENDS_AUDIENCE,
        "0.8.3",
        Message("its page fails with 401 at http://localhost (issue 11753)"),
        _is_plain_localhost,
    ),
    _Fault("0.8.2", "0.8.3", Message("sessions end with the browser (issue 11400)")),
    _Fault(
        "0.8.8-rc2",
        "0.8.8-rc3",
        Message("sign-ins end in “refresh result is no longer available” (15648)"),
    ),
    _Fault(
        "0.8.8-rc3",
        "0.8.8-rc4",
        Message("sessions are lost after about an hour (issues 15655, 15972)"),
    ),
)


def can_reuse_tokens(version: str) -> bool:
    """Whether sessions can live on Auth0's tokens; True where the version is not known.

    Before 0.8.0 LibreChat sends no audience, so Auth0's access tokens are opaque, and LibreChat
    takes the access token for its own session (issue 8796).
    """
    return not is_older(version, SENDS_AUDIENCE)


def secretless_too_new(setup: Setup) -> Iterator[Finding]:
    """LA104: a client without a secret."""
    if not setup.has_secret and setup.runs_before("0.8.6"):
        yield SECRETLESS_TOO_NEW.finding(setup.this_version, variable="OPENID_CLIENT_SECRET")


def cannot_reuse(setup: Setup) -> Iterator[Finding]:
    """LA172: tokens are reused without an audience in the request."""
    if setup.reuses_in_vain:
        yield CANNOT_REUSE.finding(setup.this_version, variable="OPENID_REUSE_TOKENS")


def audience_needed(setup: Setup) -> Iterator[Finding]:
    """LA113: tokens are reused, no API identifier is given, and the version needs one."""
    needs_it = setup.runs_before("0.8.3") and not setup.reuses_in_vain
    if setup.reuses_tokens and not setup.audiences and needs_it:
        yield AUDIENCE_NEEDED.finding(setup.this_version, variable="OPENID_AUDIENCE")


def audience_list_too_new(setup: Setup) -> Iterator[Finding]:
    """LA115: several API identifiers."""
    if len(setup.audiences) > 1 and setup.runs_before("0.8.7"):
        yield AUDIENCE_LIST_TOO_NEW.finding(setup.this_version, variable="OPENID_AUDIENCE")


def version_fault(setup: Setup) -> Iterator[Finding]:
    """LA146: a known fault of this version."""
    if not setup.reuses_tokens:
        return
    for fault in _FAULTS:
        is_hit = setup.runs_before(fault.end) and not setup.runs_before(fault.start)
        if is_hit and fault.hits(setup):
            yield _fault(setup, fault.what)


def _fault(setup: Setup, what: Message) -> Finding:
    what = Message("With OPENID_REUSE_TOKENS=true {what}.", what=what)
    return VERSION_FAULT.finding(
        sentences(setup.this_version, what), variable="OPENID_REUSE_TOKENS"
    )


def announced(setup: Setup) -> Iterator[Finding]:
    """What to say before a setup is written."""
    if setup.reuses_in_vain:  # the user insists
        yield _fault(setup, Message("the page reloads without end (issue 8796)"))
    for judge in (secretless_too_new, audience_needed, audience_list_too_new, version_fault):
        yield from judge(setup)


def settled_reuse(version: str, *, wanted: bool, insists: bool) -> tuple[bool, tuple[Finding, ...]]:
    """Return whether tokens are reused, and why not where the version forbids it.

    With `insists`, the user asked for it by name.
    """
    is_possible = insists and is_read("OPENID_REUSE_TOKENS", version)
    if not wanted or can_reuse_tokens(version) or is_possible:
        return wanted, ()
    detail = Message("This is LibreChat {version}.", version=version)
    return False, (REUSE_STAYS_OFF.finding(detail, variable="OPENID_REUSE_TOKENS"),)


def unread(values: Mapping[str, str], version: str, names: Iterable[str]) -> Iterator[Finding]:
    """LA147: of the names, those with a value that the version does not read."""
    for name in names:
        is_used = values.get(name, "").strip().lower() not in {"", "false"}
        if name in _KNOWN and is_used and not is_read(name, version):
            detail = Message(
                "LibreChat reads {name} since {since}; this is {version}.",
                name=name,
                since=first_version(name),
                version=version,
            )
            yield UNREAD.finding(detail, variable=name)


_KNOWN = frozenset(known_names())
