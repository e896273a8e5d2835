"""A machine with a stand-in for one tunnel program, and its public end."""

from __future__ import annotations

import http.client
import json
import os
import sys
import urllib.request
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import cast

from tests.tunnels.conftest import Listener
from wizard.system.processes import Processes
from wizard.tunnels import Tunnel, TunnelRequest, provider
from wizard.tunnels.child import ChildTunnel

STAND_INS = Path(__file__).parent.parent / "stand_ins"


class World:
    """A machine with that tunnel's program first on the path."""

    def __init__(self, name: str, folder: Path, port: int, listener: Listener) -> None:
        self.name, self.folder = name, folder
        (folder / "bin").mkdir()
        self.state = folder / "service"
        self.state.mkdir()
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_INS / name}.py" "$@"\n')
        program.chmod(0o755)
        self.environ = {"STAND_IN_STATE": str(self.state)}
        self.request = TunnelRequest(
            port=port,
            state_dir=folder / "private",
            on_event=listener.events.append,
            progress=listener.lines.append,
        )

    def tunnel(self, scenario: str = "", *, seconds: float = 60.0, **changes: object) -> Tunnel:
        os.environ |= {**self.environ, "STAND_IN_SCENARIO": scenario}
        request = replace(self.request, **changes)  # type: ignore[arg-type] # by keyword
        opened = provider(self.name)(request, Processes(), os.environ)
        cast(ChildTunnel, opened).start_seconds = seconds
        return opened

    def visit(self, path: str) -> AbstractContextManager[http.client.HTTPResponse]:
        edge = (self.state / "edge").read_text()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open(f"http://127.0.0.1:{edge}{path}", timeout=60)  # type: ignore[no-any-return]

    def commands(self) -> list[list[str]]:
        lines = (self.state / "argv").read_text().splitlines()
        return [cast("list[str]", json.loads(line)) for line in lines]
