"""Every text that users read, and its translations: `python -m wizard.documents.texts`.

Texts come from the table of rules, from the options of the command line, from the templates, and
from the code: there they are the arguments of the calls in `SAYS`. Needs Babel, which is for
development only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.defaults import ENGLISH, LANGUAGES
from wizard.language import CATALOGUE, Message

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

ROOT = Path(__file__).parents[2]
LOCALE = ROOT / "wizard" / "locale"
_FIELD = re.compile(r"\{\w+[^}]*\}")

# Which arguments of a call a person reads, by the last word of what is called; ... for all.
SAYS: dict[str, tuple[object, ...]] = {
    "Message": (0,),
    "sentences": (...,),
    "joined": (1,),
    "finding": (0, "detail", "fix"),
    "failure": (0, "detail", "fix"),
    "InvalidValue": (0,),
    "CheckResult": (2, "detail"),
    "Choice": (1, "label"),
    # of the console
    "step": (2,),
    "say": (0,),
    "todo": (0,),
    "hint": (0,),
    "done": (0,),
    "warn": (0,),
    "outcome": (1, 2),
    "link": (0,),
    "verbatim": (0,),
    "setting": (0, 3),
    "working": (0,),
    "live": (0,),
    # of the prompter
    "text": (0,),
    "secret": (0,),
    "confirm": (0,),
    "select": (0,),
}
# These speak English only: what they write is read in files, and by programs.
ENGLISH_ONLY = ("wizard/documents/",)


def collected() -> Catalog:
    """Every text, with the files that say it."""
    from babel.messages.catalog import Catalog

    catalogue = Catalog(project=CATALOGUE, fuzzy=False)
    for place, text in sorted({*_of_rules(), *_of_options(), *_of_templates(), *_of_code()}):
        catalogue.add(text, locations=[(place, 0)])
    return catalogue


def contents(language: str) -> dict[str, bytes]:
    """The two files of a language, brought up to date; new texts wait for a translation."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import write_po

    catalogue = translated(language)
    texts, compiled = BytesIO(), BytesIO()
    write_po(texts, catalogue, width=100, include_lineno=False, ignore_obsolete=True)
    write_mo(compiled, catalogue)
    return {f"{CATALOGUE}.po": texts.getvalue(), f"{CATALOGUE}.mo": compiled.getvalue()}


def translated(language: str) -> Catalog:
    """The texts as they are now, with the translations that are there."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po

    path = LOCALE / language / "LC_MESSAGES" / f"{CATALOGUE}.po"
    known = Catalog(language)
    if path.is_file():
        with path.open("rb") as file:
            known = read_po(file, language)
    catalogue = collected()
    catalogue.locale = language
    catalogue.header_comment = (
        "# Texts of librechat-auth0; begun by `python -m wizard.documents.texts`."
    )
    # Neither time nor place of the making, so that the same texts make the same file.
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    for message in catalogue:
        before = known.get(message.id) if message.id else None
        if before is not None:
            message.string = before.string
            message.user_comments = before.user_comments
    return catalogue


def _of_rules() -> Iterator[tuple[str, str]]:
    from wizard.rules import all_rules

    for rule in all_rules().values():
        for text in filter(None, (rule.title, rule.why, rule.fix)):
            yield "rules", template_of(text)


def _of_options() -> Iterator[tuple[str, str]]:
    from wizard.documents.command_line import commands

    for command in commands():
        yield from (("command-line", text) for text in (command.help, command.epilog) if text)
        yield from (("command-line", entry.help) for entry in command.entries)


def _of_templates() -> Iterator[tuple[str, str]]:
    from babel.messages.extract import extract_from_dir

    for name, _, text, _, _ in extract_from_dir(ROOT / "templates", [("**.j2", "jinja2")]):
        yield f"templates/{name}", str(text)


def _of_code() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.glob("wizard/**/*.py")):
        place = path.relative_to(ROOT).as_posix()
        if not place.startswith(ENGLISH_ONLY):
            for said in said_in(ast.parse(path.read_text("utf-8"))):
                yield place, str(said.value)


def template_of(text: str) -> str:
    """What stands in the catalogues for a text."""
    return text.template if isinstance(text, Message) else text


def said_in(tree: ast.AST) -> Iterator[ast.Constant]:
    """The strings of a module that a person reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for argument in read_arguments(node):
                yield from _strings(argument)


def read_arguments(call: ast.Call) -> Iterator[ast.expr]:
    """The arguments of a call that a person reads."""
    places = SAYS.get(_name(call.func), ())
    for index, argument in enumerate(call.args):
        if index in places or ... in places:
            yield argument
    for keyword in call.keywords:
        if keyword.arg in places:
            yield keyword.value


def _strings(node: ast.expr) -> Iterator[ast.Constant]:
    """The strings that an expression may come to, as far as they stand in it."""
    match node:
        case ast.Constant(value=str(text)):
            if any(letter.isalpha() for letter in _FIELD.sub("", text)):
                yield node
        case ast.IfExp():
            yield from _strings(node.body)
            yield from _strings(node.orelse)
        case ast.BoolOp(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
            for part in parts:
                yield from _strings(part)
        case _:
            return


def _name(called: ast.expr) -> str:
    match called:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def main() -> None:
    """Bring every catalogue up to date."""
    for language in LANGUAGES:
        folder = LOCALE / language / "LC_MESSAGES"
        if language != ENGLISH:
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in contents(language).items():
                (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
