"""The ngrok agent: finds or downloads it, and calls its local API."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wizard.http import ssl_context
from wizard.language import Message, joined
from wizard.sign_in_traffic import Passage, passage
from wizard.system.private_files import write_whole
from wizard.system.processes import programs
from wizard.text import one_line
from wizard.tunnels import EventKind, TunnelEvent
from wizard.tunnels.ngrok_config import directory
from wizard.tunnels.ngrok_errors import NO_DOWNLOAD, OLD_AGENT, REFUSED, failure_of

if TYPE_CHECKING:
    from wizard.system.processes import Processes
    from wizard.tunnels.local_api import LocalApi

# The agent serves its local API on the first free port from 4040 on.
WEB_ADDRESSES = tuple(f"127.0.0.1:{port}" for port in range(4040, 4050))
DOWNLOAD_SECONDS, STALL_SECONDS = 600.0, 60.0
VERSION_SECONDS = 5.0
OLDEST_AGENT = 3
REQUESTS_AT_A_LOOK = 50
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_WRAPPER_MAX_BYTES = 1 << 20
_VERSION = re.compile(r"ngrok version (\d{1,4})[.\d]*")


def find_agent(environ: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """Return the agent's program: of `PYNGROK_NGROK_PATH`, on the path, or in its own folder."""
    name = _program_name(platform)
    if chosen := environ.get("PYNGROK_NGROK_PATH"):
        return Path(chosen).absolute()
    for found in programs(name, environ, platform):
        if not _is_pyngroks_wrapper(found):
            return found
    own = directory(environ, platform) / name
    return own if own.exists() else None


def refuse_old(processes: Processes, agent: Path, environ: Mapping[str, str]) -> None:
    """Raise LA305 for an agent of version 2 or older, which ngrok's service refuses.

    Its own error for that is that it cannot reach the service.
    """
    said = processes.run([str(agent), "version"], timeout=VERSION_SECONDS, env=environ).stdout
    found = _VERSION.search(said)
    if found and int(found[1]) < OLDEST_AGENT:
        raise OLD_AGENT.failure(Message("{program} is {said}.", program=agent, said=found[0]))


def download_agent(environ: Mapping[str, str], progress: Callable[[str], None]) -> Path:
    """Download the agent into its own folder and return its path, or raise LA313."""
    from pyngrok import installer

    target, url = directory(environ) / _program_name(), ""
    try:
        url = installer.get_ngrok_cdn_url("3")
        archive = _fetched(url, environ, progress)
        progress(Message("Installing ngrok ..."))
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(target, _unpacked(archive, target.name), mode=0o700)
    except Exception as error:  # an archive can be broken in many ways
        raise NO_DOWNLOAD.failure(joined(": ", (url, one_line(str(error))))) from error
    return target


def _fetched(url: str, environ: Mapping[str, str], progress: Callable[[str], None]) -> bytes:
    """Return the content of an HTTPS URL; the proxies are those of our own environment."""
    from urllib.request import urlopen

    deadline = time.monotonic() + DOWNLOAD_SECONDS
    content, shown = bytearray(), 0
    progress(Message("Downloading ngrok ..."))
    with urlopen(  # noqa: S310 - pyngrok's URLs are HTTPS
        url, timeout=STALL_SECONDS, context=ssl_context(environ)
    ) as answer:
        size = int(answer.headers["Content-Length"] or 0)
        while piece := answer.read1():
            content += piece
            tenths = 10 * len(content) // size if size else 0
            if tenths > shown:
                shown = tenths
                progress(Message("Downloading ngrok: {percent}%", percent=10 * tenths))
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} did not end")
    return bytes(content)


def _unpacked(archive: bytes, name: str) -> bytes:
    """Return one file of a .zip or .tgz archive."""
    import tarfile
    import zipfile

    packed = BytesIO(archive)
    if zipfile.is_zipfile(packed):
        with zipfile.ZipFile(packed) as zipped:
            return zipped.read(name)
    packed.seek(0)
    with tarfile.open(fileobj=packed, mode="r:gz") as tar:
        file = tar.extractfile(name)
        if file is None:
            raise ValueError(f"the archive has no program {name}")
        return file.read()


@dataclass(frozen=True, slots=True)
class Running:
    """The address of an agent's local API, and its URL that leads to LibreChat."""

    address: str
    public_url: str


def api_addresses(web_address: str) -> tuple[str, ...]:
    """Return where agents of this machine may serve their API, the configured address first."""
    host, _, port = web_address.rpartition(":")
    everywhere = {"", "0.0.0.0"}  # noqa: S104 - the agent may listen there, not we
    own = f"{'127.0.0.1' if host in everywhere else host}:{port}" if port else ""
    return tuple(dict.fromkeys(filter(None, (own, *WEB_ADDRESSES))))


def running_endpoints(
    api: LocalApi, port: int, requested_url: str, addresses: Sequence[str]
) -> Iterator[Running]:
    """Yield the HTTPS endpoints that already lead to the port, at the requested URL if any."""
    for address in addresses:
        for public_url, upstream in _endpoints(api, address):
            fits = public_url == requested_url or not requested_url
            if fits and public_url.startswith("https://") and _leads_to(upstream, port):
                yield Running(address, public_url)


def holder_of(api: LocalApi, public_url: str, addresses: Sequence[str]) -> str:
    """Return the local page of the agent that has the URL, "" if there is none."""
    for address in addresses:
        if any(url == public_url for url, _ in _endpoints(api, address)):
            return f"http://{address}"
    return ""


def open_endpoint(api: LocalApi, address: str, port: int, requested_url: str) -> str:
    """Have the agent at this address open an endpoint; return its public URL, or raise Failure."""
    name = f"librechat-{port}"
    pinned = {"url": requested_url} if requested_url else {}
    endpoint = {"name": name, "upstream": {"url": f"http://localhost:{port}"}, **pinned}
    status, answer = api.post(address, "/api/endpoints", endpoint)
    if status == HTTPStatus.NOT_FOUND:  # endpoints are new in 3.30 (change log, 2025-09-23)
        pinned = {"domain": requested_url.removeprefix("https://")} if requested_url else {}
        tunnel = {"name": name, "addr": str(port), "proto": "http", **pinned}
        status, answer = api.post(address, "/api/tunnels", tunnel)
    public_url = answer.get("url") or answer.get("public_url")
    if status in {HTTPStatus.OK, HTTPStatus.CREATED} and isinstance(public_url, str):
        return public_url
    reason = _reason(answer) or Message("status {status}", status=status)
    raise failure_of(reason, otherwise=REFUSED)


def _reason(refusal: Mapping[str, Any]) -> str:
    """Return the reason from an error of the API: `{"msg": …, "details": {"err": …}}`."""
    details = refusal.get("details")
    inner = details.get("err") if isinstance(details, dict) else None
    return str(inner or refusal.get("msg") or "")


class RequestLog:
    """The requests that an agent has answered, each reported once."""

    def __init__(self, api: LocalApi, address: str) -> None:
        self._api = api
        self._address = address
        self._reported: set[object] = set()
        self.news()  # skip those from before

    def news(self) -> Sequence[TunnelEvent]:
        """Return what was answered since the last call, oldest first."""
        answered = _answered(self._api, self._address)
        fresh = [_event(each) for each in answered if each.get("id") not in self._reported]
        # An agent that does not answer for a moment has the same requests afterwards.
        self._reported = {each.get("id") for each in answered} or self._reported
        return fresh


def passages(api: LocalApi, address: str) -> Sequence[Passage]:
    """Return the requests of sign-ins that the agent at this address has answered."""
    events = map(_event, _answered(api, address))
    return sorted(filter(None, (each.passage for each in events)), key=lambda each: each.at)


def _program_name(platform: str = sys.platform) -> str:
    return "ngrok.exe" if platform == "win32" else "ngrok"


def _is_pyngroks_wrapper(program: Path) -> bool:
    """Whether it is the script `ngrok` that pyngrok installs beside our own."""
    try:
        return program.stat().st_size < _WRAPPER_MAX_BYTES and b"pyngrok" in program.read_bytes()
    except OSError:
        return False


def _endpoints(api: LocalApi, address: str) -> Iterator[tuple[str, str]]:
    """Yield the public URL and the upstream of each endpoint of that agent."""
    for kind in ("endpoints", "tunnels"):
        document = api.get(address, f"/api/{kind}")
        for found in _objects(document or {}, kind):
            inner = found.get("upstream") or found.get("config")
            upstream = inner.get("url") or inner.get("addr") if isinstance(inner, dict) else ""
            yield str(found.get("url") or found.get("public_url")), str(upstream)
        if document is not None:
            return


def _leads_to(upstream: str, port: int) -> bool:
    plain = upstream.removeprefix("http://").rstrip("/")
    return plain == str(port) or plain in {f"{host}:{port}" for host in _LOOPBACK}


def _answered(api: LocalApi, address: str) -> Sequence[Mapping[str, Any]]:
    """Return the latest requests with an answer that the agent keeps, oldest first."""
    document = api.get(address, f"/api/requests/http?limit={REQUESTS_AT_A_LOOK}") or {}
    found = (
        each
        for each in _objects(document, "requests")
        if isinstance(each.get("request"), dict) and isinstance(each.get("response"), dict)
    )
    return sorted(found, key=lambda each: str(each.get("start")))


def _event(request: Mapping[str, Any]) -> TunnelEvent:
    """Convert a captured request; its `duration` is in nanoseconds (ngrok's agent API)."""
    asked, answer = request["request"], request["response"]
    method, path = str(asked.get("method", "")), str(asked.get("uri", "")).partition("?")[0]
    status, passed = int(_number(answer.get("status_code"))), None
    if method == "GET":
        with suppress(ValueError, OverflowError, OSError):
            at = datetime.fromisoformat(str(request.get("start"))).timestamp()
            passed = passage(path, status, _fields(answer.get("headers")), at)
    return TunnelEvent(
        EventKind.REQUEST,
        one_line(method),
        one_line(path),
        status,
        _number(request.get("duration")) / 1e6,
        passage=passed,
    )


def _fields(headers: object) -> Iterator[tuple[str, str]]:
    for name, values in headers.items() if isinstance(headers, dict) else ():
        for value in values if isinstance(values, list) else (values,):
            yield str(name), str(value)


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0


def _objects(document: Mapping[str, object], name: str) -> list[Mapping[str, Any]]:
    found = document.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
