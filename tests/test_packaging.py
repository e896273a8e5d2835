"""The built packages: their contents, and that they install, run, upgrade and uninstall."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipapp
import zipfile
from pathlib import Path

import pytest
from hatchling.build import build_sdist, build_wheel

from release import UV
from tests.librechat.example import env_example
from wizard import __version__

ROOT = Path(__file__).parents[1]
# Installers keep the developer's mirrors and caches.
ENVIRON = dict(os.environ)
# The commands to install, upgrade and uninstall in docs/files.md.
WAYS = re.findall(
    r"^\| (pipx|uv|pip)\b.*? \| `(.+?)` \| `(.+?)` \| `(.+?)` \|$",
    (ROOT / "docs/files.md").read_text("utf-8"),
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return folder / build_wheel(str(folder))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return folder / build_sdist(str(folder))


def init(command: list[str], folder: Path, example: str = "", **environ: str) -> None:
    """Write a `.env` with that installation, from LibreChat's example or from our template."""
    folder.mkdir()
    (folder / "secret").write_text("s" * 64)
    if example:
        (folder / ".env.example").write_text(example)
    subprocess.run(
        [
            *command,
            *("init", "--yes", "--offline", "--quiet", "--env-file", str(folder / ".env")),
            *("--domain", "dev.us.auth0.com", "--client-id", "a" * 32),
            *("--audience", "https://api", "--public-url", "https://chat.example.com"),
            *("--client-secret-file", str(folder / "secret")),
        ],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **environ},
        check=True,
    )
    assert "OPENID_ISSUER=https://dev.us.auth0.com\n" in (folder / ".env").read_text()


def test_the_wheel_holds_the_package_its_templates_and_its_manual_page(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    templates = {
        f"wizard/templates/{path.relative_to(ROOT / 'templates')}"
        for path in (ROOT / "templates").rglob("*")
        if path.is_file()
    }

    assert templates
    assert templates <= names
    assert {name.split("/")[0] for name in names} == {
        "wizard",
        f"librechat_auth0-{__version__}.dist-info",
        f"librechat_auth0-{__version__}.data",
    }
    assert [name for name in names if ".data/" in name] == [
        f"librechat_auth0-{__version__}.data/data/share/man/man1/librechat-auth0.1"
    ]
    assert not [name for name in names if "__pycache__" in name or name.endswith(".po")]
    assert {"wizard/py.typed", "wizard/locale/nl/LC_MESSAGES/librechat-auth0.mo"} <= names


def test_the_sdist_holds_the_tests(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    for needed in ("pyproject.toml", "uv.lock", "README.md", "templates/librechat.env.j2"):
        assert needed in names
    for needed in ("tests/conftest.py", "tools/texts.py", ".ci/run", ".github/workflows/ci.yml"):
        assert needed in names
    assert not [name for name in names if "node_modules" in name]


def test_pypi_accepts_both(wheel: Path, sdist: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout.count("PASSED")) == (0, 2), done.stdout + done.stderr


def test_the_checkout_itself_runs(tmp_path: Path) -> None:
    init([sys.executable, "-m", "wizard"], tmp_path / "run", PYTHONPATH=str(ROOT))


def test_the_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    # -P keeps the checkout off the path, -S its editable installation.
    dependencies = sysconfig.get_path("purelib")
    init(
        [sys.executable, "-S", "-P", "-m", "wizard"],
        tmp_path / "run",
        PYTHONPATH=f"{installed}:{dependencies}",
    )


def test_a_zipapp_runs(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    zipapp.create_archive(installed, tmp_path / "app.pyz", main="wizard.__main__:main")
    init(
        [sys.executable, "-S", str(tmp_path / "app.pyz")],
        tmp_path / "run",
        PYTHONPATH=sysconfig.get_path("purelib"),
    )


def test_a_zipapp_of_the_checkout_runs(tmp_path: Path) -> None:
    """The templates are beside the package, inside an archive."""
    folder = tmp_path / "checkout"
    for name in ("wizard", "templates", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc"))
    zipapp.create_archive(folder, tmp_path / "app.pyz", main="wizard.__main__:main")
    init(
        [sys.executable, "-S", str(tmp_path / "app.pyz")],
        tmp_path / "run",
        PYTHONPATH=sysconfig.get_path("purelib"),
    )


class Machine:
    """A computer with only that installer, everything below one folder."""

    def __init__(self, folder: Path, way: str) -> None:
        self.folder = folder
        programs = folder / "bin"
        if way == "pip":
            venv = [sys.executable, "-m", "venv", str(folder / "venv")]
            subprocess.run(venv, env=ENVIRON, check=True)
            programs = folder / "venv" / Path(sys.executable).parent.name
        uv = shutil.which(UV)
        assert uv
        near = [programs, Path(sys.executable).parent, Path(uv).parent]
        self.environ = ENVIRON | {
            "PATH": os.pathsep.join([*map(str, near), ENVIRON["PATH"]]),
            "PIPX_HOME": str(folder / "pipx"),
            "PIPX_BIN_DIR": str(folder / "bin"),
            "PIPX_MAN_DIR": str(folder / "man"),
            "PIPX_COMPLETION_DIR": str(folder / "completions"),
            "UV_TOOL_DIR": str(folder / "uv"),
            "UV_TOOL_BIN_DIR": str(folder / "bin"),
        }
        self.environ.pop("VIRTUAL_ENV", None)
        self.program = programs / "librechat-auth0"

    def run(self, line: str, folder: Path) -> None:
        """Run a line of docs/files.md."""
        name, *rest = shlex.split(line)
        program = shutil.which(name, path=self.environ["PATH"])
        assert program
        done = subprocess.run(
            [program, *rest],
            cwd=folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"

    def said(self, *args: str) -> str:
        """Return what the installed program prints."""
        command = [str(self.program), *args]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def left(self) -> list[Path]:
        """Return the files with our names, without the installers' empty locks."""
        ours = ("librechat", "wizard")
        return [
            path
            for path in self.folder.rglob("*")
            if any(name in path.name.lower() for name in ours) and path.suffix != ".lock"
        ]


def test_the_readme_lists_the_same_installers() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")

    assert [way for way, *_ in WAYS] == ["pipx", "uv", "pip"]
    for _, install, _, _ in WAYS:
        assert f"\n{install}" in readme


@pytest.mark.needs(UV)
@pytest.mark.network
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("way", "install", "upgrade", "uninstall"), WAYS, ids=[way for way, *_ in WAYS]
)
def test_installs_runs_upgrades_and_uninstalls(
    way: str, install: str, upgrade: str, uninstall: str, wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    machine = Machine(tmp_path / "machine", way)

    machine.run(install.replace(" .", f" {wheel}"), tmp_path)
    assert machine.said("--version").split() == ["librechat-auth0", __version__]
    assert "init" in machine.said("--help")
    init([str(machine.program)], tmp_path / "LibreChat", env_example())

    with tarfile.open(sdist) as archive:
        # Debian 12's Python 3.11.2 has no filters.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path)
    copy = tmp_path / sdist.name.removesuffix(".tar.gz")
    module = copy / "wizard/__init__.py"
    # Twice: the second must not come from the installer's cache of the first.
    for version in ("98.0", "99.0"):
        module.write_text(re.sub('"[0-9.]+"', f'"{version}"', module.read_text("utf-8")), "utf-8")
        machine.run(upgrade, copy)
        assert machine.said("--version").split()[-1] == version

    assert machine.left()
    machine.run(uninstall, tmp_path)
    assert machine.left() == []
