"""A LibreChat folder that `init` has set up, and the user's browser."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from tests.e2e.program import Ran, Running, clean_environ, run, running
from tests.librechat.example import env_example
from tests.management_stand_in import Managed
from tests.ports import free_port
from tests.providers import AUDIENCE, Authority
from wizard.demo.user import sign_in_like_a_user
from wizard.http import Https, Response
from wizard.system.processes import Processes
from wizard.tunnels.certificates import local_authority
from wizard.tunnels.trust import known_authority, remember

STAND_IN = Path(__file__).parents[1] / "stand_ins/auth0.py"


def trust_the_local_tunnel(state_dir: Path) -> None:
    """Mark the local tunnel's authority as trusted; otherwise the wizard asks once per machine."""
    ca_file = local_authority(state_dir, Processes()).ca_file
    remember(ca_file, state_dir, trusted=True)


def install_auth0_cli(programs: Path, config: Path, managed: Managed) -> None:
    """Install a stand-in for the auth0 CLI that is signed in to the tenant."""
    file = config / "auth0/config.json"
    file.parent.mkdir(parents=True)
    tenants = {managed.domain: {"access_token": managed.token()}}
    file.write_text(json.dumps({"default_tenant": managed.domain, "tenants": tenants}))
    program, log = programs / "auth0", config / "auth0.log"
    program.write_text(
        f'#!/bin/sh\nSTAND_IN_LOG="{log}" exec "{sys.executable}" "{STAND_IN}" "$@"\n'
    )
    program.chmod(0o755)


@dataclass
class Installed:
    """A LibreChat folder on a machine that trusts the provider's authority.

    Attributes:
        tmp: an empty folder for everything.
        authority: the authority of the provider's certificate.
        port: LibreChat's port.
        public_url: the URL of the local tunnel, which is not open yet.
    """

    tmp: Path
    authority: Authority
    port: int = field(default_factory=free_port)
    public_url: str = field(default_factory=lambda: f"https://localhost:{free_port()}")

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.tmp / "temporary").mkdir()
        (self.folder / ".env.example").write_text(env_example())

    @property
    def folder(self) -> Path:
        return self.tmp / "LibreChat"

    @property
    def env_file(self) -> Path:
        return self.folder / ".env"

    @property
    def state_dir(self) -> Path:
        return self.tmp / "user/.local/state/librechat-auth0"

    @property
    def environ(self) -> dict[str, str]:
        temporary = str(self.tmp / "temporary")
        return clean_environ(self.tmp / "user", self.authority.ca, TMPDIR=temporary)

    @property
    def values(self) -> dict[str, str | None]:
        return dotenv_values(self.env_file, interpolate=False)

    def change(self, before: str, after: str) -> None:
        """Edit the `.env`."""
        text = self.env_file.read_text()
        assert before in text
        self.env_file.write_text(text.replace(before, after))

    def init(self, domain: str, client_id: str, client_secret: str, *more: str) -> Ran:
        """Write the `.env` for this application."""
        return run(
            *("init", "--yes", "--json", "--public-url", self.public_url),
            *("--port", str(self.port), "--domain", domain, "--client-id", client_id),
            *("--audience", AUDIENCE, "--client-secret-file", "-", *more),
            cwd=self.folder,
            environ=self.environ,
            given=client_secret,
        )

    def running(self, *words: str) -> AbstractContextManager[Running]:
        """Run the program in the folder while the context is open."""
        return running(*words, cwd=self.folder, environ=self.environ)

    def run(self, *words: str) -> Ran:
        """Run the program in the folder to its end."""
        return run(*words, cwd=self.folder, environ=self.environ)

    def http(self) -> Https:
        """Return the user's browser, which trusts the provider and any authority of the tunnel."""
        trusted = {"SSL_CERT_FILE": str(self.authority.ca)}
        return Https(trusted, extra_ca=lambda: known_authority(self.state_dir))

    def sign_in(self, link: str, email: str, password: str) -> Response:
        """Sign in with the link; return the last page."""
        return sign_in_like_a_user(self.http(), link, email, password)
