"""Languages for tests, with as many texts as a test needs."""

from __future__ import annotations

from collections.abc import Mapping
from gettext import GNUTranslations
from io import BytesIO

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from wizard.language import Language


def speaking(texts: Mapping[str, str], name: str = "nl") -> Language:
    """A language that knows these translations of English texts, from a real catalogue."""
    catalogue = Catalog(name)
    for english, translation in texts.items():
        catalogue.add(english, translation)
    file = BytesIO()
    write_mo(file, catalogue)
    file.seek(0)
    return Language(name, GNUTranslations(file))
