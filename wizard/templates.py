"""Finds the files of `templates/`: beside the package in a checkout, inside it once installed."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, cast

from wizard.defaults import ENGLISH
from wizard.language import Language, Message

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from jinja2 import Environment, Template


def template_folder() -> Traversable:
    """The folder with the templates.

    Raises:
        FileNotFoundError: the installation is broken.
    """
    package = files(__package__)
    beside = cast("Traversable | None", getattr(package, "parent", None))
    for folder in (package, beside):
        if folder is not None and (found := folder / "templates").is_dir():
            return found
    raise FileNotFoundError("templates/ is missing; reinstall librechat-auth0")


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

    folder = template_folder()
    spoken = language or Language(ENGLISH)

    def said(text: str, **values: object) -> str:
        return spoken.say(Message(text, **values) if values else text)

    made = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
        autoescape=select_autoescape(enabled_extensions=["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals.update(_=said, lang=spoken.name)
    return made
