"""`init --demo`: the whole wizard against a tenant on this machine.

Without an account or a network: a demo tenant with the application and the API, a local
HTTPS tunnel, and a user: the one at the terminal in their own browser, or a scripted one.
"""

from __future__ import annotations

import shlex
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.commands.init import run_init
from wizard.defaults import LIBRECHAT_PORT
from wizard.demo.tenant import Tenant, User, add_librechat
from wizard.demo.user import sign_in_like_a_user
from wizard.execution import Report, Result
from wizard.findings import Failure
from wizard.http import HttpClient, Https, NetworkError
from wizard.language import Language, Message
from wizard.ports import Ports
from wizard.settings import Settings
from wizard.steps.init_progress import InitResult
from wizard.steps.options import InitOptions
from wizard.steps.proofs import forget_proof
from wizard.steps.prove import SIGN_IN_WORKS
from wizard.steps.questions import SUGGESTED_AUDIENCE
from wizard.steps.tunnel_menu import OpenedUrls
from wizard.system import loopback
from wizard.system.desktop import Desktop
from wizard.system.interrupts import signals_held
from wizard.system.platforms import command_line
from wizard.tunnels.local import DEFAULT_PORT
from wizard.ui.console import Console

if TYPE_CHECKING:
    from wizard.tunnels.certificates import Authority

SECONDS_TO_SIGN_IN = 30.0
FOLDER_PREFIX = "librechat-auth0-demo-"


def run_demo(
    options: InitOptions, ports: Ports, report: Report, given_file: Path | None, *, hold: bool
) -> InitResult:
    """Run `init` with everything on this machine; `hold` leaves it open until Ctrl-C."""
    from wizard.tunnels.certificates import local_authority

    authority = local_authority(ports.state_dir, ports.processes)
    http = Https(ports.environ, extra_ca=lambda: authority.ca_file)
    ports.console.say("Demo: the tenant, the tunnel and the user are on this machine.")
    with ExitStack() as stack:
        with signals_held():  # so that the folder is never left behind
            env_file = given_file or stack.enter_context(_temporary_env(ports))
        held = stack.enter_context(closing(HeldPorts()))
        port = held.take(LIBRECHAT_PORT)
        public_url = f"https://localhost:{held.take(DEFAULT_PORT)}"
        settings, user = stack.enter_context(_demo_tenant(public_url, authority, ports.language))
        desktop: Desktop = ScriptedUser(http, user, ports.console)
        seconds = SECONDS_TO_SIGN_IN
        if _wants_own_browser(ports):
            desktop, seconds = ports.desktop, options.seconds_to_sign_in

        def report_and_hint(result: Result) -> None:
            report(result)
            if hold:
                _show_librechat(authority.ca_file, given_file, ports)

        demo_options = replace(
            _options(settings, port),
            can_skip=ports.prompter is not None,
            seconds_to_sign_in=seconds,
            hold=hold,
            dry_run=options.dry_run,
        )
        ports_of_demo = ports._replace(
            prompter=None, http=http, desktop=desktop, listen=held.listen
        )
        result = run_init(demo_options, ports_of_demo, report_and_hint, env_file)
    _show_next(ports, works=not hold and bool(result.sign_in and result.sign_in.ok))
    return result


def _options(settings: Settings, port: int) -> InitOptions:
    """Return the options of a run for this setup that asks nothing."""
    return InitOptions(
        domain=settings.domain,
        client_id=settings.client_id,
        client_secret=settings.client_secret or "",
        audience=SUGGESTED_AUDIENCE,
        tunnel="local",
        requested_url=settings.public_url,
        port=str(port),
        yes=True,
        lists_urls=False,
        verify=True,
    )


@contextmanager
def _temporary_env(ports: Ports) -> Iterator[Path]:
    """Return the path of an `.env` that is deleted at the end, with what is recorded of it."""
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as folder:
        env_file = Path(folder, ".env")
        ports.console.hint("Its .env is deleted at the end.")
        try:
            yield env_file
        finally:
            OpenedUrls(ports.state_dir, env_file).forget()
            forget_proof(ports.state_dir, env_file)


def _wants_own_browser(ports: Ports) -> bool:
    """Whether the user signs in, in a browser of this machine."""
    if ports.prompter is None or not ports.desktop.has_browser():
        return False
    ports.console.hint(
        "Your browser warns about the certificate, because it was made on this computer:"
        " choose Advanced, then Proceed. To avoid that, run librechat-auth0 trust first."
    )
    if not ports.prompter.confirm("Sign in with your own browser?"):
        return False
    ports.console.hint("Press Ctrl-C to skip the sign-in.")
    return True


def _show_librechat(ca_file: Path, env_file: Path | None, ports: Ports) -> None:
    """Show how LibreChat uses the demo tenant while it is open."""
    console = ports.console
    console.say()
    if env_file is None:
        console.hint("To try your LibreChat with the demo tenant, add --env-file PATH/.env.")
        console.hint("Restore that file afterwards with librechat-auth0 init --undo.")
    else:
        console.verbatim(
            "Start LibreChat so that it trusts the demo tenant:",
            [Message("NODE_EXTRA_CA_CERTS={file} npm run backend", file=shlex.quote(str(ca_file)))],
        )


def _show_next(ports: Ports, *, works: bool) -> None:
    console = ports.console
    console.say()
    if works:
        console.done(SIGN_IN_WORKS)
    console.say("Set up your own LibreChat: go to its folder and run")
    program = ["librechat-auth0"]
    if ports.processes.which(program[0]) is None:
        started = Path(sys.argv[0]).absolute()
        is_module = started.name == "__main__.py"
        program = [sys.executable, "-m", "wizard"] if is_module else [str(started)]
    console.verbatim(None, [command_line([*program, "init"])])


@dataclass(frozen=True, slots=True)
class ScriptedUser(Desktop):
    """A `Desktop` whose browser signs in by itself."""

    http: HttpClient
    user: User
    console: Console

    def open(self, url: str) -> bool:
        threading.Thread(target=self._sign_in, args=(url,), name="demo user", daemon=True).start()
        return True

    def has_browser(self) -> bool:
        return True

    def _sign_in(self, url: str) -> None:
        try:
            sign_in_like_a_user(self.http, url, self.user.login, self.user.password)
        except Failure as failure:
            self.console.finding(failure.finding)
        except NetworkError as error:
            self.console.warn("{url}: {reason}", url=error.url, reason=error.reason)


@contextmanager
def _demo_tenant(
    public_url: str, authority: Authority, language: Language
) -> Iterator[tuple[Settings, User]]:
    """Serve a tenant that is set up for LibreChat at that URL."""
    from wizard.demo.endpoints import Endpoints, serving
    from wizard.demo.tokens import TokenEndpoint

    tenant = Tenant()
    endpoints = Endpoints(tenant, language, TokenEndpoint(tenant))
    with serving(endpoints, authority.certificate_file, authority.certificate_file):
        yield add_librechat(tenant, public_url, SUGGESTED_AUDIENCE)


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
