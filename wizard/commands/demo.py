"""`init --demo`: the whole wizard against a tenant on this machine, to a proved sign-in.

No account, no internet, no question: a demo tenant with the application and API already in it, a
local HTTPS tunnel, and a scripted user who signs in.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from wizard.commands.init import InitResult, run_init
from wizard.commands.init_options import InitOptions
from wizard.commands.questions import SUGGESTED_AUDIENCE
from wizard.defaults import LIBRECHAT_PORT
from wizard.demo.tenant import Tenant, User, add_librechat, new_client_id, new_client_secret
from wizard.demo.user import sign_in_like_a_user
from wizard.execution import Report
from wizard.findings import Failure
from wizard.http import HttpClient, Https, NetworkError
from wizard.language import Language, Message
from wizard.locks import LockHeld, locked
from wizard.loopback import is_free
from wizard.platforms import command_line
from wizard.ports import Ports
from wizard.private_files import private_folder
from wizard.settings import Settings
from wizard.tunnels.certificates import Authority, local_authority
from wizard.tunnels.local import DEFAULT_PORT
from wizard.ui.console import Console

SECONDS_TO_SIGN_IN = 30.0
FOLDER_PREFIX = "librechat-auth0-demo-"


def run_demo(options: InitOptions, ports: Ports, report: Report) -> InitResult:
    """Run `init` with everything on this machine.

    Args:
        options: only `env_file` and `dry_run` are taken from it.
        ports: what may be touched.
        report: see `run_init`.

    Raises:
        Failure: as `run_init`.
    """
    env_file = options.env_file or Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX)) / ".env"
    authority = local_authority(ports.state_dir, ports.processes)
    http = Https(ports.environ, extra_ca=lambda: authority.ca_file)
    with ExitStack() as stack:
        is_first = _is_first(stack, ports.state_dir)
        port = _free_port(LIBRECHAT_PORT if is_first else 0)
        public_url = f"https://localhost:{_free_port(DEFAULT_PORT if is_first else 0)}"
        tenant = _demo_tenant(public_url, authority, ports.language)
        settings, user = stack.enter_context(tenant)
        ports.console.say(
            "Demo: a tenant, a tunnel and a user, all on this machine. Nothing leaves it."
        )
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
                ports, prompter=None, http=http, desktop=ScriptedUser(http, user, ports.console)
            ),
            report,
        )
    _tell_the_end(result, ports)
    return result


def _tell_the_end(result: InitResult, ports: Ports) -> None:
    console, folder = ports.console, result.env_file.parent
    console.say()
    if result.written and folder.name.startswith(FOLDER_PREFIX):
        console.say(Message("Its folder may go when you have seen it: {folder}", folder=folder))
    console.say("That was the demo. For your own LibreChat, run in its folder:")
    program = "librechat-auth0"
    if ports.processes.which(program) is None:  # it was started by its path
        program = str(Path(sys.argv[0]).absolute())
    console.verbatim(None, [command_line([program, "init"])])


@dataclass(frozen=True, slots=True)
class ScriptedUser:
    """A `Desktop` whose browser signs in by itself."""

    http: HttpClient
    user: User
    console: Console

    def open(self, url: str) -> bool:
        """See `Desktop.open`."""
        threading.Thread(target=self._sign_in, args=(url,), name="demo user", daemon=True).start()
        return True

    def copy(self, text: str) -> bool:  # noqa: ARG002
        """See `Desktop.copy`; this user has no clipboard."""
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
    """A running tenant that is set up for LibreChat at that URL."""
    from wizard.demo.authorization import Authorization
    from wizard.demo.endpoints import Endpoints
    from wizard.demo.server import TenantServer
    from wizard.demo.tokens import TokenEndpoint, TokenMaker

    tenant = Tenant()
    token_endpoint = TokenEndpoint(tenant, TokenMaker(tenant))
    endpoints = Endpoints(tenant, language, Authorization(tenant), token_endpoint)
    with TenantServer(tenant, endpoints, authority.certificate_file, authority.key_file):
        settings = Settings(
            tenant.domain,
            new_client_id(),
            new_client_secret(),
            (SUGGESTED_AUDIENCE,),
            public_url,
        )
        yield settings, add_librechat(tenant, settings)


def _is_first(stack: ExitStack, state_dir: Path) -> bool:
    """Whether no other demo runs, which might be about to take the ports that are free now."""
    try:
        stack.enter_context(locked(private_folder(state_dir) / "demo.lock"))
    except LockHeld:
        return False
    return True


def _free_port(wish: int) -> int:
    """The port that is wished for, or any free one: where that is taken, or none is wished for."""
    if wish and is_free(wish):
        return wish
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
