"""All that users read is said in their language: nothing is forgotten, nothing is mistranslated."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from wizard.documents.texts import ROOT, said_in

# Whole modules whose words are not for users' eyes, and why.
SPEAKS_ENGLISH = {
    "wizard/cli.py": "options; their texts are in the catalogue as --help shows them",
    "wizard/documents": "writes the English documents",
    "wizard/librechat/variables.py": "comments of a new .env, which programs and teams share",
}
# Strings that are not said to users, by module, and why.
NOT_SAID: dict[str, dict[str, str]] = {
    "wizard/auth0/probes.py": {"HTTP 00 00": "the server's own words follow"},
    "wizard/auth0/tenant.py": {
        "librechat: api/strategies/openidStrategy.js, npm openid-client 6 discovery()": "a source",
    },
}
# What is told to developers: a broken contract, not something a user did.
_BUGS = {"ValueError", "TypeError", "RuntimeError", "LookupError", "KeyError", "AssertionError"}
# The registry tells the texts of rules.
_RULES = {"Rule", "_rule", "_unreachable"}
# What others say, to be found in their answers.
_PATTERNS = {"Known"}
_VALUE = "00"
_WORDS = re.compile(
    r"[a-z'’]{2,}[,.:;)]? +[(“\"]?[A-Za-z0]{2,}|00[,.:;]? +[a-z]{3,}", re.IGNORECASE
)

MODULES = sorted(
    place
    for path in ROOT.glob("wizard/**/*.py")
    if not (place := path.relative_to(ROOT).as_posix()).startswith(tuple(SPEAKS_ENGLISH))
)


def prose(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The strings that read like sentences, by line, but those that are known to be said."""
    known = {id(node) for node in said_in(tree)} | set(_of_no_concern(tree))
    for node in ast.walk(tree):
        text = _text(node)
        if text and id(node) not in known and _WORDS.search(text):
            yield node.lineno, text  # type: ignore[attr-defined]


def _text(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(
                _text(part) if isinstance(part, ast.Constant) else _VALUE for part in parts
            )
        case _:
            return ""


def _of_no_concern(tree: ast.Module) -> Iterator[int]:
    """Docstrings, pieces of f-strings, rules, patterns, bugs."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant() as docstring):
                yield id(docstring)
            case ast.JoinedStr(values=parts):
                yield from map(id, parts)
            case ast.Call(func=ast.Name(id=name)) if name in _BUGS | _RULES | _PATTERNS:
                yield from (id(each) for each in ast.walk(node))
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"))):
                yield from (id(each) for each in ast.walk(node))
            case _:
                pass


@pytest.mark.parametrize("place", MODULES)
def test_every_text_is_in_the_catalogue(place: str) -> None:
    """A text in an f-string cannot be translated; `Message` can."""
    tree = ast.parse((ROOT / place).read_text("utf-8"))
    allowed = NOT_SAID.get(place, {})

    forgotten = [(line, text) for line, text in prose(tree) if text not in allowed]

    assert not forgotten
