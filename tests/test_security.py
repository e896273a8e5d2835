"""Attacks in SECURITY.md that no other test covers, and a check of the tests it names."""

from __future__ import annotations

import ast
import base64
import gzip
import hashlib
import hmac
import json
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.auth0.scripted import SETTINGS, ScriptedTenant, metadata, signing_key
from tests.auth0.test_sign_in import signing_in
from tests.auth0.test_tokens import EXPECTED, GOOD, id_token
from tests.conftest import only_root
from tests.sockets import Authority, Handler, read_request, server
from tests.test_http import http_answer
from tests.tunnels.test_certificates import shake_hands
from wizard.auth0.probes import Probes
from wizard.auth0.tenant import SECRET_KEPT, is_usable_key, judge_metadata
from wizard.auth0.tokens import judge_tokens
from wizard.findings import Outcome
from wizard.http import Https, NetworkError, Trouble
from wizard.known import Known
from wizard.librechat.checkout import find
from wizard.librechat.compose.deployment import read_deployment
from wizard.librechat.env_store import EnvStore
from wizard.saved_answers import SavedAnswers
from wizard.steps.background.records import Background, BackgroundTunnel
from wizard.system.processes import Processes, programs
from wizard.text import MASK
from wizard.tunnels import trust
from wizard.tunnels.certificates import local_authority
from wizard.tunnels.trust import FOLDER
from wizard.ui.console import Console

ROOT = Path(__file__).parent.parent
POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
SECRET = "hunter2-hunter2-hunter2-hunter2"
EVIL = "\x1b]0;title\x07\x1b[31m\x9b2J\u202e\u061c"


# The document


def test_every_test_in_security_md_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text("utf-8"))
    assert len(named) > 40
    missing = [f"{path}::{name}" for path, name in named if name not in _tests_of(ROOT / path)]
    assert not missing


def _tests_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_dependency_is_pinned_by_hash() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    fetched = [package for package in lock["package"] if "registry" in package["source"]]
    assert len(fetched) > 30
    for package in fetched:
        files = [*package.get("wheels", ()), *filter(None, [package.get("sdist")])]
        assert files, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]
    others = {package["name"] for package in lock["package"]} - {one["name"] for one in fetched}
    assert others == {"librechat-auth0"}


# Secrets


def command(*args: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program with its own home and our secret in its environment."""
    inherited = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "wizard", *args],
        cwd=folder / "LibreChat",
        env={**inherited, "AUTH0_CLIENT_SECRET": SECRET, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        umask=0,
    )


INIT = (
    *("init", "--yes", "--offline", "--json"),
    *("--domain", "dev-abc123.us.auth0.com", "--audience", "https://api.chat"),
    *("--client-id", "abcdefghijklmnopqrstuvwxyz012345"),
    *("--public-url", "https://chat.example.com"),
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a LibreChat whose Compose file makes the program call Docker."""
    checkout = tmp_path / "LibreChat"
    checkout.mkdir()
    (checkout / "docker-compose.yml").write_text("services: {api: {image: librechat}}\n")
    return tmp_path


@POSIX
def test_no_program_gets_our_secrets_or_runs_in_the_checkout(home: Path) -> None:
    tools = home / "tools"
    tools.mkdir()
    seen = home / "seen"
    script = f'#!/bin/sh\n{{ pwd; echo "$0 $@"; env; }} >> {seen}\n'
    for path in (tools / "docker", home / "LibreChat/docker"):
        path.write_text(script)
        path.chmod(0o755)
    # Empty and relative entries mean the current folder, and the checkout has a docker too.
    done = command(*INIT, folder=home, PATH=f":.:{tools}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    recorded = seen.read_text()
    assert f"{home}\n{tools}/docker volume ls" in recorded
    assert SECRET not in recorded
    assert "AUTH0_CLIENT_SECRET" not in recorded
    assert SECRET in (home / "LibreChat/.env").read_text()  # it was in the file, so it could leak


@POSIX
def test_no_browser_or_clipboard_of_the_checkout_is_run(home: Path) -> None:
    """Libraries start them, and follow empty and relative entries of PATH."""
    checkout, seen = home / "LibreChat", home / "seen"
    for name in ("xdg-open", "x-www-browser", "firefox", "xclip", "xsel", "wl-copy", "pbcopy"):
        (checkout / name).write_text(f"#!/bin/sh\necho $0 >> {seen}\n")
        (checkout / name).chmod(0o755)
    program = (
        "from wizard.execution import Flags, system_ports\n"
        "desktop = system_ports(Flags()).desktop\n"
        "desktop.copy('text')\n"
        "desktop.open('http://127.0.0.1:9/')\n"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=checkout,
        env={
            "HOME": str(home),
            "PATH": ".::bin",
            "DISPLAY": ":99",
            "WAYLAND_DISPLAY": "w",
            "PYTHONPATH": str(ROOT),
        },
        timeout=60,
        check=True,
    )
    assert not seen.exists()


@POSIX
def test_our_files_are_private_under_any_umask(home: Path) -> None:
    done = command(*INIT, folder=home)  # with a umask of 0
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert stat.S_IMODE((home / "LibreChat/.env").stat().st_mode) == 0o600
    made = [home / ".local", *(home / ".local").rglob("*")]
    folders = [path for path in made if path.is_dir()]
    assert len(folders) >= 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    assert not [path for path in made if path.is_file() and SECRET in path.read_text()]


# Secrets pasted into other variables; one is part of another, one is overridden.
MISPLACED = f"""\
OPENID_CLIENT_SECRET={SECRET}-and-its-end
OPENID_CLIENT_SECRET={SECRET}
JWT_SECRET={SECRET[:14]}
OPENID_ISSUER=https://{SECRET}-and-its-end@dev-abc.us.auth0.com/{SECRET}
OPENID_CLIENT_ID={SECRET}
OPENID_SCOPE="openid {SECRET}"
OPENID_CALLBACK_URL=/oauth/{SECRET}-and-its-end
DOMAIN_SERVER=http://{SECRET}.example
OPENID_AUDIENCE={SECRET}
OPENID_REUSE_TOKENS={SECRET}
ALLOW_SOCIAL_LOGIN={SECRET}
"""


@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize(
    "args",
    [
        (*(word for word in INIT if word != "--json"), "--dry-run", "--plain"),
        ("doctor", "--offline", "--json"),
        ("doctor", "--offline", "--plain"),
        ("doctor", "--offline", "--fix", "--dry-run"),
        ("doctor", "--offline", "--fix", "--dry-run", "--plain"),
        ("report", "--offline"),
    ],
    ids=lambda args: f"{args[0]} {args[-1]}",
)
def test_masks_a_secret_in_the_wrong_place(
    args: tuple[str, ...], language: str, home: Path
) -> None:
    (home / "LibreChat/.env").write_text(MISPLACED)
    done = command(*args, folder=home, LIBRECHAT_AUTH0_LANG=language)
    said = done.stdout + done.stderr
    assert "OPENID_" in said, said
    assert "hunter2" not in said
    assert "and-its-end" not in said


@POSIX
def test_no_backup_is_in_the_checkout(home: Path) -> None:
    """Git could pick it up there. XDG's variables count only if they are absolute."""
    (home / "LibreChat/.env").write_text("MY_KEY=precious\n")
    done = command(*INIT, folder=home, XDG_STATE_HOME="state")
    assert done.returncode == 0, done.stderr
    assert not (home / "LibreChat/state").exists()
    assert list((home / ".local/state/librechat-auth0/backups").rglob("*.env"))


@POSIX
def test_reports_an_unusable_state_folder(home: Path) -> None:
    (home / "state").write_text("a file")
    (home / "LibreChat/.env").write_text("DOMAIN_SERVER=https://localhost:3443\n")
    done = command(
        "tunnel", "--tunnel", "local", "--detach", folder=home, XDG_STATE_HOME=str(home / "state")
    )
    assert done.returncode == 5
    assert "LA327" in done.stderr


def keep_draft(state: Path, env_file: Path) -> None:
    SavedAnswers(state, env_file).keep(Known(domain="a.us.auth0.com"))


def open_log(state: Path, env_file: Path) -> None:
    os.close(Background(state).open_log(env_file))


def keep_background(state: Path, env_file: Path) -> None:
    tunnel = BackgroundTunnel(str(env_file), "ngrok", "https://x.example", 3080, 1, "now", 0.0)
    Background(state).keep(tunnel)


def make_authority(state: Path, _: Path) -> None:
    local_authority(state, NoMkcert())


def save(state: Path, env_file: Path) -> None:
    EnvStore(env_file, state).save(None, b"A=1")


@POSIX
@pytest.mark.parametrize("use", [keep_draft, open_log, keep_background, make_authority, save])
def test_every_use_makes_the_state_folder_private(
    use: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)  # as another program may leave it
    before = os.umask(0)
    try:
        use(state, tmp_path / ".env")
    finally:
        os.umask(before)
    folders = [state, *filter(Path.is_dir, state.rglob("*"))]
    assert len(folders) > 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    files = [path for path in state.rglob("*") if path.suffix in {".json", ".log"}]
    assert not [path for path in files if path.stat().st_mode & 0o077]


class NoMkcert(Processes):
    def which(self, program: str) -> Path | None:
        return None if program == "mkcert" else super().which(program)


@POSIX
def test_replaces_a_link_in_place_of_a_key(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "state" / FOLDER
    folder.mkdir(parents=True)
    for name in ("ca-key.pem", "ca.pem", "localhost.pem"):
        (folder / name).symlink_to(victim)
    authority = local_authority(tmp_path / "state", NoMkcert())
    assert victim.read_text() == "precious"
    assert not authority.certificate_file.is_symlink()
    authority.server_context()


@POSIX
def test_replaces_a_link_in_place_of_a_trust_record(tmp_path: Path) -> None:
    authority, victim = tmp_path / "ca.pem", tmp_path / "victim"
    authority.write_text("the authority")
    trust.remember(authority, tmp_path / "state", trusted=True)
    (note,) = (tmp_path / "state/trusted").iterdir()
    note.unlink()
    note.symlink_to(victim)
    trust.remember(authority, tmp_path / "state", trusted=True)
    assert not victim.exists()
    assert not note.is_symlink()


@POSIX
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_replaces_an_irregular_file_in_place_of_a_key_without_blocking(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "state" / FOLDER
    folder.mkdir(parents=True)
    for name in ("ca-key.pem", "ca.pem", "localhost.pem"):
        make(folder / name)
    local_authority(tmp_path / "state", NoMkcert()).server_context()


@POSIX
def test_replaces_a_link_in_place_of_a_state_file(tmp_path: Path) -> None:
    state, env_file, victim = tmp_path / "state", tmp_path / ".env", tmp_path / "victim"
    uses = (keep_draft, open_log, keep_background, save)
    for use in uses:
        use(state, env_file)
    files = [path for path in state.rglob("*") if path.suffix in {".json", ".log"}]
    assert len(files) == 3
    for path in files:
        path.unlink()
        path.symlink_to(victim)
    victim.write_text("precious")
    env_file.unlink()
    for use in uses:
        use(state, env_file)
    assert victim.read_text() == "precious"
    assert not [path for path in files if path.is_symlink()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_traceback_has_no_escape_sequence_and_no_secret(
    home: Path,
) -> None:
    program = (
        "from wizard.execution import Flags, execute\n"
        "import os\n"
        "def run(ports, report):\n"
        "    assert 'AUTH0_CLIENT_SECRET' not in os.environ\n"
        f"    raise ValueError({EVIL!r} + ports.environ['AUTH0_CLIENT_SECRET'])\n"
        "execute('init', Flags(debug=True), run)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT), "AUTH0_CLIENT_SECRET": SECRET},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 70
    assert "Traceback" in done.stderr
    assert MASK in done.stderr
    assert SECRET not in done.stderr
    assert not {"\x1b", "\x9b", "\x07", "\u202e", "\u061c"} & set(done.stderr)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://me:hunter2@127.0.0.1:99999",
        "http://me:hunter2@[::1",
        "http://me:hunter2@127.0.0.1:1",
        "socks5://me:hunter2@127.0.0.1:1",
        "me:hunter2@127.0.0.1:1",
        "http://me:hunt%er2@:1",
    ],
)
def test_no_error_holds_a_proxy_password(proxy: str) -> None:
    with pytest.raises(NetworkError) as caught:
        Https({"HTTPS_PROXY": proxy}).request("GET", "https://tenant.example/")
    error: BaseException | None = caught.value
    assert caught.value.trouble is Trouble.PROXY
    while error is not None:
        assert "hunt" not in str(error)
        error = error.__cause__


def test_sends_the_password_to_the_proxy() -> None:
    heads = []

    def handle(connection: socket.socket) -> None:
        heads.append(read_request(connection))
        connection.sendall(http_answer(b"", status="407 Proxy Authentication Required"))

    with server(handle) as port:
        http = Https({"HTTPS_PROXY": f"http://me:hunter%32@127.0.0.1:{port}"})
        with pytest.raises(NetworkError):
            http.request("GET", "https://tenant.example/")
    assert b"Basic " + base64.b64encode(b"me:hunter2") in heads[0]


@pytest.mark.parametrize("token", [f"{SECRET}\r\nX: y", f"{SECRET}\x1b", f"{SECRET}\u201c"])
def test_does_not_quote_an_invalid_header(token: str) -> None:
    with pytest.raises(NetworkError) as caught:
        Https({}).request("GET", "http://127.0.0.1:1/", headers={"Authorization": token})
    assert "Authorization" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


# Output


def test_json_escapes_control_characters() -> None:
    out = StringIO()
    said = {"a": EVIL, "file": "bad\udcff", "plain": "é — 漢"}
    Console(stdout=out, stderr=StringIO()).data(said)
    assert json.loads(out.getvalue()) == said
    assert not {"\x1b", "\x9b", "\x07", "\u202e", "\u061c"} & set(out.getvalue())
    assert "é — 漢" in out.getvalue()
    out.getvalue().encode("utf-8")


# The tenant


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.example/oauth/token",
        "https://169.254.169.254/oauth/token",
        "https://localhost:8443/oauth/token",
        "https://{domain}:8443/oauth/token",
        "https://{domain}.evil.example/oauth/token",
        "https://evil.example\\.{domain}/oauth/token",
    ],
)
def test_sends_no_secret_to_another_server(endpoint: str) -> None:
    url = endpoint.format(domain=SETTINGS.domain)
    discovery, findings = judge_metadata(metadata(token_endpoint=url), SETTINGS)
    assert discovery is not None
    assert [finding.rule.id for finding in findings] == ["LA214"]
    probes = Probes(SETTINGS, discovery, ScriptedTenant())
    for answer in (probes.code(SETTINGS.client_secret), probes.refresh()):
        assert answer.trouble is not None
        assert answer.trouble.rule is SECRET_KEPT


def packed_twice(connection: socket.socket) -> None:
    read_request(connection)
    once = gzip.compress(bytes(50 << 20), 9)
    connection.sendall(http_answer(gzip.compress(once, 9), "Content-Encoding: gzip, gzip"))


def packed_often(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(http_answer(b"x", f"Content-Encoding: {', '.join(['gzip'] * 50)}"))


@pytest.mark.parametrize(
    ("handler", "trouble"),
    [(packed_twice, Trouble.TOO_LARGE), (packed_often, Trouble.DROPPED)],
)
def test_limits_decompression(handler: Handler, trouble: Trouble) -> None:
    with server(handler) as port, pytest.raises(NetworkError) as caught:
        Https({}).request("GET", f"http://127.0.0.1:{port}/")
    assert caught.value.trouble is trouble


def dripping_proxy(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"a: b\r\n")
        time.sleep(0.05)


def dripping_handshake(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"\x16\x03\x03\x3f\xff")
    while True:
        connection.sendall(b"\x02")
        time.sleep(0.05)


@pytest.mark.parametrize("handler", [dripping_proxy, dripping_handshake])
def test_limits_the_time_of_a_connection(handler: Handler) -> None:
    with server(handler) as port:
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{port}"} if "proxy" in handler.__name__ else {}
        host = "tenant.example" if environ else f"127.0.0.1:{port}"
        with pytest.raises(NetworkError) as caught:
            Https(environ, connect_timeout=0.4).request("GET", f"https://{host}/")
    assert caught.value.trouble is Trouble.TIMEOUT


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


PUBLIC_PEM = (
    signing_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "HS256"},
        {"alg": "None"},
        {"alg": "RS256", "jku": "http://127.0.0.1:1/keys"},
        {"alg": "RS256", "x5u": "http://127.0.0.1:1/keys", "kid": "../../etc/passwd"},
        {"alg": "RS256", "jwk": {"kty": "oct", "k": "AAAA"}},
        {"alg": "RS256", "kid": ["key-1"]},
        {"alg": "RS256", "crit": ["b64"], "b64": False},
        {"alg": ["RS256"]},
        {"alg": {"RS256": 1}},
    ],
    ids=str,
)
def test_a_token_header_does_not_choose_its_verification(header: dict[str, object]) -> None:
    """Each is signed with what an attacker has: the public key, used as HMAC's secret."""
    signed = f"{segment({'kid': 'key-1', **header})}.{id_token().split('.')[1]}"
    mac = hmac.digest(PUBLIC_PEM, signed.encode(), hashlib.sha256)
    forged = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    judgement = judge_tokens(EXPECTED, replace(GOOD, id_token=forged), None)
    (result,) = [one for one in judgement.results if one.check == "id-token"]
    assert result.outcome is Outcome.FAILED
    assert result.findings[0].rule.id in {"LA403", "LA404", "LA405"}


def number(value: int) -> str:
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def rsa_key(modulus: int, exponent: int = 65537) -> dict[str, str]:
    return {"kty": "RSA", "kid": "key-1", "n": number(modulus), "e": number(exponent)}


def test_no_key_set_takes_long() -> None:
    """Everything that fits into a response: thousands of keys, a huge one, slow exponents."""
    odd = (1 << 2048) - 1
    sets = [
        [rsa_key(odd - 2 * each) for each in range(2500)],
        [rsa_key((1 << 6_000_000) - 1)],
        [rsa_key(odd, (1 << 2040) + 1)] * 1200,
    ]
    for keys in sets:
        usable = tuple(key for key in keys if is_usable_key(key))
        judgement = judge_tokens(replace(EXPECTED, keys=usable), GOOD, None)
        assert not judgement.ok


# The callback server


def test_silent_connections_end_and_do_not_delay_closing() -> None:
    with signing_in() as user:
        user.begin()
        with ExitStack() as idle:
            for _ in range(100):  # more than the server accepts
                connection = socket.create_connection(("127.0.0.1", user.port), timeout=60)
                idle.enter_context(connection)
            assert user.get("/oauth/openid").status == 403
        half = socket.create_connection(("127.0.0.1", user.port), timeout=60)
        half.sendall(b"GET / HTTP/1.1\r\nHost:")
        user.come_back()
        assert user.sign_in.wait(60).ok
    half.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /oauth/openid HTTP/1.1\r\nHost: chat.example.com\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: chat.example.com\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\xff\x00 HTTP/1.1\r\nHost: chat.example.com\r\n\r\n",
    ],
    ids=["two lengths", "long", "HTTP/2", "bytes"],
)
def test_the_callback_server_rejects_ambiguous_requests(raw: bytes) -> None:
    with signing_in() as user:
        with socket.create_connection(("127.0.0.1", user.port), timeout=60) as connection:
            connection.sendall(raw)
            answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 400")
        assert answer.count(b"HTTP/1.1") == 1


# The folder


def nested_merges(depth: int) -> str:
    levels = (
        f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 9)}]}}"
        for level in range(1, depth)
    )
    return "\n".join(["a0: &a0 {x: 1, y: 2}", *levels, f"services: {{api: {{<<: *a{depth - 1}}}}}"])


@pytest.mark.parametrize(
    "text",
    [
        nested_merges(30),
        nested_merges(8),
        "x: " + "1:" * 100_000 + "1",
        "services: {api: {environment: {A: 0x" + "f" * 100_000 + "}}}",
        "&a {<<: *a, services: {api: *a}}",
        "- " * 100_000,
        "x: " + "[" * 1000,
    ],
    ids=["deep merges", "merges", "base 60", "long number", "itself", "lists", "open"],
)
def test_no_compose_file_takes_long(text: str, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(text)
    read_deployment(tmp_path, tmp_path / ".env", {})  # finishes before pytest's timeout


def test_reads_ordinary_merges(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "x-base: &base {environment: {A: '1'}}\nx-more: &more {image: b:v1.2.3}\n"
        "services: {api: {<<: [*base, *more]}}\n"
    )
    service = read_deployment(tmp_path, tmp_path / ".env", {}).project.services["api"]
    assert service.settings["A"].value == "1"
    assert service.image == "b:v1.2.3"


@POSIX
def test_does_not_find_a_librechat_in_a_world_writable_folder(tmp_path: Path) -> None:
    shared, mine = tmp_path / "shared", tmp_path / "shared/project"
    mine.mkdir(parents=True)
    (shared / "librechat.yaml").write_text("version: 1.2.1\n")
    assert find(mine).folder == shared
    shared.chmod(0o1777)  # like /tmp
    assert not find(mine).is_librechat
    assert find(shared).is_librechat  # the user went there explicitly


@POSIX
@only_root
def test_does_not_find_another_users_librechat(tmp_path: Path) -> None:
    theirs, mine = tmp_path / "theirs", tmp_path / "theirs/project"
    mine.mkdir(parents=True)
    (theirs / "librechat.yaml").write_text("version: 1.2.1\n")
    os.chown(theirs, 12345, 12345)
    assert not find(mine).is_librechat
    os.chown(mine, 12345, 12345)  # root in that user's checkout
    assert find(mine).folder == theirs


@pytest.fixture
def path_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A PATH, and a current folder with programs that are not on it."""
    here, tools = tmp_path / "here", tmp_path / "tools"
    for folder in (here, tools):
        folder.mkdir()
        for name in ("ngrok.exe", "docker.cmd"):
            (folder / name).touch(mode=0o755)
    monkeypatch.chdir(here)
    return {"PATH": os.pathsep.join(["", ".", str(tools)]), "PATHEXT": ".COM;.EXE;.BAT;.CMD"}


@pytest.mark.parametrize(
    ("name", "found"),
    [("ngrok", "ngrok.exe"), ("ngrok.exe", "ngrok.exe"), ("docker", "docker.cmd"), ("lt", "")],
)
def test_finds_no_program_in_the_current_folder_on_windows(
    path_of_windows: dict[str, str], tmp_path: Path, name: str, found: str
) -> None:
    wanted = [tmp_path / "tools" / found] if found else []
    assert list(programs(name, path_of_windows, "win32")) == wanted


# This machine


@pytest.mark.parametrize(
    ("pid", "started"), [(-1, None), (0, None), (-1, ""), ("-1", ""), (1.5, ""), (None, None)]
)
def test_a_record_cannot_name_a_process_group(pid: object, started: object, tmp_path: Path) -> None:
    """`kill(-1)` ends everything the user runs; None is the start time of no process."""
    background = Background(tmp_path)
    kept = BackgroundTunnel("/x/.env", "ngrok", "https://x.example", 3080, 1, "now", 0.0)
    background.keep(kept)
    (record,) = (tmp_path / "background").glob("*.json")
    record.write_text(json.dumps({**kept._asdict(), "pid": pid, "started": started}))
    assert background.all() == []
    assert not record.exists()


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/tty", "."])
def test_reports_an_irregular_ssl_cert_file_immediately(name: str) -> None:
    with pytest.raises(NetworkError) as caught:
        Https({"SSL_CERT_FILE": name}).request("GET", "https://127.0.0.1:1/")
    assert caught.value.trouble is Trouble.UNTRUSTED
    assert name in caught.value.detail


def test_a_stolen_key_of_our_authority_signs_no_bare_common_name(tmp_path: Path) -> None:
    """Name constraints cover alternative names; clients that fall back must not be fooled."""
    authority = local_authority(tmp_path / "state", NoMkcert())
    ca_file = authority.ca_file
    thief = Authority.stolen(tmp_path, ca_file, ca_file.parent / "ca-key.pem")
    forged = thief.issue(None, common_name="tenant.example")
    serving, asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    serving.load_cert_chain(forged)
    asking.load_verify_locations(authority.ca_file)
    back, forth = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(
            asking.wrap_bio(back, forth, server_hostname="tenant.example"),
            serving.wrap_bio(forth, back, server_side=True),
        )
