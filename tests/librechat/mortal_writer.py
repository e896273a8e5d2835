"""A warm process whose children are killed while they write an `.env`.

Each line of standard input is a JSON list: the file, the state folder, what to do (`save` or
`undo`), the new content in base64, and after how many seconds to kill the child, `null` for as
soon as it is done. The answer is the seconds that the child took, `null` if it did not finish.
"""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from wizard.librechat.env_store import EnvStore


def write(path: str, state: str, act: str, content: str) -> None:
    store = EnvStore(Path(path), Path(state))
    if act == "undo":
        store.undo(store.last_backup(), store.read())
    else:
        store.save(store.read(), base64.b64decode(content))


def kill_at_it(
    path: str, state: str, act: str, content: str, seconds: float | None
) -> float | None:
    """Let a child write, and kill it; return how long it took, if it finished first."""
    began, begin = os.pipe()
    ended, end = os.pipe()
    child = os.fork()
    if not child:
        report(begin, end, path, state, act, content)
    os.close(begin)
    os.close(end)
    os.read(began, 1)
    if seconds is None:
        select.select([ended], [], [])
    else:
        time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    said = os.read(ended, 1_000)
    os.close(began)
    os.close(ended)
    return float(said) if said else None


def report(begin: int, end: int, path: str, state: str, act: str, content: str) -> NoReturn:
    """Write, report the time or the error, and wait to be killed."""
    try:
        os.write(begin, b"x")
        start = time.perf_counter()
        write(path, state, act, content)
        os.write(end, str(time.perf_counter() - start).encode())
    except BaseException as error:
        os.write(end, repr(error).encode())
    while True:
        signal.pause()


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(kill_at_it(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
