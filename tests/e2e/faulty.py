"""A warm process whose children run a command in which one system call fails.

strace counts the calls of each child by kind, and acts on one number only. If a child first makes
some useless calls of a kind, strace acts on an earlier one of the command's own. So one strace
process covers every call.

Each line of standard input is an `Order`. The process carries out the first itself and prints
`ready`; for all others it prints the child's process ID and its `os.waitstatus_to_exitcode`.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from wizard import __main__
from wizard.commands import tunnel
from wizard.steps.live_view import OpenTunnel

# Allows strace to attach later: <linux/prctl.h>, Documentation/admin-guide/LSM/Yama.rst.
_SET_PTRACER = 0x59616D61
_ANY = -1


@dataclass(frozen=True)
class Order:
    """One run of a command.

    Attributes:
        args: the arguments of the command.
        folder: its current folder.
        environ: additional variables.
        said: the file for both outputs.
        call: the number of the system call to waste.
        burnt: how many calls to waste.
        url: the URL that `tunnel` opens, without a program.
    """

    args: list[str]
    folder: str
    environ: dict[str, str]
    said: str
    call: int = 0
    burnt: int = 0
    url: str = ""


def burn(order: Order) -> None:
    """Make the useless calls: with an invalid file and an invalid address."""
    system = ctypes.CDLL(None)
    for _ in range(order.burnt):
        system.syscall(order.call, -1, 0, 0, 0, 0, 0)


def run(order: Order) -> int:
    """Run the command; return its exit code."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    said = os.open(order.said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, stream in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(number, stream)
    os.chdir(order.folder)
    os.environ.update(order.environ)
    sys.argv = ["librechat-auth0", *order.args]
    if order.url:
        vars(tunnel)["open_tunnel"] = opened(order.url)
    try:
        __main__.main()
    except SystemExit as left:
        return int(left.code or 0)
    except BaseException as error:
        os.write(2, f"Traceback: {error!r}\n".encode())
    return 99


def opened(url: str) -> Any:
    @contextmanager
    def open_tunnel(*_: object) -> Iterator[OpenTunnel]:
        yield OpenTunnel(url, "local")

    return open_tunnel


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    orders = os.fdopen(os.dup(0))
    run(Order(**json.loads(orders.readline())))  # all others share its imports
    ctypes.CDLL(None).prctl(_SET_PTRACER, _ANY, 0, 0, 0)
    print("ready", file=answers, flush=True)
    for line in orders:
        order = Order(**json.loads(line))
        child = os.fork()
        if not child:
            burn(order)
            os._exit(run(order))
        _, status = os.waitpid(child, 0)
        print(json.dumps([child, os.waitstatus_to_exitcode(status)]), file=answers, flush=True)


if __name__ == "__main__":
    main()
