"""Says the program's texts in the user's language, from gettext catalogues.

The code speaks English. What it says is a plain string, or a `Message` where values stand in it;
whoever shows it to a person has it said by a `Language`. What programs read (`--json`, files,
bug reports) stays English.
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
    """An English text that knows its template and values, so that it can be said otherwise.

    Values that are messages are translated with it; all others stay as they are.

    Args:
        template: the text, with fields as of `str.format` where there are values; what stands
            in the catalogues.
        values: what the fields show.
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
        """The text as a message, so that it is translated as a value of another."""
        return text if isinstance(text, Message) else cls(text)

    def filled(self, /, **values: object) -> Message:
        """The same template with these values."""
        return Message(self.template, **values)


def changed(text: str, change: Callable[[str], str]) -> str:
    """Return the text with what others wrote in it changed.

    Of a message those are the strings among its values, never its own words; of any other text
    it is all of it.
    """
    if not isinstance(text, Message):
        return change(text)
    return text.filled(
        **{
            name: changed(value, change) if isinstance(value, str) else value
            for name, value in text.values.items()
        }
    )


def sentences(*texts: str) -> Message:
    """The texts one after the other; each is translated by itself."""
    return joined(" ", texts)


def joined(separator: str, texts: Iterable[str]) -> Message:
    """The texts with the separator between them; each is translated by itself."""
    values = {f"text{index}": Message.of(text) for index, text in enumerate(filter(None, texts))}
    return Message(separator.join(f"{{{name}}}" for name in values), **values)


class Language:
    """One language of the program.

    Args:
        name: its code, as of ISO 639.
        catalogue: its texts; None for English, whose texts are those of the code.
        in_place_of: the language that should be spoken, and cannot; "" where this one is meant.
    """

    def __init__(
        self, name: str, catalogue: NullTranslations | None = None, *, in_place_of: str = ""
    ) -> None:
        self.name = name
        self.in_place_of = in_place_of
        self._catalogue = catalogue

    @classmethod
    def named(cls, name: str) -> Language:
        """The language with that code.

        Where the installation is broken, so that its catalogue cannot be read, it is English.
        """
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
        """The text in this language; as it is where no translation is known."""
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
    """The code of the language to speak: as it is wanted, else the first one of the locale's.

    The environment is read as gettext reads it: `LC_ALL`, `LC_MESSAGES`, `LANG`, and, where they
    name no C locale, `LANGUAGE` with its list.
    https://www.gnu.org/software/gettext/manual/html_node/Locale-Environment-Variables.html

    Args:
        wanted: a code that is known to be there, or "".
        environ: the environment variables.
        system_locale: tells the system's own, `nl_NL`, where the environment names none.
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
    """The language to speak on this machine, see `language_name`."""
    return Language.named(language_name(wanted, environ, _system_locale))


if sys.platform == "win32":

    def _system_locale() -> str:
        """That of Windows' own windows."""
        import ctypes
        import locale

        return locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")

else:

    def _system_locale() -> str:
        """Nothing: the environment names it."""
        return ""
