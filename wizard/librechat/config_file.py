"""LibreChat's own configuration file, `librechat.yaml`: which one LibreChat reads, and its content.

Source: api/server/services/Config/loadCustomConfig.js.
"""

import posixpath
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from wizard.language import Message
from wizard.librechat.compose.model import Service, Trouble
from wizard.librechat.compose.sources import MAX_YAML_BYTES, Sources
from wizard.librechat.compose.text import ComposeError
from wizard.librechat.compose.yaml import read_yaml

CONFIG_PATH = "CONFIG_PATH"
FILE_NAME = "librechat.yaml"
# Where both of LibreChat's images look for it.
_DEFAULT_TARGET = f"/app/{FILE_NAME}"
_REMOTE = r"https?://"
_LISTS = frozenset({"allowedDomains", "socialLogins"})  # of `registration`
# What js-yaml reads as a space and PyYAML does not; a tab is an error to both in an indent.
_ODD_SPACE = r"(?m)^(?P<indent>[ \t]*)(?=[^ \t\r\n#])|[\t\x85\u2028\u2029]"


class ConfigFile(NamedTuple):
    """The file that LibreChat reads.

    Attributes:
        path: on this machine, None where the container sees none of this machine there.
        target: where LibreChat looks for it in a container, "" without one.
        is_remote: whether LibreChat fetches it by HTTP.
        content: None where it is not there, or cannot be read; `trouble` says why.
    """

    named: str = FILE_NAME
    path: Path | None = None
    target: str = ""
    is_remote: bool = False
    content: Mapping[str, object] | None = None
    trouble: str = ""

    def __repr__(self) -> str:
        return f"ConfigFile({self.named!r})"

    @property
    def is_there(self) -> bool:
        """Whether LibreChat finds it, if only broken; not known of a remote one."""
        return self.content is not None or bool(self.trouble)

    @property
    def misshapen(self) -> str:
        """Why LibreChat's schema refuses the part on who may sign in, "" where it does not.

        Source: `configSchema` in packages/data-provider/src/config.ts.
        """
        content = self.content or {}
        for name in sorted(_LISTS & {*content}):
            return Message("{name} belongs under registration", name=name)
        if "registration" not in content:
            return ""
        registration = content["registration"]
        if not isinstance(registration, Mapping):
            return Message("registration is not a mapping of names to values")
        for name in sorted(_LISTS & {*registration}):
            if not (isinstance(listed := registration[name], list) and _are_texts(listed)):
                return Message("registration.{name} is not a list of texts", name=name)
        return ""

    def path_in(self, folder: Path) -> Path | None:
        """Return its path; where the container sees none, the one to mount from the folder."""
        return self.path or (folder / FILE_NAME if self.named == FILE_NAME else None)

    def part(self, *keys: str) -> object:
        """Return what the file has under these keys, None for nothing."""
        found: object = self.content
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found


def _are_texts(values: Sequence[object]) -> bool:
    return all(isinstance(each, str) for each in values)


def find_config(
    configured: str, service: Service | None, folder: Path, sources: Sources
) -> ConfigFile:
    """Return the configuration file; `configured` is the value of CONFIG_PATH."""
    if re.match(_REMOTE, configured):
        return ConfigFile(configured, is_remote=True)
    if service is None:
        return read_config(folder / (configured or FILE_NAME), sources, named=configured)
    target = _DEFAULT_TARGET
    if configured:
        target = posixpath.normpath(posixpath.join(service.folder, configured))
    path = service.source_of(target)
    if path is None:
        return ConfigFile(configured or FILE_NAME, target=target)
    return read_config(path, sources, named=configured, target=target)


def read_config(path: Path, sources: Sources, *, named: str = "", target: str = "") -> ConfigFile:
    """Return a configuration file of this machine."""
    content: object = None
    trouble = ""
    try:
        text = sources.text(path, MAX_YAML_BYTES)
        if text is not None:
            content = read_yaml(with_plain_spaces(text)) or {}
    except ComposeError as error:
        trouble = Trouble(error.reason, path, error.line).at_line
    if content is not None and not isinstance(content, dict):
        content, trouble = None, Message("it is not a mapping of names to values")
    return ConfigFile(
        named or FILE_NAME,
        path,
        target,
        content=content,
        trouble=trouble,
    )


def with_plain_spaces(text: str) -> str:
    """Return the text, of the same length, so that PyYAML finds what LibreChat's js-yaml finds."""
    return re.sub(_ODD_SPACE, lambda found: found[0] if found["indent"] is not None else " ", text)
