"""How LibreChat runs: each kind of evidence, and its near miss."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.doctor.machines import Runs
from tests.librechat.inspect import compose_labels, described
from wizard.librechat.checkout import Checkout
from wizard.librechat.compose.deployment import Deployment
from wizard.librechat.compose.model import Mount, Project, Service
from wizard.librechat.compose.sources import Sources
from wizard.librechat.containers import RunningContainer, read_inspect
from wizard.librechat.env_store import EnvStore
from wizard.librechat.permissions import Reader
from wizard.librechat.runner import Certainty, Evidence, Machine, Runner, Way, judge
from wizard.system.processes import Processes
from wizard.system.running_process import RunningProcess

ENV_FILE = Path("/srv/chat/.env")
CHECKOUT = Checkout(ENV_FILE.parent, (), "0.8.7", has_package=True)


def deployed(image: str, **changes: object) -> Deployment:
    service = Service("api", image, **changes)  # type: ignore[arg-type]
    files = (ENV_FILE.with_name("docker-compose.yml"),)
    return NOT_DEPLOYED._replace(project=Project(files, {"api": service}))


NOT_DEPLOYED = Deployment(ENV_FILE, ENV_FILE.parent, {}, Sources())
COMPOSE = Evidence(CHECKOUT, deployed("librechat-dev:latest"), 3080)
SERVER = RunningProcess(
    4711,
    "node",
    command=("node", "api/server/index.js"),
    folder=ENV_FILE.parent,
    user=1200,
    groups=(1201, 1202),
)


def container(**changes: object) -> RunningContainer:
    (found,) = read_inspect(json.dumps([described(**changes)]))  # type: ignore[arg-type]
    return found


def seen(
    *containers: RunningContainer,
    process: RunningProcess | None = None,
    evidence: Evidence = COMPOSE,
) -> Runner:
    return judge(evidence._replace(machine=Machine(process, containers)))


def test_a_process_of_this_folder_outranks_a_compose_file() -> None:
    runner = seen(process=SERVER)

    assert (runner.way, runner.certainty) == (Way.NPM, Certainty.KNOWN)
    assert runner.because == "npm runs LibreChat: process 4711, started in this folder."
    assert (runner.version, runner.version_source) == ("0.8.7", "package.json")
    assert runner.reader == Reader(1200, other_groups=(1201, 1202), is_in_container=False)
    assert runner.other_folder is None


@pytest.mark.parametrize(
    "command",
    [
        ("/usr/bin/node", "/srv/chat/api/server/index.js"),
        ("bun", "--bun", "server/index.js"),
        ("node.exe", "C:\\chat\\api\\server\\index.js"),
        ("node", "--max-old-space-size=4096", "api/server/experimental.js"),
    ],
)
def test_recognizes_how_the_server_is_started(command: tuple[str, ...]) -> None:
    assert seen(process=replace(SERVER, command=command)).is_known


@pytest.mark.parametrize(
    "process",
    [
        replace(SERVER, command=("python", "-m", "http.server")),
        replace(SERVER, command=()),
        replace(SERVER, command=("node", "other-server/index.js.map")),
        replace(SERVER, folder=Path("/srv/other")),
        replace(SERVER, folder=Path("/srv/chat/api")),  # it reads /srv/chat/api/.env
    ],
)
def test_another_program_on_the_port_proves_nothing(process: RunningProcess) -> None:
    runner = seen(process=process)

    assert (runner.way, runner.certainty) == (Way.COMPOSE, Certainty.LIKELY)
    assert runner.process is None


def test_another_librechat_on_the_port() -> None:
    by_npm = seen(process=replace(SERVER, folder=Path("/srv/other")))
    by_compose = seen(container(labels=compose_labels(Path("/srv/third"))))

    assert by_npm.other_folder == Path("/srv/other")
    assert by_compose.other_folder == Path("/srv/third")
    assert seen(container(labels=compose_labels(Path("/x")), port=9)).other_folder is None
    assert not by_npm.is_known


def test_an_unreadable_folder_makes_it_only_likely() -> None:
    runner = seen(process=replace(SERVER, folder=None))

    assert (runner.way, runner.certainty) == (Way.NPM, Certainty.LIKELY)
    assert "4711" in runner.because
    assert runner.other_folder is None


def test_a_container_of_this_folder() -> None:
    labels = compose_labels(ENV_FILE.parent, "chat")
    runner = seen(
        container(labels=labels, image="librechat:v0.8.6", binds={str(ENV_FILE): "/app/.env"})
    )

    assert (runner.way, runner.certainty) == (Way.COMPOSE, Certainty.KNOWN)
    assert runner.because == "Docker Compose runs LibreChat: container LibreChat (service chat)."
    assert (runner.version, runner.version_source) == ("0.8.6", "tag of the image")
    assert runner.reader == Reader(1000, 1000)


def test_the_label_of_an_image_outranks_its_tag() -> None:
    labels = {"org.opencontainers.image.version": "v0.8.5"}
    binds = {str(ENV_FILE): "/app/.env"}

    assert seen(container(labels=labels, binds=binds, image="x:v0.8.6")).version == "0.8.5"
    labels = {"org.opencontainers.image.version": "main"}
    assert seen(container(labels=labels, binds=binds, image="x:v0.8.6")).version == "0.8.6"
    assert seen(container(binds=binds, image="x:latest")).version == ""
    assert seen(container(binds=binds, image="localhost:5000/x")).version == ""
    assert seen(container(binds=binds, image="x:0.8.6@sha256:0f")).version == "0.8.6"


def test_a_container_that_compose_did_not_create() -> None:
    runner = seen(container(binds={str(ENV_FILE): "/app/.env"}))

    assert (runner.way, runner.certainty) == (Way.CONTAINER, Certainty.KNOWN)
    assert runner.because == "Docker runs LibreChat: container LibreChat."


def test_a_container_on_the_port_may_have_received_the_values() -> None:
    """For example by `docker run --env-file`, which leaves no trace of the file."""
    runner = seen(container())

    assert (runner.way, runner.certainty) == (Way.CONTAINER, Certainty.LIKELY)
    assert runner.reader is None
    assert seen(container(port=3081)).way is Way.COMPOSE


def test_a_dead_container() -> None:
    labels = compose_labels(ENV_FILE.parent)
    runner = seen(container(labels=labels, status="exited", exit_code=137))

    assert (runner.way, runner.certainty) == (Way.COMPOSE, Certainty.LIKELY)
    assert "137" in runner.because
    alive = container(name="two", labels=labels)
    assert seen(container(labels=labels, status="exited"), alive).container == alive
    assert seen(container(labels=labels, status="restarting")).is_known


def test_npm_on_the_port_despite_an_old_container() -> None:
    left = container(labels=compose_labels(ENV_FILE.parent), status="exited")

    assert seen(left, process=SERVER).is_npm


def test_a_container_in_the_host_network() -> None:
    ours = container(binds={str(ENV_FILE): "/app/.env"}, port=1)
    inside = replace(SERVER, folder=Path("/app"), container=ours.id)
    runner = seen(ours, process=inside)

    assert (runner.way, runner.certainty) == (Way.CONTAINER, Certainty.KNOWN)
    assert runner.other_folder is None
    assert seen(process=inside).way is Way.COMPOSE


def test_the_port_of_an_unlisted_container() -> None:
    proxy = RunningProcess(1, "docker-proxy")
    bare = Evidence(CHECKOUT, NOT_DEPLOYED, 3080)

    assert seen(process=proxy).way is Way.COMPOSE
    assert "docker-proxy" in seen(process=proxy).because
    assert seen(process=proxy, evidence=bare).way is Way.CONTAINER


@pytest.mark.parametrize(
    ("evidence", "way", "certainty", "version"),
    [
        (COMPOSE, Way.COMPOSE, Certainty.LIKELY, ""),
        (Evidence(CHECKOUT, deployed("librechat:v0.8.5")), Way.COMPOSE, Certainty.LIKELY, "0.8.5"),
        (Evidence(CHECKOUT, NOT_DEPLOYED), Way.NPM, Certainty.LIKELY, "0.8.7"),
        (Evidence(Checkout(Path(), ()), NOT_DEPLOYED), Way.UNKNOWN, Certainty.UNKNOWN, ""),
    ],
)
def test_the_folders_contents_make_it_only_likely(
    evidence: Evidence, way: Way, certainty: Certainty, version: str
) -> None:
    runner = judge(evidence)

    assert (runner.way, runner.certainty, runner.version) == (way, certainty, version)


def test_a_built_client_indicates_npm(tmp_path: Path) -> None:
    for name in ("node_modules", "client/dist"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "client/dist/index.html").touch()
    runner = judge(COMPOSE._replace(checkout=CHECKOUT._replace(folder=tmp_path)))

    assert (runner.way, runner.certainty, runner.version) == (Way.NPM, Certainty.LIKELY, "0.8.7")


@pytest.mark.parametrize(
    ("user", "reader"),
    [("1234", Reader(1234)), ("node", Reader(1000, 1000)), ("", None), ("chat", None)],
)
def test_recognizes_the_user_in_a_compose_file(user: str, reader: Reader | None) -> None:
    mounts = (Mount(ENV_FILE, "/app/.env"),)
    evidence = Evidence(CHECKOUT, deployed("librechat", user=user, mounts=mounts))

    assert judge(evidence).reader == reader


LISTENS = """
import socket, time
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    time.sleep(600)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that npm runs, with upstream's Compose file."""
    folder = tmp_path / "LibreChat"
    (folder / "api/server").mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.7"}')
    (folder / "api/server/index.js").write_text(LISTENS)
    (folder / "docker-compose.yml").write_text("services: {api: {image: 'librechat-dev:latest'}}")
    return folder


@pytest.fixture
def port(checkout: Path) -> Iterator[int]:
    """The port of a real process that was started as npm starts LibreChat."""
    command = [sys.executable, "-S", "api/server/index.js"]
    with subprocess.Popen(command, cwd=checkout, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def test_a_real_process(
    checkout: Path, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no docker
    values = {"PORT": str(port)}

    def runner(folder: Path) -> Runner:
        store = EnvStore(folder / ".env", tmp_path / "state", processes=Processes())
        return store.runner(values)

    ours, other = runner(checkout), runner(tmp_path)

    assert (ours.way, ours.certainty, ours.version) == (Way.NPM, Certainty.KNOWN, "0.8.7")
    assert (other.way, other.other_folder) == (Way.UNKNOWN, checkout)


def test_a_linked_folder_is_the_same_one(checkout: Path, port: int, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(checkout)
    store = EnvStore(tmp_path / "link/.env", tmp_path / "state", processes=Processes())

    assert store.runner({"PORT": str(port)}).is_known


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.parametrize("by", ["process", "container"])
def test_keeps_the_file_readable_for_librechats_user(by: str, tmp_path: Path) -> None:
    env_file = tmp_path.resolve() / ".env"
    env_file.write_text("PORT=3080\n")
    env_file.chmod(0o644)
    process = replace(SERVER, folder=env_file.parent, user=54321, groups=(54321,))
    content = described(binds={str(env_file): "/app/.env"}, user="54321")
    runs = Runs(process) if by == "process" else Runs(containers=[content])
    store = EnvStore(env_file, tmp_path / "state", processes=runs)
    (finding,) = store.notice(b"PORT=3081\n").findings
    store.save(b"PORT=3080\n", b"PORT=3081\n")

    assert finding.rule.id == "LA028"
    assert "54321" in finding.detail
    assert env_file.stat().st_mode & 0o777 == 0o604
    env_file.chmod(0o600)
    (finding,) = store.notice(b"PORT=3082\n").findings
    assert finding.rule.id == "LA506"
    assert ("container" in finding.fix) == (by == "container" and os.geteuid() != 0)
