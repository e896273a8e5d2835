"""A stand-in for cloudflared's quick tunnels: arguments, log, metrics pages and Cloudflare's edge.

Log lines are those of cloudflared 2024 to 2026. `STAND_IN_STATE` is the folder to which it writes
the port of its edge; `STAND_IN_SCENARIO` is "" or the difference: limited, unreachable, silent,
ends, forgets (after a loss).

SIGUSR1 cuts the connection to Cloudflare, SIGUSR2 restores it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import sys
import threading
import time
import uuid
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.stand_ins.edge import Edge, Visit

SCENARIO = os.environ.get("STAND_IN_SCENARIO", "")


def main(arguments: list[str]) -> int:
    values = dict(pairwise(arguments))
    state = Path(os.environ["STAND_IN_STATE"])
    with (state / "argv").open("a") as file:
        file.write(f"{json.dumps(arguments)}\n")
    log("INF", "Requesting new quick Tunnel on trycloudflare.com...")
    if SCENARIO == "silent":
        time.sleep(600)
    if SCENARIO == "limited":
        log("ERR", 'Error unmarshaling QuickTunnel response: error code: 1015 status_code="429"')
        print("failed to unmarshal quick Tunnel: invalid character 'e'", file=sys.stderr)
        return 1
    if SCENARIO == "unreachable":
        print('failed to request quick Tunnel: Post "x": no such host', file=sys.stderr)
        return 1
    if SCENARIO == "ends":
        log("ERR", "something \x1b[31melse")
        return 3
    return Cloudflared(values, state).run()


def log(level: str, message: str) -> None:
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    print(f"{now} {level} {message}", file=sys.stderr, flush=True)


class Cloudflared:
    def __init__(self, values: dict[str, str], state: Path) -> None:
        self.origin = urlsplit(values["--url"]).netloc
        self.ready = False
        self.edge = Edge(partial(serve_visitor, self))
        name = f"stand-in-{uuid.uuid4().hex[:8]}.trycloudflare.com"
        self.host = self.edge.public_host or name
        host, _, port = values["--metrics"].rpartition(":")
        self.metrics = Server((host, int(port)), partial(Metrics, self))
        # The user's configuration is used unless another is named.
        own = Path(os.environ["HOME"], ".cloudflared", "config.yml")
        is_theirs = own.exists() and "--config" not in values
        self.origin_of_visitors = "" if is_theirs else self.origin
        (state / self.host).write_text(str(self.edge.port))

    def run(self) -> int:
        signal.signal(signal.SIGUSR1, lambda *_: self.lose())
        signal.signal(signal.SIGUSR2, lambda *_: self.connect())
        threading.Thread(target=self.edge.serve_forever, daemon=True).start()
        log("INF", "|  Your quick Tunnel has been created! Visit it at (it may take some time |")
        log("INF", f"|  https://{self.host}  |")
        log("INF", f"Starting metrics server on 127.0.0.1:{self.metrics.server_address[1]}/metrics")
        threading.Timer(0.05, self.connect).start()
        self.metrics.serve_forever()
        return 0

    def connect(self) -> None:
        self.ready = True
        log("INF", "Registered tunnel connection connIndex=0 location=cdg07 protocol=quic")

    def lose(self) -> None:
        self.ready = False
        log("ERR", 'Connection terminated error="connection with edge closed" connIndex=0')
        if SCENARIO == "forgets":
            log(
                "ERR",
                'Register tunnel error from server side error="Unauthorized: Tunnel not found"',
            )


class Server(ThreadingHTTPServer):
    daemon_threads = True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, tunnel: Cloudflared, *arguments: Any) -> None:
        self.tunnel = tunnel
        super().__init__(*arguments)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in its base
        pass


class Metrics(Handler):
    def do_GET(self) -> None:
        pages: dict[str, tuple[int, dict[str, object]]] = {
            "/quicktunnel": (
                200,
                {"hostname": os.environ.get("STAND_IN_HOSTNAME", self.tunnel.host)},
            ),
            "/ready": (200 if self.tunnel.ready else 503, {"readyConnections": self.tunnel.ready}),
        }
        status, document = pages.get(self.path, (404, {}))
        body = json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve_visitor(tunnel: Cloudflared, visit: Visit) -> None:
    """Serve a visitor like Cloudflare's edge, except that events are not buffered."""
    if not tunnel.origin_of_visitors:
        visit.answer(404, b"")
    elif not visit.pass_on(tunnel.origin_of_visitors):
        visit.answer(502, b"Bad gateway")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
