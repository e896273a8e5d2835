"""Opens a tunnel in a process of its own (`process`), which outlives the command.

The two exchange lines of JSON over pipes. The command sends the order, which may hold a token and
so is no argument; it gets progress, and then the URL or the failure. The tunnel closes if the
command ends without its last order, `STAY`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from wizard.findings import Failure
from wizard.language import Language
from wizard.rules import rule
from wizard.steps.background import process
from wizard.steps.background.process import STAY, send
from wizard.steps.background.records import Background
from wizard.system.platforms import own_session, reader_has_gone, true_path
from wizard.system.process_control import end_child
from wizard.system.processes import own_program, without_secrets
from wizard.system.reading import load_json
from wizard.tunnels import Tunnel, TunnelRequest, provider

NO_ANSWER = rule("LA323")


class DetachedTunnel(Tunnel):
    """A provider's tunnel in a background process.

    Args:
        name: the provider's.
        request: as for the provider; its events go to the log.
        env_file: the `.env` of the URL.
        environ: of the process, without our own secrets.
        language: of its messages; the request's is that of its pages.
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
        self._environ = without_secrets(environ)
        self._language = language
        self._background = Background(request.state_dir)
        self._process: subprocess.Popen[str] | None = None
        self.findings = provider(name).findings

    def open(self) -> str:
        process = self._process = self._start()
        self._order(process, self._request_as_json())
        return self._url_from(process)

    def stay(self) -> None:
        """Let it stay; return when its record is saved, or raise LA323."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return
        self._order(process, STAY)
        if not any("stays" in message for message in self._messages(process)):
            raise self._gone()
        self._process = None
        process.stdin.close()
        process.stdout.close()
        process.returncode = 0  # we do not wait for it any more

    def close(self) -> None:
        """Close the tunnel, unless it stays."""
        process, self._process = self._process, None
        if process is not None:
            end_child(process)
            with suppress(OSError), process:  # closes its pipes
                pass

    def _start(self) -> subprocess.Popen[str]:
        log = self._background.open_log(self._env_file)
        command, environ = own_program(process.__name__, self._environ)
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                env=environ,
                cwd=self._request.state_dir,
                **own_session(),
            )
        finally:
            os.close(log)

    def _order(self, process: subprocess.Popen[str], word: object) -> None:
        try:
            send(process.stdin, word)
        except OSError as error:
            if not reader_has_gone(error):
                raise
            raise self._gone() from None

    def _request_as_json(self) -> dict[str, object]:
        return {
            "tunnel": self._name,
            "env_file": true_path(self._env_file),
            "port": self._request.port,
            "state_dir": str(self._request.state_dir),
            "requested_url": self._request.requested_url,
            "token": self._request.token,
            "language": self._language.name,
            "language_of_pages": self._request.language.name,
        }

    def _url_from(self, process: subprocess.Popen[str]) -> str:
        for message in self._messages(process):
            if "progress" in message:
                self._request.progress(message["progress"])
            elif "failure" in message:
                raise _failure(message["failure"])
            else:
                return str(message["url"])
        raise self._gone()

    def _messages(self, process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
        """The messages of the process; a killed one may stop in the middle of a line."""
        try:
            yield from map(load_json, process.stdout or ())
        except ValueError:
            raise self._gone() from None

    def _gone(self) -> Failure:
        return NO_ANSWER.failure("Its log: {file}.", file=self._background.log_file(self._env_file))


def _failure(finding: Mapping[str, Any]) -> Failure:
    detail, fix, variable = (finding[name] for name in ("detail", "fix", "variable"))
    return rule(finding["rule"]).failure(detail, fix=fix, variable=variable)
