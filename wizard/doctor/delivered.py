"""What LibreChat gets: its environment, each variable with its origin, and its configuration."""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from wizard.librechat.characters import SPACES, visible
from wizard.librechat.compose.deployment import Deployment
from wizard.librechat.config_file import CONFIG_PATH, ConfigFile, find_config
from wizard.librechat.env_file import Assignment, EnvFile
from wizard.librechat.environment import (
    Container,
    Environment,
    Origin,
    Setting,
    of_process,
    read_by_dotenv,
)
from wizard.librechat.log import NO_TRACES, Traces
from wizard.librechat.permissions import Permissions
from wizard.librechat.runner import UNKNOWN, Runner
from wizard.librechat.running import Instance
from wizard.librechat.variables import (
    INVENTED,
    VARIABLES,
    is_enabled,
    is_known,
    is_read,
    is_secret,
)
from wizard.librechat.version_gates import Setup
from wizard.librechat.versions import is_older
from wizard.settings import TYPOGRAPHIC_QUOTES, if_valid, parse_audiences
from wizard.text import LONG_SECRET

if TYPE_CHECKING:
    from wizard.auth0.access import Doors

# What is sent to the tenant and to the public URL.
_SENT = (
    "DOMAIN_CLIENT",
    "DOMAIN_SERVER",
    "OPENID_AUDIENCE",
    "OPENID_CALLBACK_URL",
    "OPENID_CLIENT_ID",
    "OPENID_CLIENT_SECRET",
    "OPENID_ISSUER",
    "OPENID_POST_LOGOUT_REDIRECT_URI",
    "OPENID_SCOPE",
)
# Without braces, a dollar sign may be a part of a value.
_REFERENCE = r"\$\{[A-Za-z_]\w*[^}]*\}|(?:\A|://)\$[A-Z_][A-Z0-9_]*\Z"


class FileFacts(NamedTuple):
    """Facts about the file; None if the system does not know."""

    access: Permissions | None = None
    is_tracked: bool = False
    changed: float | None = None


NO_FACTS = FileFacts()


class _Inputs(NamedTuple):
    path: Path
    file: EnvFile
    deployment: Deployment
    facts: FileFacts = NO_FACTS
    environ: Mapping[str, str] = MappingProxyType({})
    example_names: frozenset[str] = frozenset()
    runner: Runner = UNKNOWN
    traces: Traces = NO_TRACES
    instance: Instance | None = None
    auth0_doors: "Doors | None" = None


class Delivered(_Inputs):
    """One `.env`, and everything else that decides what LibreChat gets.

    Attributes:
        path: the file.
        file: its text.
        deployment: how Docker Compose runs LibreChat here.
        facts: its owner and mode.
        environ: the shell's variables, which beat the file for a LibreChat started in it.
        example_names: the names in this LibreChat's own `.env.example`, which knows best.
        runner: who runs LibreChat.
        traces: what its process left.
        instance: what the running LibreChat answered, None when it was not asked.
        auth0_doors: Auth0's ways in for strangers, None when the tenant was not asked.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path})"

    @cached_property
    def container(self) -> Container | None:
        """What Docker Compose sets for LibreChat's container; None if it does not run LibreChat."""
        return None if self.runner.is_npm else self.deployment.container(self.file)

    @property
    def is_forgotten(self) -> bool:
        """Whether LibreChat does not get this file's sign-in settings: LA501."""
        container, deployment = self.container, self.deployment
        is_read = deployment.reads_env_file or deployment.sets_variables_of_env_file
        if container is None or is_read:
            return False
        setting = container.environment.get("OPENID_CLIENT_ID")
        return setting is None or setting.origin is Origin.OTHER_ENV_FILE

    @cached_property
    def environment(self) -> Environment:
        """What LibreChat gets, each variable with its origin.

        Where the `.env` is forgotten, it is judged as it would be read.
        """
        container = self.container
        if container is None:
            others = of_process(
                {
                    name: value
                    for name, value in self._outer.items()
                    if is_known(name) or name == CONFIG_PATH
                }
            )
        elif self.is_forgotten:
            others = {
                name: each
                for name, each in container.variables.items()
                if each.origin is not Origin.OTHER_ENV_FILE
            }
        else:
            return container.environment
        return {**read_by_dotenv(self.file), **others}

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
        """What LibreChat gets from elsewhere than the file."""
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
        """The variables with a reference, or with quotes that Docker kept, in their values."""
        return tuple(
            name
            for name, each in self.environment.items()
            if name in VARIABLES
            and (self._keeps_quotes(name, each) or re.search(_REFERENCE, each.value))
        )

    @cached_property
    def borrowed(self) -> Mapping[str, str]:
        """The variables to send whose values hold another from outside the folder, and that one.

        A stranger's Compose file could have us send a secret of this shell to a server of theirs.
        """
        taken = self.deployment.project.borrowed if self.container is not None else {}
        return {
            name: other
            for other, each in taken.items()
            for name in _SENT
            if len(each.value) >= LONG_SECRET
            and each.value.lower() in self.value(name).lower()
            and name != other
            and (is_secret(other) or not (is_known(other) or other in INVENTED))
        }

    def _keeps_quotes(self, name: str, setting: Setting) -> bool:
        value, own = setting.value, self.assignments.get(name)
        is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\"`"
        is_of_file = own is not None and own.value == value  # LA153
        return is_quoted and not is_of_file and setting.origin is not Origin.SHELL

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
        return if_valid(parse_audiences, self.value("OPENID_AUDIENCE")) or ()

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
