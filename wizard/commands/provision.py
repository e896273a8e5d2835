"""`provision`: the application and the API in Auth0, made or mended by the Management API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.auth0.management_access import claims_of
from wizard.auth0.management_plan import PlannedChange
from wizard.commands.answers import (
    MISSING_OPTION,
    env_store,
    option,
)
from wizard.commands.change import EnvChange, Question, Written, may_write, save, show
from wizard.commands.choose_access import Credentials, choose_access, credentials
from wizard.commands.folder import Folder
from wizard.commands.prove import check_values
from wizard.commands.provisioning import DEFAULT_NAME, Job, Provisioning
from wizard.commands.questions import SUGGESTED_AUDIENCE
from wizard.findings import ExitCode, Failure, Finding, exit_code_of
from wizard.known import Known, known_in
from wizard.language import Message
from wizard.librechat.checkout import look_at
from wizard.librechat.env_file import removed_lines
from wizard.ports import Ports
from wizard.settings import (
    Auth0Settings,
    SetupSettings,
    parse_audiences,
    parse_client_id,
    parse_domain,
    parse_public_url,
    port_in,
)

if TYPE_CHECKING:
    from wizard.auth0.checks import CheckResult

MAKE_THEM = Question(
    text=Message("Make these changes?"),
    declined=Message("Nothing was changed."),
    dry_run=Message("Dry run: nothing was changed."),
    fix=Message("Add --yes to make the changes, or --dry-run to see them only."),
)


@dataclass(frozen=True, slots=True)
class ProvisionOptions:
    """What was given on the command line or in the environment; "" where nothing was."""

    domain: str = ""
    tenant_domain: str = ""
    client_id: str = ""
    name: str = DEFAULT_NAME
    audience: str = ""
    public_url: str = ""
    management_token_file: str = ""
    env_file: Path | None = None
    reuse_tokens: bool = True
    prune: bool = False
    yes: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ProvisionResult:
    """What was done; `changes` are the tenant's, `env_changes` names of variables."""

    env_file: Path
    settings: SetupSettings
    changes: Sequence[PlannedChange]
    env_changes: Sequence[str]
    findings: Sequence[Finding]
    applied: bool = False
    backup: Path | None = None
    checks: Sequence[CheckResult] = field(default=())

    @property
    def exit_code(self) -> ExitCode:
        """FINDINGS if a check found an error, TENANT if the tenant could not be reached."""
        return exit_code_of(self.findings)

    def as_json(self) -> dict[str, object]:
        """See `Result.as_json`; names of variables and settings, no secrets."""
        return {
            "env_file": str(self.env_file),
            "backup": str(self.backup) if self.backup else None,
            "client_id": self.settings.auth0.client_id,
            "changes": [change.as_json() for change in self.changes],
            "changed": list(self.env_changes),
            "applied": self.applied,
            "checks": [check.as_json() for check in self.checks],
        }


def run_provision(options: ProvisionOptions, ports: Ports) -> ProvisionResult:
    """Plan, show, ask, apply, read back, and prove by the live checks.

    Raises:
        Failure: it could not be done; the detail says what was.
    """
    return _Run(options, ports).run()


class _Run:
    """One run of the command."""

    def __init__(self, options: ProvisionOptions, ports: Ports) -> None:
        self._options = options
        self._ports = ports
        self._store = env_store(options.env_file, ports)
        checkout = look_at(self._store.path.parent)
        self._folder = Folder(checkout, self._store, self._store.read(), ())
        self._current = self._folder.values
        self._env_changes: Sequence[str] = ()
        self._written = Written()

    def run(self) -> ProvisionResult:
        options, ports = self._options, self._ports
        given = credentials(ports.environ, options.management_token_file)
        settings = self._settings(given)
        access = choose_access(
            settings.auth0.domain, given, ports, own_domain=options.tenant_domain
        )
        job = Job(settings, self._store.path, options.name, options.prune)
        provisioning = Provisioning(job, access, ports)
        creates = provisioning.creates_application
        change = self._env_change(_with_new_ones(settings) if creates else provisioning.settings)
        if creates and (finding := removed_lines(change.changes)):
            raise Failure(finding)  # the lines cannot be shown yet, and Auth0 is still unchanged
        result = ProvisionResult(
            self._store.path,
            provisioning.settings,
            provisioning.changes,
            () if creates else change.names,
            (*provisioning.remarks, *change.findings),
        )
        provisioning.show()
        if creates:
            ports.console.say(
                Message("Its Client ID and secret then go into {file}.", file=self._store.path)
            )
        elif change.changes:
            show(change, ports)
        wanted = provisioning.changes or result.env_changes
        if not wanted:
            ports.console.done("Nothing to do: Auth0 and the .env are as LibreChat needs them.")
        elif not may_write(change, MAKE_THEM, ports, yes=options.yes, dry_run=options.dry_run):
            return result
        settings, findings = provisioning.apply(partial(self._write_env, is_shown=not creates))
        report = check_values(settings, ports)
        return replace(
            result,
            settings=settings,
            env_changes=self._env_changes,
            backup=self._written.backup,
            findings=(*result.findings, *findings, *report.findings),
            applied=bool(wanted),
            checks=report.results,
        )

    def _settings(self, given: Credentials) -> SetupSettings:
        """What is wanted: by the options, else by the `.env`, else by the user."""
        options, defaults = self._options, known_in(self._current)
        domain = self._value("--domain", options.domain, self._domain(defaults, given), _DOMAIN)
        public_url = self._value(
            "--public-url", options.public_url, defaults.public_url or "", _PUBLIC_URL
        )
        client_id = defaults.client_id or ""
        if options.client_id:
            client_id = option("--client-id", options.client_id, parse_client_id)
        audiences: tuple[str, ...] = ()
        if options.reuse_tokens:
            text = options.audience or ",".join(defaults.audiences or (SUGGESTED_AUDIENCE,))
            audiences = option(
                "--audience", text, lambda value: parse_audiences(value, domain=domain)
            )
        secret = defaults.client_secret if client_id == defaults.client_id else None
        auth0 = Auth0Settings(domain, client_id, secret or "", audiences)
        return SetupSettings(auth0, public_url, options.reuse_tokens)

    def _domain(self, defaults: Known, given: Credentials) -> str:
        return defaults.domain or claims_of(given.token).tenant

    def _value(self, name: str, text: str, default: str, kind: _Kind) -> str:
        if text:
            return option(name, text, kind.parse)
        if default:
            return default
        if self._ports.prompter is None:
            raise MISSING_OPTION.failure(
                Message("Missing: {option}.", option=name),
                fix=Message("Give {option}.", option=name),
            )
        self._ports.console.hint(kind.hint)
        return self._ports.prompter.text(kind.question, parse=kind.parse)

    def _env_change(self, settings: SetupSettings) -> EnvChange:
        return self._folder.change(settings, port_in(self._current), self._ports)

    def _write_env(self, settings: SetupSettings, *, is_shown: bool) -> None:
        change = self._env_change(settings)
        if change.changes:
            if not is_shown:
                show(change, self._ports)
            self._written = save(change, self._ports)
            self._env_changes = change.names


def _with_new_ones(settings: SetupSettings) -> SetupSettings:
    """The settings with a Client ID and a secret that no `.env` has."""
    unknown = "new"
    auth0 = replace(settings.auth0, client_id=unknown, client_secret=unknown)
    return replace(settings, auth0=auth0)


@dataclass(frozen=True, slots=True)
class _Kind:
    question: str
    hint: str
    parse: Callable[[str], str]


_DOMAIN = _Kind(
    Message("Domain"),
    Message("Applications → any application → Settings → Basic Information → Domain."),
    parse_domain,
)
_PUBLIC_URL = _Kind(
    Message("Public URL of LibreChat"),
    Message("Where browsers reach LibreChat; a tunnel gives one: librechat-auth0 init."),
    parse_public_url,
)
