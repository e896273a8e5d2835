"""`init`, `doctor` and `report` in Windows' Python."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.librechat.example import checkout, env_example
from tests.windows.machine import PYTHON, Machine

INIT = (
    *("init", "--offline", "--yes", "--no-open"),
    *("--domain", "example.eu.auth0.com"),
    *("--client-id", "a" * 32),
    *("--audience", "https://api.example"),
    *("--public-url", "https://chat.example"),
)
SECRET = {"AUTH0_CLIENT_SECRET": "s" * 64}
LONG = "/".join(["a folder whose name is so long that two would be enough"] * 5)


def test_the_installed_program_prints_its_version(machine: Machine, work: Path) -> None:
    """The program file as pip makes it: its launcher, the interpreter, and a script in an archive.

    Pip itself would take a minute under Wine.
    """
    launcher = machine.drive / "Python313/Lib/site-packages/pip/_vendor/distlib/t64.exe"
    script = BytesIO()
    with ZipFile(script, "w") as archive:
        archive.writestr("__main__.py", "from wizard.__main__ import main\nmain()\n")
    program = work / "librechat-auth0.exe"
    program.write_bytes(launcher.read_bytes() + f"#!{PYTHON}\r\n".encode() + script.getvalue())

    done = machine.run(machine.path(program), "--version")

    assert (done.status, done.out[:15]) == (0, b"librechat-auth0"), done.text


@pytest.mark.parametrize(
    ("name", "line_end"),
    [("plain", "\n"), ("sp ace é ü ж", "\r\n"), (LONG, "\r\n")],
    ids=["LF", "CRLF", "long"],
)
def test_from_init_to_undo(machine: Machine, work: Path, name: str, line_end: str) -> None:
    (work / name).parent.mkdir(parents=True, exist_ok=True)
    folder = checkout(work / name)
    example = env_example().replace("\n", line_end).encode()
    (folder / ".env.example").write_bytes(example)

    # No folder over 260 characters can be the current one.
    here = ("--env-file", machine.path(folder / ".env"))

    written = machine.ours(*INIT, *here, env=SECRET)
    assert (written.status, b"Traceback" in written.err) == (0, False), written.text
    assert "Wrote" in written.text
    assert "only you can read" not in written.text
    first = (folder / ".env").read_bytes()
    ends = first.count(b"\n")
    assert first.count(b"\r\n") == (ends if line_end == "\r\n" else 0)
    assert (len(first) > len(example), first[:3] == b"\xef\xbb\xbf") == (True, False)

    again = machine.ours(*INIT, *here, env=SECRET)
    assert (again.status, (folder / ".env").read_bytes() == first) == (0, True), again.text
    undone = machine.ours("init", "--undo", "--yes", *here)
    assert (undone.status, (folder / ".env").exists()) == (0, False), undone.text


def test_doctor_and_report_read_what_init_wrote(machine: Machine, work: Path) -> None:
    folder = checkout(work / "sp ace é ü ж")
    assert machine.ours(*INIT, cwd=folder, env=SECRET).status == 0

    examined = machine.ours("doctor", "--offline", "--json", cwd=folder)
    assert (examined.status, json.loads(examined.out)["ok"]) == (0, True), examined.text
    reported = machine.ours("report", "--offline", cwd=folder)
    assert reported.status == 0, reported.text
    assert b"s" * 64 not in reported.out


def test_does_not_report_who_can_read_a_file(machine: Machine, work: Path) -> None:
    """Files have no modes on Windows."""
    folder = checkout(work / "LibreChat")
    done = machine.ours(*INIT, "--format", "json", cwd=folder, env=SECRET)

    assert done.status == 0, done.text
    assert "Wrote " in done.text
    assert "only you" not in done.text


def test_another_drive(machine: Machine, work: Path) -> None:
    folder = checkout(work / "LibreChat")
    drive = machine.drive.parent / "dosdevices/q:"
    drive.unlink(missing_ok=True)
    drive.symlink_to(work)
    try:
        done = machine.ours(*INIT, "--env-file", r"Q:\LibreChat\.env", env=SECRET)
    finally:
        drive.unlink()

    assert done.status == 0, done.text
    assert b"OPENID_CLIENT_ID=" + b"a" * 32 in (folder / ".env").read_bytes()


def test_doctor_fixes_a_file_with_windows_line_ends(machine: Machine, work: Path) -> None:
    folder = checkout(work / "LibreChat")
    assert machine.ours(*INIT, cwd=folder, env=SECRET).status == 0
    env = folder / ".env"
    broken = env.read_bytes().replace(b"ALLOW_SOCIAL_LOGIN=true", b"ALLOW_SOCIAL_LOGIN=false")
    env.write_bytes(broken.replace(b"\n", b"\r\n"))

    assert machine.ours("doctor", "--offline", cwd=folder).status == 1
    fixed = machine.ours("doctor", "--offline", "--fix", "--yes", cwd=folder)
    assert fixed.status == 0, fixed.text
    assert b"ALLOW_SOCIAL_LOGIN=true\r\n" in env.read_bytes()
    assert env.read_bytes().count(b"\n") == env.read_bytes().count(b"\r\n")


def test_the_demo_signs_in(machine: Machine) -> None:
    done = machine.ours("init", "--demo", "--yes", "--no-open")

    assert done.status == 0, done.text
    assert "ok Refresh: It returned a new JSON Web Token for the same API." in done.text
