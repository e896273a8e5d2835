"""What the system does differently: access lists, jobs, open files, signals, libraries, code pages.

The code in constants runs in Windows' Python.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.librechat.example import checkout
from tests.windows.machine import PYTHON, SECONDS, Machine, Output, until
from tests.windows.test_init import INIT, SECRET

SIGBREAK = 21


def test_a_library_that_cannot_load_is_named(machine: Machine, work: Path) -> None:
    """As where AppLocker or a virus scanner blocks it: Wine's own lack of it."""
    overrides = {"WINEDLLOVERRIDES": "mscoree=;mshtml=;bcryptprimitives="}
    folder = checkout(work / "LibreChat")

    done = machine.ours("trust", "--json", cwd=folder, env=overrides)
    assert done.status == 5, done.text
    (finding,) = json.loads(done.out)["findings"]
    assert finding["rule"] == "LA050"
    assert "_rust" in finding["detail"]


STORES = """
import ctypes, os, ssl, sys
from pathlib import Path
from wizard.system.processes import Processes
from wizard.tunnels.certificates import local_authority
from wizard.tunnels.trust import is_done, plan
processes = Processes()
ca_file = local_authority(Path(sys.argv[1]), processes).ca_file
der = ssl.PEM_cert_to_DER_cert(ca_file.read_text("ascii"))
(step,) = plan(ca_file, processes, os.environ, sys.platform, trust=True)
assert Path(step.trusted_if[0]).is_file(), step
crypt = ctypes.WinDLL("crypt32")
crypt.CertOpenStore.restype = ctypes.c_void_p
for place in (0x20000, 0x10000):  # CERT_SYSTEM_STORE_LOCAL_MACHINE, then _CURRENT_USER
    store = ctypes.c_void_p(crypt.CertOpenStore(ctypes.c_void_p(13), 0, None, place, "Root"))
    assert crypt.CertAddEncodedCertificateToStore(store, 1, der, len(der), 4, None)
    assert crypt.CertCloseStore(store, 0)
    print(is_done(step, processes))
"""


def test_the_machines_certificates_are_not_the_users(machine: Machine, work: Path) -> None:
    """The registry distinguishes the two stores, with its own program in System32."""
    done = machine.python(STORES, machine.path(work))

    assert done.text.split() == ["False", "True"], done.text


JOB = """
import os, subprocess, sys, time
from wizard.system.processes import Processes
grandchild = "import time; time.sleep(300)"
# The program ends at once, and leaves a child that holds no pipe.
program = (
    "import subprocess, sys;"
    f"one = subprocess.Popen([sys.executable, '-S', '-c', {grandchild!r}],"
    "stdin=-3, stdout=-3, stderr=-3); print(one.pid, flush=True)"
)
import psutil
process = Processes().start([sys.executable, "-S", "-c", program])
pid = int(process.stdout.readline())
process.wait(100)
deadline = time.monotonic() + 100
while psutil.pid_exists(pid) and time.monotonic() < deadline:
    time.sleep(0.05)
print(psutil.pid_exists(pid))
"""


def test_a_childs_child_ends_though_its_parent_has_ended(machine: Machine) -> None:
    done = machine.python(JOB)

    assert done.text.split() == ["False"], done.text


ASKED = """
import sys, time
from wizard.system import processes
from wizard.system.processes import Processes
# A busy machine may need more time.
patient = "import wizard.system.supervisor; wizard.system.supervisor.GRACE_SECONDS = 100; from"
processes._SUPERVISOR = processes._SUPERVISOR.replace("from", patient)
program = (
    "import signal, sys, time;"
    "signal.signal(signal.SIGINT, lambda *_: (print('asked', flush=True), sys.exit(3)));"
    "print('ready', flush=True);"
    # A handler waits for the end of a sleep.
    "[time.sleep(0.1) for _ in range(600)]"
)
process = Processes().start([sys.executable, "-S", "-c", program])
print(process.stdout.readline().decode().strip())
process.stdin.close()
print(process.stdout.read().decode().strip(), process.wait(100))
"""


def test_a_program_is_asked_before_it_is_ended(machine: Machine) -> None:
    done = machine.python(ASKED)

    assert done.text.split() == ["ready", "asked", "3"], done.text


PATIENT = "import wizard.system.platforms as it; it.HELD_SECONDS = 100; "
WIZARD = "from wizard.__main__ import main; main()"
HOLD = """
import sys
with open(sys.argv[1], "rb") as file:
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("lets_go", [True, False])
def test_a_file_that_another_program_holds(machine: Machine, work: Path, lets_go: bool) -> None:
    """It is waited for; then the old file stays, and the words say what to do."""
    folder = checkout(work / "LibreChat")
    env = folder / ".env"
    env.write_bytes(b"OTHER=1\r\n")
    with machine.start(PYTHON, "-c", HOLD, machine.path(env)) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.readline().strip() == b"held"
        code = PATIENT * lets_go + WIZARD
        with machine.start(PYTHON, "-c", code, *INIT, cwd=folder, env=SECRET) as writer:
            if lets_go:
                assert until(lambda: any(folder.glob(".env.librechat-auth0-*")))
                holder.stdin.close()
            _, err = writer.communicate(timeout=SECONDS)
        holder.kill()
    if lets_go:
        assert (writer.returncode, b"OPENID_ISSUER=" in env.read_bytes()) == (0, True), err
    else:
        assert (writer.returncode, env.read_bytes()) == (5, b"OTHER=1\r\n"), err
        assert b"Close the programs that use it" in err
    assert not any(folder.glob(".env.librechat-auth0-*"))


# Wine 8 delivers no Ctrl-Break: raised as Windows does it, in a thread of its own.
BREAK = """
import signal, sys, threading
from wizard.__main__ import main
def press():
    sys.stdin.readline()
    signal.raise_signal(signal.SIGBREAK)
threading.Thread(target=press, daemon=True).start()
main()
"""


def test_ctrl_break_closes_a_tunnel(machine: Machine, work: Path) -> None:
    folder = checkout(work / "LibreChat")
    assert machine.ours(*INIT, cwd=folder, env=SECRET).status == 0
    tunnel = ("tunnel", "--tunnel", "local", "--yes", "--env-file", machine.path(folder / ".env"))
    with machine.start(PYTHON, "-c", BREAK, *tunnel) as running:
        said = Output(running.stderr)
        assert until(lambda: b"press Ctrl-C" in said.so_far), said.so_far
        assert running.stdin
        running.stdin.write(b"\n")
        running.stdin.close()
        status = running.wait(SECONDS)

    assert status == 128 + SIGBREAK, said.bytes()
    assert b"The tunnel is closed." in said.bytes()


def test_a_tunnel_in_the_background(machine: Machine, work: Path) -> None:
    folder = checkout(work / "LibreChat")
    assert machine.ours(*INIT, cwd=folder, env=SECRET).status == 0

    opened = machine.ours("tunnel", "--tunnel", "local", "--detach", "--yes", cwd=folder)
    assert opened.status == 0, opened.text
    status = json.loads(machine.ours("tunnel", "status", "--json", cwd=folder).out)
    (one,) = status["tunnels"]
    assert one["public_url"].startswith("https://localhost:"), status
    assert status["findings"] == []
    stopped = machine.ours("tunnel", "stop", cwd=folder)
    assert stopped.status == 0, stopped.text
    status = json.loads(machine.ours("tunnel", "status", "--json", cwd=folder).out)
    assert status["tunnels"] == []


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "utf-8"])
def test_output_in_a_code_page(machine: Machine, work: Path, encoding: str) -> None:
    """Into a pipe and a file: every character is one of the code page."""
    env = {"PYTHONIOENCODING": encoding, "LIBRECHAT_AUTH0_LANG": "nl", **SECRET}

    piped = machine.ours(*INIT, cwd=checkout(work / "één"), env=env)
    assert piped.status == 0, piped.text
    assert "geschreven" in (piped.out + piped.err).decode(encoding)
    line = f"{PYTHON} -m wizard {' '.join(INIT)} > out.txt 2>&1"
    filed = machine.run("cmd.exe", "/c", line, cwd=checkout(work / "twee ë"), env=env)
    assert filed.status == 0, filed.text
    assert "geschreven" in (work / "twee ë/out.txt").read_bytes().decode(encoding)


PRESS_ENTER = b"\r\n" * 20


def test_names_what_is_missing_without_a_terminal(machine: Machine, work: Path) -> None:
    folder = checkout(work / "LibreChat")
    done = machine.ours("init", "--plain", "--offline", cwd=folder, stdin=PRESS_ENTER)

    assert done.status == 2, done.text
    assert "Traceback" not in done.text
