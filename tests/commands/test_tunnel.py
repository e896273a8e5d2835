"""`tunnel` in one process: its decisions before a tunnel is held open."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fakes import NoHttp, NoProcesses, ScriptedPrompter, World, make_world
from tests.ports import free_port
from wizard.commands.tunnel import ReopenOptions, TunnelResult, run_tunnel
from wizard.commands.tunnel_status import run_status, run_stop
from wizard.defaults import TUNNELS
from wizard.findings import ExitCode, Failure
from wizard.http import Response
from wizard.steps import live_view
from wizard.steps.background.records import Background, BackgroundTunnel
from wizard.steps.choose_tunnel import open_tunnel
from wizard.steps.live_view import event_text
from wizard.steps.tunnel_menu import OpenedUrls, TunnelOptions
from wizard.system.clock import duration
from wizard.system.loopback import close_all, listeners
from wizard.system.process_control import start_time
from wizard.tunnels import EventKind, TunnelEvent, TunnelRequest, local, ngrok
from wizard.tunnels.ngrok_errors import FOREIGN_DOMAIN


def here() -> str:
    return f"https://localhost:{free_port()}"


class Folder:
    """A LibreChat folder whose `.env` has a URL."""

    def __init__(self, folder: Path, url: str, *script: tuple[str, object]) -> None:
        self.env_file = folder / ".env"
        self.text = (
            "# mine\nOPENID_ISSUER=https://dev-abc.us.auth0.com\nOPENID_CLIENT_ID=abc123\n"
            f"DOMAIN_CLIENT={url}\nDOMAIN_SERVER={url}\n"
        )
        self.env_file.write_text(self.text)
        self.prompter = ScriptedPrompter(*script) if script else None
        self.world: World = make_world(folder, prompter=self.prompter)

    def tunnel(self, **given: Any) -> TunnelResult:
        options = ReopenOptions(env_file=self.env_file, **given)
        result = run_tunnel(options, self.world.ports, lambda _: None)
        if self.prompter is not None:
            self.prompter.verify()
        return result

    @property
    def is_untouched(self) -> bool:
        return self.env_file.read_text() == self.text


@pytest.fixture(autouse=True)
def default_url(monkeypatch: pytest.MonkeyPatch) -> str:
    """The local tunnel's default URL, on another port, since a program may hold the real one."""
    url = here()
    monkeypatch.setattr(local, "DEFAULT_URL", url)
    return url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "LibreChat"
    made.mkdir()
    return made


def test_the_same_url_changes_nothing(folder: Path) -> None:
    url = here()
    chat = Folder(folder, url)
    chat.env_file.write_text(text := f"{chat.text}HSTS_ENABLED=false\n")
    result = chat.tunnel(dry_run=True)

    assert result.public_url == url
    assert (result.changed, result.dashboard) == ([], ())
    assert chat.env_file.read_text() == text
    assert "already has this URL" in chat.world.said


@pytest.mark.parametrize(("version", "writes"), [("v0.8.7", False), ("v0.8.8", True)])
def test_does_not_write_what_this_librechat_does_not_read(
    folder: Path, default_url: str, version: str, writes: bool
) -> None:
    (folder / "package.json").write_text(f'{{"name": "LibreChat", "version": "{version}"}}')

    result = Folder(folder, "https://old.ngrok-free.dev").tunnel(tunnel="local", dry_run=True)

    assert ("HSTS_ENABLED" in result.changed) is writes


@pytest.mark.parametrize("passkeys", ["true", "false"])
def test_warns_that_old_passkeys_fail_with_a_new_url(
    folder: Path, default_url: str, passkeys: str
) -> None:
    chat = Folder(folder, "https://old.ngrok-free.dev")
    chat.env_file.write_text(f"{chat.text}ALLOW_PASSKEY_LOGIN={passkeys}\n")
    result = chat.tunnel(tunnel="local", dry_run=True)

    assert ("LA346" in {each.rule.id for each in result.findings}) is (passkeys == "true")


def test_shows_another_url_with_the_dashboard_values(folder: Path, default_url: str) -> None:
    chat = Folder(folder, "https://old.ngrok-free.dev")
    result = chat.tunnel(tunnel="local", dry_run=True)

    assert result.changed == ["DOMAIN_CLIENT", "DOMAIN_SERVER", "HSTS_ENABLED"]
    assert result.dashboard[0].as_json() == {
        "part": "application",
        "setting": "callbacks",
        "title": "Allowed Callback URLs",
        "removed": ["https://old.ngrok-free.dev/oauth/openid/callback"],
        "added": [f"{default_url}/oauth/openid/callback"],
        "why": "After a login, Auth0 redirects only to listed URLs, compared exactly.",
    }
    for line in (
        "- DOMAIN_SERVER=https://old.ngrok-free.dev",
        f"+ DOMAIN_SERVER={default_url}",
        "- https://old.ngrok-free.dev/oauth/openid/callback",
        "https://manage.auth0.com/#/applications/abc123/settings",
    ):
        assert line in chat.world.said
    assert chat.is_untouched


def test_a_no_leaves_file_and_port_alone(folder: Path, default_url: str) -> None:
    chat = Folder(folder, "https://old.ngrok-free.dev", ("Write these changes?", False))
    result = chat.tunnel(tunnel="local")

    assert not result.is_up_to_date
    assert chat.is_untouched
    socket.create_server(("127.0.0.1", urlsplit(default_url).port or 0)).close()


def test_without_a_terminal(folder: Path) -> None:
    chat = Folder(folder, "https://old.ngrok-free.dev")
    with pytest.raises(Failure) as raised:
        chat.tunnel(tunnel="local")

    assert raised.value.exit_code is ExitCode.USAGE
    assert "--yes" in raised.value.finding.fix
    assert chat.is_untouched


def test_does_not_replace_the_users_own_url_unasked(folder: Path) -> None:
    with pytest.raises(Failure) as raised:
        Folder(folder, "https://chat.example.com").tunnel(yes=True)

    assert raised.value.finding.rule.id == "LA325"


def test_a_tunnel_of_another_name(folder: Path) -> None:
    with pytest.raises(Failure) as raised:
        Folder(folder, here()).tunnel(tunnel="wireguard")

    assert raised.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("interactive", [True, False])
@pytest.mark.parametrize("url", ["https://chat.example.com", "https://localhost:3443"])
def test_none_keeps_the_url_of_the_env(
    folder: Path, url: str, interactive: bool, detach: bool
) -> None:
    """LIBRECHAT_AUTH0_TUNNEL=none has the same meaning for `init`."""
    chat = Folder(folder, url, *([("", "")] if interactive else []))
    if chat.prompter is not None:
        chat.prompter.script.clear()
    result = chat.tunnel(tunnel="none", detach=detach)

    assert (result.tunnel, result.public_url, result.changed) == ("none", url, ())
    assert f"Using {url} without opening a tunnel." in chat.world.said
    assert chat.is_untouched


def test_none_asks_for_a_missing_url(folder: Path) -> None:
    with pytest.raises(Failure) as raised:
        Folder(folder, "http://localhost:3080").tunnel(tunnel="none")

    assert raised.value.finding.rule.id == "LA325"
    assert "--tunnel none opens no tunnel" in raised.value.finding.detail


@pytest.mark.parametrize(("opened_by", "rule"), [("caddy", "LA350"), ("ngrok", ""), ("", "")])
def test_reuses_the_tunnel_that_opened_the_url(folder: Path, opened_by: str, rule: str) -> None:
    """Caddy is not installed here, so it cannot be the tunnel that opened the URL."""
    url = here()
    chat = Folder(folder, url)
    if opened_by:
        OpenedUrls(chat.world.ports.state_dir, chat.env_file).remember(url, opened_by)
    if rule:
        with pytest.raises(Failure) as raised:
            chat.tunnel(dry_run=True)
        assert raised.value.finding.rule.id == rule
    else:
        assert chat.tunnel(dry_run=True).tunnel == "local"


def test_remembers_a_url_for_its_env_only(folder: Path) -> None:
    url = here()
    chat = Folder(folder, url)
    state = chat.world.ports.state_dir
    OpenedUrls(state, folder / "other.env").remember(url, "caddy")
    OpenedUrls(state, chat.env_file).remember("https://mine.ngrok-free.dev", "ngrok")
    chat.tunnel(tunnel="local", dry_run=True)

    assert OpenedUrls(state, chat.env_file).tunnel_of(url) == "local"
    assert OpenedUrls(state, folder / "other.env").tunnel_of(url) == "caddy"
    assert OpenedUrls(state, chat.env_file).tunnel_of("https://mine.ngrok-free.dev") == "ngrok"


def test_remembers_only_the_latest_urls(folder: Path) -> None:
    urls = OpenedUrls(folder, folder / ".env")
    urls.remember("https://localhost:3443", "caddy")
    for number in range(20):
        urls.remember(f"https://x{number}.trycloudflare.com", "cloudflared")
        urls.remember("https://localhost:4443", "caddy")
    (file,) = (folder / "opened").iterdir()

    assert len(json.loads(file.read_text())) == 8
    assert urls.tunnel_of("https://localhost:3443") == "local"
    assert urls.tunnel_of("https://localhost:4443") == "caddy"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "[" * 100_000, '{"https://localhost:3443": 7}', '{"https://localhost:3443": "x"}'],
)
def test_ignores_a_broken_memory(folder: Path, text: str) -> None:
    urls = OpenedUrls(folder, folder / ".env")
    urls.remember("https://localhost:3443", "caddy")
    (file,) = (folder / "opened").iterdir()
    file.write_text(text)

    assert urls.tunnel_for("https://localhost:3443") == "local"
    urls.remember("https://localhost:3443", "caddy")
    assert urls.tunnel_for("https://localhost:3443") == "caddy"


@contextmanager
def held() -> Iterator[int]:
    """Let another program listen on a port."""
    taken = listeners(0)
    try:
        yield taken[0].getsockname()[1]
    finally:
        close_all(taken)


def test_uses_another_port_if_the_envs_is_taken(folder: Path) -> None:
    world = make_world(folder)
    with held() as port:
        url = f"https://localhost:{port}"
        options = TunnelOptions(3080, folder / ".env", tunnel="local", known_url=url)
        with open_tunnel(options, world.ports) as opened:
            assert opened.url != url

    assert f"{url} is no longer available" in world.said


def test_does_not_replace_a_requested_port(folder: Path) -> None:
    world = make_world(folder)
    with held() as port:
        url = f"https://localhost:{port}"
        options = TunnelOptions(3080, folder / ".env", tunnel="local", requested_url=url)
        with pytest.raises(Failure) as raised, open_tunnel(options, world.ports):
            pass

    assert raised.value.finding.rule.id == "LA332"


def test_no_env(folder: Path) -> None:
    chat = Folder(folder, here())
    chat.env_file.unlink()
    with pytest.raises(Failure) as raised:
        chat.tunnel()

    assert raised.value.finding.rule.id == "LA324"


def test_a_failed_tunnel_ends_a_scripted_command(folder: Path) -> None:
    with pytest.raises(Failure) as raised:
        Folder(folder, "https://mine.ngrok-free.dev").tunnel(yes=True)

    assert raised.value.exit_code is ExitCode.TUNNEL
    assert raised.value.finding.rule.id == "LA301"


def test_offers_the_next_tunnel_when_one_fails(folder: Path) -> None:
    chat = Folder(
        folder,
        "https://mine.ngrok-free.dev",
        ("ngrok authtoken", "no token"),
        ("Use", None),
        ("Write these changes?", False),
    )
    result = chat.tunnel()

    assert result.tunnel == "local"
    assert "LA302" in chat.world.said


def test_reports_only_a_requested_url_as_lost(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ngrok may refuse the account's own domain; the `.env` has the URL of another tunnel."""
    asked: list[str] = []

    class Refusing(ngrok.NgrokTunnel):
        def __init__(self, request: TunnelRequest, *rest: Any) -> None:
            super().__init__(request, *rest)
            asked.append(request.requested_url)

        def open(self) -> str:
            raise FOREIGN_DOMAIN.failure("ERR_NGROK_313")

    monkeypatch.setattr(ngrok, "PROVIDER", Refusing)
    chat = Folder(folder, "https://localhost:3443")
    with pytest.raises(Failure):
        chat.tunnel(tunnel="ngrok", yes=True)
    assert asked == [""]
    assert "is no longer available" not in chat.world.said

    chat.env_file.write_text(chat.text.replace("localhost:3443", "mine.ngrok-free.dev"))
    with pytest.raises(Failure):
        chat.tunnel(tunnel="ngrok", yes=True)
    assert asked == ["", "https://mine.ngrok-free.dev", ""]

    chat = Folder(folder, "")
    with pytest.raises(Failure):
        chat.tunnel(tunnel="ngrok", yes=True)
    assert asked == ["", "https://mine.ngrok-free.dev", "", ""]
    assert "is no longer available" not in chat.world.said


MENU = "Which HTTPS URL should LibreChat have?"


def menu_of(folder: Path, environ: dict[str, str], *script: tuple[str, object]) -> list[str]:
    """Return the lines of the menu at which the user stops."""
    prompter = ScriptedPrompter(*script, (MENU, KeyboardInterrupt))
    world = make_world(folder, prompter=prompter, environ=environ)
    with (
        pytest.raises(KeyboardInterrupt),
        open_tunnel(TunnelOptions(3080, folder / ".env"), world.ports),
    ):
        pass
    return prompter.shown[prompter.shown.index(MENU) - len(TUNNELS) - 1 :][: len(TUNNELS) + 1]


def test_the_menu_has_short_lines_and_the_recommended_tunnel_first(folder: Path) -> None:
    lines = menu_of(folder, {})

    assert lines[0] == "local: this computer only, always the same URL (recommended)"
    assert "ngrok: public, always the same URL; asks for your account" in lines
    assert "caddy: this computer only, always the same URL; not installed" in lines
    assert lines[-1] == "my own HTTPS URL"
    assert all(len(line) < 78 for line in lines)


def test_recommends_no_local_tunnel_over_ssh(folder: Path) -> None:
    lines = menu_of(folder, {"SSH_CONNECTION": "192.0.2.7 50000 192.0.2.1 22"})

    assert lines[0].startswith("ngrok: public")
    assert lines[0].endswith("(recommended)")


def test_explains_port_forwarding_for_the_local_tunnel_over_ssh(
    folder: Path, default_url: str
) -> None:
    environ = {"SSH_CONNECTION": "192.0.2.7 50000 192.0.2.1 2222", "USER": "ada"}
    world = make_world(folder, prompter=ScriptedPrompter((MENU, "local")), environ=environ)
    port = urlsplit(default_url).port

    with open_tunnel(TunnelOptions(3080, folder / ".env"), world.ports):
        assert f"ssh -L {port}:localhost:{port} -p 2222 ada@192.0.2.1\n" in world.said


def test_reports_a_failed_tunnel_and_the_next_in_one_line(folder: Path, default_url: str) -> None:
    prompter = ScriptedPrompter(("Use local instead (this computer only, always", True))
    world = make_world(folder, prompter=prompter)

    with open_tunnel(TunnelOptions(3080, folder / ".env", tunnel="caddy"), world.ports) as opened:
        assert (opened.name, opened.url) == ("local", default_url)

    prompter.verify()
    assert "(LA350)" in world.said


def test_failed_tunnels_are_last_in_the_menu(folder: Path, default_url: str) -> None:
    prompter = ScriptedPrompter(("Use local instead", False), (MENU, "local"))
    world = make_world(folder, prompter=prompter)

    with open_tunnel(TunnelOptions(3080, folder / ".env", tunnel="caddy"), world.ports):
        pass

    assert "caddy: this computer only, always the same URL; failed" in prompter.shown
    assert prompter.shown[-2:] == ["my own HTTPS URL", MENU]


class WithNpx(NoProcesses):
    def which(self, program: str) -> Path | None:
        return Path("/usr/bin/npx") if program == "npx" else None


@pytest.mark.parametrize("tunnel", ["cloudflared", "localtunnel"])
def test_npx_downloads_nothing_without_confirmation(
    folder: Path, default_url: str, tunnel: str
) -> None:
    prompter = ScriptedPrompter((f"Download npm's {tunnel}@", False), ("Use local instead", True))
    world = make_world(folder, prompter=prompter)
    ports = world.ports._replace(processes=WithNpx())

    with open_tunnel(TunnelOptions(3080, folder / ".env", tunnel=tunnel), ports) as opened:
        assert opened.name == "local"

    assert "(LA378)" in world.said


def test_a_name_under_localhost_is_not_the_local_tunnel(folder: Path, default_url: str) -> None:
    url = "https://librechat.localhost:3443"
    world = make_world(folder)
    with open_tunnel(
        TunnelOptions(3080, folder / ".env", tunnel="local", known_url=url), world.ports
    ) as opened:
        assert opened.url == default_url


@pytest.mark.parametrize("interactive", [True, False])
def test_uses_the_first_ready_tunnel(folder: Path, default_url: str, interactive: bool) -> None:
    prompter = ScriptedPrompter((MENU, None)) if interactive else None
    world = make_world(folder, prompter=prompter)
    with open_tunnel(TunnelOptions(3080, folder / ".env"), world.ports) as opened:
        assert (opened.name, opened.url) == ("local", default_url)
    is_told = (
        "Using local, the first tunnel that is ready; choose another with --tunnel." in world.said
    )
    assert is_told != interactive


# In the background


def known(pid: int, started: str, **changes: Any) -> BackgroundTunnel:
    one = BackgroundTunnel("/chat/.env", "local", "https://localhost:3443", 3080, pid, started, 0.0)
    return one._replace(**changes)


def test_reports_a_port_held_by_our_background_tunnel(folder: Path, default_url: str) -> None:
    world = make_world(folder)
    ours = known(os.getpid(), start_time(os.getpid()) or "", url=default_url)
    Background(world.ports.state_dir).keep(ours)

    with (
        socket.create_server(("127.0.0.1", urlsplit(default_url).port or 0)),
        pytest.raises(Failure) as raised,
        open_tunnel(
            TunnelOptions(3080, folder / ".env", tunnel="local", known_url=default_url), world.ports
        ),
    ):
        pass

    assert raised.value.finding.rule is local.PORT_TAKEN
    assert "Stop the tunnel of /chat/.env:" in raised.value.finding.fix
    assert raised.value.finding.fix.endswith("librechat-auth0 tunnel stop --all")


def test_reports_another_program_on_the_default_port(folder: Path, default_url: str) -> None:
    world = make_world(folder)

    with (
        socket.create_server(("127.0.0.1", urlsplit(default_url).port or 0)),
        open_tunnel(TunnelOptions(3080, folder / ".env", tunnel="local"), world.ports) as opened,
    ):
        assert opened.url.startswith("https://localhost:")
        assert opened.url != default_url


def test_reports_an_ended_tunnel_once_with_its_reason(folder: Path) -> None:
    world = make_world(folder)
    background = Background(world.ports.state_dir)
    background.keep(known(os.getpid(), "another start", trouble="cloudflared ended"))

    assert [finding.rule.id for finding in run_status(world.ports).findings] == ["LA326"]
    assert "cloudflared ended" in world.said
    assert run_status(world.ports).findings == []


def test_reports_what_is_down(folder: Path) -> None:
    world = make_world(folder)
    started = start_time(os.getpid())
    assert started is not None
    Background(world.ports.state_dir).keep(known(os.getpid(), started, trouble="no network"))

    assert run_status(world.ports).as_json()["tunnels"]
    assert "It is down: no network" in world.said


def test_stop_spares_a_reused_process_id(folder: Path) -> None:
    world = make_world(folder)
    background = Background(world.ports.state_dir)
    background.keep(known(os.getpid(), "another start"))

    assert run_stop(None, world.ports, every=True).tunnels == []
    assert background.all() == []


@pytest.mark.parametrize("content", ["", "[]", '{"pid": 1}', "\0"])
def test_discards_a_broken_record(folder: Path, content: str) -> None:
    world = make_world(folder)
    background = Background(world.ports.state_dir)
    background.keep(known(1, ""))
    (record,) = (world.ports.state_dir / "background").glob("*.json")
    record.write_text(content)

    assert background.all() == []
    assert not record.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts from the boot")
def test_the_start_time_of_a_process_includes_the_boot() -> None:
    assert start_time(os.getpid()) not in {None, ""}
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert (start_time(os.getpid()) or "").endswith(boot)


def test_does_not_open_a_second_tunnel(folder: Path) -> None:
    chat = Folder(folder, here())
    background = Background(chat.world.ports.state_dir)
    with background.starting(chat.env_file), pytest.raises(Failure) as raised:
        chat.tunnel(detach=True)

    assert raised.value.finding.rule.id == "LA321"


def test_records_hold_only_what_status_shows(folder: Path) -> None:
    world = make_world(folder)
    Background(world.ports.state_dir).keep(known(1, "x"))
    (record,) = (world.ports.state_dir / "background").glob("*.json")

    assert sorted(json.loads(record.read_text())) == [
        *("env_file", "opened_at", "pid", "port", "started", "trouble", "tunnel", "url")
    ]


# The live view


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3725, "1 h 2 min"), (90000, "1 d 1 h")],
)
def test_a_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_an_event() -> None:
    seen = TunnelEvent(EventKind.REQUEST, "GET", "/api", 200, 12.4)

    assert event_text(seen) == "GET    /api 200 12 ms"
    assert event_text(seen._replace(status=0)) == "GET    /api"
    assert event_text(TunnelEvent(EventKind.LOST, detail="why")) == "The tunnel is down: why"


def test_reports_a_suspended_machine_and_the_end(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    class Slept:
        def slept(self) -> float:
            return 720.0

    class Librechat(NoHttp):
        def request(self, method: str, url: str, **_: Any) -> Response:
            return Response(url, 200, {}, b"OK")

    monkeypatch.setattr(live_view, "SleepWatch", Slept)
    lines: list[str] = []
    view = live_view.LiveView(3080, Librechat(), lines.append)

    def show(state: str) -> None:
        lines.append(state)
        view.hear(TunnelEvent(EventKind.CLOSED, detail="the network\nis gone"))

    view.watch("https://localhost:3443", show)

    assert "This computer slept for 12 min." in lines[0]
    assert lines[1] == "https://localhost:3443 · open for 0 s · requests: 0"
    assert lines[2].endswith("The tunnel has ended: the network\nis gone")


def test_does_not_show_our_own_request() -> None:
    lines: list[str] = []
    view = live_view.LiveView(3080, NoHttp(), lines.append)
    for path in ("/librechat-auth0", "/login"):
        view.hear(TunnelEvent(EventKind.REQUEST, method="GET", path=path, status=204))

    assert [line[9:] for line in lines] == ["GET    /login 204 0 ms"]


def spanning(chat: Folder) -> str:
    """Return a `.env` whose DOMAIN_SERVER has a quote that closes on another variable's line."""
    last = chat.text.splitlines()[-1].replace("=", '="')
    chat.text = chat.text.replace(chat.text.splitlines()[-1], f'{last}\nMINE=1"')
    chat.env_file.write_text(chat.text)
    return chat.text


def test_a_new_url_removes_no_other_line(folder: Path) -> None:
    chat = Folder(folder, "https://old.ngrok-free.dev")
    text = spanning(chat)

    with pytest.raises(Failure) as caught:
        chat.tunnel(tunnel="local", yes=True)

    assert caught.value.finding.detail == "DOMAIN_SERVER is on lines 5 to 6."
    assert chat.env_file.read_text() == text


def test_removes_a_line_after_a_separate_yes(folder: Path) -> None:
    chat = Folder(folder, "https://old.ngrok-free.dev", ("Remove all of these lines?", None))
    spanning(chat)

    assert not chat.tunnel(tunnel="local").written

    assert '6 - MINE=1"' in chat.world.said
    assert chat.is_untouched


def test_reports_a_url_that_other_programs_read_differently(folder: Path) -> None:
    chat = Folder(folder, "https://old.ngrok-free.dev")
    chat.env_file.write_text(f"'mine\n{chat.text}B='1'\n")

    result = chat.tunnel(tunnel="local", dry_run=True)

    assert {finding.rule.id for finding in result.findings} == {"LA151"}
    assert "Other programs read a variable differently" in chat.world.said
