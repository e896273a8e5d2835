"""Release steps that the maintainer and the workflow share; not installed with the wizard.

`python -m release v1.2.3` rejects a tag that does not match, and writes the release's files to
`dist/` (for PyPI) and `build/` (for the GitHub release). `python -m release audit` looks up known
vulnerabilities.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
UV = os.environ.get("UV", "uv")
"""The program; `uv run` finds it."""

# The section's name, and a version's date.
_SECTION = re.compile(r"^## \[([^]]+)\](?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)
_LOCKED = ("--frozen", "--no-dev")


class UnfitError(Exception):
    """This tree cannot be released with this tag; the message says what to do."""


def sections(changelog: str) -> dict[str, tuple[str | None, str]]:
    """Return the date and text of each version, in the changelog's order."""
    _, *parts = _SECTION.split(changelog)
    return {
        name: (date, text.strip())
        for name, date, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


def notes(tag: str, version: str, changelog: str) -> str:
    """Return the changelog's text for the tag's version.

    Raises:
        UnfitError: the tag is not the version, or the changelog has no dated text for it.
    """
    if tag != f"v{version}":
        raise UnfitError(f"The tag is {tag}, and wizard/__init__.py says {version}.")
    date, text = sections(changelog).get(version, (None, ""))
    if not date or not text:
        raise UnfitError(f'CHANGELOG.md needs a section "## [{version}] - YYYY-MM-DD" with text.')
    if pending := sections(changelog).get("Unreleased", (None, ""))[1]:
        raise UnfitError(f"CHANGELOG.md still holds as unreleased: {pending.splitlines()[0]}")
    return text


def build(folder: Path) -> None:
    """Build the sdist, and the wheel from it, and check them as PyPI will.

    The build backend is the one that `uv.lock` pins, not the newest.

    Raises:
        subprocess.CalledProcessError: a program failed, and printed why.
    """
    pinned = ("--no-build-isolation", "--python", sys.executable)
    _run(UV, "build", "--clear", *pinned, "--out-dir", str(folder))
    packages = [str(path) for path in sorted(folder.glob("librechat_auth0-*"))]
    _run(sys.executable, "-m", "twine", "check", "--strict", *packages)


def bill_of_materials(version: str) -> dict[str, Any]:
    """Return everything that an installation includes, from `uv.lock`, as CycloneDX; works offline.

    Raises:
        subprocess.CalledProcessError: uv failed, and printed why.
    """
    command = (UV, "export", "--offline", *_LOCKED, "--preview-features", "sbom-export")
    said = subprocess.run(
        [*command, "--format", "cyclonedx1.5"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    ).stdout
    bill: dict[str, Any] = json.loads(said)
    # uv.lock has no version for a project whose version is dynamic.
    root = bill["metadata"]["component"]
    root |= {"version": version, "purl": f"pkg:pypi/{root['name']}@{version}"}
    return bill


def audit() -> None:
    """Look up the known vulnerabilities of everything that an installation includes.

    Raises:
        subprocess.CalledProcessError: there are some, or a package could not be looked up.
    """
    with TemporaryDirectory() as folder:
        pins = str(Path(folder, "requirements.txt"))
        _run(UV, "export", "--quiet", *_LOCKED, "--no-emit-project", "--output-file", pins)
        # Without --strict, a package that is not found counts as safe.
        command = (sys.executable, "-m", "pip_audit", "--strict", "--require-hashes")
        _run(*command, "--disable-pip", "--requirement", pins)


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)
