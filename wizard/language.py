"""Translates the program's texts with gettext catalogues.

Texts are English in the code: a plain string, or a `Message` where it has values. A `Language`
translates them for people; what programs read (`--json`, files, bug reports) stays English.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Self

from wizard.defaults import ENGLISH, LANGUAGES

if TYPE_CHECKING:
    from gettext import NullTranslations

CATALOGUE = "librechat-auth0"


class Message(str):
    """An English text that keeps its template and values, for translation.

    The template has fields as in `str.format`; values that are messages are translated too.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, /, **values: object) -> Self:
        message = super().__new__(cls, template.format_map(values) if values else template)
        message.template = template
        message.values = values
        return message

    @classmethod
    def of(cls, text: str) -> Message:
        """Return the text as a message, to be translated as a value of another one."""
        return text if isinstance(text, Message) else cls(text)

    def filled(self, /, **values: object) -> Message:
        """Return the same template with these values."""
        return Message(self.template, **values)


def changed(text: str, change: Callable[[str], str]) -> str:
    """Change the foreign parts of a text: the values of a message, or all of a plain string."""
    if not isinstance(text, Message):
        return change(text)
    return text.filled(
        **{
            name: changed(value, change) if isinstance(value, str) else value
            for name, value in text.values.items()
        }
    )


def sentences(*texts: str) -> Message:
    """Join the texts with spaces; each is translated by itself."""
    return joined(" ", texts)


def ended(text: str) -> str:
    """Return the text as a sentence."""
    return text if text.endswith(".") else Message("{text}.", text=Message.of(text))


def joined(separator: str, texts: Iterable[str]) -> Message:
    """Join the texts that are not empty; each is translated by itself."""
    values = {f"text{index}": Message.of(text) for index, text in enumerate(filter(None, texts))}
    return Message(separator.join(f"{{{name}}}" for name in values), **values)


class Language:
    """One language, by its ISO 639 code; English has no catalogue.

    `in_place_of` is the requested language, if its catalogue cannot be read.
    """

    def __init__(
        self, name: str, catalogue: NullTranslations | None = None, *, in_place_of: str = ""
    ) -> None:
        self.name = name
        self.in_place_of = in_place_of
        self._catalogue = catalogue

    @classmethod
    def named(cls, name: str) -> Language:
        """Return the language with that code; English where its catalogue cannot be read."""
        if name == ENGLISH:
            return cls(name)
        import struct
        from gettext import GNUTranslations
        from importlib.resources import files

        path = files("wizard") / "locale" / name / "LC_MESSAGES" / f"{CATALOGUE}.mo"
        try:
            with path.open("rb") as file:
                return cls(name, GNUTranslations(file))
        except (OSError, ValueError, LookupError, struct.error):
            return cls(ENGLISH, in_place_of=name)

    def say(self, text: str) -> str:
        """Return the text in this language; unchanged where it has no translation."""
        if self._catalogue is None or not text:
            return str(text)
        if not isinstance(text, Message):
            return self._catalogue.gettext(text)
        template = self._catalogue.gettext(text.template)
        if not text.values:
            return template
        return template.format_map({name: self._value(text.values[name]) for name in text.values})

    def _value(self, value: object) -> object:
        return self.say(value) if isinstance(value, Message) else value


def language_name(wanted: str, environ: Mapping[str, str], system_locale: Callable[[], str]) -> str:
    """Return the code of the requested language, else of the first one of the locale.

    The environment is read as gettext does: `LC_ALL`, `LC_MESSAGES`, `LANG`, and, unless they name
    the C locale, the list in `LANGUAGE`. If it has none, `system_locale` returns one like `nl_NL`.
    https://www.gnu.org/software/gettext/manual/html_node/Locale-Environment-Variables.html
    """
    if wanted:
        return wanted
    named = (environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next(filter(None, named), "") or system_locale()
    if not locale or locale.partition(".")[0] in {"C", "POSIX"}:
        return ENGLISH
    for each in (environ.get("LANGUAGE") or locale).split(":"):
        code = each.replace("-", "_").partition("_")[0].partition(".")[0].lower()
        if code in LANGUAGES:
            return code
    return ENGLISH


def user_language(wanted: str, environ: Mapping[str, str]) -> Language:
    """Return the language on this machine, see `language_name`."""
    return Language.named(language_name(wanted, environ, _system_locale))


def _system_locale() -> str:
    """Return the language of the Windows user interface, "" on other systems."""
    name = ""
    if sys.platform == "win32":
        import ctypes
        import locale

        name = locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")
    return name
