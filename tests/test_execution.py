"""The conditions a command starts in: current folder, standard streams, an early Ctrl-C."""

from __future__ import annotations

import errno
import json
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, NoReturn, cast

import pytest
from cryptography.exceptions import InternalError

from wizard import __main__, cli
from wizard.doctor.writing import NO_FILE
from wizard.execution import INTERRUPTED, Flags, execute
from wizard.language import Message
from wizard.librechat.env_store import UNWRITABLE
from wizard.ports import Ports

if TYPE_CHECKING:
    from cryptography.hazmat.bindings._rust.openssl import OpenSSLError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a shell of POSIX's")


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script in which `$TOOL` is the command."""
    tool = f"'{sys.executable}' -P -m wizard"
    path = str(Path(__file__).parents[1])
    return subprocess.run(
        ["/bin/sh", "-c", script.replace("$TOOL", tool)],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_reports_a_deleted_folder(tmp_path: Path) -> None:
    done = run("mkdir gone && cd gone && rmdir ../gone && $TOOL doctor", tmp_path)
    assert done.returncode == 5
    assert f"{tmp_path / 'gone' / '.env'} does not exist." in done.stderr


def test_works_in_a_deleted_folder_when_none_is_needed(tmp_path: Path) -> None:
    done = run("mkdir gone && cd gone && rmdir ../gone && $TOOL explain LA101", tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_works_with_a_closed_stream(closed: str, tmp_path: Path) -> None:
    assert run(f"$TOOL tunnel status --json {closed}", tmp_path).returncode == 0
    assert run(f"$TOOL --version {closed}", tmp_path).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("explain LA101", "the disk is full"),
        ("explain LA101 --json", "LA015"),
        ("--version", "No space left on device"),
        ("--help", "No space left on device"),
    ],
)
def test_a_full_output_is_not_a_bug(command: str, message: str, tmp_path: Path) -> None:
    done = run(f"$TOOL {command} > /dev/full", tmp_path)
    assert done.returncode == 5
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert run(f"$TOOL {command} > /dev/full 2> /dev/full", tmp_path).returncode == 5


@pytest.mark.parametrize("command", ["--version", "--help"])
def test_a_closed_pipe_causes_no_traceback(command: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "wizard", command], stdout=writer, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writer)
    assert done.stderr == b""


INIT = (
    "AUTH0_CLIENT_SECRET=s3cr3ts3cr3ts3cr3t $TOOL init --yes --offline --no-open --audience api"
    " --domain dev.us.auth0.com --client-id 0123456789abcdef0123456789abcdef"
    " --public-url https://chat.example.com"
)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("options", ["", "--json", "--debug", "--plain"])
def test_reports_unwritable_messages_on_the_other_output(options: str, tmp_path: Path) -> None:
    done = run(f"{INIT} {options} 2> /dev/full", tmp_path)
    written = (tmp_path / ".env").exists()
    # With --json there are no messages, so nothing is lost.
    assert (done.returncode, written) == ((0, True) if options == "--json" else (5, False))
    assert written or "the disk is full" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_reports_unwritable_json_on_the_other_output(tmp_path: Path) -> None:
    done = run(f"{INIT} --json > /dev/full", tmp_path)
    assert done.returncode == 74
    assert "an output: the disk is full." in done.stderr
    assert f"{tmp_path / '.env'} was already written; librechat-auth0 init --undo" in done.stderr
    assert (tmp_path / ".env").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("options", ["", "--json"])
def test_exit_code_reports_that_both_outputs_are_full(options: str, tmp_path: Path) -> None:
    assert run(f"$TOOL report {options} > /dev/full 2> /dev/full", tmp_path).returncode == 5


@pytest.mark.parametrize(
    ("error", "words", "code"),
    [
        (KeyboardInterrupt(), [], 130),
        (KeyboardInterrupt(signal.SIGTERM), ["X is written."], 143),
        (KeyboardInterrupt(signal.SIGHUP), [], 129),
        (OSError(errno.EIO, "", "/x"), [], 5),
        (OSError(errno.EIO, "", "/x"), ["X is written."], 74),
        (UNWRITABLE.failure("/x"), ["X is written."], 74),
        (ValueError(), ["X is written."], 70),
        (NO_FILE.failure("/x"), [], 5),
    ],
)
def test_the_error_lists_what_was_written_before(
    error: BaseException, words: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(ports: Ports, _: object) -> NoReturn:
        ports.last_words.extend(map(Message, words))
        raise error

    with pytest.raises(SystemExit) as left:
        execute("doctor", Flags(), fail)
    assert left.value.code == code
    assert ("X is written." in capsys.readouterr().err) == bool(words)


def test_a_failure_after_ctrl_c_exits_as_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object) -> NoReturn:
        try:
            raise KeyboardInterrupt(signal.SIGTERM)
        except KeyboardInterrupt:
            raise INTERRUPTED.failure("Half of it is done.") from None

    with pytest.raises(SystemExit) as left:
        execute("provision", Flags(json=True), fail)
    assert left.value.code == 143
    assert json.loads(capsys.readouterr().out)["findings"][0]["detail"] == "Half of it is done."


def test_an_unusable_state_folder_is_not_a_bug(tmp_path: Path) -> None:
    name = tmp_path / ("n" * 300)
    done = run(f"XDG_STATE_HOME='{name}' $TOOL tunnel status", tmp_path)
    assert done.returncode == 5
    assert "the name is too long" in done.stderr
    assert "LA015" in done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (7, "an output: the disk is full."),
        (None, "an output: the disk is full."),
        ("/x", "/x: the disk is full."),
        (b"/x\xff", "/x\udcff: the disk is full."),
        (Path("/x"), "/x: the disk is full."),
    ],
)
def test_reports_the_file_that_the_system_names(
    name: object, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> NoReturn:
        error = OSError(errno.ENOSPC, "No space left on device")
        error.filename = name
        raise error

    with pytest.raises(SystemExit) as left:
        execute("doctor", Flags(json=True), fail)
    assert left.value.code == 5
    assert json.loads(capsys.readouterr().out)["findings"][0]["detail"] == message


def test_ctrl_c_before_a_command_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    monkeypatch.setattr(sys, "argv", ["librechat-auth0", "doctor"])
    with pytest.raises(SystemExit) as left:
        __main__.main()
    assert left.value.code == 130


def failed(error: Exception, capsys: pytest.CaptureFixture[str]) -> tuple[object, dict[str, str]]:
    """Run a command that raises the error; return its exit code and its one finding."""

    def fail(*_: object) -> NoReturn:
        raise error

    with pytest.raises(SystemExit) as left:
        execute("trust", Flags(json=True), fail)
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    return left.value.code, finding


NO_RANDOM_BYTES = [
    SimpleNamespace(reason_text=b"entropy source strength too weak"),
    SimpleNamespace(reason_text=b"error retrieving entropy"),
]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            InternalError("Unknown OpenSSL error.", cast("list[OpenSSLError]", NO_RANDOM_BYTES)),
            "OpenSSL gets no random bytes from the system:"
            " entropy source strength too weak, error retrieving entropy.",
        ),
        (InternalError("Unknown OpenSSL error", []), "OpenSSL failed: Unknown OpenSSL error."),
        (ssl.SSLError(1, "[SSL] PEM lib (_ssl.c:1)"), "OpenSSL failed: [SSL] PEM lib (_ssl.c:1)."),
    ],
)
def test_a_failure_of_openssl_is_the_systems(
    error: Exception, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, finding = failed(error, capsys)
    assert (code, finding["rule"], finding["detail"]) == (5, "LA015", message)


@pytest.mark.parametrize(
    ("error", "status", "rule"),
    [
        (
            ImportError(
                "DLL load failed while importing _rust: Access is denied.",
                name="cryptography.hazmat.bindings._rust",
            ),
            5,
            "LA050",
        ),
        (ModuleNotFoundError("No module named 'jinja2'", name="jinja2"), 5, "LA050"),
        # A missing module of ours is a bug.
        (ImportError("cannot import name 'x' from 'wizard.text'", name="wizard.text"), 70, "LA001"),
    ],
)
def test_names_a_package_that_cannot_be_loaded(
    error: ImportError, status: int, rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, finding = failed(error, capsys)
    assert (code, finding["rule"]) == (status, rule)
    if rule == "LA050":
        assert str(error).rstrip(".") in finding["detail"]


def test_names_a_missing_package_needed_at_startup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> None:
        raise ModuleNotFoundError("No module named 'typer'", name="typer")

    monkeypatch.setattr(cli, "main", missing)
    monkeypatch.setattr(sys, "argv", ["librechat-auth0", "doctor"])
    with pytest.raises(SystemExit) as left:
        __main__.main()
    assert left.value.code == 5
    assert "a package cannot be loaded: No module named 'typer'" in capsys.readouterr().err


@pytest.mark.parametrize("options", ["doctor --offline", "init --offline --yes", "tunnel"])
def test_an_unknown_home_is_an_ordinary_name(options: str, tmp_path: Path) -> None:
    done = run(f"$TOOL {options} --env-file '~nobody-of-that-name/.env'", tmp_path)
    assert done.returncode == 5
    assert f"{tmp_path}/~nobody-of-that-name" in done.stderr
