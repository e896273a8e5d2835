"""`provision`: the application and the API in Auth0, made or mended by the Management API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.auth0.management_access import claims_of
from wizard.auth0.management_plan import PlannedChange
from wizard.commands.answers import (
    CHANGES_TO,
    MISSING_OPTION,
    WRITTEN,
    Defaults,
    defaults_from,
    env_store,
    option,
)
from wizard.commands.choose_access import Credentials, choose_access, credentials
from wizard.commands.planning import plan_for
from wizard.commands.prove import check_values
from wizard.commands.provisioning import DEFAULT_NAME, Job, Provisioning
from wizard.commands.questions import SUGGESTED_AUDIENCE
from wizard.drafts import Draft
from wizard.findings import ExitCode, Finding, exit_code_of
from wizard.language import Message
from wizard.librechat.checkout import look_at
from wizard.librechat.env_file import EnvFile
from wizard.librechat.secrets import secrets_in
from wizard.librechat.setup import EnvPlan
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
        self._folder = look_at(self._store.path.parent)
        self._existing = self._store.read()
        self._current = EnvFile.from_bytes(self._existing).values() if self._existing else {}
        self._env_changes: Sequence[str] = ()
        self._backup: Path | None = None

    def run(self) -> ProvisionResult:
        options, ports = self._options, self._ports
        given = credentials(ports.environ, options.management_token_file)
        settings = self._settings(given)
        access = choose_access(
            settings.auth0.domain, given, ports, own_domain=options.tenant_domain
        )
        job = Job(settings, self._store.path, options.name, options.prune)
        provisioning = Provisioning(job, access, ports)
        env_plan = (
            None if provisioning.creates_application else self._env_plan(provisioning.settings)
        )
        result = ProvisionResult(
            self._store.path,
            provisioning.settings,
            provisioning.changes,
            env_plan.changed_names if env_plan else (),
            provisioning.remarks,
        )
        provisioning.show()
        self._show_env(env_plan)
        wanted = provisioning.changes or result.env_changes
        if not wanted:
            ports.console.done("Nothing to do: Auth0 and the .env are as LibreChat needs them.")
        elif not self._may_apply():
            return result
        settings, findings = provisioning.apply(self._write_env)
        report = check_values(settings, ports)
        return replace(
            result,
            settings=settings,
            env_changes=self._env_changes,
            backup=self._backup,
            findings=(*result.findings, *findings, *report.findings),
            applied=bool(wanted),
            checks=report.results,
        )

    def _settings(self, given: Credentials) -> SetupSettings:
        """What is wanted: by the options, else by the `.env`, else by the user."""
        options, defaults = self._options, defaults_from(self._current, Draft())
        domain = self._value("--domain", options.domain, self._domain(defaults, given), _DOMAIN)
        public_url = self._value(
            "--public-url", options.public_url, defaults.public_url, _PUBLIC_URL
        )
        client_id = defaults.client_id
        if options.client_id:
            client_id = option("--client-id", options.client_id, parse_client_id)
        audiences: tuple[str, ...] = ()
        if options.reuse_tokens:
            text = options.audience or defaults.audience or SUGGESTED_AUDIENCE
            audiences = option(
                "--audience", text, lambda value: parse_audiences(value, domain=domain)
            )
        secret = defaults.client_secret if client_id == defaults.client_id else ""
        auth0 = Auth0Settings(domain, client_id, secret, audiences)
        return SetupSettings(auth0, public_url, options.reuse_tokens)

    def _domain(self, defaults: Defaults, given: Credentials) -> str:
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
        return kind.parse(self._ports.prompter.text(kind.question, check=kind.parse))

    def _may_apply(self) -> bool:
        options, prompter = self._options, self._ports.prompter
        if options.dry_run:
            self._ports.console.done("Dry run: nothing was changed.")
            return False
        if prompter is not None:
            if prompter.confirm("Make these changes?"):
                return True
            self._ports.console.say("Nothing was changed.")
            return False
        if not options.yes:
            raise MISSING_OPTION.failure(
                "Missing: --yes (or --dry-run).",
                fix="Add --yes to make the changes, or --dry-run to see them only.",
            )
        return True

    def _env_plan(self, settings: SetupSettings) -> EnvPlan:
        port = port_in(self._current)
        return plan_for(settings, self._existing, self._folder, port, self._ports)

    def _show_env(self, env_plan: EnvPlan | None) -> None:
        console = self._ports.console
        if env_plan is None:
            console.say(
                Message("Its Client ID and secret then go into {file}.", file=self._store.path)
            )
        elif env_plan.changes:
            console.say(CHANGES_TO.filled(file=self._store.path))
            console.changes(env_plan.changes, secrets_in(env_plan.before, env_plan.after))

    def _write_env(self, settings: SetupSettings) -> None:
        env_plan = self._env_plan(settings)
        if not env_plan.changes:
            return
        self._backup = self._store.save(self._existing, env_plan.after.to_bytes())
        self._env_changes = env_plan.changed_names
        self._ports.console.done(WRITTEN.filled(file=self._store.path))


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
