"""Retries requests after a rate limit, a dropped connection or a restarting server."""

import math
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, NamedTuple

from wizard.http import HttpClient, NetworkError, Response, Trouble
from wizard.system.clock import Clock

DEFAULT_WAIT = 1.0
SHORTEST_WAIT = 0.1
LONGEST_WAIT = 30.0
RESTARTING = frozenset({502, 503, 504})
# Smaller numbers in x-ratelimit-reset are seconds to wait, larger ones a time; Auth0's are times:
# https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy
_EPOCH = 1e9


class Patient(NamedTuple):
    """An `HttpClient` that waits out rate limits and repeats a failed request once."""

    http: HttpClient
    clock: Clock
    retries: int = 2  # rate limits that one request waits for
    longest_wait: float = LONGEST_WAIT  # seconds; a longer rate limit is returned to the caller
    deadline: float = math.inf  # the time (of `clock`) after which it does not wait
    repeatable: Collection[str] = frozenset({"GET", "POST"})  # the checks' POST requests are, too

    def request(self, method: str, url: str, **given: Any) -> Response:
        """Return the last answer. See `HttpClient.request`."""
        send = partial(self.http.request, method, url, **given)
        answer = self._answered(method, send)
        for _ in range(self.retries):
            if answer.status != 429:
                break
            now = self.clock.now()
            wait = max(_wait_for(answer, now), SHORTEST_WAIT)
            if wait > min(self.longest_wait, self.deadline - now):
                break
            self.clock.sleep(wait)
            answer = self._answered(method, send)
        return answer

    def _answered(self, method: str, send: Callable[[], Response]) -> Response:
        if method not in self.repeatable:
            return send()
        try:
            answer = send()
        except NetworkError as error:
            if error.trouble is not Trouble.DROPPED:
                raise
            return send()
        return send() if answer.status in RESTARTING else answer


def _wait_for(answer: Response, now: float) -> float:
    """Return the seconds to wait, by `Retry-After` (RFC 9110 §10.2.3) or Auth0's reset time."""
    after = answer.headers.get("retry-after", "").strip()
    if after and (seconds := _number(after)) is not None:
        return seconds
    if after and (date := http_date(after)) is not None:
        return max(0.0, date - now)
    reset = _number(answer.headers.get("x-ratelimit-reset", "").strip())
    if reset is not None:
        return max(0.0, reset - now) if reset > _EPOCH else reset
    return DEFAULT_WAIT


def http_date(text: str) -> float | None:
    """Return an HTTP date in seconds since the epoch, None if it is not one."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: str) -> float | None:
    plain = text.isascii() and text.isdecimal()
    return float(text) if plain else None
