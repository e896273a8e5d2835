"""What each LibreChat version can do, and where it fails: the same for `init` and for the rules.

Source: api/strategies/openidStrategy.js and api/server/services/AuthService.js at the releases'
tags. 0.7.9, 0.8.0, 0.8.4 and 0.8.8-rc1 were run, the others read only.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, Self

from wizard.findings import Finding, Rule
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

# Before it LibreChat sends no audience, so Auth0's access tokens are opaque, and LibreChat takes
# the access token for its own session (issue 8796).
SENDS_AUDIENCE = "0.8.0-rc1"
# Before it LibreChat drops a refresh without a new refresh token, and its page refreshes at once.
KEEPS_SESSIONS = "0.8.1-rc2"


class Setup(NamedTuple):
    """What a version may not be able to do; `runner` says in a sentence who runs it."""

    version: str
    reuses_tokens: bool
    audiences: tuple[str, ...]
    has_secret: bool
    public_url: str
    runner: str = ""

    @classmethod
    def of(cls, settings: Settings, version: str) -> Self:
        """The setup that `init` is about to write."""
        return cls(
            version,
            settings.reuse_tokens,
            settings.audiences,
            bool(settings.client_secret),
            settings.public_url,
        )

    def runs_before(self, version: str) -> bool:
        """Whether LibreChat is known to be older than that."""
        return is_older(self.version, version)

    @property
    def this_version(self) -> Message:
        """Which version this is, as a sentence; only where it is known."""
        return sentences(self.runner, Message("This is LibreChat {version}.", version=self.version))


class _Gate(NamedTuple):
    """A rule that `hits` setups of the versions from `start` up to, not including, `end`."""

    rule: Rule
    variable: str
    start: str
    end: str
    hits: Callable[[Setup], bool]
    what: str = ""

    def is_hit(self, setup: Setup) -> bool:
        is_of_range = setup.runs_before(self.end) and not setup.runs_before(self.start)
        return is_of_range and self.hits(setup)

    def finding(self, setup: Setup) -> Finding:
        return self.rule.finding(sentences(setup.this_version, self.what), variable=self.variable)


def _fault(
    start: str, end: str, what: Message, hits: Callable[[Setup], bool] = lambda _: True
) -> _Gate:
    """A known fault of versions that reuse tokens."""
    return _Gate(
        VERSION_FAULT,
        "OPENID_REUSE_TOKENS",
        start,
        end,
        lambda setup: setup.reuses_tokens and hits(setup),
        Message("With OPENID_REUSE_TOKENS=true {what}.", what=what),
    )


def _is_plain_localhost(setup: Setup) -> bool:
    return setup.public_url.lower().startswith("http://") and is_loopback(setup.public_url)


# Said before a setup is written whose user insists on it.
_RELOADS = _fault("", SENDS_AUDIENCE, Message("the page reloads endlessly (issue 8796)"))
_GATES = (
    _Gate(CANNOT_REUSE, "OPENID_REUSE_TOKENS", "", SENDS_AUDIENCE, lambda it: it.reuses_tokens),
    _Gate(SECRETLESS_TOO_NEW, "OPENID_CLIENT_SECRET", "", "0.8.6", lambda it: not it.has_secret),
    _Gate(
        AUDIENCE_NEEDED,
        "OPENID_AUDIENCE",
        SENDS_AUDIENCE,
        "0.8.3",
        lambda it: it.reuses_tokens and not it.audiences,
    ),
    _Gate(AUDIENCE_LIST_TOO_NEW, "OPENID_AUDIENCE", "", "0.8.7", lambda it: len(it.audiences) > 1),
    _fault(
        SENDS_AUDIENCE,
        KEEPS_SESSIONS,
        Message(
            "people return to the login page at once, unless Refresh Token Rotation is on in the"
            " application's settings at Auth0"
        ),
    ),
    _fault(
        SENDS_AUDIENCE,
        "0.8.3",
        Message("its page fails with 401 at http://localhost (issue 11753)"),
        _is_plain_localhost,
    ),
    _fault("0.8.2", "0.8.3", Message("sessions end with the browser (issue 11400)")),
    _fault(
        "0.8.8-rc2",
        "0.8.8-rc3",
        Message("sign-ins end in “refresh result is no longer available” (15648)"),
    ),
    _fault(
        "0.8.8-rc3",
        "0.8.8-rc4",
        Message("sessions are lost after about an hour (issues 15655, 15972)"),
    ),
)


def of_version(setup: Setup, of: Rule) -> Iterator[Finding]:
    """What that rule says about the setup."""
    return (each.finding(setup) for each in _GATES if each.rule is of and each.is_hit(setup))


def announced(setup: Setup) -> Iterator[Finding]:
    """What to say before a setup is written."""
    gates = (_RELOADS, *(each for each in _GATES if each.rule is not CANNOT_REUSE))
    return (each.finding(setup) for each in gates if each.is_hit(setup))


def settled_reuse(version: str, *, wanted: bool, insists: bool) -> tuple[bool, tuple[Finding, ...]]:
    """Return whether tokens are reused, and why not where the version loses sessions.

    With `insists`, the user asked for it by name.
    """
    is_possible = insists and is_read("OPENID_REUSE_TOKENS", version)
    if not wanted or is_possible or not is_older(version, KEEPS_SESSIONS):
        return wanted, ()
    detail = Message("This is LibreChat {version}.", version=version)
    return False, (REUSE_STAYS_OFF.finding(detail, variable="OPENID_REUSE_TOKENS"),)


def unread(values: Mapping[str, str], version: str, names: Iterable[str]) -> Iterator[Finding]:
    """LA147: of the names, those with a value that the version does not read."""
    known = {*known_names()}
    for name in names:
        is_used = values.get(name, "").strip().lower() not in {"", "false"}
        if name in known and is_used and not is_read(name, version):
            detail = Message(
                "LibreChat reads {name} since {since}; this is {version}.",
                name=name,
                since=first_version(name),
                version=version,
            )
            yield UNREAD.finding(detail, variable=name)
