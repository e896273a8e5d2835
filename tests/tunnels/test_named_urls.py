"""A URL from a tunnel's program or server must be valid and belong to the provider."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tunnels.conftest import Listener
from tests.tunnels.test_cloudflared import World as CloudflaredWorld
from tests.tunnels.test_ngrok import World as NgrokWorld
from wizard.findings import ExitCode, Failure
from wizard.settings import parse_public_url
from wizard.system.processes import Processes
from wizard.tunnels import TunnelRequest
from wizard.tunnels.child import FOREIGN_URL
from wizard.tunnels.localtunnel import SERVER_VARIABLE, LocaltunnelTunnel

STRANGERS = [
    "https://login.example",
    "https://loca.lt",
    "https://x.loca.lt.login.example",
    "https://xloca.lt",
    "https://x.loca.lt/login?next=1#here",
    "https://me:hunter2@x.loca.lt",
    "https://x`id`.loca.lt",
    "https://x$(id).loca.lt",
    "https://169.254.169.254",
    "https://[::1]",
    "https://x.loca.lt:99999",
    "https://x.loca.lt:0",
    f"https://{'x' * 5000}.loca.lt",
    "https://.loca.lt",
    "https://localhost",
]


@pytest.fixture
def request_(tmp_path: Path, listener: Listener) -> TunnelRequest:
    return TunnelRequest(
        port=3080,
        state_dir=tmp_path / "private",
        on_event=listener.events.append,
        progress=listener.lines.append,
    )


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return dict(os.environ)


def naming(folder: Path, url: str) -> None:
    """Install a localtunnel client that always prints this URL."""
    program = folder / "bin" / "lt"
    program.write_text(
        f"#!{sys.executable} -S\nimport time\n"
        f"print({'your url is: ' + url!r}, flush=True)\ntime.sleep(600)\n"
    )
    program.chmod(0o755)


def refused(tunnel: LocaltunnelTunnel) -> str:
    """Return the error about the URL that the tunnel prints."""
    with pytest.raises(Failure) as caught:
        tunnel.open()
    assert caught.value.finding.rule is FOREIGN_URL
    assert caught.value.exit_code is ExitCode.TUNNEL
    return caught.value.finding.detail


@pytest.mark.parametrize("url", STRANGERS)
@pytest.mark.parametrize("asked", ["", "librechat-ada"])
def test_rejects_a_url_that_is_not_localtunnels(
    tmp_path: Path, request_: TunnelRequest, environ: dict[str, str], url: str, asked: str
) -> None:
    naming(tmp_path, url)
    request = replace(request_, requested_url=asked)
    said = refused(LocaltunnelTunnel(request, Processes(), environ))

    assert said.startswith(f"The localtunnel client reported {url[:300]}: ")
    assert len(said) < 500


@pytest.mark.parametrize(
    "url", ["https://x.loca.lt", "https://X.Loca.LT/", "https://x.loca.lt:443"]
)
def test_accepts_localtunnels_own_url(
    tmp_path: Path, request_: TunnelRequest, environ: dict[str, str], url: str
) -> None:
    naming(tmp_path, url)
    with LocaltunnelTunnel(request_, Processes(), environ) as opened:
        assert opened == "https://x.loca.lt" == parse_public_url(url)


def test_accepts_the_domains_of_the_users_own_server(
    tmp_path: Path, request_: TunnelRequest, environ: dict[str, str]
) -> None:
    environ[SERVER_VARIABLE] = "https://tunnels.example"
    naming(tmp_path, "https://x.tunnels.example")
    with LocaltunnelTunnel(request_, Processes(), environ) as opened:
        assert opened == "https://x.tunnels.example"
    naming(tmp_path, "https://x.tunnels.example/path")

    assert "under a path (/path)" in refused(LocaltunnelTunnel(request_, Processes(), environ))


@pytest.mark.parametrize("host", ["login.example", "trycloudflare.com", "x.loca.lt", "x y", "x/y"])
def test_rejects_a_url_that_is_not_cloudflares(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    world = CloudflaredWorld(tmp_path, 1, listener)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    world.environ["STAND_IN_HOSTNAME"] = host
    with pytest.raises(Failure) as caught:
        world.tunnel().open()

    assert caught.value.finding.rule is FOREIGN_URL
    assert f"cloudflared reported https://{host}: " in caught.value.finding.detail


@pytest.mark.parametrize(
    ("named", "asked", "is_taken"),
    [
        ("https://login.example", "", False),
        ("https://login.example", "https://chat.example", False),
        ("http://stand-in.ngrok-free.dev", "", False),
        ("https://stand-in.ngrok-free.dev/x", "", False),
        ("https://chat.example", "chat.example", True),
        ("https://stand-in.ngrok.io", "", True),
    ],
)
def test_rejects_a_url_that_is_not_ngroks(
    tmp_path: Path, listener: Listener, librechat: int, named: str, asked: str, is_taken: bool
) -> None:
    world = NgrokWorld(tmp_path, librechat, listener)
    world.environ |= {"STAND_IN_URL": named, "STAND_IN_DOMAINS": "stand-in.ngrok-free.dev"}
    if asked:
        world.environ["STAND_IN_DOMAINS"] = "chat.example"
    if is_taken:
        with world.tunnel(requested_url=asked) as url:
            assert url == named
        return

    finding = world.failure(requested_url=asked).finding
    assert finding.rule is FOREIGN_URL
    assert f"The ngrok agent reported {named}: " in finding.detail


def test_does_not_join_an_agent_with_a_foreign_url(
    tmp_path: Path, listener: Listener, librechat: int
) -> None:
    """Any user of this machine can listen on the port of ngrok's agent."""
    world = NgrokWorld(tmp_path, librechat, listener)
    world.environ["STAND_IN_LISTED_URL"] = "https://login.example"
    with world.tunnel():
        del world.environ["STAND_IN_LISTED_URL"]
        with pytest.raises(Failure) as caught:
            world.tunnel().open()

    # Our own agent was started, and found the account's only URL taken.
    assert caught.value.finding.rule.id == "LA306"
