"""Languages for tests: with as many texts as a test needs, or with every text, marked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from gettext import GNUTranslations
from io import BytesIO

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from wizard.documents.texts import collected, template_of
from wizard.language import Language, Message


def speaking(texts: Mapping[str, str], name: str = "nl") -> Language:
    """A language that knows these translations of English texts, from a real catalogue."""
    catalogue = Catalog(name)
    for english, translation in texts.items():
        catalogue.add(english, translation)
    file = BytesIO()
    write_mo(file, catalogue)
    file.seek(0)
    return Language(name, GNUTranslations(file))


@cache
def marking() -> Language:
    """A language that puts every text of the catalogues between ⟦ and ⟧, to be seen on a page."""
    texts = (str(message.id) for message in _catalogue() if message.id)
    return speaking({text: f"⟦{text}⟧" for text in texts})


def untranslatable(texts: Iterable[str]) -> list[str]:
    """Those of the texts, and of the messages in them, that no catalogue can have."""
    return [
        template
        for text in texts
        for template in _templates(text)
        if re.search("[a-z]", re.sub(r"\{\w+\}", "", template)) and template not in _catalogue()
    ]


def _templates(text: str) -> Iterator[str]:
    yield template_of(text)
    for value in text.values.values() if isinstance(text, Message) else ():
        if isinstance(value, Message):
            yield from _templates(value)


@cache
def _catalogue() -> Catalog:
    return collected()
