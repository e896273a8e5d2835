"""Carries auth0-python's requests over our own HTTP: its trust, proxies, limits and clock.

Costly to import: pydantic, httpx and auth0-python are.
"""

from __future__ import annotations

import warnings
from functools import partial

import httpx
from auth0.management.client import Auth0

from wizard.auth0.management_access import Access
from wizard.auth0.patience import PASSING, past_rate_limit
from wizard.clock import Clock
from wizard.http import NetworkError, Response, Trouble

RETRIES = 8
LONGEST_WAIT = 60.0
# httpx decodes and measures again what has been decoded and measured already.
_OF_THE_CONNECTION = frozenset(
    {"connection", "content-encoding", "content-length", "host", "transfer-encoding"}
)


def connect(access: Access, clock: Clock) -> Auth0:
    """auth0-python's client for that tenant.

    Its own retries are off: they would wait without our clock, and send a POST again whose
    answer was lost.
    """
    client = Auth0(
        base_url=f"https://{access.tenant}/api/v2",
        token=access.token or "the carrier has its own",
        httpx_client=httpx.Client(transport=Carrier(access, clock)),
        max_retries=0,
        follow_redirects=False,
    )
    with warnings.catch_warnings():
        # A docstring of 6.8 has an escape that Python warns of when it first compiles it.
        warnings.simplefilter("ignore")
        _ = client.clients, client.resource_servers, client.client_grants
    return client


class Carrier(httpx.BaseTransport):
    """httpx's transport on our `HttpClient`.

    Rate limits are waited for as they tell (Auth0's free plan: two requests a second). What
    reads is sent once more after a broken connection; what writes is not, since it may have been
    done.
    """

    def __init__(self, access: Access, clock: Clock) -> None:
        self._http = access.http
        self._clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.BaseTransport.handle_request`.

        Raises:
            NetworkError: no answer came.
        """
        send = partial(self._send, request)
        answer = past_rate_limit(send(), send, self._clock, RETRIES, LONGEST_WAIT)
        headers = {k: v for k, v in answer.headers.items() if k not in _OF_THE_CONNECTION}
        return httpx.Response(answer.status, headers=headers, content=answer.body)

    def _send(self, request: httpx.Request) -> Response:
        try:
            answer = self._send_once(request)
        except NetworkError as error:
            if error.trouble is not Trouble.DROPPED or request.method != "GET":
                raise
            return self._send_once(request)
        if answer.status in PASSING and request.method == "GET":
            return self._send_once(request)
        return answer

    def _send_once(self, request: httpx.Request) -> Response:
        headers = {k: v for k, v in request.headers.items() if k not in _OF_THE_CONNECTION}
        return self._http.request(
            request.method,
            str(request.url),
            body=request.read() or None,
            headers={**headers, "accept-encoding": "identity"},
        )
