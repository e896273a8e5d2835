"""A tunnel in a process of its own, which stays when the command that opened it has ended.

The two talk over pipes, a JSON object a line. The command sends the order (port, requested URL,
language and, if the user just gave one, a token: that is why it is no argument); it gets progress,
and then the URL or the failure. Only on its last word does the tunnel stay; when the command ends
without it, the tunnel is closed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from wizard.background import Background, BackgroundTunnel
from wizard.commands.live import LiveView
from wizard.findings import ExitCode, Failure, Finding
from wizard.language import Language, Message
from wizard.platforms import own_session, reader_has_gone
from wizard.process_control import end_child, start_time
from wizard.rules import rule
from wizard.text import one_line
from wizard.tunnels import (
    SECRET_PREFIXES,
    EventKind,
    Tunnel,
    TunnelEvent,
    TunnelRequest,
    provider,
)

NO_WORD = rule("LA323")

LOG_BYTES = 1 << 20
STAY = "stay"


class DetachedTunnel(Tunnel):
    """The tunnel of a provider, opened by a process of ours in the background.

    Args:
        name: the provider's.
        request: as for the provider; its events go to the log.
        env_file: whose URL it is.
        environ: the process's environment; our own secrets are taken out.
        language: in which the process says what it does; the request's is that of pages.
    """

    def __init__(
        self,
        name: str,
        request: TunnelRequest,
        env_file: Path,
        environ: Mapping[str, str],
        language: Language,
    ) -> None:
        self._name = name
        self._request = request
        self._env_file = env_file
        self._environ = {
            name: value for name, value in environ.items() if not name.startswith(SECRET_PREFIXES)
        }
        self._language = language
        self._background = Background(request.state_dir)
        self._process: subprocess.Popen[str] | None = None
        self._findings: tuple[Finding, ...] = ()

    @property
    def findings(self) -> Sequence[Finding]:
        """See `Tunnel.findings`."""
        return self._findings

    def open(self) -> str:
        """See `Tunnel.open`."""
        process = self._process = self._start()
        self._order(process, self._request_as_json())
        return self._url_from(process)

    def stay(self) -> None:
        """Let it stay; returns when it is written down, so that it is found again.

        Raises:
            Failure: it has gone meanwhile.
        """
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return
        self._order(process, STAY)
        if not any("stays" in word for word in self._words(process)):
            raise self._gone()
        self._process = None
        process.stdin.close()
        process.stdout.close()
        process.returncode = 0  # it is on its own now

    def close(self) -> None:
        """See `Tunnel.close`; one that stays is left alone."""
        process, self._process = self._process, None
        if process is None:
            return
        end_child(process)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _close(pipe)

    def healthy(self) -> bool:
        """See `Tunnel.healthy`."""
        return self._process is not None and self._process.poll() is None

    def _start(self) -> subprocess.Popen[str]:
        log = self._background.open_log(self._env_file)
        path = os.pathsep.join(
            filter(None, (str(Path(__file__).parents[2]), self._environ.get("PYTHONPATH")))
        )
        try:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                env={**self._environ, "PYTHONPATH": path},
                cwd=self._request.state_dir,
                **own_session(),
            )
        finally:
            os.close(log)

    def _order(self, process: subprocess.Popen[str], word: object) -> None:
        try:
            _send(process.stdin, word)
        except OSError as error:
            if not reader_has_gone(error):
                raise
            raise self._gone() from None

    def _request_as_json(self) -> dict[str, object]:
        return {
            "tunnel": self._name,
            "env_file": str(self._env_file),
            "port": self._request.port,
            "state_dir": str(self._request.state_dir),
            "requested_url": self._request.requested_url,
            "token": self._request.token,
            "language": self._language.name,
            "language_of_pages": self._request.language.name,
        }

    def _url_from(self, process: subprocess.Popen[str]) -> str:
        for word in self._words(process):
            if "progress" in word:
                self._request.progress(word["progress"])
            elif "failure" in word:
                raise Failure(_finding(word["failure"]))
            else:
                self._findings = tuple(map(_finding, word["findings"]))
                return str(word["url"])
        raise self._gone()

    def _words(self, process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
        """What the process says; one that is killed may break off in the middle of a line."""
        try:
            yield from map(json.loads, process.stdout or ())
        except ValueError:
            raise self._gone() from None

    def _gone(self) -> Failure:
        return NO_WORD.failure(
            Message("Its log: {file}.", file=self._background.log_file(self._env_file))
        )


def main() -> int:
    """The process in the background; returns its exit status."""
    from wizard.interrupts import end_on_signals

    os.umask(0o077)
    end_on_signals()
    try:
        order = json.loads(sys.stdin.readline())
        return _Holder(order).run()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except OSError as error:
        if not reader_has_gone(error):
            raise
        return ExitCode.INTERRUPTED


class _Holder:
    """Opens the tunnel of the order, and holds it."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        from wizard.http import Https

        state_dir = Path(order["state_dir"])
        self._environ = dict(os.environ)
        self._name = str(order["tunnel"])
        self._language = Language.named(order["language"])
        self._view = LiveView(order["port"], Https(self._environ), self._log)
        self._background = Background(state_dir)
        self._env_file = str(order["env_file"])
        self._known: BackgroundTunnel | None = None
        self._request = TunnelRequest(
            port=order["port"],
            state_dir=state_dir,
            requested_url=order["requested_url"],
            token=order["token"],
            on_event=self._hear,
            progress=self._tell,
            language=Language.named(order["language_of_pages"]),
        )

    def run(self) -> int:
        from wizard.processes import SystemProcesses

        chosen = provider(self._name)
        try:
            tunnel = chosen.tunnel(self._request, SystemProcesses(), self._environ)
            with tunnel as url:
                found = [self._told(finding) for finding in tunnel.findings]
                _send(sys.stdout, {"url": url, "findings": found})
                if json.loads(sys.stdin.readline() or '""') != STAY:
                    return ExitCode.INTERRUPTED
                self._stay(url)
        except Failure as failure:
            _send(sys.stdout, {"failure": self._told(failure.finding)})
            return failure.exit_code
        return ExitCode.TUNNEL

    def _stay(self, url: str) -> None:
        """Write it down, say so, let go of the pipes, and hold it until it ends or is stopped."""
        pid = os.getpid()
        known = self._known = BackgroundTunnel(
            env_file=self._env_file,
            tunnel=self._name,
            url=url,
            port=self._request.port,
            pid=pid,
            started=start_time(pid) or "",
            opened_at=time.time(),
        )
        try:
            self._background.keep(known)
            _send(sys.stdout, {"stays": pid})
            nothing = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1):
                os.dup2(nothing, descriptor)
            os.close(nothing)
            self._view.watch(url, lambda _: None)
        except BaseException:
            self._background.forget(known)
            raise

    def _hear(self, event: TunnelEvent) -> None:
        self._view.hear(event)
        if self._known is not None and event.kind is not EventKind.REQUEST:
            trouble = "" if event.kind is EventKind.RESTORED else event.detail
            self._known = replace(self._known, trouble=self._language.say(trouble))
            self._background.keep(self._known)

    def _tell(self, line: str) -> None:
        """Progress, to the command while it waits, and to the log afterwards."""
        if self._known is None:
            _send(sys.stdout, {"progress": self._language.say(line)})
        else:
            self._log(line)

    def _told(self, finding: Finding) -> dict[str, object]:
        return {
            "rule": finding.rule.id,
            "detail": self._language.say(finding.detail),
            "fix": self._language.say(finding.fix),
            "variable": finding.variable,
        }

    def _log(self, line: str) -> None:
        """Into the log file, which is our error output, and starts anew when it is full."""
        if os.fstat(2).st_size > LOG_BYTES:
            os.ftruncate(2, 0)
            os.lseek(2, 0, os.SEEK_SET)  # where appending is not inherited, as on Windows
        sys.stderr.write(f"{one_line(self._language.say(line))}\n")
        sys.stderr.flush()


def _send(pipe: IO[str] | None, word: object) -> None:
    if pipe is not None:
        pipe.write(f"{json.dumps(word)}\n")
        pipe.flush()


def _close(pipe: IO[str]) -> None:
    try:
        pipe.close()
    except OSError as error:
        if not reader_has_gone(error):  # else what we had to say is of no interest any more
            raise


def _finding(told: Mapping[str, Any]) -> Finding:
    from wizard.rules import all_rules

    rule = all_rules()[told["rule"]]
    return rule.finding(**{name: told[name] for name in ("detail", "fix", "variable")})


if __name__ == "__main__":
    sys.exit(main())
