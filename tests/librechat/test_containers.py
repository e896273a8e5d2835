"""LibreChat's containers, from a docker program that answers like the real one.

No Docker daemon was available: the outputs follow the documentation of `docker inspect`, and the
real docker program prints them from a fake daemon.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import pytest

from tests.librechat.inspect import compose_labels, described
from wizard.librechat import containers as module
from wizard.librechat.compose.model import Service
from wizard.librechat.containers import RunningContainer, containers, read_inspect
from wizard.librechat.permissions import Reader
from wizard.system.processes import Processes

STAND_IN = """#!{python} -S
import json, sys, time
known = json.load(open({known!r}))
with open({log!r}, "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
if {hangs}:
    time.sleep(600)
if sys.argv[1] == "ps":
    print("\\n".join(each["Id"] for each in known))
else:
    print(json.dumps([each for each in known if each["Id"] in sys.argv]))
"""


class Docker:
    """A docker program on the path that records its calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"

    def has(self, *known: dict[str, object], hangs: bool = False) -> None:
        file = self.folder / "known.json"
        file.write_text(json.dumps(known))
        program = self.folder / "docker"
        program.write_text(
            STAND_IN.format(python=sys.executable, known=str(file), log=str(self.log), hangs=hangs)
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    @property
    def asked(self) -> list[str]:
        return [line.split()[0] for line in self.log.read_text().splitlines()]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    monkeypatch.setenv("PATH", str(tmp_path))
    return Docker(tmp_path)


def only(content: dict[str, object]) -> RunningContainer:
    (container,) = read_inspect(json.dumps([content]))
    return container


def test_asks_docker_only_for_existing_containers(docker: Docker, tmp_path: Path) -> None:
    docker.has(
        described(binds={str(tmp_path / ".env"): "/app/.env"}, environ=("OPENID_SCOPE=openid",)),
        described("chat-mongodb", image="mongo:8", command=("mongod", "--noauth")),
        described("rag", image="librechat-rag-api-dev-lite:latest", command=("python", "main.py")),
    )
    (found,) = containers(Processes())

    assert docker.asked == ["ps", "inspect"]
    assert found.name == "LibreChat"
    assert found.definition.settings["OPENID_SCOPE"].value == "openid"
    assert found.ports == {3080}
    assert found.started is not None
    assert found.is_running


def test_no_docker_and_no_containers(docker: Docker) -> None:
    assert containers(Processes()) == ()
    docker.has()
    assert containers(Processes()) == ()
    assert docker.asked == ["ps"]


def test_does_not_wait_for_a_hanging_docker(
    docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DOCKER_SECONDS", 0.3)
    docker.has(described(), hangs=True)

    assert containers(Processes()) == ()


@pytest.mark.parametrize("text", ["", "[", "{}", "[1]", '[{"Id": 5}]', "[" * 100_000])
def test_ignores_invalid_output_of_docker(text: str) -> None:
    assert list(read_inspect(text)) == []


def test_accepts_incomplete_output() -> None:
    empty = only({"Id": "1"})
    odd = only({"Id": "1", "Config": [], "State": {"ExitCode": "x"}, "Mounts": [5, {"Type": 1}]})

    assert empty == odd == RunningContainer("1", Service(""))


@pytest.mark.parametrize(
    ("content", "is_librechat"),
    [
        (described(), True),
        (described(image="ghcr.io/danny-avila/librechat-api:v0.8.7", command=()), True),
        (described(image="chat.example.com/team/assistant:3"), True),
        (described(image="x", command=("node", "server/index.js")), True),
        (described(image="x", command=(), binds={"/srv/.env": "/app/.env"}), True),
        (described(image="librechat-admin-panel:latest", command=("node", "server.js")), False),
        (described(image="mongo:8", command=("mongod",), binds={"/srv/d": "/data/db"}), False),
    ],
)
def test_recognizes_containers_that_run_librechat(
    content: dict[str, object], is_librechat: bool
) -> None:
    assert only(content).definition.is_librechat is is_librechat


def test_recognizes_the_folder_of_a_container(tmp_path: Path) -> None:
    env_file, other = tmp_path / "chat/.env", tmp_path / "other"
    ours = [
        described(binds={str(env_file): "/app/.env"}),
        described(binds={str(env_file.parent): "/app"}),
        described(binds={str(env_file.parent / "uploads"): "/app/uploads"}),
        described(labels=compose_labels(env_file.parent)),
        described(labels={**compose_labels(other, "api", str(env_file.parent / "compose.yml"))}),
        described(binds={f"/host_mnt{env_file}": "/app/.env"}),
    ]
    others = [
        described(),
        described(binds={str(other / ".env"): "/app/.env"}),
        described(labels=compose_labels(other)),
        described(binds={str(tmp_path): "/data"}),
        described(binds={str(env_file.parent / "LibreChat/.env"): "/app/.env"}),
        # A label set by hand, on a container that Compose did not create.
        described(labels={"com.docker.compose.project.working_dir": str(env_file.parent)}),
    ]

    assert [only(each).is_of(env_file) for each in ours] == [True] * len(ours)
    assert [only(each).is_of(env_file) for each in others] == [False] * len(others)


def test_finds_the_file_in_the_container(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"

    def reads(source: Path, target: str, folder: str = "/app") -> bool:
        container = only(described(binds={str(source): target}, folder=folder))
        return container.definition.reads(env_file)

    assert reads(env_file, "/app/.env")
    assert reads(tmp_path, "/app")
    assert reads(env_file, "/app/api/.env", "/app/api")
    assert not reads(env_file, "/app/api/.env")
    assert not reads(env_file, "/app/.env", "/app/api")
    assert not reads(tmp_path / "other", "/app/.env")


@pytest.mark.parametrize(
    ("user", "reader"),
    [
        ("", Reader(0)),
        ("node", Reader(1000, 1000)),
        ("1234", Reader(1234)),
        ("1234:1300", Reader(1234, 1300)),
        (":", Reader(0)),
        ("chat", None),
        ("9" * 40, None),
    ],
)
def test_recognizes_the_user_of_the_container(user: str, reader: Reader | None) -> None:
    assert only(described(user=user)).reader == reader


class Daemon(BaseHTTPRequestHandler):
    """The part of Docker's daemon that its program needs to list and describe containers."""

    known: list[dict[str, object]]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = path.split("/")[-2]
        found = [each for each in self.known if each["Id"] == name]
        if path == "/_ping":
            self.answer("OK")
        elif path.endswith("/containers/json"):
            self.answer([{"Id": each["Id"], "Names": ["/x"], "Ports": []} for each in self.known])
        else:
            self.answer(found[0] if found else {"message": "No such container"})

    def answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Api-Version", "1.50")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def address_string(self) -> str:
        return ""

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Daemon]]:
    handler = type("OneDaemon", (Daemon,), {"known": []})
    socket = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    monkeypatch.setenv("HOME", str(tmp_path))
    with ThreadingUnixStreamServer(str(socket), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield handler
        server.shutdown()
        thread.join()


@pytest.mark.needs("docker")
def test_reads_the_output_of_the_real_docker_program(daemon: type[Daemon], tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    daemon.known = [
        described(
            image="librechat:v0.8.7",
            binds={str(env_file): "/app/.env"},
            labels=compose_labels(tmp_path),
            status="exited",
            exit_code=1,
        ),
        described("mongo", image="mongo:8", command=("mongod",)),
    ]
    (found,) = containers(Processes())

    assert shutil.which("docker", path=os.environ["PATH"])
    assert found.is_of(env_file)
    assert (found.service, found.state, found.exit_code) == ("api", "exited", 1)
    assert found.definition.image == "librechat:v0.8.7"
    assert found.definition.reads(env_file)


@pytest.mark.needs("docker")
def test_the_real_docker_program_without_a_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")

    assert containers(Processes()) == ()
