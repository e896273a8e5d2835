from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.program import clean_environ
from tests.librechat.example import checkout, init_options

ROOT = Path(__file__).parent.parent
HEAVY = (
    "asyncio",
    "auth0",
    "cryptography",
    "dotenv",
    "jinja2",
    "jwt",
    "prompt_toolkit",
    "psutil",
    "pydantic",
    "pyngrok",
    "questionary",
    "rich",
    "urllib3",
    "yaml",
)


def imported_by(*args: str, folder: Path | None = None) -> set[str]:
    """Return the modules that the command imports; `folder` is its current and state folder."""
    code = (
        "import sys, runpy\n"
        f"sys.argv = {['librechat-auth0', *args]!r}\n"
        "try: runpy.run_module('wizard', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "sys.stderr.write('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=clean_environ(folder.parent / "user") if folder else None,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split("\n"))


@pytest.mark.parametrize("args", [("--version",), ("--help",), ("init", "--help")])
def test_nothing_costly_is_imported_before_it_is_needed(args: tuple[str, ...]) -> None:
    assert not imported_by(*args) & set(HEAVY)


def test_the_version_imports_only_its_own_two_modules() -> None:
    """`runpy`, and therefore `python -m`, imports more than Python's start does."""
    code = "sys.argv = ['librechat-auth0', '--version']; from wizard.__main__ import main; main()"
    bare, ours = (
        subprocess.run(
            [sys.executable, "-c", f"import sys; {each}; print(*sys.modules, file=sys.stderr)"],
            capture_output=True,
            text=True,
            check=True,
        ).stderr.split()
        for each in ("pass", code)
    )

    assert {*ours} - {*bare} == {
        "__future__",
        "gc",
        "wizard",
        "wizard.__main__",
        "wizard.system",
        "wizard.system.streams",
    }


@pytest.mark.parametrize("command", ["init", "doctor"])
def test_a_command_on_a_checkout_imports_yaml_only(tmp_path: Path, command: str) -> None:
    folder = checkout(tmp_path / "LibreChat")
    (folder / ".env").write_text("PORT=3080\n")
    args = init_options(tmp_path) if command == "init" else ("doctor", "--offline")

    assert imported_by(*args, folder=folder) & {*HEAVY, "ssl"} == {"yaml"}


def test_init_and_doctor_offline_do_not_import_what_the_network_needs(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "LibreChat")
    needed_later = {
        "email",
        "html",
        "http",
        "selectors",
        "wizard.auth0.live_checks",
        "wizard.auth0.management",
        "wizard.auth0.sign_in",
        "wizard.http_server",
    }

    # without what Typer itself imports
    found = imported_by(*init_options(tmp_path), folder=folder) - imported_by("--help")
    assert not found & needed_later
    assert "hashlib" not in imported_by("doctor", "--offline", folder=folder)  # nor OpenSSL


def test_lists_tunnels_without_importing_the_env_reader(tmp_path: Path) -> None:
    readers = {"wizard.librechat.env_file", "wizard.librechat.env_store", "wizard.tunnels"}
    folder = checkout(tmp_path / "LibreChat")

    assert not imported_by("tunnel", "status", folder=folder) & readers


def test_expressions_are_not_compiled_before_they_are_used() -> None:
    """Only expressions used at an offset, or for each line of a file, are compiled at import."""
    compiled = {
        f"{path.relative_to(ROOT)}: {found}"
        for folder in ("auth0", "doctor", "librechat")
        for path in sorted((ROOT / "wizard" / folder).rglob("*.py"))
        for found in re.findall(r"^(_\w+) = re\.compile", path.read_text("utf-8"), re.MULTILINE)
        if path.name not in {"env_file.py", "text.py"}
    }

    assert not compiled


def test_the_types_of_fields_are_not_compiled() -> None:
    """A named tuple compiles each type that is a text, as all are by `annotations`."""
    texts = {
        path.relative_to(ROOT)
        for path in sorted((ROOT / "wizard").rglob("*.py"))
        if "(NamedTuple):" in (source := path.read_text("utf-8"))
        and "from __future__ import annotations" in source
    }

    assert not texts


@pytest.mark.parametrize("args", [("explain", "LA101"), ("tunnel", "status")])
def test_a_small_command_imports_nothing_costly(tmp_path: Path, args: tuple[str, ...]) -> None:
    folder = checkout(tmp_path / "LibreChat")

    assert not imported_by(*args, folder=folder) & {*HEAVY, "ssl"}
