"""`init --demo`, which many people run first: on a fresh machine, whatever else runs there."""

from __future__ import annotations

import os
import re
import socket
import ssl
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.e2e.program import Ran, clean_environ, run, running
from tests.e2e.proxies import refusing_proxy
from tests.e2e.terminal import CTRL_C, Terminal
from tests.librechat.readers import read_by_node
from wizard.commands.demo import HeldPorts
from wizard.librechat.env_file import EnvFile
from wizard.librechat.variables import is_secret

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and terminals are POSIX's")

PROVED = (
    "sign-in",
    "code-exchange",
    "id-token",
    "access-token",
    "refresh-token",
    "admission",
    "refresh",
)
JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a new user, with a temporary folder of their own."""
    (tmp_path / "tmp").mkdir()
    return clean_environ(tmp_path / "fresh", TMPDIR=str(tmp_path / "tmp"))


def demo_env(tmp_path: Path) -> Path:
    return tmp_path / "kept/.env"


KEPT = ("--env-file", "kept/.env")


def secrets_in(env_file: Path) -> list[str]:
    (values,) = read_by_node([env_file.read_bytes()])
    found = [value for name, value in values.items() if is_secret(name) and value]
    assert len(found) >= 7
    return found


def assert_nothing_runs_on(environ: dict[str, str]) -> None:
    """Assert that no process with this user's home is left."""
    if sys.platform != "linux":
        return
    mark = f"\0HOME={environ['HOME']}\0".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            assert mark not in b"\0" + (process / "environ").read_bytes(), process


def assert_all_is_proved(ran: Ran) -> None:
    assert ran.code == 0, ran.err
    said = ran.json
    assert said["ok"]
    assert said["findings"] == []
    assert {it["outcome"] for it in said["checks"]} == {"proved", "likely"}
    sign_in = {it["check"]: it["outcome"] for it in said["sign_in"]["checks"]}
    assert sign_in == dict.fromkeys(PROVED, "proved")


@contextmanager
def taken(*addresses: tuple[str, int]) -> Iterator[None]:
    """Return whether any program listens there."""
    with ExitStack() as stack:
        for host, port in addresses:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with suppress(OSError):
                stack.enter_context(socket.create_server((host, port), family=family))
        yield


def test_succeeds_on_a_fresh_machine_without_internet(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with refusing_proxy() as proxy:
        ran = run("init", "--demo", cwd=tmp_path, environ={**environ, "HTTPS_PROXY": proxy})

    assert ran.code == 0, ran.err
    assert ran.out == ""
    assert "\x1b" not in ran.err
    assert "Browsers show a warning" not in ran.err  # no browser comes
    assert not re.search(r"^[!✗x?] ", ran.err, re.MULTILINE), ran.err
    assert "✓ Refresh: It returned a new JSON Web Token" in ran.err
    assert ran.err.rstrip().endswith("librechat-auth0 init")
    assert_nothing_runs_on(environ)
    assert not [path for path in tmp_path.iterdir() if path.name not in {"fresh", "home", "tmp"}]
    assert not [*tmp_path.glob("tmp/*"), *tmp_path.glob("**/opened/*")]  # its folder is removed


@pytest.mark.needs("node")
def test_the_file_is_complete_for_librechat(tmp_path: Path, environ: dict[str, str]) -> None:
    demo_env(tmp_path).parent.mkdir()
    ran = run("init", "--demo", "--json", *KEPT, cwd=tmp_path, environ=environ)

    assert_all_is_proved(ran)
    env_file = demo_env(tmp_path)
    assert ran.json["env_file"] == str(env_file)
    assert env_file.stat().st_mode & 0o777 == 0o600
    (values,) = read_by_node([env_file.read_bytes()])
    url = ran.json["public_url"]
    assert values["DOMAIN_CLIENT"] == values["DOMAIN_SERVER"] == url
    assert values["OPENID_ISSUER"].startswith("https://localhost:")
    assert values["OPENID_AUDIENCE"] == values["OPENID_REFRESH_AUDIENCE"]
    assert "offline_access" in values["OPENID_SCOPE"]
    for name in ("ALLOW_SOCIAL_LOGIN", "OPENID_REUSE_TOKENS", "OPENID_USE_PKCE"):
        assert values[name] == "true"
    needed = ("OPENID_CLIENT_ID", "OPENID_SESSION_SECRET", "CREDS_KEY", "CREDS_IV", "JWT_SECRET")
    assert all(values[name] for name in needed)


def test_a_user_whom_librechat_would_not_let_in_proves_nothing(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    demo_env(tmp_path).parent.mkdir()
    demo_env(tmp_path).write_text(
        "OPENID_REQUIRED_ROLE=staff\n"
        "OPENID_REQUIRED_ROLE_PARAMETER_PATH=roles\n"
        "OPENID_REQUIRED_ROLE_TOKEN_KIND=id\n"
    )
    ran = run("init", "--demo", "--json", *KEPT, cwd=tmp_path, environ=environ)

    assert ran.code != 0
    assert "LA586" in {it["rule"] for it in ran.json["findings"]}
    assert not list(tmp_path.glob("**/proved/*"))


@pytest.mark.needs("node")
def test_shows_and_keeps_no_secret(tmp_path: Path, environ: dict[str, str]) -> None:
    demo_env(tmp_path).parent.mkdir()
    plain = run("init", "--demo", "--debug", *KEPT, cwd=tmp_path, environ=environ)
    secrets = secrets_in(demo_env(tmp_path))
    demo_env(tmp_path).unlink()
    as_json = run("init", "--demo", "--json", *KEPT, cwd=tmp_path, environ=environ)
    secrets += secrets_in(demo_env(tmp_path))
    demo_env(tmp_path).unlink()

    kept = [path.read_text("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    for text in (plain.out + plain.err, as_json.out + as_json.err, *kept):
        assert not [secret for secret in secrets if secret in text]
        assert not JWT.search(text)
        assert "code=" not in text


@pytest.mark.parametrize(
    "addresses",
    [
        [("::1", 3080), ("::1", 3443)],
        [("0.0.0.0", 3080), ("0.0.0.0", 3443)],
    ],
    ids=["on IPv6", "everywhere"],
)
def test_leaves_taken_ports_alone(
    addresses: list[tuple[str, int]], tmp_path: Path, environ: dict[str, str]
) -> None:
    with taken(*addresses):
        ran = run("init", "--demo", "--json", cwd=tmp_path, environ=environ)

    assert_all_is_proved(ran)
    assert not ran.json["public_url"].endswith(":3443")


def test_ignores_settings_for_a_real_tenant(tmp_path: Path, environ: dict[str, str]) -> None:
    real = {
        "AUTH0_DOMAIN": "dev-abc123.us.auth0.com",
        "AUTH0_CLIENT_ID": "c" * 32,
        "AUTH0_CLIENT_SECRET": "s" * 64,
        "AUTH0_AUDIENCE": "https://mine.example",
        "LIBRECHAT_AUTH0_PUBLIC_URL": "https://mine.example",
        "LIBRECHAT_AUTH0_TUNNEL": "ngrok",
    }
    demo_env(tmp_path).parent.mkdir()
    flags = (*KEPT, "--offline", "--public-client", "--no-reuse-tokens", "--yes")
    ran = run("init", "--demo", "--json", *flags, cwd=tmp_path, environ={**environ, **real})

    assert_all_is_proved(ran)
    assert "mine.example" not in ran.out
    assert "mine.example" not in demo_env(tmp_path).read_text()


@pytest.mark.parametrize("words", ["Demo: the tenant", "Step 2 of 5", "Step 4 of 5"])
def test_can_be_stopped_midway(words: str, tmp_path: Path, environ: dict[str, str]) -> None:
    with running("init", "--demo", cwd=tmp_path, environ=environ) as demo:
        demo.until(words)
        demo.interrupt()
        ran = demo.end()

    assert ran.code == 130, ran.err
    assert "Stopped" in ran.err
    assert "Traceback" not in ran.err
    assert_nothing_runs_on(environ)
    assert not list(tmp_path.glob("tmp/*"))


def test_at_a_terminal_it_asks_nothing(tmp_path: Path, environ: dict[str, str]) -> None:
    terminal = Terminal("init", "--demo", cwd=tmp_path, environ=environ, color=True, rows=120)

    assert terminal.end() == 0
    assert "\x1b[32m" in terminal.raw  # green
    terminal.until("It returned a new JSON Web Token")
    assert "?" not in terminal.text.replace("?key=", "")


def test_hold_keeps_tenant_and_tunnel_open(tmp_path: Path, environ: dict[str, str]) -> None:
    demo_env(tmp_path).parent.mkdir()
    with running("init", "--demo", "--hold", *KEPT, cwd=tmp_path, environ=environ) as demo:
        command = demo.line("NODE_EXTRA_CA_CERTS=")
        demo.until("Keep this running")
        values = EnvFile.from_bytes(demo_env(tmp_path).read_bytes()).values()
        ca_file = command.partition("=")[2].split()[0]
        trusting = ssl.create_default_context(cafile=ca_file)
        issuer = values["OPENID_ISSUER"].rstrip("/")
        url = f"{issuer}/.well-known/openid-configuration"
        with urlopen(url, context=trusting, timeout=60) as answer:
            assert answer.status == 200
        demo.interrupt()
        ran = demo.end()

    assert ran.code == 0, ran.err
    assert demo_env(tmp_path).is_file()
    assert_nothing_runs_on(environ)


def test_ctrl_c_skips_only_the_sign_in(tmp_path: Path, environ: dict[str, str]) -> None:
    """The browser program opens nothing."""
    browser = tmp_path / "browser"
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    environ = {**environ, "BROWSER": str(browser), "NO_COLOR": "1"}
    with Terminal("init", "--demo", cwd=tmp_path, environ=environ, rows=120) as terminal:
        terminal.answer("Sign in with your own browser?", None)
        terminal.until("Waiting for the sign-in")
        terminal.type(CTRL_C)
        terminal.until("The test sign-in was skipped.")
        terminal.until("Set up your own LibreChat")
        assert terminal.end() == 0


def test_two_users_can_run_it_at_the_same_time(tmp_path: Path) -> None:
    users = [clean_environ(tmp_path / name) for name in ("one", "two")]

    def demo(environ: dict[str, str]) -> Ran:
        return run("init", "--demo", "--json", cwd=tmp_path, environ=environ)

    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(demo, users))

    for each, environ in zip(ran, users, strict=True):
        assert_all_is_proved(each)
        assert_nothing_runs_on(environ)


def test_binds_a_port_before_its_server_starts() -> None:
    with closing(HeldPorts()) as one, closing(HeldPorts()) as two:
        port = one.take(0)
        assert two.take(port) != port
