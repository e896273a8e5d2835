"""The `local` tunnel against Caddy and npm's local-ssl-proxy, side by side in one run.

    python -m benchmarks.proxy [--rounds N] [--seconds S]

Needs wrk, curl, node, npm and caddy (all from apt). All proxies have the same certificate and the
same server behind them, on loopback; rounds alternate between them, forwards and backwards, so
that other load affects them equally. Prints medians, and ratios to Caddy.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wizard.system.processes import Processes
from wizard.tunnels.certificates import Authority, local_authority

CONNECTIONS = (1, 16, 64)
EVENTS_PER_ROUND = 10
HELD_CONNECTIONS = 100
IDLE_CONNECTIONS = 2000
SECONDS_TO_GIVE_BACK = 15

UPSTREAM = """
const http = require('http')
const block = Buffer.alloc(1 << 20, 120)
http.createServer((request, response) => {
  if (request.url === '/large') {
    response.setHeader('Content-Length', 100 * block.length)
    let left = 100
    const more = () => {
      while (left-- > 0) if (!response.write(block)) return response.once('drain', more)
      response.end()
    }
    more()
  } else if (request.url === '/events') {
    response.setHeader('Content-Type', 'text/event-stream')
    response.write('data: first\\n\\n')
    setTimeout(() => response.end('data: second\\n\\n'), 100)
  } else {
    response.setHeader('Content-Type', 'text/plain')
    response.setHeader('Content-Length', 13)
    response.end('hello, world\\n')
  }
}).listen(+process.argv[1], '127.0.0.1')
"""

CADDYFILE = """
{{
	admin off
	skip_install_trust
	auto_https off
	log {{
		level ERROR
	}}
	servers {{
		protocols h1 h2
	}}
}}
https://localhost:{port} {{
	bind 127.0.0.1
	tls {certificate} {certificate}
	reverse_proxy 127.0.0.1:{upstream} {{
		flush_interval -1
	}}
}}
"""


@dataclass
class Target:
    """A measured proxy; `figures` are all results of each measure."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, measure: str, value: float) -> None:
        """Record a figure."""
        self.figures.setdefault(measure, []).append(value)

    def median(self, measure: str) -> float:
        """Return the median of a measure."""
        return statistics.median(self.figures[measure])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(command: Sequence[str], port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program; yield once it listens."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)},
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} does not listen on {port}")
            time.sleep(0.05)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def serve_local(upstream: int, port: int, certificate: Path) -> None:
    from wizard.system.loopback import listeners
    from wizard.tunnels import TunnelRequest
    from wizard.tunnels.proxy import Proxy

    context = Authority(certificate, certificate, mkcert=False).server_context()
    request = TunnelRequest(upstream, certificate.parent)
    proxy = Proxy(request, context, listeners(port))
    proxy.ended.wait()


def wrk(url: str, connections: int, seconds: int, *headers: str) -> tuple[float, float]:
    """Return the requests per second, and the 99th percentile of their milliseconds."""
    args = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "5s"]
    for header in headers:
        args += ["-H", header]
    said = subprocess.run([*args, url], capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    slowest = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    if rate is None or slowest is None or "Non-2xx" in said:
        raise SystemExit(f"wrk could not measure {url}:\n{said}")
    return float(rate[1]), float(slowest[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[slowest[2]]


@contextlib.contextmanager
def connected(port: int, authority: Authority) -> Iterator[ssl.SSLSocket]:
    """Return an open connection."""
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        yield connection


def first_event(port: int, authority: Authority) -> float:
    """Return the milliseconds from a request on an open connection to the first event."""
    request = b"GET /events HTTP/1.1\r\nHost: localhost:%d\r\n\r\n"
    with connected(port, authority) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.perf_counter()
        connection.sendall(request % port)
        received = b""
        while b"first" not in received:
            received += connection.recv(65536)
        return (time.perf_counter() - start) * 1000


def download(url: str, authority: Authority) -> float:
    """Return megabytes per second."""
    args = ["curl", "-s", "--http1.1", "--cacert", str(authority.ca_file), "-o", os.devnull]
    done = subprocess.run(
        [*args, "-w", "%{speed_download}", url], capture_output=True, text=True, check=True
    )
    return float(done.stdout) / 1e6


def memory(process: subprocess.Popen[bytes]) -> float:
    """Return the megabytes of the program and its children."""
    listed = subprocess.run(
        ["ps", "-o", "rss=", "-g", str(process.pid)], capture_output=True, text=True, check=True
    )
    return sum(map(int, listed.stdout.split())) / 1000


def memory_of_held(target: Target, authority: Authority) -> float:
    """Return the megabytes while connections stay open after one response each."""
    request = b"GET / HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % target.port
    with contextlib.ExitStack() as stack:
        for _ in range(HELD_CONNECTIONS):
            connection = stack.enter_context(connected(target.port, authority))
            connection.sendall(request)
            connection.recv(65536)
        return memory(target.process)


def memory_of_idle(target: Target, authority: Authority) -> None:
    """Record the megabytes with idle connections, and some seconds after they closed."""
    with contextlib.ExitStack() as stack:
        for _ in range(IDLE_CONNECTIONS):
            stack.enter_context(connected(target.port, authority))
        target.note(f"MB, {IDLE_CONNECTIONS} idle connections", memory(target.process))
    time.sleep(SECONDS_TO_GIVE_BACK)
    target.note("MB after they closed", memory(target.process))


def allow_many_files() -> None:
    """Raise the limit of open files for us and our children."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def measure(target: Target, authority: Authority, seconds: int) -> None:
    url = f"https://localhost:{target.port}"
    target.note(f"MB, {HELD_CONNECTIONS} connections held", memory_of_held(target, authority))
    for connections in CONNECTIONS:
        rate, slowest = wrk(f"{url}/", connections, seconds)
        target.note(f"requests/s, {connections} connections", rate)
        target.note(f"p99 ms, {connections} connections", slowest)
    target.note("new TLS connections/s", wrk(f"{url}/", 8, seconds, "Connection: close")[0])
    for _ in range(EVENTS_PER_ROUND):
        target.note("first event ms", first_event(target.port, authority))
    target.note("MB/s", download(f"{url}/large", authority))
    target.note("MB after the round", memory(target.process))
    memory_of_idle(target, authority)


def report(targets: Sequence[Target]) -> None:
    base = next((target for target in targets if target.name == "caddy"), targets[0])
    print(f"{'':30}" + "".join(f"{target.name:>24}" for target in targets))
    for name in base.figures:
        cells = [
            f"{target.median(name):12.1f} ({target.median(name) / base.median(name):6.2f}x)"
            for target in targets
        ]
        print(f"{name:30}" + "".join(f"{cell:>24}" for cell in cells))


@contextlib.contextmanager
def targets(folder: Path, authority: Authority, upstream: int) -> Iterator[list[Target]]:
    certificate = str(authority.certificate_file)
    ports = {name: free_port() for name in ("local", "caddy", "local-ssl-proxy")}
    started: dict[str, list[str]] = {
        "local": [
            *(sys.executable, "-m", "benchmarks.proxy", "--serve"),
            *(str(upstream), str(ports["local"]), certificate),
        ]
    }
    if caddy := shutil.which("caddy"):
        caddyfile = folder / "Caddyfile"
        caddyfile.write_text(
            CADDYFILE.format(port=ports["caddy"], certificate=certificate, upstream=upstream)
        )
        started["caddy"] = [
            *(caddy, "run", "--config", str(caddyfile), "--adapter", "caddyfile"),
        ]
    if npm := shutil.which("npm"):
        packages = folder / "npm"
        subprocess.run(
            [npm, "install", "--silent", "--prefix", str(packages), "local-ssl-proxy@2"],
            check=True,
        )
        started["local-ssl-proxy"] = [
            str(packages / "node_modules/.bin/local-ssl-proxy"),
            *("--source", str(ports["local-ssl-proxy"]), "--target", str(upstream)),
            *("--hostname", "127.0.0.1", "--cert", certificate, "--key", certificate),
        ]
    with contextlib.ExitStack() as stack:
        yield [
            Target(name, ports[name], stack.enter_context(running(command, ports[name], folder)))
            for name, command in started.items()
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        upstream, port, certificate = options.serve
        serve_local(int(upstream), int(port), Path(certificate))
        return
    missing = [name for name in ("wrk", "curl", "node") if shutil.which(name) is None]
    if missing:
        raise SystemExit(f"missing: {', '.join(missing)}")
    allow_many_files()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = local_authority(folder, Processes())
        upstream = free_port()
        server = ["node", "-e", UPSTREAM, str(upstream)]
        with (
            running(server, upstream, folder),
            targets(folder, authority, upstream) as measured,
        ):
            for number in range(options.rounds):
                for target in measured[:: -1 if number % 2 else 1]:
                    measure(target, authority, options.seconds)
            report(measured)


if __name__ == "__main__":
    main()
