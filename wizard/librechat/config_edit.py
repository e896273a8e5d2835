"""Edits `registration.allowedDomains` in a `librechat.yaml`; every other byte stays.

A library that writes YAML normalises quotes, indents and line ends of the whole file. So the parser
finds the places, the text is edited there, and the result is parsed again before it is used.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from wizard.findings import Failure
from wizard.language import Message
from wizard.librechat.compose.text import ComposeError
from wizard.librechat.compose.yaml import compose_yaml, read_yaml
from wizard.librechat.config_file import with_plain_spaces
from wizard.rules import rule

if TYPE_CHECKING:
    import yaml

NOT_EDITABLE = rule("LA539")

# LibreChat only logs that a newer version exists (api/server/services/Config/loadCustomConfig.js).
OLDEST_VERSION = "1.0.5"
_SECTION, _KEY = "registration", "allowedDomains"

# Where a text starts and ends, and what replaces it.
Splice = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class ConfigEdit:
    """The file after an edit, and the lines that it removes and adds."""

    after: bytes = field(repr=False)
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


def with_allowed_domains(content: bytes | None, domains: Sequence[str], path: str) -> ConfigEdit:
    """Return the edit that allows exactly these lower-case domains, without a line if it is so.

    Raises:
        Failure: LA539, the file cannot be edited without changing something else.
    """
    try:
        text = (content or b"").decode("utf-8")
        root = compose_yaml(with_plain_spaces(text))
        before = _Domains.of(text)
    except UnicodeDecodeError:
        raise _refused(path, domains, Message("It is not UTF-8 text.")) from None
    except ComposeError as error:
        raise _refused(path, domains, Message("{reason}.", reason=error.reason)) from None
    if before.listed == sorted(domains):
        return ConfigEdit(text.encode())
    for splices in _candidates(text, root, domains):
        edit = _edited(text, splices)
        with suppress(ComposeError):
            found = _Domains.of(edit.after.decode())
            if found.listed == sorted(domains) and (root is None or found.others == before.others):
                return edit
    raise _refused(path, domains, Message("Its format cannot be edited safely."))


class _Domains(NamedTuple):
    """The domains that a file allows, None for any, and all else that it says."""

    listed: list[str] | None
    others: object

    @classmethod
    def of(cls, text: str) -> "_Domains":
        content = read_yaml(with_plain_spaces(text))
        section = content.get(_SECTION) if isinstance(content, dict) else None
        if not isinstance(content, dict) or not isinstance(section, dict | None):
            return cls(None, content)
        listed = (section or {}).get(_KEY)
        rest = {name: each for name, each in (section or {}).items() if name != _KEY}
        if listed is not None and not isinstance(listed, list):
            return cls(None, content)
        domains = None if listed is None else sorted(str(each).lower() for each in listed)
        return cls(domains, {**content, _SECTION: rest})


def _refused(path: str, domains: Sequence[str], why: Message) -> Failure:
    flow = ", ".join(domains)
    fix = Message(
        "Write under registration in {file}: allowedDomains: [{domains}]. Then run the command"
        " again.",
        file=path,
        domains=flow,
    )
    return NOT_EDITABLE.failure(why, fix=fix)


def _candidates(
    text: str, root: "yaml.Node | None", domains: Sequence[str]
) -> Iterator[Sequence[Splice]]:
    """Yield edits that may do it, the most natural one first."""
    import yaml

    newline = "\r\n" if "\r\n" in text else "\n"
    if root is None:
        head = "" if text.endswith("\n") or not text else newline
        block = f'version: "{OLDEST_VERSION}"{newline}{newline}{_block(domains, "", newline)}'
        yield [(len(text), len(text), head + block)]
    if not isinstance(root, yaml.MappingNode):
        return
    section = _entry(root, _SECTION)
    if section is None:
        yield from _new_section(text, root, domains, newline)
        return
    if not isinstance(section, yaml.MappingNode):
        block = f"{newline}  {_KEY}:{_items(domains, ' ' * 4, newline)}"
        yield [(_start(section), _end(section), block)]
        return
    allowed = _entry(section, _KEY)
    if allowed is None:
        yield from _new_key(text, section, domains, newline)
        return
    if isinstance(allowed, yaml.SequenceNode) and not allowed.flow_style:
        yield _by_lines(text, allowed, domains, newline)
    padding = " " if text[_start(allowed) - 1] == ":" else ""
    yield [(_start(allowed), _end(allowed), padding + _flow(domains))]


def _new_section(
    text: str, root: "yaml.Node", domains: Sequence[str], newline: str
) -> Iterator[Sequence[Splice]]:
    yield from _in_flow(text, root, f'"{_SECTION}": {{"{_KEY}": {_flow(domains)}}}')
    block = _block(domains, "", newline)
    break_ = "" if text.endswith("\n") else newline
    yield [(len(text), len(text), f"{break_}{newline}{block}")]
    yield [(len(text), len(text), f"{break_}{block}")]
    start = _line_start(text, _start(root))
    indent = text[start : _start(root)]
    yield [(start, start, _block(domains, indent, newline))]


def _new_key(
    text: str, section: "yaml.Node", domains: Sequence[str], newline: str
) -> Iterator[Sequence[Splice]]:
    yield from _in_flow(text, section, f'"{_KEY}": {_flow(domains)}')
    if section.value:
        first = _start(section.value[0][0])
        start = _line_start(text, first)
        indent = text[start:first]
        items = _items(domains, f"{indent}  ", newline)
        yield [(start, start, f"{indent}{_KEY}:{items}{newline}")]


def _in_flow(text: str, node: "yaml.Node", entry: str) -> Iterator[Sequence[Splice]]:
    """Yield the edit that adds an entry to a mapping in braces."""
    import yaml

    start = text.find("{", _start(node))
    if isinstance(node, yaml.CollectionNode) and node.flow_style and start >= 0:
        separator = ", " if node.value else ""
        yield [(start + 1, start + 1, f"{entry}{separator}")]


def _by_lines(
    text: str, items: "yaml.Node", domains: Sequence[str], newline: str
) -> Sequence[Splice]:
    """Remove the lines of other domains, and add those that are missing below the last one."""
    splices = []
    present = set()
    dash, end = "", 0
    for item in items.value:
        start = _line_start(text, _start(item))
        dash, end = text[start : _start(item)], _line_end(text, _end(item))
        name = str(item.value).lower()
        if name in domains:
            present.add(name)
        else:
            splices.append((start, end, ""))
    missing = [domain for domain in domains if domain not in present]
    break_ = "" if text[:end].endswith("\n") else newline
    added = "".join(f'{dash}"{domain}"{newline}' for domain in missing)
    return [*splices, *([(end, end, f"{break_}{added}")] if missing else ())]


def _block(domains: Sequence[str], indent: str, newline: str) -> str:
    items = _items(domains, f"{indent}    ", newline)
    return f"{indent}{_SECTION}:{newline}{indent}  {_KEY}:{items}{newline}"


def _items(domains: Sequence[str], indent: str, newline: str) -> str:
    return "".join(f'{newline}{indent}- "{domain}"' for domain in domains)


def _flow(domains: Sequence[str]) -> str:
    quoted = ", ".join(f'"{domain}"' for domain in domains)
    return f"[{quoted}]"


def _entry(mapping: "yaml.Node", name: str) -> "yaml.Node | None":
    import yaml

    if isinstance(mapping, yaml.MappingNode):
        for key, value in mapping.value:
            if isinstance(key, yaml.ScalarNode) and key.value == name:
                found: yaml.Node = value
                return found
    return None


def _start(node: "yaml.Node") -> int:
    return int(node.start_mark.index)


def _end(node: "yaml.Node") -> int:
    """Return where the node ends; the parser ends a block only at the next token."""
    import yaml

    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    return int(node.end_mark.index)


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _line_end(text: str, index: int) -> int:
    return text.find("\n", index) + 1 or len(text)


def _edited(text: str, splices: Sequence[Splice]) -> ConfigEdit:
    after = text
    for start, end, new in sorted(splices, reverse=True):
        after = after[:start] + new + after[end:]
    return ConfigEdit(
        after.encode(),
        _lines("".join(text[start:end] for start, end, _ in splices)),
        _lines("".join(new for *_, new in splices)),
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for line in text.splitlines() if line.strip())
