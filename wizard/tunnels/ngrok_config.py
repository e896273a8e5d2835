"""ngrok's own configuration file: reads it, and saves the authtoken in it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from wizard.language import Message
from wizard.settings import InvalidValue
from wizard.system.os_errors import place_of, refusal, remedy
from wizard.system.platforms import home_folder
from wizard.system.private_files import write_whole
from wizard.system.reading import read_file
from wizard.tunnels.ngrok_errors import BAD_CONFIGURATION, MALFORMED_TOKEN, TOKEN_NOT_SAVED

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 1 << 20

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,200}\Z")
# Settings that hide the agent's API or log from us (pyngrok 9.1, installer.py,
# `_validate_config_values`).
_PITFALLS: Mapping[Message, Callable[[Mapping[str, object]], bool]] = {
    Message("remove `web_addr: false`: the tunnel is opened with the agent's API"): (
        lambda settings: settings.get("web_addr") is False
    ),
    Message("remove `log_format: json`: the wizard cannot read the agent's log in that format"): (
        lambda settings: settings.get("log_format") == "json"
    ),
    Message(
        "set `log_level` to info or remove it: otherwise the log does not show when the agent is"
        " ready"
    ): (lambda settings: settings.get("log_level", "info") not in {"info", "debug"}),
}

_NO_MAPPING = Message("it is not a mapping of settings")


@dataclass(frozen=True, slots=True)
class Configuration:
    """The content of ngrok's file; `path` is where it would be if it does not exist."""

    path: Path
    exists: bool = False
    document: Mapping[str, object] = field(default_factory=dict, repr=False)

    @property
    def version(self) -> str:
        """The version of the file's form: 3 has its settings below `agent`."""
        return _version(self.document)

    @property
    def is_outdated(self) -> bool:
        """Whether agent 3 refuses the file's form: it has no version, or the token at the top.

        Agent 2 wrote the first, agent 3.15.0 the second (ngrok issues 34 and 39). Read, not run.
        """
        is_misplaced = self.version == "3" and "authtoken" in self.document
        return bool(self.document) and ("version" not in self.document or is_misplaced)

    @property
    def settings(self) -> Mapping[str, object]:
        """The agent's settings: below `agent` in version 3, at the top in version 2."""
        if self.version != "3":
            return self.document
        return cast("Mapping[str, object]", self.document.get("agent") or {})

    @property
    def token(self) -> str:
        """The authtoken, or ""."""
        return str(self.settings.get("authtoken") or self.document.get("authtoken") or "")

    @property
    def web_address(self) -> str:
        """The configured address of the agent's API, "" for the default."""
        return str(self.settings.get("web_addr") or "")

    def without_secrets(self) -> str:
        """Return a file with the agent's settings and without credentials."""
        import yaml

        kept = {
            name: value
            for name, value in self.settings.items()
            if name not in {"version", "authtoken", "api_key", "tunnels"}
        }
        document = {"agent": kept} if self.version == "3" else kept
        return yaml.safe_dump({"version": self.version, **document}, sort_keys=False)


def _version(document: Mapping[str, object]) -> str:
    """Return the version that the file has, else the one that its form is of."""
    return str(document.get("version") or ("2" if document and "agent" not in document else "3"))


def directory(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Return the folder of ngrok's program and configuration, as pyngrok and the agent use it."""
    home = home_folder(environ, platform)
    if platform == "darwin":
        return home / "Library" / "Application Support" / "ngrok"
    if platform == "win32":
        return home / "AppData" / "Local" / "ngrok"
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "ngrok"


def read(environ: Mapping[str, str]) -> Configuration:
    """Read ngrok's own file; raise LA312 if that fails or a setting prevents a tunnel."""
    import yaml

    path = directory(environ) / "ngrok.yml"
    try:
        document = yaml.safe_load(_content(path))
    except FileNotFoundError:
        return Configuration(path)
    except (OSError, UnicodeDecodeError) as error:
        raise BAD_CONFIGURATION.failure(f"{path}: {error}") from error
    except (yaml.YAMLError, RecursionError) as error:
        # The error's own text may quote the authtoken.
        raise BAD_CONFIGURATION.failure(_not_yaml(path, error)) from error
    problem = _problem(document)
    if problem:
        raise BAD_CONFIGURATION.failure(_about(path, problem))
    return Configuration(path, exists=True, document=document or {})


def _content(path: Path) -> str:
    return read_file(path, MAX_BYTES).decode()


def known_token(environ: Mapping[str, str]) -> str:
    """Return the authtoken that ngrok would use, or ""; raise LA312."""
    return environ.get("NGROK_AUTHTOKEN", "").strip() or read(environ).token


def check_token(token: str) -> None:
    """Raise LA302 for what cannot be an authtoken."""
    if not _TOKEN.match(token):
        raise MALFORMED_TOKEN.failure("It has 20 or more letters, digits and underscores.")


def save_authtoken(token: str, environ: Mapping[str, str]) -> Path:
    """Save the authtoken in ngrok's own file, readable by its owner alone; return the path.

    ngrok's own command takes it as an argument, which every user of the machine can read. Raises
    LA302, LA312 or LA317.
    """
    check_token(token)
    configuration = read(environ)
    path = configuration.path
    try:
        text = _content(path) if configuration.exists else ""
        edited = with_token(text, token)
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(target, edited.encode(), prepare=_owned_like(target))
    except InvalidValue as invalid:
        raise TOKEN_NOT_SAVED.failure(_about(path, invalid.reason)) from invalid
    except OSError as error:
        place = place_of(error) or path
        fix = remedy(error, place)
        raise TOKEN_NOT_SAVED.failure(refusal(error, place), fix=fix) from error
    except ValueError as error:
        raise TOKEN_NOT_SAVED.failure(f"{path}: {error}") from error
    return path


def _owned_like(path: Path) -> Callable[[int], None]:
    """Keep the file's owner, or take the folder's, where root writes."""
    status = (path if path.exists() else path.parent).stat()

    def prepare(handle: int) -> None:
        if sys.platform != "win32" and os.geteuid() == 0:
            os.chown(handle, status.st_uid, status.st_gid)

    return prepare


def with_token(text: str, token: str) -> str:
    """Return the same configuration with this authtoken; raise InvalidValue if that is not safe."""
    import yaml

    before = yaml.safe_load(text)
    if before is None:
        return _appended(text, f"version: \"3\"\nagent:\n    authtoken: '{token}'\n")
    if not isinstance(before, dict):
        raise InvalidValue(_NO_MAPPING)
    version = _version(before)
    expected = {"version": version, **before}
    if version == "3":
        expected["agent"] = {**(before.get("agent") or {}), "authtoken": token}
    else:
        expected["authtoken"] = token
    try:
        edited = _spliced(text, token, version)
        if yaml.safe_load(edited) == expected:
            return edited
    except yaml.YAMLError:
        pass  # its text would quote the token
    raise InvalidValue("its format cannot be edited safely")


def _spliced(text: str, token: str, version: str) -> str:
    """Return the text with the token at the position that YAML's own parser gives.

    A version is put in front where there is none: agent 3 demands it.
    """
    import yaml

    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise yaml.YAMLError("another kind of document")
    entries = _entries(root)
    if "version" not in entries and not root.flow_style:
        start = root.start_mark.index
        return _spliced(f'{text[:start]}version: "{version}"\n{text[start:]}', token, version)
    if version != "3":
        return _set(text, root, token)
    if "agent" not in entries:
        return _appended(text, f"agent:\n    authtoken: '{token}'\n")
    agent = entries["agent"]
    if isinstance(agent, yaml.MappingNode):
        return _set(text, agent, token)
    start = agent.start_mark.index
    return f"{text[:start]}\n    authtoken: '{token}'{text[start:]}"


def _set(text: str, mapping: yaml.MappingNode, token: str) -> str:
    """Return the text with the token as an entry of this mapping."""
    if old := _entries(mapping).get("authtoken"):
        return f"{text[: old.start_mark.index]}'{token}'{text[old.end_mark.index :]}"
    start = mapping.start_mark
    if mapping.flow_style:
        comma = ", " if mapping.value else ""
        return f"{text[: start.index + 1]}authtoken: '{token}'{comma}{text[start.index + 1 :]}"
    return f"{text[: start.index]}authtoken: '{token}'\n{' ' * start.column}{text[start.index :]}"


def _appended(text: str, lines: str) -> str:
    whole = not text or text.endswith("\n")
    return f"{text}{lines}" if whole else f"{text}\n{lines}"


def _entries(mapping: yaml.MappingNode) -> dict[str, yaml.Node]:
    return {key.value: value for key, value in mapping.value}


def _problem(document: object) -> str:
    """Return what in the file prevents a tunnel, or ""."""
    if not isinstance(document, dict | None):
        return _NO_MAPPING
    settings: Any = document or {}
    if _version(settings) == "3":
        settings = settings.get("agent", {})
    if not isinstance(settings, dict):
        return Message("`agent:` has no settings below it")
    return next((text for text, wrong in _PITFALLS.items() if wrong(settings)), "")


def _about(path: Path, problem: str) -> Message:
    return Message("{file}: {problem}", file=path, problem=problem)


def _not_yaml(path: Path, error: Exception) -> Message:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return Message("{file} is not YAML", file=path)
    return Message(
        "{file} is not YAML (line {line}, column {column})",
        file=path,
        line=mark.line + 1,
        column=mark.column + 1,
    )
