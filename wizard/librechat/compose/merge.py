"""How Docker Compose merges one file's service into that of another.

Source: https://docs.docker.com/reference/compose-file/merge/; compose-go v2, override/merge.go and
override/uncity.go (so spelled).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from wizard.librechat.compose.model import as_list, is_path, scalar, split_volume
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
    if key == "build":
        base, over = _long_build(base), _long_build(over)
    if key in _UNIQUE_BY:
        by = _UNIQUE_BY[key]
        return [*{by(each): each for each in (*as_list(base), *as_list(over))}.values()]
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


def _long_build(build: object) -> object:
    return {"context": build} if isinstance(build, str) else build


def _settled(value: object) -> object:
    """Return a value that is merged into nothing: its tags have no effect there."""
    return type(value)(merged({}, value)) if isinstance(value, dict) else value


def _target(volume: object) -> str:
    is_long = isinstance(volume, Mapping)
    return scalar(volume.get("target")) if is_long else split_volume(scalar(volume))[1]  # type: ignore[attr-defined]


def _path(env_file: object) -> str:
    return scalar(env_file.get("path") if isinstance(env_file, Mapping) else env_file)


# Lists in which an entry takes the place of one like it.
_UNIQUE_BY: Mapping[str, Callable[[object], str]] = {"volumes": _target, "env_file": _path}


def rebased(service: Mapping[str, object], inner: Path, outer: Path) -> Tree:
    """Return the service with its relative paths, which start at `inner`, as seen from `outer`."""
    result = {**service}
    if "env_file" in service:
        way = os.path.relpath(inner, outer)
        result["env_file"] = [_rebased_file(each, way) for each in as_list(service["env_file"])]
    if "volumes" in service:
        result["volumes"] = [_rebased_volume(each, inner) for each in as_list(service["volumes"])]
    return result


def _rebased_file(entry: object, way: str) -> object:
    """Return the entry with a path that Compose finds equal to one of the outer file."""
    path = os.path.normpath(os.path.join(way, _path(entry)))  # noqa: PTH118 - a path without ./
    return {**entry, "path": path} if isinstance(entry, Mapping) else path


def _rebased_volume(entry: object, folder: Path) -> object:
    if isinstance(entry, Mapping):
        source = scalar(entry.get("source"))
        is_relative = entry.get("type", "bind") == "bind" and source and source[0] not in "/~"
        return {**entry, "source": str(folder / source)} if is_relative else entry
    text = scalar(entry)
    source, _ = split_volume(text)
    is_relative = is_path(source) and source[0] not in "/~"
    return f"{folder / source}{text[len(source) :]}" if is_relative else entry
