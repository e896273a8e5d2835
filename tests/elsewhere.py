"""Run our code as on another system: `python -m tests.elsewhere win32 doctor --offline`.

Only our modules see that system: what it lacks is missing from what they import. The standard
library and other packages still see the real one, since they have their own platform code.
"""

from __future__ import annotations

import builtins
import errno
import importlib
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class System:
    """A system's names, the modules and attributes it lacks, and those only it has."""

    modules: frozenset[str]
    names: Mapping[str, frozenset[str]]
    own: Mapping[str, Mapping[str, object]]
    has: Mapping[str, ModuleType] = field(default_factory=dict)


def _msvcrt() -> ModuleType:
    """Windows' file locks."""
    import fcntl

    def locking(handle: int, how: int, _: int) -> None:
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX | fcntl.LOCK_NB) if how else fcntl.LOCK_UN)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "Permission denied") from None

    made = ModuleType("msvcrt")
    made.__dict__.update(LK_UNLCK=0, LK_NBLCK=2, locking=locking)
    return made


class _Refusing:
    """Windows libraries without access lists (ERROR_NOT_SUPPORTED) and job objects."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: 50 if "Security" in name else 0


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SYSTEMS = {
    # Neither "posix" nor "nt", so that no check of one takes the other's branch by accident.
    "win32": System(
        modules=_names(
            "crypt curses fcntl grp nis posix pty pwd readline resource spwd syslog termios tty"
        ),
        names={
            "os": _names(
                "WNOHANG chown fchmod fchown fork forkpty getegid geteuid getgid getgroups getpgid"
                " getpgrp getresuid getsid getuid initgroups killpg lchown major minor mkfifo"
                " mknod nice openpty posix_spawn pread pwrite setegid seteuid setgid setgroups"
                " setpgid setsid setuid statvfs sync tcgetpgrp ttyname uname wait wait3 wait4"
                " O_ASYNC O_CLOEXEC O_DIRECT O_DIRECTORY O_DSYNC O_NOATIME O_NOCTTY O_NOFOLLOW"
                " O_NONBLOCK O_PATH O_SYNC O_TMPFILE"
            ),
            "signal": _names(
                "SIGALRM SIGCHLD SIGCONT SIGHUP SIGIO SIGKILL SIGPIPE SIGPROF SIGQUIT SIGSTOP"
                " SIGTSTP SIGTTIN SIGTTOU SIGUSR1 SIGUSR2 SIGWINCH alarm pause pthread_kill"
                " pthread_sigmask setitimer siginterrupt sigpending sigwait"
            ),
            "socket": _names("AF_NETLINK AF_UNIX SO_REUSEPORT"),
            "time": _names("clock_gettime clock_settime pthread_getcpuclockid tzset"),
            "locale": _names("nl_langinfo"),
        },
        own={
            "os": {"name": "neither"},
            "sys": {"platform": "win32"},
            "ctypes": {"WinDLL": lambda _: _Refusing()},
        },
        has={"msvcrt": _msvcrt()},
    ),
    "darwin": System(
        modules=_names("ossaudiodev spwd"),
        names={
            "os": _names(
                "O_DIRECT O_NOATIME O_PATH O_TMPFILE copy_file_range eventfd getrandom getresuid"
                " memfd_create pidfd_open pipe2 posix_fadvise posix_fallocate sched_getaffinity"
                " setresuid splice"
            ),
            "signal": _names("SIGPWR SIGRTMAX SIGRTMIN SIGSTKFLT sigtimedwait"),
            "socket": _names("AF_NETLINK AF_PACKET AF_VSOCK SO_PEERCRED"),
            "time": _names("CLOCK_BOOTTIME pthread_getcpuclockid"),
        },
        own={"sys": {"platform": "darwin"}},
    ),
}


class _Seen(ModuleType):
    """A module as that system provides it."""

    def __init__(self, real: ModuleType, lacks: frozenset[str], own: Mapping[str, object]) -> None:
        super().__init__(real.__name__)
        self.__dict__.update(_real=real, _lacks=lacks, _own=own)

    def __getattr__(self, name: str) -> Any:
        if name in self._lacks:
            raise AttributeError(f"{self.__name__} has no {name} on that system")
        return self._own[name] if name in self._own else getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)


def pretend(system: System) -> None:
    """Make our modules, none of which is imported yet, see that system."""
    ordinary = builtins.__import__

    def imported(
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - as of `__import__`
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        is_ours = str((globals or {}).get("__name__")).split(".")[0] == "wizard"
        if is_ours and name.partition(".")[0] in system.modules:
            raise ModuleNotFoundError(f"no module {name} on that system", name=name)
        if is_ours and name in system.has and name not in sys.modules:
            return system.has[name]
        module = ordinary(name, globals, locals, fromlist or (), level)
        if is_ours and (name in system.names or name in system.own):
            return _Seen(module, system.names.get(name, frozenset()), system.own.get(name, {}))
        return module

    builtins.__import__ = imported


def import_all() -> None:
    """Import all our modules."""
    import wizard

    for module in pkgutil.walk_packages(wizard.__path__, "wizard."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def main(system: str, *arguments: str) -> None:
    """Run the command as on that system; without one, import every module."""
    pretend(SYSTEMS[system])
    if not arguments:
        return import_all()
    if arguments[0] == "-c":
        return exec(arguments[1], {"__name__": "wizard.probe"})
    sys.argv = ["librechat-auth0", *arguments]
    from wizard.cli import main as run

    return run()


if __name__ == "__main__":
    main(*sys.argv[1:])
