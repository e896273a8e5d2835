"""macOS and Windows, as far as Linux can test them: each branch by injection."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import NoReturn

import pytest

from tests.elsewhere import SYSTEMS
from tests.fakes import NoProcesses
from tests.librechat.example import checkout
from wizard.execution import Flags, execute
from wizard.findings import ExitCode, Outcome, Rule
from wizard.librechat import backups
from wizard.librechat.env_diff import ADDED, DiffLine
from wizard.librechat.env_store import LOCKED, EnvStore
from wizard.steps.background.process import LOG_BYTES
from wizard.steps.background.records import Background, BackgroundTunnel
from wizard.system import private_files
from wizard.system.desktop import UserDesktop
from wizard.system.os_errors import remedy
from wizard.system.platforms import (
    can_draw_questions,
    command_line,
    home_folder,
    own_session,
    reader_has_gone,
    replace,
    state_folder,
    sync,
    true_path,
)
from wizard.system.process_control import send
from wizard.system.processes import programs, resolved
from wizard.text import MASK, encodable
from wizard.tunnels import TunnelRequest
from wizard.tunnels.caddy import CaddyTunnel
from wizard.tunnels.local import CANNOT_LISTEN, PORT_TAKEN
from wizard.tunnels.ngrok_agent import find_agent
from wizard.ui.console import Console
from wizard.ui.screen import diff_line

pytestmark = pytest.mark.skipif(os.name != "posix", reason="plays the other systems on this one")
ROOT = Path(__file__).parents[2]
CRLF = b'# mine\r\nOTHER=1\r\nOPENID_SCOPE="openid"\r\n'
INIT = (
    "init",
    "--offline",
    "--yes",
    *("--domain", "example.eu.auth0.com"),
    *("--client-id", "a" * 32),
    *("--audience", "https://api.example"),
    *("--public-url", "https://chat.example"),
)


def elsewhere(system: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    # Without LANG, the language comes from Windows itself.
    environ = {"LANG": "C.UTF-8", **os.environ, "PYTHONPATH": str(ROOT)}
    environ["AUTH0_CLIENT_SECRET"] = "s" * 64
    return subprocess.run(
        [sys.executable, "-m", "tests.elsewhere", system, *arguments],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(params=sorted(SYSTEMS))
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# No POSIX module may be imported


@pytest.mark.parametrize(
    "code",
    [
        "import fcntl",
        "import os; os.killpg",
        "from signal import SIGKILL",
        "from socket import AF_UNIX",
    ],
)
def test_simulated_windows_lacks_what_windows_lacks(tmp_path: Path, code: str) -> None:
    """Otherwise the next tests prove nothing."""
    assert elsewhere("win32", "-c", code, folder=tmp_path).returncode == 1
    assert elsewhere("darwin", "-c", code, folder=tmp_path).returncode == 0


def test_every_module_can_be_imported(system: str, tmp_path: Path) -> None:
    done = elsewhere(system, folder=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")


def test_commands_succeed(system: str, tmp_path: Path) -> None:
    folder = checkout(tmp_path / "LibreChat")
    run = partial(elsewhere, system, folder=folder)

    written = run(*INIT)
    assert (written.returncode, written.stderr.count("Traceback")) == (0, 0), written.stderr
    examined = run("doctor", "--offline", "--json")
    assert json.loads(examined.stdout)["command"] == "doctor"
    assert examined.returncode in {0, 1}
    explained = run("explain", "LA101")
    assert (explained.returncode, "(LA101)" in explained.stdout) == (0, True)
    status = run("tunnel", "status", "--json")
    assert (status.returncode, json.loads(status.stdout)["ok"]) == (0, True)
    undone = run("init", "--undo", "--yes")
    assert (undone.returncode, (folder / ".env").exists()) == (0, False), undone.stderr


def test_an_env_with_windows_line_ends_keeps_them(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "LibreChat")
    env = folder / ".env"
    env.write_bytes(CRLF)
    within = folder / "client"
    within.mkdir()

    assert elsewhere("win32", *INIT, folder=within).returncode == 0
    written = env.read_bytes()
    assert written.startswith(b"# mine\r\nOTHER=1\r\n")
    assert b"OPENID_CLIENT_ID=" in written
    assert not re.search(rb"(?<!\r)\n", written)
    assert elsewhere("win32", "init", "--undo", "--yes", folder=folder).returncode == 0
    assert env.read_bytes() == CRLF


# Simulated parts of Windows


@pytest.fixture
def on_windows(tmp_path: Path) -> Callable[[str], None]:
    """Return a function that runs code with our modules on a simulated Windows."""

    def run(code: str) -> None:
        done = elsewhere("win32", "-c", f"import ctypes, io, sys, types\n{code}", folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")

    return run


def test_nul_is_not_a_console(on_windows: Callable[[str], None]) -> None:
    on_windows(
        """
class Stream(io.StringIO):
    def __init__(self, number, isatty):
        super().__init__()
        self.fileno, self.isatty = lambda: number, lambda: isatty

def mode_of(handle, mode):
    return handle.value == 40

sys.modules["msvcrt"] = types.SimpleNamespace(get_osfhandle=lambda number: 40 + number)
ctypes.windll = types.SimpleNamespace(kernel32=types.SimpleNamespace(GetConsoleMode=mode_of))
from wizard.system.platforms import is_console
assert is_console(Stream(0, True))
assert not is_console(Stream(1, True))
assert not is_console(Stream(0, False))
"""
    )


def test_reads_the_language_of_windows(on_windows: Callable[[str], None]) -> None:
    on_windows(
        """
kernel = types.SimpleNamespace(GetUserDefaultUILanguage=lambda: 0x413)
ctypes.windll = types.SimpleNamespace(kernel32=kernel)
from wizard.language import user_language
assert user_language("", {}).name == "nl"
assert user_language("", {"LANG": "en_GB.UTF-8"}).name == "en"
kernel.GetUserDefaultUILanguage = lambda: 0xffff
assert user_language("", {}).name == "en"
"""
    )


def test_windows_locks_one_byte(on_windows: Callable[[str], None]) -> None:
    on_windows(
        """
calls = []

def locking(handle, how, size):
    if calls and calls[-1] == "lock" and how == 2:
        raise PermissionError(13, "Permission denied")
    calls.append({2: "lock", 0: "unlock"}[how])
    assert size == 1

sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, LK_UNLCK=0, locking=locking)
from pathlib import Path
from wizard.system.locks import LockHeld, locked
with locked(Path("lock")):
    try:
        with locked(Path("lock")):
            raise AssertionError
    except LockHeld:
        pass
assert calls == ["lock", "unlock"]
"""
    )


# Folders


def test_the_guide_names_the_state_folders() -> None:
    home = Path("/home/ada")
    windows = state_folder({"LOCALAPPDATA": "/home/ada/Local"}, home, "win32")
    macos, linux = (state_folder({}, home, platform) for platform in ("darwin", "linux"))
    guide = (ROOT / "docs/files.md").read_text("utf-8")

    assert windows == home / "Local"
    assert r"`%LOCALAPPDATA%\librechat-auth0` on Windows" in guide
    assert f"`~/{macos.relative_to(home)}/librechat-auth0` on macOS" in guide
    assert f"`~/{linux.relative_to(home)}/librechat-auth0` on Linux" in guide


@pytest.mark.parametrize("platform", ["darwin", "linux"])
def test_the_state_folder_can_be_set(platform: str) -> None:
    home = Path("/home/ada")

    assert state_folder({"XDG_STATE_HOME": "/state"}, home, platform) == Path("/state")
    for ignored in ("", "state", "./state"):
        kept = state_folder({"XDG_STATE_HOME": ignored}, home, platform)
        assert home in kept.parents


def test_the_state_folder_on_windows_without_its_variable() -> None:
    home = Path("/home/ada")

    assert state_folder({"XDG_STATE_HOME": "/state"}, home, "win32") == home / "AppData/Local"


@pytest.mark.parametrize("home", ["", ".", "in/the/checkout"])
def test_no_home_is_in_the_current_folder(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the system does not know, as in a container, may have none."""

    def unknown() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", unknown)
    assert home_folder({"HOME": home}) == home_folder({}) == Path("/")
    assert home_folder({"HOME": "/home/ada"}, "linux") == Path("/home/ada")
    assert home_folder({"HOME": home, "USERPROFILE": "/home/ada"}, "win32") == Path("/home/ada")


class Insensitive:
    """A file system that ignores case and Unicode form, as macOS does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.path.lexists", lambda _: True)


@pytest.mark.parametrize("other", ["LIBRECHAT/.ENV", "librechat/.env", "LibreChat/.Env"])
def test_one_file_has_one_path_on_macos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """Otherwise one `.env` would have two records, locks and sets of backups."""
    env = tmp_path / "LibreChat/.env"
    env.parent.mkdir()
    env.touch()
    Insensitive(monkeypatch)

    assert true_path(tmp_path / other, "darwin") == true_path(env, "darwin") == str(env)
    assert true_path(tmp_path / other, "linux") != true_path(env, "linux") or env.match(other)


def test_a_name_in_another_unicode_form_is_the_same_on_macos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Caf\u00e9").mkdir()
    Insensitive(monkeypatch)

    assert true_path(tmp_path / "cafe\u0301", "darwin") == str(tmp_path / "Caf\u00e9")


def test_keeps_names_apart_on_a_case_sensitive_file_system(tmp_path: Path) -> None:
    """macOS has such file systems too."""
    for name in ("a", "A"):
        (tmp_path / name).touch()

    assert true_path(tmp_path / "a", "darwin") == str(tmp_path / "a")
    assert true_path(tmp_path / "A", "darwin") == str(tmp_path / "A")
    (tmp_path / "B").touch()
    assert true_path(tmp_path / "b", "darwin") == str(tmp_path / "b")


# Programs


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    folder = tmp_path / "tools"
    folder.mkdir()
    # npm's files on Windows: the first is a script for a shell that Windows does not have.
    for name in ("npx", "npx.cmd", "npx.ps1", "lt.js", "ngrok.exe"):
        (folder / name).touch(mode=0o755)
    return folder


@pytest.mark.parametrize(
    "extensions",
    [".COM;.EXE;.BAT;.CMD;.VBS;.JS;.WSF", ".COM;.EXE;.BAT;.CMD;", ".js", "", None],
)
@pytest.mark.parametrize(
    ("name", "found"), [("npx", "npx.cmd"), ("lt", ""), ("ngrok", "ngrok.exe")]
)
def test_finds_programs_that_windows_can_start(
    tools: Path, name: str, found: str, extensions: str | None
) -> None:
    environ = {"PATH": str(tools)} | ({} if extensions is None else {"PATHEXT": extensions})

    assert list(programs(name, environ, "win32")) == ([tools / found] if found else [])


@pytest.mark.parametrize(
    "argument", ['a"b', "50%", "a&calc", "a|b", "<a", ">a", "a^b", "a!b", "a\r", "a\nb"]
)
def test_rejects_arguments_that_cmd_would_interpret(tools: Path, argument: str) -> None:
    environ = {"PATH": str(tools)}

    with pytest.raises(OSError, match="cannot be given"):
        resolved(["npx", argument], environ, "win32")
    with pytest.raises(OSError, match="cannot be given"):
        resolved([str(tools / "npx.cmd"), argument], None, "win32")
    assert resolved(["ngrok", argument], environ, "win32")[1] == argument
    assert resolved(["npx", argument], environ, "linux")[1] == argument


def test_passes_our_tunnels_arguments_to_a_batch_file(tools: Path) -> None:
    args = ["--yes", "localtunnel@2.0.2", "--port", "3080", "--host", "https://localtunnel.me"]

    command = resolved(["npx", *args], {"PATH": str(tools)}, "win32")

    assert command == [str(tools / "npx.cmd"), *args]


def test_finds_ngrok_on_windows(tools: Path, tmp_path: Path) -> None:
    own = tmp_path / "AppData/Local/ngrok/ngrok.exe"
    own.parent.mkdir(parents=True)
    own.touch(mode=0o755)
    environ = {"USERPROFILE": str(tmp_path), "PATH": "/nowhere"}

    assert find_agent(environ, "win32") == own
    assert find_agent({**environ, "PATH": str(tools)}, "win32") == tools / "ngrok.exe"
    assert find_agent({"HOME": str(tmp_path), "PATH": "/nowhere"}, "darwin") is None


def test_a_program_on_windows_gets_no_ctrl_c_and_no_window() -> None:
    """The value is CREATE_NO_WINDOW; CREATE_NEW_PROCESS_GROUP would block our own Ctrl-C."""
    assert own_session("win32") == {"creationflags": 0x8000000}
    assert own_session("darwin") == {"start_new_session": True}


# Ending programs


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def test_ends_a_process_tree_with_taskkill_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]
) -> None:
    taskkill, note = tmp_path / "System32/taskkill.exe", tmp_path / "note"
    taskkill.parent.mkdir()
    taskkill.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        f"open({str(note)!r}, 'w').write(' '.join(sys.argv[1:]))\n"
        "os.kill(int(sys.argv[2]), 9)\n"
    )
    taskkill.chmod(0o755)
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path))

    send(sleeper.pid, signal.SIGTERM, "win32")

    assert sleeper.wait(60) == -signal.SIGKILL
    assert note.read_text() == f"/PID {sleeper.pid} /T /F"


def test_works_without_taskkill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]
) -> None:
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path))

    send(sleeper.pid, signal.SIGTERM, "win32")

    assert sleeper.poll() is None


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("Only one usage of each socket address is normally permitted.", PORT_TAKEN),
        (
            "An attempt was made to access a socket in a way forbidden by its access permissions.",
            CANNOT_LISTEN,
        ),
    ],
)
def test_understands_caddys_port_errors_on_windows(tmp_path: Path, said: str, rule: Rule) -> None:
    """Windows' own messages, which Go prints in English in every language."""
    tunnel = CaddyTunnel(TunnelRequest(port=3080, state_dir=tmp_path), NoProcesses(), {})
    line = f"Error: loading initial config: listen tcp 127.0.0.1:3443: bind: {said}"

    assert tunnel.explain([line], 1).finding.rule is rule


# Files


class Held:
    """Another program has the file open, and closes it after some attempts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, attempts: float) -> None:
        self.left = attempts
        self._replace = Path.replace
        monkeypatch.setattr(Path, "replace", lambda path, target: self.replace(path, target))

    def replace(self, path: Path, target: Path) -> Path:
        if self.left > 0:
            self.left -= 1
            raise PermissionError(errno.EACCES, "Access is denied", str(path))
        return self._replace(path, target)


@pytest.fixture
def fresh(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("fresh", "target"):
        (tmp_path / name).write_text(name)
    return tmp_path / "fresh", tmp_path / "target"


def test_waits_for_a_file_that_is_open_on_windows(
    fresh: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch, 3)
    replace(*fresh, "win32")

    assert (fresh[1].read_text(), fresh[0].exists(), held.left) == ("fresh", False, 0)


@pytest.mark.parametrize(("platform", "least"), [("win32", 0.2), ("darwin", 0.0), ("linux", 0.0)])
def test_waiting_for_a_file_ends(
    fresh: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, platform: str, least: float
) -> None:
    monkeypatch.setattr("wizard.system.platforms.HELD_SECONDS", 0.2)
    Held(monkeypatch, float("inf"))
    start = time.monotonic()
    with pytest.raises(PermissionError):
        replace(*fresh, platform)

    assert time.monotonic() - start >= least
    assert fresh[1].read_text() == "target"


def test_a_save_waits_for_an_open_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = tmp_path / ".env"
    env.write_bytes(CRLF)
    monkeypatch.setattr(private_files, "replace", partial(replace, platform="win32"))
    Held(monkeypatch, 2)
    EnvStore(env, tmp_path / "state").save(CRLF, b"NEW=1\r\n")

    assert env.read_bytes() == b"NEW=1\r\n"
    assert [path.name for path in tmp_path.glob(".env*")] == [".env"]


def test_an_open_old_backup_is_not_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "BACKUPS_KEPT", 1)
    store = EnvStore(tmp_path / ".env", tmp_path / "state")
    store.save(None, b"A=1\n")

    def refused(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, "Access is denied", str(path))

    with monkeypatch.context() as held:
        held.setattr(Path, "unlink", refused)
        store.save(b"A=1\n", b"A=2\n")
    assert len([*store.backup_dir.iterdir()]) == 2
    store.save(b"A=2\n", b"A=3\n")
    assert len([*store.backup_dir.iterdir()]) == 1


def test_a_record_that_is_being_replaced_is_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    background = Background(tmp_path)
    tunnel = BackgroundTunnel("/x/.env", "ngrok", "https://x.example", 3080, 1, "now", 0.0)
    background.keep(tunnel)

    def refused(path: Path, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Access is denied", str(path))

    with monkeypatch.context() as held:
        held.setattr(os, "open", refused)
        assert background.all() == []
    assert background.all() == [tunnel]


@pytest.mark.parametrize("can", [True, False])
def test_macos_flushes_the_disk_cache_where_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can: bool
) -> None:
    asked = []

    def control(handle: int, command: int) -> int:
        asked.append(command)
        if not can:
            raise OSError(errno.ENOTSUP, "Operation not supported")
        return 0

    monkeypatch.setattr("fcntl.fcntl", control)
    with (tmp_path / "file").open("wb") as file:
        sync(file.fileno(), "linux")
        assert asked == []
        sync(file.fileno(), "darwin")
    assert asked == [51]  # F_FULLFSYNC


def test_a_log_without_append_mode_starts_empty(tmp_path: Path) -> None:
    """On Windows, an inherited file loses its append flag."""
    log = tmp_path / "log"
    code = (
        "import os\n"
        "from pathlib import Path\n"
        "from wizard.steps.background.process import LOG_BYTES, Log\n"
        "os.write(2, b'x' * (LOG_BYTES + 1))\n"
        f"Log(Path({str(tmp_path / 'lock')!r})).write('fresh')\n"
    )
    with log.open("wb") as file:
        subprocess.run([sys.executable, "-c", code], stderr=file, cwd=ROOT, check=True)

    assert LOG_BYTES > 0
    assert log.read_bytes() == b"fresh\n"


# Output


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (r"C:\LibreChat\.env", r"C:\LibreChat\.env"),
        (r"C:\Users\Ada Lovelace\LibreChat\.env", r'"C:\Users\Ada Lovelace\LibreChat\.env"'),
        (r"\\server\share\LibreChat\.env", r"\\server\share\LibreChat\.env"),
        (r"D:\R&D\it's (mine)\.env", r'''"D:\R&D\it's (mine)\.env"'''),
        (r"C:\Users\Zoë\.env", r"C:\Users\Zoë\.env"),
    ],
)
def test_quotes_windows_paths_for_its_shells(path: str, shown: str) -> None:
    assert command_line([path], "win32") == shown
    advice = remedy(PermissionError(errno.EACCES, ""), Path(path), "w", "win32")
    assert str(advice).endswith(f"attrib -R {shown}")
    # Given paths are kept as they are, whatever the current folder.
    assert str(PureWindowsPath(r"E:\elsewhere") / PureWindowsPath(path)) == path


def test_quotes_paths_for_posix_shells() -> None:
    assert command_line(["rm", "/x/it's"], "darwin") == """rm '/x/it'"'"'s'"""
    advice = remedy(PermissionError(errno.EACCES, ""), Path("/a b/.env"), "w", "darwin")
    assert "chmod u+w '/a b/.env'" in str(advice)


TEXTS = ("“Continue with Auth0” … → • – ‘x’", "Zoë", "日本", "\ud800")
TYPEWRITTEN = "\"Continue with Auth0\" ... -> * - 'x'"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", (TEXTS[0], "Zoë", "日本", "?")),
        ("cp1252", (TYPEWRITTEN, "Zoë", "??", "?")),
        ("cp437", (TYPEWRITTEN, "Zoë", "??", "?")),
        ("cp932", (TYPEWRITTEN, "Zo?", "日本", "?")),
        ("ascii", (TYPEWRITTEN, "Zo?", "??", "?")),
        (None, TEXTS),
    ],
)
def test_replaces_characters_that_an_encoding_lacks(
    encoding: str | None, shown: Sequence[str]
) -> None:
    assert tuple(encodable(text, encoding) for text in TEXTS) == tuple(shown)


class Output(io.TextIOWrapper):
    """A stream that rejects what its encoding lacks, as a terminal or not."""

    def __init__(self, encoding: str, *, is_terminal: bool) -> None:
        self.raw_bytes = io.BytesIO()
        self._is_terminal = is_terminal
        super().__init__(self.raw_bytes, encoding=encoding, newline="\n", write_through=True)

    def isatty(self) -> bool:
        return self._is_terminal

    @property
    def written(self) -> str:
        return self.raw_bytes.getvalue().decode(self.encoding)


@pytest.mark.parametrize(
    ("encoding", "symbols"),
    [("cp1252", "ok ~ x"), ("cp437", "ok ~ x"), ("utf-8", "✓ ≈ ✗"), ("UTF-8", "✓ ≈ ✗")],
)
@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_console_falls_back_to_ascii(
    monkeypatch: pytest.MonkeyPatch, encoding: str, symbols: str, is_terminal: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    stderr = Output(encoding, is_terminal=is_terminal)
    console = Console(stderr=stderr, stdout=Output(encoding, is_terminal=False))

    console.done("The “Save” button … 日本")
    console.outcome(Outcome.LIKELY, "API", "fine")
    console.finding(LOCKED.finding("Łódź"))
    console.show([diff_line(DiffLine(ADDED, 3, f"OPENID_CLIENT_SECRET={MASK}"))])
    console.link("Open “this”:", "https://x.example")
    with console.working("One moment …"):
        time.sleep(0.15)  # one turn of the spinner

    lines = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", stderr.written)
    done, likely, error = symbols.split()
    assert f"{done} The " in lines
    assert f"{likely} API" in lines
    assert f"{error} Another run" in lines
    assert "\\u" not in lines


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "utf-8"])
def test_json_is_always_utf_8(encoding: str) -> None:
    stdout = Output(encoding, is_terminal=False)
    value = {"folder": "Zoë/日本", "button": "“Continue with Auth0”"}

    Console(stderr=io.StringIO(), stdout=stdout).data(value)

    assert json.loads(stdout.raw_bytes.getvalue().decode("utf-8")) == value


def test_requested_text_reaches_an_output_with_a_poor_encoding() -> None:
    stdout = Output("cp437", is_terminal=False)
    Console(stderr=io.StringIO(), stdout=stdout).text("“Zoë” 日本")

    assert stdout.written == '"Zoë" ??\n'


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "cp850", "cp932"])
@pytest.mark.parametrize(
    "arguments", [("--help",), ("init", "--help"), ("explain", "LA101"), ("--lang", "nl", "--help")]
)
def test_no_redirected_output_breaks_a_command(encoding: str, arguments: Sequence[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wizard", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.decode(encoding)) > 100


# Browser, clipboard, questions


def test_copies_through_the_terminal_over_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    """OSC 52, written to the terminal itself, because output may be redirected."""
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "close", lambda: None)
    opened: list[Path] = []

    def open_file(path: Path, *_: object, **__: object) -> io.StringIO:
        opened.append(path)
        return terminal

    monkeypatch.setattr(Path, "open", open_file)
    desktop = UserDesktop({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, "linux")

    assert desktop.has_clipboard()
    assert desktop.copy("Zoë")
    assert opened == [Path("/dev/tty")]
    assert terminal.getvalue() == "\x1b]52;c;Wm/Dqw==\a"


@pytest.mark.parametrize(
    ("platform", "environ", "opens"),
    [
        ("darwin", {}, True),
        ("win32", {}, True),
        ("linux", {}, False),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
    ],
)
def test_opens_a_browser_only_on_a_graphical_system(
    monkeypatch: pytest.MonkeyPatch, platform: str, environ: dict[str, str], opens: bool
) -> None:
    opened: list[str] = []

    def opening(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr("webbrowser.open", opening)

    assert UserDesktop(environ, platform).open("https://x.example") is opens
    assert opened == ["https://x.example"] * opens


def raising(error: BaseException) -> Callable[[str], None]:
    def call(_: str) -> None:
        raise error

    return call


def test_works_without_browser_and_clipboard(monkeypatch: pytest.MonkeyPatch) -> None:
    import webbrowser

    import pyperclip

    desktop = UserDesktop({}, "win32")
    for no_browser in (webbrowser.Error("no browser"), OSError("no association")):
        monkeypatch.setattr("webbrowser.open", raising(no_browser))
        assert desktop.open("https://x.example") is False
    # On Windows another program may hold the clipboard; pyperclip raises its own exception then.
    assert issubclass(pyperclip.PyperclipWindowsException, pyperclip.PyperclipException)
    for no_clipboard in (pyperclip.PyperclipException("none"), OSError("pbcopy is gone")):
        monkeypatch.setattr(pyperclip, "copy", raising(no_clipboard))
        assert desktop.copy("text") is False


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_draws_questions_only_on_a_terminal(
    terminal: bool,
) -> None:
    assert can_draw_questions(Stream(terminal), "win32") is terminal
    assert can_draw_questions(Stream(terminal), "darwin")


def test_ctrl_break_works_like_ctrl_c() -> None:
    """Ctrl-Break exists only on Windows: simulated by a signal that does not end a process here."""
    code = (
        "import os, signal\n"
        "signal.SIGBREAK = signal.SIGWINCH\n"
        "from wizard.system.interrupts import end_on_signals\n"
        "end_on_signals()\n"
        "try: os.kill(os.getpid(), signal.SIGWINCH)\n"
        "except KeyboardInterrupt: print('ended')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("ended\n", "")


# Closed pipes


@pytest.mark.parametrize(
    ("error", "windows", "others"),
    [
        (BrokenPipeError(), True, True),
        (OSError(errno.EINVAL, "Invalid argument"), True, False),
        (OSError(errno.EINVAL, "Invalid argument", "a?b"), False, False),
        (OSError(errno.ENOSPC, "No space left on device"), False, False),
        (ValueError(), False, False),
    ],
)
def test_a_closed_pipe_has_another_error_on_windows(
    error: Exception, windows: bool, others: bool
) -> None:
    assert reader_has_gone(error, "win32") is windows
    assert reader_has_gone(error, "darwin") is others


def test_a_closed_pipe_is_not_a_bug(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object) -> NoReturn:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("wizard.execution.end_on_signals", lambda: None)
    monkeypatch.setattr(
        "wizard.execution.reader_has_gone", partial(reader_has_gone, platform="win32")
    )
    with pytest.raises(SystemExit) as caught:
        execute("doctor", Flags(json=True), run)
    assert caught.value.code == ExitCode.INTERRUPTED
    assert capfd.readouterr() == ("", "")
