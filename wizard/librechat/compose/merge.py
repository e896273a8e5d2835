"""How Docker Compose merges one file's service into that of another.

Source: https://docs.docker.com/reference/compose-file/merge/; compose-go v2, override/merge.go and
override/uncity.go (so spelled).
"""

from __future__ import annotations

from collections.abc import Mapping

from wizard.librechat.compose.model import as_list
from wizard.librechat.compose.yaml import Override, Reset

Tree = dict[str, object]

# Lists that an override replaces; it adds to all others.
_REPLACED = frozenset({"command"})


class Listed(dict[str, object]):
    """The variables of an `environment` that is a list, or that Compose made one by merging.

    A `!reset` of one variable finds nothing in there.
    """


def merged(base: Mapping[str, object], over: Mapping[str, object]) -> Tree:
    """Return a mapping with another one merged into it."""
    result: Tree = {**base}
    for key, value in over.items():
        if isinstance(value, Reset):
            result.pop(key, None)
        elif isinstance(value, Override):
            result[key] = _settled(value.value)
        elif key in result:
            result[key] = _merged_value(key, result[key], value)
        else:
            result[key] = _settled(value)
    return result


def _merged_value(key: str, base: object, over: object) -> object:
    if over is None or key in _REPLACED:
        return base if over is None else over
    if key == "environment" and isinstance(base, dict) and isinstance(over, dict):
        return _merged_environment(base, over)
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return merged(base, over)
    if isinstance(base, list) or isinstance(over, list):
        return [*as_list(base), *as_list(over)]
    return over


def _merged_environment(base: Tree, over: Tree) -> Listed:
    resets = {name for name, value in over.items() if isinstance(value, Reset)}
    kept = {
        name: value
        for name, value in base.items()
        if isinstance(base, Listed) or name not in resets
    }
    return Listed(kept | {name: value for name, value in over.items() if name not in resets})


def _settled(value: object) -> object:
    """Return a value that is merged into nothing: its tags have no effect there."""
    return type(value)(merged({}, value)) if isinstance(value, dict) else value
