"""Asks again where that is right: a rate limit that passes, a connection that broke."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from wizard.clock import Clock
from wizard.http import HttpClient, NetworkError, Response, Trouble

RETRIES = 2
DEFAULT_WAIT = 1.0
SHORTEST_WAIT = 0.1
LONGEST_WAIT = 30.0
# What a proxy in front of a server says while the server restarts.
PASSING = frozenset({502, 503, 504})
# Smaller numbers in x-ratelimit-reset are seconds to wait, larger ones a time.
_EPOCH = 1e9


@dataclass(frozen=True, slots=True)
class Patient:
    """An `HttpClient` that waits as a rate limit tells it, at most `LONGEST_WAIT` at a time.

    A request that broke, or that a proxy could not pass on, is sent once more at once; none of
    the checks' requests changes anything.
    """

    http: HttpClient
    clock: Clock

    def request(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """See `HttpClient.request`; the last answer, whatever it is."""

        def send() -> Response:
            return self.http.request(method, url, form=form, body=body, headers=headers)

        try:
            answer = send()
        except NetworkError as error:
            if error.trouble is not Trouble.DROPPED:
                raise
            answer = send()
        if answer.status in PASSING:
            answer = send()
        return past_rate_limit(answer, send, self.clock, RETRIES, LONGEST_WAIT)


def past_rate_limit(
    answer: Response,
    send_again: Callable[[], Response],
    clock: Clock,
    retries: int,
    longest_wait: float,
) -> Response:
    """The answer, or where it is a rate limit's, the one that comes after the wait it tells.

    Args:
        answer: the first one.
        send_again: sends the same request.
        clock: by which is waited.
        retries: how often it may be sent again.
        longest_wait: in seconds; a longer one is not waited for.
    """
    for _ in range(retries):
        if answer.status != 429:
            break
        wait = wait_told(answer, clock.now())
        if wait > longest_wait:
            break
        clock.sleep(max(wait, SHORTEST_WAIT))
        answer = send_again()
    return answer


def wait_told(answer: Response, now: float) -> float:
    """How many seconds the answer tells to wait.

    `Retry-After` holds seconds or a date (RFC 9110 §10.2.3), Auth0's `x-ratelimit-reset` seconds
    since the epoch (https://auth0.com/docs/troubleshoot/customer-support/operational-policies/
    rate-limit-policy).
    """
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
    """A date as HTTP writes it, in seconds since the epoch; None if it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: str) -> float | None:
    plain = text.isascii() and text.isdecimal()
    return float(text) if plain else None
