"""The background tunnel, from the side of the command that opens it."""

from __future__ import annotations

import os
import signal
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.fakes import make_world
from tests.ports import free_port
from tests.tunnels.conftest import children_of
from tests.tunnels.loopback import Upstream, eventually, serving
from wizard.commands.tunnel_status import run_status
from wizard.findings import Failure
from wizard.language import Language, Message
from wizard.steps.background import process
from wizard.steps.background import tunnel as tunnel_module
from wizard.steps.background.records import Background, BackgroundTunnel
from wizard.steps.background.tunnel import DetachedTunnel
from wizard.tunnels import TunnelRequest

PROCESS = process.__name__


@pytest.fixture
def tunnel(tmp_path: Path) -> Iterator[DetachedTunnel]:
    state_dir = tmp_path / "state"
    state_dir.mkdir(mode=0o700)
    request = TunnelRequest(
        free_port(),
        state_dir,
        f"https://localhost:{free_port()}",
        language=Language.named("nl"),
    )
    dutch = Language.named("nl")
    tunnel = DetachedTunnel("local", request, tmp_path / ".env", os.environ, dutch)
    yield tunnel
    tunnel.close()


def test_ends_unless_kept_open(tunnel: DetachedTunnel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wizard.system.process_control.GRACE_SECONDS", 600)
    tunnel.open()
    tunnel.close()
    assert children_of(os.getpid(), PROCESS) == []


def test_uses_the_language_of_the_command_that_opened_it(tunnel: DetachedTunnel) -> None:
    request = urllib.request.Request(tunnel.open(), headers={"Accept": "text/html"})
    # A URL of this test, on this machine.
    context = ssl._create_unverified_context()

    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, context=context, timeout=60)

    with raised.value as answer:
        assert b'<html lang="nl">' in answer.read()


@pytest.mark.parametrize("language", [Language("en"), Language.named("nl")], ids=["en", "nl"])
def test_explains_a_failure_in_the_users_language(tmp_path: Path, language: Language) -> None:
    request = TunnelRequest(4711, tmp_path, "https://localhost:4711", language=Language.named("nl"))
    tunnel = DetachedTunnel("local", request, tmp_path / ".env", os.environ, language)
    with pytest.raises(Failure) as raised:
        tunnel.open()
    tunnel.close()

    reason = language.say(Message("{port} is LibreChat's own port", port=4711))
    finding = raised.value.finding
    assert finding.detail == reason
    assert finding.fix == language.say(finding.rule.fix)


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_reports_one_that_died_before_it_was_kept_open(tunnel: DetachedTunnel) -> None:
    tunnel.open()
    (pid,) = children_of(os.getpid(), PROCESS)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    with pytest.raises(Failure) as raised:
        tunnel.stay()
    assert raised.value.finding.rule.id == "LA323"


@pytest.mark.parametrize("said", ['{"progress": "Downl', "{", "no JSON\n", "\ufffd"])
def test_reports_one_that_ends_early(
    tunnel: DetachedTunnel, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking = [sys.executable, "-X", "utf8", "-c", f"print({said!r}, end='')"]
    monkeypatch.setattr(tunnel_module, "own_program", lambda _, environ: (breaking, dict(environ)))
    with pytest.raises(Failure) as raised:
        tunnel.open()
    assert raised.value.finding.rule.id == "LA323"


class Disk:
    """The disk of another process; when full, that process cannot extend a file."""

    def __init__(self, pid: int) -> None:
        import resource

        self._limit = partial(resource.prlimit, pid, resource.RLIMIT_FSIZE)
        self._room = self._limit()

    def fill(self) -> None:
        self._limit((0, self._room[1]))

    def make_room(self) -> None:
        self._limit(self._room)


@pytest.fixture
def stays(tmp_path: Path) -> Iterator[tuple[BackgroundTunnel, Background]]:
    """A tunnel that stays in the background, with a server behind it."""
    state_dir = tmp_path / "state"
    state_dir.mkdir(mode=0o700)
    with serving(Upstream().serve) as port:
        request = TunnelRequest(port, state_dir, f"https://localhost:{free_port()}")
        opening = DetachedTunnel("local", request, tmp_path / ".env", os.environ, Language("en"))
        background = Background(state_dir)
        opening.open()
        opening.stay()
        (known,) = background.all()
        yield known, background
        background.stop(known)


def status_of(url: str) -> int:
    context = ssl._create_unverified_context()  # a URL of this test, on this machine
    with urllib.request.urlopen(url, context=context, timeout=60) as answer:
        return int(answer.status)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
def test_a_full_disk_stops_the_log_but_not_the_traffic(
    tmp_path: Path, stays: tuple[BackgroundTunnel, Background]
) -> None:
    known, background = stays
    ports, disk = make_world(tmp_path / "LibreChat").ports, Disk(known.pid)
    log = background.log_file(Path(known.env_file))
    assert status_of(f"{known.url}/before") == 200
    assert eventually(lambda: "/before" in log.read_text())
    assert run_status(ports).findings == []

    disk.fill()
    assert [status_of(f"{known.url}/full-{number}") for number in range(20)] == [200] * 20
    assert eventually(lambda: run_status(ports).findings)
    (finding,) = run_status(ports).findings
    assert (finding.rule.id, finding.detail) == ("LA391", str(log))

    disk.make_room()
    assert status_of(f"{known.url}/after") == 200
    assert eventually(lambda: "/after" in log.read_text())
    assert eventually(lambda: not run_status(ports).findings)
    assert "/full-0 " not in log.read_text()
