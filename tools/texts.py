"""Collect every text that users read, and its translations: `python -m tools.texts`.

Babel extracts the texts from the calls in `KEYWORDS` and from the templates; texts of rules and
options come from their tables.
"""

from __future__ import annotations

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

ROOT = Path(__file__).parents[1]
LOCALE = ROOT / "wizard" / "locale"
# Functions that take a text, and the text's position among the arguments, counted from 1.
KEYWORDS = {
    **dict.fromkeys(("Message", "InvalidValue", "sentences"), (1,)),
    **dict.fromkeys(("finding", "failure", "Violation"), (1,)),
    "Choice": (2,),
    "CheckResult": (3,),
    # of the console
    **dict.fromkeys(("say", "todo", "hint", "done", "warn", "link", "verbatim"), (1,)),
    **dict.fromkeys(("setting", "working", "live"), (1,)),
    "outcome": (2,),
    "step": (3,),
    # of the prompter
    **dict.fromkeys(("text", "confirm", "select"), (1,)),
    # of the templates
    "_": (1,),
}
_SOURCES = {"wizard": ("**.py", "python"), "templates": ("**.j2", "jinja2")}
_FIELD = re.compile(r"\{\w[^{}]*\}")


def collected() -> Catalog:
    """Return every text, with the files that have it."""
    from babel.messages.catalog import Catalog

    catalogue = Catalog(project=CATALOGUE, fuzzy=False)
    for place, text in sorted({*_of_rules(), *_of_options(), *_extracted()}):
        if any(letter.isalpha() for letter in _FIELD.sub("", text)):
            catalogue.add(text, locations=[(place, 0)])
    return catalogue


def contents(language: str) -> dict[str, bytes]:
    """Return the two updated files of a language; new texts have no translation yet."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import write_po

    catalogue = translated(language)
    texts, compiled = BytesIO(), BytesIO()
    write_po(texts, catalogue, width=100, include_lineno=False, ignore_obsolete=True)
    write_mo(compiled, catalogue)
    return {f"{CATALOGUE}.po": texts.getvalue(), f"{CATALOGUE}.mo": compiled.getvalue()}


def translated(language: str) -> Catalog:
    """Return the current texts with the existing translations."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po

    path = LOCALE / language / "LC_MESSAGES" / f"{CATALOGUE}.po"
    known = Catalog(language)
    if path.is_file():
        with path.open("rb") as file:
            known = read_po(file, language)
    catalogue = collected()
    catalogue.locale = language
    catalogue.header_comment = "# Texts of librechat-auth0; begun by `python -m tools.texts`."
    # No creation time or version, so that the same texts produce the same file.
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
    from tools.documents.command_line import commands

    for command in commands():
        yield "command-line", command.help
        yield from (("command-line", entry.help) for entry in command.entries)


def _extracted() -> Iterator[tuple[str, str]]:
    from babel.messages.extract import extract_from_dir

    for folder, method in _SOURCES.items():
        for name, _, text, _, _ in extract_from_dir(ROOT / folder, [method], keywords=KEYWORDS):
            yield f"{folder}/{name}", str(text)


def template_of(text: str) -> str:
    """Return the catalogue's entry for a text."""
    return text.template if isinstance(text, Message) else text


def main() -> None:
    """Update every catalogue."""
    for language in LANGUAGES:
        folder = LOCALE / language / "LC_MESSAGES"
        if language != ENGLISH:
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in contents(language).items():
                (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
