"""Access control lists, as far as Wine keeps them: in the modes of this system's files."""

from __future__ import annotations

from pathlib import Path

from tests.librechat.example import checkout
from tests.windows.machine import Machine
from tests.windows.test_init import INIT, SECRET

# What `icacls FILE /inheritance:r /grant:r USER:F` sets, for Wine's user.
RESTRICT = """
import ctypes, sys
security = ctypes.WinDLL("advapi32")
descriptor = ctypes.c_void_p()
assert security.ConvertStringSecurityDescriptorToSecurityDescriptorW(
    "D:P(A;;FA;;;S-1-5-21-0-0-0-1000)", 1, ctypes.byref(descriptor), None)
assert security.SetFileSecurityW(sys.argv[1], 4, descriptor)
"""


def test_an_env_file_keeps_its_access_list(machine: Machine, work: Path) -> None:
    """Wine forgets that the folder's list does not apply, so the folder is closed to others too."""
    folder = checkout(work / "LibreChat")
    env = folder / ".env"
    env.write_bytes(b"OTHER=1\n")
    env.chmod(0o644)
    folder.chmod(0o770)
    assert machine.python(RESTRICT, machine.path(env)).status == 0
    before = env.stat().st_mode & 0o777
    assert not before & 0o007

    done = machine.ours(*INIT, cwd=folder, env=SECRET)
    assert (done.status, env.stat().st_mode & 0o007) == (0, 0), done.text


def test_the_state_folder_is_the_users_alone(machine: Machine, work: Path) -> None:
    """Windows' Python gives a folder of mode 0700 a list of its own (CVE-2024-4030).

    Administrators, whom Wine shows as the group, may read it.
    """
    state = work / "state"
    done = machine.python(
        "import sys; from pathlib import Path;"
        "from wizard.system.private_files import private_folder;"
        "private_folder(Path(sys.argv[1]), 'backups')",
        machine.path(state),
    )

    assert done.status == 0, done.text
    assert not (state / "backups").stat().st_mode & 0o007
