"""`tunnel`: reopens the HTTPS URL of an existing `.env`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.execution import Report, Result
from wizard.findings import Failure
from wizard.known import Known, known_in
from wizard.language import Message, sentences
from wizard.librechat.checkout import look_at
from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_plan import doubts, passkeys_lost, url_values
from wizard.librechat.env_store import EnvStore
from wizard.librechat.secrets import secrets_in
from wizard.librechat.variables import is_read
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import NO_URLS, urls_of
from wizard.steps.background.records import Background, BackgroundTunnel
from wizard.steps.background.tunnel import DetachedTunnel
from wizard.steps.change import Confirmation, EnvChange, change_env, show_restart
from wizard.steps.choose_tunnel import open_tunnel
from wizard.steps.live_view import OpenTunnel, keep_open
from wizard.steps.tunnel_menu import NO_TUNNEL, OpenedUrls, TunnelOptions
from wizard.steps.values import env_store, librechat_port
from wizard.ui.screen import setting_lines

if TYPE_CHECKING:
    from wizard.auth0.management_plan import PlannedChange

NO_ENV = rule("LA324")
WHICH_TUNNEL = rule("LA325")


@dataclass(frozen=True, slots=True)
class ReopenOptions:
    """The options from command line and environment; "" for those that are missing."""

    tunnel: str = ""
    requested_url: str = ""
    port: str = ""
    env_file: Path | None = None
    detach: bool = False
    yes: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class TunnelResult(Result):
    """What was opened and changed; `dashboard` is what the user still has to change in Auth0."""

    env_file: Path
    tunnel: str
    public_url: str
    changed: Sequence[str] = ()
    dashboard: Sequence[PlannedChange] = ()
    backup: Path | None = None
    written: bool = False
    background: BackgroundTunnel | None = None

    @property
    def is_up_to_date(self) -> bool:
        """Whether the `.env` has the tunnel's URL."""
        return self.written or not self.changed


def run_tunnel(options: ReopenOptions, ports: Ports, report: Report) -> TunnelResult:
    """Open the tunnel, update the `.env`, and hold the tunnel or leave it in the background.

    `report` is called with the result before the tunnel is held.
    """
    store = env_store(options.env_file, ports)
    content = store.read()
    if content is None:
        raise NO_ENV.failure("{file} does not exist.", file=store.path)
    file = EnvFile.from_bytes(content)
    reopening = _Reopening(options, ports, store, content, file, known_in(file.values()))
    ports.console.hide(secrets_in(reopening.file))
    with ExitStack() as stack:
        if options.detach:
            stack.enter_context(reopening.background.starting(store.path))
        if known := reopening.already_open() or reopening.without_tunnel():
            return known
        opened = stack.enter_context(open_tunnel(reopening.request(), ports))
        result = reopening.update(opened)
        if not result.is_up_to_date or options.dry_run:
            return result
        if isinstance(opened.tunnel, DetachedTunnel):
            return reopening.leave(opened.tunnel, result)
        report(result)
        keep_open(opened, ports)
        return result


@dataclass(frozen=True, slots=True)
class _Reopening:
    """One run of the command, and the `.env` that it read."""

    options: ReopenOptions
    ports: Ports
    store: EnvStore
    content: bytes
    file: EnvFile
    known: Known

    @property
    def background(self) -> Background:
        """The records of background tunnels."""
        return Background(self.ports.state_dir)

    def already_open(self) -> TunnelResult | None:
        """Show and return the background tunnel of this `.env`, if one runs."""
        known = self.background.of(self.store.path)
        if known is None:
            return None
        if not known.runs:
            self.background.forget(known)
            return None
        console = self.ports.console
        console.done("{url} is already open in the background.", url=known.url)
        console.hint("Stop it with: librechat-auth0 tunnel stop")
        return TunnelResult(self.store.path, known.tunnel, known.url, background=known)

    def without_tunnel(self) -> TunnelResult | None:
        """Return the URL of the `.env` for `--tunnel none`, which opens nothing."""
        url = self.known.public_url
        if self.options.tunnel != NO_TUNNEL:
            return None
        if not url:
            raise WHICH_TUNNEL.failure(
                Message("The .env has no public URL, and --tunnel none opens no tunnel.")
            )
        console = self.ports.console
        console.done("Using {url} without opening a tunnel.", url=url)
        console.hint("Check that it leads to LibreChat: librechat-auth0 doctor")
        return TunnelResult(self.store.path, NO_TUNNEL, url)

    def request(self) -> TunnelOptions:
        """Return which tunnel to open."""
        return TunnelOptions(
            port=librechat_port(self.options.port, self.file.values()),
            env_file=self.store.path,
            tunnel=self._which_tunnel(),
            requested_url=self.options.requested_url,
            known_url=self.known.public_url or "",
            tunnels_only=True,
            detach=self.options.detach,
        )

    def update(self, opened: OpenTunnel) -> TunnelResult:
        """Write the URL to the `.env`."""
        change = self._change(opened.url)
        result = TunnelResult(
            self.store.path,
            opened.name,
            opened.url,
            change.names,
            _dashboard_changes(self.known, opened.url) if change.changes else (),
            findings=(*opened.findings, *change.findings),
        )
        if not change.changes:
            self.ports.console.done("{file} already has this URL.", file=self.store.path)
            return result
        yes, dry_run = self.options.yes, self.options.dry_run
        written = change_env(change, _question(opened.url), self.ports, yes=yes, dry_run=dry_run)
        if written.done:
            return self._finish(replace(result, backup=written.backup, written=True))
        if dry_run:
            self._show_dashboard(result.dashboard)
        return result

    def _change(self, url: str) -> EnvChange:
        version = look_at(self.store.path.parent).version
        values = {name: each for name, each in url_values(url).items() if is_read(name, version)}
        after, changes = self.file.edited(values, removing_lines=True)
        found = (*passkeys_lost(self.file.values(), url), *doubts(after, values))
        findings = found if changes else ()
        return EnvChange(self.store, self.content, self.file, after, changes, findings)

    def leave(self, tunnel: DetachedTunnel, result: TunnelResult) -> TunnelResult:
        """Leave the tunnel in the background."""
        tunnel.stay()
        console = self.ports.console
        console.say()
        console.done("{url} stays open in the background.", url=result.public_url)
        log_file = self.background.log_file(self.store.path)
        console.hint("Request log: {file}", file=log_file)
        console.hint(
            "Check it with librechat-auth0 tunnel status; stop it with librechat-auth0 tunnel stop."
        )
        return replace(result, background=self.background.of(self.store.path))

    def _which_tunnel(self) -> str:
        """The requested tunnel, or else the one that opened the URL."""
        url = self.known.public_url
        name = self.options.tunnel or (
            OpenedUrls(self.ports.state_dir, self.store.path).tunnel_of(url) if url else ""
        )
        if not name and url and self.ports.prompter is None:
            raise WHICH_TUNNEL.failure("DOMAIN_SERVER is {url}.", url=url)
        return name

    def _finish(self, result: TunnelResult) -> TunnelResult:
        """Change the URLs in Auth0, or show how; then show how to restart LibreChat."""
        console = self.ports.console
        try:
            done = self._change_tenant(result.public_url)
        except Failure as failure:
            console.finding(failure.finding)
            result = replace(result, findings=(*result.findings, failure.finding))
            done = False
        if done:
            result = replace(result, dashboard=())
        else:
            self._show_dashboard(result.dashboard)
        console.say()
        runner = self.store.runner({**self.file.values(), **self.ports.environ})
        show_restart(runner, self.ports)
        return result

    def _change_tenant(self, url: str) -> bool:
        """Change the URLs in Auth0 if there is a Management API credential."""
        from wizard.steps.provisioning import swap_urls

        if not self.known.domain:
            return False
        known = self.known._replace(public_url=url)
        return swap_urls(known, self.store.path, self.ports)

    def _show_dashboard(self, changes: Sequence[PlannedChange]) -> None:
        from wizard.dashboard import APPLICATIONS, application

        if not changes:
            return
        console, client_id = self.ports.console, self.known.client_id
        console.say("Change these URLs in Auth0: Settings of the application, Application URIs")
        console.verbatim(None, [application(client_id) if client_id else APPLICATIONS])
        for change in changes:
            console.show(setting_lines(change.title, change.removed, change.added))


def _question(url: str) -> Confirmation:
    return Confirmation(
        declined=Message("Nothing was written. The tunnel is closed."),
        missing=sentences(
            Message("The tunnel has a new URL: {url}.", url=url),
            "Missing: --yes (or --dry-run).",
        ),
        fix=Message("Add --yes to write it to the .env, or --dry-run to only see the change."),
    )


def _dashboard_changes(known: Known, url: str) -> tuple[PlannedChange, ...]:
    """The changes of the application's lists of URLs when LibreChat moves to this one."""
    from wizard.auth0.management_plan import url_changes

    old = urls_of(known.public_url) if known.public_url else NO_URLS
    return tuple(url_changes(old, urls_of(url)))
