"""What a release needs: workflows, version, changelog, lock file, bill of materials."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hatchling.build import build_wheel

from release import UV, UnfitError, bill_of_materials, build, notes, sections
from wizard import __version__

ROOT = Path(__file__).parents[1]
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text("utf-8"))
    for path in sorted((ROOT / ".github/workflows").glob("*.yml"))
}
JOBS = [
    pytest.param(workflow, job, id=f"{name}-{key}")
    for name, workflow in WORKFLOWS.items()
    for key, job in workflow["jobs"].items()
]
LOCK = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
# Programs named in `needs` that are on every Debian.
ALWAYS_THERE = {"bash", "sh"}


def steps(*workflows: str) -> Iterator[dict[str, Any]]:
    """Return the steps of these workflows, or of all."""
    for name in workflows or WORKFLOWS:
        for job in WORKFLOWS[name]["jobs"].values():
            yield from job.get("steps", ())


# Workflows


@pytest.mark.parametrize(("workflow", "job"), JOBS)
def test_a_job_limits_its_permissions_and_time(
    workflow: dict[str, Any], job: dict[str, Any]
) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert job["permissions"]
    assert "timeout-minutes" in job or job["uses"].startswith("./.github/workflows/")


def test_only_listed_jobs_may_write() -> None:
    rights = {
        (name, key): sorted(right for right, how in job["permissions"].items() if how == "write")
        for name, workflow in WORKFLOWS.items()
        for key, job in workflow["jobs"].items()
    }

    assert {place: found for place, found in rights.items() if found} == {
        ("release", "pypi"): ["id-token"],
        ("release", "github"): ["attestations", "contents", "id-token"],
    }


def test_actions_are_pinned_to_commits() -> None:
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        for action in re.findall(r"uses: (?!\./)(.*)", path.read_text("utf-8")):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_actions_and_uv_have_one_version() -> None:
    used = {step["uses"] for step in steps() if "uses" in step}
    assert len(used) == len({action.partition("@")[0] for action in used})

    uv = {step["with"]["version"] for step in steps() if "setup-uv" in step.get("uses", "")}
    assert len(uv) == 1


def test_no_checkout_keeps_its_token() -> None:
    checkouts = [step for step in steps() if "actions/checkout" in step.get("uses", "")]

    assert len(checkouts) > 3
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_no_script_contains_an_expression() -> None:
    """GitHub pastes an expression in `run` into the shell script."""
    assert not [step for step in steps() if "${{" in step.get("run", "")]


def test_publishing_needs_tests_audit_and_a_separate_build() -> None:
    job = WORKFLOWS["release"]["jobs"]["pypi"]

    assert job["needs"] == ["tests", "audit", "build"]
    assert job["environment"]["name"] == "pypi"
    assert [step["uses"].partition("@")[0] for step in job["steps"]] == [
        "actions/download-artifact",
        "pypa/gh-action-pypi-publish",
    ]
    assert WORKFLOWS["release"][True] == {"push": {"tags": ["v*"]}}


def test_all_run_the_readmes_test_command() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (line,) = re.findall(r"^.*uv run --locked pytest$", readme, re.MULTILINE)
    command = line.rpartition("/")[2]

    assert f"'{command}' README.md" in (ROOT / ".ci/run").read_text("utf-8")
    assert [step["run"] for step in steps("ci") if "run" in step] == [".ci/run", command]


def test_ci_runs_every_supported_python() -> None:
    tried = WORKFLOWS["ci"]["jobs"]["platforms"]["strategy"]["matrix"]["python"]
    label = "Programming Language :: Python :: "
    promised = [
        text.removeprefix(label)
        for text in PROJECT["project"]["classifiers"]
        if text.startswith(f"{label}3.")
    ]

    assert PROJECT["project"]["requires-python"] == f">={tried[0]}"
    assert set(promised) <= set(tried)


def test_ci_installs_every_program_that_tests_need() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8")
    installed = set(re.findall(r"^need (\S+)", script, re.MULTILINE))
    installed |= set(re.findall(r"=\$\(\.ci/(\S+)\)", script))
    markers = [
        marker
        for path in (ROOT / "tests").glob("**/test_*.py")
        for marker in re.findall(r'mark\.needs\(("[^)]*")\)', path.read_text("utf-8"))
    ]
    needed = {name for marker in markers for name in re.findall(r'"([^"]+)"', marker)}

    assert "node" in needed
    assert needed - ALWAYS_THERE <= installed


# Version and changelog


def test_the_changelog_is_valid() -> None:
    found = sections(CHANGELOG)
    released = [name for name in found if name != "Unreleased"]
    by_age = sorted([*released, __version__], key=lambda name: [*map(int, name.split("."))])

    assert re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE) == [
        f"[{name}]" + (f" - {date}" if date else "") for name, (date, _) in found.items()
    ]
    assert next(iter(found)) == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", name) for name in by_age)
    assert all(found[name][0] for name in released)
    assert released == sorted(released, key=by_age.index, reverse=True)
    assert by_age[-1] == __version__, "the version is older than the changelog's newest"
    kinds = set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


CHANGED = """# Changelog

## [Unreleased]

## [1.2.0] - 2026-11-23

### Added

- This.

## [1.1.0] - 2026-10-01

- That.
"""


def test_release_notes_come_from_the_changelog() -> None:
    assert notes("v1.2.0", "1.2.0", CHANGED) == "### Added\n\n- This."
    assert notes("v1.1.0", "1.1.0", CHANGED) == "- That."


@pytest.mark.parametrize(
    ("tag", "changelog", "said"),
    [
        ("v1.2.1", CHANGED, "The tag is v1.2.1, and wizard/__init__.py says 1.2.0."),
        ("1.2.0", CHANGED, "The tag is 1.2.0,"),
        ("v1.2.0", CHANGED.replace("1.2.0", "1.2.1"), "needs a section"),
        ("v1.2.0", CHANGED.replace(" - 2026-11-23", ""), "needs a section"),
        ("v1.2.0", CHANGED.replace("### Added\n\n- This.", ""), "needs a section"),
        ("v1.2.0", CHANGED.replace("[Unreleased]\n", "[Unreleased]\n- More."), "- More."),
    ],
    ids=["other version", "no v", "no section", "no date", "no text", "left over"],
)
def test_rejects_an_inconsistent_release(tag: str, changelog: str, said: str) -> None:
    with pytest.raises(UnfitError, match=re.escape(said)):
        notes(tag, "1.2.0", changelog)


def test_a_wrong_tag_builds_nothing() -> None:
    def laid_out() -> set[Path]:
        return {path for name in ("dist", "build") for path in (ROOT / name).glob("*")}

    before = laid_out()
    done = subprocess.run(
        [sys.executable, "-m", "release", "v0.0.0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The tag is v0.0.0,")
    assert laid_out() == before


def test_contributing_lists_the_workflows_commands() -> None:
    """CONTRIBUTING.md has the same commands, with a version instead of the tag."""
    section = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("\n## Release\n")[2]
    commands = [step["run"] for step in steps("release", "audit") if "run" in step]
    ours = [command for command in commands if "release" in command and "gh " not in command]

    assert len(ours) == 2
    for command in ours:
        assert command.replace('"$GITHUB_REF_NAME"', "v0.1.0") in section


# Packages


@pytest.mark.needs(UV)
@pytest.mark.network
def test_sdist_and_checkout_build_the_same_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path / "dist")
    monkeypatch.chdir(ROOT)
    name = build_wheel(str(tmp_path))

    assert sorted(path.suffix for path in (tmp_path / "dist").glob("l*")) == [".gz", ".whl"]
    assert (tmp_path / "dist" / name).read_bytes() == (tmp_path / name).read_bytes()


# Dependencies


@pytest.mark.needs(UV)
def test_the_lock_file_is_current() -> None:
    done = subprocess.run(
        [UV, "lock", "--check", "--offline"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_the_lock_file_names_no_mirror() -> None:
    text = (ROOT / "uv.lock").read_text("utf-8")

    assert set(re.findall(r'registry = "(.*?)"', text)) == {"https://pypi.org/simple"}
    assert set(re.findall(r'url = "(https?://[^/]*)', text)) == {"https://files.pythonhosted.org"}


def installed() -> set[str]:
    """Return all direct and indirect dependencies, on any system."""
    packages = {package["name"]: package for package in LOCK["package"]}
    found: set[str] = set()
    left = [packages["librechat-auth0"]]
    while left:
        package = left.pop()
        for needed in package.get("dependencies", ()):
            if needed["name"] not in found:
                found.add(needed["name"])
                left.append(packages[needed["name"]])
    return found


@pytest.mark.needs(UV)
def test_the_bill_of_materials_lists_exactly_what_is_installed() -> None:
    bill = bill_of_materials("1.2.3")
    locked = {package["name"]: package.get("version") for package in LOCK["package"]}

    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert (
        bill["metadata"]["component"].items()
        >= {
            "name": "librechat-auth0",
            "version": "1.2.3",
            "purl": "pkg:pypi/librechat-auth0@1.2.3",
        }.items()
    )
    named = [(one["name"], one["version"], one["purl"]) for one in bill["components"]]
    assert sorted(named) == sorted(
        (name, locked[name], f"pkg:pypi/{name}@{locked[name]}") for name in installed()
    )
    assert {"cryptography", "typer"} < installed()
    assert not {"pytest", "mypy", "twine", "pip-audit", "hatchling"} & installed()


@pytest.mark.needs(UV)
def test_the_bill_of_materials_has_the_hash_of_every_file() -> None:
    for component in bill_of_materials("1.2.3")["components"]:
        files = component["externalReferences"]
        assert files, component["name"]
        for file in files:
            assert [hash_["alg"] for hash_ in file["hashes"]] == ["SHA-256"]
