"""`librechat-auth0 init` up to where it would hold the tunnel open, then the seconds it took.

`first_run` starts this file with the arguments of `init`; STARTED is when it did. Prints JSON: the
whole time, the time with a request in flight, and the CPU's.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

from wizard import http
from wizard.commands import init
from wizard.http import Response

_lock = threading.Lock()
_request = http.Https.request
_in_flight, _since, _waited = 0, 0.0, 0.0


def _count(step: int) -> None:
    global _in_flight, _since, _waited  # noqa: PLW0603 - of one process
    with _lock:
        now = time.time()
        if not _in_flight:
            _since = now
        _in_flight += step
        if not _in_flight:
            _waited += now - _since


def _timed(*args: Any, **named: Any) -> Response:
    _count(1)
    try:
        return _request(*args, **named)
    finally:
        _count(-1)


def _end(*_: object) -> None:
    used, total = os.times(), time.time() - float(os.environ["STARTED"])
    seconds = {"total": total, "network": _waited, "CPU": used.user + used.system}
    print(json.dumps(seconds), flush=True)
    os._exit(0)


if __name__ == "__main__":
    from wizard.__main__ import main

    http.Https.request = _timed  # type: ignore[method-assign]
    init.keep_open = _end  # type: ignore[attr-defined, assignment]
    sys.argv[0] = "librechat-auth0"
    main()
