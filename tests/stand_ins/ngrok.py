"""A stand-in for the ngrok agent 3: its arguments, its log, its local API and its service.

Log lines, API and error texts are those of agents 3.9 to 3.39 in ngrok's documentation and in
public logs. The environment chooses what it does:

    STAND_IN_STATE     folder with the service's state: one file for each URL online
    STAND_IN_VERSION   the agent's version, 3.39.10
    STAND_IN_SCENARIO  "", or a fault: silent, unreachable, sessions, too_old, suspended,
                       limit, verbose_limit, ends, dies, bad_configuration, or the number of an
                       login error (ERR_NGROK_…), or of an endpoint error from 300 to 399; the
                       file `scenario` in the state sets it for later agents
    STAND_IN_DOMAINS   the account's domains, the first is its free one
    STAND_IN_URL, STAND_IN_LISTED_URL
                       what an agent prints, and lists, instead of the URL that it opened

It rejects authtokens like ngrok: none (4018), a wrong format (105), "revoked…" (107).
SIGUSR1 cuts the session to the service, SIGUSR2 restores it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.stand_ins.edge import Edge, Visit

_LATER = Path(os.environ.get("STAND_IN_STATE", ""), "scenario")
SCENARIO = os.environ.get("STAND_IN_SCENARIO") or (_LATER.read_text() if _LATER.is_file() else "")
VERSION = os.environ.get("STAND_IN_VERSION", "3.39.10")
DOMAINS = os.environ.get("STAND_IN_DOMAINS", "stand-in.ngrok-free.dev").split(",")
DASHBOARD = "https://dashboard.ngrok.com"
END = "\r\n\r\nERR_NGROK_{}\r\n"

Json = dict[str, Any]


def main(arguments: list[str]) -> int:
    if arguments[:1] in (["--version"], ["version"]):
        print(f"ngrok version {VERSION}")
        return 0
    if arguments[:2] != ["start", "--none"]:
        print(f"ERROR:  unknown command {arguments}", file=sys.stderr)
        return 2
    note("argv", json.dumps(arguments))
    return Agent(arguments).run()


def state() -> Path:
    return Path(os.environ["STAND_IN_STATE"])


def note(name: str, line: str) -> None:
    with (state() / name).open("a") as file:
        file.write(f"{line}\n")


def log(level: str, message: str, **fields: object) -> None:
    now = dt.datetime.now().astimezone().strftime("%Y-%m-%dT%H:%M:%S%z")
    pairs = {"t": now, "lvl": level, "msg": message, **fields}
    print(" ".join(f"{name}={quoted(str(value))}" for name, value in pairs.items()), flush=True)


def quoted(value: str) -> str:
    if value and not re.search(r'[\s"=]', value):
        return value
    return json.dumps(value, ensure_ascii=False)


def option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1] if name in arguments else ""


@dataclass
class Endpoint:
    name: str
    url: str
    upstream: str
    requests: list[Json] = field(default_factory=list)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def as_v3(self) -> Json:
        return {
            "name": self.name,
            "uri": f"/api/endpoints/{self.name}",
            "url": self.url,
            "upstream": {"url": self.upstream},
        }

    def as_v2(self) -> Json:
        return {
            "name": self.name,
            "uri": f"/api/tunnels/{self.name}",
            "public_url": self.url,
            "proto": "https",
            "config": {"addr": self.upstream, "inspect": True},
        }


def refused_form(document: Json) -> str:
    """Return why agent 3 rejects this file (ngrok-wrapper issue 31, ngrok issue 39)."""
    if "version" not in document:
        return "`version` property is required."
    if document["version"] == "3" and "authtoken" in document:
        return "field authtoken not found"
    return ""


def renamed(endpoint: Json, variable: str) -> Json:
    """Return the endpoint with the URL of the variable, if it is set."""
    return endpoint | ({"url": os.environ[variable]} if variable in os.environ else {})


class RefusedError(Exception):
    """An error from ngrok's service."""


class Agent:
    def __init__(self, arguments: list[str]) -> None:
        self.configuration: Json = {}
        self.path = option(arguments, "--config")
        self.endpoints: dict[str, Endpoint] = {}
        self.has_endpoints = tuple(map(int, VERSION.split(".")[:2])) >= (3, 30)
        self.edge = Edge(partial(serve_visitor, self))
        self.domains = [self.edge.public_host] if self.edge.public_host else DOMAINS

    def run(self) -> int:
        signal.signal(signal.SIGTERM, lambda *_: self.leave())
        signal.signal(signal.SIGUSR1, lambda *_: self.drop())
        signal.signal(signal.SIGUSR2, lambda *_: self.established())
        if SCENARIO == "silent":
            time.sleep(600)
        if SCENARIO == "bad_configuration":
            print(f"ERROR:  Error reading configuration file '{self.path}': x", file=sys.stderr)
            return 1
        if SCENARIO == "ends":
            print("ERROR:  panic: runtime error \x1b[31mboom", file=sys.stderr)
            return 2
        document = yaml.safe_load(Path(self.path).read_text()) or {}
        if refusal := refused_form(document):
            print(f"ERROR:  Error reading configuration file '{self.path}': {refusal}")
            return 1
        self.configuration = document.get("agent", {}) if document["version"] == "3" else document
        log("info", "open config file", path=self.path, err="nil")
        web = self.serve_web()
        if SCENARIO == "unreachable":
            self.keep_dialling()
        if error := self.login():
            log("eror", "failed to auth", obj="tunnels.session", err=error)
            log("crit", "command failed", err=error)
            for line in error.splitlines():
                print("ERROR: ", line, file=sys.stderr)
            return 1
        threading.Thread(target=self.edge.serve_forever, daemon=True).start()
        self.established()
        log("info", "tunnel session started", obj="tunnels.session")
        web.serve_forever()
        return 0

    def serve_web(self) -> Server:
        """Serve the local pages at the configured address, or on the first free port from 4040."""
        host, _, port = self.configuration.get("web_addr", "127.0.0.1:4040").rpartition(":")
        for candidate in range(int(port), int(port) + 20):
            try:
                server = Server((host, candidate), partial(Api, self))
            except OSError:
                log("warn", "can't bind default web address, trying alternatives", obj="web")
                continue
            address = f"{host}:{server.server_address[1]}"
            log("info", "starting web service", obj="web", addr=address, allow_hosts="[]")
            return server
        raise SystemExit(1)

    def login(self) -> str:
        token = os.environ.get("NGROK_AUTHTOKEN") or self.configuration.get("authtoken", "")
        failed = "authentication failed: "
        if not token:
            return (
                f"{failed}Usage of ngrok requires a verified account and authtoken.\n\n"
                f"Sign up for an account: {DASHBOARD}/signup{END.format(4018)}"
            )
        if not re.fullmatch(r"[A-Za-z0-9_]{20,}", token):
            return (
                f"{failed}The authtoken you specified does not look like a proper ngrok authtoken."
                f"\nYour authtoken: {token}{END.format(105)}"
            )
        if token.startswith("revoked"):
            return (
                f"{failed}The authtoken you specified is properly formed, but it is invalid."
                f"\nYour authtoken: {token}{END.format(107)}"
            )
        if SCENARIO.isdecimal() and not SCENARIO.startswith("3"):
            return f"{failed}As ngrok words it.{END.format(SCENARIO)}"
        return {
            "sessions": f"{failed}Your account is limited to 3 simultaneous ngrok agent sessions."
            f"{END.format(108)}",
            "too_old": f'{failed}Your ngrok-agent version "{VERSION}" is too old. The minimum'
            f' supported agent version for your account is "3.20.0".{END.format(121)}',
            "suspended": f"{failed}The account X has been suspended.{END.format(103)}",
        }.get(SCENARIO, "")

    def keep_dialling(self) -> None:
        while True:
            error = "failed to dial ngrok server: dial tcp: lookup connect.ngrok-agent.com: no host"
            log("eror", "failed to reconnect session", obj="tunnels.session", err=error)
            time.sleep(0.3)

    def drop(self) -> None:
        error = "read EOF from remote peer"
        log("eror", "session closed, starting reconnect loop", obj="tunnels.session", err=error)

    def established(self) -> None:
        log("info", "client session established", obj="tunnels.session")

    def start(self, wanted: str, upstream: str, name: str) -> Endpoint:
        upstream = upstream if "://" in upstream else f"http://localhost:{upstream}"
        url = f"https://{wanted.removeprefix('https://') or self.domains[0]}"
        endpoint = Endpoint(name, url, upstream)
        self.refuse(endpoint)
        self.file(endpoint).write_text(json.dumps({"pid": os.getpid(), "edge": self.edge.port}))
        self.endpoints[name] = endpoint
        log("info", "started tunnel", obj="tunnels", name=name, addr=upstream, url=url)
        return endpoint

    def refuse(self, endpoint: Endpoint) -> None:
        failed = "failed to start tunnel: "
        if endpoint.host not in self.domains:
            raise RefusedError(
                f"{failed}You must reserve a custom hostname for your account before it can be"
                f" bound.\nFailed to bind the domain {endpoint.host}.{END.format(319)}"
            )
        if online(self.file(endpoint)):
            raise RefusedError(
                f"{failed}The endpoint '{endpoint.url}' is already online. Either\n1. stop your"
                " existing endpoint first, or\n2. start both endpoints with `--pooling-enabled`"
                f" to load balance between them.{END.format(334)}"
            )
        if SCENARIO.startswith("3"):
            raise RefusedError(f"{failed}As ngrok words it.{END.format(SCENARIO)}")
        if SCENARIO == "limit":
            raise RefusedError(
                f"{failed}Your account may not run more than 3 endpoints over a single ngrok agent"
                f" session.{END.format(324)}"
            )

    def file(self, endpoint: Endpoint) -> Path:
        return state() / f"{endpoint.host}.json"

    def stop(self, name: str) -> bool:
        endpoint = self.endpoints.pop(name, None)
        if endpoint:
            self.file(endpoint).unlink(missing_ok=True)
        return bool(endpoint)

    def leave(self) -> None:
        for name in list(self.endpoints):
            self.stop(name)
        os._exit(0)


def online(file: Path) -> bool:
    """Return whether the agent that holds the URL is alive: ngrok sees its connection break."""
    try:
        os.kill(json.loads(file.read_text())["pid"], 0)
    except (OSError, ValueError):
        return False
    return True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, agent: Agent, *arguments: Any) -> None:
        self.agent = agent
        super().__init__(*arguments)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in its base
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, headers: Json, body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Api(Handler):
    """The agent's API, https://ngrok.com/docs/agent/api/."""

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        endpoints = list(self.agent.endpoints.values())
        answers: dict[str, Callable[[], Json]] = {
            "/api/tunnels": lambda: {"tunnels": [e.as_v2() for e in endpoints]},
            "/api/status": lambda: {"status": "online", "agent_version": VERSION},
            "/api/requests/http": lambda: {"requests": self.captured(target.query)},
        }
        if self.agent.has_endpoints:
            shown = [renamed(e.as_v3(), "STAND_IN_LISTED_URL") for e in endpoints]
            answers["/api/endpoints"] = lambda: {"endpoints": shown}
        if target.path in answers:
            self.json(200, answers[target.path]())
        else:
            self.json(404, {"error_code": 100, "status_code": 404, "msg": "Resource not found"})

    def do_POST(self) -> None:
        if SCENARIO == "dies":
            print("ERROR:  panic: out of luck", file=sys.stderr, flush=True)
            os._exit(2)
        document = json.loads(self.body())
        name = document.pop("name", "") or str(uuid.uuid4())
        if self.path == "/api/endpoints" and self.agent.has_endpoints:
            wanted, upstream = document.pop("url", ""), document.pop("upstream")["url"]
        elif self.path == "/api/tunnels":
            wanted, upstream = document.pop("domain", ""), document.pop("addr")
            document.pop("proto")
        else:
            self.json(404, {"error_code": 100, "status_code": 404, "msg": "Resource not found"})
            return
        if document:
            self.refuse(400, f"unknown field {sorted(document)}")
            return
        try:
            endpoint = self.agent.start(wanted, upstream, name)
        except RefusedError as error:
            log("warn", "failed to start tunnel", pg=self.path, err=error)
            self.refuse(502, str(error))
        else:
            shown = endpoint.as_v3() if self.path == "/api/endpoints" else endpoint.as_v2()
            self.json(201, renamed(shown, "STAND_IN_URL"))

    def do_DELETE(self) -> None:
        found = self.agent.stop(self.path.rpartition("/")[2])
        self.answer(204 if found else 404, {}, b"")

    def captured(self, query: str) -> list[Json]:
        """Return the newest requests first, as many as requested."""
        limit = int(parse_qs(query).get("limit", ["50"])[0])
        requests = [r for e in self.agent.endpoints.values() for r in e.requests]
        return sorted(requests, key=lambda r: str(r["start"]), reverse=True)[:limit]

    def refuse(self, status: int, error: str) -> None:
        self.json(
            status,
            {
                "error_code": 103,
                "status_code": status,
                "msg": "failed to start tunnel",
                "details": {"err": error},
            },
        )

    def json(self, status: int, document: Json) -> None:
        body = json.dumps(document).encode()
        self.answer(status, {"Content-Type": "application/json"}, body)


def serve_visitor(agent: Agent, visit: Visit) -> None:
    """Serve a visitor like ngrok's service, which selects the endpoint by the host."""
    head = visit.head
    assert head is not None
    endpoint = next((e for e in agent.endpoints.values() if e.host == head.host), None)
    if endpoint is None:
        page(visit, 404, "ERR_NGROK_3200", f"The endpoint {head.host} is offline.")
        return
    captured: Json = {
        "id": uuid.uuid4().hex,
        "tunnel_name": endpoint.name,
        "start": dt.datetime.now().astimezone().isoformat(),
        "duration": 0,
        "request": {"method": head.method, "uri": head.target, "proto": "HTTP/1.1"},
        "response": None,
    }
    endpoint.requests.append(captured)
    began = time.perf_counter()
    status = visit.pass_on(urlsplit(endpoint.upstream).netloc)
    if not status:
        page(visit, 502, "ERR_NGROK_8012", f"no connection to {endpoint.upstream}")
    captured["duration"] = int((time.perf_counter() - began) * 1e9)
    captured["response"] = {"status_code": status or 502}


def page(visit: Visit, status: int, code: str, text: str) -> None:
    body = f"<h1>{code}</h1><p>{text}</p>".encode()
    visit.answer(status, body, Content_Type="text/html", Ngrok_Error_Code=code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
