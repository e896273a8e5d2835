"""Every text that is passed to a printing call is in the catalogues."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.languages import catalogue
from tools.texts import KEYWORDS, ROOT

_WORDS = re.compile(r"[a-z'’]{2,}[,.:;)]? +[(“\"]?[a-z]{2,}", re.IGNORECASE)
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("wizard/**/*.py"))


def said(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Return the sentences in calls that print their arguments, by line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in KEYWORDS:
            for argument in (*node.args, *(each.value for each in node.keywords)):
                yield from ((text.lineno, _text(text)) for text in _strings(argument))


def _strings(node: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """Yield the strings of an expression, except those in nested calls."""
    match node:
        case ast.Call():
            return
        case ast.Constant(value=str()) | ast.JoinedStr():
            yield node
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _strings(child)


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values if isinstance(part, ast.Constant))
    return str(node.value)


def _name(called: ast.expr) -> str:
    match called:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


@pytest.mark.parametrize("place", MODULES)
def test_every_printed_text_is_in_the_catalogues(place: str) -> None:
    tree = ast.parse((ROOT / place).read_text("utf-8"))

    forgotten = [
        (line, text) for line, text in said(tree) if _WORDS.search(text) and text not in catalogue()
    ]

    assert not forgotten, "write Message(…) around it, outside of the call if it is there"
