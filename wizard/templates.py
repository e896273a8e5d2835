"""Renders the files of `templates/`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from wizard.defaults import ENGLISH
from wizard.language import Language, Message
from wizard.resources import resource

if TYPE_CHECKING:
    from jinja2 import Environment, Template


@cache  # a public URL serves these pages to anyone
def template(name: str, language: Language | None = None) -> Template:
    """Return the template of that name, see `environment`."""
    return environment(language).get_template(name)


def environment(language: Language | None = None) -> Environment:
    """Return the environment of the templates: HTML is escaped, an undefined name is an error.

    In a template `_` translates a text and fills in its fields; `lang` is the language's code.
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
