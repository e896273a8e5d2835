"""Where the wizard runs: over SSH, in a container, in an editor that forwards ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from wizard.system.threads import begin

SECONDS_TO_RESOLVE = 1.0

Resolves = Callable[[str], bool]


def is_over_ssh(environ: Mapping[str, str]) -> bool:
    """Return whether the user's browser is probably on another computer."""
    return bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))


def is_container(environ: Mapping[str, str]) -> bool:
    """Return whether this is a container: Docker's and Podman's files, or a dev container."""
    files = (Path("/.dockerenv"), Path("/run/.containerenv"))
    return bool(environ.get("REMOTE_CONTAINERS")) or any(file.exists() for file in files)


def forwarded_url(environ: Mapping[str, str], port: int) -> str:
    """Return the HTTPS URL at which an editor forwards the port, "" if none is known.

    Sources: GitHub Codespaces' default environment variables; VS Code's VSCODE_PROXY_URI, whose
    `{{port}}` is replaced. LibreChat cannot be served below a path.
    """
    name = environ.get("CODESPACE_NAME", "")
    domain = environ.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN", "")
    if name and domain:
        return f"https://{name}-{port}.{domain}"
    url = environ.get("VSCODE_PROXY_URI", "").replace("{{port}}", str(port)).rstrip("/")
    return url if url.startswith("https://") and not urlsplit(url).path else ""


def resolves(host: str) -> bool:
    """Return whether the name has an address; a slow answer counts as yes."""
    import socket

    try:
        begin(socket.getaddrinfo, host, 443).result(SECONDS_TO_RESOLVE)
    except (socket.gaierror, UnicodeError):
        return False
    except TimeoutError:
        return True
    return True
