from __future__ import annotations

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

from wizard import __version__

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return folder / build_wheel(str(folder))


def init(command: list[str], folder: Path, **environ: str) -> None:
    """Write a `.env` from our own template, by that installation."""
    folder.mkdir()
    (folder / "secret").write_text("s" * 64)
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
    assert not [name for name in names if "__pycache__" in name]


def test_the_sdist_can_be_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with tarfile.open(tmp_path / build_sdist(str(tmp_path))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    for needed in ("pyproject.toml", "uv.lock", "README.md", "templates/librechat.env.j2"):
        assert needed in names
    assert "tests/conftest.py" in names
    assert not [name for name in names if "node_modules" in name]


def test_the_checkout_itself_runs(tmp_path: Path) -> None:
    init([sys.executable, "-m", "wizard"], tmp_path / "run", PYTHONPATH=str(ROOT))


def test_the_wheel_runs(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    # -P keeps the checkout off the path, -S the editable installation of it.
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
    """Templates beside the package, inside an archive."""
    folder = tmp_path / "checkout"
    for name in ("wizard", "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc"))
    zipapp.create_archive(folder, tmp_path / "app.pyz", main="wizard.__main__:main")
    init(
        [sys.executable, "-S", str(tmp_path / "app.pyz")],
        tmp_path / "run",
        PYTHONPATH=sysconfig.get_path("purelib"),
    )
