"""`tunnel`: the HTTPS way to LibreChat, opened again for an `.env` that is there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from wizard.commands.answers import (
    env_store,
    librechat_port,
)
from wizard.commands.background.records import Background, BackgroundTunnel
from wizard.commands.background.status import described
from wizard.commands.background.tunnel import DetachedTunnel
from wizard.commands.change import EnvChange, Question, change_env
from wizard.commands.choose_tunnel import (
    NO_TUNNEL,
    OpenTunnel,
    TunnelOptions,
    keep_open,
    open_tunnel,
)
from wizard.commands.opened_urls import OpenedUrls
from wizard.execution import Report
from wizard.findings import ExitCode, Failure, Finding, exit_code_of
from wizard.known import Known, known_in
from wizard.language import Message, sentences
from wizard.librechat.checkout import how_to_restart
from wizard.librechat.env_file import EnvFile
from wizard.librechat.setup import doubts, url_values
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import NO_URLS, URL_LISTS, urls_of

NO_ENV = rule("LA324")
WHICH_TUNNEL = rule("LA325")


@dataclass(frozen=True, slots=True)
class ReopenOptions:
    """What was given on the command line or in the environment; "" where nothing was."""

    tunnel: str = ""
    requested_url: str = ""
    port: str = ""
    env_file: Path | None = None
    detach: bool = False
    yes: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class DashboardChange:
    """A list of URLs in Auth0's dashboard: lines to take out, lines to put in."""

    title: str
    removed: tuple[str, ...]
    added: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The change as `--json` shows it."""
        return {"title": self.title, "removed": list(self.removed), "added": list(self.added)}


@dataclass(frozen=True, slots=True)
class TunnelResult:
    """What was opened and changed.

    `dashboard` is what the user has to change at Auth0; empty where that is done.
    """

    env_file: Path
    tunnel: str
    public_url: str
    findings: Sequence[Finding] = ()
    changed: Sequence[str] = ()
    dashboard: Sequence[DashboardChange] = ()
    backup: Path | None = None
    written: bool = False
    background: BackgroundTunnel | None = None

    @property
    def exit_code(self) -> ExitCode:
        """FINDINGS if there is an error among the findings."""
        return exit_code_of(self.findings)

    @property
    def stands(self) -> bool:
        """Whether the `.env` has the tunnel's URL."""
        return self.written or not self.changed

    def as_json(self) -> dict[str, object]:
        """See `Result.as_json`."""
        return {
            "env_file": str(self.env_file),
            "tunnel": self.tunnel,
            "public_url": self.public_url,
            "changed": list(self.changed),
            "written": self.written,
            "backup": str(self.backup) if self.backup else None,
            "dashboard": [change.as_json() for change in self.dashboard],
            "background": described(self.background) if self.background else None,
        }


def run_tunnel(options: ReopenOptions, ports: Ports, report: Report) -> TunnelResult:
    """Open the tunnel, bring the `.env` up to date, and hold it or leave it in the background.

    Args:
        options: what was asked for.
        ports: what may be touched.
        report: called with the result once it stands, before the tunnel is kept open.

    Raises:
        Failure: it could not be done; the `.env` is as it was.
    """
    with ExitStack() as stack:
        reopening = _Reopening(options, ports)
        if options.detach:
            stack.enter_context(reopening.alone())
        if known := reopening.already_open() or reopening.without_tunnel():
            return known
        result = reopening.run(stack)
        if not result.stands or options.dry_run:
            return result
        if isinstance(reopening.opened.tunnel, DetachedTunnel):
            return reopening.leave(reopening.opened.tunnel, result)
        report(result)
        keep_open(reopening.opened, ports)
        return result


class _Reopening:
    """One run of the command."""

    def __init__(self, options: ReopenOptions, ports: Ports) -> None:
        self._options = options
        self._ports = ports
        self._store = env_store(options.env_file, ports)
        self._background = Background(ports.state_dir)
        self._urls = OpenedUrls(ports.state_dir, self._store.path)
        content = self._store.read()
        if content is None:
            raise NO_ENV.failure(Message("There is no {file}.", file=self._store.path))
        self._content = content
        self._file = EnvFile.from_bytes(content)
        self._values = self._file.values()
        self._known = known_in(self._values)
        self._port = librechat_port(options.port, self._values)

    def alone(self) -> AbstractContextManager[None]:
        """Keep other runs from opening one in the background for the same `.env` meanwhile."""
        return self._background.starting(self._store.path)

    def already_open(self) -> TunnelResult | None:
        """What runs in the background for this `.env`, told."""
        known = self._background.of(self._store.path)
        if known is None:
            return None
        if not known.runs:
            self._background.forget(known)
            return None
        console = self._ports.console
        console.done(Message("{url} is open in the background already.", url=known.url))
        console.hint("It ends with: librechat-auth0 tunnel stop")
        return TunnelResult(self._store.path, known.tunnel, known.url, background=known)

    def without_tunnel(self) -> TunnelResult | None:
        """With `--tunnel none`, the URL that the `.env` has; there is nothing to open then."""
        url = self._known.public_url
        if self._options.tunnel != NO_TUNNEL:
            return None
        if not url:
            raise WHICH_TUNNEL.failure(
                Message("The .env has no public URL, and --tunnel none opens none.")
            )
        console = self._ports.console
        console.done(Message("{url} is taken as it is; no tunnel is opened.", url=url))
        console.hint("librechat-auth0 doctor finds out whether it leads to LibreChat.")
        return TunnelResult(self._store.path, NO_TUNNEL, url)

    def run(self, stack: ExitStack) -> TunnelResult:
        """Open the tunnel for as long as the stack lasts, and bring the `.env` up to date."""
        options = TunnelOptions(
            port=self._port,
            env_file=self._store.path,
            tunnel=self._which_tunnel(),
            requested_url=self._options.requested_url,
            known_url=self._known.public_url or "",
            tunnels_only=True,
            detach=self._options.detach,
        )
        self.opened: OpenTunnel = stack.enter_context(open_tunnel(options, self._ports))
        change = self._change()
        result = TunnelResult(
            self._store.path,
            self.opened.name,
            self.opened.url,
            (*self.opened.findings, *change.findings),
            change.names,
            dashboard_changes(self._known, self.opened.url) if change.changes else (),
        )
        if not change.changes:
            self._ports.console.done(
                Message("{file} has this URL; nothing was touched.", file=self._store.path)
            )
            return result
        yes, dry_run = self._options.yes, self._options.dry_run
        written = change_env(change, self._question(), self._ports, yes=yes, dry_run=dry_run)
        if written.done:
            return self._tell_the_rest(replace(result, backup=written.backup, written=True))
        if dry_run:
            self._show_dashboard(result.dashboard)
        return result

    def _change(self) -> EnvChange:
        values = url_values(self.opened.url)
        after, changes = self._file.edited(values, removing_lines=True)
        findings = tuple(doubts(after, values)) if changes else ()
        return EnvChange(self._store, self._content, self._file, after, changes, findings)

    def _question(self) -> Question:
        return Question(
            declined=Message("Nothing was written, and the tunnel is closed."),
            missing=sentences(
                Message("The tunnel has another URL now, {url}.", url=self.opened.url),
                "Missing: --yes (or --dry-run).",
            ),
            fix=Message("Add --yes to write it to the .env, or --dry-run to see the change only."),
        )

    def leave(self, tunnel: DetachedTunnel, result: TunnelResult) -> TunnelResult:
        """Leave the tunnel in the background."""
        tunnel.stay()
        console = self._ports.console
        console.say()
        console.done(Message("{url} stays open in the background.", url=result.public_url))
        log_file = self._background.log_file(self._store.path)
        console.hint(Message("What passes is written to {file}", file=log_file))
        console.hint("librechat-auth0 tunnel status looks after it, tunnel stop ends it.")
        return replace(result, background=self._background.of(self._store.path))

    def _which_tunnel(self) -> str:
        """The one that is asked for, else the one that the URL comes from."""
        url = self._known.public_url
        name = self._options.tunnel or (self._urls.tunnel_of(url) if url else "")
        if not name and url and self._ports.prompter is None:
            raise WHICH_TUNNEL.failure(Message("DOMAIN_SERVER is {url}.", url=url))
        return name

    def _tell_the_rest(self, result: TunnelResult) -> TunnelResult:
        """What has to change at Auth0, unless that is done here; and the restart."""
        console = self._ports.console
        try:
            done = self._change_tenant()
        except Failure as failure:
            console.finding(failure.finding)
            result = replace(result, findings=(*result.findings, failure.finding))
            done = False
        if done:
            result = replace(result, dashboard=())
        else:
            self._show_dashboard(result.dashboard)
        folder = self._store.path.parent
        console.say()
        console.verbatim("Make LibreChat read the file:", how_to_restart(folder))
        return result

    def _change_tenant(self) -> bool:
        """Have the tenant take the new URLs, where a Management API credential is at hand."""
        from wizard.commands.provisioning import swap_urls

        if not self._known.domain:
            return False
        known = replace(self._known, public_url=self.opened.url)
        return swap_urls(known, self._store.path, self._ports)

    def _show_dashboard(self, changes: Sequence[DashboardChange]) -> None:
        from wizard.dashboard import APPLICATIONS, application

        if not changes:
            return
        console, client_id = self._ports.console, self._known.client_id
        console.say("Auth0 must know the new URL. Change these lines of the application:")
        console.verbatim(None, [application(client_id) if client_id else APPLICATIONS])
        for change in changes:
            console.setting(
                change.title,
                change.removed,
                change.added,
                Message("in its Settings, under Application URIs"),
            )


def dashboard_changes(known: Known, url: str) -> tuple[DashboardChange, ...]:
    """What changes in the dashboard's lists of URLs when LibreChat moves to that one."""
    old = urls_of(known.public_url) if known.public_url else NO_URLS
    new = urls_of(url)
    return tuple(
        DashboardChange(title, old[name], new[name])
        for name, title in URL_LISTS.items()
        if old[name] != new[name]
    )
