"""Compare docs/variables.md with a LibreChat checkout.

    python -m tools.librechat /path/to/LibreChat

Prints the sign-in variables that the checkout reads but the page does not have, those on the page
that it no longer reads or reads before the page's *since*, and the defaults in its code that
differ from the page's. For a checkout without code, only its `.env.example` is compared. Only
reads files. Exits with 1 if there is a difference.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wizard.librechat.variables import NEIGHBOURS, OTHERS, VARIABLES, first_version
from wizard.librechat.versions import is_older

EXAMPLE = ".env.example"
FOLDERS = ("api", "packages/api", "packages/data-schemas")
SUFFIXES = frozenset({".js", ".ts", ".cjs", ".mjs"})
_SKIPPED = frozenset({"node_modules", "dist", "test", "tests", "__tests__"})
# `process.env.NAME`, `process.env['NAME']`, and its default, if there is one.
_READ = re.compile(
    r"""process\.env(?:\.(?P<dotted>[A-Z]\w*)|\[['"](?P<quoted>[A-Z]\w*)['"]\])"""
    r"""(?:\s*(?:\|\||\?\?)\s*(?P<default>'[^'\n]*'|"[^"\n]*"|\d+))?"""
)
_DESTRUCTURED = re.compile(r"\{(?P<names>[^{}]*)\}\s*=\s*process\.env\b")
_PASSED = re.compile(r"""\bisEnabled\(\s*['"](?P<name>[A-Z]\w*)['"]""")
_NAME = re.compile(r"\b[A-Z][A-Z0-9_]+\b")
_EXAMPLE = re.compile(r"^\s*#?\s*(?P<name>[A-Z][A-Z0-9_]*)=", re.MULTILINE)
# Names that belong to the sign-in.
_OF_SIGN_IN = re.compile(
    r"^(?:OPENID|OIDC|AUTH|SESSION|JWT|CREDS|HSTS|PASSKEY|DOMAIN|TRUST|SECURITY)_"
    r"|^ALLOW_\w*(?:LOGIN|REGISTRATION|PASSWORD|EMAIL)|^ADMIN_(?:SSO|PANEL)"
)


@dataclass(frozen=True)
class Uses:
    """Where a checkout names a variable, and its defaults in the code."""

    files: set[str] = field(default_factory=set)
    defaults: set[str] = field(default_factory=set)


def uses_in(checkout: Path) -> dict[str, Uses]:
    """Return the variables that a checkout's code reads or its `.env.example` names."""
    found: dict[str, Uses] = {}
    for path in _sources(checkout):
        text = path.read_text("utf-8", "replace")
        where = path.relative_to(checkout).as_posix()
        for name, default in _reads(text):
            uses = found.setdefault(name, Uses())
            uses.files.add(where)
            if default:
                uses.defaults.add(default)
    example = checkout / EXAMPLE
    if example.is_file():
        for each in _EXAMPLE.finditer(example.read_text("utf-8", "replace")):
            found.setdefault(each["name"], Uses()).files.add(example.name)
    return found


def version_of(checkout: Path) -> str:
    """Return the version in the checkout's package.json."""
    package = json.loads((checkout / "package.json").read_text("utf-8"))
    return str(package["version"]).removeprefix("v")


def differences(uses: Mapping[str, Uses], version: str) -> Iterator[str]:
    """Return the differences between the page and a checkout of this version, one per line."""
    known = VARIABLES.keys() | OTHERS.keys() | NEIGHBOURS
    for name in sorted(uses.keys() - known):
        if _OF_SIGN_IN.search(name):
            yield f"new      {name}: {', '.join(sorted(uses[name].files)[:3])}"
    reads_code = any(uses[name].files - {EXAMPLE} for name in uses)
    for name in sorted((VARIABLES.keys() | OTHERS.keys()) - uses.keys()):
        if reads_code and not is_older(version, first_version(name)):
            yield f"gone     {name}"
    for name in sorted(uses.keys() & known):
        if is_older(version, first_version(name)):
            yield f"earlier  {name}: read by {version} (page: since {first_version(name)})"
    for name, variable in VARIABLES.items():
        defaults = uses[name].defaults if name in uses else set()
        if variable.default and defaults and variable.default not in defaults:
            yield f"default  {name}: {', '.join(sorted(defaults))} (page: {variable.default})"


def main(arguments: list[str]) -> int:
    """Print the differences; return 1 if there are any."""
    if len(arguments) != 1 or not Path(arguments[0], "package.json").is_file():
        sys.stderr.write(f"{__doc__}\n")
        return 2
    checkout = Path(arguments[0])
    lines = list(differences(uses_in(checkout), version_of(checkout)))
    sys.stdout.write("".join(f"{line}\n" for line in lines or ["No difference."]))
    return 1 if lines else 0


def _sources(checkout: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((checkout / folder).rglob("*")):
            parts = path.relative_to(checkout).parts
            is_test = ".spec." in path.name or ".test." in path.name
            if path.suffix in SUFFIXES and not is_test and not _SKIPPED & {*parts}:
                yield path


def _reads(text: str) -> Iterator[tuple[str, str]]:
    for each in _READ.finditer(text):
        yield each["dotted"] or each["quoted"], (each["default"] or "").strip("'\"")
    for each in _DESTRUCTURED.finditer(text):
        yield from ((name, "") for name in _NAME.findall(each["names"]))
    for each in _PASSED.finditer(text):
        yield each["name"], ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
