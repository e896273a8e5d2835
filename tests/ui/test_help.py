"""Help: groups, examples, the order of commands, no arguments, and typos in values."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.program import Ran, clean_environ, run
from tools.documents.command_line import commands
from wizard import __version__
from wizard.cli import program
from wizard.ui.examples import EXAMPLES_OF
from wizard.ui.help import PROGRAM

COMMANDS = [command.name for command in commands()]


def ran(tmp_path: Path, *args: str) -> Ran:
    return run(*args, cwd=tmp_path, environ=clean_environ(tmp_path / "user"))


def test_every_command_has_three_examples() -> None:
    assert set(EXAMPLES_OF) == set(COMMANDS)
    assert {len(examples) for examples in EXAMPLES_OF.values()} == {3}


@pytest.mark.parametrize(
    "line", {line for examples in EXAMPLES_OF.values() for line, _ in examples}
)
def test_an_example_parses(line: str) -> None:
    given = shlex.split(line.partition(">")[0])[1:]
    place = next((i for i, word in enumerate(given) if word.startswith("-")), len(given))
    command = program()
    words = [*given[:place], "--help", *given[place:]]
    command.main(words, prog_name=PROGRAM, standalone_mode=False)


def test_groups_options_and_shows_no_type(tmp_path: Path) -> None:
    said = ran(tmp_path, "init", "--help").out
    headings = [line for line in said.splitlines() if line.endswith(":") and line[0] != " "]

    assert headings == [
        *("Auth0:", "Tunnel and URL:", "Options:", "How it runs:", "Output:", "Examples:")
    ]
    assert "<" not in said
    assert "[default" not in said
    assert "  --domain DOMAIN " in said


def test_lists_commands_in_order_of_use(tmp_path: Path) -> None:
    said = ran(tmp_path, "--help").out
    rows = said.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()

    assert [row.split()[0] for row in rows] == [
        *("init", "tunnel", "doctor", "verify", "provision", "trust", "explain", "report"),
        *("schema", "help"),
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_also_a_command(tmp_path: Path, name: str) -> None:
    asked = ran(tmp_path, "help", *name.split())

    assert (asked.code, asked.out) == (0, ran(tmp_path, *name.split(), "--help").out)


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version(tmp_path: Path, option: str) -> None:
    assert ran(tmp_path, option).out == f"librechat-auth0 {__version__}\n"
    code = "import wizard.cli; wizard.cli.main()"
    done = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True)
    assert done.stdout == f"librechat-auth0 {__version__}\n"


def test_shows_the_first_command_without_arguments(tmp_path: Path) -> None:
    elsewhere = ran(tmp_path)
    (tmp_path / "package.json").write_text('{"name": "LibreChat"}')
    (tmp_path / ".env.example").touch()
    inside = ran(tmp_path)

    assert (elsewhere.code, inside.code) == (0, 0)
    assert "    cd LibreChat\n    librechat-auth0 init\n" in elsewhere.err
    assert "This is a LibreChat folder" in inside.err
    assert "cd LibreChat" not in inside.err


@pytest.mark.parametrize(
    ("args", "meant"),
    [
        (("--lang", "nlx", "init"), "nl"),
        (("init", "--yes", "--offline", "--tunnel", "ngrk"), "ngrok"),
        (("tunnel", "--yes", "--tunnel", "clodflared"), "cloudflared"),
    ],
)
def test_suggests_a_value_for_a_typo(tmp_path: Path, args: tuple[str, ...], meant: str) -> None:
    (tmp_path / ".env").write_text("PORT=3080\n")
    done = ran(tmp_path, *args)

    assert done.code == 2
    assert f"Did you mean {meant}?" in " ".join(done.err.split())
