"""Texts follow docs/writing.md: no word of its list, no long sentence in a title or next step."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.languages import catalogue
from tools.texts import ROOT, template_of
from wizard.rules import all_rules

PAGE = ROOT / "docs/writing.md"
LONGEST = 25
# A name of a test states the behaviour: `test_rejects_a_broken_record`.
RIDDLE = re.compile(
    r"^test_(?:(?:what|who|whom|whoever|whatever)_|\w*"
    r"(?:_(?:is|are)_(?:no|none|told|said)|_nobody|_somebody|_anybody|_everybody|_amid"
    r"|_of_ones_own)(?:_|$))"
)


@cache
def forbidden() -> re.Pattern[str]:
    """Return a pattern for the first column of the page's last table."""
    rows = re.findall(
        r"^\| ([^|]+) \|", PAGE.read_text("utf-8").partition("| never |")[2], re.MULTILINE
    )
    words = [word for row in rows for word in row.split(", ") if word.isascii()]
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE)


def words_in(text: str) -> list[str]:
    """Return the forbidden words outside `code`."""
    return forbidden().findall(re.sub(r"`[^`\n]*`", "", text))


@cache
def texts() -> Mapping[str, list[str]]:
    """Return every text that a person reads, by file."""
    found: dict[str, list[str]] = defaultdict(list)
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "benchmarks/README.md"):
        if not page.name.endswith(".nl.md"):
            found[_place(page)].append(_prose(page))
    for template in ROOT.glob("templates/**/*.j2"):
        found[_place(template)].append(template.read_text("utf-8"))
    for module in ROOT.glob("wizard/**/*.py"):
        found[_place(module)].extend(_code_texts(module))
    for message in catalogue():
        for place, _ in message.locations if message.id else ():
            # docs/rules.md and docs/cli.md contain the texts of these two.
            if place not in {"rules", "command-line"}:
                found[place].append(str(message.id))
    return found


def _place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _prose(page: Path) -> str:
    text = page.read_text("utf-8")
    # The tables of docs/writing.md contain the forbidden words.
    return re.sub(r"^\|.*$", "", text, flags=re.MULTILINE) if page == PAGE else text


def _code_texts(module: Path) -> Iterator[str]:
    """Yield the docstrings and comments."""
    source = module.read_text("utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def code_outside_the_program() -> Iterator[Path]:
    for folder in ("tests", "tests/*", "tools", "tools/*", "benchmarks", "release"):
        yield from ROOT.glob(f"{folder}/*.py")


@cache
def steps() -> Mapping[str, list[str]]:
    """Return the titles and next steps of findings, by rule or module."""
    found = {rule.id: [rule.title, template_of(rule.fix)] for rule in all_rules().values()}
    for module in ROOT.glob("wizard/**/*.py"):
        if said := list(_fixes(ast.parse(module.read_text("utf-8")))):
            found[_place(module)] = said
    return found


def _fixes(tree: ast.AST) -> Iterator[str]:
    """Yield the texts of arguments named `fix`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "fix":
            for each in ast.walk(node.value):
                if isinstance(each, ast.Constant) and isinstance(each.value, str):
                    yield each.value


def long_sentences(text: str) -> list[str]:
    sentences = re.split(r"(?<=[.!?])\s+", text)
    return [each for each in sentences if len(re.findall(r"\S*\w\S*", each)) > LONGEST]


def test_the_page_has_a_list_and_twenty_pairs() -> None:
    pairs = PAGE.read_text("utf-8").partition("| before |")[2].partition("\n\n")[0]

    assert len(pairs.splitlines()) - 2 == 20
    assert words_in("Mend what was told.") == ["Mend", "told"]
    assert words_in("A tool, `mend`, of amendments.") == []


@pytest.mark.parametrize("place", sorted(texts()))
def test_no_text_holds_a_forbidden_word(place: str) -> None:
    found = sorted({word for text in texts()[place] for word in words_in(text)})

    assert not found, "docs/writing.md says what to write instead"


def test_tests_and_tools_hold_no_forbidden_word() -> None:
    found = {}
    for module in code_outside_the_program():
        source = module.read_text("utf-8")
        names = re.findall(r"^ *(?:def|class) (\w+)", source, re.MULTILINE)
        words = [*filter(RIDDLE.search, names)]
        # Only then, because to tokenize a module takes 20 times as long.
        if forbidden().search(source.replace("_", " ")):
            texts = [*(name.replace("_", " ") for name in names), *_code_texts(module)]
            words += [word for text in texts for word in words_in(text)]
        if words:
            found[_place(module)] = words

    assert not found, "docs/writing.md says what to write instead"


@pytest.mark.parametrize("place", sorted(steps()))
def test_no_title_or_next_step_has_a_long_sentence(place: str) -> None:
    found = [each for text in steps()[place] for each in long_sentences(text)]

    assert not found, f"more than {LONGEST} words"
