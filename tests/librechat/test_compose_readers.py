"""Compare our reader of Compose files with Docker Compose on random projects."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import NoProcesses
from tests.librechat.compose_projects import DrawnProject, drawn_projects
from tests.librechat.readers import compose_command, needs_compose
from wizard.librechat.compose import own
from wizard.librechat.compose.deployment import read_deployment
from wizard.librechat.compose.model import Project, Service
from wizard.librechat.compose.sources import Sources
from wizard.system.processes import Completed

COUNT = 240
ROUND = 40


class ComposeProgram(NoProcesses):
    """`Processes` with this machine's Docker Compose, under either name."""

    def which(self, program: str) -> Path | None:
        return Path(program)

    def run(
        self, args: Sequence[str], *, env: Mapping[str, str] | None = None, **_: Any
    ) -> Completed:
        command = compose_command()
        assert command is not None
        assert args[:2] == ["docker", "compose"]
        done = subprocess.run(
            [*command, *args[2:]], env=env, capture_output=True, text=True, cwd="/", check=False
        )
        return Completed(done.returncode, done.stdout, done.stderr)


def environ_of(project: DrawnProject) -> dict[str, str]:
    names = ("PATH", "SYSTEMROOT", "HOME", "USERPROFILE")
    named = {name: os.environ[name] for name in names if name in os.environ}
    return {**named, **project.environ}


def config(folder: Path, environ: Mapping[str, str], *more: str) -> tuple[str, str]:
    """Return Docker Compose's result in the folder."""
    command = compose_command()
    assert command is not None
    done = subprocess.run(
        [*command, "--profile", "*", "config", "--format", "json", *more],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, done.stderr


def lay_out(project: DrawnProject, folder: Path) -> None:
    for name, text in project.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def seen_by_us(service: Service) -> dict[str, object]:
    return {
        "environment": {name: each.value for name, each in service.settings.items()},
        "env_files": [(str(each.path), each.required) for each in service.env_files],
        "mounts": [(str(each.source), each.target) for each in service.mounts],
        "ports": sorted(service.ports),
        "user": service.user,
        "image": service.image,
        "working_dir": service.working_dir,
        "dockerfile": service.dockerfile,
    }


def seen_by_compose(content: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, object]:
    return {
        "environment": {
            name: value
            for name, value in (content.get("environment") or {}).items()
            if value is not None
        },
        "env_files": [(each["path"], each["required"]) for each in raw.get("env_file") or ()],
        "mounts": [
            (each["source"], each["target"])
            for each in content.get("volumes") or ()
            if each["type"] == "bind"
        ],
        "ports": sorted({str(each["target"]) for each in content.get("ports") or ()}),
        "user": content.get("user", ""),
        "image": content.get("image", ""),
        "working_dir": content.get("working_dir", ""),
        "dockerfile": content.get("build", {}).get("dockerfile", ""),
    }


def read(project: DrawnProject, folder: Path) -> Project:
    return own.read_project(folder, folder / ".env", environ_of(project), Sources())


def differences(project: DrawnProject, folder: Path) -> str:
    """Return how our result differs from Compose's, or ""."""
    lay_out(project, folder)
    environ = environ_of(project)
    ours = read(project, folder)
    printed, said = config(folder, environ)
    if not printed:
        return ""  # If Compose rejects it, ours may too
    if ours.troubles:
        return f"we refuse it: {ours.troubles}"
    raw = json.loads(config(folder, environ, "--no-interpolate")[0])["services"]
    services = json.loads(printed.replace("$$", "$"))["services"]
    theirs = {name: seen_by_compose(each, raw[name]) for name, each in services.items()}
    mine = {name: seen_by_us(each) for name, each in ours.services.items()}
    if theirs == mine:
        return ""
    return f"{json.dumps(mine, indent=1)}\n--- Compose\n{json.dumps(theirs, indent=1)}\n{said}"


@pytest.mark.parametrize("start", range(0, COUNT, ROUND))
def test_our_reader_agrees_with_docker_compose(tmp_path: Path, start: int) -> None:
    needs_compose()
    for project in drawn_projects(COUNT)[start : start + ROUND]:
        folder = tmp_path / str(project.number)
        folder.mkdir()
        found = differences(project, folder)
        assert not found, f"{project}\n{found}"


def test_reads_composes_output_correctly(tmp_path: Path) -> None:
    needs_compose()
    asked = 0
    for project in drawn_projects(40):
        folder = tmp_path / str(project.number)
        folder.mkdir()
        lay_out(project, folder)
        environ = environ_of(project)
        printed, _ = config(folder, environ)
        env_file = folder / ".env"
        got = read_deployment(folder, env_file, environ, ComposeProgram())
        assert bool(got.project.troubles) == (not printed), project
        if printed:
            ours = read(project, folder)
            services = {name: seen_by_us(each) for name, each in got.project.services.items()}
            expected = {name: seen_by_us(each) for name, each in ours.services.items()}
            assert services == expected, project
            assert all(
                each[1:] == ours.services[name].settings[variable][1:]  # everything but the value
                for name, service in got.project.services.items()
                for variable, each in service.settings.items()
            ), project
            asked += 1
    assert asked
