"""YAML as Docker Compose reads it: version 1.2's scalars, and the tags `!override` and `!reset`."""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from wizard.language import Message
from wizard.librechat.compose.text import ComposeError

if TYPE_CHECKING:
    import yaml

T = TypeVar("T")
# Entries of all mappings, their merges (`<<`) written out: nested ones multiply, and a file of one
# kilobyte can hold more than a computer has memory for.
MOST_ENTRIES = 50_000
# Those of 64 bits have fewer.
_LONGEST_INTEGER = 24
_LARGEST_WITHOUT_EXPONENT = 1e21
# What PyYAML quotes of the file: names of aliases, anchors and tags.
_NAME_IN_PROBLEM = r"(?s)\b(alias|anchor|tag|handle) (['\"]).*\2"
_MERGE = "tag:yaml.org,2002:merge"


class TooManyEntriesError(ComposeError):
    """Its merges (`<<`) hold more entries than any file that LibreChat runs by."""


class Text(str):
    """A text of the file, and its line, counted from 1; None where that is not known."""

    __slots__ = ("line",)
    line: int | None

    @classmethod
    def at(cls, place: object, text: str) -> "Text":
        """Return the text with the line of another value."""
        found = cls(text)
        found.line = getattr(place, "line", None)
        return found


class Override(NamedTuple):
    """A value that takes the place of the one below it, instead of being merged into it."""

    value: object


class Reset:
    """A value that takes away the one below it."""


@lru_cache(maxsize=16)
def read_yaml(text: str) -> object:
    """Return the content; None where there is none. A command reads the same files several times.

    Raises:
        ComposeError: it is no YAML, nested too deeply, or its merges hold too many entries.
    """
    return _loaded(text, lambda loader, root: root and loader.construct_document(root))


def compose_yaml(text: str) -> "yaml.Node | None":
    """Return the root of the document, whose nodes know their places; None for an empty one.

    Raises:
        ComposeError: as for `read_yaml`.
    """
    return _loaded(text, lambda _, root: root)


def _loaded(text: str, use: "Callable[[Any, yaml.Node | None], T]") -> T:
    import yaml

    try:
        loader = _loader()(text)
    except yaml.YAMLError as error:  # a character that no YAML has
        raise ComposeError(str(getattr(error, "reason", error))) from None
    try:
        root = loader.get_single_node()
        if root is not None and _entries_of(root, {}) > MOST_ENTRIES:
            raise TooManyEntriesError(Message("its merges (<<) hold too many entries"))
        return use(loader, root)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or error)
        # A password that begins with * or ! and has no quotes is such a name.
        problem = re.sub(_NAME_IN_PROBLEM, r"\1 '…'", problem)
        raise ComposeError(problem, mark.line + 1 if mark else None) from None
    except RecursionError:
        raise ComposeError(Message("it is nested too deeply")) from None
    except ComposeError:
        raise
    except (ValueError, LookupError, AttributeError):  # PyYAML's, of a value with an explicit tag
        raise ComposeError(Message("a value cannot be read")) from None
    finally:
        loader.dispose()


@cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """SafeLoader with the scalars of YAML 1.2: `yes` and `22:22` are texts."""

        def flatten_mapping(self, node: "yaml.MappingNode") -> None:
            """Merge `<<`; the mapping's own names, which know their lines, replace merged ones."""
            super().flatten_mapping(node)
            last = {
                key.value if isinstance(key, yaml.ScalarNode) else id(key): (key, value)
                for key, value in node.value
            }
            node.value = [*last.values()]

    Loader.yaml_implicit_resolvers = {}
    for tag, pattern, first in (
        ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
        ("null", r"~|null|Null|NULL|", "~nN\0"),
        ("merge", r"<<", "<"),
        ("int", r"[-+]?(?:0|[1-9][0-9_]*|0o?[0-7_]+|0x[0-9a-fA-F_]+)", "-+0123456789"),
        ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ):
        regex = re.compile(rf"(?:{pattern})\Z")
        letters = [*first.replace("\0", ""), ""] if "\0" in first else [*first]
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", regex, letters)
    Loader.add_constructor("tag:yaml.org,2002:str", _text)
    Loader.add_constructor("tag:yaml.org,2002:int", _integer)
    Loader.add_constructor("tag:yaml.org,2002:float", lambda _loader, node: _float(node.value))
    Loader.add_constructor("!reset", lambda _loader, _node: Reset())
    Loader.add_constructor("!override", _overriding)
    return Loader


def _text(_loader: Any, node: "yaml.ScalarNode") -> Text:
    text = Text(node.value)
    text.line = node.start_mark.line + 1
    return text


def _integer(loader: Any, node: "yaml.ScalarNode") -> object:
    """Return the number; Go reads a leading 0 as octal, as YAML 1.1 did, which PyYAML reads."""
    node.value = node.value.replace("0o", "0")
    is_long = len(node.value) > _LONGEST_INTEGER
    return _float(node.value) if is_long else loader.construct_yaml_int(node)


def _float(text: str) -> str:
    """Return the number as Go writes it: without an exponent up to 21 digits."""
    number = float(text)
    if number == int(number) and abs(number) < _LARGEST_WITHOUT_EXPONENT:
        return str(int(number))
    return str(number)


def _overriding(loader: Any, node: "yaml.Node") -> Override:
    import yaml

    tag = loader.resolve(type(node), node.value, (True, False))
    plain = type(node)(tag, node.value, node.start_mark, node.end_mark)
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(plain)
    return Override(loader.construct_object(plain, deep=True))


def _entries_of(node: "yaml.Node", seen: dict[int, int]) -> int:
    """Return the entries of all mappings from here on, with those that are merged into them.

    `seen` holds each mapping's own, so that an alias is counted where it is merged alone.

    Raises:
        ComposeError: a name occurs twice, which neither js-yaml nor Docker Compose accepts.
    """
    import yaml

    if id(node) in seen or not isinstance(node, yaml.CollectionNode):
        return 0
    seen[id(node)] = 0  # a node may hold itself
    if isinstance(node, yaml.SequenceNode):
        return sum(_entries_of(each, seen) for each in node.value)
    within, own = 0, len(node.value)
    names = set()
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
            if key.value in names:
                raise ComposeError(Message("a name occurs twice"), key.start_mark.line + 1)
            names.add(key.value)
        within += _entries_of(key, seen) + _entries_of(value, seen)
        if key.tag == _MERGE:
            merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
            own += sum(seen.get(id(each), 0) for each in merged)
    seen[id(node)] = own
    return within + own
