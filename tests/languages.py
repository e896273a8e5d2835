"""Languages for tests: with a few given texts, or with every text marked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from gettext import GNUTranslations
from io import BytesIO

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from tools.texts import collected, template_of
from wizard.language import Language, Message

BEGINS, ENDS = "⟦", "⟧"
_FIELD = re.compile(r"\{\w+\}")
_MARKED = re.compile(f"{BEGINS}[^{ENDS}]*{ENDS}")


def speaking(texts: Mapping[str, str], name: str = "nl") -> Language:
    """Build a language from a real catalogue with these translations."""
    catalogue = Catalog(name)
    for english, translation in texts.items():
        catalogue.add(english, translation)
    file = BytesIO()
    write_mo(file, catalogue)
    file.seek(0)
    return Language(name, GNUTranslations(file))


def untranslatable(texts: Iterable[str]) -> list[str]:
    """Return the texts, and the messages in them, that no catalogue can contain."""
    return [
        template
        for text in texts
        for template in _templates(text)
        if re.search("[a-z]", re.sub(r"\{\w+\}", "", template)) and template not in catalogue()
    ]


def _templates(text: str) -> Iterator[str]:
    yield template_of(text)
    for value in text.values.values() if isinstance(text, Message) else ():
        if isinstance(value, Message):
            yield from _templates(value)


@cache
def catalogue() -> Catalog:
    return collected()


@cache
def pseudo() -> Language:
    """Build a language that puts the words of every text between marks, but not its values.

    Anything outside the marks is a value or a text that is missing from the catalogue.
    """
    texts = (str(message.id) for message in catalogue() if message.id)
    return speaking({text: _FIELD.sub(_outside, f"{BEGINS}{text}{ENDS}") for text in texts})


def unsaid(shown: str) -> str:
    """Return what a run in the language `pseudo` printed outside the marks."""
    return _MARKED.sub(" | ", shown)


def _outside(field: re.Match[str]) -> str:
    return f"{ENDS}{field[0]}{BEGINS}"
