"""Every regular expression of the program takes linear time, whatever the text."""

from __future__ import annotations

import ast
import functools
import importlib
import itertools
import operator
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

import wizard
from wizard.auth0 import error_table
from wizard.librechat import log, secrets, variables
from wizard.tunnels import devtunnel
from wizard.tunnels.child import ChildTunnel
from wizard.tunnels.cloudflared import CloudflaredTunnel
from wizard.tunnels.localtunnel import LocaltunnelTunnel
from wizard.ui import usage

ROOT = Path(wizard.__file__).parent
FLAGS = {"IGNORECASE", "ASCII", "MULTILINE"}
# Modules whose expressions are neither named constants nor literals.
OTHERS = {
    "commands/explain.py": [row.text for row in error_table.TABLE],
    "auth0/error_table.py": [meaning.text for meaning in error_table.TABLE],
    "doctor/subject.py": [
        r"^(?![ \t]*#)[^\r\n#=]{0,24}(?<![\w.])(?P<name>OPENID_ISSUER)[\"']?[ \t]*[=:]"
    ],
    "text.py": [r"(?<![^\W_])hunter2(?![^\W_])"],
    "librechat/log.py": [row.pattern for row in log._rows()],
    "librechat/secrets.py": [secrets._PREFIXED, secrets._GENERATED],
    "librechat/variables.py": [each.pattern for each in variables.Format],
    "ui/usage.py": [pattern for pattern, *_ in usage._MESSAGES],
    "tunnels/child.py": [
        each.withheld for each in (ChildTunnel, CloudflaredTunnel, LocaltunnelTunnel)
    ],
    "tunnels/devtunnel.py": [devtunnel._URL.format(port=3080)],
}
# The method for expressions used under another name; otherwise the one that tries the most.
METHOD_OF = {"_SPACES_BEHIND": "match"}
METHODS = {"match", "fullmatch", "search", "sub", "split", "findall", "finditer"}
# At this length, an expression that is not linear needs at least tens of millions of steps.
LONG = 8_000
SHORT = LONG // 4
SUSPICIOUS_SECONDS = 0.02


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def uses() -> Iterator[tuple[str, re.Pattern[str], str]]:
    """Yield each use of an expression: the place, the expression, and the method of `re`."""
    for path in sorted(ROOT.rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text("utf-8"))
        if not any(isinstance(each, ast.Name) and each.id == "re" for each in ast.walk(tree)):
            continue
        names = vars(importlib.import_module(module_of(path)))
        own = {name: each for name, each in names.items() if isinstance(each, re.Pattern)}
        unseen = dict(own)
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(value=ast.Name(id=name), attr=method) if (
                    method in METHODS and name in own
                ):
                    unseen.pop(name, None)
                    yield f"{where}:{name}.{method}", own[name], method
                case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=method)) if (
                    method in METHODS
                ):
                    text = node.args[0]
                    for each in written(text, names, where):
                        yield f"{where}:{node.lineno}", re.compile(each, flags_of(node)), method
        for name, expression in unseen.items():  # such as in a loop
            yield f"{where}:{name}", expression, METHOD_OF.get(name, "sub")


def written(text: ast.expr, names: Mapping[str, object], where: str) -> Iterable[str]:
    """Return the expressions of a call of `re`: a literal, a constant of the module, or others."""
    match text:
        case ast.Constant(value=str(value)):
            return [value]
        case ast.Name(id=name) if isinstance(own := names.get(name), str):
            return [own]
    return OTHERS[where]


def flags_of(call: ast.Call) -> int:
    named = {flag.attr for flag in ast.walk(call) if isinstance(flag, ast.Attribute)}
    return functools.reduce(operator.or_, (re.RegexFlag[each] for each in named & FLAGS), 0)


def samples(expression: re.Pattern[str]) -> list[str]:
    """Return texts that parts of the expression match: its words, marks and common characters."""
    pattern = expression.pattern
    # Without group names, sets and counts, whose letters match nothing.
    bare = re.sub(r"\(\?P?<\w+>|\[[^]]*\]|\{[\d,]+\}", "(", pattern)
    words = re.findall(r"(?<!\\)[A-Za-z0-9]+", bare)[:4]
    marks = re.findall(r"\\([^\w\s])", pattern) + re.findall(r"[-_/:@=\"'<>,;#!~&% ]", pattern)
    return list(dict.fromkeys([*words, "a", "0", " ", *marks, ".", "\n"]))[:14]


def pumped(expression: re.Pattern[str], length: int) -> Iterator[str]:
    """Return long texts that almost match, in as many places as possible."""
    parts = samples(expression)
    for unit in [*parts, *map("".join, itertools.permutations(parts, 2))]:
        for end in ("", "\x00", "!"):
            yield (unit * (length // len(unit) + 1))[:length] + end


def seconds(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


def run(expression: re.Pattern[str], method: str, text: str) -> None:
    if method == "sub":
        expression.sub("", text)
    elif method == "finditer":
        list(expression.finditer(text))
    else:
        getattr(expression, method)(text)


USES = list(uses())


@pytest.mark.parametrize(
    ("expression", "method"), [pytest.param(*use, id=where) for where, *use in USES]
)
def test_takes_linear_time(expression: re.Pattern[str], method: str) -> None:
    texts = zip(pumped(expression, SHORT), pumped(expression, LONG), strict=True)
    for short, long in texts:
        if seconds(lambda: run(expression, method, long)) < SUSPICIOUS_SECONDS:  # noqa: B023
            continue
        few = min(seconds(lambda: run(expression, method, short)) for _ in range(3))  # noqa: B023
        many = min(seconds(lambda: run(expression, method, long)) for _ in range(3))  # noqa: B023
        assert many < 8 * few, f"{expression.pattern!r} on {long[:20]!r}…: {few:.3f}, {many:.3f} s"


def test_no_group_is_possessive() -> None:
    """Python before 3.11.3, such as Debian 12's, mishandles lookarounds and branches in one."""
    possessive = re.compile(r"\)[*+?]\+|\(\?>")
    assert [where for where, use, _ in USES if possessive.search(use.pattern)] == []
