"""The programs that read an `.env`, so that ours can be held against them."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import shutil
import subprocess
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Self

import pytest
from dotenv import dotenv_values
from dotenv.parser import parse_stream

from tests.conftest import REQUIRE_PROGRAMS

NODE_FOLDER = Path(__file__).parents[1] / "node"
logging.getLogger("dotenv.main").addHandler(logging.NullHandler())


class NodeReader:
    """One process of Node's that reads as LibreChat does, for as many files as wanted.

    While it reads, the caller may do something else: first `ask`, then `answer`.
    """

    def __init__(self) -> None:
        if not (NODE_FOLDER / "node_modules/dotenv-newest").is_dir():
            message = f"missing: npm install --prefix {NODE_FOLDER}"
            pytest.fail(message) if REQUIRE_PROGRAMS else pytest.skip(message)
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
        """What LibreChat's `dotenv` reads in each, and that the newest reads the same."""
        assert self._process.stdout is not None
        readings: list[list[dict[str, str]]] = json.loads(self._process.stdout.readline())
        for file, reading in zip(self._asked, readings, strict=True):
            assert len(reading) == 1, (file, reading)
        return [reading[0] for reading in readings]


def read_by_node(files: Sequence[bytes]) -> list[dict[str, str]]:
    """What LibreChat's `dotenv` reads in each, and that the newest reads the same."""
    with NodeReader() as node:
        node.ask(files)
        return node.answer()


class UnreadableError(Exception):
    """The reader would refuse the file, or complain about a line of it."""


def read_by_python_dotenv(file: bytes) -> dict[str, str | None]:
    """What python-dotenv reads; it passes over lines that it cannot read."""
    text = file.decode("utf-8", "replace")
    return dotenv_values(stream=io.StringIO(text, newline=""), interpolate=False)


def assignments_of_python_dotenv(file: bytes) -> list[tuple[str, str]]:
    """The assignments that python-dotenv reads, in their order.

    Raises:
        UnreadableError: it passes over a line, or takes several for a name in apostrophes.
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
    """What the shell has after `. file`, for each; a name that is not set is left out.

    The files are our own, so it may run them. It finds no program, and whatever one of them
    would run is an error.
    """
    program = shutil.which(shell)
    assert program is not None
    script = ['cd -- "$1" || exit']
    # A letter before each value tells what is empty from what is not set.
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


# What Go's unicode.IsSpace takes for white space.
_GO_SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_SPACES_IN_LINE = "\t\v\f\r \x85\xa0"
_KEY = re.compile(rf"(?:[^\W\s]|[.\-\[\]{_SPACES_IN_LINE}])*([=:\n])")
_QUOTED = {
    quote: re.compile(rf"{quote}((?:\\.|[^\\{quote}])*){quote}", re.DOTALL) for quote in "'\""
}


def read_by_compose(file: bytes) -> dict[str, str]:
    """What Docker Compose reads; see `assignments_of_compose`."""
    return dict(assignments_of_compose(file))


def assignments_of_compose(file: bytes) -> list[tuple[str, str]]:
    """The assignments that Docker Compose reads, in their order: our words for its rules.

    Interpolation is not done: a value with `$` where Compose interpolates is refused.
    Source: docs.docker.com/compose/how-tos/environment-variables/variable-interpolation,
    section "Env file syntax"; compose-spec/compose-go v2, dotenv/parser.go.

    Raises:
        UnreadableError: Compose would refuse it, or interpolate.
    """
    text = file.decode().removeprefix("\ufeff")
    assignments = []
    while text := text.lstrip(_GO_SPACES):
        if text.startswith("#"):
            text = text.partition("\n")[2]
            continue
        text = re.sub(r"\Aexport[\t\n\f\r ]+", "", text).lstrip(_SPACES_IN_LINE)
        found = _KEY.match(text)
        if not found:
            raise UnreadableError(text[:40])
        name = found[0][:-1].rstrip(_GO_SPACES)
        if " " in name:
            raise UnreadableError(name)
        text = text[found.end() :].lstrip(_SPACES_IN_LINE)
        if found[1] == "\n":
            continue  # taken from Compose's own environment
        value, text = _value_and_rest(text)
        assignments.append((name, value))
    return assignments


def _value_and_rest(text: str) -> tuple[str, str]:
    quote = text[:1]
    if quote in _QUOTED:
        closed = _QUOTED[quote].match(text)
        if not closed:
            raise UnreadableError(text[:40])
        value = closed[1].replace(f"\\{quote}", quote)
        rest = text[closed.end() :]
    else:
        line, _, rest = text.partition("\n")
        value = line.partition(" #")[0].rstrip(_GO_SPACES)
    if quote != "'" and ("$" in value or (quote == '"' and "\\" in value)):
        raise UnreadableError(f"would be interpolated: {value[:40]}")
    return value, rest


def has_compose() -> bool:
    """Whether the real Docker Compose is there; `config` needs no daemon."""
    return shutil.which("docker") is not None and not subprocess.call(
        ["docker", "compose", "version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def read_by_docker_compose(files: Sequence[bytes], folder: Path) -> list[dict[str, str]]:
    """What `docker compose config` shows for a service with the file as its `env_file`."""
    for number, file in enumerate(files):
        (folder / f"{number}.env").write_bytes(file)
    services = {
        f"s{number}": {"image": "none", "env_file": [f"{number}.env"]}
        for number in range(len(files))
    }
    (folder / "compose.yaml").write_text(json.dumps({"name": "fuzz", "services": services}))
    done = subprocess.run(
        ["docker", "compose", "-f", "compose.yaml", "config", "--format", "json"],
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)["services"]
    return [
        {  # it writes $ as $$, so that its output is a Compose file again
            name: value.replace("$$", "$")
            for name, value in shown[f"s{number}"].get("environment", {}).items()
        }
        for number in range(len(files))
    ]
