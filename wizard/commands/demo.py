"""`init --demo`: the whole wizard against a tenant on this machine.

Without an account, a network or questions: a demo tenant with the application and the API, a local
HTTPS tunnel, and a scripted user who signs in.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from wizard import loopback
from wizard.commands.init import run_init
from wizard.commands.init_options import InitOptions
from wizard.commands.init_progress import InitResult
from wizard.commands.questions import SUGGESTED_AUDIENCE
from wizard.defaults import LIBRECHAT_PORT
from wizard.demo.tenant import Tenant, User, add_librechat, new_client_id, new_client_secret
from wizard.demo.user import sign_in_like_a_user
from wizard.execution import Report
from wizard.findings import Failure
from wizard.http import HttpClient, Https, NetworkError
from wizard.language import Language, Message
from wizard.platforms import command_line
from wizard.ports import Ports
from wizard.settings import Settings
from wizard.tunnels.certificates import Authority, local_authority
from wizard.tunnels.local import DEFAULT_PORT
from wizard.ui.console import Console

SECONDS_TO_SIGN_IN = 30.0
FOLDER_PREFIX = "librechat-auth0-demo-"


def run_demo(options: InitOptions, ports: Ports, report: Report) -> InitResult:
    """Run `init` with everything on this machine, with `env_file` and `dry_run` of the options."""
    env_file = options.env_file or Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX)) / ".env"
    authority = local_authority(ports.state_dir, ports.processes)
    http = Https(ports.environ, extra_ca=lambda: authority.ca_file)
    with ExitStack() as stack:
        held = stack.enter_context(closing(HeldPorts()))
        port = held.take(LIBRECHAT_PORT)
        public_url = f"https://localhost:{held.take(DEFAULT_PORT)}"
        tenant = _demo_tenant(public_url, authority, ports.language)
        settings, user = stack.enter_context(tenant)
        ports.console.say("Demo: the tenant, the tunnel and the user are on this machine.")
        result = run_init(
            InitOptions(
                domain=settings.domain,
                client_id=settings.client_id,
                client_secret=settings.client_secret or "",
                audience=SUGGESTED_AUDIENCE,
                tunnel="local",
                requested_url=public_url,
                port=str(port),
                env_file=env_file,
                yes=True,
                verify=True,
                seconds_to_sign_in=SECONDS_TO_SIGN_IN,
                hold=False,
                dry_run=options.dry_run,
            ),
            replace(
                ports,
                prompter=None,
                http=http,
                desktop=ScriptedUser(http, user, ports.console),
                listen=held.listen,
            ),
            report,
        )
    _show_next(result, ports)
    return result


def _show_next(result: InitResult, ports: Ports) -> None:
    console, folder = ports.console, result.env_file.parent
    console.say()
    if result.written and folder.name.startswith(FOLDER_PREFIX):
        console.say(Message("You can delete the demo's folder: {folder}", folder=folder))
    console.say("Set up your own LibreChat: go to its folder and run")
    program = ["librechat-auth0"]
    if ports.processes.which(program[0]) is None:
        started = Path(sys.argv[0]).absolute()
        is_module = started.name == "__main__.py"
        program = [sys.executable, "-m", "wizard"] if is_module else [str(started)]
    console.verbatim(None, [command_line([*program, "init"])])


@dataclass(frozen=True, slots=True)
class ScriptedUser:
    """A `Desktop` whose browser signs in by itself."""

    http: HttpClient
    user: User
    console: Console

    def has_browser(self) -> bool:
        return True

    def has_clipboard(self) -> bool:
        return False

    def open(self, url: str) -> bool:
        threading.Thread(target=self._sign_in, args=(url,), name="demo user", daemon=True).start()
        return True

    def copy(self, text: str) -> bool:  # noqa: ARG002
        return False

    def _sign_in(self, url: str) -> None:
        try:
            sign_in_like_a_user(self.http, url, self.user.login, self.user.password)
        except Failure as failure:
            self.console.finding(failure.finding)
        except NetworkError as error:
            self.console.warn(Message("{url}: {reason}", url=error.url, reason=error.reason))


@contextmanager
def _demo_tenant(
    public_url: str, authority: Authority, language: Language
) -> Iterator[tuple[Settings, User]]:
    """Serve a tenant that is set up for LibreChat at that URL."""
    from wizard.demo.authorization import Authorization
    from wizard.demo.endpoints import Endpoints
    from wizard.demo.server import serving
    from wizard.demo.tokens import TokenEndpoint, TokenMaker

    tenant = Tenant()
    token_endpoint = TokenEndpoint(tenant, TokenMaker(tenant))
    endpoints = Endpoints(tenant, language, Authorization(tenant), token_endpoint)
    with serving(tenant, endpoints.answer, authority.certificate_file, authority.certificate_file):
        settings = Settings(
            tenant.domain,
            new_client_id(),
            new_client_secret(),
            (SUGGESTED_AUDIENCE,),
            public_url,
        )
        yield settings, add_librechat(tenant, settings)


class HeldPorts:
    """Ports that are bound before their servers start, so that no other program takes them."""

    def __init__(self) -> None:
        self._listeners: dict[int, list[socket.socket]] = {}

    def take(self, preferred: int) -> int:
        """Bind the port, or any free one if it is taken; return its number."""
        try:
            listeners = loopback.listeners(preferred)
        except OSError:
            listeners = loopback.listeners(0)
        port: int = listeners[0].getsockname()[1]
        self._listeners[port] = listeners
        return port

    def listen(self, port: int) -> list[socket.socket]:
        """Return the listeners of a bound port, or open another one."""
        return self._listeners.pop(port, None) or loopback.listeners(port)

    def close(self) -> None:
        """Close the ports that no server uses."""
        for listeners in self._listeners.values():
            loopback.close_all(listeners)
