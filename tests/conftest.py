"""Keep every test on this machine and in its own folders."""

from __future__ import annotations

import os
import shutil
import signal
from functools import cache
from pathlib import Path
from typing import NoReturn
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from hypothesis import HealthCheck, settings

from tests.seed import IS_CHOSEN, SEED

# Untimed: the first example may load a catalogue, and the machine may be busy.
settings.register_profile(
    "steady",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=not IS_CHOSEN,
)
settings.load_profile("steady")

REQUIRE_PROGRAMS = os.environ.get("REQUIRE_PROGRAMS") == "1"
# The index that installers ask.
INDEX = os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple/"

only_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to become another user"
)

SETTINGS_PREFIXES = ("AUTH0_", "LIBRECHAT_AUTH0_", "NGROK_", "OPENID_")


def pytest_report_header() -> str:
    return f"TEST_SEED={SEED}"


def pytest_configure() -> None:
    """Restore SIGINT and SIGHUP, which `&` and nohup make their jobs ignore."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def lacking(what: str) -> NoReturn:
    """Skip the test, or fail it under REQUIRE_PROGRAMS=1."""
    if REQUIRE_PROGRAMS:
        pytest.fail(f"missing: {what}")
    pytest.skip(f"needs {what}")


@cache
def why_offline() -> str:
    """Return why the package index does not answer, "" if it does."""
    try:
        with urlopen(INDEX, timeout=30):
            return ""
    except HTTPError:
        return ""
    except OSError as error:
        return str(error)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        missing = [program for program in marker.args if shutil.which(program) is None]
        if missing:
            lacking(", ".join(missing))
    if item.get_closest_marker("network") and (reason := why_offline()):
        lacking(f"the network: {INDEX}: {reason}")


@pytest.fixture(autouse=True)
def _own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the developer's home, settings and credentials from every test."""
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(SETTINGS_PREFIXES):
            monkeypatch.delenv(name)
    for name, folder in {
        "HOME": home,
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_DATA_HOME": home / ".local/share",
        "XDG_STATE_HOME": home / ".local/state",
        "XDG_CACHE_HOME": home / ".cache",
    }.items():
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("CI", raising=False)
