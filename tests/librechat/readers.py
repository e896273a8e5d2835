"""The programs that read an `.env`, for a comparison with ours."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Self

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from tests.conftest import lacking

NODE_FOLDER = Path(__file__).parents[1] / "node"
logging.getLogger("dotenv.main").addHandler(logging.NullHandler())


class NodeReader:
    """A Node process that reads any number of files like LibreChat.

    The caller can do other work meanwhile: first `ask`, then `answer`.
    """

    def __init__(self) -> None:
        if not (NODE_FOLDER / "node_modules/dotenv-newest").is_dir():
            lacking("`npm ci --prefix tests/node`")
        self._process = subprocess.Popen(
            ["node", "read_env.cjs"],
            cwd=NODE_FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._asked: Sequence[bytes] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()

    def ask(self, files: Sequence[bytes]) -> None:
        assert self._process.stdin is not None
        question = json.dumps([base64.b64encode(each).decode() for each in files])
        self._process.stdin.write(f"{question}\n".encode())
        self._process.stdin.flush()
        self._asked = files

    def answer(self) -> list[dict[str, str]]:
        """Return what LibreChat's `dotenv` reads in each, and check that the newest agrees."""
        assert self._process.stdout is not None
        readings: list[list[dict[str, str]]] = json.loads(self._process.stdout.readline())
        for file, reading in zip(self._asked, readings, strict=True):
            assert len(reading) == 1, (file, reading)
        return [reading[0] for reading in readings]


def read_by_node(files: Sequence[bytes]) -> list[dict[str, str]]:
    """Return what LibreChat's `dotenv` reads in each, and check that the newest agrees."""
    with NodeReader() as node:
        node.ask(files)
        return node.answer()


class UnreadableError(Exception):
    """The reader rejects the file, or one of its lines."""


def read_by_python_dotenv(file: bytes) -> dict[str, str | None]:
    """Return what python-dotenv reads; it skips lines that it cannot read."""
    text = file.decode("utf-8", "replace")
    return dotenv_values(stream=io.StringIO(text, newline=""), interpolate=False)


def assignments_of_python_dotenv(file: bytes) -> list[tuple[str, str]]:
    """Return the assignments that python-dotenv reads, in order.

    Raises:
        UnreadableError: it skips a line, or reads several as a name in apostrophes.
    """
    text = file.decode("utf-8", "replace")
    bindings = list(parse_stream(io.StringIO(text, newline="")))
    for each in bindings:
        if each.error or len((each.key or "").splitlines()) > 1:
            raise UnreadableError(each.original)
    return [
        (each.key, each.value)
        for each in bindings
        if each.key is not None and each.value is not None
    ]


def read_by_shell(
    shell: str, files: Sequence[bytes], names: Sequence[str], folder: Path
) -> list[dict[str, str]]:
    """Return what the shell has after `. file`, for each file, without unset names.

    The files are our own, so it may run them. It finds no program, so any command in a file is an
    error.
    """
    program = shutil.which(shell)
    assert program is not None
    script = ['cd -- "$1" || exit']
    # A letter before each value distinguishes empty from unset.
    shown = " ".join(f'"${{{name}+x}}${{{name}-}}"' for name in names)
    for number, file in enumerate(files):
        (folder / f"{number}.env").write_bytes(file)
        script.append(f"unset {' '.join(names)}; . ./{number}.env; printf '%s\\0' {shown}")
    done = subprocess.run(
        [program, "-s", str(folder)],
        env={"PATH": str(folder / "nothing"), "HOME": "/tilde", "LC_ALL": "C.UTF-8"},
        input="\n".join(script).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    read = iter(done.stdout.decode().split("\0"))
    values = [dict(zip(names, islice(read, len(names)), strict=True)) for _ in files]
    assert list(read) == [""]
    return [{name: each[name][1:] for name in names if each[name]} for each in values]


@cache
def compose_command() -> Sequence[str] | None:
    """Return the command for Docker Compose v2, or None if it is not installed."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if program := shutil.which(command[0]):
            version = subprocess.run(
                [program, *command[1:], "version", "--short"],
                capture_output=True,
                timeout=60,
                check=False,
            )
            if version.returncode == 0 and not version.stdout.startswith((b"1.", b"v1.")):
                return [program, *command[1:]]
    return None


def needs_compose() -> None:
    """Skip the test if Docker Compose v2 is not installed; fail if all programs are required."""
    if compose_command() is None:
        lacking("docker compose, version 2 or later")


def read_by_compose(files: Sequence[bytes], folder: Path) -> list[dict[str, str] | None]:
    """Return what Docker Compose reads in each file, or None if it rejects the file.

    Starting Compose takes longer than reading a hundred files, but one bad file makes it reject all
    of them without naming it. So this reads as many at once as possible.
    """
    if not files:
        return []
    readings = _read_by_compose(files, folder)
    if readings is not None:
        return [*readings]
    if len(files) == 1:
        return [None]
    half = len(files) // 2
    return [*read_by_compose(files[:half], folder), *read_by_compose(files[half:], folder)]


def _read_by_compose(files: Sequence[bytes], folder: Path) -> list[dict[str, str]] | None:
    """Return what `docker compose config`, which needs no daemon, shows for these files."""
    for number, file in enumerate(files):
        (folder / f"{number}.env").write_bytes(file)
    services = {
        f"s{number}": {"image": "none", "env_file": [f"{number}.env"]}
        for number in range(len(files))
    }
    (folder / "compose.json").write_text(json.dumps({"name": "fuzz", "services": services}))
    command = compose_command()
    assert command is not None
    done = subprocess.run(
        [*command, "-f", "compose.json", "config", "--format", "json"],
        cwd=folder,
        env=dict.fromkeys(("HOME", "USERPROFILE"), str(folder))
        | {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ},
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        return None
    shown = json.loads(done.stdout)["services"]
    return [
        {  # it writes $ as $$, because its output is a Compose file again
            name: value.replace("$$", "$")
            for name, value in (shown[f"s{number}"].get("environment") or {}).items()
            if value is not None  # a name without value, which is not set in Compose's environment
        }
        for number in range(len(files))
    ]
