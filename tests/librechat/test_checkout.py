"""What kind of folder this is, its version, and signs of use."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.conftest import only_root
from wizard.librechat.checkout import (
    MAX_FILE_BYTES,
    find,
    look_at,
    signs_of_use,
    text_of,
)
from wizard.librechat.compose.deployment import read_deployment
from wizard.system.processes import Completed, Processes

COMPOSE_FILE = "services: {api: {image: librechat}}\n"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


class FakeDocker(Processes):
    """Docker for the commands that we use; any other fails."""

    def __init__(self, *volumes: str, installed: bool = True, status: int = 0) -> None:
        self.volumes = volumes
        self.installed = installed
        self.status = status

    def which(self, program: str) -> Path | None:
        assert program == "docker"
        return Path("/usr/bin/docker") if self.installed else None

    def run(
        self,
        args: Sequence[str],
        *,
        timeout: float = 10.0,
        env: Mapping[str, str] | None = None,
        at_terminal: bool = False,
        given: bytes = b"",
    ) -> Completed:
        assert self.installed
        assert args[:3] == ["docker", "volume", "ls"]
        assert timeout <= 10
        return Completed(self.status, "\n".join(self.volumes), "")


NO_DOCKER = FakeDocker(installed=False)


@pytest.mark.parametrize(
    ("files", "evidence", "version"),
    [
        ({}, (), ""),
        ({"package.json": '{"name": "other"}', "docker-compose.yml": "services: {}"}, (), ""),
        (
            {"package.json": '{"name": "LibreChat", "version": "v0.8.7"}'},
            ("package.json (LibreChat 0.8.7)",),
            "0.8.7",
        ),
        ({"package.json": '{"name": "librechat"}'}, ("package.json",), ""),
        ({".env.example": "OPENID_ISSUER=\n"}, (".env.example",), ""),
        ({".env.example": "DATABASE=\n"}, (), ""),
        ({"docker-compose.yml": COMPOSE_FILE}, ("docker-compose.yml",), ""),
        ({"deploy-compose.yml": "x: LibreChat"}, ("deploy-compose.yml",), ""),
        ({"librechat.yaml": "version: 1"}, ("librechat.yaml",), ""),
        ({"package.json": "[1]", "librechat.yaml/x": ""}, (), ""),
        ({"package.json": '{"name": ["LibreChat"], "version": {}}'}, (), ""),
        ({"package.json": "[" * 100_000}, (), ""),
        ({"package.json": '{"name": "librechat", "version": ' + "9" * 5000 + "}"}, (), ""),
        ({"package.json": '{"name": "librechat"}' + " " * (2 << 20)}, (), ""),
    ],
)
def test_recognizes_folders(
    files: Mapping[str, str], evidence: tuple[str, ...], version: str, tmp_path: Path
) -> None:
    checkout = look_at(write(tmp_path, files))
    assert (checkout.evidence, checkout.version) == (evidence, version)
    assert checkout.is_librechat is bool(evidence)
    assert checkout.env_example == tmp_path / ".env.example"


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")
def test_does_not_block_on_an_irregular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "package.json")
    os.mkfifo(tmp_path / "librechat.yaml")
    (tmp_path / ".env.example").symlink_to("/dev/zero")
    (tmp_path / "docker-compose.yml").symlink_to("docker-compose.yml")
    (tmp_path / "compose.yml").mkdir()
    (tmp_path / "deploy-compose.yml").write_bytes(b"\xff\xfe\0librechat")
    assert look_at(tmp_path).evidence == ("deploy-compose.yml",)


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":' * 200_000,
        b"[" * 200_000 + b"]" * 200_000,
        b'{"name": "LibreChat", "version": [' + b"[" * 90 + b"]" * 90 + b"]}",
        b'{"name": "LibreChat", "version": "' + b"9" * 40_000 + b'"}',
        b'{"name": "LibreChat", "version": ' + b"9" * 5_000 + b"}",
        b'{"name": {"librechat": 1}}',
        b"\xff\xfe\x00",
        b" " * (MAX_FILE_BYTES + 1),
    ],
)
def test_limits_a_foreign_package_file(tmp_path: Path, content: bytes) -> None:
    for name in ("package.json", ".env.example", "docker-compose.yml", "librechat.yaml"):
        (tmp_path / name).write_bytes(content)
    assert look_at(tmp_path).version == ""


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs Linux's /proc")
def test_does_not_read_files_of_proc(tmp_path: Path) -> None:
    """/proc/kmsg is a regular file too, and reading it blocks."""
    for name in ("package.json", ".env.example", "docker-compose.yml", "librechat.yaml"):
        (tmp_path / name).symlink_to("/proc/version")
    assert text_of(tmp_path / "package.json") == ""
    (trouble,) = read_deployment(tmp_path, tmp_path / ".env", {}).project.troubles
    assert trouble.reason == "it is not a regular file"


def test_finds_the_nearest_folder(tmp_path: Path) -> None:
    checkout = write(tmp_path / "LibreChat", {"librechat.yaml": ""})
    inside = checkout / "api" / "server"
    inside.mkdir(parents=True)
    assert find(checkout).folder == checkout
    assert find(inside).folder == checkout
    assert find(tmp_path).folder == checkout
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert find(elsewhere) == look_at(elsewhere)


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_finds_nothing_above_that_a_stranger_may_have_laid_out(tmp_path: Path) -> None:
    shared = write(tmp_path / "shared", {"librechat.yaml": ""})
    inside = shared / "mine"
    inside.mkdir()
    assert find(inside).folder == shared
    shared.chmod(0o777)
    assert find(inside) == look_at(inside)
    assert find(shared).folder == shared


@pytest.mark.parametrize(
    ("files", "signs"),
    [
        ({}, ()),
        ({"uploads/.gitkeep": "", "data-node/.gitkeep": ""}, ()),
        ({".env.temp": "CREDS_KEY=x"}, (".env.temp",)),
        ({"data-node/WiredTiger": ""}, ("data-node/",)),
        ({"meili_data_v1.35/VERSION": "", "uploads/a": ""}, ("meili_data_v1.35/", "uploads/")),
        ({"data-node": "a file", "data-node-old/x": ""}, ()),
    ],
)
def test_recognizes_signs_of_use(
    files: Mapping[str, str], signs: tuple[str, ...], tmp_path: Path
) -> None:
    assert signs_of_use(write(tmp_path, files), NO_DOCKER) == signs


@pytest.mark.parametrize(
    ("folder", "volume"),
    [
        ("LibreChat", "librechat_librechat-data"),
        ("My Chat 2.0", "mychat20_librechat-data"),
        ("_-chat", "chat_librechat-data"),
    ],
)
def test_this_folders_data_volume_is_a_sign_of_use(
    folder: str, volume: str, tmp_path: Path
) -> None:
    checkout = write(tmp_path / folder, {"docker-compose.yml": COMPOSE_FILE})
    docker = FakeDocker("other_librechat-data", volume, "x")
    assert signs_of_use(checkout, docker) == (f"volume {volume}",)
    assert signs_of_use(checkout, FakeDocker("other_librechat-data")) == ()
    assert signs_of_use(checkout, FakeDocker(status=1)) == ()
    assert signs_of_use(checkout, NO_DOCKER) == ()


def test_does_not_run_docker_without_compose(tmp_path: Path) -> None:
    class Unasked(FakeDocker):
        def run(
            self,
            args: Sequence[str],
            *,
            timeout: float = 10.0,
            env: Mapping[str, str] | None = None,
            at_terminal: bool = False,
            given: bytes = b"",
        ) -> Completed:
            raise AssertionError(args)

    assert signs_of_use(tmp_path, Unasked()) == ()


@pytest.mark.skipif(os.name != "posix", reason="a program as a shell script")
def test_does_not_wait_long_for_a_hanging_docker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text("#!/bin/sh\nexec sleep 600\n")
    docker.chmod(0o755)
    monkeypatch.setattr("wizard.librechat.checkout.DOCKER_TIMEOUT_SECONDS", 0.3)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    checkout = write(tmp_path / "LibreChat", {"docker-compose.yml": COMPOSE_FILE})
    assert signs_of_use(checkout, Processes()) == ()


@only_root
def test_an_inaccessible_folder(tmp_path: Path) -> None:
    """Some folders belong to Docker's containers; a parent folder may be inaccessible."""
    checkout = write(tmp_path / "LibreChat", {"data-node/x": "", "librechat.yaml": ""})
    (checkout / "data-node").chmod(0o700)
    for parent in [checkout, *checkout.parents][:-2]:
        parent.chmod(parent.stat().st_mode | 0o055)
    seen = _as_nobody(checkout)
    assert seen == [["librechat.yaml"], ["data-node/"]]
    checkout.chmod(0o700)
    assert _as_nobody(checkout) == [[], []]


def _as_nobody(checkout: Path) -> object:
    """Return what `look_at` and `signs_of_use` find for another user, in a child process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            said = [look_at(checkout).evidence, signs_of_use(checkout, NO_DOCKER)]
            os.write(writer, json.dumps(said).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        return json.loads(pipe.read() or b"null")
