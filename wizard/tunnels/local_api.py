"""The JSON APIs that tunnel programs serve on loopback."""

from __future__ import annotations

import json
from collections.abc import Mapping

from wizard.http import Https, NetworkError

LOOK_SECONDS = 2.0
ORDER_SECONDS = 15.0
# ngrok's agent shows whole requests and answers.
MAX_BYTES = 16 << 20


class LocalApi:
    """A client for them, which uses no proxy."""

    def __init__(self) -> None:
        self._get, self._post = (
            Https({}, connect_timeout=seconds, total_timeout=seconds, max_bytes=MAX_BYTES)
            for seconds in (LOOK_SECONDS, ORDER_SECONDS)
        )

    def get(self, address: str, path: str) -> Mapping[str, object] | None:
        """Return the JSON object at this host and port, path and query; None if there is none."""
        try:
            answer = self._get.request("GET", f"http://{address}{path}")
        except NetworkError:
            return None
        return answer.json_object() if answer.status == 200 else None

    def post(
        self, address: str, path: str, document: Mapping[str, object]
    ) -> tuple[int, Mapping[str, object]]:
        """Send a JSON object; return the status (0 without an answer) and the JSON answer."""
        try:
            answer = self._post.request(
                "POST",
                f"http://{address}{path}",
                body=json.dumps(document).encode(),
                headers={"Content-Type": "application/json"},
            )
        except NetworkError as error:
            return 0, {"msg": error.reason}
        return answer.status, answer.json_object() or {}
