"""The input of all rules, gathered once from the folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from wizard.findings import Finding, Rule
from wizard.known import known_in
from wizard.language import Message, joined
from wizard.librechat.access import Access
from wizard.librechat.characters import SPACES, URL_SPACES, visible
from wizard.librechat.checkout import look_at, text_of
from wizard.librechat.compose.deployment import Deployment, read_deployment
from wizard.librechat.compose.sources import Sources
from wizard.librechat.config_file import CONFIG_PATH, ConfigFile, find_config
from wizard.librechat.env_file import Assignment, EnvFile
from wizard.librechat.env_store import EnvStore
from wizard.librechat.environment import (
    Container,
    Environment,
    Origin,
    Setting,
    environment_of,
    of_process,
)
from wizard.librechat.git_index import is_tracked
from wizard.librechat.runner import UNKNOWN, Runner, evidence_of, judge
from wizard.librechat.running import Instance
from wizard.librechat.secrets import secrets_of, without_forms
from wizard.librechat.traces import NOTHING, Traces, traces_of
from wizard.librechat.variables import VARIABLES, is_enabled, is_known, is_read, is_secret
from wizard.librechat.version_gates import Setup
from wizard.librechat.versions import is_older
from wizard.processes import Processes
from wizard.settings import (
    TYPOGRAPHIC_QUOTES,
    InvalidValue,
    Settings,
    parse_audiences,
    port_in,
)
from wizard.text import MASK, Secrets
from wizard.threads import begin

SHOWN_LENGTH = 80
_LONGEST_PREFIX = 24  # of `- NAME=`, `set NAME=`, `$env:NAME =`
_ORIGIN = re.compile(r"https?://[^/?#\s]+", re.IGNORECASE)
_REFERENCE = re.compile(r"\$\{[A-Za-z_]\w*[^}]*\}")
_EXAMPLE_NAME = re.compile(r"^[ \t]*+(?:#[ \t]*+)?([A-Z][A-Z0-9_]*)=", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Facts about the file; None if the system does not know."""

    access: Access | None = None
    is_tracked: bool = False
    changed: float | None = None


@dataclass(frozen=True)
class Subject:
    """One `.env`, and everything else that decides what LibreChat reads.

    Attributes:
        path: the file.
        file: its text.
        facts: its owner and mode.
        deployment: how Docker Compose runs LibreChat here.
        environ: the shell's variables, which beat the file for a LibreChat started in it.
        example_names: the names in this LibreChat's own `.env.example`, which knows best.
        runner: who runs LibreChat.
        traces: what its process left.
        instance: what the running LibreChat answered, None when it was not asked.
    """

    path: Path
    file: EnvFile
    facts: FileFacts = FileFacts()
    deployment: Deployment = field(default_factory=Deployment)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    example_names: frozenset[str] = frozenset()
    runner: Runner = UNKNOWN
    traces: Traces = NOTHING
    instance: Instance | None = None

    @cached_property
    def container(self) -> Container | None:
        """What LibreChat's container gets of Docker Compose; None where that does not run it."""
        return None if self.runner.is_npm else self.deployment.container(self.file)

    @property
    def is_delivered(self) -> bool:
        """Whether the `.env` itself reaches LibreChat."""
        if self.container is None or self.container.reads_env_file:
            return True
        return self.deployment.sets_variables_of_env_file

    @property
    def is_forgotten(self) -> bool:
        """Whether LibreChat gets no sign-in, or that of another file: LA501."""
        container = self.container
        if container is None or self.is_delivered:
            return False
        setting = {**container.dotenv, **container.variables}.get("OPENID_CLIENT_ID")
        return setting is None or setting.origin is Origin.OTHER_ENV_FILE

    @cached_property
    def environment(self) -> Environment:
        """What LibreChat gets, each variable with its origin.

        Where the `.env` is forgotten, it is judged as it would be read.
        """
        if self.container is not None and self.is_forgotten:
            own = {
                name: each
                for name, each in self.container.variables.items()
                if each.origin is not Origin.OTHER_ENV_FILE
            }
            return environment_of(self.file, Container(own, reads_env_file=True))
        known = {
            name: value
            for name, value in self._outer.items()
            if is_known(name) or name == CONFIG_PATH
        }
        return environment_of(self.file, self.container, of_process(known))

    @property
    def _outer(self) -> Mapping[str, str]:
        """The variables of LibreChat's process, else of the shell that it is started in.

        A process that is older than the file may have got the file's older values, as systemd's
        EnvironmentFile passes them on: then a value counts that this shell has, too.
        """
        process = self.runner.process
        if self.runner.container is not None:
            return {}
        if process is None or process.environ is None:
            return self.environ
        if process.started and self.facts.changed and process.started > self.facts.changed:
            return process.environ
        return {
            name: value
            for name, value in process.environ.items()
            if name not in self.assignments or self.environ.get(name) == value
        }

    @cached_property
    def handed(self) -> Environment:
        """What LibreChat gets of others than the file, whatever the file says."""
        return {
            name: each
            for name, each in self.environment.items()
            if each.origin is not Origin.ENV_FILE
        }

    @cached_property
    def values(self) -> Mapping[str, str]:
        """The value of each variable that LibreChat gets."""
        return {name: each.value for name, each in self.environment.items()}

    @cached_property
    def distorted(self) -> tuple[str, ...]:
        """The variables with quotes of a Compose list, or with a reference, in their values."""
        return tuple(
            name
            for name, each in self.environment.items()
            if name in VARIABLES and _is_distorted(each)
        )

    @cached_property
    def config(self) -> ConfigFile:
        """The `librechat.yaml` that LibreChat reads."""
        service = None if self.runner.is_npm else self.deployment.service
        configured = self.value(CONFIG_PATH)
        return find_config(configured, service, self.path.parent, self.deployment.sources)

    @cached_property
    def assignments(self) -> Mapping[str, Assignment]:
        """The effective assignment of each name, which is the last one."""
        return {assignment.name: assignment for assignment in self.file.assignments}

    def value(self, name: str) -> str:
        """Return the value exactly as LibreChat reads it; "" for none."""
        return self.values.get(name, "")

    def bare(self, name: str) -> str:
        """The value without what has a rule of its own: LA153 and LA174."""
        return visible(self.value(name)).strip(TYPOGRAPHIC_QUOTES)

    def is_on(self, name: str) -> bool:
        """Return whether LibreChat reads the switch as on."""
        return is_enabled(self.values, name)

    @property
    def reuses_tokens(self) -> bool:
        """Whether LibreChat's sessions use Auth0's tokens."""
        name = "OPENID_REUSE_TOKENS"
        return self.is_on(name) and is_read(name, self.version)

    @property
    def audiences(self) -> tuple[str, ...]:
        """The valid API identifiers, in their order."""
        try:
            return parse_audiences(self.value("OPENID_AUDIENCE"))
        except InvalidValue:
            return ()

    @property
    def sent_audiences(self) -> tuple[str, ...]:
        """The API identifiers as LibreChat sends them: before 0.8.7 a list is one of them."""
        value = self.value("OPENID_AUDIENCE")
        if not is_read("OPENID_AUDIENCE", self.version):
            return ()
        return (value,) if value and self.runs_before("0.8.7") else self.audiences

    @property
    def sent_secret(self) -> str:
        """The client secret as LibreChat sends it: it trims it from 0.8.6 on."""
        secret = self.value("OPENID_CLIENT_SECRET")
        return secret if self.runs_before("0.8.6") else secret.strip(SPACES)

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes, separated as Auth0 does: by U+0020 only (RFC 6749, 3.3)."""
        return frozenset(filter(None, self.value("OPENID_SCOPE").split(" ")))

    @property
    def version(self) -> str:
        """The running version, "" if unknown."""
        return self.runner.version

    def runs_before(self, version: str) -> bool:
        """Whether LibreChat is known to be older than that."""
        return is_older(self.version, version)

    @property
    def setup(self) -> Setup:
        """The input of the version gates."""
        return Setup(
            self.version,
            self.reuses_tokens,
            self.audiences,
            bool(self.sent_secret),
            self.bare("DOMAIN_SERVER"),
            self.runner.because,
        )

    def line(self, assignment: Assignment) -> int:
        """The line of an assignment, counted from 1."""
        return self.file.line_of(assignment.start)

    def line_of(self, name: str) -> int | None:
        """The line of the effective assignment, None without one."""
        return self.line(self.assignments[name]) if name in self.assignments else None

    def seen(self, name: str) -> str:
        """The value that LibreChat gets and where it comes from; a secret is masked."""
        setting = self.environment.get(name)
        if setting is not None:
            return self._shown_at(name, setting)
        line = self.line_of(name)
        if line is None:
            return self._misplaced(name) or Message("{name} is not set.", name=name)
        return Message(
            "Line {line} sets {name}, but Docker Compose does not pass it on to LibreChat.",
            line=line,
            name=name,
        )

    def _shown_at(self, name: str, setting: Setting) -> Message:
        values = {"name": name, "value": self.shown(name), "line": setting.line}
        if setting.origin is Origin.ENV_FILE:
            return Message("Line {line}: {name}={value}", **values)
        if not setting.where:
            return Message("In {origin}: {name}={value}", origin=setting.origin.value, **values)
        if setting.line is None:
            return Message("{where}: {name}={value}", where=setting.where, **values)
        return Message("{where}, line {line}: {name}={value}", where=setting.where, **values)

    def _misplaced(self, name: str) -> Message | None:
        """The line that names a variable in a form that sets nothing: of Compose, a shell, JSON."""
        text = self.file.text
        for found in re.finditer(rf"(?<![\w.]){re.escape(name)}[\"']?[ \t]*[=:]", text):
            start = max(0, found.start() - _LONGEST_PREFIX)
            _, line_end, before = text[start : found.start()].rpartition("\n")
            is_whole = bool(line_end) or start == 0
            if is_whole and not {"#", "="} & set(before):
                return Message(
                    "{name} is not set. Line {line} names it, but LibreChat only reads lines of"
                    " the form NAME=value.",
                    name=name,
                    line=self.file.line_of(found.start()),
                )
        return None

    def seen_with(self, name: str, reason: str) -> Message:
        """The line, followed by a sentence on what is wrong with it."""
        return joined(". ", (self.seen(name), reason))

    def finding(
        self, rule: Rule, name: str, detail: str = "", *, fix: str | None = None
    ) -> Finding:
        """Create a finding for a variable; the default detail is its line."""
        return rule.finding(detail or self.seen(name), fix=fix, variable=name)

    def shown(self, name: str) -> str:
        """The value on one line, shortened, without secrets."""
        value = self.values.get(name, "")
        if value and is_secret(name):
            return MASK
        return self.without_secrets(value)

    def without_secrets(self, text: str) -> str:
        """The first line of the text, shortened, without secrets."""
        lines = text.splitlines() if text.strip() else [""]
        line = self.hidden(lines[0])
        return line if len(line) <= SHOWN_LENGTH else f"{line[: SHOWN_LENGTH - 1]}…"

    def hidden(self, value: str) -> str:
        """Return foreign text without anything that is or looks like a secret."""
        shown = without_forms(self.secrets.hidden_in(value))
        return shown.encode("utf-8", "replace").decode()

    @cached_property
    def secrets(self) -> Secrets:
        """The secrets to mask everywhere."""
        written = ((each.name, each.value) for each in self.file.assignments)
        handed = (
            (name, each.value)
            for settings in (self.handed, *self.deployment.settings)
            for name, each in settings.items()
        )
        return secrets_of((*written, *handed))


def gather(
    store: EnvStore, content: bytes, environ: Mapping[str, str], processes: Processes
) -> Subject:
    """Gather the subject of a `.env` that was just read.

    Raises:
        Failure: the file is no text.
    """
    path, file = store.path, EnvFile.from_bytes(content)
    checkout = look_at(path.parent)
    values = {**file.values(), **environ}
    look = partial(store.machine, port_in(values))
    # Docker takes a while for each question; without it, a thread would take longer.
    looked = begin(look).result if processes.which("docker") else look
    deployment = read_deployment(checkout.folder, path, environ, processes)
    evidence = evidence_of(path, checkout, deployment, values)
    runner = judge(replace(evidence, machine=looked()))
    subject = Subject(
        path=path,
        file=file,
        facts=_facts(path),
        deployment=_as_it_runs(deployment, runner, processes),
        environ=environ,
        example_names=names_in(text_of(checkout.env_example)),
        runner=runner,
    )
    files = [path, *filter(None, [subject.config.path])]
    traces = traces_of(subject.runner, path.parent, subject.values, files, processes)
    return replace(subject, traces=traces)


def planned(path: Path, file: EnvFile, environ: Mapping[str, str], runner: Runner) -> Subject:
    """The subject of a file that is not written yet; its permissions are unknown."""
    checkout = look_at(path.parent)
    sources = Sources(texts={path.absolute(): file.text})
    return Subject(
        path=path,
        file=file,
        facts=FileFacts(is_tracked=is_tracked(path)),
        deployment=_as_it_runs(
            read_deployment(checkout.folder, path, environ, sources=sources), runner
        ),
        environ=environ,
        example_names=names_in(text_of(checkout.env_example)),
        runner=runner,
    )


def _as_it_runs(
    deployment: Deployment, runner: Runner, processes: Processes | None = None
) -> Deployment:
    """Return the deployment by the container that runs, where the folder says something else."""
    container = runner.container
    if container is None:
        return deployment
    if not runner.is_compose:
        return replace(deployment, running=container.as_service())
    files = tuple(map(Path, container.compose_files))
    if files and files != deployment.project.files and all(map(os.path.isfile, files)):
        environ = {**deployment.environ, "COMPOSE_FILE": os.pathsep.join(container.compose_files)}
        deployment = read_deployment(
            deployment.folder,
            deployment.env_file,
            environ,
            processes,
            sources=deployment.sources,
        )
    return replace(deployment, running=deployment.project.services.get(container.service))


def settings_of(subject: Subject) -> Settings | None:
    """Return what LibreChat asks the tenant, None while a value is invalid.

    A value with an invisible character is sent with it, as LibreChat sends it.
    """
    if subject.distorted:
        return None
    issuer = issuer_without_path(subject.value("OPENID_ISSUER").strip(URL_SPACES))
    secret = subject.sent_secret
    seen = {name: visible(value) for name, value in subject.values.items()}
    known = known_in({**seen, "OPENID_ISSUER": issuer})
    are_urls = _ORIGIN.fullmatch(issuer) and _ORIGIN.fullmatch(subject.bare("DOMAIN_SERVER"))
    if not (are_urls and known.domain and known.client_id) or (secret and not known.client_secret):
        return None
    return Settings(
        domain=known.domain,
        client_id=subject.value("OPENID_CLIENT_ID"),
        client_secret=secret or None,
        audiences=subject.sent_audiences,
        public_url=subject.value("DOMAIN_SERVER"),
        reuse_tokens=subject.reuses_tokens,
        own_scope=subject.value("OPENID_SCOPE") or None,
        callback_path=subject.value("OPENID_CALLBACK_URL"),
    )


def issuer_without_path(issuer: str) -> str:
    """The issuer without the metadata path, which LibreChat's OpenID client accepts too."""
    return issuer.removesuffix("/.well-known/openid-configuration").removesuffix("/")


def _is_distorted(setting: Setting) -> bool:
    value = setting.value
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return bool(_REFERENCE.search(value)) or (is_quoted and setting.origin is Origin.COMPOSE)


def of_the_table(subject: Subject) -> Iterator[Assignment]:
    """The effective assignments of known variables, in the file's order."""
    for name, assignment in subject.assignments.items():
        if name in VARIABLES:
            yield assignment


def names_in(example: str) -> frozenset[str]:
    """Return the names that a `.env.example` sets or comments out."""
    return frozenset(_EXAMPLE_NAME.findall(example))


def _facts(path: Path) -> FileFacts:
    status = path.stat()
    access = Access.of(status) if os.name == "posix" else None
    return FileFacts(access, is_tracked(path), status.st_mtime)
