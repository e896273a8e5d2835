"""Fills in the files of `templates/`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from wizard.defaults import ENGLISH
from wizard.language import Language, Message
from wizard.resources import resource

if TYPE_CHECKING:
    from jinja2 import Environment, Template


@cache  # strangers may ask for pages as often as they like
def template(name: str, language: Language | None = None) -> Template:
    """The template of that name, see `environment`."""
    return environment(language).get_template(name)


def environment(language: Language | None = None) -> Environment:
    """Where templates find each other; HTML is escaped, and a name left undefined is an error.

    They speak `language`, English where none is given: `_` says a text in it, with the values of
    the text's fields by name, and `lang` is its code.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape

    spoken = language or Language(ENGLISH)

    def said(text: str, **values: object) -> str:
        return spoken.say(Message(text, **values) if values else text)

    made = Environment(
        loader=FunctionLoader(lambda name: resource(f"templates/{name}")),
        autoescape=select_autoescape(enabled_extensions=["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals.update(_=said, lang=spoken.name)
    return made
