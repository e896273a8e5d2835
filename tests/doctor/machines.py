"""A machine that runs LibreChat: as a process on its port, or in containers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fakes import NoProcesses
from wizard.system.processes import Completed
from wizard.system.running_process import RunningProcess


@dataclass
class Runs(NoProcesses):
    """The process on LibreChat's port, and docker's containers without `docker compose`."""

    process: RunningProcess | None = None
    containers: Sequence[Mapping[str, object]] = field(default_factory=tuple)

    def which(self, program: str) -> Path | None:
        return Path("/usr/bin/docker") if program == "docker" and self.containers else None

    def run(self, args: Sequence[str], **_: Any) -> Completed:
        match args[1]:
            case "ps":
                return Completed(0, "\n".join(str(each["Id"]) for each in self.containers), "")
            case "inspect":
                return Completed(0, json.dumps(list(self.containers)), "")
            case "logs":
                return Completed(0, "", "")
            case _:
                return Completed(127, "", "not installed")

    def listening(self, port: int) -> RunningProcess | None:
        return self.process


def npm(folder: Path, **changes: Any) -> RunningProcess:
    """Return LibreChat's server as `npm run backend` starts it in the folder."""
    values: dict[str, Any] = {
        "command": ("node", "api/server/index.js"),
        "folder": folder,
        "environ": {"NODE_ENV": "production", "PATH": "/usr/bin"},
        **changes,
    }
    return RunningProcess(4711, "node", **values)
