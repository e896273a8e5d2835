"""The programs that read an `.env`, so that ours can be held against them."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.conftest import REQUIRE_PROGRAMS

NODE_FOLDER = Path(__file__).parents[1] / "node"
logging.getLogger("dotenv.main").addHandler(logging.NullHandler())


def read_by_node(files: Sequence[bytes]) -> list[dict[str, str]]:
    """What LibreChat's `dotenv` reads in each, and that the newest reads the same."""
    if not (NODE_FOLDER / "node_modules/dotenv-newest").is_dir():
        message = f"missing: npm install --prefix {NODE_FOLDER}"
        pytest.fail(message) if REQUIRE_PROGRAMS else pytest.skip(message)
    done = subprocess.run(
        ["node", "read_env.cjs"],
        cwd=NODE_FOLDER,
        input=json.dumps([base64.b64encode(each).decode() for each in files]).encode(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    readings: list[list[dict[str, str]]] = json.loads(done.stdout)
    assert len(readings) == len(files)
    for file, (librechats, newest) in zip(files, readings, strict=True):
        assert librechats == newest, file
    return [librechats for librechats, _ in readings]


def read_by_python_dotenv(file: bytes) -> dict[str, str | None]:
    text = file.decode("utf-8", "replace").removeprefix("\ufeff")
    return dotenv_values(stream=io.StringIO(text, newline=""), interpolate=False)


def read_by_shell(shell: str, file: Path, names: Sequence[str]) -> dict[str, str]:
    """What the shell has after `. file`; the files are our own, so it may run them."""
    shown = "; ".join(f'printf "%s\\0" "${{{name}}}"' for name in names)
    done = subprocess.run(
        [shell, "-c", f'. "$1" && {{ {shown}; }}', shell, str(file)],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return dict(zip(names, done.stdout.decode().split("\0")[:-1], strict=True))


class ComposeError(Exception):
    """Docker Compose would refuse the file."""


def read_by_compose(file: bytes) -> dict[str, str]:
    """What Docker Compose reads, after the rules of its documentation and of compose-go v2.

    Interpolation is not done: a value with `$` where Compose interpolates is refused.
    Source: docs.docker.com/compose/how-tos/environment-variables/variable-interpolation,
    section "Env file syntax"; compose-spec/compose-go, dotenv/parser.go.
    """
    text = file.decode().removeprefix("\ufeff")
    values: dict[str, str] = {}
    spaces = "\t\v\f\r \x85\xa0"
    while text := text.lstrip():
        if text.startswith("#"):
            text = text.partition("\n")[2]
            continue
        text = re.sub(r"\Aexport\s+", "", text)
        found = re.match(rf"[\w.\-\[\]{spaces}]*([=:\n])", text)
        if not found:
            raise ComposeError(text[:40])
        name = found[0][:-1].rstrip()
        text = text[found.end() :].lstrip(spaces)
        if found[1] == "\n":
            continue  # taken from Compose's own environment
        if " " in name:
            raise ComposeError(name)
        quote = text[:1]
        if quote not in {"'", '"'}:
            line, _, text = text.partition("\n")
            value = line.partition(" #")[0].rstrip()
        else:
            closed = re.match(rf"{quote}((?:\\.|[^\\{quote}])*){quote}", text, re.DOTALL)
            if not closed:
                raise ComposeError(text[:40])
            value = closed[1].replace(f"\\{quote}", quote)
            text = text[closed.end() :]
        if quote != "'" and ("$" in value or "\\" in value):
            raise ComposeError(f"{name} would be interpolated")
        values[name] = value
    return values
