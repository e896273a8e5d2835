"""Follow the examples of CONTRIBUTING.md in a copy of the project."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
ROW, TUNNEL, QUESTION, STEP = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
VARIABLE, SECTION, TUNNEL_SECTION = re.findall(
    r"^```markdown\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE
)
# Prints its URL, and its process ID so that the test can see it end.
PROGRAM = """#!/bin/sh
echo $$ > "$HOME/pid"
echo "port $1 is at https://abc.example.dev"
exec sleep 60
"""


class Project:
    """A copy of the project."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.programs = folder / "bin"
        self.root = folder / "project"
        for path in (self.home, self.programs, self.root):
            path.mkdir(exist_ok=True)
        for name in ("wizard", "tools", "templates", "docs"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("*.pyc"))

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment of its programs."""
        return {
            "HOME": str(self.home),
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.root),
            "LANG": "C.UTF-8",
        }

    def edit(self, path: str, before: str, after: str) -> None:
        file = self.root / path
        text = file.read_text("utf-8")
        assert text.count(before) == 1, f"{path}: {before!r}"
        file.write_text(text.replace(before, after), "utf-8")

    def run(self, module: str, *args: str) -> str:
        """Return what the copy prints on standard output, whatever its exit code."""
        done = subprocess.run(
            [sys.executable, "-m", module, *args],
            cwd=self.root,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def json(self, *args: str) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.run("wizard", *args, "--json"))
        return said

    def init(self, *args: str) -> dict[str, Any]:
        secret = self.home / "secret"
        secret.write_text("s" * 64)
        return self.json(
            *("init", "--yes", "--offline", "--env-file", str(self.home / ".env"), *args),
            *("--domain", "dev.us.auth0.com", "--client-id", "a" * 32),
            *("--audience", "https://api", "--client-secret-file", str(secret)),
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def add_variable(project: Project) -> None:
    project.edit("docs/variables.md", "\n## Credentials\n", f"{VARIABLE}\n## Credentials\n")


def test_a_new_variable(project: Project) -> None:
    add_variable(project)
    project.init("--public-url", "https://chat.example.com")
    env_file = project.home / ".env"

    assert "\nOPENID_AUTO_REDIRECT=" in env_file.read_text()
    env_file.write_text(
        env_file.read_text().replace("OPENID_AUTO_REDIRECT=", "OPENID_AUTO_REDIRECT=yes ")
    )
    found = project.json("doctor", "--offline", "--env-file", str(env_file))["findings"]
    assert "OPENID_AUTO_REDIRECT" in {finding["variable"] for finding in found}


def test_a_new_rule(project: Project) -> None:
    add_variable(project)
    project.edit("docs/rules.md", "## The Auth0 tenant\n", f"{SECTION}\n## The Auth0 tenant\n")
    project.edit("wizard/doctor/options.py", "CHECKS = (\n", f"CHECKS = (\n{ROW},")
    env_file = project.home / ".env"
    env_file.write_text("OPENID_AUTO_REDIRECT=true\n")

    found = project.json("doctor", "--offline", "--env-file", str(env_file))["findings"]
    assert "LA199" in {finding["rule"] for finding in found}
    assert "own sign-in page is skipped" in project.run("wizard", "explain", "LA199")


@pytest.mark.skipif(os.name != "posix", reason="the program is a shell script")
def test_a_new_tunnel(project: Project) -> None:
    (project.root / "wizard/tunnels/example.py").write_text(TUNNEL)
    project.edit("wizard/defaults.py", '"localtunnel")', '"localtunnel", "example")')
    project.edit(
        "docs/rules.md",
        "## Sign-in and tokens\n",
        f"{TUNNEL_SECTION}\n## Sign-in and tokens\n",
    )
    missing = project.init("--tunnel", "example", "--dry-run")

    assert [finding["rule"] for finding in missing["findings"]] == ["LA390"]
    program = project.programs / "example-tunnel"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    said = project.init("--tunnel", "example", "--dry-run")
    assert said["public_url"] == "https://abc.example.dev"
    assert "example" in project.run("wizard", "init", "--help")
    assert_ended(int((project.home / "pid").read_text()))


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX's")
def test_a_new_question(project: Project) -> None:
    import pexpect

    project.edit("wizard/commands/init.py", "\ndef _write(", f"\n{QUESTION}\n\ndef _write(")
    row = '        Step(Message("The .env"), _write, writes_env, is_final=True),\n'
    project.edit("wizard/commands/init.py", row, f"        {STEP.strip()},\n{row}")
    env_file = project.home / ".env"
    env_file.write_text("")
    values = (
        *("--domain", "dev.us.auth0.com", "--client-id", "a" * 32, "--audience", "https://api"),
        *("--public-url", "https://chat.example.com", "--allow-anybody"),
        *("--env-file", str(env_file)),
    )
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "wizard", "init", "--plain", "--offline", *values],
        cwd=str(project.root),
        env={**project.environ, "AUTH0_CLIENT_SECRET": "s" * 64},
        encoding="utf-8",
        timeout=60,
    )
    for question, answer in (
        ("Text of the sign-in button", "Enter by Auth0"),
        ("Write these changes", "y"),
    ):
        terminal.expect(question)
        terminal.sendline(answer)
    terminal.expect(pexpect.EOF)

    assert "OPENID_BUTTON_LABEL='Enter by Auth0'" in env_file.read_text()


def assert_ended(pid: int) -> None:
    """Assert that the process has ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError(f"{pid} is still running")
