"""Languages for tests: with as many texts as a test needs, or with every text, marked."""

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
    """A language that knows these translations of English texts, from a real catalogue."""
    catalogue = Catalog(name)
    for english, translation in texts.items():
        catalogue.add(english, translation)
    file = BytesIO()
    write_mo(file, catalogue)
    file.seek(0)
    return Language(name, GNUTranslations(file))


def untranslatable(texts: Iterable[str]) -> list[str]:
    """Those of the texts, and of the messages in them, that no catalogue can have."""
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
    """A language that puts the words of every text between marks, but not the values in it.

    So what is seen outside of marks was never said: a value, or a text that is in no catalogue.
    """
    texts = (str(message.id) for message in catalogue() if message.id)
    return speaking({text: _FIELD.sub(_outside, f"{BEGINS}{text}{ENDS}") for text in texts})


def unsaid(shown: str) -> str:
    """What was shown in the language `pseudo` and stands outside of marks."""
    return _MARKED.sub(" | ", shown)


def _outside(field: re.Match[str]) -> str:
    return f"{ENDS}{field[0]}{BEGINS}"
