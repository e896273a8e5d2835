"""Containers as described by `docker inspect` of Docker 28, reduced to what we read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

IMAGE = "registry.librechat.ai/danny-avila/librechat-dev:latest"


def described(
    name: str = "LibreChat",
    *,
    image: str = IMAGE,
    binds: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    environ: Sequence[str] = (),
    command: Sequence[str] = ("npm", "run", "backend"),
    user: str = "node",
    status: str = "running",
    exit_code: int = 0,
    port: int = 3080,
    folder: str = "/app",
) -> dict[str, object]:
    """Describe a container; `binds` maps paths of this machine to paths in the container."""
    is_running = status == "running"
    return {
        "Id": f"{abs(hash(name)):064x}"[-64:],
        "Created": "2026-11-27T06:00:00.123456789Z",
        "Path": "docker-entrypoint.sh",
        "Args": list(command),
        "State": {
            "Status": status,
            "Running": is_running,
            "Pid": 4321 if is_running else 0,
            "ExitCode": exit_code,
            "Error": "",
            "StartedAt": "2026-11-27T06:00:01.5Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
        },
        "Image": "sha256:" + "a" * 64,
        "Name": f"/{name}",
        "Mounts": [
            {
                "Type": "bind",
                "Source": source,
                "Destination": target,
                "Mode": "",
                "RW": True,
                "Propagation": "rprivate",
            }
            for source, target in (binds or {}).items()
        ]
        + [{"Type": "volume", "Name": "logs", "Source": "/var/lib/x", "Destination": "/app/logs"}],
        "Config": {
            "Hostname": "5b1d",
            "User": user,
            "Env": ["PATH=/usr/local/bin", "NODE_VERSION=24.1.0", *environ],
            "Cmd": list(command),
            "Image": image,
            "WorkingDir": folder,
            "Entrypoint": ["docker-entrypoint.sh"],
            "Labels": dict(labels or {}),
        },
        "NetworkSettings": {
            "Ports": {
                "3080/tcp": [
                    {"HostIp": "0.0.0.0", "HostPort": str(port)},
                    {"HostIp": "::", "HostPort": str(port)},
                ]
                if is_running
                else None
            }
        },
    }


def compose_labels(folder: Path, service: str = "api", *files: str) -> dict[str, str]:
    """Return the labels that Docker Compose v2 gives the containers of a folder."""
    paths = [str(folder / file) for file in files or ("docker-compose.yml",)]
    return {
        "com.docker.compose.project": folder.name.lower(),
        "com.docker.compose.project.config_files": ",".join(paths),
        "com.docker.compose.project.working_dir": str(folder),
        "com.docker.compose.service": service,
        "com.docker.compose.version": "2.36.2",
    }
