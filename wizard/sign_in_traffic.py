"""The requests of a sign-in that pass a tunnel: whether a cookie is set, never its value."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from wizard.settings import CALLBACK_PATH, query_of
from wizard.system.state_file import StateFile

_KEPT = 40
# Our own request, which tests whether a public URL leads to this computer.
PROBE_PATH = "/librechat-auth0"


class Step(StrEnum):
    """A request of a sign-in, by its path (api/server/routes/oauth.js, user.js)."""

    START = CALLBACK_PATH.rpartition("/")[0]
    CALLBACK = CALLBACK_PATH
    USER = "/api/user"


STEPS = frozenset(map(str, Step))
# Where a failed callback leads before 0.8.7; since then to /login with an error.
_FAILURE = "/oauth/error"


class Passage(NamedTuple):
    """One request of a sign-in and what LibreChat answered."""

    at: float  # seconds since the epoch
    step: Step
    status: int
    has_refresh_token: bool = False  # the answer sets the cookie `refreshToken`
    is_refused: bool = False  # it redirects with an error, as to `/login?error=auth_failed`


def passage(path: str, status: int, fields: Iterable[tuple[str, str]], at: float) -> Passage | None:
    """Return what counts of a request and the header fields of its answer."""
    if path not in STEPS:
        return None
    has_refresh_token = is_refused = False
    for name, value in fields:
        match name.lower():
            case "set-cookie":
                cookie, _, rest = value.partition("=")
                is_set = cookie.strip() == "refreshToken" and not rest.startswith(";")
                has_refresh_token = has_refresh_token or is_set
            case "location":
                is_refused = value.endswith(_FAILURE) or "error" in query_of(value)
            case _:
                pass
    return Passage(at, Step(path), status, has_refresh_token, is_refused)


def record(state_dir: Path, port: int, passed: Passage) -> None:
    """Save it for `verify`, which runs in another process."""
    latest = [*recorded(state_dir, port), passed][-_KEPT:]
    _file(state_dir, port).save([each._asdict() for each in latest])


def recorded(state_dir: Path, port: int) -> Sequence[Passage]:
    """Return what our tunnels to that port saw last, oldest first."""
    try:
        return [
            Passage(
                float(each["at"]),
                Step(each["step"]),
                int(each["status"]),
                each["has_refresh_token"] is True,
                each["is_refused"] is True,
            )
            for each in _file(state_dir, port).load()
        ]
    except (ValueError, TypeError, KeyError):
        return ()


def _file(state_dir: Path, port: int) -> StateFile:
    return StateFile(state_dir, "traffic", str(port))
