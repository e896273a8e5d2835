"""The ngrok agent: found or downloaded, started through pyngrok, and asked what passes through.

What pyngrok 9.1 does that must not happen is prevented here: the authtoken among the arguments
of the agent, an agent in our terminal's session and with our terminal as its error output, a
start that never returns, a download into a folder that others write to.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wizard.http import ssl_context
from wizard.language import Message
from wizard.platforms import replace
from wizard.processes import programs
from wizard.text import one_line
from wizard.threads import begin
from wizard.tunnels import EventKind, TunnelEvent
from wizard.tunnels.local_api import get_json
from wizard.tunnels.ngrok_config import directory
from wizard.tunnels.ngrok_errors import BROKEN_AGENT, NO_DOWNLOAD, SILENT_AGENT
from wizard.watchdog import Watchdog, end_child

if TYPE_CHECKING:
    from pyngrok.conf import PyngrokConfig
    from pyngrok.ngrok import NgrokTunnel as Endpoint
    from pyngrok.process import NgrokProcess

    from wizard.processes import Processes

# The agent takes the next free port from 4040 on for its local pages.
WEB_ADDRESSES = tuple(f"127.0.0.1:{port}" for port in range(4040, 4050))
# From here on the agent has endpoints in its API (its change log, 2025-09-23).
ENDPOINTS_SINCE = (3, 30)
DOWNLOAD_SECONDS = 60.0
REQUESTS_AT_A_LOOK = 50
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_WRAPPER_MAX_BYTES = 1 << 20
# What pyngrok's installer says of its own (9.1, `_print_progress`), beside how far it is.
_DOWNLOADING, _INSTALLING = Message("Downloading ngrok ..."), Message("Installing ngrok ...")


def find_agent(environ: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """The agent's program: where `PYNGROK_NGROK_PATH` says, on the path, or in its own folder."""
    name = _program_name(platform)
    if chosen := environ.get("PYNGROK_NGROK_PATH"):
        return Path(chosen).absolute()
    for found in programs(name, environ, platform):
        if not _is_pyngroks_wrapper(found):
            return found
    own = directory(environ, platform) / name
    return own if own.exists() else None


def download_agent(environ: Mapping[str, str], progress: Callable[[str], None]) -> Path:
    """Download the agent into its own folder, by pyngrok's installer, and return its path.

    Raises:
        Failure: LA313.
    """
    from pyngrok import installer
    from pyngrok.exception import PyngrokError

    folder = directory(environ)
    target = folder / _program_name()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Neither the archive nor half a program may lie where someone finds it.
        with (
            tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as private,
            _temporary_files_in(private),
            _lent(environ),
            contextlib.redirect_stdout(_Progress(progress)),
        ):
            fresh = Path(private) / target.name
            installer.install_ngrok(
                str(fresh), timeout=DOWNLOAD_SECONDS, context=ssl_context(environ)
            )
            replace(fresh, target)
    except (PyngrokError, OSError) as error:
        raise NO_DOWNLOAD.failure(one_line(str(error))) from error
    return target


def version_of(agent: Path, processes: Processes, environ: Mapping[str, str]) -> tuple[int, int]:
    """The agent's version, as `(3, 39)`.

    Raises:
        Failure: LA314, it does not run or is something else.
    """
    answer = processes.run([str(agent), "--version"], env=environ)
    found = re.search(r"version (\d+)\.(\d+)", answer.stdout)
    if answer.status or not found:
        said = one_line((answer.stderr.strip() or answer.stdout.strip())[:200])
        raise BROKEN_AGENT.failure(
            Message(
                "{program}: {said}",
                program=one_line(str(agent)),
                said=said or Message("exit status {status}", status=answer.status),
            )
        )
    return int(found[1]), int(found[2])


@dataclass(frozen=True, slots=True)
class Running:
    """An agent, by the address of its local API, and its URL that leads to LibreChat."""

    address: str
    public_url: str


def api_addresses(web_address: str) -> tuple[str, ...]:
    """Where the agents of this machine may have their API, the configured address first."""
    host, _, port = web_address.rpartition(":")
    everywhere = {"", "0.0.0.0"}  # noqa: S104 - where their agent may listen, not we
    own = f"{'127.0.0.1' if host in everywhere else host}:{port}" if port else ""
    return tuple(dict.fromkeys(filter(None, (own, *WEB_ADDRESSES))))


def running_endpoint(port: int, requested_url: str, addresses: Sequence[str]) -> Running | None:
    """What leads to the port over HTTPS already, and is the wanted URL if one is wanted."""
    for address in addresses:
        for public_url, upstream in _endpoints(address):
            fits = public_url == requested_url or not requested_url
            if fits and public_url.startswith("https://") and _leads_to(upstream, port):
                return Running(address, public_url)
    return None


def holder_of(public_url: str, addresses: Sequence[str]) -> str:
    """The local page of the agent on this machine that holds the URL, "" if none does."""
    for address in addresses:
        if any(url == public_url for url, _ in _endpoints(address)):
            return f"http://{address}"
    return ""


class RequestLog:
    """The requests that an agent has seen, told once each when they are answered."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._told: set[str] = set()
        self.news()  # what was before us is no news

    def news(self) -> list[TunnelEvent] | None:
        """What was answered since the last call, oldest first; None if the agent is silent."""
        document = get_json(self._address, f"/api/requests/http?limit={REQUESTS_AT_A_LOOK}")
        if document is None:
            return None
        answered = [
            request
            for request in _objects(document, "requests")
            if isinstance(request.get("response"), dict)
        ]
        fresh = [request for request in answered if request.get("id") not in self._told]
        self._told = {str(request.get("id")) for request in answered}
        return [_event(request) for request in sorted(fresh, key=lambda r: str(r.get("start")))]


class OwnAgent:
    """An agent that we start, and that does not outlive us.

    `environ` is its environment, with `NGROK_AUTHTOKEN` in it.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._process: NgrokProcess | None = None
        self._watchdog: Watchdog | None = None
        self._closed = False
        self.said = ""

    def connect(
        self, config: PyngrokConfig, port: int, *, seconds: float, **options: str
    ) -> Endpoint:
        """Start the agent and open an endpoint to the port; `options` are pyngrok's.

        Raises:
            Failure: LA310, it was silent for so many seconds.
            Exception: what pyngrok raises; `said` holds the agent's error output.
        """
        from pyngrok import ngrok, process

        _silence_pyngrok()
        # pyngrok would put it among the arguments, which everybody on the machine can read.
        config.auth_token = None
        path = config.ngrok_path
        process.is_process_running(path)  # forgets an agent that has ended
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
            _lent(_asking_loopback_directly(os.environ)),
        ):
            with _stderr_in(errors), _lent(_asking_loopback_directly(self._environ)):
                call = begin(ngrok.connect, str(port), "http", None, config, **options)
                try:
                    self._adopt(path, call)
                except KeyboardInterrupt:
                    self._adopt(path, call)  # so that `close` knows what there is to end
                    raise
            in_time = wait([call], seconds).done
            if not in_time:
                self.close()
                wait([call], seconds)
            errors.seek(0)
            self.said = errors.read(4096)
        if not in_time:
            raise SILENT_AGENT.failure(
                Message(
                    "It was silent for {seconds} seconds ({program}).",
                    seconds=f"{seconds:g}",
                    program=path,
                )
            )
        return call.result()

    @property
    def address(self) -> str:
        """Host and port of the agent's local API, "" before it has one."""
        return urlsplit((self._process and self._process.api_url) or "").netloc

    @property
    def status(self) -> int | None:
        """The agent's exit status, None while it runs or before it was started."""
        return self._process.proc.poll() if self._process else None

    def close(self) -> None:
        """End the agent; may be called twice."""
        self._closed = True
        if self._process is not None:
            end_child(self._process.proc)
        if self._watchdog is not None:
            self._watchdog.release()

    def _adopt(self, path: str, call: Future[Any]) -> None:
        """Take hold of the agent as soon as pyngrok has started it.

        That start cannot be interrupted, and pyngrok's own ways to end an agent wait for it: the
        process itself is the only handle.
        """
        from pyngrok import process

        while not (process._current_processes.get(path) or call.done()):
            time.sleep(0.01)
        self._process = process._current_processes.get(path)
        if self._process is not None:
            self._watchdog = Watchdog(self._process.proc.pid)
            if self._closed:
                self.close()


@contextlib.contextmanager
def _lent(environ: Mapping[str, str]) -> Iterator[None]:
    """Our environment as `environ`: pyngrok takes proxies from it and hands it to its agent."""
    before = dict(os.environ)
    _become(environ)
    try:
        yield
    finally:
        _become(before)


def _asking_loopback_directly(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment, with no proxy for the agent's own pages: pyngrok asks them with urllib."""
    others = environ.get("NO_PROXY") or environ.get("no_proxy")
    direct = ",".join(filter(None, (others, *_LOOPBACK)))
    return {**environ, "NO_PROXY": direct, "no_proxy": direct}


def _become(environ: Mapping[str, str]) -> None:
    for name in os.environ.keys() - environ.keys():
        del os.environ[name]
    os.environ.update(environ)


@contextlib.contextmanager
def _stderr_in(file: IO[str]) -> Iterator[None]:
    """Our error output into the file: a child inherits it, and an agent's is for us to read."""
    ours = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(ours, 2)
        os.close(ours)


@contextlib.contextmanager
def _temporary_files_in(folder: str) -> Iterator[None]:
    before, tempfile.tempdir = tempfile.tempdir, folder
    try:
        yield
    finally:
        tempfile.tempdir = before


class _Progress(io.TextIOBase):
    """What pyngrok writes to standard output on its download, as lines of progress."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress

    def write(self, text: str) -> int:
        """Tell what a person can follow: every tenth of the way, not every hundredth."""
        line = text.strip()
        percent = re.search(r"(\d+)%", line)
        if line in {_DOWNLOADING, _INSTALLING}:
            self._progress(Message(line))
        elif percent and int(percent[1]) % 10 == 0:
            self._progress(Message("Downloading ngrok: {percent}%", percent=percent[1]))
        return len(text)


def _silence_pyngrok() -> None:
    """Keep the agent's log, which may repeat an authtoken, out of every handler."""
    logger = logging.getLogger("pyngrok")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _program_name(platform: str = sys.platform) -> str:
    return "ngrok.exe" if platform == "win32" else "ngrok"


def _is_pyngroks_wrapper(program: Path) -> bool:
    """Whether it is the script that pyngrok installs as `ngrok`, beside our own."""
    try:
        return program.stat().st_size < _WRAPPER_MAX_BYTES and b"pyngrok" in program.read_bytes()
    except OSError:
        return False


def _endpoints(address: str) -> Iterator[tuple[str, str]]:
    """Public URL and upstream of all that the agent there has online."""
    for kind in ("endpoints", "tunnels"):
        document = get_json(address, f"/api/{kind}")
        for found in _objects(document or {}, kind):
            inner = found.get("upstream") or found.get("config")
            upstream = inner.get("url") or inner.get("addr") if isinstance(inner, dict) else ""
            yield str(found.get("url") or found.get("public_url")), str(upstream)
        if document is not None:
            return


def _leads_to(upstream: str, port: int) -> bool:
    plain = upstream.removeprefix("http://").rstrip("/")
    return plain == str(port) or plain in {f"{host}:{port}" for host in _LOOPBACK}


def _event(request: Mapping[str, Any]) -> TunnelEvent:
    """A captured request; `duration` is in nanoseconds (ngrok's agent API)."""
    asked, answer = request.get("request") or {}, request["response"]
    path = str(asked.get("uri", "")).partition("?")[0]
    return TunnelEvent(
        EventKind.REQUEST,
        method=one_line(str(asked.get("method", ""))),
        path=one_line(path),
        status=int(answer.get("status_code") or 0),
        milliseconds=float(request.get("duration") or 0) / 1e6,
    )


def _objects(document: Mapping[str, object], name: str) -> list[Mapping[str, Any]]:
    found = document.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
