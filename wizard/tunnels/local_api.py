"""The small JSON pages that tunnel programs serve on loopback about themselves."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Mapping

from wizard.reading import load_json

API_SECONDS = 2.0
API_MAX_BYTES = 16 << 20


def get_json(address: str, path: str) -> Mapping[str, object] | None:
    """The JSON object at this page, None if there is none; no proxy is asked.

    Args:
        address: host and port.
        path: with its query.
    """
    try:
        connection = http.client.HTTPConnection(address, timeout=API_SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read(API_MAX_BYTES)
        document = load_json(body) if answer.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return document if isinstance(document, dict) else None
