"""The input of all rules, gathered once from the folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path

from wizard.doctor.delivered import Delivered, FileFacts
from wizard.known import known_in
from wizard.language import Message, joined
from wizard.librechat.characters import URL_SPACES, visible
from wizard.librechat.checkout import look_at, text_of
from wizard.librechat.compose.deployment import Deployment, read_deployment
from wizard.librechat.compose.sources import Sources
from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_store import EnvStore
from wizard.librechat.environment import Origin, Setting
from wizard.librechat.git_index import is_tracked
from wizard.librechat.log import traces_of
from wizard.librechat.permissions import Permissions
from wizard.librechat.runner import Evidence, Runner, judge
from wizard.librechat.secrets import secrets_of, without_forms
from wizard.librechat.variables import VARIABLES, Section, is_secret
from wizard.settings import LOGOUT_PATH, METADATA_PATH, Settings, host_of, is_tenant_domain, port_in
from wizard.system.processes import Processes
from wizard.system.threads import begin
from wizard.text import MASK, Secrets, shortened

SHOWN_LENGTH = 80
_LONGEST_PREFIX = 24  # of `- NAME=`, `set NAME=`, `$env:NAME =`
_ORIGIN = r"(?i)https?://[^/?#\s]+"
_EXAMPLE_NAME = r"(?m)^[ \t]*+(?:#[ \t]*+)?([A-Z][A-Z0-9_]*)="


class Subject(Delivered):
    """What LibreChat gets, and how findings show it: by line and origin, without secrets."""

    def line_of(self, name: str) -> int | None:
        """The line of the effective assignment, counted from 1, None without one."""
        assignment = self.assignments.get(name)
        return self.file.line_of(assignment.start) if assignment else None

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

    def seen_with(self, name: str, reason: str) -> str:
        """The line, followed by a sentence on what is wrong with it; "" without a reason."""
        return joined(". ", (self.seen(name), reason)) if reason else ""

    def overriding(self, name: str) -> Setting | None:
        """What LibreChat gets from elsewhere in place of the file's value, None for nothing."""
        setting, own = self.handed.get(name), self.assignments.get(name)
        return setting if setting and own and setting.value != own.value else None

    def shown(self, name: str) -> str:
        """The value on one line, shortened, without secrets."""
        value = self.values.get(name, "")
        if value and is_secret(name):
            return MASK
        return self.without_secrets(value)

    def without_secrets(self, text: str) -> str:
        """The first line of the text, shortened, without secrets."""
        lines = text.splitlines() if text.strip() else [""]
        return shortened(self.hidden(lines[0]), SHOWN_LENGTH)

    def hidden(self, value: str) -> str:
        """Return foreign text without anything that is or looks like a secret."""
        shown = without_forms(self.secrets.hidden_in(value))
        return shown.encode("utf-8", "replace").decode()

    @cached_property
    def secrets(self) -> Secrets:
        """The secrets to mask everywhere."""
        written = ((each.name, each.value) for each in self.file.assignments)
        services = self.deployment.project.services.values()
        handed = (
            (name, each.value)
            for settings in (self.handed, *(each.settings for each in services))
            for name, each in settings.items()
        )
        borrowed = self.deployment.project.borrowed
        taken = (borrowed[other].value for other in self.borrowed.values())
        return Secrets({*secrets_of((*written, *handed)).values, *taken})


def gather(
    store: EnvStore, content: bytes, environ: Mapping[str, str], processes: Processes
) -> Subject:
    """Gather the subject of a `.env` that was just read.

    Raises:
        Failure: the file is no text.
    """
    path, file = store.path, EnvFile.from_bytes(content)
    checkout = look_at(path.parent)
    port = port_in({**file.values(), **environ})
    look = partial(store.machine, port)
    # Docker takes a while for each question; without it, a thread would take longer.
    looked = begin(look).result if processes.which("docker") else look
    deployment = read_deployment(checkout.folder, path, environ, processes)
    runner = judge(Evidence(checkout, deployment, port, looked()))
    status = path.stat()
    access = Permissions.of(status) if os.name == "posix" else None
    subject = Subject(
        path=path,
        file=file,
        facts=FileFacts(access, is_tracked(path), status.st_mtime),
        deployment=_as_it_runs(deployment, runner, processes),
        environ=environ,
        example_names=names_in(text_of(checkout.env_example)),
        runner=runner,
    )
    files = [path, *filter(None, [subject.config.path])]
    traces = traces_of(subject.runner, path.parent, subject.values, files, processes)
    return subject._replace(traces=traces)


def planned(path: Path, file: EnvFile, environ: Mapping[str, str], runner: Runner) -> Subject:
    """The subject of a file that is not written yet; its permissions are unknown."""
    checkout = look_at(path.parent)
    sources = Sources({path.absolute(): file.text})
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
        return deployment._replace(running=container.definition)
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
    return deployment._replace(running=deployment.project.services.get(container.service))


def settings_of(subject: Subject) -> Settings | None:
    """Return what LibreChat asks the tenant, None while a value is invalid or must not be sent.

    A value with an invisible character is sent with it, as LibreChat sends it.
    """
    if subject.distorted or subject.borrowed:
        return None
    issuer = issuer_without_path(subject.value("OPENID_ISSUER").strip(URL_SPACES))
    secret = subject.sent_secret
    seen = {name: visible(value) for name, value in subject.values.items()}
    known = known_in({**seen, "OPENID_ISSUER": issuer})
    are_urls = all(re.fullmatch(_ORIGIN, url) for url in (issuer, subject.bare("DOMAIN_SERVER")))
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
        logout_url=_logout_url(subject),
    )


def _logout_url(subject: Subject) -> str:
    """Where a sign-out ends (api/server/controllers/auth/LogoutController.js)."""
    if not subject.is_on("OPENID_USE_END_SESSION_ENDPOINT"):
        return ""
    own = subject.value("OPENID_POST_LOGOUT_REDIRECT_URI")
    return own or f"{subject.value('DOMAIN_CLIENT')}{LOGOUT_PATH}"


def foreign_issuer(subject: Subject) -> str:
    """Return an issuer to ask, with a path at a host that is not Auth0's own; "" for any other.

    Auth0's issuers have none; those of other providers may.
    """
    issuer = subject.value("OPENID_ISSUER").strip(URL_SPACES)
    bare = issuer_without_path(issuer)
    found = re.match(_ORIGIN, bare)
    has_path = found is not None and bare.lower().startswith("https://") and found[0] != bare
    is_foreign = has_path and not is_tenant_domain(host_of(bare))
    return issuer if is_foreign and not subject.borrowed else ""


def issuer_without_path(issuer: str) -> str:
    """The issuer without the metadata path, which LibreChat's OpenID client accepts too."""
    return issuer.removesuffix(METADATA_PATH).removesuffix("/")


def of_the_table(subject: Subject) -> list[str]:
    """The known variables that the file sets, in its order."""
    return [name for name in subject.assignments if name in VARIABLES]


def is_of_sign_in(name: str) -> bool:
    """Whether the variable is one of those that decide a sign-in."""
    variable = VARIABLES.get(name)
    is_listed = variable is not None and variable.section in (Section.OPENID, Section.LOGIN)
    return is_listed or name in ("DOMAIN_CLIENT", "DOMAIN_SERVER")


def names_in(example: str) -> frozenset[str]:
    """Return the names that a `.env.example` sets or comments out."""
    return frozenset(re.findall(_EXAMPLE_NAME, example))
