"""The ngrok tunnel, with a stand-in agent process."""

from __future__ import annotations

import http.client
import io
import json
import os
import platform
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest
import yaml

from tests.conftest import lacking
from tests.e2e.proxies import proxy_to
from tests.ports import free_port
from tests.providers import Authority, make_authority
from tests.sockets import read_request, server
from tests.tunnels.conftest import Listener, count_looks, until
from wizard.findings import ExitCode, Failure
from wizard.system.process_control import start_time
from wizard.system.processes import Processes
from wizard.tunnels import EventKind, TunnelRequest, ngrok_agent, ngrok_config, provider
from wizard.tunnels.local_api import LocalApi
from wizard.tunnels.ngrok import NgrokTunnel
from wizard.tunnels.ngrok_config import MAX_BYTES

STAND_IN = Path(__file__).parent.parent / "stand_ins" / "ngrok.py"
TOKEN = "2abcDEFghiJKLmnoPQRstuVWXyz_0123456789"
URL = "https://stand-in.ngrok-free.dev"
PATH = os.environ["PATH"]


class World:
    """A machine with an agent, an ngrok account, and a user."""

    def __init__(self, folder: Path, port: int, listener: Listener) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir()
        self.environ = {
            "HOME": str(folder / "home"),
            "XDG_CONFIG_HOME": str(folder / "home/.config"),
            "PATH": f"{self.program('bin').parent}{os.pathsep}{PATH}",
            "NGROK_AUTHTOKEN": TOKEN,
            "STAND_IN_STATE": str(self.state),
            "AUTH0_CLIENT_SECRET": "not for tunnels",
        }
        self.configuration = folder / "home/.config/ngrok/ngrok.yml"
        self.configure("version: '3'\nagent: {}\n")
        self.request = TunnelRequest(
            port=port,
            state_dir=folder / "private",
            on_event=listener.events.append,
            progress=listener.lines.append,
        )

    def program(self, folder: str) -> Path:
        path = self.folder / folder / "ngrok"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
        path.chmod(0o755)
        return path

    def configure(self, text: str) -> None:
        """Write ngrok's own file, with a port for the agent's pages that no other test has."""
        document = yaml.safe_load(text)
        where = document["agent"] if str(document.get("version")) == "3" else document
        where.setdefault("web_addr", f"127.0.0.1:{free_port()}")
        self.configuration.parent.mkdir(parents=True, exist_ok=True)
        self.configuration.write_text(yaml.safe_dump(document))

    def tunnel(self, *, seconds: float = 60.0, **changes: object) -> NgrokTunnel:
        request = replace(self.request, **changes)  # type: ignore[arg-type] # by keyword
        tunnel = NgrokTunnel(request, Processes(), self.environ)
        tunnel.start_seconds = seconds
        return tunnel

    def failure(self, **changes: object) -> Failure:
        with pytest.raises(Failure) as caught, self.tunnel(**changes):  # type: ignore[arg-type]
            pass
        assert caught.value.exit_code is ExitCode.TUNNEL
        assert self.agents() == []
        return caught.value

    def agents(self) -> list[int]:
        """Return the running agents that hold a URL."""
        pids = [json.loads(file.read_text())["pid"] for file in self.state.glob("*.json")]
        return [pid for pid in pids if start_time(pid)]

    def arguments(self) -> list[list[str]]:
        """Return the arguments of started agents."""
        file = self.state / "argv"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def visit(self, path: str, host: str = urlsplit(URL).netloc) -> int:
        """Fetch a page of the public URL at ngrok's edge; return its status."""
        edge = json.loads((self.state / f"{host}.json").read_text())["edge"]
        connection = http.client.HTTPConnection("127.0.0.1", edge, timeout=60)
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        self.page = answer.read().decode()
        connection.close()
        return answer.status


@pytest.fixture
def world(tmp_path: Path, librechat: int, listener: Listener) -> World:
    return World(tmp_path, librechat, listener)


def test_the_url_leads_to_librechat_over_https(world: World) -> None:
    with world.tunnel() as url:
        status = world.visit("/api/config")

    assert url == URL
    assert status == 200
    assert "X-Forwarded-Proto: https\n" in world.page


def test_closing_stops_the_agent(world: World) -> None:
    tunnel = world.tunnel()
    tunnel.open()
    assert len(world.agents()) == 1
    tunnel.close()
    tunnel.close()

    assert world.agents() == []


def test_can_be_reopened_after_closing(world: World) -> None:
    for _ in range(2):
        with world.tunnel() as url:
            assert url == URL


def test_no_argument_has_the_token(world: World) -> None:
    with world.tunnel(token=f"{TOKEN}typed"):
        pid = world.agents()[0]
        of_process = Path(f"/proc/{pid}/cmdline").read_bytes()

    assert TOKEN.encode() not in of_process
    assert TOKEN not in json.dumps(world.arguments())


def test_does_not_save_a_typed_token(world: World) -> None:
    del world.environ["NGROK_AUTHTOKEN"]
    with world.tunnel(token=TOKEN):
        pass

    written = [path.read_bytes() for path in world.folder.rglob("*") if path.is_file()]
    assert not any(TOKEN.encode() in content for content in written)


def test_the_agent_gets_the_token_and_none_of_our_secrets(world: World) -> None:
    before = dict(os.environ)
    with world.tunnel():
        environ = Path(f"/proc/{world.agents()[0]}/environ").read_bytes().split(b"\0")

    assert f"NGROK_AUTHTOKEN={TOKEN}".encode() in environ
    assert not any(name.startswith(b"AUTH0_") for name in environ)
    assert dict(os.environ) == before


def test_the_agent_has_its_own_session(world: World) -> None:
    with world.tunnel():
        pid = world.agents()[0]
        assert os.getsid(pid) != os.getsid(0)


def test_prints_nothing_to_the_terminal(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    with world.tunnel():
        world.visit("/")
    world.environ["NGROK_AUTHTOKEN"] = f"revoked{TOKEN}"
    world.failure()

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "configuration",
    [
        f"version: '3'\nagent:\n  authtoken: {TOKEN}\n",
        f"version: 3\nagent:\n  authtoken: {TOKEN}\n",
        f"version: '2'\nauthtoken: {TOKEN}\n",
    ],
)
def test_uses_the_token_of_ngroks_own_file(world: World, configuration: str) -> None:
    del world.environ["NGROK_AUTHTOKEN"]
    world.configure(configuration.replace("version: 3\n", "version: '3'\n"))
    assert ngrok_config.known_token(world.environ) == TOKEN

    with world.tunnel() as url:
        assert url == URL


@pytest.mark.parametrize(
    "old",
    [
        f"authtoken: {TOKEN}\n",
        f"authtoken: {TOKEN}\nregion: eu\n",
        f"version: '3'\nauthtoken: {TOKEN}\n",
        f"version: '3'\nauthtoken: {TOKEN}\nagent:\n  console_ui: false\n",
        f"agent:\n  authtoken: {TOKEN}\n",
    ],
)
def test_reads_and_reports_a_file_of_an_old_format(
    world: World, listener: Listener, old: str
) -> None:
    """Agent 3 rejects each of these, like the stand-in."""
    del world.environ["NGROK_AUTHTOKEN"]
    world.configuration.write_text(old)
    assert ngrok_config.known_token(world.environ) == TOKEN

    with world.tunnel() as url:
        assert url == URL
    assert any("ngrok config upgrade" in line for line in listener.lines)
    assert world.configuration.read_text() == old


def test_does_not_report_a_file_of_the_current_format(world: World, listener: Listener) -> None:
    with world.tunnel():
        pass
    assert not any("upgrade" in line for line in listener.lines)


def test_a_typed_token_overrides_ngroks_file(world: World) -> None:
    del world.environ["NGROK_AUTHTOKEN"]
    world.configure(f"version: '3'\nagent:\n  authtoken: revoked{TOKEN}\n  api_key: secret\n")

    with world.tunnel(token=TOKEN) as url:
        assert url == URL
        used = Path(world.arguments()[0][world.arguments()[0].index("--config") + 1])
        assert used.is_relative_to(world.folder / "private")
        assert "secret" not in used.read_text()


def test_replaces_a_link_in_place_of_our_configuration(world: World) -> None:
    victim = world.folder / "victim"
    victim.write_text("precious")
    own = world.folder / "private" / "ngrok.yml"
    own.parent.mkdir()
    own.symlink_to(victim)
    world.configuration.unlink()
    with world.tunnel():
        pass

    assert victim.read_text() == "precious"
    assert not own.is_symlink()


def test_does_not_create_ngroks_file(world: World) -> None:
    world.configuration.unlink()
    with world.tunnel():
        pass

    assert not world.configuration.exists()


@pytest.mark.parametrize("version", ["3.39.10", "3.20.0", "3.9.1"])
@pytest.mark.parametrize("wanted", ["own.ngrok.app", "https://own.ngrok.app/"])
def test_requests_the_given_domain(world: World, version: str, wanted: str) -> None:
    world.environ["STAND_IN_VERSION"] = version
    world.environ["STAND_IN_DOMAINS"] = "stand-in.ngrok-free.dev,own.ngrok.app"

    with world.tunnel(requested_url=wanted) as url:
        assert url == "https://own.ngrok.app"
        assert world.visit("/", "own.ngrok.app") == 200


def test_rejects_an_invalid_domain_before_starting(world: World) -> None:
    failure = world.failure(requested_url="http://own.ngrok.app")

    assert failure.finding.rule.id == "LA318"
    assert world.arguments() == []


@pytest.mark.parametrize(
    ("changes", "rule", "named"),
    [
        ({"NGROK_AUTHTOKEN": "short"}, "LA302", "ERR_NGROK_105"),
        ({"NGROK_AUTHTOKEN": f"revoked{TOKEN}"}, "LA303", "ERR_NGROK_107"),
        ({"STAND_IN_SCENARIO": "sessions"}, "LA304", "limited to 3 simultaneous"),
        ({"STAND_IN_SCENARIO": "too_old"}, "LA305", 'minimum supported agent version'),
        ({"STAND_IN_DOMAINS": "other.ngrok.app", "WANTED": "own.ngrok.app"}, "LA307", "own.ngrok"),
        ({"STAND_IN_SCENARIO": "limit"}, "LA308", "more than 3 endpoints"),
        ({"STAND_IN_SCENARIO": "suspended"}, "LA339", "suspended"),
        ({"STAND_IN_SCENARIO": "ends"}, "LA311", "panic: runtime error �[31mboom"),
        ({"STAND_IN_SCENARIO": "dies"}, "LA311", "panic: out of luck"),
        ({"STAND_IN_SCENARIO": "bad_configuration"}, "LA312", "ngrok.yml"),
    ],
)  # fmt: skip
def test_explains_ngroks_errors(
    world: World, changes: dict[str, str], rule: str, named: str
) -> None:
    wanted = changes.pop("WANTED", "")
    world.environ |= changes
    finding = world.failure(requested_url=wanted).finding

    assert finding.rule.id == rule
    assert named in finding.detail
    assert finding.detail.isprintable()
    assert world.environ["NGROK_AUTHTOKEN"] not in finding.detail


@pytest.mark.parametrize(
    ("code", "rule"),
    [(348, "LA304"), (382, "LA316"), (338, "LA339"), (9009, "LA337"), (15013, "LA338")],
)
def test_explains_an_error_by_its_code(world: World, code: int, rule: str) -> None:
    """At login, and for an endpoint in the agent's API; `test_each_code` covers every code."""
    world.environ["STAND_IN_SCENARIO"] = str(code)

    assert world.failure().finding.rule.id == rule


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="npm has it for Linux on x64"
)
def test_a_real_agent_of_version_2_is_too_old(world: World, node_modules: Path) -> None:
    """npm's @expo/ngrok-bin-linux-x64 is version 2.3.41."""
    agent = node_modules / "@expo/ngrok-bin-linux-x64/ngrok"
    if not agent.is_file():
        lacking("npm's @expo/ngrok-bin-linux-x64")
    world.environ["PYNGROK_NGROK_PATH"] = str(agent)
    finding = world.failure().finding

    assert finding.rule.id == "LA305"
    assert finding.detail == f"{agent} is ngrok version 2.3.41."
    assert "ngrok.com/download" in finding.fix


def test_starts_nothing_without_a_token(world: World) -> None:
    del world.environ["NGROK_AUTHTOKEN"]
    finding = world.failure().finding

    assert ngrok_config.known_token(world.environ) == ""
    assert finding.rule.id == "LA301"
    assert "https://dashboard.ngrok.com/get-started/your-authtoken" in finding.fix
    assert world.arguments() == []


def test_distinguishes_an_unreachable_service(
    world: World, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_looks(monkeypatch, once=lambda: listener.lines)
    world.environ["STAND_IN_SCENARIO"] = "unreachable"
    finding = world.failure(seconds=30.0).finding

    assert finding.rule.id == "LA309"
    assert "no host" in finding.detail
    assert listener.lines.count("ngrok cannot reach its servers and is retrying") == 1


def test_does_not_wait_for_a_silent_agent(world: World) -> None:
    world.environ["STAND_IN_SCENARIO"] = "silent"
    failure = world.failure(seconds=1.0)

    assert failure.finding.rule.id == "LA310"
    with pytest.raises(AssertionError, match="nobody"):
        _process_with(str(world.configuration))


def test_closing_from_another_thread_ends_a_start(world: World) -> None:
    world.environ["STAND_IN_SCENARIO"] = "silent"
    tunnel = world.tunnel(seconds=600.0)
    threading.Timer(1.0, tunnel.close).start()
    with pytest.raises(Failure):
        tunnel.open()


def test_explains_a_broken_agent(world: World) -> None:
    program = world.program("bin")
    program.write_text("#!/bin/sh\necho no such architecture >&2; exit 126\n")
    finding = world.failure().finding

    assert finding.rule.id == "LA314"
    assert "no such architecture" in finding.detail


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: '3'\nagent: [unclosed\n", "not YAML (line 3"),
        ("version: '3'\nagent:\n  web_addr: false\n", "web_addr: false"),
        ("version: '2'\nweb_addr: false\n", "web_addr: false"),
        ("version: '3'\nagent:\n  log_format: json\n", "log_format"),
        ("version: '3'\nagent:\n  log_level: warn\n", "log_level"),
        ("version: '3'\nagent:\n", "no settings below it"),
        ("- a list\n", "not a mapping"),
        ("version: '3'\nagent: {authtoken: sec\tret: }\n", "not YAML"),
        ("[" * 100_000, "not YAML"),
        ("#" * (MAX_BYTES + 1), "larger than"),
    ],
)
def test_rejects_an_invalid_configuration(world: World, text: str, said: str) -> None:
    world.configuration.write_text(text)
    finding = world.failure().finding

    assert finding.rule.id == "LA312"
    assert said in finding.detail
    assert str(world.configuration) in finding.detail
    assert "sec\tret" not in finding.detail


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_rejects_an_unreadable_configuration(world: World, make: Callable[[Path], None]) -> None:
    world.configuration.unlink()
    make(world.configuration)

    assert world.failure().finding.rule.id == "LA312"


@contextmanager
def running_agent(world: World, port: int) -> Iterator[None]:
    """Run the user's own agent, which leads to the port."""
    with world.tunnel(port=port) as url:
        yield
        assert url == URL


def test_uses_a_running_agent_and_leaves_it_running(world: World, listener: Listener) -> None:
    with running_agent(world, world.request.port):
        tunnel = world.tunnel()
        assert tunnel.open() == URL
        assert len(world.arguments()) == 1
        world.visit("/through-theirs")
        assert until(lambda: [event.path for event in listener.requests()][-1:])
        tunnel.close()
        assert len(world.agents()) == 1
        assert world.visit("/") == 200


def test_does_not_use_an_agent_with_another_url(world: World) -> None:
    world.environ["STAND_IN_DOMAINS"] = "stand-in.ngrok-free.dev,own.ngrok.app"
    with (
        running_agent(world, world.request.port),
        world.tunnel(requested_url="own.ngrok.app") as url,
    ):
        assert url == "https://own.ngrok.app"


def test_names_the_agent_that_holds_the_url(world: World) -> None:
    with running_agent(world, free_port()):
        with pytest.raises(Failure) as caught, world.tunnel():
            pass
        page = f"http://{yaml.safe_load(world.configuration.read_text())['agent']['web_addr']}"

    assert caught.value.finding.rule.id == "LA306"
    assert page in caught.value.finding.fix


def test_explains_a_url_that_is_held_elsewhere(world: World) -> None:
    (world.state / "stand-in.ngrok-free.dev.json").write_text(json.dumps({"pid": os.getpid()}))
    with pytest.raises(Failure) as caught, world.tunnel():
        pass

    assert caught.value.finding.rule.id == "LA306"
    assert "https://dashboard.ngrok.com/endpoints" in caught.value.finding.fix


def test_reports_requests_without_their_query(world: World, listener: Listener) -> None:
    with world.tunnel():
        world.visit("/oauth/openid/callback?code=secret&state=s")
        world.visit("/missing")
        assert until(lambda: len(listener.requests()) == 2)

    first, second = listener.requests()
    assert (first.method, first.path, first.status) == ("GET", "/oauth/openid/callback", 200)
    assert (second.path, second.status) == ("/missing", 404)
    assert 0 < first.milliseconds < 5000
    assert not any("secret" in repr(event) for event in listener.events)


def test_replaces_control_characters_of_visitors() -> None:
    class Agent(LocalApi):
        requests: ClassVar[list[object]] = []

        def get(self, address: str, path: str) -> Mapping[str, object]:
            return {"requests": self.requests}

    log = ngrok_agent.RequestLog(Agent(), "127.0.0.1:4040")
    sent = {"method": "GET", "uri": "/\x1b[2J\u202e"}
    Agent.requests.append({"id": "1", "request": sent, "response": {"status_code": 200}})
    (event,) = log.news()

    assert event.path.isprintable()


def test_reports_a_lost_and_restored_session(world: World, listener: Listener) -> None:
    with running(world.tunnel()):
        os.kill(world.agents()[0], signal.SIGUSR1)
        assert listener.received(EventKind.LOST)
        os.kill(world.agents()[0], signal.SIGUSR2)
        assert listener.received(EventKind.RESTORED)

    assert listener.kinds() == [EventKind.LOST, EventKind.RESTORED]


def test_restarts_a_killed_agent_with_the_same_url(world: World, listener: Listener) -> None:
    with running(world.tunnel()):
        os.kill(world.agents()[0], signal.SIGKILL)
        assert listener.received(EventKind.RESTORED)
        assert world.visit("/") == 200
        assert len(world.agents()) == 1

    assert listener.kinds() == [EventKind.LOST, EventKind.RESTORED]
    assert "exit status 137" in listener.events[0].detail
    assert world.agents() == []


def test_explains_why_it_cannot_restart(world: World, listener: Listener) -> None:
    with running(world.tunnel()):
        (world.state / "scenario").write_text("sessions")
        os.kill(world.agents()[0], signal.SIGKILL)
        assert until(lambda: len(listener.kinds()) == 2)

    assert listener.kinds() == [EventKind.LOST, EventKind.LOST]
    assert "reached its limit of agents" in listener.events[-1].detail


@contextmanager
def running(tunnel: NgrokTunnel) -> Iterator[NgrokTunnel]:
    with tunnel:
        yield tunnel


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_no_agent_outlives_us(world: World, number: signal.Signals) -> None:
    script = world.folder / "wizard_run.py"
    script.write_text(
        "import sys, time, pathlib\n"
        "from wizard.system.processes import Processes\n"
        "from wizard.tunnels import TunnelRequest, provider\n"
        f"request = TunnelRequest(port=1, state_dir=pathlib.Path({str(world.folder)!r}))\n"
        "import os\n"
        "provider('ngrok')(request, Processes(), os.environ).open()\n"
        "print('open', flush=True)\n"
        "time.sleep(60)\n"
    )
    environ = {**world.environ, "PYTHONPATH": str(STAND_IN.parent.parent.parent)}
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environ
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "open\n"
        agent = world.agents()[0]
        run.send_signal(number)
        run.wait()

    assert until(lambda: start_time(agent) is None)


def test_ctrl_c_during_the_start_leaves_no_agent(world: World) -> None:
    script = world.folder / "wizard_run.py"
    script.write_text(
        "import os, pathlib, signal\n"
        # A shell that runs the tests in the background makes it ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from wizard.system.processes import Processes\n"
        "from wizard.tunnels import TunnelRequest, provider\n"
        f"request = TunnelRequest(port=1, state_dir=pathlib.Path({str(world.folder)!r}))\n"
        "try:\n"
        "    provider('ngrok')(request, Processes(), os.environ).open()\n"
        "except KeyboardInterrupt:\n"
        "    raise SystemExit(130)\n"
    )
    environ = {**world.environ, "PYTHONPATH": str(STAND_IN.parent.parent.parent)}
    environ["STAND_IN_SCENARIO"] = "silent"
    with subprocess.Popen([sys.executable, script], env=environ) as run:
        assert until(lambda: len(world.arguments()) == 1)
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130

    with pytest.raises(AssertionError, match="nobody"):
        _process_with(str(world.configuration))


def test_does_not_use_the_proxy_for_the_agents_local_pages(world: World) -> None:
    world.environ |= {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    with world.tunnel() as url:
        assert url == URL


def test_does_not_take_pyngroks_script_for_an_agent(world: World) -> None:
    wrapper = world.folder / "venv" / "ngrok"
    wrapper.parent.mkdir()
    wrapper.write_text("#!/bin/sh\n# from pyngrok.ngrok import main\nexit 1\n")
    wrapper.chmod(0o755)
    world.environ["PATH"] = f"{wrapper.parent}{os.pathsep}{world.environ['PATH']}"

    assert ngrok_agent.find_agent(world.environ) == world.folder / "bin/ngrok"


def test_finds_the_agent_in_its_own_folder(world: World) -> None:
    world.environ["PATH"] = "/nowhere"
    assert ngrok_agent.find_agent(world.environ) is None
    shutil.copy(world.program("bin"), world.configuration.parent / "ngrok")

    assert ngrok_agent.find_agent(world.environ) == world.configuration.parent / "ngrok"


@contextmanager
def download_site(world: World, authority: Authority, content: bytes) -> Iterator[None]:
    """Run ngrok's site behind the user's proxy, with a certificate from `authority`."""

    def serve(connection: socket.socket) -> None:
        assert read_request(connection).startswith(b"GET /c/bNyj1mQVY4c/ngrok-v3-stable-")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    with (
        server(serve, context) as port,
        proxy_to(port) as proxy,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("HTTPS_PROXY", proxy)
        world.environ["SSL_CERT_FILE"] = str(authority.ca)
        yield


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "authority"
    folder.mkdir()
    return make_authority(folder, "bin.ngrok.com")


def without_agent(world: World) -> None:
    (world.folder / "bin/ngrok").unlink()


def packed(program: Path, kind: str) -> bytes:
    archive = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.write(program, program.name)
    else:
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            tar.add(program, program.name)
    return archive.getvalue()


@pytest.mark.parametrize("kind", ["tgz", "zip"])
def test_downloads_a_missing_agent_with_progress(
    world: World,
    listener: Listener,
    authority: Authority,
    capfd: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    archive = packed(world.folder / "bin/ngrok", kind)
    without_agent(world)
    with download_site(world, authority, archive), world.tunnel() as url:
        assert url == URL

    own = world.configuration.parent / "ngrok"
    assert {"Downloading ngrok ...", "Downloading ngrok: 100%"} <= set(listener.lines)
    assert capfd.readouterr() == ("", "")
    assert own.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in own.parent.iterdir()} == {"ngrok", "ngrok.yml"}


@pytest.mark.parametrize("content", [b"<html>captive portal</html>", b""])
def test_an_invalid_download_leaves_nothing(
    world: World, authority: Authority, content: bytes
) -> None:
    without_agent(world)
    with download_site(world, authority, content):
        finding = world.failure().finding

    assert finding.rule.id == "LA313"
    assert finding.detail.startswith("https://bin.ngrok.com/c/")
    assert [path.name for path in world.configuration.parent.iterdir()] == ["ngrok.yml"]


def test_explains_a_download_without_network(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    without_agent(world)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    finding = world.failure().finding

    assert finding.rule.id == "LA313"
    assert "Connection refused" in finding.detail
    assert "https://ngrok.com/download" in finding.fix


def _process_with(argument: str) -> int:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if argument.encode() in path.read_bytes().split(b"\0"):
                return int(path.parent.name)
        except OSError:
            continue
    raise AssertionError("nobody")


def test_the_offer_lists_what_is_installed_and_missing(world: World) -> None:
    def offer() -> tuple[bool, str]:
        found = provider("ngrok").offer(Processes(), world.environ)
        return found.ready, found.needs

    assert offer() == (True, f"your authtoken (found) and its agent ({world.folder / 'bin/ngrok'})")
    without_agent(world)
    assert offer() == (True, "your authtoken (found) and its agent (a download of 10 MB)")
    del world.environ["NGROK_AUTHTOKEN"]
    assert offer()[0] is False
    assert offer()[1].startswith("the authtoken of a free account")
    world.configuration.write_text("]")
    assert offer()[0] is False
    assert "not YAML" in offer()[1]
    assert world.arguments() == []
